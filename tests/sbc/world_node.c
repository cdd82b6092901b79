/* world_node.c - Test support. A stand-in for a node: keeps contacts with their
 * Path, forks in parallel, relays; no retransmissions (the core side is TCP). */
#include "sip/inner.h"
#include "sip/oc.h"
#include "world_i.h"

static void send(struct vnode *n, uint32_t conn, const char *txt)
{
	struct world *w = n->w;

	if (w->udp_core)
		sim_datagram(w->net, &n->host.addr, &w->core.addr,
			     sl_cstr(txt));
	else
		sim_stream(w->net, &n->host.addr, conn, sl_cstr(txt));
}

/** Answer made by the node */
void vnode_answer(struct vnode *n, uint32_t conn, const struct sip_msg *m,
		  uint16_t code, const char *extra)
{
	struct buf b;
	char tag[24];
	char *t, *at, *more;

	(void)snprintf(tag, sizeof(tag), "node%u", n->idx);
	buf_init(&b, 65536);
	reply_write(&b, m, &n->w->core.addr, code,
		    sl_cstr(sip_phrase(code)), sl_cstr(tag), sl_cstr(extra));
	t = xdup(buf_as_sl(&b));
	at = strstr(t, OC_OFFER);
	n->offered += at != NULL;
	if (n->oc && at) {
		*at = '\0';
		more = fmt("%s%s%s", t, n->oc, at + strlen(OC_OFFER));
		free(t);
		t = more;
	}
	send(n, conn, t);
	free(t);
	buf_free(&b);
}

/** Without the Via on top */
static char *pop_via(const struct sip_msg *m)
{
	const struct sip_hdr *h = sip_hdr(m, SIP_VIA);

	return fmt("%.*s%.*s", (int)h->off, m->raw.p,
		   (int)(m->raw.n - h->end), m->raw.p + h->end);
}

static void do_register(struct vnode *n, uint32_t conn, const struct sip_msg *m)
{
	struct world *w = n->w;
	struct name_addr na;
	struct uri u;
	unsigned i;
	char *extra;

	if (name_addr_parse(&na, m->to) || uri_parse(&u, na.uri))
		return;
	for (i = 0; i < w->locc; i++)
		if (sl_eq(sl_cstr(w->loc[i].user), u.user) &&
		    strstr(w->loc[i].contact, "@") &&
		    !name_addr_parse(&na, sip_first(m, SIP_CONTACT)) &&
		    sl_eq(sl_cstr(w->loc[i].contact), na.uri))
			break;
	if (i == 32)
		abort();
	if (i == w->locc)
		w->locc++;
	if (name_addr_parse(&na, sip_first(m, SIP_CONTACT)))
		return;
	set(w->loc[i].user, sizeof(w->loc[i].user), u.user);
	set(w->loc[i].contact, sizeof(w->loc[i].contact), na.uri);
	set(w->loc[i].path, sizeof(w->loc[i].path), sip_first(m, SIP_PATH));
	extra = fmt("Contact: <%s>\r\nPath: %s\r\n"
		    "Edgewise-Note: from 10.0.0.%u\r\n%s",
		    w->loc[i].contact, w->loc[i].path, 11 + n->idx,
		    n->reg_more ? n->reg_more : "");
	vnode_answer(n, conn, m, 200, extra);
	free(extra);
}

static struct vcall *vcall_new(struct vnode *n)
{
	for (unsigned i = 0; i < W_VCALLS; i++)
		if (!n->call[i].used) {
			memset(&n->call[i], 0, sizeof(n->call[i]));
			n->call[i].used = true;
			return &n->call[i];
		}
	abort();
}

