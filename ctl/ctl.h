/**
 * @file ctl.h  Shell. Commands of `edgewise`. Each gets the arguments behind
 * its name (argv[0] = the name) and returns an exit status.
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

enum {
	CTL_OK,
	CTL_BAD,      /**< degraded; a file with mistakes; not done            */
	CTL_FAIL,     /**< unreachable; wrong usage                            */
};

int ctl_status(int argc, char **argv);
int ctl_trace(int argc, char **argv);
int ctl_events(int argc, char **argv);
int ctl_check(int argc, char **argv);
int ctl_user(int argc, char **argv);
int ctl_ca(int argc, char **argv);
int ctl_key(int argc, char **argv);
int ctl_location(int argc, char **argv);
int ctl_verify(int argc, char **argv);
/** Its own exit status: 0 passed, 1 failed, 2 stopped, 3 unfit to start */
int ctl_drill(int argc, char **argv);
/** nodes, drain, maint, ready, weight */
int ctl_nodes(int argc, char **argv);
/** bans, ban, unban */
int ctl_bans(int argc, char **argv);
int ctl_node(int argc, char **argv);
int ctl_db_verify(int argc, char **argv);
int ctl_db(int argc, char **argv);

#endif
