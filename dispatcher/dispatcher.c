/**
 * @file dispatcher.c  Pure. Facade: the pool, the health of its nodes, the
 * choice; effects are pulled by disp_poll().
 */
#include <errno.h>
#include <stdlib.h>
#include "dispatcher/dispatcher_i.h"

#define SPREAD_MIN 20          /* [ms] first probes are spread at least   */

/** Bounds that the sums here rely on; the programs' settings are narrower */
static bool conf_ok(const struct disp_conf *cf)
{
	const uint32_t day = 86400000;

	return cf->inter && cf->inter <= day && cf->fastinter &&
		cf->fastinter <= day && cf->downinter &&
		cf->downinter <= day && cf->timeout && cf->timeout <= day &&
		cf->fall && cf->rise && cf->rise <= 1000 &&
		cf->jitter <= 50 && cf->max_nodes <= DISP_MAX &&
		cf->slowstart <= day && cf->eject <= day &&
		cf->no100_min <= cf->no100_max && cf->no100_max <= day;
}

int disp_alloc(struct disp **dp, const struct disp_conf *cf, uint64_t seed,
	       uint64_t now)
{
	struct disp *d;

	if (!conf_ok(cf))
		return EINVAL;
	d = calloc(1, sizeof(*d));
	if (!d)
		return ENOMEM;
	d->cf = *cf;
	d->now = now;
	d->next_old = true;
	rng_seed(&d->rng, seed);
	*dp = d;
	return 0;
}

void disp_free(struct disp *d)
{
	uint16_t i;

	if (!d)
		return;
	for (i = 0; d->stats && i < d->pool.n; i++) {
		if (d->pool.v[i])
			stat_del_owner(d->stats, d->pool.v[i]);
	}
	if (d->stats)
		stat_del_owner(d->stats, d);
	pool_clear(&d->pool);
	free(d);
}

void disp_push(struct disp *d, const struct disp_out *o)
{
	if (d->chg_n == DISP_CHANGES) {          /* forget the oldest */
		d->chg_at = (d->chg_at + 1) % DISP_CHANGES;
		d->chg_n--;
		d->chg_lost++;
	}
	d->chg[(d->chg_at + d->chg_n++) % DISP_CHANGES] = *o;
}

void disp_note(struct disp *d, uint16_t idx, enum disp_state from)
{
	static const uint8_t gauge[] = {
		[DISP_UP] = 2, [DISP_SUSPECT] = 1, [DISP_DOWN] = 0,
	};
	struct pool_node *n = d->pool.v[idx];

	d->next_old = true;
	n->stat.state = gauge[n->health.state];
	if (n->health.state == from)
		return;
	if (from == DISP_DOWN && n->health.state == DISP_UP)
		disp_ramp(d, n, d->now);
	disp_push(d, &(struct disp_out){
		.kind = DISP_OUT_CHANGE, .node = idx, .from = from,
		.to = n->health.state, .why = n->health.why,
	});
}

int disp_add(struct disp *d, const struct disp_node_conf *nc, uint16_t *idx,
	     uint64_t now)
{
	struct pool_node *n;
	uint32_t spread = d->cf.fastinter / 4;
	int err;

	err = pool_add(&d->pool, nc, d->cf.max_nodes, idx);
	if (err)
		return err;
	d->now = now;
	d->next_old = true;
	n = d->pool.v[*idx];
	if (spread < SPREAD_MIN)
		spread = SPREAD_MIN;
	health_init(&n->health, &d->cf, &d->rng, n->name, now,
		    now + rng_below(&d->rng, spread));
	if (d->stats)
		(void)pool_stats(n, d->stats);   /* figures only */
	return 0;
}

void disp_del(struct disp *d, uint16_t idx)
{
	struct pool_node *n = pool_get(&d->pool, idx);

	if (!n)
		return;
	if (d->stats)
		stat_del_owner(d->stats, n);
	pool_del(&d->pool, idx);
	d->next_old = true;
}

int disp_reconf(struct disp *d, const struct disp_conf *cf)
{
	uint16_t i;

	if (!conf_ok(cf))
		return EINVAL;
	d->cf = *cf;
	d->next_old = true;
	disp_cap_reconf(d);
	for (i = 0; i < d->pool.n; i++) {
		if (d->pool.v[i])
			health_reconf(&d->pool.v[i]->health, d->now);
	}
	return 0;
}

