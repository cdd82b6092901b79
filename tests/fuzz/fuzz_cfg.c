/* fuzz_cfg.c - settings files: any text, against a table with every type */
#include <stdlib.h>
#include "base/cfg.h"

struct word { char s[9]; };
struct node {
	char name[17];
	struct addr addr;
	uint32_t weight;
	struct cfg_list algs;
};
struct conf {
	bool on;
	uint32_t inter, alg;
	char dir[33];
	struct addr ip;
	struct cfg_list pool, nets;
};

static const char *const names[] = { "hash", "least", "wrr", NULL };
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
	{ .name = "on", .type = CFG_BOOL, .def = "true",
	  .off = offsetof(struct conf, on) },
	{ .name = "probe.inter", .type = CFG_U32, .min = 10, .max = 60000,
	  .def = "1000", .unit = "ms", .off = offsetof(struct conf, inter) },
	{ .name = "algorithm", .type = CFG_ENUM, .names = names,
	  .def = "least", .off = offsetof(struct conf, alg) },
	{ .name = "dir", .type = CFG_STR, .max = 32, .def = "/x",
	  .off = offsetof(struct conf, dir) },
	{ .name = "ip", .type = CFG_IP, .def = "::1",
	  .off = offsetof(struct conf, ip) },
	{ .name = "pool", .type = CFG_LIST, .min = 1, .max = 4,
	  .def = "( \"n1\" )", .off = offsetof(struct conf, pool),
	  .sub = node_keys, .elem_size = sizeof(struct node) },
	{ .name = "nets", .type = CFG_LIST, .max = 4, .def = "( )",
	  .off = offsetof(struct conf, nets), .sub = word_keys,
	  .elem_size = sizeof(struct word) },
	{ .name = NULL }
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/** libconfig 1.5 loses the text it was reading at a syntax error: some bytes
 *  per refused file */
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct cfg_errs e = { 0 };
	struct conf c;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	if (cfg_read_mem(&c, keys, "f", text, &e) == 0) {
		/* what was accepted is within the table's bounds */
		if (e.n || c.inter < 10 || c.inter > 60000 || c.alg > 2 ||
		    strlen(c.dir) > 32 || c.pool.n < 1 || c.pool.n > 4)
			abort();
		(void)cfg_digest(&c, keys, NULL);
		if (cfg_frozen_diff(&c, &c, keys))
			abort();
		cfg_clear(&c, keys);
	}
	else if (!e.n || c.pool.v) {
		abort();
	}
	free(text);
	return 0;
}
