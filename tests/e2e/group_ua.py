"""What phones see, step by step: registrar, dialogs, retransmissions. Driven
by the user agent of tests/support over UDP and TCP."""
import os
import time

from e2e import check, equal, eventually, test
from lab import Lab
from sipmsg import Msg, answer_challenge, param, token
from sipua import SDP, Auto, Ua

USERS = {u: 'pw-' + u for u in ('alice', 'bob', 'carol', 'dave', 'erin')}


def setup(ctx):
    ctx.shared = Lab(users=USERS, dir=os.path.join(ctx.root, 'lab')).start()


def teardown(ctx):
    if ctx.shared:
        ctx.shared.stop()


def phone(ctx, user, transport='udp', register=True, answer=0.05, **kw):
    """A phone of the shared lab, unregistered and closed with the test."""
    u = ctx.shared.ua(user, transport=transport, **kw)
    u.auto = Auto(answer=answer) if answer is not None else None

    def away():
        if register:
            u.register(contact='*', expires=0)
        u.close()
        ctx.shared._uas.remove(u)
    ctx.after(away)
    if register:
        equal(u.register().status, 200, 'REGISTER of ' + user)
    return u


def talk(a, b, **kw):
    """An answered call from a to b; both ends of it."""
    n = len(b.calls_in)
    call = a.invite(b.aor, **kw)
    equal(call.wait_final().status, 200, 'INVITE %s' % call.statuses())
    got = b.wait_call(n=n + 1)
    got.wait_ack()
    return call, got


# --- transports --------------------------------------------------------------
def both_ways(ctx, ta, tb, **kw):
    a = phone(ctx, 'alice', ta, **kw)
    b = phone(ctx, 'bob', tb)
    for x, y in ((a, b), (b, a)):
        call, got = talk(x, y)
        equal(call.request('INVITE', SDP).status, 200, 're-INVITE')
        equal(got.request('INFO').status, 200, 'INFO from the callee')
        equal(call.bye().status, 200, 'BYE')
        got.wait_bye()


@test(name='udp-tcp')
def t_udp_tcp(ctx):
    """a phone on UDP and one on TCP call each other"""
    both_ways(ctx, 'udp', 'tcp')


@test(name='tcp-tcp')
def t_tcp_tcp(ctx):
    """two phones on TCP call each other"""
    both_ways(ctx, 'tcp', 'tcp')


@test
def t_ipv6(ctx):
    """a phone on IPv6 and one on IPv4 call each other"""
    lab = ctx.lab(users=USERS, nodes=2, plan=None, dir=ctx.dir + '/v6',
                  edge_conf={'listen': [
                      {'transport': t, 'address': ip, 'port': 5560}
                      for ip in ('127.0.0.1', '::1')
                      for t in ('udp', 'tcp')]})
    for tp in ('udp', 'tcp'):
        a = Ua('alice', lab.domain, ('::1', 5560), transport=tp,
               password=USERS['alice'])
        b = Ua('bob', lab.domain, ('127.0.0.1', 5560), transport=tp,
               password=USERS['bob'])
        ctx.after(a.close)
        ctx.after(b.close)
        a.auto = b.auto = Auto()
        for u in (a, b):
            equal(u.register(contact='*', expires=0).status, 200, 'clear')
            equal(u.register().status, 200, 'REGISTER of ' + u.user)
        for x, y in ((a, b), (b, a)):
            call, got = talk(x, y)
            equal(got.bye().status, 200, 'BYE of the callee')
            call.wait_bye()


# --- registrar ---------------------------------------------------------------
def contacts(r):
    return r.list('Contact')


@test
def t_fetch(ctx):
    """REGISTER without Contact lists the bindings and changes nothing"""
    a = phone(ctx, 'alice')
    for _ in range(2):
        r = a.register(contact='')
        equal(r.status, 200, 'fetch')
        equal(len(contacts(r)), 1, 'contacts')
        check(a.hostport() in contacts(r)[0], 'contact %s', contacts(r))


@test
def t_brief(ctx):
    """too short an Expires gets 423 with Min-Expires, which then is taken"""
    a = phone(ctx, 'alice')
    r = a.register(expires=5)
    equal(r.status, 423, 'REGISTER for 5 s')
    least = int(r.get('Min-Expires'))
    r = a.register(expires=least)
    equal(r.status, 200, 'REGISTER for Min-Expires')
    left = int(param(contacts(r)[0], 'expires'))
    check(least - 5 <= left <= least, 'expires %d', left)


@test
def t_long(ctx):
    """too long an Expires is cut to the largest"""
    a = phone(ctx, 'alice')
    r = a.register(expires=999999)
    equal(r.status, 200, 'REGISTER')
    equal(int(param(contacts(r)[0], 'expires')), 3600, 'expires')


