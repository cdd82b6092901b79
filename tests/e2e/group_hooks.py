"""Webhooks: a receiver that refuses, hangs, fails, and then takes them."""
import base64
import hashlib
import hmac
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from e2e import check, equal, eventually, test
from lab import find_program
from sipua import Auto

USERS = {u: 'pw-' + u for u in ('alice', 'bob')}
KEY = base64.b64encode(b'k' * 32).decode()


class Receiver:
    """mode: a status, or 'hang'. posts: (mode, headers, body) of all; at:
    when each came. wait: Retry-After of what is not good. cert: of https."""

    def __init__(self, ctx, port=0, cert=None):
        self.mode, self.posts, self.stop = 200, [], threading.Event()
        self.good, self.at, self.wait, self.key = 0, [], None, KEY
        me = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers['Content-Length']))
                mode = me.mode
                me.posts.append((mode, dict(self.headers), body))
                me.at.append(time.monotonic())
                me.good += signed(self.headers, body, me.key)
                if mode == 'hang':
                    me.stop.wait(30)
                    return
                self.send_response(mode)
                if mode == 302:
                    self.send_header('Location', '/elsewhere')
                if me.wait and mode != 200:
                    self.send_header('Retry-After', str(me.wait))
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *_):
                pass

        self.srv = ThreadingHTTPServer(('127.0.0.1', port), Handler)
        self.srv.daemon_threads = True
        if cert:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(cert + '.pem', cert + '.key')
            self.srv.socket = tls.wrap_socket(self.srv.socket, True)
        threading.Thread(target=self.srv.serve_forever, daemon=True).start()
        ctx.after(self.close)

    def close(self):
        self.stop.set()
        self.srv.shutdown()
        self.srv.server_close()

    def count(self, mode):
        return sum(p[0] == mode for p in self.posts)

    def got(self):
        """Events of the deliveries that were answered with 200."""
        return [e for m, _, b in self.posts if m == 200
                for e in json.loads(b)['events']]


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def put_key(path, key):
    with open(path, 'w') as f:
        f.write('whsec_%s\n' % key)
    os.chmod(path, 0o600)


def start(ctx, port, **more):
    secret = os.path.join(ctx.dir, 'secret')
    put_key(secret, KEY)
    hook = dict({'url': 'http://127.0.0.1:%d/in?x=1' % port, 'name': 'noc',
                 'secret_file': secret, 'min_interval': 100,
                 'timeout': 400}, **more)
    return ctx.lab(users=USERS, edge_conf={
        'webhooks': [hook], 'probe': {'inter': 200, 'downinter': 200}})


def metric(lab, name, **labels):
    want = ','.join('%s="%s"' % x for x in [('hook', 'noc')] +
                    sorted(labels.items()))
    return lab.edge.metrics()['edgewise_sbc_webhook_%s{%s}' % (name, want)]


def signed(headers, body, key=KEY):
    h = {k.lower(): v for k, v in headers.items()}
    text = ('%s.%s.' % (h['webhook-id'], h['webhook-timestamp'])).encode()
    mac = hmac.new(base64.b64decode(key), text + body, hashlib.sha256)
    return h['webhook-signature'] == 'v1,' + base64.b64encode(
        mac.digest()).decode() and abs(
            time.time() - int(h['webhook-timestamp'])) < 5


def calls(lab, n):
    """Calls one after another; how many were answered."""
    a, b = lab.ua('alice'), lab.ua('bob')
    b.auto = Auto(answer=0)
    for u in (a, b):
        equal(u.register().status, 200, 'REGISTER')
    good = 0
    for _ in range(n):
        c = a.invite(b.aor)
        good += c.wait_final().status == 200
        c.bye()
    return good


@test(limit=60)
def t_mended(ctx):
    """nobody there, 500, 302, silence, then 200: each event once, in order, signed; calls go on"""
    port = free_port()
    lab = start(ctx, port, events='node, verdict, admin')
    lab.node('n1').kill()
    lab.wait_node_state('n1', 'down')
    eventually(lambda: metric(lab, 'posts_total', result='failed') >= 1, 5,
               'a try that is refused')
    equal(calls(lab, 20), 20, 'calls with a dead receiver')
    r = Receiver(ctx, port)
    for mode in (500, 302, 'hang'):
        r.mode = mode
        eventually(lambda: r.count(mode), 15, 'a try that gets %s' % mode)
    equal(calls(lab, 20), 20, 'calls with a receiver that hangs')
    r.mode = 200
    eventually(lambda: r.got() and not metric(lab, 'waiting'), 20, 'delivery')
    equal(r.good, len(r.posts), 'posts signed, and lately')
    ids = [e['id'] for e in r.got()]
    equal(ids, sorted(set(ids)), 'ids, each once and in order')
    check(any(e['kind'] == 'node' and e.get('node') == 'n1' and
              ' to DOWN' in e['reason'] for e in r.got()), '%s', r.got())
    check(any(e['kind'] == 'verdict' for e in r.got()), '%s', r.got())
    first = {h['webhook-id'] for m, h, _ in r.posts if m == 500}
    same = {b for _, h, b in r.posts if h['webhook-id'] in first}
    equal(len(same), 1, 'bodies under one id')
    want = [e['id'] for e in json.loads(lab.edge.http(
        '/api/v1/events?since=0&limit=1000')[1])['events']
            if e['kind'] in ('node', 'verdict', 'admin') and
            ids[0] <= e['id'] <= ids[-1]]
    equal(ids, want, 'all events of these kinds')
    log = lab.edge.log()
    check('/in' not in log, 'the URL is in the log')
    equal(log.count('event=webhook hook=noc problem='), 1, 'lines of trouble')


