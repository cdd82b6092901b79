/* hide.c - Pure. What one side may see of the other. */
#include "sbc/hide.h"
#include "sip/hop.h"

void hide_inside_add(struct hide_conf *hc, const struct addr *a)
{
	char *t = hc->inside[hc->insidec];
	struct sl s;
	struct buf b;

	if (hc->insidec >= HIDE_INSIDE || addr_is_any(a))
		return;
	buf_fixed(&b, t, sizeof(hc->inside[0]) - 1);
	addr_put_ip(&b, a);
	if (b.err)
		return;
	s = buf_as_sl(&b);
	t[s.n] = '\0';
	/* without the brackets: a text may have it either way */
	if (s.n > 2 && t[0] == '[') {
		memmove(t, t + 1, s.n - 2);
		t[s.n - 2] = '\0';
	}
	for (uint32_t i = 0; i < hc->insidec; i++)
		if (!strcmp(hc->inside[i], t))
			return;
	hc->insidec++;
}

/** Is `needle` in s, not as part of a longer number or name? */
static bool has_text(struct sl s, struct sl needle)
{
	for (size_t i = 0; i + needle.n <= s.n; i++) {
		const char *p = s.p + i;

		if (*p != *needle.p || memcmp(p, needle.p, needle.n))
			continue;
		if (i + needle.n < s.n && p[needle.n] >= '0' &&
		    p[needle.n] <= '9')
			continue;
		if (i && p[-1] >= '0' && p[-1] <= '9')
			continue;
		return true;
	}
	return false;
}

bool hide_has_inside(const struct hide_conf *hc, struct sl txt)
{
	for (uint32_t i = 0; i < hc->insidec; i++)
		if (has_text(txt, sl_cstr(hc->inside[i])))
			return true;
	return false;
}

static void del_all(struct splice *s, const struct sip_msg *m,
		    enum sip_hid id, uint64_t *count)
{
	if (!m->count[id])
		return;
	*count += m->count[id];
	splice_del_all(s, id);
}

/** Older than P-Asserted-Identity and believed by phones all the same */
static void del_remote_party(struct splice *s, const struct sip_msg *m,
			     uint64_t *count)
{
	const struct sip_hdr *h;

	for (h = sip_hdr(m, SIP_H_OTHER); h; h = sip_hdr_next(m, h)) {
		if (h->nlen != 15 ||
		    (m->raw.p[h->off] | 0x20) != 'r' ||
		    !sl_ieq(sl_mk(m->raw.p + h->off, h->nlen),
			    SL("Remote-Party-ID")))
			continue;
		splice_del(s, h);
		++*count;
	}
}

/** Private headers between our own programs */
static void del_edgewise(struct splice *s, const struct sip_msg *m,
			 uint64_t *count)
{
	const struct sip_hdr *h;

	del_all(s, m, SIP_EDGEWISE_HEALTH, count);
	for (h = sip_hdr(m, SIP_H_OTHER); h; h = sip_hdr_next(m, h)) {
		if (h->nlen < 9 ||
		    (m->raw.p[h->off] | 0x20) != 'e' ||
		    !sl_istarts(sl_mk(m->raw.p + h->off, h->nlen),
				SL("edgewise-")))
			continue;
		splice_del(s, h);
		++*count;
	}
}

void hide_from_peer(struct splice *s, const struct sip_msg *m,
		    struct hide_stats *st)
{
	del_all(s, m, SIP_PATH, &st->injected);
	del_all(s, m, SIP_SERVICE_ROUTE, &st->injected);
	del_edgewise(s, m, &st->injected);
}

void hide_from_client(struct splice *s, const struct sip_msg *m,
		      struct hide_stats *st)
{
	hide_from_peer(s, m, st);
	del_all(s, m, SIP_P_ASSERTED_ID, &st->injected);
	del_remote_party(s, m, &st->injected);
}

/** Nothing in the Record-Route headers but what we wrote: the usual case */
static bool rr_all_ours(const struct route_conf *rc, const struct sip_msg *m)
{
	const struct sip_hdr *h = sip_hdr(m, SIP_RECORD_ROUTE);
	struct sl rest, user;

	for (; h; h = sip_hdr_next(m, h)) {
		rest = sip_val(m, h);
		while (route_own_next(rc, &rest, &user))
			;
		if (rest.n)
			return false;
	}
	return true;
}

