/**
 * @file config.c  Shell. Settings of edgewise-node as a table.
 */
#include "node/config.h"
#include "base/log.h"
#include "sip/auth.h"
#include "sip/trace.h"
#include "sip/uri.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define OFF(field) offsetof(struct node_config, field)

static const char *const auth_names[] = { "off", "on", NULL };
static const char *const users_names[] = { "file", "sql", NULL };
static const char *const mode_names[] = { "local", "shared", NULL };
static const char *const ping_names[] = { "off", "nat", "all", NULL };
static const char *const how_udp_names[] = {
	"options", "keep", "none", "stun", NULL
};
static const char *const how_stream_names[] = {
	"options", "keep", "none", NULL
};
static const char *const how_domain_names[] = {
	"default", "options", "keep", "none", NULL
};
static const char *const fork_names[] = { "parallel", "serial", NULL };
static const char *const level_names[] = {
	"error", "warn", "info", "debug", NULL
};
static const char *const target_names[] = { "stderr", "syslog", "none", NULL };

static const struct cfg_key text_keys[] = {
	{ .name = "", .type = CFG_STR, .off = 0, .max = NODE_TEXT_MAX },
	{ .name = NULL }
};

static const struct cfg_key domain_keys[] = {
	{ .name = "name", .type = CFG_STR,
	  .off = offsetof(struct node_domain, name),
	  .min = 1, .max = NODE_DOMAIN_MAX,
	  .help = "domain served, or \"any\"" },
	{ .name = "algorithms", .type = CFG_LIST,
	  .off = offsetof(struct node_domain, algorithms),
	  .min = 1, .max = AUTH_ALG_N, .def = "( \"MD5\" )",
	  .help = "digest algorithms offered: \"MD5\", \"SHA-256\"",
	  .sub = text_keys, .elem_size = sizeof(struct node_text) },
	{ .name = "ping", .type = CFG_ENUM,
	  .off = offsetof(struct node_domain, ping),
	  .names = how_domain_names, .def = "default",
	  .help = "how its contacts are pinged; default: as ping.udp and "
		  "ping.stream say" },
	{ .name = NULL }
};

#define R(f) offsetof(struct node_route, f)
static const struct cfg_key route_keys[] = {
	{ .name = "prefix", .type = CFG_STR, .off = R(prefix),
	  .max = NODE_PREFIX_MAX, .def = "",
	  .help = "numbers that begin like this; the longest one counts" },
	{ .name = "domain", .type = CFG_STR, .off = R(domain),
	  .max = NODE_DOMAIN_MAX, .def = "",
	  .help = "calls for this domain, which need not be served; empty: for "
	  "the domains served" },
	{ .name = "peers", .type = CFG_LIST, .off = R(peers), .min = 1,
	  .max = NODE_ROUTE_PEERS, .sub = text_keys,
	  .elem_size = sizeof(struct node_text),
	  .help = "names of peers of the edge, asked one after the other" },
	{ .name = "strip", .type = CFG_U32, .off = R(strip),
	  .max = NODE_PREFIX_MAX, .def = "0",
	  .help = "characters taken off the front of the number" },
	{ .name = "add", .type = CFG_STR, .off = R(add),
	  .max = NODE_PREFIX_MAX, .def = "",
	  .help = "put before what is left" },
	{ .name = NULL }
};

#define U32(n, field, lo, hi, d, u, h) \
	{ .name = n, .type = CFG_U32, .off = OFF(field), .min = lo, \
	  .max = hi, .def = d, .unit = u, .help = h }
#define U32R(n, field, lo, hi, d, u, h) \
	{ .name = n, .type = CFG_U32, .off = OFF(field), .min = lo, \
	  .max = hi, .def = d, .unit = u, .help = h, .reload = true }
#define STR(n, field, d, h) \
	{ .name = n, .type = CFG_STR, .off = OFF(field), \
	  .max = sizeof(((struct node_config *)0)->field) - 1, .def = d, \
	  .help = h }
