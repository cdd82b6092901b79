"""Two phones of one user, a node lost while they ring or talk: one is answered,
the other stops ringing, none is asked twice."""
import time

from e2e import check, equal, eventually, test
from group_failover import hashed, invite, total
from sipua import Auto

USERS = {u: 'pw-' + u for u in ('alice', 'bob', 'carol')}


def ring_set(ctx, ta, t1, t2, **edge):
    """alice, and bob's two phones; the node of bob's calls"""
    lab = ctx.lab(users=USERS, edge_conf=edge)
    a = lab.ua('alice', transport=ta)
    b = [lab.ua('bob', transport=t) for t in (t1, t2)]
    equal(a.register().status, 200, 'REGISTER of alice')
    equal(b[0].register().status, 200, 'REGISTER of bob')
    b[0].auto = Auto(answer=0.05)
    node = hashed(lab, a, b[0])
    equal(b[1].register().status, 200, 'REGISTER of bob')
    for x in b:
        x.auto = Auto(ring=0, answer=60)
        x.calls_in.clear()
    return lab, a, b, node


def both_ring(a, b):
    call = invite(a, b[0])
    for x in b:
        x.wait_call()
    call.wait_status(180)
    return call


def asked(x, call):
    """Different INVITEs of that call on the phone's wire: copies of one have
    one branch"""
    return len({r.branch for r in x.requests if r.method == 'INVITE' and
                r.call_id == call.call_id and not r.to_tag})


def quiet(b, call, winner):
    """Nobody rings, everybody was asked once, no dialog is left but one."""
    for x in b:
        equal(asked(x, call), 1, 'INVITEs at a phone')
        c = x.calls_in[0]
        check(c.final, 'a phone still rings')
    equal([c.calls_in[0].final for c in b if c is not winner], [487],
          'the other phone')


def hurt(node, how):
    node.kill() if how == 'kill' else node.stop()


def while_ringing(ctx, how, ta, t1, t2, first=0, at_once=False):
    lab, a, b, node = ring_set(ctx, ta, t1, t2)
    call = both_ring(a, b)
    hurt(node, how)
    if not at_once:
        eventually(lambda: total(lab, 'sbc_adopted_total') == 1, 8,
                   'adoption')
    b[first].calls_in[0].answer()
    equal(call.wait_final(8).status, 200, 'INVITE')
    b[first].calls_in[0].wait_ack()
    b[1 - first].calls_in[0].wait_cancel(8)
    eventually(lambda: b[1 - first].calls_in[0].final, 3, '487')
    if how == 'stop':
        node.cont()
        time.sleep(0.5)         # what it still has in its queue rings nobody
    quiet(b, call, b[first])
    equal(len(call.dialogs), 1, 'dialogs of the caller')
    equal(call.request('INVITE', 'v=0\r\n').status, 200, 're-INVITE')
    equal(b[first].calls_in[0].request('INFO').status, 200, 'INFO')
    equal(call.bye().status, 200, 'BYE')
    b[first].calls_in[0].wait_bye()
    equal(total(lab, 'sbc_lost_total'), 0, 'lost')


for _how in ('kill', 'stop'):
    for _i, (_ta, _t1, _t2) in enumerate((
            ('tcp', 'tcp', 'tcp'), ('udp', 'tcp', 'udp'),
            ('tcp', 'udp', 'udp'))):
        def _t(ctx, how=_how, ta=_ta, t1=_t1, t2=_t2, i=_i):
            while_ringing(ctx, how, ta, t1, t2, first=i % 2)
        _t.__doc__ = ('%s while two phones ring (%s calls %s, %s): one answers'
                      % ('node killed' if _how == 'kill' else 'node frozen',
                         _ta, _t1, _t2))
        test(_t, name='ringing-%s-%s-%s-%s' % (_how, _ta, _t1, _t2))


@test(name='answer-into-frozen-node')
def t_answer_into_frozen(ctx):
    """a phone answers when the node is frozen but nobody knows it yet"""
    while_ringing(ctx, 'stop', 'tcp', 'tcp', 'tcp', at_once=True)


@test(name='answer-into-killed-node')
def t_answer_into_killed(ctx):
    """a phone answers in the moment the node is killed"""
    while_ringing(ctx, 'kill', 'tcp', 'tcp', 'udp', first=1, at_once=True)


def cancelled(ctx, how):
    lab, a, b, node = ring_set(ctx, 'tcp', 'tcp', 'udp')
    call = both_ring(a, b)
    hurt(node, how)
    eventually(lambda: total(lab, 'sbc_adopted_total') == 1, 8, 'adoption')
    equal(call.cancel().wait(3).status, 200, 'CANCEL')
    equal(call.wait_final(8).status, 487, 'INVITE')
    for x in b:
        x.calls_in[0].wait_cancel(3)
        equal(asked(x, call), 1, 'INVITEs at a phone')


@test(name='cancelled-kill')
def t_cancelled_kill(ctx):
    """node killed, then the caller hangs up: both phones stop ringing"""
    cancelled(ctx, 'kill')


@test(name='cancelled-stop')
def t_cancelled_stop(ctx):
    """node frozen, then the caller hangs up: both phones stop ringing"""
    cancelled(ctx, 'stop')


@test(name='both-refuse')
def t_both_refuse(ctx):
    """node killed, both phones refuse: the caller gets the better refusal"""
    lab, a, b, node = ring_set(ctx, 'tcp', 'tcp', 'tcp')
    call = both_ring(a, b)
    node.kill()
    eventually(lambda: total(lab, 'sbc_adopted_total') == 1, 8, 'adoption')
    b[0].calls_in[0].respond(486)
    b[0].calls_in[0].wait_ack()
    check(not call.final, 'refused while a phone rings')
    b[1].calls_in[0].respond(480)
    final = call.wait_final(12).status
    check(final in (480, 486), 'the caller got %d', final)
    time.sleep(0.3)
    for x in b:
        equal(asked(x, call), 1, 'INVITEs at a phone')


def while_talking(ctx, how, ta, t1, t2):
    lab, a, b, node = ring_set(ctx, ta, t1, t2)
    call = both_ring(a, b)
    b[0].calls_in[0].answer()
    equal(call.wait_final().status, 200, 'INVITE')
    b[0].calls_in[0].wait_ack()
    b[1].calls_in[0].wait_cancel()
    eventually(lambda: b[1].calls_in[0].final, 3, '487')
    hurt(node, how)
    t = time.monotonic()
    equal(call.request('INVITE', 'v=0\r\n').status, 200, 're-INVITE')
    got = b[0].calls_in[0]
    equal(got.request('INVITE', 'v=0\r\n').status, 200, 're-INVITE')
    for method in ('UPDATE', 'INFO', 'REFER', 'NOTIFY', 'PRACK'):
        equal(call.request(method).status, 200, method)
        equal(got.request(method).status, 200, method)
    equal(got.bye().status, 200, 'BYE')
    call.wait_bye()
    check(time.monotonic() - t < 2, 'took %.1f s', time.monotonic() - t)
    quiet(b, call, b[0])


@test(name='talking-kill')
def t_talking_kill(ctx):
    """node killed in a call of TCP phones: everything in the call goes on"""
    while_talking(ctx, 'kill', 'tcp', 'tcp', 'tcp')


@test(name='talking-stop')
def t_talking_stop(ctx):
    """node frozen in a call: everything in the call goes on, at once"""
    while_talking(ctx, 'stop', 'tcp', 'tcp', 'udp')
