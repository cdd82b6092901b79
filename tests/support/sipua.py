"""A small SIP user agent for tests and the demonstration.

Python standard library only.  One thread per Ua reads its sockets and runs
its timers; the test's thread calls blocking verbs with a limit in seconds.

    a = Ua('alice', 'example.com', ('127.0.0.1', 5060), password='pw-a')
    b = Ua('bob', 'example.com', ('127.0.0.1', 5060), password='pw-b')
    b.auto = Auto(ring=0.05, answer=0.2)
    assert a.register().status == 200 and b.register().status == 200
    call = a.invite('sip:bob@example.com')
    assert call.wait_final(5).status == 200      # ACK is sent by itself
    assert call.bye().status == 200
    a.close(); b.close()

Every byte sent and received is in ua.log: (monotonic s, 'out'|'in', bytes,
peer).  Set ua.trace = True to see them on stderr as they pass.
"""
import heapq
import itertools
import os
import re
import select
import socket
import sys
import threading
import time

from sipmsg import (Framer, Msg, answer_challenge, param, token, uri_of)

T1, T2 = 0.5, 4.0                         # RFC 3261 17.1.1.1 [s]
SDP = ('v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\n'
       't=0 0\r\nm=audio 6100 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n')


class Auto:
    """How a Ua treats an INVITE by itself.  ring, answer: delays [s] after
    the INVITE (None: no 180); code: the final status."""

    def __init__(self, ring=0.0, answer=0.05, code=200, reason=None,
                 headers=()):
        self.ring, self.answer, self.code = ring, answer, code
        self.reason, self.headers = reason, list(headers)


REASONS = {100: 'Trying', 180: 'Ringing', 183: 'Session Progress', 200: 'OK',
           302: 'Moved Temporarily', 404: 'Not Found', 480: 'Unavailable',
           481: 'No Such Call', 486: 'Busy Here', 487: 'Request Terminated',
           500: 'Server Error', 503: 'Unavailable', 603: 'Decline'}


class ClientTxn:
    """A request we sent: every response with its time, the last as .final."""

    def __init__(self, ua, req):
        self.ua, self.req = ua, req
        self.responses, self.final = [], None
        self.timed_out = False
        self.sent_at = None
        self.sends = 0                   # 1 + retransmissions

    def wait(self, limit=5.0):
        """The final response; TimeoutError after limit [s]."""
        self.ua.wait_for(lambda: self.final or self.timed_out, limit,
                         'final response to ' + self.req.start)
        if not self.final:
            raise TimeoutError('transaction timed out: ' + self.req.start)
        return self.final

    def wait_status(self, status, limit=5.0):
        """The first response with that status."""
        find = lambda: next((r for r in self.responses
                             if r.status == status), None)
        self.ua.wait_for(lambda: find() or self.final or self.timed_out,
                         limit, '%d to %s' % (status, self.req.start))
        r = find()
        if not r:
            raise AssertionError('wanted %d, got %s' %
                                 (status, [x.status for x in self.responses]))
        return r


class Dialog:
    """RFC 3261 12: what in-dialog requests are made of."""

    def __init__(self, ua, call_id, local, remote, target, routes, cseq):
        self.ua, self.call_id = ua, call_id
        self.local, self.remote = local, remote     # From/To values with tag
        self.target, self.routes = target, routes
        self.cseq = cseq

    def build(self, method, body='', headers=(), cseq=None):
        if cseq is None and method not in ('ACK', 'CANCEL'):
            self.cseq += 1
        m = Msg('%s %s SIP/2.0' % (method, self.target))
        m.add('Via', self.ua.via())
        for r in self.routes:
            m.add('Route', r)
        m.add('Max-Forwards', '70')
        m.add('From', self.local).add('To', self.remote)
        m.add('Call-ID', self.call_id)
        m.add('CSeq', '%d %s' % (cseq or self.cseq, method))
        if method in ('INVITE', 'UPDATE', 'SUBSCRIBE', 'REFER'):
            m.add('Contact', self.ua.contact())
        for n, v in headers:
            m.add(n, v)
        if body:
            m.add('Content-Type', 'application/sdp')
        m.body = body.encode()
        return m

    def request(self, method, body='', headers=()):
        """Send an in-dialog request; returns its ClientTxn."""
        return self.ua.send_request(self.build(method, body, headers))