@test(name='several-contacts')
def t_several(ctx):
    """several contacts in one REGISTER; one is removed, the other stays"""
    a = phone(ctx, 'alice')
    one = '<sip:alice@127.0.0.1:7001>'
    two = '<sip:alice@127.0.0.1:7002>'
    r = a.register(contact='%s;q=0.5, %s;expires=100' % (one, two))
    equal(len(contacts(r)), 3, 'contacts after adding two')
    r = a.register(contact=one, expires=0)
    equal(len(contacts(r)), 2, 'contacts after removing one')
    check(any('7002' in c for c in contacts(r)), 'wrong one removed: %s',
          contacts(r))


@test(name='star-needs-zero')
def t_star(ctx):
    """Contact: * is refused unless Expires is 0 and it is alone"""
    a = phone(ctx, 'alice')
    equal(a.register(contact='*', expires=60).status, 400, '* for 60 s')
    equal(a.register(contact='*, ' + a.contact(), expires=0).status, 400,
          '* beside another')
    equal(len(contacts(a.register(contact=''))), 1, 'contacts left')


@test(name='old-cseq')
def t_old_cseq(ctx):
    """of two REGISTERs of one Call-ID the older one loses, whichever node"""
    a = phone(ctx, 'alice')
    a._reg['cseq'] = 100
    equal(a.register().status, 200, 'CSeq 101')
    a._reg['cseq'] = 50
    r = a.register(expires=0)
    check(r.status in (400, 500), 'old CSeq got %d', r.status)
    a._reg['cseq'] = 200
    equal(len(contacts(a.register(contact=''))), 1, 'contacts')


@test(name='every-node')
def t_every_node(ctx):
    """a binding is on every node as soon as its 200 is out"""
    lab, a = ctx.shared, phone(ctx, 'alice')
    want = None
    for n in lab.nodes:
        # what the node itself counts: contacts of the store
        got = lambda: n.status().get('contacts', n.status().get(
            'store', {}).get('contacts'))
        if want is None:
            want = got()
        eventually(lambda: got() == want, 2, 'contact on ' + n.name)
    equal(a.register(contact='').status, 200, 'fetch')


@test
def t_offline(ctx):
    """404 for a user nobody knows, 480 for one without a phone"""
    a = phone(ctx, 'alice')
    equal(a.invite('sip:nobody@example.com').wait_final().status, 404,
          'unknown user')
    equal(a.invite('sip:erin@example.com').wait_final().status, 480,
          'user without contact')


@test(name='dead-connection')
def t_dead_connection(ctx):
    """a call to a phone whose TCP connection is gone fails at once with 480"""
    a, b = phone(ctx, 'alice'), phone(ctx, 'bob', 'tcp')
    ended = 'edgewise_sip_connections_ended_total'
    n = ctx.shared.edge.metrics()[ended]
    b.drop_connection()
    eventually(lambda: ctx.shared.edge.metrics()[ended] > n, 3,
               'the end of the connection')
    t = time.monotonic()
    equal(a.invite(b.aor).wait_final().status, 480, 'INVITE')
    check(time.monotonic() - t < 1, 'took %.1f s', time.monotonic() - t)


def switched_off(ctx, user):
    """A phone on UDP that has registered and is no more: ICMP."""
    u = Ua(user, ctx.shared.domain, ctx.shared.proxy, password=USERS[user])
    equal(u.register().status, 200, 'REGISTER')
    u.close()

    def away():
        with Ua(user, ctx.shared.domain, ctx.shared.proxy,
                password=USERS[user]) as c:
            equal(c.register(contact='*', expires=0).status, 200, '* away')
    ctx.after(away)


@test(name='dead-port')
def t_dead_port(ctx):
    """a call to a UDP phone that is switched off fails at once with 480"""
    a = phone(ctx, 'alice')
    switched_off(ctx, 'bob')
    t = time.monotonic()
    equal(a.invite('sip:bob@example.com').wait_final().status, 480, 'INVITE')
    check(time.monotonic() - t < 1, 'took %.1f s', time.monotonic() - t)


@test(name='one-dead-one-well')
def t_one_dead(ctx):
    """of two phones one is switched off: the other one rings"""
    a, b = phone(ctx, 'alice'), phone(ctx, 'bob', 'tcp')
    switched_off(ctx, 'bob')
    call, got = talk(a, b)
    equal(call.bye().status, 200, 'BYE')


