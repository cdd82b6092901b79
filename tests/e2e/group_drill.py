"""`edgewise drill`: every built-in drill in its lab, and what it leaves: nothing."""
import concurrent.futures
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

from e2e import check, equal, eventually, test
from lab import TREE, find_program

TOOL = find_program('edgewise')
BUILD = os.path.dirname(os.path.dirname(TOOL))
SHORT = ['-o', 'before=500', '-o', 'hold=500', '-o', 'after=0',
         '-o', 'calls=30']


def args(ctx, *more, reports='reports'):
    return [TOOL, 'drill', 'run', *more, '--lab', '--follow-parent',
            '--reports', os.path.join(ctx.dir, reports)]


def env(ctx):
    """Labs in a folder of their own, so that what stays is seen."""
    tmp = os.path.join('/tmp', 'ew-drill-%d' % os.getpid())
    os.makedirs(tmp, exist_ok=True)
    ctx.after(lambda: shutil.rmtree(tmp, ignore_errors=True))
    return tmp, dict(os.environ, TMPDIR=tmp)


def drill(ctx, *more, limit=60, place=''):
    """(exit status, report, all that was said). place: a folder of its own,
    for drills side by side."""
    tmp, e = env(ctx)
    if place:
        tmp = os.path.join(tmp, place)
        os.makedirs(tmp, exist_ok=True)
        e['TMPDIR'] = tmp
    r = subprocess.run(args(ctx, *more, '--json', reports='reports' + place),
                       capture_output=True, text=True, timeout=limit, env=e)
    said = r.stdout[-3000:] + r.stderr
    left = os.listdir(tmp)
    equal(left, [], 'left in the folder of labs; said: ' + said)
    try:
        return r.returncode, json.loads(r.stdout), said
    except ValueError:
        return r.returncode, None, said


def value(rep, claim):
    return rep['values'].get(claim)


def row(rep, state):
    return next(r for r in rep['table'] if r['state'] == state)


def children(place=''):
    """Programs of labs: (pid, folder they run in)."""
    out = []
    for p in glob.glob('/proc/[0-9]*/cwd'):
        try:
            d = os.readlink(p)
        except OSError:
            continue
        if 'ew-drill-%d/%s' % (os.getpid(), place) in d:
            out.append((int(p.split('/')[2]), d))
    return out


