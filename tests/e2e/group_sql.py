"""Contacts in a database: they outlive the loss of all nodes, and whatever the
database does, nobody who calls or registers notices."""
import json
import os
import re
import socket
import sqlite3
import subprocess
import time
from urllib.parse import quote

from e2e import Skip, check, equal, eventually, test
from lab import TREE, find_program
from regload import RegLoad
from sipp import SippLoad
from sipua import Auto

USERS = {u: 'pw-' + u for u in ('alice', 'bob', 'carol', 'dave')}


def ctl(*args, rc=0):
    r = subprocess.run([find_program('edgewise')] + list(args),
                       capture_output=True, text=True, timeout=30,
                       check=False)
    equal(r.returncode, rc, 'edgewise %s: %s%s' % (' '.join(args), r.stdout,
                                                   r.stderr))
    return r.stdout


def files(ctx, n, make=True):
    """A SQLite file for each node: their URLs."""
    out = []
    for i in range(n):
        out.append('sqlite://' + os.path.join(ctx.dir, 'n%d.db' % (i + 1)))
        if make:
            ctl('db', 'init', '-d', out[i])
    return out


def sql_lab(ctx, urls, start=True, **conf):
    """One node for each URL."""
    make = ctx.lab if start else ctx.new_lab
    return make(users=USERS, nodes=len(urls), node_conf=lambda i: dict(
        {'db_url': urls[i], 'flush_interval': 200, 'registrar':
         {'min_expires': 1, 'default_expires': 600}}, **conf))


def again(lab):
    """All nodes, which have ended, are started."""
    for n in lab.nodes:
        n.start()
    for n in lab.nodes:
        n.wait_ready()
    lab.wait_pool(len(lab.nodes))


def sql(n):
    return n.status()['sql']


def verify(lab, n, rc=0):
    return ctl('db', 'verify', '-c', lab.path(n.name + '.conf'), rc=rc)


def written(lab):
    eventually(lambda: all(sql(n)['dirty'] == 0 and sql(n)['loaded']
                           for n in lab.nodes), 10, 'all is written')


def aors(n):
    return {a.partition('@')[0] for a, _ in n.contacts()}


def rows(url):
    with sqlite3.connect(url[len('sqlite://'):]) as db:
        return dict(db.execute('SELECT aor, dead FROM edgewise_location'))


def phone(lab, who, **kw):
    u = lab.ua(who, **kw)
    u.auto = Auto()
    return u


@test(name='restart')
def t_restart(ctx):
    """all nodes killed: contacts are back, expired and removed ones are not; a
    stop writes what is left"""
    urls = files(ctx, 3)
    lab = sql_lab(ctx, urls)
    a, b, c, d = (phone(lab, u) for u in USERS)
    equal(a.register().status, 200, 'alice')
    equal(b.register().status, 200, 'bob')
    equal(b.register(expires=0).status, 200, 'bob leaves')
    equal(c.register(expires=2).status, 200, 'carol, for 2 s')
    expired = time.monotonic() + 2.1
    written(lab)
    equal([rows(u).get('bob@example.com') for u in urls], [1, 1, 1],
          'the removal is a row')
    for n in lab.nodes:
        verify(lab, n)
    with sqlite3.connect(urls[0][len('sqlite://'):]) as db:
        db.execute("DELETE FROM edgewise_location WHERE aor LIKE 'alice%'")
    out = verify(lab, lab.nodes[0], rc=1)
    check(re.search('^missing_database +alice@example.com', out, re.M), out)
    for n in lab.nodes:
        n.kill()
    time.sleep(max(0, expired - time.monotonic()))
    again(lab)
    for n in lab.nodes:
        equal(aors(n), {'alice'}, 'contacts of ' + n.name)
    call = d.invite(a.aor)
    equal(call.wait_final().status, 200, 'INVITE %s' % call.statuses())
    equal(call.bye().status, 200, 'BYE')
    # from now on only a stop writes
    for n in lab.nodes:
        with open(lab.path(n.name + '.conf')) as f:
            text = f.read()
        with open(lab.path(n.name + '.conf'), 'w') as f:
            f.write(re.sub('flush_interval = .*', 'flush_interval = 300000;',
                           text))
        equal(n.end(10), 0, 'end of ' + n.name)
    again(lab)
    equal(d.register().status, 200, 'dave')
    check(not any('dave@example.com' in rows(u) for u in urls), 'flushed')
    for n in lab.nodes:
        equal(n.end(10), 0, 'end of ' + n.name)
    again(lab)
    for n in lab.nodes:
        equal(aors(n), {'alice', 'dave'}, 'contacts of ' + n.name)


