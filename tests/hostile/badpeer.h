/**
 * @file badpeer.h  Shell. A peer that knows the cluster key and means harm;
 * for tests against a real node only.
 */
#ifndef TESTS_HOSTILE_BADPEER_H
#define TESTS_HOSTILE_BADPEER_H

#include <openssl/ssl.h>
#include "base/addr.h"
#include "base/buf.h"
#include "base/rng.h"
#include "cluster/wire.h"

#define BAD_KEPT 32          /**< frames of the node kept to send back       */

struct bad {
	uint8_t key[32];
	struct addr to;
	struct rng rng;
	uint32_t secs, links, max_expires;
	bool own;                /**< touches no record but its own          */
	bool members;            /**< may say who belongs to the cluster     */
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
	struct buf in, out;
	struct buf kept[BAD_KEPT];
	uint32_t n_kept;
	uint64_t theirs, have;
	bool hello, ack;         /**< came on this link                      */
	uint64_t sent, links_made, frames_in, errors_in, closed;
	uint64_t push;           /**< sequence we claim to have told         */
};

/** Prints and ends with 1 */
void die(const char *what) __attribute__((noreturn));

/* badpeer_link.c */
SSL_CTX *bad_ctx(struct bad *b, int version);
/** TCP only; at_once: does not wait for it. @return socket or -1 */
int  bad_connect(const struct bad *b, bool at_once);
/** A link, authenticated. @return 0 or errno */
int  bad_dial(struct bad *b);
void bad_hang_up(struct bad *b);
/** Sends all of out. @return false: the node has closed */
bool bad_flush(struct bad *b);
/** Takes what has come, waiting at most ms for it. @return false: closed */
bool bad_take(struct bad *b, int ms);
/** HELLO and HELLO_ACK as an honest node says them. @return both were done */
bool bad_greet(struct bad *b);
void bad_hello(struct bad *b, struct wire_hello *h);

/* badpeer_frame.c */
/** One frame of any kind to out, more or less well-formed */
void bad_frame(struct bad *b);
/** A PUSH of n records of our own that follows on */
void bad_push(struct bad *b, uint32_t n);
void bad_beat(struct bad *b);

#endif
