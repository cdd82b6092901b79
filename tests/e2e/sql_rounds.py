#!/usr/bin/env python3
"""Kill -9 in the middle of a flush, round after round.

Nodes that keep their contacts in SQLite, a file each, and an edge, in a network
namespace of their own.  Phones register, refresh, remove and reboot through the
edge all the time.  In each round the seed chooses a moment within a
transaction: the node is stopped there, and only if SQLite's write lock is held
then, which proves that a transaction is open, it gets SIGKILL (all nodes do).
Else it goes on, and another transaction is waited for.  A round that hits none
is void and repeated.  Then, of a copy of the files as the kill left them:
  - the database opens and PRAGMA integrity_check says ok;
  - no row is newer than memory was: each is a request that had been sent, and
    no stamp is later than the kill;
  - no row that was seen committed before is gone or has gone back;
  - nothing is missing that the node had called written (sql.age_ms of its
    status) before;
and when the nodes are ready again, each shows what those rows show, and nothing
else but what the phones did since.

With --db postgresql|mariadb the server is killed instead, while the node, which
is stopped for that, has a transaction open; the rows are looked at before the
node goes on.  In the end `edgewise db verify` says that all is equal.
"""
import argparse
import collections
import fcntl
import hashlib
import os
import random
import re
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
SERVER = os.path.join(TREE, 'tests', 'support', 'sqlserver')
sys.path[:0] = [HERE, os.path.join(TREE, 'tests', 'support')]

from e2e import namespace                                    # noqa: E402
from lab import Lab, find_program                            # noqa: E402
from regload import RegLoad                                  # noqa: E402

KEEP = 64                    # requests remembered of each phone
COLS = 'id, ver1, ver2, expires, dead, contact, callid, cseq, aor'
Row = collections.namedtuple('Row', 'ver expires dead contact callid cseq aor')


def row_id(aor, contact):
    """The id of a contact's row, as node/persist_row.c makes it."""
    b = len(aor).to_bytes(2, 'big') + aor.encode() + b'u:' + contact.encode()
    return hashlib.blake2b(b, digest_size=16, key=b'edgewise location row 1'
                           .ljust(32, b'\0')).hexdigest()


def ctl(*args):
    return subprocess.run([find_program('edgewise')] + list(args),
                          capture_output=True, text=True, timeout=60,
                          check=False)


def row_of(v):
    """(id in hex, Row) of a line of COLS."""
    return v[0].lower(), Row((int(v[1]), int(v[2])), int(v[3]), int(v[4]), v[5],
                     v[6] or None, int(v[7]), v[8])


def read_rows(path):
    with sqlite3.connect(path, timeout=5) as db:
        db.execute('PRAGMA query_only = 1')
        out = dict(row_of(r) for r in db.execute(
            'SELECT hex(id)%s FROM edgewise_location' % COLS[2:]))
    db.close()
    return out


def torn_frames(wal):
    """Pages of a transaction without its commit at the end of the log."""
    try:
        with open(wal, 'rb') as f:
            b = f.read()
    except OSError:
        return 0
    if len(b) < 32:
        return 0
    size, salt = struct.unpack('>I', b[8:12])[0], b[16:24]
    n, at = 0, 32
    while at + 24 + size <= len(b) and b[at + 8:at + 16] == salt:
        n = 0 if struct.unpack('>I', b[at + 4:at + 8])[0] else n + 1
        at += 24 + size
    return n


class Sqlite:
    """A file for each node."""
    name = 'sqlite'

    def __init__(self, folder, nodes):
        self.files = [os.path.join(folder, 'n%d.db' % (i + 1))
                      for i in range(nodes)]
        self.urls = ['sqlite://' + f for f in self.files]
        self.copies = os.path.join(folder, 'copy')
        self.torn = []

    def rows(self):
        return [read_rows(f) for f in self.files]

    def writing(self, i):
        """Has somebody SQLite's write lock of node i's file?"""
        try:
            with open(self.files[i] + '-shm', 'rb+') as f:
                v = fcntl.fcntl(f, fcntl.F_GETLK, struct.pack(
                    'hhqqi4x', fcntl.F_WRLCK, os.SEEK_SET, 120, 1, 0))
        except OSError:
            return False
        return struct.unpack('hhqqi4x', v)[0] != fcntl.F_UNLCK

    def left(self):
        """Rows as the kill left them, from a copy: the nodes do their own
        recovery.  With what is wrong."""
        shutil.rmtree(self.copies, ignore_errors=True)
        os.makedirs(self.copies)
        out, bad = [], []
        for f in self.files:
            to = os.path.join(self.copies, os.path.basename(f))
            for end in ('', '-wal'):
                if os.path.exists(f + end):
                    shutil.copyfile(f + end, to + end)
            self.torn.append(torn_frames(to + '-wal'))
            try:
                out.append(read_rows(to))
                with sqlite3.connect(to) as db:
                    said = db.execute('PRAGMA integrity_check').fetchall()
                db.close()
                if said != [('ok',)]:
                    bad.append('%s: %s' % (f, said[:3]))
            except sqlite3.Error as e:
                bad.append('%s cannot be read: %s' % (f, e))
                out.append({})
        return out, bad


