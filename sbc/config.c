/* config.c - Shell. Settings of edgewise-sbc. */
#include "sbc/config.h"

#include <errno.h>
#include <stdio.h>

#include "base/cfg_text.h"
#include "base/log.h"
#include "sbc/hook.h"
#include "sip/flow.h"

static const char *const transports[] = { "udp", "tcp", NULL };
static const char *const algorithms[] = { "hash", "least", "wrr", NULL };
static const char *const hides[] = { "core", "none", NULL };
static const char *const levels[] = { "error", "warn", "info", "debug", NULL };
static const char *const targets[] = { "stderr", "syslog", NULL };

#define L(f) offsetof(struct sbc_listen, f)
static const struct cfg_key listen_keys[] = {
	{ .name = "transport", .type = CFG_ENUM, .names = transports,
	  .off = L(transport), .help = "Transport of this listener." },
	{ .name = "address", .type = CFG_IP, .off = L(address),
	  .help = "Numeric address to bind." },
	{ .name = "port", .type = CFG_U32, .max = 65535, .def = "5060",
	  .off = L(port), .help = "Port; 0 takes a free one." },
	{ .name = "advertise", .type = CFG_STR, .max = 127, .def = "",
	  .off = L(advertise),
	  .help = "Host name or address clients are told." },
	{ .name = NULL }
};

#define N(f) offsetof(struct sbc_node, f)
static const struct cfg_key node_keys[] = {
	{ .name = "name", .type = CFG_STR, .min = 1, .max = 63,
	  .off = N(name), .help = "Name of the node, in logs and figures." },
	{ .name = "address", .type = CFG_IP, .off = N(address),
	  .help = "Numeric address of the node." },
	{ .name = "port", .type = CFG_U32, .min = 1, .max = 65535,
	  .def = "5060", .off = N(port), .help = "Its SIP port." },
	{ .name = "weight", .type = CFG_U32, .max = 1000, .def = "100",
	  .off = N(weight), .help = "Its share of the requests." },
	{ .name = "http", .type = CFG_STR, .max = 63, .def = "",
	  .off = N(http),
	  .help = "Its management address, IP:PORT; empty = as it tells." },
	{ .name = NULL }
};

#define H(f) offsetof(struct sbc_hook, f)
static const struct cfg_key hook_keys[] = {
	{ .name = "url", .type = CFG_STR, .min = 1, .max = 511, .off = H(url),
	  .help = "Where events are posted, https:// or http://." },
	{ .name = "name", .type = CFG_STR, .max = 31, .def = "",
	  .off = H(name),
	  .help = "Its name in logs and figures; empty = its place." },
	{ .name = "events", .type = CFG_STR, .min = 1, .max = 255,
	  .def = "node, verdict, lost, admin, records", .off = H(events),
	  .help = "Kinds of events, or all, warning, error." },
	{ .name = "secret_file", .type = CFG_STR, .max = 255, .def = "",
	  .off = H(secret_file),
	  .help = "File of the key that signs; empty = not signed." },
	{ .name = "ca_file", .type = CFG_STR, .max = 255, .def = "",
	  .off = H(ca_file),
	  .help = "Authorities for https; empty = those of the system." },
	{ .name = "min_interval", .type = CFG_U32, .min = 100,
	  .max = 3600000, .def = "1000", .unit = "ms", .off = H(min_interval),
	  .help = "Time between deliveries; events gather meanwhile." },
	{ .name = "timeout", .type = CFG_U32, .min = 100, .max = 60000,
	  .def = "5000", .unit = "ms", .off = H(timeout),
	  .help = "Time for one try." },
	{ .name = "max_age", .type = CFG_U32, .min = 1, .max = 86400,
	  .def = "3600", .unit = "s", .off = H(max_age),
	  .help = "A delivery that cannot be made is given up after this." },
	{ .name = NULL }
};

static const struct cfg_key text_keys[] = {
	{ .name = "", .type = CFG_STR, .off = 0, .min = 1, .max = 127 },
	{ .name = NULL }
};

