/**
 * @file api.c  Shell. Status and readiness of a node over HTTP.
 */
#include "node/api.h"
#include "base/clk.h"
#include "cluster/slots.h"
#include "node/api_db.h"
#include "node/api_import.h"
#include "node/api_location.h"
#include "node/api_ping.h"
#include "node/api_verify.h"
#include "node/node_i.h"
#include "web/action.h"
#include "web/admin.h"
#include "web/jsn.h"
#include <config.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct api {
	struct node *n;
	struct http_srv *srv;
	struct actions *act;
	struct api_verify *verify;
	struct api_db *db;
	struct admin admin;
};

static void put_hex(json_t *o, const char *key, uint64_t v)
{
	char txt[24];

	(void)snprintf(txt, sizeof(txt), "%016llx", (unsigned long long)v);
	jsn_str(o, key, txt);
}

static json_t *registrar_json(const struct node *n, const struct core_view *v)
{
	const struct store_stats *ss = store_stats(n->store);
	json_t *o = json_object();

	jsn_u64(o, "contacts", ss->contacts);
	jsn_u64(o, "records", ss->records);
	jsn_u64(o, "tombstones", ss->tombs);
	jsn_u64(o, "expired", ss->expired);
	jsn_u64(o, "accepted", v->accepted);
	jsn_u64(o, "fetched", v->fetched);
	jsn_u64(o, "repeated", v->repeated);
	jsn_u64(o, "rejected", v->rejected);
	jsn_u64(o, "held", v->held);
	jsn_u64(o, "unacked", v->unacked);
	return o;
}

static json_t *member_json(const struct cluster_member_view *m)
{
	json_t *o = json_object();

	jsn_str(o, "name", m->name);
	put_hex(o, "node", m->node);
	jsn_addr(o, "address", &m->addr);
	if (m->sip.af)
		jsn_addr(o, "sip", &m->sip);
	jsn_bool(o, "self", m->self);
	jsn_bool(o, "removed", m->removed);
	if (m->turned)
		jsn_u64(o, m->removed ? "removed_since" : "joined_since",
			m->turned);
	jsn_bool(o, "linked", m->linked);
	jsn_str(o, "health", cluster_health_name(m->health));
	jsn_str(o, "state", cluster_state_name(m->state));
	jsn_bool(o, "majority", m->majority);
	jsn_u64(o, "heard_ago_ms", m->heard_ago);
	jsn_u64(o, "since_ms", m->since);
	jsn_u64(o, "rtt_us", m->rtt_us);
	jsn_put(o, "clock_ms", json_integer(m->clock_ms));
	jsn_u64(o, "contacts", m->contacts);
	jsn_u64(o, "records", m->records);
	jsn_u64(o, "seq", m->seq);
	jsn_u64(o, "have", m->sent_to_us);
	jsn_u64(o, "acked", m->acked_by_it);
	jsn_u64(o, "lag_ms", m->lag_ms);
	jsn_bool(o, "whole", m->whole);
	jsn_str(o, "verdict", m->verdict);
	jsn_bool(o, "counts", m->counts);
	jsn_u64(o, "slots", m->slots);
	jsn_bool(o, "settings_differ", m->settings_differ);
	jsn_bool(o, "users_differ", m->users_differ);
	return o;
}

/* null = links by key */
static json_t *certificate_json(const struct certs *c)
{
	json_t *o;

	if (!c->info.name[0])
		return json_null();
	o = json_object();
	jsn_str(o, "name", c->info.name);
	jsn_str(o, "issuer", c->info.issuer);
	jsn_str(o, "not_after", c->info.until);
	jsn_put(o, "days_left", json_integer(certs_days(c, clk_wall())));
	return o;
}

/* Their names alone */
static json_t *keys_json(const struct keyset *k)
{
	json_t *list = json_array();
	char name[KEYSET_NAME];

	for (uint32_t i = 0; i < k->n; i++) {
		keyset_name(name, k->key[i]);
		(void)json_array_append_new(list, json_string(name));
	}
	return list;
}

static json_t *slots_json(const struct cluster_view *v)
{
	json_t *o = json_object();

	jsn_u64(o, "total", SLOTS);
	jsn_u64(o, "members", v->slots_shared);
	jsn_u64(o, "moved", v->slots_moved);
	jsn_u64(o, "moved_ago_ms", v->slots_ago);
	return o;
}

/** @param v  NULL = not known */
static json_t *cluster_json(const struct node *n, const struct cluster_view *v)
{
	json_t *o = json_object(), *list = json_array();

	if (v) {
		jsn_str(o, "state", cluster_state_name(v->state));
		jsn_bool(o, "synced", v->synced);
		jsn_bool(o, "majority", v->majority);
		jsn_u64(o, "progress", v->synced ? 100 : v->progress);
		jsn_u64(o, "repaired", v->repaired);
		put_hex(o, "digest", v->root);
		jsn_u64(o, "alive", v->alive);
		jsn_u64(o, "count", v->members);
		jsn_u64(o, "seq", v->seq);
		jsn_u64(o, "acked", v->acked);
		jsn_u64(o, "links", v->links_now);
		jsn_u64(o, "auth_failed", v->auth_failed);
		jsn_put(o, "slots", slots_json(v));
		for (uint32_t i = 0; i < v->n; i++)
			(void)json_array_append_new(list,
						    member_json(&v->m[i]));
	}
	jsn_put(o, "certificate", certificate_json(&n->certs));
	jsn_put(o, "keys", keys_json(&n->keys));
	jsn_put(o, "members", list);
	return o;
}

