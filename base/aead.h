/**
 * @file aead.h  Pure. Authenticated encryption: AES-256-GCM (RFC 5116) over
 * libsodium where the processor has instructions for it, else over OpenSSL.
 * Both make and open the same bytes.
 */
#ifndef BASE_AEAD_H
#define BASE_AEAD_H

#include "base/secret.h"

#define AEAD_TAG 16          /**< overhead of aead_seal() [bytes]          */
#define AEAD_NONCE 12        /**< never the same for two texts of a key    */

/** A key made ready */
struct aead {
	_Alignas(16) uint8_t st[512];   /**< libsodium's form of it         */
	uint8_t key[SECRET_KEY];
	bool soft;                      /**< by OpenSSL                     */
};

/** After secret_init() */
void aead_init(struct aead *a, const uint8_t key[SECRET_KEY]);
/** out = n + AEAD_TAG bytes. @return 0 or ENOMEM */
int  aead_seal(const struct aead *a, uint8_t *out, const void *p, size_t n,
	       const uint8_t nonce[AEAD_NONCE]);
/** @return 0 or EBADMSG (forged); out = n - AEAD_TAG bytes */
int  aead_open(const struct aead *a, uint8_t *out, const void *p, size_t n,
	       const uint8_t nonce[AEAD_NONCE]);

#endif
