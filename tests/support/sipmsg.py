"""SIP messages and digest for the tests: parse, build, answer a challenge.

Python standard library only.  Deliberately independent of the C scanner: what
the tests believe about a message must not come from the code under test.
"""
import hashlib
import os
import re

COMPACT = {'v': 'via', 'f': 'from', 't': 'to', 'i': 'call-id', 'm': 'contact',
           'l': 'content-length', 'k': 'supported', 'c': 'content-type',
           'r': 'refer-to', 's': 'subject', 'e': 'content-encoding',
           'o': 'event', 'u': 'allow-events', 'b': 'referred-by',
           'x': 'session-expires'}


def token(n=8):
    """n random bytes as hex: tags, branches, Call-IDs."""
    return os.urandom(n).hex()


def split_list(value):
    """Split a header value at its top-level commas (quotes and <> respected)."""
    out, cur, quoted, angle, esc = [], '', False, False, False
    for c in value:
        if esc:
            esc = False
        elif quoted and c == '\\':
            esc = True
        elif c == '"':
            quoted = not quoted
        elif not quoted and c in '<>':
            angle = c == '<'
        if c == ',' and not quoted and not angle:
            out.append(cur.strip())
            cur = ''
        else:
            cur += c
    if cur.strip():
        out.append(cur.strip())
    return out


def uri_of(value):
    """The URI of a name-addr or addr-spec header value."""
    m = re.search(r'<([^>]*)>', value)
    return m.group(1) if m else value.split(';')[0].strip()


def param(value, name):
    """A header parameter (outside of <>), '' when it has no value, or None."""
    rest = value[value.rfind('>') + 1:]
    m = re.search(r';\s*' + re.escape(name) + r'\s*(?:=\s*("[^"]*"|[^;,\s]*))?'
                  r'(?=\s*[;,]|\s*$)', rest, re.I)
    return None if not m else (m.group(1) or '').strip('"')


class Msg:
    """One request or response.  headers: list of [name, value], in order."""

    def __init__(self, start, headers=(), body=b''):
        self.start = start
        self.headers = [list(h) for h in headers]
        self.body = body if isinstance(body, bytes) else body.encode()
        self.raw = None
        self.at = None             # monotonic [s] when received
        self.peer = None           # (ip, port) it came from

    @classmethod
    def parse(cls, data):
        """Parse wire bytes; ValueError when they are no SIP message."""
        head, sep, body = data.partition(b'\r\n\r\n')
        if not sep:
            raise ValueError('no end of headers')
        lines = re.sub(r'\r\n[ \t]+', ' ',
                       head.decode('utf-8', 'replace')).split('\r\n')
        m = cls(lines[0], [], body)
        for ln in lines[1:]:
            name, colon, value = ln.partition(':')
            if not colon:
                raise ValueError('header without colon: %r' % ln)
            m.headers.append([name.strip(), value.strip()])
        m.raw = data
        if not (m.start.startswith('SIP/2.0 ') or
                m.start.endswith(' SIP/2.0')):
            raise ValueError('bad start line %r' % m.start)
        return m

    def bytes(self):
        """Wire form; Content-Length is set from the body."""
        out = [self.start]
        for n, v in self.headers:
            if _canon(n) != 'content-length':
                out.append('%s: %s' % (n, v))
        out.append('Content-Length: %d' % len(self.body))
        return ('\r\n'.join(out) + '\r\n\r\n').encode() + self.body

    def all(self, name):
        """Values of every header of that name, one entry a header line."""
        name = _canon(name)
        return [v for n, v in self.headers if _canon(n) == name]

    def list(self, name):
        """Values of a list header (Via, Route, ...), one entry an element."""
        return [e for v in self.all(name) for e in split_list(v)]

    def get(self, name, default=None):
        vals = self.all(name)
        return vals[0] if vals else default

    def add(self, name, value):
        self.headers.append([name, value])
        return self

    def set(self, name, value):
        want = _canon(name)
        for h in self.headers:
            if _canon(h[0]) == want:
                h[1] = value
                return self
        return self.add(name, value)

    @property
    def is_request(self):
        return not self.start.startswith('SIP/2.0 ')

    @property
    def method(self):
        """The method of a request, the CSeq method of a response."""
        return (self.start.split(' ')[0] if self.is_request
                else self.cseq[1])

    @property
    def uri(self):
        return self.start.split(' ')[1]

    @property
    def status(self):
        return 0 if self.is_request else int(self.start.split(' ')[1])

    @property
    def reason(self):
        return self.start.split(' ', 2)[2]

    @property
    def cseq(self):
        num, _, method = self.get('CSeq', '0 ?').partition(' ')
        return int(num), method.strip()

    @property
    def call_id(self):
        return self.get('Call-ID')

    @property
    def branch(self):
        vias = self.list('Via')
        return param(vias[0], 'branch') if vias else None

    @property
    def from_tag(self):
        return param(self.get('From', ''), 'tag')

    @property
    def to_tag(self):
        return param(self.get('To', ''), 'tag')

    def __repr__(self):
        return '<%s %s>' % (self.start, self.call_id)


