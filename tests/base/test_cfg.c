#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/cfg.h"

struct node {
	char name[17];
	struct addr addr;
	uint32_t weight;
	struct cfg_list algs;
};

struct word { char s[9]; };

struct conf {
	bool on;
	uint32_t inter;
	uint32_t fall;
	uint32_t alg;
	char dir[33];
	struct addr ip;
	struct cfg_list pool;
	struct cfg_list nets;
};

static const char *const algs[] = { "hash", "least", "wrr", NULL };

#define O(f) offsetof(struct conf, f)
static const struct cfg_key word_keys[] = {
	{ .name = "", .type = CFG_STR, .min = 1, .max = 8 },
	{ .name = NULL }
};
static const struct cfg_key node_keys[] = {
	{ .name = "name", .type = CFG_STR, .min = 1, .max = 16,
	  .off = offsetof(struct node, name) },
	{ .name = "address", .type = CFG_IP, .def = "127.0.0.1",
	  .off = offsetof(struct node, addr) },
	{ .name = "weight", .type = CFG_U32, .max = 1000, .def = "100",
	  .off = offsetof(struct node, weight) },
	{ .name = "algorithms", .type = CFG_LIST, .max = 3,
	  .def = "( \"MD5\" )", .off = offsetof(struct node, algs),
	  .sub = word_keys, .elem_size = sizeof(struct word) },
	{ .name = NULL }
};
static const struct cfg_key keys[] = {
	{ .name = "on", .type = CFG_BOOL, .def = "true", .off = O(on) },
	{ .name = "probe.inter", .type = CFG_U32, .min = 10, .max = 60000,
	  .def = "1000", .unit = "ms", .off = O(inter), .reload = true },
	{ .name = "probe.fall", .type = CFG_U32, .min = 1, .max = 10,
	  .def = "3", .off = O(fall) },
	{ .name = "algorithm", .type = CFG_ENUM, .names = algs,
	  .def = "least", .off = O(alg) },
	{ .name = "dir", .type = CFG_STR, .max = 32, .def = "/x",
	  .off = O(dir) },
	{ .name = "ip", .type = CFG_IP, .def = "::1", .off = O(ip) },
	{ .name = "pool", .type = CFG_LIST, .min = 1, .max = 4,
	  .def = "( { name = \"n1\"; }, \"n2\" )", .off = O(pool),
	  .sub = node_keys, .elem_size = sizeof(struct node) },
	{ .name = "nets", .type = CFG_LIST, .max = 4, .def = "( )",
	  .off = O(nets), .sub = word_keys,
	  .elem_size = sizeof(struct word) },
	{ .name = NULL }
};

static int rd(struct conf *c, struct cfg_errs *e, const char *text)
{
	memset(c, 0xa5, sizeof(*c));
	memset(e, 0, sizeof(*e));
	return cfg_read_mem(c, keys, "f", text, e);
}

Test(cfg, empty_file_gives_the_defaults)
{
	struct cfg_errs e;
	struct conf c;
	const struct node *n;

	cr_assert_eq(rd(&c, &e, ""), 0, "%s", e.txt[0]);
	cr_assert_eq(c.on, true);
	cr_assert_eq(c.inter, 1000);
	cr_assert_eq(c.alg, 1);
	cr_assert_str_eq(c.dir, "/x");
	cr_assert_eq(c.ip.af, 6);
	cr_assert_eq(c.pool.n, 2);
	cr_assert_eq(c.nets.n, 0);
	n = c.pool.v;
	cr_assert_str_eq(n[0].name, "n1");
	cr_assert_str_eq(n[1].name, "n2");
	cr_assert_eq(n[1].weight, 100);
	cr_assert_eq(n[1].algs.n, 1);
	cr_assert_str_eq(((struct word *)n[1].algs.v)->s, "MD5");
	cfg_clear(&c, keys);
	cr_assert_null(c.pool.v);
}

Test(cfg, file_overrides_defaults)
{
	struct cfg_errs e;
	struct conf c;
	const struct node *n;

	cr_assert_eq(rd(&c, &e,
		"on = false; probe = { inter = 20; }; algorithm = \"wrr\";\n"
		"dir = \"\"; ip = \"192.0.2.7\"; nets = [ \"a\", \"b\" ];\n"
		"pool = ( { name = \"x\"; weight = 0; algorithms = "
		"( \"A\", \"B\" ); } );\n"), 0, "%s", e.txt[0]);
	cr_assert_eq(c.on, false);
	cr_assert_eq(c.inter, 20);
	cr_assert_eq(c.fall, 3);
	cr_assert_eq(c.alg, 2);
	cr_assert_str_eq(c.dir, "");
	cr_assert_eq(c.ip.ip[3], 7);
	cr_assert_eq(c.nets.n, 2);
	cr_assert_eq(c.pool.n, 1);
	n = c.pool.v;
	cr_assert_eq(n->weight, 0);
	cr_assert_eq(n->algs.n, 2);
	cfg_clear(&c, keys);
}

