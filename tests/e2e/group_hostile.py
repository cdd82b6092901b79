"""Hostile input on every socket the programs open: nodes, the edge's core
side, the cluster link, HTTP; floods and used-up limits. Afterwards a phone
must be served as ever."""
import os
import random
import resource
import select
import socket
import threading
import time

from e2e import check, equal, eventually, test
from group_torture import TORTURE
from sipmsg import Msg, token
from sipua import Auto

USERS = {'alice': 'pw-alice', 'bob': 'pw-bob'}
FILES = [open(os.path.join(TORTURE, f), 'rb').read()
         for f in sorted(os.listdir(TORTURE)) if f.endswith('.dat')]


def mutate(rng, data):
    """One to eight small changes."""
    data = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        k = rng.randrange(len(data))
        what = rng.randrange(4)
        if what == 0:
            data[k] = rng.randrange(256)
        elif what == 1:
            del data[k:k + rng.randint(1, 20)]
            data = data or bytearray(b'x')
        elif what == 2:
            data[k:k] = data[k:k + rng.randint(1, 60)]
        else:
            data[k:k] = rng.choice([b'\r\n', b',', b';', b'<', b'"', b'\0',
                                    b'%00', b'=', b'@', b' ' * 40])
    return bytes(data)


def samples(seed, count):
    rng = random.Random(seed)
    for f in FILES:
        yield f
    for i in range(count):
        if i % 8:
            yield mutate(rng, rng.choice(FILES))
        else:
            yield bytes(rng.randrange(256) for _ in range(rng.randint(1,
                                                                      600)))


def serves(lab):
    """Two phones register and talk; all programs live."""
    for p in lab.procs:
        check(p.alive(), '%s has ended', p.name)
    a, b = lab.ua('alice'), lab.ua('bob', transport='tcp')
    b.auto = Auto()
    for u in (a, b):
        equal(u.register().status, 200, 'REGISTER of ' + u.user)
    c = a.invite(b.aor)
    equal(c.wait_final().status, 200, 'INVITE')
    equal(c.bye().status, 200, 'BYE')
    for u in (a, b):
        equal(u.register(contact='*', expires=0).status, 200, 'away')


def throw_udp(to, data, source='127.0.0.1'):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((source, 0))
    for i, d in enumerate(data):
        try:
            s.sendto(d[:65000], to)
        except OSError:
            pass                        # ICMP of an answer of ours
        if i % 64 == 63:
            time.sleep(0.005)
    s.close()


def throw_tcp(to, data, source='127.0.0.1', split=None):
    """Each on a connection of its own, answers not read."""
    for d in data:
        s = socket.socket()
        s.settimeout(2)
        s.bind((source, 0))
        try:
            s.connect(to)
            k = split or len(d)
            for i in range(0, len(d), k):
                s.sendall(d[i:i + k])
        except OSError:
            pass
        s.close()


@test(name='node-udp')
def t_node_udp(ctx):
    """1,500 bad datagrams from the edge's own address at a node"""
    lab = ctx.lab(users=USERS, nodes=2)
    for ip in lab.plan.node_ips:
        throw_udp((ip, lab.plan.sip), samples(11, 1500))
    serves(lab)


@test(name='node-tcp')
def t_node_tcp(ctx):
    """700 bad streams from the edge's own address at a node"""
    lab = ctx.lab(users=USERS, nodes=2)
    throw_tcp((lab.plan.node_ips[0], lab.plan.sip), samples(12, 500))
    throw_tcp((lab.plan.node_ips[1], lab.plan.sip), samples(13, 150), split=7)
    serves(lab)


@test(name='core-side')
def t_core_side(ctx):
    """bad messages from anybody at the edge's core side, UDP and TCP"""
    for tp in ('udp', 'tcp'):
        lab = ctx.lab(users=USERS, nodes=1, dir=os.path.join(ctx.dir, tp),
                      edge_conf={'core': {'transport': tp}})
        to = (lab.plan.edge_ip, lab.plan.core)
        for source in ('127.0.0.1', lab.plan.node_ips[0], '127.0.0.99'):
            if tp == 'udp':
                throw_udp(to, samples(14, 500), source)
            else:
                throw_tcp(to, samples(15, 100), source)
        serves(lab)


