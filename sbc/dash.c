/* dash.c - Shell. The page, its stream, and the timer behind both. */
#include "sbc/dash.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clk.h"
#include "base/log.h"
#include "sbc/ledger.h"
#include "sbc/page.h"
#include "sbc/scrape.h"
#include "web/assets.h"
#include "web/jsn.h"
#include "web/sse.h"

enum {
	TO_API, TO_PAGE,             /* channels of the stream              */
	EVENTS_BURST = 250,          /* events sent in one turn             */
	CHANGED_GAP = 250,           /* [ms] between turns, at least        */
	PAGE_MAX = 4 << 20,          /* [bytes] of a page or message        */
};

/* --- one view for all --- */

static const json_t *view(struct dash *d, bool anew)
{
	uint64_t now = clk_now(), t;

	if (d->view && !anew && now - d->view_at < DASH_KEEP)
		return d->view;
	t = clk_now_us();
	json_decref(d->view);
	d->view = dash_view(d, now);
	d->view_at = now;
	d->views++;
	d->views_us += clk_now_us() - t;
	return d->view;
}

/** For somebody who looks */
static const json_t *shown(struct dash *d)
{
	d->looked = clk_now();
	return view(d, false);
}

static void put_json(struct buf *b, const char *event, uint64_t id,
		     const json_t *o)
{
	char *t = json_dumps(o, JSON_COMPACT);

	if (t)
		sse_put(b, event, id, sl_cstr(t));
	free(t);
}

/** All sections as the page shows them */
static void put_sections(struct buf *b, const json_t *v)
{
	json_t *o = json_object(), *html = json_object();
	struct buf one;

	jsn_u64(o, "at_ms", page_u64(v, "at_ms"));
	for (int i = 0; page_sections[i]; i++) {
		buf_init(&one, PAGE_MAX);
		(void)page_section(&one, sl_cstr(page_sections[i]), v);
		jsn_sl(html, page_sections[i], buf_as_sl(&one));
		buf_free(&one);
	}
	jsn_put(o, "html", html);
	put_json(b, "view", 0, o);
	json_decref(o);
}

/* --- what is served --- */

static void fill(struct buf *b, struct sl name, void *arg)
{
	(void)page_section(b, name, arg);
}

static void get_page(struct http_call *c, void *arg)
{
	struct dash *d = arg;
	const struct asset *a = asset_find("/");
	json_t *v = (json_t *)(uintptr_t)shown(d);
	struct buf b;

	buf_init(&b, PAGE_MAX);
	asset_fill(&b, sl_mk(a->p, a->n), fill, v);
	if (b.err)
		http_srv_reply(c, 500, "text/plain", SL("no memory\n"));
	else
		http_srv_reply(c, 200, a->type, buf_as_sl(&b));
	buf_free(&b);
}

static void get_view(struct http_call *c, void *arg)
{
	jsn_reply(c, 200, json_incref((json_t *)(uintptr_t)shown(arg)));
}

static void get_past(struct http_call *c, void *arg)
{
	struct blob *b = dash_past(arg);

	http_srv_reply(c, b ? 200 : 500, "application/json",
		       b ? blob_sl(b) : SL("{\"error\":\"no memory\"}"));
}

static void get_stream(struct http_call *c, void *arg)
{
	struct dash *d = arg;
	bool page = sl_eq(http_srv_param(c, SL("view")), SL("html"));
	struct buf b;

	buf_init(&b, PAGE_MAX);
	buf_lit(&b, "retry: 2000\n\n");
	if (page)
		put_sections(&b, shown(d));
	else
		put_json(&b, "status", 0, shown(d));
	http_srv_stream(c, "text/event-stream", page ? TO_PAGE : TO_API,
			buf_as_sl(&b));
	buf_free(&b);
}

/* --- the timer --- */

