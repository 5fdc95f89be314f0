/*
 * http_basic - the user that Authorization names: RFC 7617 2.
 *
 * Pure.  Nobody has checked the name, nor the password, which is not looked at.
 */
#ifndef CGTHREAD_HTTP_BASIC_H
#define CGTHREAD_HTTP_BASIC_H

#include <stddef.h>

/*
 * From "Basic base64(user:password)" into user, as much of it as fits; any
 * bytes may be in it.  Its length, or 0 where the value names no user.
 */
size_t http_basic_user(const char *value, size_t len, char *user, size_t size);

#endif
