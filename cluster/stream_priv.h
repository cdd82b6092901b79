/**
 * @file stream_priv.h  Shell. Inside of stream*.c.
 */
#ifndef CLUSTER_STREAM_PRIV_H
#define CLUSTER_STREAM_PRIV_H

#include "base/log.h"
#include "base/net.h"
#include "cluster/stream.h"
#include "cluster/tls.h"

enum tstate { T_CONNECT, T_AUTH, T_OPEN, T_DEAD };

struct stream {
	struct stream *next;
	struct streams *t;
	enum tstate state;
	int fd;
	struct nfd *nfd;
	SSL *ssl;
	struct tls_seen seen;      /* the hand-shake's                 */
	char name[CERT_NAME];      /* by its certificate, or ""        */
	struct addr peer;
	uint64_t until;            /* deadline of CONNECT and AUTH [ms] */
	int target;                /* dialed, or -1                    */
	int id;                    /* the caller's                     */
	struct buf in, out;
	size_t sent;               /* of out                           */
	bool blocked;              /* waits for the socket to take more */
	bool again;                /* has more to read than one turn's share */
};

struct streams {
	struct streams_conf cf;
	struct streams_h h;
	struct streams_stats st;
	struct tls_keys keys;
	SSL_CTX *server, *client;
	int fd;
	struct nfd *nfd;
	uint16_t port;
	struct stream *conns;
	struct log_limit log;
	struct log_limit broken_log;    /* who only looks hides no stranger */
};

/* stream.c */
/* Ends it and tells the user, in the words of its state */
void stream_lose(struct stream *c, const char *why);
/* Ends it without a word */
void stream_stop(struct stream *c);
int  stream_watch(struct stream *c, int flags);

/* stream_auth.c */
/* TCP stands: begin TLS. @return 0 or ENOMEM */
int  stream_auth_start(struct stream *c);
/* One step of it */
void stream_auth(struct stream *c);
/* It ended: counted and logged */
void stream_auth_lost(struct stream *c, const char *why);

#endif
