/* cfg.c - Shell. libconfig text into a struct, driven by a table. */
#include "base/cfg_over.h"
#include "base/cfg_text.h"
#include "base/log.h"
#include "base/cfg_value.h"
#include <errno.h>
#include <fcntl.h>
#include <libconfig.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PATH 128              /**< longest name of a key in a text         */
#define ENTRIES 100000        /**< most entries of a list whatever the table */

struct rd {
	const char *file;
	struct cfg_errs *errs;
	bool nomem;
	const struct cfg_over *over;    /* NULL = none, or while it is read */
};

static void add_err(struct cfg_errs *errs, const char *file, uint32_t line,
		    const char *key, const char *txt)
{
	char at[16] = "";
	int room = (int)sizeof(errs->txt[0]), n;
	char *t;

	if (errs->n++ >= CFG_ERRS)
		return;
	if (line)
		(void)snprintf(at, sizeof(at), "%u:", line);   /* fits */
	t = errs->txt[errs->n - 1];
	n = snprintf(t, (size_t)room, "%.100s:%s %s%s%s", file, at,
		     key ? key : "", key ? ": " : "", txt);
	for (; n > 0 && *t; t++) {
		if ((uint8_t)*t < ' ' || *t == 0x7f)
			*t = '?';
	}
}

/** "what is wrong, allowed: what the key takes" */
static void value_err(struct rd *rd, uint32_t line, const char *path,
		      const struct cfg_key *k, const char *what)
{
	char t[200];
	struct buf b;

	buf_fixed(&b, t, sizeof(t) - 1);
	cfg_value_allowed(&b, k);
	t[b.n] = 0;
	cfg_err(rd->errs, rd->file, line, path, "%.60s, allowed: %s", what, t);
}

static uint32_t line_of(const config_setting_t *s)
{
	return s ? config_setting_source_line(s) : 0;
}

static const char *shape_of(const config_setting_t *s)
{
	switch (config_setting_type(s)) {
	case CONFIG_TYPE_GROUP:  return "a group { }";
	case CONFIG_TYPE_LIST:   return "a list ( )";
	case CONFIG_TYPE_ARRAY:  return "an array [ ]";
	case CONFIG_TYPE_STRING: return "a text";
	case CONFIG_TYPE_BOOL:   return "true or false";
	case CONFIG_TYPE_FLOAT:  return "a number with a point";
	default:                 return "a number";
	}
}

static void clear_keys(void *base, const struct cfg_key *keys);
static void set_value(struct rd *rd, void *base, const struct cfg_key *k,
		      const config_setting_t *s, const char *path);
static void set_default(struct rd *rd, void *base, const struct cfg_key *k,
			const char *path, uint32_t line);

static void join(char dst[PATH], const char *a, const char *sep, const char *b)
{
	/* cut when too long: it is only shown */
	(void)snprintf(dst, PATH, "%s%s%s", a, *a ? sep : "", b);
}

static bool is_group(const struct cfg_key *keys, const char *name)
{
	size_t n = strlen(name);

	for (; keys->name; keys++) {
		if (!strncmp(keys->name, name, n) && keys->name[n] == '.')
			return true;
	}
	return false;
}

static void unknown(struct rd *rd, const struct cfg_key *keys,
		    const config_setting_t *s, const char *name,
		    const char *path)
{
	const char *near = cfg_value_nearest(keys, sl_cstr(name));
	char t[160];
	struct buf b;

	if (*near) {
		cfg_err(rd->errs, rd->file, line_of(s), path,
			"unknown key, did you mean \"%s\"?", near);
		return;
	}
	buf_fixed(&b, t, sizeof(t) - 1);
	for (const struct cfg_key *k = keys; k->name && !b.err; k++) {
		buf_str(&b, k == keys ? "" : ", ");
		buf_str(&b, k->name);
	}
	t[b.n] = 0;
	cfg_err(rd->errs, rd->file, line_of(s), path,
		"unknown key, allowed: %s%s", t, b.err ? "..." : "");
}

/**
 * Read a group's members. `in` is the part of the table's names above it
 * ("probe"), `path` the same as the user sees it ("pool[1].probe").
 */
static void read_group(struct rd *rd, void *base, const struct cfg_key *keys,
		       const config_setting_t *g, const char *in,
		       const char *path)
{
	int n = config_setting_length(g);

	for (int i = 0; i < n; i++) {
		config_setting_t *s = config_setting_get_elem(g, (unsigned)i);
		const char *own = config_setting_name(s);
		const struct cfg_key *k = keys;
		char name[PATH], full[PATH];

		join(name, in, ".", own);
		join(full, path, ".", own);
		while (k->name && strcmp(k->name, name) != 0)
			k++;
		if (k->name)
			set_value(rd, base, k, s, full);
		else if (!is_group(keys, name))
			unknown(rd, keys, s, name, full);
		else if (config_setting_is_group(s))
			read_group(rd, base, keys, s, name, full);
		else
			cfg_err(rd->errs, rd->file, line_of(s), full,
				"is %s, allowed: a group { key = value; }",
				shape_of(s));
	}
}

