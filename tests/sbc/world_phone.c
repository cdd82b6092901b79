/* world_phone.c - Test support. A phone: registers, calls, answers. */
#include "sip/stun.h"
#include "world_i.h"

static void send(struct vphone *p, const char *txt)
{
	struct world *w = p->w;

	if (p->kind == SIM_DATAGRAM)
		sim_datagram(w->net, &p->host.addr, &w->client.addr,
			     sl_cstr(txt));
	else
		sim_stream(w->net, &p->host.addr,
			   sim_connect(w->net, &p->host.addr,
				       &w->client.addr), sl_cstr(txt));
}

/** Header lines of one id in reverse order of elements, under another name */
static char *routes(const struct sip_msg *m, bool reverse)
{
	struct sip_iter it = { 0 };
	char *out = xdup(SL(""));

	while (sip_iter(m, SIP_RECORD_ROUTE, &it)) {
		char *t = reverse ?
			fmt("Route: %.*s\r\n%s", SL_FMT(it.val), out) :
			fmt("%sRoute: %.*s\r\n", out, SL_FMT(it.val));

		free(out);
		out = t;
	}
	return out;
}

static struct vreq *req_new(struct vphone *p, enum sip_method meth,
			    const char *callid, uint32_t cseq)
{
	struct vreq *r;

	if (p->reqc == W_REQS)
		abort();
	r = &p->req[p->reqc++];
	memset(r, 0, sizeof(*r));
	set(r->callid, sizeof(r->callid), sl_cstr(callid));
	r->cseq = cseq;
	r->meth = meth;
	r->sent = p->w->net->now;
	r->downs = p->downs;
	return r;
}

static const char *via_tp(const struct vphone *p)
{
	return p->kind == SIM_DATAGRAM ? "UDP" : "TCP";
}

static const char *own_txt(const struct vphone *p, char txt[ADDR_TXT])
{
	return p->says ? p->says : addr_txt(&p->host.addr, txt);
}

static char *contact_of(const struct vphone *p)
{
	char txt[ADDR_TXT];

	return fmt("sip:%s@%s%s", p->user, own_txt(p, txt),
		   p->kind == SIM_STREAM || p->says_tcp ? ";transport=tcp" :
		   "");
}

enum { T1 = 500, T2 = 4000, T64 = 64 * T1 };

/** Over UDP: again until there is an answer, RFC 3261 17.1 */
static void again(void *arg, uint64_t v)
{
	struct vphone *p = arg;
	struct vreq *r = &p->req[v];

	if (r->final || (r->meth == SIP_INVITE && r->provc) ||
	    p->w->net->now - r->sent >= T64)
		return;
	send(p, r->req);
	r->wait = 2 * r->wait > T2 && r->meth != SIP_INVITE ? T2 : 2 * r->wait;
	sim_at(p->w->net, p->w->net->now + r->wait, again, p, v);
}

static void send_now(struct vphone *p, struct vreq *r)
{
	send(p, r->req);
	r->conn = p->kind == SIM_STREAM ?
		sim_between(p->w->net, &p->host.addr, &p->w->client.addr) : 0;
}

static void send_first(struct vphone *p, struct vreq *r)
{
	send_now(p, r);
	r->wait = T1;
	if (p->kind == SIM_DATAGRAM && r->meth != SIP_ACK)
		sim_at(p->w->net, p->w->net->now + T1, again, p,
		       (uint64_t)(r - p->req));
}

