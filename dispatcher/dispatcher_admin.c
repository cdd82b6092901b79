/* dispatcher_admin.c - Pure. What operators want of nodes, and what ends by
 * itself: wishes, drains, ejections, Retry-After. */
#include "dispatcher/dispatcher_i.h"
#include <errno.h>

#define HELD_MAX 30          /* [s] a node may keep itself free            */

static int set_weight(struct pool_node *n, uint32_t weight)
{
	if (weight > POOL_WEIGHT_MAX)
		return EINVAL;
	n->weight = weight;
	n->stat.weight = weight;
	n->share = weight * 100;
	return 0;
}

int disp_set_weight(struct disp *d, uint16_t idx, uint32_t weight)
{
	struct pool_node *n = pool_get(&d->pool, idx);

	if (!n)
		return ENOENT;
	if (weight > POOL_WEIGHT_MAX)
		return EINVAL;
	n->weight_conf = weight;
	d->pool.uneven = true;       /* it may be in its slow start */
	return n->wish.weight >= 0 ? 0 : set_weight(n, weight);
}

/** The only writer of a node's admin */
static void admin_set(struct disp *d, uint16_t idx, enum disp_admin a,
		      const char *why, uint64_t now)
{
	struct pool_node *n = d->pool.v[idx];
	enum disp_state from = n->health.state;
	enum disp_admin was = n->wish.admin;

	if (was != a)
		log_info("node=%s admin=%s->%s reason=%s inflight=%llu",
			 n->name, disp_admin_name(was), disp_admin_name(a),
			 why, (unsigned long long)n->stat.inflight);
	n->wish.admin = a;
	n->stat.admin = a;
	if (a == DISP_MAINT) {
		health_off(&n->health, now);
		n->want_probe = false;
		n->outlier.until = n->held = 0;
	}
	else {
		health_on(&n->health, now);
	}
	if (a == DISP_READY && was == DISP_DRAIN)
		disp_ramp(d, n, now);
	disp_note(d, idx, from);
}

int disp_set_admin(struct disp *d, uint16_t idx, enum disp_admin a,
		   uint64_t now)
{
	struct pool_node *n = pool_get(&d->pool, idx);
	struct disp_wish w = { .admin = a, .since = now, .weight = -1 };

	return n ? disp_set_wish(d, idx, &w, now) : ENOENT;
}

int disp_set_wish(struct disp *d, uint16_t idx, const struct disp_wish *w,
		  uint64_t now)
{
	struct pool_node *n = pool_get(&d->pool, idx);
	enum disp_admin was;
	int err;

	if (!n)
		return ENOENT;
	d->now = now;
	err = set_weight(n, w->weight >= 0 ? (uint32_t)w->weight :
			 n->weight_conf);
	if (err)
		return err;
	d->pool.uneven = true;
	was = n->wish.admin;
	n->wish = *w;
	n->wish.admin = was;
	admin_set(d, idx, w->admin, "operator", now);
	return 0;
}

int disp_set_learned(struct disp *d, uint16_t idx, bool learned)
{
	struct pool_node *n = pool_get(&d->pool, idx);

	if (!n)
		return ENOENT;
	n->learned = learned;
	n->stat.learned = learned;
	return 0;
}

int disp_set_leaving(struct disp *d, uint16_t idx, bool leaving, uint64_t now)
{
	struct pool_node *n = pool_get(&d->pool, idx);

	if (!n)
		return ENOENT;
	if (n->leaving && !leaving)
		disp_ramp(d, n, now);
	n->leaving = leaving;
	return 0;
}

void disp_retry_after(struct disp *d, uint16_t idx, uint32_t seconds,
		      uint64_t now)
{
	struct pool_node *n = pool_get(&d->pool, idx);
	uint64_t until;

	if (!n || !seconds)
		return;
	until = now + 1000ull * (seconds < HELD_MAX ? seconds : HELD_MAX);
	if (n->held <= now)
		log_info("event=held node=%s for=%llums", n->name,
			 (unsigned long long)(until - now));
	/* each request refused says it again: never shorter, and never longer
	 * than one answer may say */
	n->held = until > n->held ? until : n->held;
	n->stat.held++;
	d->pool.uneven = true;
}

