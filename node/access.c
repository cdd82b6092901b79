/**
 * @file access.c  Pure. Who may do what.
 */
#include "node/access.h"
#include "base/secret.h"
#include "sip/auth.h"
#include "sip/uri.h"
#include <errno.h>

int access_init(struct access *a, const struct node_config *cf,
		const struct users *users, const struct keyset *keys,
		const uint8_t secret[32])
{
	uint8_t key[SECRET_KEY];

	*a = (struct access){ .cf = cf, .users = users };
	access_rekey(a, keys);
	secret_derive(a->fake_key, secret, "fake user 1");
	secret_derive(key, secret, "nonces seen 1");
	/* no two nodes, and no two lives of one, make the same nonce */
	a->salt = secret_hash(key, "salt", 4);
	if (guess_alloc(&a->guess, key))
		return ENOMEM;
	return nonces_alloc(&a->nonces, NONCES_MAX, key);
}

void access_rekey(struct access *a, const struct keyset *keys)
{
	memset(a->nonce_key, 0, sizeof(a->nonce_key));
	for (uint32_t i = 0; i < keys->n; i++)
		secret_derive(a->nonce_key[i], keys->key[i], "nonce 2");
	a->nonce_keys = keys->n;
}

void access_close(struct access *a)
{
	nonces_free(a->nonces);
	guess_free(a->guess);
	a->nonces = NULL;
	a->guess = NULL;
}

int access_stats(struct access *a, struct stats *st)
{
	const struct nonces_stats *ns = nonces_stats(a->nonces);
	const struct stat_row row[] = {
		{ STAT_COUNTER, "node_auth_challenged_total",
		  "Requests answered 401 or 407", &a->challenged },
		{ STAT_COUNTER, "node_auth_passed_total",
		  "Requests with right credentials", &a->passed },
		{ STAT_COUNTER, "node_auth_wrong_total",
		  "Wrong password or unknown user", &a->wrong },
		{ STAT_COUNTER, "node_auth_stale_total",
		  "Right credentials with an old nonce", &a->stale },
		{ STAT_COUNTER, "node_auth_refused_total",
		  "Right credentials for an address that is another's",
		  &a->refused },
		{ STAT_COUNTER, "node_auth_foreign_nonces_total",
		  "Credentials whose nonce was not made for their sender",
		  &a->foreign },
		{ STAT_COUNTER, "node_auth_replayed_total",
		  "Right credentials that another request had used before",
		  &a->replayed },
		{ STAT_COUNTER, "node_auth_repeated_total",
		  "Requests heard twice with the same credentials",
		  &a->repeated },
		{ STAT_COUNTER, "node_auth_delayed_total",
		  "Credentials not looked at: too many were wrong before",
		  &a->delayed },
		{ STAT_COUNTER, "node_auth_by_old_total",
		  "Requests passed by what was known before the database went",
		  &a->by_old },
		{ STAT_COUNTER, "node_auth_unsure_total",
		  "Requests answered 500 because the database was away",
		  &a->unsure },
		{ STAT_COUNTER, "node_guess_evicted_total",
		  "Counts of wrong passwords that gave way to others",
		  &guess_stats(a->guess)->evicted },
		{ STAT_GAUGE, "node_nonces",
		  "Nonces whose use is remembered", &ns->known },
		{ STAT_COUNTER, "node_nonces_forced_total",
		  "Nonces forgotten early because there were too many",
		  &ns->forced },
	};
	return stat_rows(st, row, NULL, a);
}

static bool in_nets(const struct addr_net *v, uint32_t n,
		    const struct addr *src)
{
	for (uint32_t i = 0; i < n; i++) {
		if (addr_in_net(src, &v[i]))
			return true;
	}
	return false;
}

bool access_edge(const struct access *a, const struct addr *src)
{
	return in_nets(a->cf->edge_nets, a->cf->edge_n, src);
}

bool access_peer(const struct access *a, const struct addr *client)
{
	return in_nets(a->cf->peer_nets, a->cf->peer_n, client);
}

const struct node_domain *access_domain(const struct access *a,
					struct sl host)
{
	const struct node_domain *d = a->cf->domains.v;

	if (!host.n || host.n > NODE_DOMAIN_MAX)
		return NULL;
	if (a->cf->any_domain)
		return d;
	for (uint32_t i = 0; i < a->cf->domains.n; i++) {
		if (sl_ieq(sl_cstr(d[i].name), host))
			return &d[i];
	}
	return NULL;
}

