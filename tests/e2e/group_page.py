"""The management address: the page without a browser, its stream, what nodes
tell, the API as docs/openapi.json describes it, and whoever means ill."""
import http.client
import http.server
import json
import os
import re
import socket
import threading
import time

from e2e import TREE, check, equal, eventually, test
from schema import problems
from sipua import Auto

USERS = {u: 'pw-' + u for u in ('alice', 'bob')}


def start(ctx, **edge):
    edge.setdefault('probe', {'inter': 200, 'fastinter': 50, 'downinter': 200,
                              'timeout': 200})
    return ctx.lab(users=USERS, edge_conf=edge, node_conf={
        'cluster': {'heartbeat': 100, 'dead': 600}})


def ask(lab, method, path, body=None, headers=(), proc=None, limit=5):
    """(status, headers in lower case, body)"""
    p = proc or lab.edge
    c = http.client.HTTPConnection(p.http_ip, p.http_port, timeout=limit)
    try:
        c.request(method, path, body, dict(headers))
        r = c.getresponse()
        return r.status, {k.lower(): v for k, v in r.getheaders()}, r.read()
    finally:
        c.close()


def view(lab):
    s, _, b = ask(lab, 'GET', '/api/v1/dashboard')
    equal(s, 200, 'status of the view')
    return json.loads(b)


def state(lab):
    return view(lab)['verdict']['state']


def is_well(lab):
    """OK, and every node has told what it holds"""
    eventually(lambda: [view(lab)['verdict'][k] for k in (
        'state', 'can_lose_node')] == ['OK', 'yes'], 15, 'OK', 0.1)


def is_state(lab, want, limit=15):
    eventually(lambda: state(lab) == want, limit, 'verdict ' + want, 0.1)


class Stream:
    """Server-sent events in a thread: .got is a list of (event, data)."""

    def __init__(self, lab, path='/api/v1/stream'):
        self.got, self.raw, self.open = [], b'', True
        self.s = socket.create_connection((lab.edge.http_ip,
                                           lab.edge.http_port), 5)
        self.s.sendall(b'GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n' %
                       path.encode())
        self.t = threading.Thread(target=self._run, daemon=True)
        self.t.start()

    def _run(self):
        head = False
        self.s.settimeout(30)
        while True:
            try:
                d = self.s.recv(1 << 16)
            except OSError:
                d = b''
            if not d:
                self.open = False
                return
            self.raw += d
            if not head:
                head = b'\r\n\r\n' in self.raw
                self.raw = self.raw.partition(b'\r\n\r\n')[2] if head else \
                    self.raw
            while head and b'\n\n' in self.raw:
                one, _, self.raw = self.raw.partition(b'\n\n')
                f = dict(x.split(': ', 1) for x in one.decode().split('\n'))
                if 'event' in f:
                    self.got.append((f['event'], json.loads(f['data'])))

    def of(self, name):
        return [d for e, d in self.got if e == name]

    def close(self):
        self.s.close()


def token(lab, name='edge'):
    with open(lab.path(name + '.state/admin.token')) as f:
        return f.read().strip()


def act(lab, body, tok=None, node='n1', **headers):
    h = {'Content-Type': 'application/json'}
    if tok:
        h['Authorization'] = 'Bearer ' + tok
    h.update({k.replace('_', '-'): v for k, v in headers.items()})
    s, _, b = ask(lab, 'POST', '/api/v1/nodes/' + node,
                  body if isinstance(body, bytes) else json.dumps(body), h)
    return s, b.decode()


