"""Trusted peers and routes: calls to and from gateways, played by sipp and by
sipua.py, each with an address of its own."""
import os

from e2e import check, equal, eventually, test
from group_policy import request
from lab import Lab
from sipp import Sipp, run
from sipua import Auto, Ua

USERS = {u: 'pw-' + u for u in ('alice', 'bob', 'carol')}
GW = {'gw1': '127.0.0.41', 'gw2': '127.0.0.42', 'pbx': '127.0.0.43'}
PORT = 5060


def peer(name, **kw):
    p = {'name': name, 'address': GW[name], 'port': PORT, 'timeout': 400,
         'rest': 1000, 'domains': ['example.com']}
    return dict(p, **kw)


def edge_conf(**kw):
    return {'peers': [
        peer('gw1', **kw), peer('gw2'),
        peer('pbx', transport='tcp', keep_host=True, domains=[])]}


ROUTES = {'routes': [
    {'prefix': '+49', 'peers': ['gw1', 'gw2'], 'strip': 3, 'add': '0'},
    {'prefix': '+4930', 'peers': ['gw2']},
    {'domain': 'pbx.example', 'peers': ['pbx']}]}


def setup(ctx):
    ctx.shared = Lab(users=USERS, dir=os.path.join(ctx.root, 'lab'),
                     edge_conf=edge_conf(), node_conf=ROUTES).start()


def teardown(ctx):
    if ctx.shared:
        ctx.shared.stop()


def gateway(ctx, name, auto=True, lab=None, **kw):
    lab = lab or ctx.shared
    u = Ua(name, 'carrier.example', lab.proxy, host=GW[name], port=PORT,
           transport=kw.pop('transport', 'udp'))
    ctx.after(lambda: u._closing or u.close())
    u.auto = Auto(**kw) if auto else None
    return u


def phone(ctx, user, lab=None, **kw):
    u = (lab or ctx.shared).ua(user, **kw)
    u.auto = Auto()
    equal(u.register().status, 200, 'REGISTER of ' + user)
    if not lab:
        ctx.after(lambda: u.register(contact='*', expires=0))
    return u


def figure(lab, name, **labels):
    want = ','.join('%s="%s"' % kv for kv in labels.items())
    return lab.edge.metrics().get('edgewise_%s{%s}' % (name, want), 0)


def rested(ctx, name, lab=None):
    """Wait until a peer may be asked again, if a test before has hurt it."""
    lab = lab or ctx.shared
    eventually(lambda: all(p['state'] == 'ready' or not p['rest_ms']
                           for p in lab.edge.status()['peers']
                           if p['name'] == name), 12, name + ' asked again')


@test(name='out')
def t_out(ctx):
    """a phone's call leaves by the gateway of its prefix (sipp), and both can end it"""
    lab = ctx.shared
    rested(ctx, 'gw1')
    for flow in ('basic', 'bye-callee', 'reinvite-callee', 'cancel-ringing'):
        gw = Sipp(ctx.dir, flow + '.uas', proxy=lab.proxy, ip=GW['gw1'],
                  port=PORT)
        run(ctx, [gw, Sipp(ctx.dir, flow + '.uac', proxy=lab.proxy,
                           port=20002, target='+49891234')])
        seen = gw.messages()
        check('INVITE sip:0891234@127.0.0.41:5060 ' in seen,
              'Request-URI at the gateway:\n%s', seen[:600])
        for inside in ('127.0.0.11', 'Edgewise-', ':5070',
                       'Proxy-Authorization'):
            check(inside not in seen, '%s is seen by the gateway', inside)


@test(name='in')
def t_in(ctx):
    """the gateway (sipp) calls a phone at the edge's address, without credentials"""
    lab = ctx.shared
    b = phone(ctx, 'bob')
    run(ctx, [Sipp(ctx.dir, 'gateway.uac', proxy=lab.proxy, ip=GW['gw1'],
                   port=PORT, target='bob')])
    inv = b.wait_request('INVITE')
    check('+4989555' in inv.get('P-Asserted-Identity', ''),
          'what a trusted peer asserts is kept: %s', inv.headers)
    check(not [n for n, _ in inv.headers if n.startswith('Edgewise')],
          'private headers: %s', inv.headers)


