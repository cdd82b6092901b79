/**
 * @file leave.h  Shell. A node leaves its cluster, or is removed from it: the
 * saved map, the steps of leaving, and the actions for both.
 *
 *   none -- POST leave --> drain -- nothing under way --> held -- another ready
 *   member has all our changes --> told -- the others closed their links --> end
 */
#ifndef NODE_LEAVE_H
#define NODE_LEAVE_H

#include <stdbool.h>
#include <stdint.h>

struct actions;
struct node;
struct roster;

enum leave_step { LEAVE_NONE, LEAVE_DRAIN, LEAVE_HELD, LEAVE_TOLD };
const char *leave_step_name(enum leave_step s);

/** state_dir/members as it was saved. A damaged file is said, kept as
 *  members.bad, and counts as none. @return NULL = none; free() it */
struct roster *leave_load(const char *state_dir);
/** Hook of the cluster: the map changed */
void leave_roster(const struct roster *r, void *node);
/** Save what changed */
void leave_save(struct node *n);

/** Go on with leaving. @return true: it is done, end the program */
bool leave_poll(struct node *n);

/** @return 0 or ENOSPC */
int  leave_routes(struct actions *a, struct node *n);

#endif
