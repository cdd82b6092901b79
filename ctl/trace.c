/* trace.c - Shell. `edgewise trace`: the messages of a call or of a user. */
#include "ctl/ctl.h"
#include "ctl/get.h"
#include "ctl/ladder.h"
#include "ctl/post.h"
#include "ctl/weave.h"
#include <curl/curl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
	"usage: edgewise trace [--json|--raw] [--limit N] [...] CALL-ID|AOR\n"
	"  --json             what the program answers\n"
	"  --raw              the texts, without credentials, not the ladder\n"
	"  --limit N          of the newest messages, default 200, at most "
	"1000\n"
	"  -t SECONDS         for the answer, default 5\n"
	POST_USAGE
	"-u and -c again: of further programs, as the nodes, all in one ladder\n"
	"by time. --token-file belongs to the -u or -c before it.\n"
	"AOR: user@domain or sip:user@domain. What is no Call-ID is one.\n"
	"exit: 0 shown, 1 nothing of it is kept, 2 none reached, no token\n";

enum { PAGE = 200 };        /* most messages of one answer */

/** A program that is asked */
struct source {
	struct post post;
	char url[POST_URL], token[POST_TOKEN];
};

struct run {
	struct source v[WEAVE_MAX];
	uint32_t n, timeout, limit;
	bool json, raw;
};

static json_t *ask_page(const struct run *r, const struct source *s,
			const char *key, const char *what, uint32_t limit,
			json_int_t before)
{
	static const char hex[] = "0123456789ABCDEF";
	char path[1800];
	json_t *o = NULL;
	struct buf b;

	buf_fixed(&b, path, sizeof(path) - 1);
	buf_printf(&b, "/api/v1/trace?limit=%u&", (unsigned)limit);
	if (before > 0)
		buf_printf(&b, "before=%lld&", (long long)before);
	buf_printf(&b, "%s=", key);
	for (; *what; what++) {
		buf_chr(&b, '%');
		buf_chr(&b, hex[(uint8_t)*what >> 4]);
		buf_chr(&b, hex[*what & 15]);
	}
	if (b.err) {
		fprintf(stderr, "edgewise: that is too long\n");
		return NULL;
	}
	path[b.n] = '\0';
	buf_init(&b, GET_MAX);
	if (!get_secret(&b, s->url, path, (long)r->timeout, s->token)) {
		o = json_loadb((const char *)b.p, b.n, 0, NULL);
		if (!json_is_array(json_object_get(o, "entries"))) {
			fprintf(stderr, "edgewise: the answer is no trace\n");
			json_decref(o);
			o = NULL;
		}
	}
	buf_free(&b);
	return o;
}

static bool is_msg(const json_t *e)
{
	const char *type = json_string_value(json_object_get(e, "type"));

	return type && !strcmp(type, "message");
}

/** The newest `limit` of older entries, then those of *all. @return how many
 *  messages were taken */
static uint32_t put_before(json_t **all, json_t *older, uint32_t limit)
{
	size_t i = json_array_size(older);
	uint32_t n = 0;
	json_t *a = json_array();

	while (i && n < limit)
		n += is_msg(json_array_get(older, --i));
	for (; i < json_array_size(older); i++)
		(void)json_array_append(a, json_array_get(older, i));
	(void)json_array_extend(a, *all);
	json_decref(*all);
	*all = a;
	return n;
}

/** Page by page: a program looks at a piece at a time, so that no call waits */
static json_t *ask(const struct run *r, const struct source *s,
		   const char *key, const char *what)
{
	json_t *all = json_array(), *o = NULL;
	json_int_t next = 0, was;
	uint32_t n = 0;

	do {
		json_t *page = ask_page(r, s, key, what,
					r->limit - n < PAGE ? r->limit - n :
					PAGE, next);

		if (!page) {
			json_decref(all);
			json_decref(o);
			return NULL;
		}
		json_decref(o);
		o = page;
		n += put_before(&all, json_object_get(o, "entries"),
				r->limit - n);
		was = next;
		next = json_integer_value(json_object_get(o, "next"));
		if (was && next >= was)
			next = 0;
	} while (next > 0 && n < r->limit);
	json_object_set_new(o, "entries", all);
	return o;
}

/** What those that are reached keep. @return how many entries */
static size_t ask_all(const struct run *r, const char *key, const char *what,
		      json_t *got[WEAVE_MAX])
{
	size_t n = 0;

	for (uint32_t i = 0; i < r->n; i++) {
		json_decref(got[i]);
		got[i] = ask(r, &r->v[i], key, what);
		n += json_array_size(json_object_get(got[i], "entries"));
		if (json_integer_value(json_object_get(got[i], "next")) > 0)
			fprintf(stderr, "edgewise: %s: these are the newest "
				"%u messages, see --limit\n", r->v[i].url,
				(unsigned)r->limit);
	}
	return n;
}

/** A Call-ID may look like an AoR: it is asked for first */
static void find(const struct run *r, const char *what,
		 json_t *got[WEAVE_MAX])
{
	bool uri = sl_istarts(sl_cstr(what), SL("sip:")) ||
		sl_istarts(sl_cstr(what), SL("sips:"));

	if (!ask_all(r, uri ? "aor" : "call-id", what, got) && !uri &&
	    strchr(what, '@'))
		(void)ask_all(r, "aor", what, got);
}

