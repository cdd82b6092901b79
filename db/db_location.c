/* db_location.c - Shell. */
#include "config.h"          /* qsort_r() */
#include "db/db_location.h"
#include "db/db_text.h"
#include <stdio.h>
#include <stdlib.h>

#define COLS 15
#define SHOWN 3584        /**< texts of one row at most [bytes]   */
#define MANY 32           /**< rows of one statement: MariaDB     */
#define ARRAY 512         /**< the same: PostgreSQL               */

#define NAMES "id,ver1,ver2,hold_until,expires,dead,owner,aor,contact," \
	"path,callid,cseq,user_agent,received,rec"
#define ROW "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
/* owner, aor, contact and rec may be empty */
#define ROW_MY "(?,?,?,?,?,?," DB_EMPTY "," DB_EMPTY "," DB_EMPTY \
	",?,?,?,?,?," DB_EMPTY ")"
#define ROW4 ROW_MY "," ROW_MY "," ROW_MY "," ROW_MY
#define ROW16 ROW4 "," ROW4 "," ROW4 "," ROW4
#define SAME "(id=? AND ver1=? AND ver2=?)"
#define SAME4 SAME " OR " SAME " OR " SAME " OR " SAME
#define SAME16 SAME4 " OR " SAME4 " OR " SAME4 " OR " SAME4

/* x: a column that gets the new value */
#define EXCL(x) #x "=excluded." #x
#define SETS \
	EXCL(ver1) "," EXCL(ver2) "," EXCL(hold_until) "," EXCL(expires) "," \
	EXCL(dead) "," EXCL(owner) "," EXCL(aor) "," EXCL(contact) "," \
	EXCL(path) "," EXCL(callid) "," EXCL(cseq) "," EXCL(user_agent) "," \
	EXCL(received) "," EXCL(rec)
#define ON_CONFLICT " ON CONFLICT (id) DO UPDATE SET " SETS " WHERE " \
	"(excluded.ver1,excluded.ver2) >= " \
	"(edgewise_location.ver1,edgewise_location.ver2)"

static const char put_sqlite[] =
	"INSERT INTO edgewise_location (" NAMES ") VALUES " ROW ON_CONFLICT;

/* libzdb takes 99 parameters of PostgreSQL at most: the rows come as arrays */
static const char put_postgresql[] =
	"INSERT INTO edgewise_location (" NAMES ") SELECT * FROM unnest("
	"?::bytea[],?::bigint[],?::bigint[],?::bigint[],?::bigint[],"
	"?::smallint[],?::text[],?::text[],?::text[],?::text[],?::text[],"
	"?::bigint[],?::text[],?::text[],?::bytea[])" ON_CONFLICT;
static const char newer_postgresql[] =
	"SELECT l.id,l.rec FROM edgewise_location l JOIN unnest("
	"?::bytea[],?::bigint[],?::bigint[]) AS t(id,v1,v2) ON l.id=t.id "
	"WHERE (l.ver1,l.ver2) > (t.v1,t.v2)";

/* Assigned from left to right: ver1 and ver2, which the others look at, last, and ver1
 * after ver2, which looks at it. */
#define IFN(x) #x "=IF(VALUES(ver1)>ver1 OR (VALUES(ver1)=ver1 AND " \
	"VALUES(ver2)>=ver2),VALUES(" #x ")," #x ")"
static const char put_mysql[] =
	"INSERT INTO edgewise_location (" NAMES ") VALUES " ROW16 "," ROW16
	" ON DUPLICATE KEY UPDATE " IFN(hold_until) "," IFN(expires) ","
	IFN(dead) "," IFN(owner) "," IFN(aor) "," IFN(contact) "," IFN(path) ","
	IFN(callid) "," IFN(cseq) "," IFN(user_agent) "," IFN(received) ","
	IFN(rec) "," IFN(ver2) ",ver1=GREATEST(ver1,VALUES(ver1))";
static const char same_mysql[] =
	"SELECT COUNT(*) FROM edgewise_location WHERE " SAME16 " OR " SAME16;

static const char newer_one[] =
	"SELECT rec FROM edgewise_location WHERE id=? AND "
	"(ver1>? OR (ver1=? AND ver2>?))";

struct put {
	struct db *db;
	const struct db_location *rows;
	uint32_t *order;           /**< of rows by id, each id once          */
	unsigned n;
	char *shown;               /**< memory for texts                     */
	struct db_val *v;
	struct buf *array;         /**< PostgreSQL: one for each column      */
	void (*newer)(unsigned index, struct sl rec, void *arg);
	void *arg;
};

