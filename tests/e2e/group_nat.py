"""Phones behind a real NAT box are called after they were silent.

baresip and linphonec, over UDP and TCP, behind nft masquerade whose mappings
end early; their own keep-alives are off.  E2E_LONG=1: mappings of 30 s, 30 s
and 3 min of silence; E2E_LONG=2: 10 min as well.
"""
import os
import shutil
import subprocess
import time

from e2e import Skip, check, equal, eventually, test
from group_baresip import module_path
from group_node import reload, rewrite
from netlab import Nat, able_nat
from sipua import Ua

LONG = int(os.environ.get('E2E_LONG') or 0)
IDLE = 30 if LONG else 3             # [s] a mapping lives
EVERY = 20000 if LONG else 1000      # [ms] a phone is asked
SILENT = [[6], [31, 180], [31, 180, 600]][min(LONG, 2)]
USERS = {'b-udp': 'pw1', 'b-tcp': 'pw2', 'l-udp': 'pw3', 'l-tcp': 'pw4',
         'carol': 'pw5'}
PHONES = [u for u in USERS if u != 'carol']
PINGS = {'ping': {'contacts': 'nat', 'interval': EVERY,
                  'timeout': min(5000, EVERY // 2), 'max_failures': 3,
                  'remove_after': 1000}}
OFF = {'ping': {'contacts': 'off'}}


class Phone:
    """A program in a namespace behind the box, with a folder of its own."""

    def __init__(self, ctx, space, user):
        self.user, self.tp = user, user[2:]
        self.dir = os.path.join(ctx.dir, user)
        os.makedirs(self.dir)
        argv = self.prepare(space)
        with open(os.path.join(self.dir, 'log'), 'wb') as log:
            self.p = subprocess.Popen(
                space.inside(*argv), stdin=subprocess.PIPE, stdout=log,
                stderr=log, cwd=self.dir, env=dict(os.environ, HOME=self.dir))
        ctx.after(self.close)

    def write(self, name, lines):
        with open(os.path.join(self.dir, name), 'w') as f:
            f.write('\n'.join(lines) + '\n')

    def close(self):
        self.p.kill()
        self.p.wait()


class Baresip(Phone):
    def prepare(self, space):
        self.write('config', [
            'sip_listen %s:5060' % space.ip, 'call_max_calls 4',
            'module_path ' + module_path(), 'module stdio.so',
            'module g711.so', 'module_tmp account.so', 'module_app menu.so'])
        self.write('accounts', [
            '<sip:%s@example.com;transport=%s>;auth_pass=%s;outbound="sip:%s:'
            '5060;transport=%s";regint=3600;answermode=auto' % (
                self.user, self.tp, USERS[self.user], Nat.OURS, self.tp)])
        return ['baresip', '-4', '-f', self.dir]


class Linphone(Phone):
    def prepare(self, space):
        os.makedirs(os.path.join(self.dir, '.local/share/linphone'))
        self.write('rc', [
            '[sip]', 'default_proxy=0', 'keepalive_period=36000000',
            'use_ipv6=0', 'guess_hostname=1', '[proxy_0]',
            'reg_proxy=<sip:%s;transport=%s>' % (Nat.OURS, self.tp),
            'reg_route=<sip:%s;transport=%s;lr>' % (Nat.OURS, self.tp),
            'reg_identity=sip:%s@example.com' % self.user,
            'reg_expires=3600', 'reg_sendregister=1', 'publish=0',
            '[auth_info_0]', 'username=' + self.user,
            'passwd=' + USERS[self.user], 'realm=example.com',
            'domain=example.com'])
        return ['linphonec', '-a', '-c', os.path.join(self.dir, 'rc'), '-d', '5',
                '-l', os.path.join(self.dir, 'sip.log')]


def needed():
    for program in ('baresip', 'linphonec', 'nft'):
        if not shutil.which(program):
            raise Skip(program + ' is not installed')
    why = able_nat()
    if why:
        raise Skip('no NAT here: ' + why)


def call_all(carol, wanted):
    """Calls all phones at once, waits for `wanted` of each; what each call
    got from 180 on."""
    calls = {u: carol.invite('sip:%s@example.com' % u) for u in PHONES}

    def got(u):
        return [s for s in calls[u].statuses() if s >= 180]
    try:
        carol.wait_for(lambda: all(map(wanted, map(got, PHONES))), 6, 'answer')
    except TimeoutError:
        pass
    out = {u: got(u) for u in PHONES}
    for u, c in calls.items():
        if not c.final:
            c.cancel()
        elif c.final.status < 300:
            c.bye()
    carol.wait_for(lambda: all(c.final for c in calls.values()), 6, 'end')
    return out


def all_ring(carol, when):
    got = call_all(carol, lambda s: s and s[-1] >= 200)
    check(all(180 in s or 200 in s for s in got.values()), '%s: %s', when, got)


@test(limit=60 + 3 * sum(SILENT) if LONG else 60)
def pinged_phones_ring(ctx):
    """baresip and linphonec behind a NAT box, UDP and TCP: they ring after silence when they are pinged, and do not when they are not"""
    needed()
    nat = Nat(IDLE)
    ctx.after(nat.close)
    lab = ctx.lab(nodes=2, users=USERS, node_conf=PINGS, edge_conf={
        'listen': [{'transport': t, 'address': Nat.OURS, 'port': 5060}
                   for t in ('udp', 'tcp')]})
    for u in PHONES:
        (Baresip if u[0] == 'b' else Linphone)(ctx, nat.phone(), u)
    carol = Ua('carol', lab.domain, (Nat.OURS, 5060), host=Nat.OURS,
               password=USERS['carol'])
    ctx.after(carol.close)
    node = lab.nodes[0]
    eventually(lambda: len(node.contacts()) == len(PHONES), 10,
               'registration of all phones')
    all_ring(carol, 'at once')
    for s in SILENT:
        time.sleep(s)
        all_ring(carol, 'after %d s' % s)
    equal(len(node.contacts()), len(PHONES), 'contacts')
    for n in lab.names:
        rewrite(lab, n, OFF)
        check(reload(lab, n), 'no reload of ' + n)
    time.sleep(SILENT[0])
    got = call_all(carol, lambda s: s and s[-1] >= 300)
    check(not any(180 in s or 200 in s for s in got.values()),
          'without pings: %s', got)