struct vreq *phone_send(struct vphone *p, enum sip_method meth, const char *to,
			const char *callid)
{
	char id[64], txt[ADDR_TXT], q[16] = "";
	char *c = contact_of(p);
	struct vreq *r;

	if (meth == SIP_REGISTER && p->q)
		(void)snprintf(q, sizeof(q), ";q=%u.%u", p->q / 10 & 1,
			       p->q % 10);

	(void)snprintf(id, sizeof(id), "%s-%u-%llu", p->user, ++p->seq,
		       (unsigned long long)p->w->net->now);
	r = req_new(p, meth, callid ? callid : id, p->seq);
	r->req = fmt("%s sip:%s@example.com SIP/2.0\r\n"
		"Via: SIP/2.0/%s %s;branch=z9hG4bKp%s%u\r\n"
		"Max-Forwards: 70\r\nFrom: <sip:%s@example.com>;tag=f%u\r\n"
		"To: <sip:%s@example.com>\r\nCall-ID: %s\r\nCSeq: %u %s\r\n"
		"%sContact: <%s>%s\r\nContent-Length: 0\r\n\r\n",
		sip_method_name(meth), to, via_tp(p),
		own_txt(p, txt), p->user, p->seq, p->aor, p->seq,
		to, r->callid, r->cseq, sip_method_name(meth),
		meth == SIP_INVITE ? "Supported: 100rel\r\n" : "", c, q);
	free(c);
	send_first(p, r);
	return r;
}

struct vreq *phone_register(struct vphone *p)
{
	return phone_send(p, SIP_REGISTER, p->aor, NULL);
}

void phone_again(struct vphone *p, struct vreq *r)
{
	r->back = p->w->net->now;
	send_now(p, r);
}

void phone_cut(struct vphone *p)
{
	uint32_t conn = sim_between(p->w->net, &p->host.addr,
				    &p->w->client.addr);

	if (conn)
		sim_cut(p->w->net, conn);
}

/** CANCEL, or ACK to a non-2xx, for a request */
static void send_like(struct vphone *p, const struct vreq *r,
		      const char *method, struct sl to)
{
	static struct sip_msg m;
	struct via v;
	char *t;

	if (!scan(&m, sl_cstr(r->req)) || via_top(&m, &v))
		abort();
	t = fmt("%s %.*s SIP/2.0\r\nVia: SIP/2.0/%.*s %.*s;branch=%.*s\r\n"
		"Max-Forwards: 70\r\nFrom: %.*s\r\nTo: %.*s\r\n"
		"Call-ID: %s\r\nCSeq: %u %s\r\nContent-Length: 0\r\n\r\n",
		method, SL_FMT(m.ruri), SL_FMT(v.tp), SL_FMT(v.sentby),
		SL_FMT(v.branch), SL_FMT(m.from), SL_FMT(to.n ? to : m.to),
		r->callid, r->cseq, method);
	send(p, t);
	free(t);
}

static void cancel_again(void *arg, uint64_t v)
{
	struct vphone *p = arg;
	struct vreq *r = &p->req[v];

	if (r->final || r->cancel_wait > T64)
		return;
	send_like(p, r, "CANCEL", SL_NONE);
	r->cancel_wait *= 2;
	sim_at(p->w->net, p->w->net->now + r->cancel_wait, cancel_again, p,
	       v);
}

void phone_cancel(struct vphone *p, struct vreq *r)
{
	if (!r->cancelled)
		r->cancelled = p->w->net->now;
	send_like(p, r, "CANCEL", SL_NONE);
	r->cancel_wait = T1;
	if (p->kind == SIM_DATAGRAM)
		sim_at(p->w->net, p->w->net->now + T1, cancel_again, p,
		       (uint64_t)(r - p->req));
}

/** Request in a dialog. ours, other: From and To values */
static struct vreq *dialog_send(struct vphone *p, const char *callid,
				enum sip_method meth, uint32_t cseq,
				struct sl ours, struct sl other,
				struct sl target, char *route,
				const char *extra)
{
	struct vreq *r = req_new(p, meth, callid, cseq);
	char txt[ADDR_TXT];
	char *c = contact_of(p);

	r->dialog = true;
	r->req = fmt("%s %.*s SIP/2.0\r\nVia: SIP/2.0/%s %s;"
		"branch=z9hG4bKd%s%u\r\n%sMax-Forwards: 70\r\n"
		"From: %.*s\r\nTo: %.*s\r\nCall-ID: %s\r\nCSeq: %u %s\r\n"
		"%sContact: <%s>\r\nContent-Length: 0\r\n\r\n",
		sip_method_name(meth), SL_FMT(target), via_tp(p),
		own_txt(p, txt), p->user, ++p->seq, route,
		SL_FMT(ours), SL_FMT(other), callid, cseq,
		sip_method_name(meth), extra, c);
	free(c);
	free(route);
	send_first(p, r);
	if (meth == SIP_ACK) {
		free(r->req);
		p->reqc--;
		return NULL;
	}
	return r;
}

