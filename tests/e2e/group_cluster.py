"""The cluster on a network that fails: each node in a namespace of its own.
Phones register, refresh and remove all the time, each request by the edge or
straight at a node; afterwards every node is asked for every contact.

Times of the cluster are shorter than shipped (heartbeat 200 ms, dead 1200 ms),
so that a cut of 3 s is a long one.  E2E_LONG=1: shipped times and 30 s."""
import os
import socket
import time

from e2e import Skip, check, equal, eventually, test
from lab import find_program
from netlab import HUB, NetLab, able
from regload import RegLoad
from relay import Relay
from sipua import Auto

LONG = bool(os.environ.get('E2E_LONG'))
HOLD = 30.0 if LONG else 3.0          # [s] a cut, a freeze
AGREE = 3.0                           # [s] after healing
TIMES = {} if LONG else {'heartbeat': 200, 'dead': 1200}
DEAD = 3.0 if LONG else 1.2
MANY = int(25 + 3 * HOLD)                # limit of a test
OPEN = {'auth': 'off', 'users_file': None, 'edges': [HUB]}
USERS = {'alice': None, 'bob': None}
RSS_MORE = 6 << 10                    # [kB] a node may grow meanwhile


UNABLE, ASAN = None, False


def setup(ctx):
    global UNABLE, ASAN, HOLD
    UNABLE = able()
    with open(find_program('edgewise-node'), 'rb') as f:
        ASAN = b'__asan_init' in f.read()
    if ASAN and not LONG:
        HOLD = 1.8


class World:
    """A started lab, the load and what is asked afterwards."""

    def __init__(self, ctx, nodes=3, cluster=None, **kw):
        conf = dict(OPEN, cluster=dict(TIMES, **(cluster or {})))
        if UNABLE:
            raise Skip(UNABLE)
        self.net = NetLab(nodes=nodes, node_conf=conf, users=USERS,
                          dir=os.path.join(ctx.dir, 'lab'), **kw)
        ctx.after(self.net.stop)
        self.ctx, self.lab, self.loads = ctx, self.net.lab, []

    def start(self):
        self.lab.start(20)
        self.linked()
        return self

    def linked(self, limit=10):
        n = len(self.lab.nodes)
        for p in self.lab.nodes:
            eventually(lambda: p.status()['cluster']['alive'] == n, limit,
                       'sight of %d nodes at %s' % (n, p.name))

    def load(self, to=None, rate=150, phones=150, **kw):
        """Phones that register by the edge, or straight at these nodes."""
        if to:
            kw.setdefault('headers', 'Path: <sip:%s:5070;lr>\r\nSupported: '
                          'path\r\n' % HUB)
            to = [(self.net.ip[n], 5060) for n in to]
        ld = RegLoad(to or self.lab.proxy, 'example.com', phones=phones,
                     seed=7 + len(self.loads), host=HUB,
                     prefix='abcdef'[len(self.loads)], **kw)
        self.loads.append(ld)
        self.ctx.after(ld.stop)
        ld.start(rate)
        eventually(lambda: ld.answered() > phones, 20, 'answers')
        return ld

    def rest(self):
        """No load any more; every request had its 200."""
        for ld in self.loads:
            ld.pause()
        for ld in self.loads:
            ld.settle()
            equal(set(ld.statuses), {200}, 'statuses of REGISTER %s'
                  % dict(ld.statuses))
            check(not ld.unlisted, 'a 200 does not list what it granted: %s',
                  ld.unlisted[:1])

    def agree(self, since=None, limit=AGREE):
        """Within `limit` all nodes hold what was promised and the same; the
        time it took [ms]."""
        since = since or time.monotonic()
        while True:
            dump = {p.name: p.contacts() for p in self.lab.nodes}
            took = time.monotonic() - since
            bad = [x for ld in self.loads for x in
                   ld.check(dump, ld.phones)]
            first = next(iter(dump.values()))
            same = all(d == first for d in dump.values())
            if not bad and same:
                return int(took * 1000)
            if took > limit:
                text = '\n'.join('%s\n  %s' % (t, '\n  '.join(
                    map(repr, p.history))) for _, p, t in bad[:3])
                raise AssertionError('after %.1f s %d wrong, nodes %s\n%s' % (
                    took, len(bad), 'agree' if same else 'differ', text))
            time.sleep(0.02)

    def health(self, of, at):
        for m in self.lab.node(at).status()['cluster']['members']:
            if m['address'].startswith(self.net.ip[of] + ':'):
                return m['health']
        return None

    def see(self, of, at, want, limit=None):
        eventually(lambda: self.health(of, at) in want, limit or DEAD * 3,
                   '%s at %s' % ('/'.join(want), at))

    def hold(self, seconds, each=None):
        """The time during which it is to be endured; `each` runs meanwhile"""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if each:
                each()
            time.sleep(0.05)

    def call(self, a, b):
        c = a.invite(b.aor)
        equal(c.wait_final(10).status, 200, 'INVITE')
        equal(c.bye().status, 200, 'BYE')

    def phones(self):
        out = [self.lab.ua(u, host=HUB) for u in USERS]
        for u in out:
            equal(u.register().status, 200, 'REGISTER')
        out[1].auto = Auto(answer=0)
        return out

    def heal(self):
        """The loads rest, then the network is whole again; since when."""
        self.rest()
        check(self.net.dropped() > 0, 'the cut dropped nothing')
        self.net.heal()
        return time.monotonic()

    def majority(self, name):
        return self.lab.node(name).status()['cluster']['majority']


