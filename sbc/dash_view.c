/* dash_view.c - Shell. Everything the page shows, as one JSON object. */
#include "sbc/dash.h"

#include <config.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clk.h"
#include "base/log.h"
#include "sbc/ledger.h"
#include "sbc/scrape.h"
#include "sbc/told.h"
#include "web/jsn.h"

/** What a node says of itself, NULL = it is not asked. Made anew only when it
 *  has said something: with 20 nodes it names 400 peers */
static json_t *said_json(struct dash_node *n, const struct scrape_view *sv,
			 uint64_t now)
{
	json_t *o;

	if (!sv->asked)
		return NULL;
	if (n->told_at != sv->at || !n->told) {
		json_decref(n->told);
		n->told = sv->status ? told_json(sv->status) : json_object();
		n->told_at = sv->at;
	}
	o = json_incref(n->told);
	jsn_str(o, "error", sv->error);
	if (!sv->status)
		return o;
	jsn_u64(o, "age_ms", now - sv->at);
	/* not the latest any more, however young */
	jsn_bool(o, "stale", *sv->error || now - sv->at > SCRAPE_STALE);
	jsn_u64(o, "unacked_lately", sv->unacked);
	return o;
}

/* --- the pool --- */

/** Adds what a node says to each of the pool. @return nodes judged */
static uint32_t look_pool(struct dash *d, json_t *pool, struct verdict_node *v,
			  uint64_t now)
{
	struct disp *disp = edge_disp(d->s->edge);
	uint32_t n = 0;
	json_t *o;
	size_t i;

	json_array_foreach(pool, i, o) {
		const char *name = json_string_value(
			json_object_get(o, "name"));
		struct scrape_view sv;
		uint16_t idx;

		if (!name || disp_by_name(disp, sl_cstr(name), &idx) ||
		    n >= DISP_MAX)
			continue;
		scrape_view(d->scrape, idx, now, &sv);
		jsn_u64(o, "per_s1000", d->node[idx].per_s1000);
		jsn_u64(o, "bad_permille", d->node[idx].bad_permille);
		jsn_put(o, "said", said_json(&d->node[idx], &sv, now));
		told_judge(&v[n], o, now - sv.at <= SCRAPE_STALE ? sv.status :
			   NULL);
		/* a first question that is still open says nothing */
		v[n].asked = sv.asked && (sv.status || *sv.error);
		v[n].unacked = v[n].known ? sv.unacked : 0;
		n++;
	}
	told_mark(pool);
	return n;
}

void dash_put_sql(const struct dash *d, json_t *pool, uint64_t now)
{
	struct disp *disp = edge_disp(d->s->edge);
	json_t *o;
	size_t i;

	json_array_foreach(pool, i, o) {
		const char *name = json_string_value(
			json_object_get(o, "name")), *st;
		struct scrape_view sv;
		uint16_t idx;

		if (!name || disp_by_name(disp, sl_cstr(name), &idx))
			continue;
		scrape_view(d->scrape, idx, now, &sv);
		st = json_string_value(json_object_get(
			json_object_get(sv.status, "sql"), "state"));
		if (st && now - sv.at <= SCRAPE_STALE)
			jsn_sl(o, "sql", sl_cstr(st));
	}
}

/* --- the edge's own --- */

static json_t *grown(const struct dash *d, uint32_t i, const uint64_t *v,
		     uint64_t now)
{
	json_t *o = json_object();

	jsn_u64(o, "total", v[i]);
	jsn_u64(o, "hour", history_growth(d->h, i, v[i], DASH_HOUR, now));
	jsn_u64(o, "recent", history_growth(d->h, i, v[i], DASH_PAST, now));
	return o;
}

static json_t *calls_json(const struct dash *d, const uint64_t *v,
			  uint64_t now)
{
	static const struct {
		const char *key;
		uint32_t series;
	} k[] = {
		{ "lost", DS_LOST }, { "moved", DS_MOVED },
		{ "saved", DS_SAVED }, { "adopted", DS_ADOPTED },
		{ "rescued", DS_RESCUED }, { "late_2xx", DS_LATE },
		{ "ghosts", DS_GHOST },
	};
	json_t *o = json_object();

	for (size_t i = 0; i < sizeof(k) / sizeof(*k); i++)
		jsn_put(o, k[i].key, grown(d, k[i].series, v, now));
	return o;
}

