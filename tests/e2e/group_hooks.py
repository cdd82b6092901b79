"""Webhooks: a receiver that refuses, hangs, fails, and then takes them."""
import base64
import hashlib
import hmac
import json
import os
import signal
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from e2e import check, equal, eventually, test
from sipua import Auto

USERS = {u: 'pw-' + u for u in ('alice', 'bob')}
KEY = base64.b64encode(b'k' * 32).decode()


class Receiver:
    """mode: a status, or 'hang'. posts: (mode, headers, body) of all."""

    def __init__(self, ctx, port=0):
        self.mode, self.posts, self.stop = 200, [], threading.Event()
        self.good = 0
        me = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers['Content-Length']))
                mode = me.mode
                me.posts.append((mode, dict(self.headers), body))
                me.good += signed(self.headers, body)
                if mode == 'hang':
                    me.stop.wait(30)
                    return
                self.send_response(mode)
                if mode == 302:
                    self.send_header('Location', '/elsewhere')
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *_):
                pass

        self.srv = ThreadingHTTPServer(('127.0.0.1', port), Handler)
        self.srv.daemon_threads = True
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


def start(ctx, port, **more):
    secret = os.path.join(ctx.dir, 'secret')
    with open(secret, 'w') as f:
        f.write('whsec_%s\n' % KEY)
    os.chmod(secret, 0o600)
    hook = dict({'url': 'http://127.0.0.1:%d/in?x=1' % port, 'name': 'noc',
                 'secret_file': secret, 'min_interval': 100,
                 'timeout': 400}, **more)
    return ctx.lab(users=USERS, edge_conf={
        'webhooks': [hook], 'probe': {'inter': 200, 'downinter': 200}})


def metric(lab, name, **labels):
    want = ','.join('%s="%s"' % x for x in [('hook', 'noc')] +
                    sorted(labels.items()))
    return lab.edge.metrics()['edgewise_sbc_webhook_%s{%s}' % (name, want)]


def signed(headers, body):
    h = {k.lower(): v for k, v in headers.items()}
    text = ('%s.%s.' % (h['webhook-id'], h['webhook-timestamp'])).encode()
    mac = hmac.new(base64.b64decode(KEY), text + body, hashlib.sha256)
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
