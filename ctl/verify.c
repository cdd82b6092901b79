/* verify.c - Shell. `edgewise verify`: do all nodes hold the same? `edgewise db
 * verify`: does the database of a node hold what its memory does? */
#include "base/sl.h"
#include "ctl/ctl.h"
#include "ctl/get.h"
#include "ctl/post.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char nodes_usage[] =
	"usage: edgewise verify [-u URL] [-t SECONDS] [--json] [...]\n"
	POST_USAGE
	"  -t SECONDS         how long it may take, default 30\n"
	"The node asked compares itself with all others.\n"
	"exit: 0 all hold the same, 1 they differ or one was not reached, "
	"2 not asked\n";
static const char db_usage[] =
	"usage: edgewise db verify [-u URL] [-t SECONDS] [--json] [...]\n"
	POST_USAGE
	"  -t SECONDS         how long it may take, default 120\n"
	"The node writes what it has not yet, then compares all rows with its "
	"memory.\n"
	"exit: 0 equal, 1 they differ or the database is away, 2 not asked\n";

struct kind {
	const char *path, *usage;
	void (*show)(const json_t *o, uint64_t took);
	uint32_t timeout;                  /* [s] if none is given        */
};

struct run {
	const struct kind *kind;
	struct post post;
	char url[POST_URL];
	uint32_t timeout;
	bool json;
};

static uint64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void nap(long ms)
{
	const struct timespec t = { 0, ms * 1000000 };

	(void)nanosleep(&t, NULL);
}

static const char *str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static json_t *ask(const struct run *r)
{
	json_t *o = NULL;
	struct buf b;

	buf_init(&b, GET_MAX);
	if (!get_url(&b, r->url, r->kind->path, (long)r->timeout))
		o = json_loadb((const char *)b.p, b.n, 0, NULL);
	buf_free(&b);
	return o;
}

/* Until that run is over. @return the result or NULL: said why */
static json_t *wait_for(const struct run *r, json_int_t number)
{
	uint64_t from = now_ms();
	json_t *o;

	for (;;) {
		o = ask(r);
		if (!o)
			return NULL;
		if (json_integer_value(json_object_get(o, "run")) != number) {
			fprintf(stderr, "edgewise: somebody else began "
				"another one\n");
			break;
		}
		if (!strcmp(str(o, "state"), "done"))
			return o;
		if (now_ms() - from > r->timeout * 1000ull) {
			fprintf(stderr, "edgewise: not done in %u s\n",
				(unsigned)r->timeout);
			break;
		}
		json_decref(o);
		nap(now_ms() - from < 200 ? 10 : 100);
	}
	json_decref(o);
	return NULL;
}

static void show(const json_t *o, uint64_t took)
{
	const json_t *list = json_object_get(o, "members"), *x;
	json_int_t more = json_integer_value(json_object_get(o, "more"));
	size_t i;

	printf("%-20s  %-12s  %s\n", "MEMBER", "VERDICT", "CONTACTS");
	json_array_foreach(list, i, x)
		printf("%-20s  %-12s  %lld\n", *str(x, "name") ?
		       str(x, "name") : str(x, "address"), str(x, "verdict"),
		       (long long)json_integer_value(
				json_object_get(x, "contacts")));
	list = json_object_get(o, "differences");
	if (json_array_size(list))
		printf("\n%-20s  %-14s  %s\n", "MEMBER", "WHAT",
		       "AOR AND BINDING");
	json_array_foreach(list, i, x)
		printf("%-20s  %-14s  %s  %s\n", str(x, "member"),
		       str(x, "what"), str(x, "aor"), str(x, "binding"));
	if (more)
		printf("and %lld more\n", (long long)more);
	printf("%s, in %llu ms\n", json_is_true(json_object_get(o, "equal")) ?
	       "all nodes hold the same" :
	       json_array_size(list) ? "they differ" : "not proved",
	       (unsigned long long)took);
}

static unsigned long long num(const json_t *o, const char *key)
{
	return (unsigned long long)json_integer_value(json_object_get(o, key));
}

static void show_db(const json_t *o, uint64_t took)
{
	const json_t *list = json_object_get(o, "differences"), *x;
	size_t i;

	if (json_array_size(list))
		printf("%-16s  %s\n", "WHAT", "AOR AND BINDING");
	json_array_foreach(list, i, x)
		printf("%-16s  %s  %s\n", str(x, "what"), str(x, "aor"),
		       str(x, "binding"));
	if (num(o, "more"))
		printf("and %llu more\n", num(o, "more"));
	if (*str(o, "error"))
		printf("%s: not proved: %s\n", str(o, "name"),
		       str(o, "error"));
	else
		printf("%s: %s: %llu rows, %llu records, %llu changed "
		       "meanwhile, in %llu ms\n", str(o, "name"),
		       json_is_true(json_object_get(o, "equal")) ? "equal" :
		       "they differ", num(o, "rows"), num(o, "records"),
		       num(o, "changing"), (unsigned long long)took);
}

static bool options(struct run *r, int argc, char **argv)
{
	static const struct option opts[] = {
		POST_OPTS,
		{ "timeout", required_argument, NULL, 't' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 }
	};
	bool good = true;
	int c;

	while ((c = getopt_long(argc, argv, "u:c:t:j", opts, NULL)) != -1) {
		if (c == 't')
			good &= !sl_u32(sl_cstr(optarg), 3600, &r->timeout) &&
				r->timeout;
		else if (c == 'j')
			r->json = true;
		else
			good &= post_opt(&r->post, c, optarg);
	}
	return good && optind == argc;
}

static int run(struct run *r)
{
	uint64_t from = now_ms();
	json_t *answer = NULL, *o;
	int rc;

	if (post_url(&r->post, r->url, sizeof(r->url)) ||
	    post_send(&r->post, r->kind->path, json_object(), &answer) != CTL_OK)
		return CTL_FAIL;
	o = wait_for(r, json_integer_value(json_object_get(answer, "run")));
	json_decref(answer);
	if (!o)
		return CTL_FAIL;
	if (r->json) {
		json_dumpf(o, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		r->kind->show(o, now_ms() - from);
	}
	rc = json_is_true(json_object_get(o, "equal")) ? CTL_OK : CTL_BAD;
	json_decref(o);
	return rc;
}

static int verify(const struct kind *k, int argc, char **argv)
{
	struct run r = { .kind = k, .post = { .node = true },
		.timeout = k->timeout };

	if (argc > 1 && (!strcmp(argv[1], "--help") ||
			 !strcmp(argv[1], "-h"))) {
		fputs(k->usage, stdout);
		return CTL_OK;
	}
	if (!options(&r, argc, argv)) {
		fputs(k->usage, stderr);
		return CTL_FAIL;
	}
	return run(&r);
}

int ctl_verify(int argc, char **argv)
{
	static const struct kind k = { "/api/v1/verify", nodes_usage, show,
				       30 };

	return verify(&k, argc, argv);
}

int ctl_db_verify(int argc, char **argv)
{
	static const struct kind k = { "/api/v1/db/verify", db_usage,
				       show_db, 120 };

	return verify(&k, argc, argv);
}