def _canon(name):
    name = name.lower()
    return COMPACT.get(name, name)


class Framer:
    """Messages out of a TCP byte stream (Content-Length, RFC 3261 18.3)."""

    def __init__(self):
        self.buf = b''

    def feed(self, data):
        self.buf += data
        out = []
        while True:
            self.buf = self.buf.lstrip(b'\r\n')
            head, sep, rest = self.buf.partition(b'\r\n\r\n')
            if not sep:
                return out
            m = re.search(rb'(?:^|\r\n)(?:content-length|l)[ \t]*:[ \t]*(\d+)',
                          head, re.I)
            size = int(m.group(1)) if m else 0
            if len(rest) < size:
                return out
            end = len(head) + 4 + size
            out.append(self.buf[:end])
            self.buf = self.buf[end:]


# --- digest (RFC 2617, 7616, 8760) -------------------------------------------

ALGS = {'MD5': hashlib.md5, 'SHA-256': hashlib.sha256}


def ha1(user, realm, password, alg='MD5'):
    return ALGS[alg](('%s:%s:%s' % (user, realm, password)).encode()
                     ).hexdigest()


def parse_challenge(value):
    scheme, _, rest = value.partition(' ')
    ch = {'scheme': scheme.lower()}
    for e in split_list(rest):
        k, _, v = e.partition('=')
        ch[k.strip().lower()] = v.strip().strip('"')
    return ch


def answer_challenge(resp, method, uri, user, password, prefer=None, nc=1):
    """(header name, value) that answers a 401/407, or None if we cannot.

    The first challenge whose algorithm we know is taken (RFC 8760 2.4), or
    the one of algorithm `prefer`.
    """
    www = resp.status == 401
    for v in resp.all('WWW-Authenticate' if www else 'Proxy-Authenticate'):
        ch = parse_challenge(v)
        alg = ch.get('algorithm', 'MD5').upper()
        if ch['scheme'] != 'digest' or alg not in ALGS:
            continue
        if prefer and alg != prefer.upper():
            continue
        return ('Authorization' if www else 'Proxy-Authorization',
                credentials(ch, alg, method, uri, user, password, nc))
    return None


def credentials(ch, alg, method, uri, user, password, nc=1):
    h = lambda s: ALGS[alg](s.encode()).hexdigest()
    a1, a2 = ha1(user, ch['realm'], password, alg), h('%s:%s' % (method, uri))
    f = ['username="%s"' % user, 'realm="%s"' % ch['realm'],
         'nonce="%s"' % ch['nonce'], 'uri="%s"' % uri]
    if 'auth' in [q.strip() for q in ch.get('qop', '').split(',')]:
        cnonce, ncs = token(), '%08x' % nc
        f += ['response="%s"' % h(':'.join(
            [a1, ch['nonce'], ncs, cnonce, 'auth', a2])),
            'qop=auth', 'nc=' + ncs, 'cnonce="%s"' % cnonce]
    else:
        f.append('response="%s"' % h(':'.join([a1, ch['nonce'], a2])))
    if 'algorithm' in ch:
        f.append('algorithm=' + alg)
    if 'opaque' in ch:
        f.append('opaque="%s"' % ch['opaque'])
    return 'Digest ' + ', '.join(f)
