"""A lab: one edge and N nodes on loopback, real processes, files in one folder.

    with Lab(nodes=3, users={'alice': 'pw-a', 'bob': 'pw-b'}) as lab:
        a, b = lab.ua('alice'), lab.ua('bob', transport='tcp')
        ...
        lab.node('n1').kill()

Addresses are the shipped defaults when all of them are free, else the same
addresses with other ports.  Python standard library only.
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

import sipmsg
from sipua import Ua

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))


class LabError(Exception):
    pass


def find_program(name, build=None):
    """The built program; LabError tells where it was looked for."""
    builds = [os.path.abspath(build)] if build else [os.environ.get('EDGEWISE_BUILD'),
                                    os.path.join(TREE, 'build'), TREE]
    tried = []
    for b in builds:
        for sub in ('', 'sbc', 'node', 'ctl'):
            path = os.path.join(b, sub, name) if b else ''
            if b and os.path.isfile(path) and os.access(path, os.X_OK):
                return path
        if b:
            tried.append(b)
    raise LabError('%s is not built (looked in %s)' % (name,
                                                       ', '.join(tried)))


def libconfig(value, indent=0):
    """A Python value as libconfig text: dict = group, list = ( )."""
    pad = '\t' * indent
    if isinstance(value, dict):
        inner = ''.join('%s\t%s = %s;\n' % (pad, k,
                                            libconfig(v, indent + 1))
                        for k, v in value.items())
        return '{\n%s%s}' % (inner, pad)
    if isinstance(value, (list, tuple)):
        return '( %s )' % ', '.join(libconfig(v, indent + 1) for v in value)
    if isinstance(value, bool):
        return 'true' if value else 'false'
    if isinstance(value, (int, float)):
        return str(value)
    return '"%s"' % str(value).replace('\\', '\\\\').replace('"', '\\"')


def config_text(conf):
    return ''.join('%s = %s;\n' % (k, libconfig(v)) for k, v in conf.items())


def merge(base, extra):
    """extra over base: groups are merged, everything else is replaced;
    a value of None removes the key."""
    out = dict(base)
    for k, v in (extra or {}).items():
        if isinstance(v, dict) and isinstance(out.get(k), dict):
            out[k] = merge(out[k], v)
        elif v is None:
            out.pop(k, None)
        else:
            out[k] = v
    return out


def is_free(ip, port, kinds=('udp', 'tcp')):
    for kind in kinds:
        fam = socket.AF_INET6 if ':' in ip else socket.AF_INET
        with socket.socket(fam, socket.SOCK_DGRAM if kind == 'udp' else
                           socket.SOCK_STREAM) as s:
            if kind == 'tcp':
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind((ip, port))
            except OSError:
                return False
    return True


class Plan:
    """Who listens where.  base None: the shipped defaults."""

    def __init__(self, nodes, base=None):
        self.base = base
        off = (base - 5060) if base else 0
        self.sip, self.core = 5060 + off, 5070 + off
        self.cluster = 5080 + off
        self.http = 8060 if not base else base + 40
        self.edge_ip = '127.0.0.1'
        self.node_ips = ['127.0.0.%d' % (11 + i) for i in range(nodes)]

    def sockets(self):
        """(ip, port, kinds) of all that must be free."""
        yield self.edge_ip, self.sip, ('udp', 'tcp')
        yield self.edge_ip, self.core, ('udp', 'tcp')
        for i, ip in enumerate(self.node_ips):
            yield ip, self.sip, ('udp', 'tcp')
            yield ip, self.cluster, ('tcp',)
            yield '127.0.0.1', self.http + 1 + i, ('tcp',)
        yield '127.0.0.1', self.http, ('tcp',)

    def busy(self):
        """The first that is taken, as 'ip:port', or None."""
        for ip, port, kinds in self.sockets():
            if not is_free(ip, port, kinds):
                return '%s:%d' % (ip, port)
        return None


def free_plan(nodes):
    """The default plan, or the first free one above port 15060."""
    p = Plan(nodes)
    why = p.busy()
    if not why:
        return p, None
    start = 15060 + (os.getpid() % 200) * 100
    for i in range(300):
        p = Plan(nodes, 15060 + (start - 15060 + i * 100) % 30000)
        if not p.busy():
            return p, why
    raise LabError('no free ports on loopback')


def with_us():
    """Put before a command: the kernel kills it when this program dies, also
    by SIGKILL. Only where the thread that starts it stays: its end counts."""
    if threading.current_thread() is not threading.main_thread():
        return []
    return ['setpriv', '--pdeathsig', 'KILL'] if shutil.which('setpriv') \
        else []


class Proc:
    """One program of the lab."""

    def __init__(self, lab, name, argv, http_port, http_ip='127.0.0.1'):
        self.lab, self.name, self.argv = lab, name, argv
        self.http_port, self.http_ip = http_port, http_ip
        self.logfile = os.path.join(lab.dir, name + '.log')
        self.popen = None
        self.pid = 0

    def start(self):
        log = open(self.logfile, 'ab')
        try:
            self.popen = subprocess.Popen(
                ([] if self.lab.stays else with_us()) + self.argv, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, cwd=self.lab.dir, start_new_session=True,
                env=dict(os.environ, **self.lab.env))
        finally:
            log.close()
        self.pid = self.popen.pid
        with open(os.path.join(self.lab.dir, self.name + '.pid'), 'w') as f:
            f.write('%d\n' % self.pid)
        return self

    def alive(self):
        return self.popen is not None and self.popen.poll() is None

    def wait_ready(self, limit=10.0):
        """Poll /readyz until it says 200; LabError with the log's end."""
        end = time.monotonic() + limit
        why = 'no answer'
        while time.monotonic() < end:
            if not self.alive():
                raise LabError('%s ended with status %s:\n%s' % (
                    self.name, self.popen.returncode, self.log_tail()))
            code, why = self.http('/readyz')
            if code == 200:
                return self
            time.sleep(0.02)
        raise LabError('%s not ready after %.0f s (%s):\n%s' % (
            self.name, limit, str(why).strip(), self.log_tail()))

    def http(self, path, limit=2.0):
        """(status, body) of a GET; (0, reason) when there is no answer."""
        url = 'http://%s:%d%s' % (self.http_ip, self.http_port, path)
        try:
            with urllib.request.urlopen(url, timeout=limit) as r:
                return r.status, r.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode('utf-8', 'replace')
        except OSError as e:
            return 0, str(e)
        except Exception as e:             # http.client's own
            return 0, repr(e)

    def status(self):
        code, body = self.http('/api/v1/status')
        if code != 200:
            raise LabError('%s: status %d %s' % (self.name, code, body))
        return json.loads(body)

    def metrics(self):
        """{'name{labels}': value} of /metrics."""
        code, body = self.http('/metrics')
        if code != 200:
            raise LabError('%s: metrics %d %s' % (self.name, code, body))
        out = {}
        for ln in body.splitlines():
            if ln and not ln.startswith('#'):
                k, _, v = ln.rpartition(' ')
                out[k] = float(v)
        return out

    def contacts(self):
        """{(aor, contact): version} of all that a node holds."""
        out, place = {}, ''
        while True:
            code, body = self.http('/api/v1/contacts?limit=1000' + place, 10)
            if code != 200:
                raise LabError('%s: contacts: %d %s' % (self.name, code,
                                                        body))
            page = json.loads(body)
            for c in page['contacts']:
                out[c['aor'], c['contact']] = c['version']
            if page['next'] is None:
                return out
            place = '&from=' + page['next']

    def rss_kb(self):
        with open('/proc/%d/status' % self.pid) as f:
            return int(re.search(r'VmRSS:\s*(\d+)', f.read()).group(1))

    def signal(self, sig):
        if not self.alive():
            raise LabError('%s is not running' % self.name)
        os.kill(self.pid, sig)

    def stop(self):
        """SIGSTOP: frozen, its sockets stay open."""
        self.signal(signal.SIGSTOP)
        for _ in range(100):
            with open('/proc/%d/stat' % self.pid) as f:
                if f.read().rpartition(')')[2].split()[0] == 'T':
                    return
            time.sleep(0.005)

    def cont(self):
        self.signal(signal.SIGCONT)

    def kill(self):
        """kill -9 and reap."""
        self.signal(signal.SIGKILL)
        self.popen.wait(5)

    def end(self, limit=5.0):
        """SIGTERM, SIGKILL when that does not do; the exit status."""
        if not self.popen:
            return None
        if self.alive():
            os.kill(self.pid, signal.SIGCONT)
            os.kill(self.pid, signal.SIGTERM)
            try:
                self.popen.wait(limit)
            except subprocess.TimeoutExpired:
                os.kill(self.pid, signal.SIGKILL)
                self.popen.wait(5)
        pidfile = os.path.join(self.lab.dir, self.name + '.pid')
        if os.path.exists(pidfile):
            os.unlink(pidfile)
        return self.popen.returncode

    def log(self):
        try:
            with open(self.logfile, errors='replace') as f:
                return f.read()
        except OSError:
            return ''

    def log_tail(self, lines=15):
        return '\n'.join(self.log().splitlines()[-lines:])


