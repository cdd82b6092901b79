"""Phones are asked whether they are there, each by one node; who does not
answer is taken out everywhere."""
import os
import subprocess

import netlab
import oldpeer
from e2e import Skip, check, equal, eventually, test

USERS = {'u%d' % i: 'pw%d' % i for i in range(12)}
CONF = {'ping': {'contacts': 'all', 'interval': 1000, 'timeout': 400,
                 'max_failures': 2, 'remove_after': 1},
        'cluster': {'heartbeat': 200, 'dead': 1200}}


def figure(p, name):
    return p.metrics()[name]


def asked(u):
    """OPTIONS that a phone got."""
    return sum(1 for at, way, data, peer in list(u.log)
               if way == 'in' and data.startswith(b'OPTIONS '))


def registered(lab):
    uas = {name: lab.ua(name) for name in USERS}
    for u in uas.values():
        check(u.register().status == 200, 'registered')
    return uas


def seen_by_operators(lab, phones):
    """Shares add up, 10 s after the start; one node tells of a phone, the
    others tell which."""
    def cli(*args):
        r = subprocess.run([os.path.join(os.environ['EDGEWISE_BUILD'], 'ctl',
                                         'edgewise')] + list(args),
                           capture_output=True, text=True)
        equal((r.returncode, r.stderr), (0, ''), 'edgewise %s' % args[0])
        return r.stdout

    eventually(lambda: sum((p.status()['ping'] or {'contacts': 0})['contacts']
                           for p in lab.nodes) == phones, 14,
               'each contact is of one node')
    url = 'http://127.0.0.1:%d'
    told = [cli('location', 'show', '-u', url % p.http_port,
                'u5@' + lab.domain) for p in lab.nodes]
    equal(sum('answered in ' in t for t in told), 1, 'one knows: %s' % told)
    equal(sum('ask it for more' in t for t in told), 2, 'others: %s' % told)
    equal(len({t.split('pinged by ')[1][:2] for t in told}), 1, 'name it')
    edge = url % lab.edge.http_port
    eventually(lambda: 'PINGS' in cli('nodes', '-u', edge), 6,
               'edgewise nodes')
    check('<h2>Pings' in lab.edge.http('/')[1], 'the page')


@test
def asked_vanished_removed(ctx):
    """Every phone is asked and answers; one that vanishes is removed on all
    nodes, the others stay; a dead node's phones are asked by the others."""
    lab = ctx.lab(nodes=3, users=USERS, node_conf=CONF)
    uas = registered(lab)
    nodes = lab.nodes

    def answered():
        return sum(figure(p, 'edgewise_node_ping_answered_total')
                   for p in nodes if p.alive())
    eventually(lambda: all(asked(u) for u in uas.values()) and
               answered() >= len(USERS), 6, 'everybody was asked')
    kept = figure(lab.edge, 'edgewise_sbc_trace_total')
    was = answered()
    eventually(lambda: answered() > was + 2 * len(USERS), 6, 'two rounds')
    equal(figure(lab.edge, 'edgewise_sbc_trace_total'), kept,
          'messages that the edge kept of pings')
    lab._uas.remove(uas['u3'])
    uas['u3'].close()

    def left():
        return [p.status()['contacts'] for p in nodes if p.alive()]
    eventually(lambda: left() == [len(USERS) - 1] * 3, 10,
               'the one that vanished is gone on all nodes')
    # in the first seconds two nodes may both take it for theirs
    n = sum(figure(p, 'edgewise_node_ping_removed_total') for p in nodes)
    check(n in (1, 2), 'removed: %d times' % n)
    seen_by_operators(lab, len(USERS) - 1)
    nodes[2].kill()
    eventually(lambda: all(
        p.status()['cluster']['slots']['members'] <= 2 and
        sum(m['slots'] for m in p.status()['cluster']['members']
            if m['health'] == 'alive') == 16384
        for p in nodes[:2]), 6, 'the slots are shared among the living')
    was = answered()
    eventually(lambda: answered() >= was + len(USERS) - 1, 6,
               'the others are asked as before')
    check(left() == [len(USERS) - 1] * 2, 'and stay')


