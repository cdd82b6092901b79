"""The page in a real browser (headless Chromium): live, by keyboard, on a
phone, light and dark. Screenshots: BUILD/screenshots."""
import json
import os
import urllib.request

import cdp
from e2e import TREE, Skip, check, equal, eventually, test
from sipua import Auto

USERS = {u: 'pw-' + u for u in ('alice', 'bob')}
B = {}


def setup(ctx):
    if not cdp.find():
        return
    b = cdp.Browser()
    b.__enter__()
    B['browser'] = b


def teardown(ctx):
    if 'browser' in B:
        B['browser'].__exit__()


def begin(ctx, **kw):
    """A lab, and a page of it that is well."""
    if 'browser' not in B:
        raise Skip('NO CHROMIUM: the page was not tested in a browser '
                   '(Debian package chromium)')
    lab = ctx.lab(users=USERS, node_conf={
        'cluster': {'heartbeat': 100, 'dead': 600}}, edge_conf={
        'probe': {'inter': 200, 'fastinter': 50, 'downinter': 200,
                  'timeout': 200}})
    return lab, look(ctx, lab, **kw)


def url(lab):
    return 'http://%s:%d/' % (lab.edge.http_ip, lab.edge.http_port)


def look(ctx, lab, **kw):
    p = B['browser'].page(**kw)
    ctx.after(p.close)
    p.open(url(lab))
    p.wait('document.querySelector("#verdict-box")')
    return p


def verdict(p, want, limit=20):
    p.wait('document.querySelector("#verdict-box").dataset.state === "%s"' %
           want, limit)


def well(p):
    verdict(p, 'OK')
    p.wait('document.querySelector(".spare b").textContent === "yes"')


def clean(lab, p):
    """No error in the console, nothing asked of another host."""
    p.b.pump()
    check(not p.errors, 'console: %s', p.errors[:5])
    odd = [u for u in p.urls if not u.startswith(url(lab))]
    check(not odd, 'asked elsewhere: %s', odd[:5])
    check(len(p.urls) >= 4, 'asked only %s', p.urls)


def shot(p, name):
    out = os.path.join(os.environ.get('EDGEWISE_BUILD') or
                       os.path.join(TREE, 'build'), 'screenshots')
    os.makedirs(out, exist_ok=True)
    path = os.path.join(out, name + '.png')
    p.shot(path)
    check(os.path.getsize(path) > 10000, '%s is empty', path)


def text(p, selector):
    return p.js('(document.querySelector(%r) || {}).textContent' % selector)


def token(lab):
    with open(lab.path('edge.state/admin.token')) as f:
        return f.read().strip()


def calls(lab, n=3):
    a, b = lab.ua('alice'), lab.ua('bob', transport='tcp')
    b.auto = Auto()
    for u in (a, b):
        equal(u.register().status, 200, 'REGISTER')
    for _ in range(n):
        call = a.invite(b.aor)
        equal(call.wait_final().status, 200, 'call')
        call.bye()
    return a, b


INVITES = '''(() => { const r = [...document.querySelectorAll(
  '[data-s=sip] tr')].find((x) => x.cells[0].textContent === 'INVITE');
  return Number(r.cells[2].textContent); })()'''


@test(name='live', limit=80)
def t_live(ctx):
    """numbers move without a reload, a killed node changes word and rows, and back; nothing on the console, no other host"""
    lab, p = begin(ctx, width=1500, height=1000)
    well(p)
    p.js('window.same = document.querySelector("#node-n1"); 1')
    a, b = calls(lab)
    p.wait('%s >= 3' % INVITES)
    # the node of these calls (by the hash of their callee) is frozen, and a
    # call is saved by another one, before the page's eyes
    name = max(lab.edge.status()['pool'], key=lambda n: n['picked'])['name']
    lab.node(name).stop()
    call = a.invite(b.aor)
    equal(call.wait_final().status, 200, 'call past the frozen node')
    call.bye()
    for card in ('moved', 'saved'):
        p.wait('Number(document.querySelector("#card-%s .big").textContent) '
               '>= 1' % card)
    equal(text(p, '#card-lost .big'), '0', 'lost')
    lab.node(name).cont()
    well(p)
    lab.node('n1').kill()
    verdict(p, 'AT RISK')
    p.wait('document.querySelector("#node-n1").className === "row-bad"')
    equal(text(p, '.spare b'), 'no', 'can we lose a node')
    check('n1 is down' in text(p, '#verdict-box'), 'the reason')
    p.wait('document.title.startsWith("AT RISK")')
    p.wait('document.querySelector(".events li.error")')
    shot(p, 'at-risk')
    lab.node('n1').start().wait_ready()
    well(p)
    check(p.js('window.same === document.querySelector("#node-n1")'),
          'the row was made anew: focus would be lost')
    p.wait('document.querySelector(".chart path[d]")')
    clean(lab, p)


