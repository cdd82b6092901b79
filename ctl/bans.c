/* bans.c - Shell. `edgewise bans`, `ban`, `unban`. */
#include "ctl/ctl.h"
#include "ctl/get.h"
#include "ctl/post.h"
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
	"usage: edgewise bans [-u URL] [--json]     who is banned, and what is "
	"not let in\n"
	"       edgewise ban SOURCE --why TEXT [--for TIME]\n"
	"       edgewise unban SOURCE\n"
	"SOURCE: an IP address; of IPv6 its /64\n"
	"  --for TIME         90, 90s, 30m, 2h, at most and by default 1d\n"
	POST_USAGE
	"exit: 0 done, 1 refused, 2 not reached\n";

struct job {
	struct post post;
	const char *why;
	uint32_t secs;
	bool json;
};

static bool get_opts(struct job *j, int argc, char **argv)
{
	static const struct option opts[] = {
		POST_OPTS,
		{ "why", required_argument, NULL, 'y' },
		{ "for", required_argument, NULL, 'f' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 }
	};
	bool ok = true;
	int c;

	while ((c = getopt_long(argc, argv, "u:c:", opts, NULL)) != -1) {
		switch (c) {
		case 'y': j->why = optarg; break;
		case 'f': ok &= !post_time(&j->secs, optarg, 86400); break;
		case 'j': j->json = true; break;
		default:  ok &= post_opt(&j->post, c, optarg); break;
		}
	}
	return ok;
}

/** Who writes to the terminal is the edge, what it was told is not */
static void put(const char *s)
{
	for (; *s; s++)
		putchar((unsigned char)*s < ' ' || *s == 0x7f ? '?' : *s);
}

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static void print_bans(const json_t *adm)
{
	const json_t *v, *d = json_object_get(adm, "dropped");
	const char *why;
	size_t i;

	json_array_foreach(json_object_get(adm, "bans"), i, v) {
		fputs("  ", stdout);
		put(text(v, "source"));
		printf("  for %lld s  ", (long long)json_integer_value(
			       json_object_get(v, "left_ms")) / 1000);
		put(text(v, "why"));
		putchar('\n');
	}
	printf("%lld banned, %lld sources known; not let in since start:",
	       (long long)json_integer_value(json_object_get(adm, "banned")),
	       (long long)json_integer_value(json_object_get(adm,
							     "sources")));
	json_object_foreach((json_t *)(uintptr_t)d, why, v)
		printf(" %s %lld", why, (long long)json_integer_value(v));
	putchar('\n');
}

static int do_list(const struct job *j)
{
	char url[POST_URL];
	json_t *o, *adm;
	struct buf b;

	if (post_url(&j->post, url, sizeof(url)))
		return CTL_FAIL;
	buf_init(&b, GET_MAX);
	if (get_url(&b, url, "/api/v1/status", 5)) {
		buf_free(&b);
		return CTL_FAIL;
	}
	o = json_loadb((const char *)b.p, b.n, 0, NULL);
	buf_free(&b);
	adm = json_object_get(o, "admission");
	if (!json_is_object(adm)) {
		fputs("edgewise: there is no admission there (admit.enabled = "
		      "false, or no edge)\n", stderr);
		json_decref(o);
		return CTL_BAD;
	}
	if (j->json) {
		(void)json_dumpf(adm, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	else {
		print_bans(adm);
	}
	json_decref(o);
	return CTL_OK;
}

static int do_order(const struct job *j, const char *source, bool ban)
{
	json_t *body = json_object(), *answer = NULL;
	int rc;

	(void)json_object_set_new(body, "source", json_string(source));
	if (ban)
		(void)json_object_set_new(body, "why", json_string(j->why));
	if (ban && j->secs)
		(void)json_object_set_new(body, "seconds",
					  json_integer(j->secs));
	rc = post_send(&j->post, ban ? "/api/v1/bans" : "/api/v1/bans/clear",
		       body, &answer);
	if (rc == CTL_OK)
		printf("%s: %s\n", source, ban ? "banned" :
		       "not banned any more");
	json_decref(answer);
	return rc;
}

int ctl_bans(int argc, char **argv)
{
	const bool list = !strcmp(argv[0], "bans");
	const bool ban = !strcmp(argv[0], "ban");
	struct job j = { 0 };

	if (argc > 1 && (!strcmp(argv[1], "--help") ||
			 !strcmp(argv[1], "-h"))) {
		fputs(usage, stdout);
		return CTL_OK;
	}
	if (!get_opts(&j, argc, argv) || argc - optind != (list ? 0 : 1) ||
	    (ban && !j.why)) {
		fputs(usage, stderr);
		return CTL_FAIL;
	}
	return list ? do_list(&j) : do_order(&j, argv[optind], ban);
}