def figures(lab, name):
    return sum(figure(p, name) for p in lab.nodes if p.alive())


def vanish(lab, uas, name):
    lab._uas.remove(uas[name])
    uas.pop(name).close()


def gone_everywhere(lab, uas):
    eventually(lambda: [p.status()['contacts'] for p in lab.nodes] ==
               [len(uas)] * len(lab.nodes), 10,
               'the one that vanished is gone on all nodes')


@test
def batches_over_udp(ctx):
    """Between nodes and an edge that speak UDP to each other the edge asks, too."""
    lab = ctx.lab(nodes=3, users=USERS, node_conf=CONF,
                  edge_conf={'core': {'transport': 'udp'}})
    uas = registered(lab)
    eventually(lambda: figures(lab, 'edgewise_node_ping_answered_total') >=
               3 * len(USERS), 12, 'three rounds')
    check(lab.edge.metrics()['edgewise_sbc_ask_batches_total'] > 0, 'batches')
    equal(figures(lab, 'edgewise_node_ask_refused_total'), 0, 'refused')
    equal(figures(lab, 'edgewise_node_ask_left_total'), 0, 'left to nodes')
    vanish(lab, uas, 'u3')
    gone_everywhere(lab, uas)


@test
def other_version(ctx):
    """An edge that knows no batches, and nodes that send none: each contact is asked by an OPTIONS of its node."""
    why = oldpeer.able()
    if why:
        raise Skip(why)
    lab = ctx.new_lab(nodes=3, users=USERS, node_conf=CONF)
    old = oldpeer.OldPeer(lab, b'application/edgewise-ask')
    ctx.after(old.stop)
    lab.start()
    uas = registered(lab)
    eventually(lambda: figures(lab, 'edgewise_node_ping_answered_total') >=
               4 * len(USERS), 14, 'four rounds')
    check(old.seen > 0, 'no batch was tried')
    check(old.seen <= 2 * len(lab.nodes), '%d batches: each was refused, and '
          'none is to be sent for a minute', old.seen)
    equal(figure(lab.edge, 'edgewise_sbc_ask_batches_total'), 0,
          'batches that the edge knew')
    check(figures(lab, 'edgewise_node_ask_refused_total') > 0, 'refused')
    equal(figures(lab, 'edgewise_node_ping_lost_total'), 0, 'taken for lost')
    vanish(lab, uas, 'u3')
    gone_everywhere(lab, uas)


@test(limit=60)
def minority_removes_nothing(ctx):
    """A node cut off from the others removes nobody; they do, and it agrees when the cut is over."""
    why = netlab.able()
    if why:
        raise Skip(why)
    net = netlab.NetLab(nodes=3, users=USERS, node_conf=dict(
        CONF, edges=[netlab.HUB]), dir=os.path.join(ctx.dir, 'lab'))
    ctx.after(net.stop)
    lab = net.lab
    lab.start(20)
    uas = {n: lab.ua(n, host=netlab.HUB) for n in USERS}
    for u in uas.values():
        check(u.register().status == 200, 'registered')
    one = lab.node('n1')
    eventually(lambda: figures(lab, 'edgewise_node_ping_answered_total') >=
               2 * len(USERS), 14, 'two rounds')
    net.cut('n1', 'n2')
    net.cut('n1', 'n3')
    eventually(lambda: not one.status()['cluster']['majority'] and
               one.status()['cluster']['slots']['members'] == 1, 8,
               'n1 is alone')
    was = figure(one, 'edgewise_node_ping_removed_total')
    vanish(lab, uas, 'u3')
    vanish(lab, uas, 'u7')
    eventually(lambda: [p.status()['contacts'] for p in lab.nodes[1:]] ==
               [len(uas)] * 2, 12, 'the larger side removes them')
    eventually(lambda: figure(one, 'edgewise_node_ping_kept_total') > 0, 12,
               'n1 would have to')
    equal(figure(one, 'edgewise_node_ping_removed_total'), was, 'n1 removed')
    equal(one.status()['contacts'], len(USERS), 'contacts of n1')
    check(net.dropped() > 0, 'the cut dropped nothing')
    net.heal()
    gone_everywhere(lab, uas)