static struct sl target_of(const struct sip_msg *m)
{
	struct name_addr na;

	return name_addr_parse(&na, sip_first(m, SIP_CONTACT)) ?
		SL("sip:nobody@invalid") : na.uri;
}

struct vreq *phone_in_dialog(struct vphone *p, struct vreq *r,
			     enum sip_method meth)
{
	static struct sip_msg m;

	if (!r->okmsg || !scan(&m, sl_cstr(r->okmsg)))
		abort();
	return dialog_send(p, r->callid, meth,
			   meth == SIP_ACK ? r->cseq : r->cseq + ++p->seq,
			   m.from, m.to, target_of(&m), routes(&m, true), "");
}

struct vreq *phone_early(struct vphone *p, struct vreq *r, unsigned n,
			 enum sip_method meth)
{
	static struct sip_msg m;
	char rack[48] = "";

	if (n >= r->earlyc || !scan(&m, sl_cstr(r->early[n].msg)))
		abort();
	if (meth == SIP_PRACK)
		(void)snprintf(rack, sizeof(rack), "RAck: 1 %u INVITE\r\n",
			       r->cseq);
	return dialog_send(p, r->callid, meth, r->cseq + ++p->seq, m.from,
			   m.to, target_of(&m), routes(&m, true), rack);
}

struct vreq *phone_callee_request(struct vphone *p, struct vinv *i,
				  enum sip_method meth)
{
	static struct sip_msg m;
	char *to;
	struct vreq *r;

	if (!scan(&m, sl_cstr(i->req)))
		abort();
	to = fmt("%.*s;tag=t%s", SL_FMT(m.to), p->user);
	r = dialog_send(p, i->callid, meth, 1000 + ++p->seq, sl_cstr(to),
			m.from, target_of(&m), routes(&m, false), "");
	free(to);
	return r;
}

void phone_raw(struct vphone *p, const char *text)
{
	struct buf b;
	char *t;

	buf_init(&b, 65536);
	for (; *text; text++) {
		if (*text == '\n')
			buf_chr(&b, '\r');
		buf_chr(&b, *text);
	}
	t = xdup(buf_as_sl(&b));
	send(p, t);
	free(t);
	buf_free(&b);
}

/* --- answering --- */

static void respond_with(struct vphone *p, const struct sip_msg *m,
			 uint16_t code, const char *tag, const char *more)
{
	char own[24], *extra, *c = contact_of(p), *rr = xdup(SL("")), *t;
	struct sip_iter it = { 0 };
	struct buf b;

	(void)snprintf(own, sizeof(own), "t%s", p->user);
	while (m->meth == SIP_INVITE && sip_iter(m, SIP_RECORD_ROUTE, &it)) {
		t = fmt("%sRecord-Route: %.*s\r\n", rr, SL_FMT(it.val));
		free(rr);
		rr = t;
	}
	extra = fmt("%s%sContact: <%s>\r\n", rr, more, c);
	buf_init(&b, 65536);
	reply_write(&b, m, &p->w->client.addr, code,
		    sl_cstr(sip_phrase(code)), sl_cstr(tag ? tag : own),
		    sl_cstr(extra));
	t = xdup(buf_as_sl(&b));
	send(p, t);
	free(t);
	free(c);
	free(rr);
	free(extra);
	buf_free(&b);
}

static void respond(struct vphone *p, const struct sip_msg *m, uint16_t code,
		    const char *tag)
{
	respond_with(p, m, code, tag, "");
}

