"""The edge is killed, or a phone's connection ends: calls and registrations of
before go on."""
import os
import time

from e2e import check, equal, eventually, test
from group_failover import figures, total
from sipua import SDP, Auto, Ua

USERS = {u: 'pw-' + u for u in ('alice', 'bob', 'carol')}
SIX = 5560                      # port of the edge on ::1


def start(ctx, node=None, **edge):
    conf = {'listen': [{'transport': tp, 'address': ip, 'port': port}
                       for tp in ('udp', 'tcp')
                       for ip, port in (('127.0.0.1', 5060), ('::1', SIX))]}
    conf.update(edge)
    return ctx.lab(users=USERS, edge_conf=conf, node_conf=node or {})


def phone(ctx, lab, user, kind, answer=0.05):
    """A registered phone; kind: udp, tcp, udp6, tcp6"""
    six = kind.endswith('6')
    u = Ua(user, lab.domain, ('::1', SIX) if six else lab.proxy,
           transport=kind[:3], password=USERS[user])
    ctx.after(u.close)
    u.auto = Auto(answer=answer)
    equal(u.register().status, 200, 'REGISTER of ' + user)
    return u


def talk(a, b):
    n = len(b.calls_in)
    call = a.invite(b.aor)
    equal(call.wait_final().status, 200, 'INVITE %s' % call.statuses())
    got = b.wait_call(n=n + 1)
    got.wait_ack()
    return call, got


def acks(u, call_id):
    return sum(r.method == 'ACK' and r.call_id == call_id
               for r in u.requests)


def goes_on(a, b, call, got):
    """re-INVITE with its ACK and other requests, from both sides; then BYE"""
    for me, other, peer in ((call, got, b), (got, call, a)):
        n = acks(peer, call.call_id)
        equal(me.request('INVITE', SDP).status, 200, 're-INVITE')
        eventually(lambda: acks(peer, call.call_id) > n, 3,
                   'ACK of the re-INVITE')
        for method in ('UPDATE', 'INFO', 'REFER', 'NOTIFY', 'MESSAGE',
                       'OPTIONS', 'PRACK'):
            equal(me.request(method).status, 200, method)
    equal(got.bye().status, 200, 'BYE of the callee')
    call.wait_bye()


def edge_again(lab):
    lab.edge.kill()
    lab.edge.start().wait_ready()
    lab.wait_pool(3)


def back(*phones):
    """TCP phones notice it, connect and register again"""
    for u in phones:
        if u.transport == 'tcp':
            eventually(lambda: not u._main, 3, 'end of the connection')
            equal(u.register().status, 200, 'REGISTER')


def edge_killed(ctx, ka, kb):
    lab = start(ctx)
    a, b = phone(ctx, lab, 'alice', ka), phone(ctx, lab, 'bob', kb)
    one, two = talk(a, b), talk(b, a)
    edge_again(lab)
    back(a, b)
    goes_on(a, b, *one)
    goes_on(b, a, *two)
    streams = ('tcp' in ka) + ('tcp' in kb)
    found = figures(lab, 'sbc_found_again_total')
    equal(found['{token="record_route"}'] > 0, streams > 0, 'found again')
    for x, y in ((a, b), (b, a)):
        call, got = talk(x, y)
        equal(call.bye().status, 200, 'BYE of a new call')
    for u in (a, b):
        check(b'127.0.0.1:5070' not in u.wire('in') and
              b'127.0.0.11' not in u.wire('in'),
              'an inside address at ' + u.user)


@test(name='killed-udp', limit=60)
def t_killed_udp(ctx):
    """edge killed: calls of UDP phones go on, who is registered is called"""
    edge_killed(ctx, 'udp', 'udp')


@test(name='killed-tcp', limit=60)
def t_killed_tcp(ctx):
    """edge killed: calls of TCP phones go on when they have registered again"""
    edge_killed(ctx, 'tcp', 'tcp')


@test(name='killed-mixed', limit=60)
def t_killed_mixed(ctx):
    """the same between UDP on IPv4 and TCP on IPv6"""
    edge_killed(ctx, 'udp', 'tcp6')


@test(name='killed-ipv6', limit=60)
def t_killed_ipv6(ctx):
    """the same between TCP and UDP on IPv6"""
    edge_killed(ctx, 'tcp6', 'udp6')


