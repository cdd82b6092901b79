"""Who may do what: digest, domains, tokens, injected headers."""
import os
import socket
import subprocess
import time

from e2e import check, equal, eventually, test
from lab import Lab
from sipmsg import Msg, token
from sipua import Auto, Ua
from group_ua import phone, talk       # noqa: F401  (its tests are its own)

USERS = {u: 'pw-' + u for u in ('alice', 'bob', 'carol', 'dave', 'erin')}


def setup(ctx):
    ctx.shared = Lab(users=USERS, dir=os.path.join(ctx.root, 'lab')).start()


def teardown(ctx):
    if ctx.shared:
        ctx.shared.stop()


class Victim:
    """A socket that must stay silent: where forged addresses point."""

    def __init__(self, ctx, ip='127.0.0.77'):
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind((ip, 0))
        self.t = socket.socket()
        self.t.bind((ip, self.s.getsockname()[1]))
        self.t.listen()
        for x in (self.s, self.t):
            x.setblocking(False)
            ctx.after(x.close)
        self.at = '%s:%d' % self.s.getsockname()

    def silent(self, wait=0.3):
        time.sleep(wait)
        for what, read in (('datagram', lambda: self.s.recv(65535)),
                           ('connection', self.t.accept)):
            try:
                got = read()
            except BlockingIOError:
                continue
            raise AssertionError('a %s came: %r' % (what, got))


def request(ua, method, uri, to=None, headers=(), cseq=1, call_id=None,
            to_tag=None, sender=None):
    """A request as ua would send it, before it is sent."""
    m = Msg('%s %s SIP/2.0' % (method, uri)).add('Via', ua.via())
    m.add('Max-Forwards', '70')
    m.add('From', '<%s>;tag=%s' % (sender or ua.aor, token(4)))
    m.add('To', '<%s>' % (to or uri) + (';tag=' + to_tag if to_tag else ''))
    m.add('Call-ID', call_id or token()).add('CSeq', '%d %s' % (cseq, method))
    m.add('Contact', ua.contact())
    for n, v in headers:
        m.add(n, v)
    return m


@test(name='wrong-password')
def t_wrong_password(ctx):
    """a wrong password gets the challenge again, for REGISTER and INVITE"""
    a = phone(ctx, 'alice', register=False, password='wrong')
    equal(a.register().status, 401, 'REGISTER')
    equal(a.invite('sip:bob@example.com').wait_final().status, 407, 'INVITE')


@test(name='no-oracle')
def t_no_oracle(ctx):
    """an unknown user is challenged like a known one"""
    u = Ua('ghost', 'example.com', ctx.shared.proxy, password='x')
    ctx.after(u.close)
    equal(u.register().status, 401, 'REGISTER of a user nobody knows')
    a = phone(ctx, 'alice', register=False, password='x')
    equal(a.register().status, 401, 'REGISTER with a wrong password')
    x, y = [[n for n, _ in r.headers] for r in
            (u.ctxns[k].final for u in (u, a) for k in list(u.ctxns)[-1:])]
    equal(x, y, 'headers of the two answers')


@test(name='others-aor')
def t_others_aor(ctx):
    """with one's own password one cannot register or call as another"""
    a = phone(ctx, 'alice', register=False)
    real, a.aor = a.aor, 'sip:bob@example.com'
    equal(a.register().status, 403, 'REGISTER of bob by alice')
    equal(a.invite('sip:carol@example.com').wait_final().status, 403,
          'INVITE as bob by alice')
    a.aor = real


@test(name='no-relay')
def t_no_relay(ctx):
    """a foreign domain or address is refused, nothing is sent there"""
    a, v = phone(ctx, 'alice'), Victim(ctx)
    for uri in ('sip:x@example.org', 'sip:x@' + v.at, 'sip:' + v.at,
                'sip:bob@example.com.example.org', 'sip:x@%s;lr' % v.at,
                'sip:x@%s;transport=tcp' % v.at):
        for method in ('INVITE', 'MESSAGE'):
            s = a.invite(uri).wait_final().status if method == 'INVITE' \
                else a.request(method, uri).status
            check(s in (403, 404, 400, 480), '%s %s got %d', method, uri, s)
    v.silent()


@test(name='maddr')
def t_maddr(ctx):
    """maddr and received in the Request-URI do not lead anywhere"""
    a, b, v = phone(ctx, 'alice'), phone(ctx, 'bob'), Victim(ctx)
    a.invite('sip:bob@example.com;maddr=' + v.at.split(':')[0]).wait_final()
    a.invite('sip:bob@example.com;received="sip:%s"' % v.at).wait_final()
    v.silent()
    check(not b.strays, 'strays')


