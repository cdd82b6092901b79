/**
 * @file http_conn.h  Shell. Connections of one HTTP listener: bounded in
 * number, size and time.
 */
#ifndef WEB_HTTP_CONN_H
#define WEB_HTTP_CONN_H

#include "base/addr.h"
#include "base/buf.h"
#include "web/http_req.h"

#define HTTP_CONNS 64            /**< besides streams; the oldest goes      */
#define HTTP_STREAMS 256         /**< connections that only listen to us    */
#define HTTP_QUEUE 8             /**< pieces a listener may be behind       */
#define HTTP_PATIENCE 10000      /**< [ms] for a request, or an answer to leave */

struct http_pool;
struct http_conn;

/**
 * A whole request, or one with a body that is too long or of unknown length:
 * then body is empty and the connection ends with the answer. Answer inside
 * by http_conn_reply().
 */
typedef void (http_conn_h)(struct http_conn *c, const struct http_req *r,
			   struct sl body, const struct addr *peer,
			   void *arg);

/** @param body_max  longest body that is read [bytes]. @return 0 or errno of bind */
int  http_pool_alloc(struct http_pool **pp, const struct addr *a,
		     size_t body_max, http_conn_h *h, void *arg);
void http_pool_free(struct http_pool *p);
int  http_pool_addr(const struct http_pool *p, struct addr *a);
/** head_only: as for HEAD, the body is counted but not sent */
void http_conn_reply(struct http_conn *c, unsigned status, const char *reason,
		     const char *type, struct sl body, bool head_only);
/** 200, a file `name` to be kept, in a box where nothing runs */
void http_conn_attach(struct http_conn *c, const char *type, struct sl name,
		      struct sl body, bool head_only);
/**
 * Answer 200 with a body that has no end: `first`, then what
 * http_pool_send() gives to this channel. The client says nothing more.
 *
 * @return 0; ENOSPC: HTTP_STREAMS listen already, answer otherwise
 */
int  http_conn_stream(struct http_conn *c, const char *type, unsigned channel,
		      struct sl first);
/** One piece to all who listen to the channel; they share the memory. Who is
 *  HTTP_QUEUE pieces behind, or takes nothing for HTTP_PATIENCE, is closed */
void http_pool_send(struct http_pool *p, unsigned channel, struct blob *b);

/** Figures, counted from the start */
struct http_pool_stats {
	uint64_t bad;            /**< no readable head, answered 400 or 431 */
	uint64_t streams;        /**< that listen now                       */
	uint64_t slow;           /**< listeners closed because they were    */
	uint64_t evicted;        /**< connections closed for newer ones     */
};
const struct http_pool_stats *http_pool_stats(const struct http_pool *p);
/** Who listens to the channel now */
unsigned http_pool_listeners(const struct http_pool *p, unsigned channel);

#endif
