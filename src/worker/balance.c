/* balance - see balance.h. */
#include "balance.h"

#include "clock.h"
#include "scoreboard.h"

/* A request that waits for a thread weighs as much as so many connections. */
#define WAITING_WEIGHT 4

/* Connections by which a worker has to be ahead: this, and a 16th. */
#define CONNECTIONS_MARGIN 2

/* Workers to look at for one connection; each costs a cache line. */
#define LOOK_AT_MAX 16

/* How often to ask whether connections come and go. */
#define CHURN_MS 50

void
balance_init(struct balance *b, const struct scoreboard *board, unsigned slot,
    unsigned threads)
{
	*b = (struct balance){.board = board,
	    .own = scoreboard_line(board, slot),
	    .slot = slot,
	    .threads = threads,
	    .next = slot};
}

/* One number, so that of all workers one at least is busier than no other. */
static uint64_t
weigh(const struct load *load)
{
	return (load->connections + WAITING_WEIGHT * load->waiting);
}

bool
load_is_busier(const struct load *load, const struct load *than)
{
	uint64_t weight = weigh(than);

	return (weigh(load) > weight + CONNECTIONS_MARGIN + weight / 16);
}

/* A look that comes late tells nothing of now. */
void
churn_look(struct churn *churn, uint64_t now_ms, uint64_t closed,
    uint64_t requests, uint64_t connections)
{
	uint64_t gone = closed - churn->closed;
	bool was_fast = churn->is_fast;

	if (now_ms < churn->looked_ms + CHURN_MS)
		return;
	churn->is_fast = now_ms < churn->looked_ms + 2 * CHURN_MS &&
			 gone > connections &&
			 requests - churn->requests < 2 * gone;
	churn->is_high = churn->is_fast && was_fast;
	churn->looked_ms = now_ms;
	churn->closed = closed;
	churn->requests = requests;
}

static uint64_t
waiting_of(const struct balance *b, const struct scoreboard_line *line)
{
	uint64_t out =
	    scoreboard_get(&line->queued) + scoreboard_get(&line->running);

	return (out > b->threads ? out - b->threads : 0);
}

/* The next slot to look at. */
static unsigned
step(const struct balance *b, unsigned slot)
{
	return (slot % scoreboard_nlines(b->board) + 1);
}

/*
 * What was sent and not taken yet will be the others', in equal parts.  Totals
 * are a moment old, so this may be off by a few.  Where not all are looked at,
 * the totals tell nothing.
 */
static uint64_t
share_under_way(const struct balance *b, uint64_t now_ms)
{
	unsigned n = scoreboard_nlines(b->board), slot, others = 0;
	const struct scoreboard_line *line;
	int64_t under_way = 0;

	if (n > LOOK_AT_MAX)
		return (0);
	for (slot = 1; slot <= n; slot++) {
		line = scoreboard_line(b->board, slot);
		under_way += (int64_t)scoreboard_get(&line->handed_out);
		under_way -= (int64_t)scoreboard_get(&line->handed_in);
		others +=
		    slot != b->slot && scoreboard_line_is_serving(line, now_ms);
	}
	return (others > 0 && under_way > 0 ? (uint64_t)under_way / others : 0);
}

bool
balance_is_busier(
    struct balance *b, uint64_t connections, enum balance_when when)
{
	struct load own = {waiting_of(b, b->own), 0}, other;
	unsigned n = scoreboard_nlines(b->board), left;
	const struct scoreboard_line *line;
	uint64_t now_ms, share;

	if (n == 1)
		return (false);
	now_ms = clock_ms();
	churn_look(&b->churn, now_ms, b->closed,
	    scoreboard_get(&b->own->requests), connections);
	if (!b->churn.is_high)
		own.connections = connections;
	share = when == BALANCE_SENDING ? share_under_way(b, now_ms) : 0;
	for (left = n < LOOK_AT_MAX ? n : LOOK_AT_MAX; left > 0; left--) {
		b->next = step(b, b->next);
		line = scoreboard_line(b->board, b->next);
		if (b->next == b->slot ||
		    !scoreboard_line_is_serving(line, now_ms))
			continue;
		other.waiting = waiting_of(b, line);
		other.connections = scoreboard_get(&line->connections) + share;
		if (load_is_busier(&own, &other))
			return (true);
	}
	return (false);
}

bool
balance_has_others(const struct balance *b)
{
	uint64_t now_ms = clock_ms();
	unsigned slot;

	for (slot = 1; slot <= scoreboard_nlines(b->board); slot++)
		if (slot != b->slot &&
		    scoreboard_line_is_serving(
			scoreboard_line(b->board, slot), now_ms))
			return (true);
	return (false);
}
