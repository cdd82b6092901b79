/* wire.c - Pure. Frames of the cluster protocol.
 * docs/cluster-protocol.md 2 (frame) and 5 (messages). */
#include <errno.h>
#include "cluster/crc.h"
#include "cluster/tlv.h"
#include "cluster/wire.h"

const char *wire_type_name(uint8_t type)
{
	switch ((enum wire_type)type) {
	case WIRE_HELLO:     return "HELLO";
	case WIRE_HELLO_ACK: return "HELLO_ACK";
	case WIRE_HEARTBEAT: return "HEARTBEAT";
	case WIRE_BYE:       return "BYE";
	case WIRE_ERROR:     return "ERROR";
	case WIRE_MEMBERS:   return "MEMBERS";
	case WIRE_PUSH:      return "PUSH";
	case WIRE_ACK:       return "ACK";
	case WIRE_ASK:       return "ASK";
	case WIRE_DIGEST:    return "DIGEST";
	case WIRE_WANT:      return "WANT";
	case WIRE_DATA:      return "DATA";
	case WIRE_DONE:      return "DONE";
	case WIRE_HINT:      return "HINT";
	}
	return "?";
}

/* --- frame ------------------------------------------------------------------- */

/* CRC over header and payload, the field itself (bytes 12..15) as 0 */
static uint32_t frame_crc(const uint8_t *p, size_t n)
{
	static const uint8_t zero[4];
	uint32_t c;

	c = crc_add(0, p, 12);
	c = crc_add(c, zero, 4);
	return crc_add(c, p + WIRE_HEAD, n);
}

int wire_frame(struct sl in, size_t max, struct wire_head *h, size_t *total)
{
	struct cur c;
	uint32_t crc;
	uint16_t magic;

	cur_init(&c, in.p, in.n);
	*total = WIRE_HEAD;
	/* A stranger's first bytes are enough to see that it is none of us */
	if (in.n >= 2 && (magic = cur_u16(&c)) != WIRE_MAGIC)
		return EBADMSG;
	if (in.n < WIRE_HEAD)
		return EAGAIN;
	h->version = cur_u8(&c);
	h->type = cur_u8(&c);
	h->flags = cur_u16(&c);
	h->channel = cur_u16(&c);
	h->n = cur_u32(&c);
	crc = cur_u32(&c);
	if (h->type != WIRE_PUSH && h->type != WIRE_DATA &&
	    max > WIRE_CONTROL_MAX)
		max = WIRE_CONTROL_MAX;
	if (h->n > max || h->n > WIRE_MAX)
		return ENOSPC;
	*total = WIRE_HEAD + (size_t)h->n;
	if (in.n < *total)
		return EAGAIN;
	if (crc != frame_crc((const uint8_t *)in.p, h->n))
		return EBADMSG;
	return 0;
}

size_t wire_begin(struct buf *b, uint8_t type, uint16_t channel)
{
	size_t at = b->n;

	put_u16(b, WIRE_MAGIC);
	put_u8(b, WIRE_FRAME);
	put_u8(b, type);
	put_u16(b, 0);
	put_u16(b, channel);
	put_u32(b, 0);
	put_u32(b, 0);
	return at;
}

static void poke_u32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

void wire_end(struct buf *b, size_t at)
{
	size_t n;

	if (b->err)
		return;
	n = b->n - at - WIRE_HEAD;
	poke_u32(b->p + at + 8, (uint32_t)n);
	poke_u32(b->p + at + 12, frame_crc(b->p + at, n));
}

/* --- TLVs of messages ---------------------------------------------------------- */

enum { TLV_NAME = 1, TLV_ADDR = 2, TLV_TURN = 3 };    /* of HELLO */
enum { TLV_E_TURN = 1 };                               /* of ERROR */
enum { TLV_P_WAIT = 1 };                               /* of PUSH */

/* The rest of a message: unknown optional fields are skipped */
int wire_tail(struct cur *c)
{
	return c->err ? EBADMSG :
		tlv_check(sl_mk(c->p + c->pos, cur_left(c)));
}

/* --- messages --------------------------------------------------------------------- */

void wire_hello_encode(struct buf *b, const struct wire_hello *h)
{
	size_t at = wire_begin(b, WIRE_HELLO, WIRE_CONTROL);

	put_u8(b, h->min);
	put_u8(b, h->max);
	put_u8(b, h->role);
	put_u8(b, 0);
	buf_put(b, h->cluster, sizeof(h->cluster));
	put_u64(b, h->node);
	put_u64(b, h->incarnation);
	put_u64(b, h->features);
	put_u32(b, h->max_expires);
	put_u16(b, h->canon);
	put_u64(b, h->wall);
	if (h->name[0])
		tlv_put(b, TLV_NAME, sl_cstr(h->name));
	if (h->addr.af)
		tlv_put_addr(b, TLV_ADDR, &h->addr);
	if (h->turn.n)
		roster_put_turn(b, TLV_TURN, &h->turn);
	wire_end(b, at);
}

