/**
 * @file world_i.h  Test support. What the world_*.c files share.
 */
#ifndef TESTS_SBC_WORLD_I_H
#define TESTS_SBC_WORLD_I_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "sip/hop.h"
#include "world.h"

char *xdup(struct sl s);
void set(char *dst, size_t size, struct sl s);
char *fmt(const char *f, ...) __attribute__((format(printf, 1, 2)));
struct addr addr_of(const char *txt);
bool scan(struct sip_msg *m, struct sl data);
void edge_flush(struct world *w);

void vnode_answer(struct vnode *n, uint32_t conn, const struct sip_msg *m,
		  uint16_t code, const char *extra);
void vnode_init(struct world *w, unsigned i);
void vnode_close(struct vnode *n);
void vphone_close(struct vphone *p);

#endif