# --- dialogs -----------------------------------------------------------------
@test(name='late-ack')
def t_late_ack(ctx):
    """200 is repeated to the caller until its late ACK comes, then no more"""
    a, b = phone(ctx, 'alice'), phone(ctx, 'bob')
    call = a.invite(b.aor, auto_ack=False)
    equal(call.wait_final().status, 200, 'INVITE')
    a.wait_for(lambda: call.statuses().count(200) >= 3, 6, 'third 200')
    call.ack()
    got = b.wait_call()
    got.wait_ack()
    time.sleep(0.2)
    n = call.statuses().count(200)
    time.sleep(1.2)
    check(call.statuses().count(200) <= n + 1, '200 goes on after the ACK')
    equal(call.bye().status, 200, 'BYE')


@test(name='lost-ack')
def t_lost_ack(ctx):
    """the ACK to each repeated 200 passes, with the same bytes"""
    a, b = phone(ctx, 'alice'), phone(ctx, 'bob')
    drop = {'left': 1}

    def lose(ua, m, st):
        return False
    b.handler = lose
    call = a.invite(b.aor)
    equal(call.wait_final().status, 200, 'INVITE')
    got = b.wait_call()
    got.wait_ack()
    for _ in range(drop['left'] + 1):
        call.ack()
    b.wait_for(lambda: sum(r.method == 'ACK' for r in b.requests) >= 3, 2,
               'three ACKs')
    equal(call.bye().status, 200, 'BYE')


@test(name='bye-glare')
def t_bye_glare(ctx):
    """both sides hang up at once: both are answered"""
    a, b = phone(ctx, 'alice'), phone(ctx, 'bob')
    call, got = talk(a, b)
    x = call.dialog().request('BYE')
    y = got.dialog.request('BYE')
    check(x.wait().status in (200, 481), 'BYE of the caller')
    check(y.wait().status in (200, 481), 'BYE of the callee')


@test(name='both-answer')
def t_both_answer(ctx):
    """two phones answer in the same moment: each 200 reaches the caller"""
    a = phone(ctx, 'alice')
    b1 = phone(ctx, 'bob', answer=None)
    b2 = phone(ctx, 'bob', answer=None)
    call = a.invite(b1.aor)
    c1, c2 = b1.wait_call(), b2.wait_call()
    c1.ring()
    c2.ring()
    call.wait_status(180)
    # frozen, the edge cannot CANCEL one phone between the two answers
    ctx.shared.edge.stop()
    c1.answer()
    c2.answer()
    ctx.shared.edge.cont()
    a.wait_for(lambda: len(call.dialogs) == 2, 5, 'two dialogs')
    c1.wait_ack()
    c2.wait_ack()
    for c, b in ((c1, b1), (c2, b2)):
        equal(call.bye(c.tag).status, 200, 'BYE')
        c.wait_bye()


@test(name='same-invite-twice')
def t_retransmit(ctx):
    """a retransmitted INVITE rings the phone once"""
    a, b = phone(ctx, 'alice'), phone(ctx, 'bob', answer=0.5)
    call = a.invite(b.aor)
    call.wait_status(180)
    for _ in range(3):
        a.send_raw(call.txn.req.bytes())
    equal(call.wait_final().status, 200, 'INVITE')
    equal(len(b.calls_in), 1, 'calls at the phone')
    equal(b.calls_in[0].stxn.seen, 1, 'INVITEs at the phone')
    equal(call.bye().status, 200, 'BYE')


@test(name='cancel-crosses-200')
def t_cancel_crosses(ctx):
    """CANCEL after the 200: answered, the call stays up"""
    a, b = phone(ctx, 'alice'), phone(ctx, 'bob')
    call, got = talk(a, b)
    check(call.cancel().wait().status in (200, 481), 'CANCEL')
    equal(call.bye().status, 200, 'BYE')
    check(not got.cancelled, 'the phone was cancelled')


@test
def t_message(ctx):
    """MESSAGE outside of a dialog arrives with its body byte for byte"""
    a, b = phone(ctx, 'alice'), phone(ctx, 'bob', 'tcp')
    body = 'first\r\n\r\nSIP/2.0 200 OK\r\n\x01\xfc'
    r = a.request('MESSAGE', b.aor, body,
                  [('Content-Type', 'text/plain;charset=utf-8')])
    equal(r.status, 200, 'MESSAGE')
    equal(b.wait_request('MESSAGE').body, body.encode(), 'body')


@test(name='large-body')
def t_large(ctx):
    """a body of 30,000 bytes passes over UDP and over TCP"""
    body = SDP + 'a=x-fill:' + 'y' * 30000 + '\r\n'
    a = phone(ctx, 'alice')
    for tp in ('tcp', 'udp'):
        b = phone(ctx, 'bob' if tp == 'tcp' else 'carol', tp)
        call, got = talk(a, b, body=body)
        equal(len(got.req.body), len(body), 'body at the phone on ' + tp)
        equal(call.bye().status, 200, 'BYE')


