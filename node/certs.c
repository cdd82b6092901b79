/**
 * @file certs.c  Pure. Watches the end of our certificate.
 */
#include "node/certs.h"
#include "base/log.h"
#include <stdio.h>

enum { DAY = 86400000 };         /* [ms] */

int certs_figures(struct certs *c, struct stats *st)
{
	int err = stat_add(st, STAT_GAUGE, "cluster_by_certificate", NULL,
			   "Links are authenticated: 0 by the key, 1 by "
			   "certificates", &c->used, c);

	if (err)
		return err;
	return stat_add(st, STAT_GAUGE, "cluster_certificate_left_seconds",
			NULL, "Our certificate and its CA are valid so long "
			"still; 0 = ran out, or links by key", &c->left, c);
}

static void count(struct certs *c, uint64_t wall)
{
	c->used = c->info.name[0] != 0;
	c->left = c->used && c->info.not_after > wall
		? (c->info.not_after - wall) / 1000 : 0;
}

static bool near_end(const struct certs *c, uint64_t wall)
{
	return c->info.name[0]
		&& wall + (uint64_t)CERTS_WARN * DAY > c->info.not_after;
}

int64_t certs_days(const struct certs *c, uint64_t wall)
{
	if (wall > c->info.not_after)
		return -1 - (int64_t)((wall - c->info.not_after) / DAY);
	return (int64_t)((c->info.not_after - wall) / DAY);
}

void certs_set(struct certs *c, const struct cert_info *info, uint64_t now,
	       uint64_t wall)
{
	static const struct cert_info none;
	const struct cert_info *next = info ? info : &none;
	bool same = !strcmp(c->info.name, next->name)
		&& !strcmp(c->info.issuer, next->issuer)
		&& c->info.not_after == next->not_after;

	c->info = *next;
	c->warn_at = now;
	if (!same && info)
		log_info("event=certificate name=%s issuer=%s not_after=%s "
			 "days_left=%lld", info->name,
			 log_esc(sl_cstr(info->issuer)), info->until,
			 (long long)certs_days(c, wall));
	else if (!same)
		log_info("event=certificate text=\"none, links by key\"");
	certs_tick(c, now, wall);
}

bool certs_warning(const struct certs *c, uint64_t wall, char *txt,
		   size_t size)
{
	int64_t days = certs_days(c, wall);

	if (!near_end(c, wall))
		return false;
	if (days < 0)
		(void)snprintf(txt, size, "the certificate of our links ran "
			       "out on %s", c->info.until);
	else
		(void)snprintf(txt, size, "the certificate of our links runs "
			       "out in %lld days, on %s", (long long)days,
			       c->info.until);
	return true;
}

void certs_tick(struct certs *c, uint64_t now, uint64_t wall)
{
	char txt[120];

	count(c, wall);
	if (now < c->warn_at || !certs_warning(c, wall, txt, sizeof(txt)))
		return;
	c->warn_at = now + DAY;
	log_warn("event=certificate name=%s days_left=%lld text=\"%s\"",
		 c->info.name, (long long)certs_days(c, wall), txt);
}
