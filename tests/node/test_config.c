/* Settings of a node: defaults, what is refused, the shipped file. */
#include "node/config.h"
#include "sip/auth.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

static struct cfg_errs errs;

static int conf(struct node_config *c, const char *text)
{
	memset(&errs, 0, sizeof(errs));
	return node_config_read_mem(c, "f", text, &errs);
}

Test(config, an_empty_file_gives_the_defaults)
{
	struct node_config c;

	cr_assert(conf(&c, "") == 0, "%s", errs.txt[0]);
	cr_expect_str_eq(c.name, "n1");
	cr_expect(c.sip.address.port == 5060);
	cr_expect(c.edge_n == 1 && c.edge_nets[0].bits == 32);
	cr_expect(c.domains.n == 1 && !c.any_domain);
	cr_expect(((struct node_domain *)c.domains.v)->algs
		  == 1u << AUTH_MD5);
	cr_expect(c.auth == NODE_AUTH_ON && c.fork == NODE_FORK_PARALLEL);
	cr_expect(c.registrar.min_expires == 60);
	cr_expect(c.registrar.max_expires == 3600);
	cr_expect(c.timers.ring == 180000 && c.max_branches == 16);
	cr_expect(c.peer_n == 0 && c.cluster_peer_n == 0);
	node_config_clear(&c);
}

/* every "#key = value;" of the shipped file, without its # */
Test(config, the_shipped_file_is_right_and_shows_the_defaults)
{
	static char text[16384];
	struct node_config c, d;
	char line[512], *p = text;
	FILE *f = fopen(SHIPPED, "r");

	cr_assert(f, "%s", SHIPPED);
	while (fgets(line, sizeof(line), f)) {
		size_t n = strlen(line);

		if (line[0] == '#' && line[1] != ' ' && line[1] != '\n')
			line[0] = ' ';
		else if (line[0] == '#' && line[1] == ' ' && line[2] == ' ')
			line[0] = ' ';
		cr_assert(p + n < text + sizeof(text));
		memcpy(p, line, n + 1);
		p += n;
	}
	(void)fclose(f);
	cr_assert(conf(&c, text) == 0, "%s\n%s", errs.txt[0], text);
	cr_assert(conf(&d, "") == 0);
	cr_expect(!cfg_frozen_diff(&c, &d, node_config_keys));
	cr_expect(cfg_digest(&c, node_config_keys, NULL)
		  == cfg_digest(&d, node_config_keys, NULL),
		  "a value in the file is not the default");
	node_config_clear(&c);
	node_config_clear(&d);
}

Test(config, mistakes_are_named)
{
	static const struct { const char *text, *key; } row[] = {
		{ "edges = ( \"10.0.0.0/33\" );", "edges" },
		{ "edges = ( );", "edges" },
		{ "peers = ( \"host.example\" );", "peers" },
		{ "domains = ( \"any\", \"a.org\" );", "domains" },
		{ "domains = ( \"a.org\", \"A.ORG\" );", "domains" },
		{ "domains = ( { name = \"a\"; algorithms = ( \"SHA1\" ); } "
		  ");", "algorithms" },
		{ "domains = ( { algorithms = ( \"MD5\" ); } );", "name" },
		{ "auth = \"maybe\";", "auth" },
		{ "registrar = { min_expires = 100; max_expires = 50; };",
		  "expires" },
		{ "registrar = { default_expires = 7200; };",
		  "default_expires" },
		{ "registrar = { max_contacts = 0; };", "max_contacts" },
		{ "sip = { address = \"0.0.0.0\"; };", "sip.address" },
		{ "sip = { port = 70000; };", "sip.port" },
		{ "cluster = { heartbeat = 500; dead = 600; };", "dead" },
		{ "cluster = { peers = ( \"10.0.0.1:x\" ); };", "peers" },
		{ "cluster = { ca_file = \"a\"; };", "cluster.ca_file" },
		{ "cluster = { ca_file = \"a\"; cert_file = \"b\"; };",
		  "cluster.cert_key_file is missing" },
		{ "cluster = { cert_file = \"b\"; cert_key_file = \"c\"; };",
		  "cluster.ca_file is missing" },
		{ "cluster = { join = ( \"host:5080\" ); };", "join" },
		{ "replicate_ack = 2;", "replicate_ack" },
		{ "replicate_gap = 101;", "replicate_gap" },
		{ "name = \"\";", "name" },
		{ "name = \"a b\";", "name" },
		{ "name = \"a/b\";", "name" },
		{ "name = \"..\";", "name" },
		{ "users_file = \"\";", "users_file" },
		{ "regstrar = { };", "regstrar" },
		{ "fork = \"both\";", "fork" },
	};
	struct node_config c;

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		cr_expect(conf(&c, row[i].text) == EBADMSG, "%s", row[i].text);
		cr_expect(errs.n && strstr(errs.txt[0], row[i].key), "%s: %s",
			  row[i].text, errs.txt[0]);
		cr_expect(!strncmp(errs.txt[0], "f:", 2), "%s", errs.txt[0]);
	}
}

