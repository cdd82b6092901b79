"""Members come and go: nobody's settings are edited, nobody is restarted.

A further node is started with the settings file of another one, the key that
it names, and one address: options on the command line."""
import os
import re
import socket
import subprocess
import time

from e2e import Skip, check, equal, eventually, test
from lab import Proc, find_program
from regload import RegLoad
from sipua import Auto

USERS = {'alice': 'pw-a', 'bob': 'pw-b'}
QUICK = {'heartbeat': 200, 'dead': 1200}


def argv(lab, i, more=()):
    """The command line of node number i (4 and up) by n1's file."""
    p = lab.plan
    ip = '127.0.0.%d' % (10 + i)
    return [lab.nodebin, '-c', lab.path('n1.conf'), '-o', 'name=n%d' % i,
            '-o', 'sip.address=' + ip, '-o', 'cluster.address=' + ip,
            '-o', 'http.port=%d' % (p.http + i),
            '-o', 'cluster.join=("%s:%d")' % (p.node_ips[0], p.cluster),
            *more]


def further(ctx, lab, i, more=()):
    p = Proc(lab, 'n%d' % i, argv(lab, i, more), lab.plan.http + i)
    ctx.after(p.end)
    return p.start()


def members(p):
    """{name: member} of those not removed, as p sees them."""
    return {m['name']: m for m in p.status()['cluster']['members']
            if not m['removed']}


def alive(p):
    return sorted(m['name'] for m in p.status()['cluster']['members']
                  if m['health'] == 'alive')


def whole(procs, limit=5.0):
    """All of them hear each other and count the same."""
    want = sorted(p.name for p in procs)
    for p in procs:
        eventually(lambda: alive(p) == want and p.status()['cluster'][
            'count'] == len(want), limit, '%s at %s' % (want, p.name))


def state_of(lab, p):
    """Where its token is."""
    own = lab.path('n1.state/nodes/%s' % p.name)
    return own if os.path.isdir(own) else lab.path('%s.state' % p.name)


def edgewise(lab, p, *words, limit=60):
    """(exit status, output) of `edgewise node WORDS` at p."""
    r = subprocess.run(
        [find_program('edgewise', lab.build), 'node', *words,
         '-u', 'http://127.0.0.1:%d' % p.http_port,
         '--token-file', os.path.join(state_of(lab, p), 'admin.token'),
         '--who', 'tester', '--why', 'a test'],
        capture_output=True, text=True, timeout=limit)
    return r.returncode, r.stdout + r.stderr


def health(lab, p):
    """Value of Edgewise-Health in its answer to a probe of the edge."""
    ip = '127.0.0.%d' % (10 + int(p.name[1:]))
    s = socket.create_connection((ip, lab.plan.sip), 5,
                                 (lab.plan.edge_ip, 0))
    with s:
        s.settimeout(5)
        at = s.getsockname()
        s.sendall(('OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/TCP %s:%d;branch='
                   'z9hG4bK%d\r\nFrom: <sip:e@h>;tag=1\r\nTo: <sip:%s>\r\n'
                   'Call-ID: %d\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 0\r\n'
                   'Content-Length: 0\r\n\r\n' % (
                       ip, at[0], at[1], at[1], ip, at[1])).encode())
        data = b''
        while b'\r\n\r\n' not in data:
            data += s.recv(65536)
    m = re.search(rb'Edgewise-Health: ([^\r]*)', data)
    return m.group(1).decode() if m else ''


def named(lab, p):
    m = re.search('members=([^; ]*)', health(lab, p))
    return sorted(m.group(1).split(',')) if m else []


def contacts(procs):
    return [p.status()['contacts'] for p in procs]


@test(name='one-address')
def t_one_address(ctx):
    """a fourth node by another's file and one address is known to all, and to
    the edge by name, within 10 s"""
    lab = ctx.lab(users=USERS)
    a = lab.ua('alice')
    equal(a.register().status, 200, 'REGISTER')
    before = {p.name: p.pid for p in lab.nodes}
    began = time.monotonic()
    n4 = further(ctx, lab, 4).wait_ready()
    whole(lab.nodes + [n4])
    equal(contacts(lab.nodes + [n4]), [1, 1, 1, 1], 'contacts')
    want = sorted('n%d@127.0.0.%d:%d/TCP' % (i, 10 + i, lab.plan.sip)
                  for i in (1, 2, 3, 4))
    for p in lab.nodes + [n4]:
        eventually(lambda: named(lab, p) == want, 5, 'names at ' + p.name)
    check(time.monotonic() - began < 10, 'it took too long')
    equal({p.name: p.pid for p in lab.nodes if p.alive()}, before, 'nodes')
    # it is a member of its own: without the node it asked, after a restart
    lab.node('n1').kill()
    n4.end()
    n4.start().wait_ready()
    rest = lab.nodes[1:] + [n4]
    for p in rest:
        eventually(lambda: alive(p) == ['n2', 'n3', 'n4'], 8,
                   'the rest at ' + p.name)
        check(p.status()['cluster']['majority'], '%s: no majority', p.name)
    equal(contacts(rest), [1, 1, 1], 'contacts')


