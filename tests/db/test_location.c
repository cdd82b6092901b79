#include "tests/db/rig.h"
#include <stdio.h>
#include <stdlib.h>

static struct db_location row(unsigned id, int64_t ver1, int64_t ver2,
			      const char *rec)
{
	struct db_location l = { .ver1 = ver1, .ver2 = ver2,
				 .hold_until = 1000, .expires = 500, .cseq = 7,
				 .owner = SL("n1"), .aor = SL("sip:a@b"),
				 .contact = SL("sip:a@1.2.3.4") };

	l.id[0] = (uint8_t)(id >> 8);
	l.id[15] = (uint8_t)id;
	l.rec = sl_cstr(rec);
	return l;
}

struct seen {
	unsigned n, index[8];
	char rec[8][16];
};

static void newer(unsigned index, struct sl rec, void *arg)
{
	struct seen *s = arg;

	cr_assert(s->n < 8);
	s->index[s->n] = index;
	snprintf(s->rec[s->n++], 16, "%.*s", SL_FMT(rec));
}

static void loaded(const uint8_t *id, struct sl rec, void *arg)
{
	newer(id[15], rec, arg);
}

static struct seen load(struct db *db)
{
	struct seen s = { 0 };
	unsigned n;

	OK(db_location_load(db, NULL, 8, loaded, &s, &n));
	cr_assert_eq(n, s.n);
	return s;
}

Test(location, only_newer_or_equal_rows_are_written)
{
	struct db *db;

	FOR_EACH_DB(db) {
		struct db_location r[] = { row(1, 10, 1, "a"), row(2, 10, 1, "b"),
					   row(3, 10, 1, "c"), row(4, 10, 1, "d"),
					   row(6, 10, 1, "f") };
		struct db_location x[] = { row(4, 10, 2, "D"), row(3, 9, 9, "C"),
					   row(2, 10, 1, "B"), row(1, 10, 0, "A"),
					   row(5, 1, 1, "E"), row(6, 11, 0, "F") };
		struct seen s = { 0 };

		OK(db_location_put(db, r, 5, newer, &s));
		cr_assert_eq(s.n, 0);
		OK(db_location_put(db, x, 6, newer, &s));
		cr_assert_eq(s.n, 2);
		for (unsigned i = 0; i < 2; i++) {
			cr_assert(s.index[i] == 1 || s.index[i] == 3);
			cr_assert_str_eq(s.rec[i], s.index[i] == 1 ? "c" : "a");
		}
		s = load(db);
		cr_assert_eq(s.n, 6);
		cr_assert_str_eq(s.rec[5], "F");
		cr_assert_str_eq(s.rec[0], "a");
		cr_assert_str_eq(s.rec[1], "B");
		cr_assert_str_eq(s.rec[2], "c");
		cr_assert_str_eq(s.rec[3], "D");
		cr_assert_str_eq(s.rec[4], "E");
	}
	DBS_DONE();
}

Test(location, of_equal_ids_in_a_batch_the_newest_wins)
{
	struct db *db;

	FOR_EACH_DB(db) {
		struct db_location r[] = { row(1, 10, 1, "a"), row(1, 11, 1, "b"),
					   row(1, 11, 1, "c"), row(1, 3, 1, "d") };
		struct seen s = { 0 };

		OK(db_location_put(db, r, 4, newer, &s));
		cr_assert_eq(s.n, 0);
		s = load(db);
		cr_assert_eq(s.n, 1);
		cr_assert_str_eq(s.rec[0], "c");
	}
	DBS_DONE();
}