@test(name='killed-without-nodes', limit=60)
def t_killed_without_nodes(ctx):
    """edge killed and no node alive: calls of UDP phones go on all the same"""
    lab = start(ctx)
    a, b = phone(ctx, lab, 'alice', 'udp'), phone(ctx, lab, 'bob', 'udp')
    call, got = talk(a, b)
    for n in lab.nodes:
        n.kill()
    lab.edge.kill()
    lab.edge.start()
    eventually(lambda: lab.edge.http('/healthz')[0] == 200, 5, 'edge')
    goes_on(a, b, call, got)


@test(name='not-back')
def t_not_back(ctx):
    """a phone that is not back yet: a clear answer at once, no waiting"""
    lab = start(ctx)
    a, b = phone(ctx, lab, 'alice', 'udp'), phone(ctx, lab, 'bob', 'tcp')
    call, got = talk(a, b)
    edge_again(lab)
    t = time.monotonic()
    equal(call.request('INFO').status, 480, 'INFO')
    check(time.monotonic() - t < 0.4, 'took %.2f s', time.monotonic() - t)
    back(b)
    equal(call.bye().status, 200, 'BYE')
    got.wait_bye()


@test(name='reconnected')
def t_reconnected(ctx):
    """a phone that connects anew is reached in its calls, by both tokens"""
    lab = start(ctx)
    a, b = phone(ctx, lab, 'alice', 'tcp'), phone(ctx, lab, 'bob', 'tcp')
    call, got = talk(a, b)
    for u in (a, b):
        u.drop_connection()
        equal(u.register().status, 200, 'REGISTER')
    goes_on(a, b, call, got)
    check(total(lab, 'sbc_found_again_total') > 0, 'nobody was found again')


@test(name='other-contact')
def t_other_contact(ctx):
    """with a stale contact of it still registered, a phone rings once"""
    # at once: while a 200 waits for others, the nodes learn that the connection
    # is gone, and the contact with it
    lab = start(ctx, node={'replicate_gap': 0})
    a, b = phone(ctx, lab, 'alice', 'udp'), phone(ctx, lab, 'bob', 'tcp')
    equal(b.register(contact='<sip:bob@192.0.2.99:1;transport=tcp>').status,
          200, 'REGISTER of another contact')
    b.drop_connection()
    equal(b.register().status, 200, 'REGISTER')
    call, got = talk(a, b)
    equal(len({r.branch for r in b.requests if r.method == 'INVITE'}), 1,
          'INVITEs at the phone')
    equal(call.bye().status, 200, 'BYE')
    equal(total(lab, 'sbc_found_twice_total'), 1, 'second branches')
    # the node took the stale one out
    call, got = talk(a, b)
    equal(call.bye().status, 200, 'BYE')
    equal(total(lab, 'sbc_found_twice_total'), 1, 'second branches')


@test(name='nobody-else')
def t_nobody_else(ctx):
    """another user who registers with bob's Call-ID is not taken for him"""
    lab = start(ctx)
    a, b = phone(ctx, lab, 'alice', 'udp'), phone(ctx, lab, 'bob', 'tcp')
    call, got = talk(a, b)
    c = Ua('carol', lab.domain, lab.proxy, transport='tcp',
           password=USERS['carol'])
    ctx.after(c.close)
    c._reg['call_id'] = b._reg['call_id']
    b.drop_connection()
    equal(c.register().status, 200, 'REGISTER of carol')
    equal(call.request('INFO').status, 480, 'INFO')
    # nor bob, without his password
    c.user, c.password = 'bob', 'wrong'
    c.aor = b.aor
    equal(c.register().status in (401, 403), True, 'REGISTER as bob')
    equal(call.request('INFO').status, 480, 'INFO')
    check(not c.requests, 'carol got %s', [r.method for r in c.requests])
    equal(b.register().status, 200, 'REGISTER of bob')
    equal(call.bye().status, 200, 'BYE')


