/* Phones behind NAT: what they say of themselves is not where they are. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "world.h"

static struct world *w;
static struct vphone *a, *b, *c;

/* bob's two phones are at home and in the office, both 192.168.1.2 */
static void begin(void)
{
	w = world_new(1, NULL);
	a = world_phone(w, "alice", SIM_DATAGRAM);
	b = world_phone_of(w, "bob1", "bob", 0, SIM_DATAGRAM);
	c = world_phone_of(w, "bob2", "bob", 0, SIM_STREAM);
	a->says = "10.66.0.9:5999";
	b->says = c->says = "192.168.1.2";
	(void)phone_register(a);
	(void)phone_register(b);
	(void)phone_register(c);
	world_run(w, 50);
	b->answer = 20;
	c->answer = UINT32_MAX;
}

static void end(void)
{
	cr_expect_eq(w->leaks, 0, "inside address: %s", w->leak);
	world_run(w, 70000);
	cr_expect_eq(edge_pending(w->edge), 0);
	world_free(w);
}
TestSuite(nat, .init = begin, .fini = end);

Test(nat, answers_go_where_the_request_came_from)
{
	/* no rport was asked for, and the Via leads elsewhere */
	cr_expect_not(strstr(a->req[0].req, "rport"));
	cr_assert_eq(a->req[0].final, 200);
	cr_assert_eq(b->req[0].final, 200);
	cr_assert_eq(c->req[0].final, 200);
	cr_expect(strstr(a->req[0].okmsg, "Via: SIP/2.0/UDP 10.66.0.9:5999;"));
	cr_expect(strstr(a->req[0].okmsg, ";received="));
	cr_expect(strstr(a->req[0].okmsg, ";rport="));
}

Test(nat, each_phone_is_reached_by_the_path_of_its_own_registration)
{
	struct vreq *r;

	cr_assert_eq(w->locc, 3);
	for (unsigned i = 0; i < w->locc; i++) {
		/* what the node cannot see: bob2 is on a connection */
		cr_expect(strstr(w->loc[i].path, i == 2 ? ";ob;flow=tcp>" :
				 ";ob>"), "%s", w->loc[i].path);
		for (unsigned k = 0; k < i; k++)
			cr_expect_str_neq(w->loc[i].path, w->loc[k].path);
	}
	r = phone_invite(a, "bob");
	world_run(w, 500);
	cr_assert_eq(r->final, 200);
	cr_assert_eq(b->invc, 1);
	cr_assert_eq(c->invc, 1);
	cr_expect(strstr(b->inv[0].req, "INVITE sip:bob1@192.168.1.2"));
	cr_expect(strstr(c->inv[0].req, "INVITE sip:bob2@192.168.1.2"));
	cr_expect(c->inv[0].cancelled);
}

/* A node goes by the Contact where the Path says nothing, as an older edge's
 * does; of the others nothing has to be said, they are the most */
Test(nat, a_phone_on_udp_whose_contact_says_tcp_is_told_of)
{
	struct vphone *d = world_phone(w, "dave", SIM_DATAGRAM);
	struct vreq *r;

	d->says_tcp = true;
	(void)phone_register(d);
	world_run(w, 50);
	cr_assert_eq(w->locc, 4);
	cr_expect(strstr(w->loc[3].contact, ";transport=tcp"));
	cr_expect(strstr(w->loc[3].path, ";ob;flow=udp>"), "%s",
		  w->loc[3].path);
	/* and is reached by it */
	r = phone_invite(a, "dave");
	d->answer = 20;
	world_run(w, 500);
	cr_assert_eq(r->final, 200);
	cr_assert_eq(d->invc, 1);
}

/* Contacts are private on both sides: tokens alone lead */
Test(nat, a_dialog_needs_no_contact_that_is_true)
{
	struct vreq *r = phone_invite(a, "bob"), *x;

	world_run(w, 500);
	cr_assert_eq(r->final, 200);
	cr_expect_eq(b->acks, 1);
	x = phone_in_dialog(a, r, SIP_INVITE);
	world_run(w, 500);
	cr_expect(strstr(x->req, "INVITE sip:bob1@192.168.1.2"));
	cr_expect_eq(x->final, 200);
	x = phone_callee_request(b, &b->inv[0], SIP_BYE);
	world_run(w, 500);
	cr_expect(strstr(x->req, "BYE sip:alice@10.66.0.9:5999"));
	cr_expect_eq(x->final, 200);
	cr_expect_eq(world_stat(w, "sbc_route_private_total", NULL), 0);
}

Test(nat, who_names_a_private_address_without_a_token_is_refused)
{
	unsigned got = 0;

	phone_raw(a, "INVITE sip:bob1@192.168.1.2 SIP/2.0\n"
		  "Via: SIP/2.0/UDP 10.66.0.9:5999;branch=z9hG4bKraw1\n"
		  "Max-Forwards: 70\nFrom: <sip:alice@example.com>;tag=r\n"
		  "To: <sip:bob@example.com>\nCall-ID: x1\nCSeq: 1 INVITE\n"
		  "Contact: <sip:alice@10.66.0.9:5999>\n"
		  "Content-Length: 0\n\n");
	world_run(w, 100);
	for (int i = 0; i < W_NODES; i++)
		got += w->node[i].got[SIP_INVITE];
	cr_expect_eq(got, 0);
	cr_expect_eq(world_stat(w, "sbc_route_private_total", NULL), 1);
	cr_expect_eq(world_stat(w, "sbc_refused_total", "code=\"403\""), 1);
}