/* One request under examination */
struct exam {
	struct access *a;
	const struct sip_msg *m;
	bool reg;
	char realm_mem[NODE_DOMAIN_MAX];
	struct sl realm;
	uint32_t algs;
	struct auth_cred cred;
	const struct addr *client;
	enum access_users users;
	uint64_t now, wall;
	char bind_mem[NODE_DOMAIN_MAX + 1 + 8];
	struct sl bind;        /* what a nonce holds for: realm, source */
	struct sl source;
};

/* The host part of From or To, or of the Request-URI */
static struct sl host_of(struct sl val, bool name_addr)
{
	struct name_addr na = { .uri = val };
	struct uri u;

	if (name_addr && name_addr_parse(&na, val))
		return SL_NONE;
	if (uri_parse(&u, na.uri)
	    || (u.scheme != URI_SIP && u.scheme != URI_SIPS))
		return SL_NONE;
	return u.host;
}

/* RFC 3323 4.1.1.3: the From of a caller who withholds his name */
static bool is_anonymous(struct sl from_host)
{
	return sl_ieq(from_host, SL("anonymous.invalid"));
}

/* A nonce is for the source it was sent to. So whoever shows one can hear our
 * answers: the source of a guess is no invention, and what was overheard is of
 * no use elsewhere. IPv6: whoever has an address has its /64. */
static void bind_nonce(struct exam *x)
{
	struct buf b;

	buf_fixed(&b, x->bind_mem, sizeof(x->bind_mem));
	buf_sl(&b, x->realm);
	buf_chr(&b, ' ');
	if (x->client)
		buf_put(&b, x->client->ip, x->client->af == 4 ? 4 : 8);
	x->bind = buf_as_sl(&b);
	x->source = sl_sub(x->bind, x->realm.n + 1, x->bind.n);
}

/* Realm = domain of the AoR served: To for REGISTER, else From; a caller
 * without a name is asked in the name of the domain he calls. */
static const struct node_domain *pick_realm(struct exam *x)
{
	struct sl host = host_of(x->reg ? x->m->to : x->m->from, true);
	const struct node_domain *d;

	if (!x->reg && is_anonymous(host))
		host = host_of(x->m->ruri, false);
	d = access_domain(x->a, host);
	if (!d || host.n > sizeof(x->realm_mem))
		return NULL;
	x->realm = sl_lower(x->realm_mem, host);
	x->algs = d->algs;
	bind_nonce(x);
	return d;
}

/* Credentials for our realm among all that came; others are not ours */
static bool find_cred(struct exam *x)
{
	enum sip_hid id = x->reg ? SIP_AUTHORIZATION
		: SIP_PROXY_AUTHORIZATION;
	const struct sip_hdr *h;

	for (h = sip_hdr(x->m, id); h; h = sip_hdr_next(x->m, h)) {
		if (auth_cred_parse(&x->cred, sip_val(x->m, h)))
			continue;
		if (!sl_ieq(x->cred.realm, x->realm)
		    || !(x->algs & 1u << x->cred.alg))
			continue;
		return true;
	}
	return false;
}

/* The user's name as the table has it: canonical user part @ realm */
static bool user_aor(const struct exam *x, struct buf *b)
{
	struct sl name = x->cred.username;
	char mem[256];

	if (!name.n || name.n > sizeof(mem) || sl_chr(name, '@') < name.n)
		return false;
	buf_sl(b, auth_unq(mem, name));
	buf_chr(b, '@');
	buf_sl(b, x->realm);
	return !b->err;
}

/* An unknown user is checked too, against a secret of his own that nobody
 * knows: the same work and the same answer as for a wrong password. */
static bool check(const struct exam *x, const struct user *us, struct sl aor)
{
	char hex[AUTH_HEX_MAX];
	uint8_t mac[32];
	struct buf b;
	struct sl ha1 = us ? us->ha1[x->cred.alg] : SL_NONE;
	bool known = ha1.n > 0;

	secret_mac(mac, x->a->fake_key, aor.p, aor.n);
	memcpy(mac + 16, mac, 16);
	buf_fixed(&b, hex, sizeof(hex));
	buf_hex(&b, mac, x->cred.alg == AUTH_MD5 ? 16 : 32);
	if (!known)
		ha1 = buf_as_sl(&b);
	return auth_check(&x->cred, ha1, x->m->method) && known;
}

/* RFC 7616 3.4.6: the URI in the credentials is the one asked for. Some
 * phones leave out port or parameters, so the AoR forms are compared. */
static bool same_uri(const struct exam *x)
{
	char m1[SIP_AOR_MAX], m2[SIP_AOR_MAX];
	struct buf b1, b2;

	if (sl_eq(x->cred.uri, x->m->ruri))
		return true;
	buf_fixed(&b1, m1, sizeof(m1));
	buf_fixed(&b2, m2, sizeof(m2));
	if (aor_canon(&b1, x->cred.uri) || aor_canon(&b2, x->m->ruri))
		return false;
	return sl_eq(buf_as_sl(&b1), buf_as_sl(&b2));
}

