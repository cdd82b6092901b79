/* lab.c - Shell. An edge and nodes of our own. */
#include <config.h>
#include "drill/lab.h"
#include "base/file.h"
#include "base/net.h"
#include "base/secret.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIP_PORT = 5060, CORE_PORT = 5070, CLUSTER_PORT = 5080,
       EDGE_HTTP = 8060, NODE_HTTP = 8061, TEXT = 1 << 22 };

const char *lab_name(uint32_t i, char txt[16])
{
	if (i == LAB_EDGE)
		(void)snprintf(txt, 16, "edge");
	else
		(void)snprintf(txt, 16, "n%u", i);
	return txt;
}

void lab_addr(const struct lab *l, uint32_t i, uint16_t port, struct addr *a)
{
	*a = (struct addr){ .af = 4, .port = port,
			    .ip = { 127, l->net[0], l->net[1],
				    (uint8_t)(i ? 10 + i : 1) } };
}

const char *lab_url(const struct lab *l, uint32_t i, char txt[64])
{
	char at[ADDR_TXT];
	struct addr a;

	lab_addr(l, i, i ? NODE_HTTP : EDGE_HTTP, &a);
	(void)snprintf(txt, 64, "http://%s", addr_txt(&a, at));
	return txt;
}

int lab_token(const struct lab *l, uint32_t i, char *txt, size_t size)
{
	char path[160], name[16];
	struct buf b;
	struct sl s;
	int err;

	(void)snprintf(path, sizeof(path), "%s/%s.state/admin.token", l->dir,
		       lab_name(i, name));
	err = file_read(&b, path, size - 1);
	if (err)
		return err;
	s = sl_trim(buf_as_sl(&b));
	memcpy(txt, s.p, s.n);
	txt[s.n] = '\0';
	buf_free(&b);
	return 0;
}

/* --- files --- */

static int save(const struct lab *l, const char *name, struct buf *b)
{
	char path[160];
	int err = b->err;

	(void)snprintf(path, sizeof(path), "%s/%s", l->dir, name);
	if (!err)
		err = file_write(path, buf_as_sl(b));
	buf_free(b);
	return err;
}

static int write_edge(const struct lab *l, const char *extra)
{
	struct addr a;
	struct buf b;

	lab_addr(l, LAB_EDGE, 0, &a);
	buf_init(&b, TEXT);
	buf_lit(&b, "listen = (");
	for (int i = 0; i < 2; i++) {
		buf_printf(&b, "%s { transport = \"%s\"; address = \"",
			   i ? "," : "", i ? "tcp" : "udp");
		addr_put_ip(&b, &a);
		buf_printf(&b, "\"; port = %d; }", SIP_PORT);
	}
	buf_lit(&b, " );\ncore = { transport = \"tcp\"; address = \"");
	addr_put_ip(&b, &a);
	buf_printf(&b, "\"; port = %d; };\npool = (", CORE_PORT);
	for (uint32_t i = 1; i <= l->nodes; i++) {
		struct addr n;

		lab_addr(l, i, 0, &n);
		buf_printf(&b, "%s { name = \"n%u\"; address = \"",
			   i > 1 ? "," : "", i);
		addr_put_ip(&b, &n);
		buf_printf(&b, "\"; port = %d; }", SIP_PORT);
	}
	buf_lit(&b, " );\nhttp = { address = \"");
	addr_put_ip(&b, &a);
	buf_printf(&b, "\"; port = %d; };\nstate_dir = \"%s/edge.state\";\n"
		   "log = { level = \"info\"; target = \"stderr\"; };\n"
		   "slowstart = 1000;\n%s", EDGE_HTTP, l->dir,
		   extra ? extra : "");
	return save(l, "edge.conf", &b);
}

/** What is changed is in it 200 ms later */
static int add_db(const struct lab *l, uint32_t i, struct buf *b,
		  int (*db_make)(const char *url))
{
	char url[160];

	if (!db_make)
		return 0;
	(void)snprintf(url, sizeof(url), "sqlite://%s/n%u.db", l->dir, i);
	buf_printf(b, "db_url = \"%s\";\nflush_interval = 200;\n", url);
	return db_make(url);
}

