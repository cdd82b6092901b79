/* scan_iter.c - Pure. Looking at a scanned message. */
#include "sip/scan_in.h"

const struct sip_hdr *sip_hdr_name(const struct sip_msg *m, struct sl name)
{
	const struct sip_hdr *h;

	for (h = sip_hdr(m, SIP_H_OTHER); h; h = sip_hdr_next(m, h))
		if (sl_ieq(sl_mk(m->raw.p + h->off, h->nlen), name))
			return h;
	return NULL;
}

bool sl_elem(struct sl *rest, struct sl *elem)
{
	while (scan_elem(rest, elem))
		if (elem->n)
			return true;
	return false;
}

bool sip_iter(const struct sip_msg *m, enum sip_hid id, struct sip_iter *it)
{
	if (it->done)
		return false;
	if (!it->h) {
		it->h = sip_hdr(m, id);
		it->pos = it->h ? it->h->vs : 0;
	}
	while (it->h) {
		struct sl rest = sl_mk(m->raw.p + it->pos, it->h->ve - it->pos);

		if (sl_elem(&rest, &it->val)) {
			it->pos = rest.p ? (uint32_t)(rest.p - m->raw.p) :
					   it->h->ve;
			return true;
		}
		it->h = sip_hdr_next(m, it->h);
		it->pos = it->h ? it->h->vs : 0;
	}
	it->done = true;
	return false;
}

bool sip_has_token(const struct sip_msg *m, enum sip_hid id, struct sl token)
{
	struct sip_iter it = {0};

	while (sip_iter(m, id, &it))
		if (sl_ieq(it.val, token))
			return true;
	return false;
}