def side_by_side(fn, items):
    """fn of each, four at a time: drills wait more than they work."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for f in [pool.submit(fn, i) for i in items]:
            f.result()


def names():
    out = subprocess.run([TOOL, 'drill', 'list'], capture_output=True,
                         text=True, check=True).stdout
    return [ln.split()[0] for ln in out.splitlines()]


@test(limit=240)
def t_each(ctx):
    """every built-in drill runs in its lab, passes, and leaves nothing"""
    all_ = names()
    check(len(all_) >= 9, 'drills: %s', all_)

    def one(n):
        more = ['-o', 'phones=200'] if n == 'register-storm' else []
        # how fast this machine is today is not what is tested here
        if n not in ('all-down', 'edge-restart', 'cold-start'):
            more += ['-o', 'claims.extra_setup_ms=3000']
        if n == 'cold-start':       # from the databases
            more += ['-o', 'contacts=2000']
        if n == 'probe-only':       # a probe a second, three must fail
            more += ['-o', 'hold=3000']
        rc, rep, said = drill(ctx, n, *SHORT, *more, place=n + '.')
        equal(rc, 0, '%s: %s' % (n, said))
        equal(rep['verdict'], 'PASS', n)
        check(sum(r['placed'] for r in rep['table']) > 30, '%s: %s', n,
              rep['table'])
        if n == 'cold-start':
            equal((value(rep, 'contacts_not_back'),
                   value(rep, 'removed_back')), (0, 0), 'databases')
        equal(children(n + '.'), [], n + ': programs left')
    env(ctx)
    side_by_side(one, [n for n in all_ if n != 'partition' or
                       shutil.which('nft')])


@test(limit=90)
def t_kill_200(ctx):
    """node-kill with 200 calls in every state: none lost; text, JSON and HTML agree"""
    rc, rep, said = drill(ctx, 'node-kill', '--calls', '200')
    equal(rc, 0, said)
    equal(value(rep, 'lost_calls'), 0, 'lost')
    placed = [row(rep, s)['placed'] for s in ('INVITE sent', 'ringing',
                                              'answered', 'in BYE')]
    check(sum(placed) >= 200 and min(placed) >= 15, 'placed: %s', placed)
    check(row(rep, 'ringing')['adopted'] > 0, 'none was adopted: %s',
          rep['table'])
    check(row(rep, 'INVITE sent')['rerouted'] > 0, 'none was moved: %s',
          rep['table'])
    files = sorted(os.listdir(os.path.join(ctx.dir, 'reports')))
    equal([f.rpartition('.')[2] for f in files], ['html', 'json'], 'files')
    show = [TOOL, 'drill', 'report', 'node-kill', '--reports',
            os.path.join(ctx.dir, 'reports')]
    text = subprocess.run(show, capture_output=True, text=True).stdout
    check(re.search(r'^PASS +node-kill', text), 'text: %s', text)
    with open(os.path.join(ctx.dir, 'reports', files[0])) as f:
        html = f.read()
    check('http:' not in html and 'https:' not in html and '<svg' in html,
          'the page is not self-contained')


def broken_edge(ctx):
    """A folder of programs whose edge does not take over ringing calls: one
    source changed, compiled beside the build and linked before its library."""
    src = os.path.join(TREE, 'sbc', 'call.c')
    with open(src) as f:
        text = f.read()
    old = '\t\tcall_adopt(a, why, now);'
    equal(text.count(old), 1, 'places where a call is adopted')
    d = os.path.join(ctx.dir, 'broken')
    os.makedirs(d)
    with open(os.path.join(d, 'call.c'), 'w') as f:
        f.write(text.replace(old, '\t\tcall_reply(c, 503, now);'))
    make = 'include Makefile\nsay:\n\t@echo $(COMPILE)\n\t@echo $(CCLD) ' \
        '$(AM_CFLAGS) $(CFLAGS) $(AM_LDFLAGS) $(LDFLAGS)\n\t@echo ' \
        '$(sbc_edgewise_sbc_LDADD) $(LIBS)\n\t@echo $(sbc_edgewise_sbc_OBJECTS)\n'
    out = subprocess.run(['make', '-s', '-f', '-', 'say'], input=make,
                         cwd=BUILD, capture_output=True, text=True,
                         check=True).stdout.splitlines()[-4:]
    subprocess.run('%s -c -o %s/call.o %s/call.c' % (out[0], d, d),
                   shell=True, cwd=BUILD, check=True)
    subprocess.run('%s -o %s/edgewise-sbc %s %s/call.o %s' % (
        out[1], d, out[3], d, out[2]), shell=True, cwd=BUILD, check=True)
    shutil.copy(find_program('edgewise-node'), d)
    return d


@test(limit=90)
def t_broken(ctx):
    """an edge that does not adopt ringing calls fails node-kill, and each lost call is named"""
    rc, rep, said = drill(ctx, 'node-kill', '--programs', broken_edge(ctx))
    equal(rc, 1, said)
    equal(rep['verdict'], 'FAIL', 'verdict')
    lost = [c['call_id'] for c in rep['losses'] if c['lost']]
    check(value(rep, 'lost_calls') > 0, 'nothing was lost: %s', rep['table'])
    equal(len(set(lost)), value(rep, 'lost_calls'), 'Call-IDs')
    check(any(c['state'] == 'ringing' for c in rep['losses']),
          'no ringing call: %s', rep['losses'])


@test(limit=150)
def t_ten(ctx):
    """ten drills, in four rows side by side, leave no process, no folder, and end alike"""
    def some(lane):
        n = int(lane[1:-1])
        for i in range(n):
            rc, rep, said = drill(ctx, 'node-kill', *SHORT, '-o', 'hold=200',
                                  '-o', 'rate=10', place=lane)
            equal(rc, 0, 'round %d: %s' % (i, said))
            equal(children(lane), [], 'programs left in round %d' % i)
        kept = os.listdir(os.path.join(ctx.dir, 'reports' + lane))
        equal(len(kept), 2 * n, 'reports kept')
    side_by_side(some, ['a3.', 'b3.', 'c2.', 'd2.'])


@test(limit=60)
def t_die(ctx):
    """kill -9 of the tool in mid-drill: its programs and its folder go, too"""
    tmp, e = env(ctx)
    for fault in ('node-freeze', 'node-kill'):
        p = subprocess.Popen(args(ctx, fault, '--progress-json', '-o',
                                  'hold=30000'), stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True, env=e)
        ctx.after(p.kill)
        for ln in p.stdout:
            if re.search('SIGSTOP|kill -9', ln):
                break
        check(len(children()) >= 3, 'programs: %s', children())
        p.kill()
        p.wait()
        p.stdout.close()
        eventually(lambda: not children() and not os.listdir(tmp), 5,
                   'all gone after the death of the tool')


@test(limit=40)
def t_follow(ctx):
    """a drill that follows its parent ends with it, and its lab, too; its figures move and its last line has the claims"""
    tmp, e = env(ctx)
    sh = subprocess.Popen(
        ['sh', '-c', '"$@" & echo; wait', 'sh'] + args(
            ctx, 'node-freeze', '--progress-json', '--follow-parent', '-o',
            'hold=30000'), stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, env=e)
    ctx.after(sh.kill)
    placed = []
    for ln in sh.stdout:
        placed += [json.loads(ln)['placed']] if '"placed"' in ln else []
        if 'SIGSTOP' in ln:
            break
    check(len(set(placed)) >= 3 and placed == sorted(placed), '%s', placed)
    check(len(children()) >= 4, 'programs: %s', children())
    sh.kill()
    sh.wait()
    sh.stdout.close()
    eventually(lambda: not children() and not os.listdir(tmp), 5,
               'all gone after the death of the parent')
    r = subprocess.run(args(ctx, 'node-slow', '--progress-json', *SHORT),
                       capture_output=True, text=True, env=e)
    last = json.loads(r.stdout.splitlines()[-1])
    equal((last['done'], last['verdict']), (True, 'PASS'), 'last line')
    check(any(c['claim'] == 'lost_calls' and c['value'] == 0 and c['held']
              for c in last['claims']), '%s', last['claims'])


@test(limit=20)
def t_list(ctx):
    """the drills as JSON, with those of a folder; a bad file is told and left out"""
    d = os.path.join(ctx.dir, 'plans')
    os.makedirs(d)
    for name, text in (('ours.conf', 'base = "node-slow"; name = "ours";'),
                       ('bad.conf', 'base = "nothing";'), ('note', 'x')):
        with open(os.path.join(d, name), 'w') as f:
            f.write(text)
    r = subprocess.run([TOOL, 'drill', 'list', '--json', '--plans', d],
                       capture_output=True, text=True)
    equal(r.returncode, 1, r.stderr)
    check('no such drill' in r.stderr, r.stderr)
    all_ = {p['name']: p for p in json.loads(r.stdout)}
    equal(sorted(all_), sorted(names() + ['ours']), 'names')
    equal((all_['ours']['file'], all_['ours']['edge'], all_['ours']['lab']),
          ('ours.conf', True, True), 'ours')
    equal(all_['node-kill']['edge'], False, 'node-kill towards a real pool')


@test(limit=60)
def t_aborted(ctx):
    """kill -9 of the tests themselves: the programs of their lab, a tool that runs a drill, and its lab go, too"""
    tmp, e = env(ctx)
    e['PYTHONPATH'] = os.pathsep.join(sys.path)
    code = 'import subprocess, sys, time\nfrom lab import Lab\n' \
        'lab = Lab(dir=sys.argv[1]).start()\nsubprocess.Popen(sys.argv[2:],' \
        ' stdout=subprocess.DEVNULL)\nprint("up", flush=True)\n' \
        'time.sleep(60)\n'
    p = subprocess.Popen(
        [sys.executable, '-c', code, os.path.join(tmp, 'lab')] +
        args(ctx, 'node-freeze', '-o', 'hold=30000'), env=e, text=True,
        stdout=subprocess.PIPE)
    ctx.after(p.kill)
    equal(p.stdout.readline(), 'up\n', 'said')
    eventually(lambda: len(children()) >= 8, 10, 'two labs')
    p.kill()
    p.wait()
    p.stdout.close()
    eventually(lambda: not children(), 5, 'all gone after that')


@test(limit=60)
def t_stop(ctx):
    """Ctrl-C in mid-drill: the fault is taken back first, exit status 2, a report"""
    tmp, e = env(ctx)
    p = subprocess.Popen(args(ctx, 'node-freeze', '--progress-json', '-o',
                              'hold=30000'), stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, text=True, env=e)
    ctx.after(p.kill)
    for ln in p.stdout:
        if 'SIGSTOP' in ln:
            break
    p.send_signal(signal.SIGINT)
    rest = p.stdout.read()
    equal(p.wait(), 2, 'exit status; said: ' + rest)
    check('taken back' in rest and 'all is as before' in rest, 'said: %s',
          rest)
    equal(json.loads(rest.splitlines()[-1])['verdict'], 'ABORTED', 'verdict')
    equal(os.listdir(tmp), [], 'left')


@test(limit=60)
def t_unfit(ctx):
    """a drill without programs, or with a node that is not there, is unfit: exit status 3"""
    rc, _, said = drill(ctx, 'node-kill', '--programs', '/nonexistent')
    equal(rc, 3, said)
    rc, rep, said = drill(ctx, 'node-kill', '--node', 'n9', *SHORT)
    equal(rc, 3, said)
    equal((rep['verdict'], rep['why']), ('UNFIT', 'no such node'), 'report')
    rc, _, said = drill(ctx, 'nothing')
    equal(rc, 2, said)
    rc, _, said = drill(ctx, 'node-kill', '-o', 'calls=nothing')
    equal(rc, 2, said)


@test(limit=60)
def t_limit(ctx):
    """a limit that cannot hold fails the drill, and names its claim"""
    rc, rep, said = drill(ctx, 'node-freeze', *SHORT, '-o', 'hold=2000',
                          '-o', 'claims.mttd_ms=1')
    equal(rc, 1, said)
    bad = [c['claim'] for c in rep['claims'] if not c['held'] and
           c['limit'] is not None]
    equal(bad, ['mttd_ms'], 'claims that did not hold')


@test(limit=90)
def t_hooks(ctx):
    """the operator's commands as the fault of a real pool; restore runs, also after kill -9"""
    users = {'drill-%d' % i: 'pw%d' % i for i in range(6)}
    lab = ctx.lab(users=users)
    phones = os.path.join(ctx.dir, 'phones')
    with open(phones, 'w') as f:
        f.write('# test phones\n' + ''.join('%s %s\n' % u
                                            for u in users.items()))
    conf = os.path.join(ctx.dir, 'freeze.conf')
    mark = os.path.join(ctx.dir, 'restored')
    with open(conf, 'w') as f:
        f.write('base = "node-freeze"; name = "freeze"; text = "by hand";\n'
                'inject = "kill -STOP %d"; restore = "kill -CONT %d; '
                'echo >> %s";\nhold = 1500;\n' % (
                    lab.node('n1').pid, lab.node('n1').pid, mark))
    cmd = [TOOL, 'drill', 'run', conf, '--proxy', '%s:%d' % lab.proxy,
           '--domain', lab.domain, '--phones-file', phones, '-c',
           lab.path('edge.conf'), '--reports',
           os.path.join(ctx.dir, 'reports'), '-o', 'calls=30']
    r = subprocess.run(cmd + ['--json'], capture_output=True, text=True,
                       timeout=60)
    equal(r.returncode, 0, r.stdout[-3000:] + r.stderr)
    rep = json.loads(r.stdout)
    check(value(rep, 'mttd_ms') is not None, 'not detected: %s',
          rep['claims'])
    with open(mark) as f:
        equal(len(f.read()), 1, 'times it was restored')
    p = subprocess.Popen(cmd + ['--progress-json', '-o', 'hold=30000'],
                         stdout=subprocess.PIPE, text=True,
                         stderr=subprocess.DEVNULL)
    ctx.after(p.kill)
    for ln in p.stdout:
        if 'inject' in ln:
            break
    time.sleep(0.3)                # inject runs; the tool shall not end it
    p.kill()
    p.wait()
    p.stdout.close()

    def restored():
        with open(mark) as f:
            return len(f.read()) == 2
    eventually(restored, 5, 'restore after the death of the tool')
    lab.wait_pool(3)


