/* aead.c - Pure. AES-256-GCM by the quickest of two libraries. */
#include "base/aead.h"
#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <sodium.h>

_Static_assert(sizeof(crypto_aead_aes256gcm_state) <=
	       sizeof(((struct aead *)0)->st), "room for libsodium's form");
_Static_assert(crypto_aead_aes256gcm_KEYBYTES == SECRET_KEY &&
	       crypto_aead_aes256gcm_NPUBBYTES == AEAD_NONCE &&
	       crypto_aead_aes256gcm_ABYTES == AEAD_TAG, "AES-256-GCM");

static const crypto_aead_aes256gcm_state *state(const struct aead *a)
{
	return (const void *)a->st;
}

void aead_init(struct aead *a, const uint8_t key[SECRET_KEY])
{
	memcpy(a->key, key, SECRET_KEY);
	a->soft = !crypto_aead_aes256gcm_is_available();
	if (!a->soft)
		(void)crypto_aead_aes256gcm_beforenm(
			(crypto_aead_aes256gcm_state *)(void *)a->st, key);
}

/** @return 0, ENOMEM, EBADMSG (opening only) */
static int soft(const struct aead *a, bool seal, uint8_t *out,
		const uint8_t *p, size_t n, uint8_t *tag,
		const uint8_t nonce[AEAD_NONCE])
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int len, err = ENOMEM;

	/* the length of the nonce is 12 bytes unless it is set */
	if (!c || n > INT_MAX ||
	    !EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, a->key, nonce,
			       seal) ||
	    !EVP_CipherUpdate(c, out, &len, p, (int)n))
		goto out;
	if (!seal && !EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, AEAD_TAG,
					  tag))
		goto out;
	err = EBADMSG;
	if (!EVP_CipherFinal_ex(c, out + n, &len))
		goto out;
	err = seal && !EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, AEAD_TAG,
					   tag) ? ENOMEM : 0;
out:
	EVP_CIPHER_CTX_free(c);
	return err;
}

int aead_seal(const struct aead *a, uint8_t *out, const void *p, size_t n,
	      const uint8_t nonce[AEAD_NONCE])
{
	if (a->soft)
		return soft(a, true, out, p, n, out + n, nonce) ? ENOMEM : 0;
	/* always 0 */
	(void)crypto_aead_aes256gcm_encrypt_afternm(out, NULL, p, n, NULL, 0,
						    NULL, nonce, state(a));
	return 0;
}

int aead_open(const struct aead *a, uint8_t *out, const void *p, size_t n,
	      const uint8_t nonce[AEAD_NONCE])
{
	uint8_t tag[AEAD_TAG];

	if (n < AEAD_TAG)
		return EBADMSG;
	if (!a->soft)
		return crypto_aead_aes256gcm_decrypt_afternm(
			out, NULL, NULL, p, n, NULL, 0, nonce, state(a)) ?
			EBADMSG : 0;
	n -= AEAD_TAG;
	memcpy(tag, (const uint8_t *)p + n, sizeof(tag));
	return soft(a, false, out, p, n, tag, nonce) ? EBADMSG : 0;
}
