/**
 * @file persistdb.h  Pure. A database as the write-back sees it: rows by id,
 * transactions, "only if newer". What it can do wrong is switched on.
 */
#ifndef TESTS_PERSISTDB_H
#define TESTS_PERSISTDB_H

#include "node/persist.h"

#define PDB_ROWS 16384

struct pdb_row {
	uint8_t id[16];
	int64_t ver, ver2, hold;
	bool dead;
	size_t n;
	uint8_t *packed;
};

struct pdb {
	struct pdb_row row[PDB_ROWS];      /**< in order of ids               */
	uint32_t n;
	enum persist_err err;              /**< each job ends with this       */
	bool lose_answer;                  /**< committed, but nobody is told */
	uint32_t chunk;                    /**< rows of a READ, 0 = many      */
	uint64_t poison;                   /**< a row of that CSeq is refused */
	uint64_t writes, jobs, reads;      /**< rows, jobs, reading jobs      */
	uint32_t largest;                  /**< batch                         */
};

void pdb_run(struct pdb *d, struct persist_job *j);
void pdb_free(struct pdb *d);
const struct pdb_row *pdb_find(const struct pdb *d, struct sl aor,
			       struct sl key);

#endif