/* What an operator should look at */
static json_t *warnings_json(const struct node *n,
			     const struct cluster_view *v)
{
	json_t *list = json_array();
	char txt[160];

	if (n->cf.auth == NODE_AUTH_OFF)
		(void)json_array_append_new(list, json_string(
			"auth = \"off\": clients are not challenged"));
	if (n->cf.any_domain)
		(void)json_array_append_new(list, json_string(
			"domains = \"any\": every domain is served"));
	if (certs_warning(&n->certs, clk_wall(), txt, sizeof(txt)))
		(void)json_array_append_new(list, json_string(txt));
	if (api_db_warning(n, txt, sizeof(txt)))
		(void)json_array_append_new(list, json_string(txt));
	for (uint32_t i = 0; v && i < v->n; i++) {
		const struct cluster_member_view *m = &v->m[i];

		if (!m->self && m->health == CLUSTER_ALIVE &&
		    !strcmp(m->name, n->cf.name))
			(void)json_array_append_new(list, json_string(
				"another node has our name"));
		if (m->removed)
			continue;
		if (!m->self && m->settings_differ) {
			(void)snprintf(txt, sizeof(txt),
				       "settings differ from %s", m->name);
			(void)json_array_append_new(list, json_string(txt));
		}
		if (!m->self && m->users_differ) {
			(void)snprintf(txt, sizeof(txt),
				       "users file differs from %s", m->name);
			(void)json_array_append_new(list, json_string(txt));
		}
	}
	return list;
}

static json_t *status(void *arg)
{
	struct api *a = arg;
	struct node *n = a->n;
	struct cluster_view *cv = n->cluster ? calloc(1, sizeof(*cv)) : NULL;
	json_t *o = json_object();
	struct core_view v;

	if (cv)
		cluster_view(n->cluster, cv);
	core_view(n->core, &v);
	jsn_str(o, "program", "edgewise-node");
	jsn_str(o, "version", PACKAGE_VERSION);
	jsn_str(o, "name", n->cf.name);
	if (n->leave != LEAVE_NONE)
		jsn_str(o, "leaving", leave_step_name(n->leave));
	put_hex(o, "node", n->id);
	jsn_addr(o, "sip", &n->cf.sip.address);
	jsn_bool(o, "ready", v.ready);
	jsn_str(o, "reason", v.ready ? "" : v.reason);
	jsn_u64(o, "uptime_ms", clk_now() - n->started);
	jsn_u64(o, "contacts", store_stats(n->store)->contacts);
	jsn_u64(o, "users", users_count(n->users));
	jsn_u64(o, "reloads", n->reloads);
	jsn_u64(o, "reloads_failed", n->reloads_failed);
	jsn_u64(o, "connections", transport_conns(n->tr));
	jsn_u64(o, "forks", v.forks);
	jsn_u64(o, "server_transactions", v.server_now);
	jsn_u64(o, "client_transactions", v.client_now);
	jsn_u64(o, "dropped_source", v.dropped_source);
	jsn_u64(o, "malformed", v.malformed);
	jsn_put(o, "registrar", registrar_json(n, &v));
	jsn_put(o, "ping", api_ping_status(n));
	jsn_put(o, "cluster", cluster_json(n, cv));
	if (n->persist_io)
		jsn_put(o, "sql", api_db_json(n));
	jsn_put(o, "warnings", warnings_json(n, cv));
	free(cv);
	return o;
}

static bool ready(struct buf *why, void *arg)
{
	struct api *a = arg;
	struct core_view v;

	core_view(a->n->core, &v);
	if (!v.ready)
		buf_str(why, v.reason);
	return v.ready;
}

int api_alloc(struct api **ap, struct node *n)
{
	struct api *a = calloc(1, sizeof(*a));
	int err;

	if (!a)
		return ENOMEM;
	a->n = n;
	a->admin = (struct admin){ n->st, ready, status, a };
	err = http_srv_alloc(&a->srv, "http", &n->cf.http.address, n->st);
	if (!err)
		err = actions_alloc(&a->act, a->srv, n->state, n->st);
	if (!err)
		err = admin_routes(a->srv, &a->admin);
	if (!err)
		err = api_location_routes(a->srv, n);
	if (!err)
		err = api_verify_alloc(&a->verify, a->srv, a->act, n);
	if (!err)
		err = api_db_alloc(&a->db, a->srv, a->act, n);
	if (!err)
		err = leave_routes(a->act, n);
	if (!err)
		err = trace_get_route(a->act, &n->told);
	if (!err)
		err = api_import_routes(a->act, n);
	if (err)
		api_free(a);
	else
		*ap = a;
	return err;
}

void api_free(struct api *a)
{
	if (!a)
		return;
	http_srv_free(a->srv);
	actions_free(a->act);
	api_verify_free(a->verify);
	api_db_free(a->db);
	free(a);
}

void api_reload(struct api *a)
{
	/* with the old token when the file is wrong: logged */
	(void)actions_reload(a->act);
}
