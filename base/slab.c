/* slab.c - Pure. Objects of one size. */
#include "base/mem.h"
#include "base/poison.h"
#include "base/slab.h"
#include <stdlib.h>

enum {
	PIECE = 32768,       /**< about [bytes]                               */
	HEAD = 16,           /**< of a piece: the next one; keeps alignment   */
};

/** Head of a free object or of a piece */
struct link {
	struct link *next;
};

void slab_init(struct slab *s, size_t size)
{
	*s = (struct slab){ .size = (size + 15) / 16 * 16 };
	s->per = (uint32_t)(PIECE / s->size);
	if (!s->per)
		s->per = 1;
}

static bool piece(struct slab *s)
{
	size_t n = s->per * s->size;
	uint8_t *p = malloc(HEAD + n);

	if (!p)
		return false;
	mem_have(p, HEAD + n);
	((struct link *)(void *)p)->next = s->pieces;
	s->pieces = p;
	s->next = p + HEAD;
	s->end = s->next + n;
	POISON(s->next, n);
	return true;
}

void *slab_get(struct slab *s)
{
	struct link *l = s->free;

	if (l) {
		UNPOISON(l, s->size);
		s->free = l->next;
	}
	else {
		if (s->next == s->end && !piece(s))
			return NULL;
		l = (void *)s->next;
		s->next += s->size;
		UNPOISON(l, s->size);
	}
	s->live++;
	return l;
}

void slab_put(struct slab *s, void *obj)
{
	struct link *l = obj;

	l->next = s->free;
	s->free = l;
	s->live--;
	POISON(l, s->size);
}

void slab_close(struct slab *s)
{
	struct link *p = s->pieces, *next;

	for (; p; p = next) {
		next = p->next;
		UNPOISON((uint8_t *)p + HEAD, s->per * s->size);
		free(p);
	}
	slab_init(s, s->size);
}
