/* assets.c - Shell. The page's files, and its template filled in. */
#include "web/assets.h"
#include "web/assets_data.h"

static const struct asset list[] = {
	{ "/", "text/html; charset=utf-8", asset_index_html,
	  sizeof(asset_index_html) },
	{ "/app.js", "text/javascript; charset=utf-8", asset_app_js,
	  sizeof(asset_app_js) },
	{ "/style.css", "text/css; charset=utf-8", asset_style_css,
	  sizeof(asset_style_css) },
	{ "/icon.svg", "image/svg+xml", asset_icon_svg,
	  sizeof(asset_icon_svg) },
};

enum { ASSETS = sizeof(list) / sizeof(list[0]) };

const struct asset *asset_find(const char *path)
{
	for (size_t i = 0; i < ASSETS; i++)
		if (!strcmp(list[i].path, path))
			return &list[i];
	return NULL;
}

static void get(struct http_call *c, void *arg)
{
	const struct asset *a = arg;

	http_srv_reply(c, 200, a->type, sl_mk(a->p, a->n));
}

int asset_routes(struct http_srv *s)
{
	int err = 0;

	for (size_t i = 1; i < ASSETS && !err; i++)
		err = http_srv_route(s, "GET", list[i].path, get,
				     (void *)(uintptr_t)&list[i]);
	return err;
}

/** Where a mark begins, s.n = nowhere */
static size_t find(struct sl s, struct sl mark)
{
	for (size_t i = 0; i + mark.n <= s.n; i++)
		if (!memcmp(s.p + i, mark.p, mark.n))
			return i;
	return s.n;
}

void asset_fill(struct buf *b, struct sl text, asset_fill_h *h, void *arg)
{
	for (;;) {
		size_t at = find(text, SL("<!--#")), end;
		struct sl rest = sl_sub(text, at + 5, text.n);

		buf_sl(b, sl_sub(text, 0, at));
		if (at >= text.n)
			return;
		end = find(rest, SL("-->"));
		h(b, sl_sub(rest, 0, end), arg);
		text = sl_sub(rest, end + 3, rest.n);
	}
}