static bool in_budget(struct disp *d, bool again)
{
	if (!again) {
		budget_request(&d->budget, d->now);
		return true;
	}
	if (budget_retry(&d->budget, &d->cf, d->now))
		return true;
	d->over_budget++;
	if (log_allow(&d->lim_budget, 1, d->now))
		log_warn("event=over_budget text=\"too many requests would be "
			 "tried again\"");
	return false;
}

static int all_full(struct disp *d)
{
	d->full++;
	if (log_allow(&d->lim_full, 1, d->now))
		log_warn("event=nodes_full max_unanswered=%u text=\"no node may be "
			 "given a request\"",
			 d->cf.max_unanswered);
	return ENOBUFS;
}

/** full: nodes that get none. @return 0, ENOENT, ENOBUFS */
static int free_nodes(const struct disp *d, struct disp_set tried,
		      struct disp_set full, struct disp_set *set,
		      enum pick_class *cls)
{
	for (int c = PICK_UP; c < PICK_CLASSES; c++) {
		*cls = (enum pick_class)c;
		*set = pick_class(&d->pool, *cls, tried);
		if (!set->bits)
			continue;
		set->bits &= ~full.bits;
		if (set->bits)
			return 0;
		if (c >= PICK_OUT)
			return ENOBUFS;
	}
	return ENOENT;
}

static int choose(struct disp *d, uint64_t key, struct disp_set tried,
		  struct disp_set full, uint16_t *idx)
{
	struct disp_set set;
	enum pick_class cls;
	int err = free_nodes(d, tried, full, &set, &cls);

	if (err)
		return err;
	*idx = pick_one(&d->pool, set, d->cf.alg, key);
	d->cls = cls;
	return 0;
}

int disp_pick_as(struct disp *d, enum disp_rank rank, uint64_t key,
		 const struct disp_set *tried, uint16_t *idx, uint64_t now)
{
	struct disp_set no = { 0 }, not = tried ? *tried : no;
	struct disp_set full = d->pool.full;
	int err;

	d->now = now;
	if (rank == DISP_NEW)
		full.bits |= d->pool.busy.bits;
	if (d->pool.uneven)
		pick_prepare(&d->pool, d->cf.slowstart, now);
	if (d->pool.less.bits)
		disp_loss_tick(d, now);
	err = choose(d, key, not, full, idx);
	if (err == ENOBUFS && rank == DISP_URGENT)
		err = choose(d, key, not, no, idx);
	if (!err && d->pool.less.bits && disp_loss_spares(d, *idx, rank)) {
		full.bits |= d->pool.less.bits;
		err = choose(d, key, not, full, idx);
	}
	if (err == ENOBUFS)
		return all_full(d);
	if (err) {
		d->none++;
		return err;
	}
	if (!in_budget(d, not.bits))
		return EBUSY;
	d->pool.v[*idx]->stat.picked++;
	d->picks[d->cls]++;
	return 0;
}

int disp_pick(struct disp *d, uint64_t key, const struct disp_set *tried,
	      uint16_t *idx, uint64_t now)
{
	return disp_pick_as(d, DISP_NEW, key, tried, idx, now);
}

bool disp_no_room(struct disp *d, uint64_t now)
{
	struct disp_set set, no = { 0 }, full = {
		d->pool.full.bits | d->pool.busy.bits,
	};
	enum pick_class cls;

	if (!full.bits || free_nodes(d, no, full, &set, &cls) != ENOBUFS)
		return false;
	d->now = now;
	(void)all_full(d);
	return true;
}

bool disp_limited(const struct disp *d)
{
	return d->pool.full.bits || d->pool.busy.bits || d->pool.less.bits;
}

void disp_answered(struct disp *d, uint16_t idx, uint32_t us)
{
	struct pool_node *n = pool_get(&d->pool, idx);

	if (n)
		rtt_answer(&n->rtt, us);
}

/* --- when nobody is to blame --- */

/** Nodes that are not DOWN. @return how many; *mutep: not heard any more */
static unsigned living(const struct disp *d, unsigned *mutep)
{
	unsigned n = 0;

	*mutep = 0;
	for (uint16_t i = 0; i < d->pool.n; i++) {
		const struct pool_node *p = d->pool.v[i];

		if (!p || p->health.state == DISP_DOWN)
			continue;
		n++;
		*mutep += p->mute;
	}
	return n;
}

