/**
 * @file auth.h  Pure. Digest access authentication for SIP: RFC 3261 22, 7616,
 * 8760. Stateless nonces that every holder of the key can check.
 */
#ifndef SIP_AUTH_H
#define SIP_AUTH_H

#include "base/buf.h"
#include "sip/scan.h"

enum auth_alg { AUTH_MD5, AUTH_SHA256, AUTH_ALG_N };   /**< also bits 1<<x */
const char *auth_alg_name(enum auth_alg a);            /**< "MD5", "SHA-256" */

/** Texts are raw: without their quotes, backslashes still inside, auth_unq() */
struct auth_cred {
	struct sl username, realm, nonce, uri, response, cnonce, nc, qop, opaque;
	enum auth_alg alg;     /**< MD5 when absent */
};

/** Parse a Digest (Proxy-)Authorization value.
 *  @return 0, ENOTSUP (another scheme or unknown algorithm), EBADMSG */
int auth_cred_parse(struct auth_cred *c, struct sl value);

/** What a quoted text means: without its backslashes. dst: at least s.n bytes */
struct sl auth_unq(char *dst, struct sl s);

enum { AUTH_HEX_MAX = 64, AUTH_NONCE_MAX = 64 };

/** Nonce = base64url(time, salt, MAC over time + salt + realm). [ms] wall.
 *  realm: with whatever else the nonce shall hold for, at most 512 bytes */
void auth_nonce_make(struct buf *b, const uint8_t key[32], struct sl realm,
		     uint64_t wall, uint64_t salt);
enum auth_nonce { NONCE_OK, NONCE_STALE, NONCE_FORGED };
enum auth_nonce auth_nonce_check(struct sl nonce, const uint8_t key[32],
				 struct sl realm, uint64_t wall,
				 uint32_t max_age /* [s] */);
/** When a nonce was made that is not FORGED [ms] wall; else anything */
uint64_t auth_nonce_time(struct sl nonce);

/** Complete header line(s): one "WWW-Authenticate: Digest ...\r\n" (or Proxy-)
 *  for each algorithm bit, strongest first, qop="auth" */
void auth_challenge(struct buf *b, bool proxy, struct sl realm, struct sl nonce,
		    uint32_t algs, bool stale);

/** HA1 = H(user:realm:password), lower-case hex, 32 or 64 characters */
void auth_ha1(char out[AUTH_HEX_MAX + 1], enum auth_alg a, struct sl user,
	      struct sl realm, struct sl password);
/** Check the response against HA1 hex; constant time. qop auth or none
 *  (RFC 2069 form only with MD5). True = right. */
bool auth_check(const struct auth_cred *c, struct sl ha1_hex, struct sl method);
/** For clients (demo, tests): response hex */
void auth_response(char out[AUTH_HEX_MAX + 1], const struct auth_cred *c,
		   struct sl ha1_hex, struct sl method);

#endif
