/*
 * child_state - the life of a worker process, as the master sees it: a table of
 * states and of the moves between them.
 */
#ifndef CGTHREAD_CHILD_STATE_H
#define CGTHREAD_CHILD_STATE_H

enum child_state {
	CHILD_STARTING, /* forked; imports the application, bounded by a timer
			 */
	CHILD_READY,    /* it has said so */
	CHILD_ACTIVE,   /* told to accept connections */
	CHILD_DRAINING, /* told to leave, by whatever signal */
	CHILD_GONE,     /* reaped: there is no process any more */
	CHILD_NSTATES
};

/* Returns to; a move that the table does not have is our bug: it aborts. */
enum child_state child_state_move(enum child_state from, enum child_state to);

/* "starting" .. "gone" */
const char *child_state_name(enum child_state);

#endif