@test(name='odd-spelling')
def t_odd(ctx):
    """compact and oddly spelled headers pass unchanged, unknown ones too"""
    a, b = phone(ctx, 'alice'), phone(ctx, 'bob')
    call, got = talk(a, b, headers=[
        ('k', 'timer, replaces'), ('X-Odd ', ' a;b="c,d" '),
        ('sUbJeCt', 'T\u00e9st')])
    text = got.req.raw.decode()
    for want in ('k: timer, replaces', 'sUbJeCt: T\u00e9st',
                 'a;b="c,d"'):
        check(want in text, 'no %r at the callee:\n%s', want, text)
    equal(call.bye().status, 200, 'BYE')


@test(name='options-edge')
def t_options_edge(ctx):
    """OPTIONS to the edge itself is answered without credentials"""
    a = phone(ctx, 'alice', register=False)
    r = a.request('OPTIONS', 'sip:%s:%d' % ctx.shared.proxy, auth=False)
    equal(r.status, 200, 'OPTIONS')


@test(name='options-user')
def t_options_user(ctx):
    """OPTIONS to a user reaches the phone"""
    a, b = phone(ctx, 'alice'), phone(ctx, 'bob')
    equal(a.request('OPTIONS', b.aor).status, 200, 'OPTIONS')
    b.wait_request('OPTIONS')


@test(name='max-forwards')
def t_max_forwards(ctx):
    """Max-Forwards 0 gets 483; each pass takes one away"""
    a, b = phone(ctx, 'alice'), phone(ctx, 'bob')
    m = Msg('OPTIONS %s SIP/2.0' % b.aor).add('Via', a.via())
    m.add('Max-Forwards', '0').add('From', '<%s>;tag=%s' % (a.aor, token(4)))
    m.add('To', '<%s>' % b.aor).add('Call-ID', token())
    m.add('CSeq', '1 OPTIONS')
    equal(a.send_request(m).wait().status, 483, 'Max-Forwards 0')
    call, got = talk(a, b)
    equal(int(got.req.get('Max-Forwards')), 67, 'Max-Forwards at the callee')
    equal(call.bye().status, 200, 'BYE')


@test(name='keep-alive')
def t_keep_alive(ctx):
    """CRLF keep-alives are swallowed; on TCP a double CRLF gets a pong"""
    a, b = phone(ctx, 'alice', 'tcp'), phone(ctx, 'bob')
    for data in (b'\r\n', b'\0\0\0\0', b'\r\n\r\n', b''):
        b.send_raw(data)
    a.send_raw(b'\r\n\r\n')
    call, got = talk(a, b)
    equal(call.bye().status, 200, 'BYE')


@test(name='via-stack')
def t_via_stack(ctx):
    """a proxy in front of us: its Vias come back whole, the callee sees none"""
    a, b = phone(ctx, 'alice'), phone(ctx, 'bob')
    m = Msg('MESSAGE %s SIP/2.0' % b.aor).add('Via', a.via())
    m.add('Via', 'SIP/2.0/TCP p2.example.net;branch=z9hG4bKb;received=10.1.1.1'
          ', SIP/2.0/UDP p1.example.net:5070;branch=z9hG4bKa;x="a,b"')
    m.add('v', 'SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK0')
    m.add('Max-Forwards', '70').add('From', '<%s>;tag=1' % a.aor)
    m.add('To', '<%s>' % b.aor).add('Call-ID', token())
    m.add('CSeq', '1 MESSAGE')
    r = a.send_request(m).wait()
    equal(r.status, 407, 'MESSAGE')
    for tail in ('p2.example.net', 'p1.example.net:5070', '192.0.2.9'):
        check(any(tail in v for v in r.list('Via')), 'no %s in %s', tail,
              r.list('Via'))
    equal(len(r.list('Via')), 4, 'Vias of the answer')
    auth = answer_challenge(r, 'MESSAGE', b.aor, a.user, a.password)
    m.set('Via', a.via()).set('CSeq', '2 MESSAGE').add(*auth)
    r = a.send_request(m).wait()
    equal(r.status, 200, 'MESSAGE with credentials')
    equal(len(r.list('Via')), 4, 'Vias of the 200')
    got = b.wait_request('MESSAGE')
    equal(len(got.list('Via')), 1, 'Vias at the callee')
    check('example.net' not in got.raw.decode(), 'trace at the callee')