#define P(f) offsetof(struct sbc_peer, f)
static const struct cfg_key peer_keys[] = {
	{ .name = "name", .type = CFG_STR, .min = 1, .max = PEER_NAME,
	  .off = P(name), .help = "Name of the peer, for the routes of the "
	  "nodes, in logs and figures." },
	{ .name = "address", .type = CFG_IP, .off = P(address),
	  .help = "Numeric address; calls to it go there." },
	{ .name = "port", .type = CFG_U32, .min = 1, .max = 65535,
	  .def = "5060", .off = P(port), .help = "Its SIP port." },
	{ .name = "transport", .type = CFG_ENUM, .names = transports,
	  .def = "udp", .off = P(transport), .help = "Transport to it." },
	{ .name = "from", .type = CFG_LIST, .max = PEER_NETS, .def = "",
	  .off = P(from), .sub = text_keys,
	  .elem_size = sizeof(struct sbc_text),
	  .help = "Addresses or networks its calls may come from as well." },
	{ .name = "domains", .type = CFG_LIST, .max = PEER_DOMAINS,
	  .def = "", .off = P(domains), .sub = text_keys,
	  .elem_size = sizeof(struct sbc_text),
	  .help = "Domains its calls may be for, empty = any; the first one "
	  "stands in for our own address." },
	{ .name = "max_cps", .type = CFG_U32, .max = 100000, .def = "0",
	  .off = P(max_cps),
	  .help = "Calls a second from it, more get 503; 0 = any number." },
	{ .name = "timeout", .type = CFG_U32, .min = 100, .max = 32000,
	  .def = "3000", .unit = "ms", .off = P(timeout),
	  .help = "First sign of an answer, else the next peer is asked." },
	{ .name = "rest", .type = CFG_U32, .max = 3600000, .def = "10000",
	  .unit = "ms", .off = P(rest),
	  .help = "Not asked for so long after it has failed." },
	{ .name = "keep_host", .type = CFG_BOOL, .def = "false",
	  .off = P(keep_host), .help = "Request-URI keeps its domain; false: "
	  "it gets the address of the peer." },
	{ .name = NULL }
};

#define O(f) offsetof(struct sbc_config, f)
#define MS(n, f, lo, hi, d, h) { .name = n, .type = CFG_U32, .off = O(f), \
	.min = lo, .max = hi, .def = d, .unit = "ms", .help = h, .reload = true }
#define NUM(n, f, lo, hi, d, re, h) { .name = n, .type = CFG_U32, \
	.off = O(f), .min = lo, .max = hi, .def = d, .help = h, .reload = re }
#define WORDS(n, f, hi, d, h) { .name = n, .type = CFG_LIST, .off = O(f), \
	.max = hi, .def = d, .sub = text_keys, .reload = true, \
	.elem_size = sizeof(struct sbc_text), .help = h }