static void challenge(struct exam *x, bool stale, struct buf *extra,
		      struct access_verdict *v)
{
	char mem[AUTH_NONCE_MAX * 2];
	struct buf nonce;

	buf_fixed(&nonce, mem, sizeof(mem));
	auth_nonce_make(&nonce, x->a->nonce_key[0], x->bind, x->wall,
			x->a->salt++);
	auth_challenge(extra, !x->reg, x->realm, buf_as_sl(&nonce), x->algs,
		       stale);
	x->a->challenged++;
	v->code = x->reg ? 401 : 407;
	v->why = sip_phrase(v->code);
}

static void refuse(struct exam *x, struct access_verdict *v, const char *why)
{
	x->a->refused++;
	v->code = 403;
	v->why = why;
}

/* An AoR may be used by its owner alone */
static bool owns(struct sl user, struct sl val)
{
	struct name_addr na;
	char mem[SIP_AOR_MAX];
	struct buf b;

	buf_fixed(&b, mem, sizeof(mem));
	return !name_addr_parse(&na, val) && !aor_canon(&b, na.uri)
		&& sl_eq(buf_as_sl(&b), user);
}

static uint32_t number(struct sl hex)
{
	uint64_t v = 0;

	(void)sl_hex_u64(hex, &v);
	return (uint32_t)v;
}

/* What a request and its repetition have in common, whichever way they came */
static uint32_t request_hash(const struct exam *x)
{
	uint8_t mac[16];
	struct buf b;
	char mem[1024];
	uint32_t h;

	buf_fixed(&b, mem, sizeof(mem));
	buf_u64(&b, x->m->cseq);
	buf_sl(&b, x->cred.response);
	buf_sl(&b, sl_sub(x->m->from_tag, 0, 128));
	buf_chr(&b, ' ');
	buf_sl(&b, sl_sub(x->m->callid, 0, 512));
	secret_mac(mac, x->a->fake_key, b.p, b.n);
	memcpy(&h, mac, sizeof(h));
	return h;
}

/* RFC 7616 3.4: a count is good for one request. Without one (RFC 2069) the
 * nonce is. */
static bool used_before(struct exam *x)
{
	struct access *a = x->a;
	const struct nonces_use u = {
		.nonce = x->cred.nonce,
		.made = auth_nonce_time(x->cred.nonce),
		.nc = sl_isset(x->cred.qop) ? number(x->cred.nc) : 0,
		.request = request_hash(x),
		.age = a->cf->nonce_age * 1000,
	};

	switch (nonces_use(a->nonces, &u, x->now)) {
	case NONCES_NEW:
		return false;
	case NONCES_AGAIN:
		a->repeated++;
		return false;
	case NONCES_REPLAY:
	case NONCES_LOST:
		break;
	}
	a->replayed++;
	return true;
}

/* An answer to a try within that time would look like any to a wrong one: a
 * guesser cannot tell which of his tries were looked at. Where the owner's
 * phone is registered from is known on all nodes, and after a restart. */
static bool at_home(const struct exam *x, struct sl aor)
{
	return x->a->loc && x->client
		&& location_from(x->a->loc, aor, x->client, x->wall);
}

static bool has_to_wait(const struct exam *x, struct sl aor)
{
	const struct guess_who w = { aor, x->source };

	return guess_closed(x->a->guess, &w, x->now) && !at_home(x, aor);
}

static void note_wrong(struct exam *x, struct sl aor)
{
	struct access *a = x->a;
	const struct guess_who w = { aor, x->source };
	uint64_t max = (uint64_t)a->cf->auth_delay * 1000;
	uint64_t wait = guess_wrong(a->guess, &w, max, x->now);
	char txt[ADDR_TXT];

	a->wrong++;
	if (wait && log_allow(&a->lim_guess, 10, x->now))
		log_warn("event=guessing client=%s aor=%s wait=%llums "
			 "text=\"too many wrong passwords\"",
			 x->client ? addr_txt(x->client, txt) : "-",
			 log_esc(aor), (unsigned long long)wait);
}

/* What remains once the password was right */
static void judge_owner(struct exam *x, struct sl aor,
			struct access_verdict *v)
{
	const struct guess_who w = { aor, x->source };