/** The member a dotted name leads to, NULL = not in the file */
static const config_setting_t *member(const config_setting_t *g,
				      const char *name)
{
	char part[PATH];

	while (g && *name) {
		size_t n = strcspn(name, ".");

		if (n >= sizeof(part) || !config_setting_is_group(g))
			return NULL;
		memcpy(part, name, n);
		part[n] = 0;
		g = config_setting_get_member(g, part);
		name += n + (name[n] == '.');
	}
	return g;
}

static void set_defaults(struct rd *rd, void *base, const struct cfg_key *keys,
			 const config_setting_t *g, const char *path,
			 uint32_t line)
{
	for (const struct cfg_key *k = keys; k->name; k++) {
		char full[PATH];

		join(full, path, ".", k->name);
		cfg_value_clear(base, k);
		/* a wrong default of a table shows in every test of it */
		if (!(g && member(g, k->name)) &&
		    !(line == 0 && cfg_over_find(rd->over, full)))
			set_default(rd, base, k, full, line);
	}
}

static void read_entry(struct rd *rd, void *elem, const struct cfg_key *k,
		       const config_setting_t *s, const char *path)
{
	bool plain = !*k->sub[0].name;

	if (config_setting_is_group(s) && !plain) {
		set_defaults(rd, elem, k->sub, s, path, line_of(s));
		read_group(rd, elem, k->sub, s, "", path);
		return;
	}
	/* a bare value stands for the entry's first key */
	for (const struct cfg_key *sub = k->sub; sub->name; sub++) {
		cfg_value_clear(elem, sub);
		if (sub != k->sub)
			set_default(rd, elem, sub, path, line_of(s));
	}
	if (!plain && !config_setting_is_scalar(s))
		value_err(rd, line_of(s), path, k, "wrong kind of entry");
	else
		set_value(rd, elem, k->sub, s, path);
}

static void read_list(struct rd *rd, void *base, const struct cfg_key *k,
		      const config_setting_t *s, const char *path)
{
	struct cfg_list *l = cfg_at(base, k);
	bool one = config_setting_is_scalar(s);
	uint32_t n = one ? 1 : (uint32_t)config_setting_length(s);

	if (config_setting_is_group(s)) {
		value_err(rd, line_of(s), path, k, "is a group");
		return;
	}
	if (n < k->min || n > k->max || n > ENTRIES) {
		char what[40];

		(void)snprintf(what, sizeof(what), "has %u entries", n);
		value_err(rd, line_of(s), path, k, what);
		return;
	}
	if (!n)
		return;
	l->v = calloc(n, k->elem_size);
	if (!l->v) {
		rd->nomem = true;
		return;
	}
	l->n = n;
	for (uint32_t i = 0; i < n; i++) {
		char full[PATH];

		(void)snprintf(full, sizeof(full), "%s[%u]", path, i);
		read_entry(rd, (char *)l->v + i * k->elem_size, k,
			   one ? s : config_setting_get_elem(s, i),
			   one ? path : full);
	}
}

static void warn_old(const struct rd *rd, const struct cfg_key *k,
		     uint32_t line)
{
	if (k->instead)
		log_warn("event=settings file=%s line=%u old=%s instead=%s",
			 log_esc(sl_cstr(rd->file)), line, k->name,
			 k->instead);
}

static void set_value(struct rd *rd, void *base, const struct cfg_key *k,
		      const config_setting_t *s, const char *path)
{
	const char *txt;
	char what[60];
	bool ok = false;

	warn_old(rd, k, line_of(s));
	if (k->type == CFG_LIST) {
		read_list(rd, base, k, s, path);
		return;
	}
	(void)snprintf(what, sizeof(what), "is %s", shape_of(s));
	switch (config_setting_type(s)) {
	case CONFIG_TYPE_BOOL:
		ok = k->type == CFG_BOOL;
		if (ok)
			*(bool *)cfg_at(base, k) =
				config_setting_get_bool(s) != 0;
		break;
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		ok = cfg_value_int(base, k, config_setting_get_int64(s));
		(void)snprintf(what, sizeof(what), "is %lld",
			       config_setting_get_int64(s));
		break;
	case CONFIG_TYPE_STRING:
		txt = config_setting_get_string(s);
		ok = k->type != CFG_U32 && k->type != CFG_BOOL && txt &&
		     cfg_value_text(base, k, sl_cstr(txt));
		if (k->type != CFG_U32 && k->type != CFG_BOOL)
			(void)snprintf(what, sizeof(what), "is \"%.40s\"%s",
				       txt, strlen(txt) > 40 ? "..." : "");
		break;
	default:
		break;
	}
	if (!ok)
		value_err(rd, line_of(s), path, k, what);
}