class BadNode:
    """Answers every request from the edge with something mutated; probes with
    200 every other time."""

    def __init__(self, at, seed):
        self.rng, self.n, self.stop = random.Random(seed), 0, False
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind(at)
        self.th = threading.Thread(target=self.loop, daemon=True)
        self.th.start()

    def loop(self):
        while not self.stop:
            if not select.select([self.s], [], [], 0.1)[0]:
                continue
            try:
                raw, peer = self.s.recvfrom(65535)
                m = Msg.parse(raw)
            except (OSError, ValueError):
                continue
            if not m.is_request or m.method == 'ACK':
                continue
            self.n += 1
            r = Msg('SIP/2.0 %d X' % self.rng.choice(
                [100, 180, 183, 199, 200, 299, 302, 401, 407, 486, 500, 503,
                 600, 699]))
            probe = m.method == 'OPTIONS' and len(m.list('Via')) == 1
            for n in ('Via', 'From', 'To', 'Call-ID', 'CSeq'):
                for v in m.all(n):
                    r.add(n, v)
            r.add('Contact', '<sip:x@127.0.0.1:9>')
            r.add('Record-Route', '<sip:127.0.0.11;lr>')
            data = r.bytes()
            if probe and self.rng.random() < 0.5:
                r.start = 'SIP/2.0 200 OK'
                self.s.sendto(r.bytes(), peer)
                continue
            for _ in range(self.rng.randint(1, 4)):
                self.s.sendto(mutate(self.rng, data) if self.rng.random() <
                              0.7 else data, peer)
            # and requests of its own
            if self.rng.random() < 0.5:
                self.s.sendto(mutate(self.rng, self.rng.choice(FILES)), peer)
                self.s.sendto(mutate(self.rng, raw), peer)

    def close(self):
        self.stop = True
        self.th.join(2)
        self.s.close()


@test(name='bad-node', limit=60)
def t_bad_node(ctx):
    """a pool of three that answers nonsense: the edge lives, phones get finals"""
    lab = ctx.new_lab(users=USERS, nodes=3, edge_conf={
        'core': {'transport': 'udp'},
        # what waits for nodes that all say nothing does so until the deadline
        'timers': {'t1': 50, 't2': 500, 't4': 500, 'deadline': 3000}})
    bad = [BadNode((ip, lab.plan.sip), i)
           for i, ip in enumerate(lab.plan.node_ips)]
    for n in bad:
        ctx.after(n.close)
    lab.edge.start()
    eventually(lambda: lab.edge.http('/healthz')[0] == 200, 5, 'edge')
    a = lab.ua('alice', password=None)
    calls = []
    for i in range(300):
        calls.append(a.invite('sip:bob%d@example.com' % i))
        if i % 3 == 0:
            m = Msg('MESSAGE sip:x@example.com SIP/2.0').add('Via', a.via())
            m.add('Max-Forwards', '70').add('From', '<%s>;tag=1' % a.aor)
            m.add('To', '<sip:x@example.com>').add('Call-ID', token())
            m.add('CSeq', '1 MESSAGE')
            a.send_request(m)
        if i % 5 == 0:
            calls[-1].cancel()
        time.sleep(0.005)
    check(lab.edge.alive(), 'the edge has ended')
    check(sum(n.n for n in bad) > 300, 'nothing reached the pool')
    # ring is long, so calls that got a 1xx of a node go on; the others end
    eventually(lambda: not [c for c in calls if not c.final and
                            set(c.statuses()) <= {100}], 6,
               'final answer, or ringing, of each call')
    ringing = [c for c in calls if not c.final]
    check(lab.edge.http('/healthz')[0] == 200, 'the edge does not answer')
    for c in ringing:
        c.cancel()
    # a good node takes the place of a bad one
    for n in bad:
        n.close()
    for n in lab.nodes:
        n.start()
    for n in lab.nodes:
        n.wait_ready()
    lab.wait_pool(3, 15)
    serves(lab)


@test(name='cluster-link')
def t_cluster(ctx):
    """garbage and silence at the cluster's port: links stay, records flow"""
    lab = ctx.lab(users=USERS, nodes=3)
    to = (lab.plan.node_ips[0], lab.plan.cluster)
    rng = random.Random(5)
    hold = [socket.create_connection(to, 2) for _ in range(50)]
    hello = bytes.fromhex('1603010200010001fc0303')
    throw_tcp(to, [bytes(rng.randrange(256) for _ in range(rng.randint(
        1, 900))) for _ in range(100)])
    throw_tcp(to, [hello + bytes(rng.randrange(256) for _ in range(
        rng.randint(0, 600))) for _ in range(100)])
    serves(lab)
    a = lab.ua('alice')
    equal(a.register().status, 200, 'REGISTER')
    for n in lab.nodes:
        eventually(lambda: n.status()['contacts'] == 1, 3,
                   'contact on ' + n.name)
    for s in hold:
        s.close()


@test(name='http')
def t_http(ctx):
    """bad and slow HTTP: the management address answers all the same"""
    lab = ctx.lab(users=USERS, nodes=1)
    for p in lab.procs:
        to = ('127.0.0.1', p.http_port)
        rng = random.Random(6)
        slow = [socket.create_connection(to, 2) for _ in range(40)]
        for s in slow:
            s.sendall(b'GET /metr')
        throw_tcp(to, [bytes(rng.randrange(256) for _ in range(rng.randint(
            1, 900))) for _ in range(50)])
        throw_tcp(to, [b'GET / HTTP/1.1\r\n' + b'X: ' + b'a' * n + b'\r\n\r\n'
                       for n in (10, 5000, 70000, 1 << 20)])
        throw_tcp(to, [b'GET /%s HTTP/1.1\r\n\r\n' % (b'a' * n)
                       for n in (10, 5000, 70000)])
        throw_tcp(to, [b'POST / HTTP/1.1\r\nContent-Length: %s\r\n\r\nx' % n
                       for n in (b'-1', b'99999999999', b'x', b'1e3')])
        throw_tcp(to, [b'GET /../../etc/passwd HTTP/1.0\r\n\r\n',
                       b'DELETE /metrics HTTP/1.1\r\n\r\n', b'\r\n' * 999])
        equal(p.http('/healthz')[0], 200, p.name + ' /healthz')
        equal(p.http('/metrics')[0], 200, p.name + ' /metrics')
        for s in slow:
            s.close()
    serves(lab)


