/* secret.c - Names over libsodium; base64url. */
#include "base/secret.h"
#include <errno.h>
#include <sodium.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

int secret_init(void)
{
	return sodium_init() < 0 ? EIO : 0;
}

void secret_random(void *p, size_t n)
{
	randombytes_buf(p, n);
}

uint64_t secret_hash(const uint8_t key[SECRET_KEY], const void *p, size_t n)
{
	uint8_t h[crypto_shorthash_BYTES];
	uint64_t v;

	/* never fails */
	(void)crypto_shorthash(h, n ? p : "", n, key);
	memcpy(&v, h, sizeof(v));
	return v;
}

void secret_mac(uint8_t mac[16], const uint8_t key[SECRET_KEY],
		const void *p, size_t n)
{
	/* fails only on sizes out of range, which are constants here */
	(void)crypto_generichash(mac, 16, p, n, key, SECRET_KEY);
}

bool secret_equal(const void *a, const void *b, size_t n)
{
	return sodium_memcmp(a, b, n) == 0;
}

void secret_derive(uint8_t out[SECRET_KEY], const uint8_t key[SECRET_KEY],
		   const char *purpose)
{
	/* sizes are constants, as above */
	(void)crypto_generichash(out, SECRET_KEY, (const uint8_t *)purpose,
				 strlen(purpose), key, SECRET_KEY);
}

void secret_hash128(uint8_t out[16], const uint8_t key[SECRET_KEY],
		    const void *p, size_t n)
{
	(void)crypto_shorthash_siphashx24(out, p, n, key);
}