struct bad { const char *text, *err; };

Test(cfg, every_mistake_has_file_line_key_and_what_is_allowed)
{
	static const struct bad bad[] = {
		{ "\nprobe = { intr = 5; };", "f:2: probe.intr: unknown key, "
		  "did you mean \"probe.inter\"?" },
		{ "inter = 5;", "f:1: inter: unknown key, did you mean "
		  "\"probe.inter\"?" },
		{ "prob = { inter = 5; };", "f:1: prob: unknown key, did you "
		  "mean \"probe.inter\"?" },
		{ "zzzzzzzz = 5;", "f:1: zzzzzzzz: unknown key, allowed: on, "
		  "probe.inter, " },
		{ "probe = { inter = 5; };", "f:1: probe.inter: is 5, allowed"
		  ": a whole number from 10 to 60000 [ms]" },
		{ "probe = { inter = -1; };", "f:1: probe.inter: is -1, " },
		{ "probe = { inter = 5000000000; };", "f:1: number too "
		  "large, allowed: up to 2147483647" },
		{ "probe = { inter = 0x100000020; };", "f:1: number too " },
		{ "probe = { inter = \"20\"; };", "f:1: probe.inter: is a "
		  "text, allowed: a whole number" },
		{ "probe = { inter = 20.5; };", "f:1: probe.inter: is a "
		  "number with a point, " },
		{ "probe = 5;", "f:1: probe: is a number, allowed: a group" },
		{ "on = 1;", "f:1: on: is 1, allowed: true or false" },
		{ "algorithm = \"x\";", "f:1: algorithm: is \"x\", allowed: "
		  "one of \"hash\", \"least\", \"wrr\"" },
		{ "dir = \"0123456789012345678901234567890123\";",
		  "f:1: dir: is \"0123456789012345678901234567890123\", "
		  "allowed: a \"text\" of 0 to 32 bytes" },
		{ "dir = \"a\\x01\";", "f:1: dir: is " },
		{ "ip = \"localhost\";", "f:1: ip: is \"localhost\", allowed: "
		  "a numeric IPv4 or IPv6 address" },
		{ "pool = ( );", "f:1: pool: has 0 entries, allowed: a list "
		  "of 1 to 4 entries" },
		{ "pool = ( \"a\", \"b\", \"c\", \"d\", \"e\" );",
		  "f:1: pool: has 5 entries, " },
		{ "pool = ( \"a\",\n { weight = 1; } );",
		  "f:2: pool[1].name: is missing, allowed: " },
		{ "pool = ( { name = \"a\"; wight = 1; } );", "f:1: pool[0]."
		  "wight: unknown key, did you mean \"weight\"?" },
		{ "nets = ( { a = 1; } );", "f:1: nets[0]: is a group" },
		{ "nets = { a = 1; };", "f:1: nets: is a group" },
		{ "on = true;\non = false;", "f:2: duplicate setting name" },
		{ "on = true;\n\nprobe = {", "f:3: syntax error, allowed: " },
		{ "# x\n  @include \"/etc/passwd\"\n", "f:2: @include: is not "
		  "supported" },
		{ "((((((((((((((((((((((((", "f:1: brackets too deep" },
	};
	struct cfg_errs e;
	struct conf c;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_expect_eq(rd(&c, &e, bad[i].text), EBADMSG, "%s",
			     bad[i].text);
		cr_expect(sl_starts(sl_cstr(e.txt[0]), sl_cstr(bad[i].err)),
			  "%s\n   gave %s\n  wanted %s", bad[i].text,
			  e.txt[0], bad[i].err);
		cr_expect_null(c.pool.v, "target not cleared");
	}
}

Test(cfg, brackets_in_comments_and_texts_do_not_count)
{
	struct cfg_errs e;
	struct conf c;

	cr_assert_eq(rd(&c, &e,
		"# (((((((((((((((((((((((( @include\n"
		"// ((((((((((((((((((((((((\n"
		"/* ((((((((((((((((((((((((( */\n"
		"dir = \"(((((((((((((((((((((\\\"(((@\";\n"), 0, "%s",
		e.txt[0]);
	cfg_clear(&c, keys);
}

