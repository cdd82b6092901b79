"""Drills that the page runs: by its API, in Chromium, and what stays of them."""
import concurrent.futures
import glob
import json
import os
import signal
import subprocess
import urllib.error
import urllib.request

import cdp
from e2e import Skip, check, equal, eventually, test
from group_browser import B, clean, look, setup, shot, teardown, text, \
    token, verdict, well
from lab import find_program

assert setup and teardown           # of this group, too: the browser
TOOL = find_program('edgewise')
USERS = {'drill-%d' % i: 'pw%d' % i for i in range(8)}
PLANS = {
    'quick.conf': 'base = "node-slow"; name = "quick"; calls = 20; '
                  'before = 500; hold = 500; after = 0; phones = 8;',
    'long.conf': 'base = "node-slow"; name = "long"; calls = 20; '
                 'before = 500; hold = 60000; phones = 8;',
    'quick-kill.conf': 'base = "node-kill"; name = "quick-kill"; '
                       'calls = 30; before = 500; hold = 500; after = 0;',
    'command.conf': 'base = "node-kill"; name = "command"; '
                    'inject = "touch x"; restore = "true";',
}


def begin(ctx, place='lab', **drills):
    """A lab whose edge may run drills."""
    d = os.path.join(ctx.dir, place + '-plans')
    os.makedirs(d)
    for name, t in PLANS.items():
        with open(os.path.join(d, name), 'w') as f:
            f.write(t)
    phones = os.path.join(ctx.dir, place + '-phones')
    with open(phones, 'w') as f:
        f.write(''.join('%s %s\n' % u for u in USERS.items()))
    conf = dict({'tool': TOOL, 'plans': d, 'phones': phones,
                 'domain': 'example.com'}, **drills)
    lab = ctx.lab(dir=os.path.join(ctx.dir, place), users=USERS, node_conf={
        'cluster': {'heartbeat': 100, 'dead': 600}}, edge_conf={
        'drills': conf, 'probe': {'inter': 200, 'fastinter': 50,
                                  'downinter': 200, 'timeout': 200}})
    eventually(lambda: get(lab)['list'] or not conf['tool'], 5, 'the list')
    return lab


def base(lab):
    return 'http://%s:%d' % (lab.edge.http_ip, lab.edge.http_port)


def get(lab, path='/api/v1/drills'):
    with urllib.request.urlopen(base(lab) + path, timeout=5) as r:
        return json.load(r)


def post(lab, path, tok=None, **body):
    r = urllib.request.Request(
        base(lab) + '/api/v1/drills/' + path, json.dumps(body).encode(),
        {'Content-Type': 'application/json',
         'Authorization': 'Bearer ' + (tok or token(lab))})
    try:
        with urllib.request.urlopen(r, timeout=5) as a:
            return a.status, json.load(a)
    except urllib.error.HTTPError as e:
        return e.code, json.load(e)


def run(lab, name, where='edge', /, **more):
    return post(lab, 'run', **{'name': name, 'where': where, 'who': 'carol',
                               'confirm': name, **more})


def tools(lab):
    """Processes of drills of this edge: (pid, what), their labs included."""
    mark = lab.path('edge.state/drills')
    pids, out = set(), []
    for p in glob.glob('/proc/[0-9]*'):
        try:
            with open(p + '/cmdline') as f:
                cmd = f.read().replace('\0', ' ')
            with open(p + '/stat') as f:
                st = f.read().rpartition(')')[2].split()
        except OSError:
            continue
        if st[0] != 'Z':
            out.append((int(p[6:]), int(st[1]), cmd))
    for _ in range(3):
        pids |= {pid for pid, up, cmd in out if mark in cmd or up in pids}
    return [(pid, cmd) for pid, up, cmd in out if pid in pids]


def over(lab, name, want, limit=40):
    """The drill has ended; its record."""
    def last():
        d = get(lab)
        return d['running'] is None and d['last'] and \
            d['last'][0]['name'] == name and d['last'][0]
    r = eventually(last, limit, 'end of ' + name, 0.1)
    equal(r['verdict'], want, 'verdict of %s: %s' % (name, r))
    return r