#define STRR(n, field, d, h) \
	{ .name = n, .type = CFG_STR, .off = OFF(field), \
	  .max = sizeof(((struct node_config *)0)->field) - 1, .def = d, \
	  .help = h, .reload = true }
#define IP(n, field, d, h) \
	{ .name = n, .type = CFG_IP, .off = OFF(field), .def = d, .help = h }
#define TEXTS(n, field, lo, hi, d, rl, h) \
	{ .name = n, .type = CFG_LIST, .off = OFF(field), .min = lo, \
	  .max = hi, .def = d, .help = h, .sub = text_keys, \
	  .elem_size = sizeof(struct node_text), .reload = rl }
#define ENUM(n, field, names_, d, rl, h) \
	{ .name = n, .type = CFG_ENUM, .off = OFF(field), .def = d, \
	  .names = names_, .reload = rl, .help = h }

const struct cfg_key node_config_keys[] = {
	{ .name = "name", .type = CFG_STR, .off = OFF(name), .min = 1,
	  .max = NODE_NAME_MAX, .def = "n1", .help = "unique in the cluster" },
	IP("sip.address", sip.address, "127.0.0.11",
	   "our address for the edges"),
	U32("sip.port", sip.port, 1, 65535, "5060", NULL,
	    "port for UDP and TCP"),
	TEXTS("edges", edges, 1, 256, "\"127.0.0.1\"", true,
	      "SIP is accepted from these only (addresses or networks)"),
	{ .name = "domains", .type = CFG_LIST, .off = OFF(domains),
	  .min = 1, .max = 1000, .def = "\"example.com\"",
	  .help = "domains served; \"any\" serves every domain",
	  .sub = domain_keys, .elem_size = sizeof(struct node_domain),
	  .reload = true },
	ENUM("auth", auth, auth_names, "on", true,
	     "digest authentication of clients"),
	ENUM("users", users, users_names, "file", false,
	     "where users are: users_file, or a table `subscriber` in an SQL "
	     "database"),
	STR("users_file", users_file, "/etc/edgewise/users",
	    "credentials, made with `edgewise user`"),
	STR("users_db_url", users_db_url, "",
	    "database of users = \"sql\": sqlite:///PATH, "
	    "postgresql://USER@HOST/DB or mysql://USER@HOST/DB; empty: "
	    "db_url"),
	STR("users_db_password_file", users_db_password_file, "",
	    "its first line is the password for users_db_url"),
	U32R("users_cache.max", users_cache.max, 100, 10000000, "100000", NULL,
	     "users of the database remembered"),
	U32R("users_cache.ttl", users_cache.ttl, 1, 86400, "60", "s",
	     "a user who was right is not looked up again for so long: "
	     "changes are seen after that"),
	U32R("users_cache.ttl_no", users_cache.ttl_no, 0, 3600, "5", "s",
	     "the same of a refusal"),
	U32R("users_cache.keep", users_cache.keep, 0, 31536000, "604800", "s",
	     "while the database is away users are served who were looked up "
	     "within this time"),
	U32R("users_cache.wait", users_cache.wait, 10, 5000, "250", "ms",
	     "longest time a request waits for the database; well below the "
	     "edge's timers.noreply"),
	STR("db_url", db_url, "",
	    "contacts are kept in this database, too, and read from it at "
	    "the start; as users_db_url; empty: in memory alone"),
	STR("db_password_file", db_password_file, "",
	    "its first line is the password for db_url"),
	ENUM("db_mode", db_mode, mode_names, "local", false,
	     "a database of this node's own, or one that all nodes share, "
	     "where each writes its part"),
	{ .name = "db_required", .type = CFG_BOOL, .off = OFF(db_required),
	  .def = "false", .reload = true,
	  .help = "not ready before the contacts were read, however long the "
		  "database is away; false: it is waited for 3 s" },
	U32R("flush_interval", flush_interval, 100, 300000, "10000", "ms",
	     "what changed is written so often: the last of it is lost when "
	     "all nodes lose power at once"),
	U32("db_timeout", db_timeout, 500, 60000, "5000", "ms",
	    "longest time of one statement"),
	U32R("db_stop_timeout", db_stop_timeout, 0, 15000, "5000", "ms",
	     "longest time that an end waits for the last changes to be "
	     "written"),
	U32R("nonce_age", nonce_age, 10, 86400, "300", "s",
	     "how long a nonce is accepted"),
	U32R("auth_delay", auth_delay, 0, 3600, "64", "s",
	     "longest time in which passwords are not looked at after too "
	     "many wrong ones of a client; 0 = none"),
	TEXTS("peers", peers, 0, 1000, "", true,
	      "sources that are not challenged (addresses or networks)"),
	{ .name = "routes", .type = CFG_LIST, .off = OFF(routes),
	  .max = NODE_ROUTES_MAX, .def = "", .sub = route_keys,
	  .elem_size = sizeof(struct node_route), .reload = true,
	  .help = "where calls go that no contact takes" },
	U32R("registrar.min_expires", registrar.min_expires, 1, 86400, "60",
	     "s", "shorter wishes are answered 423"),
	/* bounds how long removals are remembered: equal and fixed everywhere */
	U32("registrar.max_expires", registrar.max_expires, 1, 86400, "3600",
	     "s", "longer wishes are shortened to this"),
	U32R("registrar.default_expires", registrar.default_expires, 1, 86400,
	     "3600", "s", "for contacts that name no time"),
	U32R("registrar.max_contacts", registrar.max_contacts, 1, 60, "10",
	     NULL, "contacts of one address of record"),
	U32R("registrar.max_contact", registrar.max_contact, 64, 1024, "1024",
	     "bytes", "longest contact URI"),
	U32R("registrar.max_aor", registrar.max_aor, 16, 500, "256", "bytes",
	     "longest address of record"),
	U32R("registrar.max_path", registrar.max_path, 64, 4096, "2048",
	     "bytes", "longest Path"),
	U32("registrar.max_bindings", registrar.max_bindings, 1, 100000000,
	    "1000000", NULL, "contacts in all"),
	U32("timers.t1", timers.t1, 50, 5000, "500", "ms", "RFC 3261 T1"),
	U32("timers.t2", timers.t2, 500, 30000, "4000", "ms", "RFC 3261 T2"),
	U32("timers.t4", timers.t4, 500, 30000, "5000", "ms", "RFC 3261 T4"),
	U32R("timers.ring", timers.ring, 1000, 3600000, "180000", "ms",
	     "longest ringing of one branch (Timer C)"),
	ENUM("ping.contacts", ping.contacts, ping_names, "nat", true,
	     "who is asked whether it is there: nat = whose Contact or Via is "
	     "not where it registers from"),
	ENUM("ping.udp", ping.udp, how_udp_names, "options", true,
	     "how contacts over UDP are pinged: by OPTIONS, by a keep-alive "
	     "that the edge writes on their flow (keep: 4 bytes, stun: a "
	     "Binding request), or not"),
	ENUM("ping.stream", ping.stream, how_stream_names, "options", true,
	     "the same over TCP; keep: CRLF CRLF (RFC 5626)"),
	U32R("ping.interval", ping.interval, 1000, 3600000, "30000", "ms",
	     "between two questions to one contact; below the life of NAT "
	     "mappings"),
	U32R("ping.timeout", ping.timeout, 100, 30000, "5000", "ms",
	     "a contact that did not answer for so long failed"),
	U32R("ping.max_failures", ping.max_failures, 1, 100, "3", NULL,
	     "failures in a row after which other contacts are called "
	     "before this one"),
	U32R("ping.remove_after", ping.remove_after, 0, 1000, "2", NULL,
	     "further failures after which it is removed"),
	U32R("ping.slow", ping.slow, 0, 30000, "0", "ms",
	     "answers later than this are logged; 0 = none"),
	{ .name = "ping.outbound", .type = CFG_BOOL,
	  .off = OFF(ping.outbound), .def = "false", .reload = true,
	  .help = "also phones that keep their flow alive themselves "
		  "(RFC 5626)" },
	STRR("ping.method", ping.method, "OPTIONS", "of the questions"),
	STRR("ping.from", ping.from, "sip:ping@localhost",
	     "URI in their From"),
	STRR("ping.dead_codes", ping.dead_codes, "408 430",
	     "answers that count as none; all others say that the phone is "
	     "there"),
	ENUM("fork", fork, fork_names, "parallel", true,
	     "contacts of equal q at once, or one after the other"),
	U32R("max_branches", max_branches, 1, 64, "16", NULL,
	     "branches of one request"),
	IP("cluster.address", cluster.address, "127.0.0.11",
	   "our address for the other nodes"),
	U32("cluster.port", cluster.port, 1, 65535, "5080", NULL,
	    "port for the other nodes"),
	STR("cluster.key_file", cluster.key_file,
	    "/etc/edgewise/cluster.key", "key that all nodes share, or two while "
	    "it changes: the path stays, the file is read again at a reload"),
	STRR("cluster.ca_file", cluster.ca_file, "",
	     "CAs whose certificates links must show; with cert_file and "
	     "cert_key_file, or none of the three"),
	STRR("cluster.cert_file", cluster.cert_file, "",
	     "our certificate, made with `edgewise ca issue`"),
	STRR("cluster.cert_key_file", cluster.cert_key_file, "",
	     "private key of our certificate"),
	TEXTS("cluster.peers", cluster.peers, 0, 32, "", false,
	      "address:port of the other nodes; those named here count for "
	      "the majority before they were ever seen"),
	TEXTS("cluster.join", cluster.join, 0, 32, "", false,
	      "address:port of members to ask when we know nobody; one that "
	      "is alive is enough"),
	U32("cluster.heartbeat", cluster.heartbeat, 50, 10000, "500", "ms",
	    "interval of heartbeats"),
	U32("cluster.sync_rate", cluster.sync_rate, 0, 10000, "25", "MB/s",
	    "given to nodes that lack it (joining, after a cut), all together; "
	    "0 = no limit; more: ready sooner, calls slower meanwhile"),
	U32("cluster.dead", cluster.dead, 200, 60000, "3000", "ms",
	    "silence after which a node counts as dead"),
	U32R("replicate_ack", replicate_ack, 0, 1, "1", NULL,
	     "1: the 200 to a REGISTER waits until another living node has "
	     "the contact, too"),
	U32R("replicate_ack_timeout", replicate_ack_timeout, 0, 5000, "500",
	     "ms", "time a REGISTER may take in all; the 200 leaves at four "
	     "fifths of it even if no other node has the contact; not above "
	     "the edge's timers.noreply"),
	U32R("replicate_gap", replicate_gap, 0, 100, "20", "ms",
	     "changes that follow each other within this time are told to the "
	     "other nodes together, one after a pause at once; 0 = each at "
	     "once, as with replicate_ack = 0; at most a tenth of "
	     "replicate_ack_timeout"),
	{ .name = "cluster.ack_timeout", .type = CFG_U32,
	  .off = OFF(replicate_ack_timeout), .max = 5000, .def = "500",
	  .unit = "ms", .help = "old name of replicate_ack_timeout",
	  .reload = true, .instead = "replicate_ack_timeout" },
	U32("limits.max_message", limits.max_message, 4096, 65535, "65535",
	    "bytes", "largest SIP message"),
	U32("limits.max_transactions", limits.max_transactions, 100, 10000000,
	    "100000", NULL, "held at once; at the cap those that have "
	    "been over for 5 s make room, without such: 503"),
	U32("limits.max_connections", limits.max_connections, 10, 100000,
	    "1000", NULL, "streams open at once"),
	IP("http.address", http.address, "127.0.0.1",
	   "management address"),
	U32("http.port", http.port, 1, 65535, "8061", NULL,
	    "management port"),
	U32("trace.messages", trace.messages, 0, 1000000, "8192", NULL,
	    "messages kept for `edgewise trace`; 0 = none"),
	U32("trace.bytes", trace.bytes, TRACE_BYTES_MIN, 1073741824, "8388608",
	    "bytes", "memory of their texts; taken at start"),
	STR("state_dir", state_dir, "/var/lib/edgewise-node",
	    "the node's identity"),
	ENUM("log.level", log.level, level_names, "info", true,
	     "error, warn, info or debug"),
	ENUM("log.target", log.target, target_names, "stderr", false,
	     "stderr or syslog"),
	{ .name = NULL }
};

