/* tlv.c - Pure. Optional fields. */
#include <errno.h>
#include "cluster/tlv.h"

void tlv_put(struct buf *b, uint16_t tag, struct sl v)
{
	put_u16(b, tag);
	put_u32(b, (uint32_t)v.n);
	buf_sl(b, v);
}

bool tlv_next(struct cur *c, uint16_t *tag, struct sl *v)
{
	uint32_t n;

	if (c->err || cur_left(c) == 0)
		return false;
	*tag = cur_u16(c);
	n = cur_u32(c);
	*v = cur_bytes(c, n);
	return !c->err;
}

int tlv_check(struct sl area)
{
	struct cur c;
	struct sl v;
	uint16_t tag;
	uint32_t n = 0;

	cur_init(&c, area.p, area.n);
	while (tlv_next(&c, &tag, &v))
		if (tag & TLV_MUST || ++n > TLV_MAX)
			return EBADMSG;
	return c.err ? EBADMSG : 0;
}

void tlv_put_addr(struct buf *b, uint16_t tag, const struct addr *a)
{
	uint8_t v[19] = { a->af, (uint8_t)(a->port >> 8), (uint8_t)a->port };
	size_t n = a->af == 4 ? 4 : 16;

	memcpy(v + 3, a->ip, n);
	tlv_put(b, tag, sl_mk(v, 3 + n));
}

int tlv_get_addr(struct addr *a, struct sl v)
{
	const uint8_t *p = (const uint8_t *)v.p;

	if (v.n < 7 || (p[0] != 4 && p[0] != 6) ||
	    v.n != (p[0] == 4 ? 7u : 19u))
		return EBADMSG;
	memset(a, 0, sizeof(*a));
	a->af = p[0];
	a->port = (uint16_t)(p[1] << 8 | p[2]);
	memcpy(a->ip, p + 3, v.n - 3);
	return 0;
}

int tlv_get_name(char *name, size_t size, struct sl v)
{
	if (v.n >= size)
		return EBADMSG;
	for (size_t i = 0; i < v.n; i++)
		if ((uint8_t)v.p[i] <= ' ' || (uint8_t)v.p[i] >= 0x7f)
			return EBADMSG;
	memcpy(name, v.p, v.n);
	name[v.n] = '\0';
	return 0;
}
