/* weave.c - Pure. Traces of several programs as one. */
#include "ctl/weave.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct item {
	const json_t *e;
	const char *text;
	struct item *twin;           /* the same message at the other end    */
	uint32_t src, idx;
	int64_t us;                  /* place in time: first by its own clock */
	bool msg, out;
};

struct loom {
	struct weave_src *v;
	uint32_t n, items;
	uint32_t first[WEAVE_MAX + 1];       /* item of each source          */
	struct item *item;
};

static const char *str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static const json_t *entries(const struct weave_src *s)
{
	return json_object_get(s->answer, "entries");
}

static bool is_node(const struct weave_src *s)
{
	return *str(s->answer, "name") != '\0';
}

/* --- reading --- */

static void name_src(struct weave_src *s)
{
	const char *name = is_node(s) ? str(s->answer, "name") : "edge";
	size_t n = strlen(name);

	n = n < WEAVE_NAME ? n : WEAVE_NAME - 1;
	memcpy(s->name, name, n);
	s->name[n] = '\0';
}

/* An event stands where its source has it: with the message before it, or the
 * one behind */
static void place_events(struct loom *l, uint32_t from, uint32_t to)
{
	int64_t us = 0;

	for (uint32_t i = from; i < to && !us; i++)
		us = l->item[i].us;
	for (uint32_t i = from; i < to; i++) {
		if (l->item[i].msg)
			us = l->item[i].us;
		else
			l->item[i].us = us;
	}
}

static void read_src(struct loom *l, uint32_t s)
{
	const json_t *e;
	size_t i;

	l->first[s] = l->items;
	json_array_foreach(entries(&l->v[s]), i, e) {
		struct item *it = &l->item[l->items++];

		it->e = e;
		it->src = s;
		it->idx = (uint32_t)i;
		it->msg = !strcmp(str(e, "type"), "message");
		it->out = !strcmp(str(e, "dir"), "out");
		it->text = str(e, "text");
		if (it->msg)
			it->us = json_integer_value(
				json_object_get(e, "wall_us"));
	}
	l->first[s + 1] = l->items;
	place_events(l, l->first[s], l->items);
}

/* --- both ends of a message --- */

/* The bytes are the same, and a branch makes them those of one message. A
 * repetition meets the next one that came. */
static void match(struct loom *l, uint32_t a, uint32_t b)
{
	for (uint32_t i = l->first[a]; i < l->first[a + 1]; i++) {
		struct item *x = &l->item[i];

		for (uint32_t k = l->first[b]; x->msg && x->out && !x->twin &&
		     k < l->first[b + 1]; k++) {
			struct item *y = &l->item[k];

			if (!y->msg || y->out || y->twin ||
			    strcmp(x->text, y->text) != 0)
				continue;
			x->twin = y;
			y->twin = x;
		}
	}
}

static void match_all(struct loom *l)
{
	for (uint32_t a = 0; a < l->n; a++)
		for (uint32_t b = 0; b < l->n; b++)
			if (is_node(&l->v[a]) != is_node(&l->v[b]))
				match(l, a, b);
}

/* What took least from there (node or not) to source s [us] */
static int64_t least(const struct loom *l, uint32_t s, bool sent)
{
	int64_t d = INT64_MAX;

	for (uint32_t i = l->first[s]; i < l->first[s + 1]; i++) {
		const struct item *x = &l->item[i];
		int64_t t;

		if (!x->twin || x->out != sent)
			continue;
		t = sent ? x->twin->us - x->us : x->us - x->twin->us;
		if (t < d)
			d = t;
	}
	return d;
}

/* Nothing comes before it was sent. Where a node's clock says so, it is set to
 * where both ways take as long; else it is believed. */
static void set_clock(struct loom *l, uint32_t s)
{
	int64_t to = least(l, s, false), from = least(l, s, true);

	l->v[s].ahead = 0;
	if (!is_node(&l->v[s]) || (to >= 0 && from >= 0))
		return;
	if (to == INT64_MAX)
		l->v[s].ahead = -from;
	else if (from == INT64_MAX)
		l->v[s].ahead = to;
	else
		l->v[s].ahead = (to - from) / 2;
}

/* --- the list --- */

static int by_time(const void *a, const void *b)
{
	const struct item *x = *(struct item *const *)a;
	const struct item *y = *(struct item *const *)b;

	if (x->us != y->us)
		return x->us < y->us ? -1 : 1;
	if (x->src != y->src)
		return x->src < y->src ? -1 : 1;
	return x->idx < y->idx ? -1 : x->idx > y->idx;
}

static void set(json_t *o, const char *key, json_t *v)
{
	(void)json_object_set_new(o, key, v);
}

static json_t *tell(const struct loom *l, const struct item *x)
{
	const struct weave_src *s = &l->v[x->src];
	json_t *o = json_copy((json_t *)(uintptr_t)x->e);

	set(o, "at", json_string(s->name));
	if (!x->msg)
		return o;
	set(o, "wall_us", json_integer(x->us));
	if (x->twin)
		set(o, "got_us", json_integer(x->twin->us));
	if (is_node(s)) {
		set(o, "dir", json_string(x->out ? "in" : "out"));
		set(o, "node", json_string(s->name));
	}
	else if (x->twin) {
		/* the edge may have another name for it */
		set(o, "node", json_string(l->v[x->twin->src].name));
	}
	return o;
}

static json_t *lay_out(const struct loom *l)
{
	struct item **p = calloc(l->items + 1, sizeof(struct item *));
	json_t *a = p ? json_array() : NULL;
	uint32_t n = 0;

	for (uint32_t i = 0; a && i < l->items; i++)
		if (!l->item[i].twin || l->item[i].out)
			p[n++] = &l->item[i];
	if (a)
		qsort(p, n, sizeof(struct item *), by_time);
	for (uint32_t i = 0; a && i < n; i++)
		(void)json_array_append_new(a, tell(l, p[i]));
	free(p);
	return a;
}

json_t *weave(struct weave_src *v, uint32_t n)
{
	struct loom l = { .v = v, .n = n };
	size_t total = 1;
	json_t *a;

	for (uint32_t s = 0; s < n; s++)
		total += json_array_size(entries(&v[s]));
	l.item = calloc(total, sizeof(*l.item));
	if (!l.item)
		return NULL;
	for (uint32_t s = 0; s < n; s++) {
		name_src(&v[s]);
		read_src(&l, s);
	}
	match_all(&l);
	for (uint32_t s = 0; s < n; s++)
		set_clock(&l, s);
	for (uint32_t i = 0; i < l.items; i++)
		l.item[i].us -= v[l.item[i].src].ahead;
	a = lay_out(&l);
	free(l.item);
	return a;
}