static bool parse(struct rd *rd, config_t *c, const char *text)
{
	if (config_read_string(c, text))
		return true;
	cfg_err(rd->errs, rd->file, (uint32_t)config_error_line(c), NULL,
		"%s, allowed: name = value; with every bracket and quote "
		"closed, each name once", config_error_text(c));
	return false;
}

/** A value in the file's own notation that stands elsewhere */
static void set_from_text(struct rd *rd, void *base, const struct cfg_key *k,
			  const char *path, const struct buf *text)
{
	const config_setting_t *s;
	struct buf b;
	config_t c;

	buf_init(&b, CFG_TEXT_MAX);
	buf_printf(&b, "v = %.*s;%c", SL_FMT(buf_as_sl(text)), 0);
	if (b.err || text->err) {
		rd->nomem = true;
		buf_free(&b);
		return;
	}
	config_init(&c);
	if (cfg_text_plain(rd->file, (const char *)b.p, rd->errs) &&
	    parse(rd, &c, (const char *)b.p)) {
		s = config_lookup(&c, "v");
		if (s && config_setting_length(config_root_setting(&c)) == 1)
			set_value(rd, base, k, s, path);
		else
			value_err(rd, 0, path, k, "is more than one value");
	}
	config_destroy(&c);
	buf_free(&b);
}

/** Lists have their default in the file's own notation */
static void list_default(struct rd *rd, void *base, const struct cfg_key *k,
			 const char *path)
{
	struct buf b;

	buf_init(&b, CFG_TEXT_MAX);
	buf_str(&b, k->def);
	set_from_text(rd, base, k, path, &b);
	buf_free(&b);
}

static void set_default(struct rd *rd, void *base, const struct cfg_key *k,
			const char *path, uint32_t line)
{
	if (!k->def)
		value_err(rd, line, path, k, "is missing");
	else if (k->type == CFG_LIST && *k->def)
		list_default(rd, base, k, path);
	else if (k->type != CFG_LIST &&
		 !cfg_value_text(base, k, sl_cstr(k->def)))
		value_err(rd, line, path, k, "has a wrong default");
}

static void set_over(struct rd *rd, void *target, const struct cfg_key *keys,
		     const char *option)
{
	struct sl name = cfg_over_key(option), v = cfg_over_value(option);
	const struct cfg_key *k = keys;
	char file[CFG_OVER_NAME], what[60], full[PATH];
	struct buf b;

	rd->file = cfg_over_name(file, option);
	while (k->name && !sl_eq(sl_cstr(k->name), name))
		k++;
	(void)snprintf(full, sizeof(full), "%.*s", SL_FMT(name));
	if (!k->name) {
		unknown(rd, keys, NULL, full, full);
		return;
	}
	if (k->type == CFG_LIST) {
		const struct cfg_key one[2] = { *k, { .name = NULL } };

		clear_keys(target, one);
	}
	if (k->type == CFG_LIST || (v.n && v.p[0] == '"')) {
		buf_init(&b, CFG_TEXT_MAX);
		cfg_over_text(&b, option);
		set_from_text(rd, target, k, full, &b);
		buf_free(&b);
	}
	else {
		warn_old(rd, k, 0);
		if (cfg_value_text(target, k, v))
			return;
		(void)snprintf(what, sizeof(what), "is \"%.*s\"",
			       v.n > 40 ? 40 : (int)v.n, v.p);
		value_err(rd, 0, full, k, what);
	}
}

static void set_overs(struct rd *rd, void *target, const struct cfg_key *keys,
		      const struct cfg_over *over)
{
	const char *file = rd->file;

	rd->over = NULL;
	rd->errs->over = NULL;       /* these say themselves where they are from */
	for (uint32_t i = 0; over && i < over->n; i++)
		set_over(rd, target, keys, over->v[i]);
	rd->errs->over = over;
	rd->file = file;
}

int cfg_read_text(void *target, const struct cfg_key *keys, const char *name,
		  const char *text, const struct cfg_over *over,
		  struct cfg_errs *errs)
{
	struct rd rd = { name, errs, false, over };
	uint32_t before = errs->n;
	config_t c;