@test(name='weight')
def t_weight(ctx):
    """the page is one host, below 150 kB, with a strict policy, no cookie, and says all without a script"""
    lab = start(ctx)
    total = 0
    for path in ('/', '/app.js', '/style.css', '/icon.svg'):
        s, h, b = ask(lab, 'GET', path)
        equal(s, 200, path)
        total += len(b)
        equal(h['x-content-type-options'], 'nosniff', path)
        for part in ("default-src 'none'", "script-src 'self'",
                     "frame-ancestors 'none'"):
            check(part in h['content-security-policy'], '%s: %s', path, part)
        check('unsafe' not in h['content-security-policy'], 'policy')
        check('set-cookie' not in h, '%s sets a cookie', path)
        check(b'://' not in b.replace(b'http://www.w3.org/2000/svg', b''),
              '%s names another host', path)
    check(total < 150000, '%d bytes', total)
    is_well(lab)
    page = ask(lab, 'GET', '/')[2].decode()
    for text in ('data-state="OK"', 'id="node-n1"', 'id="node-n3"',
                 'id="card-lost"', '127.0.0.12:', '= equal', 'SER'):
        check(text in page, 'no %s in the page', text)
    check('<!--#' not in page, 'a mark was not replaced')
    equal(ask(lab, 'GET', '/nothing')[0], 404, 'another path')


def documented():
    with open(os.path.join(TREE, 'docs', 'openapi.json')) as f:
        return json.load(f)


def in_sources():
    """Every path that a source names"""
    out = set()
    for d in ('sbc', 'node', 'web'):
        for f in os.listdir(os.path.join(TREE, d)):
            if f.endswith('.c'):
                with open(os.path.join(TREE, d, f)) as s:
                    out |= set(re.findall(r'"(/(?:api/v1/[a-z/]+|healthz|'
                                          r'readyz|metrics))"', s.read()))
    return out - {'/api/v1/'}


def query(op):
    q = ['%s=%s' % (p['name'], p['example'])
         for p in op.get('parameters', ()) if p['required'] or
         p['example'] not in ('', 'html')]
    return '?' + '&'.join(q) if q else ''


@test(name='openapi')
def t_openapi(ctx):
    """every documented path answers as docs/openapi.json says, of the edge and of a node"""
    lab, doc, seen = start(ctx), documented(), 0
    a = lab.ua('alice')
    equal(a.register().status, 200, 'REGISTER')
    b = lab.ua('bob', transport='tcp')
    b.auto = Auto()
    equal(b.register().status, 200, 'REGISTER')
    call = a.invite(b.aor)
    equal(call.wait_final().status, 200, 'call')
    call.bye()
    equal(act(lab, {'admin': 'drain', 'why': 'x'}, token(lab))[0], 200,
          'drain')
    eventually(lambda: len(json.loads(ask(lab, 'GET', '/api/v1/history')[2])
                           ['rows']) > 1, 12, 'rows', 0.2)
    for path, item in doc['paths'].items():
        op = item.get('get')
        # a report needs a drill first: group pagedrill
        if not op or path == '/api/v1/stream' or '{' in path:
            continue
        for name in op['x-programs']:
            proc = lab.edge if name == 'edgewise-sbc' else lab.nodes[0]
            more = {}
            if 'security' in op:
                equal(ask(lab, 'GET', path + query(op), proc=proc)[0], 401,
                      path + ' without a token')
                more = {'Authorization': 'Bearer ' + token(
                    lab, 'edge' if proc is lab.edge else proc.name)}
            s, h, b = ask(lab, 'GET', path + query(op), headers=more,
                          proc=proc)
            equal(s, 200, '%s of %s' % (path, name))
            (typ, c), = op['responses']['200']['content'].items()
            check(h['content-type'].startswith(typ), '%s is %s', path,
                  h['content-type'])
            seen += 1
            if 'schema' not in c:
                continue
            sch = c['schema']
            if 'x-schema' in op:
                sch = {'$ref': '#/components/schemas/' +
                       op['x-schema'][name]}
            bad = problems(json.loads(b), sch, doc, path)
            check(not bad, '%s of %s:\n%s', path, name, '\n'.join(bad[:20]))
    check(seen > 15, 'only %d answers', seen)
    served = in_sources()
    check(len(served) > 12, 'only found %s', served)
    check(served <= {re.sub(r'\{.*', '', p) for p in doc['paths']},
          'not documented: %s', served - set(doc['paths']))
    order = doc['paths']['/api/v1/nodes/{name}']['post']['responses']
    s, b = act(lab, {'admin': 'ready'}, token(lab))
    ref = order[str(s)]['content']['application/json']['schema']
    bad = problems(json.loads(b), ref, doc)
    check(s == 200 and not bad, '%d %s', s, bad)
    s, b = act(lab, {'admin': 'nonsense'}, token(lab))
    ref = order[str(s)]['content']['application/json']['schema']
    check(s == 400 and not problems(json.loads(b), ref, doc), '%d %s', s, b)


