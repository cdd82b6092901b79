"""`edgewise` as operators use it: what it prints of running programs, and its
exit status."""
import http.server
import json
import os
import pty
import re
import signal
import subprocess
import threading
import time
import urllib.parse

from e2e import check, equal, eventually, test
from lab import find_program
from sipua import Auto


def url(proc):
    return 'http://%s:%d' % (proc.http_ip, proc.http_port)


def cli(lab, *args):
    """(status, standard output, standard error)"""
    r = subprocess.run([find_program('edgewise', lab.build)] + list(args),
                       capture_output=True, text=True, timeout=30)
    return r.returncode, r.stdout, r.stderr


class Running:
    """A command that goes on; its output is read while it does."""

    def __init__(self, ctx, *args, build=None):
        self.out, self.err = [], []
        self.p = subprocess.Popen(
            [find_program('edgewise', build)] + list(args),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        ctx.after(self.end)
        for f, to in ((self.p.stdout, self.out), (self.p.stderr, self.err)):
            threading.Thread(target=self.read, args=(f, to),
                             daemon=True).start()

    @staticmethod
    def read(f, to):
        for ln in f:
            to.append(ln)

    def end(self, sig=signal.SIGTERM):
        if self.p.poll() is None:
            self.p.send_signal(sig)
        return self.p.wait(5)


class Stub:
    """An edge that has nothing but events."""

    def __init__(self, ctx, answer):
        class H(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                u = urllib.parse.urlsplit(self.path)
                q = dict(urllib.parse.parse_qsl(u.query))
                b = json.dumps(answer(q)).encode()
                self.send_response(200)
                self.send_header('Content-Length', str(len(b)))
                self.end_headers()
                self.wfile.write(b)

            def log_message(self, *_):
                pass
        self.srv = http.server.ThreadingHTTPServer(('127.0.0.1', 0), H)
        self.url = 'http://127.0.0.1:%d' % self.srv.server_port
        threading.Thread(target=self.srv.serve_forever, daemon=True).start()
        ctx.after(self.end)

    def end(self):
        self.srv.shutdown()
        self.srv.server_close()


def act(lab, what, node, why):
    rc, out, err = cli(lab, what, node, '--why', why, '-c',
                       lab.path('edge.conf'))
    equal(rc, 0, '%s: %s%s' % (what, out, err))


@test(name='events', limit=40)
def t_events(ctx):
    """events as a table and as JSON, from an id on; who is not there or no edge is status 2"""
    lab = ctx.lab(users={'a': 'b'})
    act(lab, 'maint', 'n2', 'kernel')
    act(lab, 'ready', 'n2', 'kernel done')
    rc, out, err = cli(lab, 'events', '-u', url(lab.edge))
    equal((rc, err), (0, ''), 'status and errors')
    lines = out.splitlines()
    check(lines[0].split() == ['TIME', 'ID', 'SEVERITY', 'KIND', 'NODE',
                               'WHAT'], 'titles: %s', lines[0])
    at = lines[0].index('WHAT')
    maint = [ln for ln in lines if ln[at:].startswith('maint by ')]
    check(len(maint) == 1 and maint[0].endswith(' kernel') and
          ' n2 ' in maint[0], 'the action: %s', out)
    rc, out, _ = cli(lab, 'events', '--json', '-u', url(lab.edge))
    ev = [json.loads(ln) for ln in out.splitlines()]
    equal((rc, len(ev)), (0, len(lines) - 1), 'status, lines of JSON')
    equal([e['id'] for e in ev], list(range(1, len(ev) + 1)), 'ids')
    rc, out, _ = cli(lab, 'events', '--json', '--since',
                     str(ev[-2]['id']), '-u', url(lab.edge))
    equal((rc, [json.loads(ln) for ln in out.splitlines()]), (0, ev[-1:]),
          'the last one alone')
    rc, out, err = cli(lab, 'events', '-u', url(lab.nodes[0]))
    check(rc == 2 and '404' in err, 'a node: %s %s', rc, err)
    rc, _, err = cli(lab, 'events', '-u', 'http://127.0.0.1:1')
    check(rc == 2 and '127.0.0.1:1' in err, 'nobody: %s %s', rc, err)


@test(name='events-follow', limit=60)
def t_follow(ctx):
    """--follow tells what comes at once, goes on over a restart of the edge, and tells each event once"""
    lab = ctx.lab(users={'a': 'b'})
    run = Running(ctx, 'events', '--follow', '--json', '-u', url(lab.edge),
                  build=lab.build)

    def got(reason):
        return [e for e in map(json.loads, list(run.out))
                if e.get('reason') == reason]
    act(lab, 'maint', 'n1', 'first')
    eventually(lambda: got('first'), 5, 'the first one')
    equal(lab.edge.end(), 0, 'end of the edge')
    time.sleep(1)
    lab.edge.start().wait_ready()
    eventually(lambda: any('restarted' in ln for ln in run.err), 8,
               'that it was restarted')
    act(lab, 'ready', 'n1', 'second')
    eventually(lambda: got('second'), 5, 'the second one')
    equal((len(got('first')), len(got('second'))), (1, 1), 'times told')
    check(run.p.poll() is None, 'it ended')
    equal(run.end(signal.SIGINT), -signal.SIGINT, 'end by Ctrl-C')


@test(name='events-pages', limit=30)
def t_pages(ctx):
    """more events than one answer holds are all read; lost ones are told; a list without end is not waited for"""
    lab = ctx.lab(users={'a': 'b'}, nodes=1)

    def answer(q):
        since = int(q['since'])
        ids = range(since + 1, min(since + int(q['limit']), 2500) + 1)
        return {'started_ms': 5, 'dropped': 3 if since == 10 else 0,
                'next': max(ids, default=since), 'last': 2500,
                'events': [{'id': i, 'wall_ms': i} for i in ids]}
    stub = Stub(ctx, answer)
    rc, out, err = cli(lab, 'events', '--json', '-u', stub.url)
    equal((rc, err), (0, ''), 'status and errors')
    equal([json.loads(ln)['id'] for ln in out.splitlines()],
          list(range(1, 2501)), 'ids')
    rc, out, err = cli(lab, 'events', '--since', '10', '-u', stub.url)
    equal((rc, len(out.splitlines())), (0, 2491), 'status, lines')
    check('3 events were not kept' in err, 'said: %s', err)
    broken = Stub(ctx, lambda q: {'started_ms': 5, 'next': 0, 'last': 9,
                                  'events': []})
    equal(cli(lab, 'events', '-u', broken.url)[0], 0, 'none, and more')
    broken = Stub(ctx, lambda q: {'events': 'none'})
    rc, _, err = cli(lab, 'events', '-u', broken.url)
    check(rc == 2 and 'no list' in err, 'no list: %s %s', rc, err)
    with open('/dev/full', 'w') as full:
        r = subprocess.run([find_program('edgewise', lab.build), 'events',
                            '-u', stub.url], stdout=full, timeout=20,
                           stderr=subprocess.DEVNULL)
    equal(r.returncode, 2, 'a full disk')


@test(name='status-watch', limit=40)
def t_watch(ctx):
    """--watch asks again and again, tells a program that is gone and shows it when it is back; ends with the reader"""
    lab = ctx.lab(users={'a': 'b'})
    run = Running(ctx, 'status', '--watch', '1', '-u', url(lab.edge),
                  build=lab.build)
    eventually(lambda: sum('edgewise-sbc' in x for x in run.out) >= 2, 6,
               'the second time')
    check(not any('\033' in x for x in run.out), 'a pipe is no screen: %s',
          run.out)
    times = [x for x in run.out if x.endswith(url(lab.edge) + '\n')]
    check(len(set(times)) >= 2, 'times: %s', times)
    equal(lab.edge.end(), 0, 'end of the edge')
    eventually(lambda: run.err, 6, 'that it is gone')
    lab.edge.start().wait_ready()
    n = len(run.out)
    eventually(lambda: any('edgewise-sbc' in x for x in run.out[n:]), 6,
               'that it is back')
    equal(run.end(), -signal.SIGTERM, 'end')
    run = Running(ctx, 'status', '--json', '--watch=1', '-u',
                  url(lab.nodes[0]), build=lab.build)
    eventually(lambda: len(run.out) >= 2, 6, 'two lines')
    equal([json.loads(x)['name'] for x in run.out[:2]], ['n1', 'n1'],
          'each line is a status')
    run.end()
    with open('/dev/full', 'w') as full:
        r = subprocess.run([find_program('edgewise', lab.build), 'status',
                            '--watch', '-u', url(lab.edge)], stdout=full,
                           timeout=20, stderr=subprocess.DEVNULL)
    equal(r.returncode, 2, 'a full disk')


@test(name='status-screen', limit=20)
def t_screen(ctx):
    """on a terminal each status takes the place of the one before"""
    lab = ctx.lab(users={'a': 'b'})
    ours, theirs = pty.openpty()
    p = subprocess.Popen([find_program('edgewise', lab.build), 'status',
                          '--watch', '1', '-u', url(lab.edge)],
                         stdout=theirs)
    os.close(theirs)
    ctx.after(lambda: (p.kill(), p.wait(), os.close(ours)))
    got = b''
    while got.count(b'edgewise-sbc') < 2:
        got += os.read(ours, 4096)
    equal(got.count(b'\033[H\033[J'), 2, 'times the screen was cleared')


@test(name='trace', limit=40)
def t_trace(ctx):
    """a call that fails over shows both attempts and why; no credentials; only with the token"""
    lab = ctx.lab(users={u: 'pw-' + u for u in ('alice', 'bob')})
    a, b = lab.ua('alice'), lab.ua('bob', transport='tcp')
    b.auto = Auto(answer=0.05)
    for u in (a, b):
        equal(u.register().status, 200, 'REGISTER of ' + u.user)
    conf = lab.path('edge.conf')
    # every node but one stands still: who is asked first is one of them, or
    # the next call's is
    lab.nodes[0].stop()
    moved = None
    for _ in range(12):
        call = a.invite(b.aor)
        equal(call.wait_final().status, 200, 'INVITE')
        b.wait_call(n=len(b.calls_in)).wait_ack()
        equal(call.bye().status, 200, 'BYE')
        rc, out, err = cli(lab, 'events', '--json', '-u', url(lab.edge))
        ev = [e for e in map(json.loads, out.splitlines())
              if e['kind'] == 'moved' and e.get('method') == 'INVITE']
        if ev:
            moved = ev[-1]
            break
        lab.nodes[0].cont()
        lab.nodes = lab.nodes[1:] + lab.nodes[:1]
        lab.nodes[0].stop()
    check(moved, 'no call was moved')
    lab.nodes[0].cont()
    sizes = []

    def settled():  # what the node says late is in the trace, too
        sizes.append(len(cli(lab, 'trace', '-c', conf,
                             moved['call_id'])[1].splitlines()))
        return len(sizes) > 1 and sizes[-1] == sizes[-2]
    eventually(settled, name='trace that grows no more', gap=0.3)
    rc, out, err = cli(lab, 'trace', '-c', conf, moved['call_id'])
    equal((rc, err), (0, ''), 'status and errors')
    lines = out.splitlines()
    head = lines[1].split()
    check('edge' in head and moved['node'] in head and
          moved['to_node'] in head, 'columns: %s', out)
    why = [i for i, ln in enumerate(lines)
           if 'moved: attempt 2 to %s, because %s' %
           (moved['to_node'], moved['node']) in ln]
    check(len(why) >= 1, 'the reason: %s', out)
    check(any('INVITE' in ln for ln in lines[2:why[0]]) and
          any('INVITE' in ln for ln in lines[why[0]:]), 'attempts: %s', out)
    check('200 OK' in out and 'BYE' in out and 'OPTIONS' not in out,
          'messages: %s', out)
    # the node that took the call has its part of it, without the ringing, which
    # goes past it; the edge beside it alone
    node = [n for n in lab.nodes if n.name == moved['to_node']][0]
    nconf = lab.path(node.name + '.conf')
    rc, out, err = cli(lab, 'trace', '-c', nconf, moved['call_id'])
    equal((rc, err), (0, ''), 'the node: status and errors')
    head = out.splitlines()[1].split()
    check(node.name in head and len(head) > 1 and
          all(h == node.name or h.startswith('127.0.0.1:') for h in head),
          'columns of the node: %s', out)
    check('INVITE' in out and '180 Ringing' not in out and
          '200 OK' in out and 'edge' not in out, 'messages of the node: %s', out)
    rc, out, _ = cli(lab, 'trace', '--json', '-c', nconf, moved['call_id'])
    o = json.loads(out)
    equal((rc, o['name'], {e['dir'] for e in o['entries']}),
          (0, node.name, {'in', 'out'}), 'JSON of the node')
    # all of them in one: each message once; the frozen node had it late
    confs = [x for n in lab.nodes for x in ('-c', lab.path(n.name + '.conf'))]
    rc, both, err = cli(lab, 'trace', '-c', conf, *confs, moved['call_id'])
    equal((rc, err), (0, ''), 'merged: status and errors')
    equal([len(both.splitlines()), both.splitlines()[1]],
          [len(lines), lines[1]], 'merged: lines, columns: %s' % both)
    check(re.search(r'INVITE \+\d+ ms', both), 'no delay: %s', both)
    rc, out, err = cli(lab, 'trace', '--json', '-c', conf, *confs,
                       moved['call_id'])
    o = json.loads(out)
    equal([rc, sorted(s['name'] for s in o['sources'])],
          [0, ['edge'] + lab.names], 'sources')
    inner = [e for e in o['entries'] if e['type'] == 'message' and
             'node' in e]
    check(inner and all('got_us' in e for e in inner),
          'messages that one end alone kept: %s', inner)
    rc, out, err = cli(lab, 'trace', '-c', conf, '-c', nconf, '-u',
                       'http://127.0.0.1:1', moved['call_id'])
    check(rc == 0 and 'INVITE' in out and '127.0.0.1:1' in err,
          'one that is not reached: %s %s', rc, err)
    equal(node.http('/api/v1/trace?aor=a@b')[0], 401, 'node, no token')
    was = node.metrics()
    asked = was['edgewise_node_pings_total']
    eventually(lambda: node.metrics()['edgewise_node_pings_total'] > asked + 2,
               name='probes of the edge')
    equal(node.metrics()['edgewise_node_trace_total'],
          was['edgewise_node_trace_total'], 'kept while only probes came')
    rc, raw, err = cli(lab, 'trace', '--raw', '-c', conf, a.aor)
    equal((rc, err), (0, ''), 'by AoR')
    check('REGISTER' in raw and 'uthorization: (removed)' in raw and
          'response=' not in raw, 'texts: %s', raw)
    rc, out, _ = cli(lab, 'trace', '--json', '--limit', '5', '-c', conf,
                     a.aor)
    o = json.loads(out)
    equal((rc, len([e for e in o['entries'] if e['type'] == 'message'])),
          (0, 5), 'limit')
    check(o['next'] > 0, 'nothing left out: %s', o['next'])
    rc, out, err = cli(lab, 'trace', '-c', conf, 'nobody@example.org')
    equal((rc, out), (1, ''), 'nothing there')
    with open(lab.path('token'), 'w') as f:
        f.write('0' * 64)
    rc, out, err = cli(lab, 'trace', '-u', url(lab.edge), '--token-file',
                       lab.path('token'), moved['call_id'])
    check(rc == 2 and out == '' and '403' in err, 'wrong token: %s %s', rc,
          err)
    equal(lab.edge.http('/api/v1/trace?aor=a@b')[0], 401, 'without a token')


@test(name='settings', limit=20)
def t_settings(ctx):
    """-c FILE tells every command whom to ask"""
    lab = ctx.lab()
    conf = lab.path('edge.conf')
    node = sorted(f for f in os.listdir(os.path.dirname(conf))
                  if f.endswith('.conf') and f != 'edge.conf')[0]
    node = lab.path(node)
    for who, name in ((conf, 'edgewise-sbc'), (node, 'edgewise-node')):
        rc, out, err = cli(lab, 'status', '-c', who)
        check(rc in (0, 1) and name in out, 'status of %s: %s %s', who, out,
              err)
    rc, out, err = cli(lab, 'events', '--json', '-c', conf)
    equal((rc, err), (0, ''), 'events')
    check('"kind"' in out, 'events: %s', out)
    rc, out, err = cli(lab, 'location', 'list', '-c', node)
    equal((rc, err), (0, ''), 'location')
    rc, out, err = cli(lab, 'status', '-c', lab.path('none.conf'))
    check(rc == 2 and 'none.conf' in err, 'no file: %s %s', rc, err)