def events(lab):
    return [e for e in get(lab, '/api/v1/events?limit=1000')['events']
            if e['kind'] == 'admin' and e.get('action', '')
            .startswith('drill')]


def in_a_lab(lab):
    """At an edge of its own, beside the one of t_api."""
    equal(run(lab, 'quick-kill', 'lab')[0], 202, 'in a lab')
    equal(run(lab, 'quick')[0], 409, 'a second one')
    over(lab, 'quick-kill', 'PASS')
    passed(lab)


def passed(lab):
    """One drill has, and nothing of it stays."""
    eventually(lambda: not tools(lab), 5, 'no process stays')
    equal([(e['action'], e['who']) for e in events(lab)],
          [('drill', 'carol'), ('drill-end', 'carol')], 'events')
    m = lab.edge.metrics()
    equal((m['edgewise_sbc_drills_total{verdict="pass"}'],
           m['edgewise_sbc_drill_running']), (1, 0), 'figures')


@test(limit=90)
def t_api(ctx):
    """a drill at this edge and one in a lab pass, told as events, with a report to be kept; wrong orders and a second one are refused"""
    lab, other = begin(ctx), begin(ctx, 'other')
    for x in (lab, other):
        x.wait_pool(3)
    names = {d['name'] for d in get(lab)['list']}
    check({'quick', 'node-slow', 'node-kill'} <= names, '%s', names)
    check(not {'command', 'partition'} & names, 'not from a page: %s', names)
    for code, body in ((400, {'confirm': 'x'}), (400, {'where': 'here'}),
                       (404, {'name': 'command', 'confirm': 'command'}),
                       (404, {'name': '../x', 'confirm': '../x'}),
                       (404, {'name': 'node-kill', 'confirm': 'node-kill'})):
        equal(run(lab, 'quick', **body)[0], code, '%s' % body)
    equal(post(lab, 'run', tok='0' * 64, name='quick', where='edge',
               confirm='quick')[0], 403, 'a wrong token')
    equal(post(lab, 'abort')[0], 409, 'nothing to abort')
    equal(tools(lab), [], 'processes of refused ones')
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        beside = pool.submit(in_a_lab, other)
        here(lab)
        beside.result()
    lab.node('n1').kill()
    lab.wait_node_state('n1', 'down')
    s, o = run(lab, 'quick')
    equal(s, 409, '%s' % o)
    check('unfit' in o['error'], '%s', o)


def here(lab):
    s, o = eventually(lambda: (lambda x: x[0] == 202 and x)(
        run(lab, 'quick')), 1.5, 'fit')
    equal((o['running']['name'], o['running']['who']), ('quick', 'carol'),
          'answer')
    equal(run(lab, 'quick-kill', 'lab')[0], 409, 'a second one')
    r = over(lab, 'quick', 'PASS')
    check(r['placed'] > 20 and r['lost'] == 0, '%s', r)
    equal(len(r['claims']) > 5, True, 'claims')
    with urllib.request.urlopen(base(lab) + '/api/v1/drills/reports/' +
                                r['report'], timeout=5) as a:
        html = a.read().decode()
        check('attachment' in a.headers['Content-Disposition'] and
              'sandbox' in a.headers['Content-Security-Policy'], '%s',
              a.headers)
    check('<svg' in html and 'quick' in html, html[:200])
    for bad in ('x.html', '../admin.token', '..%2fadmin.token',
                r['report'].replace('.html', '.json')):
        try:
            urllib.request.urlopen(base(lab) + '/api/v1/drills/reports/' +
                                   bad, timeout=5)
            raise AssertionError(bad + ' was served')
        except urllib.error.HTTPError as e:
            equal(e.code, 404, bad)
    passed(lab)


def go(lab, name, where):
    eventually(lambda: run(lab, name, where)[0] == 202, 15, 'begin', 0.2)
    eventually(lambda: get(lab)['running']['step'] == 'fault', 15, 'fault',
               0.1)
    check(len(tools(lab)) >= (1 if where == 'edge' else 5), '%s', tools(lab))