@test(name='route-injection')
def t_route_injection(ctx):
    """Route entries of strangers are removed, the call goes to the pool; private ones get 403"""
    a, b = phone(ctx, 'alice'), phone(ctx, 'bob')
    subprocess.run(['ip', 'addr', 'add', '203.0.113.77/32', 'dev', 'lo'],
                   check=True)
    v, inside = Victim(ctx, '203.0.113.77'), Victim(ctx)
    edge = '<sip:%s:%d;lr>' % ctx.shared.proxy
    bad = '<sip:%s;lr>' % v.at
    for routes in ([bad], [edge, bad], [bad, edge]):
        call = a.invite(b.aor, routes=routes)
        equal(call.wait_final().status, 200, 'INVITE with Route %s' % routes)
        equal(call.bye().status, 200, 'BYE')
    call = a.invite(b.aor, routes=[edge, '<sip:%s;lr>' % inside.at])
    equal(call.wait_final().status, 403, 'INVITE with a private Route')
    equal(a.invite('sip:bob@' + inside.at).wait_final().status, 403,
          'INVITE for a private address')
    v.silent()
    inside.silent()


@test(name='path-injection')
def t_path_injection(ctx):
    """a Path that a phone sends is not stored"""
    a, v = phone(ctx, 'alice'), Victim(ctx)
    b = phone(ctx, 'bob', register=False)
    r = b.register(headers=[('Path', '<sip:%s;lr>' % v.at)])
    ctx.after(lambda: b.register(contact='*', expires=0))
    if r.status == 200:
        check(not r.all('Path'), 'Path came back: %s', r.all('Path'))
        call, _ = talk(a, b)
        equal(call.bye().status, 200, 'BYE')
    else:
        check(r.status in (400, 403, 420), 'REGISTER got %d', r.status)
    v.silent()


@test(name='contact-elsewhere')
def t_contact_elsewhere(ctx):
    """a call goes where the REGISTER came from, whatever its Contact says"""
    a, b, v = phone(ctx, 'alice'), phone(ctx, 'bob', register=False), \
        Victim(ctx)
    equal(b.register(contact='<sip:bob@%s>' % v.at).status, 200, 'REGISTER')
    ctx.after(lambda: b.register(contact='*', expires=0))
    call, _ = talk(a, b)
    equal(call.bye().status, 200, 'BYE')
    v.silent()


@test(name='via-spoof')
def t_via_spoof(ctx):
    """answers go to the source, whatever the Via says"""
    a, v = phone(ctx, 'alice', register=False), Victim(ctx)
    for via in ('SIP/2.0/UDP %s;branch=z9hG4bK%s',
                'SIP/2.0/UDP %s;rport=1;received=127.0.0.77;branch=z9hG4bK%s',
                'SIP/2.0/UDP 127.0.0.1;maddr=127.0.0.77;ttl=1;'
                'x=%s;branch=z9hG4bK%s'):
        m = request(a, 'OPTIONS', 'sip:%s:%d' % ctx.shared.proxy)
        m.set('Via', via % (v.at, token()))
        equal(a.send_request(m).wait().status, 200, via)
    v.silent()


# --- tokens ------------------------------------------------------------------
@test(name='no-token')
def t_no_token(ctx):
    """an in-dialog request without a token gets 481, an ACK is dropped"""
    a, b = phone(ctx, 'alice'), phone(ctx, 'bob')
    for method in ('BYE', 'INFO', 'INVITE', 'UPDATE'):
        m = request(a, method, 'sip:bob@' + b.hostport(), to=b.aor,
                    to_tag='abc')
        equal(a.send_request(m).wait().status, 481, method)
    before = len(b.log)
    m = request(a, 'ACK', 'sip:bob@' + b.hostport(), to=b.aor, to_tag='abc')
    a.send_raw(m.bytes())
    time.sleep(0.2)
    check(not [d for _, w, d, _ in b.log[before:] if d.startswith(b'ACK')],
          'the ACK went through')


def twist(s, i):
    """s with another character at i."""
    return s[:i] + ('A' if s[i] != 'A' else 'B') + s[i + 1:]


