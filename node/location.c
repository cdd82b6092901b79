/**
 * @file location.c  Pure. Address of record -> contact bindings.
 */
#include "node/location.h"
#include "base/secret.h"
#include <errno.h>
#include <stdlib.h>

uint64_t location_lineage(const struct location *l, struct sl callid)
{
	return secret_hash(l->key, callid.p, callid.n);
}

static int copy(struct loc_contact *lc, const struct store_contact *c)
{
	lc->mem = malloc(c->key.n + c->value.n + 1);
	if (!lc->mem)
		return ENOMEM;
	if (c->key.n)
		memcpy(lc->mem, c->key.p, c->key.n);
	if (c->value.n)
		memcpy(lc->mem + c->key.n, c->value.p, c->value.n);
	lc->key = sl_mk(lc->mem, c->key.n);
	lc->vstamp = c->vstamp;
	if (binding_decode(&lc->b, sl_mk(lc->mem + c->key.n, c->value.n))) {
		free(lc->mem);
		return EBADMSG;
	}
	/* the record's own order and time count, not the copies in the value */
	lc->b.cseq = c->cseq;
	lc->b.expires = c->expires;
	return 0;
}

static int by_q(const void *pa, const void *pb)
{
	const struct loc_contact *a = pa, *b = pb;

	if (a->b.q != b->b.q)
		return a->b.q > b->b.q ? -1 : 1;
	return stamp_cmp(b->vstamp, a->vstamp);
}

int location_get(struct location *l, struct sl aor, uint64_t wall,
		 struct loc_set *set)
{
	struct store_iter it;
	struct store_contact c;
	int err;

	set->n = 0;
	set->undecoded = 0;
	store_get(l->store, aor, wall, &it);
	while (set->n < LOCATION_MAX && store_next(&it, &c)) {
		err = copy(&set->v[set->n], &c);
		if (err == ENOMEM)
			return ENOMEM;
		if (err)
			set->undecoded++;
		else
			set->n++;
	}
	if (set->n > 1)
		qsort(set->v, set->n, sizeof(set->v[0]), by_q);
	return 0;
}

bool location_any(struct location *l, struct sl aor, uint64_t wall)
{
	struct store_iter it;
	struct store_contact c;

	store_get(l->store, aor, wall, &it);
	return store_next(&it, &c);
}

void loc_set_free(struct loc_set *set)
{
	for (uint32_t i = 0; i < set->n; i++)
		free(set->v[i].mem);
	set->n = 0;
}

int location_find(struct location *l, struct sl aor, struct sl key,
		  uint64_t wall, struct binding *b)
{
	struct store_contact c;
	int err;

	err = store_find(l->store, aor, key, wall, &c);
	if (!err)
		err = binding_decode(b, c.value);
	if (!err) {
		b->cseq = c.cseq;
		b->expires = c.expires;
	}
	return err;
}

bool location_from(struct location *l, struct sl aor,
		   const struct addr *client, uint64_t wall)
{
	struct store_iter it;
	struct store_contact c;
	struct binding b;
	struct addr a;

	store_get(l->store, aor, wall, &it);
	while (store_next(&it, &c)) {
		a = (struct addr){ 0 };
		if (!binding_decode(&b, c.value)
		    && !addr_parse_ip(&a, b.received) && a.af == client->af
		    && !memcmp(a.ip, client->ip, a.af == 4 ? 4 : 8))
			return true;
	}
	return false;
}

int location_kill(struct location *l, struct sl aor,
		  const struct loc_contact *c, uint64_t wall)
{
	return store_kill(l->store, aor, c->key, c->vstamp, wall);
}
