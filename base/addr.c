/* addr.c - Pure. IP addresses and prefixes. */
#include "base/addr.h"
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>

/** Dotted quad, no leading zeros (some read them as octal) */
static int parse_v4(uint8_t ip[4], struct sl s)
{
	size_t i = 0;

	for (int k = 0; k < 4; k++) {
		unsigned v = 0;
		size_t from = i;

		if (k) {
			if (i >= s.n || s.p[i] != '.')
				return EBADMSG;
			from = ++i;
		}
		while (i < s.n && i - from < 3 && (uint8_t)(s.p[i] - '0') < 10)
			v = v * 10 + (unsigned)(s.p[i++] - '0');
		if (i == from || v > 255 || (s.p[from] == '0' && i - from > 1))
			return EBADMSG;
		ip[k] = (uint8_t)v;
	}
	return i == s.n ? 0 : EBADMSG;
}

static int parse_v6(uint8_t ip[16], struct sl s)
{
	char t[INET6_ADDRSTRLEN];

	if (s.n < 2 || s.n >= sizeof(t) || memchr(s.p, 0, s.n))
		return EBADMSG;
	memcpy(t, s.p, s.n);
	t[s.n] = 0;
	return inet_pton(AF_INET6, t, ip) == 1 ? 0 : EBADMSG;
}

int addr_parse_ip(struct addr *a, struct sl s)
{
	uint8_t ip[16] = { 0 };
	uint8_t af = 4;
	int err;

	if (!s.n)
		return EBADMSG;
	if (s.p[0] == '[') {
		if (s.n < 2 || s.p[s.n - 1] != ']')
			return EBADMSG;
		af = 6;
		err = parse_v6(ip, sl_sub(s, 1, s.n - 1));
	}
	else if (sl_chr(s, ':') < s.n) {
		af = 6;
		err = parse_v6(ip, s);
	}
	else {
		err = parse_v4(ip, s);
	}
	if (err)
		return err;
	a->af = af;
	memcpy(a->ip, ip, sizeof(ip));
	return 0;
}

int addr_parse(struct addr *a, struct sl s, uint16_t defport)
{
	struct addr t = { 0 };
	struct sl ip = s;
	uint32_t port = defport;
	size_t colon = s.n, end;
	int err;

	if (s.n && s.p[0] == '[') {
		end = sl_chr(s, ']');
		if (end + 1 < s.n)
			colon = end + 1;
	}
	else {
		end = sl_chr(s, ':');
		/* two colons: a bare IPv6 address, which has no port */
		if (sl_chr(sl_sub(s, end + 1, s.n), ':') + end + 1 >= s.n)
			colon = end;
	}
	if (colon < s.n) {
		if (s.p[colon] != ':')
			return EBADMSG;
		ip = sl_sub(s, 0, colon);
		if (sl_u32(sl_sub(s, colon + 1, s.n), 65535, &port))
			return EBADMSG;
	}
	err = addr_parse_ip(&t, ip);
	if (err)
		return err;
	t.port = (uint16_t)port;
	*a = t;
	return 0;
}

int addr_net_parse(struct addr_net *net, struct sl s)
{
	struct addr_net t = { 0 };
	size_t slash = sl_chr(s, '/');
	uint32_t bits;
	int err = addr_parse_ip(&t.net, sl_sub(s, 0, slash));

	if (err)
		return err;
	bits = t.net.af == 4 ? 32 : 128;
	if (slash < s.n &&
	    sl_u32(sl_sub(s, slash + 1, s.n), bits, &bits))
		return EBADMSG;
	t.bits = (uint8_t)bits;
	for (uint32_t i = bits; i < 128; i++)
		t.net.ip[i / 8] &= (uint8_t)~(0x80u >> (i % 8));
	*net = t;
	return 0;
}

