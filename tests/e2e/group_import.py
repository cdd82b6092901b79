"""`edgewise db import`: phones that registered at a Kamailio are called through
Edgewise."""
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time

from e2e import Skip, check, equal, eventually, test
from group_cli import cli
from lab import TREE
from sipua import Auto, Ua

IP = '127.0.0.77'
SQL = '/usr/share/kamailio/db_sqlite'
MODULES = '/usr/lib/x86_64-linux-gnu/kamailio/modules'
CFG = '''#!KAMAILIO
debug=-1
log_stderror=yes
children=1
tcp_children=1
dns=no
rev_dns=no
auto_aliases=no
listen=udp:%(ip)s:%(port)d
listen=tcp:%(ip)s:%(port)d
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "db_sqlite.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
modparam("usrloc", "db_mode", 1)
modparam("usrloc", "db_url", "sqlite:///%(db)s")
modparam("usrloc", "use_domain", 1)
modparam("registrar", "received_avp", "$avp(RCV)")
modparam("registrar", "use_path", 1)
request_route {
	if (is_method("REGISTER")) {
		if ($pr == "udp") $avp(RCV) = "sip:" + $si + ":" + $sp;
		else $avp(RCV) = "sip:" + $si + ":" + $sp + ";transport=tcp";
		if (!save("location")) sl_reply_error();
		exit;
	}
	sl_send_reply("404", "Not Found");
}
'''


class Kamailio:
    """One registrar with its location table in SQLite."""

    def __init__(self, ctx, lab):
        if not shutil.which('kamailio') or not os.path.exists(
                SQL + '/usrloc-create.sql'):
            raise Skip('kamailio with kamailio-sqlite-modules is not '
                       'installed')
        d = lab.path('kamailio')
        os.makedirs(d)
        self.db = d + '/k.db'
        with sqlite3.connect(self.db) as c:
            for f in ('standard', 'usrloc'):
                with open('%s/%s-create.sql' % (SQL, f)) as r:
                    c.executescript(r.read())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind((IP, 0))
            self.at = IP, s.getsockname()[1]
        with open(d + '/k.cfg', 'w') as f:
            f.write(CFG % {'ip': IP, 'port': self.at[1], 'db': self.db})
        self.log = open(d + '/log', 'wb')
        self.p = subprocess.Popen(
            ['kamailio', '-DD', '-E', '-m', '32', '-M', '8', '-w', d, '-Y', d,
             '-P', d + '/pid', '-f', d + '/k.cfg'], stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=self.log, start_new_session=True)
        self.gone = False
        ctx.after(self.kill)
        # its children listen a moment after it has started
        ua = Ua('nobody', lab.domain, self.at, host='127.0.0.1')
        ctx.after(ua.close)
        eventually(lambda: ua.request('OPTIONS', 'sip:%s:%d' % self.at,
                                      limit=1).status, 10, 'Kamailio')

    def kill(self):
        if not self.gone:
            self.gone = True
            os.killpg(self.p.pid, signal.SIGKILL)
            self.p.wait(5)
            self.log.close()

    def rows(self, sql, *args):
        with sqlite3.connect(self.db) as c:
            return c.execute(sql, args).fetchall()


def imp(lab, *args):
    return cli(lab, 'db', 'import', '--edge-config', lab.path('edge.conf'),
               '--node-config', lab.path('n1.conf'), *args)


def contacts(lab, user):
    node = lab.nodes[0]
    rc, out, err = cli(lab, 'location', 'show', '--json', '-u',
                       'http://%s:%d' % (node.http_ip, node.http_port),
                       '%s@%s' % (user, lab.domain))
    return re.findall(r'"contact": *"([^"]*)"', out)


def one_contact(lab, user):
    rc, out, err = cli(lab, 'location', 'show', '--json', '-u',
                       'http://%s:%d' % (lab.nodes[0].http_ip,
                                         lab.nodes[0].http_port),
                       '%s@%s' % (user, lab.domain))
    found = out.splitlines()
    equal(len(found), 1, 'contacts of ' + user)
    return json.loads(found[0])


