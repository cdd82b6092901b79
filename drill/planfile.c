/* planfile.c - Shell. Drills of an operator. */
#include "drill/planfile.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { KEYS = 40, DEF = 264 };

/** A plan and the key that is none of it */
struct text_plan {
	struct drill_plan p;
	char base[32];
};

struct table {
	struct cfg_key key[KEYS];
	char def[KEYS][DEF];
	char name[KEYS][40];
	int n;
};

#define OFF(f) (offsetof(struct text_plan, p) + offsetof(struct drill_plan, f))

static struct cfg_key *add(struct table *t, enum cfg_type type,
			   const char *name, size_t off)
{
	struct cfg_key *k = &t->key[t->n];

	(void)snprintf(t->name[t->n], sizeof(t->name[0]), "%s", name);
	*k = (struct cfg_key){ .name = t->name[t->n], .type = type,
			       .off = off, .def = t->def[t->n],
			       .help = "see edgewise-drill(5)" };
	t->n++;
	return k;
}

static void number(struct table *t, const char *name, size_t off,
		   uint32_t min, uint32_t max, uint32_t def)
{
	struct cfg_key *k = add(t, CFG_U32, name, off);

	k->min = min;
	k->max = max;
	(void)snprintf(t->def[t->n - 1], DEF, "%u", def);
}

static void text(struct table *t, const char *name, size_t off, uint32_t max,
		 const char *def)
{
	add(t, CFG_STR, name, off)->max = max;
	(void)snprintf(t->def[t->n - 1], DEF, "%s", def);
}

/** What is not given stays as in the built-in drill */
static void make(struct table *t, const struct drill_plan *p)
{
	char name[40];

	memset(t, 0, sizeof(*t));
	text(t, "base", offsetof(struct text_plan, base), 31, p->name);
	text(t, "name", OFF(name), 31, p->name);
	text(t, "text", OFF(text), 159, p->text);
	number(t, "calls", OFF(calls), 1, 2000, p->calls);
	number(t, "rate", OFF(rate), 0, 500, p->rate);
	number(t, "phones", OFF(phones), 2, 5000, p->phones);
	number(t, "contacts", OFF(contacts), 0, 5000, p->contacts);
	number(t, "mix.sent", OFF(mix[MIX_SENT]), 0, 100, p->mix[0]);
	number(t, "mix.ringing", OFF(mix[MIX_RINGING]), 0, 100, p->mix[1]);
	number(t, "mix.answered", OFF(mix[MIX_ANSWERED]), 0, 100, p->mix[2]);
	number(t, "mix.bye", OFF(mix[MIX_BYE]), 0, 100, p->mix[3]);
	number(t, "before", OFF(before), 500, 600000, p->before);
	number(t, "hold", OFF(hold), 0, 300000, p->hold);
	number(t, "after", OFF(after), 0, 600000, p->after);
	number(t, "recover_max", OFF(recover_max), 1000, 600000,
	       p->recover_max);
	number(t, "abort_lost", OFF(abort_lost), 0, 1000000, p->abort_lost);
	number(t, "ms", OFF(ms), 0, 10000, p->ms);
	number(t, "percent", OFF(percent), 0, 100, p->percent);
	number(t, "hook_timeout", OFF(hook_timeout), 1, 300,
	       p->hook_timeout);
	text(t, "inject", OFF(inject), 255, p->inject);
	text(t, "restore", OFF(restore), 255, p->restore);
	for (int i = 0; i < CLAIMS; i++) {
		(void)snprintf(name, sizeof(name), "claims.%s",
			       claim_name((enum claim)i));
		number(t, name, OFF(limit) + (size_t)i * sizeof(uint32_t), 0,
		       UINT32_MAX, p->limit[i]);
	}
}

static int read_over(struct text_plan *tp, struct table *t, const char *path,
		     const struct cfg_over *over, struct cfg_errs *errs)
{
	return path ? cfg_read_file(tp, t->key, path, over, errs) :
		cfg_read_text(tp, t->key, "-o", "", over, errs);
}

int planfile_read(struct drill_plan *p, const char *base, const char *path,
		  const struct cfg_over *over, struct cfg_errs *errs)
{
	const struct drill_plan *b = plan_find(base ? base : "node-kill");
	struct text_plan tp = { 0 };
	static struct table t;
	const char *why;
	int err = b ? 0 : ENOENT;

	if (!err) {
		make(&t, b);
		err = read_over(&tp, &t, path, over, errs);
	}
	if (!err && strcmp(tp.base, b->name) != 0) {
		b = plan_find(tp.base);
		if (!b) {
			cfg_err(errs, path, 0, "base", "no such drill");
			return EBADMSG;
		}
		make(&t, b);
		err = read_over(&tp, &t, path, over, errs);
	}
	if (err)
		return err;
	tp.p.kind = b->kind;
	tp.p.own_net = b->own_net;
	tp.p.edge_fault = b->edge_fault;
	if (tp.p.inject[0] || tp.p.restore[0]) {
		tp.p.kind = DRILL_HOOKS;
		tp.p.edge_fault = NULL;
	}
	why = plan_wrong(&tp.p);
	if (why) {
		cfg_err(errs, path ? path : "-o", 0, tp.p.name, "%s", why);
		return EBADMSG;
	}
	*p = tp.p;
	return 0;
}