static const char b64[64] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* value + 1 of each character; 0 = none of the alphabet */
static const uint8_t b64_val[256] = {
	['A'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18,
	19, 20, 21, 22, 23, 24, 25, 26,
	['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42,
	43, 44, 45, 46, 47, 48, 49, 50, 51, 52,
	['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62,
	['-'] = 63, ['_'] = 64,
};

#ifdef __SSE2__
/** 6 bytes: eight values of 6 bits, the first in the lowest byte. Reads 8 */
static inline uint64_t b64_spread(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	v = __builtin_bswap64(v) >> 16;
	v = (v & 0xffffff000000) << 8 | (v & 0xffffff);
	v = (v & 0x00fff00000fff000) << 4 | (v & 0x00000fff00000fff);
	v = (v & 0x0fc00fc00fc00fc0) << 2 | (v & 0x003f003f003f003f);
	return __builtin_bswap64(v);
}

/** 16 values to characters: +65, and at 26, 52, 62 and 63 as much again as
 *  brings the next range to its place */
static inline __m128i b64_chars(__m128i v)
{
	static const int8_t step[4][2] = {
		{ 25, 6 }, { 51, -75 }, { 61, -13 }, { 62, 49 },
	};
	__m128i c = _mm_add_epi8(v, _mm_set1_epi8('A'));

	for (int i = 0; i < 4; i++)
		c = _mm_add_epi8(c, _mm_and_si128(
			_mm_cmpgt_epi8(v, _mm_set1_epi8(step[i][0])),
			_mm_set1_epi8(step[i][1])));
	return c;
}

/** As many whole 12 bytes as have two more behind them. @return bytes taken */
static size_t b64_wide(uint8_t *o, const uint8_t *u, size_t n)
{
	size_t i = 0;

	for (; n - i >= 14; i += 12, o += 16) {
		__m128i v = _mm_set_epi64x((int64_t)b64_spread(u + i + 6),
					   (int64_t)b64_spread(u + i));

		_mm_storeu_si128((__m128i *)(void *)o, b64_chars(v));
	}
	return i;
}
#endif

void secret_b64(struct buf *b, const void *p, size_t n)
{
	const uint8_t *u = p;
	size_t len = n / 3 * 4 + (n % 3 ? n % 3 + 1 : 0);
	uint8_t *o = buf_room(b, len);
	uint32_t v;

	if (!o)
		return;
#ifdef __SSE2__
	size_t done = b64_wide(o, u, n);

	o += done / 3 * 4;
	u += done;
	n -= done;
#endif
	for (; n >= 3; n -= 3, u += 3, o += 4) {
		v = (uint32_t)u[0] << 16 | (uint32_t)u[1] << 8 | u[2];
		o[0] = (uint8_t)b64[v >> 18];
		o[1] = (uint8_t)b64[v >> 12 & 63];
		o[2] = (uint8_t)b64[v >> 6 & 63];
		o[3] = (uint8_t)b64[v & 63];
	}
	if (n) {
		v = (uint32_t)u[0] << 16 | (n == 2 ? (uint32_t)u[1] << 8 : 0);
		o[0] = (uint8_t)b64[v >> 18];
		o[1] = (uint8_t)b64[v >> 12 & 63];
		if (n == 2)
			o[2] = (uint8_t)b64[v >> 6 & 63];
	}
	b->n += len;
}

#ifdef __SSE2__
/** 16 characters to values; *ok: 0 where it is none of the alphabet */
static inline __m128i b64_values(__m128i x, __m128i *ok)
{
	static const int8_t range[5][3] = {       /* first, how many, step */
		{ 'A', 26, -65 }, { 'a', 26, -71 }, { '0', 10, 4 },
		{ '-', 1, 17 }, { '_', 1, -32 },
	};
	__m128i v = x;

	*ok = _mm_setzero_si128();
	for (int i = 0; i < 5; i++) {
		/* a signed compare of what is moved down to -128 */
		__m128i m = _mm_cmplt_epi8(_mm_add_epi8(x,
			_mm_set1_epi8((int8_t)(-128 - range[i][0]))),
			_mm_set1_epi8((int8_t)(-128 + range[i][1])));

		v = _mm_add_epi8(v, _mm_and_si128(m,
					_mm_set1_epi8(range[i][2])));
		*ok = _mm_or_si128(*ok, m);
	}
	return v;
}

/** As many whole 16 characters as have four more behind them: up to two bytes
 *  behind what they are are written. @return characters taken */
static size_t unb64_wide(uint8_t *out, const char *p, size_t n, uint32_t *bad)
{
	size_t i = 0;

	for (; n - i >= 20; i += 16, out += 12) {
		__m128i ok, v;
		uint64_t w[2];

		v = b64_values(_mm_loadu_si128((const __m128i *)(const void *)
					       (p + i)), &ok);
		*bad |= (uint32_t)_mm_movemask_epi8(ok) ^ 0xffff;
		/* pairs to 12 bits, pairs of these to 24 */
		v = _mm_or_si128(_mm_slli_epi16(_mm_and_si128(v,
					_mm_set1_epi16(0xff)), 6),
				 _mm_srli_epi16(v, 8));
		v = _mm_madd_epi16(v, _mm_set1_epi32(0x00011000));
		_mm_storeu_si128((__m128i *)(void *)w, v);
		for (int k = 0; k < 2; k++) {
			w[k] = __builtin_bswap64(w[k] << 40 | w[k] >> 32 << 16);
			memcpy(out + 6 * k, &w[k], sizeof(w[k]));
		}
	}
	return i;
}
#endif

int secret_unb64(uint8_t *out, size_t *np, struct sl s)
{
	const uint8_t *p = (const uint8_t *)s.p, *end = p + s.n / 4 * 4;
	size_t rest = s.n % 4, n = s.n / 4 * 3 + (rest ? rest - 1 : 0);
	uint32_t v, bad = 0;
	uint8_t a, b, c, d;

	if (rest == 1)
		return EBADMSG;
	if (n > *np)
		return ENOSPC;
#ifdef __SSE2__
	if (s.n >= 20) {
		size_t wide = unb64_wide(out, s.p, s.n, &bad);

		p += wide;
		out += wide / 4 * 3;
	}
#endif
	for (; p < end; p += 4, out += 3) {
		a = b64_val[p[0]];
		b = b64_val[p[1]];
		c = b64_val[p[2]];
		d = b64_val[p[3]];
		bad |= !a | !b | !c | !d;
		v = (uint32_t)(a - 1) << 18 | (uint32_t)(b - 1) << 12 |
		    (uint32_t)(c - 1) << 6 | (uint32_t)(d - 1);
		out[0] = (uint8_t)(v >> 16);
		out[1] = (uint8_t)(v >> 8);
		out[2] = (uint8_t)v;
	}
	if (rest) {
		a = b64_val[p[0]];
		b = b64_val[p[1]];
		c = rest == 3 ? b64_val[p[2]] : 1;
		bad |= !a | !b | !c;
		v = (uint32_t)(a - 1) << 18 | (uint32_t)(b - 1) << 12 |
		    (uint32_t)(c - 1) << 6;
		out[0] = (uint8_t)(v >> 16);
		if (rest == 3)
			out[1] = (uint8_t)(v >> 8);
		/* one text per value: spare bits must be zero */
		bad |= v & (rest == 3 ? 0xff : 0xffff);
	}
	if (bad)
		return EBADMSG;
	*np = n;
	return 0;
}
