/**
 * @file keys.c  Shell. The cluster's keys change while the node runs.
 */
#include "node/keys.h"
#include "base/log.h"
#include "node/node_i.h"
#include <errno.h>
#include <stdlib.h>

int keys_reread(const struct keyset *was, struct keyset *k, const char *path)
{
	struct cfg_errs *errs = calloc(1, sizeof(*errs));
	int err;

	if (!errs)
		return ENOMEM;
	err = files_keys(k, path, errs);
	if (!err && !secret_equal(k->base, was->base, SECRET_KEY)) {
		err = EPERM;
		cfg_err(errs, path, 0, "cluster.key_file", "the base cannot "
			"change while running: `edgewise key` keeps it when "
			"keys change; by hand it is a line `base` and the "
			"first key that there was");
	}
	cfg_log(errs, "reload");
	free(errs);
	return err;
}

void keys_use(struct node *n, const struct keyset *k)
{
	char name[KEYSET_MAX][KEYSET_NAME] = { "", "-" };

	if (keyset_equal(&n->keys, k))
		return;
	for (uint32_t i = 0; i < k->n; i++)
		keyset_name(name[i], k->key[i]);
	log_info("event=cluster_keys first=%s second=%s", name[0], name[1]);
	n->keys = *k;
	core_rekey(n->core, k);
	/* its links are not there before the rows are read */
	if (n->cluster)
		cluster_rekey(n->cluster, k);
}