@test(limit=30)
def t_reload(ctx):
    """a reload keeps what waits and takes the new key; a bad one changes nothing"""
    port = free_port()
    lab = start(ctx, port, events='node', max_age=60)
    lab.node('n1').kill()
    eventually(lambda: metric(lab, 'posts_total', result='failed') >= 1, 10,
               'a failed try')
    waiting = metric(lab, 'waiting')
    check(waiting > 0, 'nothing waits')
    with open(lab.path('edge.conf')) as f:
        text = f.read()
    for old, new in (('http://', 'ftp://'), ('/secret"', '/nothing"')):
        with open(lab.path('edge.conf'), 'w') as f:
            f.write(text.replace(old, new))
        n = lab.edge.log().count('nothing changed')
        lab.edge.signal(signal.SIGHUP)
        eventually(lambda: lab.edge.log().count('nothing changed') > n, 5,
                   'a reload refused')
    with open(lab.path('edge.conf'), 'w') as f:
        f.write(text.replace('min_interval = 100', 'min_interval = 200'))
    lab.edge.signal(signal.SIGHUP)
    eventually(lambda: 'result=done' in lab.edge.log(), 5, 'the reload')
    check(metric(lab, 'waiting') >= waiting, 'what waited is gone')
    r = Receiver(ctx, port)
    eventually(lambda: len(r.got()) >= waiting, 15, 'delivery')


def event(lab, why):
    """One event of kind admin."""
    r = subprocess.run([find_program('edgewise'), 'weight', 'n2',
                        '50' if why == 'less' else 'default', '-c',
                        lab.path('edge.conf'), '--why', why],
                       capture_output=True, text=True, timeout=20)
    equal(r.returncode, 0, 'edgewise weight: ' + r.stderr)


def hup(lab):
    n = lab.edge.log().count('event=reload result=done')
    lab.edge.signal(signal.SIGHUP)
    eventually(lambda: lab.edge.log().count('event=reload result=done') > n,
               5, 'the reload')


def own_ca(path):
    """A certificate for 127.0.0.1 that is its own CA."""
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                    'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
                    '-subj', '/CN=noc', '-addext',
                    'subjectAltName=IP:127.0.0.1', '-keyout', path + '.key',
                    '-out', path + '.pem'], check=True, capture_output=True)


@test(limit=40)
def t_https(ctx):
    """https: another CA is refused, ours is taken; a new key signs after HUP; Retry-After is obeyed"""
    good, bad = os.path.join(ctx.dir, 'good'), os.path.join(ctx.dir, 'bad')
    for path in (good, bad):
        own_ca(path)
    r = Receiver(ctx, cert=good)
    lab = start(ctx, r.srv.server_port, events='admin', ca_file=bad + '.pem',
                url='https://127.0.0.1:%d/in' % r.srv.server_port)
    event(lab, 'less')
    eventually(lambda: 'problem="its certificate is not taken"' in
               lab.edge.log(), 10, 'the refusal in the log')
    equal(len(r.posts), 0, 'posts to a stranger')
    with open(lab.path('edge.conf')) as f:
        text = f.read()
    for path in ('/nowhere', lab.path('edge.conf')):
        with open(lab.path('edge.conf'), 'w') as f:
            f.write(text.replace(bad + '.pem', path))
        n = lab.edge.log().count('nothing changed')
        lab.edge.signal(signal.SIGHUP)
        eventually(lambda: lab.edge.log().count('nothing changed') > n, 5,
                   'a reload refused: ' + path)
    with open(lab.path('edge.conf'), 'w') as f:
        f.write(text.replace(bad + '.pem', good + '.pem'))
    hup(lab)
    eventually(lambda: r.got(), 10, 'delivery over https')
    equal(r.good, len(r.posts), 'posts signed')
    # another key, the same settings
    r.key = base64.b64encode(b'n' * 32).decode()
    put_key(os.path.join(ctx.dir, 'secret'), r.key)
    hup(lab)
    n, r.good = len(r.posts), 0
    event(lab, 'more')
    eventually(lambda: len(r.posts) > n, 5, 'a post')
    equal(r.good, len(r.posts) - n, 'posts signed by the new key')
    # our own first wait is at most 1 s
    r.mode, r.wait = 503, 2
    n = len(r.posts)
    event(lab, 'less')
    eventually(lambda: len(r.posts) > n, 5, 'a post')
    r.mode = 200
    eventually(lambda: len(r.posts) > n + 1, 10, 'the next try')
    check(r.at[n + 1] - r.at[n] >= 1.9, 'tried again after %.1f s',
          r.at[n + 1] - r.at[n])


@test(limit=40)
def t_stop(ctx):
    """at its end the edge sends what waits; a dead or hanging receiver holds it up 2 s at most"""
    r = Receiver(ctx)
    lab = start(ctx, r.srv.server_port, events='admin', min_interval=60000,
                timeout=5000)
    event(lab, 'less')
    eventually(lambda: len(r.got()) == 1 or metric(lab, 'waiting'), 5, 'it')
    event(lab, 'more')
    n = len(r.got())
    check(n < 2, 'nothing waits')
    lab.edge.end()
    equal(len(r.got()), 2, 'events delivered')
    for mode, least, most in (('hang', 1.5, 3), (500, 0, 1)):
        lab.edge.start().wait_ready()
        r.mode = mode
        event(lab, 'less')
        eventually(lambda: metric(lab, 'waiting'), 5, 'an event that waits')
        t = time.monotonic()
        lab.edge.end()
        t = time.monotonic() - t
        check(least <= t < most, 'with %s it ended after %.2f s', mode, t)
        check('not delivered before the end' in lab.edge.log(), 'no line')
