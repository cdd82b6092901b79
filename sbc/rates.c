/* rates.c - Pure. RFC 6076 figures. */
#include "sbc/rates.h"

void rates_invite(struct rates *r, uint16_t code)
{
	switch (code) {
	case 401: case 402: case 407:
		r->challenged++;
		return;
	case 480: case 486: case 600: case 603:
		r->callee++;
		return;
	case 408: case 500: case 503: case 504:
		r->failed++;
		return;
	default:
		break;
	}
	if (code / 100 == 2)
		r->ok++;
	else if (code / 100 == 3)
		r->redirected++;
	else
		r->other++;
}

/** 0-15 by themselves, then 8 for each doubling; the last takes the rest */
static uint32_t bucket_of(uint64_t ms)
{
	uint32_t shift = 0;

	while (ms >> shift >= 16)
		shift++;
	shift = shift * 8 + (uint32_t)(ms >> shift);
	return shift < RATES_BUCKETS ? shift : RATES_BUCKETS - 1;
}

/** The largest value of a bucket */
static uint64_t bucket_end(uint32_t b)
{
	uint32_t shift = b < 16 ? 0 : b / 8 - 1;

	return b < 16 ? b : (((uint64_t)(b - shift * 8) + 1) << shift) - 1;
}

static void put(struct rates_delay *d, uint64_t ms, uint64_t now)
{
	uint64_t slot = now / RATES_SLOT;

	/* what was filled a window ago is old */
	if (slot - d->slot >= RATES_SLOTS)
		memset(d->n, 0, sizeof(d->n));
	else
		for (uint64_t s = d->slot + 1; s <= slot; s++)
			memset(d->n[s % RATES_SLOTS], 0, sizeof(d->n[0]));
	d->slot = slot;
	d->n[slot % RATES_SLOTS][bucket_of(ms)]++;
}

void rates_alerted(struct rates *r, uint64_t ms, uint64_t now)
{
	put(&r->srd, ms, now);
}

void rates_registered(struct rates *r, uint64_t ms, uint64_t now)
{
	r->reg_ok++;
	put(&r->rrd, ms, now);
}

/** Was this slot filled in the last minute? */
static bool fresh(const struct rates_delay *d, uint32_t i, uint64_t now)
{
	/* number of the slot that stands at i */
	uint64_t back = (d->slot % RATES_SLOTS + RATES_SLOTS - i) % RATES_SLOTS;

	return back <= d->slot &&
		now / RATES_SLOT - (d->slot - back) < RATES_SLOTS;
}

bool rates_delay(const struct rates_delay *d, unsigned permille, uint64_t now,
		 uint64_t *ms)
{
	uint64_t sum[RATES_BUCKETS] = { 0 }, all = 0, upto = 0;

	for (uint32_t i = 0; i < RATES_SLOTS; i++) {
		if (!fresh(d, i, now))
			continue;
		for (uint32_t b = 0; b < RATES_BUCKETS; b++) {
			sum[b] += d->n[i][b];
			all += d->n[i][b];
		}
	}
	for (uint32_t b = 0; all && b < RATES_BUCKETS; b++) {
		upto += sum[b];
		if (upto * 1000 < all * permille || !upto)
			continue;
		*ms = bucket_end(b);
		return true;
	}
	return false;
}

static uint32_t part(uint64_t n, uint64_t of)
{
	return of ? (uint32_t)(n * 1000 / of) : UINT32_MAX;
}

uint32_t rates_ser(const struct rates_count *c)
{
	return part(c->ok, c->ok + c->callee + c->failed + c->other);
}

uint32_t rates_seer(const struct rates_count *c)
{
	return part(c->ok + c->callee,
		    c->ok + c->callee + c->failed + c->other);
}

uint32_t rates_isa(const struct rates_count *c)
{
	return part(c->failed, c->ok + c->redirected + c->callee + c->failed +
		    c->other);
}
