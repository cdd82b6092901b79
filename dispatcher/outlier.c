/* outlier.c - Pure. Nodes that fail requests far more often than others. */
#include "dispatcher/outlier.h"
#include "base/log.h"
#include "dispatcher/pool.h"

#define EJECT_MAX 300000     /* [ms] longest ejection                       */
#define FORGET 60000         /* [ms] without one take one off `times`       */
#define TIMES_MAX 16

void outlier_count(struct outlier *o, bool failed, uint64_t now)
{
	unsigned i = window_at(&o->w, now);

	o->w.all[i]++;
	o->w.some[i] += failed;
}

void outlier_turn(struct outlier *o, uint64_t now)
{
	o->w.some[window_at(&o->w, now)]++;
}

uint32_t outlier_percent(struct outlier *o, uint64_t now, uint32_t *np)
{
	uint32_t failed;

	window_sum(&o->w, now, np, &failed);
	/* an answer may have been counted in an earlier window than the
	 * failure it turned out to be */
	failed = failed < *np ? failed : *np;
	return *np ? (uint32_t)((uint64_t)failed * 100 / *np) : 0;
}

/** Taking one more out must leave half of the pool, and one that is UP */
static bool floor_ok(const struct pool *p, uint16_t idx, uint64_t now)
{
	uint32_t pool = 0, in = 0;

	for (uint16_t i = 0; i < p->n; i++) {
		const struct pool_node *n = p->v[i];

		if (!n || !pool_wanted(n))
			continue;
		pool++;
		in += i != idx && n->health.state == DISP_UP &&
		      !pool_out(n, now);
	}
	return in && 2 * in >= pool;
}

/** Of all others together. @return false: too few requests to compare with */
static bool peers(const struct pool *p, uint16_t idx, uint32_t min,
		  uint64_t now, uint32_t *percent)
{
	uint64_t all = 0, failed = 0;

	for (uint16_t i = 0; i < p->n; i++) {
		uint32_t a, f;

		if (!p->v[i] || i == idx)
			continue;
		window_sum(&p->v[i]->outlier.w, now, &a, &f);
		all += a;
		failed += f;
	}
	*percent = all ? (uint32_t)(failed * 100 / all) : 0;
	return all >= min;
}

/** Longer each time it happens again soon */
static uint32_t eject_time(struct outlier *o, uint32_t base, uint64_t now)
{
	uint64_t calm = o->ended ? (now - o->ended) / FORGET : 0;
	uint64_t ms;

	o->times = calm < o->times ? o->times - (uint32_t)calm : 0;
	ms = (uint64_t)base << o->times;
	if (o->times < TIMES_MAX)
		o->times++;
	return ms < EJECT_MAX ? (uint32_t)ms : EJECT_MAX;
}

bool outlier_judge(struct pool *p, uint16_t idx, const struct disp_conf *cf,
		   uint64_t now)
{
	struct pool_node *n = p->v[idx];
	uint32_t mine, theirs, all, ms;

	if (!cf->eject || n->outlier.until)
		return false;
	mine = outlier_percent(&n->outlier, now, &all);
	if (all < cf->eject_min ||
	    !peers(p, idx, cf->eject_min, now, &theirs) ||
	    mine < theirs + cf->eject_margin)
		return false;
	if (!floor_ok(p, idx, now)) {
		n->stat.eject_held++;
		return false;
	}
	ms = eject_time(&n->outlier, cf->eject, now);
	n->outlier.until = now + ms;
	n->stat.ejected++;
	log_warn("event=ejected node=%s failed=%u%% peers=%u%% requests=%u "
		 "for=%ums", n->name, mine, theirs, all, ms);
	memset(&n->outlier.w, 0, sizeof(n->outlier.w));
	return true;
}

bool outlier_over(struct outlier *o, uint64_t now)
{
	if (!o->until || now < o->until)
		return false;
	o->ended = o->until;
	o->until = 0;
	return true;
}
