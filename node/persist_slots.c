/* persist_slots.c - Pure. A shared database: whose rows are whose. */
#include "node/persist_i.h"

enum { TWICE = 20000 };            /* [ms] after a slot was taken over       */

bool persist_ours(const struct persist *p, struct sl aor)
{
	return !p->cf.slot ||
	       persist_bit(p->mine, p->cf.slot(aor, p->cf.arg));
}

/* A change that was behind us already when its slot came to us is written,
 * too: nobody knows what its last owner had still to write */
bool persist_due(const struct persist *p, const struct store_change *c)
{
	uint32_t slot;

	if (!p->cf.slot)
		return true;
	slot = p->cf.slot(c->aor, p->cf.arg);
	return persist_bit(p->mine, slot) &&
	       (c->seq > p->clean || persist_bit(p->gained, slot));
}

void persist_moved(struct persist *p)
{
	for (uint32_t i = 0; p->cf.slot && i < PERSIST_SLOTS; i++) {
		uint8_t bit = (uint8_t)(1u << i % 8);
		bool mine = p->cf.mine(i, p->cf.arg);

		if (mine && !persist_bit(p->mine, i)) {
			p->mine[i / 8] |= bit;
			p->gained[i / 8] |= bit;
			p->again = p->fresh = true;
			p->st.moved++;
		} else if (!mine) {
			p->mine[i / 8] &= (uint8_t)~bit;
			p->gained[i / 8] &= (uint8_t)~bit;
			p->once[i / 8] &= (uint8_t)~bit;
		}
	}
}

/* From the beginning, for the slots that were gained */
void persist_go_back(struct persist *p, uint64_t now)
{
	if (p->fresh)
		p->twice_at = now + TWICE;
	p->again = p->fresh = false;
	if (p->clean < p->conf.seq)
		p->clean = p->conf.seq;
	store_cursor_set(p->cf.store, &p->read, 0);
	store_cursor_set(p->cf.store, &p->conf, 0);
	p->flush_at = 0;
	p->whole = false;
}

/* The slots gained are written. Their last owner may have had a batch under
 * way that came after ours, with equal versions: they are written again. */
void persist_gained(struct persist *p, uint64_t now)
{
	bool due = now >= p->twice_at, waits = p->twice_at != UINT64_MAX;

	for (uint32_t i = 0; i < PERSIST_SLOTS / 8; i++) {
		p->once[i] |= waits ? p->gained[i] : 0;
		p->gained[i] = due ? p->once[i] : 0;
		if (due)
			p->once[i] = 0;
	}
	if (due) {
		p->again = true;
		p->twice_at = UINT64_MAX;
	}
}

/* Who had our slots before may have a batch under way that comes after we read,
 * with versions equal to what we have heard since: they are written once, later */
void persist_all_read(struct persist *p, uint64_t now)
{
	memcpy(p->once, p->gained, sizeof(p->once));
	memset(p->gained, 0, sizeof(p->gained));
	if (p->fresh)
		p->twice_at = now + TWICE;
	p->again = p->fresh = false;
}