/**
 * Silence is the node's own only if another was heard since it began, unless
 * there is no other: an edge that has lost its network, or its address to
 * another edge, hears nobody.
 */
static void prepare(struct disp *d, struct pool_node *n, uint64_t now)
{
	unsigned mute;

	n->health.slow = d->frozen;
	n->health.calm = now < d->own_until ||
		(n->mute && d->heard_at <= n->mute_at && living(d, &mute) > 1);
}

static void unfreeze(struct disp *d, uint64_t now)
{
	if (!d->frozen || now < d->own_until)
		return;
	d->frozen = false;
	d->frozen_now = 0;
	log_info("event=unfrozen after=%llums",
		 (unsigned long long)(now - d->frozen_at));
}

static void freeze(struct disp *d, const char *why, uint64_t now)
{
	if (d->frozen)
		return;
	d->frozen = true;
	d->frozen_at = now;
	d->frozen_now = 1;
	d->freezes++;
	log_warn("event=frozen reason=\"%s\" text=\"no node is taken out\"",
		 why);
}

/** What a probe or a request that began at `since` says of the way there */
static void way(struct disp *d, struct pool_node *n, bool heard,
		uint64_t since, uint64_t now)
{
	if (heard) {
		n->mute = false;
		d->heard_at = now;
		unfreeze(d, now);
	}
	else if (!n->mute) {
		n->mute = true;
		n->mute_at = since;
	}
	prepare(d, n, now);
}

void disp_own_fault(struct disp *d, const char *why, uint64_t now)
{
	d->now = now;
	/* until a probe of each had the time to try again */
	d->own_until = now + 2ull * d->cf.inter + d->cf.timeout;
	freeze(d, why, now);
}

/** After a failure: would the node be DOWN now, and is it so with all? */
static void kept(struct disp *d, uint16_t idx, uint64_t now)
{
	struct pool_node *n = d->pool.v[idx];
	unsigned mute;

	if (!n->health.kept)
		return;
	n->health.kept = false;
	disp_push(d, &(struct disp_out){ .kind = DISP_OUT_MUTE,
					 .node = idx });
	if (living(d, &mute) == mute)
		freeze(d, "no node answers", now);
}

/* --- reports --- */

static void count_report(struct pool_node *n, enum disp_report r,
			 uint32_t rtt_us)
{
	switch (r) {
	case DISP_OK:
		n->stat.ok++;
		/* RFC 6298's gain: 1/8 */
		n->stat.rtt_us = n->stat.rtt_us ?
			(7 * n->stat.rtt_us + rtt_us) / 8 : rtt_us;
		break;
	case DISP_SILENT:
		n->stat.silent++;
		rtt_silent(&n->rtt);
		break;
	case DISP_RESET:
		n->stat.reset++;
		n->want_probe = false;
		break;
	case DISP_LOST:
		n->stat.lost++;
		break;
	case DISP_REFUSED:
		n->stat.refused++;
		break;
	case DISP_FAILED:
		n->stat.failed++;
		break;
	}
}

/** Its share of failures, and whether that is too much. A reset is the end of
 *  a process, which health knows better. */
static void judge(struct disp *d, uint16_t idx, enum disp_report r)
{
	struct outlier *o = &d->pool.v[idx]->outlier;

	switch (r) {
	case DISP_OK:
		outlier_count(o, false, d->now);
		break;
	case DISP_FAILED:
		/* counted as answered already */
		outlier_turn(o, d->now);
		break;
	case DISP_SILENT:
	case DISP_REFUSED:
		outlier_count(o, true, d->now);
		break;
	case DISP_RESET:
	case DISP_LOST:
		return;
	}
	if (r != DISP_OK && outlier_judge(&d->pool, idx, &d->cf, d->now))
		d->pool.uneven = true;
}

void disp_report(struct disp *d, uint16_t idx, enum disp_report r,
		 uint32_t rtt_us, uint64_t now)
{
	struct pool_node *n = pool_get(&d->pool, idx);
	enum disp_state from;

	if (!n)
		return;
	d->now = now;
	count_report(n, r, rtt_us);
	judge(d, idx, r);
	if (r != DISP_SILENT)
		way(d, n, r != DISP_LOST, now, now);
	from = n->health.state;
	health_report(&n->health, r, now);
	disp_note(d, idx, from);
}

