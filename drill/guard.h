/**
 * @file guard.h  Shell. A second process that puts things right when the tool
 * dies, however it dies: it reads what to undo from a pipe, and does so when
 * the pipe ends.
 */
#ifndef DRILL_GUARD_H
#define DRILL_GUARD_H

#include <stdint.h>

struct guard;

/** Before the event loop is there. @return 0 or errno */
int  guard_alloc(struct guard **gp);
/** Remove this folder (made by the drill) with all files in it */
void guard_folder(struct guard *g, const char *dir);
/** Run this command; "" = not any more */
void guard_command(struct guard *g, const char *cmd);
/** Ends the guard. It undoes what was not taken back: the folder always. When
 *  it was killed this does, so a drill whose guard dies leaves nothing either;
 *  both killed: what the edge brought ends by its time, programs of a lab die */
void guard_free(struct guard *g);

#endif
