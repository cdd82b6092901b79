/* drills.c - Pure. Drills that the page runs. */
#include "sbc/drills.h"

#include <errno.h>
#include <stdio.h>

const char *const drills_verdicts[] = {
	"PASS", "FAIL", "ABORTED", "UNFIT", "NONE", NULL
};
static const char *const figure_name[DF_N] = {
	"placed", "done", "lost", "live", "phones", "registered", "moved",
	"adopted", "production_lost",
};

static const char *str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

#define PUT(field, s) sl_text((field), sizeof(field), (s))

/* --- which there are --- */

/** What can stand in an argument and in a name of a file */
static bool plain(const char *s, size_t max)
{
	size_t n = strlen(s);

	return n && n < max && *s != '.' && *s != '-' &&
		!s[strspn(s, "abcdefghijklmnopqrstuvwxyz"
			  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")];
}

static bool known(const struct drills *d, uint32_t n, const char *name)
{
	for (uint32_t i = 0; i < n; i++)
		if (!strcmp(d->v[i].name, name))
			return true;
	return false;
}

/** @return does it count */
static bool take_kind(struct drills *d, uint32_t n, const json_t *o)
{
	struct drills_kind *k = &d->v[n];
	const char *name = str(o, "name"), *file = str(o, "file");
	/* the edge cannot make a network namespace */
	bool own_net = json_is_true(json_object_get(o, "own_net"));

	*k = (struct drills_kind){
		.edge = json_is_true(json_object_get(o, "edge")),
		.lab = json_is_true(json_object_get(o, "lab")) && !own_net,
	};
	if (!plain(name, sizeof(k->name)) || known(d, n, name) ||
	    (*file && !plain(file, sizeof(k->file))) || (!k->edge && !k->lab))
		return false;
	PUT(k->name, name);
	PUT(k->file, file);
	PUT(k->text, str(o, "text"));
	return true;
}

int drills_list(struct drills *d, struct sl json)
{
	json_t *a = json_loadb((const char *)json.p, json.n, 0, NULL), *o;
	uint32_t n = 0;
	size_t i;

	if (!json_is_array(a)) {
		json_decref(a);
		return EBADMSG;
	}
	json_array_foreach(a, i, o)
		if (n < DRILLS_MAX && take_kind(d, n, o))
			n++;
	d->n = n;
	json_decref(a);
	return 0;
}

const struct drills_kind *drills_find(const struct drills *d, const char *name,
				      bool lab)
{
	for (uint32_t i = 0; i < d->n; i++)
		if (!strcmp(d->v[i].name, name))
			return (lab ? d->v[i].lab : d->v[i].edge) ? &d->v[i] :
				NULL;
	return NULL;
}

/* --- the one that goes on --- */

/** The only writer of d->state */
static void become(struct drills *d, enum drills_state s)
{
	d->state = s;
	d->on = s != DRILLS_IDLE;
}

static void add_step(struct drills *d, uint64_t at, const char *text)
{
	uint32_t i = d->steps++ % DRILLS_STEPS;

	d->step[i].at = at;
	PUT(d->step[i].text, text);
	/* what is no UTF-8 would not come through JSON */
	for (char *p = d->step[i].text; *p; p++)
		if ((uint8_t)*p < ' ' || *p == 0x7f)
			*p = ' ';
}

int drills_begin(struct drills *d, const struct drills_kind *k, bool lab,
		 const char *who, uint64_t max, uint64_t now, uint64_t wall)
{
	if (d->state != DRILLS_IDLE)
		return EBUSY;
	json_decref(d->run.claims);
	d->run = (struct drills_run){ .lab = lab, .wall = wall };
	PUT(d->run.name, k->name);
	PUT(d->run.who, who);
	PUT(d->run.step, "starting");
	d->steps = 0;
	d->begun = now;
	d->until = now + max;
	d->kill_at = UINT64_MAX;
	d->told = d->ended_by_us = d->skip = false;
	d->said = d->linen = 0;
	become(d, DRILLS_ON);
	return 0;
}

bool drills_abort(struct drills *d, const char *why, uint64_t now)
{
	if (d->state == DRILLS_IDLE)
		return false;
	if (d->state == DRILLS_ENDING)
		return true;
	add_step(d, now - d->begun, why);
	PUT(d->run.why, why);
	d->told = true;
	d->ended_by_us = true;
	d->kill_at = now + DRILLS_GRACE;
	become(d, DRILLS_ENDING);
	return true;
}

uint64_t drills_next(const struct drills *d)
{
	if (d->state == DRILLS_IDLE)
		return UINT64_MAX;
	return d->told ? 0 : d->state == DRILLS_ON ? d->until : d->kill_at;
}

enum drills_do drills_poll(struct drills *d, uint64_t now)
{
	if (d->state == DRILLS_ON && now >= d->until)
		(void)drills_abort(d, "it took too long", now);
	if (d->state != DRILLS_ENDING)
		return DRILLS_NOTHING;
	if (d->told) {
		d->told = false;
		return DRILLS_INT;
	}
	if (now < d->kill_at)
		return DRILLS_NOTHING;
	d->kill_at = UINT64_MAX;
	return DRILLS_KILL;
}

/* --- what it says --- */

static uint64_t number(const json_t *o, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(o, key));

	return v > 0 ? (uint64_t)v : 0;
}

static void take_done(struct drills *d, const json_t *o)
{
	const char *report = str(o, "report"), *base = strrchr(report, '/');
	const char *v = str(o, "verdict");
	char html[sizeof(d->run.report)];
	size_t n;

	for (int i = 0; drills_verdicts[i]; i++)
		if (!strcmp(v, drills_verdicts[i]))
			PUT(d->run.verdict, v);
	/* who ended it is more than "by the operator" */
	if (*str(o, "why") && !d->ended_by_us)
		PUT(d->run.why, str(o, "why"));
	PUT(html, base ? base + 1 : report);
	n = strlen(html);
	if (n > 5 && n + 1 < sizeof(html) && !strcmp(html + n - 5, ".json"))
		memcpy(html + n - 5, ".html", 6);
	d->run.report[0] = '\0';
	if (drills_report_name(sl_cstr(html)))
		PUT(d->run.report, html);
	json_decref(d->run.claims);
	d->run.claims = json_incref(json_object_get(o, "claims"));
}

static void take_object(struct drills *d, const json_t *o)
{
	if (json_is_true(json_object_get(o, "done"))) {
		take_done(d, o);
		return;
	}
	if (*str(o, "text"))
		add_step(d, number(o, "at_ms"), str(o, "text"));
	if (!json_object_get(o, "step"))
		return;
	PUT(d->run.step, str(o, "step"));
	PUT(d->run.node, str(o, "node"));
	for (int i = 0; i < DF_N; i++)
		d->run.figure[i] = number(o, figure_name[i]);
}

static void take_line(struct drills *d, uint64_t now)
{
	json_t *o = json_loadb(d->line, d->linen, 0, NULL), *s;

	if (json_is_object(o))
		take_object(d, o);
	else if (d->linen) {
		/* what it has to say to people, if it is text */
		s = json_stringn(d->line, d->linen);
		if (s && d->linen < DRILLS_LINE) {
			d->line[d->linen] = '\0';
			add_step(d, now - d->begun, d->line);
			if (!*d->run.why)
				PUT(d->run.why, d->line);
		}
		json_decref(s);
	}
	json_decref(o);
	d->linen = 0;
}

void drills_said(struct drills *d, struct sl bytes, uint64_t now)
{
	if (d->state == DRILLS_IDLE || d->said > DRILLS_SAID)
		return;
	d->said += bytes.n;
	if (d->said > DRILLS_SAID)
		(void)drills_abort(d, "it says too much", now);
	for (size_t i = 0; i < bytes.n; i++) {
		char c = (char)bytes.p[i];

		if (c == '\n') {
			if (!d->skip)
				take_line(d, now);
			d->skip = false;
			d->linen = 0;
		}
		else if (d->linen < DRILLS_LINE)
			d->line[d->linen++] = c;
		else
			d->skip = true;
	}
}

static void remember(struct drills *d)
{
	struct drills_run *r = &d->past[DRILLS_PAST - 1];

	json_decref(r->claims);
	memmove(d->past + 1, d->past, sizeof(d->past) - sizeof(d->past[0]));
	d->past[0] = d->run;
	d->past[0].claims = json_incref(d->run.claims);
	if (d->pasts < DRILLS_PAST)
		d->pasts++;
}

void drills_ended(struct drills *d, int status, uint64_t now)
{
	/* no verdict by its last line: it was killed, or used wrongly */
	if (d->state == DRILLS_IDLE)
		return;
	if (!*d->run.verdict)
		PUT(d->run.verdict, d->ended_by_us ? "ABORTED" : status == 3 ?
		    "UNFIT" : "NONE");
	if (!*d->run.why && status < 0)
		PUT(d->run.why, "the tool was killed");
	d->run.took = now - d->begun;
	PUT(d->run.step, "over");
	for (int i = 0; drills_verdicts[i]; i++)
		d->count[i] += !strcmp(d->run.verdict, drills_verdicts[i]);
	become(d, DRILLS_IDLE);
	remember(d);
}

void drills_free(struct drills *d)
{
	json_decref(d->run.claims);
	for (uint32_t i = 0; i < DRILLS_PAST; i++)
		json_decref(d->past[i].claims);
	memset(d, 0, sizeof(*d));
}

/* --- as JSON --- */

static void set(json_t *o, const char *key, json_t *v)
{
	if (v)
		(void)json_object_set_new(o, key, v);
}

/** Text of others may be no UTF-8 */
static json_t *text(const char *s)
{
	json_t *j = json_string(s);

	return j ? j : json_string("?");
}

static json_t *run_json(const struct drills_run *r)
{
	json_t *o = json_object();

	set(o, "name", text(r->name));
	set(o, "where", json_string(r->lab ? "lab" : "edge"));
	set(o, "who", text(r->who));
	set(o, "begun_ms", json_integer((json_int_t)r->wall));
	set(o, "node", text(r->node));
	for (int i = 0; i < DF_N; i++)
		set(o, figure_name[i], json_integer((json_int_t)r->figure[i]));
	return o;
}

static json_t *past_json(const struct drills_run *r)
{
	json_t *o = run_json(r);

	set(o, "took_ms", json_integer((json_int_t)r->took));
	set(o, "verdict", text(r->verdict));
	set(o, "why", text(r->why));
	set(o, "report", text(r->report));
	set(o, "claims", r->claims ? json_incref(r->claims) : json_array());
	return o;
}

static json_t *steps_json(const struct drills *d)
{
	uint32_t i = d->steps > DRILLS_STEPS ? d->steps - DRILLS_STEPS : 0;
	json_t *a = json_array();

	for (; i < d->steps; i++) {
		json_t *s = json_object();

		set(s, "at_ms", json_integer((json_int_t)
			d->step[i % DRILLS_STEPS].at));
		set(s, "text", text(d->step[i % DRILLS_STEPS].text));
		(void)json_array_append_new(a, s);
	}
	return a;
}

json_t *drills_json(const struct drills *d, uint64_t now)
{
	json_t *o = json_object(), *list = json_array(), *past = json_array();
	json_t *r = NULL;

	for (uint32_t i = 0; i < d->n; i++) {
		const struct drills_kind *k = &d->v[i];
		json_t *x = json_object();

		set(x, "name", text(k->name));
		set(x, "text", text(k->text));
		set(x, "edge", json_boolean(k->edge));
		set(x, "lab", json_boolean(k->lab));
		(void)json_array_append_new(list, x);
	}
	for (uint32_t i = 0; i < d->pasts; i++)
		(void)json_array_append_new(past, past_json(&d->past[i]));
	set(o, "list", list);
	if (d->state != DRILLS_IDLE) {
		r = run_json(&d->run);
		set(r, "step", text(d->run.step));
		set(r, "ending", json_boolean(d->state == DRILLS_ENDING));
		set(r, "since_ms", json_integer((json_int_t)(now - d->begun)));
		set(r, "until_ms", json_integer((json_int_t)(d->until > now ?
			d->until - now : 0)));
		set(r, "steps", steps_json(d));
	}
	set(o, "running", r ? r : json_null());
	set(o, "last", past);
	return o;
}

bool drills_report_name(struct sl s)
{
	static const char tail[] = "-00000000T000000Z.html";
	enum { TAIL = sizeof(tail) - 1 };

	if (s.n <= TAIL || s.n >= sizeof(((struct drills_run *)0)->report) ||
	    s.p[0] == '.')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];
		char t = i < s.n - TAIL ? 'x' : tail[i - (s.n - TAIL)];
		bool digit = c >= '0' && c <= '9';

		if (t == '0' ? !digit : t != 'x' ? c != (uint8_t)t :
		    !(digit || (c >= 'a' && c <= 'z') ||
		      (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
		      c == '.'))
			return false;
	}
	return true;
}
