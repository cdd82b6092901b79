"""Headless Chromium by the DevTools protocol, over a pair of pipes.

    with Browser() as b:
        p = b.page(width=1400, height=900)
        p.open('http://127.0.0.1:8060/')
        p.wait('document.title.startsWith("OK")')
        p.shot('/tmp/page.png')

Messages are JSON with a NUL behind, on the descriptors 3 and 4 of the
browser (--remote-debugging-pipe): no port, no WebSocket. What pages say on
their console, their errors and every URL they ask for are kept in the page.
Python standard library only.
"""
import base64
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time

NAMES = ('chromium', 'chromium-browser', 'google-chrome')


def find():
    """The browser's path, or None."""
    for n in NAMES:
        path = shutil.which(n)
        if path:
            return path
    return None


class CdpError(Exception):
    pass


class Browser:
    def __init__(self, path=None, env=None):
        self.path = path or find()
        if not self.path:
            raise CdpError('no Chromium (Debian package chromium)')
        self.dir = tempfile.mkdtemp(prefix='ew-cdp-')
        self.env = dict(os.environ, HOME=self.dir, **(env or {}))
        self.seq, self.buf, self.pages = 0, b'', {}
        self.proc = None

    def __enter__(self):
        # from ours to its 3, from its 4 to ours
        r1, self.w = os.pipe()
        self.r, w2 = os.pipe()

        def fds():
            # both may stand where the other has to go
            a, b = os.dup(r1), os.dup(w2)
            os.dup2(a, 3)
            os.dup2(b, 4)

        self.log = open(os.path.join(self.dir, 'log'), 'wb')
        self.proc = subprocess.Popen(
            [self.path, '--headless=new', '--no-sandbox', '--disable-gpu',
             '--disable-dev-shm-usage', '--no-first-run',
             '--disable-background-networking', '--disable-component-update',
             '--disable-sync', '--disable-extensions', '--mute-audio',
             '--no-proxy-server',
             '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
             '--force-color-profile=srgb', '--hide-scrollbars',
             '--remote-debugging-pipe',
             '--user-data-dir=' + os.path.join(self.dir, 'data'),
             'about:blank'],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            close_fds=False, preexec_fn=fds, env=self.env,
            start_new_session=True)
        os.close(r1)
        os.close(w2)
        self.call('Browser.getVersion', limit=60)
        return self

    def __exit__(self, *exc):
        try:
            self.call('Browser.close', limit=5)
            self.proc.wait(10)
        except (CdpError, OSError, subprocess.TimeoutExpired):
            os.killpg(self.proc.pid, signal.SIGKILL)
            self.proc.wait(10)
        os.close(self.w)
        os.close(self.r)
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def _read(self, limit):
        """One message, or None when nothing came in time."""
        end = time.monotonic() + limit
        while b'\0' not in self.buf:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.r], [], [], left)[0]:
                return None
            got = os.read(self.r, 1 << 20)
            if not got:
                raise CdpError('the browser has ended')
            self.buf += got
        one, _, self.buf = self.buf.partition(b'\0')
        return json.loads(one)

    def _event(self, m):
        page = self.pages.get(m.get('sessionId'))
        if page and 'method' in m:
            page.event(m['method'], m.get('params', {}))

    def pump(self, limit=0.05):
        """Take what has come."""
        m = self._read(limit)
        while m:
            self._event(m)
            m = self._read(0)

    def call(self, method, params=None, session=None, limit=15):
        self.seq += 1
        ask = {'id': self.seq, 'method': method, 'params': params or {}}
        if session:
            ask['sessionId'] = session
        data = json.dumps(ask).encode() + b'\0'
        while data:
            data = data[os.write(self.w, data):]
        end = time.monotonic() + limit
        while time.monotonic() < end:
            m = self._read(max(0.01, end - time.monotonic()))
            if m and m.get('id') == ask['id']:
                if 'error' in m:
                    raise CdpError('%s: %s' % (method, m['error']))
                return m['result']
            if m:
                self._event(m)
        raise CdpError('%s: no answer in %d s' % (method, limit))

    def page(self, **kw):
        return Page(self, **kw)


