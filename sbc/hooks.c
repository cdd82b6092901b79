/* hooks.c - Shell. Webhooks. */
#include "sbc/hooks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clk.h"
#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"
#include "sbc/hook.h"
#include "sbc/ledger.h"
#include "web/curlm.h"
#include "web/jsn.h"

enum {
	ANSWER_MAX = 64 * 1024,      /* [bytes] of an answer, thrown away   */
	CA_MAX = 4 << 20,            /* [bytes] of a ca_file                */
};

struct one {
	struct hooks *all;
	char name[32];
	struct sbc_hook cf;
	struct hook h;
	uint8_t key[HOOK_SECRET];
	size_t keyn;                 /* 0 = not signed                      */
	struct curlm_req *req;
	bool troubled;               /* the latest try failed               */
};

struct hooks {
	struct sbc *s;
	struct curlm *m;
	struct ntimer *timer;
	uint64_t seen;               /* last event taken                    */
	struct one *v[SBC_HOOKS];
	uint32_t n;
};

/* --- a try --- */

static void ended(int err, unsigned status, struct sl body, void *arg)
{
	struct one *o = arg;
	bool good = !err && status >= 200 && status < 300;
	uint64_t wait = !err && !good && o->req ? curlm_retry_after(o->req) :
		0;
	char why[64] = "";

	o->req = NULL;
	if (!err)
		(void)snprintf(why, sizeof(why), "HTTP status %u", status);
	if (good && o->troubled)
		log_info("event=webhook hook=%s result=\"delivered again\"",
			 o->name);
	/* no URL: some hold a secret */
	if (!good && !o->troubled)
		log_warn("event=webhook hook=%s problem=\"%s\" hint=\"tried "
			 "again until max_age\"", o->name,
			 err == EACCES ? "its certificate is not taken" :
			 err ? strerror(err) : why);
	o->troubled = !good;
	hook_done(&o->h, good, wait * 1000, clk_now());
	ntimer_at(o->all->timer, clk_now());
}

static void post(struct one *o)
{
	uint64_t seconds = clk_wall() / 1000;
	char id[HOOK_ID + 16], ts[48], sig[HOOK_SIG + 24], mac[HOOK_SIG];
	const char *head[] = {
		"Content-Type: application/json", "Expect:", id, ts,
		o->keyn ? sig : NULL, NULL,
	};
	const struct curlm_post p = {
		.url = o->cf.url, .body = buf_as_sl(&o->h.body),
		.header = head, .ca_file = o->cf.ca_file,
		.patience = o->cf.timeout, .max = ANSWER_MAX,
	};

	(void)snprintf(id, sizeof(id), "webhook-id: %s", o->h.id);
	(void)snprintf(ts, sizeof(ts), "webhook-timestamp: %llu",
		       (unsigned long long)seconds);
	if (o->keyn) {
		hook_sign(mac, o->key, o->keyn, o->h.id, seconds,
			  buf_as_sl(&o->h.body));
		(void)snprintf(sig, sizeof(sig), "webhook-signature: %s",
			       mac);
	}
	if (curlm_post(&o->req, o->all->m, &p, ended, o))
		ended(ENOMEM, 0, SL_NONE, o);
}

/** {"edge": ..., "dropped": n, "events": [...]} */
static void make_body(struct one *o, const struct event *const *v, uint32_t n,
		      uint64_t now)
{
	json_t *j = json_object(), *a = json_array();
	struct sbc *s = o->all->s;
	char *t;

	jsn_str(j, "edge", s->lst[0].sentby);
	jsn_u64(j, "started_ms", s->started_wall);
	jsn_u64(j, "dropped", hook_missed(&o->h));
	for (uint32_t i = 0; i < n; i++)
		(void)json_array_append_new(a, api_event_json(v[i]));
	jsn_put(j, "events", a);
	t = json_dumps(j, JSON_COMPACT);
	hook_body(&o->h, t ? sl_cstr(t) : SL_NONE, now);
	free(t);
	json_decref(j);
}

/* --- all of them --- */

