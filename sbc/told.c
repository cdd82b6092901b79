/* told.c - Pure. What a node's status is taken for. */
#include "sbc/told.h"

static uint64_t num(const json_t *o, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(o, key));

	return v > 0 ? (uint64_t)v : 0;
}

static bool is(const json_t *o, const char *key, const char *val)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s && !strcmp(s, val);
}

static bool yes(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

/** The same value under the same name, if it is there and no container */
static void copy(json_t *to, const json_t *from, const char *key)
{
	json_t *v = json_object_get(from, key);

	if (v && !json_is_object(v) && !json_is_array(v))
		(void)json_object_set(to, key, v);
}

/* --- members of the cluster, as each node sees them --- */

static bool counts(const json_t *m)
{
	return json_is_object(m) && !yes(m, "removed") &&
		!is(m, "health", "left") && !is(m, "health", "removed");
}

static bool differs(const json_t *m)
{
	return is(m, "health", "alive") &&
		(yes(m, "settings_differ") || yes(m, "users_differ"));
}

static void judge_members(const json_t *members, struct verdict_node *v)
{
	const json_t *m;
	size_t i;

	json_array_foreach(members, i, m) {
		if (!counts(m))
			continue;
		v->members++;
		v->alive += yes(m, "self") || is(m, "health", "alive");
		v->differ += !yes(m, "self") && differs(m);
	}
}

static json_t *peers_json(const json_t *members)
{
	json_t *a = json_array();
	const json_t *m;
	size_t i;

	json_array_foreach(members, i, m) {
		static const char *const keys[] = {
			"name", "health", "state", "lag_ms", "rtt_us",
			"clock_ms", "settings_differ", "users_differ",
			"verdict", "contacts",
		};
		json_t *o;

		if (yes(m, "self") || !counts(m) ||
		    json_array_size(a) >= TOLD_PEERS)
			continue;
		o = json_object();
		for (size_t k = 0; k < sizeof(keys) / sizeof(*keys); k++)
			copy(o, m, keys[k]);
		(void)json_array_append_new(a, o);
	}
	return a;
}

static void put_cluster(json_t *o, const json_t *st)
{
	static const char *const keys[] = {
		"state", "synced", "progress", "repaired", "digest",
		"majority", "alive", "seq",
	};
	const json_t *c = json_object_get(st, "cluster"), *cert, *members;
	json_t *to;

	if (!json_is_object(c))
		return;
	to = json_object();
	for (size_t k = 0; k < sizeof(keys) / sizeof(*keys); k++)
		copy(to, c, keys[k]);
	members = json_object_get(c, "members");
	(void)json_object_set_new(to, "peers", peers_json(members));
	cert = json_object_get(c, "certificate");
	if (json_is_object(cert)) {
		json_t *x = json_object();

		copy(x, cert, "name");
		copy(x, cert, "not_after");
		copy(x, cert, "days_left");
		(void)json_object_set_new(to, "certificate", x);
	}
	(void)json_object_set_new(o, "cluster", to);
}

static void put_ping(json_t *o, const json_t *p)
{
	static const char *const keys[] = {
		"contacts", "lost", "removed", "quarantined", "p50_us",
		"p95_us",
	};
	json_t *to;

	if (!json_is_object(p))
		return;
	to = json_object();
	for (size_t k = 0; k < sizeof(keys) / sizeof(*keys); k++)
		copy(to, p, keys[k]);
	(void)json_object_set_new(o, "ping", to);
}

static void put_sql(json_t *o, const json_t *st)
{
	static const char *const keys[] = {
		"state", "why", "mode", "loaded", "rows_read",
		"rows_written", "dirty", "age_ms",
	};
	const json_t *sql = json_object_get(st, "sql");
	json_t *to;

	if (!json_is_object(sql))
		return;
	to = json_object();
	for (size_t k = 0; k < sizeof(keys) / sizeof(*keys); k++)
		copy(to, sql, keys[k]);
	(void)json_object_set_new(o, "sql", to);
}

json_t *told_json(const json_t *status)
{
	static const char *const keys[] = {
		"version", "ready", "reason", "uptime_ms", "contacts",
		"users", "connections", "forks", "server_transactions",
	};
	const json_t *reg = json_object_get(status, "registrar");
	json_t *o = json_object();

	for (size_t k = 0; k < sizeof(keys) / sizeof(*keys); k++)
		copy(o, status, keys[k]);
	copy(o, reg, "records");
	copy(o, reg, "tombstones");
	copy(o, reg, "unacked");
	put_ping(o, json_object_get(status, "ping"));
	put_cluster(o, status);
	put_sql(o, status);
	return o;
}

void told_judge(struct verdict_node *v, const json_t *node, const json_t *st)
{
	const json_t *c = json_object_get(st, "cluster");
	const json_t *cert = json_object_get(c, "certificate");

	memset(v, 0, sizeof(*v));
	v->name = json_string_value(json_object_get(node, "name"));
	v->up = is(node, "state", "UP");
	v->doubted = is(node, "state", "SUSPECT");
	v->wanted = is(node, "admin", "ready") && !yes(node, "leaving");
	v->takes = v->wanted && num(node, "weight");
	v->known = st != NULL;
	if (!st)
		return;
	v->ready = yes(st, "ready");
	v->synced = yes(c, "synced");
	v->sql_down = is(json_object_get(st, "sql"), "state", "down");
	v->sql_behind = is(json_object_get(st, "sql"), "state", "behind");
	v->has_cert = json_is_object(cert);
	v->cert_days = json_integer_value(json_object_get(cert, "days_left"));
	judge_members(json_object_get(c, "members"), v);
}

void told_mark(json_t *pool)
{
	const char *best = NULL;
	size_t i, k, most = 0;
	json_t *a, *b;

#define DIGEST(x) json_string_value(json_object_get(json_object_get( \
		json_object_get(x, "said"), "cluster"), "digest"))
	json_array_foreach(pool, i, a) {
		const char *d = DIGEST(a);
		size_t n = 0;

		json_array_foreach(pool, k, b) {
			const char *e = DIGEST(b);

			n += d && e && !strcmp(d, e);
		}
		if (n > most) {
			most = n;
			best = d;
		}
	}
	json_array_foreach(pool, i, a) {
		const char *d = DIGEST(a);

		if (d)
			(void)json_object_set_new(
				json_object_get(json_object_get(a, "said"),
						"cluster"), "equal",
				json_boolean(best && !strcmp(d, best)));
	}
#undef DIGEST
}
