/* hook.c - Pure. A webhook's queue, tries and signature. */
#include "sbc/hook.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

/* --- settings --- */

static int want_word(struct hook_want *w, struct sl word)
{
	for (int k = 0; k < EVENT_N; k++) {
		if (sl_eq(word, sl_cstr(event_kind_name(k)))) {
			w->kinds |= 1u << k;
			return 0;
		}
	}
	for (uint32_t s = EVENT_INFO; s <= EVENT_ERROR; s++) {
		if (sl_eq(word, s == EVENT_INFO ? SL("all") :
			  sl_cstr(event_severity_name(s)))) {
			if (s < w->severity)
				w->severity = s;
			return 0;
		}
	}
	return EINVAL;
}

int hook_want(struct hook_want *w, struct sl text, struct sl *bad)
{
	struct hook_want x = { .severity = EVENT_ERROR + 1 };

	do {
		size_t n = sl_chr(text, ',');
		struct sl word;

		if (n > text.n)
			n = text.n;
		word = sl_trim(sl_mk(text.p, n));
		if (want_word(&x, word)) {
			*bad = word;
			return EINVAL;
		}
		text = n < text.n ? sl_mk(text.p + n + 1, text.n - n - 1) :
			SL_NONE;
	} while (sl_isset(text));
	*w = x;
	return 0;
}

bool hook_wants(const struct hook_want *w, const struct event *e)
{
	return (w->kinds >> e->kind & 1) || (uint32_t)e->severity >= w->severity;
}

const char *hook_url(const char *url)
{
	const char *host = !strncmp(url, "https://", 8) ? url + 8 :
		!strncmp(url, "http://", 7) ? url + 7 : NULL;
	size_t n;

	if (!host)
		return "url begins with neither https:// nor http://";
	n = strcspn(host, "/?#");
	if (!n || host[0] == ':')
		return "url has no host";
	if (memchr(host, '@', n))
		return "url holds a user: say it with secret_file";
	if (strchr(host, '#'))
		return "url holds a fragment";
	for (const char *p = host; *p; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p > 126 ||
		    strchr("\"<>\\^`{|}", *p))
			return "url holds a blank, quote or other byte that "
				"has to be %-escaped";
	return NULL;
}

/* --- events that wait --- */

int hook_init(struct hook *h, const struct hook_conf *cf, uint64_t seed)
{
	memset(h, 0, sizeof(*h));
	h->v = calloc(HOOK_WAIT, sizeof(*h->v));
	if (!h->v)
		return ENOMEM;
	h->cf = *cf;
	rng_seed(&h->rng, seed);
	h->boot = rng_u64(&h->rng);
	buf_init(&h->body, HOOK_BODY);
	return 0;
}

void hook_free(struct hook *h)
{
	buf_free(&h->body);
	free(h->v);
	memset(h, 0, sizeof(*h));
}

static void count_waiting(struct hook *h)
{
	h->waiting = h->n + h->in_body;
}

void hook_event(struct hook *h, const struct event *e, uint64_t now)
{
	if (!hook_wants(&h->cf.want, e))
		return;
	if (h->n == HOOK_WAIT) {
		h->head = (h->head + 1) % HOOK_WAIT;
		h->n--;
		h->full++;
		h->missed++;
	}
	h->v[(h->head + h->n++) % HOOK_WAIT] = *e;
	/* the first of a burst waits a little: more may come with it */
	if (!*h->id && h->n == 1 && h->at < now + h->cf.gap / 4)
		h->at = now + h->cf.gap / 4;
	count_waiting(h);
}

uint64_t hook_next(const struct hook *h)
{
	return h->flying || h->lost || (!*h->id && !h->n) ? UINT64_MAX : h->at;
}

uint32_t hook_take(struct hook *h, const struct event *v[HOOK_BATCH],
		   uint64_t now)
{
	uint32_t n = h->n < HOOK_BATCH ? h->n : HOOK_BATCH;

	if (*h->id || now < h->at)
		return 0;
	for (uint32_t i = 0; i < n; i++)
		v[i] = &h->v[(h->head + i) % HOOK_WAIT];
	h->in_body = n;
	return n;
}

uint64_t hook_missed(const struct hook *h)
{
	return h->missed;
}

