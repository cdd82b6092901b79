/**
 * @file assets.h  Shell. Files of the page, built into the program: what
 * web/assets holds, by web/embed at make time.
 */
#ifndef WEB_ASSETS_H
#define WEB_ASSETS_H

#include "web/http.h"

struct asset {
	const char *path;        /**< as asked for, "/app.js"                */
	const char *type;
	const unsigned char *p;
	size_t n;
};

/** NULL = there is none */
const struct asset *asset_find(const char *path);
/** Serve all of them but the template of the page, "/".
 *  @return 0 or ENOSPC */
int  asset_routes(struct http_srv *s);

/** What stands for one name of a template */
typedef void (asset_fill_h)(struct buf *b, struct sl name, void *arg);
/** Append the text with each <!--#NAME--> replaced */
void asset_fill(struct buf *b, struct sl text, asset_fill_h *h, void *arg);

#endif