static int write_node(const struct lab *l, uint32_t i,
		      const struct lab_conf *cf)
{
	struct addr a, e;
	char name[32];
	struct buf b;
	int err;

	lab_addr(l, i, 0, &a);
	lab_addr(l, LAB_EDGE, 0, &e);
	buf_init(&b, TEXT);
	buf_printf(&b, "name = \"n%u\";\nsip = { address = \"", i);
	addr_put_ip(&b, &a);
	buf_printf(&b, "\"; port = %d; };\nedges = ( \"", SIP_PORT);
	addr_put_ip(&b, &e);
	buf_printf(&b, "\" );\ndomains = ( { name = \"%s\"; } );\n"
		   "auth = \"on\";\nusers_file = \"%s/users\";\n"
		   "cluster = { address = \"", cf->domain, l->dir);
	addr_put_ip(&b, &a);
	buf_printf(&b, "\"; port = %d; key_file = \"%s/cluster.key\"; "
		   "peers = (", CLUSTER_PORT, l->dir);
	for (uint32_t k = 1; k <= l->nodes; k++) {
		lab_addr(l, k, CLUSTER_PORT, &e);
		buf_printf(&b, "%s \"", k > 1 ? "," : "");
		addr_put(&b, &e);
		buf_lit(&b, "\"");
	}
	buf_lit(&b, " ); };\nhttp = { address = \"");
	addr_put_ip(&b, &a);
	buf_printf(&b, "\"; port = %d; };\nstate_dir = \"%s/n%u.state\";\n"
		   "log = { level = \"info\"; target = \"stderr\"; };\n",
		   NODE_HTTP, l->dir, i);
	err = add_db(l, i, &b, cf->db_make);
	(void)snprintf(name, sizeof(name), "n%u.conf", i);
	return save(l, name, &b) ? EIO : err;
}

static int write_users(const struct lab *l, const struct lab_conf *cf)
{
	char ha1[AUTH_HEX_MAX + 1];
	struct buf b;

	buf_init(&b, TEXT);
	for (uint32_t i = 0; i < cf->users; i++) {
		const struct gen_user *u = &cf->user[i];

		buf_printf(&b, "%s@%s", u->name, cf->domain);
		for (int a = 0; a < AUTH_ALG_N; a++) {
			auth_ha1(ha1, (enum auth_alg)a, sl_cstr(u->name),
				 sl_cstr(cf->domain), sl_cstr(u->password));
			buf_printf(&b, ":%s", ha1);
		}
		buf_lit(&b, "\n");
	}
	return save(l, "users", &b);
}

static int write_key(const struct lab *l)
{
	uint8_t key[32];
	struct buf b;

	secret_random(key, sizeof(key));
	buf_init(&b, 256);
	buf_hex(&b, key, sizeof(key));
	buf_lit(&b, "\n");
	return save(l, "cluster.key", &b);
}

static int write_all(const struct lab *l, const struct lab_conf *cf)
{
	char path[160], name[16];
	int err = write_edge(l, cf->extra);

	if (!err)
		err = write_users(l, cf);
	if (!err)
		err = write_key(l);
	for (uint32_t i = 0; i <= l->nodes && !err; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s.state", l->dir,
			       lab_name(i, name));
		if (mkdir(path, 0700))
			err = errno;
		else if (i)
			err = write_node(l, i, cf);
	}
	return err;
}

/* --- a place on loopback --- */

static bool is_free(const struct addr *a)
{
	struct sockaddr_storage ss;
	socklen_t n = net_to_sockaddr(&ss, a);
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool is = fd >= 0 &&
		!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) &&
		!bind(fd, (struct sockaddr *)&ss, n) && !listen(fd, 1);

	if (fd >= 0)
		close(fd);
	return is;
}

/** A /24 of 127/8 where no lab is */
static int find_net(struct lab *l)
{
	struct addr a;

	for (int i = 0; i < 100; i++) {
		secret_random(l->net, sizeof(l->net));
		l->net[0] = (uint8_t)(64 + l->net[0] % 128);
		lab_addr(l, LAB_EDGE, EDGE_HTTP, &a);
		if (!is_free(&a))
			continue;
		lab_addr(l, LAB_EDGE, SIP_PORT, &a);
		if (is_free(&a))
			return 0;
	}
	return EADDRINUSE;
}

/* --- programs --- */

static bool has(const char *dir, const char *sub, const char *name,
		char path[PATH_MAX])
{
	int n = snprintf(path, PATH_MAX, "%s%s/%s", dir, sub, name);

	return n > 0 && n < PATH_MAX && !access(path, X_OK);
}

