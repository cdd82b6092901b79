#!/usr/bin/env python3
"""The demonstration behind scripts/quickstart: two phones, two calls, one
node killed in between.  Prints what happens with times; exit status 0 only
when everything that it shows was really so."""
import argparse
import json
import os
import secrets
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, 'tests', 'support'))
from lab import Lab, LabError, find_program          # noqa: E402
from sipua import Auto                                # noqa: E402

T0 = time.monotonic()


def say(text=''):
    print(text, flush=True)


def tell(text):
    """One step, with the time since the start of the demonstration."""
    say('  %8.3f s  %s' % (time.monotonic() - T0, text))


class Failed(Exception):
    """What was to be shown did not happen."""


def ms(seconds):
    return '%.0f ms' % (seconds * 1000)


def demo_users(path):
    """alice and bob with passwords of this lab alone."""
    try:
        with open(path) as f:
            return json.load(f)
    except (OSError, ValueError):
        users = {u: secrets.token_hex(6) for u in ('alice', 'bob')}
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, 'w') as f:
            json.dump(users, f)
        return users


class CliLab(Lab):
    """The users file is made with the product's own tool."""

    def write_users(self):
        tool, path = find_program('edgewise', self.build), self.path('users')
        if os.path.exists(path):
            os.unlink(path)
        for user, password in self.users.items():
            r = subprocess.run(
                [tool, 'user', 'add', '-f', path, '--stdin',
                 '%s@%s' % (user, self.domain)],
                input=password + '\n', text=True, capture_output=True)
            if r.returncode:
                raise LabError('edgewise user add: %s' % r.stderr.strip())


def register(phones):
    for p in phones:
        t = time.monotonic()
        r = p.register()
        if r.status != 200:
            raise Failed('%s could not register: %s' % (p.user, r.start))
        sent = p.wire('out').decode()
        if 'Authorization: Digest' not in sent:
            raise Failed('%s was registered without a password' % p.user)
        tell('%s registered over %s: 401 (challenge), then 200 (digest), '
             'in %s' % (p.user, p.transport.upper(),
                        ms(time.monotonic() - t)))


def first_call(alice, bob):
    call = alice.invite(bob.aor)
    if call.wait_final(10).status != 200:
        raise Failed('the first call failed: %s' % call.statuses())
    for status, what in ((180, 'rings'), (200, 'answered')):
        if call.time_to(status) is None:
            raise Failed('the first call had no %d' % status)
        tell('first call: %d (bob %s) %s after the INVITE' % (
            status, what, ms(call.time_to(status))))
    bob.calls_in[-1].wait_ack(2)
    if call.bye().status != 200:
        raise Failed('BYE of the first call failed')
    tell('first call: BYE, 200')
    return call.time_to(180)


def picks(lab):
    """{node: requests the edge gave it}."""
    st = lab.edge.status()
    return {n['name']: n['picked'] for n in st['pool']}


def second_call(lab, alice, bob, victim, hold):
    """INVITE while the node that it goes to is frozen; kill it meanwhile."""
    node = lab.node(victim)
    before, rung = picks(lab), len(bob.calls_in)
    node.stop()
    tell('%s (pid %d) frozen with SIGSTOP' % (victim, node.pid))
    call = alice.invite(bob.aor)
    tell('second call: INVITE sent')
    time.sleep(max(0, call.started + hold - time.monotonic()))
    waiting = call.statuses()
    node.kill()
    tell('%s killed with kill -9, %s after the INVITE (answers so far: %s)'
         % (victim, ms(time.monotonic() - call.started),
            ' '.join(map(str, waiting)) or 'none'))
    if any(s != 100 for s in waiting):
        raise Failed('the INVITE did not wait at %s' % victim)
    if call.wait_final(15).status != 200:
        raise Failed('the second call failed: %s' % call.statuses())
    for status in (180, 200):
        tell('second call: %d, %s after the INVITE' % (
            status, ms(call.time_to(status))))
    after = picks(lab)
    took = [n for n in after if n != victim and after[n] > before[n]]
    if after[victim] <= before[victim] or not took:
        raise Failed('the call did not pass %s and then another node: %s %s'
                     % (victim, before, after))
    tell('second call went to %s, then through %s' % (victim,
                                                      ' and '.join(took)))
    if len(bob.calls_in) != rung + 1:
        raise Failed("bob's phone got %d INVITEs for one call"
                     % (len(bob.calls_in) - rung))
    bob.calls_in[-1].wait_ack(2)
    if call.bye().status != 200:
        raise Failed('BYE of the second call failed')
    tell('second call: BYE, 200')
    return call.time_to(180)


