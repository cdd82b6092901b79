/**
 * @file events.h  Pure. What happened to calls and nodes, the last few
 * thousand of it: a ring that a reader follows by number.
 */
#ifndef SBC_EVENTS_H
#define SBC_EVENTS_H

#include "base/sl.h"

enum event_kind {
	EVENT_MOVED,         /**< a request went to another node              */
	EVENT_SAVED,         /**< and was answered there                      */
	EVENT_ADOPTED,       /**< the edge goes on with a failed node's phones */
	EVENT_CONTINUED,     /**< its phones failed; a further node goes on   */
	EVENT_RESCUED,       /**< an answer passed a dead node                */
	EVENT_PASSED,        /**< a request in a dialog went past its node    */
	EVENT_LATE_2XX,      /**< 2xx on an attempt given up, passed on       */
	EVENT_LOST,          /**< a request lost because of nodes             */
	EVENT_GHOST,         /**< a call nobody would have ended, ended       */
	EVENT_GATE,          /**< a late branch of a node, refused            */
	EVENT_NODE,          /**< a node changed its state                    */
	EVENT_ADMIN,         /**< somebody did something                      */
	EVENT_RECORDS,       /**< call records cannot be written, or can again */
	EVENT_VERDICT,       /**< the page's word has changed                 */
};
enum { EVENT_N = EVENT_VERDICT + 1 };
const char *event_kind_name(enum event_kind k);

enum event_severity { EVENT_INFO, EVENT_WARNING, EVENT_ERROR };
const char *event_severity_name(enum event_severity s);

/** Texts are as they came, cut to size: escape them where they are shown. ""
 *  and 0 stand for "does not apply" */
struct event {
	uint64_t id;              /**< 1, 2, ... from the start on            */
	uint64_t wall;            /**< [ms since 1970]                        */
	enum event_kind kind;
	enum event_severity severity;
	char callid[128];
	char from[96], to[96];    /**< addresses of record                    */
	char method[16];
	char node[64];            /**< concerned, or moved from               */
	char to_node[64];         /**< moved to                               */
	char who[64];             /**< ADMIN                                  */
	char reason[128];
	uint32_t attempts;
	uint64_t age;             /**< of the request [ms]                    */
};

struct events {
	struct event *v;
	uint32_t cap;
	uint64_t last;            /**< id of the newest, 0 = none yet         */
	uint64_t count[EVENT_N];
};

enum { EVENTS_CAP = 2048 };

/** @return 0, EINVAL, ENOMEM */
int  events_init(struct events *e, uint32_t cap);
void events_free(struct events *e);
/** A new one, zeroed but for the arguments; the oldest goes. Fill it in at once */
struct event *events_add(struct events *e, enum event_kind kind,
			 enum event_severity sev, uint64_t wall);
/** Copy a text into a field of an event */
#define event_set(field, s) event_put((field), sizeof(field), (s))
void event_put(char *dst, size_t size, struct sl s);
/** The oldest kept one after id `since`; NULL = none. A `since` that is not
 *  reached yet is of an earlier process: from the begin */
const struct event *events_after(const struct events *e, uint64_t since);
/** How many after `since` are not kept any more */
uint64_t events_dropped(const struct events *e, uint64_t since);

#endif
