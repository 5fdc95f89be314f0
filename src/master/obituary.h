/* obituary - what a process died of, in words.  Pure. */
#ifndef CGTHREAD_OBITUARY_H
#define CGTHREAD_OBITUARY_H

#include <stddef.h>

#define OBITUARY_SIZE 96

/*
 * "exited with status 3", "killed by signal 11 (Segmentation fault), core
 * dumped", from a status of waitpid(2).  Returns buf.
 */
const char *obituary_format(int status, char buf[OBITUARY_SIZE]);

#endif
