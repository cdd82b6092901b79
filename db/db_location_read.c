/* db_location_read.c - Shell. Reading and sweeping. */
#include "db/db_location.h"

/** From the first id on, and behind one: an empty id is none to libzdb 3.4 */
#define WALK(columns) { \
	"SELECT " columns " FROM edgewise_location WHERE id>=? ORDER BY id " \
	"LIMIT ?", \
	"SELECT " columns " FROM edgewise_location WHERE id>? ORDER BY id " \
	"LIMIT ?" }
static const char *const walk_load[] = WALK("id,rec");
static const char *const walk_vers[] = WALK("id,ver1,ver2");
static const char *const walk_ids[] = WALK("id");
static const uint8_t first[DB_LOCATION_ID];

/** Rows behind `after`, told one by one. A blob is looked at once: PostgreSQL's is
 *  unpacked in place. */
static enum db_err walk(struct db *db, const char *const sql[2],
			const uint8_t *after, unsigned limit,
			void (*h)(struct db *db, const uint8_t *id, void *arg),
			void *arg, unsigned *np)
{
	struct db_val v[2] = { db_b(after ? after : first, DB_LOCATION_ID),
			       db_i(limit) };
	uint8_t id[DB_LOCATION_ID];
	bool more = true;
	enum db_err e = db_query(db, sql[after != NULL], v, 2);

	*np = 0;
	while (!e) {
		struct sl s;

		e = db_row(db, &more);
		if (e || !more)
			break;
		s = db_blob(db, 1);
		if (s.n != sizeof(id)) {
			e = DB_DATA;
			break;
		}
		memcpy(id, s.p, sizeof(id));
		h(db, id, arg);
		++*np;
	}
	db_end(db);
	return e;
}

struct load {
	void (*h)(const uint8_t id[DB_LOCATION_ID], struct sl rec, void *arg);
	void *arg;
};

/* Of MariaDB, libzdb fetches row by row through a cursor: a round trip for each. So
 * a page of them comes as one: length (eight hex digits), id, record, and so on; cut at
 * group_concat_max_len (db.c). */
#define PACK(from) "SELECT COUNT(*),GROUP_CONCAT(LPAD(HEX(LENGTH(rec)),8,'0')," \
	"id,rec ORDER BY id SEPARATOR '') FROM (SELECT id,rec FROM " \
	"edgewise_location WHERE id" from "? ORDER BY id LIMIT ?) AS page"
static const char *const pack_load[] = { PACK(">="), PACK(">") };

/** @return false: no whole row any more */
static bool unpack(struct sl *pack, uint8_t id[DB_LOCATION_ID], struct sl *rec)
{
	const size_t head = 8 + DB_LOCATION_ID;
	uint64_t n;

	if (pack->n < head || sl_hex_u64(sl_sub(*pack, 0, 8), &n) ||
	    n > pack->n - head)
		return false;
	memcpy(id, pack->p + 8, DB_LOCATION_ID);
	*rec = sl_sub(*pack, head, head + n);
	*pack = sl_sub(*pack, head + n, pack->n);
	return true;
}

/** The next page. @param asked rows that it has, @param got those that are whole */
static enum db_err load_pack(struct db *db, bool on, uint8_t id[DB_LOCATION_ID],
			     unsigned limit, struct load *l, unsigned *asked,
			     unsigned *got)
{
	struct db_val v[2] = { db_b(id, DB_LOCATION_ID), db_i(limit) };
	struct sl pack = SL_NONE, rec;
	bool more = false;
	enum db_err e = db_query(db, pack_load[on], v, 2);

	*asked = *got = 0;
	if (!e)
		e = db_row(db, &more);
	if (!e && more) {
		*asked = (unsigned)db_int(db, 1);
		pack = db_blob(db, 2);
	}
	while (*got < *asked && unpack(&pack, id, &rec)) {
		l->h(id, rec, l->arg);
		++*got;
	}
	db_end(db);
	/* one that does not fit alone never will */
	return e ? e : *asked && !*got ? DB_DATA : DB_OK;
}

static enum db_err load_packs(struct db *db, const uint8_t *after,
			      unsigned limit, struct load *l, unsigned *np)
{
	uint8_t id[DB_LOCATION_ID] = { 0 };
	unsigned asked = 1, got = 0;
	enum db_err e = DB_OK;

	if (after)
		memcpy(id, after, sizeof(id));
	for (*np = 0; !e && *np < limit && got < asked; *np += got)
		e = load_pack(db, after || *np, id, limit - *np, l, &asked,
			      &got);
	return e;
}

static void load_row(struct db *db, const uint8_t *id, void *arg)
{
	struct load *l = arg;

	l->h(id, db_blob(db, 2), l->arg);
}