/** A final answer is repeated until the ACK, RFC 3261 13.3.1.4, 17.2.1 */
static void answer_again(void *arg, uint64_t v)
{
	struct vphone *p = arg;
	struct vinv *i = &p->inv[v];
	static struct sip_msg m;

	if (i->acked || p->w->net->now - i->ended >= T64)
		return;
	if (!scan(&m, sl_cstr(i->req)))
		abort();
	respond(p, &m, i->code, *i->tag ? i->tag : NULL);
	i->wait = 2 * i->wait > T2 ? T2 : 2 * i->wait;
	sim_at(p->w->net, p->w->net->now + i->wait, answer_again, p, v);
}

void phone_answer(struct vphone *p, struct vinv *i, uint16_t code,
		  const char *tag)
{
	static struct sip_msg m;

	if (!scan(&m, sl_cstr(i->req)))
		abort();
	i->code = code;
	set(i->tag, sizeof(i->tag), sl_cstr(tag));
	/* a 2xx over TCP as well: the other end may be on UDP */
	if (code >= 200 && !i->over &&
	    (p->kind == SIM_DATAGRAM || code < 300)) {
		i->wait = T1;
		i->ended = p->w->net->now;
		sim_at(p->w->net, i->ended + T1, answer_again, p,
		       (uint64_t)(i - p->inv));
	}
	if (code >= 200 && !i->over)
		i->ended = p->w->net->now;
	if (code >= 200)
		i->over = true;
	i->answered = i->answered || code / 100 == 2;
	respond(p, &m, code, tag);
}

/** A reliable 183 is repeated until its PRACK, RFC 3262 3 */
static void reliable(void *arg, uint64_t v)
{
	struct vphone *p = arg;
	struct vinv *i = &p->inv[v];
	static struct sip_msg m;

	if (i->over || i->pracked || i->rwait > T64)
		return;
	if (!scan(&m, sl_cstr(i->req)))
		abort();
	i->code = 183;
	respond_with(p, &m, 183, NULL, "Require: 100rel\r\nRSeq: 1\r\n");
	i->rwait = i->rwait ? 2 * i->rwait : T1;
	sim_at(p->w->net, p->w->net->now + i->rwait, reliable, p, v);
}

static void ring(void *arg, uint64_t v)
{
	struct vphone *p = arg;

	if (p->inv[v].over)
		return;
	if (p->reliable && !p->inv[v].reinvite && !p->inv[v].rwait)
		reliable(p, v);
	if (p->reliable && !p->inv[v].reinvite)
		return;
	phone_answer(p, &p->inv[v], 180, NULL);
	/* repeated, as RFC 3261 13.3.1.1 has it, so that a lost one does no
	 * harm: who was never heard cannot be CANCELled. Slower than Timer C
	 * of these runs, which each copy restarts */
	sim_at(p->w->net, p->w->net->now + 24000, ring, p, v);
}

static void final(void *arg, uint64_t v)
{
	struct vphone *p = arg;

	if (!p->inv[v].over)
		phone_answer(p, &p->inv[v], p->code, NULL);
}

static void got_invite(struct vphone *p, const struct sip_msg *m)
{
	struct world *w = p->w;
	struct vinv *i;
	struct via v;

	if (via_top(m, &v))
		abort();
	for (unsigned k = 0; k < p->invc; k++) {
		i = &p->inv[k];
		if (sl_eq(sl_cstr(i->branch), v.branch)) {
			if (i->code && !i->acked)
				respond(p, m, i->code,
					*i->tag ? i->tag : NULL);
			return;                 /* retransmission */
		}
		if (!sl_eq(sl_cstr(i->callid), m->callid) ||
		    i->cseq != m->cseq)
			continue;
		p->dup_invites++;
		set(p->dup_callid, sizeof(p->dup_callid), m->callid);
	}
	if (p->invc == W_INVS)
		abort();
	i = &p->inv[p->invc];
	memset(i, 0, sizeof(*i));
	set(i->callid, sizeof(i->callid), m->callid);
	set(i->branch, sizeof(i->branch), v.branch);
	i->cseq = m->cseq;
	i->got = w->net->now;
	i->reinvite = sl_isset(m->to_tag);
	i->req = xdup(m->raw);
	if (p->ring != UINT32_MAX)
		sim_at(w->net, w->net->now + p->ring, ring, p, p->invc);
	if (p->answer != UINT32_MAX)
		sim_at(w->net, w->net->now + p->answer, final, p, p->invc);
	p->invc++;
}

