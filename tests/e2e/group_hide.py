"""hide = core: no client ever sees an address of the inside."""
import re
import time

from e2e import check, equal, test
from sipua import Auto

USERS = {u: 'pw-' + u for u in ('alice', 'bob', 'carol')}
CORE = '127.0.0.10'                     # nodes are 127.0.0.11, .12, .13
INSIDE = re.compile(rb'127\.0\.0\.1[0-3](?![0-9])|:5070\b|:5080\b|'
                    rb'alias|keep;|edgewise|\bn[123]\b')


def lab_of(ctx, core='tcp', hide='core'):
    return ctx.lab(users=USERS,
                   edge_conf={'core': {'transport': core, 'address': CORE,
                                       'port': 5070}, 'hide': hide},
                   node_conf={'edges': [CORE]})


def clean(*phones):
    """Each message that came in, searched."""
    n = 0
    for u in phones:
        for _, way, data, _ in u.log:
            if way != 'in':
                continue
            n += 1
            m = INSIDE.search(data)
            check(not m, '%s got %r in:\n%s', u.user, m and m.group(0),
                  data.decode('utf-8', 'replace'))
    return n


def everything(lab):
    """A bit of all: register, calls both ways, failures, failover."""
    a = lab.ua('alice')
    b = lab.ua('bob', transport='tcp')
    a.auto = b.auto = Auto(answer=0.1)
    for u in (a, b):
        equal(u.register().status, 200, 'REGISTER')
        equal(u.register(contact='').status, 200, 'fetch')
    for x, y in ((a, b), (b, a)):
        n = len(y.calls_in)
        c = x.invite(y.aor)
        equal(c.wait_final().status, 200, 'INVITE')
        got = y.wait_call(n=n + 1)
        got.wait_ack()
        equal(c.request('INVITE', 'v=0\r\n').status, 200, 're-INVITE')
        equal(got.request('INFO').status, 200, 'INFO')
        equal(c.bye().status, 200, 'BYE')
    b.auto = Auto(answer=0.05, code=486)
    equal(a.invite(b.aor).wait_final().status, 486, 'busy')
    b.auto = Auto(ring=0, answer=30)
    c = a.invite(b.aor)
    c.wait_status(180)
    c.cancel().wait()
    equal(c.wait_final().status, 487, 'cancelled')
    for uri, code in (('sip:nobody@example.com', 404),
                      ('sip:carol@example.com', 480),
                      ('sip:x@example.org', None),
                      ('tel:123', None)):
        s = a.invite(uri).wait_final().status
        check(s >= 400 and code in (None, s), '%s got %d', uri, s)
    a.request('OPTIONS', 'sip:127.0.0.1:5060', auth=False)
    a.request('MESSAGE', b.aor, 'hello')
    a.register(expires=1)               # 423
    b.auto = Auto(answer=0.1)
    # ringing, then the node is gone; then one frozen
    for hurt in ('stop', 'kill'):
        c = a.invite(b.aor)
        c.wait_status(180)
        c.wait_final()
        equal(c.bye().status, 200, 'BYE')
        victim = max(lab.nodes, key=lambda n: n.alive() and
                     lab.edge.metrics().get(
                         'edgewise_node_picked_total{node="%s"}' % n.name, 0))
        getattr(victim, hurt)()
        c = a.invite(b.aor)
        equal(c.wait_final().status, 200, 'INVITE after ' + hurt)
        equal(c.bye().status, 200, 'BYE')
    for n in lab.nodes:
        if n.alive():
            n.kill()
    check(a.invite(b.aor).wait_final(8).status >= 400, 'no node left')
    b.drop_connection()
    time.sleep(0.1)
    return a, b


@test(name='wire-tcp')
def t_wire_tcp(ctx):
    """register, calls, failures, failover: nothing of the inside on the wire"""
    n = clean(*everything(lab_of(ctx)))
    check(n > 60, 'only %d messages came', n)


@test(name='wire-udp')
def t_wire_udp(ctx):
    """the same with UDP inside"""
    n = clean(*everything(lab_of(ctx, 'udp')))
    check(n > 60, 'only %d messages came', n)


@test(name='search-works')
def t_search_works(ctx):
    """with hide = none the same search finds the inside (so it can fail)"""
    lab = lab_of(ctx, hide='none')
    a, b = lab.ua('alice'), lab.ua('bob')
    b.auto = Auto()
    for u in (a, b):
        equal(u.register().status, 200, 'REGISTER')
    equal(a.invite(b.aor).wait_final().status, 200, 'INVITE')
    check(INSIDE.search(a.wire('in') + b.wire('in')),
          'nothing of the inside is to be seen')
