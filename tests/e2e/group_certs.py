"""Links between nodes by certificate, made by `edgewise ca`."""
import os
import signal
import subprocess

from e2e import check, equal, eventually, test
from group_node import contacts, reload, rewrite
from lab import find_program

USERS = {'alice': 'pw-a', 'bob': 'pw-b'}


def edgewise(*argv, status=0):
    r = subprocess.run([find_program('edgewise')] + list(argv), text=True,
                       capture_output=True, timeout=20)
    equal(r.returncode, status, 'status of edgewise %s: %s' % (
        ' '.join(argv), r.stderr))
    return r.stdout + r.stderr


def ca(lab, folder):
    edgewise('ca', 'init', lab.path(folder))


def issue(lab, folder, name, *more):
    edgewise('ca', 'issue', lab.path(folder), name, *more)


def shows(lab, folder, name, ca_file=None):
    """The settings of a node that shows this certificate."""
    at = os.path.join(lab.path(folder), name)
    return {'cluster': {
        'ca_file': ca_file or os.path.join(lab.path(folder), 'ca.pem'),
        'cert_file': at + '.pem', 'cert_key_file': at + '.key'}}


def new_lab(ctx, nodes=3, **kw):
    """Not started: each node has a certificate of the CA in folder "a"."""
    lab = ctx.new_lab(users=USERS, nodes=nodes, **kw)
    ca(lab, 'a')
    for n in lab.names:
        issue(lab, 'a', n)
        rewrite(lab, n, shows(lab, 'a', n))
    return lab


def alive(lab, name):
    return lab.node(name).status()['cluster']['alive']


def lost(lab):
    """So far; nodes that dial each other at once lose one at the start."""
    return [p.metrics()['edgewise_cluster_links_lost_total']
            for p in lab.nodes]


def logged(p, *parts):
    """A line of its log has all of these."""
    return any(all(x in line for x in parts)
               for line in p.log().splitlines())


def outsider(lab, *parts):
    """n1 and n2 are linked, n3 with neither of them; all logs say so."""
    for n in lab.names[:2]:
        lab.node(n).start()
    for n in lab.names[:2]:
        lab.node(n).wait_ready()
        eventually(lambda: alive(lab, n) == 2, name='the link')
    lab.node('n3').start().wait_ready()
    for p, text in zip(lab.nodes, parts):
        eventually(lambda: logged(p, 'event=cluster_auth_failed', *text),
                   name='%s in the log of %s' % (text, p.name))
    equal([alive(lab, n) for n in lab.names], [2, 2, 1], 'alive')
    lab.edge.start().wait_ready()
    lab.wait_pool(3)
    a = lab.ua('alice')
    equal(a.register().status, 200, 'REGISTER')


@test(name='everywhere')
def t_everywhere(ctx):
    """three nodes by certificate hold the same contacts, and tell its end"""
    lab = new_lab(ctx)
    lab.start()
    for user in USERS:
        equal(lab.ua(user).register().status, 200, 'REGISTER')
    eventually(lambda: contacts(lab) == [2, 2, 2], 1, 'contacts')
    for p in lab.nodes:
        st = p.status()
        cert = st['cluster']['certificate']
        equal(cert['name'], p.name, 'name')
        check(cert['issuer'].startswith('CN=Edgewise cluster CA 20'),
              'issuer %s', cert['issuer'])
        check(cert['days_left'] in (364, 365), 'days %s', cert['days_left'])
        check(cert['not_after'].endswith('Z'), 'end %s', cert['not_after'])
        equal(st['warnings'], [], 'warnings')
        m = p.metrics()
        equal(m['edgewise_cluster_by_certificate'], 1, 'figure')
        check(364 * 86400 < m['edgewise_cluster_certificate_left_seconds']
              <= 365 * 86400, 'seconds left')
        equal(m['edgewise_cluster_auth_failed_total'], 0, 'refusals')


@test(name='by-key')
def t_by_key(ctx):
    """without the settings the status says that links are by key"""
    lab = ctx.lab(users=USERS, nodes=1)
    equal(lab.node('n1').status()['cluster']['certificate'], None, 'status')
    m = lab.node('n1').metrics()
    equal(m['edgewise_cluster_by_certificate'], 0, 'figure')
    equal(m['edgewise_cluster_certificate_left_seconds'], 0, 'seconds left')


