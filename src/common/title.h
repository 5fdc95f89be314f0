/* title - what ps(1) shows of a process: "cgthread: worker 1 [shop]". */
#ifndef CGTHREAD_TITLE_H
#define CGTHREAD_TITLE_H

/* First thing in main(). */
void title_init(int argc, char *argv[]);

/* role is "master" or "worker 1"; name is proc_name, "" for none. */
void title_set(const char *role, const char *name);

#endif
