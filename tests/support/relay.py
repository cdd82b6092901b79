"""A TCP relay that delays and slows what passes.

    r = Relay(('10.77.0.1', 7001), ('10.77.0.12', 5080), delay=0.15)
    ...
    r.delay = 0.5; r.rate = 10000; r.hold = True
    r.stop()

delay [s] each way, rate [bytes/s] each way (None: as fast as it goes), hold:
nothing passes.  All can change while it runs.
"""
import asyncio
import collections
import threading
import time


class Relay:
    def __init__(self, listen, to, delay=0.0, rate=None):
        self.listen, self.to = listen, to
        self.delay, self.rate, self.hold = delay, rate, False
        self.bytes, self.accepted = 0, 0
        self.loop = asyncio.new_event_loop()
        self.up = threading.Event()
        self.fault = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        self.up.wait(5)
        if self.fault:
            raise self.fault

    def _run(self):
        try:
            self.loop.run_until_complete(self._serve())
        except Exception as e:
            self.fault = e
        finally:
            self.up.set()

    async def _serve(self):
        self.end = asyncio.Event()
        srv = await asyncio.start_server(self._client, *self.listen)
        self.up.set()
        async with srv:
            await self.end.wait()
        for t in asyncio.all_tasks():
            if t is not asyncio.current_task():
                t.cancel()

    async def _client(self, r, w):
        self.accepted += 1
        try:
            r2, w2 = await asyncio.open_connection(*self.to)
        except OSError:
            w.transport.abort()
            return
        await asyncio.wait([asyncio.ensure_future(self._pump(r, w2)),
                            asyncio.ensure_future(self._pump(r2, w))],
                           return_when=asyncio.FIRST_COMPLETED)
        w.transport.abort()
        w2.transport.abort()

    async def _pump(self, r, w):
        """Bytes with the time they came; each leaves `delay` after that."""
        q, more = collections.deque(), asyncio.Event()
        room = asyncio.Event()
        room.set()

        async def take():
            while True:
                await room.wait()
                data = await r.read(4096)
                q.append((time.monotonic(), data))
                if len(q) > 64:            # bounded: TCP does the rest
                    room.clear()
                more.set()
                if not data:
                    return
        task = asyncio.ensure_future(take())
        try:
            while True:
                while not q:
                    more.clear()
                    await more.wait()
                came, data = q.popleft()
                if len(q) < 32:
                    room.set()
                while self.hold or time.monotonic() < came + self.delay:
                    await asyncio.sleep(0.005)
                if not data:
                    return
                w.write(data)
                self.bytes += len(data)
                await w.drain()
                if self.rate:
                    await asyncio.sleep(len(data) / self.rate)
        except OSError:
            pass
        finally:
            task.cancel()

    def stop(self):
        if self.thread.is_alive():
            self.loop.call_soon_threadsafe(self.end.set)
            self.thread.join(5)
        self.loop.close()