Test(cfg, all_mistakes_are_counted_and_the_first_16_told)
{
	char text[2000] = "";
	struct cfg_errs e;
	struct conf c;

	for (int i = 0; i < 20; i++)
		sprintf(text + strlen(text), "wrong%d = 1;\n", i);
	cr_assert_eq(rd(&c, &e, text), EBADMSG);
	cr_assert_eq(e.n, 20);
	cr_assert(sl_starts(sl_cstr(e.txt[15]), SL("f:16: wrong15: ")));
}

Test(cfg, control_bytes_of_a_file_do_not_reach_the_texts)
{
	struct cfg_errs e;
	struct conf c;

	cr_assert_eq(rd(&c, &e, "algorithm = \"a\\x1b[31m\\n\";"), EBADMSG);
	for (const char *p = e.txt[0]; *p; p++)
		cr_assert_geq(*p, ' ');
}

Test(cfg, missing_file_is_enoent_with_a_text)
{
	struct cfg_errs e = { 0 };
	struct conf c;

	cr_assert_eq(cfg_read_file(&c, keys, "/nonexistent/x", NULL, &e), ENOENT);
	cr_assert_str_eq(e.txt[0], "/nonexistent/x: cannot be read: "
			 "No such file or directory");
	cr_assert_neq(cfg_read_file(&c, keys, "/", NULL, &e), 0);
}

Test(cfg, error_of_a_program_finds_the_line_of_its_key)
{
	static const char text[] = "on = true;\n\npool = (\n\"a\",\n"
		"{ name = \"b\";\n weight = 5; } );\n";
	char path[] = "/tmp/ew_cfg_XXXXXX", want[64];
	struct cfg_errs e = { 0 };
	int fd = mkstemp(path);

	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	cfg_err(&e, path, 0, "pool[1].weight", "is odd");
	cfg_err(&e, path, 0, "pool[1].port", "is odd");
	cfg_err(&e, path, 0, "dir", "is odd");
	unlink(path);
	snprintf(want, sizeof(want), "%s:6: pool[1].weight: is odd", path);
	cr_expect_str_eq(e.txt[0], want);
	snprintf(want, sizeof(want), "%s:5: pool[1].port: is odd", path);
	cr_expect_str_eq(e.txt[1], want);
	snprintf(want, sizeof(want), "%s: dir: is odd", path);
	cr_expect_str_eq(e.txt[2], want);
}

Test(cfg, file_with_nul_byte_is_refused)
{
	char path[] = "/tmp/ew_cfg_XXXXXX";
	struct cfg_errs e = { 0 };
	struct conf c;
	int fd = mkstemp(path);

	cr_assert_eq(write(fd, "on = true;\0x", 12), 12);
	close(fd);
	cr_assert_eq(cfg_read_file(&c, keys, path, NULL, &e), EBADMSG);
	cr_assert_not_null(strstr(e.txt[0], "NUL byte"));
	unlink(path);
}

Test(cfg, frozen_diff_names_the_key_and_leaves_reloadable_ones_alone)
{
	struct cfg_errs e;
	struct conf a, b;

	cr_assert_eq(rd(&a, &e, ""), 0);
	cr_assert_eq(rd(&b, &e, "probe = { inter = 77; };"), 0);
	cr_assert_null(cfg_frozen_diff(&a, &b, keys));
	cfg_clear(&b, keys);
	cr_assert_eq(rd(&b, &e, "pool = ( { name = \"n1\"; }, { name = "
			"\"n2\"; algorithms = (\"X\"); } );"), 0);
	cr_assert_str_eq(cfg_frozen_diff(&a, &b, keys), "pool");
	cfg_clear(&a, keys);
	cfg_clear(&b, keys);
}

static bool only_probe(const struct cfg_key *k)
{
	return !strncmp(k->name, "probe.", 6);
}

Test(cfg, digest_follows_picked_values_only)
{
	struct cfg_errs e;
	struct conf a, b, c;

	cr_assert_eq(rd(&a, &e, ""), 0);
	cr_assert_eq(rd(&b, &e, "dir = \"/y\";"), 0);
	cr_assert_eq(rd(&c, &e, "probe = { fall = 4; };"), 0);
	cr_assert_eq(cfg_digest(&a, keys, only_probe),
		     cfg_digest(&b, keys, only_probe));
	cr_assert_neq(cfg_digest(&a, keys, NULL), cfg_digest(&b, keys, NULL));
	cr_assert_neq(cfg_digest(&a, keys, only_probe),
		      cfg_digest(&c, keys, only_probe));
	cfg_clear(&a, keys);
	cfg_clear(&b, keys);
	cfg_clear(&c, keys);
}