class Lab:
    """users: {name: password}.  edge_conf, node_conf: dicts laid over the
    configuration written (groups are merged, None removes a key).  dir: kept
    when given, else a temporary folder that ends with the lab."""

    def __init__(self, nodes=3, users=None, domain='example.com', dir=None,
                 build=None, edge_conf=None, node_conf=None, plan=None,
                 algorithms=('MD5',), env=None, log=None, stays=False):
        self.domain, self.users = domain, dict(users or {})
        self.env = env or {}
        self.stays = stays              # programs outlive this one
        self.keep = dir is not None
        self.dir = os.path.abspath(dir or tempfile.mkdtemp(
            prefix='edgewise-lab-'))
        os.makedirs(self.dir, exist_ok=True)
        os.chmod(self.dir, 0o700)
        self.say = log or (lambda s: None)
        self.plan, self.moved = (plan, None) if plan else free_plan(nodes)
        self.algorithms = list(algorithms)
        self.names = ['n%d' % (i + 1) for i in range(nodes)]
        self.sbc = find_program('edgewise-sbc', build)
        self.nodebin = find_program('edgewise-node', build)
        self.build = build
        self._write(edge_conf, node_conf)
        self.edge = Proc(self, 'edge', [self.sbc, '-c', self.path(
            'edge.conf')], self.plan.http)
        self.nodes = [Proc(self, n, [self.nodebin, '-c', self.path(
            n + '.conf')], self.plan.http + 1 + i)
            for i, n in enumerate(self.names)]
        self._uas = []

    def path(self, name):
        return os.path.join(self.dir, name)

    def node(self, name):
        return self.nodes[self.names.index(name)]

    @property
    def procs(self):
        return self.nodes + [self.edge]

    @property
    def proxy(self):
        return self.plan.edge_ip, self.plan.sip

    # --- files -----------------------------------------------------------
    def _secret(self, name, text):
        fd = os.open(self.path(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
                     0o600)
        with os.fdopen(fd, 'w') as f:
            f.write(text)

    def write_users(self):
        """The users file.  HA1 is computed here, so that a test of the nodes
        does not lean on the command line tool; `edgewise user` has its own
        tests and quickstart uses it."""
        lines = []
        for u, pw in self.users.items():
            h = [sipmsg.ha1(u, self.domain, pw, a)
                 for a in ('MD5', 'SHA-256')]
            lines.append('%s@%s:%s:%s\n' % (u, self.domain, h[0], h[1]))
        self._secret('users', ''.join(lines))

    def edge_conf(self):
        p = self.plan
        return {
            'listen': [{'transport': t, 'address': p.edge_ip, 'port': p.sip}
                       for t in ('udp', 'tcp')],
            'core': {'transport': 'tcp', 'address': p.edge_ip,
                     'port': p.core},
            'pool': [{'name': n, 'address': ip, 'port': p.sip}
                     for n, ip in zip(self.names, p.node_ips)],
            'http': {'address': '127.0.0.1', 'port': p.http},
            'state_dir': self.path('edge.state'),
            'log': {'level': 'info', 'target': 'stderr'},
        }

    def node_conf(self, i):
        p = self.plan
        return {
            'name': self.names[i],
            'sip': {'address': p.node_ips[i], 'port': p.sip},
            'edges': [p.edge_ip],
            'domains': [{'name': self.domain,
                         'algorithms': self.algorithms}],
            'auth': 'on',
            'users_file': self.path('users'),
            'cluster': {
                'address': p.node_ips[i], 'port': p.cluster,
                'key_file': self.path('cluster.key'),
                'peers': ['%s:%d' % (ip, p.cluster) for ip in p.node_ips],
            },
            'http': {'address': '127.0.0.1', 'port': p.http + 1 + i},
            'state_dir': self.path(self.names[i] + '.state'),
            'log': {'level': 'info', 'target': 'stderr'},
        }

    def _write(self, edge_conf, node_conf):
        if not os.path.exists(self.path('cluster.key')):
            self._secret('cluster.key', os.urandom(32).hex() + '\n')
        self.write_users()
        for d in ['edge'] + self.names:
            os.makedirs(self.path(d + '.state'), mode=0o700, exist_ok=True)
        self.write_conf('edge', merge(self.edge_conf(), edge_conf))
        for i, n in enumerate(self.names):
            extra = node_conf(i) if callable(node_conf) else node_conf
            self.write_conf(n, merge(self.node_conf(i), extra))

    def write_conf(self, name, conf):
        with open(self.path(name + '.conf'), 'w') as f:
            f.write(config_text(conf))

    # --- running ---------------------------------------------------------
    def start(self, limit=10.0):
        """All programs, nodes first; returns when every /readyz says 200 and
        the edge sees every node up."""
        try:
            for p in self.nodes:
                p.start()
            for p in self.nodes:
                p.wait_ready(limit)
                self.say('%s ready, pid %d' % (p.name, p.pid))
            self.edge.start().wait_ready(limit)
            self.wait_pool(len(self.nodes), limit)
            self.say('edge ready, pid %d' % self.edge.pid)
        except BaseException:
            self.stop()
            raise
        return self

    def pool(self):
        """{name: state} of the nodes as the edge sees them."""
        st = self.edge.status()
        return {n['name']: n['state'].lower()
                for n in st.get('pool', st.get('nodes', []))}

    def wait_pool(self, up, limit=10.0):
        """Wait until the edge sees that many nodes up."""
        end = time.monotonic() + limit
        while True:
            states = self.pool()
            if sum(s == 'up' for s in states.values()) >= up:
                return states
            if time.monotonic() > end:
                raise LabError('edge sees %s after %.0f s\n%s' % (
                    states, limit, self.edge.log_tail()))
            time.sleep(0.02)

    def wait_node_state(self, name, state, limit=10.0):
        end = time.monotonic() + limit
        while self.pool().get(name) != state:
            if time.monotonic() > end:
                raise LabError('%s is %s, not %s' % (
                    name, self.pool().get(name), state))
            time.sleep(0.02)

    def ua(self, user, transport='udp', host='127.0.0.1', **kw):
        """A phone of that user, closed with the lab."""
        u = Ua(user, self.domain, self.proxy, transport=transport, host=host,
               password=kw.pop('password', self.users.get(user)), **kw)
        self._uas.append(u)
        return u

    def stop(self):
        """Ends the phones and everything this lab started."""
        for u in self._uas:
            u.close()
        self._uas = []
        for p in [self.edge] + self.nodes:
            p.end()
        if not self.keep:
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, typ, val, tb):
        if typ:
            for p in self.procs:
                tail = p.log_tail(30)
                if tail:
                    print('--- %s\n%s' % (p.logfile, tail), flush=True)
        self.stop()