static int hello_tlvs(struct wire_hello *h, struct cur *c)
{
	struct sl v;
	uint16_t tag;
	int err = 0;

	for (int n = 0; !err && tlv_next(c, &tag, &v); n++) {
		if (n >= TLV_MAX)
			return EBADMSG;
		if (tag == TLV_NAME)
			err = tlv_get_name(h->name, sizeof(h->name), v);
		else if (tag == TLV_ADDR)
			err = tlv_get_addr(&h->addr, v);
		else if (tag == TLV_TURN)
			err = roster_get_turn(&h->turn, v);
		else if (tag & TLV_MUST)
			err = EBADMSG;
	}
	return err || c->err ? EBADMSG : 0;
}

int wire_hello_decode(struct wire_hello *h, struct sl p)
{
	struct cur c;
	struct sl id;

	memset(h, 0, sizeof(*h));
	cur_init(&c, p.p, p.n);
	h->min = cur_u8(&c);
	h->max = cur_u8(&c);
	h->role = cur_u8(&c);
	(void)cur_u8(&c);           /* reserved */
	id = cur_bytes(&c, sizeof(h->cluster));
	h->node = cur_u64(&c);
	h->incarnation = cur_u64(&c);
	h->features = cur_u64(&c);
	h->max_expires = cur_u32(&c);
	h->canon = cur_u16(&c);
	h->wall = cur_u64(&c);
	if (c.err || h->min > h->max || h->node == 0)
		return EBADMSG;
	memcpy(h->cluster, id.p, sizeof(h->cluster));
	return hello_tlvs(h, &c);
}

void wire_hello_ack_encode(struct buf *b, const struct wire_hello_ack *a)
{
	size_t at = wire_begin(b, WIRE_HELLO_ACK, WIRE_CONTROL);

	put_u8(b, a->version);
	put_u64(b, a->features);
	put_u64(b, a->incarnation);
	put_u64(b, a->have);
	put_u64(b, a->seq);
	wire_end(b, at);
}

int wire_hello_ack_decode(struct wire_hello_ack *a, struct sl p)
{
	struct cur c;

	cur_init(&c, p.p, p.n);
	a->version = cur_u8(&c);
	a->features = cur_u64(&c);
	a->incarnation = cur_u64(&c);
	a->have = cur_u64(&c);
	a->seq = cur_u64(&c);
	return wire_tail(&c);
}

enum { HB_F_MAJORITY = 1, HB_F_SYNCED = 2 };

void wire_heartbeat_encode(struct buf *b, const struct wire_heartbeat *h)
{
	size_t at = wire_begin(b, WIRE_HEARTBEAT, WIRE_CONTROL);

	put_u64(b, h->beat);
	put_u8(b, h->state);
	put_u8(b, (uint8_t)((h->majority ? HB_F_MAJORITY : 0) |
			    (h->synced ? HB_F_SYNCED : 0)));
	put_u64(b, h->wall);
	put_u64(b, h->settings);
	put_u64(b, h->users);
	put_u64(b, h->seq);
	put_u64(b, h->fed);
	put_u64(b, h->ack);
	put_u64(b, h->records);
	put_u64(b, h->contacts);
	put_u16(b, h->n);
	for (uint16_t i = 0; i < h->n; i++) {
		put_u64(b, h->row[i].node);
		put_u8(b, h->row[i].hears);
	}
	wire_end(b, at);
}

int wire_heartbeat_decode(struct wire_heartbeat *h, struct sl p)
{
	struct cur c;
	uint8_t f;

	cur_init(&c, p.p, p.n);
	h->beat = cur_u64(&c);
	h->state = cur_u8(&c);
	f = cur_u8(&c);
	h->majority = f & HB_F_MAJORITY;
	h->synced = f & HB_F_SYNCED;
	h->wall = cur_u64(&c);
	h->settings = cur_u64(&c);
	h->users = cur_u64(&c);
	h->seq = cur_u64(&c);
	h->fed = cur_u64(&c);
	h->ack = cur_u64(&c);
	h->records = cur_u64(&c);
	h->contacts = cur_u64(&c);
	h->n = cur_u16(&c);
	if (c.err || h->n > WIRE_ROWS || h->state > CLUSTER_DRAINING)
		return EBADMSG;
	for (uint16_t i = 0; i < h->n; i++) {
		h->row[i].node = cur_u64(&c);
		h->row[i].hears = cur_u8(&c) & 1;
	}
	return wire_tail(&c);
}

void wire_bye_encode(struct buf *b, const struct wire_bye *y)
{
	size_t at = wire_begin(b, WIRE_BYE, WIRE_CONTROL);

	put_u8(b, y->reason);
	wire_end(b, at);
}

int wire_bye_decode(struct wire_bye *y, struct sl p)
{
	struct cur c;

	cur_init(&c, p.p, p.n);
	y->reason = cur_u8(&c);
	return wire_tail(&c);
}

