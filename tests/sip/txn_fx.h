/**
 * @file txn_fx.h  One transaction layer on virtual time. All that it sends and
 * reports is written into a trace: "500>INVITE 1000>INVITE 32000!FINAL".
 *   T>METHOD, T>CODE     sent (a CANCEL's answer: T>200c)
 *   T!NO100 ...          TXN_TIMEOUT         T!NOACK
 *   T-s, T-c             TXN_GONE of a server, client transaction
 *   T?KIND               what txnl_recv() said, when not TXN_NONE
 */
#ifndef TEST_TXN_FX_H
#define TEST_TXN_FX_H

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/secret.h"
#include "sip/txn.h"
#include "sip/txn_i.h"

struct fx {
	struct txnl *t;
	struct outq q;
	uint64_t now;
	struct buf trace;
	char last[4096];           /**< text sent last                   */
	struct flow last_flow;
	struct flow udp, tcp;
	struct txn_event ev;       /**< of the last recv                 */
	unsigned gone;
};

void fx_init(struct fx *x);
void fx_close(struct fx *x);
/** Write what was sent and all events at x->now into the trace */
void fx_drain(struct fx *x);
/** Let time pass up to `to`, stopping at each deadline */
void fx_run(struct fx *x, uint64_t to);
/** A message arrives; the event is in x->ev */
enum txn_kind fx_recv(struct fx *x, const struct flow *f, const char *txt);
/** The trace so far; forgets it */
const char *fx_trace(struct fx *x);
#define fx_expect(x, want) cr_assert_str_eq(fx_trace(x), (want))

/** A request as text. to_tag NULL = none */
const char *fx_req(const char *method, const char *branch, const char *to_tag);
/** Scan a request, TXN_REQUEST, and open its transaction */
struct stxn *fx_server(struct fx *x, const struct flow *f, const char *txt);
/** Pass an answer on, as a proxy does */
int fx_forward(struct fx *x, struct stxn *s, unsigned code);

/** A branch, sent; tm NULL = default timers */
struct ctxn *fx_client(struct fx *x, enum sip_method meth,
		       const struct flow *f, const struct ctxn_timers *tm);
/** Response for that branch; method NULL = the branch's own */
const char *fx_resp(const struct ctxn *c, unsigned code, const char *method);
const char *fx_resp_br(struct sl branch, unsigned code, const char *method,
		       const char *tag);

#endif