def policies(n):
    """Scheduling policy and nice value of each thread of a program."""
    out = []
    for t in os.listdir('/proc/%d/task' % n.pid):
        with open('/proc/%d/task/%s/stat' % (n.pid, t)) as f:
            rest = f.read().rpartition(')')[2].split()
        out.append((int(rest[38]), int(rest[16])))
    return out


@test(name='idle')
def t_idle(ctx):
    """the thread that writes does so in idle time; one that takes long leaves it,
    and goes back"""
    other, idle = (0, 10), (5, 10)
    url = files(ctx, 1)[0]
    lab = sql_lab(ctx, [url])
    n, p = lab.nodes[0], phone(lab, 'alice')
    equal(p.register().status, 200, 'REGISTER')
    written(lab)
    if other in policies(n):
        raise Skip('no right to come back from SCHED_IDLE')
    check(idle in policies(n), 'threads: %s', policies(n))
    with sqlite3.connect(url[len('sqlite://'):], isolation_level=None) as db:
        db.execute('BEGIN IMMEDIATE')
        equal(p.register().status, 200, 'REGISTER of a locked database')
        eventually(lambda: other in policies(n), 5, 'it hurries')
        check(idle not in policies(n), 'threads: %s', policies(n))
        db.execute('ROLLBACK')
    written(lab)
    eventually(lambda: p.register().status == 200 and idle in policies(n), 20,
               'it has time again')


@test(name='start')
def t_start(ctx):
    """a node whose database is no good: not ready while it is required, else after
    3 s; it says why, and goes on when the database is there"""
    urls = files(ctx, 2, make=False)
    lab = sql_lab(ctx, urls, start=False)
    lab.write_conf('n1', dict(lab.node_conf(0), db_url=urls[0],
                              db_required=True, flush_interval=200))
    for p in lab.procs:
        p.start()
    began = time.monotonic()
    lab.nodes[1].wait_ready()
    took = time.monotonic() - began
    check(2.5 < took < 4.5, 'ready after %.1f s', took)
    equal(sql(lab.nodes[1])['state'], 'down', 'state')
    code, why = lab.nodes[0].http('/readyz')
    equal((code, why.strip()), (503, 'Reading Database'), 'required')
    lab.wait_pool(1)
    equal(phone(lab, 'alice').register().status, 200, 'at the other node')
    ctl('db', 'init', '-d', urls[0])
    lab.nodes[0].wait_ready()
    with sqlite3.connect(urls[0][len('sqlite://'):]) as db:
        db.execute('UPDATE edgewise_version SET version = 99')
    equal(lab.nodes[0].end(10), 0, 'end')
    lab.nodes[0].start()
    eventually(lambda: lab.nodes[0].http('/readyz')[0], 5, 'an answer')
    eventually(lambda: sql(lab.nodes[0])['why'] == 'schema', 5, 'why')
    check('newer program' in sql(lab.nodes[0])['text'], 'text')
    check('version 99' in lab.nodes[0].log(), 'log')
    equal(lab.nodes[0].http('/readyz')[0], 503, 'not ready')
    check(json.dumps(lab.nodes[0].status()['warnings']).find('schema') > 0,
          'warning')
    with sqlite3.connect(urls[0][len('sqlite://'):]) as db:
        db.execute('UPDATE edgewise_version SET version = 1')
    lab.nodes[0].wait_ready()
    equal(aors(lab.nodes[0]), {'alice'}, 'contacts')
    equal(sql(lab.nodes[1])['loaded'], False, 'the other one')
    ctl('db', 'init', '-d', urls[1])
    all_well(lab)


# --- faults under load ---------------------------------------------------------

LONG = bool(os.environ.get('E2E_LONG'))
CALLS, REGS, PHONES = (300, 300, 3000) if LONG else (15, 40, 150)     # a second
HOLD = 20 if LONG else 1             # [s] a fault lasts on when it was noticed
# [kB] the transactions of 300 calls/s alone are 26 MB, also without a database
MORE = 49152 if LONG else 16384
DISK = 'size=64m' if LONG else 'size=12m'
SECRET = 'secret'
ASAN = False                         # a build whose memory says nothing


class Traffic:
    """Calls by sipp and REGISTERs, until end(): none may fail."""

    def __init__(self, ctx, lab, seconds):
        self.lab = lab
        self.sipp = SippLoad(ctx, lab, ['c%d' % i for i in range(20)], CALLS,
                             seconds, limit=seconds + 30)
        self.regs = RegLoad(lab.proxy, lab.domain, phones=PHONES, prefix='r')
        ctx.after(self.regs.stop)
        self.regs.start(REGS)
        eventually(lambda: self.regs.answered() > REGS, 10, 'answers')
        self.rss = [n.rss_kb() for n in lab.nodes]

    def end(self):
        self.sipp.end()
        self.regs.pause()
        self.regs.settle()
        equal(set(self.regs.statuses), {200}, 'answers to REGISTER')
        for n, was in zip(self.lab.nodes, self.rss):
            check(ASAN or n.rss_kb() < was + MORE, '%s grew from %d to %d kB',
                  n.name, was, n.rss_kb())

    def last(self, seconds):
        """Until so many seconds' REGISTERs more are answered."""
        want = self.regs.answered() + seconds * REGS
        eventually(lambda: self.regs.answered() >= want, 3 * seconds + 5,
                   'REGISTERs are answered')

    def held(self):
        """What each node holds is what the phones were told."""
        bad = self.regs.check({n.name: n.contacts() for n in self.lab.nodes},
                              self.regs.phones)
        check(not bad, '%d: %s', len(bad), bad[:3])


