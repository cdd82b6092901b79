"""A peer with the cluster key that means harm, and strangers at the cluster's
port: tests/hostile/badpeer against real nodes.  Whatever it says, programs
live, memory stays bounded, the honest nodes keep their link and agree, and
phones are served.  E2E_LONG=1: 60 s each instead of 4."""
import os
import re
import socket
import subprocess
import time

from e2e import Skip, check, equal, eventually, test
from lab import find_program
from regload import PRESENT, RegLoad

LONG = bool(os.environ.get('E2E_LONG'))
SECS = 60 if LONG else 4
OPEN = {'auth': 'off', 'users_file': None}
MEMBER = re.compile(r'event=member name=n\d node=\S+ alive->')
RSS_MORE = 8 << 10               # [kB] they may grow: 1 to 2 MB is usual
MAX = 3000                       # registrar.max_bindings
ASAN = False


def setup(ctx):
    global ASAN, SECS
    with open(find_program('edgewise-node'), 'rb') as f:
        ASAN = b'__asan_init' in f.read()
    if ASAN and not LONG:
        SECS = 2


def tool():
    path = os.path.join(os.environ['EDGEWISE_BUILD'], 'tests', 'hostile',
                        'badpeer')
    if not os.access(path, os.X_OK):
        raise Skip('tests/hostile/badpeer is not built (make check TESTS=)')
    return path


class World:
    """Three nodes under load, of which n1 meets the bad peer."""

    def __init__(self, ctx, nodes=3):
        self.bin = tool()
        self.lab = ctx.lab(nodes=nodes, node_conf=dict(
            OPEN, registrar={'max_bindings': MAX}))
        self.n1 = self.lab.nodes[0]
        self.load = RegLoad(self.lab.proxy, 'example.com', phones=200)
        ctx.after(self.load.stop)
        self.load.start(100)
        eventually(lambda: self.load.answered() > 300, 20, 'answers')
        self.rss = [p.rss_kb() for p in self.lab.nodes]
        # both ends of a pair may dial at the start: one link gives way
        self.said = [len(p.log()) for p in self.lab.nodes]

    def bad(self, mode, *args, secs=None, wait=True):
        cmd = [self.bin, '--key', self.lab.path('cluster.key'), '--to',
               '%s:%d' % (self.lab.plan.node_ips[0], self.lab.plan.cluster),
               '--mode', mode, '--secs', str(secs or SECS)] + list(args)
        p = subprocess.Popen(cmd, stdout=subprocess.PIPE, text=True,
                             stderr=subprocess.STDOUT)
        return self.ended(p) if wait else p

    def ended(self, p):
        out = p.communicate(timeout=SECS + 30)[0]
        equal(p.returncode, 0, 'status of badpeer: ' + out)
        last = out.strip().splitlines()[-1]
        print('# ' + last, flush=True)
        return {k: int(v) for k, v in re.findall(r'(\w+)=(\d+)', last)}

    def still_well(self, linked=True):
        for p in self.lab.procs:
            check(p.alive(), '%s has ended:\n%s', p.name, p.log_tail())
        grown = [p.rss_kb() - was for p, was in zip(self.lab.nodes,
                                                    self.rss)]
        print('# nodes grew by %s kB' % grown, flush=True)
        for p, grown, said in zip(self.lab.nodes, grown, self.said):
            check(ASAN or grown < RSS_MORE, '%s grew by %d kB', p.name,
                  grown)
            check(not linked or not MEMBER.search(p.log()[said:]),
                  '%s lost an honest peer:\n%s', p.name, p.log_tail())
        self.load.pause()
        self.load.settle()

    def served(self):
        equal(set(self.load.statuses), {200}, 'REGISTER: %s' %
              dict(self.load.statuses))

    def agree(self, limit=5.0):
        """The honest nodes hold the same, and what they promised."""
        end = time.monotonic() + limit
        while True:
            dump = {p.name: p.contacts() for p in self.lab.nodes}
            bad = self.load.check(dump, self.load.phones)
            same = len({tuple(sorted(d.items()))
                        for d in dump.values()}) == 1
            if same and not bad:
                return
            if time.monotonic() > end:
                raise AssertionError('%d wrong, nodes %s, first: %s' % (
                    len(bad), 'agree' if same else 'differ',
                    [t for _, _, t in bad[:2]]))
            time.sleep(0.05)

    def new_phone(self):
        """A contact still reaches every node."""
        ua = self.lab.ua('late%d' % os.getpid())
        equal(ua.register().status, 200, 'REGISTER afterwards')
        key = 'late%d@example.com' % os.getpid()
        for p in self.lab.nodes:
            eventually(lambda: key in {a for a, _ in p.contacts()}, 3,
                       'the new contact on ' + p.name)


@test(name='frames', limit=40 + SECS * 2)
def t_frames(ctx):
    """wrong frames under the right key cost nobody a contact or a link"""
    w = World(ctx)
    got = [w.bad('frames', '--own', '--seed', s, wait=False)
           for s in ('1', '2')]
    got = [w.ended(p) for p in got]
    check(sum(g['frames'] for g in got) > 1000 * SECS / 4,
          'too few frames: %s', got)
    w.still_well()
    w.served()
    w.agree()
    w.new_phone()


