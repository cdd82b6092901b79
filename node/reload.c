/* reload.c - Shell. */
#include "node/reload.h"
#include "base/clk.h"
#include "base/log.h"
#include "node/api.h"
#include "node/files.h"
#include "node/keys.h"
#include "node/node_i.h"
#include "node/sqlconf.h"
#include <errno.h>
#include <stdlib.h>

/* --- reading ------------------------------------------------------------------ */

int reload_read(struct node_config *cf, struct users **up, struct cert **cp,
		const char *path, const struct cfg_over *over)
{
	struct cfg_errs *errs = calloc(1, sizeof(*errs));
	int err;

	if (!errs)
		return ENOMEM;
	*up = NULL;
	*cp = NULL;
	err = node_config_read(cf, path, over, errs);
	if (err == ENOENT && !errs->n)
		cfg_err(errs, path, 0, NULL, "%s", strerror(err));
	if (!err)
		err = sqlconf_check(cf, path, errs);
	if (!err && cf->auth == NODE_AUTH_ON && cf->users == NODE_USERS_FILE)
		err = files_users(up, cf->users_file, errs);
	if (!err)
		err = files_cert(cp, cf, errs);
	if (err) {
		users_free(*up);
		*up = NULL;
		cfg_log(errs, "settings");
		node_config_clear(cf);
	}
	free(errs);
	return err;
}

void reload_warn_files(const struct node_config *cf)
{
	files_warn_open(cf->cluster.key_file);
	if (cf->cluster.cert_key_file[0])
		files_warn_open(cf->cluster.cert_key_file);
	if (cf->auth == NODE_AUTH_ON && cf->users == NODE_USERS_FILE)
		files_warn_open(cf->users_file);
	if (cf->users_db_password_file[0])
		files_warn_open(cf->users_db_password_file);
	if (cf->db_password_file[0])
		files_warn_open(cf->db_password_file);
}

void reload_warn(const struct node_config *cf)
{
	if (cf->auth == NODE_AUTH_OFF)
		log_warn("event=open auth=off text=\"clients are not "
			 "challenged\"");
	if (cf->any_domain)
		log_warn("event=open domains=any text=\"every domain is "
			 "served\"");
	reload_warn_files(cf);
}

/* --- at SIGHUP ---------------------------------------------------------------- */

static void say_frozen(const char *path, const char *key)
{
	struct cfg_errs *errs = calloc(1, sizeof(*errs));

	if (!errs)
		return;
	cfg_err(errs, path, 0, key, "cannot change while running: restart");
	cfg_log(errs, "reload");
	free(errs);
}

/* What may fail of a reload, while nothing has changed. @return 0 or errno */
static int prepare(struct node *n, const struct node_config *cf,
		   const struct cert *cert, struct keyset *keys)
{
	const char *frozen = cfg_frozen_diff(&n->cf, cf, node_config_keys);
	int err;

	if (frozen) {
		say_frozen(n->path, frozen);
		return EPERM;
	}
	err = keys_reread(&n->keys, keys, cf->cluster.key_file);
	if (err)
		return err;
	err = n->cluster ? cluster_recert(n->cluster, cert) : 0;
	if (err)
		log_error("event=reload problem=\"certificate: %s\"",
			  strerror(err));
	return err;
}

void reload_now(struct node *n)
{
	struct node_config cf, old;
	struct store_conf sc;
	struct keyset keys;
	struct users *users;
	struct cert *cert;
	int err;

	err = reload_read(&cf, &users, &cert, n->path, n->over);
	if (!err) {
		err = prepare(n, &cf, cert, &keys);
		if (err) {
			users_free(users);
			node_config_clear(&cf);
		}
	}
	if (err) {
		n->reloads_failed++;
		log_error("event=reload result=\"nothing changed\"");
		cert_free(cert);
		return;
	}
	certs_set(&n->certs, cert ? cert_info(cert) : NULL, clk_now(),
		  clk_wall());
	/* before the links are opened it waits for them */
	cert_free(n->cluster ? cert : n->cert);
	n->cert = n->cluster ? NULL : cert;
	keys_use(n, &keys);
	explicit_bzero(&keys, sizeof(keys));
	old = n->cf;
	n->cf = cf;
	core_reconf(n->core, &n->cf, users);
	core_drop_user(n->core, SL_NONE);
	users_free(n->users);
	n->users = users;
	node_config_clear(&old);
	node_store_settings(n, &sc);
	store_reconf(n->store, &sc);
	node_tell_digests(n);
	if (n->cluster)
		cluster_set_gap(n->cluster, node_push_gap(&n->cf));
	persist_io_reconf(n->persist_io);
	api_reload(n->api);
	log_level_set(n->cf.log.level);
	reload_warn(&n->cf);
	n->reloads++;
	log_info("event=reload users=%u", users_count(n->users));
}
