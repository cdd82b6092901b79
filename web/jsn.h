/**
 * @file jsn.h  Shell. Small helpers over jansson. Setters ignore a NULL
 * object and lack of memory: jsn_reply() answers 500 when nothing came out.
 */
#ifndef WEB_JSN_H
#define WEB_JSN_H

#include "web/http.h"
#include <jansson.h>

void jsn_u64(json_t *o, const char *key, uint64_t v);
void jsn_bool(json_t *o, const char *key, bool v);
void jsn_str(json_t *o, const char *key, const char *v);    /**< NULL = null */
/** Bytes from anywhere: what is no UTF-8 becomes U+FFFD */
void jsn_sl(json_t *o, const char *key, struct sl v);
void jsn_addr(json_t *o, const char *key, const struct addr *a);
/** Takes over v */
void jsn_put(json_t *o, const char *key, json_t *v);
/** Parse a request body: an object, no duplicate keys. NULL = answered 400 */
json_t *jsn_body(struct http_call *c);
/** Answer with JSON text; takes over o */
void jsn_reply(struct http_call *c, unsigned status, json_t *o);
/** {"error": text} */
void jsn_error(struct http_call *c, unsigned status, const char *text);

#endif
