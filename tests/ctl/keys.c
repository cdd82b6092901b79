/*
 * keys.c - what the tables of settings say, for shipped.sh
 *   keys man sbc|node          list of all settings for the manual page
 *   keys shipped sbc|node FILE is FILE every setting, commented, at its default
 */
#include <ctype.h>
#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/cfg_value.h"
#include "node/config.h"
#include "sbc/config.h"

static int bad;

static void complain(const char *file, const char *key, const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", file, key, what);
	bad = 1;
}

/* --- manual page --------------------------------------------------------- */

static void print_default(const struct cfg_key *k)
{
	const char *d = k->def;

	if (!k->def) {
		printf("; required.\n");
		return;
	}
	if (k->type == CFG_U32 || k->type == CFG_BOOL)
		printf("; default %s.\n", d);
	else if (k->type != CFG_LIST)
		printf("; default \\(dq%s\\(dq.\n", d);
	else if (!*d || !strcmp(d, "( )"))
		printf("; empty by default.\n");
	else
		printf("; the default is in the shipped file.\n");
}

static void print_allowed(const struct cfg_key *k)
{
	switch (k->type) {
	case CFG_BOOL:
		printf("true or false");
		break;
	case CFG_U32:
		printf("%u to %u%s%s", k->min, k->max, k->unit ? " " : "",
		       k->unit ? k->unit : "");
		break;
	case CFG_STR:
		printf("Text of %u to %u bytes", k->min, k->max);
		break;
	case CFG_ENUM:
		for (uint32_t i = 0; k->names[i]; i++)
			printf("%s\\(dq%s\\(dq", i ? ", " : "", k->names[i]);
		break;
	case CFG_IP:
		printf("Numeric address");
		break;
	case CFG_LIST:
		printf("List of %u to %u entries", k->min, k->max);
		break;
	}
	print_default(k);
}

static void print_key(const struct cfg_key *k, const char *of)
{
	const char *h = k->help ? k->help : "";
	size_t n = strlen(h);

	printf(".It Va %s%s%s\n", of, *of ? "[]." : "", k->name);
	if (n)
		printf("%c%s%s\n", toupper((unsigned char)h[0]), h + 1,
		       h[n - 1] == '.' ? "" : ".");
	print_allowed(k);
	if (k->reload && !*of)
		printf("Reloadable.\n");
	for (const struct cfg_key *s = k->sub; s && s->name; s++) {
		if (*s->name)
			print_key(s, k->name);
	}
}

/* --- shipped file -------------------------------------------------------- */

/**
 * Settings uncommented. A line of prose begins with "# " and no further
 * blank; "#key" and "#  key" are settings.
 */
static char *uncomment(const char *path, unsigned *live)
{
	FILE *f = fopen(path, "r");
	char line[1024];
	struct buf b;

	if (!f) {
		perror(path);
		exit(1);
	}
	buf_init(&b, 1 << 20);
	while (fgets(line, sizeof(line), f)) {
		if (line[0] != '#' && line[0] != '\n')
			(*live)++;
		if (line[0] == '#' && line[1] == ' ' && line[2] != ' ')
			buf_lit(&b, "\n");
		else
			buf_str(&b, line + (line[0] == '#'));
	}
	fclose(f);
	buf_chr(&b, 0);
	return (char *)b.p;
}

static void present(const char *path, const config_t *c,
		    const struct cfg_key *k)
{
	const config_setting_t *s = config_lookup(c, k->name), *e;

	if (k->instead)
		return;
	if (!s) {
		complain(path, k->name, "is not in the file");
		return;
	}
	if (k->type != CFG_LIST || !*k->sub[0].name)
		return;
	e = config_setting_get_elem(s, 0);
	for (const struct cfg_key *sub = k->sub; e && sub->name; sub++) {
		if (!config_setting_is_group(e) ||
		    !config_setting_get_member(e, sub->name))
			complain(path, sub->name, "is not in the first entry "
				 "of its list");
	}
}

static void same(const char *path, const struct cfg_key *k, const void *def,
		 const void *got)
{
	struct buf a, b;

	buf_init(&a, 1 << 20);
	buf_init(&b, 1 << 20);
	cfg_value_put(&a, def, k);
	cfg_value_put(&b, got, k);
	if (a.err || b.err || !sl_eq(buf_as_sl(&a), buf_as_sl(&b)))
		complain(path, k->name, "is not at its default");
	buf_free(&a);
	buf_free(&b);
}

static void shipped(const struct cfg_key *keys, size_t size, const char *path)
{
	unsigned live = 0;
	char *text = uncomment(path, &live);
	void *def = calloc(1, size), *got = calloc(1, size);
	static struct cfg_errs e;
	config_t c;

	if (live)
		complain(path, "-", "a setting is not commented");
	if (!def || !got || cfg_read_mem(def, keys, "table", "", &e) ||
	    cfg_read_mem(got, keys, path, text, &e)) {
		for (uint32_t i = 0; i < e.n && i < CFG_ERRS; i++)
			fprintf(stderr, "%s\n", e.txt[i]);
		exit(1);
	}
	config_init(&c);
	if (!config_read_string(&c, text))
		complain(path, "-", config_error_text(&c));
	for (const struct cfg_key *k = keys; k->name; k++) {
		present(path, &c, k);
		same(path, k, def, got);
	}
	config_destroy(&c);
	cfg_clear(def, keys);
	cfg_clear(got, keys);
	free(def);
	free(got);
	free(text);
}

int main(int argc, char **argv)
{
	bool node = argc > 2 && !strcmp(argv[2], "node");
	const struct cfg_key *keys = node ? node_config_keys : sbc_keys;

	if (argc == 3 && !strcmp(argv[1], "man")) {
		for (; keys->name; keys++)
			print_key(keys, "");
	}
	else if (argc == 4 && !strcmp(argv[1], "shipped")) {
		shipped(keys, node ? sizeof(struct node_config) :
			sizeof(struct sbc_config), argv[3]);
	}
	else {
		return 2;
	}
	return bad;
}
