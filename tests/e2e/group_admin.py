"""Nodes taken out and brought back by an operator, under load: nobody who calls
notices. The token, the command line, and what outlives a restart."""
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request

from e2e import check, equal, eventually, test
from lab import find_program
from sipp import SippLoad

RATE = 100                    # calls a second
USERS = {'u%d' % i: 'pw' for i in range(30)}


def start(ctx, **edge):
    return ctx.lab(users=USERS, node_conf={'auth': 'off'}, edge_conf=edge)


def load_of(ctx, lab, seconds, **kw):
    """sipp at RATE for that many seconds, to 30 users at one phone."""
    return SippLoad(ctx, lab, USERS, RATE, seconds, **kw)


def cli(lab, *args):
    """(status, output) of `edgewise ...` with the edge's settings."""
    r = subprocess.run([find_program('edgewise', lab.build)] + list(args) +
                       ['-c', lab.path('edge.conf')], capture_output=True,
                       text=True, timeout=60,
                       env=dict(os.environ, EDGEWISE_TOKEN='wrong'))
    return r.returncode, r.stdout + r.stderr


def must(lab, *args):
    rc, out = cli(lab, *args)
    equal(rc, 0, 'edgewise %s: %s' % (' '.join(args), out))
    return out


def node(lab, name):
    return next(n for n in lab.edge.status()['pool'] if n['name'] == name)


def token(lab, prog='edge'):
    with open(lab.path(prog + '.state/admin.token')) as f:
        return f.read().strip()


def post(port, path, body, headers=None):
    """(status, text) of a raw POST."""
    h = {'Content-Type': 'application/json'}
    h.update(headers or {})
    req = urllib.request.Request('http://127.0.0.1:%d%s' % (port, path),
                                 data=body.encode(), headers={
                                     k: v for k, v in h.items() if v})
    try:
        with urllib.request.urlopen(req, timeout=5) as r:
            return r.status, r.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


@test(limit=60)
def t_token(ctx):
    """an action needs the token, of which each program has its own; a page of another site, a form, a GET never act"""
    lab = start(ctx)
    port, path = lab.plan.http, '/api/v1/nodes/n1'
    t = {'Authorization': 'Bearer ' + token(lab)}
    want = '{"admin":"drain","when_empty":"stay"}'
    equal(post(port, path, want)[0], 401, 'without a token')
    equal(post(port, path, want, {'Authorization': 'Bearer ' + 64 * '0'})[0],
          403, 'with a wrong one')
    equal(post(port, path, want, dict(t, Origin='http://evil.example'))[0],
          403, 'from another site')
    equal(post(port, path, want, dict(t, Host='evil.example'))[0], 403,
          'by another name')
    equal(post(port, path, want, dict(t, **{'Content-Type': 'text/plain'}))
          [0], 415, 'as a form')
    equal(post(port, path, '{', t)[0], 400, 'half a body')
    equal(post(port, path, '{"admin":"gone"}', t)[0], 400, 'no such state')
    equal(post(port, path, '{"admn":"drain"}', t)[0], 400, 'no such key')
    equal(post(port, '/api/v1/nodes/n9', want, t)[0], 404, 'no such node')
    equal(lab.edge.http(path)[0], 405, 'GET')
    equal(node(lab, 'n1')['admin'], 'ready', 'after all that')
    equal(post(port, path, want, dict(t, **{'X-Edgewise-Who': 'me'}))[0], 200,
          'with the token')
    equal(node(lab, 'n1')['admin_who'], 'me', 'who')
    log = lab.edge.log()
    check('event=admin action=node what="n1" who="me"' in log, 'log: %s',
          lab.edge.log_tail())
    check(token(lab) not in log, 'the token is in the log')
    # each node has one of its own, too
    tokens = {token(lab, p) for p in ['edge'] + lab.names}
    equal(len(tokens), 4, 'tokens')
    for p in ['edge'] + lab.names:
        equal(os.stat(lab.path(p + '.state/admin.token')).st_mode & 0o777,
              0o600, 'mode of the token of ' + p)