/** Send the request of c to all contacts */
static void branch_out(struct vnode *n, struct vcall *c, const char *raw)
{
	static struct sip_msg m;
	struct world *w = n->w;
	char rr[400] = "";
	struct uri u;

	if (n->rr)
		(void)snprintf(rr, sizeof(rr), "Record-Route: %s<sip:10.0.0."
			       "%u;lr;did=7.%u>\r\n",
			       n->rr_more ? n->rr_more : "", 11 + n->idx,
			       n->idx);
	if (!scan(&m, sl_cstr(raw)) || uri_parse(&u, m.ruri))
		abort();
	for (unsigned i = 0; i < w->locc && c->forkc < W_FORKS; i++) {
		unsigned k = c->forkc;
		size_t after = (size_t)(m.ruri.p + m.ruri.n - m.raw.p);
		const struct sip_hdr *v = sip_hdr(&m, SIP_VIA);

		if (!sl_eq(sl_cstr(w->loc[i].user), u.user))
			continue;
		(void)snprintf(c->fork[k].branch, sizeof(c->fork[k].branch),
			       "z9hG4bKn%u.%u.%llu", n->idx, ++n->branches,
			       (unsigned long long)w->net->now);
		c->fork[k].req = fmt("%.*s %s%.*sVia: SIP/2.0/TCP 10.0.0.%u:"
			"5060;branch=%s\r\nRoute: %s\r\n%s%.*s",
			(int)m.method.n, m.method.p, w->loc[i].contact,
			(int)(v->off - after), m.raw.p + after,
			11 + n->idx, c->fork[k].branch, w->loc[i].path, rr,
			(int)(m.raw.n - v->off), m.raw.p + v->off);
		c->forkc++;
		send(n, c->conn, c->fork[k].req);
	}
}

struct late {
	struct vnode *n;
	struct vcall *c;
	uint64_t ends;
};

static void fork_late(void *arg, uint64_t v)
{
	struct late *l = arg;

	(void)v;
	if (l->n->host.state == SIM_UP && l->n->host.ends == l->ends &&
	    !l->c->done)
		branch_out(l->n, l->c, l->c->raw);
	free(l);
}

/** In a dialog with itself: the caller's token comes back in Record-Route */
static void answer_itself(struct vnode *n, uint32_t conn,
			  const struct sip_msg *m)
{
	struct sl rr = sip_first(m, SIP_RECORD_ROUTE);
	char *extra = fmt("Contact: <sip:box@example.com>\r\n"
			  "Record-Route: %.*s\r\n", SL_FMT(rr));

	vnode_answer(n, conn, m, 200, extra);
	free(extra);
}

static void do_request(struct vnode *n, uint32_t conn, const struct sip_msg *m)
{
	struct world *w = n->w;
	struct vcall *c;
	struct uri u;
	struct via v;
	unsigned i;

	if (n->mode == V_MUTE)
		return;
	if (n->mode == V_ERROR) {
		vnode_answer(n, conn, m, 500, "");
		return;
	}
	if (n->mode == V_ANSWER && m->meth == SIP_INVITE) {
		answer_itself(n, conn, m);
		return;
	}
	if (n->mode == V_BUSY) {
		vnode_answer(n, conn, m, 503, "Retry-After: 1\r\n");
		return;
	}
	if (m->meth == SIP_REGISTER) {
		do_register(n, conn, m);
		return;
	}
	if (m->meth == SIP_INVITE)
		vnode_answer(n, conn, m, 100, "");
	if (n->mode == V_TRYING)
		return;
	if (uri_parse(&u, m->ruri) || via_top(m, &v))
		abort();
	for (i = 0; i < w->locc; i++)
		if (sl_eq(sl_cstr(w->loc[i].user), u.user))
			break;
	if (i == w->locc) {
		vnode_answer(n, conn, m, 404, "Warning: 399 10.0.0.11 \"not here\""
		       "\r\nServer: node at 10.0.0.11\r\n");
		return;
	}
	c = vcall_new(n);
	c->conn = conn;
	c->raw = xdup(m->raw);
	set(c->callid, sizeof(c->callid), m->callid);
	set(c->up_branch, sizeof(c->up_branch), v.branch);
	if (n->fork_delay) {
		struct late *l = calloc(1, sizeof(*l));

		if (!l)
			abort();
		*l = (struct late){ n, c, n->host.ends };
		sim_at(w->net, w->net->now + n->fork_delay, fork_late, l, 0);
		return;
	}
	branch_out(n, c, c->raw);
}

