/**
 * @file curlm.h  Shell. HTTP requests of ours, by libcurl on the event loop:
 * nothing blocks, every answer is bounded in time and size.
 */
#ifndef WEB_CURLM_H
#define WEB_CURLM_H

#include "base/addr.h"
#include "base/buf.h"

struct curlm;
struct curlm_req;

/**
 * A request has ended.
 *
 * @param err     0; ETIMEDOUT, ECONNREFUSED, EMSGSIZE (body), EPROTO, EIO
 * @param status  HTTP status when err is 0
 * @param body    borrowed until the handler returns
 */
typedef void (curlm_h)(int err, unsigned status, struct sl body, void *arg);

int  curlm_alloc(struct curlm **mp);
/** What still runs ends without its handler; NULL allowed */
void curlm_free(struct curlm *m);
/**
 * GET http://ADDR PATH. No names, no proxy, no redirect.
 *
 * @param patience  [ms] for the whole of it
 * @param max       longest body [bytes]
 * @return 0 and the handler comes later, once, never from inside; ENOMEM
 */
int  curlm_get(struct curlm_req **rp, struct curlm *m, const struct addr *a,
	       const char *path, uint32_t patience, size_t max, curlm_h *h,
	       void *arg);
struct curlm_post {
	const char *url;
	struct sl body;              /**< copied                             */
	const char *const *header;   /**< "Name: value", ends with NULL      */
	const char *ca_file;         /**< NULL or "" = those of the system   */
	uint32_t patience;           /**< [ms] for the whole of it           */
	size_t max;                  /**< longest answer [bytes], thrown away */
};
/**
 * POST to an http:// or https:// URL; names are asked for in a thread of
 * libcurl's. No redirect, no proxy, certificates are checked. As curlm_get(),
 * with an empty body for the handler.
 */
int  curlm_post(struct curlm_req **rp, struct curlm *m,
		const struct curlm_post *p, curlm_h *h, void *arg);
/** In the handler: how long the answer asks us to stay away (Retry-After, a
 *  number or a date, RFC 9110 10.2.3) [s]; 0 = not said, or now */
uint64_t curlm_retry_after(const struct curlm_req *r);
/** Its handler will not come any more; NULL allowed */
void curlm_cancel(struct curlm_req *r);

#endif
