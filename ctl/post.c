/* post.c - Shell. An action of a running program, by its token. */
#include "ctl/post.h"
#include "base/file.h"
#include "ctl/ctl.h"
#include "ctl/get.h"
#include "node/config.h"
#include "sbc/config.h"
#include <curl/curl.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Where the shipped settings put things: [0] the edge, [1] a node */
static const struct shipped {
	const char *url, *config, *state;
} shipped[2] = {
	{ "http://127.0.0.1:8060", SYSCONFDIR "/edgewise/sbc.conf",
	  LOCALSTATEDIR "/lib/edgewise-sbc" },
	{ "http://127.0.0.1:8061", SYSCONFDIR "/edgewise/node.conf",
	  LOCALSTATEDIR "/lib/edgewise-node" },
};
#define ANSWER_MAX (1u << 20)            /* longest answer [bytes]       */
#define TOKEN_MAX 256
#define TIMEOUT 10L                      /* [s]                          */

struct target {
	char url[300];
	char dir[300];                   /* state_dir                    */
	char token[TOKEN_MAX + 1];
};

bool post_opt(struct post *p, int c, char *arg)
{
	switch (c) {
	case 'u': p->url = arg; return true;
	case 'T': p->token_file = arg; return true;
	case 'c': p->config = arg; return true;
	case 'W': p->who = arg; return true;
	default:  return false;
	}
}

/* --- where to, and the token --- */

static void set_target(struct target *t, const struct addr *http,
		       uint32_t port, const char *dir)
{
	struct addr a = *http;
	char txt[ADDR_TXT];

	a.port = (uint16_t)port;
	if (addr_is_any(&a))                /* it listens there, too */
		(void)addr_parse_ip(&a, a.af == 4 ? SL("127.0.0.1") :
				    SL("::1"));
	(void)snprintf(t->url, sizeof(t->url), "http://%s",
		       addr_txt(&a, txt));
	(void)snprintf(t->dir, sizeof(t->dir), "%s", dir);
}

static int target_of_sbc(struct target *t, const char *path,
			 struct cfg_errs *e)
{
	struct sbc_config *c = calloc(1, sizeof(*c));
	int err = c ? sbc_config_read(c, path, NULL, e) : ENOMEM;

	if (!err) {
		set_target(t, &c->http.address, c->http.port, c->state_dir);
		sbc_config_clear(c);
	}
	free(c);
	return err;
}

static int target_of_node(struct target *t, const char *path,
			  struct cfg_errs *e)
{
	struct node_config *c = calloc(1, sizeof(*c));
	int err = c ? node_config_read(c, path, NULL, e) : ENOMEM;

	if (!err) {
		set_target(t, &c->http.address, c->http.address.port,
			   c->state_dir);
		node_config_clear(c);
	}
	free(c);
	return err;
}

/** A settings file, of whichever program it is */
static int target_of_config(struct target *t, const char *path)
{
	const char *slash = strrchr(path, '/');
	static struct cfg_errs e;
	int err;

	if (access(path, R_OK)) {
		err = errno;
		fprintf(stderr, "edgewise: %s: %s\n", path, strerror(err));
		return err;
	}
	/* one without any setting is right for both: the name tells */
	e.n = 0;
	if (!strstr(slash ? slash : path, "node") &&
	    !target_of_sbc(t, path, &e))
		return 0;
	e.n = 0;
	err = target_of_node(t, path, &e);
	e.n = 0;
	if (err)
		err = target_of_sbc(t, path, &e);
	if (err)
		fprintf(stderr, "edgewise: %s: %s\n", path,
			e.n ? "is no right settings file, see `edgewise "
			"check`" : strerror(err));
	return err;
}

static int token_of_file(struct target *t, const char *path)
{
	struct buf b;
	struct sl s;
	int err = file_read(&b, path, TOKEN_MAX);

	if (err) {
		fprintf(stderr, "edgewise: the token, %s: %s%s\n", path,
			strerror(err), err == EACCES ? "; be root, or the user "
			"of the program" : err == ENOENT ? "; -c FILE names "
			"the settings of the program, --token-file the token; "
			"it is made at the first start" : "");
		return err;
	}
	s = sl_trim(buf_as_sl(&b));
	memcpy(t->token, s.p, s.n);
	t->token[s.n] = '\0';
	buf_free(&b);
	return 0;
}

static int get_token(struct target *t, const struct post *p)
{
	const char *env = getenv("EDGEWISE_TOKEN");
	char path[400];

	if (p->token_file)
		return token_of_file(t, p->token_file);
	if (env && !p->config) {
		(void)snprintf(t->token, sizeof(t->token), "%s", env);
		return 0;
	}
	(void)snprintf(path, sizeof(path), "%s/admin.token", t->dir);
	return token_of_file(t, path);
}

static int find_url(struct target *t, const struct post *p)
{
	const struct shipped *d = &shipped[p->node];
	int err = 0;

	memset(t, 0, sizeof(*t));
	(void)snprintf(t->url, sizeof(t->url), "%s", d->url);
	(void)snprintf(t->dir, sizeof(t->dir), "%s", d->state);
	if (p->config)
		err = target_of_config(t, p->config);
	else if (!p->token_file && !getenv("EDGEWISE_TOKEN") &&
		 !access(d->config, R_OK))
		err = target_of_config(t, d->config);
	if (!err && p->url)
		(void)snprintf(t->url, sizeof(t->url), "%s%s",
			       strstr(p->url, "://") ? "" : "http://",
			       p->url);
	return err;
}

