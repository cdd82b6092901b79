"""A phone's connection ends: who calls it next does not wait for it, and its
contact goes on all nodes; what an edge loses by its own end removes nothing."""
import socket
import time

from e2e import check, eventually, test
from sipua import Auto

USERS = {'alice': 'a', 'bob': 'b'}


def contacts(lab):
    return [p.status()['contacts'] for p in lab.nodes]


def figure(p, name, **labels):
    want = ','.join('%s="%s"' % kv for kv in labels.items())
    return p.metrics()[name + ('{%s}' % want if want else '')]


def removed(lab):
    return sum(figure(p, 'edgewise_node_gone_total', result='removed')
               for p in lab.nodes)


@test
def cut_connection(ctx):
    """The next call rings the user's other phone at once, and the dead contact is gone on all nodes within 1 s."""
    lab = ctx.lab(nodes=3, users=USERS)
    alice = lab.ua('alice')
    tcp, udp = lab.ua('bob', transport='tcp'), lab.ua('bob')
    alice.register()
    tcp.register(contact=tcp.contact() + ';q=1.0')
    udp.register(contact=udp.contact() + ';q=0.5')
    udp.auto = Auto()
    eventually(lambda: contacts(lab) == [3] * 3, 3, 'three contacts')
    tcp.drop_connection()
    begin = time.monotonic()
    call = alice.invite('sip:bob@example.com')
    call.wait_status(180)
    rang = call.time_to(180)
    eventually(lambda: contacts(lab) == [2] * 3, 3, 'two contacts')
    gone = time.monotonic() - begin
    check(call.wait_final().status == 200, 'the other phone answers')
    print('# rang after %.0f ms, gone after %.0f ms'
          % (rang * 1000, gone * 1000))
    check(rang < 0.4, 'the other phone rang after %.3f s', rang)
    check(gone < 1.0, 'gone on all nodes after %.3f s', gone)


def register_all(lab, n, name='m'):
    socks = []
    for i in range(n):
        s = socket.create_connection(lab.proxy)
        ip, port = s.getsockname()
        who = '%s%d' % (name, i)
        s.sendall((
            'REGISTER sip:example.com SIP/2.0\r\n'
            'Via: SIP/2.0/TCP {ip}:{port};branch=z9hG4bK{who}\r\n'
            'Max-Forwards: 70\r\nFrom: <sip:{who}@example.com>;tag=1\r\n'
            'To: <sip:{who}@example.com>\r\nCall-ID: {who}\r\n'
            'CSeq: 1 REGISTER\r\n'
            'Contact: <sip:{who}@{ip}:{port};transport=tcp>\r\n'
            'Content-Length: 0\r\n\r\n'.format(ip=ip, port=port, who=who)
            ).encode())
        socks.append(s)
    for s in socks:
        s.settimeout(5)
        check(s.recv(4096).startswith(b'SIP/2.0 200'), 'registered')
    return socks


def told(lab):
    """What an edge has to say it says in turn: a phone that comes and goes now
    is the last it speaks of."""
    was, gone = contacts(lab), removed(lab)
    register_all(lab, 1, 'last')[0].close()
    eventually(lambda: removed(lab) == gone + 1, 5, 'the last one is gone')
    eventually(lambda: contacts(lab) == was, 5, 'gone on all nodes')


@test
def many_at_once_and_the_edge_itself(ctx):
    """300 connections that end together are told in a few messages; an edge that is stopped or killed removes nobody."""
    lab = ctx.lab(nodes=3, node_conf={'auth': 'off'})
    socks = register_all(lab, 300)
    eventually(lambda: contacts(lab) == [300] * 3, 5, 'all registered')
    for s in socks[:200]:
        s.close()
    begin = time.monotonic()
    eventually(lambda: contacts(lab) == [100] * 3, 5, '200 are gone')
    took = time.monotonic() - begin
    check(took < 1.5, 'gone after %.3f s', took)
    print('# 200 gone after %.0f ms, in %d messages' % (
        took * 1000, figure(lab.edge, 'edgewise_sbc_ended_batches_total')))
    check(figure(lab.edge, 'edgewise_sbc_ended_batches_total') < 60,
          'in few messages')
    check(figure(lab.edge, 'edgewise_sbc_ended_total', result='told') == 200,
          'all told')
    lab.edge.end()
    lab.edge.start().wait_ready()
    lab.wait_pool(3)
    told(lab)
    check(contacts(lab) == [100] * 3, 'a stopped edge removes nobody')
    more = register_all(lab, 20, 'n')
    eventually(lambda: contacts(lab) == [120] * 3, 5, '20 more')
    lab.edge.kill()
    lab.edge.start().wait_ready()
    lab.wait_pool(3)
    told(lab)
    check(contacts(lab) == [120] * 3, 'nor does a killed one')
    check(removed(lab) == 202, 'removed: only those')
    for s in socks + more:
        s.close()


STUN = bytes.fromhex('000100002112a442') + b'edgewisetest'


def udp_phone(lab, user):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(('127.0.0.1', 0))
    s.settimeout(5)
    ip, port = s.getsockname()
    s.sendto(('REGISTER sip:example.com SIP/2.0\r\n'
              'Via: SIP/2.0/UDP %s:%d;branch=z9hG4bK%s\r\n'
              'Max-Forwards: 70\r\nFrom: <sip:%s@example.com>;tag=1\r\n'
              'To: <sip:%s@example.com>\r\nCall-ID: %s\r\n'
              'CSeq: 1 REGISTER\r\nContact: <sip:%s@%s:%d>\r\n'
              'Content-Length: 0\r\n\r\n' % (
                  ip, port, user, user, user, user, user, ip,
                  port)).encode(), lab.proxy)
    check(s.recv(4096).startswith(b'SIP/2.0 200'), 'registered')
    return s


@test
def kept_alive(ctx):
    """The edge writes CRLF CRLF on TCP and STUN on UDP flows for the nodes, and answers STUN of phones."""
    lab = ctx.lab(nodes=3, node_conf={'auth': 'off', 'ping': {
        'contacts': 'all', 'interval': 1000, 'udp': 'stun',
        'stream': 'keep', 'max_failures': 1, 'remove_after': 0}})
    tcp = register_all(lab, 1)[0]
    udp = udp_phone(lab, 'u')
    for i in range(2):
        got = tcp.recv(100)
        check(got and got == b'\r\n\r\n' * (len(got) // 4),
              'CRLF CRLF, not %r', got)
        got = udp.recv(100)
        check(len(got) == 20 and got[:8] == STUN[:8], 'a Binding request')
        tcp.sendall(b'\r\n')
    udp.sendto(STUN, lab.proxy)
    got = udp.recv(100)
    while got[:2] == b'\0\1':
        got = udp.recv(100)
    port = udp.getsockname()[1]
    check(got[:4] == b'\x01\x01\0\x0c' and got[8:20] == STUN[8:] and
          got[26:28] == bytes([port >> 8 ^ 0x21, port & 255 ^ 0x12]),
          'its answer names our port')
    check(contacts(lab) == [2] * 3, 'silence is no verdict')
    # an edge that forgets its streams says so, and they go
    lab.edge.kill()
    lab.edge.start().wait_ready()
    eventually(lambda: contacts(lab) == [1] * 3, 6, 'the stream is removed')
    check(sum(figure(p, 'edgewise_node_keep_dead_total')
              for p in lab.nodes) >= 1, 'by what the edge said')
    tcp.close()
    udp.close()
