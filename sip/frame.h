/**
 * @file frame.h  Pure. Cuts a byte stream into SIP messages (RFC 3261 18.3, 7.5;
 * RFC 5626 3.5.1 keep-alives). Incremental: remembers how far it has looked,
 * so that one-byte segments cost no more than linear time.
 */
#ifndef SIP_FRAME_H
#define SIP_FRAME_H

#include "base/buf.h"

enum frame_verdict {
	FRAME_MORE,          /**< nothing whole yet                              */
	FRAME_MSG,           /**< *msg = one whole message                       */
	FRAME_PING,          /**< CRLFCRLF before a message: answer CRLF         */
	FRAME_BAD,           /**< cannot be framed: *msg = header section as far
				  as known, *why set; answer 400 and close        */
	FRAME_BIG,           /**< over the limit: as FRAME_BAD with 513/413       */
};

struct frame {
	struct buf in;       /**< bytes not yet consumed                         */
	size_t start;        /**< first unconsumed byte in `in`                  */
	size_t scan;         /**< looked at up to here                           */
	size_t head_end;     /**< past the empty line, 0 = not found yet         */
	uint32_t line;       /**< line looked at now, from `start` on            */
	uint32_t len_at;     /**< last Content-Length line, from `start` on      */
	uint32_t len_val;    /**< past its ':'                                   */
	uint32_t lens;       /**< how many of them                               */
	size_t total;        /**< whole message, 0 = not known                   */
	uint32_t max;        /**< largest message [bytes]                        */
	uint8_t crlf;        /**< how much of CRLFCRLF was seen between messages  */
	uint8_t bad;         /**< FRAME_BAD or FRAME_BIG was said: it stays so    */
	const char *why;     /**< and why                                        */
	uint64_t last_at;    /**< [ms] of the last push                           */
	uint64_t first_at;   /**< [ms] when the first byte of the current message
				  came; UINT64_MAX = between messages            */
};

void frame_init(struct frame *f, uint32_t max);
void frame_free(struct frame *f);
/** Append received bytes. @return 0, ENOSPC (peer sends faster than allowed), ENOMEM */
int frame_push(struct frame *f, const void *p, size_t n, uint64_t now);
/** Take the next thing. *msg is valid until the next frame_push() */
enum frame_verdict frame_next(struct frame *f, struct sl *msg, const char **why);

#endif