@test(name='echo', limit=40 + SECS * 2)
def t_echo(ctx):
    """what a node said, changed and said back: nodes agree whatever it did"""
    w = World(ctx)
    got = w.bad('frames', '--seed', '3')
    check(got['frames'] > 500 * SECS / 4, 'too few frames: %s', got)
    w.still_well()
    for p in w.load.phones:              # it may have removed any of them
        p.truth = 'any'
    w.agree()
    w.new_phone()


@test(name='members', limit=40 + SECS * 2)
def t_members(ctx):
    """the map of members said back wrong: it stays bounded, phones are served"""
    w = World(ctx)
    w.bad('frames', '--members', '--seed', '4')
    for p in w.lab.nodes:
        n = len(p.status()['cluster']['members'])
        # members, addresses that nobody answers at, removed ones
        check(n <= 72, '%d members at %s', n, p.name)
    w.still_well(linked=False)


@test(name='flood', limit=40 + SECS * 2)
def t_flood(ctx):
    """a flood of records ends at max_bindings; who is bound may refresh"""
    w = World(ctx)
    w.load.mix = (100, 0, 0)
    w.load.pause()
    w.load.settle()
    bound = [p for p in w.load.phones if p.truth == PRESENT]
    w.load.resume()
    got = w.bad('flood')
    check(got['records'] + got['frames'] * 200 > 2 * MAX,
          'no flood: %s', got)
    for p in w.lab.nodes:
        st = p.status()['registrar']
        check(st['records'] <= MAX + MAX // 4 + 16, '%s holds %d records',
              p.name, st['records'])
    w.still_well(linked=False)
    check(len(bound) > 50, '%d phones were bound', len(bound))
    equal({op.status for p in bound for op in p.history}, {200},
          'answers to phones that were bound')


@test(name='deaf', limit=40 + SECS * 2)
def t_deaf(ctx):
    """a peer that asks and never reads costs bounded memory and no time"""
    w = World(ctx)
    w.load.latency.clear()
    w.bad('deaf')
    lat = sorted(w.load.latency)
    check(ASAN or lat[len(lat) * 9 // 10] < 0.1, 'REGISTER took %.3f s (p90)',
          lat[len(lat) * 9 // 10])
    w.still_well()
    w.served()
    w.agree()


@test(name='drip', limit=60 + SECS * 2)
def t_drip(ctx):
    """bytes one by one, from a peer and from 60 strangers: all else goes on"""
    w = World(ctx)
    to = (w.lab.plan.node_ips[0], w.lab.plan.cluster)
    socks, closed = [], 0
    for _ in range(60):
        s = socket.create_connection(to, 2)
        s.setblocking(False)
        socks.append(s)
    secs = max(SECS + 2, 7)              # a stranger has 5 s
    p = w.bad('drip', secs=secs, wait=False)
    hello = bytes.fromhex('16030102000100')
    end, i = time.monotonic() + secs, 0
    while time.monotonic() < end:
        for s in socks:
            try:
                s.send(hello[i:i + 1] or b'x')
            except OSError:
                pass
        i += 1
        time.sleep(0.1)
    for s in socks:
        try:
            closed += s.recv(1) in (b'',)
        except BlockingIOError:
            pass
        except OSError:
            closed += 1
        s.close()
    w.ended(p)
    equal(closed, 60, 'strangers sent away')
    w.still_well()
    w.served()
    w.agree()


@test(name='no-hello', limit=60 + SECS * 2)
def t_no_hello(ctx):
    """300 links without HELLO, 10,000 empty connections: peers come back"""
    w = World(ctx)
    fds = '/proc/%d/fd' % w.n1.pid
    before = len(os.listdir(fds))
    mute = w.bad('mute', '--links', '300', wait=False)
    got = w.bad('empty', '--links', '10000')
    check(got['links'] > 8000, 'only %d connections', got['links'])
    check(len(os.listdir(fds)) < before + 400, '%d sockets are open',
          len(os.listdir(fds)))
    w.lab.nodes[1].kill()                # a peer that comes meanwhile
    w.lab.nodes[1].start().wait_ready(15)
    w.ended(mute)
    eventually(lambda: len(os.listdir(fds)) <= before + 4, 10,
               'end of their sockets')
    eventually(lambda: w.n1.status()['cluster']['alive'] == 3, 10,
               'three members alive')
    w.still_well(linked=False)
    w.agree()


@test(name='tls', limit=40)
def t_tls(ctx):
    """no early data, tickets, renegotiation, older TLS, or other key"""
    w = World(ctx)
    p = w.bad('tls', wait=False)
    out = p.communicate(timeout=30)[0]
    print(''.join('# %s\n' % x for x in out.splitlines()), end='')
    equal(p.returncode, 0, out)
    equal(out.count('\nok ') + out.startswith('ok '), 7, 'checks')
    check('FAIL' not in out, out)
    w.still_well()
    w.served()
    w.agree()
