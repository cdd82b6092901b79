/* stun.c - Pure. STUN Binding. */
#include "sip/stun.h"

#include <errno.h>

enum {
	REQUEST = 0x0001, SUCCESS = 0x0101, FAILURE = 0x0111,
	XOR_MAPPED = 0x0020, ERROR_CODE = 0x0009, UNKNOWN = 0x000a,
	OPTIONAL = 0x8000,           /* attributes from here on */
	UNKNOWN_MAX = 8,
};
static const uint8_t cookie[4] = { 0x21, 0x12, 0xa4, 0x42 };

static uint16_t u16(struct sl d, size_t at)
{
	return (uint16_t)((uint8_t)d.p[at] << 8 | (uint8_t)d.p[at + 1]);
}

static void put16(struct buf *b, uint16_t v)
{
	buf_chr(b, (char)(v >> 8));
	buf_chr(b, (char)v);
}

bool stun_is(struct sl d)
{
	return d.n >= STUN_HEAD && (uint8_t)d.p[0] < 4 &&
		!memcmp(d.p + 4, cookie, 4) && u16(d, 2) % 4 == 0 &&
		u16(d, 2) + (size_t)STUN_HEAD == d.n;
}

bool stun_is_answer(struct sl d)
{
	return stun_is(d) && (u16(d, 0) == SUCCESS || u16(d, 0) == FAILURE);
}

static void head(struct buf *b, uint16_t type, size_t len, struct sl id)
{
	put16(b, type);
	put16(b, (uint16_t)len);
	buf_put(b, cookie, sizeof(cookie));
	buf_sl(b, id);
}

/* Attributes that we would have to understand. @return how many; -1: bad */
static int unknown(struct sl d, uint16_t v[UNKNOWN_MAX])
{
	size_t at = STUN_HEAD;
	int n = 0;

	while (at < d.n) {
		size_t len;

		if (d.n - at < 4)
			return -1;
		len = u16(d, at + 2);
		if (u16(d, at) < OPTIONAL && n < UNKNOWN_MAX)
			v[n++] = u16(d, at);
		len = (len + 3) & ~(size_t)3;
		if (len > d.n - at - 4)
			return -1;
		at += 4 + len;
	}
	return n;
}

static void refuse(struct buf *b, struct sl id, const uint16_t *v, int n)
{
	size_t pad = (size_t)(n % 2);

	head(b, FAILURE, 8 + 4 + 2 * ((size_t)n + pad), id);
	put16(b, ERROR_CODE);
	put16(b, 4);
	put16(b, 0);
	put16(b, 4 << 8 | 20);       /* 420 */
	put16(b, UNKNOWN);
	put16(b, (uint16_t)(2 * n));
	for (int i = 0; i < n; i++)
		put16(b, v[i]);
	if (pad)
		put16(b, 0);
}

int stun_answer(struct buf *b, struct sl d, const struct addr *src)
{
	bool v6 = src->af == 6;
	struct sl id = sl_sub(d, 8, STUN_HEAD);
	uint16_t v[UNKNOWN_MAX];
	int n;

	if (!stun_is(d) || u16(d, 0) != REQUEST)
		return ENOENT;
	n = unknown(d, v);
	if (n < 0)
		return ENOENT;
	if (n) {
		refuse(b, id, v, n);
		return b->err;
	}
	head(b, SUCCESS, v6 ? 24 : 12, id);
	put16(b, XOR_MAPPED);
	put16(b, v6 ? 20 : 8);
	put16(b, v6 ? 2 : 1);
	put16(b, src->port ^ (cookie[0] << 8 | cookie[1]));
	for (int i = 0; i < (v6 ? 16 : 4); i++)
		buf_chr(b, (char)(src->ip[i] ^ (i < 4 ? cookie[i] :
						(uint8_t)id.p[i - 4])));
	return b->err;
}

void stun_request(struct buf *b, const uint8_t id[12])
{
	head(b, REQUEST, 0, sl_mk(id, 12));
}