const struct cfg_key sbc_keys[] = {
	{ .name = "listen", .type = CFG_LIST, .min = 1, .max = SBC_LISTENS,
	  .off = O(listen), .sub = listen_keys,
	  .elem_size = sizeof(struct sbc_listen),
	  .def = "( { transport = \"udp\"; address = \"127.0.0.1\"; },"
		 "  { transport = \"tcp\"; address = \"127.0.0.1\"; } )",
	  .help = "Where clients reach us." },
	{ .name = "core.transport", .type = CFG_ENUM, .names = transports,
	  .def = "tcp", .off = O(core.transport),
	  .help = "Transport towards the nodes." },
	{ .name = "core.address", .type = CFG_IP, .def = "127.0.0.1",
	  .off = O(core.address),
	  .help = "Our address towards the nodes." },
	{ .name = "core.port", .type = CFG_U32, .max = 65535, .def = "5070",
	  .off = O(core.port), .help = "Our port towards the nodes." },
	{ .name = "pool", .type = CFG_LIST, .min = 1, .max = SBC_NODES,
	  .off = O(pool), .sub = node_keys, .reload = true,
	  .elem_size = sizeof(struct sbc_node),
	  .def = "( { name = \"n1\"; address = \"127.0.0.11\"; } )",
	  .help = "The nodes." },
	{ .name = "peers", .type = CFG_LIST, .max = PEERS_MAX,
	  .off = O(peers), .sub = peer_keys, .reload = true,
	  .elem_size = sizeof(struct sbc_peer), .def = "",
	  .help = "Trusted peers: gateways, trunks." },
	{ .name = "algorithm", .type = CFG_ENUM, .names = algorithms,
	  .def = "hash", .off = O(algorithm), .reload = true,
	  .help = "How the node of a request is chosen." },
	MS("probe.inter", probe.inter, 50, 600000, "1000",
	   "Interval of health probes."),
	MS("probe.fastinter", probe.fastinter, 20, 600000, "200",
	   "Interval while a node is suspected."),
	MS("probe.downinter", probe.downinter, 50, 600000, "2000",
	   "Interval while a node is down."),
	MS("probe.timeout", probe.timeout, 20, 60000, "500",
	   "Time for the answer of a probe."),
	NUM("probe.fall", probe.fall, 1, 100, "3", true,
	    "Failed probes until a node is down."),
	NUM("probe.rise", probe.rise, 1, 100, "2", true,
	    "Good probes until it is up again."),
	{ .name = "probe.jitter", .type = CFG_U32, .max = 50, .def = "10",
	  .off = O(probe.jitter), .unit = "%", .reload = true,
	  .help = "Random part of the interval." },
	{ .name = "pool_learn", .type = CFG_BOOL, .def = "true",
	  .off = O(pool_learn), .reload = true,
	  .help = "Nodes may name further nodes of their cluster." },
	{ .name = "ring_straight", .type = CFG_BOOL, .def = "true",
	  .off = O(ring_straight), .reload = true,
	  .help = "The caller hears at once, past the node, that a phone "
		  "rings or answers." },
	{ .name = "faults", .type = CFG_BOOL, .def = "true",
	  .off = O(faults), .reload = true,
	  .help = "Drills may bring faults towards one node." },
	{ .name = "drills.tool", .type = CFG_STR, .max = 255,
	  .def = "edgewise", .off = O(drills.tool), .reload = true,
	  .help = "Program that runs drills for the page; a name without / is "
		  "looked for beside ours; empty = no drills." },
	{ .name = "drills.plans", .type = CFG_STR, .max = 255,
	  .def = "/etc/edgewise/drills", .off = O(drills.plans),
	  .reload = true, .help = "Folder of further drills." },
	{ .name = "drills.domain", .type = CFG_STR, .max = 127, .def = "",
	  .off = O(drills.domain), .reload = true,
	  .help = "Domain of the test phones; empty = drills in a lab only." },
	{ .name = "drills.phones", .type = CFG_STR, .max = 255, .def = "",
	  .off = O(drills.phones), .reload = true,
	  .help = "File of the test phones, a line drill-NAME PASSWORD each." },
	{ .name = "drills.max_time", .type = CFG_U32, .min = 10, .max = 3600,
	  .def = "600", .unit = "s", .off = O(drills.max_time),
	  .reload = true, .help = "A drill of the page is ended after this." },
	MS("slowstart", slowstart, 0, 600000, "10000",
	   "A node that is back gets its full share after this; 0 = at once."),
	MS("eject.time", eject.time, 0, 300000, "10000",
	   "First rest of a node that fails more requests than others; 0 = none."),
	{ .name = "eject.margin", .type = CFG_U32, .min = 1, .max = 100,
	  .def = "30", .unit = "%", .off = O(eject.margin), .reload = true,
	  .help = "How much more it must fail than the others together." },
	NUM("eject.requests", eject.requests, 1, 1000000, "20", true,
	    "Requests in 10 s it takes to judge a node."),
	{ .name = "retry.percent", .type = CFG_U32, .max = 1000, .def = "20",
	  .unit = "%", .off = O(retry.percent), .reload = true,
	  .help = "Share of the requests that may be tried again." },
	NUM("retry.burst", retry.burst, 0, 1000000, "10", true,
	    "And so many more a second; both 0 = no limit."),
	{ .name = "hide", .type = CFG_ENUM, .names = hides, .def = "core",
	  .off = O(hide), .reload = true,
	  .help = "What clients may see of the inside." },
	{ .name = "dialog_token", .type = CFG_BOOL, .def = "true",
	  .off = O(dialog_token), .reload = true,
	  .help = "Refuse in-dialog requests without our token." },
	{ .name = "private_targets", .type = CFG_BOOL, .def = "false",
	  .off = O(private_targets), .reload = true,
	  .help = "Let clients name private addresses that are not ours; "
		  "else 403." },
	{ .name = "timers.t1", .type = CFG_U32, .min = 10, .max = 10000,
	  .def = "500", .unit = "ms", .off = O(timers.t1),
	  .help = "Round trip estimate of RFC 3261." },
	{ .name = "timers.t2", .type = CFG_U32, .min = 10, .max = 60000,
	  .def = "4000", .unit = "ms", .off = O(timers.t2),
	  .help = "Longest retransmission interval." },
	{ .name = "timers.t4", .type = CFG_U32, .min = 10, .max = 60000,
	  .def = "5000", .unit = "ms", .off = O(timers.t4),
	  .help = "Longest life of a message in the network." },
	{ .name = "timers.no100", .type = CFG_U32, .max = 32000, .def = "0",
	  .unit = "ms", .off = O(timers.no100), .reload = true,
	  .help = "INVITE: a node that says nothing in this time has failed; "
		  "0 = by its own times." },
	MS("timers.no100_min", timers.no100_min, 20, 32000, "100",
	   "The shortest such time."),
	MS("timers.no100_max", timers.no100_max, 20, 32000, "1000",
	   "The longest such time."),
	MS("timers.no18x", timers.no18x, 0, 180000, "2000",
	   "INVITE: a node that says 100 and then nothing; 0 = off."),
	MS("timers.noreply", timers.noreply, 20, 32000, "500",
	   "Other requests: a node that gives no final answer."),
	MS("timers.ring", timers.ring, 1000, 3600000, "180000",
	   "How long a phone may ring (Timer C)."),
	MS("timers.deadline", timers.deadline, 100, 32000, "10000",
	   "No further node is tried after this."),
	MS("timers.caller_gone", timers.caller_gone, 0, 180000, "5000",
	   "INVITE given up when its client's TCP connection is lost for so "
	   "long."),
	{ .name = "timers.flow", .type = CFG_U32, .max = 86400, .def = "120",
	  .unit = "s", .off = O(timers.flow), .reload = true,
	  .help = "Flow-Timer for phones on TCP that keep their connection "
		  "alive (RFC 5626, 6223), at most 3/4 of limits.idle; 0 = "
		  "none." },
	NUM("max_attempts", max_attempts, 1, 16, "3", true,
	    "Nodes tried for one request."),
	NUM("max_unanswered", max_unanswered, 0, 1000000, "2000", true,
	    "Requests a node may have that it has said nothing to, more go to "
	    "others or get 503; 0 = any number."),
	{ .name = "limits.max_message", .type = CFG_U32, .min = 1024,
	  .max = 61439, .def = "61439", .unit = "bytes",
	  .off = O(limits.max_message), .help = "Largest SIP message of a client." },
	NUM("limits.max_transactions", limits.max_transactions, 100, 4000000,
	    "100000", false, "Held at once; at the cap those that "
	    "have been over for 5 s make room, without such: 503 with "
	    "Retry-After."),
	NUM("limits.max_connections", limits.max_connections, 10, 1000000,
	    "10000", false, "TCP connections in all."),
	NUM("limits.max_connections_ip", limits.max_connections_ip, 0,
	    1000000, "1000", false, "TCP connections of one address; 0 = any."),
	{ .name = "limits.idle", .type = CFG_U32, .min = 10, .max = 86400,
	  .def = "900", .unit = "s", .off = O(limits.idle),
	  .help = "An idle TCP client is closed." },
	{ .name = "limits.first_message", .type = CFG_U32, .min = 1,
	  .max = 3600, .def = "10", .unit = "s",
	  .off = O(limits.first_message),
	  .help = "A TCP client must send its first message in this time." },
	{ .name = "limits.whole_message", .type = CFG_U32, .min = 1,
	  .max = 3600, .def = "10", .unit = "s",
	  .off = O(limits.whole_message),
	  .help = "A message begun must be whole in this time." },
	{ .name = "admit.enabled", .type = CFG_BOOL, .def = "true",
	  .off = O(admit.enabled),
	  .help = "Limits for each address that sends to us." },
	WORDS("admit.trusted", admit.trusted, SOURCE_NETS,
	      ("( \"127.0.0.0/8\", \"::1\" )"),
	      "Addresses and networks without limits: load generators, other "
	      "proxies."),
	NUM("admit.sources", admit.sources, 1024, 4194304, "65536", false,
	    "Addresses known at once."),
	NUM("admit.rate", admit.rate, 0, 1000000, "100", true,
	    "New requests a second of one address (IPv6: /64); 0 = any."),
	NUM("admit.burst", admit.burst, 1, 1000000, "500", true,
	    "So many of them at once."),
	NUM("admit.phone_rate", admit.phone_rate, 0, 1000, "2", true,
	    "And so many more a second for each phone registered there."),
	NUM("admit.aor_rate", admit.aor_rate, 0, 1000000, "20", true,
	    "New requests a second for one address of record from where "
	    "nobody is registered; 0 = any."),
	NUM("admit.stranger_rate", admit.stranger_rate, 0, 1000000, "2000",
	    true, "New requests a second of all addresses together from where "
	    "nobody is registered; 0 = any."),
	{ .name = "admit.ban", .type = CFG_U32, .max = 86400, .def = "300",
	  .unit = "s", .off = O(admit.ban), .reload = true,
	  .help = "First ban of a TCP source that means ill, doubled each "
		  "time; 0 = none." },
	WORDS("admit.scanners", admit.scanners, ADMIT_WORDS,
	      ("( \"friendly-scanner\", \"friendly-request\", "
	       "\"sipvicious\", \"sipcli\", \"sip-scan\", "
	       "\"sundayddr\", \"pplsip\", \"iWar\", "
	       "\"VaxSIPUserAgent\" )"),
	      "Parts of User-Agent that get no answer."),
	WORDS("admit.domains", admit.domains, ADMIT_WORDS, "",
	      "Requests for other domains get no answer; empty = all go to "
	      "the nodes."),
	{ .name = "overload.target", .type = CFG_U32, .max = 1000,
	  .def = "50", .unit = "ms", .off = O(overload.target),
	  .reload = true,
	  .help = "New requests are refused while messages wait longer than "
		  "that to be handled, here or by all nodes; 0 = never." },
	WORDS("overload.emergency", overload.emergency, EDGE_NUMBERS,
	      ("( \"112\", \"911\" )"),
	      "Numbers that known phones may call all the same."),
	{ .name = "overload.oc", .type = CFG_BOOL, .def = "true",
	  .off = O(overload.oc), .reload = true,
	  .help = "Nodes of other makes may ask for less (RFC 7339)." },
	{ .name = "http.address", .type = CFG_IP, .def = "127.0.0.1",
	  .off = O(http.address), .help = "Address of the management pages." },
	{ .name = "http.port", .type = CFG_U32, .max = 65535, .def = "8060",
	  .off = O(http.port), .help = "Their port; 0 takes a free one." },
	{ .name = "trace.messages", .type = CFG_U32, .max = 1000000,
	  .def = "8192", .off = O(trace.messages),
	  .help = "Messages kept for `edgewise trace`; 0 = none." },
	{ .name = "trace.bytes", .type = CFG_U32, .min = 65536,
	  .max = 1073741824, .def = "8388608", .unit = "bytes",
	  .off = O(trace.bytes), .help = "Memory of their texts; taken at start." },
	{ .name = "state_dir", .type = CFG_STR, .min = 1, .max = 255,
	  .def = "/var/lib/edgewise-sbc", .off = O(state_dir),
	  .help = "Folder of what outlives a restart." },
	{ .name = "cdr_file", .type = CFG_STR, .max = 255, .def = "",
	  .off = O(cdr_file), .reload = true,
	  .help = "File of call records, a line of JSON each; empty = none." },
	{ .name = "webhooks", .type = CFG_LIST, .max = SBC_HOOKS,
	  .off = O(webhooks), .sub = hook_keys, .reload = true,
	  .elem_size = sizeof(struct sbc_hook), .def = "()",
	  .help = "Whom events are told by HTTP." },
	{ .name = "log.level", .type = CFG_ENUM, .names = levels,
	  .def = "info", .off = O(log.level), .reload = true,
	  .help = "Least important lines that are written." },
	{ .name = "log.target", .type = CFG_ENUM, .names = targets,
	  .def = "stderr", .off = O(log.target),
	  .help = "Where lines are written." },
	{ .name = NULL }
};