def post(lab, path, **body):
    """(status, answer) of an action of the edge."""
    with open(lab.path('edge.state/admin.token')) as f:
        token = f.read().strip()
    q = urllib.request.Request(
        'http://127.0.0.1:%d%s' % (lab.plan.http, path),
        json.dumps(body).encode(), {'Content-Type': 'application/json',
                                    'Authorization': 'Bearer ' + token})
    try:
        with urllib.request.urlopen(q, timeout=5) as r:
            return r.status, json.load(r)
    except urllib.error.HTTPError as e:
        return e.code, json.load(e)


def fault(lab):
    return lab.edge.status()['fault']


@test(limit=60)
def t_fault(ctx):
    """a fault of the edge: takes a node out, ends by itself in its time, can be ended, is refused when too few nodes stay"""
    lab = ctx.lab(users={'a': 'b'})
    equal(fault(lab), None, 'at first')
    began = time.monotonic()
    equal(post(lab, '/api/v1/faults', node='n1', kind='blackhole',
               max_duration=3)[0], 200, 'begun')
    equal((fault(lab)['node'], fault(lab)['kind']), ('n1', 'blackhole'),
          'status')
    equal(post(lab, '/api/v1/faults', node='n2', kind='blackhole',
               max_duration=3)[0], 409, 'a second one')
    lab.wait_node_state('n1', 'down')
    check(lab.pool()['n2'] == 'up', 'n2 is %s', lab.pool())
    eventually(lambda: fault(lab) is None, 4, 'end by itself')
    took = time.monotonic() - began
    check(2.9 < took < 4, 'it ended after %.2f s', took)
    lab.wait_pool(3)
    for bad in ({'kind': 'blackhole', 'max_duration': 3},
                {'node': 'n1', 'kind': 'blackhole'},
                {'node': 'n1', 'kind': 'blackhole', 'max_duration': 301},
                {'node': 'n1', 'kind': 'blackhole', 'max_duration': 0},
                {'node': 'n1', 'kind': 'delay', 'max_duration': 3},
                {'node': 'n1', 'kind': 'delay', 'max_duration': 3,
                 'ms': 10001},
                {'node': 'n1', 'kind': 'fire', 'max_duration': 3},
                {'node': 'n1', 'kind': 'late', 'ms': 5, 'percent': 0,
                 'max_duration': 3},
                {'node': 'n9', 'kind': 'blackhole', 'max_duration': 3},
                {'node': 'n1', 'kind': 'blackhole', 'max_duration': 3,
                 'x': 1}):
        check(post(lab, '/api/v1/faults', **bad)[0] in (400, 404), '%s', bad)
    equal(fault(lab), None, 'after what was refused')
    equal(post(lab, '/api/v1/faults', node='n3', kind='delay', ms=50,
               max_duration=300)[0], 200, 'a long one')
    equal(post(lab, '/api/v1/faults/clear')[0], 200, 'ended')
    equal(fault(lab), None, 'after that')
    lab.node('n2').kill()
    lab.wait_node_state('n2', 'down')
    code, out = post(lab, '/api/v1/faults', node='n1', kind='blackhole',
                     max_duration=3)
    equal(code, 409, 'one of two: %s' % out)
    equal(fault(lab), None, 'refused')


