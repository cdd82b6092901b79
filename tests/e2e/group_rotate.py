"""The cluster's key changes under load, one node after the other."""
import os
import re
import threading

from e2e import check, equal, eventually, test
from group_certs import alive, edgewise, lost
from group_node import contacts, reload

PHONES = ['p%d' % i for i in range(8)]
USERS = {u: 'pw-' + u for u in PHONES}


class Load:
    """Phones that register anew all the time; what was refused is kept."""

    def __init__(self, lab):
        self.uas = [lab.ua(u) for u in PHONES]
        self.refused, self.done = [], 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self.over.is_set():
            for ua in self.uas:
                status = ua.register().status
                self.done += 1
                if status != 200:
                    self.refused.append(status)
                self.over.wait(0.005)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(20)


class Watch:
    """How few contacts a node had at the least."""

    def __init__(self, lab):
        self.lab, self.least = lab, len(PHONES)
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self.over.wait(0.01):
            self.least = min([self.least] + contacts(self.lab))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(20)


def gaps(lab):
    """How long links were missing [ms], as the nodes log it."""
    return [int(ms) for p in lab.nodes for ms in re.findall(
        r'suspect->alive reason=link_up after=(\d+)ms', p.log())]


def own_files(ctx):
    """A lab, not started, whose nodes have a file of keys each."""
    lab = ctx.new_lab(users=USERS, nodes=3,
                      node_conf=lambda i: {'cluster': {
                          'key_file': lab_key(ctx, i)}})
    with open(lab.path('cluster.key')) as f:
        first = f.read()
    for i in range(3):
        write(lab_key(ctx, i), first)
    return lab


def lab_key(ctx, i):
    return os.path.join(ctx.root, 'rotate-n%d.key' % (i + 1))


def write(path, text):
    with open(path, 'w') as f:
        os.fchmod(f.fileno(), 0o600)
        f.write(text)


def everywhere(ctx, lab, how, load):
    """A step: done in one file, carried to the nodes one after the other; in
    between all phones register."""
    edgewise('key', how, lab.path('cluster.key'))
    with open(lab.path('cluster.key')) as f:
        text = f.read()
    for i, n in enumerate(lab.names):
        write(lab_key(ctx, i), text)
        check(reload(lab, n), '%s refused the reload (%s)', n, how)
        want = load.done + 2 * len(PHONES)
        eventually(lambda: load.done >= want, name='REGISTERs after ' + how)


@test(name='under-load')
def t_under_load(ctx):
    """add, swap, drop while phones register: nothing refused, nothing lost"""
    lab = own_files(ctx)
    lab.start()
    load = Load(lab)
    for ua in load.uas:
        equal(ua.register().status, 200, 'REGISTER')
    eventually(lambda: contacts(lab) == [8, 8, 8], 2, 'contacts')
    old = lab.node('n1').status()['cluster']['keys']
    before = lost(lab)
    with Watch(lab) as w, load:
        everywhere(ctx, lab, '--add', load)
        equal([p.metrics()['edgewise_cluster_keys'] for p in lab.nodes],
              [2, 2, 2], 'keys that count')
        everywhere(ctx, lab, '--swap', load)
        equal(lost(lab), before, 'links lost before the old key went')
        everywhere(ctx, lab, '--drop', load)
        eventually(lambda: [p.status()['cluster']['links']
                            for p in lab.nodes] == [2, 2, 2], name='links')
    lab.say('%d REGISTERs, links missing [ms] %s' % (load.done, gaps(lab)))
    check(load.done > 100, 'only %d REGISTERs', load.done)
    equal(load.refused, [], 'REGISTERs refused')
    equal(w.least, 8, 'contacts at the least')
    check(len(gaps(lab)) >= 3, 'gaps in the logs: %s', gaps(lab))
    check(max(gaps(lab)) < 1000, 'links were missing: %s', gaps(lab))
    for p in lab.nodes:
        keys = p.status()['cluster']['keys']
        equal((len(keys), keys == old), (1, False), 'keys of ' + p.name)
    check(sum(p.metrics()['edgewise_cluster_key_dropped_total']
              for p in lab.nodes) >= 3, 'links by the old key stand')
    # who has the old key alone is out; who starts with the new file is in
    lab.node('n3').end()
    base = [line for line in open(lab_key(ctx, 0)) if 'base' in line][0]
    write(lab_key(ctx, 2), base.split()[1] + '\n')
    lab.node('n3').start().wait_ready()
    eventually(lambda: 'reason=key_not_known' in lab.node('n1').log(),
               name='refusal')
    equal(alive(lab, 'n3'), 1, 'alive for n3')
    lab.node('n3').end()
    with open(lab_key(ctx, 0)) as f:
        write(lab_key(ctx, 2), f.read())
    lab.node('n3').start().wait_ready()
    eventually(lambda: contacts(lab) == [8, 8, 8], name='contacts of n3')


@test(name='refused')
def t_refused(ctx):
    """another base, or a file that is none, changes nothing at all"""
    lab = own_files(ctx)
    for n in lab.names[:2]:
        lab.node(n).start()
    for n in lab.names[:2]:
        lab.node(n).wait_ready()
    with open(lab_key(ctx, 0)) as f:
        old = f.read()
    keys = lab.node('n1').status()['cluster']['keys']
    for text, said in ((os.urandom(32).hex() + '\n', 'base cannot change'),
                       (os.urandom(32).hex() + '\n' + old,
                        'base cannot change'),
                       (old + 'abc\n', ':2: cluster.key_file: not a key')):
        write(lab_key(ctx, 0), text)
        check(not reload(lab, 'n1'), 'taken: %s', said)
        check(said in lab.node('n1').log(), '"%s" is not logged', said)
        check(old.strip() not in lab.node('n1').log(), 'a key is in the log')
    equal(lab.node('n1').status()['cluster']['keys'], keys, 'keys')
    eventually(lambda: alive(lab, 'n1') == 2, name='the link')


def all_linked(lab):
    eventually(lambda: [alive(lab, n) for n in lab.names] == [3, 3, 3],
               name='links')


@test(name='half-way')
def t_half_way(ctx):
    """whoever starts while the others are a step ahead or behind gets in"""
    lab = own_files(ctx)
    for p in lab.nodes:
        p.start()
    for p in lab.nodes:
        p.wait_ready()
    for how in ('--add', '--swap', '--drop'):
        edgewise('key', how, lab.path('cluster.key'))
        with open(lab.path('cluster.key')) as f:
            text = f.read()
        for i, n in enumerate(lab.names):
            write(lab_key(ctx, i), text)
            check(reload(lab, n), '%s refused the reload (%s)', n, how)
            if i < 2:       # the next one has the step before still
                all_linked(lab)
                for again in (n, lab.names[2]):
                    lab.node(again).kill()
                    lab.node(again).start().wait_ready()
                    all_linked(lab)
    equal([p.metrics()['edgewise_cluster_keys'] for p in lab.nodes],
          [1, 1, 1], 'keys that count')
    equal([line for p in lab.nodes for line in p.log().splitlines()
           if 'key_not_known' in line], [], 'refusals')
