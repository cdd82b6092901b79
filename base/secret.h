/**
 * @file secret.h  Keyed hashing, derivation, base64url: thin names over
 * libsodium. Pure but for secret_random().
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/buf.h"

#define SECRET_KEY 32        /**< [bytes] of every key here                */

int  secret_init(void);                          /**< once; 0 or EIO       */
void secret_random(void *p, size_t n);           /**< from the kernel      */
/** SipHash-2-4 with the first 16 bytes of key: tables, branch checks */
uint64_t secret_hash(const uint8_t key[SECRET_KEY], const void *p, size_t n);
/** SipHash-2-4 with 128 bits of result */
void secret_hash128(uint8_t out[16], const uint8_t key[SECRET_KEY],
		    const void *p, size_t n);
/** 16-byte MAC (BLAKE2b) */
void secret_mac(uint8_t mac[16], const uint8_t key[SECRET_KEY],
		const void *p, size_t n);
bool secret_equal(const void *a, const void *b, size_t n);  /**< constant time */
/** Sub-key for a purpose ("flow token 1", "nonce 1", ...) */
void secret_derive(uint8_t out[SECRET_KEY], const uint8_t key[SECRET_KEY],
		   const char *purpose);
/** base64url without padding (RFC 4648 5) */
void secret_b64(struct buf *b, const void *p, size_t n);
/** @return 0, EBADMSG, or ENOSPC; *np in: room, out: bytes written */
int  secret_unb64(uint8_t *out, size_t *np, struct sl s);

#endif