/** Either of the two may be the one that the file does not name */
static void same_as_core(const char *file, const char *key,
			 struct cfg_errs *errs)
{
	if (cfg_text_line(file, "core"))
		cfg_err(errs, file, 0, "core", "the same as %s", key);
	else
		cfg_err(errs, file, 0, key, "the same as core");
}

static void check_listen(const struct sbc_config *c, const char *file,
			 struct cfg_errs *errs)
{
	for (uint32_t i = 0; i < c->listen.n; i++) {
		const struct sbc_listen *l = sbc_config_listen(c, i);
		char key[40];

		(void)snprintf(key, sizeof(key), "listen[%u]", i);
		if (addr_is_any(&l->address) && !l->advertise[0])
			cfg_err(errs, file, 0, key, "address is a wildcard, "
				"so advertise must name the host clients use");
		if (l->advertise[0] && strpbrk(l->advertise, " <>;,\"@?"))
			cfg_err(errs, file, 0, key, "advertise is not a host "
				"name or address");
		for (uint32_t k = 0; k < i; k++) {
			const struct sbc_listen *o = sbc_config_listen(c, k);

			if (l->port && o->port == l->port &&
			    o->transport == l->transport &&
			    addr_ip_eq(&o->address, &l->address))
				cfg_err(errs, file, 0, key,
					"the same as listen[%u]", k);
		}
		if (l->port && c->core.port == l->port &&
		    c->core.transport == l->transport &&
		    addr_ip_eq(&c->core.address, &l->address))
			same_as_core(file, key, errs);
	}
}