def is_down(n, *why):
    s = sql(n)
    return s['state'] == 'down' and (not why or s['why'] in why)


def all_well(lab):
    eventually(lambda: all(sql(n)['state'] == 'up' for n in lab.nodes), 15,
               'all up')
    written(lab)
    for n in lab.nodes:
        verify(lab, n)


def kill_all(lab):
    for n in lab.nodes:
        n.kill()
    again(lab)


def small_disk(ctx):
    """A folder on a small disk, or where none can be made: None."""
    path = os.path.join(ctx.dir, 'small')
    os.makedirs(path)
    r = subprocess.run(['mount', '-t', 'tmpfs', '-o', DISK, 'tmpfs',
                        path], capture_output=True, check=False)
    if r.returncode:
        return None
    ctx.after(lambda: subprocess.run(['umount', '-l', path], check=False))
    return path


def fill(path):
    with open(os.path.join(path, 'filler'), 'wb', buffering=0) as f:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    f.write(b'x' * size)
            except OSError:
                pass


@test(name='sqlite', limit=150)
def t_sqlite(ctx):
    """SQLite with a full disk, and locked: no call and no REGISTER fails, all is
    written afterwards"""
    urls, small = files(ctx, 2), small_disk(ctx)
    if small:
        urls[0] = 'sqlite://' + os.path.join(small, 'n1.db')
        ctl('db', 'init', '-d', urls[0])
    lab = sql_lab(ctx, urls, auth='off')
    load = Traffic(ctx, lab, 4 + 2 * HOLD)
    other = sqlite3.connect(urls[1][len('sqlite://'):], isolation_level=None)
    ctx.after(other.close)
    if small:
        fill(small)
    other.execute('BEGIN EXCLUSIVE')
    eventually(lambda: is_down(lab.nodes[1], 'locked'), 10, 'locked')
    check(not small or is_down(lab.nodes[0], 'full'), 'disk full: %s',
          sql(lab.nodes[0]))
    load.last(HOLD)
    check(sql(lab.nodes[1])['dirty'] > 10, 'nothing waits')
    eventually(lambda: re.search('^n2: database down', ctl(
        'nodes', '-c', lab.path('edge.conf')), re.M), 8, 'edgewise nodes')
    eventually(lambda: 'the database of n2 is down' in lab.edge.http('/')[1],
               5, 'the verdict')
    check(re.search(r'data-s="sql">.*>n2<.*down</span>',
                    lab.edge.http('/')[1], re.S), 'the page')
    other.execute('ROLLBACK')
    if small:
        os.unlink(os.path.join(small, 'filler'))
    load.end()
    all_well(lab)
    kill_all(lab)
    load.held()


TOOL = os.path.join(TREE, 'tests', 'support', 'sqlserver')
SERVERS = {}                         # kind: (process that starts it, folder)


def setup(ctx):
    """Servers take seconds to start: meanwhile the other tests run."""
    global ASAN
    with open(find_program('edgewise-node'), 'rb') as f:
        ASAN = b'__asan_init' in f.read()
    for kind in 'postgresql', 'mariadb':
        place = os.path.join(ctx.root, kind)
        SERVERS[kind] = subprocess.Popen(
            [TOOL, 'start', kind, place], stdout=subprocess.PIPE,
            text=True), place


def teardown(ctx):
    for p, _ in SERVERS.values():
        p.wait(60)
    ends = [subprocess.Popen([TOOL, 'kill', place])
            for _, place in SERVERS.values()]
    for p in ends:
        p.wait(30)


def server(ctx, kind):
    """(what(COMMAND), URL without password, port)"""
    p, place = SERVERS[kind]

    def what(cmd, *more):
        args = [TOOL, cmd] + ([kind] if cmd == 'start' else []) + [place]
        subprocess.run(args + list(more), stdout=subprocess.PIPE, timeout=90,
                       check=True)
    url = p.communicate(timeout=60)[0].strip().replace(':' + SECRET, '')
    if p.returncode == 77:
        raise Skip(kind + ' is not installed')
    equal(p.returncode, 0, 'sqlserver start')
    secret(ctx, SECRET)
    return what, url, re.search(r':(\d+)/', url).group(1)


