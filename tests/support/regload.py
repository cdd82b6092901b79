"""REGISTER load by many phones at once, which remembers what it was promised.

Each Phone is one contact of one AoR with a Call-ID of its own and rising
CSeq, one request at a time, sent again as RFC 3261 17.1.2 says.  After the
load the truth of each is known: PRESENT or ABSENT when its last request got a
200, ANY while one is open or ended without one.

    load = RegLoad(('127.0.0.1', 5060), 'example.com', phones=300, seed=1)
    load.start(rate=300)
    ...
    calm = load.resting()
    dump = {'n1': contacts of node 1, ...}
    bad = load.check(dump, load.still(calm))

Python standard library only.
"""
import collections
import heapq
import random
import re
import selectors
import socket
import threading
import time

T1, T2, GIVE_UP = 0.5, 4.0, 10.0           # [s]
PRESENT, ABSENT, ANY = 'present', 'absent', 'any'


class Op:
    """One request and what came of it."""

    __slots__ = ('what', 'cseq', 'callid', 'sent', 'first', 'done', 'status',
                 'sends', 'branch', 'bytes', 'lists', 'to')

    def __init__(self, what, cseq, callid):
        self.what, self.cseq, self.callid = what, cseq, callid
        self.sent = self.first = time.monotonic()
        self.done, self.status, self.sends = None, 0, 1
        self.lists = None

    @property
    def took(self):
        return (self.done or time.monotonic()) - self.first

    def __repr__(self):
        return '%s cseq=%d callid=%s status=%s took=%.3fs sends=%d' % (
            self.what, self.cseq, self.callid, self.status or 'none',
            self.took, self.sends)


class Phone:
    def __init__(self, load, number, aor, sock):
        self.number, self.aor, self.sock = number, aor, sock
        ip, port = sock.getsockname()
        self.contact = 'sip:p%d@%s:%d' % (number, ip, port)
        self.boots, self.cseq = 0, 0
        self.op, self.frozen = None, False
        self.history = collections.deque(maxlen=8)
        self.truth = ABSENT

    def callid(self, run):
        return 'p%d-%d-%s' % (self.number, self.boots, run)