@test(name='edge-gone', limit=60)
def t_gone(ctx):
    """when the edge is killed the page says so and greys its figures; when it is back, the page is live by itself"""
    lab, p = begin(ctx)
    well(p)
    lab.edge.kill()
    p.wait('document.documentElement.classList.contains("frozen")', 12)
    check('no word from the edge' in text(p, '#live'), 'what it says')
    lab.edge.start().wait_ready()
    p.wait('document.querySelector("#live").textContent === "live"', 20)
    well(p)


@test(name='drain', limit=60)
def t_drain(ctx):
    """a node is drained by button: a wrong token is refused, the right one is kept in the tab only, why is shown, ready brings it back"""
    lab, p = begin(ctx)
    well(p)
    p.click('button[data-act=drain][data-node=n2]')
    p.wait('document.querySelector("#ask").open')
    p.js('document.querySelector("#ask-token").focus()')
    p.type('0' * 64)
    p.js('document.querySelector("#ask-why").focus()')
    p.type('kernel <b>now</b>')
    p.click('#ask-yes')
    p.wait('document.querySelector("#ask-error").textContent.includes('
           '"not the token")')
    p.errors = [e for e in p.errors if '403' not in e]   # the refusal itself
    p.js('document.querySelector("#ask-token").focus()')
    p.type(token(lab))
    shot(p, 'ask')
    p.click('#ask-yes')
    p.wait('!document.querySelector("#ask").open')
    p.wait('/drain|maint/.test(document.querySelector("#node-n2 .admin")'
           '.textContent.slice(0, 5))', 5)
    check('kernel <b>now</b>' in text(p, '#node-n2'), text(p, '#node-n2'))
    verdict(p, 'DEGRADED')
    equal(p.js('JSON.stringify([document.cookie, Object.keys(localStorage)'
               '.filter((k) => k !== "edgewise.theme")])'), '["",[]]',
          'what outlives the tab')
    p.click('button[data-act=ready][data-node=n2]')
    p.wait('document.querySelector("#ask").open')
    check(p.js('document.querySelector("#ask-token-l").hidden'),
          'asked for the token again')
    p.click('#ask-yes')
    well(p)
    p.click('#lock')
    equal(text(p, '#lock'), 'Unlock actions', 'locked')
    equal(p.js('sessionStorage.getItem("edgewise.token")'), None, 'token')
    clean(lab, p)


@test(name='keyboard', limit=60)
def t_keyboard(ctx):
    """all can be reached and done without a mouse; the focus stays through updates and returns from the dialog"""
    lab, p = begin(ctx)
    well(p)
    want = 'document.activeElement.dataset.act === "maint" && ' \
           'document.activeElement.dataset.node === "n3"'
    seen = []
    for _ in range(40):
        p.key('Tab')
        seen.append(p.js('document.activeElement.id || document.'
                         'activeElement.textContent.trim()'))
        check(p.js('getComputedStyle(document.activeElement).outlineStyle '
                   '!== "none"'), 'no visible focus on %s', seen[-1])
        if p.js(want):
            break
    else:
        raise AssertionError('never reached: %s' % seen)
    check('theme' in seen and 'lock' in seen, '%s', seen)
    n = p.js('document.querySelectorAll("time").length')
    p.wait('performance.now() - %d > 2500' % p.js('performance.now()'))
    check(n and p.js(want), 'focus was lost by an update')
    p.key('Enter')
    p.wait('document.querySelector("#ask").open')
    p.key('Escape')
    p.wait('!document.querySelector("#ask").open')
    check(p.js(want), 'focus did not come back')
    p.key('Enter')
    p.wait('document.activeElement.id === "ask-token"')
    p.type(token(lab))
    p.key('Tab')
    p.key('Tab')
    p.type('by keyboard')
    p.key('Enter')
    eventually(lambda: not p.js('document.querySelector("#ask").open'), 10,
               'action: ' + str(text(p, '#ask-error')))
    p.wait('document.querySelector("#node-n3").className === "row-off"')
    check('by keyboard' in text(p, '#node-n3'), 'why')
    clean(lab, p)


@test(name='drill', limit=60)
def t_drill(ctx):
    """a drill that goes on is on the page, and is ended there"""
    lab, p = begin(ctx)
    well(p)
    r = urllib.request.Request(url(lab) + 'api/v1/faults', json.dumps({
        'node': 'n2', 'kind': 'delay', 'ms': 20, 'max_duration': 60,
        'who': 'carol'}).encode(), {'Content-Type': 'application/json',
                                    'Authorization': 'Bearer ' + token(lab)})
    equal(urllib.request.urlopen(r, timeout=5).status, 200, 'begin')
    p.wait('document.querySelector("#drill")')
    check('delay towards n2 by carol' in text(p, '#drill'),
          text(p, '#drill'))
    verdict(p, 'DEGRADED')
    p.js('sessionStorage.setItem("edgewise.token", "%s"); 1' % token(lab))
    p.click('#drill button')
    p.wait('document.querySelector("#ask").open')
    p.click('#ask-yes')
    p.wait('!document.querySelector("#drill")')
    equal(lab.edge.status()['fault'], None, 'fault')
    well(p)
    clean(lab, p)


