/* source.c - Pure. What each address may ask and be sent. */
#include "sbc/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	AOR_SETS = 8192, AOR_WAYS = 4,
	CREDIT_MAX = 262144,         /**< [bytes]                             */
	PHONE_BURST = 4,             /**< seconds of phone_rate at once       */
	PHONES_MAX = 65536,          /**< sources whose phones are counted    */
	ASKED = 64,                  /**< answers of sources_trusts() kept    */
};

struct aor_bucket {
	uint64_t aor, filled;        /**< filled: [ms], 0 = free              */
	uint32_t tokens;             /**< [1/1000]                            */
};

struct list {
	struct source *first, *last;     /**< first: seen last                */
};

struct sources {
	struct source_conf cf;
	uint8_t key[SECRET_KEY];
	struct source **slot;
	uint32_t slots;              /**< power of two                        */
	struct list fresh, good;
	struct source *last;         /**< looked up last, NULL = gone         */
	struct {
		struct addr a;
		bool trusted;
	} asked[ASKED];              /**< lately, by the last byte of an IPv4
				      address; af 0 = free                    */
	struct aor_bucket (*aor)[AOR_WAYS];
	uint64_t tokens, filled;     /**< of all strangers                    */
	uint32_t counting;           /**< sources with phones                 */
	struct source_stats st;
	struct stats *reg;           /**< borrowed                            */
};

/* --- the table --- */

int sources_alloc(struct sources **sp, const struct source_conf *cf,
		  const uint8_t key[SECRET_KEY])
{
	struct sources *s = calloc(1, sizeof(*s));

	if (!s)
		return ENOMEM;
	s->cf = *cf;
	memcpy(s->key, key, sizeof(s->key));
	for (s->slots = 64; s->slots < cf->max && s->slots < 1u << 24;)
		s->slots *= 2;
	s->slot = calloc(s->slots, sizeof(*s->slot));
	s->aor = calloc(AOR_SETS, sizeof(*s->aor));
	if (!s->slot || !s->aor) {
		sources_free(s);
		return ENOMEM;
	}
	*sp = s;
	return 0;
}

static void list_del(struct list *l, struct source *x)
{
	*(x->prev ? &x->prev->next : &l->first) = x->next;
	*(x->next ? &x->next->prev : &l->last) = x->prev;
}

static void list_add(struct list *l, struct source *x)
{
	x->prev = NULL;
	x->next = l->first;
	*(l->first ? &l->first->prev : &l->last) = x;
	l->first = x;
}

static struct list *list_of(struct sources *s, const struct source *x)
{
	return x->good ? &s->good : &s->fresh;
}

static void free_list(struct list *l)
{
	while (l->first) {
		struct source *x = l->first;

		list_del(l, x);
		free(x->phones);
		free(x);
	}
}

void sources_free(struct sources *s)
{
	if (!s)
		return;
	stat_del_owner(s->reg, s);
	free_list(&s->fresh);
	free_list(&s->good);
	free(s->slot);
	free(s->aor);
	free(s);
}

void sources_conf(struct sources *s, const struct source_conf *cf)
{
	uint32_t max = s->cf.max;

	s->cf = *cf;
	s->cf.max = max;
	memset(s->asked, 0, sizeof(s->asked));
}

struct source_stats *sources_figures(struct sources *s)
{
	return &s->st;
}