static void put_delay(json_t *o, const char *key, const struct rates_delay *r,
		      uint64_t now)
{
	static const struct {
		const char *key;
		unsigned permille;
	} p[] = { { "p50", 500 }, { "p95", 950 }, { "p99", 990 } };
	json_t *x = json_object();
	uint64_t ms;

	for (size_t i = 0; i < 3; i++)
		if (rates_delay(r, p[i].permille, now, &ms))
			jsn_u64(x, p[i].key, ms);
	jsn_put(o, key, x);
}

static void put_ratio(json_t *o, const char *key, uint32_t permille)
{
	if (permille != UINT32_MAX)
		jsn_u64(o, key, permille);
}

static json_t *sip_json(const struct dash *d, const uint64_t *v, uint64_t now)
{
	static const char *const keys[] = {
		"invite", "register", "other", "r2xx", "r3xx", "r4xx", "r5xx",
		"r6xx",
	};
	const struct ledger *l = edge_ledger(d->s->edge);
	json_t *o = json_object();
#define PAST(i) history_growth(d->h, i, v[i], DASH_PAST, now)
	struct rates_count c = {
		PAST(DS_INV_OK), PAST(DS_INV_REDIR), PAST(DS_INV_CALLEE),
		PAST(DS_INV_FAILED), PAST(DS_INV_OTHER),
	};
#undef PAST

	for (uint32_t i = 0; i < 8; i++) {
		json_t *x = json_object();
		uint64_t rate;

		jsn_u64(x, "total", v[i]);
		if (history_value(d->h, i, HISTORY_COUNTER, 0, &rate))
			jsn_u64(x, "per_s1000", rate);
		jsn_put(o, keys[i], x);
	}
	put_ratio(o, "ser_permille", rates_ser(&c));
	put_ratio(o, "seer_permille", rates_seer(&c));
	put_ratio(o, "isa_permille", rates_isa(&c));
	put_delay(o, "srd_ms", &l->rates.srd, now);
	put_delay(o, "rrd_ms", &l->rates.rrd, now);
	jsn_u64(o, "retransmissions", v[DS_RETRANS]);
	return o;
}

static json_t *flows_json(const struct dash *d, const uint64_t *v)
{
	static const struct {
		const char *key, *name, *labels;
	} k[] = {
		{ "known_clients", "sbc_known", NULL },
		{ "opened_in", "sip_connections_total", "dir=\"in\"" },
		{ "opened_out", "sip_connections_total", "dir=\"out\"" },
		{ "ended", "sip_connections_ended_total", NULL },
		{ "keepalives", "sip_pings_total", NULL },
		{ "udp_in", "sip_rx_messages_total", "transport=\"udp\"" },
		{ "tcp_in", "sip_rx_messages_total", "transport=\"tcp\"" },
		{ "found_again", "sbc_found_again_total", "token=\"path\"" },
	};
	json_t *o = json_object();

	jsn_u64(o, "connections", v[DS_CONNS]);
	jsn_u64(o, "connections_max", d->s->cf.limits.max_connections);
	jsn_u64(o, "pending", v[DS_PENDING]);
	jsn_u64(o, "in_dialog", v[DS_DIALOG]);
	for (size_t i = 0; i < sizeof(k) / sizeof(*k); i++) {
		uint64_t n = 0;

		(void)stat_get(d->s->st, k[i].name, k[i].labels, &n);
		jsn_u64(o, k[i].key, n);
	}
	return o;
}

static json_t *refused_json(const struct dash *d, const uint64_t *v,
			    uint64_t now)
{
	json_t *a = json_array();
	const char *name;

	for (uint32_t i = 0; (name = dash_refused_name(i)); i++) {
		json_t *o;

		if (!v[DS_REFUSED + i])
			continue;
		o = grown(d, DS_REFUSED + i, v, now);
		jsn_str(o, "what", name);
		(void)json_array_append_new(a, o);
	}
	return a;
}