struct check {
	struct cfg_errs *errs;
	const char *file;
};

static int nets(struct check *k, const char *key, const struct cfg_list *l,
		struct addr_net **vp, uint32_t *np)
{
	const struct node_text *t = l->v;
	struct addr_net *v = calloc(l->n + 1, sizeof(*v));

	if (!v)
		return ENOMEM;
	*vp = v;
	*np = l->n;
	for (uint32_t i = 0; i < l->n; i++) {
		if (addr_net_parse(&v[i], sl_cstr(t[i].s)))
			cfg_err(k->errs, k->file, 0, key,
				"\"%s\" is not an address or network",
				t[i].s);
	}
	return 0;
}

static void domain_algs(struct check *k, struct node_domain *d)
{
	const struct node_text *t = d->algorithms.v;

	for (uint32_t i = 0; i < d->algorithms.n; i++) {
		uint32_t a = 0;

		while (a < AUTH_ALG_N && strcmp(t[i].s, auth_alg_name(a)))
			a++;
		if (a == AUTH_ALG_N)
			cfg_err(k->errs, k->file, 0, "domains.algorithms",
				"\"%s\" is unknown, \"MD5\" or \"SHA-256\" "
				"is allowed", t[i].s);
		else
			d->algs |= 1u << a;
	}
}