static void got_cancel(struct vphone *p, const struct sip_msg *m)
{
	struct via v;

	if (via_top(m, &v))
		abort();
	respond(p, m, 200, NULL);
	for (unsigned k = 0; k < p->invc; k++) {
		struct vinv *i = &p->inv[k];

		if (!sl_eq(sl_cstr(i->branch), v.branch))
			continue;
		i->cancelled = true;
		if (!i->over)
			phone_answer(p, i, 487, NULL);
	}
}

static void got_request(struct vphone *p, const struct sip_msg *m)
{
	p->got[m->meth]++;
	free(p->last[m->meth]);
	p->last[m->meth] = xdup(m->raw);
	switch (m->meth) {
	case SIP_INVITE:
		got_invite(p, m);
		return;
	case SIP_CANCEL:
		got_cancel(p, m);
		return;
	case SIP_ACK:
		p->acks++;
		for (unsigned k = 0; k < p->invc; k++)
			if (sl_eq(sl_cstr(p->inv[k].callid), m->callid) &&
			    p->inv[k].cseq == m->cseq)
				p->inv[k].acked = true;
		return;
	default:
		for (unsigned k = 0; k < p->invc; k++) {
			if (!sl_eq(sl_cstr(p->inv[k].callid), m->callid))
				continue;
			if (m->meth == SIP_BYE)
				p->inv[k].bye = true;
			if (m->meth == SIP_PRACK)
				p->inv[k].pracked = true;
		}
		respond(p, m, 200, NULL);
		return;
	}
}

/* --- hearing answers --- */

static void got_2xx(struct vphone *p, struct vreq *r, const struct sip_msg *m)
{
	bool known = false;

	if (!r->okmsg)
		r->okmsg = xdup(m->raw);
	for (unsigned i = 0; i < r->tagc; i++)
		known = known || sl_eq(sl_cstr(r->tag[i]), m->to_tag);
	if (!known && r->tagc < 4) {
		set(r->tag[r->tagc++], sizeof(r->tag[0]), m->to_tag);
		r->ok++;
	}
	if (r->meth == SIP_INVITE) {
		uint32_t cseq = r->cseq;
		(void)dialog_send(p, r->callid, SIP_ACK, cseq, m->from, m->to,
				  target_of(m), routes(m, true), "");
	}
}

/** 101-199: the early dialog, and PRACK once when it asks for it */
static void got_1xx(struct vphone *p, struct vreq *r, const struct sip_msg *m)
{
	unsigned n = 0;

	if (r->provc < 16)
		r->prov[r->provc++] = m->status;
	if (!sl_isset(m->to_tag) || m->status == 100 ||
	    r->meth != SIP_INVITE)
		return;
	while (n < r->earlyc && !sl_eq(sl_cstr(r->early[n].tag), m->to_tag))
		n++;
	if (n == 4)
		return;
	if (n == r->earlyc)
		r->earlyc++;
	set(r->early[n].tag, sizeof(r->early[n].tag), m->to_tag);
	free(r->early[n].msg);
	r->early[n].msg = xdup(m->raw);
	if (!m->count[SIP_RSEQ] || r->early[n].pracked ||
	    p->reqc + 2 > W_REQS)
		return;
	r->early[n].pracked = true;
	(void)phone_early(p, r, n, SIP_PRACK);
}

