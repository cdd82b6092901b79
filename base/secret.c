/* secret.c - Names over libsodium; base64url. */
#include "base/secret.h"
#include <errno.h>
#include <sodium.h>

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

void secret_seal(uint8_t *out, const void *p, size_t n, const void *ad,
		 size_t adn, const uint8_t nonce[SECRET_NONCE],
		 const uint8_t key[SECRET_KEY])
{
	/* always 0 */
	(void)crypto_aead_chacha20poly1305_ietf_encrypt(
		out, NULL, p, n, ad, adn, NULL, nonce, key);
}

int secret_open(uint8_t *out, const void *p, size_t n, const void *ad,
		size_t adn, const uint8_t nonce[SECRET_NONCE],
		const uint8_t key[SECRET_KEY])
{
	if (n < SECRET_TAG)
		return EBADMSG;
	return crypto_aead_chacha20poly1305_ietf_decrypt(
		out, NULL, NULL, p, n, ad, adn, nonce, key) ? EBADMSG : 0;
}

static const char b64[64] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void secret_b64(struct buf *b, const void *p, size_t n)
{
	const uint8_t *u = p;
	size_t len = n / 3 * 4 + (n % 3 ? n % 3 + 1 : 0);
	uint8_t *o = buf_room(b, len);
	uint32_t acc = 0;
	int bits = 0;

	if (!o)
		return;
	for (size_t i = 0; i < n; i++) {
		acc = acc << 8 | u[i];
		for (bits += 8; bits >= 6; bits -= 6)
			*o++ = (uint8_t)b64[acc >> (bits - 6) & 63];
	}
	if (bits)
		*o++ = (uint8_t)b64[acc << (6 - bits) & 63];
	b->n += len;
}

static int b64_val(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

int secret_unb64(uint8_t *out, size_t *np, struct sl s)
{
	uint32_t acc = 0;
	size_t n = 0;
	int bits = 0;

	if (s.n % 4 == 1)
		return EBADMSG;
	if (s.n / 4 * 3 + (s.n % 4 ? s.n % 4 - 1 : 0) > *np)
		return ENOSPC;
	for (size_t i = 0; i < s.n; i++) {
		int v = b64_val(s.p[i]);

		if (v < 0)
			return EBADMSG;
		acc = acc << 6 | (uint32_t)v;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			out[n++] = (uint8_t)(acc >> bits);
		}
	}
	/* one text per value: spare bits must be zero */
	if (acc & ((1u << bits) - 1))
		return EBADMSG;
	*np = n;
	return 0;
}