@test(limit=90)
def t_drain(ctx):
    """a node drained at 100 calls/s: 0 fail, it ends by itself, the node can be stopped and comes back"""
    lab = start(ctx)
    load = load_of(ctx, lab, 16)
    eventually(lambda: node(lab, 'n2')['picked'] > 50, 10, 'load on n2')
    out = must(lab, 'drain', 'n2', '--why', 'kernel', '--who', 'op',
               '--wait', '--for', '60s')
    check('n2: empty' in out, 'said: %s', out)
    n = node(lab, 'n2')
    equal((n['admin'], n['drained'], n['inflight']), ('maint', True, 0),
          'the drained node')
    picked = n['picked']
    equal(lab.node('n2').end(), 0, 'end of n2')
    time.sleep(1)
    lab.node('n2').start().wait_ready()
    equal(node(lab, 'n2')['picked'], picked, 'requests meanwhile')
    must(lab, 'ready', 'n2')
    lab.wait_node_state('n2', 'up', 8)
    eventually(lambda: node(lab, 'n2')['picked'] > picked + 10, 10,
               'load on n2 again')
    load.end()


@test(name='rolling', limit=150)
def t_rolling(ctx):
    """three nodes drained, restarted and taken back one by one at 100 calls/s: 0 of them fail"""
    lab = start(ctx, slowstart=2000)
    load = load_of(ctx, lab, 24, uac='lossy.uac')
    for n in lab.nodes:
        must(lab, 'drain', n.name, '--why', 'upgrade', '--wait')
        equal(n.end(), 0, 'end of ' + n.name)
        n.start().wait_ready()
        must(lab, 'ready', n.name)
        lab.wait_node_state(n.name, 'up', 8)
        # the next one goes when this one carries its share again
        eventually(lambda: node(lab, n.name)['slowstart_pct'] == 100, 8,
                   'full share of ' + n.name)
    check(load.legs[1].p.poll() is None, 'the load ended before the restarts')
    load.end()


@test(name='restart-hard', limit=120)
def t_restart_hard(ctx):
    """three nodes stopped (SIGTERM) without a drain, one by one, at 100 calls/s: 0 calls fail"""
    lab = start(ctx, slowstart=2000)
    load = load_of(ctx, lab, 16, uac='lossy.uac')
    time.sleep(1)
    for n in lab.nodes:
        equal(n.end(), 0, 'end of ' + n.name)
        n.start().wait_ready()
        lab.wait_node_state(n.name, 'up', 8)
        time.sleep(1)
    load.end()


@test(name='maint-restart', limit=60)
def t_maint_restart(ctx):
    """maint, who, why and until outlive a restart and a kill -9 of the edge, and a reload"""
    lab = start(ctx)
    must(lab, 'maint', 'n3', '--why', 'disk "b"', '--for', '2h', '--who', 'op')
    must(lab, 'weight', 'n1', '40')
    for how in ('term', 'kill', 'hup'):
        if how == 'term':
            lab.edge.end()
        elif how == 'kill':
            lab.edge.kill()
        if how == 'hup':
            lab.edge.signal(signal.SIGHUP)
            eventually(lambda: 'event=reload result=done' in lab.edge.log(),
                       5, 'reload')
        else:
            lab.edge.start().wait_ready()
            lab.wait_pool(2)
        n = node(lab, 'n3')
        equal((n['admin'], n['admin_who'], n['admin_why']),
              ('maint', 'op', 'disk "b"'), 'n3 after ' + how)
        check(7100000 < n['admin_until_ms'] <= 7200000, 'until: %s',
              n['admin_until_ms'])
        equal((node(lab, 'n1')['weight'], node(lab, 'n1')['weight_set']),
              (40, True), 'weight of n1 after ' + how)
    out = must(lab, 'nodes')
    check('n3: maint by op "disk "b"" since' in out, 'nodes: %s', out)
    must(lab, 'weight', 'n1', 'default')
    must(lab, 'ready', 'n3')
    lab.wait_pool(3)
    equal(node(lab, 'n1')['weight'], 100, 'weight')