class Call:
    """A call we placed."""

    def __init__(self, ua, uri, body, headers, auto_ack=True, routes=()):
        self.ua, self.uri, self.body = ua, uri, body
        self.headers, self.routes = list(headers), list(routes)
        self.auto_ack = auto_ack
        self.call_id = token() + '@' + ua.host.replace(':', '-')
        self.tag, self.cseq = token(4), 0
        self.txn = None
        self.events = []                 # (monotonic s, status, Msg)
        self.dialogs = {}                # To tag -> Dialog, of 2xx answers
        self.final = None
        self.acks = {}                   # To tag -> bytes of the ACK
        self.ended = False               # BYE came
        self.bye = self._bye
        self.started = None              # time of the first INVITE
        self._auth = None

    def _send(self):
        self.cseq += 1
        m = Msg('INVITE %s SIP/2.0' % self.uri)
        m.add('Via', self.ua.via())
        for r in self.routes:
            m.add('Route', r)
        m.add('Max-Forwards', '70')
        m.add('From', '<%s>;tag=%s' % (self.ua.aor, self.tag))
        m.add('To', '<%s>' % self.uri)
        m.add('Call-ID', self.call_id).add('CSeq', '%d INVITE' % self.cseq)
        m.add('Contact', self.ua.contact())
        for n, v in self.headers:
            m.add(n, v)
        if self._auth:
            m.add(*self._auth)
        if self.body:
            m.add('Content-Type', 'application/sdp')
        m.body = self.body.encode()
        with self.ua.lock:
            self.txn = self.ua.send_request(m, self)
            self.started = self.started or self.txn.sent_at
        return self

    def on_response(self, txn, r):
        """Loop thread, lock held: provisional, final, and every 2xx."""
        if txn is not self.txn:
            return
        if r.status in (401, 407) and self.ua.password and not self._auth:
            self._auth = answer_challenge(r, 'INVITE', self.uri, self.ua.user,
                                          self.ua.password, self.ua.prefer)
            if self._auth:
                self._send()
                return
        self.events.append((r.at, r.status, r))
        if r.status < 200:
            return
        if r.status < 300:
            d = self.dialogs.get(r.to_tag)
            if not d:
                d = self.dialogs[r.to_tag] = Dialog(
                    self.ua, self.call_id, txn.req.get('From'), r.get('To'),
                    uri_of(r.get('Contact', '<%s>' % self.uri)),
                    r.list('Record-Route')[::-1], self.cseq)
                d.invite_cseq = self.cseq
            if self.auto_ack:
                self.ack(r.to_tag)
        if not self.final or self.final.status >= 300:
            self.final = r

    def ack(self, tag=None):
        """ACK the 2xx with that To tag; the same bytes when called again."""
        d = self.dialog(tag)
        if tag not in self.acks:
            self.acks[tag] = d.build('ACK', cseq=d.invite_cseq).bytes()
        self.ua.send_raw(self.acks[tag])

    def dialog(self, tag=None):
        return self.dialogs[tag] if tag else next(iter(self.dialogs.values()))

    def wait_status(self, status, limit=5.0):
        """The first response with that status; fails on another final."""
        find = lambda: next((e[2] for e in self.events if e[1] == status),
                            None)
        self.ua.wait_for(lambda: find() or self.final or self.txn.timed_out,
                         limit, '%d for the call' % status)
        if not find():
            raise AssertionError('wanted %d, got %s' %
                                 (status, self.statuses()))
        return find()

    def wait_final(self, limit=10.0):
        self.ua.wait_for(lambda: self.final or self.txn.timed_out, limit,
                         'a final response for the call, got %s' %
                         self.statuses())
        if not self.final:
            raise TimeoutError('INVITE timed out')
        return self.final

    def statuses(self):
        return [e[1] for e in self.events]

    def time_to(self, status):
        """Seconds from the first INVITE to the first such status."""
        return next((t - self.started for t, s, _ in self.events
                     if s == status), None)

    def cancel(self):
        """Send CANCEL for the INVITE; returns its ClientTxn."""
        q = self.txn.req
        m = Msg('CANCEL %s SIP/2.0' % q.uri)
        m.add('Via', q.list('Via')[0])
        for r in q.all('Route'):
            m.add('Route', r)
        m.add('Max-Forwards', '70')
        for n in ('From', 'To', 'Call-ID'):
            m.add(n, q.get(n))
        m.add('CSeq', '%d CANCEL' % q.cseq[0])
        return self.ua.send_request(m)

    def _bye(self, tag=None, limit=5.0):
        """BYE; returns the final response."""
        r = self.dialog(tag).request('BYE').wait(limit)
        self.ended = True
        return r

    def wait_bye(self, limit=5.0):
        self.ua.wait_for(lambda: self.ended, limit, 'BYE')

    def request(self, method, body='', headers=(), limit=5.0, tag=None):
        """An in-dialog request; a 2xx to a re-INVITE is ACKed."""
        d = self.dialog(tag)
        r = d.request(method, body, headers).wait(limit)
        if method == 'INVITE' and r.status < 300:
            self.ua.send_raw(d.build('ACK', cseq=d.cseq).bytes())
        return r


