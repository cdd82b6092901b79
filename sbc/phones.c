/* phones.c - Pure. Phones that have registered lately. */
#include "sbc/phones.h"

#include <stdlib.h>
#include <string.h>

enum { WORDS = PHONES_BITS / 64, PROBES = 3, SHIFT = 20 };

static uint32_t bit_of(uint64_t id, unsigned k)
{
	return (uint32_t)(id >> k * SHIFT) % PHONES_BITS;
}

static bool has(const uint64_t *bit, uint64_t id)
{
	for (unsigned k = 0; k < PROBES; k++) {
		uint32_t i = bit_of(id, k);

		if (!(bit[i / 64] >> (i % 64) & 1))
			return false;
	}
	return true;
}

void phones_close(struct phones *p)
{
	free(p->bit);
	memset(p, 0, sizeof(*p));
}

/** The young generation becomes the old one */
static void turn(struct phones *p, uint64_t now)
{
	if (now - p->since >= 2ull * PHONES_LIFE)
		memset(p->bit, 0, 2 * WORDS * sizeof(*p->bit));
	p->young = !p->young;
	memset(p->bit + p->young * WORDS, 0, WORDS * sizeof(*p->bit));
	p->since = now;
}

void phones_add(struct phones *p, uint64_t id, uint64_t now)
{
	uint64_t *bit;

	if (!p->bit) {
		p->bit = calloc(2 * WORDS, sizeof(*p->bit));
		if (!p->bit)
			return;
		p->since = now;
	}
	if (now - p->since >= PHONES_LIFE)
		turn(p, now);
	bit = p->bit + p->young * WORDS;
	for (unsigned k = 0; k < PROBES; k++) {
		uint32_t i = bit_of(id, k);

		bit[i / 64] |= 1ull << (i % 64);
	}
}

bool phones_has(const struct phones *p, uint64_t id, uint64_t now)
{
	uint64_t age = now - p->since;

	if (!p->bit || age >= 2ull * PHONES_LIFE)
		return false;
	return has(p->bit + p->young * WORDS, id) ||
	       (age < PHONES_LIFE && has(p->bit + !p->young * WORDS, id));
}
