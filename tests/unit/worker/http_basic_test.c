/* http_basic: RFC 7617 2, RFC 4648 10. */
#include <criterion/criterion.h>

#include <string.h>

#include "guarded.h"
#include "http_basic.h"
#include "macros.h"

/* clang-format off */
static const struct {
	const char *value, *user; /* "": none */
} cases[] = {
	{ "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin" }, /* RFC 7617 2 */
	{ "basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin" },
	{ "Basic   QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin" },
	{ "Basic dGVzdDoxMjPCow==", "test" }, /* RFC 7617 2.1 */
	{ "Basic YTo=", "a" },
	{ "Basic YTpiOmM=", "a" }, /* the password may have a colon */
	{ "Basic /+A6", "\xff\xe0" },
	{ "Basic Ojo=", "" },
	{ "Basic QWxhZGRpbg==", "" }, /* no colon */
	{ "Basic YWRh OnNlY3JldA==", "" },
	{ "Basic YWRh-OnNlY3JldA==", "" },
	{ "Basic ====", "" },
	{ "Basic", "" },
	{ "Basic ", "" },
	{ "BasicQTo=", "" },
	{ "Bearer YTo=", "" },
	{ "", "" },
};
/* clang-format on */

Test(http_basic, user)
{
	char user[64];
	size_t i, n, len;

	for (i = 0; i < nitems(cases); i++) {
		len = strlen(cases[i].value);
		n = http_basic_user(
		    guarded(cases[i].value, len), len, user, sizeof(user));
		cr_expect_eq(
		    n, strlen(cases[i].user), "%s: %zu", cases[i].value, n);
		cr_expect_eq(
		    memcmp(user, cases[i].user, n), 0, "%s", cases[i].value);
	}
}

Test(http_basic, every_prefix_is_safe_and_never_a_longer_name)
{
	static const char value[] = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";
	char *user = guarded_copy("", 0);
	size_t len;

	for (len = 0; len < sizeof(value); len++)
		http_basic_user(guarded(value, len), len, user, 0);
	user = guarded_copy("1234", 4);
	cr_expect_eq(http_basic_user(value, sizeof(value) - 1, user, 4), 4);
	cr_expect_eq(memcmp(user, "Alad", 4), 0);
}
