"""Runs sipp scenarios of tests/e2e/scenarios.

A scenario file is sipp's own XML; {{name key=value|key=value}} stands for a
block of blocks.txt with @key@ replaced (a line that is nothing but an unset
@key@ goes away). What sipp really gets is written into the test's folder.
"""
import datetime
import os
import re
import subprocess
import time

from sipua import Ua

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'scenarios')
DOMAIN = 'example.com'


class SippFailed(Exception):
    pass


def blocks():
    out, name = {}, None
    with open(os.path.join(HERE, 'blocks.txt')) as f:
        for ln in f:
            if ln.startswith('== '):
                name = ln[3:].strip()
                out[name] = ''
            elif name and not ln.startswith('## '):
                out[name] += ln
    return out


def fill(text, args):
    lines = []
    for ln in text.split('\n'):
        m = re.fullmatch(r'\s*@(\w+)@\s*', ln)
        if m and not args.get(m.group(1)):
            continue
        ln = re.sub(r'@(\w+)(?:=([^@]*))?@', lambda k: args.get(
            k.group(1), k.group(2) or ''), ln)
        lines.append(ln)
    return '\n'.join(lines).replace('\\n', '\n')


def expand(text, args, known=None, depth=0):
    known = known or blocks()
    if depth > 5:
        raise ValueError('blocks nest too deep')

    def one(m):
        name, _, rest = m.group(1).strip().partition(' ')
        a = dict(args)
        for kv in filter(None, (s.strip() for s in rest.split('|'))):
            k, _, v = kv.partition('=')
            a[k.strip()] = v
        return expand(fill(known[name], a), a, known, depth + 1)
    return re.sub(r'\{\{(.*?)\}\}', one, fill(text, args), flags=re.S)


def udp_bound(port):
    for name in ('/proc/net/udp', '/proc/net/udp6'):
        with open(name) as f:
            if any(ln.split()[1].endswith(':%04X' % port)
                   for ln in f.readlines()[1:]):
                return True
    return False


class Sipp:
    """One sipp process with one call."""

    def __init__(self, folder, scenario, user='alice', password='pw-alice',
                 target='bob', proxy=('127.0.0.1', 5060), port=0,
                 transport='u1', limit=12, calls=1, auth_uri=None,
                 ip='127.0.0.1', **args):
        self.name = scenario + (args.pop('suffix', ''))
        self.scenario, self.folder = scenario, folder
        with open(os.path.join(HERE, scenario + '.xml')) as f:
            text = expand(f.read(), args)
        self.xml = os.path.join(folder, self.name + '.xml')
        with open(self.xml, 'w') as f:
            f.write(text)
        self.port = port
        self.cmd = ['sipp', '%s:%d' % proxy, '-sf', self.xml,
                    '-i', ip, '-t', transport, '-m', str(calls),
                    '-l', str(calls), '-r', '20', '-s', target,
                    '-key', 'caller', user, '-key', 'domain', DOMAIN,
                    '-key', 'edge', '%s:%d' % proxy,
                    '-au', user, '-ap', password, '-nostdin',
                    '-auth_uri', auth_uri or '%s@%s' % (target, DOMAIN),
                    '-default_behaviors', 'abortunexp', '-recv_timeout', str(limit * 1000 - 1000),
                    '-timeout', '%ds' % limit, '-timeout_error',
                    '-trace_err', '-error_file', self.path('err'),
                    '-trace_msg', '-message_file', self.path('msg')]
        if port:
            self.cmd += ['-p', str(port)]
        self.limit, self.p = limit, None

    def path(self, kind):
        return os.path.join(self.folder, '%s.%s' % (self.name, kind))

    def start(self):
        with open(self.path('out'), 'wb') as out:
            self.p = subprocess.Popen(self.cmd, stdout=out, stderr=out,
                                      stdin=subprocess.DEVNULL,
                                      cwd=self.folder)
        return self

    def wait_bound(self, limit=5.0):
        end = time.monotonic() + limit
        while not udp_bound(self.port):
            if self.p.poll() is not None or time.monotonic() > end:
                raise SippFailed(self.name + ' did not start: ' + self.tail())
            time.sleep(0.01)
        return self

    def wait(self, limit=None):
        try:
            rc = self.p.wait(limit or self.limit + 3)
        except subprocess.TimeoutExpired:
            self.kill()
            raise SippFailed('%s: not finished' % self.name)
        if rc:
            raise SippFailed('%s: status %d: %s' % (self.name, rc,
                                                    self.tail()))

    def kill(self):
        if self.p and self.p.poll() is None:
            self.p.kill()
            self.p.wait()

    def messages(self):
        try:
            with open(self.path('msg'), errors='replace') as f:
                return f.read()
        except OSError:
            return ''

    def time_of(self, start):
        """When the first message with that start was sent or received [s]."""
        stamp = None
        for ln in self.messages().splitlines():
            m = re.match(r'-+ (\d{4}-\d\d-\d\d)\s(\S+)', ln)
            if m:
                stamp = datetime.datetime.fromisoformat(' '.join(m.groups()))
            if stamp and ln.startswith(start):
                return stamp.timestamp()
        raise SippFailed('%s: no %s in its log' % (self.name, start))

    def tail(self):
        for kind in ('err', 'out'):
            try:
                with open(self.path(kind), errors='replace') as f:
                    t = f.read().strip()
            except OSError:
                continue
            if t:
                return '\n'.join(ln for ln in t.splitlines()
                                 if ln.strip())[:900]
        return '(sipp said nothing)'


