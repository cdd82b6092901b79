/* dbopen.c - Shell. */
#include "ctl/dbopen.h"
#include "db/db_url.h"
#include <errno.h>
#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>

bool dbopen_option(struct dbopen *o, int c, const char *arg)
{
	switch (c) {
	case 'd':
		o->url = arg;
		return true;
	case 'p':
		o->password_file = arg;
		return true;
	case 'c':
		o->config = arg;
		return true;
	default:
		return false;
	}
}

const char *dbopen_shown(const struct dbopen *o)
{
	static char mem[DB_URL + 64];
	struct buf b;

	buf_fixed(&b, mem, sizeof(mem) - 1);
	db_url_shown(&b, sl_cstr(o->conf.url));
	mem[b.err ? 0 : b.n] = 0;
	return mem;
}

void dbopen_say(const struct dbopen *o, const char *why)
{
	fprintf(stderr, "edgewise: %s: %s\n", dbopen_shown(o), why);
}

static bool copy(char *to, const char *from)
{
	if (strlen(from) > DB_URL)
		return false;
	snprintf(to, DB_URL + 1, "%s", from);
	return true;
}

static bool named(const config_t *cf, const char *key, const char **url)
{
	return config_lookup_string(cf, key, url) && **url;
}

/** db_url and db_password_file of a node's file; that it has no other mistakes is for
 *  `edgewise check` */
static int from_file(struct dbopen *o, const char *path)
{
	config_t cf;
	const char *url = NULL, *pw = NULL;
	int err = ENOENT;

	config_init(&cf);
	if (!config_read_file(&cf, path)) {
		fprintf(stderr, "edgewise: %s: %s\n", path,
			config_error_text(&cf));
		err = EBADMSG;
	}
	else if (!(o->users && named(&cf, "users_db_url", &url))
		 && !named(&cf, "db_url", &url)) {
		fprintf(stderr, "edgewise: %s: no db_url is set; name the "
			"database with -d\n", path);
	}
	else {
		(void)config_lookup_string(&cf, o->users
			&& named(&cf, "users_db_url", &url)
			? "users_db_password_file" : "db_password_file", &pw);
		err = copy(o->conf.url, url) &&
			copy(o->conf.password_file, pw ? pw : "") ? 0 : E2BIG;
	}
	config_destroy(&cf);
	return err;
}

int dbopen_conf(struct dbopen *o)
{
	const char *url = o->url ? o->url :
		o->config ? NULL : getenv("EDGEWISE_DB");
	struct db_url u;
	const char *bad;
	int err = 0;

	if (url)
		err = copy(o->conf.url, url) ? 0 : E2BIG;
	else
		err = from_file(o, o->config ? o->config :
				SYSCONFDIR "/edgewise/node.conf");
	if (!err && o->password_file)
		err = copy(o->conf.password_file, o->password_file) ? 0 : E2BIG;
	if (err == E2BIG)
		fprintf(stderr, "edgewise: the database's URL is too long\n");
	if (err)
		return err;
	bad = db_url_parse(&u, sl_cstr(o->conf.url));
	if (bad) {
		dbopen_say(o, bad);
		return EINVAL;
	}
	o->conf.create = o->create;
	o->conf.query_ms = 30000;
	return 0;
}

int dbopen_connect(struct dbopen *o, struct db **dbp)
{
	char why[DB_WHY] = "";
	int err = dbopen_conf(o);

	if (err)
		return err;
	if (db_open(dbp, &o->conf, why)) {
		dbopen_say(o, why);
		return EIO;
	}
	return 0;
}
