"""RFC 4475 and worse, at a real edge whose pool is a stub that writes down
what reaches it. tests/torture/expect.tsv says what each message causes."""
import os
import random
import re
import select
import socket
import threading
import time

from e2e import TREE, check, equal, eventually, test
from lab import Lab
from sipmsg import Framer, Msg, token

TORTURE = os.path.join(TREE, 'tests', 'torture')
QUIET = 0.12                        # [s] in which nothing may come


class Stub:
    """A pool of one: answers probes, records the rest. INVITE gets 486."""

    def __init__(self, ip, port):
        self.got, self.bad, self.lock = [], [], threading.Lock()
        self.s = socket.socket()
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.s.bind((ip, port))
        self.s.listen()
        self.conns = {}
        self.stop = False
        self.th = threading.Thread(target=self.loop, daemon=True)
        self.th.start()

    def loop(self):
        while not self.stop:
            ready, _, _ = select.select([self.s] + list(self.conns), [], [],
                                        0.1)
            for s in ready:
                if s is self.s:
                    c, _ = s.accept()
                    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self.conns[c] = Framer()
                    continue
                try:
                    data = s.recv(1 << 20)
                except OSError:
                    data = b''
                if not data:
                    del self.conns[s]
                    s.close()
                    continue
                for raw in self.conns[s].feed(data):
                    try:
                        self.one(s, raw)
                    except Exception as e:
                        self.bad.append('%s: %r' % (e, raw[:2000]))

    def one(self, s, raw):
        m = Msg.parse(raw)
        probe = m.method == 'OPTIONS' and len(m.list('Via')) == 1
        if not probe and m.method != 'ACK':
            with self.lock:
                self.got.append(raw)
        if m.method == 'ACK':
            return
        r = Msg('SIP/2.0 486 Busy Here' if m.method == 'INVITE' else
                'SIP/2.0 200 OK')
        for n in ('Via', 'From', 'To', 'Call-ID', 'CSeq'):
            for v in m.all(n):
                r.add(n, v + (';tag=stub' if n == 'To' and
                              ';tag=' not in v.replace(' ', '') else ''))
        s.sendall(r.bytes())

    def take(self):
        with self.lock:
            out, self.got = self.got, []
        return out

    def close(self):
        self.stop = True
        self.th.join(2)
        for s in [self.s] + list(self.conns):
            s.close()


class Client:
    """A socket of a client; collects status codes."""

    def __init__(self, kind, to):
        self.kind, self.raw, self.codes, self.closed = kind, b'', [], False
        if kind == 'udp':
            self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.s.bind(('127.0.0.1', 0))
            self.s.connect(to)
        else:
            self.s = socket.create_connection(to, 2)
            self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.framer = Framer()
        self.s.setblocking(False)

    def send(self, data):
        try:
            if self.kind == 'udp':
                self.s.send(data)
            else:
                self.s.setblocking(True)
                self.s.sendall(data)
                self.s.setblocking(False)
        except OSError:
            self.closed = True

    def read(self):
        while not self.closed:
            try:
                d = self.s.recv(1 << 20)
            except BlockingIOError:
                break
            except OSError:
                self.closed = self.kind == 'tcp'
                break
            if not d and self.kind == 'tcp':
                self.closed = True
                break
            for raw in [d] if self.kind == 'udp' else self.framer.feed(d):
                m = re.match(rb'SIP/2.0 (\d{3}) ', raw)
                if m and m.group(1) != b'100':
                    self.codes.append(int(m.group(1)))
        return self.codes

    def close(self):
        self.s.close()


def good(client):
    """A request that has to be served."""
    m = Msg('OPTIONS sip:alice@example.com SIP/2.0')
    m.add('Via', 'SIP/2.0/%s 127.0.0.1:9;branch=z9hG4bK%s;rport' % (
        client.kind.upper(), token()))
    m.add('Max-Forwards', '70').add('From', '<sip:t@example.com>;tag=1')
    m.add('To', '<sip:alice@example.com>').add('Call-ID', token())
    m.add('CSeq', '1 OPTIONS')
    return m


