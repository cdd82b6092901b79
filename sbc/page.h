/**
 * @file page.h  Pure. A view (dash_view.c) as HTML, a section at a time: the
 * same text stands in the first page and in what the stream brings, so that
 * the page reads the same without JavaScript.
 *
 * Numbers in a view may be missing; every text is escaped, whoever wrote it.
 */
#ifndef SBC_PAGE_H
#define SBC_PAGE_H

#include "base/buf.h"
#include <jansson.h>

/** Names of the sections, in the order of the page; NULL ends */
extern const char *const page_sections[];
/** Append one. @return false: no such section */
bool page_section(struct buf *b, struct sl name, const json_t *view);

/* page_put.c: pieces of HTML */
/** 1234567 -> "1 234 567", with thin blanks */
void page_num(struct buf *b, uint64_t v);
/** [1/1000] -> "12.3" */
void page_milli(struct buf *b, uint64_t v);
/** [1/10 %] -> "98.7 %" */
void page_permille(struct buf *b, uint64_t v);
/** [ms] -> "340 ms", "12 s", "3 min", "5 h 12 min", "12 d 3 h" */
void page_span(struct buf *b, uint64_t ms);
/** [us] -> "412 µs", "1.2 ms" */
void page_us(struct buf *b, uint64_t us);

/* page_nodes.c */
void page_topology(struct buf *b, const json_t *view);
void page_nodes(struct buf *b, const json_t *view);
void page_location(struct buf *b, const json_t *view);
void page_pings(struct buf *b, const json_t *view);
void page_certs(struct buf *b, const json_t *view);

/* page_bans.c */
void page_bans(struct buf *b, const json_t *view);
/* page_peers.c */
void page_peers(struct buf *b, const json_t *view);

/* page_sql.c */
void page_sql(struct buf *b, const json_t *view);

/* page_drills.c */
void page_drills(struct buf *b, const json_t *view);

/* readers: what is missing is 0, "", NULL */
uint64_t page_u64(const json_t *o, const char *key);
const char *page_str(const json_t *o, const char *key);
bool page_yes(const json_t *o, const char *key);
bool page_is(const json_t *o, const char *key, const char *val);
/** <td data-l="label" class="cls"> */
void page_td(struct buf *b, const char *label, const char *cls);
/** A whole cell with what `o` has under `key`: a number, a span of time, a text */
void page_td_num(struct buf *b, const char *label, const char *cls,
		 const json_t *o, const char *key);
void page_td_span(struct buf *b, const char *label, const json_t *o,
		  const char *key);
void page_td_text(struct buf *b, const char *label, const json_t *o,
		  const char *key);

#endif
