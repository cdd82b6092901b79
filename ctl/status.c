/* status.c - Shell. `edgewise status`: ask a running program. */
#include "ctl/ctl.h"
#include "ctl/get.h"
#include "ctl/view.h"
#include <curl/curl.h>
#include <getopt.h>
#include <stdio.h>

#define URL "http://127.0.0.1:8060"    /* http of the shipped sbc.conf */

static const char usage[] =
	"usage: edgewise status [-u URL] [-t SECONDS] [--json]\n"
	"  -u  address of an edge or a node, default " URL "\n"
	"exit: 0 all well, 1 degraded, 2 not reached\n";

static int show(const struct buf *answer, bool raw)
{
	json_error_t e;
	json_t *o = json_loadb((const char *)answer->p, answer->n, 0, &e);
	struct buf b;
	int rc = CTL_FAIL;

	buf_init(&b, GET_MAX);
	if (o)
		rc = view_status(&b, o);
	if (rc == CTL_FAIL)
		fprintf(stderr, "edgewise: the answer is no status\n");
	else if (raw)
		json_dumpf(o, stdout, JSON_INDENT(2));
	else
		fwrite(b.p, 1, b.n, stdout);
	if (rc != CTL_FAIL && raw)
		putchar('\n');
	json_decref(o);
	buf_free(&b);
	return rc;
}

int ctl_status(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "url", required_argument, NULL, 'u' },
		{ "timeout", required_argument, NULL, 't' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	const char *url = URL;
	uint32_t timeout = 5;
	bool raw = false, bad = false;
	struct buf b;
	int c, rc;

	while ((c = getopt_long(argc, argv, "u:t:jh", opts, NULL)) != -1) {
		switch (c) {
		case 'u':
			url = optarg;
			break;
		case 't':
			bad |= sl_u32(sl_cstr(optarg), 3600, &timeout) ||
				!timeout;
			break;
		case 'j':
			raw = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return CTL_OK;
		default:
			bad = true;
		}
	}
	if (bad || optind != argc) {
		fputs(usage, stderr);
		return CTL_FAIL;
	}
	curl_global_init(CURL_GLOBAL_DEFAULT);
	buf_init(&b, GET_MAX);
	rc = get_url(&b, url, "/api/v1/status", (long)timeout) ? CTL_FAIL :
		show(&b, raw);
	buf_free(&b);
	curl_global_cleanup();
	return rc;
}