def setup(ctx):
    """An edge for each transport: to one edge, a message that comes over UDP
    and then over TCP is twice the same transaction. dialog_token is off,
    since some messages have a To tag; with it on they get 481."""
    ctx.labs, ctx.stubs = {}, {}
    for kind in ('udp', 'tcp'):
        lab = Lab(nodes=1, dir=os.path.join(ctx.root, 'lab-' + kind),
                  edge_conf={'dialog_token': False, 'limits': {'first_message': 1,
                                        'whole_message': 1}})
        ctx.stubs[kind] = Stub(lab.plan.node_ips[0], lab.plan.sip)
        lab.edge.start().wait_ready()
        lab.wait_pool(1)
        ctx.labs[kind] = lab
    use(ctx, 'udp')


def use(ctx, kind):
    ctx.shared, ctx.stub = ctx.labs[kind], ctx.stubs[kind]
    ctx.stub.take()


def teardown(ctx):
    for kind in ctx.labs:
        ctx.labs[kind].edge.end()
        ctx.stubs[kind].close()


def still_serves(ctx, client=None):
    """The next good message is served, on the same socket when given."""
    for kind in ('udp', 'tcp'):
        c = client if client and client.kind == kind else Client(
            kind, ctx.shared.proxy)
        n = len(c.read())
        c.send(good(c).bytes())
        try:
            eventually(lambda: 200 in c.read()[n:], 2, 'answer')
        except TimeoutError:
            raise AssertionError('the next good message over %s was not '
                                 'served%s' % (kind, ' on the same socket'
                                               if c is client else ''))
        if c is not client:
            c.close()
    ctx.stub.take()
    bad, ctx.stub.bad = ctx.stub.bad, []
    check(not bad, 'the pool cannot read %s', bad)
    check(ctx.shared.edge.alive(), 'the edge has ended')


def expectations():
    with open(os.path.join(TORTURE, 'expect.tsv')) as f:
        for ln in f:
            if not ln.startswith('#') and ln.strip():
                yield ln.rstrip('\n').split('\t')[:4]


def parts(data, kind):
    """The messages of a file as they should arrive: [(start line, body)]."""
    head, _, body = data.partition(b'\r\n\r\n')
    m = re.search(rb'\r\n(?:content-length|l)[ \t]*:\s*(\d+)', head, re.I)
    if m:
        body = body[:int(m.group(1))]
    return head.split(b'\r\n')[0], body


def same(data, forwarded, kind):
    """Request line and body went through untouched."""
    want, got = parts(data, kind), parts(forwarded, kind)
    equal(got[0], want[0], 'start line at the pool')
    equal(got[1], want[1], 'body at the pool')


def cause(ctx, name, kind, actions):
    use(ctx, kind)
    data = open(os.path.join(TORTURE, name + '.dat'), 'rb').read()
    ctx.stub.take()
    c = Client(kind, ctx.shared.proxy)
    got = []
    try:
        c.send(data)
        n_fwd = actions.count('forward')
        codes = [int(a) for a in actions if a.isdigit()]
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            got += ctx.stub.take()
            c.read()
            if len(got) >= n_fwd and len(c.codes) >= n_fwd + len(codes) and (
                    'close' not in actions or c.closed):
                break
            if actions in (['drop'], ['wait']):
                break
            time.sleep(0.004)
        # what must not come would come now
        end = time.monotonic() + (QUIET if actions in (['drop'], ['wait'])
                                  else 0.01)
        while time.monotonic() < end:
            got += ctx.stub.take()
            c.read()
            time.sleep(0.01)
        check(not ctx.stub.bad, 'the pool cannot read %s', ctx.stub.bad)
        equal(len(got), n_fwd, 'requests that reached the pool')
        for code in codes:
            check(code in c.codes, 'answered %s, not %d', c.codes, code)
        if n_fwd:
            # a stream that is closed takes answers not yet there with it
            check(set(c.codes) - set(codes) <= {200, 486} and
                  (len(c.codes) >= n_fwd or 'close' in actions), 'the pool\'s answer did not come '
                  'back, but %s', c.codes)
            same(data, got[0], kind)
        elif not codes:
            equal(c.codes, [], 'answers')
        if 'close' in actions:
            check(c.closed, 'the connection stayed open')
        elif actions == ['wait']:
            check(not c.closed, 'closed at once')
            eventually(lambda: c.read() is not None and c.closed, 4,
                       'close after the time-out')
        elif kind == 'tcp':
            check(not c.closed, 'the connection was closed')
        still_serves(ctx, None if c.closed or actions == ['wait'] else c)
    finally:
        c.close()
    return got


