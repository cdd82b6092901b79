/* user.c - Shell. `edgewise user`: the users file, replaced as a whole. */
#include "ctl/ctl.h"
#include "ctl/passwd.h"
#include "ctl/usersql.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define FILE_MAX (256u << 20)    /**< longest users file [bytes]    */
#define PASSWORD 256             /**< longest password [bytes]      */

static const char usage[] =
	"usage: edgewise user add|passwd WHERE [--stdin] USER@DOMAIN\n"
	"       edgewise user del WHERE USER@DOMAIN\n"
	"       edgewise user list WHERE\n"
	"WHERE: -f FILE, a users file; or a database:\n"
	DBOPEN_USAGE;

/* Where users are, and how to get a password */
struct where {
	const char *file;         /**< NULL = a database                    */
	struct dbopen db;
	bool from_stdin;
};

struct job {
	char path[PATH_MAX];      /**< real file, links followed            */
	int fd;                   /**< open and locked                      */
	struct stat st;
	struct buf old, new;
};

static int fail(const char *what, const char *path, int err)
{
	fprintf(stderr, "edgewise: %s: %s: %s\n", path, what, strerror(err));
	return err;
}

static int slurp(struct buf *b, int fd)
{
	ssize_t n;

	do {
		uint8_t *p = buf_room(b, 65536);

		if (!p)
			return b->err;
		n = read(fd, p, 65536);
		if (n < 0)
			return errno;
		b->n += (size_t)n;
	} while (n > 0);
	return 0;
}

/**
 * Open and lock. The lock belongs to the file, not to the name: whoever had
 * it before us may have put another file in its place.
 */
static int open_locked(struct job *j, int flags)
{
	struct stat now;

	for (;;) {
		j->fd = open(j->path, flags | O_CLOEXEC, 0600);
		if (j->fd < 0)
			return errno;
		if (flock(j->fd, (flags & O_ACCMODE) == O_RDONLY ? LOCK_SH :
			  LOCK_EX) || fstat(j->fd, &j->st))
			return errno;
		if (!stat(j->path, &now) && now.st_ino == j->st.st_ino &&
		    now.st_dev == j->st.st_dev)
			return S_ISREG(now.st_mode) ? 0 : EINVAL;
		close(j->fd);
		j->fd = -1;
	}
}