@test(name='in-phone-hangs-up')
def t_in_phone_hangs_up(ctx):
    """a call from a gateway: the phone's INFO and BYE reach the gateway"""
    b, gw = phone(ctx, 'bob'), gateway(ctx, 'gw1')
    call = gw.invite('sip:bob@%s:%d' % ctx.shared.proxy)
    equal(call.wait_final().status, 200, 'INVITE')
    got = b.wait_call()
    got.wait_ack()
    gw.handler = lambda ua, req, st: (
        req.method == 'INFO' and (ua.reply(st, 200) or True))
    equal(got.request('INFO').status, 200, 'INFO')
    equal(got.bye().status, 200, 'BYE')


@test(name='longest-prefix')
def t_longest_prefix(ctx):
    """the longest prefix decides, a number nobody has a route for gets 404"""
    one, two = gateway(ctx, 'gw1'), gateway(ctx, 'gw2')
    a = phone(ctx, 'alice')
    rested(ctx, 'gw2')
    call = a.invite('sip:+49-(30).555@example.com;user=phone')
    equal(call.wait_final().status, 200, 'INVITE')
    equal(call.bye().status, 200, 'BYE')
    got = two.wait_call()
    check(got.req.start.startswith(
        'INVITE sip:+4930555@127.0.0.42:5060;user=phone '), got.req.start)
    check(not one.calls_in, 'the other gateway was asked, too')
    equal(a.invite('sip:+1555@example.com').wait_final().status, 404,
          'no route')
    equal(a.invite('sip:carol@example.com').wait_final().status, 480,
          'a user of ours who is not registered')


@test(name='contact-first')
def t_contact_first(ctx):
    """a registered contact goes before a route"""
    lab = ctx.lab(users={'alice': 'a', '+49891': 'b'},
                  edge_conf=edge_conf(), node_conf=ROUTES)
    gw, a, b = gateway(ctx, 'gw1', lab=lab), phone(ctx, 'alice', lab), \
        phone(ctx, '+49891', lab)
    call = a.invite('sip:+49891@example.com')
    equal(call.wait_final().status, 200, 'INVITE')
    b.wait_call()
    equal(call.bye().status, 200, 'BYE')
    check(not gw.calls_in, 'the gateway was asked')


@test(name='domain-tcp')
def t_domain_tcp(ctx):
    """a call for a domain that is not served goes to its PBX over TCP, and back after the PBX cut the connection"""
    gw, a = gateway(ctx, 'pbx', transport='tcp'), phone(ctx, 'alice')
    call = a.invite('sip:desk.7@pbx.example')
    equal(call.wait_final().status, 200, 'INVITE')
    got = gw.wait_call()
    check(got.req.start.startswith('INVITE sip:desk.7@pbx.example '),
          got.req.start)
    got.wait_ack()
    with gw.lock:
        for s in list(gw._conns):
            gw._close_conn(s)
    eventually(lambda: call.request('INFO').status == 200, 3, 'INFO')
    equal(call.bye().status, 200, 'BYE')
    got.wait_bye()
    equal(a.invite('sip:x@other.example').wait_final().status, 404,
          'a domain without a route')


def second(ctx, what, limit=3.0):
    """A call that gw1 does not take is answered by gw2."""
    lab = ctx.shared
    rested(ctx, 'gw1')
    two, a = gateway(ctx, 'gw2'), phone(ctx, 'alice')
    before = figure(lab, 'sbc_peer_failed_total', peer='gw1')
    one = what()
    call = a.invite('sip:+49891@example.com')
    equal(call.wait_final(limit).status, 200, 'INVITE')
    equal(call.bye().status, 200, 'BYE')
    equal(len(two.calls_in), 1, 'calls at the second gateway')
    return lab, one, two, a, before


