/**
 * @file dash.h  Shell. The page at "/", /api/v1/dashboard, /api/v1/history and
 * /api/v1/stream: what they show is collected once a second at most, however
 * many look.
 */
#ifndef SBC_DASH_H
#define SBC_DASH_H

#include "sbc/sbc_priv.h"
#include "sbc/history.h"
#include "sbc/verdict.h"

enum {
	DASH_TURN = 1000,            /**< [ms] between two views             */
	DASH_KEEP = 500,             /**< [ms] a view is given to who asks   */
	DASH_LOOKED = 30000,         /**< [ms] he is taken to go on looking  */
	DASH_PAST = 300000,          /**< [ms] of "in the last 5 min"        */
	DASH_HOUR = 3600000,
};

/** What a node had been given at the row of history before, for its rate */
struct dash_node {
	char name[64];
	uint64_t picked, from, bad;
	uint64_t at;                 /**< [ms]                               */
	uint64_t per_s1000;          /**< requests [1/1000 per s]            */
	uint32_t bad_permille;       /**< of these, lost by the node         */
	json_t *told;                /**< what it said, as shown             */
	uint64_t told_at;            /**< [ms] of that                       */
};

struct dash {
	struct sbc *s;
	struct scrape *scrape;
	struct ntimer *timer;
	struct history *h;
	struct dash_node node[DISP_MAX];
	json_t *view;                /**< the latest                         */
	uint64_t view_at;            /**< [ms] 0 = none                      */
	uint64_t turned;             /**< [ms] last turn of the timer         */
	uint64_t looked;             /**< [ms] somebody asked for the view    */
	bool told;                   /**< the nodes were asked a turn ago     */
	uint64_t seen;               /**< last event sent to followers       */
	struct blob *past;           /**< history as JSON, NULL = not made   */
	uint64_t past_seq;           /**< of h when it was made              */
	uint64_t views, views_us;    /**< figures: made, time they took      */
	uint64_t state;              /**< enum verdict, the latest           */
};

/* dash_series.c */
enum dash_series {
	DS_INVITE, DS_REGISTER, DS_OTHER, DS_2XX, DS_3XX, DS_4XX, DS_5XX,
	DS_6XX, DS_PENDING, DS_CONNS, DS_SRD50, DS_SRD95, DS_SRD99, DS_UP,
	DS_LOST, DS_MOVED, DS_SAVED, DS_ADOPTED, DS_RESCUED, DS_GHOST,
	DS_CHARTS,                   /**< those above are drawn              */
	DS_LATE = DS_CHARTS, DS_INV_OK, DS_INV_REDIR, DS_INV_CALLEE,
	DS_INV_FAILED, DS_INV_OTHER, DS_RETRANS, DS_EGRESS, DS_DIALOG,
	DS_REFUSED,                  /**< and all after it: by reason        */
};
void dash_series(struct dash *d, uint64_t v[HISTORY_SERIES], uint64_t now);
const char *dash_series_name(uint32_t i);
enum history_kind dash_series_kind(uint32_t i);
/** What the edge refused or dropped, by reason. NULL: no such one */
const char *dash_refused_name(uint32_t i);

/* dash_view.c */
/** Everything the page shows */
json_t *dash_view(struct dash *d, uint64_t now);
/** Add to each node of the pool how its database is, where it has told */
void dash_put_sql(const struct dash *d, json_t *pool, uint64_t now);

/* dash_past.c */
/** GET /api/v1/history: all rows. NULL: no memory */
struct blob *dash_past(struct dash *d);
/** The latest row alone, for the stream */
void dash_past_row(struct buf *b, const struct dash *d, uint32_t age);

/* dash.c */
int  dash_start(struct sbc *s);
void dash_stop(struct sbc *s);
/** Let dash->state be what it is now, also when nobody looks at the page */
void dash_look(struct sbc *s);
/** Show what an action has changed at once */
void dash_changed(struct sbc *s);

#endif
