"""Contacts in a database: they outlive the loss of all nodes, and whatever the
database does, nobody who calls or registers notices."""
import json
import os
import re
import signal
import sqlite3
import subprocess
import time

from e2e import check, equal, eventually, test
from lab import find_program
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
        n.signal(signal.SIGHUP)
    eventually(lambda: all(n.status()['reloads'] for n in lab.nodes), 5,
               'reload')
    time.sleep(0.3)                  # the interval before ends
    equal(d.register().status, 200, 'dave')
    check(not any('dave@example.com' in rows(u) for u in urls), 'flushed')
    for n in lab.nodes:
        equal(n.end(10), 0, 'end of ' + n.name)
    again(lab)
    for n in lab.nodes:
        equal(aors(n), {'alice', 'dave'}, 'contacts of ' + n.name)


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
    ctl('db', 'init', '-d', urls[1])
    written(lab)
    for n in lab.nodes:
        equal(n.end(10), 0, 'end of ' + n.name)
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
