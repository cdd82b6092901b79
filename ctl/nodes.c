/* nodes.c - Shell. `edgewise nodes`, `drain`, `maint`, `ready`, `weight`. */
#include "ctl/ctl.h"
#include "ctl/get.h"
#include "ctl/post.h"
#include "ctl/view.h"
#include <curl/curl.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#define LOOK 500000                      /* [us] between looks     */

static const char usage[] =
	"usage: edgewise nodes [-u URL]            the pool as it is now\n"
	"       edgewise drain NODE --why TEXT [--for TIME] [--wait] [--stay]\n"
	"       edgewise maint NODE --why TEXT [--for TIME]\n"
	"       edgewise ready NODE [--why TEXT]\n"
	"       edgewise weight NODE 0..1000|default\n"
	"drain: no new requests; maint when nothing is left there (--stay: not)\n"
	"maint: out at once, what runs there moves to other nodes\n"
	"  --for TIME         ready again by itself: 90, 90s, 30m, 2h, 1d\n"
	"  --wait             until nothing is left, at most --for (or 5m)\n"
	"  --force            even if no other node takes requests\n"
	POST_USAGE
	"exit: 0 done, 1 refused or not done in time, 2 not reached\n";

struct job {
	struct post post;
	const char *why;
	uint32_t secs;           /* --for; 0 = not given */
	bool wait, stay, force;
};

static bool get_opts(struct job *j, int argc, char **argv)
{
	static const struct option opts[] = {
		POST_OPTS,
		{ "why", required_argument, NULL, 'y' },
		{ "for", required_argument, NULL, 'f' },
		{ "wait", no_argument, NULL, 'w' },
		{ "stay", no_argument, NULL, 's' },
		{ "force", no_argument, NULL, 'F' },
		{ NULL, 0, NULL, 0 }
	};
	bool ok = true;
	int c;

	while ((c = getopt_long(argc, argv, "u:c:", opts, NULL)) != -1) {
		switch (c) {
		case 'y': j->why = optarg; break;
		case 'f': ok &= !post_time(&j->secs, optarg, 30 * 86400); break;
		case 'w': j->wait = true; break;
		case 's': j->stay = true; break;
		case 'F': j->force = true; break;
		default:  ok &= post_opt(&j->post, c, optarg); break;
		}
	}
	return ok;
}

/** A name that the path may hold as it is */
static bool name_fits(const char *s)
{
	return *s && strlen(s) < 64 && !strpbrk(s, "/?#% \t");
}

static int send_order(const struct job *j, const char *node, json_t *body,
		      json_t **answer)
{
	char path[100];

	if (!name_fits(node)) {
		fprintf(stderr, "edgewise: %s: no name of a node\n", node);
		json_decref(body);
		return CTL_FAIL;
	}
	(void)snprintf(path, sizeof(path), "/api/v1/nodes/%s", node);
	return post_send(&j->post, path, body, answer);
}

static json_t *order(const struct job *j, const char *admin)
{
	json_t *o = json_object();

	json_object_set_new(o, "admin", json_string(admin));
	if (j->why)
		json_object_set_new(o, "why", json_string(j->why));
	if (j->secs)
		json_object_set_new(o, "until", json_integer(j->secs));
	if (j->stay)
		json_object_set_new(o, "when_empty", json_string("stay"));
	if (j->force)
		json_object_set_new(o, "force", json_true());
	return o;
}

/* --- waiting until a drain is over --- */

static json_t *node_of(const json_t *status, const char *name)
{
	json_t *n;
	size_t i;

	json_array_foreach(json_object_get(status, "pool"), i, n) {
		const char *s = json_string_value(json_object_get(n, "name"));

		if (s && !strcmp(s, name))
			return n;
	}
	return NULL;
}

/** @return CTL_OK: nothing is left; CTL_BAD: not yet; CTL_FAIL */
static int look(const struct job *j, const char *node)
{
	char url[300];
	struct buf b;
	json_t *o, *n;
	json_int_t left;
	const char *admin;
	int rc = CTL_FAIL;

	if (post_url(&j->post, url, sizeof(url)))
		return CTL_FAIL;
	buf_init(&b, GET_MAX);
	if (get_url(&b, url, "/api/v1/status", 5)) {
		buf_free(&b);
		return CTL_FAIL;
	}
	o = json_loadb((const char *)b.p, b.n, 0, NULL);
	n = node_of(o, node);
	admin = json_string_value(json_object_get(n, "admin"));
	left = json_integer_value(json_object_get(n, "inflight"));
	if (admin)
		rc = !strcmp(admin, "maint") ? CTL_OK :
			strcmp(admin, "drain") != 0 ? CTL_FAIL :
			j->stay && !left ? CTL_OK : CTL_BAD;
	else
		fprintf(stderr, "edgewise: %s: not in the pool any more\n",
			node);
	if (admin && rc == CTL_FAIL)
		fprintf(stderr, "edgewise: %s: is %s again\n", node, admin);
	if (rc == CTL_BAD && isatty(2))
		fprintf(stderr, "\r%s: %lld left  ", node, (long long)left);
	json_decref(o);
	buf_free(&b);
	return rc;
}

