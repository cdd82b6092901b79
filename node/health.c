/**
 * @file health.c  Pure. The value of Edgewise-Health.
 */
#include "node/health.h"

static uint64_t max_lag(const struct cluster_view *v)
{
	uint64_t lag = 0;

	for (uint32_t i = 0; i < v->n; i++) {
		if (!v->m[i].self && v->m[i].health == CLUSTER_ALIVE
		    && v->m[i].lag_ms > lag)
			lag = v->m[i].lag_ms;
	}
	return lag;
}

static bool serves(const struct cluster_member_view *m)
{
	return (m->self || (m->linked && m->health == CLUSTER_ALIVE)) &&
	       m->state == CLUSTER_READY && !m->removed && m->sip.af &&
	       m->sip.port && m->name[0];
}

/* The edge takes letters, digits and "._-" */
static void put_name(struct buf *b, const char *s)
{
	for (; *s; s++) {
		bool plain = (*s >= '0' && *s <= '9') ||
			     (*s >= 'a' && *s <= 'z') ||
			     (*s >= 'A' && *s <= 'Z') || *s == '.' ||
			     *s == '-';

		buf_chr(b, plain ? *s : '_');
	}
}

static void put_members(struct buf *b, const struct health *h)
{
	const struct cluster_view *v = h->view;
	uint32_t n = 0, at[CLUSTER_VIEW];
	const char *sep = ";members=";

	for (uint32_t i = 0; i < v->n; i++) {
		if (serves(&v->m[i]))
			at[n++] = i;
	}
	for (uint32_t k = 0; k < n && k < HEALTH_MEMBERS; k++) {
		const struct cluster_member_view *m =
			&v->m[at[(h->turn + k) % n]];
		size_t was = b->n;

		buf_str(b, sep);
		put_name(b, m->name);
		buf_chr(b, '@');
		addr_put(b, &m->sip);
		buf_lit(b, "/TCP");
		if (b->err) {
			b->n = was;       /* whole entries only */
			return;
		}
		sep = ",";
	}
}

void health_text(char txt[HEALTH_MAX], const struct health *h)
{
	struct buf b;

	buf_fixed(&b, txt, HEALTH_MAX - 1);
	buf_printf(&b, "state=%s;progress=%u;name=%s;contacts=%llu;count=%u;"
		   "alive=%u;lag=%llu;told=yes", h->state, h->progress, h->name,
		   (unsigned long long)h->contacts, h->view->members,
		   h->view->alive, (unsigned long long)max_lag(h->view));
	if (h->http.port) {
		buf_lit(&b, ";http=");
		addr_put(&b, &h->http);
	}
	put_members(&b, h);
	txt[b.n] = '\0';
}
