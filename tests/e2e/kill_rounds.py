#!/usr/bin/env python3
"""Kill -9 of nodes under REGISTER load, round after round.

Three real nodes and an edge in a network namespace of their own.  Phones
register, refresh, remove and reboot through the edge all the time.  In each
round the seed chooses a node and a moment; the node gets SIGKILL while
requests are open and is started again at once; the next round begins when it
says READY.  Then and at the end, on each node:
  - no contact is missing whose REGISTER got 200 with an acknowledgement;
  - none is shown whose removal got 200 with one.
Answers that a node gave after its time-out, without an acknowledgement, are
counted apart.  A round with no request open at the kill is void and repeated;
when a fifth of them hit nothing, the run has failed.
"""
import argparse
import os
import random
import re
import signal
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(TREE, 'tests', 'support')]

from e2e import namespace                                    # noqa: E402
from lab import Lab                                          # noqa: E402
from regload import PRESENT, RegLoad                         # noqa: E402

AGREE = 3.0                      # [s] until all nodes hold the same
UNACKED = re.compile(r'event=unacked .*?callid="?([^" ]+)"? cseq=(\d+)')


class Rounds:
    def __init__(self, opt, folder):
        self.opt = opt
        self.rng = random.Random(opt.seed)
        self.lab = Lab(dir=folder, domain='example.com', node_conf={
            'auth': 'off', 'users_file': None})
        with open(self.lab.nodebin, 'rb') as f:
            self.says = b'event=unacked' in f.read()
        # a binary that does not name them: what took as long as its time-out
        late = None if self.says else opt.ack / 1000.0
        self.load = RegLoad(self.lab.proxy, 'example.com', late=late,
                            phones=opt.phones, seed=opt.seed)
        self.read_to = {n: 0 for n in self.lab.names}
        self.named = set()
        self.void = self.failed = self.looked = 0
        self.ready_ms, self.open_at, self.agree_ms = [], [], []

    def unacked_lines(self):
        """What the nodes named since the last time."""
        new = set()
        for p in self.lab.nodes:
            with open(p.logfile, errors='replace') as f:
                f.seek(self.read_to[p.name])
                text = f.read()
                cut = text.rfind('\n') + 1
                self.read_to[p.name] += len(text[:cut].encode())
            new.update((c, int(q)) for c, q in UNACKED.findall(text[:cut]))
        self.named |= new
        return new

    def wrong(self):
        """What is not where it belongs, of the phones that rest now.  What
        looks wrong gets AGREE s, and no new request meanwhile."""
        began = time.monotonic()
        calm = self.load.resting()
        try:
            while True:
                dump = {p.name: p.contacts() for p in self.lab.nodes}
                self.load.take_late(self.unacked_lines())
                # what began something meanwhile proves nothing
                calm = self.load.still(calm)
                self.looked += len(calm)
                bad = self.load.check(dump, calm)
                took = time.monotonic() - began
                if not bad:
                    self.agree_ms.append(int(took * 1000))
                if not bad or took > AGREE:
                    return bad
                calm = self.load.still({p: calm[p] for _, p, _ in bad}, True)
                time.sleep(0.02)
        finally:
            self.load.thaw()

    def round(self, i):
        victim = self.rng.choice(self.lab.nodes)
        pause = self.rng.uniform(0.02, self.opt.gap)
        burst = self.rng.randrange(4, 40)
        delay = self.rng.uniform(0, 0.002)
        time.sleep(pause)

        def kill(n):
            victim.signal(signal.SIGKILL)
            return n, time.monotonic()
        n, when = self.load.at_burst(burst, delay, kill)
        victim.popen.wait(5)
        victim.start()
        victim.wait_ready(self.opt.ready)
        ready = int((time.monotonic() - when) * 1000)
        self.ready_ms.append(ready)
        self.open_at.append(n)
        if not n:
            self.void += 1
        bad = self.wrong()
        if bad:
            self.failed += 1
        if bad or self.opt.verbose:
            print('round %d of %d, seed %d: %s killed %.1f ms after a burst '
                  'of %d, %d open, ready after %d ms%s' % (
                      i, self.opt.rounds, self.opt.seed, victim.name,
                      delay * 1000, burst, n, ready,
                      '' if n else ': VOID, no request was open'), flush=True)
        self.tell(bad)
        return not bad

    def tell(self, bad):
        for _, p, text in bad[:10]:
            print('FAIL ' + text)
            for op in p.history:
                print('    %s' % op)
        if len(bad) > 10:
            print('    and %d more' % (len(bad) - 10))

    def same(self):
        """With the load at rest all nodes hold the same, in AGREE s."""
        end = time.monotonic() + AGREE
        while True:
            d = [p.contacts() for p in self.lab.nodes]
            if d[0] == d[1] == d[2]:
                return None
            if time.monotonic() > end:
                odd = set(d[0].items()) ^ set(d[1].items()) | \
                    set(d[0].items()) ^ set(d[2].items())
                return 'nodes differ at the end: %s' % sorted(odd)[:5]
            time.sleep(0.02)

    def run(self):
        self.lab.start(20)
        self.load.start(self.opt.rate)
        while self.load.answered() < self.opt.phones:
            time.sleep(0.01)
            self.load._alive()
        # one that hit nothing proves nothing: another in its place
        i, most = 0, self.opt.rounds + max(5, self.opt.rounds // 5)
        while i - self.void < self.opt.rounds and i < most:
            i += 1
            self.round(i)
        self.load.pause()
        self.load.settle()
        bad = self.wrong()
        self.tell(bad)
        differ = self.same()
        if differ:
            print('FAIL ' + differ)
        self.failed += bool(bad) + bool(differ)
        return self.report()

    def report(self):
        ld, o = self.load, self.opt
        lat = sorted(ld.latency) or [0]
        extra = 0
        if ld.unlisted:
            extra = 1
            print('FAIL %d answers do not list what they granted, first: %s'
                  % (len(ld.unlisted), ld.unlisted[0]))
        if not ld.statuses[200]:
            extra += 1
            print('FAIL no REGISTER got 200')
        have = sum(p.truth == PRESENT for p in ld.phones)
        ran = len(self.ready_ms)
        short = o.rounds - (ran - self.void)
        if short > 0:
            extra += short
            print('FAIL %d rounds short: %d of %d hit nothing' % (
                short, self.void, ran))
        print('# seed %d, %d rounds, %d void and repeated, %d with a fault; '
              'requests open at a kill: %d in all; ready after %d ms '
              '(median), %d (max)' % (
                  o.seed, ran - self.void, self.void, self.failed,
                  sum(self.open_at), sorted(self.ready_ms)[ran // 2],
                  max(self.ready_ms)))
        print('# requests: %s; answers: %s; median %.1f ms, p99 %.1f ms, max '
              '%.0f ms; contacts at the end: %d' % (
                  dict(ld.whats), dict(ld.statuses),
                  lat[len(lat) // 2] * 1e3, lat[len(lat) * 99 // 100] * 1e3,
                  lat[-1] * 1e3, have))
        print('# looked at %d phones on 3 nodes; right after %d ms (max)' % (
            self.looked, max(self.agree_ms or [-1])))
        print('# answered 200 without an acknowledgement%s: %d' % (
            '' if self.says else ' (by their time: this node does not name '
            'them)', len(ld.promised_late)))
        for p, op in ld.promised_late[:20]:
            print('#   %s %s' % (p.aor, op))
        return self.failed + extra

    def good(self):
        return max(len(self.ready_ms) - self.void - self.failed, 0)


def main():
    ap = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    ap.add_argument('--rounds', type=int, default=50)
    ap.add_argument('--seed', type=int, default=1)
    ap.add_argument('--rate', type=int, default=300, help='REGISTER/s')
    ap.add_argument('--phones', type=int, default=600)
    ap.add_argument('--gap', type=float, default=0.5,
                    help='longest pause before a kill [s]')
    ap.add_argument('--ready', type=float, default=30,
                    help='limit of a restart [s]')
    ap.add_argument('--ack', type=int, default=190, help='a 200 that took so '
                    'long [ms] may be one without acknowledgement, where the '
                    'node does not name them')
    ap.add_argument('--dir', help='keep settings and logs there')
    ap.add_argument('-v', dest='verbose', action='store_true')
    opt = ap.parse_args()
    if not os.environ.get('KILL_ROUNDS_NS'):
        os.environ['KILL_ROUNDS_NS'] = '1'
        cmd = namespace() + ['sh', '-c', 'ip link set lo up && exec "$@"',
                             'sh', sys.executable] + sys.argv
        os.execvp(cmd[0], cmd)
    print('# kill_rounds: seed %d, %d rounds' % (opt.seed, opt.rounds),
          flush=True)
    with tempfile.TemporaryDirectory(prefix='kill-rounds-') as tmp:
        r = Rounds(opt, os.path.abspath(opt.dir or tmp))
        try:
            bad = r.run()
        finally:
            r.load.stop()
            ended = {p.name: p.end(20) for p in r.lab.procs}
        for p in r.lab.procs:
            if ended[p.name]:
                # a sanitizer's report, for one
                print('FAIL %s ended with status %s:\n%s' % (
                    p.name, ended[p.name], p.log_tail()))
                bad += 1
    print('%d passed, %d failed, 0 skipped' % (r.good(), bad))
    sys.exit(1 if bad else 0)


if __name__ == '__main__':
    main()
