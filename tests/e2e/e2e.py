"""End-to-end tests of the real programs; started by tests/e2e/run.

The driver runs each group (a module group_NAME.py) as a process of its own in
a new network namespace, some side by side, and prints their lines as they
come: TAP without the plan, then `N passed, N failed, N skipped`.
"""
import argparse
import importlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(TREE, 'tests', 'support')]

LIMIT = 40                      # [s] one test, unless it says otherwise
# longest first, so that two side by side end together
GROUPS = ['drill', 'cluster', 'stress', 'admin', 'badpeer', 'pagedrill',
          'sql', 'browser', 'page', 'certs', 'failover', 'torture', 'ua', 'users',
          'forked', 'members', 'nat', 'ping', 'keep', 'rotate', 'kamailio',
          'hostile', 'cli', 'calls', 'node', 'restart', 'policy',
          'hide', 'hooks', 'import', 'peers', 'admit', 'baresip', 'start']
GROUPS = [g for g in GROUPS if os.path.exists(
    os.path.join(HERE, 'group_%s.py' % g))]


class Skip(Exception):
    """The test cannot run here; the text says why."""


class TooLong(BaseException):
    pass


class Test:
    def __init__(self, group, fn, name, limit):
        self.group, self.fn, self.limit = group, fn, limit
        self.name = '%s.%s' % (group, name)
        self.claim = (fn.__doc__ or '').strip().split('\n')[0]


TESTS = []


def test(fn=None, name=None, limit=LIMIT):
    """Decorator: the function's docstring is the claim."""
    def add(f):
        group = f.__module__.replace('group_', '')
        TESTS.append(Test(group, f, name or re.sub('^t_', '', f.__name__),
                          limit))
        return f
    return add(fn) if fn else add


def check(cond, text, *args):
    if not cond:
        raise AssertionError(text % args if args else text)


def equal(got, want, what):
    if got != want:
        raise AssertionError('%s: got %r, want %r' % (what, got, want))


def eventually(what, limit=5.0, name='condition', gap=0.02):
    """Poll until what() is true; its value."""
    end = time.monotonic() + limit
    while True:
        v = what()
        if v:
            return v
        if time.monotonic() > end:
            raise TimeoutError('no %s in %.1f s' % (name, limit))
        time.sleep(gap)


class Ctx:
    """What a test gets: a folder of its own, things to end afterwards, and
    the group's lab."""

    def __init__(self, group, root):
        self.group, self.root = group, root
        self.dir, self.shared, self._undo = None, None, []

    def begin(self, t):
        self.dir = os.path.join(self.root, t.name)
        os.makedirs(self.dir)

    def after(self, fn):
        """Run fn() when the test ends, latest first."""
        self._undo.append(fn)

    def end(self):
        for fn in self._undo[::-1]:
            try:
                fn()
            except Exception:
                traceback.print_exc()
        self._undo = []

    def lab(self, **kw):
        """A started Lab for this test alone, ended with it."""
        lab = self.new_lab(**kw)
        lab.start()
        return lab

    def new_lab(self, **kw):
        """The same, not started."""
        from lab import Lab
        kw.setdefault('dir', os.path.join(self.dir, 'lab'))
        lab = Lab(**kw)
        self.after(lab.stop)
        return lab


def sanitizer_reports(ctx):
    """What a program built with a sanitizer had to say since the last time."""
    text = ''
    for f in sorted(os.listdir(ctx.root)):
        if f.startswith('sanitizer.'):
            path = os.path.join(ctx.root, f)
            with open(path, errors='replace') as r:
                text += r.read(3000)
            os.rename(path, os.path.join(ctx.root, 'seen-' + f))
    return text