Test(location, hostile_texts_are_only_data)
{
	struct db *db;
	static const char evil[] = "x'\"); DROP TABLE edgewise_location; -- "
		"\\\\ \\' {\"} %s \xff\xfe \0 \x01 \xed\xa0\x80 \xf0\x9f\x98\x80 NULL";

	FOR_EACH_DB(db) {
		struct db_location r = row(1, 1, 1, "");
		struct sl e = sl_mk(evil, sizeof(evil) - 1);
		char big[5000];
		bool more;

		memset(big, 0xc3, sizeof(big));
		r.owner = r.aor = r.contact = r.path = r.callid = r.received = e;
		r.user_agent = sl_mk(big, sizeof(big));
		r.rec = e;
		OK(db_location_put(db, &r, 1, NULL, NULL));
		r.id[0] = 9;
		r.aor = r.contact = r.path = r.callid = r.received = r.user_agent;
		OK(db_location_put(db, &r, 1, NULL, NULL));
		OK(db_query(db, "SELECT aor,rec,user_agent FROM edgewise_location "
			    "ORDER BY id", NULL, 0));
		OK(db_row(db, &more));
		cr_assert(more);
		cr_assert(sl_starts(db_text(db, 1), SL("x'\"); DROP TABLE")));
		cr_assert(sl_eq(db_blob(db, 2), e));
		cr_assert_eq(db_text(db, 3).n, 255);
		db_end(db);
	}
	DBS_DONE();
}

Test(location, a_load_in_pieces_gives_each_row_once)
{
	struct db *db;

	FOR_EACH_DB(db) {
		struct db_location *r = calloc(1000, sizeof(*r));
		struct db_location_ver v[7];
		const uint8_t *after = NULL;
		struct db_location_count c;
		unsigned n, all = 0;

		for (unsigned i = 0; i < 1000; i++) {
			r[i] = row(i, i, 0, "x");
			r[i].dead = i % 10 == 0;
		}
		OK(db_location_put(db, r, 1000, NULL, NULL));
		do {
			OK(db_location_vers(db, after, 7, v, &n));
			for (unsigned i = 0; i < n; i++)
				cr_assert_eq(v[i].ver1, all + i);
			all += n;
			after = n ? v[n - 1].id : NULL;
		} while (n == 7);
		cr_assert_eq(all, 1000);
		OK(db_location_count(db, &c));
		cr_assert_eq(c.rows, 1000);
		cr_assert_eq(c.dead, 100);
		free(r);
	}
	DBS_DONE();
}

struct sizes {
	unsigned n;
	uint8_t last;
	bool order, whole;
};

static void sum(const uint8_t *id, struct sl rec, void *arg)
{
	struct sizes *s = arg;

	s->order = s->order && (!s->n || id[15] == s->last + 1);
	s->whole = s->whole && rec.n == (id[15] == 200 ? 0u : 30000u + id[15]) &&
		   (!rec.n || (rec.p[0] == 'r' && rec.p[rec.n - 1] == 'r'));
	s->last = id[15];
	s->n++;
}

/* 7.5 MB: more than the 4 MB that MariaDB gives in one piece */
Test(location, long_records_are_read_whole_and_in_order)
{
	struct db *db;

	FOR_EACH_DB(db) {
		struct sizes s = { 0, 0, true, true };
		char *mem = malloc(40000);
		unsigned n;

		memset(mem, 'r', 40000);
		for (unsigned i = 0; i < 250; i++) {
			struct db_location r = row(i, 1, 1, "");

			r.id[0] = 0;
			if (i != 200)
				r.rec = sl_mk(mem, 30000 + i);
			OK(db_location_put(db, &r, 1, NULL, NULL));
		}
		OK(db_location_load(db, NULL, 1000, sum, &s, &n));
		cr_assert_eq(n, 250);
		cr_assert_eq(s.n, 250);
		cr_assert(s.order && s.whole);
		s.n = 0;
		OK(db_location_load(db, NULL, 249, sum, &s, &n));
		cr_assert_eq(s.n, 249);
		cr_assert_eq(n, 249);
		free(mem);
	}
	DBS_DONE();
}

Test(location, a_sweep_takes_what_is_past_its_hold_and_nothing_else)
{
	struct db *db;

	FOR_EACH_DB(db) {
		struct db_location r[100];
		uint8_t at[DB_LOCATION_ID] = { 0 };
		struct db_location_count c;
		int64_t all = 0, n;
		unsigned calls = 0;
		static const uint8_t zero[DB_LOCATION_ID];

		for (unsigned i = 0; i < 100; i++) {
			r[i] = row(i, 1, 0, "x");
			r[i].hold_until = i % 2 ? 999 : 1000;
		}
		OK(db_location_put(db, r, 100, NULL, NULL));
		do {
			OK(db_location_sweep(db, at, 30, 1000, &n));
			all += n;
			calls++;
		} while (memcmp(at, zero, sizeof(at)) != 0 && calls < 10);
		cr_assert_eq(calls, 4);
		cr_assert_eq(all, 50, "%lld of kind %d", (long long)all,
			     db_kind(db));
		OK(db_location_count(db, &c));
		cr_assert_eq(c.rows, 50);
	}
	DBS_DONE();
}

