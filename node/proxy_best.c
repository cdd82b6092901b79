/**
 * @file proxy_best.c  Pure. Which answer goes upstream when all branches have
 * failed. RFC 3261 16.7 steps 6 and 7.
 *
 * Which 503 is whose: a 503 that a branch gave goes upstream as 500 (step 6), it
 * is about that phone. Only a 503 made here, for a cap of ours, reaches the edge
 * as 503 and makes it try another node.
 */
#include "node/proxy_i.h"

enum { CHALLENGES_MAX = 8192 };

/* RFC 3261 16.7 step 6: smaller is better. 6xx first, then the lowest class;
 * in it what helps the caller to ask better, then what a phone said, then what
 * only tells that a phone was not reached. */
static unsigned rank(uint16_t code)
{
	unsigned class = code / 100 == 6 ? 0 : code / 100;

	switch (code) {
	case 401: case 407: case 415: case 420: case 484:
		return class * 10;
	case 430: case 408: case 480: case 487: case 503: case CODE_OURS:
		return class * 10 + 2;
	default:
		return class * 10 + 1;
	}
}

static void keep_challenges(struct fork *f, const struct sip_msg *m)
{
	static const enum sip_hid ids[] = {
		SIP_WWW_AUTHENTICATE, SIP_PROXY_AUTHENTICATE
	};
	const struct sip_hdr *h;

	for (unsigned i = 0; i < 2; i++) {
		for (h = sip_hdr(m, ids[i]); h; h = sip_hdr_next(m, h)) {
			size_t n = h->end - h->off;

			if (f->challenges.n + n > CHALLENGES_MAX)
				return;
			buf_put(&f->challenges, m->raw.p + h->off, n);
		}
	}
}

void proxy_keep_best(struct fork *f, uint16_t code, const struct sip_msg *m)
{
	if (m && (code == 401 || code == 407))
		keep_challenges(f, m);
	if (f->best && rank(f->best) <= rank(code))
		return;
	f->best = code;
	blob_unref(f->best_msg);
	f->best_msg = m && code != CODE_DEAD_FLOW && code != 503 && f->s
		? proxy_answer(f, m) : NULL;
}

void proxy_refuse(struct fork *f, uint16_t code, uint64_t now)
{
	struct sl extra = SL_NONE;

	if (code == 503)
		extra = SL("Retry-After: 5\r\n");
	stxn_reply(f->s, code, SL_NONE, extra, now);
}

void proxy_fail(struct fork *f, uint64_t now)
{
	struct blob *msg;
	uint16_t code = f->best;

	proxy_over(f);
	f->p->failed++;
	f->p->route_failed += f->way && !f->stop && !f->cancelled;
	if (!f->s)
		return;
	if (f->cancelled && (!code || !f->best_msg))
		code = 487;
	if (f->best_msg && code == f->best) {
		msg = proxy_best(f);
		(void)stxn_forward(f->s, code, msg, now);
		blob_unref(msg);
		return;
	}
	if (!code || code == CODE_DEAD_FLOW)
		code = 480;        /* RFC 5626 5.3.1: 430 stays inside */
	else if (code == 503)
		code = 500;
	else if (code == CODE_OURS)
		code = 503;
	proxy_refuse(f, code, now);
}