def run_one(ctx, t, number, opt):
    def ring(*_):
        raise TooLong('longer than %d s' % t.limit)
    signal.signal(signal.SIGALRM, ring)
    ctx.begin(t)
    began = time.monotonic()
    word, why = 'ok', ''
    signal.alarm(t.limit)
    try:
        t.fn(ctx)
    except Skip as e:
        word, why = 'skip', str(e)
    except (Exception, TooLong) as e:
        word = 'not ok'
        last = [f for f in traceback.extract_tb(e.__traceback__)
                if f.filename.startswith(HERE)][-1:]
        why = '%s: %s' % (type(e).__name__, e) + ''.join(
            '\n(%s:%d: %s)' % (os.path.basename(f.filename), f.lineno, f.line)
            for f in last)
        with open(os.path.join(ctx.dir, 'failure.txt'), 'w') as f:
            f.write(traceback.format_exc())
    finally:
        signal.alarm(0)
    try:
        signal.alarm(30)
        ctx.end()
        signal.alarm(0)
    except TooLong:
        print('# %s: cleaning up took too long' % t.name)
    report = sanitizer_reports(ctx)
    if report:
        word, why = 'not ok', why + '\nsanitizer:\n' + report
    took = time.monotonic() - began
    line = '%s %d - %s: %s' % ('ok' if word == 'skip' else word, number,
                               t.name, t.claim)
    line += ' # SKIP ' + why if word == 'skip' else ' (%.2f s)' % took
    if word == 'not ok':
        line += ''.join('\n#   ' + x for x in why.splitlines())
    print(line, flush=True)
    if word == 'ok' and not opt.keep:
        shutil.rmtree(ctx.dir, ignore_errors=True)
    return word


def run_group(name, opt):
    """In the namespace: all chosen tests of a group."""
    subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
    mod = importlib.import_module('group_' + name)
    root = os.path.join(opt.logs, name)
    os.makedirs(root, exist_ok=True)
    ctx = Ctx(name, root)
    bad = 0
    for var, more in (('ASAN', 'detect_leaks=1:'), ('UBSAN',
                      'print_stacktrace=1:halt_on_error=1:')):
        os.environ[var + '_OPTIONS'] = more + 'log_path=' + os.path.join(
            root, 'sanitizer')
    try:
        if hasattr(mod, 'setup'):
            try:
                mod.setup(ctx)
            except Exception as e:
                for i, t in enumerate(chosen(TESTS, opt.names), 1):
                    print('not ok %d - %s: %s\n#   setup: %s' % (
                        i, t.name, t.claim, str(e).replace('\n', '\n#   ')),
                        flush=True)
                return 1
        for i, t in enumerate(chosen(TESTS, opt.names), 1):
            bad += run_one(ctx, t, i, opt) == 'not ok'
    finally:
        if hasattr(mod, 'teardown'):
            mod.teardown(ctx)
    report = sanitizer_reports(ctx)
    if report:
        bad += 1
        print('not ok 0 - %s: sanitizers have nothing to say at the end\n#   '
              '%s' % (name, report.replace('\n', '\n#   ')), flush=True)
    if not bad and not opt.keep:
        shutil.rmtree(root, ignore_errors=True)
    return 1 if bad else 0


def chosen(tests, names):
    return [t for t in tests if not names or t.group in names or
            t.name in names]


class Count:
    def __init__(self):
        self.lock = threading.Lock()
        self.passed = self.failed = self.skipped = self.number = 0
        self.bad = []           # names of failed ones

    def line(self, s):
        """A group's line, renumbered."""
        with self.lock:
            m = re.match(r'(ok|not ok) \d+ (- .*)', s)
            if m:
                self.number += 1
                if '# SKIP' in s:
                    self.skipped += 1
                elif m.group(1) == 'ok':
                    self.passed += 1
                else:
                    self.failed += 1
                    self.bad.append(m.group(2)[2:].split(':')[0])
                s = '%s %d %s' % (m.group(1), self.number, m.group(2))
            print(s, flush=True)


def namespace():
    """The command that makes one, for root and for others."""
    for cmd in (['unshare', '-n'], ['unshare', '-rn']):
        try:
            r = subprocess.run(cmd + ['ip', 'link', 'set', 'lo', 'up'],
                               capture_output=True, text=True)
        except OSError as e:
            sys.exit('e2e: unshare and ip are needed (util-linux, iproute2): '
                     '%s' % e)
        if not r.returncode:
            return cmd
    sys.exit('e2e: no network namespace can be made here (%s): run as root, '
             'or allow user namespaces' % r.stderr.strip())


