/**
 * @file http_req.h  Pure. The head of an HTTP request (RFC 9112), in time that
 * grows with its length only: libre's parser takes seconds for a first line of
 * 70 kB without a blank, and minutes for the longest it accepts.
 */
#ifndef WEB_HTTP_REQ_H
#define WEB_HTTP_REQ_H

#include "base/buf.h"

#define HTTP_HEAD_MAX 8192           /**< longest head [bytes]              */

/** Slices point into the input */
struct http_req {
	struct sl method, path;
	struct sl query;             /**< after '?', empty when none        */
	/** Values of the first such header: Host, Origin, Authorization,
	 *  Content-Type, X-Edgewise-Who */
	struct sl host, origin, auth, type, who;
	unsigned hosts;              /**< Host headers                      */
	uint64_t length;             /**< Content-Length [bytes]            */
	bool coded;                  /**< Transfer-Encoding: length unknown */
	bool close;                  /**< no further request after this one */
	size_t head;                 /**< bytes up to the body              */
};

/** @return 0; EAGAIN: the head is not whole yet; EBADMSG; EMSGSIZE: longer
 *  than HTTP_HEAD_MAX */
int  http_req_parse(struct http_req *r, struct sl in);

/** Append a value of the query with its %XX decoded; '+' stays what it is.
 *  @return 0; EBADMSG: a broken escape or %00; ENOSPC, ENOMEM (of out) */
int  http_req_unescape(struct buf *out, struct sl s);

#endif
