/**
 * @file judge.h  Pure. What came out, counted, against what was claimed.
 */
#ifndef DRILL_JUDGE_H
#define DRILL_JUDGE_H

#include "drill/gen.h"
#include "drill/plan.h"

enum judgement { JUDGE_PASS, JUDGE_FAIL, JUDGE_ABORTED, JUDGE_UNFIT };
const char *judge_name(enum judgement v);

enum phase { PHASE_BEFORE, PHASE_DURING, PHASE_AFTER };
enum { PHASES = PHASE_AFTER + 1, HIST = 14 };

/** Upper bounds of the bins [ms]; the last one has none */
extern const uint32_t judge_bound[HIST - 1];

struct hist {
	uint32_t n, bin[HIST];
	uint32_t p50, p99, max;  /**< [ms], of the values themselves         */
};

/** Calls that were in one state when the fault came; [MIXES] = begun later,
 *  [MIXES + 1] = before it, and over by then */
struct row {
	uint32_t placed, survived, lost, ghost;
	uint32_t moved, adopted; /**< by the edge's events                   */
};
enum { ROWS = MIXES + 2 };

/** What the edge said of one of our calls */
enum { SAID_MOVED = 1, SAID_ADOPTED = 2 };

struct facts {
	uint64_t fault, ended;   /**< of the fault [ms]; 0 = it never came   */
	uint64_t detected;       /**< the edge's first event; 0 = none       */
	uint64_t recovered;      /**< 0 = never                              */
	bool checked;            /**< the end was looked at                  */
	uint32_t not_as_before;
	bool counted;            /**< the edge's figures are known           */
	uint64_t production_lost;
	uint64_t reg_lost;       /**< REGISTERs in the drill                 */
	bool looked;             /**< at what the databases brought back     */
	uint64_t ready;          /**< all nodes were; 0 = never, or not asked */
	uint64_t not_back, removed_back;     /**< contacts, of all nodes     */
	const uint8_t *said;     /**< of each call, SAID_*                   */
};

struct outcome {
	struct row row[ROWS];
	struct hist setup[PHASES];
	struct {
		bool claimed, known, held;
		uint32_t limit;
		uint64_t value;
	} claim[CLAIMS];
	enum judgement verdict;
};

/** @param aborted  PASS is not possible any more. @return 0 or ENOMEM */
int  judge_make(struct outcome *o, const struct drill_plan *p,
		  const struct gen *g, const struct facts *f, bool aborted);
/** Bins and percentiles of n values, which are sorted here */
void judge_hist(struct hist *h, uint32_t *v, uint32_t n);
/** Which row a call belongs to */
uint32_t judge_row(const struct gen_call *c, const struct facts *f);

#endif