static struct sl show(char **at, size_t max, struct sl s)
{
	struct sl out = db_text_shown(*at, max, s);

	*at += out.n;
	return out;
}

static struct sl some(struct sl s)
{
	return s.p ? s : SL("");
}

/** The parameters of one row; `mem` gets SHOWN bytes of text */
static void values(struct db_val *v, const struct db_location *l, char *mem)
{
	v[0] = db_b(l->id, sizeof(l->id));
	v[1] = db_i(l->ver1);
	v[2] = db_i(l->ver2);
	v[3] = db_i(l->hold_until);
	v[4] = db_i(l->expires);
	v[5] = db_i(l->dead);
	v[6] = db_t(show(&mem, 64, some(l->owner)));
	v[7] = db_t(show(&mem, 512, some(l->aor)));
	v[8] = db_t(show(&mem, 1100, some(l->contact)));
	v[9] = db_t(show(&mem, 1100, l->path));
	v[10] = db_t(show(&mem, 255, l->callid));
	v[11] = db_i(l->cseq);
	v[12] = db_t(show(&mem, 255, l->user_agent));
	v[13] = db_t(show(&mem, 255, l->received));
	v[14] = db_b(l->rec.p ? l->rec.p : "", l->rec.n);
}

/* --- one by one: what is newer in the database ---------------------------------- */

static enum db_err tell_one(struct put *p, uint32_t index)
{
	const struct db_location *l = &p->rows[index];
	struct db_val v[4] = { db_b(l->id, sizeof(l->id)), db_i(l->ver1),
			       db_i(l->ver1), db_i(l->ver2) };
	bool more;
	enum db_err e = db_query(p->db, newer_one, v, 4);

	if (!e)
		e = db_row(p->db, &more);
	if (!e && more && p->newer)
		p->newer(index, db_blob(p->db, 1), p->arg);
	db_end(p->db);
	return e;
}

static enum db_err put_ones(struct put *p)
{
	enum db_err e = DB_OK;

	for (unsigned i = 0; !e && i < p->n; i++) {
		int64_t changed = 0;

		values(p->v, &p->rows[p->order[i]], p->shown);
		e = db_exec(p->db, put_sqlite, p->v, COLS, &changed);
		if (!e && !changed)
			e = tell_one(p, p->order[i]);
	}
	return e;
}

/* --- MariaDB: some rows a statement ------------------------------------------------ */

static enum db_err put_some(struct put *p, unsigned from, unsigned n)
{
	struct db_val *v = p->v;
	bool more;
	enum db_err e;
	int64_t same = 0;

	/* what is missing of a whole statement is the last row again */
	for (unsigned i = 0; i < MANY; i++)
		values(v + (size_t)i * COLS,
		       &p->rows[p->order[from + (i < n ? i : n - 1)]],
		       p->shown + (size_t)i * SHOWN);
	e = db_exec(p->db, put_mysql, v, MANY * COLS, NULL);
	if (e)
		return e;
	for (unsigned i = 0; i < MANY; i++)
		memmove(v + (size_t)i * 3, v + (size_t)i * COLS, 3 * sizeof(*v));
	e = db_query(p->db, same_mysql, v, MANY * 3);
	if (!e)
		e = db_row(p->db, &more);
	if (!e && more)
		same = db_int(p->db, 1);
	db_end(p->db);
	for (unsigned i = 0; !e && same < n && i < n; i++)
		e = tell_one(p, p->order[from + i]);
	return e;
}

/* --- PostgreSQL: arrays -------------------------------------------------------------- */

static void element(struct buf *b, const struct db_val *v)
{
	buf_chr(b, b->n ? ',' : '{');
	switch (v->type) {
	case DB_NULL:
		buf_lit(b, "NULL");
		break;
	case DB_INT:
		buf_printf(b, "%lld", (long long)v->i);
		break;
	case DB_TEXT:
		db_text_element(b, v->s);
		break;
	case DB_BLOB:
		buf_lit(b, "\"\\\\x");
		buf_hex(b, v->s.p, v->s.n);
		buf_chr(b, '"');
		break;
	}
}

static int by_id(const void *a, const void *b)
{
	return memcmp(a, b, DB_LOCATION_ID);
}

