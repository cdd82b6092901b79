/* run_back.c - Shell. What the databases of the lab's nodes bring back. */
#include "base/clk.h"
#include "drill/run.h"
#include <stdio.h>
#include <stdlib.h>

bool run_back_removed(struct run *r, uint64_t now)
{
	struct run_back *b = &r->back;
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->cf.gone; i++) {
		uint32_t phone = r->cf.users + r->cf.kept + i;

		if (!gen_left(r->gen, phone))
			gen_leave(r->gen, phone, now);
		n += gen_left(r->gen, phone);
	}
	if (n < r->cf.gone) {
		b->left = 0;
		return false;
	}
	if (!b->left)
		b->left = now;
	for (uint32_t i = 1; r->cf.gone && i <= r->lab->nodes; i++)
		if (r->node[i].written <= b->left)
			return false;
	return true;
}

void run_back_hold(struct run *r)
{
	if (r->cf.gone)
		gen_hold(r->gen, true);
}

/** "drill-7@..." is phone 7 */
static void count(struct run *r, const char *aor)
{
	char *end;
	unsigned long i;

	if (strncmp(aor, "drill-", 6) != 0)
		return;
	i = strtoul(aor + 6, &end, 10);
	if (end == aor + 6 || *end != '@')
		return;
	if (i < r->cf.users)
		return;
	i -= r->cf.users;
	r->back.present += i < r->cf.kept;
	r->back.gone += i >= r->cf.kept;
}

static void node_over(struct run *r)
{
	struct run_back *b = &r->back;

	r->facts.not_back += r->cf.kept - b->present;
	r->facts.removed_back += b->gone;
	b->present = b->gone = 0;
	if (b->node++ < r->lab->nodes)
		return;
	r->facts.looked = true;
	gen_hold(r->gen, false);
	run_note(r, clk_now(), false, "all nodes were ready after %llu ms: "
		 "contacts not back: %llu, removed ones that are: %llu",
		 (unsigned long long)(r->facts.ready - r->facts.ended),
		 (unsigned long long)r->facts.not_back,
		 (unsigned long long)r->facts.removed_back);
}

static void got_page(const json_t *o, long code, void *arg)
{
	struct run *r = arg;
	struct run_back *b = &r->back;
	const json_t *list = json_object_get(o, "contacts"), *c;
	const char *next = json_string_value(json_object_get(o, "next"));
	size_t i;

	b->busy = false;
	if (code != 200 || !json_is_array(list)) {
		b->present = b->gone = 0;
		b->from[0] = '\0';              /* again, from the first on */
		return;
	}
	json_array_foreach(list, i, c) {
		const char *aor = json_string_value(json_object_get(c, "aor"));

		count(r, aor ? aor : "");
	}
	(void)snprintf(b->from, sizeof(b->from), "%s%s", next ? "&from=" : "",
		       next ? next : "");
	if (!next)
		node_over(r);
}

bool run_back_look(struct run *r)
{
	struct run_back *b = &r->back;
	char path[120], url[64];

	if (!r->cf.gone || r->facts.looked)
		return true;
	if (!b->node) {
		if (r->nodes_ready < r->facts.ended)
			return false;
		r->facts.ready = r->nodes_ready;
		b->node = 1;
	}
	(void)snprintf(path, sizeof(path), "/api/v1/contacts?limit=1000%s",
		       b->from);
	if (!b->busy)
		b->busy = !watch_ask(r->watch, lab_url(r->lab, b->node, url),
				     path, NULL, NULL, got_page, r);
	return false;
}
