/**
 * @file net.h  Shell. The event loop: file descriptors and one-shot timers on
 * libre's re_main(). Timers are timerfds on the monotonic clock, since libre
 * 1.1.0's own follow the wall clock.
 */
#ifndef BASE_NET_H
#define BASE_NET_H

#include "base/addr.h"
#include <sys/socket.h>

enum { NET_READ = 1, NET_WRITE = 2, NET_ERROR = 4 };

int  net_init(uint32_t maxfds);       /**< libre_init, fd table size          */
void net_close(void);
/** Runs until net_stop(); signals TERM/INT/HUP/USR1 come to sigh in the loop */
int  net_run(void (*sigh)(int sig, void *arg), void *arg);
void net_stop(void);

struct nfd;
typedef void (nfd_h)(int flags, void *arg);
/** Watch fd (not taken over). flags: NET_READ | NET_WRITE */
int  nfd_alloc(struct nfd **np, int fd, int flags, nfd_h *h, void *arg);
int  nfd_set(struct nfd *n, int flags);        /**< change what is watched    */
void nfd_free(struct nfd *n);                  /**< stops watching; NULL ok; safe inside h */

struct ntimer;
typedef void (ntimer_h)(void *arg);
int  ntimer_alloc(struct ntimer **tp, ntimer_h *h, void *arg);
void ntimer_at(struct ntimer *t, uint64_t at);  /**< clk_now() time [ms]; UINT64_MAX stops */
void ntimer_free(struct ntimer *t);

/* sockaddr <-> addr */
socklen_t net_to_sockaddr(struct sockaddr_storage *ss, const struct addr *a);
int  net_from_sockaddr(struct addr *a, const struct sockaddr *sa);

/** Log that a cannot be listened to, and what to do. setting: with its address and
 *  port, as "sip"; tp: "UDP". @return err */
int  net_listen_failed(const char *setting, const char *tp,
		       const struct addr *a, int err);

#endif
