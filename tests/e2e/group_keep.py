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


def register_all(lab, n):
    socks = []
    for i in range(n):
        s = socket.create_connection(lab.proxy)
        ip, port = s.getsockname()
        s.sendall(('REGISTER sip:example.com SIP/2.0\r\n'
                   'Via: SIP/2.0/TCP %s:%d;branch=z9hG4bKm%d\r\n'
                   'Max-Forwards: 70\r\nFrom: <sip:m%d@example.com>;tag=1\r\n'
                   'To: <sip:m%d@example.com>\r\nCall-ID: m%d\r\n'
                   'CSeq: 1 REGISTER\r\nContact: <sip:m%d@%s:%d;transport=tcp>'
                   '\r\nContent-Length: 0\r\n\r\n' % (
                       ip, port, i, i, i, i, i, ip, port)).encode())
        socks.append(s)
    for s in socks:
        s.settimeout(5)
        check(s.recv(4096).startswith(b'SIP/2.0 200'), 'registered')
    return socks


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
    time.sleep(1)
    check(contacts(lab) == [100] * 3, 'a stopped edge removes nobody')
    more = register_all(lab, 20)
    lab.edge.kill()
    time.sleep(0.5)
    was = contacts(lab)
    lab.edge.start().wait_ready()
    time.sleep(1)
    check(contacts(lab) == was and was[0] >= 100, 'nor does a killed one')
    check(removed(lab) == 200, 'removed: only those')
    for s in socks + more:
        s.close()