	if (!same_uri(x)) {
		v->code = 400;
		v->why = "Digest For Another URI";
		return;
	}
	x->a->passed++;
	guess_right(x->a->guess, &w, x->now);
	v->realm = x->cred.realm;
	if (x->reg && !owns(aor, x->m->to))
		refuse(x, v, "Not Your Address");
	else if (!owns(aor, x->m->from)
		 && (x->reg || !is_anonymous(host_of(x->m->from, true))))
		refuse(x, v, "From Is Not Yours");
}

static void look_up(const struct exam *x, struct sl name,
		    struct subs_view *u)
{
	const struct access *a = x->a;

	if (!a->subs) {
		*u = (struct subs_view){ users_find(a->users, name), true,
					 true };
		return;
	}
	subs_view(a->subs, name, x->now, u);
	if (x->users == ACCESS_TOLD)
		u->yes = u->no = true;
}

/* A no of what may be old is none. No challenge either: the phone would think
 * that its password is wrong. 500 and not 503: the node is well, and another
 * one may know this user. @return there is nothing to judge by now */
static bool is_unsure(struct exam *x, const struct subs_view *u, bool right,
		      struct buf *extra, struct access_verdict *v)
{
	if (right ? u->yes : u->no)
		return false;
	if (x->users == ACCESS_ASK) {
		v->need = sl_sub(sl_cstr(x->a->name), 4, SIZE_MAX);
		return true;
	}
	if (right) {
		x->a->by_old++;
		return false;
	}
	x->a->unsure++;
	v->code = 500;
	v->why = "User Database Away";
	buf_lit(extra, "Retry-After: 5\r\n");
	return true;
}

/* Another node may have made it with the key that is our second one */
static enum auth_nonce judge_nonce(const struct exam *x)
{
	const struct access *a = x->a;
	enum auth_nonce v = NONCE_FORGED;

	for (uint32_t i = 0; v == NONCE_FORGED && i < a->nonce_keys; i++)
		v = auth_nonce_check(x->cred.nonce, a->nonce_key[i], x->bind,
				     x->wall, a->cf->nonce_age);
	return v;
}

static void judge_password(struct exam *x, struct sl aor, struct buf *extra,
			   struct access_verdict *v)
{
	enum auth_nonce nonce = judge_nonce(x);
	const struct sl name = sl_sub(sl_cstr(x->a->name), 4, SIZE_MAX);
	struct subs_view u;
	bool right;

	/* not looked at, so that nobody guesses without our hearing of it.
	 * "stale" makes a phone that moved try again by itself */
	if (nonce == NONCE_FORGED) {
		x->a->foreign++;
		challenge(x, true, extra, v);
		return;
	}
	if (has_to_wait(x, aor)) {
		x->a->delayed++;
		challenge(x, false, extra, v);
		return;
	}
	look_up(x, name, &u);
	right = check(x, u.user, aor);
	if (is_unsure(x, &u, right, extra, v))
		return;
	if (!right) {
		if (x->users == ACCESS_TOLD)
			subs_no(x->a->subs, name, x->now);
		note_wrong(x, aor);
		challenge(x, false, extra, v);
		return;
	}
	/* the password is right, so the phone need not ask its user again */
	if (nonce == NONCE_STALE) {
		x->a->stale++;
		challenge(x, true, extra, v);
		return;
	}
	if (used_before(x))
		challenge(x, true, extra, v);
	else
		judge_owner(x, aor, v);
}

static void judge(struct exam *x, struct buf *extra,
		  struct access_verdict *v)
{
	char canon[SIP_AOR_MAX];
	struct buf b, c;

	buf_fixed(&b, x->a->name, sizeof(x->a->name) - 1);
	buf_lit(&b, "sip:");
	buf_fixed(&c, canon, sizeof(canon));
	if (!find_cred(x) || !user_aor(x, &b)
	    || sl_chr(buf_as_sl(&b), 0) < b.n
	    || aor_canon(&c, buf_as_sl(&b))) {
		challenge(x, false, extra, v);
		return;
	}
	x->a->name[b.n] = 0;
	judge_password(x, buf_as_sl(&c), extra, v);
}

void access_check(struct access *a, const struct access_ask *q,
		  struct buf *extra, struct access_verdict *v)
{
	const struct sip_msg *m = q->m;
	struct exam x = { .a = a, .m = m, .now = q->now, .wall = q->wall,
			  .client = q->client, .users = q->users,
			  .reg = m->meth == SIP_REGISTER };

	*v = (struct access_verdict){ 0 };
	if (m->meth == SIP_ACK || m->meth == SIP_CANCEL
	    || a->cf->auth == NODE_AUTH_OFF
	    || (q->client && access_peer(a, q->client)))
		return;
	if (!pick_realm(&x)) {
		refuse(&x, v, "From Is Not Served Here");
		return;
	}
	judge(&x, extra, v);
}