@test(name='stream')
def t_stream(ctx):
    """a view a second, each event once, and the verdict follows a node that is killed and comes back"""
    lab = start(ctx)
    is_well(lab)
    st = Stream(lab)
    ctx.after(st.close)
    page = Stream(lab, '/api/v1/stream?view=html')
    ctx.after(page.close)
    lab.node('n2').kill()
    eventually(lambda: st.of('status') and st.of('status')[-1]['verdict']
               ['state'] == 'AT RISK', 10, 'AT RISK')
    eventually(lambda: any('id="verdict-box" data-state="AT RISK"' in
                           v['html']['verdict'] for v in page.of('view')),
               5, 'the page says so')
    check('row-bad' in page.of('view')[-1]['html']['nodes'], 'n2 is red')
    equal(lab.edge.metrics()['edgewise_sbc_verdict'], 2, 'the figure')
    lab.node('n2').start().wait_ready()
    eventually(lambda: st.of('status')[-1]['verdict']['state'] == 'OK', 15,
               'OK again')
    equal(lab.edge.metrics()['edgewise_sbc_verdict'], 0, 'the figure')
    check('event=verdict state="AT RISK" was="' in
          lab.edge.log(), 'no line in the log')
    ids = [e['id'] for e in st.of('event')]
    check(len(ids) >= 2 and ids == sorted(set(ids)), 'events: %s', ids)
    check(any(e.get('node') == 'n2' and 'DOWN' in e['reason']
              for e in st.of('event')), 'no event of n2')
    at = [v['at_ms'] for v in st.of('status')[1:]]
    gaps = [b - a for a, b in zip(at, at[1:])]
    check(len(gaps) > 2 and max(gaps) < 2500 and min(gaps) > 500,
          'gaps: %s', gaps)
    check(st.of('row') and page.of('row'), 'no row of history')


@test(name='stream-ends')
def t_stream_ends(ctx):
    """a listener that reads nothing is closed, others go on, and the edge forgets him"""
    lab = start(ctx)
    good = Stream(lab, '/api/v1/stream')
    ctx.after(good.close)
    s = socket.socket()
    ctx.after(s.close)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    s.connect((lab.edge.http_ip, lab.edge.http_port))
    s.sendall(b'GET /api/v1/stream?view=html HTTP/1.1\r\nHost: localhost'
              b'\r\n\r\n')
    m = 'edgewise_http_streams'
    eventually(lambda: lab.edge.metrics()[m] == 2, 5, 'two listeners')
    n = len(good.of('status'))
    # what the kernel takes is full after some; then 8 pieces or 10 s
    eventually(lambda: lab.edge.metrics()['edgewise_http_slow_total'] == 1 and
               lab.edge.metrics()[m] == 1, 35, 'the slow one closed', 0.3)
    check(good.open and len(good.of('status')) > n + 3, 'the good one')


@test(name='nodes-dead-or-slow')
def t_nodes_slow(ctx):
    """a frozen node delays neither page nor calls; its figures grow old and are marked"""
    lab = start(ctx)
    is_well(lab)
    lab.node('n3').stop()
    ctx.after(lab.node('n3').cont)
    slowest = 0
    end = time.monotonic() + 9
    while time.monotonic() < end:
        t = time.monotonic()
        page = ask(lab, 'GET', '/')[2].decode()
        slowest = max(slowest, time.monotonic() - t)
        time.sleep(0.1)
    check(slowest < 1.0, 'a page took %.2f s', slowest)
    n3 = [n for n in view(lab)['pool'] if n['name'] == 'n3'][0]
    check(n3['said']['stale'] and n3['said']['age_ms'] > 6000,
          'n3: %s', n3['said'])
    check(n3['said']['error'], 'no error is shown')
    check('<tr class="stale">' in page, 'the row is not grey')
    a = lab.ua('alice')
    equal(a.register().status, 200, 'REGISTER meanwhile')