/** Element of a Record-Route that names us */
static bool rr_ours(const struct route_conf *rc, struct sl elem)
{
	struct sl user;

	return route_elem_ours(rc, elem, &user) && sl_isset(user);
}

/** One element of Record-Route [offsets in the message] */
struct rr_elem {
	const struct sip_hdr *h;
	uint32_t from, to;
	bool ours, keep;
};
enum { RR_MAX = 64 };

/** Take the elements [v, v + n) of one header that are not kept away */
static void rr_cut(struct splice *s, const struct sip_msg *m,
		   const struct rr_elem *v, unsigned n, struct hide_stats *st)
{
	unsigned kept = 0, i;
	bool begun = false;

	for (i = 0; i < n; i++)
		kept += v[i].keep;
	st->rr_removed += n - kept;
	if (!kept) {
		splice_del(s, v->h);
		return;
	}
	for (i = 0; i < n; i++) {
		uint32_t from = v[i].from, to = v[i].to;

		begun = begun || v[i].keep;
		if (v[i].keep)
			continue;
		/* with the comma before it, or the one behind it */
		if (begun)
			while (m->raw.p[from] != ',')
				from--;
		else
			while (m->raw.p[to - 1] != ',')
				to++;
		splice_cut(s, from, to, SL_NONE);
	}
}

/**
 * Record-Route on its way to a client. What the inside wrote goes. What stands
 * below the last of ours in a request, or above the first of two of ours in
 * a response, comes from a proxy on a client's side and is needed there.
 */
static void rr_filter(struct splice *s, const struct sip_msg *m,
		      const struct hide_conf *hc, struct hide_stats *st)
{
	struct rr_elem v[RR_MAX];
	struct sip_iter it = { 0 };
	unsigned n = 0, first = RR_MAX, last = 0, ours = 0;

	if (!m->count[SIP_RECORD_ROUTE] || rr_all_ours(hc->rc, m))
		return;
	while (sip_iter(m, SIP_RECORD_ROUTE, &it)) {
		if (n == RR_MAX) {
			st->rr_removed += n;
			splice_del_all(s, SIP_RECORD_ROUTE);
			return;
		}
		v[n].h = it.h;
		v[n].from = (uint32_t)(it.val.p - m->raw.p);
		v[n].to = v[n].from + (uint32_t)it.val.n;
		v[n].ours = rr_ours(hc->rc, it.val);
		if (v[n].ours) {
			first = first < n ? first : n;
			last = n;
			ours++;
		}
		n++;
	}
	if (ours == n)
		return;
	for (unsigned i = 0; i < n; i++)
		v[i].keep = v[i].ours || (ours && i > last) ||
			    (ours > 1 && !m->req && i < first);
	for (unsigned i = 0, k; i < n; i = k) {
		for (k = i; k < n && v[k].h == v[i].h; k++)
			;
		rr_cut(s, m, v + i, k - i, st);
	}
}

static void del_with_inside(struct splice *s, const struct sip_msg *m,
			    const struct sip_hdr *h,
			    const struct hide_conf *hc, struct hide_stats *st)
{
	for (; h; h = sip_hdr_next(m, h)) {
		if (!hide_has_inside(hc, sip_val(m, h)))
			continue;
		splice_del(s, h);
		st->inside_removed++;
	}
}

void hide_request(struct splice *s, const struct sip_msg *m,
		  const struct hide_conf *hc, struct hide_stats *st)
{
	uint64_t none = 0;

	if (m->count[SIP_PATH])
		splice_del_all(s, SIP_PATH);
	del_edgewise(s, m, &none);
	/* also with hide = none: our own token leads through them */
	rr_filter(s, m, hc, st);
}

void hide_response(struct splice *s, const struct sip_msg *m,
		   const struct hide_conf *hc, struct hide_stats *st)
{
	const struct sip_hdr *h;
	uint64_t none = 0;

	/* also with hide = none: a path token must stay inside */
	if (m->count[SIP_PATH])
		splice_del_all(s, SIP_PATH);
	del_edgewise(s, m, &none);
	if (!hc->core)
		return;
	rr_filter(s, m, hc, st);
	if (m->count[SIP_WARNING])
		del_with_inside(s, m, sip_hdr(m, SIP_WARNING), hc, st);
	h = sip_hdr_name(m, SL("Server"));
	if (h && hide_has_inside(hc, sip_val(m, h))) {
		splice_del(s, h);
		st->inside_removed++;
	}
}
