/**
 * @file persist_io.h  Shell. Runs the jobs of persist.h in a thread that has a
 * connection to the database. One job is out at most, and the loop never waits
 * for it.
 */
#ifndef NODE_PERSIST_IO_H
#define NODE_PERSIST_IO_H

#include "node/persist.h"

struct node;
struct persist_io;

/** *iop = NULL when the settings name no database. Begins to read the rows at
 *  once. n: borrowed; its store must be there. @return 0 or errno, logged */
int  persist_io_alloc(struct persist_io **iop, struct node *n);
/** Takes at most a second. What a thread that hangs may still write into is left
 *  behind. Before the store is freed; NULL allowed, as below */
void persist_io_free(struct persist_io *io);
/** New settings after a reload */
void persist_io_reconf(struct persist_io *io);
/** Once a second: figures, and a log line when the state changed */
void persist_io_second(struct persist_io *io);
/** Owners of slots may have changed */
void persist_io_moved(struct persist_io *io);

/** The rows are read, or the database has not answered for 3 s: links to other
 *  nodes may be opened */
bool persist_io_may_link(const struct persist_io *io);
/** Nothing of the database is in the way of READY */
bool persist_io_may_serve(const struct persist_io *io);
/** Begins the last flush when called first. @return true: it is done, or has
 *  taken its time. node_turn() is called when that may have changed */
bool persist_io_over(struct persist_io *io);

/** As persist_verify(); also ENOENT: no database */
int  persist_io_verify(struct persist_io *io);

struct persist_io_view {
	enum persist_state state;
	enum persist_err why;
	const char *text;              /**< of the database; "" = none        */
	const char *mode;              /**< "local", "shared"                 */
	const char *url;               /**< as it may be shown                */
	const struct persist *persist;
	uint64_t now;                  /**< for its questions [ms]            */
};
/** Borrowed until the loop's next turn. @return false: no database */
bool persist_io_view(const struct persist_io *io, struct persist_io_view *v);

#endif
