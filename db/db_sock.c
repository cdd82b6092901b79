/* db_sock.c - Shell. */
#include "db/db_sock.h"
#include <dirent.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#define KNOWN 64          /**< connections of a program at most */

/* Sockets that belong to a connection already. Other threads of the program open and
 * close sockets at any time, but none to the port of a database. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int known[KNOWN];
static unsigned n_known;

void db_sock_begin(const struct db_url *u)
{
	if (u->kind != DB_SQLITE)
		pthread_mutex_lock(&lock);
}

static bool is_ours(int fd, const struct db_url *u)
{
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	} a;
	socklen_t n = sizeof(a);
	char path[sizeof(a.un.sun_path)] = "";
	uint32_t port = u->port ? u->port : u->kind == DB_MYSQL ? 3306 : 5432;

	memset(&a, 0, sizeof(a));
	if (getpeername(fd, &a.sa, &n))
		return false;
	if (a.sa.sa_family == AF_INET)
		return ntohs(a.in.sin_port) == port;
	if (a.sa.sa_family == AF_INET6)
		return ntohs(a.in6.sin6_port) == port;
	if (a.sa.sa_family != AF_UNIX)
		return false;
	/* PostgreSQL's is a folder; MariaDB's own default when it says localhost */
	if (!db_url_plain(path, sizeof(path),
			  db_url_param(u, SL("unix-socket"))) || !*path)
		return u->kind == DB_MYSQL && strstr(a.un.sun_path, "mysql");
	return !strncmp(a.un.sun_path, path, strlen(path));
}

static bool is_known(int fd)
{
	for (unsigned i = 0; i < n_known; i++) {
		if (known[i] == fd)
			return true;
	}
	return false;
}

/** The only socket that fits; -1: none, or more than one */
static int find(const struct db_url *u)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	int found = -1;

	if (!d)
		return -1;
	while ((e = readdir(d))) {
		int fd = atoi(e->d_name);

		if (e->d_name[0] == '.' || is_known(fd) || !is_ours(fd, u))
			continue;
		if (found >= 0) {
			found = -1;
			break;
		}
		found = fd;
	}
	closedir(d);
	return found;
}

int db_sock_end(const struct db_url *u)
{
	int fd;

	if (u->kind == DB_SQLITE)
		return -1;
	fd = n_known >= KNOWN ? -1 : find(u);
	if (fd >= 0)
		known[n_known++] = fd;
	pthread_mutex_unlock(&lock);
	return fd;
}

void db_sock_forget(int fd)
{
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < n_known; i++) {
		if (known[i] == fd) {
			known[i] = known[--n_known];
			break;
		}
	}
	pthread_mutex_unlock(&lock);
}