/* --- options over the file ------------------------------------------------- */

static int rd_over(struct conf *c, struct cfg_errs *e, const char *text,
		   const char *const *v)
{
	struct cfg_over o = { 0 };
	int err;

	for (; *v; v++)
		cr_assert_eq(cfg_over_add(&o, *v), 0);
	memset(c, 0xa5, sizeof(*c));
	memset(e, 0xa5, sizeof(*e));
	e->n = 0;
	err = cfg_read_text(c, keys, "f", text, &o, e);
	e->over = NULL;
	return err;
}

Test(cfg, options_win_over_the_file_and_the_last_one_over_the_first)
{
	static const char *const v[] = { "on=false", "probe.inter = 20",
		"probe.inter=30", "algorithm=wrr", "dir=a b", "ip=192.0.2.7",
		"pool=( \"x\", { name = \"y\"; weight = 7; } )",
		"nets=one", NULL };
	struct cfg_errs e;
	struct conf c;

	cr_assert_eq(rd_over(&c, &e, "probe = { inter = 99; }; "
			     "pool = ( \"a\", \"b\", \"c\" ); "
			     "nets = ( \"q\", \"r\" );", v), 0, "%s", e.txt[0]);
	cr_assert_not(c.on);
	cr_assert_eq(c.inter, 30);
	cr_assert_eq(c.fall, 3);
	cr_assert_eq(c.alg, 2);
	cr_assert_str_eq(c.dir, "a b");
	cr_assert_eq(c.ip.ip[3], 7);
	cr_assert_eq(c.pool.n, 2);
	cr_assert_eq(((struct node *)c.pool.v)[1].weight, 7);
	cr_assert_eq(c.nets.n, 1);
	cr_assert_str_eq(((struct word *)c.nets.v)->s, "one");
	cfg_clear(&c, keys);
}

static void wrong(const char *option, const char *want)
{
	const char *const v[] = { option, NULL };
	struct cfg_errs e;
	struct conf c;

	cr_assert_eq(rd_over(&c, &e, "", v), EBADMSG, "%s", option);
	cr_assert_eq(e.n, 1, "%s: %u", option, e.n);
	cr_assert(strstr(e.txt[0], want) == e.txt[0], "%s", e.txt[0]);
	cr_assert_null(c.pool.v);
}

Test(cfg, a_wrong_option_is_named_as_a_line_of_a_file_is)
{
	wrong("probe.inter=5", "-o probe.inter=5: probe.inter: is \"5\", "
	      "allowed: a whole number from 10 to 60000");
	wrong("probe.inter=", "-o probe.inter=: probe.inter: is \"\"");
	wrong("algorithm=best", "-o algorithm=best: algorithm: is \"best\"");
	wrong("probe.intr=50", "-o probe.intr=50: probe.intr: unknown key, "
	      "did you mean \"probe.inter\"?");
	wrong("probe=1", "-o probe=1: probe: unknown key");
	wrong("pool=( )", "-o pool=( ):1: pool: has 0 entries");
	wrong("pool=( \"a\"", "-o pool=( \"a\":");
	wrong("nets=( \"a\" ); ip = \"::2\"", "-o nets=(");
	wrong("nets=((((((((((((((((((\"a\"))))))))))))))))))", "-o nets=((((");
	wrong("dir=\"a\"; on = true", "-o dir=");
}

Test(cfg, a_check_of_the_program_names_the_option_that_set_the_key)
{
	struct cfg_over o = { 0 };
	struct cfg_errs e = { .over = &o };

	cr_assert_eq(cfg_over_add(&o, "probe.inter=11"), 0);
	cfg_err(&e, "f", 0, "probe.inter", "too much");
	cfg_err(&e, "f", 0, "probe.in", "too much");
	cr_assert_str_eq(e.txt[0], "-o probe.inter=11: probe.inter: too much");
	cr_assert_str_eq(e.txt[1], "f: probe.in: too much");
}

Test(cfg, an_option_is_key_and_value_and_there_is_a_last_one)
{
	struct cfg_over o = { 0 };

	cr_assert_eq(cfg_over_add(&o, "name"), EBADMSG);
	cr_assert_eq(cfg_over_add(&o, " = 5"), EBADMSG);
	for (int i = 0; i < CFG_OVERS; i++)
		cr_assert_eq(cfg_over_add(&o, "a=1"), 0);
	cr_assert_eq(cfg_over_add(&o, "a=1"), ENOSPC);
}