@test(name='silent')
def t_silent(ctx):
    """a gateway that says nothing: the next one is asked, and this one rests"""
    def mute():
        u = gateway(ctx, 'gw1', auto=False)
        u._on_request = lambda m, flow: None
        return u
    lab, one, two, a, before = second(ctx, mute)
    equal(figure(lab, 'sbc_peer_failed_total', peer='gw1') - before, 1,
          'failures')
    asked = len([1 for d in one.log if b'INVITE' in d[2]])
    check(asked, 'the first one was never asked')
    began = a.invite('sip:+49892@example.com')
    equal(began.wait_final().status, 200, 'INVITE')
    check(began.time_to(200) < 0.35, 'it took %.3f s though the first one '
          'rests', began.time_to(200))
    equal(began.bye().status, 200, 'BYE')
    equal(len([1 for d in one.log if b'INVITE' in d[2]]), asked,
          'INVITEs at the resting gateway')


@test(name='down')
def t_down(ctx):
    """a gateway whose port is closed (ICMP): the next one is asked at once"""
    lab, _, _, _, before = second(ctx, lambda: None, 0.4)
    equal(figure(lab, 'sbc_peer_failed_total', peer='gw1') - before, 1,
          'failures')


@test(name='refused')
def t_refused(ctx):
    """503 and 500: the next gateway is asked; 486, 404 and 603 end the call"""
    lab = ctx.shared
    for code in (503, 500, 502):
        def refusing():
            return gateway(ctx, 'gw1', code=code, answer=0)
        _, one, two, _, _ = second(ctx, refusing)
        equal(len(one.calls_in), 1, 'calls at the first gateway')
        one.close()
        two.close()
    a, two = phone(ctx, 'alice'), gateway(ctx, 'gw2')
    for code in (486, 404, 603, 480):
        one = gateway(ctx, 'gw1', code=code, answer=0)
        call = a.invite('sip:+49891@example.com')
        equal(call.wait_final().status, code, 'INVITE')
        one.close()
    check(not two.calls_in, 'the second gateway was asked, too')


@test(name='all-down')
def t_all_down(ctx):
    """no gateway is there: 480, and the last of a route is tried even while it rests"""
    lab = ctx.shared
    a = phone(ctx, 'alice')
    for _ in range(2):
        equal(a.invite('sip:+49891@example.com').wait_final(3).status, 480,
              'INVITE')
    gateway(ctx, 'gw2')
    call = a.invite('sip:+49891@example.com')
    equal(call.wait_final().status, 200, 'INVITE')
    equal(call.bye().status, 200, 'BYE')
    equal([p['state'] for p in lab.edge.status()['peers']
           if p['name'] == 'gw2'], ['ready'], 'gw2')


@test(name='cap')
def t_cap(ctx):
    """more calls a second than max_cps get 503 with Retry-After, a phone's do not"""
    lab = ctx.lab(users=USERS, edge_conf=edge_conf(max_cps=3),
                  node_conf=ROUTES)
    gw, b = gateway(ctx, 'gw1', lab=lab), phone(ctx, 'bob', lab)
    b.auto = Auto(code=486, answer=0)
    calls = [gw.invite('sip:bob@%s:%d' % lab.proxy) for _ in range(10)]
    got = [c.wait_final().status for c in calls]
    equal((got.count(486), got.count(503)), (3, 7), 'answers')
    for c in calls:
        r = c.wait_final()
        if r.status == 503:
            check(r.get('Retry-After'), 'no Retry-After')
    equal(figure(lab, 'sbc_peer_refused_total', peer='gw1', why='cps'), 7,
          'counted')
    equal(figure(lab, 'sbc_peer_calls_total', peer='gw1', direction='in'), 3,
          'counted')
    a = phone(ctx, 'alice', lab)
    equal([a.invite(b.aor).wait_final().status for _ in range(6)], [486] * 6,
          'calls of a phone')


