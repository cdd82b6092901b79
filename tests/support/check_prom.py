"""The shipped Prometheus rules and Grafana page against what the programs
export, and against docs/operations.md. Part of check-docs."""
import json
import os
import re
import subprocess
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
PROM = os.path.join(TOP, 'etc', 'prometheus')
RULES = os.path.join(PROM, 'edgewise-alerts.yml')
GRAFANA = os.path.join(TOP, 'etc', 'grafana', 'edgewise.json')
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


def expressions(page):
    """Of all panels and variables of a Grafana page."""
    out = [v['query']['query'] for v in page['templating']['list']
           if v['type'] == 'query']
    for p in page['panels']:
        out += [t['expr'] for t in p.get('targets', ())]
    return out


def check_grafana(check, have):
    try:
        page = json.loads(read(GRAFANA))
    except ValueError as e:
        check(False, 'etc/grafana/edgewise.json is JSON', e)
        return
    panels = page['panels']
    ex = expressions(page)
    check(len(ex) > 20, 'the Grafana page has expressions', len(ex))
    bad = sorted({x for e in ex for x in unknown(e, have)})
    check(not bad, 'what the Grafana page shows is exported', ' '.join(bad))
    check(all(re.search(r'\bedgewise_', e) for e in ex),
          'each expression of it is over figures of ours', ex)
    by = [(e, k) for e in ex for ls in re.findall(r' by \(([^)]*)\)', e)
          for k in ls.split(', ') if k != 'instance'
          and not any(k in have.get(n, {})
                      for n in re.findall(r'edgewise_\w+', e))]
    check(not by, 'what it groups by is a label of the figure', by)
    # as rules, promtool parses them; only what Grafana fills in is filled in
    rules = {'groups': [{'name': 'page', 'rules': [
        {'record': 'r%d' % i, 'expr': re.sub(r'\$\w+', 'x', e)}
        for i, e in enumerate(ex) if not e.startswith('label_values')]}]}
    with tempfile.NamedTemporaryFile('w', suffix='.yml') as f:
        json.dump(rules, f)
        f.flush()
        rc, out = promtool('check', 'rules', f.name)
    check(rc == 0, 'promtool can read the expressions of the page', out)
    ids = [p['id'] for p in panels]
    check(len(set(ids)) == len(ids), 'panels have ids of their own', ids)


def check_prom(check, texts, doc):
    """texts: {program: its /metrics}"""
    have = series(texts.values())
    check_rules(check, have, doc)
    check_grafana(check, have)
    check_promtool(check, texts)
