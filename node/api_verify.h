/**
 * @file api_verify.h  Shell. Proof on demand that the nodes hold the same: POST
 * starts a comparison, GET shows how far it is and what it found.
 */
#ifndef NODE_API_VERIFY_H
#define NODE_API_VERIFY_H

#include "web/action.h"

struct node;
struct api_verify;

/** n is borrowed. @return 0, ENOSPC, ENOMEM */
int  api_verify_alloc(struct api_verify **vp, struct http_srv *s,
		      struct actions *act, struct node *n);
void api_verify_free(struct api_verify *v);

#endif
