/**
 * @file proxy.c  Pure. The forking proxy: which targets are tried when, and what
 * their answers do. RFC 3261 16.6 and 16.7.
 *
 * Targets are tried in groups of equal q, highest first; `fork = "serial"`
 * makes each target a group of its own. A group is followed by the next when
 * all of its branches have failed and neither a 2xx, a 6xx nor the caller's CANCEL
 * came.
 */
#include "node/ping.h"
#include "node/proxy_i.h"
#include "sip/inner.h"
#include "base/log.h"
#include <errno.h>
#include <stdlib.h>

static void fork_go(struct fork *f, uint64_t now);

/* --- life ------------------------------------------------------------------ */

void proxy_init(struct proxy *p)
{
	p->forks = NULL;
	p->forks_now = p->forks_open = 0;
	buf_init(&p->top, SIP_MAX_HEAD);
	buf_init(&p->msg, SIP_MAX_MSG);
}

void proxy_over(struct fork *f)
{
	if (!f->over)
		f->p->forks_open--;
	f->over = true;
}

static void fork_free(struct fork *f)
{
	if (f->next)
		f->next->pprev = f->pprev;
	*f->pprev = f->next;
	f->p->forks_now--;
	proxy_over(f);
	for (uint32_t i = 0; f->lc && i < f->n; i++)
		free(f->lc[i].mem);
	free(f->lc);
	free(f->way);
	blob_unref(f->best_msg);
	buf_free(&f->challenges);
	free(f->v);
	free(f);
}

static void fork_unref(struct fork *f)
{
	if (--f->refs == 0)
		fork_free(f);
}

void proxy_close(struct proxy *p)
{
	while (p->forks)
		fork_free(p->forks);
	buf_free(&p->top);
	buf_free(&p->msg);
}

static struct fork *fork_new(struct proxy *p, const struct proxy_job *j)
{
	struct fork *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->p = p;
	f->s = j->s;
	f->refs = 1;
	f->invite = stxn_method(j->s) == SIP_INVITE;
	f->relay = j->relay;
	f->own_routes = j->own_routes;
	if (j->realm.n) {
		f->realm_from = (uint32_t)(j->realm.p - j->m->raw.p);
		f->realm_to = f->realm_from + (uint32_t)j->realm.n;
	}
	if (j->aor.n <= sizeof(f->aor_mem)) {
		if (j->aor.n)
			memcpy(f->aor_mem, j->aor.p, j->aor.n);
		f->aor = sl_mk(f->aor_mem, j->aor.n);
	}
	buf_init(&f->challenges, SIP_MAX_HEAD);
	f->next = p->forks;
	f->pprev = &p->forks;
	if (f->next)
		f->next->pprev = &f->next;
	p->forks = f;
	p->forks_now++;
	p->forks_open++;
	stxn_set_user(j->s, f);
	return f;
}

int proxy_stats(struct proxy *p, struct stats *st)
{
	const struct stat_row row[] = {
		{ STAT_GAUGE, "node_forks", "Requests being passed on",
		  &p->forks_now },
		{ STAT_GAUGE, "node_forks_open",
		  "Requests passed on without a final answer yet",
		  &p->forks_open },
		{ STAT_COUNTER, "node_passed_over_total",
		  "Contacts not called: they do not answer pings",
		  &p->passed_over },
		{ STAT_COUNTER, "node_forks_total",
		  "Requests passed on", &p->started },
		{ STAT_COUNTER, "node_branches_total",
		  "Branches sent", &p->branches },
		{ STAT_COUNTER, "node_branches_cut_total",
		  "Targets left out because of max_branches", &p->cut },
		{ STAT_COUNTER, "node_no_hop_total",
		  "Targets whose next hop is not an edge", &p->no_hop },
		{ STAT_COUNTER, "node_flow_dead_total",
		  "Branches answered 430 by an edge", &p->flow_dead },
		{ STAT_COUNTER, "node_branches_lost_total",
		  "Branches whose connection was lost", &p->lost },
		{ STAT_COUNTER, "node_late_2xx_total",
		  "2xx on a branch given up", &p->late },
		{ STAT_COUNTER, "node_forks_answered_total",
		  "Requests that got a 2xx", &p->answered },
		{ STAT_COUNTER, "node_forks_failed_total",
		  "Requests that got another final answer", &p->failed },
		{ STAT_COUNTER, "node_forks_cancelled_total",
		  "INVITEs cancelled by the caller", &p->cancelled },
		{ STAT_COUNTER, "node_relayed_total",
		  "In-dialog requests relayed to an edge", &p->relayed },
		{ STAT_COUNTER, "node_acks_dropped_total",
		  "ACKs without a Route to an edge", &p->acks_dropped },
	};
	int err = stat_rows(st, row, NULL, p);

	return err ? err : proxy_way_stats(p, st);
}

