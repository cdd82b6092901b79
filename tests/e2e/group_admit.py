"""Admission at the edge: answers never outweigh what came, floods and scanners
are cut, bans come and go, slow connections keep nobody out."""
import json
import os
import socket
import subprocess
import time

from e2e import check, equal, eventually, test
from lab import find_program
from sipmsg import token
from sipua import Auto, Ua

USERS = {u: 'pw-' + u for u in ('alice', 'bob')}


def lab(ctx, limits=None, **admit):
    conf = {'admit': dict({'trusted': []}, **admit)}
    if limits:
        conf['limits'] = limits
    return ctx.lab(users=USERS, edge_conf=conf)


def dropped(lab_, why):
    return lab_.edge.status()['admission']['dropped'][why]


def phone(lab_, user, transport='udp', host='127.0.0.2'):
    u = lab_.ua(user, transport=transport, host=host)
    u.auto = Auto()
    equal(u.register().status, 200, 'REGISTER of ' + user)
    return u


def text(method, uri, ip, port, size=0, tp='UDP', headers='', to_tag=''):
    """A request; the smallest that is one, or with a body."""
    body = 'x' * size
    return ('%s %s SIP/2.0\r\nVia: SIP/2.0/%s %s:%d;branch=z9hG4bK%s\r\n'
            'From: <sip:m@example.com>;tag=1\r\nTo: <%s>%s\r\nCall-ID: %s\r\n'
            'CSeq: 1 %s\r\nMax-Forwards: 70\r\n%sContent-Length: %d\r\n\r\n%s'
            % (method, uri, tp, ip, port, token(), uri, to_tag, token(),
               method, headers, size, body)).encode()


class Raw:
    """A UDP socket that counts what it sends and gets, and answers nothing."""

    def __init__(self, ctx, lab_, ip):
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind((ip, 0))
        self.s.setblocking(False)
        self.ip, self.port = self.s.getsockname()
        self.to, self.out, self.got = lab_.proxy, 0, []
        ctx.after(self.s.close)

    def send(self, data):
        self.s.sendto(data, self.to)
        self.out += len(data)

    def listen(self, secs):
        end = time.monotonic() + secs
        while time.monotonic() < end:
            try:
                self.got.append(self.s.recv(65535))
            except BlockingIOError:
                time.sleep(0.005)
        return self.got

    def factor(self):
        return sum(map(len, self.got)) / self.out


KINDS = ['INVITE', 'REGISTER', 'OPTIONS', 'MESSAGE', 'SUBSCRIBE', 'BYE',
         'CANCEL', 'ACK', 'PUBLISH', 'NOTIFY', 'INFO', 'XYZZY']


@test(name='amplification', limit=60)
def t_amplification(ctx):
    """over UDP no kind of request draws more bytes than it has, whoever is silent afterwards"""
    lab_ = lab(ctx)
    worst, raws = {}, []
    for i, method in enumerate(KINDS + ['junk', 'bad', 'dialog', 'user',
                                        'foreign', 'nopeer', 'big']):
        r = Raw(ctx, lab_, '127.0.2.%d' % (i + 1))
        uri = 'sip:bob@example.com'
        for size in (0, 900):
            kw = {}
            m = method
            if method == 'dialog':
                m, kw = 'INVITE', {'to_tag': ';tag=x'}
            elif method == 'user':
                m, uri = 'OPTIONS', 'sip:%s:%d' % lab_.proxy
            elif method == 'foreign':
                m, uri = 'INVITE', 'sip:x@other.example'
            elif method == 'nopeer':
                m, kw = 'INVITE', {'headers': 'Proxy-Require: foo\r\n'}
            elif method == 'big':
                m, kw = 'INVITE', {'headers': 'X: y\r\n' * 100}
            data = text(m, uri, r.ip, r.port, size, **kw)
            if method == 'junk':
                data = b'SIP/2.0 ' + os.urandom(40)
            elif method == 'bad':
                data = data.replace(b'CSeq: 1', b'CSeq: x').replace(
                    b'BAD', b'INVITE')
            r.send(data)
        raws.append((method, r))
    time.sleep(4)               # 407 would be repeated after 0.5, 1.5, 3.5 s
    answered = 0
    for method, r in raws:
        r.listen(0.05)
        worst[method] = round(r.factor(), 2)
        answered += bool(r.got)
    print('# bytes got / sent: %s' % worst)
    check(max(worst.values()) <= 1.0, 'amplification: %s', worst)
    check(answered >= 8, 'kinds that got an answer: %d', answered)
    check(dropped(lab_, 'credit') > 0, 'nothing was held back')


