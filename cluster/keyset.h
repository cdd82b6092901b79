/**
 * @file keyset.h  Pure. The keys of a cluster, as the file of
 * `cluster.key_file` has them. One line of 64 hex digits is the key. A second
 * one is taken, too, so that keys can change one node after the other; what
 * must be the same on all nodes as long as one of them runs comes from the
 * line `base`. docs/decisions/0044.
 */
#ifndef CLUSTER_KEYSET_H
#define CLUSTER_KEYSET_H

#include "base/buf.h"
#include "base/secret.h"

#define KEYSET_MAX 2
#define KEYSET_NAME 17        /**< of a key, with its end [bytes]           */
#define KEYSET_FILE 1024      /**< longest text [bytes]                     */

struct keyset {
	uint8_t key[KEYSET_MAX][SECRET_KEY];    /**< [0] is dialed with     */
	uint32_t n;                             /**< 1 or 2                 */
	uint8_t base[SECRET_KEY];     /**< of cluster id and hashes; who has it
	                                   alone is let in nowhere          */
};

/** One key for all */
void keyset_one(struct keyset *k, const uint8_t key[SECRET_KEY]);
/**
 * The text of a file. Blank lines and lines of '#' mean nothing. Without
 * `base` the first key is it.
 *
 * @param line  of the mistake
 * @return 0, or EBADMSG and *why, a literal
 */
int  keyset_parse(struct keyset *k, struct sl text, uint32_t *line,
		  const char **why);
/** What keyset_parse() reads */
void keyset_text(struct buf *b, const struct keyset *k);
/** 16 hex digits that tell a key and give nothing of it away */
void keyset_name(char name[KEYSET_NAME], const uint8_t key[SECRET_KEY]);
bool keyset_is_base(const struct keyset *k, uint32_t i);
bool keyset_equal(const struct keyset *a, const struct keyset *b);

#endif
