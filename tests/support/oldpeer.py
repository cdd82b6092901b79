"""What stands between the edge and its nodes and lets neither see a kind of
message of the other, as if it was of a version before that kind.

    old = OldPeer(lab, b'application/edgewise-ask')    # before lab.start()
    ...
    old.seen            # how often the word passed
    old.stop()

Every TCP connection that the edge and the nodes of a lab open to each other is
led through here (nft, in a network namespace of our own), with the addresses
that it would have had. The word is replaced by another one of its length.
"""
import os
import select
import socket
import struct
import subprocess
import threading

ORIGINAL_DST = 80                     # linux/netfilter_ipv4.h
MARK = 0x4557                         # ours are not led through here again
TABLE = 'oldpeer'


def nft(text):
    return subprocess.run(['nft', text], capture_output=True,
                          text=True).returncode == 0


def able():
    """None, or why there can be none here."""
    if os.geteuid() or not nft('add table ip %s-try; add chain ip %s-try o { '
                               'type nat hook output priority -100; }' % (
                                   TABLE, TABLE)):
        return 'nft cannot redirect here'
    nft('delete table ip %s-try' % TABLE)


class OldPeer:
    def __init__(self, lab, word):
        self.word, self.other = word, word[:-1] + b'~'
        self.seen, self.ends = 0, []
        self.srv = socket.socket()
        self.srv.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.srv.bind(('0.0.0.0', 0))
        self.srv.listen(64)
        p = lab.plan
        ports = [(p.edge_ip, p.core)] + [(ip, p.sip) for ip in p.node_ips]
        rules = ''.join(
            'add rule ip %s o ip daddr %s tcp dport %d meta mark != %d '
            'redirect to :%d; ' % (TABLE, ip, port, MARK,
                                   self.srv.getsockname()[1])
            for ip, port in ports)
        if not nft('add table ip %s; add chain ip %s o { type nat hook output '
                   'priority -100; }; %s' % (TABLE, TABLE, rules)):
            raise OSError('nft')
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                a, (ip, _) = self.srv.accept()
            except OSError:
                return
            try:
                port, to = struct.unpack('!2xH4s8x', a.getsockopt(
                    socket.SOL_IP, ORIGINAL_DST, 16))
                b = socket.socket()
                b.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, MARK)
                b.bind((ip, 0))
                b.connect((socket.inet_ntoa(to), port))
            except OSError:
                a.close()
                continue
            self.ends += [a, b]
            threading.Thread(target=self._pass, args=(a, b),
                             daemon=True).start()

    def _pass(self, a, b):
        held = {a: b'', b: b''}
        other = {a: b, b: a}
        try:
            while True:
                for s in select.select([a, b], [], [])[0]:
                    data = s.recv(65536)
                    if not data:
                        return
                    data = held[s] + data
                    self.seen += data.count(self.word)
                    data = data.replace(self.word, self.other)
                    # the beginning of one at the end
                    n = max((n for n in range(len(self.word)) if
                             data.endswith(self.word[:n])), default=0)
                    held[s] = data[len(data) - n:]
                    other[s].sendall(data[:len(data) - n])
        except OSError:
            pass
        finally:
            a.close()
            b.close()

    def stop(self):
        nft('delete table ip ' + TABLE)
        self.srv.close()
        for s in self.ends:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