class InCall:
    """A call that came in."""

    def __init__(self, ua, req, stxn):
        self.ua, self.req, self.stxn = ua, req, stxn
        self.call_id = req.call_id
        self.tag = token(4)
        self.at = req.at
        self.final = 0                   # status we answered with
        self.acked = self.cancelled = self.ended = False
        self.dialog = Dialog(ua, req.call_id,
                             req.get('To') + ';tag=' + self.tag,
                             req.get('From'),
                             uri_of(req.get('Contact', '')),
                             req.list('Record-Route'), 0)

    def respond(self, status, body='', headers=(), reason=None):
        with self.ua.lock:
            if self.final:
                return
            if status >= 200:
                self.final = status
            m = self.ua.build_response(self.req, status, reason, self.tag)
            if status < 300:
                m.add('Contact', self.ua.contact())
            for n, v in headers:
                m.add(n, v)
            if body:
                m.add('Content-Type', 'application/sdp')
                m.body = body.encode()
            self.ua.send_response(self.stxn, m)

    def ring(self):
        self.respond(180)

    def answer(self, body=SDP):
        self.respond(200, body)

    def wait_ack(self, limit=5.0):
        self.ua.wait_for(lambda: self.acked, limit, 'ACK')

    def wait_bye(self, limit=5.0):
        self.ua.wait_for(lambda: self.ended, limit, 'BYE')

    def wait_cancel(self, limit=5.0):
        self.ua.wait_for(lambda: self.cancelled, limit, 'CANCEL')

    def bye(self, limit=5.0):
        r = self.dialog.request('BYE').wait(limit)
        self.ended = True
        return r

    def request(self, method, body='', headers=(), limit=5.0):
        r = self.dialog.request(method, body, headers).wait(limit)
        if method == 'INVITE' and r.status < 300:
            self.ua.send_raw(self.dialog.build(
                'ACK', cseq=self.dialog.cseq).bytes())
        return r


class ServerTxn:
    def __init__(self, req, flow):
        self.req, self.flow, self.last, self.acked = req, flow, None, False
        self.seen = 1                    # times the request came