for _name, _scan, _udp, _tcp in expectations():
    for _kind, _want in (('udp', _udp), ('tcp', _tcp)):
        def _t(ctx, name=_name, kind=_kind, want=_want):
            cause(ctx, name, kind, re.split('[ ,]', want))
        _t.__doc__ = 'RFC 4475 %s over %s: %s' % (_name, _kind.upper(), _want)
        _t.__module__ = __name__
        test(_t, name='%s-%s' % (_name, _kind))


@test(name='inv2543-max-forwards')
def t_inv2543(ctx):
    """an INVITE of RFC 2543 leaves with Max-Forwards 70"""
    use(ctx, 'tcp')                 # whose edge has not seen it yet
    c = Client('udp', ctx.shared.proxy)
    ctx.after(c.close)
    with open(os.path.join(TORTURE, 'inv2543.dat'), 'rb') as f:
        c.send(f.read())
    got = []
    eventually(lambda: got.extend(ctx.stub.take()) or got, 2, 'INVITE')
    check(b'\r\nMax-Forwards: 70\r\n' in got[0], 'forwarded: %r', got[0])


# --- framing -----------------------------------------------------------------
@test(name='truncated-datagram')
def t_truncated(ctx):
    """a datagram cut anywhere is refused or dropped, never half understood"""
    c = Client('udp', ctx.shared.proxy)
    ctx.after(c.close)
    m = good(c)
    m.body = b'hello'
    data = m.bytes()
    for cut in range(1, len(data)):
        c.send(data[:cut])
        if cut % 50 == 0:           # do not overrun the socket's buffer
            still_serves(ctx)
    time.sleep(QUIET)
    fine = [x for x in ctx.stub.take() if b'Call-ID: ' + m.call_id.encode()
            in x]
    check(not fine, '%d cut messages reached the pool: %r', len(fine),
          fine[:1])
    check(set(c.read()) <= {400}, 'answers %s', set(c.codes))
    still_serves(ctx, c)


@test(name='largest-datagram')
def t_largest(ctx):
    """datagrams up to 65,507 bytes: served or refused, the next is served"""
    for size in (1400, 9000, 60000, 65000, 65507):
        c = Client('udp', ctx.shared.proxy)
        m = good(c)
        m.body = b'x' * (size - len(m.bytes()) - 4)
        m.body += b'x' * (size - len(m.bytes()))
        equal(len(m.bytes()), size, 'size')
        c.send(m.bytes())
        eventually(c.read, 2, 'answer to %d bytes' % size)
        check(c.codes[0] in (200, 413, 513), '%d bytes: %s', size, c.codes)
        if size <= 60000:
            equal(c.codes[0], 200, 'answer to %d bytes' % size)
        still_serves(ctx, c)
        c.close()


@test(name='stream-cut', limit=90)
def t_stream_cut(ctx):
    """a TCP stream cut at every byte gives the same message"""
    c = Client('tcp', ctx.shared.proxy)
    ctx.after(c.close)
    m = good(c)
    m.body = b'12345'
    n = len(m.bytes())
    for cut in range(1, n):
        m.set('Via', 'SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK%s;rport' %
              token())
        data = m.bytes()
        equal(len(data), n, 'length')
        c.send(data[:cut])
        time.sleep(0.0005)
        c.send(data[cut:])
        eventually(lambda: len(c.read()) >= cut, 2, 'answer, cut at %d' % cut,
                   gap=0.0005)
        equal(c.codes[-1], 200, 'answer, cut at %d' % cut)
    got = ctx.stub.take()
    equal(len(got), n - 1, 'messages at the pool')
    check(all(x.endswith(b'\r\n\r\n12345') for x in got), 'bodies')


@test(name='stream-many')
def t_stream_many(ctx):
    """200 messages in one write, in pieces of 1 to 900 bytes: all served"""
    rng = random.Random(4475)
    c = Client('tcp', ctx.shared.proxy)
    ctx.after(c.close)
    data = b''.join(good(c).bytes() for _ in range(200))
    while data:
        k = rng.randint(1, 900)
        c.send(data[:k])
        data = data[k:]
    eventually(lambda: len(c.read()) >= 200, 5, '200 answers')
    equal(set(c.codes), {200}, 'answers')


def odd_length(value, body=b'12345'):
    def make(c):
        m = good(c)
        m.body = body
        text = m.bytes()
        return text.replace(b'Content-Length: 5', b'Content-Length: ' +
                            value)
    return make


