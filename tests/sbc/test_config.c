/* Settings of edgewise-sbc. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "sbc/config.h"
#include "sip/flow.h"

static struct sbc_config c;
static struct cfg_errs e;

static int rd(const char *text)
{
	memset(&c, 0xa5, sizeof(c));
	memset(&e, 0, sizeof(e));
	return sbc_config_mem(&c, "f", text, &e);
}

Test(config, defaults_are_the_documented_ones)
{
	struct disp_node_conf n[SBC_NODES];
	struct edge_tune t;

	cr_assert_eq(rd(""), 0, "%s", e.txt[0]);
	cr_expect_eq(c.listen.n, 2);
	cr_expect_eq(sbc_config_listen(&c, 0)->transport, 0);
	cr_expect_eq(sbc_config_listen(&c, 1)->transport, 1);
	cr_expect_eq(sbc_config_listen(&c, 1)->port, 5060);
	cr_expect_eq(c.core.port, 5070);
	cr_expect_eq(c.timers.no100, 0);
	sbc_config_tune(&c, &t);
	cr_expect_eq(t.noreply, 500);
	cr_expect_eq(t.probe.no100_min, 100);
	cr_expect_eq(t.probe.no100_max, 1000);
	cr_expect_eq(t.probe.retry_percent, 20);
	cr_expect_eq(t.probe.retry_burst, 10);
	cr_expect_eq(t.probe.max_unanswered, 2000);
	cr_expect_eq(t.probe.eject, 10000);
	cr_expect_eq(t.probe.slowstart, 10000);
	cr_expect(t.learn);
	cr_expect(t.hide);
	cr_expect(t.dialog_token);
	cr_expect_not(t.private_targets);
	cr_expect_eq(sbc_config_pool(&c, n), 1);
	cr_expect_eq(n[0].tp, TP_TCP);
	cr_expect_eq(n[0].addr.port, 5060);
	sbc_config_clear(&c);
}

/** The shipped file holds every key at its default, behind a # */
Test(config, shipped_file_says_the_defaults)
{
	const char *dir = getenv("srcdir");
	char path[512], line[512], text[16384] = "";
	struct sbc_config d;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/etc/sbc.conf",
		       dir ? dir : "..");
	f = fopen(path, "r");
	if (!f)
		f = fopen("../etc/sbc.conf", "r");
	cr_assert(f, "%s", path);
	while (fgets(line, sizeof(line), f)) {
		/* settings are "#key", words are "# Text" */
		if (line[0] == '#' && line[1] != ' ')
			strcat(text, line + 1);
		else if (!strncmp(line, "#  ", 3))
			strcat(text, line + 1);
	}
	(void)fclose(f);
	cr_assert_eq(rd(text), 0, "%s", e.txt[0]);
	d = c;
	cr_assert_eq(rd(""), 0);
	cr_expect_null(cfg_frozen_diff(&c, &d, sbc_keys), "%s",
		       cfg_frozen_diff(&c, &d, sbc_keys));
	cr_expect_eq(memcmp(&c.timers, &d.timers, sizeof(c.timers)), 0);
	cr_expect_eq(memcmp(&c.probe, &d.probe, sizeof(c.probe)), 0);
	cr_expect_eq(memcmp(&c.limits, &d.limits, sizeof(c.limits)), 0);
	cr_expect_eq(memcmp(&c.eject, &d.eject, sizeof(c.eject)), 0);
	cr_expect_eq(memcmp(&c.retry, &d.retry, sizeof(c.retry)), 0);
	cr_expect_eq(c.slowstart, d.slowstart);
	cr_expect_eq(c.pool_learn, d.pool_learn);
	cr_expect_eq(c.max_attempts, d.max_attempts);
	for (const struct cfg_key *k = sbc_keys; k->name; k++) {
		const char *dot = strrchr(k->name, '.');

		cr_expect(strstr(text, dot ? dot + 1 : k->name), "%s",
			  k->name);
	}
	sbc_config_clear(&c);
	sbc_config_clear(&d);
}

