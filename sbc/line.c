/* line.c - Pure. New requests that wait under overload. */
#include "sbc/line.h"

#include <errno.h>
#include <stdlib.h>

static struct line_item *at(struct line *l, int r, uint32_t i)
{
	return &l->v[r][(l->head[r] + i) % LINE_MAX];
}

int line_put(struct line *l, const struct line_item *it)
{
	int r = it->ask.rank;

	if (!l->v[r])
		l->v[r] = calloc(LINE_MAX, sizeof(*l->v[r]));
	if (!l->v[r])
		return ENOMEM;
	if (l->n[r] == LINE_MAX)
		return ENOSPC;
	*at(l, r, l->n[r]++) = *it;
	l->waiting++;
	return 0;
}

bool line_take(struct line *l, struct line_item *it)
{
	int r = l->n[OVERLOAD_NEW] ? OVERLOAD_NEW : OVERLOAD_STRANGER;

	if (!l->n[r])
		return false;
	*it = *at(l, r, 0);
	l->head[r] = (l->head[r] + 1) % LINE_MAX;
	l->n[r]--;
	l->waiting--;
	return true;
}

/** Item i goes, the others keep their order */
static void drop(struct line *l, int r, uint32_t i)
{
	for (; i + 1 < l->n[r]; i++)
		*at(l, r, i) = *at(l, r, i + 1);
	l->n[r]--;
	l->waiting--;
}

bool line_find(struct line *l, uint64_t request, struct line_item *it)
{
	for (int r = 0; r < OVERLOAD_RANKS; r++)
		for (uint32_t i = 0; i < l->n[r]; i++)
			if (at(l, r, i)->ask.request == request) {
				*it = *at(l, r, i);
				drop(l, r, i);
				return true;
			}
	return false;
}

uint32_t line_ahead(const struct line *l, enum overload_rank r)
{
	return l->n[OVERLOAD_NEW] +
	       (r == OVERLOAD_STRANGER ? l->n[OVERLOAD_STRANGER] : 0);
}

void line_close(struct line *l)
{
	struct line_item it;

	while (line_take(l, &it))
		blob_unref(it.msg);
	for (int r = 0; r < OVERLOAD_RANKS; r++)
		free(l->v[r]);
	memset(l, 0, sizeof(*l));
}