class Server:
    """One database of a server of our own, for one node."""

    def __init__(self, kind, folder):
        self.name = kind
        self.dir = os.path.join(folder, kind)
        self.start()
        self.urls = [self.url]

    def start(self, *port):
        with tempfile.TemporaryFile('w+') as out:
            rc = subprocess.run([SERVER, 'start', self.name, self.dir] +
                                list(port), stdout=out, timeout=120,
                                check=False).returncode
            out.seek(0)
            self.url = out.read().strip()
        if rc == 77:
            print('%s is not installed' % self.name)
            print('0 passed, 0 failed, 1 skipped')
            sys.exit(77)
        if rc:
            sys.exit('%s does not start' % self.name)
        self.port = re.search(r':(\d+)/', self.url).group(1)

    def end(self):
        subprocess.run([SERVER, 'kill', self.dir], check=False, timeout=60)

    def cmd(self, text):
        at = ['-h', '127.0.0.1', '-%s' % ('p' if self.name == 'postgresql'
                                          else 'P'), self.port]
        if self.name == 'postgresql':
            return ['psql', '-X', '-q', '-t', '-A', '-F', '\t'] + at + [
                '-U', 'edgewise', '-c', text, 'edgewise']
        return ['mariadb', '--no-defaults', '-N', '-B'] + at + [
            '-u', 'edgewise', '-e', text, 'edgewise']

    @staticmethod
    def env():
        return dict(os.environ, PGPASSWORD='secret', MYSQL_PWD='secret')

    def sql(self, text):
        """Lines of an answer, each a list."""
        r = subprocess.run(self.cmd(text), env=self.env(), timeout=60,
                           capture_output=True, text=True, check=True)
        return [ln.split('\t') for ln in r.stdout.splitlines() if ln]

    def rows(self):
        hexed = "encode(id, 'hex')" if self.name == 'postgresql' else 'hex(id)'
        text = "coalesce(contact, ''), coalesce(callid, ''), cseq, aor"
        return [dict(row_of(r) for r in self.sql(
            'SELECT %s, ver1, ver2, expires, dead, %s FROM edgewise_location' %
            (hexed, text)))]

    def writing(self, _):
        """Has the node, which is stopped, a transaction open?"""
        if self.name == 'postgresql':
            q = ("SELECT count(*) FROM pg_stat_activity WHERE datname = "
                 "'edgewise' AND pid <> pg_backend_pid() AND (state LIKE 'idle "
                 "in%' OR state = 'active') AND backend_xid IS NOT NULL")
        else:
            q = ('SELECT count(*) FROM information_schema.innodb_trx WHERE '
                 'trx_rows_modified > 0')
        return int(self.sql(q)[0][0]) > 0

    def hold(self, key):
        """Locks a row by its id in hex, in a process of its own: a transaction
        that comes to it waits there, with what it had written before."""
        text = ("BEGIN; SELECT aor FROM edgewise_location WHERE id = %s FOR "
                "UPDATE; SELECT %s(4)")
        if self.name == 'postgresql':
            text %= ("decode('%s', 'hex')" % key, 'pg_sleep')
        else:
            text %= ("x'%s'" % key, 'SLEEP')
        return subprocess.Popen(
            self.cmd(text), env=self.env(), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def left(self):
        self.end()
        self.start(self.port)
        return self.rows(), []


class Rounds:
    def __init__(self, opt, folder):
        self.opt = opt
        self.rng = random.Random(opt.seed)
        # a server's user must come through
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o755)
        self.db = Sqlite(folder, opt.nodes) if opt.db == 'sqlite' else \
            Server(opt.db, folder)
        for u in self.db.urls:
            r = ctl('db', 'init', '-d', u)
            if r.returncode:
                sys.exit('edgewise db init: ' + r.stderr)
        self.lab = Lab(dir=os.path.join(folder, 'lab'), domain='example.com', nodes=opt.nodes,
                       node_conf=lambda i: {
                           'auth': 'off', 'users_file': None,
                           'db_url': self.db.urls[i],
                           'flush_interval': opt.interval})
        self.load = RegLoad(self.lab.proxy, 'example.com', phones=opt.phones,
                            seed=opt.seed)
        for p in self.load.phones:
            p.history = collections.deque(maxlen=KEEP)
        self.by_id = {row_id(p.aor, p.contact): p for p in self.load.phones}
        self.length = 0.003          # of a transaction [s], as it turns out
        self.void = self.failed = self.ran = self.missed = 0
        self.looked = self.confirmed = self.shown = 0
        self.lost_ops, self.ready_ms, self.open_rows = 0, [], []
        self.taken = []              # changes that each kill cost
        self.unacked = set()
        self.held = []               # clients that hold a row
        self.since = 0.0             # the last kill

    # --- what was promised ---------------------------------------------------
    def ops(self, p):
        return list(p.history) + ([p.op] if p.op else [])

    def place(self, ops, row):
        """Which of a phone's requests made this row: the last one that may
        have, or -1."""
        for i in range(len(ops) - 1, -1, -1):
            o = ops[i]
            if o.cseq == row.cseq and (
                    o.callid == row.callid if row.callid else
                    o.what == 'remove'):
                return i
        return -1

    def no_newer(self, tab, ops, wall):
        bad = []
        for key, row in tab.items():
            if row.ver[0] >> 16 > wall:
                bad.append('row of %s is stamped after the kill' % row.aor)
            p = self.by_id.get(key)
            # requests older than those remembered prove nothing
            if not p or (self.place(ops[p], row) < 0 and len(ops[p]) < KEEP):
                bad.append('row that no request made: %s' % (row,))
        return bad

    def none_back(self, before, after):
        bad = []
        for key, row in before.items():
            now = after.get(key)
            if not now:
                bad.append('row is gone: %s' % (row,))
            elif now.ver < row.ver:
                bad.append('row went back: %s to %s' % (row, now))
        return bad

    def all_there(self, tabs, ops, bound):
        """What got 200 before `bound` was written, by the nodes' own word;
        of what was sent before the last kill the rows tell."""
        best, rows = {}, {}
        for tab in tabs:
            for key, row in tab.items():
                p = self.by_id.get(key)
                if p:
                    at = self.place(ops[p], row)
                    best[p] = max(best.get(p, (-1, 0)), (at, not row.dead))
                    rows.setdefault(p, []).append(row)
        bad, taken = [], 0
        for p in self.load.phones:
            done = [i for i, o in enumerate(ops[p]) if o.status == 200 and
                    self.since < o.first]
            taken += bool(done) and best.get(p, (-1, 0))[0] < done[-1]
            sure = [i for i, o in enumerate(ops[p])
                    if o.status == 200 and self.since < o.first and
                    o.done < bound and
                    (o.callid, o.cseq) not in self.unacked]
            if not sure:
                continue
            self.confirmed += 1
            at, alive = best.get(p, (-1, False))
            o = ops[p][sure[-1]]
            if at < sure[-1] and (alive or o.what != 'remove'):
                bad.append('%s %s: written before the kill, lost: %s' % (
                    p.aor, p.contact, o))
                bad += ['    row %s' % (r,) for r in rows.get(p, [])]
                bad += ['    %.0f..%.0f ms from then: %s' % (
                    (q.first - bound) * 1e3, (q.done or 0) and
                    (q.done - bound) * 1e3, q) for q in ops[p][-6:]]
                bad += ['    last kill at %.0f ms' % (
                    (self.since - bound) * 1e3)]
        self.taken.append(taken)
        return bad

    def all_shown(self, tabs, killed):
        """Nodes that are ready show what the rows show, and what was done
        since."""
        wall = time.time() * 1000
        best = {}
        for tab in tabs:
            for key, row in tab.items():
                if key not in best or best[key].ver < row.ver:
                    best[key] = row
        rows = {r.contact: r for r in best.values()
                if not r.dead and r.expires > wall}
        bad = []
        for node in self.lab.nodes:
            shown = {c for _, c in node.contacts()}
            with self.load.lock:
                busy = {p.contact for p in self.load.phones
                        if p.op or (p.history and
                                    (p.history[-1].done or 0) > killed)}
            self.shown += len(shown)
            bad += ['%s: %s is in the database and not shown' % (node.name, c)
                    for c in sorted(set(rows) - shown - busy)]
            bad += ['%s: %s is shown and not in the database' % (node.name, c)
                    for c in sorted(shown - set(rows) - busy)]
        return bad

    def read_unacked(self):
        for p in self.lab.nodes if self.opt.nodes > 1 else ():
            for c, q in re.findall(r'event=unacked .*?callid="?([^" ]+)"? '
                                   r'cseq=(\d+)', p.log()):
                self.unacked.add((c, int(q)))

    # --- a round -------------------------------------------------------------
    def written_until(self):
        """What was answered before this moment is in the databases."""
        t = time.monotonic()
        return min(t - n.status()['sql']['age_ms'] / 1000.0 - 0.005
                   for n in self.lab.nodes)

    def strike(self, victim, rows):
        """Stops the node with a transaction open, at a moment of the seed's.
        What was written until a moment before; None: none was met.  A server's
        transactions are short: where none is met, one is held up at a row."""
        if self.opt.db == 'sqlite':
            return self.strike_within(victim, self.opt.wait)
        bound = None
        if self.rng.random() < 0.25:
            bound = self.strike_within(victim, 3)
        # not the row of a contact that is gone, and not the first of its statement
        alive = sorted(k for k, r in rows.items() if not r.dead)
        for _ in range(5 if alive and bound is None else 0):
            held = self.db.hold(self.rng.choice(alive))
            self.held.append(held)       # it ends with its server
            bound = self.strike_within(victim, 3)
            if bound is not None:
                break
            held.wait(20)
        return bound

    def strike_within(self, victim, limit):
        i = self.lab.nodes.index(victim)
        end = time.monotonic() + limit
        lite = self.opt.db == 'sqlite'
        while time.monotonic() < end:
            bound = self.written_until()
            while lite and not self.db.writing(i) and time.monotonic() < end:
                time.sleep(0.0003)
            time.sleep(self.rng.uniform(0, self.length if lite else 0.05))
            victim.stop()
            if self.db.writing(i):
                self.length = min(self.length * 1.2, 0.05)
                return bound
            victim.cont()
            self.missed += 1
            self.length *= 0.8
        return None

    def round(self, i):
        victim = self.rng.choice(self.lab.nodes)
        time.sleep(self.rng.uniform(0, self.opt.gap))
        before = self.db.rows()
        lite = self.opt.db == 'sqlite'
        bound = self.strike(victim, before[0])
        if bound is None:
            self.void += 1
            return
        self.ran += 1
        with self.load.lock:
            ops = {p: self.ops(p) for p in self.load.phones}
            killed = time.monotonic()
        self.lost_ops += len(self.load.open)
        for n in self.lab.nodes if lite else ():
            n.kill()
        # until now some may have answered, and others than the victim written
        gone, wall = time.monotonic(), time.time() * 1000
        with self.load.lock:
            late = {p: self.ops(p) for p in self.load.phones}
        tabs, bad = self.db.left()
        while self.held:
            self.held.pop().wait(20)
        self.read_unacked()
        for a, b in zip(before, tabs):
            bad += self.none_back(a, b)
        for t in tabs:
            bad += self.no_newer(t, late, wall)
            self.looked += len(t)
        bad += self.all_there(tabs, ops, bound)
        if lite:
            self.since = gone
        t0 = time.monotonic()
        if lite:
            for n in self.lab.nodes:
                n.start()
            for n in self.lab.nodes:
                n.wait_ready(self.opt.ready)
            bad += self.all_shown(tabs, killed)
        else:
            victim.cont()
            self.catch_up(victim)
        self.ready_ms.append((time.monotonic() - t0) * 1000)
        if bad:
            self.failed += 1
        if bad or self.opt.verbose:
            print('round %d, seed %d: %s, %d rows, %d promises so far, ready '
                  'after %d ms' % (i, self.opt.seed, victim.name,
                                   sum(map(len, tabs)), self.confirmed,
                                   self.ready_ms[-1]), flush=True)
        for text in bad[:40]:
            print(text if text.startswith(' ') else 'FAIL ' + text)

    def catch_up(self, node):
        end = time.monotonic() + 30
        n = node.status()['sql']['rows_written']
        while True:
            s = node.status()['sql']
            if s['state'] == 'up' and s['rows_written'] > n:
                return
            if time.monotonic() > end:
                raise TimeoutError('the database is back, and not used: %s'
                                   % s)
            time.sleep(0.02)

    def verify(self):
        bad = 0
        for n in self.lab.nodes:
            r = ctl('db', 'verify', '-c', self.lab.path(n.name + '.conf'))
            if r.returncode:
                print('FAIL verify of %s: %s%s' % (n.name, r.stdout, r.stderr))
                bad += 1
        return bad

    def run(self):
        self.lab.start(20)
        self.load.start(self.opt.rate)
        end = time.monotonic() + 60
        while self.load.answered() < self.opt.phones:
            if time.monotonic() > end:
                raise TimeoutError('%d of %d phones have registered' % (
                    self.load.answered(), self.opt.phones))
            time.sleep(0.01)
            self.load._alive()
        i, most = 0, 2 * self.opt.rounds + 5
        while self.ran < self.opt.rounds and i < most:
            i += 1
            self.round(i)
        self.load.pause()
        self.load.settle()
        return self.report() + self.verify()

    def report(self):
        extra = 0
        for what, n in (('rounds', self.opt.rounds - self.ran),
                        ('rows', not self.looked),
                        ('promises', not self.confirmed)):
            if n > 0:
                print('FAIL %d %s short: proved nothing' % (n, what))
                extra += 1
        r = sorted(self.ready_ms) or [0]
        print('# %s, seed %d: %d rounds, each within a transaction, %d with a '
              'fault; %d void and repeated; %d stops between transactions; '
              '%d requests open at the kills' % (
                  self.db.name, self.opt.seed, self.ran, self.failed,
                  self.void, self.missed, self.lost_ops))
        print('# looked at %d rows, %d promises kept by a flush, %d contacts '
              'after a start; %s after %d ms (median), %d (max)' % (
                  self.looked, self.confirmed, self.shown,
                  'ready' if self.opt.db == 'sqlite' else 'written again',
                  r[len(r) // 2], r[-1]))
        if self.opt.db == 'sqlite':
            t = [x for x in self.db.torn if x]
            print('# %d kills cost changes that were not written yet, %d in '
                  'all; %d files had pages of a transaction without its '
                  'commit, %d at most' % (
                      sum(x > 0 for x in self.taken), sum(self.taken),
                      len(t), max(t or [0])))
        print('# requests: %s; answers: %s' % (
            dict(self.load.whats), dict(self.load.statuses)))
        return self.failed + extra


def main():
    ap = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    ap.add_argument('--db', default='sqlite',
                    choices=('sqlite', 'postgresql', 'mariadb'))
    ap.add_argument('--rounds', type=int, default=30)
    ap.add_argument('--seed', type=int, default=1)
    ap.add_argument('--nodes', type=int, default=1)
    ap.add_argument('--rate', type=int, default=700, help='REGISTER/s')
    ap.add_argument('--phones', type=int, default=900)
    ap.add_argument('--interval', type=int, default=150,
                    help='of flushes [ms]')
    ap.add_argument('--gap', type=float, default=0.2,
                    help='longest pause before a kill [s]')
    ap.add_argument('--wait', type=float, default=4,
                    help='for a transaction [s]')
    ap.add_argument('--ready', type=float, default=30,
                    help='limit of a restart [s]')
    ap.add_argument('--dir', help='keep settings, logs and databases there')
    ap.add_argument('-v', dest='verbose', action='store_true')
    opt = ap.parse_args()
    if opt.db != 'sqlite' and opt.nodes != 1:
        ap.error('--db: one node')
    if opt.db != 'sqlite':
        opt.wait = max(opt.wait, 15)     # a stop and a question take longer
    if not os.environ.get('SQL_ROUNDS_NS'):
        os.environ['SQL_ROUNDS_NS'] = '1'
        cmd = namespace() + ['sh', '-c', 'ip link set lo up && exec "$@"',
                             'sh', sys.executable] + sys.argv
        os.execvp(cmd[0], cmd)
    print('# sql_rounds: %s, seed %d, %d rounds' % (opt.db, opt.seed,
                                                   opt.rounds), flush=True)
    # where a sync costs nothing, transactions are hit before it, not within
    fast = '/dev/shm' if os.access('/dev/shm', os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix='sql-rounds-', dir=fast) as tmp:
        r = Rounds(opt, os.path.abspath(opt.dir or tmp))
        try:
            bad = r.run()
        finally:
            r.load.stop()
            ended = {p.name: p.end(20) for p in r.lab.procs}
            if opt.db != 'sqlite':
                r.db.end()
        for p in r.lab.procs:
            if ended[p.name]:
                print('FAIL %s ended with status %s:\n%s' % (
                    p.name, ended[p.name], p.log_tail()))
                bad += 1
    print('%d passed, %d failed, 0 skipped' % (max(r.ran - r.failed, 0), bad))
    sys.exit(1 if bad else 0)


if __name__ == '__main__':
    main()
