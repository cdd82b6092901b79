/* edge_overload.c - Pure. New work refused so that the rest is done in time, and
 * whose comes first: what runs, then refreshes and emergency calls of phones
 * that are known, then their other requests, then everybody else's. */
#include <errno.h>

#include "sbc/edge_priv.h"

int edge_overload_init(struct edge *e)
{
	struct overload *o = &e->ovl;
	int err;

	err = stat_add(e->st, STAT_GAUGE, "sbc_shed_level", NULL,
		       "Overload: 1 to 1000, so many of 1000 requests of "
		       "strangers are refused; to 2000, of known phones, too",
		       &o->level, e);
	if (!err)
		err = stat_add(e->st, STAT_GAUGE_US, "sbc_wait_seconds",
			       NULL, "Least time that messages waited before "
			       "they were handled, in the last 100 ms, where "
			       "it was longest",
			       &o->wait_us, e);
	if (!err)
		err = stat_add(e->st, STAT_COUNTER, "sbc_shed_total",
			       "who=\"stranger\"",
			       "Requests refused 503 because of overload",
			       &o->shed[OVERLOAD_STRANGER], e);
	if (!err)
		err = stat_add(e->st, STAT_COUNTER, "sbc_shed_total",
			       "who=\"known\"", NULL, &o->shed[OVERLOAD_NEW],
			       e);
	if (!err)
		err = stat_add(e->st, STAT_COUNTER, "sbc_overloads_total",
			       NULL, "Times that overload began", &o->times,
			       e);
	return err;
}

void edge_overload_conf(struct edge *e, const struct edge_overload_conf *c,
			uint64_t now)
{
	e->emergency = *c;
	overload_conf(&e->ovl, c->target, now);
}

void edge_waited(struct edge *e, uint16_t lst, uint32_t us, uint64_t now)
{
	enum overload_queue q = lst == e->core ? OVERLOAD_CORE :
		tp_stream(e->lst[lst].tp) ? OVERLOAD_STREAMS : OVERLOAD_DGRAMS;

	overload_waited(&e->ovl, q, us, now);
}

/** An address of record at an address (IPv6: at its /64) */
static uint64_t phone_id(const struct edge *e, uint64_t aor,
			 const struct addr *a)
{
	uint8_t k[sizeof(aor) + sizeof(a->ip)] = { 0 };

	memcpy(k, &aor, sizeof(aor));
	memcpy(k + sizeof(aor), a->ip, a->af == 6 ? 8 : 4);
	return secret_hash(e->branch_key, k, sizeof(k));
}

void edge_overload_phone(struct edge *e, uint64_t aor, const struct flow *f,
			 uint64_t now)
{
	if (e->ovl.target || e->tune.probe.max_unanswered)
		phones_add(&e->phones, phone_id(e, aor, &f->peer), now);
}

static bool is_known(const struct edge *e, const struct sip_msg *m,
		     const struct flow *f, uint64_t now)
{
	struct name_addr na;

	if (edge_peer_of(e, f))
		return true;
	/* a REGISTER's To: a third party may register it */
	return !name_addr_parse(&na, m->meth == SIP_REGISTER ? m->to :
						m->from) &&
	       phones_has(&e->phones, phone_id(e, route_key_of(na.uri),
					       &f->peer), now);
}

static bool is_emergency(const struct edge *e, const struct sip_msg *m)
{
	const struct edge_overload_conf *c = &e->emergency;
	struct uri u;

	if (m->meth != SIP_INVITE || uri_parse(&u, m->ruri))
		return false;
	for (uint32_t i = 0; i < c->numberc; i++)
		if (sl_eq(u.user, sl_cstr(c->number[i])))
			return true;
	return false;
}

enum disp_rank edge_overload_rank(const struct edge *e, const struct sip_msg *m,
				  const struct flow *f, uint64_t now)
{
	if (sl_isset(m->to_tag))
		return DISP_URGENT;
	if (m->meth == SIP_REGISTER)
		return is_known(e, m, f, now) ? DISP_KEEP : DISP_NEW;
	return is_emergency(e, m) && is_known(e, m, f, now) ? DISP_URGENT :
							    DISP_NEW;
}

bool edge_oc_on(const struct edge *e, uint16_t node)
{
	return e->tune.oc && !e->node[node].ours;
}

void edge_oc(struct edge *e, uint16_t node, const struct sip_msg *m,
	     uint64_t now)
{
	struct oc o;
	int err;

	if (!edge_oc_on(e, node))
		return;
	err = oc_parse(&o, m->top.params);
	if (err == ENOENT)
		return;
	if (!err)
		err = disp_loss(e->disp, node, &(struct disp_ask){
			.percent = o.loss, .ms = o.validity, .seq = o.seq,
		}, now);
	if (err)
		e->led.oc_refused++;
	else
		e->led.oc++;
}

static uint64_t call_id(const struct edge *e, const struct sip_msg *m)
{
	return secret_hash(e->branch_key, m->callid.p, m->callid.n);
}

static uint64_t request_id(uint64_t call, const struct sip_msg *m)
{
	return call + m->cseq * 0x9e3779b97f4a7c15ull;
}

uint64_t edge_overload_id(const struct edge *e, const struct sip_msg *m)
{
	return request_id(call_id(e, m), m);
}

void edge_overload_refuse(struct edge *e, const struct sip_msg *m,
			  const struct flow *f)
{
	char room[32];

	e->early.refused += e->early.quiet;
	edge_refuse(e, m, f, 503, SL("Service Unavailable"),
		    edge_retry_after(e, room));
}

/** It has waited in line and its turn has come */
static bool its_turn(struct edge *e, const struct sip_msg *m,
		     const struct flow *f, uint64_t now)
{
	if (e->line.now == LINE_LATE) {
		edge_overload_refuse(e, m, f);
		return false;
	}
	overload_serves(&e->ovl, now);
	return true;
}

bool edge_overload_takes(struct edge *e, const struct sip_msg *m,
			 const struct flow *f, uint64_t now)
{
	struct overload_ask a;
	bool known;

	if (sl_isset(m->to_tag))
		return true;
	if (e->line.now)
		return its_turn(e, m, f, now);
	if (!overload_on(&e->ovl)) {
		overload_serves(&e->ovl, now);
		return true;
	}
	known = is_known(e, m, f, now);
	if (known && (m->meth == SIP_REGISTER || is_emergency(e, m)))
		return true;
	a.rank = known ? OVERLOAD_NEW : OVERLOAD_STRANGER;
	a.call = call_id(e, m);
	a.request = request_id(a.call, m);
	a.ahead = line_ahead(&e->line, a.rank);
	if (!overload_takes(&e->ovl, &a, now) ||
	    !edge_line_put(e, m, f, &a, now))
		edge_overload_refuse(e, m, f);
	return false;
}

void edge_overload_tick(struct edge *e, uint64_t now)
{
	bool on;

	overload_tick(&e->ovl, now);
	on = overload_on(&e->ovl);
	if (on == e->told_overload)
		return;
	e->told_overload = on;
	if (log_allow(&e->led.lim_odd, 10, now))
		log_warn("event=overload state=%s wait_us=%llu shed=%llu",
			 on ? "begin" : "end",
			 (unsigned long long)e->ovl.wait_us,
			 (unsigned long long)(e->ovl.shed[OVERLOAD_NEW] +
					      e->ovl.shed[OVERLOAD_STRANGER]));
}
