/* saturation - see saturation.h. */
#include "saturation.h"

#include <inttypes.h>

#include "log.h"
#include "pool.h"

/* What lasts shorter is not told of, unless requests were refused. */
#define TELL_AFTER_MS   1000
#define TELL_AGAIN_MS   30000
#define TELL_REFUSED_MS 1000

static void
tell(struct saturation *s, const struct pool *pool, const char *what,
    uint64_t now_ms)
{
	unsigned queued = pool_queued(pool);
	uint64_t age_ms = saturation_age_ms(s, now_ms);

	s->told_ms = now_ms;
	log_warnx("%s: no thread free for %" PRIu64 ".%" PRIu64
		  " s, %u request%s waiting, %" PRIu64 " refused",
	    what, age_ms / 1000, age_ms / 100 % 10, queued,
	    queued == 1 ? "" : "s", s->refused);
}

static void
begin(struct saturation *s, uint64_t now_ms)
{
	s->since_ms = now_ms;
	s->told_ms = 0;
	s->refused = 0;
}

static void
end(struct saturation *s, uint64_t now_ms)
{
	uint64_t age_ms = saturation_age_ms(s, now_ms);

	if (s->told_ms != 0)
		log_info("a thread is free again after %" PRIu64 ".%" PRIu64
			 " s, %" PRIu64 " refused",
		    age_ms / 1000, age_ms / 100 % 10, s->refused);
	s->since_ms = 0;
}

void
saturation_look(struct saturation *s, const struct pool *pool, uint64_t now_ms)
{
	if (!pool_is_saturated(pool) || pool_backlog(pool) == 0) {
		if (s->since_ms != 0)
			end(s, now_ms);
		return;
	}
	if (s->since_ms == 0)
		begin(s, now_ms);
	if (now_ms < s->since_ms + TELL_AFTER_MS)
		return;
	if (s->told_ms == 0 || now_ms >= s->told_ms + TELL_AGAIN_MS)
		tell(s, pool, "saturated", now_ms);
}

void
saturation_refuse(struct saturation *s, const struct pool *pool,
    const char *why, uint64_t now_ms)
{
	if (s->since_ms == 0)
		begin(s, now_ms);
	s->refused++;
	if (s->refused_ms != 0 && now_ms < s->refused_ms + TELL_REFUSED_MS)
		return;
	s->refused_ms = now_ms;
	tell(s, pool, why, now_ms);
}

uint64_t
saturation_age_ms(const struct saturation *s, uint64_t now_ms)
{
	return (s->since_ms != 0 ? now_ms - s->since_ms : 0);
}
