/* ca.c - Shell. `edgewise ca`: a CA in a folder, certificates of nodes. */
#include "ctl/ctl.h"
#include "ctl/pki.h"
#include "base/clk.h"
#include "base/secret.h"
#include "cluster/cert.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAYS_CA 3650
#define DAYS_NODE 365
#define DAYS_MAX 36500

static const char usage[] =
	"usage: edgewise ca init DIR [--days N] [--name TEXT]\n"
	"       edgewise ca issue DIR NODE [--days N] [--out DIR]\n"
	"       edgewise ca show FILE\n"
	"  init   a new CA: DIR/ca.pem and DIR/ca.key (keep that one secret)\n"
	"  issue  key and certificate of the node that node.conf calls NODE\n"
	"  show   whom certificates are for, and how long they are valid\n";

struct args {
	const char *word[3];      /* what is no option                    */
	int n;
	uint32_t days;            /* 0 = not given                        */
	const char *name, *out;
};

static int fail(const char *path, const char *why)
{
	fprintf(stderr, "edgewise: %s: %s\n", path, why);
	return CTL_BAD;
}

static int wrong_usage(void)
{
	fputs(usage, stderr);
	return CTL_FAIL;
}

/* --- files --------------------------------------------------------------- */

static int write_new(const char *path, const struct buf *b, mode_t mode)
{
	/* never over an old one: nodes may be using it */
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int err = 0;

	if (fd < 0)
		return errno;
	if (write(fd, b->p, b->n) != (ssize_t)b->n || fchmod(fd, mode) ||
	    fsync(fd))
		err = errno ? errno : EIO;
	if (close(fd) && !err)
		err = errno;
	if (err)
		unlink(path);
	return err;
}

static const char *why(int err)
{
	return err == EEXIST ? "exists, will not be overwritten" :
		strerror(err);
}

/* Both or none */
static int write_pair(const struct pki_pair *p, const char *cert,
		      const char *key)
{
	int err = write_new(key, &p->key, 0600);

	if (err)
		return fail(key, why(err));
	err = write_new(cert, &p->cert, 0644);
	if (!err)
		return CTL_OK;
	unlink(key);
	return fail(cert, why(err));
}

static int slurp(struct buf *b, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	ssize_t n = 1;

	buf_init(b, CERT_FILE_MAX);
	if (fd < 0)
		return errno;
	while (!err && n > 0) {
		uint8_t *p = b->n < CERT_FILE_MAX ?
			buf_room(b, CERT_FILE_MAX - b->n) : NULL;

		n = p ? read(fd, p, CERT_FILE_MAX - b->n) : -1;
		if (n < 0)
			err = p ? errno : EFBIG;
		else
			b->n += (size_t)n;
	}
	close(fd);
	return err;
}

/* dir/base + suffix, absolute when that can be told.
 * @return 0 or ENAMETOOLONG */
static int join(char out[PATH_MAX], const char *dir, const char *base,
		const char *suffix)
{
	char real[PATH_MAX];
	int n;

	if (!realpath(dir, real))
		n = snprintf(out, PATH_MAX, "%s/%s%s", dir, base, suffix);
	else
		n = snprintf(out, PATH_MAX, "%s/%s%s", real, base, suffix);
	return n > 0 && n < PATH_MAX ? 0 : ENAMETOOLONG;
}

static int make_folder(const char *dir)
{
	return mkdir(dir, 0700) && errno != EEXIST ? errno : 0;
}

/* A path as a string of libconfig */
static void print_setting(const char *key, const char *path)
{
	printf("  %s = \"", key);
	for (; *path; path++)
		printf(*path == '"' || *path == '\\' ? "\\%c" : "%c", *path);
	printf("\";\n");
}

/* --- init ---------------------------------------------------------------- */

static bool good_cn(const char *cn)
{
	size_t n = strlen(cn);

	for (const char *p = cn; *p; p++)
		if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
			return false;
	return n > 0 && n <= PKI_CN;
}

static int init(const struct args *a)
{
	char cert[PATH_MAX], key[PATH_MAX], cn[PKI_CN + 1], date[24];
	const char *dir = a->word[1], *bad;
	struct pki_pair p = { 0 };
	uint64_t wall = clk_wall();
	int err, rc;

	if (a->n != 2 || a->out)
		return wrong_usage();
	cert_date(date, wall);
	/* CAs of one cluster live side by side while one follows the other */
	(void)snprintf(cn, sizeof(cn), "Edgewise cluster CA %.10s", date);
	if (a->name && !good_cn(a->name))
		return fail(a->name, "no name for a CA, allowed: 1 to 64 "
			    "printable ASCII characters");
	err = make_folder(dir);
	if (!err)
		err = join(cert, dir, "ca", ".pem");
	if (!err)
		err = join(key, dir, "ca", ".key");
	if (err)
		return fail(dir, strerror(err));
	bad = pki_ca(&p, a->name ? a->name : cn, a->days ? a->days : DAYS_CA,
		     wall);
	rc = bad ? fail(dir, bad) : write_pair(&p, cert, key);
	cert_date(date, p.until);
	pki_free(&p);
	if (rc == CTL_OK)
		printf("%s: the CA, valid until %s; every node needs it\n"
		       "%s: its private key, mode 0600; no node needs it, "
		       "keep it where nobody else reads\n", cert, date, key);
	return rc;
}