@test(name='links', limit=MANY)
def t_links(ctx):
    """links between nodes use the nodes' own addresses, one per pair"""
    w = World(ctx).start()
    ips = set(w.net.ip.values())
    for n in w.net.ip:
        links = w.net.links(n)
        equal(sorted(p for _, p in links), sorted(ips - {w.net.ip[n]}),
              'peers of ' + n)
        equal({a for a, _ in links}, {w.net.ip[n]}, 'our address at ' + n)


@test(name='minority', limit=MANY)
def t_minority(ctx):
    """a node cut off both ways: both sides serve, and agree when it is over"""
    w = World(ctx).start()
    a, b = w.phones()
    w.load()                                  # by the edge, to all three
    w.load(['n1'])
    w.load(['n2', 'n3'])
    w.load(['n1', 'n2', 'n3'])                # phones that move between sides
    w.net.cut('n1', 'n2')
    w.net.cut('n1', 'n3')
    w.see('n1', 'n2', ('dead',))
    eventually(lambda: not w.majority('n1'), DEAD * 3, 'minority at n1')
    check(w.majority('n2') and w.majority('n3'), 'the larger side has none')
    w.hold(HOLD - DEAD, lambda: w.call(a, b))
    w.agree(w.heal())
    w.linked()
    check(w.majority('n1'), 'no majority after it')
    said = {n: [ln.split('state=')[1].split()[0] for ln in
                w.lab.node(n).log().splitlines() if 'event=majority' in ln]
            for n in ('n1', 'n2', 'n3')}
    equal(said['n1'][-2:], ['lost', 'back'], 'the smaller side, in the log')
    for n in ('n2', 'n3'):
        check(said[n][-1:] != ['lost'] and said[n].count('lost') <= 1,
              'the larger side: %s', said)


@test(name='half', limit=MANY)
def t_half(ctx):
    """four nodes in two halves: no majority anywhere, both serve and agree"""
    w = World(ctx, nodes=4).start()
    w.load(['n1', 'n2'])
    w.load(['n3', 'n4'])
    w.load(['n1', 'n2', 'n3', 'n4'])
    for x in ('n1', 'n2'):
        for y in ('n3', 'n4'):
            w.net.cut(x, y)
    for n in w.lab.names:
        eventually(lambda: not w.majority(n), DEAD * 3, 'minority at ' + n)
    w.hold(HOLD - DEAD)
    w.agree(w.heal())


@test(name='one-way', limit=MANY)
def t_one_way(ctx):
    """packets lost in one direction only: nobody is missed, all agree"""
    w = World(ctx).start()
    w.load()
    w.load(['n1', 'n2', 'n3'])
    w.net.drop('n2', 'n1')
    w.see('n1', 'n2', ('suspect', 'dead'))
    w.hold(HOLD)
    check(w.majority('n1') and w.majority('n2'), 'majority lost')
    w.agree(w.heal())