def aborted(lab):
    """An abort, at an edge of its own while another one is killed."""
    go(lab, 'long', 'edge')
    check(lab.edge.status()['fault'], 'a fault')
    equal(post(lab, 'abort', who='dave')[0], 202, 'abort')
    eventually(lambda: lab.edge.status()['fault'] is None, 2,
               'end of the fault')
    over(lab, 'long', 'ABORTED')
    equal(lab.edge.status()['fault'], None, 'fault after the abort')
    check([e['who'] for e in events(lab)] == ['carol', 'dave', 'carol'],
          '%s', events(lab))
    check(not tools(lab), '%s', tools(lab))


@test(limit=60)
def t_end(ctx):
    """abort takes the fault back; kill -9 of the edge, its end and the longest time leave no process of a drill"""
    long = bool(os.environ.get('E2E_LONG'))
    lab = begin(ctx, max_time=10 if long else 600)
    other = begin(ctx, 'other')
    lab.wait_pool(3)
    other.wait_pool(3)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        beside = pool.submit(aborted, other)
        killed(lab, long)
        beside.result()


def killed(lab, long):
    if long:
        go(lab, 'long', 'lab')
        r = over(lab, 'long', 'ABORTED', 25)
        check(r['took_ms'] >= 10000, '%s', r)
    go(lab, 'long', 'lab')
    lab.edge.kill()
    eventually(lambda: not tools(lab), 5, 'none after kill -9')
    lab.edge.start().wait_ready()
    lab.wait_pool(3)
    eventually(lambda: get(lab)['list'], 5, 'the list')
    go(lab, 'long', 'edge')
    lab.edge.signal(signal.SIGTERM)
    eventually(lambda: not tools(lab), 10, 'none after the end')


@test(limit=20)
def t_off(ctx):
    """no tool: nothing on the page, 403; no phones: labs only"""
    lab = begin(ctx, tool='')
    equal((get(lab)['on'], run(lab, 'quick')[0]), (False, 403), 'off')
    with urllib.request.urlopen(base(lab) + '/', timeout=5) as r:
        check('h-drills' not in r.read().decode(), 'on the page')


def phone(p, what, name=None):
    """The page fits a phone, then it is wide again."""
    p.size(360, 740, mobile=True)
    p.wait('innerWidth === 360')
    equal(p.js('document.documentElement.scrollWidth'), 360, 'width, ' + what)
    if name:
        p.js('document.querySelector("#drill-choice").scrollIntoView(); 1')
        equal(p.js('document.documentElement.scrollWidth'), 360,
              'width, there, ' + what)
        shot(p, name)
    p.size(1400, 1000)
    p.wait('innerWidth === 1400')


