"""What callers notice when a node dies: nothing, or as little as can be."""
import os
import signal
import time

from e2e import check, equal, eventually, test
from lab import Lab
from sipmsg import answer_challenge
from sipua import Auto

USERS = {u: 'pw-' + u for u in ('alice', 'bob', 'carol')}


def start(ctx, core='tcp', **edge):
    conf = {'core': {'transport': core}}
    conf.update(edge)
    return ctx.lab(users=USERS, edge_conf=conf)


def phones(lab, answer=0.05):
    """alice on UDP and bob on TCP, registered."""
    a, b = lab.ua('alice'), lab.ua('bob', transport='tcp')
    b.auto = Auto(answer=answer) if answer is not None else None
    for u in (a, b):
        equal(u.register().status, 200, 'REGISTER of ' + u.user)
    return a, b


def figures(lab, name):
    """{labels: value} of a figure of the edge."""
    full = 'edgewise_' + name
    return {k[len(full):]: v for k, v in lab.edge.metrics().items()
            if k == full or k.startswith(full + '{')}


def total(lab, name):
    return int(sum(figures(lab, name).values()))


def hashed(lab, a, b):
    """The node that bob's calls go to: the one that takes a probe call."""
    before = figures(lab, 'node_picked_total')
    n = len(b.calls_in)
    call = a.invite(b.aor)
    equal(call.wait_final().status, 200, 'the call that looks for the node')
    b.wait_call(n=n + 1).wait_ack()
    equal(call.bye().status, 200, 'BYE')
    after = figures(lab, 'node_picked_total')
    names = [n for n in lab.names
             if after['{node="%s"}' % n] > before['{node="%s"}' % n]]
    equal(len(names), 1, 'nodes that took the call: %s' % names)
    return lab.node(names[0])


_nc = [1]


def invite(a, b):
    """An INVITE that has its credentials at once (the nonce of an earlier
    challenge), so that the node that is hurt gets the one that matters."""
    ch = next(t.final for t in list(a.ctxns.values())[::-1]
              if t.final and t.final.status == 407)
    _nc[0] += 1
    call = a.invite(b.aor, headers=[answer_challenge(
        ch, 'INVITE', b.aor, a.user, a.password, nc=_nc[0])])
    return call


def survives(lab, a, b, most):
    """A call comes through with one INVITE at the phone; set-up time [s]."""
    n, moved = len(b.calls_in), total(lab, 'node_moved_from_total')
    call = invite(a, b)
    equal(call.wait_final().status, 200, 'INVITE, got %s' % call.statuses())
    equal(len(b.calls_in), n + 1, 'INVITEs at the phone')
    check(call.time_to(180) < most, 'ringing after %.3f s',
          call.time_to(180))
    b.calls_in[n].wait_ack()
    equal(call.bye().status, 200, 'BYE')
    return total(lab, 'node_moved_from_total') - moved


def frozen(ctx, core):
    lab = start(ctx, core)
    a, b = phones(lab)
    node = hashed(lab, a, b)
    node.stop()
    moved = survives(lab, a, b, 1.5)
    check(moved >= 1, 'nothing was moved')
    # by now the node is suspect: the next call does not wait for it
    equal(survives(lab, a, b, 0.5), 0, 'requests moved in the second call')
    lab.wait_node_state(node.name, 'down', 5)
    node.cont()
    lab.wait_node_state(node.name, 'up', 8)
    n = len(b.calls_in)
    survives(lab, a, b, 0.5)
    # what the woken node still had in its queue rang nobody
    equal(len(b.calls_in), n + 1, 'INVITEs at the phone')
    equal(total(lab, 'sbc_lost_total'), 0, 'lost')


def killed(ctx, core):
    lab = start(ctx, core)
    a, b = phones(lab)
    node = hashed(lab, a, b)
    node.kill()
    survives(lab, a, b, 1.5)
    equal(survives(lab, a, b, 0.5), 0, 'requests moved in the second call')
    equal(total(lab, 'sbc_lost_total'), 0, 'lost')
    node.start().wait_ready()
    lab.wait_node_state(node.name, 'up', 8)
    survives(lab, a, b, 0.5)


@test(name='frozen-tcp')
def t_frozen_tcp(ctx):
    """node frozen before the INVITE: another one takes it; it comes back"""
    frozen(ctx, 'tcp')


@test(name='frozen-udp')
def t_frozen_udp(ctx):
    """the same with UDP between edge and nodes"""
    frozen(ctx, 'udp')


@test(name='killed-tcp')
def t_killed_tcp(ctx):
    """node killed: the next call goes to another one; it comes back"""
    killed(ctx, 'tcp')


