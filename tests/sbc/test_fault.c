/* test_fault.c - faults between the edge and one node, for drills */
#include "sbc/fault.h"
#include <criterion/criterion.h>
#include <errno.h>
#include "sip/scan.h"

static struct fault f;
static struct flow node, other;

static const char invite[] =
	"INVITE sip:b@c SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKa"
	"\r\nFrom: <sip:a@c>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: x\r\n"
	"CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n";
static const char options[] =
	"OPTIONS sip:c SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKb"
	"\r\nFrom: <sip:a@c>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: y\r\n"
	"CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
static const char ringing[] =
	"SIP/2.0 180 Ringing\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKa\r\n"
	"From: <sip:a@c>;tag=1\r\nTo: <sip:b@c>;tag=2\r\nCall-ID: x\r\n"
	"CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n";

static void start(enum fault_kind kind, uint32_t ms, uint32_t percent)
{
	struct fault_order o = { .kind = kind, .ms = ms, .percent = percent,
				 .until = 5000 };

	cr_assert_eq(fault_init(&f, 7, NULL), 0);
	cr_assert_eq(addr_parse(&o.addr, SL("127.0.0.11:5060"), 0), 0);
	node = (struct flow){ .tp = TP_TCP, .peer = o.addr };
	other = node;
	other.peer.ip[3] = 12;
	cr_assert_eq(fault_begin(&f, &o, 1000), 0);
}

/** @return was it taken over */
static bool out(const struct flow *to, const char *msg)
{
	struct sip_out x = { .kind = SIP_OUT_SEND, .flow = *to,
			     .blob = blob_make(msg, strlen(msg)) };
	bool taken = fault_out(&f, &x, 1000);

	if (!taken)
		blob_unref(x.blob);
	return taken;
}

static void none_due(uint64_t now)
{
	struct fault_due d;

	cr_assert_not(fault_poll(&f, &d, now));
}

Test(fault, blackhole_drops_both_ways_and_of_that_node_only)
{
	start(FAULT_BLACKHOLE, 0, 100);
	cr_assert(out(&node, invite));
	cr_assert(fault_in(&f, &node, sl_cstr(ringing), 1000));
	cr_assert_not(out(&other, invite));
	cr_assert_not(fault_in(&f, &other, sl_cstr(ringing), 1000));
	cr_assert_eq(f.dropped, 2);
	none_due(UINT64_MAX - 1);
}

Test(fault, other_ports_of_the_address_count_only_when_it_is_the_node_s_own)
{
	struct flow in;

	start(FAULT_BLACKHOLE, 0, 100);
	in = node;
	in.peer.port = 40000;
	cr_assert_not(fault_in(&f, &in, sl_cstr(ringing), 1000));
	f.o.whole_ip = true;
	cr_assert(fault_in(&f, &in, sl_cstr(ringing), 1000));
}

Test(fault, delay_holds_back_and_keeps_the_order)
{
	struct fault_due d;

	start(FAULT_DELAY, 300, 100);
	cr_assert(out(&node, invite));
	cr_assert(out(&node, options));
	cr_assert_not(fault_in(&f, &node, sl_cstr(ringing), 1000));
	cr_assert_eq(fault_next(&f), 1300);
	none_due(1299);
	cr_assert(fault_poll(&f, &d, 1300));
	cr_assert(!d.in && flow_eq(&d.flow, &node));
	cr_assert(sl_eq(blob_sl(d.blob), sl_cstr(invite)));
	blob_unref(d.blob);
	cr_assert(fault_poll(&f, &d, 1300));
	cr_assert(sl_eq(blob_sl(d.blob), sl_cstr(options)));
	blob_unref(d.blob);
	none_due(UINT64_MAX - 1);
}

Test(fault, reject_answers_503_in_the_node_s_name)
{
	static struct sip_msg m;
	struct sip_fault sf;
	struct fault_due d;

	start(FAULT_REJECT, 0, 100);
	cr_assert_not(out(&node, options), "probes go through");
	cr_assert_not(out(&node, ringing), "answers, too");
	cr_assert(out(&node, invite));
	cr_assert(fault_poll(&f, &d, 1000));
	cr_assert(d.in && flow_eq(&d.flow, &node));
	cr_assert_eq(sip_scan(&m, d.blob->p, d.blob->n, true, &sf), 0);
	cr_assert_eq(m.status, 503);
	cr_assert(sl_eq(m.top.branch, SL("z9hG4bKa")));
	blob_unref(d.blob);
}

