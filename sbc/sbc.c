/* sbc.c - Shell. The running edge. */
#include "sbc/sbc_priv.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clk.h"
#include "base/daemon.h"
#include "base/log.h"
#include "base/secret.h"
#include "sbc/hooks.h"
#include "sbc/keys.h"
#include "sbc/ledger.h"
#include "sbc/state.h"

enum {
	STOP_MS = 4500,        /**< what runs may take to end                */
	STOP_HOOKS = 2000,     /**< what waits for webhooks may take         */
	STOP_LOOK = 50,        /**< [ms] between looks whether it has        */
	SAVE_MS = 500,         /**< nodes join in crowds: one write for all  */
	SAVE_AGAIN_MS = 30000, /**< the disk was full, or not ours           */
};

/* --- the loop around the edge --- */

static void take_msg(struct sbc *s, const struct flow *f, struct sl msg,
		     enum frame_verdict v, const char *why, uint64_t now,
		     uint64_t wall)
{
	uint64_t mark = edge_ledger(s->edge)->ev.last;
	uint64_t odd = edge_probe_answers(s->edge) + edge_early_done(s->edge);

	edge_recv(s->edge, f, msg, v, why, now);
	/* what it sends is polled later: the order is right */
	if (v == FRAME_MSG &&
	    edge_probe_answers(s->edge) + edge_early_done(s->edge) == odd)
		api_trace_in(s, f, msg, mark, wall);
}

static void send_out(struct sbc *s)
{
	struct sip_out out;

	while (edge_poll(s->edge, &out)) {
		if (!out.quiet)
			api_trace_out(s, &out);
		if (!s->fault.o.kind || out.flow.lst != s->lstc - 1 ||
		    !fault_out(&s->fault, &out, clk_now()))
			transport_do(s->tp, &out);
	}
}

static void take_effects(struct sbc *s)
{
	struct fault_due d;

	send_out(s);
	if (!s->fault.first)
		return;
	while (fault_poll(&s->fault, &d, clk_now())) {
		struct sip_out out = { .kind = SIP_OUT_SEND, .flow = d.flow,
				       .blob = d.blob };

		if (!d.in) {
			transport_do(s->tp, &out);
			continue;
		}
		take_msg(s, &d.flow, blob_sl(d.blob), FRAME_MSG, NULL,
			 clk_now(), clk_wall_us());
		blob_unref(d.blob);
		send_out(s);
	}
}

void sbc_turn(struct sbc *s)
{
	uint64_t at;

	take_effects(s);
	s->wall = 0;
	at = edge_next(s->edge);
	if (fault_next(&s->fault) < at)
		at = fault_next(&s->fault);
	sbc_cdr_turn(s);
	hooks_turn(s->hooks);
	if (edge_pool_seq(s->edge) != s->saved_seq && !s->save_at)
		s->save_at = clk_now() + SAVE_MS;
	if (s->save_at && s->save_at < at)
		at = s->save_at;
	ntimer_at(s->timer, s->stop_at ? clk_now() + STOP_LOOK : at);
}

int sbc_save(struct sbc *s)
{
	int err = state_save(s->cf.state_dir, edge_disp(s->edge), clk_now(),
			     clk_wall());

	s->saved_seq = edge_pool_seq(s->edge);
	s->unsaved = err != 0;
	s->save_at = err ? clk_now() + SAVE_AGAIN_MS : 0;
	return err;
}

static void turn(void *arg)
{
	sbc_turn(arg);
}

static void recv_h(const struct flow *f, struct sl msg, enum frame_verdict v,
		   const char *why, void *arg)
{
	struct sbc *s = arg;

	if (s->fault.o.kind && f->lst == s->lstc - 1 && v == FRAME_MSG &&
	    fault_in(&s->fault, f, msg, transport_now(s->tp)))
		return;
	take_msg(s, f, msg, v, why, transport_now(s->tp),
		 transport_wall_us(s->tp));
}

static void waited_h(uint16_t lst, uint32_t us, void *arg)
{
	struct sbc *s = arg;

	edge_waited(s->edge, lst, us, transport_now(s->tp));
}

static void lost_h(const struct flow *f, int err, void *arg)
{
	struct sbc *s = arg;

	edge_lost(s->edge, f, err, clk_now());
}

static bool admit_h(const struct addr *peer, void *arg)
{
	const struct sbc *s = arg;

	return !s->edge || edge_admits(s->edge, peer, clk_now());
}