@test(name='phones')
def t_phones(ctx):
    """phones register and call over UDP and TCP; with a proved source 100 comes when nobody has rung in 200 ms"""
    lab_ = lab(ctx)
    a, b = phone(lab_, 'alice'), phone(lab_, 'bob', 'tcp', '127.0.0.3')
    for x, y in ((a, b), (b, a)):
        y.auto = Auto(ring=0.4, answer=0.5)
        call = x.invite(y.aor)
        equal(call.wait_final().status, 200, 'INVITE')
        equal(call.bye().status, 200, 'BYE')
        equal(call.statuses(), [100, 180, 200], 'answers')
    equal(lab_.edge.status()['admission']['proved'], 2, 'proved')


@test(name='unproved-call')
def t_unproved_call(ctx):
    """a phone that is not registered calls with its password, without 100 before"""
    lab_ = lab(ctx)
    b = phone(lab_, 'bob', host='127.0.0.3')
    a = lab_.ua('alice', host='127.0.0.2')
    call = a.invite(b.aor)
    equal(call.wait_final().status, 200, 'INVITE')
    equal(call.bye().status, 200, 'BYE')


@test(name='flood', limit=60)
def t_flood(ctx):
    """ten times too many requests of one address: calls and refreshes of others go on"""
    lab_ = lab(ctx, rate=50, burst=50)
    a, b = phone(lab_, 'alice'), phone(lab_, 'bob', host='127.0.0.3')
    r = Raw(ctx, lab_, '127.0.0.66')
    end, n, calls = time.monotonic() + 2.5, 0, []
    while time.monotonic() < end:
        for _ in range(10):
            r.send(text('REGISTER', 'sip:example.com', r.ip, r.port,
                        300).replace(b'To: <sip:', b'To: <sip:u%d@' % n))
            n += 1
        if n % 500 == 0:
            equal(a.register().status, 200, 'REGISTER during the flood')
            call = a.invite(b.aor)
            calls.append(call.wait_final().status)
            equal(call.bye().status, 200, 'BYE')
        time.sleep(0.02)
    cut = dropped(lab_, 'rate')
    check(len(calls) >= 2 and set(calls) == {200}, 'calls: %s', calls)
    check(n - 50 * 3 - 120 < cut < n, 'of %d requests %d were cut', n, cut)


