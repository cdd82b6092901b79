/* action.c - Shell. Actions: POST with the token of this program. */
#include "web/action.h"
#include "base/clk.h"
#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"
#include "web/jsn.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define WRONG_MAX 10     /* answers to wrong tokens a second, then 429 */
#define TEXT_MAX 160     /* of what a request says, in the log [bytes] */

struct route {
	struct actions *all;
	const char *name, *path;
	bool get;
	action_h *h;
	void *arg;
};

struct actions {
	struct http_srv *srv;
	char path[512];                  /* of the token                    */
	char token[ACTION_TOKEN];
	struct route route[ACTION_ROUTES];
	size_t routes;
	struct log_limit wrong;
	struct stats *st;
	/* figures */
	uint64_t done, refused, unauthorized;
};

/* --- the token --- */

static bool is_token(struct sl s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!strchr("0123456789abcdef", s.p[i]) || !s.p[i])
			return false;
	}
	return s.n == ACTION_TOKEN;
}

static int token_read(struct actions *a)
{
	struct buf b;
	struct sl t;
	int err = file_read(&b, a->path, 256);

	if (err)
		return err;
	t = sl_trim(buf_as_sl(&b));
	if (is_token(t))
		memcpy(a->token, t.p, ACTION_TOKEN);
	else
		err = EBADMSG;
	buf_free(&b);
	if (!err && file_is_open(a->path))
		log_warn("event=token file=%s problem=\"others may read it: "
			 "chmod 600\"", a->path);
	return err;
}

static int token_make(struct actions *a)
{
	uint8_t raw[ACTION_TOKEN / 2];
	char mem[ACTION_TOKEN + 2];
	struct buf b;
	int err;

	secret_random(raw, sizeof(raw));
	buf_fixed(&b, mem, sizeof(mem));
	buf_hex(&b, raw, sizeof(raw));
	buf_chr(&b, '\n');
	err = file_write(a->path, buf_as_sl(&b));
	if (err)
		return err;
	memcpy(a->token, mem, ACTION_TOKEN);
	log_info("event=token_made file=%s", a->path);
	return 0;
}

static void token_problem(const struct actions *a, int err)
{
	log_error("event=token file=%s problem=\"%s\" hint=\"%s\"", a->path,
		  err == EBADMSG ? "is no token" : strerror(err),
		  err == EBADMSG ? "64 hex digits; remove it to get a new one"
		  : "state_dir must be a folder that is ours");
}

/** "Bearer TOKEN" (RFC 6750 2.1) */
static bool authorized(const struct actions *a, struct sl auth)
{
	struct sl t = sl_trim(sl_sub(auth, 7, auth.n));

	return sl_istarts(auth, SL("Bearer ")) && t.n == ACTION_TOKEN &&
		secret_equal(t.p, a->token, ACTION_TOKEN);
}

/* --- a request --- */

const char *action_unknown(const struct action *a, const char *const *known,
			   size_t n)
{
	const char *key;
	json_t *v;

	json_object_foreach(a->in, key, v) {
		size_t i = 0;

		while (i < n && strcmp(key, known[i]) != 0)
			i++;
		if (i == n)
			return key;
	}
	return NULL;
}

const char *action_str(const struct action *a, const char *key)
{
	return json_string_value(json_object_get(a->in, key));
}

unsigned action_fail(struct action *a, unsigned status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(a->error, sizeof(a->error), fmt, ap);
	va_end(ap);
	return status;
}

static struct sl cut(struct sl s)
{
	return sl_sub(s, 0, TEXT_MAX);
}

static void tell(const struct route *r, const struct http_call *c,
		 const struct action *a, const char *result)
{
	const char *why = a->in ? action_str(a, "why") : NULL;
	char peer[ADDR_TXT];

	log_info("event=admin action=%s what=%s who=%s peer=%s why=%s "
		 "result=%s", r->name, log_esc(cut(a->path)),
		 log_esc(sl_cstr(a->who)), addr_txt(&c->peer, peer),
		 log_esc(cut(sl_cstr(why ? why : ""))),
		 log_esc(sl_cstr(result)));
}

static void refuse(struct route *r, struct http_call *c, struct action *a,
		   unsigned status)
{
	r->all->refused++;
	tell(r, c, a, a->error);
	jsn_error(c, status, a->error);
}

static void turn_away(struct route *r, struct http_call *c,
		      const struct action *a)
{
	struct actions *all = r->all;
	unsigned status = c->auth.n ? 403 : 401;

	all->unauthorized++;
	if (log_allow(&all->wrong, WRONG_MAX, clk_now()))
		tell(r, c, a, c->auth.n ? "wrong token" : "no token");
	else
		status = 429;
	jsn_error(c, status, status == 401 ? "a token is needed: "
		  "Authorization: Bearer, from admin.token in state_dir" :
		  status == 403 ? "this is not the token" :
		  "too many wrong tokens");
}

