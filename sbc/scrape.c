/* scrape.c - Shell. The nodes' own status, kept for the page. */
#include "sbc/scrape.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clk.h"
#include "web/curlm.h"

struct place {
	struct scrape *s;
	char name[64];
	struct addr http;
	struct curlm_req *req;       /* under way, or NULL                  */
	json_t *status;
	uint64_t at;
	char error[64];
	uint64_t unacked;            /* as it said last                     */
	uint64_t grown, grown_at;    /* of it lately                        */
};

struct scrape {
	struct curlm *m;
	struct place *v;
	uint32_t n;
	uint64_t began;              /* [ms] the last round; 0 = at once     */
	uint64_t done, failed;
};

static void forget(struct place *p)
{
	curlm_cancel(p->req);
	json_decref(p->status);
	p->req = NULL;
	p->status = NULL;
	p->at = 0;
	p->error[0] = '\0';
	p->unacked = p->grown = p->grown_at = 0;
}

void scrape_set(struct scrape *s, uint32_t i, const char *name,
		const struct addr *http)
{
	struct place *p;

	if (i >= s->n)
		return;
	p = &s->v[i];
	if (!strcmp(p->name, name) && addr_eq(&p->http, http))
		return;
	forget(p);
	(void)snprintf(p->name, sizeof(p->name), "%s", name);
	p->http = *http;
	/* one that is new is not unknown for longer than it must */
	if (http->af)
		s->began = 0;
}

static void failed(struct place *p, const char *why)
{
	p->s->failed++;
	(void)snprintf(p->error, sizeof(p->error), "%s", why);
}

/** Registrations without a second copy, since the answer before */
static void count_unacked(struct place *p, uint64_t now)
{
	const json_t *r = json_object_get(p->status, "registrar");
	json_int_t v = json_integer_value(json_object_get(r, "unacked"));
	uint64_t n = v > 0 ? (uint64_t)v : 0;

	if (p->at && n > p->unacked) {
		if (now - p->grown_at >= SCRAPE_LATELY)
			p->grown = 0;
		p->grown += n - p->unacked;
		p->grown_at = now;
	}
	p->unacked = n;
}

static void answered(int err, unsigned status, struct sl body, void *arg)
{
	struct place *p = arg;
	char txt[64];
	json_t *o;

	p->req = NULL;
	p->s->done++;
	if (err) {
		failed(p, err == EMSGSIZE ? "answer too long" :
		       err == EPROTO ? "no HTTP" : strerror(err));
		return;
	}
	if (status != 200) {
		(void)snprintf(txt, sizeof(txt), "HTTP status %u", status);
		failed(p, txt);
		return;
	}
	o = json_loadb(body.p ? body.p : "", body.n, JSON_REJECT_DUPLICATES,
		       NULL);
	if (!json_is_object(o)) {
		json_decref(o);
		failed(p, "no JSON object");
		return;
	}
	json_decref(p->status);
	p->status = o;
	p->error[0] = '\0';
	count_unacked(p, clk_now());
	p->at = clk_now();
}

bool scrape_turn(struct scrape *s, uint32_t every, uint64_t now)
{
	if (s->began && now < s->began + every)
		return false;
	s->began = now;
	for (uint32_t i = 0; i < s->n; i++) {
		struct place *p = &s->v[i];

		if (!p->http.af || p->req)
			continue;
		if (curlm_get(&p->req, s->m, &p->http, "/api/v1/status",
			      SCRAPE_PATIENCE, SCRAPE_BODY, answered, p))
			failed(p, "no memory");
	}
	return true;
}

void scrape_view(const struct scrape *s, uint32_t i, uint64_t now,
		 struct scrape_view *v)
{
	const struct place *p;

	memset(v, 0, sizeof(*v));
	v->error = "";
	if (i >= s->n)
		return;
	p = &s->v[i];
	v->asked = p->http.af != 0;
	v->status = p->status;
	v->at = p->at;
	v->error = p->error;
	v->unacked = p->grown_at && now - p->grown_at < SCRAPE_LATELY ?
		p->grown : 0;
}

const uint64_t *scrape_done(const struct scrape *s)
{
	return &s->done;
}

const uint64_t *scrape_failed(const struct scrape *s)
{
	return &s->failed;
}

int scrape_alloc(struct scrape **sp, uint32_t n)
{
	struct scrape *s = calloc(1, sizeof(*s));
	int err = ENOMEM;

	if (!s)
		return err;
	s->v = calloc(n, sizeof(*s->v));
	if (s->v)
		err = curlm_alloc(&s->m);
	if (err) {
		scrape_free(s);
		return err;
	}
	s->n = n;
	for (uint32_t i = 0; i < n; i++)
		s->v[i].s = s;
	*sp = s;
	return 0;
}

void scrape_free(struct scrape *s)
{
	if (!s)
		return;
	for (uint32_t i = 0; i < s->n; i++)
		forget(&s->v[i]);
	curlm_free(s->m);
	free(s->v);
	free(s);
}