	errs->over = NULL;
	for (const struct cfg_key *k = keys; k->name; k++)
		cfg_value_clear(target, k);
	if (!cfg_text_plain(name, text, errs))
		return EBADMSG;
	config_init(&c);
	if (parse(&rd, &c, text)) {
		const config_setting_t *root = config_root_setting(&c);

		set_defaults(&rd, target, keys, root, "", 0);
		read_group(&rd, target, keys, root, "", "");
		set_overs(&rd, target, keys, over);
	}
	config_destroy(&c);
	if (!rd.nomem && errs->n == before)
		return 0;
	clear_keys(target, keys);
	return rd.nomem ? ENOMEM : EBADMSG;
}

int cfg_read_mem(void *target, const struct cfg_key *keys, const char *name,
		 const char *text, struct cfg_errs *errs)
{
	return cfg_read_text(target, keys, name, text, NULL, errs);
}

int cfg_read_file(void *target, const struct cfg_key *keys, const char *path,
		  const struct cfg_over *over, struct cfg_errs *errs)
{
	struct buf b;
	int fd, err = 0;

	errs->over = NULL;
	for (const struct cfg_key *k = keys; k->name; k++)
		cfg_value_clear(target, k);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		err = errno;
		cfg_err(errs, path, 0, NULL, "cannot be read: %s",
			strerror(err));
		return err;
	}
	buf_init(&b, CFG_TEXT_MAX);
	err = cfg_text_slurp(&b, fd, path, errs);
	close(fd);
	if (!err)
		err = cfg_read_text(target, keys, path, (const char *)b.p,
				    over, errs);
	else if (err != EBADMSG)
		cfg_err(errs, path, 0, NULL, "cannot be read: %s",
			strerror(err));
	buf_free(&b);
	return err;
}

static void clear_keys(void *base, const struct cfg_key *keys)
{
	for (const struct cfg_key *k = keys; k->name; k++) {
		struct cfg_list *l;

		if (k->type != CFG_LIST)
			continue;
		l = cfg_at(base, k);
		for (uint32_t i = 0; i < l->n; i++)
			clear_keys((char *)l->v + i * k->elem_size, k->sub);
		free(l->v);
		*l = (struct cfg_list){ NULL, 0 };
	}
}

void cfg_err(struct cfg_errs *errs, const char *file, uint32_t line,
	     const char *key, const char *fmt, ...)
{
	const char *option = key ? cfg_over_find(errs->over, key) : NULL;
	char t[256], name[CFG_OVER_NAME];
	va_list ap;

	if (!line && option)
		file = cfg_over_name(name, option);
	else if (!line && key)
		line = cfg_text_line(file, key);

	va_start(ap, fmt);
	if (vsnprintf(t, sizeof(t), fmt, ap) < 0)
		t[0] = 0;
	va_end(ap);
	add_err(errs, file, line, key, t);
}

void cfg_log(const struct cfg_errs *errs, const char *event)
{
	uint32_t n = errs->n < CFG_ERRS ? errs->n : CFG_ERRS;

	for (uint32_t i = 0; i < n; i++) {
		char t[2 * sizeof(errs->txt[i])], *o = t;

		/* log_esc() would cut off what is allowed */
		for (const char *p = errs->txt[i]; *p; p++) {
			if (*p == '"' || *p == '\\')
				*o++ = '\\';
			*o++ = *p;
		}
		*o = 0;
		log_error("event=%s problem=\"%s\"", event, t);
	}
	if (errs->n > n)
		log_error("event=%s problem=\"and %u more\"", event,
			  errs->n - n);
}

void cfg_clear(void *target, const struct cfg_key *keys)
{
	clear_keys(target, keys);
}

const char *cfg_frozen_diff(const void *a, const void *b,
			    const struct cfg_key *keys)
{
	const char *name = NULL;
	struct buf x, y;

	buf_init(&x, 1 << 26);
	buf_init(&y, 1 << 26);
	for (; keys->name && !name; keys++) {
		if (keys->reload)
			continue;
		buf_reset(&x);
		buf_reset(&y);
		cfg_value_put(&x, a, keys);
		cfg_value_put(&y, b, keys);
		/* what cannot be compared counts as changed */
		if (x.err || y.err || !sl_eq(buf_as_sl(&x), buf_as_sl(&y)))
			name = keys->name;
	}
	buf_free(&x);
	buf_free(&y);
	return name;
}

uint64_t cfg_digest(const void *target, const struct cfg_key *keys,
		    bool (*pick)(const struct cfg_key *k))
{
	uint8_t h[crypto_generichash_BYTES_MIN];
	uint64_t v = 0;
	struct buf b;

	buf_init(&b, 1 << 26);
	for (; keys->name; keys++) {
		if (!pick || pick(keys))
			cfg_value_put(&b, target, keys);
	}
	/* no key, sizes are constants: cannot fail */
	(void)crypto_generichash(h, sizeof(h), b.p, b.n, NULL, 0);
	for (int i = 0; i < 8; i++)
		v = v << 8 | h[i];
	buf_free(&b);
	return v;
}
