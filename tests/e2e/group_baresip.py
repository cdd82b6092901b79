"""Two baresip phones with real addresses call each other through the edge.

baresip 1.0 ignores loopback, so each phone lives in a namespace of its own,
tied to this one by a veth pair; the edge has 10.77.0.1.
"""
import json
import os
import shutil
import socket
import subprocess
import time

from e2e import Skip, check, equal, eventually, test

EDGE = '10.77.0.1'
USERS = {'alice': 'pw-alice', 'bob': 'pw-bob'}


def sh(*cmd):
    r = subprocess.run(cmd, capture_output=True, text=True)
    if r.returncode:
        raise AssertionError('%s: %s' % (' '.join(cmd), r.stderr.strip()))


def setup(ctx):
    sh('ip', 'addr', 'add', EDGE + '/32', 'dev', 'lo')
    with open('/proc/sys/net/ipv4/ip_forward', 'w') as f:
        f.write('1')


class Space:
    """A network namespace with one address, held open by a sleeping child."""

    def __init__(self, number):
        self.ip = '10.77.%d.2' % number
        gw, mine, theirs = '10.77.%d.1' % number, 'v%da' % number, \
            'v%db' % number
        self.p = subprocess.Popen(['unshare', '-n', 'sleep', '600'])
        own = os.readlink('/proc/self/ns/net')
        eventually(lambda: os.readlink('/proc/%d/ns/net' % self.p.pid) != own,
                   2, 'namespace')
        sh('ip', 'link', 'add', mine, 'type', 'veth', 'peer', 'name', theirs)
        sh('ip', 'link', 'set', theirs, 'netns', str(self.p.pid))
        sh('ip', 'addr', 'add', gw + '/24', 'dev', mine)
        sh('ip', 'link', 'set', mine, 'up')
        for cmd in (['link', 'set', 'lo', 'up'],
                    ['addr', 'add', self.ip + '/24', 'dev', theirs],
                    ['link', 'set', theirs, 'up'],
                    ['route', 'add', 'default', 'via', gw]):
            sh(*self.inside('ip', *cmd))

    def inside(self, *cmd):
        return ['nsenter', '-t', str(self.p.pid), '-n'] + list(cmd)

    def close(self):
        self.p.kill()
        self.p.wait()


def module_path():
    for p in ('/usr/lib/baresip/modules', '/usr/lib64/baresip/modules',
              '/usr/local/lib/baresip/modules'):
        if os.path.isdir(p):
            return p
    raise Skip('no baresip modules found')


class Baresip:
    def __init__(self, ctx, space, user, transport, answer='manual'):
        self.dir = os.path.join(ctx.dir, user)
        os.makedirs(self.dir)
        self.user, self.events, self.buf = user, [], b''
        with open(os.path.join(self.dir, 'config'), 'w') as f:
            f.write('\n'.join([
                'sip_listen %s:5060' % space.ip, 'sip_verify_server no',
                'call_local_timeout 30', 'call_max_calls 4',
                # no audio driver at all: RTP is not what is tested
                'module_path ' + module_path(), 'module stdio.so',
                'module g711.so', 'module_tmp account.so',
                'module_app menu.so', 'module_app ctrl_tcp.so',
                'ctrl_tcp_listen %s:4444' % space.ip, '']))
        with open(os.path.join(self.dir, 'accounts'), 'w') as f:
            f.write('<sip:%s@example.com;transport=%s>;auth_user=%s;'
                    'auth_pass=%s;outbound="sip:%s:5060;transport=%s";'
                    'regint=60;answermode=%s\n' % (
                        user, transport, user, USERS[user], EDGE, transport,
                        answer))
        log = open(os.path.join(self.dir, 'log'), 'wb')
        self.p = subprocess.Popen(
            space.inside('baresip', '-4', '-f', self.dir),
            stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=self.dir)
        log.close()
        ctx.after(self.close)
        self.s = eventually(lambda: self.connect(space.ip), 8,
                            'control port of ' + user)

    def connect(self, ip):
        if self.p.poll() is not None:
            raise AssertionError('baresip has ended: ' + self.tail())
        try:
            s = socket.create_connection((ip, 4444), 1)
        except OSError:
            return None
        s.setblocking(False)
        return s

    def tail(self):
        with open(os.path.join(self.dir, 'log'), errors='replace') as f:
            return '\n'.join([ln for ln in f.read().split('\n')
                              if ln.strip() and 'audio=' not in ln][-15:])

    def command(self, command, params=''):
        msg = json.dumps({'command': command, 'params': params}).encode()
        self.s.sendall(b'%d:%s,' % (len(msg), msg))

    def poll(self):
        try:
            while True:
                d = self.s.recv(65536)
                if not d:
                    break
                self.buf += d
        except OSError:
            pass
        while b':' in self.buf:
            n, _, rest = self.buf.partition(b':')
            if len(rest) < int(n) + 1:
                break
            self.events.append(json.loads(rest[:int(n)].decode()))
            self.buf = rest[int(n) + 1:]
        return [e.get('type') for e in self.events if e.get('event')]

    def wait(self, what, n=1, limit=8.0):
        try:
            eventually(lambda: self.poll().count(what) >= n, limit, what)
        except TimeoutError as e:
            raise AssertionError('%s: %s; events %s\n%s' % (
                self.user, e, self.poll(), self.tail()))

    def registered(self):
        """REGISTER may have been answered before we could listen."""
        eventually(lambda: 'REGISTER_OK' in self.poll() or
                   '200 OK' in self.tail(), 8, 'registration of ' + self.user)

    def close(self):
        self.p.terminate()
        try:
            self.p.wait(3)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()


def call_each_other(ctx, transport):
    if not shutil.which('baresip'):
        raise Skip('baresip is not installed')
    lab = ctx.lab(users=USERS, edge_conf={'listen': [
        {'transport': t, 'address': EDGE, 'port': 5060}
        for t in ('udp', 'tcp')]})
    spaces = [Space(1), Space(2)]
    for s in spaces:
        ctx.after(s.close)
    a = Baresip(ctx, spaces[0], 'alice', transport)
    b = Baresip(ctx, spaces[1], 'bob', transport)
    for p in (a, b):
        p.registered()
    rounds = 0
    for caller, callee in ((a, b), (b, a)):
        for ends in (caller, callee):
            rounds += 1
            # events carry on: wait for one more of a kind than before
            incoming = 1 + callee.poll().count('CALL_INCOMING')
            ringing = 1 + caller.poll().count('CALL_RINGING')
            caller.command('dial', 'sip:%s@example.com' % callee.user)
            callee.wait('CALL_INCOMING', incoming)
            caller.wait('CALL_RINGING', ringing)
            callee.command('accept')
            for p in (caller, callee):
                p.wait('CALL_ESTABLISHED', rounds)
            ends.command('hangup')
            for p in (caller, callee):
                p.wait('CALL_CLOSED', rounds)
    log = ''.join(p.log() for p in lab.procs)
    check('level=error' not in log, 'errors in the logs')
    m = lab.edge.metrics()
    equal(sum(v for k, v in m.items() if k.startswith(
        'edgewise_sbc_lost_total')), 0, 'lost')
    check(m.get('edgewise_sbc_dialog_total', 0) >= 4, 'no BYE passed')


@test
def t_udp(ctx):
    """two baresip phones call each other over UDP, each side hangs up once"""
    call_each_other(ctx, 'udp')


@test
def t_tcp(ctx):
    """two baresip phones call each other over TCP, each side hangs up once"""
    call_each_other(ctx, 'tcp')
