/* Cuts on a message. */
#include "tests/sip/msg.h"

#define LINE "OPTIONS sip:b SIP/2.0\r\n"
#define MUST "From: <sip:a@b>\r\nTo: <sip:c@d>\r\nCall-ID: x\r\n" \
	"CSeq: 1 OPTIONS\r\n"
#define VIAS "Via: SIP/2.0/UDP a\r\nv: SIP/2.0/UDP b\r\n"

static struct scanned *s;
static struct splice sp;
static struct buf out;

static void begin(const char *txt)
{
	s = scan_txt(txt);
	cr_assert_eq(s->err, 0, "%s", s->f.why);
	splice_init(&sp, &s->m);
	buf_init(&out, 65536);
}

static void end(const char *want)
{
	cr_assert_eq(splice_write(&sp, &out), 0);
	cr_assert(sl_eq(buf_as_sl(&out), sl_cstr(want)), "got:\n%.*s\nwant:\n%s",
		  SL_FMT(buf_as_sl(&out)), want);
	/* a second time, and as a blob: the same */
	for (int i = 0; i < 2; i++) {
		struct blob *b = splice_blob(&sp, NULL, strlen(want));

		cr_assert_not_null(b);
		cr_assert(sl_eq(blob_sl(b), sl_cstr(want)));
		blob_unref(b);
	}
	cr_assert_null(splice_blob(&sp, NULL, strlen(want) - 1));
	buf_free(&out);
	scanned_free(s);
}

Test(splice, no_cut_is_the_same_bytes)
{
	begin("\r\n" LINE VIAS MUST "l: 2\r\n\r\nabc");
	end(LINE VIAS MUST "l: 2\r\n\r\nab");
}

Test(splice, lines_and_values_and_uri)
{
	begin(LINE VIAS MUST "X:\r\n\r\nbody");
	splice_end(&sp, SL("E: 1\r\n"));
	splice_val(&sp, sip_hdr(&s->m, SIP_CALL_ID), SL("other"));
	splice_val(&sp, sip_hdr_name(&s->m, SL("x")), SL(" set"));
	splice_top(&sp, SL("T: 1\r\n"));
	splice_ruri(&sp, SL("sip:new@h"));
	splice_before(&sp, sip_hdr(&s->m, SIP_TO), SL("B: 1\r\n"));
	splice_end(&sp, SL("E: 2\r\n"));
	end("OPTIONS sip:new@h SIP/2.0\r\nT: 1\r\n" VIAS "From: <sip:a@b>\r\n"
	    "B: 1\r\nTo: <sip:c@d>\r\nCall-ID: other\r\nCSeq: 1 OPTIONS\r\n"
	    "X: set\r\nE: 1\r\nE: 2\r\n\r\nbody");
}

Test(splice, deletes_and_inserts_meet)
{
	begin(LINE VIAS MUST "\r\n");
	splice_top(&sp, SL("Via: 1\r\n"));
	splice_del_all(&sp, SIP_VIA);
	splice_before(&sp, sip_hdr_next(&s->m, sip_hdr(&s->m, SIP_VIA)),
		      SL("Via: 2\r\n"));
	splice_del(&sp, sip_hdr(&s->m, SIP_VIA));   /* twice is once */
	splice_top(&sp, SL("Via: 3\r\n"));
	end(LINE "Via: 1\r\nVia: 3\r\nVia: 2\r\n" MUST "\r\n");
}

Test(splice, insertions_inside_a_deleted_part_keep_their_order)
{
	uint32_t at;

	begin(LINE VIAS MUST "\r\n");
	at = sip_hdr(&s->m, SIP_VIA)->off;
	splice_cut(&sp, at + 9, at + 9, SL("B: 2\r\n"));
	splice_cut(&sp, at + 4, at + 4, SL("A: 1\r\n"));
	splice_del_all(&sp, SIP_VIA);
	end(LINE "A: 1\r\nB: 2\r\n" MUST "\r\n");
}

Test(splice, two_values_for_one_place_are_refused)
{
	begin(LINE VIAS MUST "\r\n");
	splice_val(&sp, sip_hdr(&s->m, SIP_TO), SL("1"));
	splice_val(&sp, sip_hdr(&s->m, SIP_TO), SL("2"));
	cr_assert_eq(splice_write(&sp, &out), EINVAL);
	cr_assert_eq(splice_write(&sp, &out), EINVAL);
	cr_assert_null(splice_blob(&sp, NULL, 65536));
	buf_free(&out);
	scanned_free(s);
}

Test(splice, too_many_cuts_are_refused)
{
	begin(LINE VIAS MUST "\r\n");
	for (unsigned i = 0; i < SPLICE_MAX; i++)
		splice_end(&sp, SL("X: y\r\n"));
	cr_assert_eq(sp.err, 0);
	splice_end(&sp, SL("X: y\r\n"));
	cr_assert_eq(splice_write(&sp, &out), ENOSPC);
	splice_init(&sp, &s->m);
	splice_cut(&sp, 0, 100000, SL_NONE);
	cr_assert_eq(splice_write(&sp, &out), EINVAL);
	buf_free(&out);
	scanned_free(s);
}