int sources_stats(struct sources *s, struct stats *st)
{
	const struct {
		enum stat_type type;
		const char *name, *labels, *help;
		const uint64_t *v;
	} row[] = {
		{ STAT_GAUGE, "sbc_sources", NULL, "Addresses known",
		  &s->st.now },
		{ STAT_GAUGE, "sbc_sources_proved", NULL,
		  "Addresses that answered a challenge lately",
		  &s->st.proved },
		{ STAT_GAUGE, "sbc_sources_banned", NULL, "Addresses banned",
		  &s->st.banned },
		{ STAT_COUNTER, "sbc_admission_dropped_total", "why=\"rate\"",
		  "Messages not let in, or answers not let out, by reason",
		  &s->st.drop[SOURCE_RATE] },
		{ STAT_COUNTER, "sbc_admission_dropped_total", "why=\"aor\"",
		  "Messages not let in, or answers not let out, by reason",
		  &s->st.drop[SOURCE_AOR] },
		{ STAT_COUNTER, "sbc_admission_dropped_total", "why=\"credit\"",
		  "Messages not let in, or answers not let out, by reason",
		  &s->st.drop[SOURCE_CREDIT] },
		{ STAT_COUNTER, "sbc_admission_dropped_total", "why=\"banned\"",
		  "Messages not let in, or answers not let out, by reason",
		  &s->st.drop[SOURCE_BANNED] },
		{ STAT_COUNTER, "sbc_admission_dropped_total", "why=\"scanner\"",
		  "Messages not let in, or answers not let out, by reason",
		  &s->st.drop[SOURCE_SCANNER] },
		{ STAT_COUNTER, "sbc_admission_dropped_total", "why=\"domain\"",
		  "Messages not let in, or answers not let out, by reason",
		  &s->st.drop[SOURCE_DOMAIN] },
		{ STAT_COUNTER, "sbc_admission_dropped_total",
		  "why=\"strangers\"",
		  "Messages not let in, or answers not let out, by reason",
		  &s->st.drop[SOURCE_STRANGERS] },
		{ STAT_COUNTER, "sbc_sources_forgotten_total", NULL,
		  "Addresses forgotten because of admit.sources",
		  &s->st.forgotten },
		{ STAT_COUNTER, "sbc_offences_total", NULL,
		  "What streams did and phones do not", &s->st.offences },
		{ STAT_COUNTER, "sbc_bans_total", NULL, "Bans",
		  &s->st.bans },
	};
	int err = 0;

	s->reg = st;
	for (size_t i = 0; i < sizeof(row) / sizeof(*row) && !err; i++)
		err = stat_add(st, row[i].type, row[i].name, row[i].labels,
			       row[i].help, row[i].v, s);
	return err;
}

static void key_of(struct addr *k, const struct addr *a)
{
	static const uint8_t v4[12] = { [10] = 0xff, [11] = 0xff };

	*k = *a;
	k->port = 0;
	if (a->af != 6)
		return;
	/* IPv4 in IPv6 is IPv4: else all of them were one /64 */
	if (!memcmp(a->ip, v4, sizeof(v4))) {
		k->af = 4;
		memcpy(k->ip, a->ip + 12, 4);
		memset(k->ip + 4, 0, 12);
		return;
	}
	memset(k->ip + 8, 0, 8);
}

static struct source **place(const struct sources *s, const struct addr *k)
{
	uint64_t h = secret_hash(s->key, k->ip, sizeof(k->ip));
	struct source **pp = &s->slot[h & (s->slots - 1)];

	while (*pp && !addr_ip_eq(&(*pp)->addr, k))
		pp = &(*pp)->hnext;
	return pp;
}

struct source *sources_find(const struct sources *s, const struct addr *a)
{
	struct addr k;

	key_of(&k, a);
	return *place(s, &k);
}

static void forget(struct sources *s, struct source *x)
{
	*place(s, &x->addr) = x->hnext;
	s->last = NULL;
	list_del(list_of(s, x), x);
	s->st.now--;
	s->st.proved -= x->proved != 0;
	s->st.banned -= x->banned != 0;
	s->counting -= x->phones != NULL;
	free(x->phones);
	free(x);
}

/** Its proof or ban is over: one of many again */
static void look(struct sources *s, struct source *x, uint64_t now)
{
	bool good;

	if (x->proved && now >= x->proved) {
		x->proved = 0;
		s->st.proved--;
	}
	if (x->banned && now >= x->banned) {
		x->banned = 0;
		s->st.banned--;
	}
	good = x->proved || x->banned;
	list_del(list_of(s, x), x);
	x->good = good;
	list_add(list_of(s, x), x);
}

struct source *sources_get(struct sources *s, const struct addr *a,
			   uint64_t now)
{
	struct source *x, **pp;
	struct addr k;

	key_of(&k, a);
	/* one message asks several times */
	if (s->last && addr_ip_eq(&s->last->addr, &k)) {
		look(s, s->last, now);
		return s->last;
	}
	pp = place(s, &k);
	x = *pp;
	if (x) {
		s->last = x;
		look(s, x, now);
		return x;
	}
	if (s->st.now >= s->cf.max) {
		forget(s, s->fresh.last ? s->fresh.last : s->good.last);
		s->st.forgotten++;
		pp = place(s, &k);
	}
	x = calloc(1, sizeof(*x));
	if (!x)
		return NULL;
	x->addr = k;
	x->filled = now;
	x->tokens = 1000ull * s->cf.burst;
	*pp = x;
	list_add(&s->fresh, x);
	s->st.now++;
	return x;
}