bool addr_in_net(const struct addr *a, const struct addr_net *net)
{
	unsigned full = net->bits / 8, rest = net->bits % 8;
	uint32_t x, y;

	if (!a->af || a->af != net->net.af)
		return false;
	if (a->af == 4) {
		memcpy(&x, a->ip, sizeof(x));
		memcpy(&y, net->net.ip, sizeof(y));
		return !net->bits || !(be32toh(x ^ y) >> (32 - net->bits));
	}
	if (memcmp(a->ip, net->net.ip, full) != 0)
		return false;
	return !rest || !((a->ip[full] ^ net->net.ip[full]) &
			  (0xff00u >> rest & 0xff));
}

uint64_t addr_hash(const struct addr *a)
{
	uint64_t x, y = 0, h;

	if (a->af == 4) {
		uint32_t v4;

		memcpy(&v4, a->ip, 4);
		x = v4;
	}
	else {
		memcpy(&x, a->ip, 8);
		memcpy(&y, a->ip + 8, 8);
	}
	h = x * 0x9e3779b97f4a7c15ull ^
	    ((uint64_t)a->port << 16 | a->af) * 0xc2b2ae3d27d4eb4full;
	h = (h ^ h >> 29 ^ y) * 0xbf58476d1ce4e5b9ull;
	h = (h ^ h >> 32) * 0x94d049bb133111ebull;
	return h ^ h >> 31;
}

bool addr_is_any(const struct addr *a)
{
	static const uint8_t zero[16];

	return a->af && memcmp(a->ip, zero, a->af == 4 ? 4 : 16) == 0;
}

/** The IPv4 address inside, also of ::ffff:a.b.c.d; NULL = real IPv6 */
static const uint8_t *v4_of(const struct addr *a)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (a->af == 4)
		return a->ip;
	return memcmp(a->ip, mapped, 12) == 0 ? a->ip + 12 : NULL;
}

bool addr_is_loopback(const struct addr *a)
{
	static const uint8_t one[16] = { [15] = 1 };
	const uint8_t *v4;

	if (!a->af)
		return false;
	v4 = v4_of(a);
	return v4 ? v4[0] == 127 : memcmp(a->ip, one, 16) == 0;
}

bool addr_is_private(const struct addr *a)
{
	const uint8_t *v;

	if (addr_is_any(a) || addr_is_loopback(a))
		return true;
	if (!a->af)
		return false;
	v = v4_of(a);
	if (!v)
		return (a->ip[0] & 0xfe) == 0xfc ||           /* ULA        */
		       (a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80);
	return v[0] == 0 || v[0] == 10 ||
	       (v[0] == 172 && (v[1] & 0xf0) == 16) ||
	       (v[0] == 192 && v[1] == 168) ||
	       (v[0] == 169 && v[1] == 254) ||
	       (v[0] == 100 && (v[1] & 0xc0) == 64);          /* CGNAT      */
}

/** Several times per message, so not by way of general numbers */
static void put_v4(struct buf *b, const uint8_t ip[4])
{
	uint8_t t[16], *p = t;

	for (int i = 0; i < 4; i++) {
		p += buf_digits(p, ip[i]);
		*p++ = '.';
	}
	buf_put(b, t, (size_t)(p - t - 1));
}

void addr_put_ip(struct buf *b, const struct addr *a)
{
	char t[INET6_ADDRSTRLEN];

	if (a->af == 4) {
		put_v4(b, a->ip);
		return;
	}
	if (a->af != 6) {
		buf_chr(b, '-');
		return;
	}
	/* cannot fail: t has the size the function asks for */
	(void)inet_ntop(AF_INET6, a->ip, t, sizeof(t));
	buf_chr(b, '[');
	buf_str(b, t);
	buf_chr(b, ']');
}

void addr_put(struct buf *b, const struct addr *a)
{
	addr_put_ip(b, a);
	buf_chr(b, ':');
	buf_u64(b, a->port);
}

const char *addr_txt(const struct addr *a, char *txt)
{
	struct buf b;

	buf_fixed(&b, txt, ADDR_TXT - 1);
	addr_put(&b, a);
	txt[b.n] = 0;
	return txt;
}