@test(name='one-pair', limit=MANY)
def t_one_pair(ctx):
    """two nodes that cannot reach each other get all by the third, live"""
    w = World(ctx).start()
    w.load()
    w.load(['n2', 'n3'])
    w.net.cut('n2', 'n3')
    w.see('n3', 'n2', ('suspect',))
    w.hold(HOLD)
    check(w.health('n3', 'n2') != 'dead', 'n3 is dead for n2 though n1 hears '
          'it')
    w.rest()
    took = w.agree()                          # before it is healed
    check(took < 3000, 'the detour took %d ms', took)
    check(w.net.dropped() > 0, 'the cut dropped nothing')
    w.net.heal()
    w.linked()
    w.agree()


@test(name='killed-in-cut', limit=MANY)
def t_killed_in_cut(ctx):
    """a node loses its memory while cut off: it serves, then gets all back"""
    w = World(ctx).start()
    w.load()
    w.load(['n2', 'n3'])
    w.net.cut('n1', 'n2')
    w.net.cut('n1', 'n3')
    w.see('n1', 'n2', ('dead',))
    w.loads[0].pause()                        # what n1 alone has dies with it
    w.loads[0].settle()
    for p in w.loads[0].phones:
        p.truth = 'any'
    n1 = w.lab.node('n1')
    n1.kill()
    n1.start().wait_ready(DEAD * 3 + 5)
    w.loads[0].resume()
    w.hold(HOLD / 2)
    w.agree(w.heal())


@test(name='killed', limit=MANY)
def t_killed(ctx):
    """kill -9 of each node in turn under load: no phone of the edge notices"""
    w = World(ctx).start()
    a, b = w.phones()
    w.load(rate=250)
    for p in w.lab.nodes:
        p.kill()
        w.call(a, b)
        p.start().wait_ready(20)
        w.lab.wait_pool(3, 20)
    w.rest()
    w.agree()


@test(name='frozen', limit=MANY)
def t_frozen(ctx):
    """SIGSTOP of a node: the others serve, it blames nobody when it wakes"""
    w = World(ctx).start()
    a, b = w.phones()
    w.load()                         # what waits at n1 must not count later
    w.load(['n2', 'n3'])
    n1, n2 = w.lab.node('n1'), w.lab.node('n2')
    rss = n2.rss_kb()
    n1.stop()
    w.see('n1', 'n2', ('dead',))
    w.hold(HOLD, lambda: w.call(a, b))
    grown = n2.rss_kb() - rss
    check(ASAN or grown < RSS_MORE, 'n2 grew by %d kB', grown)
    w.rest()
    n1.cont()
    w.agree(time.monotonic())
    w.linked()
    check(n1.log().count('->dead') == 0, 'n1 called a node dead')


