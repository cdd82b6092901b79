/* msg.h - Shared by the tests of sip/: texts in, scanned messages out. */
#ifndef TESTS_SIP_MSG_H
#define TESTS_SIP_MSG_H

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "sip/hop.h"
#include "sip/scan.h"

#define LEN(v) (sizeof(v) / sizeof((v)[0]))

/** A good request; %s = more header lines */
#define INVITE(extra) \
	"INVITE sip:bob@example.com SIP/2.0\r\n" \
	"Via: SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bKabc;rport\r\n" \
	"Max-Forwards: 70\r\n" \
	"From: Alice <sip:alice@example.com>;tag=a1\r\n" \
	"To: Bob <sip:bob@example.com>\r\n" \
	"Call-ID: c1@192.0.2.1\r\n" \
	"CSeq: 7 INVITE\r\n" \
	extra \
	"Content-Length: 4\r\n\r\nbody"

#define SLEQ(s, lit) \
	cr_assert(sl_eq((s), SL(lit)), "got \"%.*s\", want \"%s\"", \
		  SL_FMT(s), lit)

/** Exactly sized heap copy, so that a read past the end is seen */
static inline char *msg_copy(const void *p, size_t n)
{
	char *c = malloc(n ? n : 1);

	cr_assert_not_null(c);
	if (n)
		memcpy(c, p, n);
	return c;
}

struct scanned {
	struct sip_msg m;
	struct sip_fault f;
	int err;
	char *mem;
};

static inline struct scanned *scan_mem(const void *p, size_t n, bool datagram)
{
	struct scanned *s = calloc(1, sizeof(*s));

	cr_assert_not_null(s);
	memset(&s->m, 0xa5, sizeof(s->m));
	s->mem = msg_copy(p, n);
	s->err = sip_scan(&s->m, s->mem, n, datagram, &s->f);
	return s;
}

static inline struct scanned *scan_txt(const char *txt)
{
	return scan_mem(txt, strlen(txt), true);
}

static inline void scanned_free(struct scanned *s)
{
	free(s->mem);
	free(s);
}

/** One torture file; *np = its size */
static inline char *torture(const char *name, size_t *np)
{
	char path[512], *mem = malloc(65536);
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.dat", TORTURE, name);
	f = fopen(path, "rb");
	cr_assert_not_null(f, "%s", path);
	*np = fread(mem, 1, 65536, f);
	fclose(f);
	return mem;
}

/** Fields of one row of expect.tsv. @return false = end */
struct expect {
	char name[64], scan[16], udp[32], tcp[64];
};
static inline bool expect_next(FILE *f, struct expect *x)
{
	char line[1024];

	while (fgets(line, sizeof(line), f))
		if (*line != '#' &&
		    sscanf(line, "%63[^\t]\t%15[^\t]\t%31[^\t]\t%63[^\t]",
			   x->name, x->scan, x->udp, x->tcp) == 4)
			return true;
	return false;
}
static inline FILE *expect_open(void)
{
	FILE *f = fopen(TORTURE "/expect.tsv", "r");

	cr_assert_not_null(f);
	return f;
}

#endif