static void check_pool(const struct sbc_config *c, const char *file,
		       struct cfg_errs *errs)
{
	for (uint32_t i = 0; i < c->pool.n; i++) {
		const struct sbc_node *n = sbc_config_node(c, i);
		struct addr http;
		char key[40];

		(void)snprintf(key, sizeof(key), "pool[%u]", i);
		if (addr_is_any(&n->address))
			cfg_err(errs, file, 0, key, "address is a wildcard");
		if (n->address.af != c->core.address.af)
			cfg_err(errs, file, 0, key, "address and core.address "
				"are of different families");
		if (n->http[0] && addr_parse(&http, sl_cstr(n->http), 8061))
			cfg_err(errs, file, 0, key, "http is not IP:PORT");
		if (strpbrk(n->name, "\"\\ "))
			cfg_err(errs, file, 0, key,
				"name holds a blank, quote or backslash");
		for (uint32_t k = 0; k < i; k++) {
			const struct sbc_node *o = sbc_config_node(c, k);

			if (!strcmp(o->name, n->name))
				cfg_err(errs, file, 0, key,
					"name is the same as of pool[%u]", k);
			if (o->port == n->port &&
			    addr_ip_eq(&o->address, &n->address))
				cfg_err(errs, file, 0, key, "address is the "
					"same as of pool[%u]", k);
		}
	}
}

