/**
 * @file stream_sock.h  Shell. Sockets of the cluster's streams. Internal to
 * stream.c.
 */
#ifndef CLUSTER_STREAM_SOCK_H
#define CLUSTER_STREAM_SOCK_H

#include "base/addr.h"

/** A non-blocking TCP socket bound to `a`: that listens, or that will dial
 *  from any port. @return 0 or errno */
int  stream_sock_open(const struct addr *a, bool listening, int *fdp);
/** No delay; what is not acknowledged in `timeout` ms ends the stream */
void stream_sock_tune(int fd, unsigned int timeout);

#endif