void node_fork_more(struct vnode *n, struct vcall *c)
{
	branch_out(n, c, c->raw);
}

/** A request of a dialog whose first Route names us: on to the next one */
static bool pass_dialog(struct vnode *n, uint32_t conn,
			const struct sip_msg *m)
{
	const struct sip_hdr *v = sip_hdr(m, SIP_VIA);
	const struct sip_hdr *r = sip_hdr(m, SIP_ROUTE);
	char mine[32], branch[64], *t;
	struct vcall *c;
	struct via via;

	(void)snprintf(mine, sizeof(mine), "<sip:10.0.0.%u;", 11 + n->idx);
	if (!n->rr || !r || via_top(m, &via) ||
	    !sl_starts(sip_val(m, r), sl_cstr(mine)))
		return false;
	/* hop by hop */
	if (m->meth == SIP_CANCEL)
		return false;
	for (unsigned i = 0; m->meth == SIP_ACK && i < W_VCALLS; i++)
		if (n->call[i].used &&
		    sl_eq(sl_cstr(n->call[i].up_branch), via.branch))
			return true;
	n->passed++;
	(void)snprintf(branch, sizeof(branch), "z9hG4bKn%u.%u.%llu", n->idx,
		       ++n->branches, (unsigned long long)n->w->net->now);
	t = fmt("%.*sVia: SIP/2.0/TCP 10.0.0.%u:5060;branch=%s\r\n%.*s%.*s",
		(int)v->off, m->raw.p, 11 + n->idx, branch,
		(int)(r->off - v->off), m->raw.p + v->off,
		(int)(m->raw.n - r->end), m->raw.p + r->end);
	send(n, conn, t);
	if (m->meth == SIP_ACK) {
		free(t);
		return true;
	}
	c = vcall_new(n);
	c->conn = conn;
	set(c->callid, sizeof(c->callid), m->callid);
	set(c->up_branch, sizeof(c->up_branch), via.branch);
	set(c->fork[0].branch, sizeof(c->fork[0].branch), sl_cstr(branch));
	c->fork[0].req = t;
	c->forkc = 1;
	return true;
}

/** CANCEL or ACK for a forked INVITE: from its text */
static void send_like(struct vnode *n, struct vcall *c, unsigned k,
		      const char *method, struct sl to)
{
	static struct sip_msg m;
	struct sl r;
	char *t;

	if (!scan(&m, sl_cstr(c->fork[k].req)))
		abort();
	r = sip_first(&m, SIP_ROUTE);
	t = fmt("%s %.*s SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.%u:5060;branch=%s"
		"\r\nRoute: %.*s\r\nMax-Forwards: 70\r\nFrom: %.*s\r\n"
		"To: %.*s\r\nCall-ID: %s\r\nCSeq: %u %s\r\n"
		"Content-Length: 0\r\n\r\n", method, SL_FMT(m.ruri),
		11 + n->idx, c->fork[k].branch, SL_FMT(r), SL_FMT(m.from),
		SL_FMT(to.n ? to : m.to), c->callid, m.cseq, method);
	send(n, c->conn, t);
	free(t);
}

static void do_cancel(struct vnode *n, uint32_t conn, const struct sip_msg *m)
{
	struct via v;

	vnode_answer(n, conn, m, 200, "");
	if (via_top(m, &v))
		return;
	for (unsigned i = 0; i < W_VCALLS; i++) {
		struct vcall *c = &n->call[i];

		if (!c->used || c->done ||
		    !sl_eq(sl_cstr(c->up_branch), v.branch))
			continue;
		for (unsigned k = 0; k < c->forkc; k++)
			if (!c->fork[k].over)
				send_like(n, c, k, "CANCEL", SL_NONE);
	}
}