class RegLoad:
    """phones: contacts in all; per_aor: how many of them share an AoR.
    server: one (ip, port), or several: each request goes to one of them.
    headers: more lines of each request, with their ends.
    late: a 200 that took so long [s] may have been given without an
    acknowledgement; None = only what take_late() is told."""

    def __init__(self, server, domain, phones=300, per_aor=3, seed=1,
                 host='127.0.0.1', sockets=4, prefix='u', expires=3600,
                 late=None, headers=''):
        self.servers = server if isinstance(server, list) else [server]
        self.domain, self.expires, self.headers = domain, expires, headers
        self.rng = random.Random(seed)
        self.run = '%08x' % random.SystemRandom().getrandbits(32)
        self.late = late
        self.socks = []
        self.sel = selectors.DefaultSelector()
        for _ in range(sockets):
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            s.bind((host, 0))
            s.setblocking(False)
            self.sel.register(s, selectors.EVENT_READ)
            self.socks.append(s)
        self.phones = [Phone(self, i, '%s%d@%s' % (prefix, i // per_aor,
                                                   domain),
                             self.socks[i % sockets]) for i in range(phones)]
        self.open = {}                  # branch -> phone
        self.timers = []
        self.rate, self.paused, self.ending = 0, True, False
        self.mix = (70, 20, 10)         # refresh or add, remove, reboot
        self.statuses = collections.Counter()
        self.whats = collections.Counter()
        self.latency = []
        self.promised_late = []         # (phone, op): answered without an ack
        self.unlisted = []              # 200 that does not list its contact
        self.trap = None
        self.error = None
        self.lock = threading.RLock()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self._seq = 0

    # --- from outside ------------------------------------------------------
    def start(self, rate):
        self.rate, self.paused = rate, False
        if not self.thread.is_alive():
            self.thread.start()
        return self

    def pause(self):
        self.paused = True

    def resume(self):
        self.paused = False

    def settle(self, limit=GIVE_UP + 2):
        """Until no request is open."""
        end = time.monotonic() + limit
        while self.open:
            if time.monotonic() > end:
                raise TimeoutError('%d requests still open' % len(self.open))
            self._alive()
            time.sleep(0.005)

    def stop(self):
        self.ending = True
        if self.thread.is_alive():
            self.thread.join(5)
        for s in self.socks:
            s.close()
        self.sel.close()

    def in_flight(self):
        return len(self.open)

    def answered(self):
        return self.statuses.total()

    def at_burst(self, n, delay, what):
        """Send n requests at once, and delay [s] later call what(requests
        open) from the load's thread; its result.  Where all are answered by
        then, the next n are sent, 20 times at most."""
        done = threading.Event()
        out = []

        def act():
            out.append(what(len(self.open)))
            done.set()
        self.trap = (n, delay, act)
        end = time.monotonic() + 5
        while not done.wait(0.05):
            self._alive()
            if time.monotonic() > end:
                raise TimeoutError('the load does not turn')
        return out[0]

    def check(self, dump, phones):
        """dump: {node: what it holds, of (aor, contact)}.  Lists (node,
        phone, text) of what is not as promised."""
        bad = []
        for p in phones:
            if p.op or p.truth == ANY:
                continue
            for node, held in dump.items():
                there = (p.aor, p.contact) in held
                if there != (p.truth == PRESENT):
                    bad.append((node, p, '%s: %s %s is %s' % (
                        node, p.aor, p.contact,
                        'shown though removed' if there else 'missing')))
        return bad

    def resting(self):
        """{phone: its last request} of those with none open."""
        with self.lock:
            return {p: p.history[-1] for p in self.phones
                    if not p.op and p.history}

    def still(self, resting, hold=False):
        """Those that have begun nothing since; hold: and do not, until
        thaw()."""
        with self.lock:
            out = {p: op for p, op in resting.items()
                   if not p.op and p.history[-1] is op}
            for p in out if hold else ():
                p.frozen = True
        return out

    def thaw(self):
        with self.lock:
            for p in self.phones:
                p.frozen = False

    def take_late(self, keys):
        """Registrations that the nodes say they answered without an
        acknowledgement, as (callid, cseq): the truth of those is ANY.  How
        many of ours were among them."""
        n = 0
        with self.lock:
            for p in self.phones:
                for op in p.history:
                    if (op.callid, op.cseq) in keys and op.status == 200 \
                            and op.lists is not ANY:
                        op.lists = ANY
                        self.promised_late.append((p, op))
                        n += 1
                        if op is p.history[-1] and not p.op:
                            p.truth = ANY
        return n

    # --- the thread of the load ---------------------------------------------
    def _alive(self):
        if self.error:
            raise self.error
        if not self.thread.is_alive():
            raise RuntimeError('the load has ended')

    def _run(self):
        try:
            self._loop()
        except BaseException as e:
            self.error = e

    def _loop(self):
        nxt = time.monotonic()
        while not self.ending:
            now = time.monotonic()
            if self.paused or not self.rate:
                nxt = now
            else:
                nxt = max(nxt, now - 0.1)        # catches up, but not for ever
            while nxt <= now and not self.paused and self.rate:
                self._begin_one()
                nxt += 1.0 / self.rate
            if self.trap:
                n, delay, act = self.trap
                self.trap = None
                for _ in range(20):          # until some are open then
                    for _ in range(n):
                        self._begin_one()
                    end = time.monotonic() + delay
                    while time.monotonic() < end:
                        self._read(0)
                    if self.open:
                        break
                act()
            self._timers(time.monotonic())
            wait = min(nxt if self.rate and not self.paused else now + 0.02,
                       self.timers[0][0] if self.timers else now + 0.02)
            self._read(min(max(wait - time.monotonic(), 0), 0.02))

    def _read(self, limit):
        for key, _ in self.sel.select(max(limit, 0)):
            while True:
                try:
                    data = key.fileobj.recv(65536)
                except OSError:
                    break
                self._got(data, key.fileobj)

    def _begin_one(self):
        for _ in range(20):
            p = self.rng.choice(self.phones)
            if not p.op and not p.frozen:
                with self.lock:
                    if not p.frozen:
                        self._begin(p)
                        return
    RE_BRANCH = re.compile(rb'branch=(z9hG4bKr[0-9a-z]+)')
    RE_CONTACT = re.compile(rb'(?im)^(?:contact|m)[ \t]*:[ \t]*<([^>]+)>')

    def _begin(self, p, what=None):
        if not what:
            what = self.rng.choices(('register', 'remove', 'reboot'),
                                    self.mix)[0]
            if p.truth == ABSENT and what == 'remove':
                what = 'register'
        if what == 'reboot':
            p.boots += 1
            p.cseq = self.rng.randrange(1, 1000)
        p.cseq += 1
        op = Op(what, p.cseq, p.callid(self.run))
        self._seq += 1
        op.branch = b'z9hG4bKr%x%s' % (self._seq, self.run.encode())
        user = p.aor.partition('@')[0]
        me = '%s:%d' % p.sock.getsockname()
        op.bytes = (
            'REGISTER sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=%s\r\n'
            'Max-Forwards: 70\r\nFrom: <sip:%s>;tag=%d\r\nTo: <sip:%s>\r\n'
            'Call-ID: %s\r\nCSeq: %d REGISTER\r\nContact: <%s>;expires=%d\r\n'
            '%sContent-Length: 0\r\n\r\n' % (
                self.domain, me, op.branch.decode(), p.aor, p.number, p.aor,
                op.callid, op.cseq, p.contact,
                0 if what == 'remove' else self.expires,
                self.headers)).encode()
        op.to = self.rng.choice(self.servers)
        p.op, p.truth = op, ANY
        self.open[op.branch] = p
        self.whats[what] += 1
        self._send(p, op)

    def _send(self, p, op):
        try:
            p.sock.sendto(op.bytes, op.to)
        except OSError:
            pass                           # as good as lost on the way
        op.sent = time.monotonic()
        wait = min(T1 * 2 ** (op.sends - 1), T2)
        heapq.heappush(self.timers, (op.sent + wait, id(op), p, op))

    def _timers(self, now):
        while self.timers and self.timers[0][0] <= now:
            _, _, p, op = heapq.heappop(self.timers)
            if p.op is not op:
                continue
            if now - op.first > GIVE_UP:
                self._end(p, op, 408, b'')
            else:
                op.sends += 1
                self._send(p, op)

    def _got(self, data, sock):
        if not data.startswith(b'SIP/2.0 '):
            return
        status = int(data[8:11])
        m = self.RE_BRANCH.search(data)
        p = self.open.get(m.group(1)) if m else None
        if p and status >= 200:
            self._end(p, p.op, status, data)

    def _end(self, p, op, status, data):
        with self.lock:
            del self.open[op.branch]
            op.done, op.status = time.monotonic(), status
            p.op = None
            p.history.append(op)
            self.statuses[status] += 1
            if status != 200:
                return
            self.latency.append(op.took)
            if self.late and op.took >= self.late:
                op.lists = ANY
                self.promised_late.append((p, op))
                return
            p.truth = ABSENT if op.what == 'remove' else PRESENT
            listed = p.contact.encode() in self.RE_CONTACT.findall(data)
            if listed != (p.truth == PRESENT):
                self.unlisted.append((p, op))
