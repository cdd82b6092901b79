"""Who gets in: users in a database that may be away, passwords that change or
are guessed, credentials used twice or at another node."""
import os
import signal
import sqlite3
import subprocess
import time

from e2e import Skip, check, equal, eventually, test
from lab import TREE, find_program
from sipmsg import answer_challenge
from sipua import Auto

USERS = {u: 'pw-' + u for u in ('alice', 'bob', 'carol')}
CACHE = {'ttl': 1, 'ttl_no': 0, 'wait': 250}


def ctl(*args, stdin=None, rc=0):
    r = subprocess.run([find_program('edgewise')] + list(args), input=stdin,
                       capture_output=True, text=True, timeout=20,
                       check=False)
    equal(r.returncode, rc, 'edgewise %s: %s' % (' '.join(args), r.stderr))
    return r.stdout


def user(url, what, name, password=None, rc=0):
    args = ['user', what, '-d', url]
    if password:
        args.append('--stdin')
    return ctl(*args, name + '@example.com',
               stdin=password and password + '\n', rc=rc)


def database(ctx):
    """A SQLite file with the users in it: its path and URL."""
    path = os.path.join(ctx.root, 'users.db')
    url = 'sqlite://' + path
    if not os.path.exists(path):
        ctl('db', 'init', '-d', url)
        for u, pw in USERS.items():
            user(url, 'add', u, pw)
    return path, url


def sql_lab(ctx, url, nodes=1, cache=None, **kw):
    return ctx.lab(users=USERS, nodes=nodes, node_conf={
        'users': 'sql', 'users_db_url': url, 'users_file': '',
        'users_cache': cache or CACHE, 'auth_delay': 0}, **kw)


def figure(lab, name):
    return sum(n.metrics().get('edgewise_' + name, 0) for n in lab.nodes)


def phone(lab, who, **kw):
    u = lab.ua(who, **kw)
    u.password = kw.get('password', USERS.get(who))
    u.auto = Auto()
    return u


@test(name='sql')
def t_sql(ctx):
    """users of a database register and call; wrong and unknown ones get 401"""
    _, url = database(ctx)
    lab = sql_lab(ctx, url)
    a, b = phone(lab, 'alice'), phone(lab, 'bob')
    for u in (a, b):
        equal(u.register().status, 200, 'REGISTER')
    call = a.invite(b.aor)
    equal(call.wait_final().status, 200, 'INVITE %s' % call.statuses())
    b.wait_call().wait_ack()
    equal(call.bye().status, 200, 'BYE')
    equal(phone(lab, 'carol', password='x').register().status, 401, 'wrong')
    equal(phone(lab, 'nobody', password='x').register().status, 401, 'none')
    equal(ctl('user', 'list', '-d', url).splitlines(),
          ['%s@example.com MD5 SHA-256' % u for u in sorted(USERS)],
          'edgewise user list')


@test(name='sql-changes')
def t_changes(ctx):
    """a new user and a new password open at once, the old one only for ttl"""
    path, url = database(ctx)
    lab = sql_lab(ctx, url)
    new, old = phone(lab, 'dave', password='one'), phone(lab, 'dave',
                                                         password='one')
    equal(new.register().status, 401, 'nobody yet')
    user(url, 'add', 'dave', 'one')
    equal(new.register().status, 200, 'added')
    user(url, 'add', 'dave', 'one', rc=1)
    user(url, 'passwd', 'dave', 'two')
    new.password = 'two'
    equal(new.register().status, 200, 'the new password')
    eventually(lambda: old.register().status == 401, 5, 'the old one is out')
    user(url, 'del', 'dave')
    eventually(lambda: new.register().status == 401, 5, 'deleted')
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO subscriber (username, domain, password) "
                   "VALUES ('erin', 'example.com', 'plain')")
    equal(phone(lab, 'erin', password='plain').register().status, 200,
          'a plain password')
    user(url, 'del', 'erin')


@test(name='sql-reload')
def t_reload(ctx):
    """at SIGHUP a node forgets that an old password was right"""
    _, url = database(ctx)
    lab = sql_lab(ctx, url, cache={'ttl': 600})
    user(url, 'add', 'frank', 'one')
    u = phone(lab, 'frank', password='one')
    equal(u.register().status, 200, 'REGISTER')
    user(url, 'passwd', 'frank', 'two')
    equal(u.register().status, 200, 'for ttl')
    lab.nodes[0].signal(signal.SIGHUP)
    eventually(lambda: u.register().status == 401, 5, 'refusal')
    user(url, 'del', 'frank')


@test(name='sql-away')
def t_away(ctx):
    """database away: who is known is served, nobody is told he is wrong"""
    path, url = database(ctx)
    lab = sql_lab(ctx, url)
    known = [phone(lab, u) for u in ('alice', 'bob')]
    for u in known:
        equal(u.register().status, 200, 'REGISTER')
    with sqlite3.connect(path) as db:
        db.execute('ALTER TABLE subscriber RENAME TO gone')
    end = time.monotonic() + 2 * CACHE['ttl'] + 1
    try:
        while time.monotonic() < end:
            for u in known:
                equal(u.register().status, 200, 'refresh')
        check(figure(lab, 'node_auth_by_old_total') > 0, 'nothing was old')
        for who, pw in ('alice', 'wrong'), ('carol', USERS['carol']), \
                ('nobody', 'x'):
            r = phone(lab, who, password=pw).register()
            check(r.status in (500, 503), '%s got %d', who, r.status)
        call = known[0].invite(known[1].aor)
        equal(call.wait_final().status, 200, 'INVITE')
        equal(call.bye().status, 200, 'BYE')
    finally:
        with sqlite3.connect(path) as db:
            db.execute('ALTER TABLE gone RENAME TO subscriber')
    eventually(lambda: phone(lab, 'carol').register().status == 200, 10, 'served again')
    eventually(lambda: figure(lab, 'node_users_away') == 0, 5, 'back')


