/* persistdb.c - Pure. See persistdb.h. */
#include "persistdb.h"
#include <stdlib.h>

static uint32_t at_or_after(const struct pdb *d, const uint8_t id[16])
{
	uint32_t lo = 0, hi = d->n;

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (memcmp(d->row[mid].id, id, 16) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool has(const struct pdb *d, uint32_t i, const uint8_t id[16])
{
	return i < d->n && !memcmp(d->row[i].id, id, 16);
}

static void put(struct pdb *d, const struct persist_row *r)
{
	uint32_t i = at_or_after(d, r->id);

	if (!has(d, i, r->id)) {
		if (d->n == PDB_ROWS)
			abort();
		memmove(&d->row[i + 1], &d->row[i],
			(d->n - i) * sizeof(d->row[0]));
		d->n++;
		memset(&d->row[i], 0, sizeof(d->row[i]));
		memcpy(d->row[i].id, r->id, 16);
	}
	free(d->row[i].packed);
	d->row[i].packed = malloc(r->packed.n + 1);
	memcpy(d->row[i].packed, r->packed.p, r->packed.n);
	d->row[i].n = r->packed.n;
	d->row[i].ver = r->ver;
	d->row[i].ver2 = r->ver2;
	d->row[i].hold = r->hold;
	d->row[i].dead = r->dead;
}

static bool newer_there(const struct pdb *d, const struct persist_row *r,
			uint32_t *at)
{
	*at = at_or_after(d, r->id);
	if (!has(d, *at, r->id))
		return false;
	return d->row[*at].ver > r->ver || (d->row[*at].ver == r->ver &&
					    d->row[*at].ver2 > r->ver2);
}

static void write_all(struct pdb *d, struct persist_job *j)
{
	uint32_t at;

	if (j->n > d->largest)
		d->largest = j->n;
	for (uint32_t i = 0; i < j->n; i++)
		if (d->poison && j->row[i].cseq == d->poison) {
			j->err = PERSIST_DATA;
			return;
		}
	for (uint32_t i = 0; i < j->n; i++) {
		if (newer_there(d, &j->row[i], &at)) {
			persist_got(j, d->row[at].packed, d->row[at].n);
			continue;
		}
		put(d, &j->row[i]);
		d->writes++;
	}
}

static void read_some(struct pdb *d, struct persist_job *j)
{
	uint32_t i = 0, most = d->chunk ? d->chunk : PERSIST_CHUNK;

	d->reads++;
	if (!j->first) {
		i = at_or_after(d, j->after);
		i += has(d, i, j->after);
	}
	for (; i < d->n && most > 0; i++, most--) {
		persist_got(j, d->row[i].packed, d->row[i].n);
		memcpy(j->last, d->row[i].id, 16);
	}
	j->end = i == d->n;
}

static void sweep(struct pdb *d, struct persist_job *j)
{
	uint32_t i = at_or_after(d, j->at), looked = 0;

	i += has(d, i, j->at);
	for (; i < d->n && looked < j->n; looked++) {
		memcpy(j->at, d->row[i].id, sizeof(j->at));
		if (d->row[i].hold >= j->before) {
			i++;
			continue;
		}
		free(d->row[i].packed);
		memmove(&d->row[i], &d->row[i + 1],
			(--d->n - i) * sizeof(d->row[0]));
		j->deleted++;
	}
	if (i == d->n)
		memset(j->at, 0, sizeof(j->at));
}

void pdb_run(struct pdb *d, struct persist_job *j)
{
	d->jobs++;
	j->err = d->err;
	if (d->err)
		return;
	switch (j->op) {
	case PERSIST_READ:
		read_some(d, j);
		break;
	case PERSIST_WRITE:
		write_all(d, j);
		break;
	case PERSIST_SWEEP:
		sweep(d, j);
		break;
	}
	if (d->lose_answer)
		j->err = PERSIST_DOWN;
}

void pdb_free(struct pdb *d)
{
	for (uint32_t i = 0; i < d->n; i++)
		free(d->row[i].packed);
	free(d);
}

const struct pdb_row *pdb_find(const struct pdb *d, struct sl aor,
			       struct sl key)
{
	uint8_t id[16];
	uint32_t i;

	persist_id(id, aor, key);
	i = at_or_after(d, id);
	return has(d, i, id) ? &d->row[i] : NULL;
}