@test(name='kamailio', limit=60)
def t_kamailio(ctx):
    """a phone registered at Kamailio is called after the import; all rows are
    counted; its next REGISTER takes the place of what was imported"""
    lab = ctx.lab(nodes=2, users={'alice': 'a', 'bob': 'b'})
    kam = Kamailio(ctx, lab)
    alice = lab.ua('alice')
    equal(alice.register().status, 200, 'REGISTER of alice')
    # two phones of one user, and one whose connection ends
    bob = Ua('bob', lab.domain, kam.at, password='b', host='127.0.0.1')
    carol = Ua('carol', lab.domain, kam.at, transport='tcp',
               host='127.0.0.1')
    for u in (bob, carol):
        ctx.after(u.close)
        equal(u.register().status, 200, 'REGISTER of ' + u.user)
    evil = "x'); DROP TABLE location; --\n\"<>"
    for i, (user, domain, contact, path, expires) in enumerate((
            ('old', lab.domain, 'sip:o@192.0.2.1', None, 2451545.5),
            ('far', lab.domain, 'sip:f@192.0.2.1', '<sip:192.0.2.7;lr>',
             2488070.5),
            ('named', lab.domain, 'sip:n@phone.invalid', None, 2488070.5),
            ('alien', 'elsewhere.invalid', 'sip:a@192.0.2.1', None,
             2488070.5),
            (evil, lab.domain, evil, None, 2488070.5))):
        kam.rows('INSERT INTO location (ruid, username, domain, contact, '
                 'path, expires, callid) VALUES (?,?,?,?,?,?,?)', 'r%d' % i,
                 user, domain, contact, path, expires, 'c%d' % i)
    kam.kill()
    call = alice.invite(bob.aor)
    equal(call.wait_final(8).status, 480, 'bob is not known yet')

    rc, out, err = imp(lab, '--dry-run', kam.db)
    equal((rc, out.splitlines()[0]), (1, '7 rows, 2 can be taken, 5 not'),
          'dry run' + err)
    equal(contacts(lab, 'bob'), [], 'a dry run takes nothing')
    rc, out, err = imp(lab, '--verbose', kam.db)
    check('7 rows, 1 taken, 6 not' in out, 'counts: %s %s', out, err)
    for why in ('expired', 'Path of another', 'names a host',
                'connection (TCP', 'domain not served', 'bad contact'):
        check(re.search(r'^ +1  .*%s' % re.escape(why), out, re.M),
              '%s in %s', why, out)
    equal(rc, 1, 'status')
    check(evil not in out and evil.replace('\n', '?') in out,
          'hostile text: %r', out)
    # nothing was done to the other program's file
    equal(kam.rows('PRAGMA journal_mode')[0][0], 'delete', 'journal')
    equal(kam.rows('SELECT COUNT(*) FROM location')[0][0], 7, 'rows')

    bob.auto = Auto(answer=0.05)
    call = alice.invite(bob.aor)
    equal(call.wait_final(8).status, 200, 'INVITE %s' % call.statuses())
    got = bob.wait_call()
    got.wait_ack()
    equal(call.bye().status, 200, 'BYE')
    # the other node has it, too
    lab.nodes[0].kill()
    call = alice.invite(bob.aor)
    equal(call.wait_final(8).status, 200, 'INVITE %s' % call.statuses())
    equal(call.bye().status, 200, 'BYE')
    lab.nodes[0].start().wait_ready()
    eventually(lambda: len(contacts(lab, 'bob')) == 1, 10, 'n1 has it again')

    rc, out, err = imp(lab, kam.db)
    check('0 taken, 7 not' in out and 'known here' in out, 'again: %s', out)
    bob.proxy = lab.proxy
    equal(bob.register().status, 200, 'REGISTER of bob')
    equal(len(contacts(lab, 'bob')), 1, 'contacts of bob')
    call = alice.invite(bob.aor)
    equal(call.wait_final(8).status, 200, 'INVITE %s' % call.statuses())
    equal(call.bye().status, 200, 'BYE')


@test(name='no-token')
def t_no_token(ctx):
    """without the token of edge and node nothing is taken"""
    lab = ctx.lab(nodes=1, users={'alice': 'a'})
    d = lab.path('t.db')
    wrong = lab.path('wrong')
    with open(wrong, 'w') as f:
        f.write('0' * 64 + '\n')
    with sqlite3.connect(d) as c:
        c.execute('CREATE TABLE location (username TEXT, domain TEXT, '
                  'contact TEXT, expires INT, callid TEXT)')
        c.execute('INSERT INTO location VALUES (?,?,?,?,?)', (
            'alice', lab.domain, 'sip:a@127.0.0.1:9', int(time.time()) + 600,
            'c1'))
    for which in ('--edge-token', '--node-token'):
        rc, out, err = imp(lab, which, wrong, d)
        check(rc == 2 and 'refused' in err, '%s: %d %s', which, rc, err)
    equal(contacts(lab, 'alice'), [], 'contacts')
    rc, out, err = imp(lab, d)
    equal((rc, out), (0, '1 rows, 1 taken, 0 not\n'), 'an OpenSIPS row')


SHARE = '/usr/share/kamailio'
SERVER = os.path.join(TREE, 'tests', 'support', 'sqlserver')


