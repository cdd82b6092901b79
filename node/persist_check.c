/* persist_check.c - Pure. Do the rows say what memory says? */
#include "node/persist_i.h"
#include <errno.h>
#include <stdlib.h>

enum { BUCKETS = 64, RECORDS = 64 };   /* looked at in one turn, about       */

/* --- ids of rows ------------------------------------------------------------ */

static uint64_t short_id(const uint8_t id[16])
{
	uint64_t v;

	memcpy(&v, id, sizeof(v));
	return v ? v : 1;
}

static uint64_t *place(const struct persist_seen *s, uint64_t id)
{
	size_t i = id & (s->size - 1);

	while (s->tab[i] && s->tab[i] != id)
		i = (i + 1) & (s->size - 1);
	return &s->tab[i];
}

static int seen_grow(struct persist_seen *s, size_t size)
{
	struct persist_seen to = { calloc(size, sizeof(*to.tab)), size, 0 };

	if (!to.tab)
		return ENOMEM;
	for (size_t i = 0; i < s->size; i++)
		if (s->tab[i])
			*place(&to, s->tab[i]) = s->tab[i];
	to.n = s->n;
	free(s->tab);
	*s = to;
	return 0;
}

static int seen_add(struct persist_seen *s, uint64_t id)
{
	uint64_t *at;
	int err = s->n + s->n / 4 >= s->size ? seen_grow(s, 2 * s->size) : 0;

	if (err)
		return err;
	at = place(s, id);
	s->n += !*at;
	*at = id;
	return 0;
}

/* --- a verification ------------------------------------------------------------ */

void persist_check_begin(struct persist *p)
{
	size_t size = 1024;

	while (size < 2 * store_stats(p->cf.store)->records)
		size *= 2;
	free(p->seen.tab);
	p->seen = (struct persist_seen){ calloc(size, sizeof(uint64_t)),
					 size, 0 };
	p->check_seq = p->conf.seq;
	p->bucket = 0;
}

void persist_check_end(struct persist *p, enum persist_err err)
{
	if (!p->seen.tab && err == PERSIST_OK)
		err = PERSIST_OTHER;             /* no memory */
	free(p->seen.tab);
	memset(&p->seen, 0, sizeof(p->seen));
	p->v.running = false;
	p->v.valid = err == PERSIST_OK;
	p->v.err = err;
}

static void cut(char to[128], struct sl s)
{
	size_t n = s.n < 127 ? s.n : 127;

	memcpy(to, s.p, n);
	to[n] = '\0';
}

static void differs(struct persist *p, uint64_t *count, const char *what,
		    const struct record *r)
{
	struct persist_verdict *v = &p->v;

	++*count;
	if (v->n == PERSIST_DIFFS)
		return;
	v->diff[v->n].what = what;
	cut(v->diff[v->n].aor, r->aor);
	cut(v->diff[v->n].key, r->key);
	v->n++;
}

/* Each forgets by its own clock what is superseded */
static uint64_t digest(const struct persist *p, struct record *r, uint64_t wall)
{
	(void)record_prune(r, wall, p->cf.keep);
	return store_digest_of(p->cf.store, r);
}

void persist_check_row(struct persist *p, struct sl packed, uint64_t wall)
{
	struct record row, mem;
	uint64_t seq, d;
	uint8_t id[16];

	if (persist_record(&row, packed, p->cf.keep) ||
	    record_is_past(&row, wall) || !persist_ours(p, row.aor))
		return;
	persist_id(id, row.aor, row.key);
	if (p->seen.tab && seen_add(&p->seen, short_id(id))) {
		free(p->seen.tab);
		memset(&p->seen, 0, sizeof(p->seen));
	}
	p->v.rows++;
	d = digest(p, &row, wall);
	if (store_look(p->cf.store, row.aor, row.key, wall, &mem, &seq))
		differs(p, &p->v.missing_memory, "missing_memory", &row);
	else if (seq > p->check_seq)
		p->v.changing++;
	else if (digest(p, &mem, wall) != d)
		differs(p, &p->v.differ, "differs", &row);
}

static void scan_bucket(struct persist *p, uint16_t bucket, uint64_t wall)
{
	struct store_scan it;
	struct record r;
	uint8_t id[16];

	store_scan(p->cf.store, bucket, &it);
	while (store_scan_next(&it, &r)) {
		if (store_scan_seq(&it) > p->check_seq ||
		    record_is_past(&r, wall) || !persist_ours(p, r.aor))
			continue;
		p->v.records++;
		persist_id(id, r.aor, r.key);
		if (!*place(&p->seen, short_id(id)))
			differs(p, &p->v.missing_db, "missing_database", &r);
	}
}

bool persist_check_scan(struct persist *p, uint64_t wall)
{
	uint64_t from = p->v.records;

	for (int i = 0; p->seen.tab && i < BUCKETS &&
	     p->v.records - from < RECORDS; i++) {
		if (p->bucket == STORE_BUCKETS)
			return true;
		scan_bucket(p, (uint16_t)p->bucket++, wall);
	}
	return !p->seen.tab;
}