/* --- issue --------------------------------------------------------------- */

static int read_ca(struct buf *ca, struct buf *key, const char *dir,
		   char path[PATH_MAX])
{
	char key_path[PATH_MAX];
	int err = join(path, dir, "ca", ".pem");

	if (!err)
		err = join(key_path, dir, "ca", ".key");
	if (err)
		return fail(dir, strerror(err));
	err = slurp(ca, path);
	if (err)
		return fail(path, strerror(err));
	err = slurp(key, key_path);
	return err ? fail(key_path, strerror(err)) : CTL_OK;
}

static void tell(const char *name, const char *ca, const char *cert,
		 const char *key, uint64_t until)
{
	char date[24];

	cert_date(date, until);
	printf("%s: certificate of node \"%s\", valid until %s\n"
	       "%s: its private key, mode 0600\n"
	       "Take both and %s to the node. Its node.conf, in the group "
	       "cluster:\n", cert, name, date, key, ca);
	print_setting("ca_file", ca);
	print_setting("cert_file", cert);
	print_setting("cert_key_file", key);
}

static int write_node(const struct pki_pair *p, const char *name,
		      const char *ca, const char *out)
{
	char cert[PATH_MAX], key[PATH_MAX];
	int rc, err = make_folder(out);

	if (!err)
		err = join(cert, out, name, ".pem");
	if (!err)
		err = join(key, out, name, ".key");
	if (err)
		return fail(out, strerror(err));
	rc = write_pair(p, cert, key);
	if (rc == CTL_OK)
		tell(name, ca, cert, key, p->until);
	return rc;
}

static int issue(const struct args *a)
{
	const char *dir = a->word[1], *name = a->word[2], *bad;
	struct buf ca = { 0 }, key = { 0 };
	struct pki_pair p = { 0 };
	char path[PATH_MAX];
	int rc;

	if (a->n != 3 || a->name)
		return wrong_usage();
	if (!cert_name_ok(sl_cstr(name)))
		return fail(name, "no name for a node, allowed: 1 to 63 "
			    "letters, digits, '.', '_', '-', the first one a "
			    "letter or digit");
	rc = read_ca(&ca, &key, dir, path);
	if (rc == CTL_OK) {
		bad = pki_node(&p, buf_as_sl(&ca), buf_as_sl(&key), name,
			       a->days ? a->days : DAYS_NODE, clk_wall());
		rc = bad ? fail(dir, bad) : write_node(&p, name, path,
						      a->out ? a->out : dir);
	}
	if (key.p)
		explicit_bzero(key.p, key.n);
	buf_free(&ca);
	buf_free(&key);
	pki_free(&p);
	return rc;
}

/* --- show ---------------------------------------------------------------- */

static int show(const struct args *a)
{
	const char *path = a->word[1];
	bool bad = false;
	struct buf pem, out;
	unsigned n;
	int err;

	if (a->n != 2 || a->days || a->name || a->out)
		return wrong_usage();
	err = slurp(&pem, path);
	if (err) {
		buf_free(&pem);
		(void)fail(path, strerror(err));
		return CTL_FAIL;
	}
	buf_init(&out, 1 << 20);
	n = pki_show(&out, buf_as_sl(&pem), clk_wall(), &bad);
	if (n)
		fwrite(out.p, 1, out.n, stdout);
	buf_free(&out);
	explicit_bzero(pem.p, pem.n);       /* a key may stand beside it */
	buf_free(&pem);
	if (!n) {
		(void)fail(path, "no certificate in it, allowed: PEM");
		return CTL_FAIL;
	}
	return bad ? CTL_BAD : CTL_OK;
}

/* --- command ------------------------------------------------------------- */

/* @return false = wrong usage */
static bool parse(struct args *a, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "days", required_argument, NULL, 'd' },
		{ "name", required_argument, NULL, 'n' },
		{ "out", required_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", opts, NULL)) != -1) {
		switch (c) {
		case 'd':
			if (sl_u32(sl_cstr(optarg), DAYS_MAX, &a->days) ||
			    !a->days)
				return false;
			break;
		case 'n':
			a->name = optarg;
			break;
		case 'o':
			a->out = optarg;
			break;
		default:
			return false;
		}
	}
	for (; optind < argc && a->n < 3; optind++)
		a->word[a->n++] = argv[optind];
	return optind == argc && a->n > 1;
}

int ctl_ca(int argc, char **argv)
{
	struct args a = { 0 };

	if (argc > 1 && (!strcmp(argv[1], "--help") ||
			 !strcmp(argv[1], "-h"))) {
		fputs(usage, stdout);
		return CTL_OK;
	}
	if (!parse(&a, argc, argv))
		return wrong_usage();
	if (secret_init()) {
		fputs("edgewise: no random numbers\n", stderr);
		return CTL_FAIL;
	}
	if (!strcmp(a.word[0], "init"))
		return init(&a);
	if (!strcmp(a.word[0], "issue"))
		return issue(&a);
	if (!strcmp(a.word[0], "show"))
		return show(&a);
	return wrong_usage();
}
