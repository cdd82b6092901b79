/* state.c - Shell. Wishes of operators and learned nodes on disk. */
#include "sbc/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"
#include "sip/flow.h"
#include "web/jsn.h"

#define FILE_MAX (1u << 20)

static int path_of(char path[512], const char *dir)
{
	return snprintf(path, 512, "%s/pool.json", dir) >= 500 ?
		ENAMETOOLONG : 0;
}

/* --- reading --- */

static int get_text(char *to, size_t size, const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	if (!v)
		return 0;
	if (!json_is_string(v) || json_string_length(v) >= size ||
	    strlen(json_string_value(v)) != json_string_length(v))
		return EBADMSG;
	memcpy(to, json_string_value(v), json_string_length(v) + 1);
	return 0;
}

/** Wall clock in the file, ours in memory; 0 stays 0 */
static int get_time(uint64_t *to, const json_t *o, const char *key,
		    uint64_t now, uint64_t wall)
{
	const json_t *v = json_object_get(o, key);
	int64_t d;

	*to = 0;
	if (!v)
		return 0;
	if (!json_is_integer(v) || json_integer_value(v) < 0 ||
	    json_integer_value(v) > (1ll << 50))
		return EBADMSG;
	if (!json_integer_value(v))
		return 0;
	d = (int64_t)json_integer_value(v) - (int64_t)wall;
	/* 1: over long ago, but not "none" */
	*to = d < 0 && (uint64_t)-d >= now ? 1 : now + (uint64_t)d;
	return 0;
}

static int get_admin(struct disp_wish *w, const json_t *o)
{
	const char *s = json_string_value(json_object_get(o, "admin"));

	for (int a = DISP_READY; s && a <= DISP_MAINT; a++) {
		if (!strcmp(s, disp_admin_name((enum disp_admin)a))) {
			w->admin = (enum disp_admin)a;
			return 0;
		}
	}
	return EBADMSG;
}

static int get_learned(struct disp_node_conf *nc, const json_t *o)
{
	const json_t *l = json_object_get(o, "learned");
	const char *s = json_string_value(json_object_get(l, "address"));
	const char *t = json_string_value(json_object_get(l, "transport"));
	int tp = t ? tp_by_name(sl_cstr(t)) : -1;

	if (!l)
		return 0;
	if (!s || tp <= 0 || addr_parse(&nc->addr, sl_cstr(s), 0) ||
	    !nc->addr.port || addr_is_any(&nc->addr))
		return EBADMSG;
	nc->tp = (uint8_t)tp;
	nc->weight = 100;
	nc->learned = true;
	return 0;
}

static int get_node(struct state_node *s, const json_t *o, uint64_t now,
		    uint64_t wall)
{
	const json_t *weight = json_object_get(o, "weight");
	struct disp_wish *w = &s->wish;

	memset(s, 0, sizeof(*s));
	w->weight = -1;
	if (weight && (!json_is_integer(weight) ||
		       json_integer_value(weight) < 0 ||
		       json_integer_value(weight) > 1000))
		return EBADMSG;
	if (weight)
		w->weight = (int32_t)json_integer_value(weight);
	w->when_empty = json_is_true(json_object_get(o, "when_empty"));
	w->drained = json_is_true(json_object_get(o, "drained"));
	if (get_text(s->conf.name, sizeof(s->conf.name), o, "name") ||
	    !s->conf.name[0] || get_admin(w, o) ||
	    get_text(w->who, sizeof(w->who), o, "who") ||
	    get_text(w->why, sizeof(w->why), o, "why") ||
	    get_time(&w->since, o, "since", now, wall) ||
	    get_time(&w->until, o, "until", now, wall))
		return EBADMSG;
	return get_learned(&s->conf, o);
}

static int parse(struct state_node *v, uint16_t *np, struct sl text,
		 uint64_t now, uint64_t wall)
{
	json_t *o = json_loadb(text.p ? text.p : "", text.n,
			       JSON_REJECT_DUPLICATES, NULL);
	const json_t *list = json_object_get(o, "nodes");
	size_t n = json_array_size(list);
	int err = json_is_array(list) && n <= DISP_MAX ? 0 : EBADMSG;

	for (size_t i = 0; i < n && !err; i++)
		err = get_node(&v[i], json_array_get(list, i), now, wall);
	if (!err)
		*np = (uint16_t)n;
	json_decref(o);
	return err;
}

int state_load(struct state_node *v, uint16_t *np, const char *dir,
	       uint64_t now, uint64_t wall)
{
	char path[512], bad[520];
	struct buf b;
	int err = path_of(path, dir);

	*np = 0;
	if (err)
		return err;
	err = file_read(&b, path, FILE_MAX);
	if (err == ENOENT)
		return 0;
	if (!err) {
		err = parse(v, np, buf_as_sl(&b), now, wall);
		buf_free(&b);
	}
	if (err == EBADMSG) {
		(void)snprintf(bad, sizeof(bad), "%s.bad", path);
		(void)rename(path, bad);     /* else it is written over */
	}
	if (err)
		log_error("event=state file=%s problem=\"%s\" hint=\"%s\"",
			  path, err == EBADMSG ? "is damaged" : strerror(err),
			  err == EBADMSG ? "kept as pool.json.bad; nodes in "
			  "drain or maint take requests again" :
			  "nodes in drain or maint take requests again");
	return err;
}

/* --- writing --- */

static void put_time(json_t *o, const char *key, uint64_t t, uint64_t now,
		     uint64_t wall)
{
	if (t)
		jsn_u64(o, key, t < now ? wall - (now - t) : wall + (t - now));
}

static json_t *put_node(const struct disp_view *v, uint64_t now, uint64_t wall)
{
	const struct disp_wish *w = &v->wish;
	json_t *o = json_object(), *l;

	jsn_str(o, "name", v->name);
	jsn_str(o, "admin", disp_admin_name(w->admin));
	if (w->weight >= 0)
		jsn_u64(o, "weight", (uint64_t)w->weight);
	jsn_bool(o, "when_empty", w->when_empty);
	jsn_bool(o, "drained", w->drained);
	put_time(o, "since", w->since, now, wall);
	put_time(o, "until", w->until, now, wall);
	jsn_str(o, "who", w->who);
	jsn_str(o, "why", w->why);
	if (v->learned) {
		l = json_object();
		jsn_addr(l, "address", &v->addr);
		jsn_str(l, "transport", tp_param(v->tp));
		(void)json_object_set_new(o, "learned", l);
	}
	return o;
}

int state_save(const char *dir, struct disp *d, uint64_t now, uint64_t wall)
{
	json_t *o = json_object(), *list = json_array();
	struct disp_view v;
	char path[512], *text;
	int err = path_of(path, dir);

	for (uint16_t i = 0; i < disp_n(d); i++) {
		if (disp_view(d, i, &v))
			continue;
		if (v.learned || v.wish.admin != DISP_READY ||
		    v.wish.weight >= 0)
			(void)json_array_append_new(list,
						    put_node(&v, now, wall));
	}
	(void)json_object_set_new(o, "nodes", list);
	text = json_dumps(o, JSON_INDENT(1));
	if (!err)
		err = text ? file_write(path, sl_cstr(text)) : ENOMEM;
	if (err)
		log_error("event=state file=%s problem=\"%s\" hint=\"what "
			  "operators want is forgotten at the next start\"",
			  path, strerror(err));
	free(text);
	json_decref(o);
	return err;
}
