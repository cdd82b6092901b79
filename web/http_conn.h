/**
 * @file http_conn.h  Shell. Connections of one HTTP listener: bounded in
 * number, size and time.
 */
#ifndef WEB_HTTP_CONN_H
#define WEB_HTTP_CONN_H

#include "base/addr.h"
#include "web/http_req.h"

#define HTTP_CONNS 64            /**< at the cap the oldest one goes        */
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
/** Requests that had no readable head, answered 400 or 431 */
const uint64_t *http_pool_bad(const struct http_pool *p);
/** head_only: as for HEAD, the body is counted but not sent */
void http_conn_reply(struct http_conn *c, unsigned status, const char *reason,
		     const char *type, struct sl body, bool head_only);

#endif
