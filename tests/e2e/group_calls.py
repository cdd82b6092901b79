"""Calls driven by sipp, digest on, one edge and three nodes."""
from e2e import check, equal, eventually, test
from lab import Lab
from sipp import Sipp, run
from sipua import Ua

USERS = {u: 'pw-' + u for u in ('alice', 'bob', 'carol', 'dave')}
# every call test has a port block of its own, so that no late message of one
# reaches another
_port = [20000]


def setup(ctx):
    import os
    ctx.shared = Lab(users=USERS, dir=os.path.join(ctx.root, 'lab')).start()


def teardown(ctx):
    if ctx.shared:
        ctx.shared.stop()


def port():
    _port[0] += 2
    return _port[0]


def register(ctx, user='bob', q=None):
    """Registers user at a new port and gives the port up for sipp."""
    lab, p = ctx.shared, port()
    u = Ua(user, lab.domain, lab.proxy, password=USERS[user], port=p)
    try:
        contact = '<sip:%s@127.0.0.1:%d>' % (user, p)
        if q:
            contact += ';q=' + q
        r = u.register(contact=contact, expires=120)
        equal(r.status, 200, 'REGISTER of ' + user)
    finally:
        u.close()
    ctx.after(lambda: unregister(lab, user))
    return p


def unregister(lab, user):
    with Ua(user, lab.domain, lab.proxy, password=USERS[user]) as u:
        r = u.register(contact='*', expires=0)
        equal(r.status, 200, 'REGISTER * of ' + user)


def caller(ctx, name, **kw):
    return Sipp(ctx.dir, name + '.uac', proxy=ctx.shared.proxy, port=port(),
                **kw)


def callee(ctx, name, p, suffix='', **kw):
    return Sipp(ctx.dir, name + '.uas', proxy=ctx.shared.proxy, port=p,
                suffix=suffix, **kw)


def moved(lab):
    """Requests that the edge moved from one node to another."""
    return sum(v for k, v in lab.edge.metrics().items()
               if k.startswith('edgewise_node_moved_from_total'))


def pair(ctx, name, **kw):
    """The common case: scenario NAME.uas called by NAME.uac."""
    before = moved(ctx.shared)
    p = register(ctx)
    run(ctx, [callee(ctx, name, p, **kw), caller(ctx, name, **kw)])
    equal(moved(ctx.shared), before, 'requests moved to another node')


SIMPLE = {
    'basic': 'a call, the caller hangs up',
    'bye-callee': 'a call, the callee hangs up',
    'cancel-early': 'CANCEL before 180',
    'cancel-held': 'CANCEL before any answer waits for the first one',
    'cancel-ringing': 'CANCEL after 180',
    'reinvite-caller': 're-INVITE by the caller',
    'reinvite-callee': 're-INVITE by the callee',
    'update': 'UPDATE both ways',
    'prack': 'reliable 183, PRACK, UPDATE in the early dialog',
    'refer': 'REFER passes and its NOTIFYs come back',
    'info': 'INFO both ways',
}
for _name, _claim in SIMPLE.items():
    def _t(ctx, name=_name):
        pair(ctx, name)
    _t.__doc__ = _claim
    _t.__module__ = __name__
    test(_t, name=_name)

for _name in ('basic', 'cancel-ringing', 'reinvite-caller', 'reinvite-callee',
              'prack'):
    def _t(ctx, name=_name):
        p = register(ctx)
        run(ctx, [callee(ctx, name, p), caller(ctx, name, transport='t1')])
    _t.__doc__ = SIMPLE[_name] + ', caller on TCP'
    _t.__module__ = __name__
    test(_t, name=_name + '-tcp')

REFUSALS = {
    '302': ('Moved Temporarily', 'Contact: <sip:carol@example.net>',
            'Contact: *.sip:carol@example.net'),
    '486': ('Busy Here', 'X-Why: busy', 'X-Why: *busy'),
    '603': ('Decline', 'X-Why: no', 'X-Why: *no'),
    '500': ('Server Internal Error', 'X-Why: broken', 'X-Why: *broken'),
    '404': ('Not Found', 'X-Why: nobody', 'X-Why: *nobody'),
}
for _code, _v in REFUSALS.items():
    def _t(ctx, code=_code, v=_v):
        pair(ctx, 'refuse', code=code, reason=v[0], header=v[1],
             expect=v[2])
    _t.__doc__ = ('%s from the callee reaches the caller unchanged, no other '
                  'node is tried' % _code)
    _t.__module__ = __name__
    test(_t, name='refuse-' + _code)


@test(name='fork-2xx')
def t_fork_2xx(ctx):
    """two phones of one user answer: both 200 reach the caller"""
    a, b = register(ctx), register(ctx)
    run(ctx, [callee(ctx, 'fork-2xx-late', a),
              callee(ctx, 'fork-winner', b),
              caller(ctx, 'fork-2xx')])


@test(name='fork-loser')
def t_fork_loser(ctx):
    """two phones ring, one answers: the other gets CANCEL"""
    a, b = register(ctx), register(ctx)
    run(ctx, [callee(ctx, 'fork-loser', a), callee(ctx, 'fork-winner', b),
              caller(ctx, 'fork')])


@test(name='fork-serial')
def t_fork_serial(ctx):
    """by q: the second phone is asked when the first has refused"""
    a, b = register(ctx, q='0.9'), register(ctx, q='0.2')
    first = callee(ctx, 'refuse', a, code='486', reason='Busy Here')
    second = callee(ctx, 'fork-winner', b)
    run(ctx, [first, second, caller(ctx, 'fork')])
    # the first one thinks for 100 ms. sipp writes "sent" after sending, so the
    # time of its 486 may be later than what that caused
    gap = second.time_of('INVITE sip:') - first.time_of('INVITE sip:')
    check(gap > 0.09, 'the second phone was asked %.3f s after the first',
          gap)


@test(name='cancel-fork')
def t_cancel_fork(ctx):
    """CANCEL while two phones ring reaches both"""
    a, b = register(ctx), register(ctx)
    run(ctx, [callee(ctx, 'cancel-ringing', a, suffix='-a'),
              callee(ctx, 'cancel-ringing', b, suffix='-b'),
              caller(ctx, 'cancel-fork')])


@test(name='route')
def t_route(ctx):
    """a Route that names the edge (outbound proxy) is consumed"""
    p = register(ctx)
    run(ctx, [caller(ctx, 'route-register', auth_uri='example.com')])
    run(ctx, [callee(ctx, 'basic', p), caller(ctx, 'route')])
    unregister(ctx.shared, 'alice')


@test(name='register-order')
def t_register_order(ctx):
    """REGISTER: retransmission 200, old CSeq refused, new Call-ID taken, *"""
    run(ctx, [caller(ctx, 'register-order', user='carol',
                     password=USERS['carol'], auth_uri='example.com')])


@test(name='many', limit=60)
def t_many(ctx):
    """50 calls at 20/s, none lost, nothing left in the tables"""
    p = register(ctx)
    run(ctx, [callee(ctx, 'basic', p, calls=50, limit=25),
              caller(ctx, 'basic', calls=50, limit=25)], limit=30)
    busy = lambda: {k: v for k, v in ctx.shared.edge.metrics().items()
                    if k.startswith('edgewise_node_inflight') and v}
    try:
        eventually(lambda: not busy(), 8, 'idle nodes')
    except TimeoutError:
        raise AssertionError('still counted: %s' % busy())
