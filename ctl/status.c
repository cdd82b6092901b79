/* status.c - Shell. `edgewise status`: ask a running program. */
#include "ctl/ctl.h"
#include "ctl/view.h"
#include <curl/curl.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#define URL "http://127.0.0.1:8060"    /* http of the shipped sbc.conf */
#define ANSWER_MAX (16u << 20)         /**< longest answer [bytes]      */

static const char usage[] =
	"usage: edgewise status [-u URL] [-t SECONDS] [--json]\n"
	"  -u  address of an edge or a node, default " URL "\n"
	"exit: 0 all well, 1 degraded, 2 not reached\n";

static size_t got(char *p, size_t size, size_t n, void *arg)
{
	struct buf *b = arg;

	buf_put(b, p, size * n);
	return b->err ? 0 : size * n;
}

static int fetch(struct buf *b, const char *url, long timeout)
{
	char path[1024], why[CURL_ERROR_SIZE] = "";
	CURL *c = curl_easy_init();
	long code = 0;
	CURLcode rc;

	if (!c)
		return ENOMEM;
	snprintf(path, sizeof(path), "%s%s/api/v1/status",
		 strstr(url, "://") ? "" : "http://", url);
	curl_easy_setopt(c, CURLOPT_URL, path);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, got);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, b);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, why);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, timeout);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	/* the environment's proxy is not for management addresses */
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	rc = curl_easy_perform(c);
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &code);
	curl_easy_cleanup(c);
	if (rc != CURLE_OK)
		fprintf(stderr, "edgewise: %s: %s\n", path,
			*why ? why : curl_easy_strerror(rc));
	else if (code != 200)
		fprintf(stderr, "edgewise: %s: answer %ld\n", path, code);
	return rc == CURLE_OK && code == 200 ? 0 : EIO;
}

static int show(const struct buf *answer, bool raw)
{
	json_error_t e;
	json_t *o = json_loadb((const char *)answer->p, answer->n, 0, &e);
	struct buf b;
	int rc = CTL_FAIL;

	buf_init(&b, ANSWER_MAX);
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
	buf_init(&b, ANSWER_MAX);
	rc = fetch(&b, url, (long)timeout) ? CTL_FAIL : show(&b, raw);
	buf_free(&b);
	curl_global_cleanup();
	return rc;
}