/* --- branches --------------------------------------------------------------- */

static bool same_instance(const struct branch *a, const struct branch *b)
{
	return a->lc && b->lc && binding_outbound(&a->lc->b)
		&& binding_outbound(&b->lc->b)
		&& sl_ieq(a->lc->b.instance, b->lc->b.instance);
}

static void branch_fail(struct branch *b, uint16_t code,
			const struct sip_msg *m)
{
	b->state = BR_DONE;
	b->code = code;
	proxy_keep_best(b->f, code, m);
	if (b->f->way && !proxy_way_next(code))
		b->f->stop = true;
	if (code != CODE_DEAD_FLOW)
		return;
	/* RFC 5626 5.3: another flow of the same phone may live */
	for (uint32_t i = 0; i < b->f->n; i++) {
		struct branch *o = &b->f->v[i];

		if (o->state == BR_SPARE && same_instance(o, b)) {
			o->state = BR_WAIT;
			break;
		}
	}
}

static void branch_send(struct branch *b, uint64_t now)
{
	struct fork *f = b->f;
	struct proxy *p = f->p;
	const struct ctxn_timers tm = { .ring = p->cf->timers.ring };
	struct flow hop = f->hop;
	struct blob *msg;

	if (b->lc && ping_hop(p->ping, &b->lc->b, &hop)) {
		p->no_hop++;
		branch_fail(b, CODE_DEAD_FLOW, NULL);
		return;
	}
	if (ctxn_alloc(&b->c, p->txnl, stxn_method(f->s), b)) {
		branch_fail(b, CODE_OURS, NULL);
		return;
	}
	msg = proxy_request(b, &hop);
	if (!msg) {
		ctxn_drop(b->c);
		b->c = NULL;
		branch_fail(b, CODE_OURS, NULL);
		return;
	}
	b->state = BR_SENT;
	f->p->route_next += f->way && b != f->v;
	f->refs++;
	p->branches++;
	ctxn_send(b->c, &hop, msg, &tm, now);
	blob_unref(msg);
}

static uint32_t pending(const struct fork *f)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < f->n; i++)
		n += f->v[i].state == BR_SENT;
	return n;
}

/* RFC 3261 16.7 step 10; a zombie still reports a 2xx that crosses */
static void cancel_rest(struct fork *f, struct sl reason, uint64_t now)
{
	for (uint32_t i = 0; i < f->n; i++) {
		struct branch *b = &f->v[i];

		if (b->state == BR_SENT)
			ctxn_cancel(b->c, reason, now);
	}
}

static void hold_spares(struct fork *f, uint32_t upto)
{
	for (uint32_t i = 0; i < upto; i++) {
		for (uint32_t j = i + 1; j < f->n; j++) {
			if (f->v[i].state == BR_WAIT
			    && f->v[j].state == BR_WAIT
			    && same_instance(&f->v[i], &f->v[j]))
				f->v[j].state = BR_SPARE;
		}
	}
}

/* Send the next group. @return false: there is none */
static bool next_group(struct fork *f, uint64_t now)
{
	bool serial = f->way || f->p->cf->fork == NODE_FORK_SERIAL;
	uint32_t i = 0;
	uint16_t q;

	while (i < f->n && f->v[i].state != BR_WAIT)
		i++;
	if (i == f->n)
		return false;
	q = f->v[i].lc ? f->v[i].lc->b.q : 0;
	for (; i < f->n; i++) {
		if (f->v[i].state != BR_WAIT)
			continue;
		if (f->v[i].lc && f->v[i].lc->b.q != q)
			break;
		branch_send(&f->v[i], now);
		if (serial)
			break;
	}
	return true;
}

