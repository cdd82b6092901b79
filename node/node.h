/**
 * @file node.h  Shell. One edgewise-node: sockets, files, timers, signals
 * around the core and the store.
 */
#ifndef NODE_NODE_H
#define NODE_NODE_H

struct cfg_over;
struct node;

/** Opens all that the settings name; logs what is wrong.
 *  @param path  settings file, read again at SIGHUP; copied
 *  @param over  options over it, borrowed; NULL = none
 *  @return 0 or errno */
int  node_alloc(struct node **np, const char *path,
		const struct cfg_over *over);
void node_free(struct node *n);
/** Serves until SIGTERM or SIGINT */
int  node_run(struct node *n);

#endif
