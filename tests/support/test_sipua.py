#!/usr/bin/env python3
"""The tests' own phone against itself: what the end-to-end tests lean on."""
import os
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import sipmsg                                          # noqa: E402
from sipua import SDP, Auto, Ua                        # noqa: E402


def pair(tp):
    b = Ua('bob', 'example.com', ('127.0.0.1', 9), transport=tp)
    a = Ua('alice', 'example.com', ('127.0.0.1', b.port), transport=tp)
    b.proxy = ('127.0.0.1', a.port)
    return a, b


def calls(tp):
    a, b = pair(tp)
    with a, b:
        b.auto = Auto(0.01, 0.03)
        c = a.invite('sip:bob@example.com')
        assert c.wait_final(3).status == 200
        assert c.statuses() == [180, 200], c.statuses()
        i = b.wait_call()
        i.wait_ack(2)
        assert c.request('INVITE', SDP).status == 200
        assert c.bye().status == 200
        i.wait_bye(2)
        b.auto = None
        c = a.invite('sip:bob@example.com')
        i = b.wait_call(n=2)
        i.ring()
        c.wait_status(180)
        assert c.cancel().wait().status == 200
        assert c.wait_final().status == 487
        i.wait_cancel()
        b.auto = Auto(0, 0.01, 486)
        assert a.invite('sip:bob@x').wait_final().status == 486
        b.auto = Auto(0, 0.01)
        c = a.invite('sip:bob@x')
        assert c.wait_final().status == 200
        assert b.wait_call(n=4).bye().status == 200
        c.wait_bye()


def digest():
    """RFC 2617 3.5 and RFC 7616 3.9.1, their own numbers."""
    h = sipmsg.ALGS['MD5']
    a1 = sipmsg.ha1('Mufasa', 'testrealm@host.com', 'Circle Of Life')
    a2 = h(b'GET:/dir/index.html').hexdigest()
    got = h(('%s:dcd98b7102dd2f0e8b11d0f600bfb0c093:00000001:0a4f113b:auth:%s'
             % (a1, a2)).encode()).hexdigest()
    assert got == '6629fae49393a05397450978507c4ef1', got
    assert sipmsg.parse_challenge(
        'Digest realm="a, b", nonce="x", qop="auth,auth-int"') == {
        'scheme': 'digest', 'realm': 'a, b', 'nonce': 'x',
        'qop': 'auth,auth-int'}


def framing():
    m = sipmsg.Msg('OPTIONS sip:a SIP/2.0', [['Via', 'x']], b'hello').bytes()
    f, got = sipmsg.Framer(), []
    for i in range(len(m) * 2):
        got += f.feed((m * 2)[i:i + 1])
    assert got == [m, m]


if __name__ == '__main__':
    digest()
    framing()
    calls('udp')
    calls('tcp')
    print('4 passed, 0 failed')