static json_t *events_json(const struct dash *d)
{
	const struct events *ev = &edge_ledger(d->s->edge)->ev;
	uint64_t since = ev->last > 25 ? ev->last - 25 : 0;
	const struct event *e;
	json_t *a = json_array();

	while ((e = events_after(ev, since)) && e->id > since) {
		(void)json_array_insert_new(a, 0, api_event_json(e));
		since = e->id;
		if (since == ev->last)
			break;
	}
	return a;
}

/* --- all of it --- */

static json_t *verdict_json(const struct verdict_out *v)
{
	json_t *o = json_object(), *a = json_array();

	jsn_str(o, "state", verdict_name(v->state));
	for (uint32_t i = 0; i < v->n; i++) {
		json_t *r = json_object();

		jsn_str(r, "level", verdict_name(v->reason[i].level));
		jsn_str(r, "text", v->reason[i].text);
		(void)json_array_append_new(a, r);
	}
	jsn_put(o, "reasons", a);
	jsn_u64(o, "more", v->more);
	jsn_str(o, "can_lose_node", verdict_spare_name(v->spare));
	jsn_str(o, "can_lose_text", v->spare_text);
	return o;
}

/** The word changes: said once, with the worst reason */
static void tell(struct dash *d, const struct verdict_out *v)
{
	const char *was = verdict_name((enum verdict)d->state);
	const char *why = v->n ? v->reason[0].text : "";

	if (v->state == d->state)
		return;
	d->state = v->state;
	ledger_verdict(edge_ledger(d->s->edge), was, verdict_name(v->state),
		       v->state == VERDICT_OK ? EVENT_INFO :
		       v->state == VERDICT_DEGRADED ? EVENT_WARNING :
		       EVENT_ERROR, why, clk_now());
	if (v->state == VERDICT_OK)
		log_info("event=verdict state=\"%s\" was=\"%s\"",
			 verdict_name(v->state), was);
	else
		log_warn("event=verdict state=\"%s\" was=\"%s\" reason=%s",
			 verdict_name(v->state), was,
			 log_esc(sl_cstr(why)));
}

static void put_verdict(struct dash *d, json_t *o, json_t *pool,
			const uint64_t *v, uint64_t now)
{
	struct verdict_node node[DISP_MAX];
	struct verdict_out out;
	struct verdict_in in = {
		.node = node, .stopping = d->s->stop_at != 0,
		.frozen = disp_frozen(edge_disp(d->s->edge)),
		.lost = history_growth(d->h, DS_LOST, v[DS_LOST], DASH_PAST,
				       now),
		.records_failed = d->s->cdr_st.err != 0,
		.unsaved = d->s->unsaved,
	};

	if (json_is_object(json_object_get(o, "fault")))
		in.fault = d->s->fault.o.node;
	in.nodes = look_pool(d, pool, node, now);
	verdict(&in, &out);
	tell(d, &out);
	jsn_put(o, "verdict", verdict_json(&out));
}

json_t *dash_view(struct dash *d, uint64_t now)
{
	uint64_t v[HISTORY_SERIES];
	json_t *o = json_object(), *pool = api_pool_json(d->s);

	dash_series(d, v, now);
	jsn_u64(o, "at_ms", clk_wall());
	jsn_u64(o, "uptime_ms", now - d->s->started);
	jsn_str(o, "version", PACKAGE_VERSION);
	api_fault_put(d->s, o);
	put_verdict(d, o, pool, v, now);
	jsn_put(o, "calls", calls_json(d, v, now));
	jsn_u64(o, "fall", d->s->cf.probe.fall);
	jsn_u64(o, "rise", d->s->cf.probe.rise);
	jsn_put(o, "pool", pool);
	jsn_put(o, "peers", api_peers_json(d->s, now));
	jsn_put(o, "sip", sip_json(d, v, now));
	jsn_put(o, "flows", flows_json(d, v));
	jsn_put(o, "refused", refused_json(d, v, now));
	api_admit_put(d->s, o, now);
	jsn_put(o, "drills", api_drills_json(d->s));
	jsn_put(o, "events", events_json(d));
	return o;
}