/** Installed beside us, or in the tree where we were built */
static int find_program(const struct lab *l, const char *name,
			char path[PATH_MAX])
{
	static const char *const sub[] = {
		"", "/../sbin", "/../sbc", "/../node", "/sbc", "/node",
	};

	for (size_t i = 0; i < sizeof(sub) / sizeof(*sub); i++)
		if (has(l->programs, sub[i], name, path))
			return 0;
	fprintf(stderr, "edgewise: %s is not in or near %s, see "
		"--programs\n", name, l->programs);
	return ENOENT;
}

static int find_folder(struct lab *l, const char *given)
{
	ssize_t n;
	char *slash;

	if (given)
		return snprintf(l->programs, PATH_MAX, "%s", given) < PATH_MAX
			? 0 : ENAMETOOLONG;
	n = readlink("/proc/self/exe", l->programs, PATH_MAX - 1);
	if (n < 0)
		return errno;
	l->programs[n] = '\0';
	slash = strrchr(l->programs, '/');
	if (slash)
		*slash = '\0';
	return 0;
}

static void become(const struct lab *l, uint32_t i, const char *path,
		   pid_t parent)
{
	char name[16], file[40];
	sigset_t none;
	int fd;

	(void)lab_name(i, name);
	/* with the tool they die, whatever ends it */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent ||
	    chdir(l->dir))
		_exit(127);
	(void)setsid();
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	(void)snprintf(file, sizeof(file), "%s.log", name);
	fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
		_exit(127);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || dup2(fd, 0) < 0)
		_exit(127);
	(void)snprintf(file, sizeof(file), "%s.conf", name);
	execl(path, path, "-c", file, (char *)NULL);
	_exit(127);
}

int lab_start(struct lab *l, uint32_t i)
{
	char path[PATH_MAX];
	pid_t parent = getpid();
	int err;

	if (l->pid[i])
		return 0;
	err = find_program(l, i ? "edgewise-node" : "edgewise-sbc", path);
	if (err)
		return err;
	l->pid[i] = fork();
	if (l->pid[i] == 0)
		become(l, i, path, parent);
	if (l->pid[i] < 0) {
		err = errno;
		l->pid[i] = 0;
	}
	l->frozen[i] = false;
	return err;
}

int lab_signal(struct lab *l, uint32_t i, int sig)
{
	if (!l->pid[i])
		return ESRCH;
	if (kill(l->pid[i], sig))
		return errno;
	if (sig == SIGSTOP || sig == SIGCONT)
		l->frozen[i] = sig == SIGSTOP;
	return 0;
}

void lab_kill(struct lab *l, uint32_t i)
{
	if (!l->pid[i])
		return;
	(void)kill(l->pid[i], SIGKILL);
	while (waitpid(l->pid[i], NULL, 0) < 0 && errno == EINTR)
		;
	l->pid[i] = 0;
	l->frozen[i] = false;
}

bool lab_ended(struct lab *l, uint32_t i)
{
	if (l->pid[i] && waitpid(l->pid[i], NULL, WNOHANG) == l->pid[i])
		l->pid[i] = 0;
	return !l->pid[i];
}

/* --- life --- */

int lab_alloc(struct lab **lp, const struct lab_conf *cf)
{
	const char *tmp = getenv("TMPDIR");
	struct lab *l;
	char path[PATH_MAX];
	int err;

	if (!cf->nodes || cf->nodes > LAB_NODES)
		return EINVAL;
	l = calloc(1, sizeof(*l));
	if (!l)
		return ENOMEM;
	l->nodes = cf->nodes;
	l->keep = cf->keep;
	if (!tmp || *tmp != '/' || strlen(tmp) > sizeof(l->dir) - 24)
		tmp = "/tmp";
	(void)snprintf(l->dir, sizeof(l->dir), "%s/edgewise-drill-XXXXXX",
		       tmp);
	err = find_folder(l, cf->programs);
	if (!err)
		err = find_program(l, "edgewise-sbc", path);
	if (!err)
		err = find_program(l, "edgewise-node", path);
	if (!err)
		err = find_net(l);
	if (!err && !mkdtemp(l->dir))
		err = errno;
	if (err) {
		free(l);
		return err;
	}
	err = write_all(l, cf);
	if (err)
		lab_free(l);
	else
		*lp = l;
	return err;
}

void lab_free(struct lab *l)
{
	if (!l)
		return;
	for (uint32_t i = 0; i <= l->nodes; i++)
		lab_kill(l, i);
	free(l);
}