@test(limit=60)
def t_fault_die(ctx):
    """the tool killed while the edge brings its fault: the edge ends it in time"""
    users = {'drill-%d' % i: 'pw%d' % i for i in range(6)}
    lab = ctx.lab(users=users)
    phones = os.path.join(ctx.dir, 'phones')
    with open(phones, 'w') as f:
        f.write(''.join('%s %s\n' % u for u in users.items()))
    p = subprocess.Popen(
        [TOOL, 'drill', 'run', 'node-blackhole', '--proxy', '%s:%d' % lab.proxy,
         '--domain', lab.domain, '--phones-file', phones, '-c',
         lab.path('edge.conf'), '--reports', os.path.join(ctx.dir, 'reports'),
         '--progress-json', '-o', 'calls=20', '-o', 'hold=1000'],
        stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL)
    ctx.after(p.kill)
    for ln in p.stdout:
        if 'detected' in ln:
            break
    left = fault(lab)['until_ms'] / 1000
    p.kill()
    p.wait()
    p.stdout.close()
    began = time.monotonic()
    eventually(lambda: fault(lab) is None, left + 1, 'end of the fault')
    check(time.monotonic() - began > left - 0.5, 'ended early')
    lab.wait_pool(3)


def guard_of(p):
    """The guard of a running tool: its child of the same program."""
    with open('/proc/%d/task/%d/children' % (p.pid, p.pid)) as f:
        kids = [int(k) for k in f.read().split()]
    exe = os.readlink('/proc/%d/exe' % p.pid)
    mine = [k for k in kids if os.readlink('/proc/%d/exe' % k) == exe]
    equal(len(mine), 1, 'guards among %s' % kids)
    return mine[0]