@test(name='cancel-in-one-write')
def t_cancel_one_write(ctx):
    """INVITE and CANCEL in one TCP segment: 200 and 487, nothing rings on"""
    a, b = phone(ctx, 'alice', 'tcp'), phone(ctx, 'bob', answer=9)
    call = a.invite(b.aor)              # for a nonce
    call.wait_status(180)
    call.cancel().wait()
    call.wait_final()
    ch = next(t.final for t in a.ctxns.values()
              if t.final and t.final.status == 407)
    auth = answer_challenge(ch, 'INVITE', b.aor, a.user, a.password, nc=2)
    m = Msg('INVITE %s SIP/2.0' % b.aor).add('Via', a.via())
    m.add('Max-Forwards', '70').add('From', '<%s>;tag=1' % a.aor)
    m.add('To', '<%s>' % b.aor).add('Call-ID', token())
    m.add('CSeq', '1 INVITE').add('Contact', a.contact()).add(*auth)
    c = Msg('CANCEL %s SIP/2.0' % b.aor)
    for n in ('Via', 'Max-Forwards', 'From', 'To', 'Call-ID'):
        c.add(n, m.get(n))
    c.add('CSeq', '1 CANCEL')
    with a.lock:
        real, a.send_raw = a.send_raw, lambda *x, **y: None
        inv, can = a.send_request(m), a.send_request(c)
        a.send_raw = real
        a.send_raw(m.bytes() + c.bytes())
    equal(can.wait().status, 200, 'CANCEL')
    equal(inv.wait().status, 487, 'INVITE')
    eventually(lambda: all(x.final or x.cancelled for x in b.calls_in), 3,
               'end of ringing')


@test(name='call-oneself')
def t_self(ctx):
    """a phone that calls its own number: no false loop, its phone rings"""
    a = phone(ctx, 'alice')
    call = a.invite(a.aor)
    equal(call.wait_final().status, 200, 'INVITE to oneself')
    a.wait_call().wait_ack()


@test(name='many-phones')
def t_many_phones(ctx):
    """ten phones of one user ring together, one answers, nine are cancelled"""
    a = phone(ctx, 'alice')
    bs = [phone(ctx, 'bob', ('udp', 'tcp')[i % 2], answer=None)
          for i in range(10)]
    call = a.invite(bs[0].aor)
    got = [b.wait_call() for b in bs]
    for c in got:
        c.ring()
    got[4].answer()
    equal(call.wait_final().status, 200, 'INVITE')
    for i, c in enumerate(got):
        if i != 4:
            c.wait_cancel()
    got[4].wait_ack()
    equal(call.bye().status, 200, 'BYE')
    equal([len(b.calls_in) for b in bs], [1] * 10, 'INVITEs at each phone')


@test(name='reconnect')
def t_reconnect(ctx):
    """a TCP phone that comes back on a new connection is reached there, once"""
    a, b = phone(ctx, 'alice'), phone(ctx, 'bob', 'tcp')
    for _ in range(3):
        b.drop_connection()
        equal(b.register().status, 200, 'REGISTER')
    equal(len(contacts(b.register(contact=''))), 1, 'contacts')
    call, got = talk(a, b)
    equal(call.bye().status, 200, 'BYE')
    equal(len(b.calls_in), 1, 'INVITEs')


@test(name='stale-nonce')
def t_stale(ctx):
    """an old nonce gets stale=true and a new one, not a refusal"""
    lab = ctx.lab(users=USERS, nodes=1, node_conf={'nonce_age': 10})
    u = lab.ua('alice')
    equal(u.register().status, 200, 'REGISTER')
    old = next(t.final for t in u.ctxns.values() if t.final.status == 401)
    name, value = answer_challenge(old, 'REGISTER', 'sip:example.com',
                                   'alice', 'pw-alice', nc=2)
    time.sleep(11)
    r = u.register(headers=[(name, value)], auth=False)
    equal(r.status, 401, 'REGISTER with the old nonce')
    check('stale=true' in r.get('WWW-Authenticate', '').lower(),
          'challenge %s', r.get('WWW-Authenticate'))
    equal(u.register().status, 200, 'REGISTER with the new one')


@test(name='sha-256')
def t_sha256(ctx):
    """a domain that offers SHA-256 and MD5: phones with either get in"""
    lab = ctx.lab(users=USERS, nodes=1, algorithms=['SHA-256', 'MD5'])
    for prefer in ('SHA-256', 'MD5'):
        u = lab.ua('alice', prefer=prefer)
        equal(u.register().status, 200, prefer)
        check('algorithm=' + prefer in u.wire('out').decode(),
              'did not use ' + prefer)