@test(name='killed-udp')
def t_killed_udp(ctx):
    """the same with UDP: ICMP tells at once"""
    killed(ctx, 'udp')


@test(name='killed-with-invite')
def t_killed_with_invite(ctx):
    """node frozen, then killed while it has the INVITE: moved at once"""
    lab = start(ctx, 'tcp', timers={'no100': 1000})
    a, b = phones(lab)
    node = hashed(lab, a, b)
    node.stop()
    call = invite(a, b)
    a.wait_for(lambda: call.events, 2, '100')
    time.sleep(0.1)
    t = time.monotonic()
    node.kill()
    equal(call.wait_final().status, 200, 'INVITE')
    check(time.monotonic() - t < 0.8, 'moved only after %.2f s',
          time.monotonic() - t)
    equal(call.bye().status, 200, 'BYE')


def rung_then(ctx, hurt):
    """Bob rings, then the node is hurt."""
    lab = start(ctx)
    a, b = phones(lab)
    node = hashed(lab, a, b)
    b.auto = Auto(ring=0, answer=60)
    call = invite(a, b)
    call.wait_status(180)
    hurt(node)
    return lab, a, b, node, call


@test(name='ringing-killed')
def t_ringing_killed(ctx):
    """node killed while the phone rings: the edge takes the call over"""
    lab, a, b, node, call = rung_then(ctx, lambda n: n.kill())
    eventually(lambda: total(lab, 'sbc_adopted_total') == 1, 5, 'adoption')
    b.calls_in[-1].answer()
    equal(call.wait_final(5).status, 200, 'INVITE')
    b.calls_in[-1].wait_ack()
    equal(len(b.calls_in), 2, 'INVITEs at the phone')
    equal(figures(lab, 'sbc_lost_total').get('{why="ringing"}'), 0, 'lost')
    check('event=adopted' in lab.edge.log(), 'no line about it in the log')
    equal(call.bye().status, 200, 'BYE')


@test(name='ringing-frozen')
def t_ringing_frozen(ctx):
    """node frozen while the phone rings, awake again before the answer"""
    lab, a, b, node, call = rung_then(ctx, lambda n: n.stop())
    eventually(lambda: total(lab, 'sbc_adopted_total') == 1, 8, 'adoption')
    node.cont()
    b.calls_in[-1].answer()
    equal(call.wait_final(5).status, 200, 'INVITE')
    b.calls_in[-1].wait_ack()
    equal(len(b.calls_in), 2, 'INVITEs at the phone')
    equal(call.bye().status, 200, 'BYE')


@test(name='ringing-cancelled')
def t_ringing_cancelled(ctx):
    """the caller of an adopted call hangs up: the phone stops ringing"""
    lab, a, b, node, call = rung_then(ctx, lambda n: n.kill())
    eventually(lambda: total(lab, 'sbc_adopted_total') == 1, 5, 'adoption')
    call.cancel()
    equal(call.wait_final(5).status, 487, 'INVITE')
    b.calls_in[-1].wait_cancel(3)


@test(name='ringing-answered')
def t_ringing_answered(ctx):
    """node killed after the 200: the call goes on without any node"""
    lab = start(ctx)
    a, b = phones(lab)
    call = a.invite(b.aor)
    equal(call.wait_final().status, 200, 'INVITE')
    got = b.wait_call()
    got.wait_ack()
    for n in lab.nodes:
        n.kill()
    equal(call.request('INVITE', 'v=0\r\n').status, 200, 're-INVITE')
    equal(got.request('INFO').status, 200, 'INFO of the callee')
    equal(call.bye().status, 200, 'BYE')
    got.wait_bye()
    code = invite(a, b).wait_final(8).status
    check(code in (408, 503), 'a new call without any node got %d', code)


@test(name='woken-node')
def t_woken_node(ctx):
    """a frozen node wakes with the INVITE: its late branch is stopped by the gate"""
    lab = start(ctx)
    a, b = phones(lab, answer=0.6)
    node = hashed(lab, a, b)
    node.stop()
    n = len(b.calls_in)
    call = invite(a, b)
    call.wait_status(180, 5)
    node.cont()
    equal(call.wait_final().status, 200, 'INVITE')
    b.calls_in[n].wait_ack()
    eventually(lambda: total(lab, 'sbc_gate_total') >= 1, 5,
               'that the gate stops the woken node')
    equal(len(b.calls_in), n + 1, 'INVITEs at the phone')
    equal(call.bye().status, 200, 'BYE')


