/* persist_row.c - Pure. A record as a row, and back. */
#include "node/persist.h"
#include "base/secret.h"
#include "node/binding.h"
#include <errno.h>

/* BLAKE2b under a key that everybody knows: no two bindings meet in one row,
 * and tools can make rows without the cluster's key */
void persist_id(uint8_t id[16], struct sl aor, struct sl key)
{
	static const uint8_t known[SECRET_KEY] = "edgewise location row 1";
	uint8_t mem[2 + REC_AOR_MAX + REC_KEY_MAX];
	struct buf b;

	buf_fixed(&b, mem, sizeof(mem));
	put_u16(&b, (uint16_t)aor.n);
	buf_sl(&b, aor);
	buf_sl(&b, key);
	secret_mac(id, known, b.p, b.n);
}

/* For people: what is shown, or was shown last */
static void columns(struct persist_row *r, const struct rec_entry *e)
{
	struct binding b;

	r->cseq = e->cseq;
	if (!e->has_value || binding_decode(&b, e->value))
		return;
	r->contact = b.uri;
	r->path = b.path;
	r->callid = b.callid;
	r->agent = b.agent;
	r->received = b.received;
}

int persist_row(struct persist_row *r, struct sl packed, uint64_t wall)
{
	const struct rec_entry *shown;
	struct record rec;

	if (record_decode(&rec, packed))
		return EBADMSG;
	memset(r, 0, sizeof(*r));
	persist_id(r->id, rec.aor, rec.key);
	shown = record_visible(&rec, wall);
	/* The join of two records is at least as large as each: stamps and hold
	 * only rise. Not always: a kill may leave both as they are. */
	r->ver = (int64_t)record_top(&rec).t;
	r->ver2 = (int64_t)rec.hold;
	r->hold = (int64_t)rec.hold;
	for (uint8_t i = 0; i < rec.n; i++)
		if (!rec.e[i].dead && (int64_t)rec.e[i].expires > r->hold)
			r->hold = (int64_t)rec.e[i].expires;
	r->expires = shown ? (int64_t)shown->expires : 0;
	r->dead = !shown;
	for (uint8_t i = 1; i < rec.n; i++)
		r->several |= rec.e[i].has_value;
	r->aor = rec.aor;
	r->packed = packed;
	columns(r, &rec.e[0]);
	return 0;
}

size_t persist_lean(uint8_t *to, size_t max, struct sl packed)
{
	struct record rec;
	struct buf b;

	if (record_decode(&rec, packed))
		return 0;
	for (uint8_t i = 1; i < rec.n; i++) {
		rec.e[i].has_value = false;
		rec.e[i].value = SL_NONE;
	}
	buf_fixed(&b, to, max);
	record_encode(&b, &rec);
	return b.err ? 0 : b.n;
}

int persist_record(struct record *r, struct sl packed, uint64_t keep)
{
	if (record_decode(r, packed))
		return EBADMSG;
	for (uint8_t i = 0; i < r->n; i++) {
		uint64_t max = stamp_ms(r->e[i].vstamp) + keep;

		if (r->e[i].expires > max)
			r->e[i].expires = max;
	}
	return 0;
}