@test(name='last-node', limit=60)
def t_last(ctx):
    """the last node that is up is taken out only when one says so twice"""
    lab, p = begin(ctx)
    well(p)
    for n in ('n1', 'n2'):
        lab.node(n).kill()
    verdict(p, 'AT RISK')
    p.wait('document.querySelector("#node-n2").className === "row-bad" && '
           'document.querySelector("#node-n1").className === "row-bad"')
    p.js('sessionStorage.setItem("edgewise.token", "%s"); 1' % token(lab))
    p.click('button[data-act=maint][data-node=n3]')
    p.wait('document.querySelector("#ask").open')
    p.click('#ask-yes')
    p.wait('document.querySelector("#ask-yes").textContent.includes("all '
           'the same")')
    check('no other node' in text(p, '#ask-error'), text(p, '#ask-error'))
    equal(lab.edge.status()['pool'][2]['admin'], 'ready', 'n3')
    p.click('#ask-yes')
    verdict(p, 'DOWN')
    shot(p, 'down')


@test(name='sizes', limit=80)
def t_sizes(ctx):
    """360 px to a wall screen: nothing to scroll sideways; light and dark by the system and by button; buttons big enough"""
    lab, p = begin(ctx, width=1500, height=1000)
    calls(lab)
    well(p)
    p.wait('document.querySelector(".chart path[d]")')
    for name, w, h, dark in (('light', 1500, 1000, False),
                             ('dark', 1500, 1000, True),
                             ('wall', 2560, 1440, True),
                             ('tablet', 800, 1100, False),
                             ('phone', 360, 740, False),
                             ('phone-dark', 360, 740, True)):
        p.size(w, h, mobile=w < 500)
        p.dark(dark)
        p.wait('innerWidth === %d' % w)
        equal(p.js('document.documentElement.scrollWidth'), w,
              'width of the page at %d px' % w)
        wide = p.js('[...document.querySelectorAll("body *")].filter((e) => '
                    'e.getBoundingClientRect().right > innerWidth + 1 && '
                    '!e.closest("svg,thead,.skip")).map((e) => e.tagName + '
                    'e.className).slice(0, 5)')
        check(not wide, 'sticks out at %d px: %s', w, wide)
        light = p.js('getComputedStyle(document.documentElement)'
                     '.backgroundColor.match(/\\d+/g).map(Number)[0]')
        check((light < 60) if dark else (light > 200), '%s: %s', name, light)
        shot(p, name)
    small = p.js('[...document.querySelectorAll("button")].filter((b) => '
                 'b.offsetParent && b.getBoundingClientRect().height < 30)'
                 '.length')
    equal(small, 0, 'buttons too small for a thumb')
    p.dark(False)
    p.click('#theme')
    p.click('#theme')
    p.wait('getComputedStyle(document.documentElement).backgroundColor'
           '.match(/\\d+/g)[0] < 60')
    p.open(url(lab))
    p.wait('document.documentElement.dataset.theme === "dark"')
    clean(lab, p)


@test(name='tabs', limit=60)
def t_tabs(ctx):
    """ten tabs in one browser are all right: hidden ones keep no connection"""
    lab, p = begin(ctx)
    for _ in range(9):
        q = look(ctx, lab)
        q.call('Page.bringToFront')
        well(q)
    eventually(lambda: lab.edge.metrics()['edgewise_http_streams'] <= 2, 10,
               'streams of the hidden given back')
    p.call('Page.bringToFront')
    p.wait('document.querySelector("#live").textContent === "live"')


@test(name='no-script', limit=40)
def t_no_script(ctx):
    """without JavaScript: the same figures, nothing that only works with it"""
    lab, p = begin(ctx, width=1200, height=900)
    well(p)
    q = B['browser'].page(width=1200, height=900, script=False)
    ctx.after(q.close)
    q.open(url(lab))

    def page():
        try:
            r = q.call('DOM.getDocument', {'depth': -1})
            return q.call('DOM.getOuterHTML', {
                'nodeId': r['root']['nodeId']})['outerHTML']
        except cdp.CdpError:           # it is being loaded
            return ''
    q.call('DOM.enable')
    html = eventually(lambda: 'Edgewise' in page() and page(), 10, 'page')
    for part in ('data-state="OK"', 'id="node-n3"', '= equal', '<noscript>'):
        check(part in html, 'no %s', part)
    check('class="live"' not in html, 'the script ran')
    shot(q, 'no-script')
    check(not q.errors, '%s', q.errors)