@test(name='forged-token')
def t_forged_token(ctx):
    """a token changed in any place opens nothing"""
    a, b = phone(ctx, 'alice'), phone(ctx, 'bob')
    call, got = talk(a, b)
    d = call.dialog()
    good, before = list(d.routes), len(b.requests)
    last = good[-1]
    user = last[last.index('sip:') + 4:last.index('@')]
    for i in list(range(0, len(user), 7)) + [len(user) - 2]:
        d.routes = good[:-1] + [last.replace(user, twist(user, i))]
        equal(d.request('INFO').wait().status, 481, 'twisted at %d' % i)
    for bad in ('x', user[:-4], user + 'AAAA', user * 3, '%00', ''):
        d.routes = good[:-1] + [last.replace(user + '@',
                                             bad + '@' if bad else '')]
        r = d.request('INFO').wait()
        # without any user part it is an outbound proxy's Route: to the pool
        check(r.status in (400, 481) or not bad and r.status == 404,
              'token %r got %d', bad, r.status)
    new = [r for r in b.requests[before:]]
    check(not new, 'the phone got %s', new)
    d.routes = good
    equal(call.bye().status, 200, 'BYE with the right one')


@test(name='replayed-token')
def t_replayed_token(ctx):
    """a token seen in one call opens nothing under another Call-ID or tag"""
    a, b = phone(ctx, 'alice'), phone(ctx, 'bob')
    c = phone(ctx, 'carol', register=False)
    call, got = talk(a, b)
    routes, before = call.dialog().routes, len(b.requests)
    target = 'sip:bob@' + b.hostport()
    for headers in ([('Route', r) for r in routes], [('Route', routes[-1])]):
        for method in ('INFO', 'BYE', 'INVITE'):
            m = request(c, method, target, to=b.aor, to_tag='abc',
                        headers=headers)
            equal(c.send_request(m).wait().status, 481, method)
        # a new call by token: no To tag
        m = request(c, 'INVITE', target, to=b.aor, headers=headers,
                    call_id=call.call_id)
        t = c.send_request(m).wait()
        check(t.status >= 400, 'new INVITE by token got %d', t.status)
    check(not b.requests[before:], 'the phone got %s', b.requests[before:])
    equal(call.bye().status, 200, 'BYE')


@test(name='path-token-hidden')
def t_path_hidden(ctx):
    """no phone ever sees a Path token"""
    a, b = phone(ctx, 'alice'), phone(ctx, 'bob')
    call, _ = talk(a, b)
    equal(call.bye().status, 200, 'BYE')
    for u in (a, b):
        check(b'\r\nPath:' not in u.wire('in'), 'Path at ' + u.user)


@test(name='stray-cancel')
def t_stray_cancel(ctx):
    """a CANCEL for no transaction gets 481, one from elsewhere hits nothing"""
    a, b = phone(ctx, 'alice'), phone(ctx, 'bob', answer=0.6)
    m = request(a, 'CANCEL', b.aor)
    equal(a.send_request(m).wait().status, 481, 'CANCEL')
    call = a.invite(b.aor)
    call.wait_status(180)
    c = phone(ctx, 'carol', register=False)
    q = call.txn.req
    m = Msg('CANCEL %s SIP/2.0' % q.uri).add('Via', c.via())
    for n in ('From', 'To', 'Call-ID'):
        m.add(n, q.get(n))
    m.add('CSeq', '%d CANCEL' % q.cseq[0]).add('Max-Forwards', '70')
    equal(c.send_request(m).wait().status, 481, 'CANCEL of a stranger')
    equal(call.wait_final().status, 200, 'the call')
    equal(call.bye().status, 200, 'BYE')


@test(name='stray-responses')
def t_stray_responses(ctx):
    """responses to nothing are dropped without an answer"""
    a, b = phone(ctx, 'alice'), phone(ctx, 'bob', answer=0.4)
    call = a.invite(b.aor)
    call.wait_status(180)
    got = b.wait_call()
    n = len(a.log)
    forged = b.build_response(got.req, 200)
    vias = forged.list('Via')
    for branch in ('z9hG4bKnothing', 'z9hG4bK0000010000000101aaaaaaaaaaaaaaaa',
                   vias[0].split('branch=')[1].split(';')[0][:-2] + 'zz'):
        f = b.build_response(got.req, 200)
        f.headers = [h for h in f.headers if h[0] != 'Via']
        f.headers.insert(0, ['Via', 'SIP/2.0/UDP %s:%d;branch=%s' % (
            ctx.shared.proxy + (branch,))])
        c = phone(ctx, 'carol', register=False)
        c.send_raw(f.bytes())
    time.sleep(0.15)
    new = [d for _, w, d, _ in a.log[n:] if w == 'in' and b' 200 ' in d[:20]]
    check(not new, 'a forged 200 came through')
    equal(call.wait_final().status, 200, 'the call')
    equal(call.bye().status, 200, 'BYE')