static void do_response(struct vnode *n, const struct sip_msg *m)
{
	struct vcall *c = NULL;
	unsigned k = 0, i;
	struct via v;
	char *up;

	if (via_top(m, &v))
		return;
	for (i = 0; i < W_VCALLS && !c; i++)
		for (k = 0; n->call[i].used && k < n->call[i].forkc; k++)
			if (sl_eq(sl_cstr(n->call[i].fork[k].branch),
				  v.branch)) {
				c = &n->call[i];
				break;
			}
	if (c && m->meth == SIP_INVITE) {
		n->got100 += m->status == 100;
		n->got18x += m->status > 100 && m->status < 200;
	}
	if (!c || m->status == 100 || m->meth == SIP_CANCEL)
		return;
	up = pop_via(m);
	if (m->status < 300) {
		if (m->meth == SIP_INVITE && !n->old &&
		    sip_hdr_name(m, SL(INNER_TOLD)))
			n->passed_by++;
		else
			send(n, c->conn, up);
		free(up);
		if (m->status < 200)
			return;
		c->fork[k].over = true;
		for (i = 0; i < c->forkc && !c->done; i++)
			if (!c->fork[i].over)
				send_like(n, c, i, "CANCEL", SL_NONE);
		c->done = true;
		return;
	}
	if (m->meth == SIP_INVITE)
		send_like(n, c, k, "ACK", m->to);
	if (!c->fork[k].over)
		c->failed++;
	c->fork[k].over = true;
	if (!c->best || m->status != 487) {
		free(c->best);
		c->best = xdup(sl_cstr(up));
	}
	free(up);
	if (c->failed == c->forkc && !c->done) {
		c->done = true;
		send(n, c->conn, c->best);
	}
}

/** Connections that ended */
static bool told(struct vnode *n, uint32_t conn, const struct sip_msg *m)
{
	struct sl rest = m->body, a, b;

	if (!inner_is(m, SL(INNER_GONE)))
		return false;
	n->told++;
	set(n->told_last, sizeof(n->told_last), m->body);
	while (!n->told_code && inner_line(&rest, &a, &b))
		n->told_lines++;
	if (n->told_code != 1)
		vnode_answer(n, conn, m, n->told_code ? n->told_code : 200,
			     "");
	return true;
}

static void recv(struct sim_host *h, const struct sim_pkt *p)
{
	static struct sip_msg m;
	struct vnode *n = h->arg;

	if (!scan(&m, p->data))
		abort();
	if (!m.req && (sl_ieq(sip_first(&m, SIP_CONTENT_TYPE),
			      SL(INNER_KEEP)) ||
		       sl_ieq(sip_first(&m, SIP_CONTENT_TYPE),
			      SL(INNER_ASK)))) {
		n->kept++;
		set(n->kept_last, sizeof(n->kept_last), m.body);
		return;
	}
	if (!m.req) {
		if (!n->deaf || m.meth != SIP_INVITE)
			do_response(n, &m);
		return;
	}
	n->got[m.meth]++;
	if (n->mode == V_NORMAL && pass_dialog(n, p->conn, &m))
		return;
	if (told(n, p->conn, &m))
		return;
	if (m.meth == SIP_OPTIONS && m.count[SIP_VIA] == 1 &&
	    !memchr(m.ruri.p, '@', m.ruri.n))
		vnode_answer(n, p->conn, &m, n->sick ? 503 : 200,
		       n->oc || n->foreign ? "" :
		       n->old ? "Edgewise-Health: state=ready\r\n" :
		       "Edgewise-Health: state=ready;told=yes\r\n");
	else if (m.meth == SIP_CANCEL)
		do_cancel(n, p->conn, &m);
	else if (m.meth != SIP_ACK)
		do_request(n, p->conn, &m);
}

