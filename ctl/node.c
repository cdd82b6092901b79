/* node.c - Shell. `edgewise node`: members of the cluster come and go. */
#include "base/sl.h"
#include "ctl/ctl.h"
#include "ctl/get.h"
#include "ctl/post.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char usage[] =
	"usage: edgewise node leave  [--wait] [-t SECONDS] [--force] [...]\n"
	"       edgewise node remove NAME|ID [--force] [...]\n"
	"       edgewise node admit  NAME|ID [...]\n"
	"  leave   the node asked leaves its cluster and ends\n"
	"  remove  take a dead member out of the cluster, at any other one\n"
	"  admit   take it in again\n"
	POST_USAGE
	"  --why TEXT         for the log\n"
	"  --wait             until the node has ended\n"
	"  -t SECONDS         leave: for calls being set up, default 30\n"
	"  --force            leave as the last one; remove a living one\n"
	"exit: 0 done, 1 refused, 2 not reached\n";

enum { OPT_WAIT = 'w', OPT_FORCE = 'f', OPT_WHY = 'y' };

struct run {
	struct post post;
	const char *why;
	uint32_t timeout;
	bool has_timeout, wait, force;
};

static void nap(long ms)
{
	const struct timespec t = { 0, ms * 1000000 };

	(void)nanosleep(&t, NULL);
}

static bool options(struct run *r, int argc, char **argv)
{
	static const struct option opts[] = {
		POST_OPTS,
		{ "timeout", required_argument, NULL, 't' },
		{ "wait", no_argument, NULL, OPT_WAIT },
		{ "force", no_argument, NULL, OPT_FORCE },
		{ "why", required_argument, NULL, OPT_WHY },
		{ NULL, 0, NULL, 0 }
	};
	bool good = true;
	int c;

	while ((c = getopt_long(argc, argv, "u:c:t:", opts, NULL)) != -1) {
		switch (c) {
		case 't':
			good &= !sl_u32(sl_cstr(optarg), 3600, &r->timeout);
			r->has_timeout = true;
			break;
		case OPT_WAIT:
			r->wait = true;
			break;
		case OPT_FORCE:
			r->force = true;
			break;
		case OPT_WHY:
			r->why = optarg;
			break;
		default:
			good &= post_opt(&r->post, c, optarg);
		}
	}
	return good;
}

static json_t *body(const struct run *r, const char *member)
{
	json_t *o = json_object();

	if (member)
		json_object_set_new(o, "member", json_string(member));
	if (r->why)
		json_object_set_new(o, "why", json_string(r->why));
	if (r->force)
		json_object_set_new(o, "force", json_true());
	if (r->has_timeout)
		json_object_set_new(o, "timeout", json_integer(r->timeout));
	return o;
}

static const char *str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* Its own times: calls, 10 s for another node to have all, 2 s to say so */
static int wait_end(const struct run *r)
{
	uint32_t ms = 1000 * ((r->has_timeout ? r->timeout : 30) + 15);
	char url[POST_URL];

	if (post_url(&r->post, url, sizeof(url)))
		return CTL_FAIL;
	for (uint32_t t = 0; t < ms; t += 50) {
		if (!get_alive(url, 2)) {
			printf("it has left\n");
			return CTL_OK;
		}
		nap(50);
	}
	fprintf(stderr, "edgewise: %s: still there\n", url);
	return CTL_BAD;
}

static int leave(struct run *r)
{
	json_t *answer = NULL;
	int rc = post_send(&r->post, "/api/v1/leave", body(r, NULL), &answer);

	if (rc != CTL_OK)
		return rc;
	printf("%s leaves\n", str(answer, "name"));
	(void)fflush(stdout);
	json_decref(answer);
	return r->wait ? wait_end(r) : CTL_OK;
}

static int turn(struct run *r, const char *member, bool in)
{
	json_t *answer = NULL;
	int rc = post_send(&r->post, in ? "/api/v1/members/admit" :
			   "/api/v1/members/remove", body(r, member),
			   &answer);

	if (rc != CTL_OK)
		return rc;
	printf("%s %s: %s\n", member, str(answer, "node"),
	       str(answer, "state"));
	json_decref(answer);
	return CTL_OK;
}

int ctl_node(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	struct run r = { .post = { .node = true } };

	if (!strcmp(what, "--help") || !strcmp(what, "-h")) {
		fputs(usage, stdout);
		return CTL_OK;
	}
	if (argc > 1 && options(&r, argc - 1, argv + 1)) {
		/* getopt puts what is no option behind the options */
		char **rest = argv + 1 + optind;
		int n = argc - 1 - optind;

		if (!strcmp(what, "leave") && !n)
			return leave(&r);
		if (!strcmp(what, "remove") && n == 1 && !r.wait)
			return turn(&r, rest[0], false);
		if (!strcmp(what, "admit") && n == 1 && !r.wait && !r.force)
			return turn(&r, rest[0], true);
	}
	fputs(usage, stderr);
	return CTL_FAIL;
}