@test(name='strangers')
def t_strangers(ctx):
    """who is no peer and proves nothing gets no route; marks he writes himself are taken off"""
    lab = ctx.shared
    gw, gw2 = gateway(ctx, 'gw1'), gateway(ctx, 'gw2')
    x = Ua('mallory', 'example.com', lab.proxy, host='127.0.0.66')
    ctx.after(x.close)
    marks = [('Edgewise-From-Peer', 'gw1'), ('edgewise-from-peer', 'gw1'),
             ('Edgewise-To-Peer', 'gw1;last'), ('EDGEWISE-TO-PEER ', 'gw1')]
    for uri in ('sip:+49891@example.com', 'sip:d@pbx.example'):
        for heads in [[]] + [[h] for h in marks] + [marks]:
            m = request(x, 'INVITE', uri, headers=heads)
            equal(x.send_request(m).wait().status, 407, 'INVITE %s' % heads)
    m = request(x, 'REGISTER', 'sip:example.com', to='sip:bob@example.com',
                headers=marks[:1])
    equal(x.send_request(m).wait().status, 401, 'REGISTER with a mark')
    # alice may use routes, but not choose the gateway or speak as one
    a = phone(ctx, 'alice')
    got = a.request('MESSAGE', 'sip:+4930@example.com', headers=marks)
    check(got.status in (200, 404, 405, 501), 'MESSAGE: %d', got.status)
    check(not [r for r in gw.requests if r.method != 'OPTIONS'],
          'the gateway of the mark was asked: %s', gw.requests)


@test(name='peer-limits')
def t_peer_limits(ctx):
    """a peer registers nobody, calls no foreign domain, and no call of it comes back to it"""
    lab = ctx.shared
    gw, two = gateway(ctx, 'gw1'), gateway(ctx, 'gw2')
    m = request(gw, 'REGISTER', 'sip:example.com', to='sip:bob@example.com')
    equal(gw.send_request(m).wait().status, 401, 'REGISTER by a peer')
    # its own route names it: no way, neither to it nor to the others of it
    equal(gw.invite('sip:+49891@%s:%d' % lab.proxy).wait_final().status, 404,
          'a number behind the peer itself')
    equal(gw.invite('sip:d@pbx.example').wait_final().status, 403,
          'a domain that is not of this peer')
    check(not gw.calls_in and not two.calls_in, 'a gateway was called')
    # a PBX may call out
    pbx = gateway(ctx, 'pbx', transport='tcp')
    rested(ctx, 'gw1')
    call = pbx.invite('sip:+49891@example.com')
    equal(call.wait_final().status, 200, 'INVITE of the PBX')
    equal(call.bye().status, 200, 'BYE')
    equal(len(gw.calls_in), 1, 'calls at the gateway')


@test(name='loop')
def t_loop(ctx):
    """a gateway that sends calls back as they came ends them with 482 or 483"""
    lab = ctx.shared
    a, pbx = phone(ctx, 'alice'), gateway(ctx, 'pbx', transport='tcp')
    gw = gateway(ctx, 'gw2', auto=False)

    def back(ua, req, st):
        """A proxy that only adds its Via"""
        if req.method != 'INVITE':
            return False
        m = request(ua, 'INVITE', 'sip:+4930555@example.com')
        via = m.all('Via')
        m.headers = [h for h in m.headers if h[0] not in (
            'Call-ID', 'From', 'To', 'CSeq', 'Via', 'Max-Forwards')]
        for n in ('Call-ID', 'From', 'To', 'CSeq', 'Max-Forwards'):
            m.add(n, req.get(n))
        for v in via + req.all('Via'):
            m.add('Via', v)
        r = ua.send_request(m).wait(3)
        ua.reply(st, r.status)
        return True
    import threading
    gw.handler = lambda ua, req, st: (
        req.method == 'INVITE' and
        (threading.Thread(target=back, args=(ua, req, st)).start() or True))
    s = a.invite('sip:+4930555@example.com').wait_final(8).status
    check(s in (404, 482, 483), 'INVITE got %d', s)
    check(len([r for r in gw.requests if r.method == 'INVITE']) == 1,
          'it went round')


@test(name='edge-restarted')
def t_edge_restarted(ctx):
    """the edge is killed during calls from and to a PBX on TCP: it dials the PBX anew, both can be ended"""
    lab = ctx.lab(users=USERS, edge_conf=edge_conf(), node_conf=ROUTES)
    a, b = phone(ctx, 'alice', lab), phone(ctx, 'bob', lab)
    pbx = gateway(ctx, 'pbx', lab=lab, transport='tcp')
    out = a.invite('sip:desk@pbx.example')
    equal(out.wait_final().status, 200, 'INVITE to the PBX')
    got = pbx.wait_call()
    got.wait_ack()
    back = pbx.invite(b.aor)
    equal(back.wait_final().status, 200, 'INVITE of the PBX')
    mine = b.wait_call()
    mine.wait_ack()
    lab.edge.kill()
    lab.edge.start().wait_ready()
    lab.wait_pool(3)
    equal(out.request('INFO').status, 200, 'INFO to the PBX')
    equal(mine.bye().status, 200, 'BYE of the phone called by the PBX')
    back.wait_bye()
    equal(out.bye().status, 200, 'BYE to the PBX')
    got.wait_bye()


