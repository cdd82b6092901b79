/**
 * @file daemon.h  Shell. What both programs do at start: resource limits,
 * readiness, a pid-less foreground life.
 */
#ifndef BASE_DAEMON_H
#define BASE_DAEMON_H

#include <stdint.h>

/** Raise RLIMIT_NOFILE to at least n. @return 0 or errno */
int  daemon_nofile(uint32_t n);
/** Tell systemd (sd_notify protocol by hand): "READY=1", "STOPPING=1", ...
 *  No effect without NOTIFY_SOCKET */
void daemon_notify(const char *state);

#endif