/** UTF-8, or at least ASCII: the cut may have left half a character */
static void make_text(char *s)
{
	json_t *t = json_string(s);

	for (; !t && *s; s++)
		*s = (uint8_t)*s < 0x80 ? *s : '?';
	json_decref(t);
}

/** The header's, else the body's */
static void who_is_it(struct action *a, const struct http_call *c, char *to)
{
	const char *s = a->in ? action_str(a, "who") : NULL;
	struct sl w = c->who.n ? c->who : sl_cstr(s ? s : "");

	w = sl_sub(w, 0, ACTION_WHO);
	if (w.n)
		memcpy(to, w.p, w.n);
	to[w.n] = '\0';
	make_text(to);
	a->who = to;
}

/** "application/json", parameters may follow */
static bool is_json(struct sl type)
{
	return sl_ieq(sl_trim(sl_sub(type, 0, sl_chr(type, ';'))),
		      SL("application/json"));
}

static unsigned body(struct action *a, const struct http_call *c)
{
	json_error_t e;

	/* no form of a foreign page can send this type without being asked
	 * first, whatever its browser makes of Origin */
	if (!is_json(c->type))
		return action_fail(a, 415, "Content-Type: application/json "
				   "is needed");
	a->in = json_loadb(c->body.p ? c->body.p : "", c->body.n,
			   JSON_REJECT_DUPLICATES, &e);
	if (!a->in)
		return action_fail(a, 400, "no JSON: %s", e.text);
	if (!json_is_object(a->in))
		return action_fail(a, 400, "an object is needed");
	return 0;
}

static void called(struct http_call *c, void *arg)
{
	struct route *r = arg;
	char who[ACTION_WHO + 1];
	struct action a = {
		.path = r->get ? c->query :
			sl_sub(c->path, strlen(r->path), c->path.n),
		.call = c,
	};
	unsigned status;

	who_is_it(&a, c, who);
	if (!authorized(r->all, c->auth)) {
		turn_away(r, c, &a);
		return;
	}
	status = r->get ? 0 : body(&a, c);
	if (!status) {
		who_is_it(&a, c, who);
		a.out = json_object();
		status = r->h(&a, r->arg);
	}
	if (status >= 200 && status < 300) {
		r->all->done++;
		tell(r, c, &a, "done");
		jsn_reply(c, status, json_incref(a.out));
	}
	else {
		refuse(r, c, &a, status);
	}
	json_decref(a.in);
	json_decref(a.out);
}

/* --- around it --- */

static int figures(struct actions *a)
{
	static const char help[] = "POST actions by what became of them.";
	const struct {
		const char *labels;
		const uint64_t *val;
	} v[] = {
		{ "result=\"done\"", &a->done },
		{ "result=\"refused\"", &a->refused },
		{ "result=\"unauthorized\"", &a->unauthorized },
	};
	int err = 0;

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]) && !err; i++)
		err = stat_add(a->st, STAT_COUNTER, "http_actions_total",
			       v[i].labels, help, v[i].val, a);
	return err;
}

int actions_alloc(struct actions **ap, struct http_srv *srv,
		  const char *state_dir, struct stats *st)
{
	struct actions *a = calloc(1, sizeof(*a));
	int err;

	if (!a)
		return ENOMEM;
	a->srv = srv;
	a->st = st;
	if (snprintf(a->path, sizeof(a->path), "%s/admin.token", state_dir) >=
	    (int)sizeof(a->path)) {
		free(a);
		return ENAMETOOLONG;
	}
	err = token_read(a);
	if (err == ENOENT)
		err = token_make(a);
	if (err)
		token_problem(a, err);
	else if (st)
		err = figures(a);
	if (err) {
		actions_free(a);
		return err;
	}
	*ap = a;
	return 0;
}

void actions_free(struct actions *a)
{
	if (!a)
		return;
	if (a->st)
		stat_del_owner(a->st, a);
	explicit_bzero(a->token, sizeof(a->token));
	free(a);
}

int actions_reload(struct actions *a)
{
	int err = token_read(a);

	if (err == ENOENT)
		err = token_make(a);
	if (err)
		token_problem(a, err);
	return err;
}

static int add_route(struct actions *a, const struct route *new)
{
	struct route *r = &a->route[a->routes];
	int err;

	if (a->routes >= ACTION_ROUTES)
		return ENOSPC;
	*r = *new;
	err = http_srv_route(a->srv, r->get ? "GET" : "POST", r->path, called,
			     r);
	if (!err)
		a->routes++;
	return err;
}

int action_route(struct actions *a, const char *name, const char *path,
		 action_h *h, void *arg)
{
	const struct route r = { a, name, path, false, h, arg };

	return add_route(a, &r);
}

int action_get_route(struct actions *a, const char *name, const char *path,
		     action_h *h, void *arg)
{
	const struct route r = { a, name, path, true, h, arg };

	return add_route(a, &r);
}
