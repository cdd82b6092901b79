/**
 * @file lab.h  Shell. An edge and nodes of our own, on loopback addresses
 * nobody else has, with files in a folder of their own. They die with us.
 */
#ifndef DRILL_LAB_H
#define DRILL_LAB_H

#include "drill/gen.h"
#include <limits.h>
#include <sys/types.h>

enum { LAB_NODES = 9, LAB_EDGE = 0 };

struct lab_conf {
	const char *programs;        /**< folder; NULL: beside us            */
	uint32_t nodes;
	const struct gen_user *user; /**< who may register                   */
	uint32_t users;
	const char *domain;
	const char *extra;           /**< edge settings added, NULL: none    */
	bool keep;                   /**< the folder stays                   */
	/** Makes the tables of "sqlite://...". @return 0 or errno. NULL: the
	 *  nodes have no databases; else each has one of its own */
	int (*db_make)(const char *url);
};

struct lab {
	char dir[64];
	char programs[PATH_MAX];
	uint8_t net[2];              /**< 127.net[0].net[1].x                */
	uint32_t nodes;
	pid_t pid[LAB_NODES + 1];    /**< [LAB_EDGE], then nodes; 0: not run */
	bool frozen[LAB_NODES + 1];
	bool keep;
};

/** Folder, settings, users. Nothing runs yet. Problems are said on stderr.
 *  @return 0 or errno */
int  lab_alloc(struct lab **lp, const struct lab_conf *cf);
/** Ends all, removes the folder */
void lab_free(struct lab *l);

/** i: LAB_EDGE, or 1.. for nodes. @return 0 or errno */
int  lab_start(struct lab *l, uint32_t i);
int  lab_signal(struct lab *l, uint32_t i, int sig);
/** SIGKILL and reap */
void lab_kill(struct lab *l, uint32_t i);
/** Has it ended by itself, or after a signal? Reaps it */
bool lab_ended(struct lab *l, uint32_t i);
/** "n1"; "edge" */
const char *lab_name(uint32_t i, char txt[16]);
void lab_addr(const struct lab *l, uint32_t i, uint16_t port,
	      struct addr *a);
/** "http://127.x.y.z:8060" */
const char *lab_url(const struct lab *l, uint32_t i, char txt[64]);
/** Token of a program, NUL at its end. @return 0 or errno */
int  lab_token(const struct lab *l, uint32_t i, char *txt, size_t size);

#endif
