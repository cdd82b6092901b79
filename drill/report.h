/**
 * @file report.h  Pure. What a drill found: one JSON object, and the same as
 * text for a terminal and as one HTML page that needs nothing else.
 */
#ifndef DRILL_REPORT_H
#define DRILL_REPORT_H

#include "drill/judge.h"
#include <jansson.h>

enum { NOTES = 400, NOTE_TEXT = 160, REPORT_LOSSES = 1000 };

/** One point of the time line */
struct note {
	uint64_t at;             /**< clk_now()                              */
	bool edge;               /**< the edge said so                       */
	char text[NOTE_TEXT];
};

struct report_in {
	const struct drill_plan *plan;
	const struct outcome *o;
	const struct facts *f;
	const struct gen *gen;
	const struct note *note;
	uint32_t notes;
	uint64_t begin, end;     /**< clk_now()                              */
	uint64_t wall;           /**< of begin [ms since 1970]               */
	const char *node, *why, *who, *version, *where;
	uint32_t pool;
};

/** @param last  report of the run before, or NULL. @return NULL: no memory */
json_t *report_json(const struct report_in *in, const json_t *last);
/** @return 0; EBADMSG: r is no report */
int  report_text(struct buf *b, const json_t *r);
int  report_html(struct buf *b, const json_t *r);
/** "2026-11-26T01:02:03Z" of [ms since 1970] */
const char *report_date(uint64_t wall, char txt[24]);

#endif