/** Nothing is open, and webhooks have had their time */
static bool over(const struct sbc *s, uint64_t now)
{
	return !edge_pending(s->edge) &&
	       (now >= s->hooks_at || !hooks_busy(s->hooks));
}

static void timer_h(void *arg)
{
	struct sbc *s = arg;
	uint64_t now = clk_now();

	/* it may be set while we run; probes bring us here each second */
	edge_ledger(s->edge)->wall = (int64_t)(clk_wall() - now);
	edge_tick(s->edge, now);
	if (s->fault.o.kind && now >= s->fault.o.until)
		api_fault_end(s, "edge", now);
	if (s->save_at && now >= s->save_at)
		(void)sbc_save(s);
	if (s->stop_at && (now >= s->stop_at || over(s, now))) {
		turn(s);
		transport_flush(s->tp);
		net_stop();
		return;
	}
	turn(s);
	transport_flush(s->tp);
}

/* --- start --- */

static int listen_one(struct sbc *s, const struct sbc_listen *l, bool core,
		      const char *setting)
{
	struct listener *x = &s->lst[s->lstc];
	struct addr a = l->address;
	char txt[ADDR_TXT];
	struct buf b;
	uint16_t idx;
	int err;

	a.port = (uint16_t)l->port;
	x->tp = sbc_config_tp(l->transport);
	x->core = core;
	err = transport_listen(s->tp, x->tp, &a, core, &idx, &x->bound);
	if (!err && idx != s->lstc)
		err = EPROTO;
	if (err)
		return net_listen_failed(setting, tp_name(x->tp), &a, err);
	buf_fixed(&b, x->sentby, sizeof(x->sentby) - 1);
	if (l->advertise[0] && !core) {
		struct sl adv = sl_cstr(l->advertise);
		bool bracket = adv.p[0] == '[';
		size_t colon = bracket ? sl_chr(adv, ']') + 1 :
					 sl_chr(adv, ':');

		buf_sl(&b, adv);
		if (colon >= adv.n) {
			buf_chr(&b, ':');
			buf_u64(&b, x->bound.port);
		}
	}
	else {
		addr_put(&b, &x->bound);
	}
	x->sentby[b.n] = '\0';
	log_info("event=listen transport=%s address=%s side=%s sentby=%s",
		 tp_name(x->tp), addr_txt(&x->bound, txt),
		 core ? "core" : "client", x->sentby);
	s->lstc++;
	return b.err;
}

static int start_listeners(struct sbc *s)
{
	char name[24];
	int err = 0;

	for (uint32_t i = 0; i < s->cf.listen.n && !err; i++) {
		(void)snprintf(name, sizeof(name), "listen[%u]", i);
		err = listen_one(s, sbc_config_listen(&s->cf, i), false, name);
	}
	return err ? err : listen_one(s, &s->cf.core, true, "core");
}

static void set_overload(struct sbc *s, const struct sbc_config *c)
{
	struct edge_overload_conf o;

	sbc_config_overload(c, &o);
	edge_overload_conf(s->edge, &o, clk_now());
}

static int set_admit(struct sbc *s, const struct sbc_config *c)
{
	struct edge_admit_conf *a = calloc(1, sizeof(*a));
	int err = a ? 0 : ENOMEM;

	if (a && sbc_config_admit(c, a))
		err = edge_admit(s->edge, a);
	free(a);
	return err;
}

static int set_peers(struct sbc *s, const struct sbc_config *c)
{
	struct peer_conf *v = calloc(PEERS_MAX, sizeof(*v));
	int err = v ? edge_peers(s->edge, v, sbc_config_peers(c, v),
				 clk_now()) : ENOMEM;

	free(v);
	return err;
}

/** Those another run has learned; the settings come first */
static uint16_t add_learned(const struct sbc *s, struct disp_node_conf *node,
			    uint16_t n, const struct state_node *v,
			    uint16_t vn)
{
	for (uint16_t i = 0; i < vn && s->cf.pool_learn; i++) {
		const struct disp_node_conf *l = &v[i].conf;
		bool new = l->learned && n < SBC_NODES &&
			l->tp == sbc_config_tp(s->cf.core.transport);

		for (uint16_t k = 0; k < n && new; k++)
			new = strcmp(node[k].name, l->name) != 0 &&
				!addr_eq(&node[k].addr, &l->addr);
		if (new)
			node[n++] = *l;
	}
	return n;
}

