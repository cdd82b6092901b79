/* run_watch.c - Shell. What the edge and the nodes say during a drill. */
#include "drill/run.h"
#include "base/clk.h"
#include <stdio.h>
#include <stdlib.h>

enum { EVERY = 50, NODES_EVERY = 200 };

static const char *str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static uint64_t num(const json_t *o, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(o, key));

	return v > 0 ? (uint64_t)v : 0;
}

/* --- the pool --- */

static bool fine(const json_t *n)
{
	return !strcmp(str(n, "state"), "UP") &&
		!strcmp(str(n, "admin"), "ready") && !num(n, "ejected_ms");
}

static void got_status(const json_t *o, long code, void *arg)
{
	struct run *r = arg;
	const json_t *pool = json_object_get(o, "pool"), *n;
	uint64_t most = 0;
	uint32_t up = 0;
	size_t i;

	r->asked_status = false;
	r->good = false;
	if (code != 200 || !json_array_size(pool))
		return;
	(void)snprintf(r->version, sizeof(r->version), "%s",
		       str(o, "version"));
	r->pool = (uint32_t)json_array_size(pool);
	json_array_foreach(pool, i, n) {
		up += fine(n);
		if (num(n, "picked") >= most) {
			most = num(n, "picked");
			r->busiest = (uint32_t)i + 1;
			(void)snprintf(r->busiest_name,
				       sizeof(r->busiest_name), "%s",
				       str(n, "name"));
		}
		if (r->cf.node && !strcmp(str(n, "name"), r->cf.node) &&
		    !r->facts.fault) {
			r->x.victim = (uint32_t)i + 1;
			(void)snprintf(r->x.node, sizeof(r->x.node), "%s",
				       r->cf.node);
		}
	}
	r->good = up == r->pool && json_is_true(json_object_get(o, "ready"));
	if (r->good)
		r->good_at = r->status_at;
}

/* --- events --- */

static bool names_victim(const struct run *r, const json_t *e)
{
	if (r->plan->kind == DRILL_ALL || r->plan->kind == DRILL_COLD ||
	    r->plan->kind == DRILL_ROLLING || r->plan->kind == DRILL_HOOKS)
		return true;
	return !strcmp(str(e, "node"), r->x.node);
}

static bool is_detection(const char *kind)
{
	static const char *const v[] = { "moved", "saved", "adopted",
					 "rescued", "node", "lost" };

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++)
		if (!strcmp(kind, v[i]))
			return true;
	return false;
}

static void call_event(struct run *r, const char *kind, const char *id)
{
	uint32_t i;

	if (!gen_by_callid(r->gen, sl_cstr(id), &i)) {
		/* the drill's REGISTERs are no production either */
		if (!strcmp(kind, "lost") && strncmp(id, "drill-", 6) != 0)
			r->facts.production_lost++;
		return;
	}
	if (!strcmp(kind, "moved") || !strcmp(kind, "saved"))
		r->said[i] |= SAID_MOVED;
	if (!strcmp(kind, "adopted") || !strcmp(kind, "rescued"))
		r->said[i] |= SAID_ADOPTED;
}

/** Nodes and the verdict always; of calls the first of each kind, they are
 *  many */
static void event_note(struct run *r, const json_t *e, uint64_t at)
{
	const char *kind = str(e, "kind");
	bool node = !strcmp(kind, "node") || !strcmp(kind, "admin");
	bool all = !strcmp(kind, "verdict");
	char txt[NOTE_TEXT];

	(void)snprintf(txt, sizeof(txt), "%s: ", kind);
	for (uint32_t i = 0; i < r->notes && !node && !all; i++)
		if (r->note[i].edge && !strncmp(r->note[i].text, txt,
						strlen(txt)))
			return;
	if (node)
		run_note(r, at, true, "%s: %s %s%s%s", kind, str(e, "node"),
			 str(e, "action"), *str(e, "action") &&
			 *str(e, "reason") ? ", " : "", str(e, "reason"));
	else if (all)
		run_note(r, at, true, "%s: %s", kind, str(e, "reason"));
	else
		run_note(r, at, true, "%s: %s%s%s%s%s, the first one", kind,
			 str(e, "node"), *str(e, "to_node") ? " to " : "",
			 str(e, "to_node"), *str(e, "reason") ? ", " : "",
			 str(e, "reason"));
}