@test(name='slow', limit=MANY)
def t_slow(ctx):
    """a node behind a thin line costs the others no memory and no time"""
    w = World(ctx).start()
    w.load(['n2', 'n3'], rate=300, phones=300)
    n2 = w.lab.node('n2')
    w.loads[0].latency.clear()
    rss = n2.rss_kb()
    w.net.slow('n1', 60)
    lag = [0]

    def look():
        lag[0] = max([lag[0]] + [m['lag_ms'] for m in
                     n2.status()['cluster']['members']])
    w.hold(max(HOLD, 4), look)
    check(lag[0] > 300, 'the line was not thin: largest lag %d ms', lag[0])
    lat = sorted(w.loads[0].latency)
    check(lat[len(lat) * 99 // 100] < 0.15, 'REGISTER took %.3f s (p99)',
          lat[len(lat) * 99 // 100])
    grown = n2.rss_kb() - rss
    check(ASAN or grown < RSS_MORE, 'n2 grew by %d kB', grown)
    w.rest()
    waited = w.net.slowed('n1')
    check(waited > 100, '%d packets had to wait', waited)
    w.net.slow('n1', None)
    w.agree(time.monotonic())


@test(name='far', limit=MANY)
def t_far(ctx):
    """a node 150 ms away: its link stays, contacts arrive, removals too"""
    at = {'n2': (HUB, 7002), 'n3': (HUB, 7003)}
    w = World(ctx, peers={'n1': ['%s:%d' % a for a in at.values()],
                          'n2': ['n3'], 'n3': ['n2']})
    relays = {n: Relay(a, (w.net.ip[n], 5080), delay=0.15)
              for n, a in at.items()}
    for r in relays.values():
        ctx.after(r.stop)
    w.start()
    w.load(['n1', 'n2', 'n3'])
    w.load()
    before = [r.accepted for r in relays.values()]
    w.hold(HOLD)
    equal([r.accepted for r in relays.values()], before, 'connections')
    # records, and a heartbeat of 112 bytes each half second
    check(all(r.bytes > 2000 for r in relays.values()),
          'the relays were not used')
    rtt = [m['rtt_us'] for m in w.lab.node('n1').status()['cluster']
           ['members'] if m['linked']]
    equal(len(rtt), 2, 'links of n1')
    w.rest()
    w.agree()
    for r in relays.values():                 # and 12 times as thin as needed
        r.rate = 8000
    for ld in w.loads:
        ld.resume()
    w.hold(HOLD)
    w.rest()
    for r in relays.values():
        r.rate = None
    w.agree(time.monotonic())


@test(name='flapping', limit=MANY)
def t_flapping(ctx):
    """a line that comes and goes: the others serve, all agree at its end"""
    w = World(ctx).start()
    w.load()
    w.load(['n1', 'n2', 'n3'])
    rng = w.loads[0].rng
    end, flaps, took = time.monotonic() + 2 * HOLD, 0, 0
    while time.monotonic() < end or flaps < 4:
        w.net.cut('n1', 'n2')
        w.net.cut('n1', 'n3')
        w.hold(rng.uniform(0.05, DEAD * 1.3))
        took += w.net.dropped()
        w.net.heal()
        flaps += 1
        w.hold(rng.uniform(0.05, 0.4))
    check(took > 0, '%d flaps took no packet', flaps)
    w.rest()
    w.agree(time.monotonic())


def raw_register(sock, to, cseq, expires, host):
    """A REGISTER of one phone straight at a node; nothing is waited for."""
    me = '%s:%d' % sock.getsockname()
    sock.sendto((
        'REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch='
        'z9hG4bKs%d%s\r\nMax-Forwards: 70\r\nFrom: <sip:s@example.com>;tag=s'
        '\r\nTo: <sip:s@example.com>\r\nCall-ID: stale\r\nCSeq: %d REGISTER'
        '\r\nPath: <sip:%s:5070;lr>\r\nSupported: path\r\nContact: <sip:s@%s>'
        ';expires=%d\r\nContent-Length: 0\r\n\r\n' % (
            me, cseq, to.replace('.', ''), cseq, host, me, expires)
    ).encode(), (to, 5060))


def t_stale(ctx):
    """what lay 33 s in a frozen node's buffers undoes nothing done since"""
    w = World(ctx, nodes=2).start()
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((HUB, 0))
    s.settimeout(5)
    n1, n2 = w.lab.nodes

    def at_n2(cseq, expires):
        raw_register(s, w.net.ip['n2'], cseq, expires, HUB)
        data = s.recv(65536)
        check(data.startswith(b'SIP/2.0 200'), 'answer: %r', data[:40])
    at_n2(1, 3600)
    eventually(lambda: n1.contacts(), 5, 'the contact at n1')
    n1.stop()
    w.hold(0.8)                     # heartbeats lie there: read first
    # sent to n1 and, when that is silent, to n2: as the edge does it
    raw_register(s, w.net.ip['n1'], 2, 0, HUB)
    at_n2(2, 0)
    w.see('n1', 'n2', ('dead',))
    at_n2(3, 3600)
    w.hold(34)
    n1.cont()
    w.linked(15)
    equal([len(p.contacts()) for p in w.lab.nodes], [1, 1], 'contacts')
    s.close()


if LONG:
    test(name='stale', limit=90)(t_stale)