static void domains(struct check *k, struct node_config *c)
{
	struct node_domain *d = c->domains.v;
	size_t n;

	for (uint32_t i = 0; i < c->domains.n; i++) {
		n = strlen(d[i].name);
		(void)sl_lower(d[i].name, sl_mk(d[i].name, n));
		domain_algs(k, &d[i]);
		if (!strcmp(d[i].name, "any"))
			c->any_domain = true;
		for (uint32_t j = 0; j < i; j++) {
			if (!strcmp(d[i].name, d[j].name))
				cfg_err(k->errs, k->file, 0, "domains",
					"\"%s\" is there twice", d[i].name);
		}
	}
	if (c->any_domain && c->domains.n > 1)
		cfg_err(k->errs, k->file, 0, "domains",
			"\"any\" stands alone or not at all");
}

static bool plain(const char *s, const char *more)
{
	for (; *s; s++)
		if (!(*s >= '0' && *s <= '9') &&
		    !((*s | 0x20) >= 'a' && (*s | 0x20) <= 'z') &&
		    !strchr(more, *s))
			return false;
	return true;
}

static void routes(struct check *k, struct node_config *c)
{
	struct node_route *r = c->routes.v;

	for (uint32_t i = 0; i < c->routes.n; i++) {
		const struct node_text *t = r[i].peers.v;
		char key[40];

		(void)snprintf(key, sizeof(key), "routes[%u]", i);
		(void)sl_lower(r[i].domain, sl_cstr(r[i].domain));
		if (!*r[i].prefix && !*r[i].domain)
			cfg_err(k->errs, k->file, 0, key, "neither prefix "
				"nor domain: it would take every call");
		if (!plain(r[i].prefix, "+*#") || !plain(r[i].add, "+*#"))
			cfg_err(k->errs, k->file, 0, key, "prefix and add: "
				"letters, digits, + * # are allowed");
		for (uint32_t p = 0; p < r[i].peers.n; p++)
			if (!*t[p].s || !plain(t[p].s, "-_.+"))
				cfg_err(k->errs, k->file, 0, key, "\"%s\" is "
					"no name of a peer", t[p].s);
		for (uint32_t j = 0; j < i; j++)
			if (!strcmp(r[i].prefix, r[j].prefix) &&
			    !strcmp(r[i].domain, r[j].domain))
				cfg_err(k->errs, k->file, 0, key, "the same "
					"prefix and domain as routes[%u]", j);
	}
}

