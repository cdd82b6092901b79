/* status.c - Shell. `edgewise status`: ask a running program. */
#include "ctl/ctl.h"
#include "ctl/get.h"
#include "ctl/post.h"
#include "ctl/view.h"
#include <curl/curl.h>
#include <getopt.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define CLEAR "\033[H\033[J"        /* home, and nothing below */

static const char usage[] =
	"usage: edgewise status [-u URL|-c FILE] [-t SECONDS] [--json] "
	"[--watch [SECONDS]]\n"
	"  -c, --config FILE  settings of the program: its http counts\n"
	"  -u  address of an edge or a node, default: of its settings\n"
	"  --watch  again and again, every 2 s by default, until it is "
	"stopped\n"
	"exit: 0 all well, 1 degraded, 2 not reached\n";

struct run {
	struct post post;
	char url[POST_URL];
	uint32_t timeout;      /* [s] */
	uint32_t every;        /* [s]; 0 = once */
	bool json, help;
};

/* What the page says in a word; an older edge says nothing */
static void put_word(struct buf *out, const struct run *r)
{
	struct buf b;
	json_t *o;

	buf_init(&b, GET_MAX);
	if (!get_url(&b, r->url, "/api/v1/dashboard", (long)r->timeout)) {
		o = json_loadb((const char *)b.p, b.n, 0, NULL);
		view_verdict(out, o);
		json_decref(o);
	}
	buf_free(&b);
}

static int show(const struct run *r, const struct buf *answer)
{
	json_error_t e;
	json_t *o = json_loadb((const char *)answer->p, answer->n, 0, &e);
	struct buf b;
	int rc = CTL_FAIL;

	buf_init(&b, GET_MAX);
	if (json_object_get(o, "pool") && !r->json)
		put_word(&b, r);
	if (o)
		rc = view_status(&b, o);
	if (rc == CTL_FAIL)
		fprintf(stderr, "edgewise: the answer is no status\n");
	else if (r->json)
		/* of many, each is a line */
		json_dumpf(o, stdout, r->every ? JSON_COMPACT :
			   JSON_INDENT(2));
	else
		fwrite(b.p, 1, b.n, stdout);
	if (rc != CTL_FAIL && r->json)
		putchar('\n');
	json_decref(o);
	buf_free(&b);
	return rc;
}

static int once(const struct run *r)
{
	struct buf b;
	int rc;

	buf_init(&b, GET_MAX);
	rc = get_url(&b, r->url, "/api/v1/status", (long)r->timeout) ?
		CTL_FAIL : show(r, &b);
	buf_free(&b);
	return rc;
}

/** When it was asked: figures that stand still are told from a hung screen */
static void put_head(const struct run *r, bool screen)
{
	time_t now = time(NULL);
	struct tm tm;
	char t[32] = "";

	if (gmtime_r(&now, &tm))
		(void)strftime(t, sizeof(t), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (screen)
		fputs(CLEAR, stdout);
	printf("%s %s\n", t, r->url);
	/* what goes wrong is said on another stream, below this line */
	(void)fflush(stdout);
}

/** Until the user has seen enough, or nobody takes it any more */
static int watch(const struct run *r)
{
	const struct timespec gap = { (time_t)r->every, 0 };
	bool screen = !r->json && isatty(STDOUT_FILENO);

	for (;;) {
		if (!r->json)
			put_head(r, screen);
		(void)once(r);
		if (!r->json && !screen)
			putchar('\n');
		if (fflush(stdout) || ferror(stdout)) {
			perror("edgewise: standard output");
			return CTL_FAIL;
		}
		(void)nanosleep(&gap, NULL);
	}
}

static bool seconds(const char *s, uint32_t *v)
{
	return s && !sl_u32(sl_cstr(s), 3600, v) && *v;
}

static bool options(struct run *r, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "url", required_argument, NULL, 'u' },
		{ "config", required_argument, NULL, 'c' },
		{ "timeout", required_argument, NULL, 't' },
		{ "json", no_argument, NULL, 'j' },
		{ "watch", optional_argument, NULL, 'w' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	bool good = true;
	int c;

	while ((c = getopt_long(argc, argv, "u:c:t:jh", opts, NULL)) != -1) {
		if (c == 'u' || c == 'c') {
			(void)post_opt(&r->post, c, optarg);
		} else if (c == 't') {
			good &= seconds(optarg, &r->timeout);
		} else if (c == 'j') {
			r->json = true;
		} else if (c == 'h') {
			r->help = true;
		} else if (c == 'w') {
			r->every = 2;
			/* getopt takes --watch=5 alone for an argument */
			if (!optarg && optind < argc && *argv[optind] != '-')
				optarg = argv[optind++];
			good &= !optarg || seconds(optarg, &r->every);
		} else {
			good = false;
		}
	}
	return good && optind == argc;
}

int ctl_status(int argc, char **argv)
{
	struct run r = { .timeout = 5 };
	int rc;
	bool good = options(&r, argc, argv);

	if (!good || r.help) {
		fputs(usage, good ? stdout : stderr);
		return good ? CTL_OK : CTL_FAIL;
	}
	if (post_where(&r.post, r.url, sizeof(r.url)))
		return CTL_FAIL;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	rc = r.every ? watch(&r) : once(&r);
	curl_global_cleanup();
	return rc;
}