@test(name='other-ca')
def t_other_ca(ctx):
    """a node with another CA's certificate is refused, and logged"""
    lab = new_lab(ctx)
    ca(lab, 'b')
    issue(lab, 'b', 'n3')
    rewrite(lab, 'n3', shows(lab, 'b', 'n3'))
    text = 'reason=certificate', 'no CA of our cluster.ca_file'
    outsider(lab, text, text, text)


@test(name='other-ca-one-way')
def t_other_ca_one_way(ctx):
    """a node that believes our CA, but shows another's, is refused"""
    lab = new_lab(ctx)
    ca(lab, 'b')
    issue(lab, 'b', 'n3')
    with open(lab.path('both.pem'), 'w') as f:
        for d in 'ab':
            with open(lab.path(d + '/ca.pem')) as g:
                f.write(g.read())
    rewrite(lab, 'n3', shows(lab, 'b', 'n3', lab.path('both.pem')))
    text = 'reason=certificate', 'no CA of our cluster.ca_file'
    outsider(lab, text, text, ('reason=peer_refuses_our_certificate',))


@test(name='key-alone')
def t_key_alone(ctx):
    """a node with the cluster key alone is refused; logs tell the modes"""
    lab = new_lab(ctx)
    rewrite(lab, 'n3', {})
    text = ('reason=peer_offers_the_key', 'by certificate here, by key there')
    outsider(lab, text, text,
             ('reason=peer_has_certificates', 'by key here, by certificate'))



def all_reload(lab, make):
    for n in lab.names:
        rewrite(lab, n, make(n))
        check(reload(lab, n), '%s refused the reload', n)


@test(name='rotate')
def t_rotate(ctx):
    """certificates and the CA change by SIGHUP; no link is lost"""
    lab = new_lab(ctx)
    lab.start()
    before = lost(lab)
    ca(lab, 'b')
    with open(lab.path('both.pem'), 'w') as f:
        for d in 'ab':
            with open(lab.path(d + '/ca.pem')) as g:
                f.write(g.read())
    for n in lab.names:
        issue(lab, 'b', n)
    both = lab.path('both.pem')
    all_reload(lab, lambda n: shows(lab, 'a', n, both))
    all_reload(lab, lambda n: shows(lab, 'b', n, both))
    equal(lost(lab), before, 'links lost')
    # half of the way a node restarts: old and new go together
    lab.node('n3').end()
    lab.node('n3').start().wait_ready()
    eventually(lambda: [alive(lab, n) for n in lab.names] == [3, 3, 3],
               name='n3 again')
    before = lost(lab)
    all_reload(lab, lambda n: shows(lab, 'b', n))
    equal(lab.ua('alice').register().status, 200, 'REGISTER')
    eventually(lambda: contacts(lab) == [1, 1, 1], 1, 'contacts')
    equal(lost(lab), before, 'links lost')
    equal([alive(lab, n) for n in lab.names], [3, 3, 3], 'alive')
    # and the old CA counts no more
    lab.node('n3').end()
    rewrite(lab, 'n3', shows(lab, 'a', 'n3', both))
    lab.node('n3').start().wait_ready()
    eventually(lambda: logged(lab.node('n1'), 'event=cluster_auth_failed',
                              'reason=certificate'), name='refusal')
    equal(alive(lab, 'n3'), 1, 'alive for n3')


@test(name='from-key')
def t_from_key(ctx):
    """a running cluster goes from the key to certificates without a loss"""
    lab = ctx.lab(users=USERS)
    before = lost(lab)
    ca(lab, 'a')
    for n in lab.names:
        issue(lab, 'a', n)
    all_reload(lab, lambda n: shows(lab, 'a', n))
    equal(lab.ua('alice').register().status, 200, 'REGISTER')
    eventually(lambda: contacts(lab) == [1, 1, 1], 1, 'contacts')
    equal(lost(lab), before, 'links lost')
    lab.node('n2').kill()
    lab.node('n2').start().wait_ready()
    eventually(lambda: [alive(lab, n) for n in lab.names] == [3, 3, 3],
               name='n2 by certificate')
    equal(contacts(lab), [1, 1, 1], 'contacts')