static void make_wishes(struct sbc *s, const struct state_node *v, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		const struct disp_wish *w = &v[i].wish;

		if (edge_wish(s->edge, v[i].conf.name, w, clk_now()) ||
		    w->admin == DISP_READY)
			continue;
		log_warn("event=restored node=%s admin=%s who=%s why=%s",
			 v[i].conf.name, disp_admin_name(w->admin),
			 log_esc(sl_cstr(w->who)), log_esc(sl_cstr(w->why)));
	}
	s->saved_seq = edge_pool_seq(s->edge);
}

static int start_trace(struct sbc *s)
{
	int err = trace_init(&s->trace, s->cf.trace.messages,
			     s->cf.trace.bytes);

	(void)snprintf(s->probe, sizeof(s->probe), "From: <sip:edge@%s>",
		       s->lst[s->lstc - 1].sentby);
	if (!err)
		err = stat_add(s->st, STAT_COUNTER, "sbc_trace_total", NULL,
			       "Messages kept for traces", &s->trace.last, s);
	if (!err)
		err = stat_add(s->st, STAT_GAUGE, "sbc_trace_messages", NULL,
			       "Messages that can be traced now",
			       &s->trace.kept, s);
	return err;
}

static int start_edge(struct sbc *s)
{
	struct disp_node_conf node[SBC_NODES];
	struct state_node st[DISP_MAX];
	uint16_t stn = 0;
	struct edge_conf ec = {
		.lst = s->lst, .lstc = s->lstc,
		.core = (uint16_t)(s->lstc - 1), .node = node,
		.t1 = s->cf.timers.t1, .t2 = s->cf.timers.t2,
		.t4 = s->cf.timers.t4,
		.max_transactions = s->cf.limits.max_transactions,
		/* some connections carry several users */
		.max_known = 2 * s->cf.limits.max_connections,
	};
	int err = keys_load(s->cf.state_dir, ec.key, ec.prev, &ec.has_prev);

	if (err)
		return err;
	/* a pool of the settings alone is better than none */
	(void)state_load(st, &stn, s->cf.state_dir, clk_now(), clk_wall());
	ec.nodec = add_learned(s, node, sbc_config_pool(&s->cf, node), st,
			       stn);
	sbc_config_tune(&s->cf, &ec.tune);
	secret_random(ec.branch_key, sizeof(ec.branch_key));
	secret_random(&ec.boot, sizeof(ec.boot));
	secret_random(&ec.seed, sizeof(ec.seed));
	err = fault_init(&s->fault, ec.seed, s->st);
	if (err)
		return err;
	err = start_trace(s);
	if (!err)
		err = edge_alloc(&s->edge, &ec, s->st, clk_now());
	if (!err)
		err = set_peers(s, &s->cf);
	if (!err)
		err = set_admit(s, &s->cf);
	if (!err)
		set_overload(s, &s->cf);
	if (err)
		log_error("event=start problem=\"%s\"", strerror(err));
	else {
		edge_ledger(s->edge)->wall = (int64_t)(clk_wall() - clk_now());
		make_wishes(s, st, stn);
	}
	return err;
}

int sbc_alloc(struct sbc **sp, struct sbc_config *c, const char *path,
	      const struct cfg_over *over)
{
	const struct transport_conf tc = {
		.max_msg = c->limits.max_message,
		.max_conns = c->limits.max_connections,
		.max_conns_ip = c->limits.max_connections_ip,
		.idle = c->limits.idle,
		.first_msg = c->limits.first_message,
		.whole_msg = c->limits.whole_message,
	};
	struct transport_h h = {
		.recv = recv_h, .lost = lost_h, .turn = turn,
		.admit = admit_h, .waited = waited_h,
	};
	struct sbc *s = calloc(1, sizeof(*s));
	int err = ENOMEM;

	if (!s) {
		sbc_config_clear(c);
		return err;
	}
	s->cf = *c;
	s->path = path;
	s->over = over;
	s->started = clk_now();
	s->started_wall = clk_wall();
	h.arg = s;
	err = daemon_nofile(c->limits.max_connections + 256);
	if (err)
		log_warn("event=start problem=\"limit of open files: %s\"",
			 strerror(err));
	err = stats_alloc(&s->st);
	if (!err)
		err = transport_alloc(&s->tp, &tc, &h, s->st);
	if (!err)
		err = ntimer_alloc(&s->timer, timer_h, s);
	if (!err)
		err = start_listeners(s);
	if (!err)
		err = start_edge(s);
	if (!err)
		err = sbc_cdr_start(s);
	if (!err)
		err = hooks_conf(&s->hooks, s, &s->cf);
	if (!err)
		err = api_start(s);
	if (err) {
		sbc_free(s);
		return err;
	}
	*sp = s;
	return 0;
}

