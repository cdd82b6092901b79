/* wheel.c - Pure. Hierarchical timing wheel. */
#include "base/wheel.h"
#include <errno.h>
#include <stdlib.h>

/*
 * Ticks of 1 ms, 64 slots a level, as many levels as 64 bits of time need.
 * A timer lies on the level of the highest 6-bit digit in which its time
 * differs from `now`, in the slot of that digit. So:
 *  - every slot in use lies ahead of now's own digit, nothing wraps;
 *  - all of a lower level is due before anything of a higher one;
 *  - the next event is the lowest set bit of the lowest level in use.
 * When `now` reaches the start of a slot of a higher level, its timers move
 * down. A timer set for 32 s moves at most twice before it fires, and most
 * are stopped before that.
 */
#define BITS 6
#define SLOTS 64
#define LEVELS 11

struct wheel {
	uint64_t now;                /**< all before it has been taken [ms]  */
	struct wtimer *due;          /**< expired, not yet taken             */
	uint32_t levels;             /**< bit per level in use               */
	uint64_t map[LEVELS];        /**< bit per slot in use                */
	struct wtimer *slot[LEVELS * SLOTS];
};

int wheel_alloc(struct wheel **wp, uint64_t now)
{
	struct wheel *w = calloc(1, sizeof(*w));

	if (!w)
		return ENOMEM;
	w->now = now;
	*wp = w;
	return 0;
}

void wheel_free(struct wheel *w)
{
	free(w);
}

static inline void link_to(struct wtimer **head, struct wtimer *t)
{
	t->next = *head;
	if (t->next)
		t->next->pprev = &t->next;
	t->pprev = head;
	*head = t;
}

static inline void place(struct wheel *w, struct wtimer *t)
{
	unsigned lvl, idx;

	if (t->at <= w->now) {
		link_to(&w->due, t);
		return;
	}
	lvl = (63u - (unsigned)__builtin_clzll(t->at ^ w->now)) / BITS;
	idx = (unsigned)(t->at >> (lvl * BITS)) % SLOTS;
	link_to(&w->slot[lvl * SLOTS + idx], t);
	w->map[lvl] |= 1ull << idx;
	w->levels |= 1u << lvl;
}

static inline void slot_empty(struct wheel *w, size_t i)
{
	unsigned lvl = (unsigned)(i / SLOTS);

	w->map[lvl] &= ~(1ull << i % SLOTS);
	if (!w->map[lvl])
		w->levels &= ~(1u << lvl);
}

void wheel_del(struct wheel *w, struct wtimer *t)
{
	struct wtimer **pp = t->pprev;

	if (!pp)
		return;
	*pp = t->next;
	if (t->next) {
		t->next->pprev = pp;
	}
	else {
		/* was it the only one of a slot? addresses tell */
		uintptr_t off = (uintptr_t)pp - (uintptr_t)w->slot;

		if (off < sizeof(w->slot))
			slot_empty(w, off / sizeof(w->slot[0]));
	}
	t->next = NULL;
	t->pprev = NULL;
}

void wheel_set(struct wheel *w, struct wtimer *t, uint64_t at)
{
	wheel_del(w, t);
	t->at = at;
	place(w, t);
}

/** Start of the first slot in use; *ip = its index */
static inline uint64_t first_slot(const struct wheel *w, size_t *ip)
{
	unsigned lvl = (unsigned)__builtin_ctz(w->levels);
	unsigned idx = (unsigned)__builtin_ctzll(w->map[lvl]);
	unsigned sh = lvl * BITS, above = sh + BITS;
	uint64_t base = above < 64 ? w->now >> above << above : 0;

	*ip = (size_t)lvl * SLOTS + idx;
	return base | (uint64_t)idx << sh;
}

uint64_t wheel_next(const struct wheel *w)
{
	size_t i;

	if (w->due)
		return w->now;
	return w->levels ? first_slot(w, &i) : UINT64_MAX;
}

/** On to the next slot with timers, at `now` at most */
static __attribute__((noinline)) void advance(struct wheel *w, uint64_t now)
{
	while (!w->due && w->now < now) {
		struct wtimer *t;
		size_t i = 0;
		uint64_t at = w->levels ? first_slot(w, &i) : UINT64_MAX;

		if (!w->levels || at > now) {
			w->now = now;
			return;
		}
		w->now = at;
		t = w->slot[i];
		w->slot[i] = NULL;
		slot_empty(w, i);
		while (t) {
			struct wtimer *next = t->next;

			place(w, t);
			t = next;
		}
	}
}

struct wtimer *wheel_pop(struct wheel *w, uint64_t now)
{
	struct wtimer *t;

	if (!w->due) {
		if (w->now < now)
			advance(w, now);
		if (!w->due)
			return NULL;
	}
	t = w->due;
	wheel_del(w, t);
	return t;
}