@test(name='node-killed')
def t_node_killed(ctx):
    """the node dies while the gateway rings: the call is answered and ended as if nothing was"""
    lab = ctx.lab(users=USERS, edge_conf=edge_conf(), node_conf=ROUTES)
    a, gw = phone(ctx, 'alice', lab), gateway(ctx, 'gw1', lab=lab, answer=60)
    two = gateway(ctx, 'gw2', lab=lab)
    call = a.invite('sip:+49891@example.com')
    got = gw.wait_call()
    call.wait_status(180)
    node = busy(lab)
    node.kill()
    eventually(lambda: lab.edge.metrics().get(
        'edgewise_sbc_adopted_total', 0) >= 1, 8, 'adoption')
    got.answer()
    equal(call.wait_final(8).status, 200, 'INVITE')
    got.wait_ack()
    equal(call.request('INFO').status, 200, 'INFO')
    equal(got.bye().status, 200, 'BYE')
    equal(len(gw.calls_in), 1, 'calls at the gateway')
    check(not two.calls_in, 'the other gateway was called, too')


@test(name='node-killed-then-busy')
def t_node_killed_then_busy(ctx):
    """the node dies while the gateway rings, which then says 503: the next node asks the next gateway, not this one again"""
    lab = ctx.lab(users=USERS, edge_conf=edge_conf(), node_conf=ROUTES)
    a, gw = phone(ctx, 'alice', lab), gateway(ctx, 'gw1', lab=lab, answer=60)
    two = gateway(ctx, 'gw2', lab=lab)
    call = a.invite('sip:+49891@example.com')
    got = gw.wait_call()
    call.wait_status(180)
    busy(lab).kill()
    eventually(lambda: lab.edge.metrics().get(
        'edgewise_sbc_adopted_total', 0) >= 1, 8, 'adoption')
    got.respond(503)
    equal(call.wait_final(8).status, 200, 'INVITE')
    equal(len(gw.calls_in), 1, 'calls at the first gateway')
    equal(len(two.calls_in), 1, 'calls at the second gateway')
    equal(call.bye().status, 200, 'BYE')


def busy(lab):
    """The node that has a call."""
    def find():
        return next((n for n in lab.nodes if n.metrics().get(
            'edgewise_node_forks_open', 0)), None)
    return eventually(find, 3, 'node with a call')


@test(name='reload')
def t_reload(ctx):
    """SIGHUP takes a peer in and out; its figures go on while its name stays"""
    import signal
    lab = ctx.lab(users=USERS, edge_conf=edge_conf(), node_conf=ROUTES)
    a, gw = phone(ctx, 'alice', lab), gateway(ctx, 'gw1', lab=lab)

    def names():
        return [p['name'] for p in lab.edge.status().get('peers', [])]
    equal(names(), ['gw1', 'gw2', 'pbx'], 'peers')
    call = a.invite('sip:+49891@example.com')
    equal(call.wait_final().status, 200, 'INVITE')
    from lab import merge
    lab.write_conf('edge', merge(lab.edge_conf(), {'peers': [peer('gw1')]}))
    lab.edge.signal(signal.SIGHUP)
    eventually(lambda: names() == ['gw1'], 3, 'one peer')
    equal(figure(lab, 'sbc_peer_calls_total', peer='gw1', direction='out'),
          1, 'calls before the reload')
    equal(call.bye().status, 200, 'BYE')
    equal(a.invite('sip:+4930@example.com').wait_final().status, 480,
          'a route to a peer that the edge does not have')
    lab.write_conf('edge', lab.edge_conf())
    lab.edge.signal(signal.SIGHUP)
    eventually(lambda: not names(), 3, 'no peer')
    equal(gw.invite('sip:alice@%s:%d' % lab.proxy).wait_final().status, 404,
          'a peer that is none any more')
