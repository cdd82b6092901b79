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