static bool trusts(const struct sources *s, const struct addr *a)
{
	for (uint32_t i = 0; i < s->cf.trustedc; i++)
		if (addr_in_net(a, &s->cf.trusted[i]))
			return true;
	return false;
}

/* one message asks several times */
bool sources_trusts(struct sources *s, const struct addr *a)
{
	unsigned i = a->ip[3] % ASKED;

	if (!a->af || !addr_ip_eq(a, &s->asked[i].a)) {
		s->asked[i].a = *a;
		s->asked[i].trusted = trusts(s, a);
	}
	return s->asked[i].trusted;
}

/* --- what it may --- */

void source_came(struct source *x, size_t n)
{
	x->credit += n;
	if (x->credit > CREDIT_MAX)
		x->credit = CREDIT_MAX;
}

bool source_pays(struct source *x, size_t n, uint64_t now)
{
	if (source_is_proved(x, now))
		return true;
	if (x->credit < n)
		return false;
	x->credit -= n;
	return true;
}

bool source_takes(struct sources *s, struct source *x, uint64_t now)
{
	uint64_t phones = source_phones_n(x);
	uint64_t rate = s->cf.rate + phones * s->cf.phone_rate;
	uint64_t full = 1000ull * (s->cf.burst + phones * s->cf.phone_rate *
				   PHONE_BURST);
	uint64_t dt = now - x->filled;

	if (!s->cf.rate)
		return true;
	dt = dt < 3600000 ? dt : 3600000;
	x->tokens += dt * rate;
	x->tokens = x->tokens < full ? x->tokens : full;
	x->filled = now;
	if (x->tokens < 1000)
		return false;
	x->tokens -= 1000;
	return true;
}

bool sources_stranger(struct sources *s, uint64_t now)
{
	const uint64_t full = 2000ull * s->cf.stranger_rate;
	uint64_t dt = now - s->filled;

	if (!s->cf.stranger_rate)
		return true;
	dt = dt < 2000 ? dt : 2000;
	s->tokens += dt * s->cf.stranger_rate;
	s->tokens = s->tokens < full ? s->tokens : full;
	s->filled = now;
	if (s->tokens < 1000)
		return false;
	s->tokens -= 1000;
	return true;
}

/** Of a set the one of this AoR, else the one used longest ago: an attack on
 *  many AoRs makes the table forget, and hurts nobody */
static struct aor_bucket *aor_find(struct sources *s, uint64_t aor)
{
	struct aor_bucket *v = s->aor[secret_hash(s->key, &aor, sizeof(aor))
				      % AOR_SETS], *old = v;

	for (int i = 0; i < AOR_WAYS; i++) {
		if (v[i].filled && v[i].aor == aor)
			return &v[i];
		if (v[i].filled < old->filled)
			old = &v[i];
	}
	*old = (struct aor_bucket){ .aor = aor };
	return old;
}

bool sources_aor(struct sources *s, uint64_t aor, uint64_t now)
{
	const uint64_t full = 2000ull * s->cf.aor_rate;
	struct aor_bucket *b;
	uint64_t t, dt;

	if (!s->cf.aor_rate)
		return true;
	b = aor_find(s, aor);
	dt = b->filled ? now - b->filled : 2000;
	dt = dt < 2000 ? dt : 2000;
	t = b->tokens + dt * s->cf.aor_rate;
	t = t < full ? t : full;
	b->filled = now ? now : 1;
	b->tokens = (uint32_t)(t >= 1000 ? t - 1000 : t);
	return t >= 1000;
}

/* --- who it is --- */

uint32_t source_phones_n(const struct source *x)
{
	const struct source_phones *p = x->phones;
	uint32_t a = p ? p->n16[0] : 0, b = p ? p->n16[1] : 0;

	return ((a > b ? a : b) + 8) / 16;
}