@test(name='connections')
def t_connections(ctx):
    """one address takes all the connections it may: others are served"""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    lab = ctx.lab(users=USERS, nodes=1, edge_conf={'limits': {
        'max_connections_ip': 200, 'max_connections': 300}})
    socks = []
    for _ in range(600):
        s = socket.socket()
        s.settimeout(1)
        s.bind(('127.0.0.66', 0))
        try:
            s.connect(lab.proxy)
        except OSError:
            s.close()
            break
        socks.append(s)
    eventually(lambda: lab.edge.metrics()['edgewise_sip_connections'] <= 210,
               3, 'connections at their limit')
    serves(lab)
    for s in socks:
        s.close()
    # from many addresses, to the limit of all
    socks = []
    for i in range(400):
        s = socket.socket()
        s.settimeout(1)
        s.bind(('127.0.1.%d' % (1 + i % 200), 0))
        try:
            s.connect(lab.proxy)
        except OSError:
            s.close()
            continue
        socks.append(s)
    # one of them is to the node
    eventually(lambda: lab.edge.metrics()['edgewise_sip_connections'] >= 300,
               5, 'that the limit is reached')
    check(lab.edge.metrics()['edgewise_sip_connections'] <= 301, 'limit')
    a = lab.ua('alice')                 # UDP goes on
    equal(a.register().status, 200, 'REGISTER over UDP')
    for s in socks:
        s.close()
    eventually(lambda: lab.edge.metrics()['edgewise_sip_connections'] <= 5,
               5, 'end of the connections')
    serves(lab)


@test(name='transactions')
def t_transactions(ctx):
    """a flood above max_transactions: 503 with Retry-After, then as before"""
    lab = ctx.lab(users=USERS, nodes=1, edge_conf={
        'limits': {'max_transactions': 200},
        'timers': {'t1': 50, 't2': 500, 't4': 500}})
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    s.bind(('127.0.0.1', 0))
    got = {}
    for i in range(1500):
        m = Msg('REGISTER sip:example.com SIP/2.0')
        m.add('Via', 'SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK%s;rport' %
              token())
        m.add('Max-Forwards', '70').add('From', '<sip:x@example.com>;tag=1')
        m.add('To', '<sip:x@example.com>').add('Call-ID', token())
        m.add('CSeq', '1 REGISTER')
        s.sendto(m.bytes(), lab.proxy)
        if i % 50 == 49:
            time.sleep(0.002)
    s.settimeout(1)
    try:
        while True:
            r = Msg.parse(s.recv(65535))
            got[r.status] = got.get(r.status, 0) + 1
            check(r.status != 503 or r.get('Retry-After'), 'no Retry-After')
    except socket.timeout:
        pass
    check(set(got) <= {401, 503} and got.get(503, 0) > 100, 'answers %s',
          got)
    # 64 T1 later the table is empty again
    eventually(lambda: lab.edge.metrics()[
        'edgewise_sip_server_transactions'] == 0, 10, 'empty table', gap=0.1)
    serves(lab)


@test(name='register-flood')
def t_register_flood(ctx):
    """5,000 REGISTERs without credentials: a known phone gets in meanwhile"""
    lab = ctx.lab(users=USERS, nodes=2)
    a = lab.ua('alice')
    equal(a.register().status, 200, 'REGISTER')
    stop = threading.Event()

    def flood():
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for i in range(5000):
            if stop.is_set():
                break
            m = Msg('REGISTER sip:example.com SIP/2.0')
            m.add('Via', 'SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK%d;rport' %
                  (i + 10 ** 9))
            m.add('Max-Forwards', '70')
            m.add('From', '<sip:u%d@example.com>;tag=1' % i)
            m.add('To', '<sip:u%d@example.com>' % i)
            m.add('Call-ID', 'flood%d' % i).add('CSeq', '1 REGISTER')
            s.sendto(m.bytes(), lab.proxy)
            if i % 20 == 19:
                time.sleep(0.005)
        s.close()
    th = threading.Thread(target=flood)
    th.start()
    try:
        for _ in range(5):
            t = time.monotonic()
            equal(a.register(limit=4).status, 200, 'REGISTER in the flood')
            check(time.monotonic() - t < 3, 'took %.1f s',
                  time.monotonic() - t)
    finally:
        stop.set()
        th.join()
    serves(lab)
