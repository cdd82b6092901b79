"""The nodes as processes: contacts on all of them, reload, the end."""
import json
import os
import signal
import socket
import subprocess
import time

from e2e import check, equal, eventually, test
from lab import config_text, find_program, merge
from sipua import Auto

USERS = {'alice': 'pw-a', 'bob': 'pw-b'}


def contacts(lab, names=None):
    return [lab.node(n).status()['contacts'] for n in names or lab.names]


def accepted_by(lab):
    """The node that took the last REGISTER."""
    return max(lab.names, key=lambda n:
               lab.node(n).status()['registrar']['accepted'])


def rewrite(lab, name, change):
    i = lab.names.index(name)
    lab.write_conf(name, merge(lab.node_conf(i), change))


def reload(lab, name):
    """SIGHUP; True when it was taken, False when it was refused."""
    p = lab.node(name)
    st = p.status()
    before = st['reloads'], st['reloads_failed']
    p.signal(signal.SIGHUP)

    def after():
        st = p.status()
        now = st['reloads'], st['reloads_failed']
        return now != before and now
    return eventually(after, name='reload')[0] > before[0]


@test(name='everywhere')
def t_everywhere(ctx):
    """a contact is on every node within 100 ms, and gone from all as fast"""
    lab = ctx.lab(users=USERS)
    a, b = lab.ua('alice'), lab.ua('bob', transport='tcp')
    for ua in (a, b):
        equal(ua.register().status, 200, 'REGISTER')
    eventually(lambda: contacts(lab) == [2, 2, 2], 0.1, 'contacts', 0.005)
    equal(a.register(contact='*', expires=0).status, 200, 'removal')
    eventually(lambda: contacts(lab) == [1, 1, 1], 0.1, 'removal', 0.005)


def http_json(node, path):
    code, body = node.http(path)
    equal(code, 200, path)
    return json.loads(body)


@test(name='pages-meanwhile')
def t_pages(ctx):
    """who leaves while somebody reads page by page takes nobody else out of the pages, nor into two"""
    lab = ctx.lab(users={'u%d' % i: 'pw' for i in range(40)})
    ua = {'u%d@example.com' % i: lab.ua('u%d' % i) for i in range(40)}
    for u in ua.values():
        equal(u.register().status, 200, 'REGISTER')
    eventually(lambda: contacts(lab) == [40] * 3, 2, 'contacts')
    got, place = [], ''
    while True:
        page = http_json(lab.nodes[0], '/api/v1/contacts?limit=7' + place)
        mine = [c['aor'] for c in page['contacts']]
        got += mine
        if page['next'] is None:
            break
        place = '&from=' + page['next']
        for who in mine:
            equal(ua[who].register(contact='*', expires=0).status, 200, who)
        left = 40 - len(got)
        eventually(lambda: contacts(lab) == [left] * 3, 2, 'removed')
    equal(sorted(got), sorted(ua), 'all pages')