/* Our own address may be among them, so that all nodes have the same list */
static int other_nodes(struct check *k, const struct node_config *c,
		       const char *key, const struct cfg_list *l,
		       struct addr **vp, uint32_t *np)
{
	const struct node_text *t = l->v;
	struct addr self = c->cluster.address;
	struct addr a;

	self.port = (uint16_t)c->cluster.port;
	*vp = calloc(l->n + 1, sizeof(a));
	if (!*vp)
		return ENOMEM;
	for (uint32_t i = 0; i < l->n; i++) {
		a = (struct addr){ 0 };
		if (addr_parse(&a, sl_cstr(t[i].s), 5080)) {
			cfg_err(k->errs, k->file, 0, key,
				"\"%s\" is not address:port", t[i].s);
			continue;
		}
		if (!addr_eq(&a, &self))
			(*vp)[(*np)++] = a;
	}
	return 0;
}

/* The mistake is told at a line that is there */
static void certificates(struct check *k, const struct node_config *c)
{
	const struct { const char *key, *v; } f[] = {
		{ "cluster.ca_file", c->cluster.ca_file },
		{ "cluster.cert_file", c->cluster.cert_file },
		{ "cluster.cert_key_file", c->cluster.cert_key_file },
	};
	const char *there = NULL, *missing = NULL;

	for (unsigned i = 0; i < sizeof(f) / sizeof(f[0]); i++) {
		if (f[i].v[0])
			there = f[i].key;
		else
			missing = f[i].key;
	}
	if (there && missing)
		cfg_err(k->errs, k->file, 0, there, "%s is missing, allowed: "
			"ca_file, cert_file and cert_key_file, or none of "
			"them", missing);
}

