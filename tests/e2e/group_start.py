"""Start, bad settings, reload, stop: messages and exit statuses."""
import os
import re
import signal
import socket
import subprocess
import time

from e2e import check, equal, eventually, test
from lab import Lab, config_text, find_program, merge
from sipua import Auto

USERS = {u: 'pw-' + u for u in ('alice', 'bob')}
PROGRAMS = ('edgewise-sbc', 'edgewise-node')


TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))


def end(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def run(*argv, limit=8, **kw):
    r = subprocess.run(argv, capture_output=True, text=True, timeout=limit,
                       stdin=subprocess.DEVNULL, **kw)
    return r.returncode, r.stdout, r.stderr


def write(ctx, name, text):
    path = os.path.join(ctx.dir, name)
    with open(path, 'w') as f:
        f.write(text)
    return path


def confs(ctx, **lab):
    """A lab that is not started, and (program, its Proc) pairs."""
    lab = ctx.new_lab(users=USERS, nodes=1, **lab)
    return lab, (('edgewise-sbc', lab.edge), ('edgewise-node', lab.nodes[0]))


def conf_path(proc):
    return proc.argv[-1]


@test(name='options')
def t_options(ctx):
    """-h and -V tell and end with 0, an unknown option with 2 and the usage"""
    for name in PROGRAMS:
        prog = find_program(name)
        rc, out, err = run(prog, '-h')
        check(rc == 0 and '-c' in out and not err, '%s -h: %d %r', name, rc,
              out)
        rc, out, err = run(prog, '-V')
        check(rc == 0 and re.search(r'\d+\.\d+', out), '%s -V: %d %r', name,
              rc, out)
        for bad in (['-Z'], ['--nonsense'], ['-c'], ['stray']):
            rc, out, err = run(prog, *bad)
            check(rc == 2 and 'usage' in err.lower(), '%s %s: %d %r', name,
                  bad, rc, err)


@test(name='demo-stays', limit=60)
def t_demo_stays(ctx):
    """the lab of quickstart without --once goes on when the demonstration has ended"""
    build = os.path.dirname(os.path.dirname(find_program('edgewise')))
    at = os.path.join(ctx.dir, 'lab')
    rc, out, err = run('python3', os.path.join(TOP, 'scripts', 'demo.py'),
                       '--dir', at, '--build', build, limit=40)
    pids = {}
    for f in os.listdir(at):
        if f.endswith('.pid'):
            with open(os.path.join(at, f)) as g:
                pids[f[:-4]] = int(g.read())
            ctx.after(lambda p=pids[f[:-4]]: end(p))
    equal(rc, 0, 'status: %s%s' % (out, err))
    equal(sorted(pids), ['edge', 'n1', 'n2', 'n3'], 'programs')
    tool = find_program('edgewise')
    conf = os.path.join(at, 'edge.conf')
    # n1 may have been started a moment ago
    eventually(lambda: run(tool, 'status', '-c', conf)[0] == 0, 10, 'all well')
    for name, pid in pids.items():
        check(os.path.exists('/proc/%d' % pid), '%s has ended', name)
    for cmd in re.findall(r'ctl/edgewise (.*)$', out, re.M):
        args = [os.path.join(at, os.path.basename(w)) if w.endswith('.conf')
                else w for w in cmd.split()]
        rc, said, err = run(tool, *args)
        equal(rc, 0, '%s: %s%s' % (cmd, said, err))


@test(name='missing-file')
def t_missing(ctx):
    """a settings file that is not there: its name, status not 0"""
    for name in PROGRAMS:
        path = os.path.join(ctx.dir, 'nowhere.conf')
        rc, out, err = run(find_program(name), '-c', path)
        check(rc not in (0, 2) and path in err and 'No such file' in err,
              '%s: %d %r', name, rc, err)
        rc, out, err = run(find_program(name), '-c', ctx.dir)
        check(rc != 0 and ctx.dir in err, '%s, a folder: %d %r', name, rc,
              err)


@test(name='check-good')
def t_check_good(ctx):
    """-t says that a good file is good, and starts nothing"""
    lab, procs = confs(ctx)
    for name, p in procs:
        rc, out, err = run(find_program(name), '-t', '-c', conf_path(p))
        equal(rc, 0, '%s -t: %s' % (name, err))


BAD = (
    # (line that is wrong, what its message must say)
    ('colour = "red";', ['colour']),
    ('log = { level = "loud"; };', ['log.level', 'debug']),
    ('http = { port = 70000; };', ['http.port', '65535']),
    ('http = { port = "eighty"; };', ['http.port']),
    ('http = { address = "localhost"; };', ['http.address']),
    ('timers = { t1 = -5; };', ['timers.t1']),
    ('limits = 7;', ['limits']),
    ('= ;', ['syntax']),
)


@test(name='bad-line')
def t_bad_line(ctx):
    """each wrong line is refused with file:line, the key and what is allowed"""
    lab, procs = confs(ctx)
    for name, p in procs:
        with open(conf_path(p)) as f:
            text = f.read()
        for line, words in BAD:
            key = re.match(r'(\w*)', line).group(1)
            # the key may be there already: put the wrong one in its place
            base = re.sub(r'(?ms)^%s = .*?^(?:};|\S.*;)$\n' % key, '', text) \
                if key else text
            bad = base + line + '\n'
            n = bad.count('\n')
            path = write(ctx, 'bad.conf', bad)
            for opt in (['-t'], []):
                rc, out, err = run(find_program(name), '-c', path, *opt)
                check(rc not in (0, 2), '%s took %r', name, line)
                check('%s:%d: ' % (path, n) in err, '%s, %r: no file:line in '
                      '%r', name, line, err)
                for w in words:
                    check(w in err, '%s, %r: no %r in %r', name, line, w, err)


@test(name='busy-port')
def t_busy(ctx):
    """a port that is taken: setting, address and what to do are said, status not 0, in time"""
    lab, procs = confs(ctx)
    p, (edge, node) = lab.plan, (proc for _, proc in procs)
    udp, tcp = socket.SOCK_DGRAM, socket.SOCK_STREAM
    for proc, setting, kind, at in (
            (edge, 'listen[0]', udp, (p.edge_ip, p.sip)),
            (edge, 'listen[1]', tcp, (p.edge_ip, p.sip)),
            (edge, 'core', tcp, (p.edge_ip, p.core)),
            (edge, 'http', tcp, ('127.0.0.1', edge.http_port)),
            (node, 'sip', udp, (p.node_ips[0], p.sip)),
            (node, 'sip', tcp, (p.node_ips[0], p.sip)),
            (node, 'cluster', tcp, (p.node_ips[0], p.cluster)),
            (node, 'http', tcp, ('127.0.0.1', node.http_port))):
        with socket.socket(socket.AF_INET, kind) as s:
            if kind == tcp:
                # what an earlier lab left in TIME_WAIT there is not in the way
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(at)
            if kind == tcp:
                s.listen()
            rc, out, err = run(*proc.argv)
        line = next((ln for ln in err.splitlines()
                     if 'event=listen-failed' in ln), '')
        check(rc not in (0, 2) and line, '%s: status %d, %r', setting, rc,
              err)
        for w in ('setting=' + setting, 'address=%s:%d' % at,
                  'transport=' + ('TCP' if kind == tcp else 'UDP'),
                  'in use', 'ss -lntup'):
            check(w in line, '%s: no %r in %r', setting, w, line)


@test(name='foreign-address')
def t_foreign(ctx):
    """an address that is not of this machine: said, status not 0"""
    lab, procs = confs(ctx, edge_conf={'core': {'address': '198.51.100.7'}},
                       node_conf={'sip': {'address': '198.51.100.7'}})
    for name, proc in procs:
        rc, out, err = run(find_program(name), '-c', conf_path(proc))
        check(rc not in (0, 2) and '198.51.100.7' in err, '%s: %d %r', name,
              rc, err)


@test(name='unwritable-state')
def t_state(ctx):
    """a state folder that cannot be made: its name, status not 0"""
    path = write(ctx, 'file', '')
    lab, procs = confs(ctx, edge_conf={'state_dir': path + '/state'},
                       node_conf={'state_dir': path + '/state'})
    for name, proc in procs:
        rc, out, err = run(find_program(name), '-c', conf_path(proc))
        check(rc not in (0, 2) and path in err, '%s: %d %r', name, rc, err)


@test(name='missing-users')
def t_users(ctx):
    """a node without its users file or cluster key does not start"""
    lab, procs = confs(ctx, node_conf={'users_file': '/nowhere/users'})
    rc, out, err = run(find_program('edgewise-node'), '-c',
                       conf_path(lab.nodes[0]))
    check(rc not in (0, 2) and '/nowhere/users' in err, '%d %r', rc, err)
    lab.write_conf('n1', merge(lab.node_conf(0), {'cluster': {
        'key_file': '/nowhere/key'}}))
    rc, out, err = run(find_program('edgewise-node'), '-c',
                       conf_path(lab.nodes[0]))
    check(rc not in (0, 2) and '/nowhere/key' in err, '%d %r', rc, err)
    rc, out, err = run(find_program('edgewise-node'), '-t', '-c',
                       conf_path(lab.nodes[0]))
    check(rc == 1 and '/nowhere/key: cluster.key_file: ' in err,
          '-t: %d %r', rc, err)


def reload(lab, proc, conf, name):
    """Write the file, SIGHUP, and wait for the line about it."""
    lab.write_conf(name, conf)
    n = len(proc.log())
    proc.signal(signal.SIGHUP)
    return eventually(lambda: next(
        (ln for ln in proc.log()[n:].splitlines() if 'event=reload' in ln),
        None), 3, 'line about the reload of ' + name)


@test(name='reload-good')
def t_reload_good(ctx):
    """SIGHUP takes new settings while a call goes on"""
    lab = ctx.lab(users=USERS, nodes=2)
    a, b = lab.ua('alice'), lab.ua('bob')
    b.auto = Auto()
    for u in (a, b):
        equal(u.register().status, 200, 'REGISTER')
    call = a.invite(b.aor)
    equal(call.wait_final().status, 200, 'INVITE')
    conf = merge(lab.edge_conf(), {'log': {'level': 'debug'}})
    conf['pool'][1]['weight'] = 0
    line = reload(lab, lab.edge, conf, 'edge')
    check('level=error' not in line, line)
    st = eventually(lambda: [n for n in lab.edge.status()['pool']
                             if n['name'] == 'n2' and n['weight'] == 0], 3,
                    'new weight')
    check(st, 'weight')
    lab.users['carol'] = 'pw-carol'
    lab.write_users()
    line = reload(lab, lab.nodes[0], lab.node_conf(0), 'n1')
    check('level=error' not in line, line)
    reload(lab, lab.nodes[1], lab.node_conf(1), 'n2')
    equal(lab.ua('carol').register().status, 200, 'REGISTER of a new user')
    equal(call.bye().status, 200, 'BYE')


@test(name='reload-bad')
def t_reload_bad(ctx):
    """SIGHUP with a bad file: said with file:line, nothing changes"""
    lab = ctx.lab(users=USERS, nodes=1)
    a = lab.ua('alice')
    equal(a.register().status, 200, 'REGISTER')
    for proc, conf, name in ((lab.edge, lab.edge_conf(), 'edge'),
                             (lab.nodes[0], lab.node_conf(0), 'n1')):
        n = len(proc.log())
        for bad in ({'http': dict(conf['http'], port=99999)},
                    {'colour': 'red'}):
            reload(lab, proc, merge(merge(conf, {'log': {'level': 'debug'}}),
                                    bad), name)
            text = proc.log()[n:]
            check('level=error' in text and name + '.conf:' in text,
                  'no file:line in %r', text[-600:])
            check(proc.alive(), name + ' has ended')
    equal(a.register().status, 200, 'REGISTER afterwards')
    check('level=debug' not in lab.edge.log(), 'half of it was applied')


@test(name='stop')
def t_stop(ctx):
    """SIGTERM and SIGINT end both programs with 0 and say so"""
    lab = ctx.lab(users=USERS, nodes=2)
    for p, sig in ((lab.nodes[0], signal.SIGTERM),
                   (lab.nodes[1], signal.SIGINT), (lab.edge,
                                                   signal.SIGTERM)):
        t = time.monotonic()
        p.signal(sig)
        equal(p.popen.wait(8), 0, 'status of ' + p.name)
        check('stop' in p.log_tail(3), '%s: %s', p.name, p.log_tail(3))
        check(time.monotonic() - t < 6, '%s took %.1f s', p.name,
              time.monotonic() - t)


@test(name='restart-edge')
def t_restart_edge(ctx):
    """the edge restarted: dialogs of phones on UDP go on, with the same key"""
    lab = ctx.lab(users=USERS, nodes=1)
    a, b = lab.ua('alice'), lab.ua('bob')
    b.auto = Auto()
    for u in (a, b):
        equal(u.register().status, 200, 'REGISTER')
    call = a.invite(b.aor)
    equal(call.wait_final().status, 200, 'INVITE')
    b.wait_call().wait_ack()
    lab.edge.kill()
    lab.edge.start().wait_ready()
    lab.wait_pool(1)
    equal(call.request('INFO').status, 200, 'INFO')
    equal(call.bye().status, 200, 'BYE')
    call = a.invite(b.aor)
    equal(call.wait_final().status, 200, 'INVITE after the restart')


@test(name='endpoints')
def t_endpoints(ctx):
    """/healthz, /readyz, /metrics, /api/v1/status answer; others 404"""
    lab = ctx.lab(users=USERS, nodes=2)
    for p in lab.procs:
        equal(p.http('/healthz')[0], 200, p.name + ' /healthz')
        equal(p.http('/readyz')[0], 200, p.name + ' /readyz')
        equal(p.http('/nonsense')[0], 404, p.name + ' /nonsense')
        check(p.status(), p.name + ' status')
        code, text = p.http('/metrics')
        for ln in text.splitlines():
            check(ln.startswith('#') or re.fullmatch(
                r'edgewise_\w+(\{[^}]*\})? -?[0-9.e+]+', ln),
                '%s: line %r', p.name, ln)
        names = {ln.split()[2] for ln in text.splitlines()
                 if ln.startswith('# TYPE')}
        check(len(names) > 10, '%s: %d figures', p.name, len(names))
    for n in lab.nodes:
        n.kill()
    eventually(lambda: lab.edge.http('/readyz')[0] == 503, 6,
               'not ready without nodes')
    equal(lab.edge.http('/healthz')[0], 200, 'alive all the same')