const char *sbc_config_hook_name(const struct sbc_config *c, uint32_t i,
				 char txt[32])
{
	const struct sbc_hook *h = sbc_config_hook(c, i);

	if (h->name[0])
		return h->name;
	(void)snprintf(txt, 32, "%u", i + 1);
	return txt;
}

static void check_hooks(const struct sbc_config *c, const char *file,
			struct cfg_errs *errs)
{
	char key[40], name[32], other[32];
	struct hook_want w;
	struct sl bad;

	for (uint32_t i = 0; i < c->webhooks.n; i++) {
		const struct sbc_hook *h = sbc_config_hook(c, i);
		const char *wrong = hook_url(h->url);

		(void)snprintf(key, sizeof(key), "webhooks[%u]", i);
		if (wrong)
			cfg_err(errs, file, 0, key, "%s", wrong);
		if (hook_want(&w, sl_cstr(h->events), &bad))
			cfg_err(errs, file, 0, key, "events: \"%.*s\" is no "
				"kind of event, nor all, warning, error",
				(int)bad.n, bad.p ? bad.p : "");
		if (strpbrk(h->name, "\"\\ "))
			cfg_err(errs, file, 0, key,
				"name holds a blank, quote or backslash");
		for (uint32_t k = 0; k < i; k++)
			if (!strcmp(sbc_config_hook_name(c, i, name),
				    sbc_config_hook_name(c, k, other)))
				cfg_err(errs, file, 0, key, "name is the "
					"same as of webhooks[%u]", k);
	}
}