Test(location, a_batch_that_fails_leaves_nothing)
{
	struct db *db;

	FOR_EACH_DB(db) {
		struct db_location r[2] = { row(1, 1, 0, "x"), row(2, 1, 0, "y") };
		enum db_err e;

		OK(db_script(db, "ALTER TABLE edgewise_location ADD COLUMN z "
			     "SMALLINT CHECK (z > 0)"));
		OK(db_script(db, "DROP TABLE edgewise_location"));
		e = db_location_put(db, r, 2, NULL, NULL);
		cr_assert_eq(e, DB_SCHEMA, "%s: %s", db_err_name(e), db_why(db));
	}
	DBS_DONE();
}

Test(location, somebody_elses_transaction_is_waited_for_and_then_told)
{
	struct db *db;

	FOR_EACH_DB(db) {
		struct db_location r = row(1, 1, 0, "x");
		struct db *other = NULL;
		struct db_conf cf;
		char why[DB_WHY];
		enum db_err e;

		OK(db_location_put(db, &r, 1, NULL, NULL));
		rig_conf(db_kind(db), &cf);
		cr_assert(!db_open(&other, &cf, why), "%s", why);
		OK(db_begin(other));
		OK(db_exec(other, "UPDATE edgewise_location SET cseq=9", NULL, 0,
			   NULL));
		r.ver1 = 2;
		e = db_location_put(db, &r, 1, NULL, NULL);
		cr_assert_eq(e, DB_LOCKED, "%s: %s", db_err_name(e), db_why(db));
		OK(db_commit(other));
		/* the same connection goes on */
		OK(db_location_put(db, &r, 1, NULL, NULL));
		db_close(other);
	}
	DBS_DONE();
}

Test(location, a_full_disk_is_told_and_costs_only_the_batch)
{
	struct db *db = rig_again(0);
	struct db_location r[200];
	char why[DB_WHY], big[2000], sql[64];
	struct db_location_count c;
	bool more;
	enum db_err e;

	cr_assert(!db_schema_make(db, why), "%s", why);
	memset(big, 'x', sizeof(big));
	for (unsigned i = 0; i < 200; i++) {
		r[i] = row(i, 1, 0, "");
		r[i].rec = sl_mk(big, sizeof(big));
	}
	OK(db_location_put(db, r, 20, NULL, NULL));
	/* SQLite says the same of a number of pages as of a disk */
	OK(db_query(db, "PRAGMA page_count", NULL, 0));
	OK(db_row(db, &more));
	snprintf(sql, sizeof(sql), "PRAGMA max_page_count=%d",
		 (int)db_int(db, 1) + 5);
	db_end(db);
	OK(db_script(db, sql));
	e = db_location_put(db, r, 200, NULL, NULL);
	cr_assert_eq(e, DB_FULL, "%s: %s", db_err_name(e), db_why(db));
	OK(db_location_count(db, &c));
	cr_assert_eq(c.rows, 20);
	OK(db_script(db, "PRAGMA max_page_count=1000000"));
	OK(db_location_put(db, r, 200, NULL, NULL));
	db_close(db);
}

Test(location, empty_texts_are_texts)
{
	struct db *db;

	FOR_EACH_DB(db) {
		struct db_location r = row(1, 1, 0, "x");
		bool more;

		r.owner = r.aor = r.contact = SL("");
		r.rec = SL("");
		OK(db_location_put(db, &r, 1, NULL, NULL));
		OK(db_query(db, "SELECT COUNT(*) FROM edgewise_location WHERE "
			    "owner='' AND aor='' AND contact='' AND path IS NULL",
			    NULL, 0));
		OK(db_row(db, &more));
		cr_assert_eq(db_int(db, 1), 1);
		db_end(db);
	}
	DBS_DONE();
}