def server(ctx):
    tool = os.path.join(TREE, 'tests', 'support', 'sqlserver')
    place = os.path.join(ctx.root, 'pg')
    r = subprocess.run([tool, 'start', 'postgresql', place],
                       stdout=subprocess.PIPE, text=True, timeout=60,
                       check=False)
    if r.returncode == 77:
        raise Skip('postgresql is not installed')
    equal(r.returncode, 0, 'sqlserver start')
    ctx.after(lambda: subprocess.run([tool, 'kill', place], check=False))
    return tool, place, r.stdout.strip()


@test(name='sql-frozen')
def t_frozen(ctx):
    """PostgreSQL frozen: known users do not wait, and it recovers by itself"""
    tool, place, url = server(ctx)
    ctl('db', 'init', '-d', url)
    for u, pw in USERS.items():
        user(url, 'add', u, pw)
    lab = sql_lab(ctx, url)
    known = [phone(lab, u) for u in ('alice', 'bob')]
    for u in known:
        equal(u.register().status, 200, 'REGISTER')
    subprocess.run([tool, 'freeze', place], check=True)
    worst, end = 0.0, time.monotonic() + CACHE['ttl'] + 2
    try:
        while time.monotonic() < end:
            for u in known:
                begin = time.monotonic()
                equal(u.register().status, 200, 'refresh')
                worst = max(worst, time.monotonic() - begin)
            time.sleep(0.05)
        check(worst < 0.5, 'a refresh took %.3f s', worst)
        r = phone(lab, 'carol').register()
        check(r.status in (500, 503), 'unknown as yet: %d', r.status)
    finally:
        subprocess.run([tool, 'thaw', place], check=True)
    eventually(lambda: phone(lab, 'carol').register().status == 200, 10, 'served again')


@test(name='guess')
def t_guess(ctx):
    """who guesses is not listened to; the owner gets in, where he was before
    and elsewhere"""
    lab = ctx.lab(users=USERS, nodes=1)
    owner = phone(lab, 'alice')
    equal(owner.register().status, 200, 'the owner')
    bad = phone(lab, 'alice', host='127.0.0.9', password='guess')
    for _ in range(4):
        equal(bad.register().status, 401, 'guess')
    bad.password = USERS['alice']
    equal(bad.register().status, 401, 'right, but not looked at')
    check(figure(lab, 'node_auth_delayed_total') == 1, 'not delayed')
    equal(owner.register().status, 200, 'the owner at home')
    equal(phone(lab, 'alice', host='127.0.0.8').register().status, 200,
          'the owner abroad')
    eventually(lambda: bad.register().status == 200, 5, 'the wait ends')


def challenge_of(u):
    return u.register(auth=False)


def with_nc(u, ch, nc):
    return u.register(headers=[answer_challenge(
        ch, 'REGISTER', 'sip:example.com', u.user, u.password, nc=nc)],
        auth=False)


@test(name='nc')
def t_nc(ctx):
    """a count opens once; what was sent to one address opens at no other"""
    lab = ctx.lab(users=USERS, nodes=1)
    a, thief = phone(lab, 'alice'), phone(lab, 'alice', host='127.0.0.9')
    ch = challenge_of(a)
    equal(with_nc(a, ch, 1).status, 200, 'nc=1')
    r = with_nc(a, ch, 1)
    equal(r.status, 401, 'nc=1 again')
    check('stale=true' in r.get('WWW-Authenticate', ''), 'not stale')
    equal(with_nc(a, ch, 2).status, 200, 'nc=2')
    equal(with_nc(thief, ch, 3).status, 401, 'from elsewhere')
    equal(with_nc(a, ch, 3).status, 200, 'nc=3')
    check(figure(lab, 'node_auth_replayed_total') == 1, 'not counted')


@test(name='nonce-elsewhere')
def t_elsewhere(ctx):
    """the node that gave a nonce dies: the next one takes it"""
    lab = ctx.lab(users=USERS, nodes=2)
    a = phone(lab, 'alice')
    ch = challenge_of(a)
    equal(with_nc(a, ch, 1).status, 200, 'REGISTER')
    took = max(lab.nodes, key=lambda n: n.metrics()[
        'edgewise_node_auth_passed_total'])
    took.kill()
    equal(with_nc(a, ch, 2).status, 200, 'REGISTER at the other node')
    left = next(n for n in lab.nodes if n is not took)
    equal(left.metrics()['edgewise_node_auth_passed_total'], 1,
          'passed there')
    equal(left.metrics()['edgewise_node_auth_stale_total'], 0, 'stale')


@test(name='sql-sha-256')
def t_sha256(ctx):
    """a domain with SHA-256 alone, users in a database"""
    path, url = database(ctx)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE subscriber SET ha1 = '' WHERE username = 'bob'")
    lab = sql_lab(ctx, url, algorithms=['SHA-256'])
    u = phone(lab, 'bob', prefer='SHA-256')
    equal(u.register().status, 200, 'REGISTER')
    check('MD5' not in u.wire('in').decode(), 'MD5 was offered')
