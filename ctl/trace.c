/* trace.c - Shell. `edgewise trace`: the messages of a call or of a user. */
#include "ctl/ctl.h"
#include "ctl/get.h"
#include "ctl/ladder.h"
#include "ctl/post.h"
#include <curl/curl.h>
#include <getopt.h>
#include <stdio.h>

static const char usage[] =
	"usage: edgewise trace [--json|--raw] [--limit N] [...] CALL-ID|AOR\n"
	"  --json             what the program answers\n"
	"  --raw              the texts, without credentials, not the ladder\n"
	"  --limit N          of the newest messages, default 200, at most "
	"1000\n"
	"  -t SECONDS         for the answer, default 5\n"
	POST_USAGE
	"AOR: user@domain or sip:user@domain. What is no Call-ID is one.\n"
	"exit: 0 shown, 1 nothing of it is kept, 2 not reached, no token\n";

enum { PAGE = 200 };        /* most messages of one answer */

struct run {
	struct post post;
	uint32_t timeout, limit;
	bool json, raw;
};

static json_t *ask_page(const struct run *r, const char *url, const char *token,
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
	if (!get_secret(&b, url, path, (long)r->timeout, token)) {
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
static json_t *ask(const struct run *r, const char *url, const char *token,
		   const char *key, const char *what)
{
	json_t *all = json_array(), *o = NULL;
	json_int_t next = 0, was;
	uint32_t n = 0;

	do {
		json_t *page = ask_page(r, url, token, key, what,
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

/** A Call-ID may look like an AoR: it is asked for first */
static json_t *find(const struct run *r, const char *url, const char *token,
		    const char *what)
{
	bool uri = sl_istarts(sl_cstr(what), SL("sip:")) ||
		sl_istarts(sl_cstr(what), SL("sips:"));
	json_t *o = ask(r, url, token, uri ? "aor" : "call-id", what);

	if (!o || uri || !strchr(what, '@') ||
	    json_array_size(json_object_get(o, "entries")))
		return o;
	json_decref(o);
	return ask(r, url, token, "aor", what);
}

static int show(const struct run *r, const json_t *o)
{
	const json_t *list = json_object_get(o, "entries");
	const char *self = json_string_value(json_object_get(o, "name"));
	struct buf b;
	int rc;

	if (json_integer_value(json_object_get(o, "next")) > 0)
		fprintf(stderr, "edgewise: these are the newest %u messages, "
			"see --limit\n", (unsigned)r->limit);
	buf_init(&b, GET_MAX);
	rc = r->raw ? ladder_raw(&b, list) : ladder(&b, list, self ? self : "edge");
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

static int run(const struct run *r, const char *what)
{
	char url[POST_URL], token[POST_TOKEN];
	int rc = CTL_FAIL;
	json_t *o;

	if (post_url(&r->post, url, sizeof(url)) ||
	    post_token(&r->post, token, sizeof(token)))
		return CTL_FAIL;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	o = find(r, url, token, what);
	explicit_bzero(token, sizeof(token));
	if (o)
		rc = show(r, o);
	json_decref(o);
	curl_global_cleanup();
	return rc;
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
			good &= post_opt(&r->post, c, optarg);
	}
	return good && optind == argc - 1 && !(r->json && r->raw);
}

int ctl_trace(int argc, char **argv)
{
	struct run r = { .timeout = 5, .limit = 200 };

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
