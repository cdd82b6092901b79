/* sync_verify.c - Pure. What a verification lists: bindings in which this node
 * and another one differ. */
#include <stdlib.h>
#include "cluster/sync_priv.h"

const char *sync_diff_name(enum sync_diff_kind k)
{
	switch (k) {
	case SYNC_MISSING_THERE: return "missing_there";
	case SYNC_MISSING_HERE:  return "missing_here";
	case SYNC_DIFFERS:       return "differs";
	}
	return "?";
}

const char *sync_verdict_name(enum sync_verdict v)
{
	switch (v) {
	case SYNC_UNKNOWN:   return "unknown";
	case SYNC_EQUAL:     return "equal";
	case SYNC_UNEQUAL:   return "differs";
	case SYNC_NO_ANSWER: return "no_answer";
	}
	return "?";
}

static char *text(struct sl s)
{
	char *p = malloc(s.n + 1);

	if (p) {
		memcpy(p, s.p, s.n);
		p[s.n] = 0;
	}
	return p;
}

static bool listed(const struct sync *y, const struct record *r,
		   uint64_t node)
{
	for (uint32_t i = 0; i < y->diffs; i++) {
		const struct sync_diff *d = &y->diff[i];

		if (d->node == node && sl_eq(sl_cstr(d->aor), r->aor) &&
		    sl_eq(sl_cstr(d->key), r->key))
			return true;
	}
	return false;
}

static void add(struct sync *y, const struct record *r, uint64_t node,
		enum sync_diff_kind kind)
{
	struct sync_diff *d = &y->diff[y->diffs];

	if (y->diffs == SYNC_DIFFS) {
		y->more++;
		return;
	}
	if (listed(y, r, node))
		return;
	d->node = node;
	d->kind = kind;
	d->aor = text(r->aor);
	d->key = text(r->key);
	if (d->aor && d->key) {
		y->diffs++;
		return;
	}
	free(d->aor);
	free(d->key);
	y->more++;
}

void sync_found_there(struct sync *y, const struct record *r, uint64_t node,
		      bool held)
{
	add(y, r, node, held ? SYNC_DIFFERS : SYNC_MISSING_HERE);
}

void sync_found_here(struct sync *y, uint16_t first, uint16_t last,
		     uint64_t digest, uint64_t node, uint64_t wall)
{
	struct store_scan it;
	struct record r;

	for (uint32_t b = first; b <= last; b++) {
		store_scan(y->store, (uint16_t)b, &it);
		while (store_scan_next(&it, &r)) {
			if (store_digest_of(y->store, &r) != digest)
				continue;
			/* the other one may have forgotten it a little earlier */
			if (!record_is_past(&r, wall + STAMP_AHEAD_MAX))
				add(y, &r, node, SYNC_MISSING_THERE);
			return;
		}
	}
}

void sync_diffs_clear(struct sync *y)
{
	for (uint32_t i = 0; i < y->diffs; i++) {
		free(y->diff[i].aor);
		free(y->diff[i].key);
	}
	y->diffs = 0;
	y->more = 0;
}

const struct sync_diff *sync_diffs(const struct sync *y, uint32_t *n,
				   uint64_t *more)
{
	*n = y->diffs;
	*more = y->more;
	return y->diff;
}