@test(name='cancel-frozen')
def t_cancel_frozen(ctx):
    """CANCEL while the node is silent: 200 and 487 soon, no phone rings"""
    lab = start(ctx, timers={'no100': 600})
    a, b = phones(lab)
    node = hashed(lab, a, b)
    node.stop()
    n = len(b.calls_in)
    call = invite(a, b)
    a.wait_for(lambda: call.events, 2, '100')
    time.sleep(0.1)
    equal(call.cancel().wait(2).status, 200, 'CANCEL')
    equal(call.wait_final(4).status, 487, 'INVITE')
    node.cont()
    time.sleep(0.5)
    equal(len(b.calls_in), n, 'INVITEs at the phone')


@test(name='register-frozen')
def t_register_frozen(ctx):
    """REGISTER whose node is frozen is answered by another one"""
    lab = start(ctx)
    a, b = phones(lab)
    node = hashed(lab, a, b)        # of bob, for REGISTER and calls alike
    node.stop()
    t = time.monotonic()
    equal(b.register().status, 200, 'REGISTER')
    check(time.monotonic() - t < 2.5, 'took %.2f s', time.monotonic() - t)
    survives(lab, a, b, 1.0)


@test(name='contact-survives')
def t_contact_survives(ctx):
    """a phone registered through a node that is then killed is still found"""
    lab = start(ctx)
    a, b = phones(lab)
    node = hashed(lab, a, b)
    node.kill()
    survives(lab, a, b, 1.5)
    for n in lab.nodes:             # and with one node left
        if n.alive() and sum(x.alive() for x in lab.nodes) > 1:
            n.kill()
    survives(lab, a, b, 2.0)


@test(name='all-frozen')
def t_all_frozen(ctx):
    """no node answers: the caller gets a clear failure in time"""
    lab = start(ctx)
    a, b = phones(lab)
    for n in lab.nodes:
        n.stop()
    t = time.monotonic()
    call = a.invite(b.aor)
    code = call.wait_final(8).status
    check(code in (408, 503, 504), 'INVITE got %d', code)
    check(time.monotonic() - t < 4, 'took %.1f s', time.monotonic() - t)
    check(total(lab, 'sbc_lost_total') >= 1, 'not counted')


@test(name='all-late')
def t_all_late(ctx):
    """all nodes stand still for a second, as their machines may: nothing is lost, and no phone rings twice"""
    lab = start(ctx)
    a, b = phones(lab)
    hashed(lab, a, b)
    n = len(b.calls_in)
    for x in lab.nodes:
        x.stop()
    call = invite(a, b)
    # all were asked, and the last one may only be late
    eventually(lambda: total(lab, 'sbc_waits_total'), 3, 'request that waits')
    equal([c for c in call.statuses() if c > 100], [], 'answers of nobody')
    for x in lab.nodes:
        x.cont()
    equal(call.wait_final(5).status, 200, 'INVITE, got %s' % call.statuses())
    equal(len(b.calls_in), n + 1, 'INVITEs at the phone')
    b.calls_in[n].wait_ack()
    equal(call.bye().status, 200, 'BYE')
    equal(total(lab, 'sbc_lost_total'), 0, 'lost')


@test(name='node-term')
def t_node_term(ctx):
    """SIGTERM to a node under calls: none fails"""
    lab = start(ctx)
    a, b = phones(lab, answer=0.02)
    node = hashed(lab, a, b)
    calls = []
    for i in range(30):
        if i == 10:
            node.signal(signal.SIGTERM)
        c = invite(a, b)
        calls.append(c)
        time.sleep(0.03)
    bad = [c.statuses() for c in calls if c.wait_final(8).status != 200]
    check(not bad, '%d of 30 calls failed: %s', len(bad), bad[:5])
    for c in calls:
        equal(c.bye().status, 200, 'BYE')


@test(name='calls-through-kill', limit=60)
def t_calls_through_kill(ctx):
    """60 calls at 20/s, a node killed among them: none fails"""
    lab = start(ctx)
    a, b = phones(lab, answer=0.02)
    node = hashed(lab, a, b)
    calls = []
    for i in range(60):
        if i == 20:
            node.kill()
        calls.append(invite(a, b))
        time.sleep(0.05)
    codes = [c.wait_final(8).status for c in calls]
    bad = [x for x in codes if x != 200]
    lost = total(lab, 'sbc_lost_total')
    check(not bad and not lost,
          '%d failed (%s), the edge says %d lost', len(bad), bad, lost)
    equal(len({c.call_id for c in b.calls_in}), len(b.calls_in),
          'INVITEs at the phone, each once')
    for c in calls:
        equal(c.bye().status, 200, 'BYE')