static void one_event(struct run *r, const json_t *e)
{
	const char *kind = str(e, "kind");
	uint64_t wall = num(e, "wall_ms"), at;

	at = r->begin + (wall > r->wall ? wall - r->wall : 0);
	call_event(r, kind, str(e, "call_id"));
	r->moved += !strcmp(kind, "moved");
	r->adopted += !strcmp(kind, "adopted");
	event_note(r, e, at);
	if (r->facts.fault && !r->facts.detected && wall >= r->fault_wall &&
	    is_detection(kind) && names_victim(r, e)) {
		r->facts.detected = r->facts.fault + (wall - r->fault_wall);
		run_note(r, r->facts.detected, true, "detected, %llu ms after "
			 "the fault", (unsigned long long)
			 (wall - r->fault_wall));
	}
}

static void got_events(const json_t *o, long code, void *arg)
{
	struct run *r = arg;
	const json_t *list = json_object_get(o, "events"), *e;
	uint64_t started = num(o, "started_ms");
	size_t i;

	r->asked_events = false;
	if (code != 200 || !json_is_array(list))
		return;
	if (!r->synced) {               /* what was before is not ours */
		r->synced = r->facts.counted = true;
		r->since = num(o, "last");
		r->started = started;
		return;
	}
	if (r->started != started) {    /* the edge is another one */
		r->started = started;
		r->since = 0;
		return;
	}
	/* what nobody could read is not counted as none */
	if (num(o, "dropped"))
		r->facts.counted = false;
	json_array_foreach(list, i, e)
		one_event(r, e);
	r->since = num(o, "next");
	if (r->since < num(o, "last"))
		r->events_at = 0;
}

/* --- nodes of the lab --- */

static void got_node(const json_t *o, long code, void *arg)
{
	struct run_node *a = arg;
	struct run *r = a->r;
	const json_t *c = json_object_get(o, "cluster"), *m;
	const json_t *sql = json_object_get(o, "sql");
	uint64_t all = UINT64_MAX;
	size_t i;

	a->busy = false;
	a->ready_at = 0;
	a->digest[0] = '\0';
	a->written = 0;
	if (json_is_true(json_object_get(sql, "loaded")) &&
	    a->asked > num(sql, "age_ms"))
		a->written = a->asked - num(sql, "age_ms");
	if (code == 200 && json_is_true(json_object_get(o, "ready"))) {
		a->ready_at = a->asked;
		a->contacts = num(o, "contacts");
		json_array_foreach(json_object_get(c, "members"), i, m) {
			if (json_is_true(json_object_get(m, "self")))
				(void)snprintf(a->digest, 40, "%s",
					       str(m, "digest"));
			if (strcmp(str(m, "health"), "alive") != 0)
				a->ready_at = 0;
		}
		if (*str(c, "digest"))
			(void)snprintf(a->digest, 40, "%s",
				       str(c, "digest"));
	}
	for (uint32_t k = 1; k <= r->lab->nodes; k++)
		if (r->node[k].ready_at < all)
			all = r->node[k].ready_at;
	r->nodes_ready = all;
}

static void ask_nodes(struct run *r, uint64_t now)
{
	char url[64];

	r->node_at = now;
	for (uint32_t i = 1; r->lab && i <= r->lab->nodes; i++) {
		struct run_node *a = &r->node[i];

		if (a->busy)
			continue;
		a->r = r;
		a->asked = now;
		a->busy = !watch_ask(r->watch, lab_url(r->lab, i, url),
				     "/api/v1/status", NULL, NULL, got_node,
				     a);
	}
}

void run_watch(struct run *r, uint64_t now)
{
	char path[80];

	watch_turn(r->watch);
	if (!r->asked_status && now >= r->status_at + EVERY &&
	    !watch_ask(r->watch, r->url, "/api/v1/status", NULL, NULL,
		       got_status, r)) {
		r->asked_status = true;
		r->status_at = now;
	}
	(void)snprintf(path, sizeof(path), "/api/v1/events?since=%llu&limit="
		       "1000", (unsigned long long)r->since);
	if (!r->asked_events && now >= r->events_at + EVERY &&
	    !watch_ask(r->watch, r->url, path, NULL, NULL, got_events, r)) {
		r->asked_events = true;
		r->events_at = now;
	}
	if (r->lab && now >= r->node_at + NODES_EVERY)
		ask_nodes(r, now);
}
