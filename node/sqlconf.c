/* sqlconf.c - Shell. */
#include "node/sqlconf.h"
#include "db/db.h"
#include "db/db_url.h"
#include <errno.h>

const char *sqlconf_users_url(const struct node_config *cf)
{
	return cf->users_db_url[0] ? cf->users_db_url : cf->db_url;
}

const char *sqlconf_users_password(const struct node_config *cf)
{
	return cf->users_db_url[0] ? cf->users_db_password_file :
		cf->db_password_file;
}

static const char *wrong(const char *url)
{
	struct db_url u;

	return !db_version() ? "this program was built without SQL" :
		db_url_parse(&u, sl_cstr(url));
}

static const char *contacts(const struct node_config *cf)
{
	if (cf->db_url[0])
		return wrong(cf->db_url);
	return cf->db_required ? "must be given when db_required is true" :
		cf->db_mode == NODE_DB_SHARED ?
		"must be given when db_mode is \"shared\"" : NULL;
}

static const char *users(const struct node_config *cf)
{
	if (cf->users != NODE_USERS_SQL)
		return NULL;
	if (!*sqlconf_users_url(cf))
		return "it or db_url must be given when users is \"sql\"";
	return cf->users_db_url[0] ? wrong(cf->users_db_url) : NULL;
}

int sqlconf_check(const struct node_config *cf, const char *file,
		  struct cfg_errs *errs)
{
	const char *c = contacts(cf), *u = users(cf);

	if (c)
		cfg_err(errs, file, 0, "db_url", "%s", c);
	if (u)
		cfg_err(errs, file, 0, "users_db_url", "%s", u);
	return c || u ? EBADMSG : 0;
}
