/**
 * @file http.h  Shell. The management HTTP server behind five functions.
 * For a loopback or management address, never the outside.
 */
#ifndef WEB_HTTP_H
#define WEB_HTTP_H

#include "base/stat.h"
#include "base/addr.h"
#include "base/buf.h"

struct http_srv;

/** One request; slices are borrowed until the handler returns */
struct http_call {
	struct sl method;      /**< "GET"                                     */
	struct sl path;        /**< "/api/v1/status"                          */
	struct sl query;       /**< after '?', not decoded; empty when none   */
	struct sl host;        /**< Host header, already checked              */
	struct sl origin;      /**< Origin header, empty when none            */
	struct sl auth;        /**< Authorization header, empty when none     */
	struct sl type;        /**< Content-Type header, empty when none      */
	struct sl who;         /**< X-Edgewise-Who header, empty when none    */
	struct sl body;        /**< at most HTTP_BODY_MAX bytes               */
	struct addr peer;
	void *conn;            /**< the server's own                          */
	bool answered;
};

#define HTTP_BODY_MAX 65536    /**< longest request body [bytes]             */
#define HTTP_ROUTES 32         /**< most routes of one server                */
#define HTTP_HOSTS 8           /**< most names of one server                 */

typedef void (http_route_h)(struct http_call *c, void *arg);

/**
 * Listen. A busy port or a wrong address is logged with what to do.
 *
 * @param name  what the log calls it ("http")
 * @param addr  port 0: any free one, see http_srv_addr()
 * @param st    figures are registered here; NULL = none
 * @return 0, EADDRINUSE, EADDRNOTAVAIL, EACCES, ENOMEM
 */
int  http_srv_alloc(struct http_srv **sp, const char *name,
		    const struct addr *addr, struct stats *st);
/** Not inside a route handler; NULL allowed */
void http_srv_free(struct http_srv *s);
/** Where it listens, with the real port */
int  http_srv_addr(const struct http_srv *s, struct addr *a);
/** Besides numeric addresses and "localhost", requests may name this host
 *  (against DNS rebinding all others get 403); copied. 0 or ENOSPC */
int  http_srv_host(struct http_srv *s, const char *host);
/**
 * Serve a path; a GET route serves HEAD too. A path that ends with '/' serves
 * all below it, but "/" only itself. All strings borrowed for ever.
 *
 * @return 0 or ENOSPC
 */
int  http_srv_route(struct http_srv *s, const char *method, const char *path,
		    http_route_h *h, void *arg);
/** Answer; once per call, inside the handler */
void http_srv_reply(struct http_call *c, unsigned status, const char *type,
		    struct sl body);
/** Answer 200 with a file to be kept, not shown: a browser that shows it all the
 *  same runs nothing of it. name: letters, digits, ".", "_", "-" */
void http_srv_attach(struct http_call *c, const char *type, struct sl name,
		     struct sl body);
/**
 * Answer with a stream that does not end: `first`, then every
 * http_srv_send() of that channel. Bounded in number (503) and patience.
 *
 * @param type     "text/event-stream"
 * @param channel  a number of the caller's
 */
void http_srv_stream(struct http_call *c, const char *type, unsigned channel,
		     struct sl first);
/** One piece for all who listen to the channel; the caller keeps his
 *  reference. Not inside a route handler */
void http_srv_send(struct http_srv *s, unsigned channel, struct blob *b);
/** Who listens to the channel now */
unsigned http_srv_listeners(const struct http_srv *s, unsigned channel);
/** Value of ?name=... in the query (not decoded), SL_NONE = not there */
struct sl http_srv_param(const struct http_call *c, struct sl name);

#endif
