/* fault.c - Pure. A fault between the edge and one node, for drills. */
#include "sbc/fault.h"
#include <errno.h>
#include <stdlib.h>
#include "sip/hop.h"
#include "sip/scan.h"

struct fault_held {
	struct fault_held *next;
	uint64_t due;
	struct fault_due d;
};

static const char *const names[FAULT_KINDS] = {
	"", "blackhole", "delay", "reject", "drop-invite", "drop-probe",
	"late",
};

const char *fault_kind_name(enum fault_kind k)
{
	return names[k];
}

int fault_init(struct fault *f, uint64_t seed, struct stats *st)
{
	int err = 0;

	*f = (struct fault){ 0 };
	rng_seed(&f->rng, seed);
	if (!st)
		return 0;
	err |= stat_add(st, STAT_COUNTER, "sbc_faults_total", NULL,
			"Faults begun for drills", &f->begun, f);
	err |= stat_add(st, STAT_GAUGE, "sbc_fault_active", NULL,
			"Is there a fault for a drill", &f->active, f);
	err |= stat_add(st, STAT_COUNTER, "sbc_fault_messages_total",
			"what=\"dropped\"", "Messages a fault has touched",
			&f->dropped, f);
	err |= stat_add(st, STAT_COUNTER, "sbc_fault_messages_total",
			"what=\"held\"", "Messages a fault has touched",
			&f->held, f);
	err |= stat_add(st, STAT_COUNTER, "sbc_fault_messages_total",
			"what=\"rejected\"", "Messages a fault has touched",
			&f->rejected, f);
	err |= stat_add(st, STAT_COUNTER, "sbc_fault_messages_total",
			"what=\"overflow\"", "Messages a fault has touched",
			&f->overflow, f);
	return err ? ENOMEM : 0;
}

void fault_free(struct fault *f)
{
	while (f->first) {
		struct fault_held *h = f->first;

		f->first = h->next;
		blob_unref(h->d.blob);
		free(h);
	}
	f->last = NULL;
	f->heldc = 0;
	f->bytes = 0;
}

int fault_begin(struct fault *f, const struct fault_order *o, uint64_t now)
{
	bool timed = o->kind == FAULT_DELAY || o->kind == FAULT_LATE;

	if (f->o.kind)
		return EBUSY;
	if (!o->kind || o->percent < 1 || o->percent > 100 ||
	    o->until <= now || o->until > now + 1000ull * FAULT_LONGEST ||
	    o->ms > FAULT_MS_MAX || (timed && !o->ms))
		return EINVAL;
	f->o = *o;
	f->since = now;
	f->active = 1;
	f->begun++;
	return 0;
}

bool fault_end(struct fault *f, uint64_t now)
{
	if (!f->o.kind)
		return false;
	f->o.kind = FAULT_NONE;
	f->active = 0;
	for (struct fault_held *h = f->first; h; h = h->next)
		if (h->due > now)
			h->due = now;
	return true;
}

bool fault_tick(struct fault *f, uint64_t now)
{
	return f->o.kind && now >= f->o.until && fault_end(f, now);
}

uint64_t fault_next(const struct fault *f)
{
	uint64_t at = f->o.kind ? f->o.until : UINT64_MAX;

	return f->first && f->first->due < at ? f->first->due : at;
}

/** All are held for the same time: the last one is due last. An own answer
 *  (ms 0) waits behind none of them, there are none then
 *  @return false: no room, it goes its way */
static bool hold(struct fault *f, bool in, const struct flow *flow,
		 struct blob *b, uint64_t due)
{
	struct fault_held *h;

	if (f->heldc >= FAULT_HELD_MAX || f->bytes + b->n > FAULT_BYTES_MAX) {
		f->overflow++;
		return false;
	}
	h = malloc(sizeof(*h));
	if (!h) {
		f->overflow++;
		return false;
	}
	*h = (struct fault_held){ .due = due, .d = { in, *flow, b } };
	if (f->last)
		f->last->next = h;
	else
		f->first = h;
	f->last = h;
	f->heldc++;
	f->bytes += b->n;
	return true;
}

