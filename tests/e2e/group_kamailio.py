"""Our edge before Kamailio nodes that stay in the dialogs they set up."""
import os
import shutil
import signal
import subprocess
import time

from e2e import TREE, Skip, check, equal, eventually, test
from group_failover import figures, total
from sipua import Auto

CFG = os.path.join(TREE, 'bench', 'systems', 'kamailio-node.cfg')


class Node:
    """One Kamailio: a session of processes."""

    def __init__(self, lab, i, rr):
        self.name, self.ip = lab.names[i], lab.plan.node_ips[i]
        others = [ip for ip in lab.plan.node_ips if ip != self.ip]
        d = lab.path(self.name + '.kam')
        os.makedirs(d, exist_ok=True)
        defs = {'NODE_IP': self.ip, 'NODE_PORT': '5060', 'WORKERS': '2',
                'FR_MS': '30000', 'FR_UA_MS': '30000',
                'RPCSOCK': '"unix:%s/ctl"' % d,
                'DMQ_ME': '"sip:%s:5060"' % self.ip,
                'DMQ_A': '"sip:%s:5060"' % others[0],
                'DMQ_B': '"sip:%s:5060"' % others[1]}
        argv = ['kamailio', '-DD', '-E', '-m', '64', '-M', '8', '-w', d,
                '-Y', d, '-P', d + '/pid', '-f', CFG]
        for k, v in defs.items():
            argv += ['-A', '%s=%s' % (k, v)]
        self.log = open(lab.path(self.name + '.kam.log'), 'wb')
        self.p = subprocess.Popen(argv + (['-A', 'NODE_RR'] if rr else []),
                                  stdin=subprocess.DEVNULL, stdout=self.log,
                                  stderr=self.log, start_new_session=True)
        self.gone = False

    def signal(self, sig):
        if not self.gone:
            os.killpg(self.p.pid, sig)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.gone = True
        self.p.wait(5)

    def stop(self):
        self.signal(signal.SIGSTOP)

    def cont(self):
        self.signal(signal.SIGCONT)

    def end(self):
        self.kill()
        self.log.close()


def start(ctx, rr=True):
    """Edge, three nodes, alice on UDP, bob on TCP; the node of bob's calls."""
    if not shutil.which('kamailio'):
        raise Skip('kamailio is not installed')
    lab = ctx.new_lab(users={}, edge_conf={'core': {'transport': 'udp'}})
    nodes = {}
    for i, name in enumerate(lab.names):
        nodes[name] = n = Node(lab, i, rr)
        ctx.after(n.end)
    lab.edge.start().wait_ready()
    lab.wait_pool(3, 15)
    # they have met when a contact of one is at all of them
    a, b = lab.ua('alice'), lab.ua('bob', transport='tcp')
    b.auto = Auto(answer=0.05)
    for u in (a, b):
        equal(u.register().status, 200, 'REGISTER of ' + u.user)
    time.sleep(1.5)                     # Kamailio replicates in batches
    before = figures(lab, 'node_picked_total')
    call, got = talk(a, b)
    equal(call.bye().status, 200, 'BYE')
    after = figures(lab, 'node_picked_total')
    name = next(n for n in lab.names if after['{node="%s"}' % n] >
                before['{node="%s"}' % n])
    return lab, nodes, nodes[name], a, b


def talk(a, b):
    n = len(b.calls_in)
    call = a.invite(b.aor)
    equal(call.wait_final(8).status, 200, 'INVITE %s' % call.statuses())
    got = b.wait_call(n=n + 1)
    got.wait_ack()
    return call, got


def everything(call, got):
    for me in (call, got):
        equal(me.request('INVITE', 'v=0\r\n').status, 200, 're-INVITE')
        for method in ('UPDATE', 'INFO', 'REFER', 'NOTIFY', 'PRACK'):
            equal(me.request(method).status, 200, method)


def no_inside(*phones):
    for u in phones:
        for ip in (b'127.0.0.11', b'127.0.0.12', b'127.0.0.13', b':5070'):
            check(ip not in u.wire('in'), '%s at %s', ip, u.user)


@test(name='on-the-way', limit=60)
def t_on_the_way(ctx):
    """a node that record-routes gets the requests of its dialogs, unseen"""
    lab, nodes, node, a, b = start(ctx)
    n = total(lab, 'sbc_dialog_by_node_total')
    call, got = talk(a, b)
    everything(call, got)
    equal(call.bye().status, 200, 'BYE')
    equal(total(lab, 'sbc_dialog_by_node_total') - n, 13,
          'requests by way of a node')
    equal(total(lab, 'sbc_hops_total'), 0, 'nodes left out')
    no_inside(a, b)


@test(name='without-record-route', limit=60)
def t_without_rr(ctx):
    """nodes that do not record-route are not asked"""
    lab, nodes, node, a, b = start(ctx, rr=False)
    call, got = talk(a, b)
    everything(call, got)
    equal(call.bye().status, 200, 'BYE')
    equal(total(lab, 'sbc_dialog_by_node_total'), 0,
          'requests by way of a node')
    no_inside(a, b)


@test(name='killed-in-call', limit=60)
def t_killed_in_call(ctx):
    """node killed in the call: its Route is skipped, everything goes on"""
    lab, nodes, node, a, b = start(ctx)
    call, got = talk(a, b)
    node.kill()
    t = time.monotonic()
    everything(call, got)
    equal(got.bye().status, 200, 'BYE')
    check(time.monotonic() - t < 3, 'took %.1f s', time.monotonic() - t)
    no_inside(a, b)


@test(name='frozen-in-call', limit=60)
def t_frozen_in_call(ctx):
    """node frozen in the call: passed by at once, skipped when it is down"""
    lab, nodes, node, a, b = start(ctx)
    call, got = talk(a, b)
    node.stop()
    everything(call, got)
    seen = len(b.requests)
    lab.wait_node_state(node.name, 'down', 8)
    equal(got.bye().status, 200, 'BYE')
    check(total(lab, 'sbc_hops_total') > 0, 'nothing was left out')
    node.cont()
    time.sleep(1)                   # what it still has reaches nobody
    check(not [r for r in b.requests[seen:] if r.method != 'BYE'],
          'the woken node reached a phone: %s',
          [r.start for r in b.requests[seen:]])
    no_inside(a, b)


@test(name='ringing', limit=60)
def t_ringing(ctx):
    """node killed while the phone rings: taken over; the call goes on"""
    lab, nodes, node, a, b = start(ctx)
    b.auto = Auto(ring=0, answer=60)
    n = len(b.calls_in)
    call = a.invite(b.aor)
    call.wait_status(180)
    node.kill()
    eventually(lambda: total(lab, 'sbc_adopted_total') == 1, 8, 'adoption')
    got = b.wait_call(n=n + 1)
    got.answer()
    equal(call.wait_final(5).status, 200, 'INVITE')
    got.wait_ack()
    everything(call, got)
    equal(call.bye().status, 200, 'BYE')
    equal(len(b.calls_in), n + 1, 'INVITEs at the phone')
    no_inside(a, b)