Test(fault, only_INVITEs_or_only_probes_can_be_dropped)
{
	start(FAULT_DROP_INVITE, 0, 100);
	cr_assert(out(&node, invite));
	cr_assert_not(out(&node, options));
	start(FAULT_DROP_PROBE, 0, 100);
	cr_assert_not(out(&node, invite));
	cr_assert(out(&node, options));
}

Test(fault, late_holds_answers_to_INVITE_only)
{
	struct fault_due d;

	start(FAULT_LATE, 150, 100);
	cr_assert_not(out(&node, invite));
	cr_assert_not(fault_in(&f, &node, sl_cstr(invite), 1000));
	cr_assert(fault_in(&f, &node, sl_cstr(ringing), 1000));
	none_due(1149);
	cr_assert(fault_poll(&f, &d, 1150));
	cr_assert(d.in);
	blob_unref(d.blob);
}

Test(fault, it_ends_in_its_time_and_what_it_held_comes_then)
{
	struct fault_due d;

	start(FAULT_DELAY, 9000, 100);
	cr_assert(out(&node, invite));
	cr_assert_eq(fault_next(&f), 5000);
	cr_assert_not(fault_tick(&f, 4999));
	cr_assert(fault_tick(&f, 5000));
	cr_assert_not(fault_tick(&f, 5001), "once");
	cr_assert(fault_poll(&f, &d, 5000));
	blob_unref(d.blob);
	cr_assert_not(out(&node, invite));
	cr_assert_eq(fault_next(&f), UINT64_MAX);
	cr_assert_not(fault_end(&f, 5000));
}

Test(fault, a_share_of_the_messages_can_be_meant)
{
	unsigned n = 0;

	start(FAULT_BLACKHOLE, 0, 30);
	for (int i = 0; i < 1000; i++)
		n += out(&node, invite);
	cr_assert(n > 230 && n < 370, "%u of 1000", n);
}

Test(fault, what_makes_no_sense_is_refused)
{
	struct fault_order o = { .kind = FAULT_DELAY, .percent = 100,
				 .until = 2000, .ms = 10 }, bad;

	cr_assert_eq(fault_init(&f, 7, NULL), 0);
	bad = o, bad.ms = 0;
	cr_assert_eq(fault_begin(&f, &bad, 1000), EINVAL);
	bad = o, bad.ms = FAULT_MS_MAX + 1;
	cr_assert_eq(fault_begin(&f, &bad, 1000), EINVAL);
	bad = o, bad.percent = 0;
	cr_assert_eq(fault_begin(&f, &bad, 1000), EINVAL);
	bad = o, bad.until = 1000;
	cr_assert_eq(fault_begin(&f, &bad, 1000), EINVAL);
	bad = o, bad.until = 1000 + 1000 * FAULT_LONGEST + 1;
	cr_assert_eq(fault_begin(&f, &bad, 1000), EINVAL);
	bad = o, bad.kind = FAULT_NONE;
	cr_assert_eq(fault_begin(&f, &bad, 1000), EINVAL);
	cr_assert_eq(fault_begin(&f, &o, 1000), 0);
	cr_assert_eq(fault_begin(&f, &o, 1000), EBUSY);
	cr_assert_eq(f.begun, 1);
}

Test(fault, what_there_is_no_room_for_goes_its_way)
{
	start(FAULT_DELAY, 100, 100);
	for (int i = 0; i < FAULT_HELD_MAX; i++)
		cr_assert(out(&node, options));
	cr_assert_not(out(&node, options));
	cr_assert_eq(f.overflow, 1);
	cr_assert_eq(f.held, FAULT_HELD_MAX);
	fault_free(&f);
	cr_assert_eq(f.heldc, 0);
	cr_assert_eq(f.bytes, 0);
}
