/* db_subscriber.c - Shell. */
#include "db/db_subscriber.h"
#include "db/db_text.h"
#include <stdio.h>
#include <strings.h>

#define ONE "SELECT * FROM subscriber WHERE username=? AND domain=" DB_EMPTY

static struct db_val val(const char *s)
{
	return db_t(sl_mk(s, strnlen(s, DB_SUBSCRIBER_NAME)));
}

static void take(char *out, size_t size, struct sl s)
{
	if (s.n >= size)
		s.n = 0;
	if (s.n)
		memcpy(out, s.p, s.n);
	out[s.n] = 0;
}

/** Columns by name: tables of other makers have others beside, or fewer */
static void take_row(struct db *db, struct db_subscriber *u)
{
	memset(u, 0, sizeof(*u));
	for (unsigned i = 1; i <= DB_COLS; i++) {
		const char *name = db_column(db, i);

		if (!name)
			break;
		if (!strcasecmp(name, "username"))
			take(u->username, sizeof(u->username), db_text(db, i));
		else if (!strcasecmp(name, "domain"))
			take(u->domain, sizeof(u->domain), db_text(db, i));
		else if (!strcasecmp(name, "ha1"))
			take(u->ha1, sizeof(u->ha1), db_text(db, i));
		else if (!strcasecmp(name, "ha1_sha256"))
			take(u->ha1_sha256, sizeof(u->ha1_sha256),
			     db_text(db, i));
		else if (!strcasecmp(name, "password"))
			take(u->password, sizeof(u->password), db_text(db, i));
	}
}

enum db_err db_subscriber_check(struct db *db, char *why)
{
	bool more;
	enum db_err e = db_query(db, "SELECT username,domain,ha1 FROM "
				 "subscriber WHERE 1=0", NULL, 0);

	if (!e)
		e = db_row(db, &more);
	if (e)
		snprintf(why, DB_WHY, "table subscriber: %s", db_why(db));
	db_end(db);
	return e;
}

/** Can a column hold it? What it cannot hold it does not have. */
static bool fits(struct sl username, struct sl domain)
{
	return username.n && username.n <= DB_SUBSCRIBER_NAME &&
		domain.n <= DB_SUBSCRIBER_NAME && db_text_ok(username) &&
		db_text_ok(domain);
}

enum db_err db_subscriber_get(struct db *db, struct sl username,
			      struct sl domain, struct db_subscriber *u,
			      bool *found)
{
	char low[DB_SUBSCRIBER_NAME];
	struct db_val v[2];
	bool more = true;
	enum db_err e;

	*found = false;
	if (!fits(username, domain))
		return DB_OK;
	v[0] = db_t(username);
	v[1] = db_t(sl_lower(low, domain));
	e = db_query(db, ONE, v, 2);
	while (!e && more) {
		e = db_row(db, &more);
		if (e || !more)
			break;
		take_row(db, u);
		/* MySQL's usual order takes Bob and bob for the same */
		if (sl_eq(sl_cstr(u->username), username) &&
		    sl_ieq(sl_cstr(u->domain), domain)) {
			*found = true;
			break;
		}
	}
	db_end(db);
	return e;
}

/** Is the row there? A table of SQLite or MySQL counts an update to what it was
 *  differently */
static enum db_err change(struct db *db, const char *sql,
			  const struct db_val *v, unsigned n, struct sl username,
			  struct sl domain, bool must_be, bool *done)
{
	struct db_subscriber old;
	bool found;
	enum db_err e = db_begin(db);

	*done = false;
	if (!e)
		e = db_subscriber_get(db, username, domain, &old, &found);
	if (!e && found == must_be)
		e = db_exec(db, sql, v, n, NULL);
	if (!e)
		e = db_commit(db);
	if (e)
		db_rollback(db);
	else
		*done = found == must_be;
	explicit_bzero(&old, sizeof(old));
	return e;
}

static bool has_sha256(struct db *db)
{
	bool has = false;

	/* a statement on a column that is missing would end a transaction */
	if (!db_query(db, "SELECT * FROM subscriber WHERE 1=0", NULL, 0)) {
		for (unsigned i = 1; i <= DB_COLS; i++) {
			const char *name = db_column(db, i);

			has = has || (name && !strcasecmp(name, "ha1_sha256"));
		}
	}
	db_end(db);
	return has;
}

enum db_err db_subscriber_add(struct db *db, const struct db_subscriber *u,
			      bool *done)
{
	struct db_val v[4] = { val(u->username),
			       val(u->domain),
			       val(u->ha1),
			       val(u->ha1_sha256) };
	bool sha = has_sha256(db);

	return change(db, sha ?
		      "INSERT INTO subscriber (username,domain,ha1,ha1_sha256,"
		      "password) VALUES (?," DB_EMPTY "," DB_EMPTY ","
		      DB_EMPTY ",'')" :
		      "INSERT INTO subscriber (username,domain,ha1,password) "
		      "VALUES (?," DB_EMPTY "," DB_EMPTY ",'')", v, sha ? 4 : 3,
		      sl_cstr(u->username), sl_cstr(u->domain), false, done);
}

enum db_err db_subscriber_set(struct db *db, const struct db_subscriber *u,
			      bool *done)
{
	bool sha = has_sha256(db);
	struct db_val v[4] = { val(u->ha1) };
	unsigned n = 1;

	if (sha)
		v[n++] = val(u->ha1_sha256);
	v[n++] = val(u->username);
	v[n++] = val(u->domain);
	return change(db, sha ?
		      "UPDATE subscriber SET ha1=" DB_EMPTY ",ha1_sha256=" DB_EMPTY ",password='' "
		      "WHERE username=? AND domain=" DB_EMPTY :
		      "UPDATE subscriber SET ha1=" DB_EMPTY ",password='' "
		      "WHERE username=? AND domain=" DB_EMPTY, v, n,
		      sl_cstr(u->username), sl_cstr(u->domain), true, done);
}

enum db_err db_subscriber_del(struct db *db, struct sl username,
			      struct sl domain, bool *done)
{
	struct db_val v[2] = { db_t(username), db_t(domain) };

	return change(db, "DELETE FROM subscriber WHERE username=? AND "
		      "domain=" DB_EMPTY, v, 2, username, domain, true, done);
}

enum db_err db_subscriber_list(struct db *db, struct sl username,
			       struct sl domain, unsigned limit,
			       void (*h)(const struct db_subscriber *u,
					 void *arg), void *arg, unsigned *np)
{
	struct db_val v[4] = { db_t(domain.p ? domain : SL("")),
			       db_t(domain.p ? domain : SL("")),
			       db_t(username.p ? username : SL("")),
			       db_i(limit) };
	struct db_subscriber u;
	bool more = true;
	enum db_err e = db_query(db, "SELECT * FROM subscriber WHERE domain>" DB_EMPTY
				 " OR (domain=" DB_EMPTY " AND username>"
				 DB_EMPTY ") ORDER BY "
				 "domain,username LIMIT ?", v, 4);

	*np = 0;
	while (!e) {
		e = db_row(db, &more);
		if (e || !more)
			break;
		take_row(db, &u);
		h(&u, arg);
		++*np;
	}
	db_end(db);
	explicit_bzero(&u, sizeof(u));
	return e;
}
