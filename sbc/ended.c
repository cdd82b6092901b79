/* ended.c - Pure. The queue of connections that ended. */
#include "sbc/ended.h"

#include <stdlib.h>

struct ended_line {
	struct ended_line *next;
	uint64_t at;             /* [ms] */
	uint32_t n;
	char text[];             /* "AOR TOKEN\r\n" */
};

void ended_init(struct ended *g)
{
	memset(g, 0, sizeof(*g));
	g->last = &g->first;
}

static void pop(struct ended *g)
{
	struct ended_line *l = g->first;

	g->first = l->next;
	if (!g->first)
		g->last = &g->first;
	free(l);
}

static void batch_free(struct ended *g, struct ended_batch *b)
{
	g->waiting -= b->lines;
	buf_free(&b->body);
	memset(b, 0, sizeof(*b));
}

void ended_close(struct ended *g)
{
	while (g->first)
		pop(g);
	for (int i = 0; i < ENDED_OPEN; i++)
		batch_free(g, &g->batch[i]);
}

void ended_add(struct ended *g, struct sl aor, struct sl token, uint64_t now)
{
	size_t n = aor.n + 1 + token.n + 2;
	struct ended_line *l = NULL;

	if (g->waiting < ENDED_MAX && aor.n && token.n)
		l = malloc(sizeof(*l) + n);
	if (!l) {
		g->full++;
		return;
	}
	if (!g->first && g->due < now + ENDED_WAIT)
		g->due = now + ENDED_WAIT;
	l->next = NULL;
	l->at = now;
	l->n = (uint32_t)n;
	memcpy(l->text, aor.p, aor.n);
	l->text[aor.n] = ' ';
	memcpy(l->text + aor.n + 1, token.p, token.n);
	memcpy(l->text + n - 2, "\r\n", 2);
	*g->last = l;
	g->last = &l->next;
	g->waiting++;
}

/* Lines off the queue, as many as have room */
static bool fill(struct ended *g, struct ended_batch *b, size_t room,
		 uint64_t now)
{
	buf_init(&b->body, room);
	while (g->first) {
		const struct ended_line *l = g->first;
		bool late = now > l->at + ENDED_AGE;

		if (!late && l->n <= room && b->body.n + l->n > room)
			break;
		if (!late && l->n <= room)
			buf_put(&b->body, l->text, l->n);
		if (late || l->n > room || b->body.err) {
			g->late += late;
			g->full += !late;
			g->waiting--;
			b->body.err = 0;
		}
		else {
			b->lines++;
		}
		pop(g);
	}
	if (b->lines) {
		b->since = b->due = now;
		g->batches++;
	}
	else {
		buf_free(&b->body);
	}
	return b->lines > 0;
}

struct ended_batch *ended_poll(struct ended *g, size_t room, uint64_t now)
{
	struct ended_batch *free_one = NULL;

	for (int i = 0; i < ENDED_OPEN; i++) {
		struct ended_batch *b = &g->batch[i];

		if (!b->lines)
			free_one = b;
		else if (!b->sent && now >= b->due)
			return b;
	}
	if (!free_one || !g->first || now < g->due)
		return NULL;
	g->due = now + ENDED_PACE;
	return fill(g, free_one, room, now) ? free_one : NULL;
}

void ended_sent(struct ended_batch *b, uint16_t node)
{
	b->sent = true;
	disp_set_add(&b->tried, node);
}

void ended_none(struct ended *g, struct ended_batch *b, uint64_t now)
{
	if (now > b->since + ENDED_AGE) {
		g->late += b->lines;
		batch_free(g, b);
		return;
	}
	b->tried.bits = 0;
	b->due = now + ENDED_AGAIN;
}

void ended_done(struct ended *g, struct ended_batch *b, bool taken,
		uint64_t now)
{
	b->sent = false;
	b->due = now;
	if (!taken)
		return;
	g->told += b->lines;
	batch_free(g, b);
}

uint64_t ended_next(const struct ended *g)
{
	uint64_t at = UINT64_MAX;
	bool room = false;

	for (int i = 0; i < ENDED_OPEN; i++) {
		const struct ended_batch *b = &g->batch[i];

		room = room || !b->lines;
		if (b->lines && !b->sent && b->due < at)
			at = b->due;
	}
	return room && g->first && g->due < at ? g->due : at;
}