void sbc_free(struct sbc *s)
{
	if (!s)
		return;
	api_stop(s);
	hooks_free(s->hooks);
	sbc_cdr_stop(s);
	if (s->edge && s->save_at)
		(void)sbc_save(s);
	ntimer_free(s->timer);
	transport_free(s->tp);
	fault_free(&s->fault);
	edge_free(s->edge);
	trace_free(&s->trace);
	stats_free(s->st);
	sbc_config_clear(&s->cf);
	free(s);
}

/* --- signals --- */

static void reload_failed(struct sbc *s, const struct cfg_errs *errs)
{
	s->reload_errors++;
	cfg_log(errs, "reload");
	log_error("event=reload result=\"nothing changed\" problems=%u",
		  errs->n);
}

/** All or nothing */
static void reload(struct sbc *s)
{
	struct disp_node_conf node[SBC_NODES];
	struct cfg_errs errs = { 0 };
	struct sbc_config c;
	struct edge_tune t;
	const char *frozen;
	int err = sbc_config_read(&c, s->path, s->over, &errs);

	if (err) {
		if (!errs.n)
			cfg_err(&errs, s->path, 0, "file", "%s",
				strerror(err));
		reload_failed(s, &errs);
		return;
	}
	frozen = cfg_frozen_diff(&s->cf, &c, sbc_keys);
	if (frozen) {
		cfg_err(&errs, s->path, 0, frozen,
			"cannot change while running: restart");
		goto bad;
	}
	err = hooks_check(&c, s->path, &errs);
	if (err)
		goto bad;
	sbc_config_tune(&c, &t);
	err = edge_reconf(s->edge, &t, node, sbc_config_pool(&c, node),
			  clk_now());
	if (err) {
		cfg_err(&errs, s->path, 0, "pool", "%s", strerror(err));
		goto bad;
	}
	err = set_peers(s, &c);
	if (!err)
		err = set_admit(s, &c);
	if (err) {
		cfg_err(&errs, s->path, 0, "peers", "%s", strerror(err));
		goto bad;
	}
	set_overload(s, &c);
	/* with the old token when the file is wrong: logged */
	if (!c.faults)
		api_fault_end(s, "settings", clk_now());
	(void)actions_reload(s->act);
	/* the old ones go on when memory is short: logged */
	(void)hooks_conf(&s->hooks, s, &c);
	log_level_set((enum log_level)c.log.level);
	sbc_config_clear(&s->cf);
	s->cf = c;
	s->reloads++;
	api_drills_look(s);
	log_info("event=reload result=done nodes=%u", c.pool.n);
	return;
bad:
	sbc_config_clear(&c);
	reload_failed(s, &errs);
}

static void sig_h(int sig, void *arg)
{
	struct sbc *s = arg;

	switch (sig) {
	case SIGHUP:
		reload(s);
		/* moved away by logrotate, whatever the settings say */
		(void)sbc_cdr_file(s, s->cf.cdr_file);
		break;
	case SIGTERM:
	case SIGINT:
		if (s->stop_at) {           /* asked twice */
			net_stop();
			return;
		}
		log_info("event=stop pending=%u", edge_pending(s->edge));
		daemon_notify("STOPPING=1");
		edge_drain(s->edge);
		api_drills_stopping(s);
		s->stop_at = clk_now() + STOP_MS;
		s->hooks_at = clk_now() + STOP_HOOKS;
		hooks_hurry(s->hooks);
		break;
	default:
		return;
	}
	turn(s);
	transport_flush(s->tp);
}

int sbc_run(struct sbc *s)
{
	int err;

	turn(s);
	transport_flush(s->tp);
	daemon_notify("READY=1");
	log_info("event=started listeners=%u nodes=%u", s->lstc,
		 s->cf.pool.n);
	err = net_run(sig_h, s);
	log_info("event=stopped");
	return err;
}