Test(config, mistakes_are_named)
{
	static const struct {
		const char *text, *word;
	} v[] = {
		{ "listen = ( { transport=\"udp\"; address=\"0.0.0.0\"; } );",
		  "advertise" },
		{ "listen = ( { transport=\"udp\"; address=\"127.0.0.1\"; }, "
		  "{ transport=\"udp\"; address=\"127.0.0.1\"; } );",
		  "the same as listen[0]" },
		{ "listen = ( { transport=\"tcp\"; address=\"127.0.0.1\"; "
		  "port=5070; } );", "the same as core" },
		{ "core = { port=5060; };", "the same as core" },
		{ "listen = ( );", "listen" },
		{ "listen = ( { transport=\"sctp\"; address=\"::1\"; } );",
		  "transport" },
		{ "listen = ( { transport=\"udp\"; address=\"0.0.0.0\"; "
		  "advertise=\"a b\"; } );", "advertise" },
		{ "pool = ( );", "pool" },
		{ "pool = ( { name=\"a\"; address=\"127.0.0.11\"; }, "
		  "{ name=\"a\"; address=\"127.0.0.12\"; } );", "name" },
		{ "pool = ( { name=\"a\"; address=\"127.0.0.11\"; }, "
		  "{ name=\"b\"; address=\"127.0.0.11\"; } );", "address" },
		{ "pool = ( { name=\"a\"; address=\"::1\"; } );", "families" },
		{ "pool = ( { name=\"a\"; } );", "address" },
		{ "pool = ( { name=\"a\"; address=\"127.0.0.11\"; "
		  "http=\"host.example:80\"; } );", "http is not IP:PORT" },
		{ "timers = { no100 = 5; };", "no100" },
		{ "timers = { t1 = 500; t2 = 400; };", "t2" },
		{ "timers = { no100_min = 300; no100_max = 200; };",
		  "no100_max" },
		{ "eject = { margin = 0; };", "eject.margin" },
		{ "retry = { percent = 1001; };", "retry.percent" },
		{ "timers = { no10 = 250; };", "no10" },
		{ "core = { address=\"0.0.0.0\"; };", "wildcard" },
		{ "hide = \"all\";", "hide" },
		{ "max_attempts = 0;", "max_attempts" },
		{ "probe = { jitter = 51; };", "jitter" },
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		cr_expect_eq(rd(v[i].text), EBADMSG, "%s", v[i].text);
		cr_expect_geq(e.n, 1);
		cr_expect(strstr(e.txt[0], v[i].word), "%s -> %s", v[i].text,
			  e.txt[0]);
	}
}

Test(config, only_what_can_change_is_reloadable)
{
	struct sbc_config d;

	cr_assert_eq(rd("timers = { no100 = 300; }; hide = \"none\"; pool = ("
			" { name = \"x\"; address = \"127.0.0.9\"; } );"), 0);
	d = c;
	cr_assert_eq(rd(""), 0);
	cr_expect_null(cfg_frozen_diff(&c, &d, sbc_keys));
	sbc_config_clear(&d);
	d = c;
	cr_assert_eq(rd("core = { port = 5071; };"), 0);
	cr_expect_str_eq(cfg_frozen_diff(&c, &d, sbc_keys), "core.port");
	sbc_config_clear(&c);
	sbc_config_clear(&d);
}

Test(config, webhooks_are_checked)
{
	static const char *const bad[][2] = {
		{ "{ url = \"ftp://h\"; }", "https://" },
		{ "{ url = \"http://u@h\"; }", "holds a user" },
		{ "{ url = \"http://h\"; events = \"node, nods\"; }",
		  "\"nods\"" },
		{ "{ url = \"http://h\"; }, { name = \"1\"; "
		  "url = \"http://i\"; }", "same as of webhooks[0]" },
	};
	char text[200], name[32];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		(void)snprintf(text, sizeof(text), "webhooks = ( %s );",
			       bad[i][0]);
		cr_assert_eq(rd(text), EBADMSG, "%s", text);
		cr_expect(strstr(e.txt[0], bad[i][1]), "%s", e.txt[0]);
	}
	cr_assert_eq(rd("webhooks = ( { url = \"http://h\"; }, "
			"{ url = \"https://i/x\"; name = \"noc\"; } );"), 0);
	cr_expect_str_eq(sbc_config_hook_name(&c, 0, name), "1");
	cr_expect_str_eq(sbc_config_hook_name(&c, 1, name), "noc");
	cr_expect_eq(sbc_config_hook(&c, 0)->max_age, 3600);
	sbc_config_clear(&c);
}
