/* sql.c - rows of the location table: usage: sql URL ROWS BATCH [BYTES]
 * Writes ROWS new rows in batches of BATCH, the same rows again in another order (each is
 * newer), loads all, sweeps all. A line for each: rows, seconds, rows/s. */
#include "base/clk.h"
#include "base/rng.h"
#include "base/secret.h"
#include "db/db_location.h"
#include "db/db_schema.h"
#include <stdio.h>
#include <stdlib.h>

static const uint8_t key[SECRET_KEY] = { 1 };

static void make_row(struct db_location *l, unsigned i, int64_t ver,
		     char text[3][64], const char *rec, size_t bytes)
{
	memset(l, 0, sizeof(*l));
	secret_hash128(l->id, key, &i, sizeof(i));
	l->ver1 = ver;
	l->hold_until = 1000;
	l->expires = 1800000000000;
	l->cseq = ver;
	snprintf(text[0], 64, "sip:user%u@example.com", i);
	snprintf(text[1], 64, "sip:user%u@192.0.2.1:5060;transport=udp", i);
	snprintf(text[2], 64, "%08x-%u@192.0.2.1", i * 2654435761u, i);
	l->aor = sl_cstr(text[0]);
	l->contact = sl_cstr(text[1]);
	l->callid = sl_cstr(text[2]);
	l->owner = SL("node-1");
	l->path = SL("sip:0123456789abcdef0123456789abcdef@192.0.2.9;lr");
	l->user_agent = SL("Bench Phone 1.2.3");
	l->received = SL("udp:198.51.100.7:40000");
	l->rec = sl_mk(rec, bytes);
}

static void row(const char *what, unsigned n, uint64_t us)
{
	printf("%-8s %9u rows %8.2f s %9.0f rows/s\n", what, n,
	       (double)us / 1e6, n / ((double)us / 1e6));
	fflush(stdout);
}

static int put(struct db *db, unsigned n, unsigned batch, int64_t ver,
	       size_t bytes)
{
	struct db_location *rows = calloc(batch, sizeof(*rows));
	char (*text)[3][64] = calloc(batch, sizeof(*text));
	char *rec = malloc(bytes);
	uint64_t us = 0, max = 0;

	if (!rows || !text || !rec)
		return 1;
	memset(rec, 'r', bytes);
	for (unsigned at = 0; at < n; at += batch) {
		uint64_t t0;
		unsigned k = n - at < batch ? n - at : batch;

		/* the second time in another order */
		for (unsigned i = 0; i < k; i++)
			make_row(&rows[i], ver > 1 ? (unsigned)
				 ((uint64_t)(at + i) * 7919 % n) : at + i, ver,
				 text[i], rec, bytes);
		t0 = clk_now_us();
		if (db_location_put(db, rows, k, NULL, NULL)) {
			fprintf(stderr, "%s\n", db_why(db));
			return 1;
		}
		t0 = clk_now_us() - t0;
		us += t0;
		max = t0 > max ? t0 : max;
	}
	row(ver > 1 ? "update" : "insert", n, us);
	printf("         longest batch %.0f ms\n", (double)max / 1000);
	free(rows);
	free(text);
	free(rec);
	return 0;
}

struct last {
	uint8_t id[DB_LOCATION_ID];
	uint64_t bytes;
};

static void loaded(const uint8_t *id, struct sl rec, void *arg)
{
	struct last *l = arg;

	memcpy(l->id, id, sizeof(l->id));
	l->bytes += rec.n;
}

static int load(struct db *db)
{
	struct last l = { .bytes = 0 };
	unsigned n, all = 0;
	uint64_t t0 = clk_now_us();

	do {
		if (db_location_load(db, all ? l.id : NULL, 1000, loaded, &l, &n)) {
			fprintf(stderr, "%s\n", db_why(db));
			return 1;
		}
		all += n;
	} while (n == 1000);
	row("load", all, clk_now_us() - t0);
	return 0;
}

static int sweep(struct db *db)
{
	uint8_t at[DB_LOCATION_ID] = { 0 };
	static const uint8_t zero[DB_LOCATION_ID];
	int64_t n, all = 0;
	uint64_t t0 = clk_now_us();

	do {
		if (db_location_sweep(db, at, 1000, 2000, &n)) {
			fprintf(stderr, "%s\n", db_why(db));
			return 1;
		}
		all += n;
	} while (memcmp(at, zero, sizeof(at)) != 0);
	row("sweep", (unsigned)all, clk_now_us() - t0);
	return 0;
}

int main(int argc, char **argv)
{
	struct db_conf cf = { .create = true, .query_ms = 60000 };
	struct db *db = NULL;
	char why[DB_WHY] = "";
	unsigned n, batch;
	size_t bytes;

	if (argc < 4) {
		fprintf(stderr, "usage: sql URL ROWS BATCH [BYTES]\n");
		return 2;
	}
	n = (unsigned)atoi(argv[2]);
	batch = (unsigned)atoi(argv[3]);
	bytes = argc > 4 ? (size_t)atoi(argv[4]) : 350;
	snprintf(cf.url, sizeof(cf.url), "%s", argv[1]);
	if (secret_init() || !n || !batch || db_open(&db, &cf, why) ||
	    db_schema_make(db, why)) {
		fprintf(stderr, "%s\n", why);
		return 1;
	}
	n = put(db, n, batch, 1, bytes) || put(db, n, batch, 2, bytes) ||
		load(db) || sweep(db);
	db_close(db);
	return (int)n;
}