@test(limit=60)
def t_guard_dies(ctx):
    """the guard alone killed while the edge, or the lab, has the fault: the tool takes it back, passes, and leaves nothing"""
    users = {'drill-%d' % i: 'pw%d' % i for i in range(6)}
    lab = ctx.lab(users=users)
    phones = os.path.join(ctx.dir, 'phones')
    with open(phones, 'w') as f:
        f.write(''.join('%s %s\n' % u for u in users.items()))
    tmp, e = env(ctx)
    short = ['--progress-json', '-o', 'calls=20', '-o', 'hold=1000',
             '-o', 'before=500', '-o', 'after=0']
    real = [TOOL, 'drill', 'run', 'node-blackhole', '--proxy',
            '%s:%d' % lab.proxy, '--domain', lab.domain, '--phones-file',
            phones, '-c', lab.path('edge.conf'), '--reports',
            os.path.join(ctx.dir, 'reports')]
    def one(cmd):
        p = subprocess.Popen(cmd + short, stdout=subprocess.PIPE, text=True,
                             stderr=subprocess.DEVNULL, env=e)
        ctx.after(p.kill)
        said = []
        for ln in p.stdout:
            said.append(ln)
            if 'detected' in ln:
                check(cmd is not real or fault(lab), 'no fault')
                os.kill(guard_of(p), signal.SIGKILL)
                break
        said += p.stdout.readlines()
        equal(p.wait(), 0, 'status: ' + ''.join(said[-3:]))
        p.stdout.close()
        check(cmd is not real or fault(lab) is None, 'the fault is there')

    side_by_side(one, (real, args(ctx, 'node-freeze')))
    equal(os.listdir(tmp), [], 'left in the folder of labs')
    equal(children(), [], 'programs of a lab')
    lab.wait_pool(3)


@test(limit=40)
def t_fault_off(ctx):
    """faults = false: refused; at a reload it ends what there is"""
    lab = ctx.lab(users={'a': 'b'})
    equal(post(lab, '/api/v1/faults', node='n1', kind='blackhole',
               max_duration=30)[0], 200, 'begun')
    with open(lab.path('edge.conf'), 'a') as f:
        f.write('faults = false;\n')
    lab.edge.signal(signal.SIGHUP)
    eventually(lambda: fault(lab) is None, 3, 'end at the reload')
    equal(post(lab, '/api/v1/faults', node='n1', kind='blackhole',
               max_duration=30)[0], 403, 'refused')