class Ua:
    """A phone.  transport: 'udp' or 'tcp' (one connection to the proxy)."""

    def __init__(self, user, domain, proxy, password=None, transport='udp',
                 host=None, port=0, prefer=None, retransmit=True):
        self.user, self.domain, self.password = user, domain, password
        self.proxy, self.transport, self.prefer = proxy, transport, prefer
        self.host = host or ('::1' if ':' in proxy[0] else '127.0.0.1')
        self.retransmit = retransmit
        self.aor = 'sip:%s@%s' % (user, domain)
        self.log, self.trace = [], False
        self.requests = []               # every request that came, once
        self.calls_in, self.calls = [], {}
        self.auto = None                 # an Auto, or None: by hand
        self.handler = None              # fn(ua, req, stxn) -> handled
        self.lock = threading.RLock()
        self.cond = threading.Condition(self.lock)
        self.ctxns, self.stxns = {}, {}
        self.strays = []                 # responses without a transaction
        self._timers, self._seq = [], itertools.count()
        self._reg = {'call_id': token(), 'cseq': 0, 'tag': token(4)}
        self._conns = {}                 # socket -> Framer (TCP)
        self._main = self._listen = None
        self._wake_r, self._wake_w = os.pipe()
        self._closing = False
        self._open(port)
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()

    # --- sockets ---------------------------------------------------------
    def _open(self, port):
        fam = socket.AF_INET6 if ':' in self.host else socket.AF_INET
        if self.transport == 'udp':
            s = socket.socket(fam, socket.SOCK_DGRAM)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            s.bind((self.host, port))
            s.setblocking(False)
            self._main = s
            self.port = s.getsockname()[1]
        else:
            s = self._listen = socket.socket(fam, socket.SOCK_STREAM)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((self.host, port))
            s.listen(16)
            s.setblocking(False)
            self.port = s.getsockname()[1]

    def _connect(self):
        fam = socket.AF_INET6 if ':' in self.host else socket.AF_INET
        s = socket.socket(fam, socket.SOCK_STREAM)
        s.bind((self.host, 0))
        s.settimeout(3)
        s.connect(self.proxy)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._conns[s] = Framer()
        self._main = s
        self._wake()
        return s

    def drop_connection(self):
        """Close the TCP connection to the proxy; the next send reopens it."""
        with self.lock:
            if self._main in self._conns:
                self._close_conn(self._main)

    def _close_conn(self, s):
        self._conns.pop(s, None)
        if s is self._main:
            self._main = None
        s.close()
        self._wake()

    def hostport(self):
        return ('[%s]:%d' if ':' in self.host else '%s:%d') % (self.host,
                                                               self.port)

    def via(self):
        return 'SIP/2.0/%s %s;branch=z9hG4bK%s;rport' % (
            self.transport.upper(), self.hostport(), token())

    def contact(self):
        tp = '' if self.transport == 'udp' else ';transport=tcp'
        return '<sip:%s@%s%s>' % (self.user, self.hostport(), tp)

    def close(self):
        with self.lock:
            self._closing = True
            self._wake()
        self._thread.join(5)
        for s in [self._main, self._listen] + list(self._conns):
            if s:
                s.close()
        os.close(self._wake_r)
        os.close(self._wake_w)

    def __enter__(self):
        return self

    def __exit__(self, *a):
        self.close()

    # --- loop ------------------------------------------------------------
    def _wake(self):
        try:
            os.write(self._wake_w, b'x')
        except OSError:
            pass

    def after(self, delay, fn):
        """Run fn() in the loop thread, lock held, after delay [s]."""
        with self.lock:
            heapq.heappush(self._timers, (time.monotonic() + delay,
                                          next(self._seq), fn))
            self._wake()

    def _loop(self):
        while True:
            with self.lock:
                if self._closing:
                    return
                now = time.monotonic()
                while self._timers and self._timers[0][0] <= now:
                    heapq.heappop(self._timers)[2]()
                socks = [s for s in ([self._listen] + list(self._conns) if
                                     self.transport == 'tcp' else
                                     [self._main]) if s]
                wait = (max(0, self._timers[0][0] - time.monotonic())
                        if self._timers else None)
            try:
                ready, _, _ = select.select(socks + [self._wake_r], [], [],
                                            wait)
            except (OSError, ValueError):
                continue                 # a connection was just closed
            for s in ready:
                if s == self._wake_r:
                    os.read(self._wake_r, 4096)
                else:
                    with self.lock:
                        self._readable(s)

    def _readable(self, s):
        try:
            if s is self._listen:
                c, _ = s.accept()
                self._conns[c] = Framer()
            elif self.transport == 'udp':
                data, peer = s.recvfrom(65535)
                self._input(data, (None, peer[:2]))
            elif s in self._conns:
                data = s.recv(65535)
                if not data:
                    self._close_conn(s)
                    return
                peer = s.getpeername()[:2]
                for msg in self._conns[s].feed(data):
                    self._input(msg, (s, peer))
        except BlockingIOError:
            pass
        except OSError:
            if s in self._conns:
                self._close_conn(s)

    def _record(self, way, data, peer):
        self.log.append((time.monotonic(), way, data, peer))
        if self.trace:
            sys.stderr.write('%s %s %s %s\n%s\n' % (
                time.strftime('%T'), self.user, way, peer,
                data.decode('utf-8', 'replace')))

    def _input(self, data, flow):
        self._record('in', data, flow[1])
        if not data.strip(b'\r\n\0'):
            return                       # keep-alive
        try:
            m = Msg.parse(data)
        except ValueError as e:
            self.strays.append(('unparsable', data, e))
            return
        m.at, m.peer = time.monotonic(), flow[1]
        if m.is_request:
            self._on_request(m, flow)
        else:
            self._on_response(m)
        self.cond.notify_all()

    # --- sending ---------------------------------------------------------
    def send_raw(self, data, flow=None):
        """Send bytes to the proxy, or along a flow (socket, peer)."""
        with self.lock:
            conn, peer = flow or (None, self.proxy)
            self._record('out', data, peer)
            try:
                if self.transport == 'udp':
                    self._main.sendto(data, peer)
                else:
                    s = conn if conn in self._conns else (self._main or
                                                          self._connect())
                    s.sendall(data)
            except OSError as e:
                if conn is None and self.transport == 'tcp':
                    self.drop_connection()
                self.strays.append(('send', data, e))

    def send_request(self, m, call=None, retransmit=None):
        """Send a request as a client transaction."""
        t = ClientTxn(self, m)
        t.call = call
        data = m.bytes()
        key = (m.branch, m.method)
        inv = m.method == 'INVITE'
        rtx = self.retransmit if retransmit is None else retransmit

        def again(gap):
            if t.final or t.timed_out or (inv and t.responses):
                return
            self.send_raw(data)
            t.sends += 1
            gap = gap * 2 if inv else min(gap * 2, T2)
            self.after(gap, lambda: again(gap))

        def expire():
            if not t.final and not (inv and t.responses):
                t.timed_out = True
                self.cond.notify_all()

        with self.lock:
            self.ctxns[key] = t
            t.sent_at = time.monotonic()
            self.send_raw(data)
            t.sends = 1
            if self.transport == 'udp' and rtx:
                self.after(T1, lambda: again(T1))
            self.after(64 * T1, expire)
        return t

    def request(self, method, uri, body='', headers=(), limit=5.0, to=None,
                auth=True):
        """A request outside of a dialog; answers one challenge.  Returns the
        final response."""
        call_id, cseq, cred = token(), 0, None
        while True:
            cseq += 1
            m = Msg('%s %s SIP/2.0' % (method, uri))
            m.add('Via', self.via()).add('Max-Forwards', '70')
            m.add('From', '<%s>;tag=%s' % (self.aor, token(4)))
            m.add('To', '<%s>' % (to or uri)).add('Call-ID', call_id)
            m.add('CSeq', '%d %s' % (cseq, method))
            m.add('Contact', self.contact())
            for n, v in headers:
                m.add(n, v)
            if cred:
                m.add(*cred)
            m.body = body.encode()
            r = self.send_request(m).wait(limit)
            if r.status not in (401, 407) or not auth or cred or \
               not self.password:
                return r
            cred = answer_challenge(r, method, uri, self.user, self.password,
                                    self.prefer)
            if not cred:
                return r

    def register(self, expires=3600, contact=None, headers=(), limit=5.0,
                 auth=True):
        """REGISTER (answers the challenge); returns the final response.
        contact: Contact value, '' for a fetch, '*' with expires 0."""
        reg, uri, cred = self._reg, 'sip:' + self.domain, None
        while True:
            reg['cseq'] += 1
            m = Msg('REGISTER %s SIP/2.0' % uri)
            m.add('Via', self.via()).add('Max-Forwards', '70')
            m.add('From', '<%s>;tag=%s' % (self.aor, reg['tag']))
            m.add('To', '<%s>' % self.aor).add('Call-ID', reg['call_id'])
            m.add('CSeq', '%d REGISTER' % reg['cseq'])
            if contact != '':
                m.add('Contact', contact or self.contact())
                m.add('Expires', str(expires))
            m.add('Supported', 'path')
            for n, v in headers:
                m.add(n, v)
            if cred:
                m.add(*cred)
            r = self.send_request(m).wait(limit)
            if r.status not in (401, 407) or not auth or cred or \
               not self.password:
                return r
            cred = answer_challenge(r, 'REGISTER', uri, self.user,
                                    self.password, self.prefer)
            if not cred:
                return r

    def invite(self, uri, body=SDP, headers=(), auto_ack=True, routes=()):
        """Place a call; answers one challenge by itself."""
        c = Call(self, uri, body, headers, auto_ack, routes)
        with self.lock:
            self.calls[c.call_id] = c
            c._send()
        return c

    def build_response(self, req, status, reason=None, tag=None):
        m = Msg('SIP/2.0 %d %s' % (status, reason or
                                   REASONS.get(status, 'Answer')))
        for v in req.all('Via'):
            m.add('Via', v)
        to = req.get('To', '')
        if status > 100 and param(to, 'tag') is None:
            to += ';tag=' + (tag or token(4))
        m.add('From', req.get('From')).add('To', to)
        m.add('Call-ID', req.call_id).add('CSeq', req.get('CSeq'))
        for v in req.all('Record-Route'):
            m.add('Record-Route', v)
        return m

    def send_response(self, stxn, m):
        """Answer along the request's flow; finals of an INVITE are repeated
        until the ACK comes."""
        data = stxn.last = m.bytes()
        self.send_raw(data, stxn.flow)
        if stxn.req.method == 'INVITE' and m.status >= 200 and (
                m.status < 300 or self.transport == 'udp'):
            end = time.monotonic() + 64 * T1

            def again(gap):
                if not stxn.acked and time.monotonic() < end:
                    self.send_raw(data, stxn.flow)
                    self.after(min(2 * gap, T2), lambda: again(
                        min(2 * gap, T2)))
            self.after(T1, lambda: again(T1))

    def reply(self, stxn, status, headers=(), body='', reason=None):
        """Answer a request taken from .handler or wait_request()."""
        m = self.build_response(stxn.req, status, reason)
        for n, v in headers:
            m.add(n, v)
        m.body = body.encode()
        self.send_response(stxn, m)

    # --- receiving -------------------------------------------------------
    def _on_response(self, r):
        t = self.ctxns.get((r.branch, r.cseq[1]))
        if not t:
            self.strays.append(('response', r, None))
            return
        t.responses.append(r)
        if r.status >= 200 and not t.final:
            t.final = r
        if r.cseq[1] == 'INVITE' and r.status >= 300:
            self._ack_failure(t, r)
        if t.call:
            t.call.on_response(t, r)

    def _ack_failure(self, t, r):
        q = t.req
        m = Msg('ACK %s SIP/2.0' % q.uri).add('Via', q.list('Via')[0])
        for v in q.all('Route'):
            m.add('Route', v)
        m.add('Max-Forwards', '70').add('From', q.get('From'))
        m.add('To', r.get('To')).add('Call-ID', q.call_id)
        m.add('CSeq', '%d ACK' % q.cseq[0])
        self.send_raw(m.bytes())

    def _on_request(self, m, flow):
        via = m.list('Via')[0]
        sentby = re.sub(r'^\S+\s+', '', via).split(';')[0].strip().lower()
        key = (m.branch, sentby,
               'INVITE' if m.method == 'ACK' else m.method)
        st = self.stxns.get(key)
        if m.method == 'ACK':
            self._on_ack(m, st)
            return
        if st:
            st.seen += 1
            if st.last:
                self.send_raw(st.last, st.flow)
            return
        st = self.stxns[key] = ServerTxn(m, flow)
        m.stxn = st
        self.requests.append(m)
        if self.handler and self.handler(self, m, st):
            return
        self._default(m, st, key)

    def _on_ack(self, m, st):
        for c in self.calls_in:
            if c.call_id == m.call_id and (m.to_tag == c.tag):
                c.acked = c.stxn.acked = True
        for s in ([st] if st else [x for x in self.stxns.values() if
                                   x.req.call_id == m.call_id and
                                   x.req.cseq[0] == m.cseq[0]]):
            s.acked = True
        self.requests.append(m)

    def _default(self, m, st, key):
        call = next((c for c in self.calls_in if c.call_id == m.call_id and
                     c.tag == m.to_tag), None)
        if m.method == 'INVITE' and m.to_tag is None:
            self._incoming(m, st)
        elif m.method == 'INVITE':
            r = self.build_response(m, 200).add('Contact', self.contact())
            r.add('Content-Type', 'application/sdp').body = SDP.encode()
            self.send_response(st, r)
        elif m.method == 'CANCEL':
            inv = self.stxns.get(key[:2] + ('INVITE',))
            self.reply(st, 200 if inv else 481)
            for c in self.calls_in:
                if c.stxn is inv and not c.final:
                    c.cancelled = True
                    c.respond(487)
        elif m.method == 'BYE':
            out = self.calls.get(m.call_id)
            ok = call or (out and out.tag == m.to_tag)
            for c in (call, out):
                if c and ok:
                    c.ended = True
            self.reply(st, 200 if ok else 481)
        else:
            self.reply(st, 200)

    def _incoming(self, m, st):
        c = InCall(self, m, st)
        self.calls_in.append(c)
        a = self.auto
        if not a:
            return
        if a.ring is not None:
            self.after(a.ring, lambda: c.respond(180))
        self.after(a.answer, lambda: c.respond(
            a.code, SDP if a.code < 300 else '', a.headers, a.reason))

    # --- waiting ---------------------------------------------------------
    def wait_for(self, what, limit=5.0, name='condition'):
        """Wait until what() is true, at most limit [s]; returns its value."""
        end = time.monotonic() + limit
        with self.lock:
            while True:
                v = what()
                if v:
                    return v
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError('%s: no %s in %.1f s' %
                                       (self.user, name, limit))
                self.cond.wait(min(left, 0.1))

    def wait_call(self, limit=5.0, n=1):
        """The n-th incoming call."""
        self.wait_for(lambda: len(self.calls_in) >= n, limit,
                      'incoming call')
        return self.calls_in[n - 1]

    def wait_request(self, method, limit=5.0, n=1):
        """The n-th request of that method that came."""
        find = lambda: [r for r in self.requests if r.method == method]
        self.wait_for(lambda: len(find()) >= n, limit, method)
        return find()[n - 1]

    def wire(self, way=None):
        """All bytes of one direction ('in', 'out') or both, as one string."""
        with self.lock:
            return b'\n'.join(d for _, w, d, _ in self.log
                              if way in (None, w))
