/**
 * @file reload.h  Shell. The settings of a node and the files they name, read
 * at the start and again at SIGHUP.
 */
#ifndef NODE_RELOAD_H
#define NODE_RELOAD_H

#include "node/config.h"

struct cert;
struct node;
struct users;

/** Read and check all; mistakes are logged, and *cf is empty then. The caller
 *  frees *up and *cp. @return 0 or errno */
int  reload_read(struct node_config *cf, struct users **up, struct cert **cp,
		 const char *path, const struct cfg_over *over);
/** Warn of secrets that others may read */
void reload_warn_files(const struct node_config *cf);
/** The same, and of settings that let everybody in */
void reload_warn(const struct node_config *cf);
/** All or nothing: whatever is wrong, the old settings stay */
void reload_now(struct node *n);

#endif