def run(ctx, legs, limit=15):
    """legs: Sipp, callees first; the last is the caller. All must end well."""
    for s in legs:
        ctx.after(s.kill)
    for s in legs[:-1]:
        s.start().wait_bound()
    legs[-1].start()
    errors = []
    end = time.monotonic() + limit
    for s in legs[::-1]:
        try:
            # when the caller failed the others will not get what they want
            s.wait(1 if errors else max(1, end - time.monotonic()))
        except SippFailed as e:
            errors.append(str(e))
    if errors:
        raise SippFailed('\n'.join(errors))


class SippLoad:
    """Calls at a rate for some seconds, from one sipp to another at which all
    users have registered; ended with the test."""

    def __init__(self, ctx, lab, users, rate, seconds, uac='load.uac',
                 port=21000, limit=None):
        self.calls = rate * seconds
        for u in users:
            with Ua(u, lab.domain, lab.proxy, port=port) as ua:
                r = ua.register(contact='<sip:%s@127.0.0.1:%d>' % (u, port),
                                expires=seconds + 600)
                if r.status != 200:
                    raise SippFailed('REGISTER of %s: %s' % (u, r.status))
        path = os.path.join(ctx.dir, 'users.csv')
        with open(path, 'w') as f:
            f.write('SEQUENTIAL\n' + ''.join(u + '\n' for u in users))
        self.legs = [Sipp(ctx.dir, name, proxy=lab.proxy, port=p,
                          limit=limit or seconds + 25, calls=self.calls)
                     for name, p in (('load.uas', port), (uac, port + 2))]
        for s in self.legs:
            s.cmd[s.cmd.index('-r') + 1] = str(rate)
            s.cmd[s.cmd.index('-l') + 1] = str(rate * 20)
            # every message of thousands of calls would be too much
            at = s.cmd.index('-trace_msg')
            del s.cmd[at:at + 3]
            ctx.after(s.kill)
        self.legs[1].cmd += ['-inf', path, '-trace_stat', '-stf',
                             self.legs[1].path('csv'), '-fd', '1']
        self.legs[0].start().wait_bound()
        self.legs[1].start()

    def end(self):
        """Waits; all calls must have been made and none have failed."""
        self.legs[1].wait()
        with open(self.legs[1].path('csv')) as f:
            lines = f.read().strip().split('\n')
        last = dict(zip(lines[0].split(';'), lines[-1].split(';')))
        got = int(last['SuccessfulCall(C)']), int(last['FailedCall(C)'])
        if got != (self.calls, 0):
            raise SippFailed('calls made and failed: %s, wanted %d'
                             % (got, self.calls))