@test(name='content-length')
def t_content_length(ctx):
    """a wrong Content-Length is refused; a stream is then closed"""
    for value, udp, tcp in ((b'-1', 400, 'close'), (b'99999999999', 400,
                            'close'), (b'x', 400, 'close'),
                            (b'5, 5', 400, 'close'), (b'', 400, 'close'),
                            (b'5\r\nContent-Length: 4', 400, 'close'),
                            (b'6', 400, 'wait'), (b'60000', 400, 'wait')):
        c = Client('udp', ctx.shared.proxy)
        c.send(odd_length(value)(c))
        eventually(c.read, 2, 'answer over UDP to %r' % value)
        equal(c.codes, [udp], 'answer over UDP to %r' % value)
        c.close()
        c = Client('tcp', ctx.shared.proxy)
        c.send(odd_length(value)(c))
        eventually(lambda: c.read() is not None and c.closed,
                   1 if tcp == 'close' else 4,
                   'end of the stream after Content-Length %r' % value)
        check(set(c.codes) <= {400, 413, 513}, 'over TCP %s', c.codes)
        c.close()
        still_serves(ctx)
    check(not ctx.stub.take(), 'something reached the pool')


@test(name='garbage-udp')
def t_garbage_udp(ctx):
    """2,000 random datagrams, random bytes and mutated messages"""
    rng = random.Random(1)
    c = Client('udp', ctx.shared.proxy)
    ctx.after(c.close)
    files = [open(os.path.join(TORTURE, f), 'rb').read()
             for f in sorted(os.listdir(TORTURE)) if f.endswith('.dat')]
    for i in range(2000):
        if i % 4 == 0:
            data = bytes(rng.randrange(256) for _ in range(rng.randrange(300)))
        else:
            data = bytearray(rng.choice(files))
            for _ in range(rng.randint(1, 8)):
                k = rng.randrange(len(data))
                what = rng.randrange(3)
                if what == 0:
                    data[k] = rng.randrange(256)
                elif what == 1:
                    del data[k:k + rng.randint(1, 20)]
                    data = data or bytearray(b'x')
                else:
                    data[k:k] = data[k:k + rng.randint(1, 60)]
            data = bytes(data)
        c.send(data)
        if i % 100 == 99:
            still_serves(ctx)
        if i % 20 == 19:
            c.read()
            ctx.stub.take()
    still_serves(ctx, c)


@test(name='garbage-tcp')
def t_garbage_tcp(ctx):
    """100 connections with garbage: closed or timed out, others served"""
    rng = random.Random(2)
    socks = []
    for i in range(100):
        c = Client('tcp', ctx.shared.proxy)
        c.send(bytes(rng.randrange(256) for _ in range(rng.randint(1, 400))))
        socks.append(c)
    still_serves(ctx)
    eventually(lambda: all(x.read() is not None and x.closed for x in socks),
               6, 'end of all 100 connections')
    for c in socks:
        check(set(c.codes) <= {400, 413, 505, 513}, 'answers %s', c.codes)
        c.close()
    still_serves(ctx)


@test(name='slow-senders')
def t_slow(ctx):
    """200 connections that send a byte now and then are closed in time"""
    socks = [Client('tcp', ctx.shared.proxy) for _ in range(200)]
    for c in socks[:100]:
        c.send(b'OPTIONS sip:')
    end = time.monotonic() + 6
    while time.monotonic() < end:
        for c in socks[:100]:
            if not c.closed:
                c.send(b'a')
            c.read()
        for c in socks[100:]:
            c.read()
        if all(c.closed for c in socks):
            break
        time.sleep(0.2)
    left = sum(not c.closed for c in socks)
    for c in socks:
        c.close()
    equal(left, 0, 'connections still open')
    still_serves(ctx)


@test(name='no-growth')
def t_no_growth(ctx):
    """after all this nothing is left open in the edge"""
    lab = ctx.shared
    conns = lambda: lab.edge.metrics().get('edgewise_sip_connections', 0)
    eventually(lambda: conns() <= 3, 5, 'few connections')
    with open('/proc/%d/status' % lab.edge.pid) as f:
        rss = int(re.search(r'VmRSS:\s+(\d+)', f.read()).group(1))
    check(rss < 100000, 'the edge has %d kB', rss)