bool disp_spare(const struct disp *d, uint16_t idx, uint64_t now)
{
	for (uint16_t i = 0; i < d->pool.n; i++) {
		const struct pool_node *n = d->pool.v[i];

		if (n && i != idx && pool_wanted(n) && !pool_out(n, now) &&
		    n->health.state == DISP_UP)
			return true;
	}
	return false;
}

/* --- slow start --- */

/** Is there another that has been at work for long and can take the rest
 *  meanwhile? When all of them come up together there is none. */
static bool others_carry(const struct disp *d, const struct pool_node *not,
			 uint64_t now)
{
	for (uint16_t i = 0; i < d->pool.n; i++) {
		const struct pool_node *n = d->pool.v[i];

		if (n && n != not && pool_wanted(n) && !pool_out(n, now) &&
		    n->health.state == DISP_UP &&
		    now - n->health.since >= d->cf.slowstart)
			return true;
	}
	return false;
}

void disp_ramp(struct disp *d, struct pool_node *n, uint64_t now)
{
	if (!d->cf.slowstart || !others_carry(d, n, now))
		return;
	n->ramp_at = now;
	n->ramping = true;
	d->pool.uneven = true;
}

/* --- what ends by itself --- */

static void tell(struct disp *d, uint16_t idx, const char *why)
{
	disp_push(d, &(struct disp_out){
		.kind = DISP_OUT_ADMIN, .node = idx,
		.from = d->pool.v[idx]->health.state,
		.to = d->pool.v[idx]->health.state, .why = why,
	});
}

static void wish_over(struct disp *d, uint16_t idx, uint64_t now)
{
	struct disp_wish *w = &d->pool.v[idx]->wish;

	w->until = 0;
	w->since = now;
	w->when_empty = w->drained = false;
	w->who[0] = w->why[0] = '\0';
	admin_set(d, idx, DISP_READY, "until", now);
	tell(d, idx, "until");
}

/** Nothing is left there. With no other node the pool would rather use a
 *  drained one than none: then it goes on */
static bool drained(const struct disp *d, uint16_t idx, uint64_t now)
{
	const struct pool_node *n = d->pool.v[idx];

	return n->wish.admin == DISP_DRAIN && n->wish.when_empty &&
		!n->stat.inflight && disp_spare(d, idx, now);
}

void disp_admin_tick(struct disp *d, uint64_t now)
{
	for (uint16_t i = 0; i < d->pool.n; i++) {
		struct pool_node *n = d->pool.v[i];

		if (!n)
			continue;
		if (outlier_over(&n->outlier, now)) {
			log_info("event=ejection_over node=%s", n->name);
			disp_ramp(d, n, now);
		}
		if (n->wish.until && now >= n->wish.until) {
			wish_over(d, i, now);
		}
		else if (drained(d, i, now)) {
			n->wish.drained = true;
			n->wish.since = now;
			admin_set(d, i, DISP_MAINT, "drained", now);
			tell(d, i, "drained");
		}
	}
}

bool disp_admin_waits(const struct disp *d)
{
	for (uint16_t i = 0; i < d->pool.n; i++)
		if (d->pool.v[i] &&
		    d->pool.v[i]->wish.admin == DISP_DRAIN)
			return true;
	return false;
}

uint64_t disp_admin_next(const struct disp *d)
{
	uint64_t at = UINT64_MAX;

	for (uint16_t i = 0; i < d->pool.n; i++) {
		const struct pool_node *n = d->pool.v[i];

		if (!n)
			continue;
		if (n->outlier.until && n->outlier.until < at)
			at = n->outlier.until;
		if (n->wish.until && n->wish.until < at)
			at = n->wish.until;
		if (drained(d, i, d->now) && d->now < at)
			at = d->now;
	}
	return at;
}