static void turn(struct hooks *hs)
{
	const struct events *ev = &edge_ledger(hs->s->edge)->ev;
	const struct event *e, *v[HOOK_BATCH];
	uint64_t now = clk_now(), at = UINT64_MAX;

	while (hs->seen < ev->last && (e = events_after(ev, hs->seen))) {
		for (uint32_t i = 0; i < hs->n; i++)
			hook_event(&hs->v[i]->h, e, now);
		hs->seen = e->id;
	}
	for (uint32_t i = 0; i < hs->n; i++) {
		struct one *o = hs->v[i];
		uint32_t n = hook_take(&o->h, v, now);

		if (n)
			make_body(o, v, n, now);
		if (hook_poll(&o->h, now))
			post(o);
		if (hook_next(&o->h) < at)
			at = hook_next(&o->h);
	}
	ntimer_at(hs->timer, at);
}

void hooks_turn(struct hooks *hs)
{
	if (hs && edge_ledger(hs->s->edge)->ev.last != hs->seen)
		turn(hs);
}

static void timer(void *arg)
{
	turn(arg);
}

void hooks_hurry(struct hooks *hs)
{
	if (!hs)
		return;
	turn(hs);                  /* events of this moment go with it */
	for (uint32_t i = 0; i < hs->n; i++)
		hook_hurry(&hs->v[i]->h, clk_now());
	turn(hs);
}

bool hooks_busy(const struct hooks *hs)
{
	for (uint32_t i = 0; hs && i < hs->n; i++)
		if (hook_busy(&hs->v[i]->h))
			return true;
	return false;
}

/* --- settings --- */

static int read_key(const struct sbc_hook *h, uint8_t key[HOOK_SECRET],
		    size_t *np)
{
	struct buf b;
	int err;

	*np = 0;
	if (!h->secret_file[0])
		return 0;
	err = file_read(&b, h->secret_file, 2 * HOOK_SECRET);
	if (err)
		return err;
	err = hook_key(key, np, buf_as_sl(&b));
	buf_free(&b);
	return err;
}

/** Else it would show at the first event only. @return what is wrong */
static const char *look_ca(const char *path)
{
	static const struct sl begin = { "-----BEGIN ", 11 };
	struct buf b;
	int err;
	bool pem = false;

	if (!*path)
		return NULL;
	err = file_read(&b, path, CA_MAX);
	if (err)
		return strerror(err);
	for (size_t i = 0; i + begin.n <= b.n && !pem; i++)
		pem = !memcmp(b.p + i, begin.p, begin.n);
	buf_free(&b);
	return pem ? NULL : "holds no certificate";
}

int hooks_check(const struct sbc_config *c, const char *file,
		struct cfg_errs *errs)
{
	uint8_t key[HOOK_SECRET];
	uint32_t before = errs->n;
	size_t n;

	for (uint32_t i = 0; i < c->webhooks.n; i++) {
		const struct sbc_hook *h = sbc_config_hook(c, i);
		int err = read_key(h, key, &n);
		const char *ca = look_ca(h->ca_file);
		char at[40];

		(void)snprintf(at, sizeof(at), "webhooks[%u]", i);
		if (err)
			cfg_err(errs, file, 0, at, "secret_file %s: %s",
				h->secret_file, err == EBADMSG ?
				"holds no key" : strerror(err));
		else if (n && file_is_open(h->secret_file))
			log_warn("event=webhook problem=\"others may read "
				 "%s\" hint=\"chmod 600\"", h->secret_file);
		if (ca)
			cfg_err(errs, file, 0, at, "ca_file %s: %s",
				h->ca_file, ca);
	}
	return errs->n == before ? 0 : EBADMSG;
}

static int figures(struct one *o)
{
	const struct {
		enum stat_type type;
		const char *name, *result, *help;
		const uint64_t *v;
	} v[] = {
		{ STAT_COUNTER, "sbc_webhook_events_total", "delivered",
		  "Events of webhooks", &o->h.delivered },
		{ STAT_COUNTER, "sbc_webhook_events_total", "full",
		  "Events of webhooks", &o->h.full },
		{ STAT_COUNTER, "sbc_webhook_events_total", "old",
		  "Events of webhooks", &o->h.old },
		{ STAT_COUNTER, "sbc_webhook_posts_total", "ok",
		  "Tries to deliver to a webhook", &o->h.ok },
		{ STAT_COUNTER, "sbc_webhook_posts_total", "failed",
		  "Tries to deliver to a webhook", &o->h.failed },
		{ STAT_GAUGE, "sbc_webhook_waiting", NULL,
		  "Events not yet delivered to a webhook", &o->h.waiting },
	};
	char label[80];
	int err = 0;

	for (size_t i = 0; i < sizeof(v) / sizeof(*v) && !err; i++) {
		(void)snprintf(label, sizeof(label), v[i].result ?
			       "hook=\"%s\",result=\"%s\"" : "hook=\"%s\"",
			       o->name, v[i].result);
		err = stat_add(o->all->s->st, v[i].type, v[i].name, label,
			       v[i].help, v[i].v, o);
	}
	return err;
}

