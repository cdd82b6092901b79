/* fuzz_binding.c - the stored value of a contact, as a peer may send it: what
 * decodes encodes to the same meaning; and Contact elements from a REGISTER */
#include <stdlib.h>
#include "node/binding.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(const struct binding *a, const struct binding *b)
{
	return binding_same(a, b) && sl_eq(a->path, b->path)
		&& sl_eq(a->callid, b->callid) && sl_eq(a->agent, b->agent)
		&& sl_eq(a->methods, b->methods)
		&& sl_eq(a->received, b->received) && a->cseq == b->cseq
		&& a->expires == b->expires;
}

static void stored(const uint8_t *data, size_t size)
{
	struct binding a, b;
	struct buf v;

	if (binding_decode(&a, sl_mk(data, size)))
		return;
	buf_init(&v, BINDING_VALUE_MAX);
	if (binding_encode(&v, &a) || binding_decode(&b, buf_as_sl(&v))
	    || !same(&a, &b))
		abort();
	buf_reset(&v);
	binding_put(&v, &a, 60);
	(void)binding_outbound(&a);
	buf_free(&v);
}

static void contact(const uint8_t *data, size_t size)
{
	struct binding a, b;
	const char *why;
	struct buf k, v;

	if (binding_parse(&a, sl_mk(data, size), &why))
		return;
	if (a.q > BINDING_Q_MAX || (a.reg_id && !a.instance.n))
		abort();
	buf_init(&k, 4 * BINDING_KEY_MAX);
	(void)binding_key(&k, &a);
	buf_free(&k);
	/* what we list can be read again, and is the same contact */
	buf_init(&v, 65536);
	binding_put(&v, &a, 60);
	if (!v.err && (binding_parse(&b, buf_as_sl(&v), &why)
		       || !binding_same(&a, &b)))
		abort();
	buf_free(&v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	stored(data, size);
	contact(data, size);
	return 0;
}
