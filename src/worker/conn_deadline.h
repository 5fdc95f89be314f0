/*
 * conn_deadline - how long a connection may take, and how slow it may be; a part of
 * conn, see conn_private.h.
 */
#ifndef CGTHREAD_CONN_DEADLINE_H
#define CGTHREAD_CONN_DEADLINE_H

#include <stdint.h>

struct conn;
struct conn_list;
struct deadline_queue;

/* max_buffered is reached: connections that take nothing are cut. */
void conn_list_relieve(struct conn_list *);

/* Once a second: drops requests whose client has left while they wait. */
void conn_list_drop_gone(struct conn_list *);

void conn_init_deadlines(struct conn_list *);
/* Starts (again) a deadline that the connection is then bound by. */
void conn_set_deadline(struct conn *, struct deadline_queue *);
/* The same for what must go on at min_rate: so many bytes have moved so far. */
void conn_progress(struct conn *, struct deadline_queue *, uint64_t moved);
/* The peer takes nothing more of the reply, for the moment. */
void conn_sending(struct conn *);

#endif