static void one_free(struct one *o)
{
	if (!o)
		return;
	if (o->h.waiting)
		log_warn("event=webhook hook=%s problem=\"%llu events not "
			 "delivered before the end\"", o->name,
			 (unsigned long long)o->h.waiting);
	curlm_cancel(o->req);
	stat_del_owner(o->all->s->st, o);
	hook_free(&o->h);
	free(o);
}

static struct one *taken_over(struct hooks *hs, const char *name,
			      const char *url)
{
	for (uint32_t i = 0; i < SBC_HOOKS; i++) {
		struct one *o = hs->v[i];

		if (o && !strcmp(o->name, name) && !strcmp(o->cf.url, url)) {
			hs->v[i] = NULL;
			return o;
		}
	}
	return NULL;
}

static int one_make(struct one **op, struct hooks *hs,
		    const struct sbc_hook *cf, const char *name)
{
	struct hook_conf hc = { .gap = cf->min_interval,
				.max_age = cf->max_age * 1000 };
	struct one *o = taken_over(hs, name, cf->url);
	struct sl bad;
	uint64_t seed;
	int err;

	(void)hook_want(&hc.want, sl_cstr(cf->events), &bad);
	if (!o) {
		o = calloc(1, sizeof(*o));
		if (!o)
			return ENOMEM;
		o->all = hs;
		(void)snprintf(o->name, sizeof(o->name), "%s", name);
		secret_random(&seed, sizeof(seed));
		err = hook_init(&o->h, &hc, seed);
		if (!err)
			err = figures(o);
		if (err) {
			one_free(o);
			return err;
		}
	}
	o->cf = *cf;
	o->h.cf = hc;
	err = read_key(cf, o->key, &o->keyn);
	if (err)
		one_free(o);
	else
		*op = o;
	return err;
}

static int begin(struct hooks **hp, struct sbc *s)
{
	struct hooks *hs = calloc(1, sizeof(*hs));
	int err;

	if (!hs)
		return ENOMEM;
	hs->s = s;
	hs->seen = edge_ledger(s->edge)->ev.last;
	err = curlm_alloc(&hs->m);
	if (!err)
		err = ntimer_alloc(&hs->timer, timer, hs);
	if (err)
		hooks_free(hs);
	else
		*hp = hs;
	return err;
}

int hooks_conf(struct hooks **hp, struct sbc *s, const struct sbc_config *c)
{
	struct one *v[SBC_HOOKS] = { 0 };
	struct hooks *hs = *hp;
	uint32_t n = 0;
	char txt[32];
	int err = 0;

	if (!c->webhooks.n) {
		hooks_free(hs);
		*hp = NULL;
		return 0;
	}
	if (!hs)
		err = begin(&hs, s);
	for (uint32_t i = 0; i < c->webhooks.n && !err; i++) {
		err = one_make(&v[n], hs, sbc_config_hook(c, i),
			       sbc_config_hook_name(c, i, txt));
		n += !err;
	}
	if (err)
		log_error("event=webhook problem=\"%s\" hint=\"see webhooks "
			  "in the settings\"", strerror(err));
	if (!hs)
		return err;
	for (uint32_t i = 0; i < SBC_HOOKS; i++)
		one_free(hs->v[i]);
	memcpy(hs->v, v, sizeof(v));
	hs->n = n;
	*hp = hs;
	ntimer_at(hs->timer, clk_now());
	return err;
}

void hooks_free(struct hooks *hs)
{
	if (!hs)
		return;
	for (uint32_t i = 0; i < SBC_HOOKS; i++)
		one_free(hs->v[i]);
	ntimer_free(hs->timer);
	curlm_free(hs->m);
	free(hs);
}
