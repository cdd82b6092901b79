/* history.c - Pure. A ring of rows of figures. */
#include "sbc/history.h"

bool history_add(struct history *h, const uint64_t v[HISTORY_SERIES],
		 uint64_t now)
{
	uint32_t i = (uint32_t)(h->seq % HISTORY_ROWS);

	if (now < h->due)
		return false;
	memcpy(h->v[i], v, sizeof(h->v[i]));
	h->at[i] = now;
	h->seq++;
	/* on the grid, so that a late turn does not shift all later rows */
	h->due = h->due && now - h->due < HISTORY_STEP ?
		h->due + HISTORY_STEP : now + HISTORY_STEP;
	return true;
}

const uint64_t *history_row(const struct history *h, uint32_t age,
			    uint64_t *at)
{
	uint32_t i;

	if (age >= history_rows(h))
		return NULL;
	i = (uint32_t)((h->seq - 1 - age) % HISTORY_ROWS);
	if (at)
		*at = h->at[i];
	return h->v[i];
}

uint64_t history_growth(const struct history *h, uint32_t series,
			uint64_t now_v, uint64_t ms, uint64_t now)
{
	uint64_t base = now_v, at;
	const uint64_t *row;

	/* the first row inside the window, or the last one before it when it
	 * begins between two */
	for (uint32_t age = 0; (row = history_row(h, age, &at)); age++) {
		base = row[series];
		if (now - at >= ms)
			break;
	}
	return now_v > base ? now_v - base : 0;
}

bool history_value(const struct history *h, uint32_t series,
		   enum history_kind kind, uint32_t age, uint64_t *v)
{
	uint64_t at, before;
	const uint64_t *a = history_row(h, age, &at), *b;

	if (!a)
		return false;
	if (kind == HISTORY_GAUGE) {
		if (a[series] == HISTORY_NONE)
			return false;
		*v = a[series];
		return true;
	}
	b = history_row(h, age + 1, &before);
	if (!b || at <= before)
		return false;
	*v = a[series] > b[series] ?
		(a[series] - b[series]) * 1000000 / (at - before) : 0;
	return true;
}
