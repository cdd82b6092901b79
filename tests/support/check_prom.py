"""The shipped Prometheus rules and Grafana page against what the programs
export, and against docs/operations.md. Part of check-docs."""
import json
import os
import re
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
PROM = os.path.join(TOP, 'etc', 'prometheus')
RULES = os.path.join(PROM, 'edgewise-alerts.yml')
CASES = os.path.join(TOP, 'tests', 'support', 'alerts.test.yml')
SUFFIX = re.compile(r'_(?:bucket|sum|count)$')


def read(path):
    with open(path) as f:
        return f.read()


def promtool(*argv, text=None):
    """(status, output); status None: there is no promtool."""
    try:
        r = subprocess.run(('promtool',) + argv, input=text, text=True,
                           capture_output=True, timeout=60)
    except FileNotFoundError:
        return None, 'no promtool: apt-get install prometheus'
    return r.returncode, r.stdout + r.stderr


def series(texts):
    """{figure: {label: {values}}} of all programs."""
    out = {}
    for text in texts:
        for m in re.finditer(r'^# TYPE (\S+)', text, re.M):
            out.setdefault(m.group(1), {})
        for m in re.finditer(r'^(\w+)\{(.*)\} ', text, re.M):
            name = SUFFIX.sub('', m.group(1))
            for k, v in re.findall(r'(\w+)="([^"]*)"', m.group(2)):
                out.setdefault(name, {}).setdefault(k, set()).add(v)
    return out


def unknown(text, have):
    """What the expressions of text name and no program exports."""
    out = []
    for name, sel in re.findall(r'\b(edgewise_\w+)(?:\{([^}]*)\})?', text):
        labels = have.get(name, have.get(SUFFIX.sub('', name)))
        if labels is None:
            out.append(name)
            continue
        for k, op, v in re.findall(r'(\w+)\s*(!?[=~]+)\s*"([^"]*)"', sel):
            if k in ('instance', 'job', 'node') or v.startswith('$'):
                continue
            bad = [x for x in (v.split('|') if '~' in op else [v])
                   if x not in labels.get(k, ())]
            out += ['%s{%s="%s"}' % (name, k, x) for x in bad]
    return sorted(set(out))


def alerts(text):
    return re.findall(r'^\s*- alert: (\w+)$', text, re.M)


def documented(doc):
    part = doc.partition('\n## Alerts\n')[2].partition('\n## ')[0]
    return {h: body.strip() for h, body in re.findall(
        r'^### (\w+)\n(.*?)(?=^### |\Z)', part, re.M | re.S)}


def check_rules(check, have, doc):
    text = read(RULES)
    names, heads = alerts(text), documented(doc)
    check(len(names) > 10 and len(set(names)) == len(names),
          'alerts have names of their own', names)
    check(set(names) <= set(heads), 'every alert is documented',
          ' '.join(sorted(set(names) - set(heads))))
    check(set(heads) <= set(names), 'every documented alert exists',
          ' '.join(sorted(set(heads) - set(names))))
    check(all(len(b) > 40 for b in heads.values()),
          'every alert says what it asks for',
          ' '.join(h for h, b in heads.items() if len(b) <= 40))
    check(not unknown(text, have), 'what the alerts look at is exported',
          ' '.join(unknown(text, have)))
    for n in ('edgewise_sbc_losst_total', 'edgewise_sbc_lost_total{why="x"}'):
        check(unknown('increase(%s[5m])' % n, have) == [n],
              'a rule over %s would be found' % n)
    named = set(re.findall(r'alertname="(\w+)"', read(CASES)))
    check(named == set(names), 'a case for each alert', named ^ set(names))


def check_promtool(check, texts):
    for what, argv in (
            ('rules', ('check', 'rules', RULES)),
            ('scrape example', ('check', 'config',
                                os.path.join(PROM, 'prometheus.yml'))),
            ('cases of the rules', ('test', 'rules', CASES))):
        rc, out = promtool(*argv)
        check(rc == 0, 'promtool accepts the %s' % what, out)
    for prog, text in texts.items():
        rc, out = promtool('check', 'metrics', text=text)
        check(rc == 0 and not out.strip(),
              'promtool accepts the figures of %s' % prog, out)


def check_prom(check, texts, doc):
    """texts: {program: its /metrics}"""
    have = series(texts.values())
    check_rules(check, have, doc)
    check_promtool(check, texts)
