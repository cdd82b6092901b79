/* usersql.c - Shell. `edgewise user` over an SQL database. */
#include "ctl/usersql.h"
#include "ctl/ctl.h"
#include "db/db_subscriber.h"
#include "sip/auth.h"
#include <stdio.h>
#include <string.h>

enum { PAGE = 1000 };      /* users of one question */

/* Open, and look whether there is such a table */
static int start(struct dbopen *o, struct db **dbp)
{
	char why[DB_WHY] = "";

	if (dbopen_connect(o, dbp))
		return CTL_FAIL;
	if (!db_subscriber_check(*dbp, why))
		return CTL_OK;
	dbopen_say(o, why);
	db_close(*dbp);
	return CTL_FAIL;
}

static bool fill(struct db_subscriber *u, struct sl name, struct sl domain,
		 struct sl pw)
{
	if (name.n > DB_SUBSCRIBER_NAME || domain.n > DB_SUBSCRIBER_NAME)
		return false;
	memset(u, 0, sizeof(*u));
	memcpy(u->username, name.p, name.n);
	memcpy(u->domain, domain.p, domain.n);
	auth_ha1(u->ha1, AUTH_MD5, name, domain, pw);
	auth_ha1(u->ha1_sha256, AUTH_SHA256, name, domain, pw);
	return true;
}

static enum db_err change(struct db *db, enum passwd_op op, struct sl name,
			  struct sl domain, const struct db_subscriber *u,
			  bool *done)
{
	switch (op) {
	case PASSWD_ADD:
		return db_subscriber_add(db, u, done);
	case PASSWD_SET:
		return db_subscriber_set(db, u, done);
	case PASSWD_DEL:
		return db_subscriber_del(db, name, domain, done);
	}
	return DB_OTHER;
}

int usersql_edit(struct dbopen *o, enum passwd_op op, struct sl aor,
		 struct sl pw)
{
	struct sl name = sl_sub(aor, 0, sl_chr(aor, '@'));
	struct sl domain = sl_sub(aor, name.n + 1, aor.n);
	struct db_subscriber u;
	struct db *db = NULL;
	bool done = false;
	enum db_err e;
	int rc;

	if (!fill(&u, name, domain, pw)) {
		fprintf(stderr, "edgewise: user and domain have at most %d "
			"characters each in a database\n", DB_SUBSCRIBER_NAME);
		return CTL_FAIL;
	}
	rc = start(o, &db);
	if (rc)
		return rc;
	e = change(db, op, name, domain, &u, &done);
	if (e) {
		dbopen_say(o, db_why(db));
		rc = CTL_FAIL;
	}
	else if (!done) {
		fprintf(stderr, "edgewise: %.*s is %s %s\n", SL_FMT(aor),
			op == PASSWD_ADD ? "already in" : "not in",
			dbopen_shown(o));
		rc = CTL_BAD;
	}
	explicit_bzero(&u, sizeof(u));
	db_close(db);
	return rc;
}

static void show(const struct db_subscriber *u, void *arg)
{
	struct db_subscriber *last = arg;

	printf("%s@%s%s%s%s\n", u->username, u->domain,
	       u->ha1[0] ? " MD5" : "", u->ha1_sha256[0] ? " SHA-256" : "",
	       u->password[0] ? " (password in plain)" :
	       !u->ha1[0] && !u->ha1_sha256[0] ? " (no hash)" : "");
	*last = *u;
}

int usersql_list(struct dbopen *o)
{
	struct db_subscriber last = { .username = "" };
	struct db *db = NULL;
	unsigned n = PAGE;
	enum db_err e = DB_OK;
	int rc = start(o, &db);

	if (rc)
		return rc;
	while (!e && n == PAGE) {
		const struct db_subscriber from = last;

		e = db_subscriber_list(db, sl_cstr(from.username),
				       sl_cstr(from.domain), PAGE, show,
				       &last, &n);
	}
	if (e)
		dbopen_say(o, db_why(db));
	db_close(db);
	return e ? CTL_FAIL : CTL_OK;
}
