"""A lab whose nodes have network namespaces of their own, joined by a bridge.

    net = NetLab(nodes=3)                   # inside a namespace of our own
    net.lab.start()
    net.cut('n1', 'n2'); net.cut('n1', 'n3'); ...; net.heal()
    net.stop()

The edge and the phones are on the bridge, 10.77.0.1; node i is 10.77.0.(10+i).
A cut drops packets between nodes only, so that SIP and HTTP go on.  Python
standard library, and nsenter, unshare, ip, nft, tc.
"""
import os
import re
import subprocess
import time

from lab import Lab, merge

HUB = '10.77.0.1'
CONNTRACK = '/proc/sys/net/netfilter/nf_conntrack_'


class NetError(Exception):
    """The machine cannot do this; the text says why."""


def run(cmd, quiet=False):
    r = subprocess.run(cmd, capture_output=True, text=True)
    if r.returncode and not quiet:
        raise NetError('%s: %s' % (' '.join(cmd), r.stderr.strip()[:200]))
    return r.stdout


def able():
    """None, or why there can be no NetLab here."""
    try:
        run(['unshare', '-n', 'nft', 'add table inet e2e'])
        run(['unshare', '-n', 'tc', 'qdisc', 'add', 'dev', 'lo', 'root', 'tbf',
             'rate', '1mbit', 'burst', '4kb', 'latency', '400ms'])
        run(['ip', 'link', 'add', 'br0', 'type', 'bridge'])
        run(['ip', 'link', 'del', 'br0'])
    except (NetError, OSError) as e:
        return str(e)


def able_nat():
    """None, or why there can be no Nat here."""
    try:
        run(['unshare', '-n', 'sh', '-c', 'nft "add table ip n; add chain ip '
             'n c { type nat hook postrouting priority 100; }; add rule ip n '
             'c masquerade" && echo 30 > ' + CONNTRACK + 'udp_timeout'])
    except (NetError, OSError) as e:
        return str(e)


class Space:
    """A network namespace, held open by a process that sleeps."""

    def __init__(self):
        own = os.readlink('/proc/self/ns/net')
        self.p = subprocess.Popen(['unshare', '-n', 'sleep', '3600'])
        end = time.monotonic() + 3
        while os.readlink('/proc/%d/ns/net' % self.p.pid) == own:
            if time.monotonic() > end:
                raise NetError('no network namespace')
            time.sleep(0.005)
        self.run('ip', 'link', 'set', 'lo', 'up')

    def inside(self, *cmd):
        return ['nsenter', '-t', str(self.p.pid), '-n'] + list(cmd)

    def run(self, *cmd):
        return run(self.inside(*cmd))

    def write(self, path, text):
        self.run('sh', '-c', 'echo %s > %s' % (text, path))

    def close(self):
        self.p.kill()
        self.p.wait()


class Nat:
    """A NAT box as people have at home, and namespaces behind it.

    Its public address is 10.78.0.2, ours on that line 10.78.0.1; who is
    behind it has 192.168.N.2.  A mapping that is not used for `idle` seconds
    is forgotten, whether of UDP or of TCP.
    """
    OURS, PUBLIC = '10.78.0.1', '10.78.0.2'

    def __init__(self, idle):
        self.box, self.behind = Space(), []
        self._line('ip', None, 'wan', self.OURS, self.PUBLIC)
        self.box.write('/proc/sys/net/ipv4/ip_forward', '1')
        for name in ('udp_timeout', 'udp_timeout_stream',
                     'tcp_timeout_established', 'tcp_timeout_unacknowledged'):
            self.box.write(CONNTRACK + name, str(idle))
        self.box.run('nft', 'add table ip nat; add chain ip nat post { type '
                     'nat hook postrouting priority 100; }; add rule ip nat '
                     'post oifname "wan" masquerade')

    def _line(self, name, space, dev, far, near):
        """A veth pair between the box (near) and a space, or us (far)."""
        pid = str(self.box.p.pid)
        run(['ip', 'link', 'add', 'nat-' + name, 'type', 'veth', 'peer',
             'name', dev, 'netns', pid])
        self.box.run('ip', 'addr', 'add', near + '/24', 'dev', dev)
        self.box.run('ip', 'link', 'set', dev, 'up')
        do = run
        if space:
            run(['ip', 'link', 'set', 'nat-' + name, 'netns',
                 str(space.p.pid)])
            do = lambda cmd: space.run(*cmd)
        do(['ip', 'addr', 'add', far + '/24', 'dev', 'nat-' + name])
        do(['ip', 'link', 'set', 'nat-' + name, 'up'])
        if space:
            space.run('ip', 'route', 'add', 'default', 'via', near)

    def phone(self):
        """A namespace behind it; .ip is its private address."""
        s, n = Space(), len(self.behind) + 1
        s.ip = '192.168.%d.2' % n
        self.behind.append(s)
        self._line('p%d' % n, s, 'lan%d' % n, s.ip, '192.168.%d.1' % n)
        return s

    def close(self):
        for s in self.behind + [self.box]:
            s.close()


class NetPlan:
    """Lab's plan: who listens where."""

    def __init__(self, nodes):
        self.sip, self.core, self.cluster, self.http = 5060, 5070, 5080, 8060
        self.edge_ip = HUB
        self.node_ips = ['10.77.0.%d' % (11 + i) for i in range(nodes)]