@test(name='reload-refused')
def t_reload_refused(ctx):
    """a wrong certificate at SIGHUP changes nothing; its file is named"""
    lab = new_lab(ctx, nodes=2)
    lab.start()
    links = lost(lab)
    ca(lab, 'b')
    before = lab.node('n1').status()['cluster']['certificate']
    mixed = shows(lab, 'a', 'n1')
    mixed['cluster']['cert_key_file'] = lab.path('a/n2.key')
    part = shows(lab, 'a', 'n1')
    del part['cluster']['ca_file']
    for conf, text in (
            (shows(lab, 'a', 'n2'), 'a/n2.pem: cluster.cert_file: is for'),
            (shows(lab, 'a', 'n3'), 'a/n3.pem: cluster.cert_file: No such'),
            (mixed, 'a/n2.key: cluster.cert_key_file: is not the key'),
            (shows(lab, 'a', 'n1', lab.path('b/ca.pem')),
             'a/n1.pem: cluster.cert_file: no CA'),
            (part, 'cluster.ca_file is missing')):
        conf['log'] = {'level': 'debug'}
        rewrite(lab, 'n1', conf)
        check(not reload(lab, 'n1'), 'taken: %s', conf)
        check(text in lab.node('n1').log(), '"%s" is not there:\n%s', text,
              lab.node('n1').log_tail())
    check('level=debug' not in lab.node('n1').log(), 'half of it was taken')
    equal(lab.node('n1').status()['cluster']['certificate'], before, 'status')
    equal(lost(lab), links, 'links lost')
    lab.node('n2').kill()
    lab.node('n2').start().wait_ready()
    eventually(lambda: alive(lab, 'n1') == 2, name='a link with the old one')


@test(name='near-end')
def t_near_end(ctx):
    """within 30 days of the end status and log warn; a new one ends that"""
    lab = new_lab(ctx, nodes=1)
    issue(lab, 'a', 'n1', '--days', '10', '--out', lab.path('short'))
    rewrite(lab, 'n1', shows(lab, 'short', 'n1', lab.path('a/ca.pem')))
    p = lab.node('n1').start().wait_ready()
    w = p.status()['warnings']
    check(len(w) == 1 and 'runs out in 9 days' in w[0], 'warnings %s', w)
    check(logged(p, 'level=warn', 'event=certificate', 'days_left=9'),
          'no line:\n%s', p.log())
    rewrite(lab, 'n1', shows(lab, 'a', 'n1'))
    check(reload(lab, 'n1'), 'the reload was refused')
    equal(p.status()['warnings'], [], 'warnings')


@test(name='check')
def t_check(ctx):
    """`edgewise check` and `-t` judge a certificate as the node does"""
    lab = new_lab(ctx, nodes=1)
    ca(lab, 'b')
    conf = lab.path('n1.conf')

    def judge(status, text):
        for argv in ([find_program('edgewise'), 'check', conf],
                     [lab.nodebin, '-t', '-c', conf],
                     [lab.nodebin, '-c', conf] if status else None):
            if not argv:
                continue
            r = subprocess.run(argv, text=True, capture_output=True,
                               timeout=20)
            equal(r.returncode, status, ' '.join(argv) + r.stderr)
            check(text in r.stdout + r.stderr, '"%s" is not there:\n%s',
                  text, r.stdout + r.stderr)
    judge(0, ': right')
    os.chmod(lab.path('a/n1.key'), 0o640)
    judge(0, 'mode 0600 is right')
    os.chmod(lab.path('a/n1.key'), 0o600)
    rewrite(lab, 'n1', shows(lab, 'a', 'n1', lab.path('b/ca.pem')))
    judge(1, 'a/n1.pem: cluster.cert_file: no CA of cluster.ca_file')
    rewrite(lab, 'n1', dict(shows(lab, 'a', 'n1'), name='n9'))
    judge(1, 'cluster.cert_file: is for the node')
    rewrite(lab, 'n1', {'cluster': {'cert_file': lab.path('a/n1.pem')}})
    judge(1, 'cluster.cert_key_file is missing')


@test(name='restart-storm')
def t_restart_storm(ctx):
    """nodes killed and started again find each other by certificate"""
    lab = new_lab(ctx)
    lab.start()
    equal(lab.ua('alice').register().status, 200, 'REGISTER')
    for n in lab.names * 2:
        lab.node(n).signal(signal.SIGKILL)
        lab.node(n).popen.wait(5)
        lab.node(n).start().wait_ready()
        eventually(lambda: [alive(lab, x) for x in lab.names] == [3, 3, 3],
                   name='all alive')
        equal(contacts(lab), [1, 1, 1], 'contacts')
