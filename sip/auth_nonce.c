/* auth_nonce.c - Pure. Nonces that need no memory: the time they were made
 * and a salt, with a MAC over both and the realm. Any holder of the key can
 * check one, so a challenge may be answered at another node. */
#include "base/cur.h"
#include "base/secret.h"
#include "sip/auth.h"

enum {
	NONCE_BODY = 16,         /* time u64 [ms], salt u64, big-endian       */
	NONCE_MAC = 16,
	NONCE_RAW = NONCE_BODY + NONCE_MAC,
	NONCE_SKEW = 10000,      /* [ms] another node's clock may be ahead    */
	NONCE_REALM_MAX = 512,
};

static void nonce_mac(uint8_t mac[NONCE_MAC], const uint8_t key[32],
		      const uint8_t body[NONCE_BODY], struct sl realm)
{
	uint8_t mem[NONCE_BODY + NONCE_REALM_MAX];

	if (realm.n > NONCE_REALM_MAX)
		realm.n = NONCE_REALM_MAX;
	memcpy(mem, body, NONCE_BODY);
	if (realm.n)
		memcpy(mem + NONCE_BODY, realm.p, realm.n);
	secret_mac(mac, key, mem, NONCE_BODY + realm.n);
}

void auth_nonce_make(struct buf *b, const uint8_t key[32], struct sl realm,
		     uint64_t wall, uint64_t salt)
{
	uint8_t raw[NONCE_RAW];
	struct buf t;

	buf_fixed(&t, raw, sizeof(raw));
	put_u64(&t, wall);
	put_u64(&t, salt);
	nonce_mac(raw + NONCE_BODY, key, raw, realm);
	secret_b64(b, raw, sizeof(raw));
}

enum auth_nonce auth_nonce_check(struct sl nonce, const uint8_t key[32],
				 struct sl realm, uint64_t wall,
				 uint32_t max_age)
{
	uint8_t raw[NONCE_RAW], mac[NONCE_MAC];
	size_t n = sizeof(raw);
	struct cur c;
	uint64_t made;

	if (nonce.n > AUTH_NONCE_MAX || secret_unb64(raw, &n, nonce) ||
	    n != NONCE_RAW)
		return NONCE_FORGED;
	nonce_mac(mac, key, raw, realm);
	if (!secret_equal(mac, raw + NONCE_BODY, NONCE_MAC))
		return NONCE_FORGED;
	cur_init(&c, raw, sizeof(raw));
	made = cur_u64(&c);
	if (made > wall + NONCE_SKEW ||
	    (wall > made && wall - made > (uint64_t)max_age * 1000))
		return NONCE_STALE;
	return NONCE_OK;
}

uint64_t auth_nonce_time(struct sl nonce)
{
	uint8_t raw[NONCE_RAW];
	size_t n = sizeof(raw);
	struct cur c;

	if (nonce.n > AUTH_NONCE_MAX || secret_unb64(raw, &n, nonce))
		return 0;
	cur_init(&c, raw, n);
	return cur_u64(&c);
}