@test(name='nodes-asked-as-somebody-looks')
def t_nodes_pace(ctx):
    """nodes are asked every 5 s for the verdict, every 2 s once somebody looks"""
    lab = ctx.new_lab(users=USERS)
    lab.start()

    def next_round():
        """When the nodes, all three, have been asked once more."""
        name = 'edgewise_dash_scrapes_total'
        want = lab.edge.metrics()[name] + 3
        eventually(lambda: lab.edge.metrics()[name] >= want, 12, 'a round',
                   0.05)
        return time.monotonic()

    def gap():
        first = next_round()
        return next_round() - first
    eventually(lambda: lab.edge.metrics()['edgewise_sbc_verdict'] == 0, 20,
               'the word is said though nobody looks', 0.3)
    rest = gap()
    s = Stream(lab)
    ctx.after(s.close)
    eventually(lambda: any(n['said'].get('age_ms', 9999) < 1000
                           for d in s.of('status') for n in d['pool']), 5,
               'who begins to look waits for no round', 0.1)
    looks = gap()
    check(rest >= 4.5, 'at rest: %.1f s between two rounds', rest)
    check(looks <= 3.5, 'looked at: %.1f s between two rounds', looks)


class Fake(http.server.BaseHTTPRequestHandler):
    """A node's management address that answers .text"""
    text = b'{}'

    def do_GET(self):
        self.send_response(200)
        self.send_header('Content-Length', str(len(self.text)))
        self.end_headers()
        try:
            self.wfile.write(self.text)
        except OSError:
            pass

    def log_message(self, *a):
        pass


@test(name='nodes-lie')
def t_nodes_lie(ctx):
    """an endless, a broken and a hostile answer of a node are an error, or are escaped"""
    srv = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Fake)
    threading.Thread(target=srv.serve_forever, daemon=True).start()
    ctx.after(srv.shutdown)
    lab = ctx.new_lab(users=USERS)
    conf = lab.edge_conf()
    conf['pool'][0]['http'] = '127.0.0.1:%d' % srv.server_port
    lab.write_conf('edge', conf)
    lab.start()

    def said():
        return view(lab)['pool'][0]['said']
    Fake.text = b'x' * 400000
    eventually(lambda: said().get('error') == 'answer too long', 8, 'too long')
    Fake.text = b'{"a":'
    eventually(lambda: said().get('error') == 'no JSON object', 8, 'no JSON')
    Fake.text = json.dumps({
        'version': {'x': [1]}, 'contacts': -5, 'ready': 'yes',
        'registrar': [3], 'cluster': {
            'digest': '<script>alert(1)</script>', 'synced': 1,
            'members': [7, {'name': '<img src=x onerror=alert(1)>',
                            'health': 'alive', 'lag_ms': 'x'}] +
            [{'name': 'm%d' % i} for i in range(2000)],
            'certificate': {'days_left': '<b>'}}}).encode()
    eventually(lambda: said().get('cluster'), 8, 'taken')
    page = ask(lab, 'GET', '/')[2].decode()
    check('<script>alert' not in page and '<img src=x' not in page,
          'not escaped')
    check(len(said()['cluster']['peers']) <= 64, 'peers are not capped')
    equal(lab.edge.http('/readyz')[0], 200, 'the edge')


