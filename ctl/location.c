/* location.c - Shell. `edgewise location`: which contacts a node holds. */
#include "ctl/ctl.h"
#include "ctl/get.h"
#include "ctl/post.h"
#include "ctl/view.h"
#include <curl/curl.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>


static const char usage[] =
	"usage: edgewise location show [-u URL|-c FILE] [-t SECONDS] [--json] AOR\n"
	"       edgewise location list [-u URL|-c FILE] [-t SECONDS] [--json]\n"
	"  -c, --config FILE  settings of the program: its http counts\n"
	"  -u  address of a node, default: of its settings\n"
	"exit: 0 shown, 1 show: no contact, 2 not reached\n";

struct asked {
	struct post post;
	char url[POST_URL];
	long timeout;
	bool raw;              /* the contacts as JSON, one a line */
};

static json_t *ask(const struct asked *a, const char *path)
{
	json_t *o = NULL;
	json_error_t e;
	struct buf b;

	buf_init(&b, GET_MAX);
	if (!get_url(&b, a->url, path, a->timeout)) {
		o = json_loadb((const char *)b.p, b.n, 0, &e);
		if (!json_is_array(json_object_get(o, "contacts"))) {
			fprintf(stderr, "edgewise: the answer has no "
				"contacts\n");
			json_decref(o);
			o = NULL;
		}
	}
	buf_free(&b);
	return o;
}

static void put(const struct asked *a, const json_t *contacts, bool head)
{
	struct buf b;
	json_t *c;
	size_t i;

	if (!a->raw) {
		buf_init(&b, GET_MAX);
		view_contacts(&b, contacts, head);
		if (b.n)                /* a page may be empty */
			fwrite(b.p, 1, b.n, stdout);
		buf_free(&b);
		return;
	}
	json_array_foreach((json_t *)(uintptr_t)contacts, i, c) {
		json_dumpf(c, stdout, JSON_COMPACT);
		putchar('\n');
	}
}

static int show(const struct asked *a, const char *aor)
{
	static const char hex[] = "0123456789ABCDEF";
	char mem[1700];
	const json_t *list;
	struct buf b;
	json_t *o;
	int rc;

	buf_fixed(&b, mem, sizeof(mem) - 1);
	buf_lit(&b, "/api/v1/location?aor=");
	for (; *aor; aor++) {
		uint8_t c = (uint8_t)*aor;

		buf_chr(&b, '%');
		buf_chr(&b, hex[c >> 4]);
		buf_chr(&b, hex[c & 15]);
	}
	if (b.err) {
		fprintf(stderr, "edgewise: the AoR is too long\n");
		return CTL_FAIL;
	}
	mem[b.n] = 0;
	o = ask(a, mem);
	if (!o)
		return CTL_FAIL;
	list = json_object_get(o, "contacts");
	rc = json_array_size(list) ? CTL_OK : CTL_BAD;
	if (rc == CTL_OK)
		put(a, list, true);
	else
		fprintf(stderr, "edgewise: no contact there\n");
	json_decref(o);
	return rc;
}

/* Page by page, so that a large node does not have to fit here */
static int list(const struct asked *a)
{
	char path[128] = "/api/v1/contacts?limit=1000";
	bool head = true;
	json_t *o;

	while ((o = ask(a, path)) != NULL) {
		const char *next = json_string_value(
			json_object_get(o, "next"));

		put(a, json_object_get(o, "contacts"), head);
		head = false;
		if (next)
			(void)snprintf(path, sizeof(path), "/api/v1/contacts"
				       "?limit=1000&from=%.32s", next);
		json_decref(o);
		if (!next)
			return CTL_OK;
	}
	return CTL_FAIL;
}

static bool options(struct asked *a, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "url", required_argument, NULL, 'u' },
		{ "config", required_argument, NULL, 'c' },
		{ "timeout", required_argument, NULL, 't' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 }
	};
	uint32_t timeout = 5;
	bool good = true;
	int c;

	while ((c = getopt_long(argc, argv, "u:c:t:j", opts, NULL)) != -1) {
		switch (c) {
		case 'u':
		case 'c':
			(void)post_opt(&a->post, c, optarg);
			break;
		case 't':
			good &= !sl_u32(sl_cstr(optarg), 3600, &timeout) &&
				timeout;
			break;
		case 'j':
			a->raw = true;
			break;
		default:
			good = false;
		}
	}
	a->timeout = (long)timeout;
	return good;
}

int ctl_location(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	struct asked a = { .post = { .node = true } };
	bool one = !strcmp(verb, "show");
	int rc;

	if (!strcmp(verb, "--help") || !strcmp(verb, "-h")) {
		fputs(usage, stdout);
		return CTL_OK;
	}
	if ((!one && strcmp(verb, "list") != 0) ||
	    !options(&a, argc - 1, argv + 1) ||
	    argc - 1 - optind != (one ? 1 : 0)) {
		fputs(usage, stderr);
		return CTL_FAIL;
	}
	if (post_where(&a.post, a.url, sizeof(a.url)))
		return CTL_FAIL;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	rc = one ? show(&a, argv[1 + optind]) : list(&a);
	curl_global_cleanup();
	return rc;
}