@test(name='flood-from-everywhere', limit=60)
def t_flood_from_everywhere(ctx):
    """a flood from 500 addresses, each modest: those who are known go on as before"""
    lab_ = lab(ctx, stranger_rate=50)
    a, b = phone(lab_, 'alice'), phone(lab_, 'bob', host='127.0.0.3')
    raws = [Raw(ctx, lab_, '127.4.%d.%d' % (i // 250, i % 250 + 1))
            for i in range(500)]
    end, n, calls, refreshes = time.monotonic() + 2.5, 0, [], []
    while time.monotonic() < end:
        for r in raws[n % 500:n % 500 + 20]:
            r.send(text('REGISTER', 'sip:example.com', r.ip, r.port,
                        300).replace(b'To: <sip:', b'To: <sip:u%d@' % n))
            n += 1
        if n % 1000 == 0:
            refreshes.append(a.register().status)
            call = a.invite(b.aor)
            calls.append(call.wait_final().status)
            equal(call.bye().status, 200, 'BYE')
        time.sleep(0.01)
    cut = dropped(lab_, 'strangers')
    check(len(calls) >= 2 and set(calls + refreshes) == {200},
          'calls: %s, refreshes: %s', calls, refreshes)
    check(n - 50 * 3 - 160 < cut < n, 'of %d requests %d were cut', n, cut)


@test(name='many-behind-one')
def t_many_behind_one(ctx):
    """behind one address the limit grows with the phones registered there"""
    lab_ = lab(ctx, rate=4, burst=8, phone_rate=20)
    a = phone(lab_, 'alice', 'tcp')
    got = [a.request('MESSAGE', 'sip:x@example.com', 'x').status
           for _ in range(40)]
    check(503 not in got, 'a registered one: %s', got)
    x = Ua('x', 'example.com', lab_.proxy, host='127.0.0.66', transport='tcp')
    ctx.after(x.close)
    got = [x.request('MESSAGE', 'sip:x@example.com', 'x').status
           for _ in range(15)]
    check(got.count(503) >= 5, 'a stranger: %s', got)


@test(name='scanner')
def t_scanner(ctx):
    """a scanner and who asks for other domains see nothing; only what TCP proves is banned"""
    lab_ = lab(ctx, domains=['example.com'])
    r = Raw(ctx, lab_, '127.0.0.66')
    for m in ('OPTIONS', 'REGISTER', 'INVITE'):
        r.send(text(m, 'sip:100@127.0.0.1', r.ip, r.port, 400,
                    headers='User-Agent: friendly-scanner\r\n'))
        r.send(text(m, 'sip:100@127.0.0.1', r.ip, r.port, 400))
        r.send(text(m, 'sip:100@10.0.0.1', r.ip, r.port, 400))
    equal(r.listen(1), [], 'answers')
    equal((dropped(lab_, 'scanner'), dropped(lab_, 'domain')), (3, 6),
          'counted')
    equal(lab_.edge.status()['admission']['bans'], [], 'bans by datagrams')
    s = tcp(lab_, '127.0.0.67')
    ctx.after(s.close)
    s.sendall(text('OPTIONS', 'sip:100@127.0.0.1', '127.0.0.67', 5060,
                   tp='TCP', headers='User-Agent: sipvicious\r\n'))
    equal(s.recv(1000), b'', 'what it got')
    eventually(lambda: bans(lab_) == ['127.0.0.67'], 3, 'ban')
    check(refused(lab_, '127.0.0.67'), 'it may connect again')
    phone(lab_, 'alice')


def tcp(lab_, ip):
    s = socket.socket()
    s.bind((ip, 0))
    s.settimeout(3)
    s.connect(lab_.proxy)
    return s


def refused(lab_, ip):
    """A connection from there is closed at once."""
    try:
        with tcp(lab_, ip) as s:
            return s.recv(1) == b''
    except ConnectionError:
        return True


def bans(lab_):
    return [b['source'] for b in lab_.edge.status()['admission']['bans']]


def tool(lab_, *args):
    r = subprocess.run([find_program('edgewise'), *args, '-u',
                        'http://127.0.0.1:%d' % lab_.plan.http,
                        '--token-file', lab_.path('edge.state/admin.token')],
                       capture_output=True, text=True, timeout=10)
    return r.returncode, r.stdout + r.stderr


@test(name='guessing')
def t_guessing(ctx):
    """wrong passwords over TCP end in a ban; the first REGISTER and a wrong one now and then do not"""
    lab_ = lab(ctx, ban=2)
    for _ in range(20):
        with tcp(lab_, '127.0.0.68') as s:
            s.sendall(text('REGISTER', 'sip:example.com', '127.0.0.68', 5060,
                           tp='TCP', headers='Contact: <sip:a@b>\r\n'))
            check(s.recv(2000).startswith(b'SIP/2.0 40'), 'no challenge')
    equal(bans(lab_), [], 'bans after REGISTERs without credentials')
    for i in range(12):
        x = Ua('u%d' % i, 'example.com', lab_.proxy, host='127.0.0.68',
               password='wrong', transport='tcp')
        try:
            x.register(limit=0.5)
        except (OSError, TimeoutError):
            pass
        x.close()
        if bans(lab_):
            break
    equal(bans(lab_), ['127.0.0.68'], 'bans after %d guesses' % (i + 1))
    check(i >= 3, 'banned after %d guesses', i + 1)
    eventually(lambda: not bans(lab_), 4, 'end of the ban')
    check(not refused_slowly(lab_, "127.0.0.69"), "a neighbour")


@test(name='by-hand')
def t_by_hand(ctx):
    """edgewise ban, bans, unban: datagrams and connections of a source are dropped, then taken again"""
    lab_ = lab(ctx)
    a = phone(lab_, 'alice')
    equal(tool(lab_, 'ban', '127.0.0.2', '--why', 'abuse', '--for', '1h')[0],
          0, 'ban')
    rc, out = tool(lab_, 'bans')
    check(rc == 0 and '127.0.0.2' in out and 'abuse' in out, out)
    got = json.loads(tool(lab_, 'bans', '--json')[1])['bans'][0]
    equal((got['source'], got['why']), ('127.0.0.2', 'abuse'), 'the ban')
    a.send_raw(text('OPTIONS', 'sip:127.0.0.1', '127.0.0.2', a.port))
    eventually(lambda: dropped(lab_, 'banned') >= 1, 3, 'drop')
    check(refused(lab_, '127.0.0.2'), 'it may connect')
    equal(tool(lab_, 'unban', '127.0.0.2')[0], 0, 'unban')
    equal(a.register().status, 200, 'REGISTER')
    equal(tool(lab_, 'unban', '127.0.0.2')[0], 1, 'unban twice')
    equal(tool(lab_, 'ban', 'x.y', '--why', 'z')[0], 1, 'no address')


@test(name='slow', limit=60)
def t_slow(ctx):
    """connections that say nothing, or a byte now and then, keep nobody out"""
    lab_ = lab(ctx, limits={'max_connections': 300,
                            'max_connections_ip': 100,
                            'first_message': 30, 'whole_message': 30})
    b = phone(lab_, 'bob', 'tcp', '127.0.0.3')
    slow = []
    ctx.after(lambda: [s.close() for s in slow])
    for i in range(700):
        try:
            s = tcp(lab_, '127.0.3.%d' % (i % 9 + 1))
            s.sendall(b'INVITE sip:bob@exa' if i % 2 else b'O')
            slow.append(s)
        except OSError:
            continue
    began = time.monotonic()
    a = phone(lab_, 'alice', 'tcp')
    took = time.monotonic() - began
    check(took < 1, 'a phone had to wait %.2f s', took)
    call = a.invite(b.aor)
    equal(call.wait_final().status, 200, 'INVITE')
    equal(call.bye().status, 200, 'BYE')
    m = lab_.edge.metrics()
    check(m['edgewise_sip_drops_total{reason="displaced"}'] > 300,
          'displaced: %s', m['edgewise_sip_drops_total{reason="displaced"}'])
    check(lab_.edge.status()['connections'] <= 305, 'connections')


@test(name='garbage')
def t_garbage(ctx):
    """who sends no SIP over TCP is banned after a few tries, and let in again in time"""
    lab_ = lab(ctx, ban=1)
    for _ in range(6):
        try:
            with tcp(lab_, '127.0.0.70') as s:
                s.sendall(b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' * 9
                          + b'\r\n\r\n')
                s.recv(1000)
        except OSError:
            pass
    equal(bans(lab_), ['127.0.0.70'], 'bans')
    eventually(lambda: not bans(lab_), 3, 'end of the ban')
    check(not refused_slowly(lab_, '127.0.0.70'), 'still banned')


def refused_slowly(lab_, ip):
    with tcp(lab_, ip) as s:
        s.settimeout(0.3)
        try:
            return s.recv(1) == b''
        except TimeoutError:
            return False
