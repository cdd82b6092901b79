/**
 * @file drills.h  Pure. Drills that the page runs: which there are, the one
 * that goes on, what it said, and when it has to end. The tool that does the
 * work is a program of its own; its lines come in here.
 */
#ifndef SBC_DRILLS_H
#define SBC_DRILLS_H

#include "base/sl.h"
#include <jansson.h>

enum {
	DRILLS_MAX = 64,             /**< known drills                       */
	DRILLS_STEPS = 24,           /**< latest steps kept                  */
	DRILLS_PAST = 8,             /**< latest drills kept                 */
	DRILLS_LINE = 16384,         /**< longest line of the tool [bytes]   */
	DRILLS_LIST = 65536,         /**< longest list of the tool [bytes]   */
	DRILLS_SAID = 4 << 20,       /**< all it may say [bytes]             */
	DRILLS_GRACE = 15000,        /**< [ms] from Ctrl-C to its kill       */
};

struct drills_kind {
	char name[32], text[160];
	char file[64];               /**< in the folder; "" = built in       */
	bool edge, lab;              /**< where it may run                   */
};

/** A figure of the test calls; names are the tool's keys */
enum drills_figure {
	DF_PLACED, DF_DONE, DF_LOST, DF_LIVE, DF_PHONES, DF_REGISTERED,
	DF_MOVED, DF_ADOPTED, DF_OTHERS, DF_N,
};

struct drills_run {
	char name[32], who[65];
	bool lab;
	uint64_t wall;               /**< of its begin [ms since 1970]       */
	uint64_t took;               /**< [ms], when it is over              */
	char step[32], node[64];
	uint64_t figure[DF_N];
	char verdict[16];            /**< PASS, FAIL, ABORTED, UNFIT, NONE   */
	char why[160];
	char report[96];             /**< file of it, no path; "" = none     */
	json_t *claims;              /**< of the tool's last line            */
};

enum drills_state { DRILLS_IDLE, DRILLS_ON, DRILLS_ENDING };

struct drills {
	struct drills_kind v[DRILLS_MAX];
	uint32_t n;
	enum drills_state state;
	struct drills_run run;       /**< that goes on, or the last one      */
	struct {
		uint64_t at;         /**< [ms] after the begin               */
		char text[160];
	} step[DRILLS_STEPS];
	uint32_t steps;              /**< so far; the latest are kept        */
	struct drills_run past[DRILLS_PAST];   /**< latest first             */
	uint32_t pasts;
	uint64_t begun, until, kill_at;        /**< [ms]                     */
	bool told;                   /**< Ctrl-C is to be sent               */
	bool ended_by_us;
	uint64_t said;               /**< [bytes]                            */
	char line[DRILLS_LINE];
	uint32_t linen;
	bool skip;                   /**< the rest of a line too long        */
	/* figures */
	uint64_t count[5];           /**< by verdict, see drills_verdicts    */
	uint64_t on;                 /**< does one go on                     */
};

/** "PASS" ... "NONE"; NULL ends */
extern const char *const drills_verdicts[];

void drills_free(struct drills *d);
/** What `edgewise drill list --json` said. Odd ones are left out.
 *  @return 0; EBADMSG: it is no list, the old one stays */
int  drills_list(struct drills *d, struct sl json);
/** NULL: no such drill, or it must not run there */
const struct drills_kind *drills_find(const struct drills *d, const char *name,
				      bool lab);
/** @param max  [ms] it may take. @return 0; EBUSY: one goes on */
int  drills_begin(struct drills *d, const struct drills_kind *k, bool lab,
		  const char *who, uint64_t max, uint64_t now, uint64_t wall);
/** What the tool said */
void drills_said(struct drills *d, struct sl bytes, uint64_t now);
/** End it soon. @return is there one to end */
bool drills_abort(struct drills *d, const char *why, uint64_t now);
/** The tool has ended, by exit status 0..255, or a signal (-1). Then d->run is
 *  over and past[0] */
void drills_ended(struct drills *d, int status, uint64_t now);

enum drills_do { DRILLS_NOTHING, DRILLS_INT, DRILLS_KILL };
uint64_t drills_next(const struct drills *d);
enum drills_do drills_poll(struct drills *d, uint64_t now);

/** For the page and the API: state, list, what goes on, the last ones */
json_t *drills_json(const struct drills *d, uint64_t now);
/** Is it the name of a report of ours: NAME-20261126T010203Z.html */
bool drills_report_name(struct sl name);

#endif