static int wait_empty(const struct job *j, const char *node)
{
	uint64_t tries = (uint64_t)(j->secs ? j->secs : 300) * 1000000 / LOOK;
	int rc = CTL_BAD;

	for (uint64_t i = 0; i <= tries && rc == CTL_BAD; i++) {
		if (i)
			(void)usleep(LOOK);
		rc = look(j, node);
	}
	if (rc == CTL_OK)
		printf("%s: empty\n", node);
	if (rc == CTL_BAD)
		fprintf(stderr, "edgewise: %s: not empty in time\n", node);
	return rc;
}

/* --- the commands --- */

static int wrong(void)
{
	fputs(usage, stderr);
	return CTL_FAIL;
}

static int do_admin(const struct job *j, const char *admin, const char *node)
{
	json_t *answer = NULL;
	int rc;

	if (strcmp(admin, "ready") != 0 && (!j->why || !*j->why)) {
		fprintf(stderr, "edgewise: --why is needed: others will ask\n");
		return CTL_FAIL;
	}
	rc = send_order(j, node, order(j, admin), &answer);
	if (rc == CTL_OK)
		printf("%s: %s\n", node, admin);
	json_decref(answer);
	return rc == CTL_OK && j->wait ? wait_empty(j, node) : rc;
}

static int do_weight(const struct job *j, const char *node, const char *text)
{
	json_t *body, *answer = NULL;
	uint32_t w = 0;
	int rc;

	if (strcmp(text, "default") != 0 && sl_u32(sl_cstr(text), 1000, &w))
		return wrong();
	body = json_object();
	json_object_set_new(body, "weight", strcmp(text, "default") ?
			    json_integer(w) : json_null());
	if (j->force)
		json_object_set_new(body, "force", json_true());
	rc = send_order(j, node, body, &answer);
	if (rc == CTL_OK)
		printf("%s: weight %lld\n", node, (long long)
		       json_integer_value(json_object_get(answer, "weight")));
	json_decref(answer);
	return rc;
}

/* An older edge, or one that asks no node, has nothing to add */
static void add_pings(struct buf *out, const char *url)
{
	struct buf b;
	json_t *o;

	buf_init(&b, GET_MAX);
	if (!get_url(&b, url, "/api/v1/dashboard", 5)) {
		o = json_loadb((const char *)b.p, b.n, 0, NULL);
		view_pings(out, o);
		json_decref(o);
	}
	buf_free(&b);
}

static int do_nodes(const struct job *j)
{
	char url[300];
	json_t *o;
	struct buf b, out;
	int rc = CTL_FAIL;

	if (post_url(&j->post, url, sizeof(url)))
		return rc;
	buf_init(&b, GET_MAX);
	buf_init(&out, GET_MAX);
	if (!get_url(&b, url, "/api/v1/status", 5)) {
		o = json_loadb((const char *)b.p, b.n, 0, NULL);
		rc = view_nodes(&out, o);
		json_decref(o);
		if (rc != CTL_FAIL)
			add_pings(&out, url);
		if (rc == CTL_FAIL)
			fprintf(stderr, "edgewise: %s: no edge\n", url);
		else
			fwrite(out.p, 1, out.n, stdout);
	}
	buf_free(&b);
	buf_free(&out);
	return rc;
}

int ctl_nodes(int argc, char **argv)
{
	const char *cmd = argv[0];
	struct job j = { 0 };
	bool ok;
	int n;

	if (argc == 2 && (!strcmp(argv[1], "--help") ||
			  !strcmp(argv[1], "-h"))) {
		fputs(usage, stdout);
		return CTL_OK;
	}
	ok = get_opts(&j, argc, argv);
	n = argc - optind;
	if (!ok || (j.wait && strcmp(cmd, "drain") != 0) ||
	    (j.stay && strcmp(cmd, "drain") != 0) ||
	    (j.secs && strcmp(cmd, "drain") != 0 && strcmp(cmd, "maint") != 0))
		return wrong();
	if (!strcmp(cmd, "nodes"))
		return n ? wrong() : do_nodes(&j);
	if (!strcmp(cmd, "weight"))
		return n != 2 ? wrong() :
			do_weight(&j, argv[optind], argv[optind + 1]);
	return n != 1 ? wrong() : do_admin(&j, cmd, argv[optind]);
}