static int show(const struct run *r, const json_t *o, const json_t *list)
{
	const char *self = json_string_value(json_object_get(o, "name"));
	struct buf b;
	int rc;

	buf_init(&b, GET_MAX);
	rc = r->raw ? ladder_raw(&b, list) : ladder(&b, list, self ? self :
						    "edge");
	if (r->json) {
		json_dumpf(o, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		fwrite(b.p, 1, b.n, stdout);
	}
	buf_free(&b);
	if (rc != CTL_OK)
		fprintf(stderr, "edgewise: nothing of that is kept\n");
	return rc;
}

/** {"sources": [...], "entries": [...]} */
static json_t *whole(const struct weave_src *v, uint32_t n, json_t *list)
{
	json_t *o = json_object(), *a = json_array();

	for (uint32_t i = 0; i < n; i++) {
		json_t *s = json_object();

		json_object_set_new(s, "name", json_string(v[i].name));
		json_object_set_new(s, "ahead_us", json_integer(v[i].ahead));
		json_array_append_new(a, s);
		if (v[i].ahead)
			fprintf(stderr, "edgewise: the clock of %s is %.1f ms "
				"%s; its times are set right\n", v[i].name,
				(double)llabs(v[i].ahead) / 1000,
				v[i].ahead > 0 ? "ahead" : "behind");
	}
	json_object_set_new(o, "sources", a);
	json_object_set_new(o, "entries", list);
	return o;
}

static int show_all(const struct run *r, json_t *const got[WEAVE_MAX])
{
	struct weave_src v[WEAVE_MAX];
	uint32_t n = 0;
	json_t *o, *list;
	int rc;

	for (uint32_t i = 0; i < r->n; i++)
		if (got[i])
			v[n++].answer = got[i];
	if (!n)
		return CTL_FAIL;
	if (r->n == 1)
		return show(r, v[0].answer, json_object_get(v[0].answer,
							    "entries"));
	list = weave(v, n);
	if (!list)
		return CTL_FAIL;
	o = whole(v, n, list);
	rc = show(r, o, list);
	json_decref(o);
	return rc;
}

static int run(struct run *r, const char *what)
{
	json_t *got[WEAVE_MAX] = { 0 };
	int rc;

	for (uint32_t i = 0; i < r->n; i++) {
		struct source *s = &r->v[i];

		if (post_url(&s->post, s->url, sizeof(s->url)) ||
		    post_token(&s->post, s->token, sizeof(s->token)))
			return CTL_FAIL;
	}
	curl_global_init(CURL_GLOBAL_DEFAULT);
	find(r, what, got);
	rc = show_all(r, got);
	for (uint32_t i = 0; i < r->n; i++) {
		explicit_bzero(r->v[i].token, sizeof(r->v[i].token));
		json_decref(got[i]);
	}
	curl_global_cleanup();
	return rc;
}

/** An option of a program. What the last one has already begins a further one:
 *  -c A -u B is one program, -c A -c B and -u A -u B are two */
static bool source_opt(struct run *r, int c, char *arg)
{
	struct post *p = &r->v[r->n - 1].post;
	bool has = c == 'u' ? p->url != NULL : c == 'c' ? p->config != NULL :
		c == 'T' && p->token_file;

	if (!has)
		return post_opt(p, c, arg);
	if (r->n == WEAVE_MAX) {
		fprintf(stderr, "edgewise: at most %d programs\n", WEAVE_MAX);
		return false;
	}
	return post_opt(&r->v[r->n++].post, c, arg);
}

static bool options(struct run *r, int argc, char **argv)
{
	static const struct option opts[] = {
		POST_OPTS,
		{ "timeout", required_argument, NULL, 't' },
		{ "limit", required_argument, NULL, 'l' },
		{ "json", no_argument, NULL, 'j' },
		{ "raw", no_argument, NULL, 'r' },
		{ NULL, 0, NULL, 0 }
	};
	bool good = true;
	int c;

	while ((c = getopt_long(argc, argv, "u:c:t:", opts, NULL)) != -1) {
		if (c == 't')
			good &= !sl_u32(sl_cstr(optarg), 3600, &r->timeout) &&
				r->timeout;
		else if (c == 'l')
			good &= !sl_u32(sl_cstr(optarg), 1000, &r->limit) &&
				r->limit;
		else if (c == 'j')
			r->json = true;
		else if (c == 'r')
			r->raw = true;
		else
			good &= source_opt(r, c, optarg);
	}
	return good && optind == argc - 1 && !(r->json && r->raw);
}

int ctl_trace(int argc, char **argv)
{
	struct run r = { .n = 1, .timeout = 5, .limit = 200 };

	if (argc > 1 && (!strcmp(argv[1], "--help") ||
			 !strcmp(argv[1], "-h"))) {
		fputs(usage, stdout);
		return CTL_OK;
	}
	if (!options(&r, argc, argv)) {
		fputs(usage, stderr);
		return CTL_FAIL;
	}
	return run(&r, argv[optind]);
}
