#!/usr/bin/env python3
"""usage: dash.py PORT N   N open dashboards, which read all they get, until
it is ended by a signal. Then "views bytes" over all of them."""
import select
import signal
import socket
import sys

port, n = int(sys.argv[1]), int(sys.argv[2])
ended = []
for s in (signal.SIGTERM, signal.SIGINT):
    signal.signal(s, lambda *a: ended.append(1))
ep, socks, views, size = select.epoll(), {}, 0, 0
for _ in range(n):
    c = socket.create_connection(('127.0.0.1', port), 10)
    c.sendall(b'GET /api/v1/stream?view=html HTTP/1.1\r\nHost: localhost'
              b'\r\n\r\n')
    socks[c.fileno()] = c
    ep.register(c.fileno(), select.EPOLLIN)
print('open', flush=True)
while not ended and socks:
    for fd, _ in ep.poll(0.5):
        d = socks[fd].recv(1 << 18)
        if not d:
            ep.unregister(fd)
            socks.pop(fd).close()
            continue
        views += d.count(b'event: view')
        size += len(d)
print(views, size, len(socks), flush=True)
