/**
 * @file pick.c  Pure. Rendezvous hash, least in-flight, smooth round robin.
 */
#include "dispatcher/pick.h"

/** log2(1 + i / 64), unit 2^-30 */
static const uint32_t log2_tab[65] = {
	0, 24017256, 47667823, 70962728, 93912511, 116527248,
	138816582, 160789745, 182455581, 203822568, 224898839, 245692198,
	266210141, 286459867, 306448299, 326182095, 345667660, 364911162,
	383918542, 402695523, 421247625, 439580170, 457698295, 475606957,
	493310944, 510814882, 528123241, 545240343, 562170370, 578917365,
	595485245, 611877800, 628098702, 644151509, 660039669, 675766525,
	691335320, 706749198, 722011213, 737124328, 752091421, 766915285,
	781598637, 796144114, 810554283, 824831638, 838978604, 852997541,
	866890747, 880660455, 894308843, 907838029, 921250079, 934547002,
	947730758, 960803257, 973766362, 986621888, 999371606, 1012017244,
	1024560487, 1037002979, 1049346328, 1061592099, 1073741824,
};

uint64_t pick_neglog2(uint64_t h)
{
	uint64_t m, frac, lg;
	uint32_t e, i;

	/* h = 2^e * (1 + m/2^63); the chord through two table entries is
	 * exact at 2, so the error stays relative where it matters: near
	 * h = 2^64, where winners are */
	if (h == 0)
		return 64ull << 30;
	e = 63 - (uint32_t)__builtin_clzll(h);
	m = h << (63 - e) << 1;              /* fraction, unit 2^-64 */
	i = (uint32_t)(m >> 58);
	frac = m >> 26 & 0xffffffff;         /* within the entry, 2^-32 */
	lg = log2_tab[i] +
		(((log2_tab[i + 1] - (uint64_t)log2_tab[i]) * frac) >> 32);
	return (64ull << 30) - ((uint64_t)e << 30) - lg;
}

/** splitmix64 finisher */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/** Head of a for over the members of a set, lowest index first */
#define EACH(i, bits) (uint64_t b_ = (bits); \
	b_ && ((i) = (uint16_t)__builtin_ctzll(b_), true); b_ &= b_ - 1)

void pick_prepare(struct pool *p, uint32_t slowstart, uint64_t now)
{
	bool uneven = false;

	for (uint16_t i = 0; i < p->n; i++) {
		struct pool_node *n = p->v[i];
		uint32_t pct;

		if (!n)
			continue;
		pct = pool_ramp(n, slowstart, now);
		n->ramping = pct < 100;
		n->out = pool_out(n, now);
		n->share = n->weight * pct;
		uneven = uneven || n->ramping || n->out;
	}
	p->uneven = uneven;
}

static bool in_class(const struct pool_node *n, enum pick_class c)
{
	switch (c) {
	case PICK_UP:
		return n->health.state == DISP_UP && pool_wanted(n) &&
			!n->out;
	case PICK_SUSPECT:
		return n->health.state == DISP_SUSPECT && pool_wanted(n) &&
			!n->out;
	case PICK_OUT:
		return n->health.state != DISP_DOWN && pool_wanted(n);
	case PICK_DRAIN:
		return n->health.state != DISP_DOWN &&
			n->wish.admin != DISP_MAINT;
	case PICK_PANIC:
		return n->wish.admin != DISP_MAINT;
	case PICK_CLASSES:
		break;
	}
	return false;
}

struct disp_set pick_class(const struct pool *p, enum pick_class c,
			   struct disp_set tried)
{
	struct disp_set set = { 0 };
	uint16_t i;

	for (i = 0; i < p->n; i++) {
		if (p->v[i] && !disp_set_has(&tried, i) &&
		    in_class(p->v[i], c))
			disp_set_add(&set, i);
	}
	return set;
}

/** Weight 0 is possible in panic only, where it must not exclude */
static uint32_t weight_of(const struct pool_node *n)
{
	return n->weight ? n->share : 1;
}

/**
 * Weighted rendezvous hash: the node with the largest w / -log2(h), h being
 * a hash of key and node, in (0, 1]. A node that comes or goes moves only its
 * own share of the keys. w <= 100000 and -log2 < 2^36.1, so no overflow.
 */
static uint16_t pick_hash(struct pool *p, struct disp_set set, uint64_t key)
{
	uint64_t best_l = 1, l;
	uint32_t best_w = 0, w;
	uint16_t best = 0, i;

	for EACH(i, set.bits) {
		w = weight_of(p->v[i]);
		l = pick_neglog2(mix(key ^ p->v[i]->hash));
		if (w * best_l > best_w * l) {
			best = i;
			best_w = w;
			best_l = l;
		}
	}
	return best;
}

/** Fewest in flight per weight; equal ones by the hash */
static uint16_t pick_least(struct pool *p, struct disp_set set, uint64_t key)
{
	struct disp_set same = { 0 };
	uint64_t best_f = 0, f, a, b;
	uint32_t best_w = 0, w;
	uint16_t i;

	for EACH(i, set.bits) {
		w = weight_of(p->v[i]);
		f = p->v[i]->stat.inflight + 1;
		a = f * best_w;
		b = best_f * w;
		if (same.bits && a > b)
			continue;
		if (!same.bits || a < b) {
			same.bits = 0;
			best_f = f;
			best_w = w;
		}
		disp_set_add(&same, i);
	}
	return pick_hash(p, same, key);
}

/** Smooth weighted round robin: 5,1,1 gives a a b a c a a */
static uint16_t pick_wrr(struct pool *p, struct disp_set set)
{
	int64_t total = 0;
	uint16_t best = 0, i;
	bool any = false;

	for EACH(i, set.bits) {
		p->v[i]->wrr += weight_of(p->v[i]);
		total += weight_of(p->v[i]);
		if (!any || p->v[i]->wrr > p->v[best]->wrr)
			best = i;
		any = true;
	}
	p->v[best]->wrr -= total;
	return best;
}

uint16_t pick_one(struct pool *p, struct disp_set set, enum disp_alg alg,
		  uint64_t key)
{
	switch (alg) {
	case DISP_HASH:
		break;
	case DISP_LEAST:
		return pick_least(p, set, key);
	case DISP_WRR:
		return pick_wrr(p, set);
	}
	return pick_hash(p, set, key);
}