def secret(ctx, text):
    path = os.path.join(ctx.dir, 'db.pw')
    with open(path, 'w') as f:
        f.write(text + '\n')
    os.chmod(path, 0o600)
    return path


NASTY = [b"a'; DROP TABLE edgewise_location; --", b'"quoted" \\ \\\\ %s %n {}',
         b'\xff\xfe\x80 no UTF-8', '\u00e4\u0416\U0001f4de'.encode(),
         b'\x01\x02\t control', b'x' * 4000, b'a\x00b', b'$1 ? :1 \\x00 NULL']


def nasty_phones(lab):
    """Strings that are only data: in User-Agent, and escaped in the user part."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(('127.0.0.1', 0))
        s.settimeout(5)
        for i, text in enumerate(NASTY):
            aor = b'%s@example.com' % quote(text[:40], safe='').encode()
            s.sendto(b'REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP '
                     b'127.0.0.1:%d;branch=z9hG4bKnasty%d\r\nMax-Forwards: 70'
                     b'\r\nFrom: <sip:%s>;tag=1\r\nTo: <sip:%s>\r\nCall-ID: '
                     b"n%d'\"\r\nCSeq: 1 REGISTER\r\nContact: <sip:n%d@"
                     b'127.0.0.1:9>;expires=600\r\nUser-Agent: %s\r\n'
                     b'Content-Length: 0\r\n\r\n' % (
                         s.getsockname()[1], i, aor, aor, i, i, text),
                     lab.proxy)
            status = int(s.recv(65536).split()[1])
            check(status in (200, 400), '%r: %d', text, status)


def no_secret(lab):
    """The password is in no log, status, figure or output of a command."""
    texts = {p.name: p.log() for p in lab.procs}
    for n in lab.nodes:
        for path in '/api/v1/status', '/metrics', '/api/v1/db/verify':
            texts[n.name + path] = n.http(path)[1]
    texts['status'] = ctl('db', 'status', '-c', lab.path('n1.conf'))
    for where, text in texts.items():
        check(SECRET not in text and 'wrong-pw' not in text,
              'a password is in ' + where)


def shared_lab(ctx, url):
    pw = os.path.join(ctx.dir, 'db.pw')
    ctl('db', 'init', '-d', url, '-p', pw)
    return sql_lab(ctx, [url, url], db_mode='shared', db_password_file=pw,
                   db_timeout=1000, db_stop_timeout=1000, auth='off')


def freeze(lab, what, load):
    what('freeze')
    eventually(lambda: any(is_down(n) for n in lab.nodes), 10, 'frozen')
    load.last(HOLD)
    what('thaw')
    eventually(lambda: not any(is_down(n) for n in lab.nodes), 15, 'thawed')


def kill(ctx, lab, what, port, load):
    """Killed, and back with another password than the nodes have."""
    secret(ctx, 'wrong-pw')
    what('kill')
    eventually(lambda: any(is_down(n) for n in lab.nodes), 8, 'killed')
    what('start', port)
    eventually(lambda: any(is_down(n, 'denied') for n in lab.nodes), 10,
               'denied')
    load.last(HOLD)
    secret(ctx, SECRET)


def all_held(lab, load):
    load.end()
    all_well(lab)
    no_secret(lab)
    kill_all(lab)
    load.held()


@test(name='postgresql', limit=200)
def t_postgresql(ctx):
    """a PostgreSQL that all nodes share, killed, with another password: as above;
    hostile strings are only data; the password is told nowhere"""
    what, url, port = server(ctx, 'postgresql')
    lab = shared_lab(ctx, url)
    nasty_phones(lab)
    load = Traffic(ctx, lab, 4 + 3 * HOLD)
    if LONG:
        freeze(lab, what, load)
    kill(ctx, lab, what, port, load)
    all_held(lab, load)


@test(name='mariadb', limit=200)
def t_mariadb(ctx):
    """a MariaDB that all nodes share, frozen: the same; a node that ends does not
    wait for it"""
    what, url, port = server(ctx, 'mariadb')
    lab = shared_lab(ctx, url)
    nasty_phones(lab)
    load = Traffic(ctx, lab, 5 + 3 * HOLD)
    freeze(lab, what, load)
    if LONG:
        kill(ctx, lab, what, port, load)
    all_held(lab, load)
    what('freeze')
    try:
        equal(lab.ua('u').register().status, 200, 'REGISTER')
        began = time.monotonic()
        equal([n.end(10) for n in lab.nodes], [0, 0], 'exit status')
        took = time.monotonic() - began
        check(took < 6, 'the end of two nodes took %.1f s', took)
        check('event=sql_stop' in ''.join(n.log() for n in lab.nodes), 'log')
    finally:
        what('thaw')
