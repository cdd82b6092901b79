"""Phones are asked whether they are there, each by one node; who does not
answer is taken out everywhere."""
import os
import subprocess

from e2e import check, equal, eventually, test

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