def spawn(group, opt, count, want=None):
    # after unshare: new rights take it away
    cmd = opt.namespace + ['setpriv', '--pdeathsig', 'KILL', sys.executable,
                           os.path.join(HERE, 'e2e.py'), '--group', group,
                           '--logs', opt.logs]
    cmd += (['-v'] if opt.verbose else []) + (['-k'] if opt.keep else [])
    want = want or [t.name for t in chosen(TESTS, opt.names)
                    if t.group == group]
    p = subprocess.Popen(cmd + want, stdout=subprocess.PIPE, text=True,
                         stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    seen = bad = 0
    for line in p.stdout:
        seen += bool(re.match(r'(ok|not ok) \d', line))
        bad += line.startswith('not ok')
        count.line(line.rstrip('\n'))
    p.wait()
    if seen < len(want) or p.returncode and not bad:
        count.line('not ok 0 - %s: the group ended with status %d after %d '
                   'of %d tests' % (group, p.returncode, seen, len(want)))


def again(opt, count):
    """What failed beside others runs once more with the machine for itself.
    Only a few: many failures are no matter of who ran beside whom."""
    names, most = count.bad, int(os.environ.get('E2E_AGAIN', '0'))
    if not 0 < len(names) <= most or \
            not set(names) <= {t.name for t in TESTS}:
        return
    logs = opt.logs
    opt.logs = os.path.join(logs, 'again')
    os.makedirs(opt.logs)
    for name in names:
        print('# %s once more, alone' % name, flush=True)
        second = Count()
        spawn(name.split('.')[0], opt, second, [name])
        if second.passed and not second.failed:
            count.failed -= 1
            count.passed += 1
            print('# %s failed beside others and passed alone' % name)
    opt.logs = logs


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('names', nargs='*')
    ap.add_argument('-v', dest='verbose', action='store_true')
    ap.add_argument('-k', dest='keep', action='store_true')
    ap.add_argument('--list', action='store_true')
    ap.add_argument('--group')
    ap.add_argument('--logs')
    opt = ap.parse_args()
    sys.modules['e2e'] = sys.modules['__main__']
    if opt.group:
        os.environ['E2E_VERBOSE'] = '1' if opt.verbose else ''
        sys.exit(run_group(opt.group, opt))
    for g in GROUPS:
        importlib.import_module('group_' + g)
    if opt.list:
        for t in chosen(TESTS, opt.names):
            print('%-32s %s' % (t.name, t.claim))
        return
    unknown = [n for n in opt.names if not chosen(TESTS, [n])]
    if unknown:
        sys.exit('e2e: no group or test named ' + ', '.join(unknown))
    build = os.environ.get('EDGEWISE_BUILD') or os.path.join(TREE, 'build')
    os.environ['EDGEWISE_BUILD'] = os.path.abspath(build)
    opt.namespace = namespace()
    opt.logs = os.path.abspath(os.environ.get('E2E_LOGS') or
                               os.path.join(build, 'e2e-logs'))
    shutil.rmtree(opt.logs, ignore_errors=True)
    os.makedirs(opt.logs)
    began, count = time.monotonic(), Count()
    todo = [g for g in GROUPS if any(t.group == g for t in
                                     chosen(TESTS, opt.names))]
    lock = threading.Lock()

    def work():
        while True:
            with lock:
                if not todo:
                    return
                g = todo.pop(0)
            spawn(g, opt, count)
    jobs = max(1, int(os.environ.get('E2E_JOBS', '2')))
    threads = [threading.Thread(target=work) for _ in range(jobs)]
    for th in threads:
        th.start()
    for th in threads:
        th.join()
    again(opt, count)
    try:
        os.rmdir(opt.logs)
    except OSError:
        print('# files of failed tests: ' + opt.logs)
    print('# %.0f s' % (time.monotonic() - began))
    print('%d passed, %d failed, %d skipped' % (count.passed, count.failed,
                                                count.skipped))
    sys.exit(1 if count.failed or not count.passed else 0)


if __name__ == '__main__':
    main()
