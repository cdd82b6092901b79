/* events.c - Shell. `edgewise events`: what happened to calls and nodes. */
#include "ctl/ctl.h"
#include "base/sl.h"
#include "ctl/evline.h"
#include "ctl/get.h"
#include "ctl/post.h"
#include <curl/curl.h>
#include <getopt.h>
#include <stdio.h>
#include <time.h>

#define POLL_MS 500            /* --follow asks again after that time   */
#define RETRY_MS 1000          /* and this long after it was not reached */

static const char usage[] =
	"usage: edgewise events [-u URL|-c FILE] [-t SECONDS] [--since ID] "
	"[--follow] [--json]\n"
	"  -c, --config FILE  settings of the program: its http counts\n"
	"  -u URL      address of an edge, default: of its settings\n"
	"  --since ID  events after that one, default 0: all it keeps\n"
	"  --follow    then those to come, until it is stopped\n"
	"  --json      each event as a JSON object on a line\n"
	"exit: 0 done, 2 not reached\n";

struct run {
	struct post post;
	char url[POST_URL];
	uint32_t timeout;      /* [s] */
	bool follow, json;
	json_int_t since;
	json_int_t started;    /* of the edge: ids begin anew with it */
	bool known;            /* started is */
};

enum page { PAGE_ALL, PAGE_MORE, PAGE_BAD };

static void nap(long ms)
{
	const struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	(void)nanosleep(&t, NULL);
}

static json_t *ask(const struct run *r)
{
	char path[64];
	json_t *o = NULL;
	struct buf b;

	(void)snprintf(path, sizeof(path), "/api/v1/events?since=%lld&limit="
		       "1000", (long long)r->since);
	buf_init(&b, GET_MAX);
	if (!get_url(&b, r->url, path, (long)r->timeout)) {
		o = json_loadb((const char *)b.p, b.n, 0, NULL);
		if (!json_is_array(json_object_get(o, "events"))) {
			fprintf(stderr, "edgewise: the answer is no list of "
				"events\n");
			json_decref(o);
			o = NULL;
		}
	}
	buf_free(&b);
	return o;
}

/** @return false: nobody takes it any more */
static bool print(const struct run *r, const json_t *list)
{
	const json_t *e;
	struct buf b;
	size_t i;

	buf_init(&b, GET_MAX);
	json_array_foreach(list, i, e) {
		if (r->json) {
			json_dumpf(e, stdout, JSON_COMPACT);
			putchar('\n');
			continue;
		}
		buf_reset(&b);
		evline(&b, e);
		fwrite(b.p, 1, b.n, stdout);
	}
	buf_free(&b);
	return !fflush(stdout) && !ferror(stdout);
}

/* Ids of before mean nothing to an edge that began anew: all of its events
 * are wanted. @return it did */
static bool anew(struct run *r, const json_t *o)
{
	json_int_t started = json_integer_value(
		json_object_get(o, "started_ms"));
	bool other = r->known && started != r->started;

	r->started = started;
	r->known = true;
	if (other) {
		fprintf(stderr, "edgewise: the edge was restarted\n");
		r->since = 0;
	}
	return other;
}

static enum page take(struct run *r, const json_t *o)
{
	const json_t *list = json_object_get(o, "events");
	json_int_t next = json_integer_value(json_object_get(o, "next"));
	json_int_t last = json_integer_value(json_object_get(o, "last"));
	json_int_t lost = json_integer_value(json_object_get(o, "dropped"));

	if (anew(r, o))
		return PAGE_MORE;
	/* 0 asks for what is kept: what went before was not asked for */
	if (lost > 0 && r->since)
		fprintf(stderr, "edgewise: %lld events were not kept\n",
			(long long)lost);
	if (!print(r, list))
		return PAGE_BAD;
	r->since = next > 0 ? next : 0;
	return json_array_size(list) && next < last ? PAGE_MORE : PAGE_ALL;
}

/* An edge that restarts is waited for; it is said once */
static void wait_for_edge(const struct run *r)
{
	do {
		nap(RETRY_MS);
	} while (!get_alive(r->url, (long)r->timeout));
}

static int run(struct run *r)
{
	for (;;) {
		json_t *o = ask(r);
		enum page p;

		if (!o) {
			if (!r->follow || !r->known)
				return CTL_FAIL;
			wait_for_edge(r);
			continue;
		}
		p = take(r, o);
		json_decref(o);
		if (p == PAGE_BAD) {
			perror("edgewise: standard output");
			return CTL_FAIL;
		}
		if (p == PAGE_ALL && !r->follow)
			return CTL_OK;
		if (p == PAGE_ALL)
			nap(POLL_MS);
	}
}

static void head(void)
{
	struct buf b;

	buf_init(&b, GET_MAX);
	evline_head(&b);
	fwrite(b.p, 1, b.n, stdout);
	buf_free(&b);
}

static bool options(struct run *r, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "url", required_argument, NULL, 'u' },
		{ "config", required_argument, NULL, 'c' },
		{ "timeout", required_argument, NULL, 't' },
		{ "since", required_argument, NULL, 's' },
		{ "follow", no_argument, NULL, 'f' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 }
	};
	bool good = true;
	uint64_t v = 0;
	int c;

	while ((c = getopt_long(argc, argv, "u:c:t:fj", opts, NULL)) != -1) {
		if (c == 'u' || c == 'c')
			(void)post_opt(&r->post, c, optarg);
		else if (c == 't')
			good &= !sl_u32(sl_cstr(optarg), 3600, &r->timeout) &&
				r->timeout;
		else if (c == 's')
			good &= !sl_u64(sl_cstr(optarg), INT64_MAX, &v);
		else if (c == 'f')
			r->follow = true;
		else if (c == 'j')
			r->json = true;
		else
			good = false;
	}
	r->since = (json_int_t)v;
	return good && optind == argc;
}

int ctl_events(int argc, char **argv)
{
	struct run r = { .timeout = 5 };
	int rc;

	if (argc > 1 && (!strcmp(argv[1], "--help") ||
			 !strcmp(argv[1], "-h"))) {
		fputs(usage, stdout);
		return CTL_OK;
	}
	if (!options(&r, argc, argv)) {
		fputs(usage, stderr);
		return CTL_FAIL;
	}
	if (post_where(&r.post, r.url, sizeof(r.url)))
		return CTL_FAIL;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	if (!r.json)
		head();
	rc = run(&r);
	curl_global_cleanup();
	return rc;
}