class Server:
    """A PostgreSQL or MariaDB of the test's own, with tables that Kamailio's
    scripts have made."""

    def __init__(self, ctx, kind):
        scripts = '%s/%s/' % (SHARE, 'postgres' if kind == 'postgresql' else
                              'mysql')
        if not os.path.exists(scripts + 'usrloc-create.sql'):
            raise Skip('Kamailio\'s tables for %s are not installed' % kind)
        # its user must come through
        d = tempfile.mkdtemp(prefix='ew-import-')
        os.chmod(d, 0o755)
        ctx.after(lambda: shutil.rmtree(d, ignore_errors=True))
        self.kind, dir_ = kind, d + '/db'
        ctx.after(lambda: subprocess.run([SERVER, 'kill', dir_], check=False))
        with open(d + '/url', 'w+') as out:
            rc = subprocess.run([SERVER, 'start', kind, dir_], stdout=out,
                                check=False).returncode
            out.seek(0)
            self.url = out.read().strip()
        if rc == 77:
            raise Skip('%s is not installed' % kind)
        equal(rc, 0, 'start of ' + kind)
        self.port = re.search(r':(\d+)/', self.url).group(1)
        for f in ('standard', 'usrloc'):
            with open('%s%s-create.sql' % (scripts, f)) as r:
                self.sql(r.read())

    def sql(self, text):
        if self.kind == 'postgresql':
            cmd = ['psql', '-X', '-q', '-t', '-A', '-v', 'ON_ERROR_STOP=1',
                   '-h', '127.0.0.1', '-p', self.port, '-U', 'edgewise',
                   'edgewise']
        else:
            cmd = ['mariadb', '--no-defaults', '-N', '-B',
                   '--default-character-set=utf8mb4', '-h', '127.0.0.1',
                   '-P', self.port, '-u', 'edgewise', 'edgewise']
        r = subprocess.run(cmd, input=text, capture_output=True, text=True,
                           timeout=30, check=False, env=dict(
                               os.environ, PGPASSWORD='secret',
                               MYSQL_PWD='secret'))
        equal(r.returncode, 0, r.stderr)
        return r.stdout


def from_server(ctx, kind):
    db = Server(ctx, kind)
    lab = ctx.lab(nodes=2, users={'alice': 'a', 'bob': 'b'})
    alice = lab.ua('alice')
    equal(alice.register().status, 200, 'REGISTER of alice')
    bob = lab.ua('bob')
    bob.auto = Auto(answer=0.05)
    at = 'sip:bob@%s:%d' % (bob.host, bob.port)

    def when(s):                     # local time, as Kamailio writes it
        return time.strftime('%Y-%m-%d %H:%M:%S',
                             time.localtime(time.time() + s))
    # no ASCII, as its tables can hold it: MariaDB's are Latin-1
    odd = 'ol\u00e9 \u2603' if kind == 'postgresql' else 'ol\u00e9'
    for i, (user, contact, received, expires, agent) in enumerate((
            ('bob', 'sip:bob@192.0.2.5:5060', at, when(600), odd),
            ('gone', at, '', when(-5), 'x'),
            ('tcp', at + ';transport=tcp', '', when(600), 'x'),
            ('mail', 'mailto:a@example.com', '', when(600), 'x'))):
        db.sql("INSERT INTO location (ruid, username, domain, contact, "
               "received, expires, q, callid, cseq, user_agent) VALUES "
               "('r%d', '%s', '%s', '%s', %s, '%s', 0.5, 'c%d', %d, '%s');" % (
                   i, user, lab.domain, contact, "'%s'" % received if received
                   else 'NULL', expires, i, 7 + i, agent))
    rc, out, err = imp(lab, '--dry-run', db.url)
    equal((rc, out.splitlines()[0]), (1, '4 rows, 1 can be taken, 3 not'),
          'dry run: ' + out + err)
    equal(contacts(lab, 'bob'), [], 'a dry run takes nothing')
    rc, out, err = imp(lab, '--verbose', db.url)
    check('\n4 rows, 1 taken, 3 not\n' in out, 'import: %s %s', out, err)
    for why in ('expired', 'connection (TCP', 'bad contact'):
        check(re.search(r'^ +1  .*%s' % re.escape(why), out, re.M),
              '%s in %s', why, out)
    check('secret' not in out + err, 'the password: %s%s', out, err)
    call = alice.invite(bob.aor)
    equal(call.wait_final(8).status, 200, 'INVITE %s' % call.statuses())
    equal(call.bye().status, 200, 'BYE')
    c = one_contact(lab, 'bob')
    check(580000 < c['expires_ms'] <= 600000, 'it runs out when it did there: '
          '%s', c)
    equal((c['agent'], c['q'], c['cseq'], c['callid']), (odd, 500, 7, 'c0'),
          'contact')
    equal(db.sql('SELECT count(*) FROM location;').split(), ['4'], 'rows')
    rc, out, err = imp(lab, db.url)
    check(out.startswith('4 rows, 0 taken, 4 not'), 'again: %s', out)


@test(name='postgresql', limit=60)
def t_postgresql(ctx):
    """rows of a Kamailio's tables in PostgreSQL are taken, told apart, called"""
    from_server(ctx, 'postgresql')


@test(name='mariadb', limit=60)
def t_mariadb(ctx):
    """rows of a Kamailio's tables in MariaDB are taken, told apart, called"""
    from_server(ctx, 'mariadb')