def run(lab, hold):
    alice, bob = lab.ua('alice'), lab.ua('bob', transport='tcp')
    bob.auto = Auto(ring=0, answer=0.3)
    register((alice, bob))
    before = picks(lab)
    t1 = first_call(alice, bob)
    after = picks(lab)
    used = [n for n in after if after[n] > before[n]]
    if len(used) != 1:
        raise Failed('cannot tell which node took the first call: %s %s' %
                     (before, after))
    tell('the call went through %s' % used[0])
    t2 = second_call(lab, alice, bob, used[0], hold)
    say()
    say('The call that met a dying node was set up like any other, %s later'
        % ms(t2 - t1))
    say('(first ring after %s instead of %s; %s of that is how long the node '
        'was left\nfrozen before it was killed).' % (ms(t2), ms(t1),
                                                    ms(hold)))
    return used[0]


def next_steps(lab, users, victim):
    p = lab.plan
    tool = os.path.relpath(find_program('edgewise', lab.build))
    url = 'http://127.0.0.1:%d' % p.http
    say('''
The lab is running: edge %(edge)s:%(port)d (UDP and TCP), nodes %(nodes)s.

Try this next
  the edge's view of its nodes:   %(tool)s status -c %(dir)s/edge.conf
  what the calls were, message
  by message, and what happened:  %(tool)s trace -c %(dir)s/edge.conf alice@%(domain)s
                                  %(tool)s events -c %(dir)s/edge.conf
  a node out, and in again:       %(tool)s drain n2 --why try -c %(dir)s/edge.conf
                                  %(tool)s ready n2 -c %(dir)s/edge.conf
  the same as JSON, figures:      %(url)s/api/v1/status  %(url)s/metrics
  kill a node, then look again:   kill -9 $(cat %(dir)s/n1.pid)
  start it again:                 %(node)s -c %(dir)s/n1.conf &
  configuration, logs, pids:      %(dir)s/{edge,n1,n2,n3}.{conf,log,pid}
  a softphone on this machine:    proxy %(edge)s:%(port)d, domain %(domain)s,
                                  user alice, password %(alice)s
                                  user bob,   password %(bob)s
  stop everything:                scripts/quickstart --stop

The page, live:                   %(url)s/   (to act there: %(dir)s/edge.state/admin.token)''' % {
        'edge': p.edge_ip, 'port': p.sip, 'tool': tool, 'url': url,
        'nodes': ', '.join(lab.names), 'domain': lab.domain,
        'dir': os.path.relpath(lab.dir),
        'node': os.path.relpath(lab.nodebin), 'alice': users['alice'],
        'bob': users['bob']})


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('--dir', required=True)
    ap.add_argument('--build', required=True)
    ap.add_argument('--once', action='store_true')
    ap.add_argument('--hold', type=float, default=0.1,
                    help='s between INVITE and kill -9')
    a = ap.parse_args()
    os.makedirs(a.dir, mode=0o700, exist_ok=True)
    for f in os.listdir(a.dir):                 # logs of an earlier lab
        if f.endswith('.log') or f.endswith('.pid'):
            os.unlink(os.path.join(a.dir, f))
    users = demo_users(os.path.join(a.dir, 'demo-users.json'))
    lab, ok = None, False
    try:
        lab = CliLab(users=users, dir=a.dir, build=a.build, log=tell,
                     stays=not a.once)
        if lab.moved:
            tell('%s is taken: the lab uses other ports' % lab.moved)
        lab.start()
        victim = run(lab, a.hold)
        if not a.once:
            lab.node(victim).start().wait_ready()
            tell('%s started again, pid %d' % (victim, lab.node(victim).pid))
        ok = True
    except (Failed, LabError, TimeoutError, AssertionError, OSError,
            KeyError) as e:
        say('\nThe demonstration FAILED: %s: %s' % (type(e).__name__, e))
        if lab:
            say('Logs: %s' % ' '.join(p.logfile for p in lab.procs))
    finally:
        if lab and (a.once or not ok):
            lab.stop()
        elif lab:
            next_steps(lab, users, victim)
            for u in lab._uas:
                u.close()
    return 0 if ok else 1


if __name__ == '__main__':
    sys.exit(main())