@test(name='takes-calls')
def t_takes_calls(ctx):
    """a fourth node takes calls within 10 s, though neither the nodes' nor the
    edge's file names it"""
    r = subprocess.run([find_program('edgewise-sbc'), '-t', '-o',
                        'pool_learn=true', '-c', '/dev/null'],
                       capture_output=True, text=True)
    if 'pool_learn' in r.stderr:
        raise Skip('this edge does not learn nodes')
    lab = ctx.lab(users=USERS)
    a, b = lab.ua('alice'), lab.ua('bob')
    b.auto = Auto(answer=0)
    for ua in (a, b):
        equal(ua.register().status, 200, 'REGISTER')
    began = time.monotonic()
    n4 = further(ctx, lab, 4).wait_ready()
    eventually(lambda: lab.pool().get('n4') == 'up', 10, 'n4 in the pool')
    for p in lab.nodes:
        p.kill()
    call = a.invite(b.aor)
    equal(call.wait_final(10).status, 200, 'INVITE by n4 alone')
    check(time.monotonic() - began < 10, 'it took too long')
    equal(call.bye().status, 200, 'BYE')


@test(name='leave')
def t_leave(ctx):
    """a node leaves under load: no registration and no call is lost, it ends
    with 0, the others count one less"""
    lab = ctx.lab(users=dict(USERS), node_conf={'auth': 'off'})
    a, b = lab.ua('alice'), lab.ua('bob')
    b.auto = Auto(ring=0, answer=1.0)
    for ua in (a, b):
        equal(ua.register().status, 200, 'REGISTER')
    load = RegLoad(lab.proxy, 'example.com', phones=60, seed=3)
    ctx.after(load.stop)
    load.start(100)
    eventually(lambda: load.answered() > 60, 20, 'answers')
    # a call that rings by the node that leaves
    call = a.invite(b.aor)
    eventually(lambda: call.time_to(180), name='180')
    name = max(lab.names, key=lambda n: lab.node(n).status()['forks'])
    p = lab.node(name)
    rest = [x for x in lab.nodes if x is not p]
    rc, out = edgewise(lab, p, 'leave', '--wait')
    equal(rc, 0, out)
    equal(p.popen.wait(5), 0, 'exit status')
    equal(call.wait_final(10).status, 200, 'the call')
    equal(call.bye().status, 200, 'BYE')
    whole(rest)
    time.sleep(0.5)
    load.pause()
    load.settle()
    equal(set(load.statuses), {200}, 'statuses %s' % dict(load.statuses))
    calm = load.resting()
    bad = load.check({x.name: x.contacts() for x in rest}, load.still(calm))
    check(not bad, 'lost: %s', bad[:3])
    for step in ('none->drain', 'drain->held', 'held->told'):
        check('event=leave step=' + step in p.log(), 'no step %s', step)
    check('who="tester"' in p.log() and 'why="a test"' in p.log(),
          'who and why are not in the log')
    check('text="no other ready node' not in p.log(), 'nobody had all')
    # started again it knows that it left, and serves when it is admitted
    p.start()
    eventually(lambda: p.http('/readyz') == (503, 'Removed\n'), 10, 'removed')
    rc, out = edgewise(lab, rest[0], 'admit', name)
    equal(rc, 0, out)
    p.wait_ready()
    whole(lab.nodes)


@test(name='last')
def t_last(ctx):
    """the last living node does not leave unless it is forced to"""
    lab = ctx.lab(users=USERS, nodes=1)
    p = lab.node('n1')
    rc, out = edgewise(lab, p, 'leave', '--wait')
    check(rc == 1 and 'force' in out, '%d %s', rc, out)
    equal(lab.ua('alice').register().status, 200, 'REGISTER')
    rc, out = edgewise(lab, p, 'leave', '--wait', '--force', '-t', '0')
    equal(rc, 0, out)
    equal(p.popen.wait(5), 0, 'exit status')


