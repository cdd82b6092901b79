/**
 * @file pki.h  Shell. Makes CAs and certificates of nodes with OpenSSL; texts
 * in, texts out, no files.
 */
#ifndef CTL_PKI_H
#define CTL_PKI_H

#include "base/buf.h"

#define PKI_CN 64              /**< longest name of a CA [bytes], RFC 5280 */

/** PEM texts; buf_init()ed by pki_*(), to be ended with pki_free() */
struct pki_pair {
	struct buf cert, key;
	uint64_t until;        /**< [ms since 1970] */
};
/** Wipes the key */
void pki_free(struct pki_pair *p);

/** A new CA, self-signed. @return NULL, or what is wrong */
const char *pki_ca(struct pki_pair *p, const char *cn, uint32_t days,
		   uint64_t wall);
/** A new certificate of a node, under the first CA of `ca` whose key is
 *  `ca_key`. It ends with the CA at the latest. @return NULL, or what is
 *  wrong */
const char *pki_node(struct pki_pair *p, struct sl ca, struct sl ca_key,
		     const char *name, uint32_t days, uint64_t wall);
/** What certificates a PEM text holds, for people. *bad = one of them is not
 *  valid now. @return how many */
unsigned pki_show(struct buf *out, struct sl pem, uint64_t wall, bool *bad);

#endif
