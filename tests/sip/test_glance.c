/* What a refusal needs, seen at a glance: the same as the scanner finds, or
 * nothing at all. */
#include "tests/sip/msg.h"

#include <stdlib.h>

#include "base/buf.h"
#include "sip/glance.h"
#include "sip/hop.h"

static struct sip_msg *look(const char *txt)
{
	struct sip_msg *m = malloc(sizeof(*m));

	cr_assert_not_null(m);
	if (glance(m, txt, strlen(txt)))
		return m;
	free(m);
	return NULL;
}

#define VIA "Via: SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bK-1;rport\r\n"
#define FROM "From: <sip:a@example.com>;tag=a1\r\n"
#define TO "To: <sip:b@example.com>\r\n"
#define REST "Call-ID: c1@192.0.2.1\r\nCSeq: 7 INVITE\r\n"
#define START "INVITE sip:b@example.com SIP/2.0\r\n"
#define END "Content-Length: 0\r\n\r\n"

static void seen(const char *txt)
{
	struct sip_msg *m = look(txt), *full = malloc(sizeof(*full));
	const struct addr src = { .af = 4, .ip = { 203, 0, 113, 9 },
				  .port = 5071 };
	struct sip_fault fault;
	uint8_t ma[4096], mb[4096];
	struct buf a, b;

	cr_assert_not_null(full);
	cr_assert_not_null(m, "not seen: %s", txt);
	cr_assert_eq(sip_scan(full, txt, strlen(txt), true, &fault), 0);
	cr_expect_eq(m->meth, full->meth);
	cr_expect_eq(m->cseq, full->cseq);
	cr_expect(sl_eq(m->ruri, full->ruri));
	cr_expect(sl_eq(m->callid, full->callid));
	cr_expect(sl_eq(m->from, full->from));
	cr_expect(sl_eq(m->to, full->to));
	cr_expect_eq(m->body_off, full->body_off);
	cr_expect(sl_eq(m->top.branch, full->top.branch));
	cr_expect(sl_eq(m->top.sentby, full->top.sentby));
	if (sl_isset(full->to_tag))
		cr_expect(sl_eq(m->to_tag, full->to_tag), "%s", txt);
	buf_fixed(&a, ma, sizeof(ma));
	buf_fixed(&b, mb, sizeof(mb));
	reply_write(&a, m, &src, 503, SL_NONE, SL("t"), SL("X: y\r\n"));
	reply_write(&b, full, &src, 503, SL_NONE, SL("t"), SL("X: y\r\n"));
	cr_expect(sl_eq(buf_as_sl(&a), buf_as_sl(&b)), "%.*s\n%.*s",
		  SL_FMT(buf_as_sl(&a)), SL_FMT(buf_as_sl(&b)));
	free(m);
	free(full);
}

static void unseen(const char *txt)
{
	struct sip_msg *m = look(txt);

	cr_expect_null(m, "seen: %s", txt);
	free(m);
}

Test(glance, the_answer_is_the_one_of_the_scanner)
{
	seen(START VIA FROM TO REST END);
	seen(START "v: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK-1\r\n"
	     "f: A <sip:a@example.com>;tag=1\r\n"
	     "t: <sip:b@example.com>\r\ni: x\r\nCSEQ:  1 INVITE\r\n" END);
	seen(START VIA "VIA: SIP/2.0/TCP 10.0.0.1;branch=z9hG4bK-9\r\n" FROM
	     TO REST VIA END);
	seen(START "Via: SIP/2.0/UDP h;branch=z9hG4bK-2, SIP/2.0/UDP "
	     "i;branch=z9hG4bK-1;received=192.0.2.7\r\n" FROM TO REST END);
	seen("REGISTER sip:example.com SIP/2.0\r\nContact: <sip:a@h>\r\n"
	     "Timestamp: 1\r\nIn-Reply-To: x\r\nVia: SIP/2.0/UDP h:5;"
	     "rport=5;received=1.2.3.4;branch=z9hG4bKx\r\n" FROM TO
	     "Call-ID:x\r\nCSeq: 0 REGISTER\r\n" END);
	seen("ACK sip:b@example.com SIP/2.0\r\n" VIA FROM
	     "To: <sip:b@example.com>;x=y;tag=0123456789abcdef\r\n"
	     "Call-ID: c\r\nCSeq: 7 ACK\r\n" END);
	seen(START VIA FROM "To: <sip:b@example.com>; tag=x\r\n" REST END);
	seen(START VIA FROM "To: \"x\" <sip:b@example.com>;TAG=x\r\n" REST
	     "Content-Length: 4\r\n\r\nbody");
}