static int write_all(int fd, const struct buf *b)
{
	size_t at = 0;

	while (at < b->n) {
		ssize_t n = write(fd, b->p + at, b->n - at);

		if (n < 0 && errno != EINTR)
			return errno;
		at += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static void sync_folder(const char *path)
{
	char dir[PATH_MAX];
	char *slash;
	int fd;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (slash)
		slash[slash == dir] = 0;
	fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	/* some file systems cannot; the content itself is safe */
	(void)fsync(fd);
	close(fd);
}

/** Readers see the old file or the new one, never a half */
static int replace(const struct job *j)
{
	char tmp[PATH_MAX + 8];
	int fd, err;

	snprintf(tmp, sizeof(tmp), "%s.XXXXXX", j->path);
	fd = mkstemp(tmp);              /* mode 0600 */
	if (fd < 0)
		return errno;
	err = write_all(fd, &j->new);
	/* root edits the file of the daemon's user */
	if (!err && (j->st.st_uid != geteuid() || j->st.st_gid != getegid()) &&
	    fchown(fd, j->st.st_uid, j->st.st_gid))
		err = errno;
	if (!err && fsync(fd))
		err = errno;
	if (close(fd) && !err)
		err = errno;
	if (!err && rename(tmp, j->path))
		err = errno;
	if (err)
		unlink(tmp);
	else
		sync_folder(j->path);
	return err;
}

/** One line without its end. @return 0, ENODATA (none), E2BIG, EINTR (^C) */
static int read_line(int fd, char *pw)
{
	size_t n = 0;
	char c;

	for (;;) {
		ssize_t k = read(fd, &c, 1);

		if (k < 0 && errno != EINTR)
			return errno;
		if (k == 0 && !n)
			return ENODATA;
		if (k == 0 || (k == 1 && c == '\n'))
			break;
		if (k == 1 && c == 3)
			return EINTR;
		if (n >= PASSWORD)
			return E2BIG;
		if (k == 1)
			pw[n++] = c;
	}
	if (n && pw[n - 1] == '\r')
		n--;
	pw[n] = 0;
	return n ? 0 : ENODATA;
}

/** From the terminal, without echo; ^C is a character meanwhile, so that it
 *  cannot leave the terminal silent */
static int ask(int tty, const char *prompt, char *pw)
{
	struct termios old, quiet;
	int err;

	if (tcgetattr(tty, &old))
		return errno;
	quiet = old;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
	if (tcsetattr(tty, TCSAFLUSH, &quiet))
		return errno;
	dprintf(tty, "%s", prompt);
	err = read_line(tty, pw);
	dprintf(tty, "\n");
	/* nothing more can be done about a terminal that went away */
	(void)tcsetattr(tty, TCSAFLUSH, &old);
	return err;
}

static int ask_twice(char *pw)
{
	char again[PASSWORD + 1] = "";
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC), err;

	if (tty < 0) {
		fprintf(stderr, "edgewise: no terminal to ask on, use "
			"--stdin\n");
		return ENOTTY;
	}
	err = ask(tty, "Password: ", pw);
	if (!err)
		err = ask(tty, "Again: ", again);
	close(tty);
	if (!err && strcmp(pw, again) != 0) {
		fprintf(stderr, "edgewise: the two passwords differ\n");
		err = EBADMSG;
	}
	explicit_bzero(again, sizeof(again));
	return err;
}

static int get_password(bool from_stdin, char *pw)
{
	int err = from_stdin ? read_line(0, pw) : ask_twice(pw);

	if (err == ENODATA)
		fprintf(stderr, "edgewise: a password must not be empty\n");
	if (err == E2BIG)
		fprintf(stderr, "edgewise: a password has at most %d "
			"bytes\n", PASSWORD);
	return err;
}

static int list_users(struct job *j)
{
	int err = open_locked(j, O_RDONLY);

	if (!err)
		err = slurp(&j->old, j->fd);
	if (err) {
		fail("cannot be read", j->path, err);
		return CTL_FAIL;
	}
	(void)passwd_list(&j->new, buf_as_sl(&j->old));
	if (j->new.n)
		fwrite(j->new.p, 1, j->new.n, stdout);
	return j->new.err ? CTL_FAIL : CTL_OK;
}

static int change(struct job *j, enum passwd_op op, struct sl aor,
		  struct sl line)
{
	int err = open_locked(j, op == PASSWD_ADD ? O_RDWR | O_CREAT :
			      O_RDWR);

	if (!err)
		err = slurp(&j->old, j->fd);
	if (err) {
		fail("cannot be read", j->path, err);
		return CTL_FAIL;
	}
	err = passwd_edit(&j->new, buf_as_sl(&j->old), op, aor, line);
	if (err == EEXIST || err == ENOENT) {
		fprintf(stderr, "edgewise: %.*s is %s %s\n", SL_FMT(aor),
			err == EEXIST ? "already in" : "not in", j->path);
		return CTL_BAD;
	}
	if (!err)
		err = replace(j);
	if (err) {
		fail("cannot be written", j->path, err);
		return CTL_FAIL;
	}
	return CTL_OK;
}

static int edit(struct job *j, struct where *w, enum passwd_op op,
		const char *name)
{
	char aor[PASSWD_AOR + 1], mem[PASSWD_AOR + 200];
	char pw[PASSWORD + 1] = "";
	const char *why = passwd_aor(aor, sl_cstr(name));
	struct buf line;
	int rc;

	if (why) {
		fprintf(stderr, "edgewise: %s: %s\n", name, why);
		return CTL_FAIL;
	}
	buf_fixed(&line, mem, sizeof(mem));
	if (op != PASSWD_DEL && get_password(w->from_stdin, pw))
		return CTL_FAIL;
	if (!w->file) {
		rc = usersql_edit(&w->db, op, sl_cstr(aor), sl_cstr(pw));
	}
	else {
		passwd_line(&line, sl_cstr(aor), sl_cstr(pw));
		rc = change(j, op, sl_cstr(aor), buf_as_sl(&line));
	}
	explicit_bzero(pw, sizeof(pw));
	return rc;
}

static int run(int argc, char **argv, struct where *w)
{
	static const char *const ops[] = { "add", "passwd", "del" };
	struct job j = { .fd = -1 };
	int rc = CTL_FAIL, op = 0;

	while (op < 3 && strcmp(argv[0], ops[op]) != 0)
		op++;
	if (argc != (op < 3 ? 2 : 1) ||
	    (op == 3 && strcmp(argv[0], "list") != 0)) {
		fputs(usage, stderr);
		return CTL_FAIL;
	}
	if (op == 3 && !w->file)
		return usersql_list(&w->db);
	/* a link stays a link; a new file has no real path yet */
	if (w->file && !realpath(w->file, j.path))
		snprintf(j.path, sizeof(j.path), "%s", w->file);
	buf_init(&j.old, FILE_MAX);
	buf_init(&j.new, FILE_MAX);
	if (op == 3)
		rc = list_users(&j);
	else
		rc = edit(&j, w, (enum passwd_op)op, argv[1]);
	if (j.fd >= 0)
		close(j.fd);
	buf_free(&j.old);
	buf_free(&j.new);
	return rc;
}

int ctl_user(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "file", required_argument, NULL, 'f' },
		DBOPEN_LONG,
		{ "stdin", no_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	struct where w = { .db = { .users = true } };
	int c;

	while ((c = getopt_long(argc, argv, "f:" DBOPEN_OPTS "h", opts, NULL))
	       != -1) {
		if (c == 'f') {
			w.file = optarg;
		}
		else if (c == 's') {
			w.from_stdin = true;
		}
		else if (!dbopen_option(&w.db, c, optarg)) {
			fputs(usage, c == 'h' ? stdout : stderr);
			return c == 'h' ? CTL_OK : CTL_FAIL;
		}
	}
	if (optind >= argc || (w.file && (w.db.url || w.db.config))
	    || (!w.file && !w.db.url && !w.db.config
		&& !getenv("EDGEWISE_DB"))) {
		fputs(usage, stderr);
		return CTL_FAIL;
	}
	return run(argc - optind, argv + optind, &w);
}