@test(name='until', limit=40)
def t_until(ctx):
    """a maint with a time ends by itself, and the end is kept"""
    lab = start(ctx)
    must(lab, 'maint', 'n3', '--why', 'x', '--for', '2s')
    equal(node(lab, 'n3')['admin'], 'maint', 'n3')
    eventually(lambda: node(lab, 'n3')['admin'] == 'ready', 6, 'ready')
    lab.wait_pool(3)
    eventually(lambda: 'maint' not in open(
        lab.path('edge.state/pool.json')).read(), 3, 'a kept end')


@test(name='last', limit=40)
def t_last(ctx):
    """the last node that takes requests is not taken out unless forced"""
    lab = start(ctx)
    must(lab, 'maint', 'n1', '--why', 'x')
    must(lab, 'maint', 'n2', '--why', 'x')
    for cmd in ('maint', 'drain'):
        rc, out = cli(lab, cmd, 'n3', '--why', 'x')
        equal(rc, 1, 'status')
        check('no other node' in out, 'said: %s', out)
    equal(node(lab, 'n3')['admin'], 'ready', 'n3')
    must(lab, 'maint', 'n3', '--why', 'x', '--force')
    equal(node(lab, 'n3')['admin'], 'maint', 'n3')


@test(name='bad-state', limit=40)
def t_bad_state(ctx):
    """a damaged pool.json is said and put aside, and the edge starts"""
    lab = ctx.new_lab(users=USERS, node_conf={'auth': 'off'})
    with open(lab.path('edge.state/pool.json'), 'w') as f:
        f.write('{"nodes":[{"name":"n1","adm')
    lab.start()
    check('event=state' in lab.edge.log(), 'log: %s', lab.edge.log_tail())
    check(os.path.exists(lab.path('edge.state/pool.json.bad')), 'not kept')


@test(name='unsaved', limit=40)
def t_unsaved(ctx):
    """what cannot be written to the disk is done, said by command and status, and forgotten as trouble when it can"""
    lab = start(ctx)
    word = 'what operators want of nodes cannot be written'
    os.mkdir(lab.path('edge.state/pool.json'))
    rc, out = cli(lab, 'maint', 'n3', '--why', 'x')
    check(rc and 'could not be saved' in out, 'said: %s', out)
    equal(node(lab, 'n3')['admin'], 'maint', 'n3')
    eventually(lambda: word in cli(lab, 'status')[1], 5, 'the status')
    os.rmdir(lab.path('edge.state/pool.json'))
    must(lab, 'ready', 'n3')
    eventually(lambda: word not in cli(lab, 'status')[1], 5, 'its end')


@test(name='learned-kept', limit=40)
def t_learned_kept(ctx):
    """a node once learned is known after a restart of the edge"""
    lab = ctx.new_lab(users=USERS, node_conf={'auth': 'off'}, edge_conf={
        'pool': [{'name': 'n1', 'address': '127.0.0.11', 'port': 5060}]})
    p = lab.plan
    conf = lab.edge_conf()
    conf['pool'] = conf['pool'][:1]
    lab.write_conf('edge', conf)
    with open(lab.path('edge.state/pool.json'), 'w') as f:
        json.dump({'nodes': [{
            'name': n, 'admin': 'ready', 'learned': {
                'address': '%s:%d' % (ip, p.sip), 'transport': 'tcp'}}
            for n, ip in list(zip(lab.names, p.node_ips))[1:]]}, f)
    lab.start()
    n = node(lab, 'n2')
    equal((n['state'], n['learned']), ('UP', True), 'n2')
    equal(node(lab, 'n1')['learned'], False, 'n1')
    lab.edge.end()
    conf['pool_learn'] = False
    lab.write_conf('edge', conf)
    lab.edge.start().wait_ready()
    equal([n['name'] for n in lab.edge.status()['pool']], ['n1'],
          'the pool without learning')