class Page:
    def __init__(self, browser, width=1280, height=800, dark=False,
                 script=True, mobile=False):
        self.b = browser
        self.errors, self.urls = [], []
        t = browser.call('Target.createTarget', {'url': 'about:blank'})
        self.target = t['targetId']
        self.id = browser.call('Target.attachToTarget', {
            'targetId': self.target, 'flatten': True})['sessionId']
        browser.pages[self.id] = self
        for m in ('Page', 'Runtime', 'Log', 'Network'):
            self.call(m + '.enable')
        self.size(width, height, mobile)
        self.dark(dark)
        if not script:
            self.call('Emulation.setScriptExecutionDisabled',
                      {'value': True})

    def call(self, method, params=None, limit=15):
        return self.b.call(method, params, self.id, limit)

    def close(self):
        self.b.pages.pop(self.id, None)
        self.b.call('Target.closeTarget', {'targetId': self.target})

    def event(self, method, p):
        if method == 'Runtime.exceptionThrown':
            self.errors.append(p['exceptionDetails'].get('text', '') + ' ' +
                               str(p['exceptionDetails'].get('exception')))
        elif method == 'Runtime.consoleAPICalled' and p['type'] in (
                'error', 'warning', 'assert'):
            self.errors.append(str([a.get('value') for a in p['args']]))
        elif method == 'Log.entryAdded' and p['entry']['level'] in (
                'error', 'warning'):
            self.errors.append('%s %s' % (p['entry']['text'],
                                          p['entry'].get('url', '')))
        elif method == 'Network.requestWillBeSent':
            self.urls.append(p['request']['url'])

    def size(self, width, height, mobile=False):
        self.call('Emulation.setDeviceMetricsOverride', {
            'width': width, 'height': height, 'deviceScaleFactor': 1,
            'mobile': mobile})

    def dark(self, on):
        self.call('Emulation.setEmulatedMedia', {'features': [
            {'name': 'prefers-color-scheme',
             'value': 'dark' if on else 'light'}]})

    def open(self, url):
        r = self.call('Page.navigate', {'url': url}, limit=20)
        if r.get('errorText'):
            raise CdpError('%s: %s' % (url, r['errorText']))

    def js(self, text):
        r = self.call('Runtime.evaluate', {
            'expression': text, 'returnByValue': True, 'awaitPromise': True})
        if 'exceptionDetails' in r:
            raise CdpError('%s: %s' % (text, r['exceptionDetails']))
        return r['result'].get('value')

    def wait(self, text, limit=10):
        """Until the expression is true."""
        end = time.monotonic() + limit
        while True:
            try:
                v = self.js('!!(%s)' % text)
            except CdpError:           # the page is being loaded
                v = None
            if v:
                return
            if time.monotonic() > end:
                raise CdpError('never true in %d s: %s' % (limit, text))
            self.b.pump(0.05)

    def key(self, key, code=None, text=None, shift=False):
        """A key pressed and released: Tab, Enter, Escape, ..."""
        vk = {'Tab': 9, 'Enter': 13, 'Escape': 27, ' ': 32}.get(key, 0)
        p = {'key': key, 'code': code or key, 'windowsVirtualKeyCode': vk,
             'modifiers': 8 if shift else 0}
        if key == 'Enter':
            text = '\r'
        self.call('Input.dispatchKeyEvent', dict(
            p, type='keyDown' if text else 'rawKeyDown',
            **({'text': text} if text else {})))
        self.call('Input.dispatchKeyEvent', dict(p, type='keyUp'))

    def type(self, text):
        self.call('Input.insertText', {'text': text})

    def click(self, selector):
        """At the middle of the element, as a mouse does."""
        at = self.js('(() => { const e = document.querySelector(%s); if (!e) '
                     'return null; e.scrollIntoView({block: "center"}); '
                     'const r = e.getBoundingClientRect(); return [r.x + '
                     'r.width / 2, r.y + r.height / 2]; })()' %
                     json.dumps(selector))
        if not at:
            raise CdpError('nothing to click: ' + selector)
        for what in ('mousePressed', 'mouseReleased'):
            self.call('Input.dispatchMouseEvent', {
                'type': what, 'x': at[0], 'y': at[1], 'button': 'left',
                'clickCount': 1})

    def shot(self, path, full=True):
        r = self.call('Page.captureScreenshot', {
            'format': 'png', 'captureBeyondViewport': full}, limit=30)
        with open(path, 'wb') as f:
            f.write(base64.b64decode(r['data']))
