/**
 * @file files.h  Shell. Small files of a node: keys, identity, users.
 */
#ifndef NODE_FILES_H
#define NODE_FILES_H

#include "base/buf.h"
#include "base/cfg.h"
#include "cluster/keyset.h"
#include "node/config.h"
#include "node/users.h"

struct cert;

/** Whole file, at most max bytes. @return 0, errno, EFBIG */
int  files_read(struct buf *b, const char *path, size_t max);
/** The keys of the cluster, as keyset_parse() reads them; errors go to errs.
 *  @return 0, errno, EBADMSG */
int  files_keys(struct keyset *k, const char *path, struct cfg_errs *errs);
/** The certificate that links show, checked as the peers will check it, and
 *  for our own name. *cp = NULL when the settings name none. Errors go to errs.
 *  @return 0, errno, EBADMSG */
int  files_cert(struct cert **cp, const struct node_config *cf,
		struct cfg_errs *errs);
#define FILES_STATE 330        /**< longest folder, with its end [bytes]     */
/**
 * The folder that is ours alone: dir, or, when another running node has it (one
 * settings file for several nodes on one machine), dir/nodes/NAME, then and
 * ever after. Makes it, mode 0700, and locks it until the program ends.
 *
 * @return 0, errno, EBUSY (another node of our name runs)
 */
int  files_state(char state[FILES_STATE], const char *dir, const char *name);
/** The node's number in dir/id, drawn and written at the first start (makes
 *  dir, mode 0700). @return 0, errno, EBADMSG (file damaged) */
int  files_id(uint64_t *id, const char *dir);
/** The users file as a table; errors go to errs as file:line: text */
int  files_users(struct users **up, const char *path, struct cfg_errs *errs);

/** May others than its owner read or write it? */
bool files_open(const char *path);
/** One warning when others than the owner may read a file with secrets */
void files_warn_open(const char *path);

#endif