@test(name='remove')
def t_remove(ctx):
    """a dead node is taken out at any other one; when it comes back it says 503
    until it is admitted"""
    lab = ctx.lab(users=USERS, node_conf={'cluster': QUICK})
    n1, n2, n3 = lab.nodes
    rc, out = edgewise(lab, n1, 'remove', 'n3')
    check(rc == 1 and 'alive' in out, '%d %s', rc, out)
    rc, out = edgewise(lab, n1, 'remove', 'nobody')
    check(rc == 1 and 'no such member' in out, '%d %s', rc, out)
    rc, out = edgewise(lab, n1, 'remove', 'n1')
    check(rc == 1 and 'this node' in out, '%d %s', rc, out)
    n3.kill()
    eventually(lambda: members(n1)['n3']['health'] == 'dead', 10, 'death')
    equal(n1.status()['cluster']['count'], 3, 'count with a dead one')
    ident = members(n1)['n3']['node']
    rc, out = edgewise(lab, n1, 'remove', ident)
    equal(rc, 0, out)
    whole([n1, n2])
    for p in (n1, n2):
        check('what=removed' in p.log(), '%s does not log it', p.name)
    # 1 of 2 is no majority
    n2.kill()
    eventually(lambda: not n1.status()['cluster']['majority'], 10,
               'loss of majority')
    n2.start().wait_ready()
    n3.start()
    eventually(lambda: n3.http('/readyz') == (503, 'Removed\n'), 10,
               'removed n3')
    equal(n3.status()['cluster']['state'], 'removed', 'state')
    equal(n3.log().count('event=removed '), 1, 'log lines')
    check('state=removed' in health(lab, n3), 'the edge is not told')
    gone = [m for m in n1.status()['cluster']['members'] if m['removed']]
    equal([(m['name'], m['node']) for m in gone], [('n3', ident)], 'removed')
    r = subprocess.run([find_program('edgewise'), 'status', '-u',
                        'http://127.0.0.1:%d' % n1.http_port],
                       capture_output=True, text=True)
    check(r.returncode == 0 and re.search(r'n3 .*removed', r.stdout),
          'status: %d %s', r.returncode, r.stdout)
    n3.end()
    n3.start()
    eventually(lambda: n3.http('/readyz') == (503, 'Removed\n'), 10,
               'removed n3 after a restart')
    rc, out = edgewise(lab, n2, 'admit', ident)
    equal(rc, 0, out)
    n3.wait_ready()
    whole(lab.nodes)


@test(name='forced')
def t_forced(ctx):
    """a living node taken out by force serves nobody; its calls go on"""
    lab = ctx.lab(users=USERS, nodes=2, node_conf={'cluster': QUICK})
    n1, n2 = lab.nodes
    rc, out = edgewise(lab, n1, 'remove', 'n2', '--force')
    equal(rc, 0, out)
    eventually(lambda: n2.http('/readyz') == (503, 'Removed\n'), 5, '503')
    whole([n1])
    a = lab.ua('alice')
    equal(a.register().status, 200, 'REGISTER')
    equal(n2.status()['contacts'], 0, 'contacts it does not get')
    rc, out = edgewise(lab, n2, 'admit', 'n2')     # at itself
    equal(rc, 0, out)
    n2.wait_ready()
    whole(lab.nodes)
    equal(contacts(lab.nodes), [1, 1], 'contacts')


@test(name='damaged')
def t_damaged(ctx):
    """a damaged members file is named and kept; the node goes on by its settings
    and knows all again"""
    lab = ctx.lab(users=USERS, nodes=2)
    n4 = further(ctx, lab, 4).wait_ready()
    whole(lab.nodes + [n4])
    n4.end()
    path = os.path.join(state_of(lab, n4), 'members')
    with open(path, 'r+b') as f:
        f.seek(20)
        f.write(b'\xff\xff')
    n4.start().wait_ready()
    check('event=members_file' in n4.log() and path in n4.log(),
          'not named:\n%s', n4.log_tail())
    check(os.path.exists(path + '.bad'), 'not kept')
    whole(lab.nodes + [n4])
    # and the new file is right
    n4.end()
    began = n4.log().count('event=members_file')
    n4.start().wait_ready()
    equal(n4.log().count('event=members_file'), began, 'complaints')
    equal(os.stat(path).st_mode & 0o777, 0o600, 'mode')


@test(name='new-identity')
def t_new_identity(ctx):
    """a node that lost its state_dir takes its old place, counted once"""
    lab = ctx.lab(users=USERS, node_conf={'cluster': QUICK})
    n3 = lab.node('n3')
    n3.kill()
    for name in ('id', 'members'):
        os.unlink(lab.path('n3.state/' + name))
    n3.start().wait_ready()
    whole(lab.nodes)


@test(name='twenty', limit=150)
def t_twenty(ctx):
    """from one node to twenty, each by one address, and back to one: the
    contacts of the beginning are there at the end"""
    conf = {'cluster': dict(QUICK, peers=[])}
    lab = ctx.lab(users=USERS, nodes=1, node_conf=conf)
    a = lab.ua('alice')
    equal(a.register().status, 200, 'REGISTER')
    procs = list(lab.nodes)
    for i in range(2, 21):
        procs.append(further(ctx, lab, i).wait_ready(20))
    whole(procs, 20)
    equal(set(contacts(procs)), {1}, 'contacts')
    eventually(lambda: len(named(lab, procs[-1])) == 20, 5,
               'twenty names for the edge')
    while len(procs) > 1:
        p = procs.pop(0)
        rc, out = edgewise(lab, p, 'leave', '--wait', '-t', '1')
        equal(rc, 0, '%s: %s' % (p.name, out))
        equal(p.popen.wait(5), 0, 'exit status of ' + p.name)
        check('no other ready node' not in p.log(), '%s: nobody had all',
              p.name)
    whole(procs)
    equal(contacts(procs), [1], 'contacts')
    check(procs[0].status()['cluster']['majority'], 'no majority')
