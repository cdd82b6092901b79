/**
 * @file admin.h  Shell. The endpoints both programs have: /healthz (the loop
 * turns), /readyz (may get traffic), /metrics, /api/v1/status.
 */
#ifndef WEB_ADMIN_H
#define WEB_ADMIN_H

#include "web/http.h"
#include <jansson.h>

struct admin {
	const struct stats *st;
	/** May we get traffic? If not, say why in one short line. NULL = yes */
	bool (*ready)(struct buf *why, void *arg);
	/** State as a JSON object, ownership goes to the caller */
	json_t *(*status)(void *arg);
	void *arg;
};

/** Register the four routes; `a` is borrowed until http_srv_free() */
int admin_routes(struct http_srv *s, const struct admin *a);

#endif