/** Linear counting: each further bit stands for more phones, the more are set */
static void count_phone(struct sources *s, struct source *x, uint64_t phone,
			uint64_t now)
{
	struct source_phones *p = x->phones;
	uint64_t h = secret_hash(s->key, &phone, sizeof(phone)) % SOURCE_BITS;

	if (!p) {
		if (s->counting >= PHONES_MAX)
			return;
		p = x->phones = calloc(1, sizeof(*p));
		if (!p)
			return;
		s->counting++;
		p->since = now;
	}
	if (now - p->since >= SOURCE_GEN) {
		bool gap = now - p->since >= 2ull * SOURCE_GEN;

		memcpy(p->bit[1], p->bit[0], sizeof(p->bit[0]));
		p->set[1] = gap ? 0 : p->set[0];
		p->n16[1] = gap ? 0 : p->n16[0];
		memset(p->bit[0], 0, sizeof(p->bit[0]));
		p->set[0] = p->n16[0] = 0;
		p->since = now;
	}
	if (p->bit[0][h / 64] >> (h % 64) & 1)
		return;
	p->bit[0][h / 64] |= 1ull << (h % 64);
	p->n16[0] += 16 * SOURCE_BITS / (SOURCE_BITS - p->set[0]);
	p->set[0]++;
	/* it brings what it may ask at once */
	x->tokens += 1000ull * s->cf.phone_rate * PHONE_BURST;
}

void source_prove(struct sources *s, struct source *x, uint64_t phone,
		  uint64_t now)
{
	s->st.proved += !x->proved;
	x->proved = now + SOURCE_PROVED;
	if (phone)
		count_phone(s, x, phone, now);
	look(s, x, now);
}

/* --- bans --- */

static void ban(struct sources *s, struct source *x, uint64_t ms,
		struct sl why, uint64_t now)
{
	size_t n = why.n < SOURCE_WHY ? why.n : SOURCE_WHY;

	s->st.banned += !x->banned;
	s->st.bans++;
	x->banned = now + (ms && ms < SOURCE_BAN_MAX ? ms : SOURCE_BAN_MAX);
	x->score = 0;
	memcpy(x->why, why.p, n);
	x->why[n] = '\0';
	look(s, x, now);
}

bool source_offends(struct sources *s, struct source *x, uint32_t points,
		    const char *why, uint64_t now)
{
	uint64_t ago = (now - x->score_at) / 1000;

	s->st.offences++;
	/* many may be behind it: what one does must not hit the others */
	if (!s->cf.ban || source_phones_n(x) || x->banned)
		return false;
	if (ago) {
		x->score = x->score > ago ? x->score - (uint32_t)ago : 0;
		x->score_at = now;
	}
	x->score += points;
	if (x->score < SOURCE_SCORE)
		return false;
	ban(s, x, (uint64_t)s->cf.ban << (x->bans < 8 ? x->bans : 8),
	    sl_cstr(why), now);
	x->bans++;
	return true;
}

void source_ban(struct sources *s, struct source *x, uint64_t ms,
		struct sl why, uint64_t now)
{
	ban(s, x, ms, why, now);
}

bool source_unban(struct sources *s, struct source *x)
{
	if (!x->banned)
		return false;
	x->banned = 0;
	x->score = x->bans = 0;
	s->st.banned--;
	s->st.unbans++;
	return true;
}

bool source_is_banned(struct sources *s, struct source *x, uint64_t now)
{
	if (x->banned && now >= x->banned)
		look(s, x, now);
	return x->banned != 0;
}

uint32_t sources_banned(struct sources *s, struct source **v, uint32_t n,
			uint64_t now)
{
	uint32_t k = 0;

	if (!s->st.banned)
		return 0;
	for (struct source *x = s->good.first; x && k < n; x = x->next)
		if (x->banned > now)
			v[k++] = x;
	return k;
}

void sources_sweep(struct sources *s, uint64_t now)
{
	struct source *x = s->good.last, *prev;

	for (int i = 0; x && i < 64; i++, x = prev) {
		prev = x->prev;
		if ((x->proved && now >= x->proved) ||
		    (x->banned && now >= x->banned))
			look(s, x, now);
	}
}