/** A process that died forgets its calls */
static void lost(struct sim_host *h, uint32_t conn, const struct addr *peer,
		 int err)
{
	(void)h;
	(void)conn;
	(void)peer;
	(void)err;
}

void vnode_init(struct world *w, unsigned i)
{
	struct vnode *n = &w->node[i];
	char txt[32];

	(void)snprintf(txt, sizeof(txt), "10.0.0.%u:5060", 11 + i);
	n->w = w;
	n->idx = i;
	n->host = (struct sim_host){
		.name = "node", .addr = addr_of(txt), .recv = recv,
		.lost = lost, .arg = n,
	};
	sim_add(w->net, &n->host);
	if (w->ops)
		w->ops->init(n);
}

void vnode_close(struct vnode *n)
{
	for (unsigned i = 0; i < W_VCALLS; i++) {
		for (unsigned k = 0; k < W_FORKS; k++)
			free(n->call[i].fork[k].req);
		free(n->call[i].best);
		free(n->call[i].raw);
	}
}

struct vnode *world_node_of(struct world *w, const char *user)
{
	static const uint8_t zero[SECRET_KEY];
	char aor[64];
	uint16_t idx;

	(void)snprintf(aor, sizeof(aor), "%s@example.com", user);
	if (disp_pick(edge_disp(w->edge), secret_hash(zero, aor, strlen(aor)),
		      NULL, &idx, w->net->now))
		abort();
	return &w->node[idx];
}

void node_kill(struct vnode *n)
{
	sim_kill(n->w->net, &n->host);
	if (n->w->ops) {
		n->w->ops->kill(n);
		return;
	}
	/* a new process knows nothing of the old one's calls */
	vnode_close(n);
	memset(n->call, 0, sizeof(n->call));
}

void node_raw(struct vnode *n, const char *text)
{
	uint32_t conn = sim_connect(n->w->net, &n->host.addr,
				    &n->w->core.addr);
	struct buf b;

	buf_init(&b, 65536);
	for (; *text; text++) {
		if (*text == '\n')
			buf_chr(&b, '\r');
		buf_chr(&b, *text);
	}
	sim_stream(n->w->net, &n->host.addr, conn, buf_as_sl(&b));
	buf_free(&b);
}

void node_batch(struct vnode *n, const char *kind, const char *body,
		const char *more)
{
	size_t len = 0;
	char *txt;

	/* node_raw() makes two bytes of each line end */
	for (const char *p = body; *p; p++)
		len += *p == '\n' ? 2 : 1;
	txt = malloc(len + 4000);
	if (!txt)
		abort();
	(void)snprintf(txt, len + 4000, "OPTIONS sip:10.0.0.1:5070 SIP/2.0\n"
		       "Via: SIP/2.0/TCP 10.0.0.11:5060;branch=z9hG4bKpbx\n"
		       "%sMax-Forwards: 70\nFrom: <sip:ping@x>;tag=1\n"
		       "To: <sip:10.0.0.1>\nCall-ID: k%llu\nCSeq: 1 OPTIONS\n"
		       "Content-Type: application/edgewise-%s\n"
		       "Content-Length: %zu\n\n%s", more,
		       (unsigned long long)n->w->net->now, kind, len, body);
	node_raw(n, txt);
	free(txt);
}

const char *world_token(const struct world *w, unsigned i)
{
	static char t[2][256];
	char *p = t[i % 2];

	(void)snprintf(p, 256, "%s", w->loc[i].path + 5);
	*strchr(p, '@') = '\0';
	return p;
}

void world_foreign(struct world *w)
{
	for (int i = 0; i < W_NODES; i++)
		w->node[i].foreign = true;
	world_run(w, 2500);          /* a probe or two */
}