@test(name='location')
def t_location(ctx):
    """the contacts of one AoR, and pages of all, are the same on each node"""
    lab = ctx.lab(users={'u%d' % i: 'pw' for i in range(23)})
    for i in range(23):
        equal(lab.ua('u%d' % i).register().status, 200, 'REGISTER')
    eventually(lambda: contacts(lab) == [23, 23, 23], 2, 'contacts')
    one = [http_json(n, '/api/v1/location?aor=sip%3Au7%40EXAMPLE.com')
           for n in lab.nodes]
    equal(one[0]['aor'], 'u7@example.com', 'aor')
    equal(len(one[0]['contacts']), 1, 'contacts of u7')
    equal(len({o['contacts'][0]['version'] for o in one}), 1, 'versions')
    check('path' not in one[0]['contacts'][0], 'the Path is shown')
    for n in lab.nodes:
        for limit in (1, 5, 1000):
            got, place, pages = [], '', 0
            for _ in range(100000):
                pages += 1
                page = http_json(n, '/api/v1/contacts?limit=%d%s' % (
                    limit, place))
                check(len(page['contacts']) <= limit, 'a page is too long')
                got += [c['aor'] for c in page['contacts']]
                if page['next'] is None:
                    break
                place = '&from=' + page['next']
            equal(sorted(got), sorted('u%d@example.com' % i
                                      for i in range(23)), 'all pages')
            check(pages <= 1 + 23 // limit, '%d pages of %d', pages, limit)
    for q in ('limit=0', 'limit=1001', 'limit=x', 'from=1', 'from=a.b',
              'from=99999999999.0', 'from=-1.0'):
        equal(lab.nodes[0].http('/api/v1/contacts?' + q)[0], 400, q)
    for q in ('', '?aor=', '?aor=%00', '?aor=a%4', '?aor=http%3A//x',
              '?aor=' + 'a' * 600 + '@x'):
        equal(lab.nodes[0].http('/api/v1/location' + q)[0], 400, q[:40])


@test(name='location-tool')
def t_location_tool(ctx):
    """`edgewise location` shows one AoR, lists all, and says when none"""
    lab = ctx.lab(users=USERS, nodes=1)
    for u in USERS:
        equal(lab.ua(u).register().status, 200, 'REGISTER')
    tool = [find_program('edgewise'), 'location']
    url = ['-u', 'http://127.0.0.1:%d' % lab.nodes[0].http_port]

    def run(*args):
        r = subprocess.run(tool + list(args), capture_output=True, text=True)
        return r.returncode, r.stdout
    code, out = run('show', *url, 'alice@example.com')
    equal((code, out.count('\n')), (0, 2), 'show')
    check('sip:alice@127.0.0.1' in out, 'no contact: %s', out)
    code, out = run('list', *url, '--json')
    equal((code, sorted(json.loads(x)['aor'] for x in out.splitlines())),
          (0, ['alice@example.com', 'bob@example.com']), 'list')
    equal(run('show', *url, 'nobody@example.com')[0], 1, 'nobody')
    equal(run('show', *url)[0], 2, 'no AoR')
    equal(run('list', '-u', '127.0.0.1:9')[0], 2, 'nobody there')


@test(name='verify-tool')
def t_verify_tool(ctx):
    """`edgewise verify` proves equality, and says who could not be asked"""
    lab = ctx.lab(users={'u%d' % i: 'pw' for i in range(20)})
    for i in range(20):
        equal(lab.ua('u%d' % i).register().status, 200, 'REGISTER')
    tool = [find_program('edgewise'), 'verify', '-c', lab.path('n2.conf')]

    def run(*args):
        r = subprocess.run(tool + list(args), capture_output=True, text=True)
        return r.returncode, r.stdout
    code, out = run('--json')
    got = json.loads(out)
    equal((code, got['equal'], got['differences']), (0, True, []), 'equal')
    equal(sorted((m['name'], m['verdict']) for m in got['members']),
          [('n1', 'equal'), ('n2', 'self'), ('n3', 'equal')], 'members')
    code, out = run()
    check(code == 0 and 'all nodes hold the same' in out, 'text: %s', out)
    lab.node('n3').stop()
    code, out = run('--json')
    equal(code, 1, 'a node is frozen')
    check({m['name']: m['verdict'] for m in json.loads(out)['members']}['n3']
          in ('no_answer', 'not_reached'), 'n3: %s', out)
    lab.node('n3').signal(signal.SIGCONT)
    eventually(lambda: run()[0] == 0, 10, 'equal again')
    r = subprocess.run(tool[:2] + ['-u', '127.0.0.1:%d' %
                       lab.node('n1').http_port, '--token-file', '/dev/null'],
                       capture_output=True)
    equal(r.returncode, 2, 'no token')


@test(name='held-by-two')
def t_held_by_two(ctx):
    """a node killed right after its 200 to REGISTER takes no contact along"""
    lab = ctx.lab(users=USERS)
    a = lab.ua('alice')
    for i in range(3):
        equal(a.register().status, 200, 'REGISTER')
        name = accepted_by(lab)
        for p in lab.nodes:
            equal(p.status()['registrar']['unacked'], 0, 'unacked')
    b = lab.ua('bob')
    equal(b.register().status, 200, 'REGISTER')
    victim = lab.node(name)
    victim.kill()
    rest = [n for n in lab.names if n != name]
    equal(contacts(lab, rest), [2, 2], 'contacts after the kill')
    b.auto = Auto(answer=0)
    call = a.invite(b.aor)
    equal(call.wait_final(10).status, 200, 'INVITE')
    equal(call.bye().status, 200, 'BYE')
    victim.start().wait_ready()
    equal(contacts(lab), [2, 2, 2], 'contacts when it is ready again')


@test(name='register-alone')
def t_register_alone(ctx):
    """the last living node answers REGISTER without waiting for others"""
    lab = ctx.lab(users=USERS)
    for p in lab.nodes[1:]:
        p.kill()
    a = lab.ua('alice')
    eventually(lambda: lab.node('n1').status()['cluster']['alive'] == 1,
               10, 'sight of their deaths')
    began = time.monotonic()
    equal(a.register().status, 200, 'REGISTER')
    took = time.monotonic() - began
    check(took < 1.0, 'it took %.3f s', took)


@test(name='unacked')
def t_unacked(ctx):
    """with the other nodes frozen a REGISTER is answered before the edge would
    move it, and is a line of the log; with replicate_ack = 0 nothing waits"""
    lab = ctx.lab(users=USERS, nodes=2, node_conf={'cluster': {
        'dead': 60000, 'heartbeat': 10000}})
    a = lab.ua('alice')
    equal(a.register().status, 200, 'REGISTER')
    n1, n2 = lab.node('n1'), lab.node('n2')
    taker = lab.node(accepted_by(lab))
    other = n2 if taker is n1 else n1
    other.stop()
    ctx.after(other.cont)
    began = time.monotonic()
    equal(a.register().status, 200, 'REGISTER alone')
    took = time.monotonic() - began
    check(0.35 < took < 0.5, 'it took %.3f s', took)
    calls = lab.edge.metrics()
    moved = {k: v for k, v in calls.items()
             if k.startswith('edgewise_sbc_failover_total')}
    equal(sum(moved.values()), 0, 'moved %s' % moved)
    lines = [x for x in taker.log().splitlines() if 'event=unacked ' in x]
    equal(len(lines), 1, 'lines')
    for part in ('aor="alice@example.com"', 'callid="', 'cseq=', 'node="%s"'
                 % taker.name):
        check(part in lines[0], '%s is not in %s', part, lines[0])
    rewrite(lab, taker.name, {'cluster': {'dead': 60000, 'heartbeat': 10000},
                              'replicate_ack': 0})
    check(reload(lab, taker.name), 'the reload was refused')
    began = time.monotonic()
    equal(a.register().status, 200, 'REGISTER that does not wait')
    took = time.monotonic() - began
    check(took < 0.2, 'it took %.3f s', took)


@test(name='reload-users')
def t_reload_users(ctx):
    """SIGHUP takes a new user and a new password; the old one is refused"""
    lab = ctx.lab(users=USERS, nodes=1)
    a, c = lab.ua('alice'), lab.ua('carol', password='pw-c')
    equal(a.register().status, 200, 'REGISTER')
    equal(c.register().status, 401, 'REGISTER before')
    lab.users.update(carol='pw-c', alice='new')
    lab.write_users()
    check(reload(lab, 'n1'), 'the reload was refused')
    equal(c.register().status, 200, 'REGISTER after')
    equal(a.register().status, 401, 'the old password')
    a.password = 'new'
    equal(a.register().status, 200, 'the new password')


@test(name='reload-settings')
def t_reload_settings(ctx):
    """SIGHUP takes domains, limits and the log level"""
    lab = ctx.lab(users=USERS, nodes=1)
    a = lab.ua('alice')
    equal(a.register(expires=100).status, 200, 'REGISTER')
    rewrite(lab, 'n1', {'registrar': {'min_expires': 200},
                        'log': {'level': 'debug'}})
    check(reload(lab, 'n1'), 'the reload was refused')
    equal(a.register(expires=100).status, 423, 'REGISTER')
    check('level=debug' in lab.node('n1').log(), 'no debug line')
    rewrite(lab, 'n1', {'domains': [{'name': 'example.net'}]})
    check(reload(lab, 'n1'), 'the reload was refused')
    equal(a.register().status, 404, 'REGISTER in a domain taken away')


@test(name='reload-refused')
def t_reload_refused(ctx):
    """a bad file, a bad users file or a frozen key changes nothing at all"""
    lab = ctx.lab(users=USERS, nodes=1)
    a = lab.ua('alice')
    for change, text in (
            ({'registrar': {'min_expires': 200, 'max_contacts': 0}},
             'max_contacts'),
            ({'registrar': {'min_expires': 200}, 'nonsense': 1}, 'nonsense'),
            ({'registrar': {'min_expires': 200},
              'timers': {'t1': 400}}, ': timers.t1: cannot change'),
            ({'registrar': {'min_expires': 200},
              'users_file': lab.path('nobody')}, 'nobody')):
        rewrite(lab, 'n1', change)
        check(not reload(lab, 'n1'), 'taken: %s', change)
        check(text in lab.node('n1').log(), '%s is not named', text)
        equal(a.register(expires=100).status, 200, 'REGISTER')
    rewrite(lab, 'n1', {})
    with open(lab.path('users'), 'a') as f:
        f.write('carol@example.com:short\n')
    check(not reload(lab, 'n1'), 'a bad users file was taken')
    check('users:3:' in lab.node('n1').log(), 'its line is not named')
    equal(a.register(expires=100).status, 200, 'REGISTER')


@test(name='differences')
def t_differences(ctx):
    """other users or settings on another node are a warning in the status"""
    lab = ctx.lab(users=USERS, nodes=2)
    st = lab.node('n1').status()
    equal(st['warnings'], [], 'warnings')
    with open(lab.path('users')) as f, open(lab.path('users2'), 'w') as g:
        g.write(f.readline())
    rewrite(lab, 'n2', {'users_file': lab.path('users2'),
                        'registrar': {'max_contacts': 3}})
    lab.node('n2').end()
    lab.node('n2').start().wait_ready()
    eventually(lambda: lab.node('n1').status()['warnings'] == [
        'settings differ from n2', 'users file differs from n2'],
        name='warnings')


@test(name='twin-name')
def t_twin_name(ctx):
    """a second node of the same name is a warning in the status of both"""
    lab = ctx.lab(users=USERS, nodes=2)
    rewrite(lab, 'n2', {'name': 'n1'})
    lab.node('n2').end()
    lab.node('n2').start().wait_ready()
    for n in ('n1', 'n2'):
        eventually(lambda: lab.node(n).status()['warnings'] == [
            'another node has our name'], name='warning')


@test(name='open')
def t_open(ctx):
    """auth off and any domain are warned of at start and in the status"""
    lab = ctx.lab(users={}, nodes=1, node_conf={'auth': 'off',
                                                'domains': 'any'})
    check('auth=off' in lab.node('n1').log(), 'no line about auth')
    check('domains=any' in lab.node('n1').log(), 'no line about domains')
    equal(len(lab.node('n1').status()['warnings']), 2, 'warnings')
    a = lab.ua('zoe')
    equal(a.register().status, 200, 'REGISTER without a password')


@test(name='strangers')
def t_strangers(ctx):
    """a stream from an address that is no edge is closed unread"""
    lab = ctx.lab(users=USERS, nodes=1)
    at = lab.plan.node_ips[0], lab.plan.sip
    s = socket.create_connection(at, 5, ('127.0.0.99', 0))
    ctx.after(s.close)
    s.settimeout(5)
    try:
        equal(s.recv(1), b'', 'end of the stream')
    except ConnectionResetError:
        pass
    equal(lab.node('n1').metrics()[
        'edgewise_sip_drops_total{reason="source"}'], 1, 'counted')
    equal(lab.ua('alice').register().status, 200, 'REGISTER')


@test(name='secrets-open')
def t_secrets_open(ctx):
    """files with secrets that others may read are warned of, once each"""
    lab = ctx.new_lab(users=USERS, nodes=1)
    os.chmod(lab.path('users'), 0o644)
    os.chmod(lab.path('cluster.key'), 0o640)
    p = lab.node('n1').start().wait_ready()
    equal(p.log().count('mode 0600 is right'), 2, 'warnings')


@test(name='stop')
def t_stop(ctx):
    """SIGTERM: what rings is finished, new requests go to other nodes"""
    lab = ctx.lab(users=USERS, nodes=2)
    a, b = lab.ua('alice'), lab.ua('bob')
    for ua in (a, b):
        equal(ua.register().status, 200, 'REGISTER')
    b.auto = Auto(ring=0, answer=1.0)
    call = a.invite(b.aor)
    eventually(lambda: call.time_to(180), name='180')
    name = max(lab.names, key=lambda n: lab.node(n).status()['forks'])
    p, began = lab.node(name), time.monotonic()
    p.signal(signal.SIGTERM)
    equal(a.register().status, 200, 'REGISTER meanwhile')
    equal(call.wait_final(10).status, 200, 'the call')
    equal(p.popen.wait(5), 0, 'exit status')
    check(time.monotonic() - began < 2.5, 'it took too long')
    equal(call.bye().status, 200, 'BYE')
    other = [n for n in lab.names if n != name][0]
    eventually(lambda: [m['health'] for m in lab.node(other).status()[
        'cluster']['members'] if m['name'] == name] == ['left'],
        name='good-bye')


@test(name='stop-idle')
def t_stop_idle(ctx):
    """SIGTERM without calls ends a node at once, with status 0"""
    lab = ctx.lab(users=USERS, nodes=1)
    p, began = lab.node('n1'), time.monotonic()
    p.signal(signal.SIGTERM)
    equal(p.popen.wait(5), 0, 'exit status')
    check(time.monotonic() - began < 0.5, 'it took too long')


@test(name='bad-start')
def t_bad_start(ctx):
    """what a node cannot use at start is named in one line, status 1"""
    lab = ctx.new_lab(users=USERS, nodes=1)
    p = lab.node('n1')
    base = lab.node_conf(0)
    with open(lab.path('short.key'), 'w') as f:
        f.write('1234\n')
    os.makedirs(lab.path('damaged'))
    with open(lab.path('damaged/id'), 'w') as f:
        f.write('zzz\n')
    for change, text in (
            ({'cluster': {'key_file': lab.path('no.key')}}, 'no.key'),
            ({'cluster': {'key_file': lab.path('short.key')}}, 'short.key'),
            ({'state_dir': lab.path('damaged')}, 'damaged/id'),
            ({'state_dir': lab.path('a/b/c')}, 'a/b/c'),
            ({'users_file': lab.path('none')}, 'none'),
            ({'sip': {'address': '192.0.2.1'}}, '192.0.2.1'),
            ({'prots': 1}, 'n1.conf:')):
        with open(lab.path('n1.conf'), 'w') as f:
            f.write(config_text(merge(base, change)))
        if os.path.exists(p.logfile):
            os.unlink(p.logfile)
        p.start()
        equal(p.popen.wait(5), 1, 'exit status with %s' % change)
        check(text in p.log(), '%s is not named:\n%s', text, p.log())


@test(name='busy-port')
def t_busy_port(ctx):
    """a port that is taken is named; the first node goes on"""
    lab = ctx.lab(users=USERS, nodes=1)
    from lab import Proc
    twin = Proc(lab, 'twin', [lab.nodebin, '-c', lab.path('n1.conf')],
                lab.node('n1').http_port)
    twin.start()
    equal(twin.popen.wait(5), 1, 'exit status')
    check('127.0.0.11:' in twin.log() and 'in use' in twin.log(),
          'not named:\n%s', twin.log())
    equal(lab.ua('alice').register().status, 200, 'REGISTER')