class NetLab:
    made = 0

    def __init__(self, nodes=3, node_conf=None, edge_conf=None, dir=None,
                 users=None, peers=None):
        """peers: {node: [other node or 'ip:port']}, default: all of all"""
        self.holders = {}
        NetLab.made += 1               # old devices may linger a while
        self.peers = peers
        self.extra = node_conf or {}
        self.plan = NetPlan(nodes)
        names = ['n%d' % (i + 1) for i in range(nodes)]
        self.ip = dict(zip(names, self.plan.node_ips))
        try:
            self._bridge()
            for n in names:
                self._namespace(n)
        except BaseException:
            self._end_namespaces()
            raise
        self.lab = Lab(nodes=nodes, plan=self.plan, dir=dir, users=users,
                       # all load comes from one address
                       edge_conf=merge({'admit': {'trusted': [HUB + '/24']}},
                                       edge_conf), node_conf=self._node_conf)
        for p in self.lab.nodes:
            p.http_ip = self.ip[p.name]
            p.argv = self.inside(p.name) + p.argv

    def _node_conf(self, i):
        name = 'n%d' % (i + 1)
        conf = {'http': {'address': self.plan.node_ips[i]}}
        if self.peers is not None:
            conf['cluster'] = {'peers': [
                x if ':' in x else '%s:%d' % (self.ip[x], self.plan.cluster)
                for x in self.peers[name]]}
        return merge(conf, self.extra)

    # --- the network ---------------------------------------------------------
    def _bridge(self):
        run(['ip', 'link', 'del', 'br0'], quiet=True)
        run(['ip', 'link', 'add', 'br0', 'type', 'bridge'])
        run(['ip', 'addr', 'add', HUB + '/24', 'dev', 'br0'])
        run(['ip', 'link', 'set', 'br0', 'up'])

    def _namespace(self, name):
        """A process that holds the namespace until its input ends."""
        h = subprocess.Popen(['unshare', '-n', 'sh', '-c',
                              'echo up; exec cat'], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE)
        self.holders[name] = h
        if h.stdout.readline() != b'up\n':
            raise NetError('no network namespace for ' + name)
        dev = 'v%d-%s' % (NetLab.made, name)
        run(['ip', 'link', 'add', dev, 'type', 'veth', 'peer', 'name',
             'eth0', 'netns', str(h.pid)])
        run(['ip', 'link', 'set', dev, 'master', 'br0', 'up'])
        self.ns(name, 'ip', 'link', 'set', 'lo', 'up')
        self.ns(name, 'ip', 'addr', 'add', self.ip[name] + '/24', 'dev',
                'eth0')
        self.ns(name, 'ip', 'link', 'set', 'eth0', 'up')
        self.ns(name, 'nft', 'add table inet e2e; add chain inet e2e in '
                '{ type filter hook input priority 0; }')

    def inside(self, name):
        return ['nsenter', '-t', str(self.holders[name].pid), '-n']

    def ns(self, name, *cmd):
        return run(self.inside(name) + list(cmd))

    def drop(self, to, frm):
        """Nothing that node `frm` sends reaches node `to`."""
        self.ns(to, 'nft', 'add rule inet e2e in ip saddr %s counter drop'
                % self.ip[frm])

    def cut(self, a, b):
        self.drop(a, b)
        self.drop(b, a)

    def dropped(self):
        """Packets that the cuts took so far."""
        return sum(int(n) for name in self.holders for n in re.findall(
            r'counter packets (\d+)', self.ns(name, 'nft', 'list', 'chain',
                                              'inet', 'e2e', 'in')))

    def heal(self):
        for name in self.holders:
            self.ns(name, 'nft', 'flush', 'chain', 'inet', 'e2e', 'in')

    def slow(self, name, kbit):
        """What goes to the node passes at that rate; None: at full speed"""
        dev = 'v%d-%s' % (NetLab.made, name)
        if kbit is None:
            run(['tc', 'qdisc', 'del', 'dev', dev, 'root'])
        else:
            run(['tc', 'qdisc', 'add', 'dev', dev, 'root', 'tbf', 'rate',
                 '%dkbit' % kbit, 'burst', '4kb', 'latency', '400ms'])

    def slowed(self, name):
        """Packets that had to wait there."""
        text = run(['tc', '-s', 'qdisc', 'show', 'dev', 'v%d-%s' % (
            NetLab.made, name)])
        return int(re.search(r'overlimits (\d+)', text).group(1))

    def links(self, name):
        """(local ip, peer ip) of the cluster connections of a node."""
        text = self.ns(name, 'ss', '-tnH', 'state', 'established',
                       '( sport = :%d or dport = :%d )' % (
                           self.plan.cluster, self.plan.cluster))
        out = []
        for ln in text.splitlines():
            f = ln.split()
            out.append(tuple(x.rpartition(':')[0] for x in f[2:4]))
        return out

    # --- the end -------------------------------------------------------------
    def _end_namespaces(self):
        for h in self.holders.values():
            h.stdin.close()
            h.wait(5)
            h.stdout.close()
        for d in os.listdir('/sys/class/net'):
            if d.startswith('v%d-' % NetLab.made):
                run(['ip', 'link', 'del', d], quiet=True)
        run(['ip', 'link', 'del', 'br0'], quiet=True)

    def stop(self):
        try:
            self.lab.stop()
        finally:
            self._end_namespaces()
