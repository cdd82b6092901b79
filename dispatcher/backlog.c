/* backlog.c - Pure. How many requests may wait at a node. */
#include "dispatcher/backlog.h"

enum { EIGHTHS = 8 };           /* of `rate` in one                          */

/** What it answers in an interval: the mean while it has more to do than it can,
 *  else the most */
static void learn_rate(struct backlog *b)
{
	uint32_t n = b->answered * EIGHTHS;

	if (b->full)
		b->rate = (b->rate * (EIGHTHS - 1) + n) / EIGHTHS;
	else if (n > b->rate)
		b->rate = n;
}

/** What an answer takes that did not wait. It grows slowly and only while the
 *  node is well, as what waits would be taken for the way there */
static void learn_base(struct backlog *b, uint32_t target)
{
	uint32_t far = BACKLOG_FAR * target * 1000;
	uint32_t us = b->least < far ? b->least : far;

	if (!b->known || us < b->base)
		b->base = us;
	else if (!b->slow)
		b->base += (us - b->base) / 64;
	b->known = true;
	b->timed = 0;
}

/** Next to nothing waits, and still all answers are late: the way may have become
 *  longer. If that was wrong, twice as many wait as should, until one does not:
 *  less than what too few for a far node would cost. */
static void try_base(struct backlog *b, uint32_t target)
{
	bool few = b->late && backlog_room(b, target) == BACKLOG_LEAST;

	b->few = few ? b->few + 1 : 0;
	if (b->few < BACKLOG_CALM || b->timed < BACKLOG_SOME)
		return;
	b->known = false;
}

static void close_interval(struct backlog *b, uint32_t target)
{
	learn_rate(b);
	try_base(b, target);
	if (b->timed >= BACKLOG_SOME)
		learn_base(b, target);
	b->calm = b->late || b->full ? 0 : b->calm + 1;
	if (b->calm >= BACKLOG_CALM)
		b->slow = false;
	b->answered = 0;
	b->full = b->late = false;
}

void backlog_tick(struct backlog *b, uint32_t target, uint64_t now)
{
	uint64_t n;

	if (now < b->end)
		return;
	n = (now - b->end) / BACKLOG_INTERVAL;
	if (b->end)
		close_interval(b, target);
	for (n = n < BACKLOG_CALM ? n : BACKLOG_CALM; n && b->slow; n--)
		close_interval(b, target);
	b->end = now + BACKLOG_INTERVAL;
}

/** How fast it was since its answers are late: it had something to do throughout */
static void begins(struct backlog *b, uint64_t now)
{
	b->slow = true;
	b->rate = (uint32_t)(b->done * (uint64_t)EIGHTHS * BACKLOG_INTERVAL /
			     (now - b->late_at));
}

/** Is it a queue that does not go away? One that was quick until now may only have
 *  been without the CPU for a moment: then what waits is soon made up for */
static bool stands(const struct backlog *b, uint64_t left, uint32_t target,
		   uint64_t now)
{
	uint64_t ms = now - b->late_at;

	if (b->latec < BACKLOG_SOME || ms < (target + 1) / 2)
		return false;
	return b->slow || ms >= BACKLOG_STANDS * (uint64_t)target ||
	       left * ms >= BACKLOG_LONG * (uint64_t)target * b->done;
}

static void judge(struct backlog *b, const struct backlog_got *g,
		  uint32_t target, uint64_t now)
{
	if (!b->timed++ || g->us < b->least)
		b->least = g->us;
	if (!b->known || g->us <= b->base + (target + 1) / 2 * 1000) {
		b->latec = 0;
		return;
	}
	if (!b->latec++) {
		b->late_at = now;
		b->done = 0;
	}
	if (!stands(b, g->left, target, now))
		return;
	b->late = true;
	if (!b->slow)
		begins(b, now);
}

void backlog_answer(struct backlog *b, const struct backlog_got *g,
		    uint32_t target, uint64_t now)
{
	backlog_tick(b, target, now);
	b->answered++;
	b->done++;
	if (g->timed)
		judge(b, g, target, now);
}

uint32_t backlog_room(const struct backlog *b, uint32_t target)
{
	uint64_t us = target * 1000ull + b->base;
	uint64_t n = b->rate * us / (EIGHTHS * BACKLOG_INTERVAL * 1000ull);

	if (!b->slow)
		return 0;
	return n > BACKLOG_LEAST ? (uint32_t)n : BACKLOG_LEAST;
}