static void fork_go(struct fork *f, uint64_t now)
{
	if (f->forking || f->over || f->won)
		return;
	f->forking = true;
	while (!pending(f)) {
		if (!f->s || f->stop || f->cancelled || !next_group(f, now)) {
			proxy_fail(f, now);
			break;
		}
	}
	f->forking = false;
}

/* --- start ------------------------------------------------------------------ */

/* A fork lives for half a minute: it keeps no more than its own targets */
static int keep_targets(struct fork *f, struct loc_set *set)
{
	struct proxy *p = f->p;
	uint32_t n = set->n;

	if (n > p->cf->max_branches) {
		p->cut += n - p->cf->max_branches;
		n = p->cf->max_branches;
	}
	if (!n)
		return ENOENT;
	f->lc = calloc(n, sizeof(*f->lc));
	f->v = calloc(n, sizeof(*f->v));
	if (!f->lc || !f->v)
		return ENOMEM;
	f->n = n;
	for (uint32_t i = 0; i < n; i++) {
		f->lc[i] = set->v[i];
		set->v[i].mem = NULL;           /* ours now */
		f->v[i].f = f;
		f->v[i].lc = &f->lc[i];
	}
	hold_spares(f, n);
	return 0;
}

static int targets(struct fork *f, uint64_t now, uint64_t wall)
{
	struct loc_set set;
	int err;

	err = location_get(f->p->loc, f->aor, wall, &set);
	if (!err)
		f->p->passed_over += ping_pass_over(f->p->ping, f->aor, &set,
						    now);
	if (!err)
		err = keep_targets(f, &set);
	loc_set_free(&set);
	return err;
}

static int relay_target(struct fork *f, const struct proxy_job *j)
{
	int err = proxy_route_hop(f->p, j->m, j->own_routes, &f->hop);

	if (err)
		return err;
	f->v = calloc(1, sizeof(*f->v));
	if (!f->v)
		return ENOMEM;
	f->n = 1;
	f->v[0].f = f;
	f->p->relayed++;
	return 0;
}

void proxy_start(struct proxy *p, const struct proxy_job *j, uint64_t now,
		 uint64_t wall)
{
	struct fork *f = fork_new(p, j);
	int err;

	if (!f) {
		stxn_reply(j->s, 503, SL_NONE, SL("Retry-After: 5\r\n"), now);
		return;
	}
	p->started++;
	err = j->relay ? relay_target(f, j) : targets(f, now, wall);
	if (err == ENOENT && !j->relay && !j->known && j->route)
		err = proxy_way_targets(f, j);
	if (!err) {
		f->m = j->m;
		fork_go(f, now);
		f->m = NULL;
		return;
	}
	proxy_over(f);
	p->failed++;
	if (err == ENOENT && !j->relay) {
		proxy_refuse(f, j->known ? 480 : 404, now);
	}
	else {
		proxy_refuse(f, err == ENOMEM ? 503 : err == ENOSPC ? 484 : 403,
			  now);
	}
}

/* --- what comes back --------------------------------------------------------- */

static void pass_on(struct fork *f, const struct sip_msg *m, uint64_t now)
{
	struct blob *msg;

	if (!f->s)
		return;
	msg = proxy_answer(f, m);
	if (!msg)
		return;             /* no memory: as if lost on the way */
	(void)stxn_forward(f->s, m->status, msg, now);
	blob_unref(msg);
}

static void success(struct branch *b, const struct sip_msg *m, uint64_t now)
{
	struct fork *f = b->f;

	if (b->state == BR_SENT) {
		b->state = BR_DONE;
		b->code = m->status;
	}
	if (!f->won)
		f->p->answered++;
	f->won = true;
	/* INVITE: every 2xx, RFC 3261 16.7 step 5; or the edge has done it */
	if (m->meth == SIP_INVITE && !m->count[SIP_CONTACT] &&
	    sip_hdr_name(m, SL(INNER_TOLD)))
		stxn_accepted(f->s, m->status, now);
	else
		pass_on(f, m, now);
	proxy_over(f);
	cancel_rest(f, SL("Reason: SIP;cause=200;"
			  "text=\"Call completed elsewhere\"\r\n"), now);
}

