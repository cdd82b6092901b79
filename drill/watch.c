/* watch.c - Shell. Management HTTP, without waiting. */
#include "drill/watch.h"
#include "base/buf.h"
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { ANSWER_MAX = 4 << 20, TIMEOUT_MS = 1500 };

struct slot {
	CURL *c;
	struct curl_slist *head;
	char *body;
	struct buf in;
	watch_h *h;
	void *arg;
	bool busy;
};

struct watch {
	CURLM *m;
	struct slot slot[WATCH_SLOTS];
};

static size_t got(char *p, size_t size, size_t n, void *arg)
{
	struct buf *b = arg;

	buf_put(b, p, size * n);
	return b->err ? 0 : size * n;
}

int watch_alloc(struct watch **wp)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		return ENOMEM;
	if (curl_global_init(CURL_GLOBAL_DEFAULT)) {
		free(w);
		return ENOMEM;
	}
	w->m = curl_multi_init();
	for (int i = 0; i < WATCH_SLOTS; i++)
		buf_init(&w->slot[i].in, ANSWER_MAX);
	if (!w->m) {
		watch_free(w);
		return ENOMEM;
	}
	*wp = w;
	return 0;
}

static void over(struct watch *w, struct slot *s)
{
	if (s->c) {
		curl_multi_remove_handle(w->m, s->c);
		curl_easy_cleanup(s->c);
	}
	curl_slist_free_all(s->head);
	free(s->body);
	buf_reset(&s->in);
	s->c = NULL;
	s->head = NULL;
	s->body = NULL;
	s->busy = false;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	for (int i = 0; i < WATCH_SLOTS; i++) {
		over(w, &w->slot[i]);
		buf_free(&w->slot[i].in);
	}
	if (w->m)
		curl_multi_cleanup(w->m);
	curl_global_cleanup();
	free(w);
}

static int add_head(struct slot *s, const char *text)
{
	struct curl_slist *h = curl_slist_append(s->head, text);

	if (!h)
		return ENOMEM;
	s->head = h;
	return 0;
}

static int set_post(struct slot *s, const char *token)
{
	char line[200];
	int err = add_head(s, "Content-Type: application/json");

	(void)snprintf(line, sizeof(line), "Authorization: Bearer %s", token);
	if (!err)
		err = add_head(s, line);
	explicit_bzero(line, sizeof(line));
	if (!err)
		err = add_head(s, "X-Edgewise-Who: drill");
	curl_easy_setopt(s->c, CURLOPT_POSTFIELDS, s->body);
	return err;
}

static int begin(struct watch *w, struct slot *s, const char *url,
		 const char *token)
{
	int err = 0;

	s->c = curl_easy_init();
	if (!s->c)
		return ENOMEM;
	if (s->body)
		err = set_post(s, token ? token : "");
	curl_easy_setopt(s->c, CURLOPT_URL, url);
	curl_easy_setopt(s->c, CURLOPT_HTTPHEADER, s->head);
	curl_easy_setopt(s->c, CURLOPT_WRITEFUNCTION, got);
	curl_easy_setopt(s->c, CURLOPT_WRITEDATA, &s->in);
	curl_easy_setopt(s->c, CURLOPT_PRIVATE, s);
	curl_easy_setopt(s->c, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
	curl_easy_setopt(s->c, CURLOPT_NOSIGNAL, 1L);
	/* the environment's proxy is not for management addresses */
	curl_easy_setopt(s->c, CURLOPT_PROXY, "");
	if (!err && curl_multi_add_handle(w->m, s->c) != CURLM_OK)
		err = ENOMEM;
	return err;
}

int watch_ask(struct watch *w, const char *base, const char *path,
	      const char *token, json_t *body, watch_h *h, void *arg)
{
	char url[700];
	struct slot *s = NULL;
	int err;

	for (int i = 0; i < WATCH_SLOTS && !s; i++)
		if (!w->slot[i].busy)
			s = &w->slot[i];
	if (s && body)
		s->body = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	if (!s)
		return EBUSY;
	(void)snprintf(url, sizeof(url), "%s%s%s", strstr(base, "://") ? "" :
		       "http://", base, path);
	s->h = h;
	s->arg = arg;
	s->busy = true;
	err = begin(w, s, url, token);
	if (err)
		over(w, s);
	return err;
}

static void done(struct watch *w, struct slot *s, CURLcode rc)
{
	watch_h *h = s->h;
	void *arg = s->arg;
	json_t *o = NULL;
	long code = 0;

	if (rc == CURLE_OK) {
		curl_easy_getinfo(s->c, CURLINFO_RESPONSE_CODE, &code);
		o = json_loadb(s->in.p ? (const char *)s->in.p : "", s->in.n,
			       0, NULL);
	}
	over(w, s);                     /* h may ask again */
	h(o, code, arg);
	json_decref(o);
}

void watch_turn(struct watch *w)
{
	CURLMsg *m;
	int n;

	(void)curl_multi_perform(w->m, &n);
	while ((m = curl_multi_info_read(w->m, &n))) {
		CURLcode rc = m->data.result;
		char *p = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &p);
		done(w, (struct slot *)(void *)p, rc);
	}
}