void disp_moved(struct disp *d, uint16_t from, uint16_t to)
{
	struct pool_node *f = pool_get(&d->pool, from);
	struct pool_node *t = pool_get(&d->pool, to);

	if (f)
		f->stat.from++;
	if (t)
		t->stat.to++;
}

/** The reason comes from the wire: printable, no quotes, cut */
static void reason_copy(char *dst, size_t size, struct sl s)
{
	size_t i;

	for (i = 0; i < s.n && i + 1 < size; i++) {
		uint8_t c = (uint8_t)s.p[i];

		dst[i] = c < ' ' || c >= 0x7f || c == '"' || c == '\\' ?
			'.' : (char)c;
	}
	dst[i] = '\0';
}

void disp_probed(struct disp *d, uint16_t idx, uint32_t probe, bool ok,
		 uint16_t code, struct sl reason, uint32_t rtt_us,
		 uint64_t now)
{
	struct pool_node *n = pool_get(&d->pool, idx);
	enum disp_state from;
	enum health_result r;

	if (!n)
		return;
	d->now = now;
	r = ok ? HEALTH_GOOD : code ? HEALTH_REFUSED : HEALTH_SILENT;
	from = n->health.state;
	if (probe && probe == n->health.probe)
		way(d, n, r != HEALTH_SILENT, n->health.sent, now);
	if (!health_probed(&n->health, probe, r, now)) {
		n->stat.probes_late++;
		return;
	}
	kept(d, idx, now);
	if (!ok)
		n->stat.probes_failed++;
	n->probe_at = now;
	n->probe_code = code;
	reason_copy(n->probe_reason, sizeof(n->probe_reason), reason);
	n->stat.probe_rtt_us = rtt_us;
	n->want_probe = false;
	disp_note(d, idx, from);
}

void disp_tick(struct disp *d, uint64_t now)
{
	struct pool_node *n;
	enum disp_state from;
	uint32_t was;
	uint16_t i;

	d->now = now;
	if (now >= d->next)
		d->next_old = true;
	if (d->pool.less.bits)
		disp_loss_tick(d, now);
	/* most ticks are for others */
	if (!d->next_old && !d->own_until)
		return;
	disp_admin_tick(d, now);
	if (d->own_until && now >= d->own_until) {
		d->own_until = 0;
		unfreeze(d, now);
	}
	for (i = 0; i < d->pool.n; i++) {
		n = d->pool.v[i];
		if (!n || health_next(&n->health) > now)
			continue;
		from = n->health.state;
		was = n->health.probe;
		if (was)                           /* it times out now */
			way(d, n, false, n->health.sent, now);
		if (++d->probe == 0)
			d->probe = 1;
		n->want_probe = health_tick(&n->health, d->probe, now);
		if (n->want_probe) {
			n->stat.probes++;
			d->probes = true;
		}
		if (was && was != n->health.probe) {     /* it timed out */
			n->stat.probes_failed++;
			n->probe_at = now;
			n->probe_code = 0;
			reason_copy(n->probe_reason, sizeof(n->probe_reason),
				    SL("no answer"));
		}
		kept(d, i, now);
		disp_note(d, i, from);
	}
}

static uint64_t next_now(const struct disp *d)
{
	uint64_t at = disp_admin_next(d), t;
	uint16_t i;

	for (i = 0; i < d->pool.n; i++) {
		if (!d->pool.v[i])
			continue;
		t = health_next(&d->pool.v[i]->health);
		if (t < at)
			at = t;
	}
	return at;
}

uint64_t disp_next(struct disp *d)
{
	if (d->next_old) {
		d->next = next_now(d);
		d->next_old = disp_admin_waits(d);
	}
	return d->next;
}

bool disp_poll(struct disp *d, struct disp_out *out)
{
	struct pool_node *n;
	uint16_t i;

	while (d->chg_n) {
		*out = d->chg[d->chg_at];
		d->chg_at = (d->chg_at + 1) % DISP_CHANGES;
		d->chg_n--;
		if (pool_get(&d->pool, out->node))
			return true;
	}
	for (i = 0; d->probes && i < d->pool.n; i++) {
		n = d->pool.v[i];
		if (!n || !n->want_probe)
			continue;
		n->want_probe = false;
		*out = (struct disp_out){
			.kind = DISP_OUT_PROBE, .node = i,
			.probe = n->health.probe,
			.from = n->health.state, .to = n->health.state,
		};
		return true;
	}
	d->probes = false;
	return false;
}