Test(glance, what_is_not_plain_is_left_to_the_scanner)
{
	/* folded, of either kind */
	unseen(START VIA FROM "To: <sip:b@example.com>\r\n ;tag=x\r\n" REST
	       END);
	unseen(START VIA FROM "To: <sip:b@example.com>\r\n\t;tag=x\r\n" REST
	       END);
	/* doubled, missing */
	unseen(START VIA FROM TO "t: <sip:b@example.com>;tag=1\r\n" REST END);
	unseen(START VIA FROM FROM TO REST END);
	unseen(START VIA FROM TO REST REST END);
	unseen(START FROM TO REST END);
	unseen(START VIA TO REST END);
	unseen(START VIA FROM REST END);
	unseen(START VIA FROM TO "CSeq: 7 INVITE\r\n" END);
	unseen(START VIA FROM TO "Call-ID: x\r\n" END);
	/* line ends, blanks, controls */
	unseen("INVITE sip:b@example.com SIP/2.0\n" VIA FROM TO REST END);
	unseen(START VIA FROM "To: <sip:b@example.com>\n" REST END);
	unseen(START VIA FROM "To : <sip:b@example.com>\r\n" REST END);
	unseen(START VIA FROM "To: <sip:b@exam\rple.com>\r\n" REST END);
	unseen(START VIA FROM "To:  \r\n" REST END);
	unseen("\r\n" START VIA FROM TO REST END);
	unseen(START VIA FROM TO REST "Content-Length: 0\r\n");
	/* start line, CSeq, Via */
	unseen("INVITE  sip:b@example.com SIP/2.0\r\n" VIA FROM TO REST END);
	unseen("INVITE sip:b@example.com SIP/3.0\r\n" VIA FROM TO REST END);
	unseen("SIP/2.0 200 OK\r\n" VIA FROM TO REST END);
	unseen("OPTIONS sip:b@example.com SIP/2.0\r\n" VIA FROM TO REST END);
	unseen(START VIA FROM TO "Call-ID: x\r\nCSeq: x INVITE\r\n" END);
	unseen(START "Via: SIP/2.0/UDP h\r\n" FROM TO REST END);
	unseen(START "Via: SIP/2.0/UDP h;branch=z9hG4bK\r\n" FROM TO REST END);
	unseen(START "Via: SIP / 2.0 / UDP h;branch=z9hG4bKx\r\n" FROM TO REST
	       END);
	unseen("");
	unseen("INVITE");
}

Test(glance, it_looks_at_so_many_lines_and_vias_only)
{
	char *txt = calloc(1, 70000), *p;

	cr_assert_not_null(txt);
	p = stpcpy(txt, START VIA FROM TO REST);
	for (int i = 0; i < 58; i++)
		p = stpcpy(p, "X: y\r\n");
	(void)stpcpy(p, "\r\n");
	seen(txt);
	(void)stpcpy(p, "X: y\r\n\r\n");
	unseen(txt);
	p = stpcpy(txt, START FROM TO REST);
	for (int i = 0; i < 8; i++)
		p = stpcpy(p, VIA);
	(void)stpcpy(p, END);
	seen(txt);
	(void)stpcpy(p, VIA END);
	unseen(txt);
	/* a line longer than any header section */
	p = stpcpy(txt, START VIA FROM TO REST "X: ");
	memset(p, 'x', 20000);
	(void)stpcpy(p + 20000, "\r\n\r\n");
	unseen(txt);
	free(txt);
}