Test(config, certificates_are_three_files_or_none_and_may_change)
{
	struct node_config a, b;

	cr_assert(!conf(&a, ""));
	cr_expect_str_eq(a.cluster.ca_file, "");
	cr_assert(conf(&b, "cluster = { ca_file = \"a\"; cert_file = \"b\"; "
		       "cert_key_file = \"c\"; };") == 0, "%s", errs.txt[0]);
	cr_expect_str_eq(b.cluster.cert_key_file, "c");
	cr_expect(!cfg_frozen_diff(&a, &b, node_config_keys));
	cr_expect(node_config_digest(&a) == node_config_digest(&b),
		  "each node has files of its own");
	node_config_clear(&a);
	node_config_clear(&b);
}

Test(config, any_is_all_domains)
{
	struct node_config c;

	cr_assert(conf(&c, "domains = \"any\";") == 0, "%s", errs.txt[0]);
	cr_expect(c.any_domain && c.domains.n == 1);
	node_config_clear(&c);
}

Test(config, our_own_address_among_the_peers_is_left_out)
{
	struct node_config c;

	cr_assert(conf(&c, "cluster = { address = \"10.0.0.1\"; peers = ( "
		       "\"10.0.0.1:5080\", \"10.0.0.2:5080\", \"10.0.0.3\" ); "
		       "};") == 0, "%s", errs.txt[0]);
	cr_expect(c.cluster_peer_n == 2);
	cr_expect(c.cluster_peers[1].port == 5080, "the default port");
	node_config_clear(&c);
	cr_assert(conf(&c, "cluster = { address = \"10.0.0.1\"; join = ( "
		       "\"10.0.0.1:5080\", \"10.0.0.2\" ); };") == 0, "%s",
		  errs.txt[0]);
	cr_expect(c.cluster_join_n == 1 && c.cluster_peer_n == 0);
	node_config_clear(&c);
}

Test(config, digest_covers_what_nodes_must_share)
{
	struct node_config a, b;

	cr_assert(!conf(&a, "name = \"n1\";"));
	cr_assert(!conf(&b, "name = \"n2\"; http = { port = 9; };"));
	cr_expect(node_config_digest(&a) == node_config_digest(&b));
	node_config_clear(&b);
	cr_assert(!conf(&b, "registrar = { max_contacts = 3; };"));
	cr_expect(node_config_digest(&a) != node_config_digest(&b));
	node_config_clear(&b);
	cr_assert(!conf(&b, "domains = ( { name = \"example.com\"; "
			"algorithms = ( \"SHA-256\" ); } );"));
	cr_expect(node_config_digest(&a) != node_config_digest(&b));
	node_config_clear(&a);
	node_config_clear(&b);
}

Test(config, what_needs_a_restart_is_known)
{
	struct node_config a, b;

	cr_assert(!conf(&a, ""));
	cr_assert(!conf(&b, "registrar = { max_contacts = 3; }; auth = "
			"\"off\"; domains = \"any\"; edges = \"10.0.0.1\";"));
	cr_expect(!cfg_frozen_diff(&a, &b, node_config_keys));
	node_config_clear(&b);
	cr_assert(!conf(&b, "sip = { port = 5070; };"));
	cr_expect_str_eq(cfg_frozen_diff(&a, &b, node_config_keys),
			 "sip.port");
	node_config_clear(&a);
	node_config_clear(&b);
}

Test(config, the_gap_between_pushes_fits_the_wait_for_an_acknowledgement)
{
	static const struct {
		const char *text;
		uint32_t gap;
	} t[] = {
		{ "", 20 },
		{ "replicate_gap = 0;", 0 },
		{ "replicate_gap = 100;", 50 },
		{ "replicate_ack_timeout = 30;", 3 },
		{ "replicate_ack_timeout = 0;", 0 },
		{ "replicate_ack = 0;", 0 },
	};

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct node_config c;

		cr_assert(!conf(&c, t[i].text));
		cr_expect_eq(node_push_gap(&c), t[i].gap, "%s", t[i].text);
		node_config_clear(&c);
	}
}