static void got_response(struct vphone *p, const struct sip_msg *m)
{
	struct vreq *r = NULL;

	for (unsigned i = 0; i < p->reqc && !r; i++)
		if (sl_eq(sl_cstr(p->req[i].callid), m->callid) &&
		    p->req[i].cseq == m->cseq && p->req[i].meth == m->meth)
			r = &p->req[i];
	if (!r)
		return;
	if (m->status < 200) {
		got_1xx(p, r, m);
		return;
	}
	if (!r->final) {
		r->final = m->status;
		r->ended = p->w->net->now;
		r->retry_after = m->count[SIP_RETRY_AFTER] > 0;
	}
	if (m->status < 300) {
		got_2xx(p, r, m);
		return;
	}
	/* a copy that crossed our ACK is none */
	if (!r->non2xx || r->final != m->status)
		r->non2xx++;
	if (m->meth == SIP_INVITE)
		send_like(p, r, "ACK", m->to);
}

static void recv(struct sim_host *h, const struct sim_pkt *pkt)
{
	static struct sip_msg m;
	struct vphone *p = h->arg;

	if (sl_eq(pkt->data, SL("\r\n\r\n"))) {
		p->crlf++;
		return;
	}
	if (stun_is(pkt->data)) {
		p->stun++;
		return;
	}
	if (!scan(&m, pkt->data))
		abort();
	if (m.req)
		got_request(p, &m);
	else
		got_response(p, &m);
}

static void register_again(void *arg, uint64_t v)
{
	struct vphone *p = arg;

	if (v == p->downs && p->reqc + 2 <= W_REQS)
		(void)phone_register(p);
}

static void lost(struct sim_host *h, uint32_t conn, const struct addr *peer,
		 int err)
{
	struct vphone *p = h->arg;

	(void)peer;
	(void)err;
	if (p->downs < 32) {
		p->down_at[p->downs] = p->w->net->now;
		p->down_conn[p->downs] = conn;
	}
	p->downs++;
	if (p->back)
		sim_at(p->w->net, p->w->net->now + p->back, register_again, p,
		       p->downs);
}

struct vphone *world_phone_of(struct world *w, const char *name,
			      const char *aor, unsigned q, enum sim_kind kind)
{
	struct vphone *p = world_phone(w, name, kind);

	set(p->aor, sizeof(p->aor), sl_cstr(aor));
	p->q = q;
	return p;
}

struct vphone *world_phone(struct world *w, const char *user,
			   enum sim_kind kind)
{
	struct vphone *p = &w->phone[w->phonec];
	char txt[40];

	if (w->phonec == W_PHONES)
		abort();
	(void)snprintf(txt, sizeof(txt), w->v6 ? "[2001:db8::f%u]:%u" :
		       "198.51.100.%u:%u", 1 + w->phonec, 6000 + w->phonec);
	w->phonec++;
	p->req = calloc(W_REQS, sizeof(*p->req));
	p->inv = calloc(W_INVS, sizeof(*p->inv));
	if (!p->req || !p->inv)
		abort();
	p->w = w;
	p->kind = kind;
	set(p->user, sizeof(p->user), sl_cstr(user));
	set(p->aor, sizeof(p->aor), sl_cstr(user));
	p->ring = 10;
	p->answer = UINT32_MAX;
	p->code = 200;
	p->host = (struct sim_host){
		.name = p->user, .addr = addr_of(txt), .recv = recv,
		.lost = lost, .arg = p,
	};
	sim_add(w->net, &p->host);
	return p;
}

void vphone_close(struct vphone *p)
{
	for (unsigned i = 0; i < p->reqc; i++) {
		free(p->req[i].req);
		free(p->req[i].okmsg);
		for (unsigned n = 0; n < p->req[i].earlyc; n++)
			free(p->req[i].early[n].msg);
	}
	for (unsigned i = 0; i < p->invc; i++)
		free(p->inv[i].req);
	free(p->req);
	free(p->inv);
	for (int i = 0; i < SIP_M_N; i++)
		free(p->last[i]);
}

bool vreq_whole(const struct vreq *r)
{
	if (r->meth == SIP_INVITE && r->ok)
		return !r->non2xx;
	return r->non2xx + r->ok == 1;
}