bool fault_poll(struct fault *f, struct fault_due *d, uint64_t now)
{
	struct fault_held *h = f->first;

	if (!h || h->due > now)
		return false;
	f->first = h->next;
	if (!f->first)
		f->last = NULL;
	f->heldc--;
	f->bytes -= h->d.blob->n;
	*d = h->d;
	free(h);
	return true;
}

static bool hit(struct fault *f, const struct flow *flow)
{
	bool there = addr_eq(&flow->peer, &f->o.addr) ||
		(f->o.whole_ip && addr_ip_eq(&flow->peer, &f->o.addr));

	return there && (f->o.percent >= 100 ||
			 rng_below(&f->rng, 100) < f->o.percent);
}

static bool is_request(struct sl s)
{
	return !sl_starts(s, SL("SIP/2.0 "));
}

/** 503 in the node's name. @return false: it cannot be answered */
static bool reject(struct fault *f, const struct sip_out *out, uint64_t now)
{
	static struct sip_msg m;       /* large; used in here only */
	struct sip_fault sf;
	struct blob *b;
	struct buf w;
	bool done = false;

	if (sip_scan(&m, out->blob->p, out->blob->n, true, &sf) ||
	    m.meth == SIP_ACK || m.meth == SIP_CANCEL || m.meth == SIP_OPTIONS)
		return false;
	buf_init(&w, SIP_MAX_MSG);
	reply_write(&w, &m, &out->flow.peer, 503, SL("Service Unavailable"),
		    SL("fault"), SL(""));
	b = w.err ? NULL : blob_make(w.p, w.n);
	buf_free(&w);
	if (b)
		done = hold(f, true, &out->flow, b, now);
	if (b && !done)
		blob_unref(b);
	f->rejected += done;
	return done;
}

bool fault_out(struct fault *f, struct sip_out *out, uint64_t now)
{
	bool drop = false;
	struct sl s;

	if (!f->o.kind || out->kind != SIP_OUT_SEND || !out->blob ||
	    !hit(f, &out->flow))
		return false;
	s = blob_sl(out->blob);
	switch (f->o.kind) {
	case FAULT_BLACKHOLE:
		drop = true;
		break;
	case FAULT_DELAY:
		if (!hold(f, false, &out->flow, out->blob, now + f->o.ms))
			return false;
		f->held++;
		return true;
	case FAULT_REJECT:
		if (!is_request(s) || !reject(f, out, now))
			return false;
		blob_unref(out->blob);
		return true;
	case FAULT_DROP_INVITE:
		drop = sl_starts(s, SL("INVITE "));
		break;
	case FAULT_DROP_PROBE:
		drop = sl_starts(s, SL("OPTIONS "));
		break;
	case FAULT_LATE:
	case FAULT_NONE:
		break;
	}
	if (!drop)
		return false;
	f->dropped++;
	blob_unref(out->blob);
	return true;
}

/** Is it an answer to INVITE? */
static bool of_invite(struct sl s)
{
	static struct sip_msg m;       /* large; used in here only */
	struct sip_fault sf;

	return !is_request(s) && !sip_scan(&m, s.p, s.n, true, &sf) &&
		m.meth == SIP_INVITE;
}

bool fault_in(struct fault *f, const struct flow *flow, struct sl msg,
	      uint64_t now)
{
	struct blob *b;

	if (!f->o.kind || (f->o.kind != FAULT_BLACKHOLE &&
			   f->o.kind != FAULT_LATE) || !hit(f, flow))
		return false;
	if (f->o.kind == FAULT_BLACKHOLE) {
		f->dropped++;
		return true;
	}
	if (!of_invite(msg))
		return false;
	b = blob_make(msg.p, msg.n);
	if (!b)
		return false;
	if (!hold(f, true, flow, b, now + f->o.ms)) {
		blob_unref(b);
		return false;
	}
	f->held++;
	return true;
}