static void failure(struct branch *b, const struct sip_msg *m, uint64_t now,
		    uint64_t wall)
{
	struct fork *f = b->f;

	if (b->state != BR_SENT)
		return;
	if (m->status == CODE_DEAD_FLOW && b->lc) {
		f->p->flow_dead++;
		(void)location_kill(f->p->loc, f->aor, b->lc, wall);
		log_debug("event=flow_dead aor=%s", log_esc(f->aor));
	}
	branch_fail(b, m->status, m);
	if (m->status >= 600 && !f->won) {
		f->stop = true;
		cancel_rest(f, SL_NONE, now);
	}
	fork_go(f, now);
}

void proxy_response(struct proxy *p, const struct txn_event *ev,
		    const struct sip_msg *m, uint64_t now, uint64_t wall)
{
	struct branch *b = ev->user;

	if (!b)
		return;
	if (ev->kind == TXN_LATE)
		p->late++;
	if (m->status == 100)
		return;
	if (m->status < 200) {
		if (!b->f->over)
			pass_on(b->f, m, now);
	}
	else if (m->status < 300) {
		success(b, m, now);
	}
	else {
		failure(b, m, now, wall);
	}
}

void proxy_timeout(struct proxy *p, const struct txn_event *ev, uint64_t now,
		   uint64_t wall)
{
	struct branch *b = ev->user;

	(void)p;
	(void)wall;
	if (!b || b->state != BR_SENT
	    || (ev->timer != TT_FINAL && ev->timer != TT_RING))
		return;
	/* non-INVITE: the transaction layer sends no 408 (RFC 4320 4.2) */
	branch_fail(b, CODE_TIMEOUT, NULL);
	fork_go(b->f, now);
}

void proxy_cancel(struct proxy *p, struct fork *f, const struct sip_msg *m,
		  uint64_t now)
{
	const struct sip_hdr *h;
	struct buf reason;

	if (f->over || f->cancelled)
		return;
	f->cancelled = true;
	p->cancelled++;
	buf_init(&reason, 2048);
	for (h = sip_hdr(m, SIP_REASON); h; h = sip_hdr_next(m, h))
		buf_put(&reason, m->raw.p + h->off, h->end - h->off);
	cancel_rest(f, reason.err ? SL_NONE : buf_as_sl(&reason), now);
	buf_free(&reason);
	fork_go(f, now);
}

void proxy_gone(struct proxy *p, const struct txn_event *ev, uint64_t now)
{
	struct branch *b;
	struct fork *f;

	(void)p;
	if (!ev->user)
		return;
	if (ev->stxn) {
		f = ev->user;
		f->s = NULL;
	}
	else {
		b = ev->user;
		f = b->f;
		b->c = NULL;
		/* a 2xx that there was no memory to pass on, and no copy of
		 * it came since */
		if (f->s && f->over && !stxn_final(f->s) && !pending(f))
			stxn_reply(f->s, 500, SL_NONE, SL_NONE, now);
	}
	fork_unref(f);
}

struct lost {
	struct proxy *p;
	uint64_t until, now;
};

static void lost_one(struct ctxn *c, void *arg)
{
	struct lost *l = arg;
	struct branch *b = ctxn_user(c);

	if (!b || b->state != BR_SENT || ctxn_sent_at(c) > l->until)
		return;
	l->p->lost++;
	ctxn_abandon(c, l->now);
	branch_fail(b, CODE_DEAD_FLOW, NULL);
	fork_go(b->f, l->now);
}

void proxy_lost(struct proxy *p, const struct flow *f, uint64_t until,
		uint64_t now, uint64_t wall)
{
	struct lost l = { p, until, now };

	(void)wall;
	txnl_each_ctxn(p->txnl, f, lost_one, &l);
}