static void send_to(struct dash *d, unsigned channel, const struct buf *b)
{
	struct blob *x = b->err || !b->n ? NULL : blob_make(b->p, b->n);

	if (x)
		http_srv_send(d->s->http, channel, x);
	blob_unref(x);
}

/** New events, oldest first; who falls behind reads /api/v1/events */
static void put_events(struct dash *d, struct buf *b)
{
	const struct events *ev = &edge_ledger(d->s->edge)->ev;
	const struct event *e;

	for (int n = 0; n < EVENTS_BURST && d->seen < ev->last &&
	     (e = events_after(ev, d->seen)); n++) {
		json_t *o = api_event_json(e);

		put_json(b, "event", e->id, o);
		json_decref(o);
		d->seen = e->id;
	}
}

static void put_row(struct buf *b, const struct dash *d)
{
	struct buf row;

	buf_init(&row, 4096);
	dash_past_row(&row, d, 0);
	sse_put(b, "row", 0, buf_as_sl(&row));
	buf_free(&row);
}

/** @param told  the nodes have been asked since the last one */
static void publish(struct dash *d, bool row, bool told, bool anew)
{
	bool api = http_srv_listeners(d->s->http, TO_API);
	bool page = http_srv_listeners(d->s->http, TO_PAGE);
	struct buf b;

	/* the word is a figure and a line in the log, whoever looks */
	if ((told || d->s->hooks) && !api && !page)
		(void)view(d, true);
	buf_init(&b, PAGE_MAX);
	if (api) {
		put_events(d, &b);
		put_json(&b, "status", 0, view(d, anew));
		if (row)
			put_row(&b, d);
		send_to(d, TO_API, &b);
	}
	else {
		d->seen = edge_ledger(d->s->edge)->ev.last;
	}
	buf_reset(&b);
	if (page) {
		put_sections(&b, view(d, anew && !api));
		if (row)
			put_row(&b, d);
		send_to(d, TO_PAGE, &b);
	}
	buf_free(&b);
}

/** Rate and failures of a node since the row before */
static void node_rate(struct dash_node *n, const struct disp_view *v,
		      uint64_t now)
{
	uint64_t bad = v->silent + v->reset + v->refused;
	uint64_t picked = v->picked - n->picked;

	if (!strcmp(n->name, v->name) && v->picked >= n->picked &&
	    bad >= n->bad && now > n->at) {
		n->per_s1000 = picked * 1000000 / (now - n->at);
		n->bad_permille = picked ? (uint32_t)
			((bad - n->bad) * 1000 / picked) : 0;
	}
	else {
		memcpy(n->name, v->name, sizeof(n->name));
		n->per_s1000 = 0;
		n->bad_permille = 0;
	}
	n->picked = v->picked;
	n->bad = bad;
	n->at = now;
}

/** Where to ask a node: its setting, or what it told about itself */
static struct addr http_of(struct dash *d, uint16_t idx, const char *name)
{
	struct addr a = { 0 };

	for (uint32_t i = 0; i < d->s->cf.pool.n; i++) {
		const struct sbc_node *n = sbc_config_node(&d->s->cf, i);

		if (!strcmp(n->name, name) && n->http[0] &&
		    !addr_parse(&a, sl_cstr(n->http), 8061))
			return a;
	}
	(void)edge_node_http(d->s->edge, idx, &a);
	return a;
}

static void look_pool(struct dash *d, bool row, uint64_t now)
{
	struct disp *disp = edge_disp(d->s->edge);
	const struct addr none = { 0 };
	struct disp_view v;

	for (uint16_t i = 0; i < DISP_MAX; i++) {
		struct addr a;

		if (disp_view(disp, i, &v)) {
			scrape_set(d->scrape, i, "", &none);
			continue;
		}
		a = http_of(d, i, v.name);
		scrape_set(d->scrape, i, v.name, &a);
		if (row)
			node_rate(&d->node[i], &v, now);
	}
}