static void check_peer(const struct sbc_config *c, uint32_t i,
		       const char *file, struct cfg_errs *errs)
{
	const struct sbc_peer *p = sbc_config_peer(c, i);
	const struct sbc_text *t = p->from.v;
	bool reach = false;
	char key[40];

	(void)snprintf(key, sizeof(key), "peers[%u]", i);
	for (const char *s = p->name; *s; s++) {
		if (strchr(";\"\\,", *s) || *s <= ' ' || *s >= 0x7f) {
			cfg_err(errs, file, 0, key, "name holds a blank, "
				"comma, semicolon, quote or backslash");
			break;
		}
	}
	if (addr_is_any(&p->address))
		cfg_err(errs, file, 0, key, "address is a wildcard");
	for (uint32_t k = 0; k < p->from.n; k++) {
		struct addr_net net;

		if (addr_net_parse(&net, sl_cstr(t[k].s)))
			cfg_err(errs, file, 0, key, "from: \"%s\" is not an "
				"address or network", t[k].s);
	}
	for (uint32_t k = 0; k < c->listen.n; k++) {
		const struct sbc_listen *l = sbc_config_listen(c, k);

		reach = reach || (l->transport == p->transport &&
				  l->address.af == p->address.af);
	}
	if (!reach)
		cfg_err(errs, file, 0, key, "no listener has its transport "
			"and family of addresses");
	for (uint32_t k = 0; k < i; k++)
		if (!strcmp(sbc_config_peer(c, k)->name, p->name))
			cfg_err(errs, file, 0, key,
				"name is the same as of peers[%u]", k);
	for (uint32_t k = 0; k < c->pool.n; k++)
		if (addr_ip_eq(&sbc_config_node(c, k)->address, &p->address))
			cfg_err(errs, file, 0, key,
				"address is the same as of pool[%u]", k);
}

static void check_admit(const struct sbc_config *c, const char *file,
			struct cfg_errs *errs)
{
	const struct sbc_text *t = c->admit.trusted.v;
	struct addr_net net;

	for (uint32_t i = 0; i < c->admit.trusted.n; i++)
		if (addr_net_parse(&net, sl_cstr(t[i].s)))
			cfg_err(errs, file, 0, "admit.trusted", "\"%s\" is "
				"not an address or network", t[i].s);
	t = c->admit.scanners.v;
	for (uint32_t i = 0; i < c->admit.scanners.n; i++)
		if (strlen(t[i].s) < 3 || strlen(t[i].s) > 63)
			cfg_err(errs, file, 0, "admit.scanners", "\"%s\": "
				"allowed: 3 to 63 characters", t[i].s);
}

static int check(struct sbc_config *c, const char *file, struct cfg_errs *errs)
{
	uint32_t before = errs->n;

	check_listen(c, file, errs);
	check_pool(c, file, errs);
	check_hooks(c, file, errs);
	for (uint32_t i = 0; i < c->peers.n; i++)
		check_peer(c, i, file, errs);
	check_admit(c, file, errs);
	if (addr_is_any(&c->core.address))
		cfg_err(errs, file, 0, "core.address", "is a wildcard; nodes "
			"have to be told one address");
	if (c->timers.no100_max < c->timers.no100_min)
		cfg_err(errs, file, 0, "timers.no100_max", "%u is below "
			"timers.no100_min", c->timers.no100_max);
	if (c->timers.no100 && c->timers.no100 < 20)
		cfg_err(errs, file, 0, "timers.no100", "%u, allowed: 0 or 20 "
			"to 32000", c->timers.no100);
	if (c->timers.t2 < c->timers.t1)
		cfg_err(errs, file, 0, "timers.t2", "%u is below timers.t1",
			c->timers.t2);
	if (errs->n == before)
		return 0;
	sbc_config_clear(c);
	return EBADMSG;
}

int sbc_config_read(struct sbc_config *c, const char *path,
		    const struct cfg_over *over, struct cfg_errs *errs)
{
	int err = cfg_read_file(c, sbc_keys, path, over, errs);

	return err ? err : check(c, path, errs);
}

int sbc_config_mem(struct sbc_config *c, const char *name, const char *text,
		   struct cfg_errs *errs)
{
	int err = cfg_read_mem(c, sbc_keys, name, text, errs);

	return err ? err : check(c, name, errs);
}

void sbc_config_clear(struct sbc_config *c)
{
	cfg_clear(c, sbc_keys);
}