static int find_target(struct target *t, const struct post *p)
{
	int err = find_url(t, p);

	return err ? err : get_token(t, p);
}

int post_url(const struct post *p, char *url, size_t size)
{
	struct target t;
	int err = find_url(&t, p);

	if (!err)
		(void)snprintf(url, size, "%s", t.url);
	return err;
}

int post_where(const struct post *p, char *url, size_t size)
{
	if (!p->url || p->config)
		return post_url(p, url, size);
	(void)snprintf(url, size, "%s", p->url);
	return 0;
}

int post_token(const struct post *p, char *token, size_t size)
{
	struct target t;
	int err = find_target(&t, p);

	if (!err)
		(void)snprintf(token, size, "%s", t.token);
	explicit_bzero(t.token, sizeof(t.token));
	return err;
}

/* --- the request --- */

static size_t got(char *p, size_t size, size_t n, void *arg)
{
	struct buf *b = arg;

	buf_put(b, p, size * n);
	return b->err ? 0 : size * n;
}

static const char *who_runs_us(void)
{
	const char *sudo = getenv("SUDO_USER");
	const struct passwd *pw = getpwuid(getuid());

	return sudo && *sudo ? sudo : pw ? pw->pw_name : "";
}

static struct curl_slist *headers(const struct target *t,
				  const struct post *p)
{
	const char *who = p->who ? p->who : who_runs_us();
	char line[TOKEN_MAX + 64];
	struct curl_slist *h, *more;

	h = curl_slist_append(NULL, "Content-Type: application/json");
	(void)snprintf(line, sizeof(line), "Authorization: Bearer %s",
		       t->token);
	more = curl_slist_append(h, line);
	explicit_bzero(line, sizeof(line));
	(void)snprintf(line, sizeof(line), "X-Edgewise-Who: %.64s", who);
	if (more && *who && !strpbrk(who, "\r\n"))
		more = curl_slist_append(h, line);
	if (more)
		return h;
	curl_slist_free_all(h);
	return NULL;
}

static CURLcode perform(const struct target *t, const struct post *p,
			const char *path, const char *text, struct buf *b,
			long *code)
{
	char url[700], why[CURL_ERROR_SIZE] = "";
	struct curl_slist *h = headers(t, p);
	CURL *c = curl_easy_init();
	CURLcode rc = CURLE_OUT_OF_MEMORY;

	(void)snprintf(url, sizeof(url), "%s%s", t->url, path);
	if (c && h) {
		curl_easy_setopt(c, CURLOPT_URL, url);
		curl_easy_setopt(c, CURLOPT_HTTPHEADER, h);
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, text);
		curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, got);
		curl_easy_setopt(c, CURLOPT_WRITEDATA, b);
		curl_easy_setopt(c, CURLOPT_ERRORBUFFER, why);
		curl_easy_setopt(c, CURLOPT_TIMEOUT, TIMEOUT);
		curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
		/* the environment's proxy is not for management addresses */
		curl_easy_setopt(c, CURLOPT_PROXY, "");
		rc = curl_easy_perform(c);
		curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, code);
	}
	if (rc != CURLE_OK)
		get_say_away(url, *why ? why : curl_easy_strerror(rc),
			     rc == CURLE_COULDNT_CONNECT);
	curl_easy_cleanup(c);
	curl_slist_free_all(h);
	return rc;
}

static int judge(const struct buf *b, long code, json_t **answer)
{
	json_t *o = json_loadb(b->p ? (const char *)b->p : "", b->n, 0, NULL);
	const char *why = json_string_value(json_object_get(o, "error"));

	if (code >= 200 && code < 300 && json_is_object(o)) {
		*answer = o;
		return CTL_OK;
	}
	/* 5xx: what it says may be that it was done */
	fprintf(stderr, "edgewise: %s%s (answer %ld)\n",
		code >= 500 ? "" : "refused: ", why ? why : "no reason given", code);
	json_decref(o);
	return code == 401 || code == 403 || code == 429 ? CTL_FAIL : CTL_BAD;
}

int post_send(const struct post *p, const char *path, json_t *body,
	      json_t **answer)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	struct target t;
	struct buf b;
	long code = 0;
	int rc = CTL_FAIL;

	json_decref(body);
	buf_init(&b, ANSWER_MAX);
	if (text && !find_target(&t, p)) {
		curl_global_init(CURL_GLOBAL_DEFAULT);
		if (perform(&t, p, path, text, &b, &code) == CURLE_OK)
			rc = judge(&b, code, answer);
		curl_global_cleanup();
		explicit_bzero(t.token, sizeof(t.token));
	}
	buf_free(&b);
	free(text);
	return rc;
}

int post_time(uint32_t *secs, const char *text, uint32_t max)
{
	static const struct { char unit; uint32_t secs; } units[] = {
		{ 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
	};
	struct sl s = sl_cstr(text);
	uint32_t mult = 1, n;

	for (size_t i = 0; s.n && i < 4; i++) {
		if (s.p[s.n - 1] == units[i].unit) {
			mult = units[i].secs;
			s.n--;
			break;
		}
	}
	if (sl_u32(s, max / mult, &n) || !n)
		return EINVAL;
	*secs = n * mult;
	return 0;
}
