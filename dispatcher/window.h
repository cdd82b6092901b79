/**
 * @file window.h  Pure. Two counts over the last ten seconds.
 */
#ifndef DISPATCHER_WINDOW_H
#define DISPATCHER_WINDOW_H

#include <stdint.h>
#include <string.h>

#define WINDOW_S 10              /**< [s]                                    */

struct window {
	uint64_t sec;            /**< second of the newest bucket            */
	uint32_t all[WINDOW_S], some[WINDOW_S];
};

/** Forget what is too old. @return bucket of now */
static inline unsigned window_at(struct window *w, uint64_t now)
{
	uint64_t sec = now / 1000;

	if (sec >= w->sec + WINDOW_S || sec < w->sec) {
		memset(w, 0, sizeof(*w));
		w->sec = sec;
	}
	while (w->sec < sec) {
		w->sec++;
		w->all[w->sec % WINDOW_S] = w->some[w->sec % WINDOW_S] = 0;
	}
	return sec % WINDOW_S;
}

static inline void window_sum(struct window *w, uint64_t now, uint32_t *all,
			      uint32_t *some)
{
	(void)window_at(w, now);
	*all = *some = 0;
	for (unsigned i = 0; i < WINDOW_S; i++) {
		*all += w->all[i];
		*some += w->some[i];
	}
}

#endif