void wire_error_encode(struct buf *b, const struct wire_error *e)
{
	size_t at = wire_begin(b, WIRE_ERROR, WIRE_CONTROL);

	put_u16(b, e->code);
	put_sl16(b, sl_sub(e->text, 0, WIRE_TEXT_MAX));
	if (e->turn.n)
		roster_put_turn(b, TLV_E_TURN, &e->turn);
	wire_end(b, at);
}

int wire_error_decode(struct wire_error *e, struct sl p)
{
	uint16_t tag;
	struct cur c;
	struct sl v;
	size_t at;

	cur_init(&c, p.p, p.n);
	e->code = cur_u16(&c);
	e->text = cur_sl16(&c, WIRE_TEXT_MAX);
	e->turn = (struct roster_turn){ 0 };
	at = c.pos;
	/* the known one first, so that the rest can be checked as ever */
	if (tlv_next(&c, &tag, &v) && tag == TLV_E_TURN) {
		if (roster_get_turn(&e->turn, v))
			return EBADMSG;
	}
	else if (!c.err) {
		c.pos = at;
	}
	return wire_tail(&c);
}

void wire_members_encode(struct buf *b, const struct roster *r)
{
	size_t at = wire_begin(b, WIRE_MEMBERS, WIRE_CONTROL);

	roster_put(b, r);
	wire_end(b, at);
}

int wire_members_decode(struct cur *c, struct sl p)
{
	cur_init(c, p.p, p.n);
	if (roster_check(c) || wire_tail(c))
		return EBADMSG;
	cur_init(c, p.p, p.n);
	return 0;
}

void wire_ack_encode(struct buf *b, const struct wire_ack *a)
{
	size_t at = wire_begin(b, WIRE_ACK, WIRE_CONTROL);

	put_u64(b, a->seq);
	wire_end(b, at);
}

int wire_ack_decode(struct wire_ack *a, struct sl p)
{
	struct cur c;

	cur_init(&c, p.p, p.n);
	a->seq = cur_u64(&c);
	return wire_tail(&c);
}

/* --- HINT ---------------------------------------------------------------------------- */

void wire_hint_encode(struct buf *b, const struct wire_hint *h,
		      const uint64_t *v)
{
	size_t at = wire_begin(b, WIRE_HINT, WIRE_CONTROL);

	put_u32(b, h->ms);
	put_u16(b, h->n);
	for (uint16_t i = 0; i < h->n; i++)
		put_u64(b, v[i]);
	wire_end(b, at);
}

int wire_hint_decode(struct wire_hint *h, struct sl p)
{
	struct cur c;

	cur_init(&c, p.p, p.n);
	h->ms = cur_u32(&c);
	h->v = wire_list(&c, &h->n, WIRE_HINTS, 8);
	return wire_tail(&c);
}

uint64_t wire_hint_value(const struct wire_hint *h, uint16_t i)
{
	return wire_list_at(h->v, i, 8);
}

/* --- PUSH ---------------------------------------------------------------------------- */

size_t wire_push_begin(struct buf *b, uint64_t prev)
{
	size_t at = wire_begin(b, WIRE_PUSH, WIRE_LIVE);

	put_u64(b, prev);
	put_u64(b, 0);
	put_u16(b, 0);
	return at;
}

void wire_push_add(struct buf *b, struct sl packed)
{
	put_sl16(b, packed);
}

void wire_push_wait(struct buf *b, uint16_t ms)
{
	const uint8_t v[2] = { (uint8_t)(ms >> 8), (uint8_t)ms };

	tlv_put(b, TLV_P_WAIT, sl_mk(v, sizeof(v)));
}

void wire_push_end(struct buf *b, size_t at, uint64_t last, uint16_t n)
{
	uint8_t *p;

	if (b->err)
		return;
	p = b->p + at + WIRE_HEAD;
	poke_u32(p + 8, (uint32_t)(last >> 32));
	poke_u32(p + 12, (uint32_t)last);
	p[16] = (uint8_t)(n >> 8);
	p[17] = (uint8_t)n;
	wire_end(b, at);
}

int wire_push_decode(struct wire_push *u, struct sl p)
{
	struct cur c, tail;
	struct sl v;
	uint16_t tag;

	cur_init(&c, p.p, p.n);
	u->prev = cur_u64(&c);
	u->last = cur_u64(&c);
	if (u->last < u->prev)
		return EBADMSG;
	u->records = wire_records(&c, &u->n);
	u->wait = 0;
	tail = c;
	while (tlv_next(&tail, &tag, &v))
		if (tag == TLV_P_WAIT && v.n == 2)
			u->wait = (uint16_t)((uint8_t)v.p[0] << 8 |
					     (uint8_t)v.p[1]);
	return wire_tail(&c);
}

bool wire_push_next(struct wire_push *u, struct sl *packed)
{
	return wire_record_next(&u->records, &u->n, packed);
}
