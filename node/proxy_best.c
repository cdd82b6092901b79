/**
 * @file proxy_best.c  Pure. Which answer goes upstream when all branches have
 * failed. RFC 3261 16.7 steps 6 and 7.
 *
 * Which 503 is whose: a 503 that a branch gave goes upstream as 500 (step 6), it
 * is about that phone. Only a 503 made here, for a cap of ours, reaches the edge
 * as 503 and makes it try another node.
 */
#include "node/proxy_i.h"
#include "sip/hop.h"

enum { CHALLENGES_MAX = 8192 };

/* What was refused here is as a phone that was not reached */
static uint16_t as_told(uint16_t code)
{
	return code == CODE_OURS ? 503 : code;
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
	if (f->best && !hop_better(as_told(code), as_told(f->best)))
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