@test(name='actions')
def t_actions(ctx):
    """no token, a wrong one, another site, another host, a huge body: refused; the right one: done and told"""
    lab = start(ctx)
    tok = token(lab)
    drain = {'admin': 'drain', 'who': 'eve', 'why': 'test'}
    equal(act(lab, drain)[0], 401, 'no token')
    equal(act(lab, drain, '0' * 64)[0], 403, 'wrong token')
    equal(act(lab, drain, tok, Origin='http://evil.example')[0], 403,
          'another site, even with the token')
    equal(act(lab, drain, tok, Host='evil.example')[0], 403, 'another host')
    equal(ask(lab, 'GET', '/', headers={'Host': 'evil.example'})[0], 403,
          'the page under another name')
    equal(act(lab, drain, tok, Content_Type='text/plain')[0], 415, 'a form')
    equal(ask(lab, 'GET', '/api/v1/nodes/n1')[0], 405, 'GET')
    s = socket.create_connection((lab.edge.http_ip, lab.edge.http_port), 5)
    ctx.after(s.close)
    s.sendall(b'POST /api/v1/nodes/n1 HTTP/1.1\r\nHost: localhost\r\n'
              b'Content-Length: 10000000\r\n\r\n')
    try:
        for _ in range(100):
            s.sendall(b'x' * 100000)
    except OSError:
        pass                       # closed on us: as it should be
    check(lab.edge.rss_kb() < 100000, 'memory')
    check(all(n['admin'] == 'ready' for n in view(lab)['pool']),
          'somebody got through')
    equal(act(lab, drain, tok)[0], 200, 'the right token')
    n1 = view(lab)['pool'][0]
    check(n1['admin'] in ('drain', 'maint') and n1['admin_who'] == 'eve' and
          n1['admin_why'] == 'test', '%s', n1)
    check(any(e['kind'] == 'admin' and e['who'] == 'eve'
              for e in view(lab)['events']), 'no event')
    equal(state(lab), 'DEGRADED', 'verdict')


@test(name='crowd', limit=90)
def t_crowd(ctx):
    """1000 connections that say nothing: the page and calls are served, memory stays"""
    lab = start(ctx)
    a, b = lab.ua('alice'), lab.ua('bob', transport='tcp')
    b.auto = Auto()
    for u in (a, b):
        equal(u.register().status, 200, 'REGISTER')
    before, socks = lab.edge.rss_kb(), []
    ctx.after(lambda: [s.close() for s in socks])
    for i in range(1000):
        s = socket.socket()
        s.settimeout(5)
        s.connect((lab.edge.http_ip, lab.edge.http_port))
        socks.append(s)
        if i % 250 == 0:
            t = time.monotonic()
            equal(ask(lab, 'GET', '/')[0], 200, 'page')
            check(time.monotonic() - t < 2, 'page was slow')
            call = a.invite(b.aor)
            equal(call.wait_final().status, 200, 'call')
            call.bye()
    fds = len(os.listdir('/proc/%d/fd' % lab.edge.pid))
    check(fds < 200, '%d descriptors', fds)
    check(lab.edge.rss_kb() - before < 8000, 'memory: %d to %d kB', before,
          lab.edge.rss_kb())
    equal(ask(lab, 'GET', '/')[0], 200, 'page at the end')


@test(name='full', limit=60)
def t_full(ctx):
    """256 listeners get a view each, the 257th is told so, the page is still served"""
    lab = start(ctx)
    all_ = []
    ctx.after(lambda: [s.close() for s in all_])
    for i in range(256):
        s = socket.create_connection((lab.edge.http_ip, lab.edge.http_port),
                                     5)
        s.sendall(b'GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n')
        check(s.recv(100).startswith(b'HTTP/1.1 200 '), 'listener %d', i)
        all_.append(s)
    equal(ask(lab, 'GET', '/api/v1/stream')[0], 503, 'the 257th')
    equal(ask(lab, 'GET', '/')[0], 200, 'page')
    all_.pop().close()
    eventually(lambda: lab.edge.metrics()['edgewise_http_streams'] == 255, 5,
               'room')
    a = lab.ua('alice')
    equal(a.register().status, 200, 'REGISTER')