void hook_body(struct hook *h, struct sl body, uint64_t now)
{
	buf_reset(&h->body);
	buf_sl(&h->body, body);
	h->head = (h->head + h->in_body) % HOOK_WAIT;
	h->n -= h->in_body;
	if (h->body.err || !body.n) {           /* no memory */
		h->full += h->in_body;
		h->missed += h->in_body;
		h->in_body = 0;
		buf_free(&h->body);
		buf_init(&h->body, HOOK_BODY);
		count_waiting(h);
		return;
	}
	h->missed = 0;
	(void)snprintf(h->id, sizeof(h->id), "evt_%016llx_%llu",
		       (unsigned long long)h->boot,
		       (unsigned long long)++h->seq);
	h->made = h->at = now;
	h->tries = 0;
}

/* --- tries --- */

bool hook_poll(struct hook *h, uint64_t now)
{
	if (!*h->id || h->flying || h->lost || now < h->at)
		return false;
	h->flying = true;
	return true;
}

/** Doubled each time, less up to a half: many edges do not come at once */
static uint64_t wait_for(struct hook *h)
{
	uint32_t ms = HOOK_RETRY;

	for (uint32_t i = 1; i < h->tries && ms < HOOK_RETRY_MAX; i++)
		ms *= 2;
	if (ms > HOOK_RETRY_MAX)
		ms = HOOK_RETRY_MAX;
	return ms - rng_below(&h->rng, ms / 2 + 1);
}

/** When to try again. Who is asked to wait for longer than a delivery lives
 *  tries once more at its end. */
static uint64_t again_at(struct hook *h, uint64_t wait, uint64_t now)
{
	uint64_t own = now + wait_for(h), end = h->made + h->cf.max_age, at;

	at = now + (wait < HOOK_RETRY_MAX ? wait : HOOK_RETRY_MAX);
	if (at > end)
		at = end;
	return at > own ? at : own;
}

void hook_done(struct hook *h, bool good, uint64_t wait, uint64_t now)
{
	h->flying = false;
	h->lost = h->ending && !good;
	if (good) {
		h->ok++;
		h->delivered += h->in_body;
	}
	else {
		h->failed++;
		h->tries++;
		h->at = again_at(h, wait, now);
		if (h->at - h->made <= h->cf.max_age)
			return;
		h->old += h->in_body;
		h->missed += h->in_body;
	}
	/* who did not answer for so long is not asked faster from now on */
	if (good || h->at < now + h->cf.gap)
		h->at = now + h->cf.gap;
	h->id[0] = '\0';
	h->in_body = 0;
	count_waiting(h);
}

void hook_hurry(struct hook *h, uint64_t now)
{
	h->ending = true;
	h->cf.gap = 0;
	if (h->at > now)
		h->at = now;
}

bool hook_busy(const struct hook *h)
{
	return h->ending && !h->lost && h->waiting;
}

/* --- signature --- */

int hook_key(uint8_t key[HOOK_SECRET], size_t *np, struct sl text)
{
	const struct sl head = SL("whsec_");

	text = sl_trim(text);
	if (text.n > head.n && !memcmp(text.p, head.p, head.n)) {
		size_t n;

		if (sodium_base642bin(key, HOOK_SECRET,
				      (const char *)text.p + head.n,
				      text.n - head.n, NULL, &n, NULL,
				      sodium_base64_VARIANT_ORIGINAL) || !n)
			return EBADMSG;
		*np = n;
		return 0;
	}
	if (!text.n)
		return EBADMSG;
	if (text.n > HOOK_SECRET)
		return ENOSPC;
	memcpy(key, text.p, text.n);
	*np = text.n;
	return 0;
}

void hook_sign(char out[HOOK_SIG], const uint8_t *key, size_t n,
	       const char *id, uint64_t seconds, struct sl body)
{
	crypto_auth_hmacsha256_state st;
	uint8_t mac[crypto_auth_hmacsha256_BYTES];
	char ts[32];
	int len = snprintf(ts, sizeof(ts), ".%llu.",
			   (unsigned long long)seconds);

	(void)crypto_auth_hmacsha256_init(&st, key, n);
	(void)crypto_auth_hmacsha256_update(&st, (const uint8_t *)id,
					    strlen(id));
	(void)crypto_auth_hmacsha256_update(&st, (const uint8_t *)ts,
					    (size_t)len);
	(void)crypto_auth_hmacsha256_update(&st, (const uint8_t *)body.p,
					    body.n);
	(void)crypto_auth_hmacsha256_final(&st, mac);
	memcpy(out, "v1,", 3);
	(void)sodium_bin2base64(out + 3, HOOK_SIG - 3, mac, sizeof(mac),
				sodium_base64_VARIANT_ORIGINAL);
	sodium_memzero(&st, sizeof(st));
}
