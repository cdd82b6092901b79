/**
 * @file netns.h  Shell. A network namespace of our own, with loopback up.
 */
#ifndef DRILL_NETNS_H
#define DRILL_NETNS_H

/** Before any thread or socket. @return 0 or errno */
int netns_enter(void);

#endif