@test(name='records-and-events')
def t_records_and_events(ctx):
    """a call that moved is in the events and the call records, also after HUP"""
    import json
    import signal
    path = os.path.join(ctx.dir, 'cdr')
    lab = start(ctx, cdr_file=path)
    a, b = phone(ctx, lab, 'alice', 'udp'), phone(ctx, lab, 'bob', 'tcp')

    def records(name=path):
        with open(name) as f:
            return [json.loads(x) for x in f]

    def events(since):
        code, body = lab.edge.http('/api/v1/events?since=%d' % since)
        equal(code, 200, 'events')
        return json.loads(body)
    call, got = talk(a, b)
    ok = eventually(lambda: [r for r in records() if r['code'] == 200], 3,
                    'record')
    equal(len(ok), 1, 'records of the call')
    equal((ok[0]['call_id'], ok[0]['from'], ok[0]['to'], ok[0]['transport']),
          (call.call_id, a.aor, b.aor, 'udp'), 'record')
    check(abs(ok[0]['start'] / 1000 - time.time()) < 20, 'start %s',
          ok[0]['start'])
    check(ok[0]['answered'] - ok[0]['start'] >= 50, 'set-up in %s', ok[0])
    equal([(t['node'] in lab.names, t['result']) for t in
           ok[0]['attempts']], [(True, 'answered')], 'attempts')
    check('response' not in open(path).read(), 'credentials in a record')
    os.rename(path, path + '.1')
    lab.edge.signal(signal.SIGHUP)
    last = events(0)['last']
    node = lab.node(ok[0]['attempts'][0]['node'])
    node.stop()
    n = len(b.calls_in)
    call = a.invite(b.aor)
    equal(call.wait_final().status, 200, 'INVITE')
    b.wait_call(n=n + 1).wait_ack()
    equal(call.bye().status, 200, 'BYE')
    moved = eventually(lambda: [
        r for r in (records() if os.path.exists(path) else [])
        if r['failed_over']], 3, 'record of a moved call')
    equal(moved[0]['attempts'][0]['node'], node.name, 'first node')
    equal([t['result'] for t in moved[0]['attempts']],
          ['silent', 'answered'], 'results')
    check(not [r for r in records(path + '.1') if r['failed_over']],
          'a line in the old file')
    ev = events(last)
    mine = [e for e in ev['events'] if e.get('call_id') == call.call_id]
    equal([e['kind'] for e in mine if e['kind'] != 'gate'],
          ['moved', 'saved'] * (len(mine) // 2), 'events of the call')
    equal((mine[0]['node'], mine[0]['reason'], mine[0]['from'],
           mine[0]['to']), (node.name, 'silent', 'alice@example.com',
                            'bob@example.com'), 'event')
    eventually(lambda: [e for e in events(last)['events'] if
                        e['kind'] == 'node' and e['node'] == node.name], 5,
               'event of the node')
    equal(lab.edge.http('/api/v1/events?since=x')[0], 400, 'since=x')
    equal(lab.edge.http('/api/v1/events?limit=0')[0], 400, 'limit=0')
    equal(len(json.loads(lab.edge.http('/api/v1/events?limit=1')[1])
              ['events']), 1, 'limit=1')
    node.cont()


@test(name='records-disk-full')
def t_records_disk_full(ctx):
    """no room for call records: calls go on, an alarm; then they are written"""
    import json
    import signal
    path = os.path.join(ctx.dir, 'cdr')
    os.symlink('/dev/full', path)
    lab = start(ctx, cdr_file=path)
    a, b = phone(ctx, lab, 'alice', 'udp'), phone(ctx, lab, 'bob', 'udp')
    ids = []
    for _ in range(5):
        call, got = talk(a, b)
        ids.append(call.call_id)
        equal(call.bye().status, 200, 'BYE')

    def alarms():
        return [e['severity'] for e in json.loads(
            lab.edge.http('/api/v1/events?limit=1000')[1])['events']
            if e['kind'] == 'records']
    eventually(lambda: alarms() == ['error'], 5, 'alarm')
    check('event=records problem="No space' in lab.edge.log(), 'no log line')
    check(figures(lab, 'sbc_cdr_waiting')[''] >= 5, 'waiting')
    os.unlink(path)
    lab.edge.signal(signal.SIGHUP)
    eventually(lambda: alarms() == ['error', 'info'], 5, 'end of the alarm')
    with open(path) as f:
        got = [json.loads(x) for x in f]
    equal([r['call_id'] for r in got if r['code'] == 200], ids, 'records')
    equal(figures(lab, 'sbc_cdr_total')['{result="dropped"}'], 0, 'dropped')