@test(name='nodes-closed')
def t_nodes_closed(ctx):
    """a node takes SIP from its edges only"""
    lab = ctx.shared
    ip, port = lab.plan.node_ips[0], lab.plan.sip
    for host, tp in (('127.0.0.88', 'udp'), ('127.0.0.88', 'tcp')):
        u = Ua('alice', lab.domain, (ip, port), host=host, transport=tp,
               password=USERS['alice'], retransmit=False)
        ctx.after(u.close)
        m = request(u, 'OPTIONS', 'sip:%s:%d' % (ip, port))
        t = u.send_request(m)
        time.sleep(0.3)
        check(not t.responses, 'a stranger got %s over %s', t.responses, tp)


@test(name='core-closed')
def t_core_closed(ctx):
    """the edge's core side takes SIP from its pool only"""
    lab = ctx.shared
    u = Ua('alice', lab.domain, (lab.plan.edge_ip, lab.plan.core),
           host='127.0.0.88', transport='tcp', retransmit=False)
    ctx.after(u.close)
    b = phone(ctx, 'bob')
    before = len(b.requests)
    m = request(u, 'INVITE', 'sip:bob@' + b.hostport(), to=b.aor)
    t = u.send_request(m)
    time.sleep(0.3)
    check(not t.final or t.final.status >= 400, 'got %s', t.responses)
    check(not b.requests[before:], 'the phone got %s', b.requests[before:])


@test(name='proxy-require')
def t_proxy_require(ctx):
    """Proxy-Require of something unknown gets 420 with Unsupported"""
    a = phone(ctx, 'alice')
    r = a.request('OPTIONS', 'sip:bob@example.com',
                  headers=[('Proxy-Require', 'wonders, miracles')])
    equal(r.status, 420, 'OPTIONS')
    equal(sorted(r.list('Unsupported')), ['miracles', 'wonders'],
          'Unsupported')


@test(name='scheme')
def t_scheme(ctx):
    """an unknown URI scheme gets 416"""
    a = phone(ctx, 'alice')
    equal(a.request('OPTIONS', 'http:x').status, 416, 'http:')


@test(name='log-injection')
def t_log_injection(ctx):
    """what phones send cannot forge a line of the log"""
    a = phone(ctx, 'alice', register=False)
    evil = 'x\u0007node=n1 up->down reason=evil'
    m = request(a, 'BYE', 'sip:bob@example.com', to_tag='t',
                call_id='i"\\\x01' + evil.replace(' ', '_'))
    a.send_raw(m.bytes())
    a.invite('sip:%s@example.com' % 'bob%0anode=n1').wait_final()
    time.sleep(0.1)
    for p in ctx.shared.procs:
        for ln in p.log().splitlines():
            check(ln.startswith('ts='), '%s: line %r', p.name, ln)
            check('\x07' not in ln and '\x01' not in ln, '%s: %r', p.name, ln)


def bomb(size=0, head=0, transport='UDP', method='MESSAGE'):
    """A request of `size` bytes, or with `head` bytes of headers."""
    def text(n, pad):
        x = 'X-Pad: %s\r\n' % ('p' * 1000)
        t = token()
        return ('%s sip:%s@example.com SIP/2.0\r\nVia: SIP/2.0/%s 127.0.0.1:9;'
                'branch=z9hG4bK%s\r\nMax-Forwards: 70\r\nFrom: <sip:a@example'
                '.com>;tag=1\r\nTo: <sip:a@example.com>\r\nCall-ID: %s\r\n'
                'CSeq: 1 %s\r\n%sX: %s\r\nContent-Length: %d\r\n\r\n' % (
                    method, t, transport, t, t, method, x * (pad // 1011),
                    'x' * (pad % 1011), n)) + 'b' * n
    if head:
        return text(0, head - len(text(0, 0))).encode()[:65507]
    return text(size + 10000 - len(text(10000, 0)), 0).encode()


@test(name='size-bomb')
def t_size_bomb(ctx):
    """a request that just fits disturbs no connection between edge and nodes"""
    a, b = phone(ctx, 'alice'), phone(ctx, 'bob', answer=None)
    call = a.invite(b.aor)
    got = b.wait_call()
    got.ring()
    call.wait_status(180)
    host, port = ctx.shared.proxy
    for i in range(6):          # enough AoRs to hit every node
        for kw in ({'size': 65507}, {'size': 65400}, {'head': 16384},
                   {'head': 16200}):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.settimeout(3)
                s.sendto(bomb(**kw), (host, port))
                line = s.recv(65535).split(b'\r\n')[0]
            check(b' 513 ' in line or b' 407 ' in line, '%s got %s', kw, line)
    got.answer()
    equal(call.wait_final().status, 200, 'the call that was ringing')
    call.bye()