/* It stands in frames, in lists, and may be a folder's name */
static void name(struct check *k, const struct node_config *c)
{
	for (const char *s = c->name; *s; s++) {
		if (*s <= ' ' || *s >= 0x7f || *s == '/' || *c->name == '.') {
			cfg_err(k->errs, k->file, 0, "name", "\"%s\" has a "
				"blank or slash in it, is not ASCII, or begins "
				"with a dot", c->name);
			return;
		}
	}
}

/* What goes into every question as it stands */
static void pings(struct check *k, const struct node_config *c)
{
	struct sl rest = sl_cstr(c->ping.dead_codes), code;
	const char *m = c->ping.method;
	struct uri u;
	uint32_t v;

	while ((*m >= 'A' && *m <= 'Z') || (*m >= 'a' && *m <= 'z'))
		m++;
	if (*m || m == c->ping.method || !strcmp(c->ping.method, "INVITE") ||
	    !strcmp(c->ping.method, "ACK") ||
	    !strcmp(c->ping.method, "CANCEL"))
		cfg_err(k->errs, k->file, 0, "ping.method",
			"must be a method like OPTIONS");
	if (uri_parse(&u, sl_cstr(c->ping.from)) ||
	    strpbrk(c->ping.from, "<>\"\r\n "))
		cfg_err(k->errs, k->file, 0, "ping.from", "must be a URI");
	while (node_ping_code(&rest, &code))
		if (sl_u32(code, 699, &v) || v < 300)
			cfg_err(k->errs, k->file, 0, "ping.dead_codes",
				"must be codes from 300 to 699");
}