static enum db_err tell_array(struct put *p, unsigned from, unsigned n,
			      const struct db_val *v)
{
	uint8_t (*ids)[DB_LOCATION_ID] = calloc(n, sizeof(*ids));
	enum db_err e;
	bool more = true;

	if (!ids)
		return DB_MEMORY;
	for (unsigned i = 0; i < n; i++)
		memcpy(ids[i], p->rows[p->order[from + i]].id, sizeof(ids[i]));
	e = db_query(p->db, newer_postgresql, v, 3);
	while (!e && more) {
		struct sl id;
		uint8_t (*at)[DB_LOCATION_ID];

		e = db_row(p->db, &more);
		if (e || !more)
			break;
		id = db_blob(p->db, 1);
		at = id.n == sizeof(*at) ? bsearch(id.p, ids, n, sizeof(*at),
						   by_id) : NULL;
		if (at && p->newer)
			p->newer(p->order[from + (unsigned)(at - ids)],
				 db_blob(p->db, 2), p->arg);
	}
	db_end(p->db);
	free(ids);
	return e;
}

static enum db_err put_array(struct put *p, unsigned from, unsigned n)
{
	struct db_val *v = p->v;
	int64_t changed = 0;
	enum db_err e;

	for (unsigned c = 0; c < COLS; c++)
		buf_reset(&p->array[c]);
	for (unsigned i = 0; i < n; i++) {
		values(v, &p->rows[p->order[from + i]], p->shown);
		for (unsigned c = 0; c < COLS; c++)
			element(&p->array[c], &v[c]);
	}
	for (unsigned c = 0; c < COLS; c++) {
		buf_chr(&p->array[c], '}');
		if (p->array[c].err)
			return DB_MEMORY;
		v[c] = db_t(buf_as_sl(&p->array[c]));
	}
	e = db_exec(p->db, put_postgresql, v, COLS, &changed);
	if (!e && changed < n)
		e = tell_array(p, from, n, v);
	return e;
}

/* --- a batch ---------------------------------------------------------------------- */

static int cmp_rows(const void *a, const void *b, void *arg)
{
	const struct db_location *rows = arg;
	uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
	const struct db_location *x = &rows[i], *y = &rows[k];
	int c = memcmp(x->id, y->id, sizeof(x->id));

	if (c)
		return c;
	if (x->ver1 != y->ver1)
		return x->ver1 < y->ver1 ? -1 : 1;
	if (x->ver2 != y->ver2)
		return x->ver2 < y->ver2 ? -1 : 1;
	return i < k ? -1 : i > k;
}

/** In order of id, so that two nodes on one database don't lock each other; the
 *  newest of equal ids stays */
static void sort(struct put *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		p->order[i] = i;
	qsort_r(p->order, n, sizeof(*p->order), cmp_rows, (void *)p->rows);
	for (unsigned i = 0; i < n; i++) {
		if (i + 1 < n && !memcmp(p->rows[p->order[i]].id,
					 p->rows[p->order[i + 1]].id,
					 DB_LOCATION_ID))
			continue;
		p->order[p->n++] = p->order[i];
	}
}

static enum db_err put_all(struct put *p)
{
	enum db_err e = DB_OK;
	unsigned step = db_kind(p->db) == DB_MYSQL ? MANY : ARRAY;

	if (db_kind(p->db) == DB_SQLITE)
		return put_ones(p);
	for (unsigned i = 0; !e && i < p->n; i += step) {
		unsigned n = p->n - i < step ? p->n - i : step;

		e = db_kind(p->db) == DB_MYSQL ? put_some(p, i, n) :
			put_array(p, i, n);
	}
	return e;
}

enum db_err db_location_put(struct db *db, const struct db_location *rows,
			    unsigned n,
			    void (*newer)(unsigned index, struct sl rec,
					  void *arg), void *arg)
{
	struct buf array[COLS];
	struct put p = { .db = db, .rows = rows, .newer = newer, .arg = arg,
			 .array = array };
	enum db_err e = DB_MEMORY;

	if (!n)
		return DB_OK;
	for (unsigned c = 0; c < COLS; c++)
		buf_init(&array[c], 64u << 20);
	p.order = calloc(n, sizeof(*p.order));
	p.shown = malloc((size_t)MANY * SHOWN);
	p.v = calloc((size_t)MANY * COLS, sizeof(*p.v));
	if (p.order && p.shown && p.v) {
		sort(&p, n);
		e = db_begin(db);
		if (!e)
			e = put_all(&p);
		if (!e)
			e = db_commit(db);
		if (e)
			db_rollback(db);
	}
	for (unsigned c = 0; c < COLS; c++)
		buf_free(&array[c]);
	free(p.order);
	free(p.shown);
	free(p.v);
	return e;
}