enum db_err db_location_load(struct db *db, const uint8_t *after,
			     unsigned limit,
			     void (*h)(const uint8_t id[DB_LOCATION_ID],
				       struct sl rec, void *arg), void *arg,
			     unsigned *np)
{
	struct load l = { .h = h, .arg = arg };

	if (db_kind(db) == DB_MYSQL)
		return load_packs(db, after, limit, &l, np);
	return walk(db, walk_load, after, limit, load_row, &l, np);
}

static void vers_row(struct db *db, const uint8_t *id, void *arg)
{
	struct db_location_ver **at = arg;

	memcpy((*at)->id, id, sizeof((*at)->id));
	(*at)->ver1 = db_int(db, 2);
	(*at)->ver2 = db_int(db, 3);
	(*at)++;
}

enum db_err db_location_vers(struct db *db, const uint8_t *after,
			     unsigned limit, struct db_location_ver *v,
			     unsigned *np)
{
	return walk(db, walk_vers, after, limit, vers_row, &v, np);
}

enum db_err db_location_count(struct db *db, struct db_location_count *c)
{
	bool more;
	enum db_err e = db_query(db, "SELECT COUNT(*),SUM(dead) FROM "
				 "edgewise_location", NULL, 0);

	memset(c, 0, sizeof(*c));
	if (!e)
		e = db_row(db, &more);
	if (!e && more) {
		c->rows = db_int(db, 1);
		/* no rows: the sum is NULL */
		c->dead = db_text(db, 2).n ? db_int(db, 2) : 0;
	}
	db_end(db);
	return e;
}

/* --- sweeping ------------------------------------------------------------------------ */

/* the lower end is among them once more, which does no harm: it was looked at just
 * before, and is the first one at the start */
#define PAST "hold_until<? AND id>=? AND id<=?"

static void slice_end(struct db *db, const uint8_t *id, void *arg)
{
	memcpy(arg, id, DB_LOCATION_ID);
}

/** The end of a slice by MySQL itself: libzdb would fetch row by row */
static enum db_err slice_mysql(struct db *db, const uint8_t *after,
			       unsigned limit, uint8_t last[DB_LOCATION_ID],
			       unsigned *np)
{
#define SLICE(from) "SELECT COUNT(*),MAX(id) FROM (SELECT id FROM " \
	"edgewise_location WHERE id" from "? ORDER BY id LIMIT ?) AS slice"
	static const char *const sql[] = { SLICE(">="), SLICE(">") };
	struct db_val v[2] = { db_b(after ? after : first, DB_LOCATION_ID),
			       db_i(limit) };
	struct sl id;
	bool more = false;
	enum db_err e = db_query(db, sql[after != NULL], v, 2);

	*np = 0;
	if (!e)
		e = db_row(db, &more);
	if (!e && more)
		*np = (unsigned)db_int(db, 1);
	id = *np ? db_blob(db, 2) : SL_NONE;
	if (id.n == DB_LOCATION_ID)
		memcpy(last, id.p, DB_LOCATION_ID);
	else if (*np)
		e = DB_DATA;
	db_end(db);
	return e;
}

/** MySQL doesn't tell how many were deleted: they are counted before */
static enum db_err sweep_slice(struct db *db, const struct db_val *v,
			       int64_t *deleted)
{
	enum db_err e = DB_OK;
	int64_t n = 0;
	bool more;

	if (db_kind(db) == DB_MYSQL) {
		e = db_query(db, "SELECT COUNT(*) FROM edgewise_location WHERE "
			     PAST, v, 3);
		if (!e)
			e = db_row(db, &more);
		if (!e && more)
			n = db_int(db, 1);
		db_end(db);
		if (e || !n)
			return e;
	}
	e = db_exec(db, "DELETE FROM edgewise_location WHERE " PAST, v, 3,
		    deleted);
	if (db_kind(db) == DB_MYSQL)
		*deleted = n;
	return e;
}

enum db_err db_location_sweep(struct db *db, uint8_t at[DB_LOCATION_ID],
			      unsigned limit, int64_t hold_before,
			      int64_t *deleted)
{
	bool start = !memcmp(at, first, sizeof(first));
	uint8_t last[DB_LOCATION_ID] = { 0 };
	unsigned n;
	struct db_val v[3] = { db_i(hold_before),
			       db_b(at, DB_LOCATION_ID),
			       db_b(last, sizeof(last)) };
	enum db_err e;

	*deleted = 0;
	if (db_kind(db) == DB_MYSQL)
		e = slice_mysql(db, start ? NULL : at, limit, last, &n);
	else
		e = walk(db, walk_ids, start ? NULL : at, limit, slice_end,
			 last, &n);
	if (e || !n) {
		memset(at, 0, DB_LOCATION_ID);
		return e;
	}
	e = sweep_slice(db, v, deleted);
	if (n < limit)
		memset(last, 0, sizeof(last));
	if (!e)
		memcpy(at, last, sizeof(last));
	return e;
}