/** Nobody waits for what the nodes say, most of the time */
static uint32_t pace(const struct dash *d, uint64_t now)
{
	bool looks = d->s->hooks || (d->looked && now - d->looked < DASH_LOOKED);

	return looks || http_srv_listeners(d->s->http, TO_API) ||
		http_srv_listeners(d->s->http, TO_PAGE) ? SCRAPE_EVERY :
		SCRAPE_REST;
}

static void turn(struct dash *d, bool anew)
{
	uint64_t now = clk_now(), v[HISTORY_SERIES];
	bool row = now >= d->h->due, told = d->told;

	if (row) {
		dash_series(d, v, now);
		(void)history_add(d->h, v, now);
	}
	look_pool(d, row, now);
	d->told = scrape_turn(d->scrape, pace(d, now), now);
	publish(d, row, told, anew);
}

static void timer(void *arg)
{
	struct dash *d = arg;

	turn(d, true);
	d->turned = clk_now();
	ntimer_at(d->timer, d->turned + DASH_TURN);
}

void dash_look(struct sbc *s)
{
	(void)shown(s->dash);
}

/* Who pressed a button sees it at once; a script that presses a hundred times a
 * second does not draw a hundred pages */
void dash_changed(struct sbc *s)
{
	struct dash *d = s->dash;
	uint64_t now = clk_now(), at = d->turned + CHANGED_GAP;

	json_decref(d->view);
	d->view = NULL;
	ntimer_at(d->timer, at > now ? at : now);
}

/* --- around it --- */

static int figures(struct dash *d)
{
	const struct stat_row v[] = {
		{ STAT_GAUGE, "sbc_verdict", "The page's verdict: 0 OK, 1 "
		  "DEGRADED, 2 AT RISK, 3 DOWN", &d->state },
		{ STAT_COUNTER, "dash_views_total",
		  "Views collected for the page and its stream", &d->views },
		{ STAT_COUNTER_US, "dash_views_seconds_total",
		  "Time that took", &d->views_us },
		{ STAT_COUNTER, "dash_scrapes_total",
		  "Nodes asked for their status", scrape_done(d->scrape) },
		{ STAT_COUNTER, "dash_scrapes_failed_total",
		  "Of these, without a good answer",
		  scrape_failed(d->scrape) },
	};
	return stat_rows(d->s->st, v, NULL, d);
}

static int routes(struct dash *d)
{
	const struct {
		const char *path;
		http_route_h *h;
	} r[] = {
		{ "/", get_page }, { "/api/v1/dashboard", get_view },
		{ "/api/v1/history", get_past },
		{ "/api/v1/stream", get_stream },
	};
	int err = asset_routes(d->s->http);

	for (size_t i = 0; i < sizeof(r) / sizeof(*r) && !err; i++)
		err = http_srv_route(d->s->http, "GET", r[i].path, r[i].h, d);
	return err;
}

int dash_start(struct sbc *s)
{
	struct dash *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return ENOMEM;
	s->dash = d;
	d->s = s;
	d->state = VERDICT_DOWN;         /* no node has answered yet */
	d->h = calloc(1, sizeof(*d->h));
	err = d->h ? scrape_alloc(&d->scrape, DISP_MAX) : ENOMEM;
	if (!err)
		err = ntimer_alloc(&d->timer, timer, d);
	if (!err)
		err = figures(d);
	if (!err)
		err = routes(d);
	/* what "since" and "last hour" count from */
	if (!err)
		ntimer_at(d->timer, clk_now());
	return err;
}

void dash_stop(struct sbc *s)
{
	struct dash *d = s->dash;

	if (!d)
		return;
	s->dash = NULL;
	stat_del_owner(s->st, d);
	ntimer_free(d->timer);
	scrape_free(d->scrape);
	json_decref(d->view);
	for (uint32_t i = 0; i < DISP_MAX; i++)
		json_decref(d->node[i].told);
	blob_unref(d->past);
	free(d->h);
	free(d);
}