@test(limit=90)
def t_browser(ctx):
    """from Chromium: chosen, explained, refused with a wrong token, run with the right one, numbers move, a verdict, a report; another one is aborted"""
    if 'browser' not in B:
        raise Skip('NO CHROMIUM: drills were not tested in a browser')
    lab = begin(ctx)
    p = look(ctx, lab, width=1400, height=1000)
    p.wait('document.querySelector("#drill-choice")')
    # rows of nodes that have not told yet grow under the mouse
    well(p)
    p.wait('document.querySelector("#live").textContent === "live"')
    p.click('#drill-choice summary')
    p.wait('document.querySelector("#drill-choice").open')
    n = p.js('performance.now()')
    phone(p, 'open', 'drill-phone')
    p.wait('performance.now() - %d > 2500' % n)
    check(p.js('document.querySelector("#drill-choice").open'),
          'closed by an update')
    shot(p, 'drill-choice')
    p.click('button[data-act=here][data-node=quick]')
    p.wait('document.querySelector("#ask").open')
    check('calls of others' in text(p, '#ask-text'), text(p, '#ask-text'))
    p.js('document.querySelector("#ask-token").focus()')
    p.type('0' * 64)
    p.click('#ask-yes')
    p.wait('document.querySelector("#ask-error").textContent.includes('
           '"not the token")')
    p.errors = [e for e in p.errors if '403' not in e]   # the refusal itself
    p.js('document.querySelector("#ask-token").focus()')
    p.type(token(lab))
    shot(p, 'drill-ask')
    p.key('Enter')
    p.wait('!document.querySelector("#ask").open')
    seen = 'Number((document.querySelector("#drill-placed b") || {})' \
        '.textContent || 0)'
    p.wait(seen + ' > 0', 15)
    first = p.js(seen)
    p.wait('%s > %d' % (seen, first), 10)
    shot(p, 'drill-runs')
    p.wait('document.querySelector("#drill-past .tag")', 30)
    equal(text(p, '#drill-past .tag'), 'PASS', 'verdict')
    check(p.js('document.querySelector("#drill-past a").href.endsWith('
               '".html")'), 'report')
    check(p.js('document.querySelector("#drill-past time").textContent'),
          'its time')
    well(p)
    p.wait('document.querySelector("#drill-choice")')
    p.js('document.querySelector("#drill-choice").open = true; 1')
    p.click('button[data-act=lab][data-node=long]')
    p.wait('document.querySelector("#ask").open')
    p.click('#ask-yes')
    p.wait('document.querySelector("button[data-act=abort]")', 10)
    phone(p, 'while one runs')
    p.wait('document.querySelector("#drill-step").textContent === "fault"',
           20)
    p.click('button[data-act=abort]')
    p.wait('document.querySelector("#ask").open')
    p.click('#ask-yes')
    p.wait('document.querySelector("#drill-past .tag").textContent === '
           '"ABORTED"', 30)
    shot(p, 'drill-over')
    eventually(lambda: not tools(lab), 5, 'no process stays')
    verdict(p, 'OK')
    clean(lab, p)


def rss(pid):
    with open('/proc/%d/status' % pid) as f:
        return next(int(ln.split()[1]) for ln in f if ln.startswith('VmRSS'))


def rules():
    r = subprocess.run(['nft', 'list', 'ruleset'], capture_output=True,
                       text=True)
    return r.stdout if not r.returncode else ''


@test(limit=300)
def t_ten(ctx):
    """ten drills in a row at one edge leave no trace: processes, rules, contacts, files, memory"""
    if not os.environ.get('E2E_LONG'):
        raise Skip('E2E_LONG=1 runs ten drills in a row')
    lab = begin(ctx)
    lab.wait_pool(3)

    def state():
        nodes = [n.status() for n in lab.nodes]
        return {
            'rules': rules(), 'fault': lab.edge.status()['fault'],
            'tools': tools(lab),
            'admin': [n['admin'] for n in lab.edge.status()['pool']],
            'contacts': [n['contacts'] for n in nodes],
            'digests': len({n['cluster'].get('digest') for n in nodes}),
            'fds': len(os.listdir('/proc/%d/fd' % lab.edge.pid)) // 20,
            'files': sorted(f for f in os.listdir(lab.path('edge.state'))),
        }

    def one(name):
        eventually(lambda: run(lab, name)[0] == 202, 20, 'fit', 0.2)
        over(lab, name, 'PASS')
    # what grows once and stays: pools of memory, the ring of events
    for _ in range(10):
        one('quick')
    before = eventually(lambda: (lambda s: s['digests'] == 1 and s)(state()),
                        10, 'steady')
    procs = [lab.edge] + list(lab.nodes)
    mem = [rss(p.pid) for p in procs]
    for i in range(10):
        one('quick')
    eventually(lambda: state() == before, 15, 'as before: %s' % before)
    more = [rss(p.pid) - m for p, m in zip(procs, mem)]
    print('# memory [kB]: %s, more after ten: %s' % (mem, more), flush=True)
    # the edge's ring of events is touched up to its 2048th (1.8 MB)
    check(more[0] <= 2048 and max(more[1:]) <= 256,
          'memory grew by %s kB of %s', more, mem)
    equal(len(os.listdir(lab.path('edge.state/drills'))), 40, 'reports')
