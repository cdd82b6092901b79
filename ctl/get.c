/* get.c - Shell. Ask the management HTTP of a program. */
#include "ctl/get.h"
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>

#define SHOWN 200              /* longest answer of a refusal shown [bytes] */

static size_t got(char *p, size_t size, size_t n, void *arg)
{
	struct buf *b = arg;

	buf_put(b, p, size * n);
	return b->err ? 0 : size * n;
}

/* Text of a program we do not know: nothing that moves the cursor */
static void say_refusal(const char *url, long code, const struct buf *b)
{
	fprintf(stderr, "edgewise: %s: answer %ld", url, code);
	if (b->n && b->n <= SHOWN)
		fputs(": ", stderr);
	for (size_t i = 0; i < b->n && b->n <= SHOWN; i++)
		fputc(b->p[i] < ' ' || b->p[i] == 0x7f ? ' ' : b->p[i],
		      stderr);
	fputc('\n', stderr);
}

void get_say_away(const char *url, const char *why, bool refused)
{
	static bool said;

	fprintf(stderr, "edgewise: %s: %s\n", url, why);
	/* not again and again by what follows */
	if (refused && !said)
		fputs("edgewise: is the program running there? -u URL or -c FILE "
		      "(its settings) name another one; edges listen on 8060, "
		      "nodes on 8061, unless set\n", stderr);
	said |= refused;
}

static struct curl_slist *bearer(const char *token)
{
	struct curl_slist *h;
	char line[320];

	if (!token)
		return NULL;
	(void)snprintf(line, sizeof(line), "Authorization: Bearer %s", token);
	h = curl_slist_append(NULL, line);
	explicit_bzero(line, sizeof(line));
	return h;
}

int get_url(struct buf *b, const char *base, const char *path, long timeout)
{
	return get_secret(b, base, path, timeout, NULL);
}

int get_secret(struct buf *b, const char *base, const char *path,
	       long timeout, const char *token)
{
	struct curl_slist *head = bearer(token);
	char url[2048], why[CURL_ERROR_SIZE] = "";
	CURL *c = curl_easy_init();
	long code = 0;
	CURLcode rc;
	int n;

	if (!c) {
		curl_slist_free_all(head);
		return ENOMEM;
	}
	n = snprintf(url, sizeof(url), "%s%s%s", strstr(base, "://") ? "" :
		     "http://", base, path);
	curl_easy_setopt(c, CURLOPT_URL, url);
	if (head)
		curl_easy_setopt(c, CURLOPT_HTTPHEADER, head);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, got);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, b);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, why);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, timeout);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	/* the environment's proxy is not for management addresses */
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	rc = n > 0 && (size_t)n < sizeof(url) ? curl_easy_perform(c) :
		CURLE_URL_MALFORMAT;
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &code);
	curl_easy_cleanup(c);
	curl_slist_free_all(head);
	if (rc != CURLE_OK)
		get_say_away(url, *why ? why : curl_easy_strerror(rc),
			     rc == CURLE_COULDNT_CONNECT);
	else if (code != 200)
		say_refusal(url, code, b);
	return rc == CURLE_OK && code == 200 ? 0 : EIO;
}

bool get_alive(const char *base, long timeout)
{
	CURL *c = curl_easy_init();
	CURLcode rc;
	struct buf b;
	char url[2048];

	if (!c)
		return true;
	buf_init(&b, GET_MAX);
	(void)snprintf(url, sizeof(url), "%s%s/healthz",
		       strstr(base, "://") ? "" : "http://", base);
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, got);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, &b);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, timeout);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	rc = curl_easy_perform(c);
	curl_easy_cleanup(c);
	buf_free(&b);
	/* slow is not gone */
	return rc != CURLE_COULDNT_CONNECT;
}