static void cross(struct check *k, struct node_config *c)
{
	if (c->registrar.min_expires > c->registrar.max_expires)
		cfg_err(k->errs, k->file, 0, "registrar.min_expires",
			"%u is above max_expires = %u",
			c->registrar.min_expires, c->registrar.max_expires);
	if (c->registrar.default_expires < c->registrar.min_expires
	    || c->registrar.default_expires > c->registrar.max_expires)
		cfg_err(k->errs, k->file, 0, "registrar.default_expires",
			"%u is not within min_expires..max_expires",
			c->registrar.default_expires);
	if (addr_is_any(&c->sip.address))
		cfg_err(k->errs, k->file, 0, "sip.address",
			"must be one address, it stands in our Via");
	if (c->cluster.dead < 2 * c->cluster.heartbeat)
		cfg_err(k->errs, k->file, 0, "cluster.dead",
			"must be at least twice the heartbeat");
	certificates(k, c);
	pings(k, c);
	if (c->auth == NODE_AUTH_ON && c->users == NODE_USERS_FILE
	    && !c->users_file[0])
		cfg_err(k->errs, k->file, 0, "users_file",
			"must be given when auth is \"on\"");
}

static int finish(struct node_config *c, const char *file,
		  struct cfg_errs *errs)
{
	struct check k = { errs, file };
	int err;

	err = nets(&k, "edges", &c->edges, &c->edge_nets, &c->edge_n);
	if (!err)
		err = nets(&k, "peers", &c->peers, &c->peer_nets, &c->peer_n);
	if (!err)
		err = other_nodes(&k, c, "cluster.peers", &c->cluster.peers,
				  &c->cluster_peers, &c->cluster_peer_n);
	if (!err)
		err = other_nodes(&k, c, "cluster.join", &c->cluster.join,
				  &c->cluster_join, &c->cluster_join_n);
	if (!err) {
		name(&k, c);
		domains(&k, c);
		routes(&k, c);
		cross(&k, c);
		if (errs->n)
			err = EBADMSG;
	}
	c->sip.address.port = (uint16_t)c->sip.port;
	c->cluster.address.port = (uint16_t)c->cluster.port;
	c->http.address.port = (uint16_t)c->http.port;
	if (err)
		node_config_clear(c);
	return err;
}

int node_config_read(struct node_config *c, const char *path,
		     const struct cfg_over *over, struct cfg_errs *errs)
{
	int err;

	memset(c, 0, sizeof(*c));
	err = cfg_read_file(c, node_config_keys, path, over, errs);
	return err ? err : finish(c, path, errs);
}

int node_config_read_mem(struct node_config *c, const char *name,
			 const char *text, struct cfg_errs *errs)
{
	int err;

	memset(c, 0, sizeof(*c));
	err = cfg_read_mem(c, node_config_keys, name, text, errs);
	return err ? err : finish(c, name, errs);
}

void node_config_clear(struct node_config *c)
{
	struct node_domain *d = c->domains.v;

	for (uint32_t i = 0; i < c->domains.n; i++)
		cfg_clear(&d[i], domain_keys);
	free(c->edge_nets);
	free(c->peer_nets);
	free(c->cluster_peers);
	free(c->cluster_join);
	cfg_clear(c, node_config_keys);
	memset(c, 0, sizeof(*c));
}

static bool shared(const struct cfg_key *k)
{
	return !strcmp(k->name, "domains") || !strcmp(k->name, "auth")
		|| !strcmp(k->name, "nonce_age")
		|| !strcmp(k->name, "routes")
		|| !strncmp(k->name, "ping.", 5)
		|| !strncmp(k->name, "registrar.", 10);
}

uint32_t node_push_gap(const struct node_config *c)
{
	uint32_t most = c->replicate_ack_timeout / 10;

	if (!c->replicate_ack)
		return 0;
	return c->replicate_gap < most ? c->replicate_gap : most;
}

uint64_t node_config_digest(const struct node_config *c)
{
	return cfg_digest(c, node_config_keys, shared);
}
