'use strict';
// The page of the edge. The server writes every figure as HTML; this file puts
// what the stream brings in place of what stands there, draws the charts and
// asks before an action. No library, no other host.
(function () {
const $ = (id) => document.getElementById(id);
const root = document.documentElement;
root.classList.add('live');

// --- settings of this browser -----------------------------------------------
// Storage may be switched off: then settings last as long as the page.
const memory = {};
function keep(store, key, value) {
  memory[key] = value;
  try { value === '' ? store.removeItem(key) : store.setItem(key, value); } catch (e) { /* off */ }
}
function kept(store, key) {
  try { return store.getItem(key) || memory[key] || ''; } catch (e) { return memory[key] || ''; }
}
const themes = ['auto', 'light', 'dark'];
function theme(name) {
  if (name === 'auto') root.removeAttribute('data-theme'); else root.setAttribute('data-theme', name);
  $('theme').textContent = 'Theme: ' + name;
  keep(localStorage, 'edgewise.theme', name);
}
$('theme').onclick = () => theme(themes[(themes.indexOf(kept(localStorage, 'edgewise.theme') || 'auto') + 1) % 3]);
theme(themes.includes(kept(localStorage, 'edgewise.theme')) ? kept(localStorage, 'edgewise.theme') : 'auto');

// --- what the server sends, in place -----------------------------------------
// Elements that stay the same stay: focus, selection and scroll position are kept.
function same(a, b) { return a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id || '') === (b.id || ''); }
function morph(to, from) {
  if (to.nodeType === 3) { if (to.data !== from.data) to.data = from.data; return; }
  if (to.isEqualNode(from)) return;
  for (const a of Array.from(to.attributes)) if (!from.hasAttribute(a.name) && !(a.name === 'open' && to.nodeName === 'DETAILS')) to.removeAttribute(a.name);
  for (const a of Array.from(from.attributes)) if (to.getAttribute(a.name) !== a.value) to.setAttribute(a.name, a.value);
  children(to, from);
}
function children(to, from) {
  let i = 0;
  for (const f of Array.from(from.childNodes)) {
    const t = to.childNodes[i++];
    if (!t) to.appendChild(document.importNode(f, true));
    else if (same(t, f)) morph(t, f);
    else to.replaceChild(document.importNode(f, true), t);
  }
  while (to.childNodes.length > i) to.removeChild(to.lastChild);
}
const parser = new DOMParser();
// A table's parts cannot stand alone, so whole sections are parsed.
function place(section, html) {
  const doc = parser.parseFromString('<!doctype html><body><div>' + html + '</div>', 'text/html');
  clocks(doc);
  children(section, doc.body.firstChild);
}
function clocks(where) {
  for (const t of where.querySelectorAll('time[data-wall]'))
    t.textContent = clock(Number(t.dataset.wall));
}
function clock(ms) {
  const d = new Date(ms), p = (n) => String(n).padStart(2, '0');
  return p(d.getHours()) + ':' + p(d.getMinutes()) + ':' + p(d.getSeconds());
}
let heard = 0;
function show(view) {
  heard = performance.now();
  for (const s of document.querySelectorAll('.s')) {
    const html = view.html[s.dataset.s];
    if (html !== undefined) place(s, html);
  }
  const box = $('verdict-box');
  if (box) document.title = box.dataset.state + ' – Edgewise';
  marks();
}

// --- how old is what stands there --------------------------------------------
function age() {
  const s = (performance.now() - heard) / 1000, old = !heard || s > (polling ? 20 : 4);
  root.classList.toggle('frozen', old);
  $('live').className = 'js ' + (old ? 'lost' : 'on');
  const text = !heard ? 'no figures from the edge yet' : old ?
    'no word from the edge for ' + Math.round(s) + ' s: figures are old' : polling ? 'figures every 5 s' : 'live';
  if ($('live').textContent !== text) $('live').textContent = text;
}

// --- the stream ----------------------------------------------------------------
// A browser has six connections for one host: only a page that is seen takes
// one for good, a hidden one asks from time to time for the word in its title.
let source = null, polling = false, timer = 0;
function follow() {
  clearTimeout(timer);
  if (source) source.close();
  if (document.hidden) { polling = true; poll(); return; }
  source = new EventSource('api/v1/stream?view=html');
  source.addEventListener('view', (e) => { polling = false; show(JSON.parse(e.data)); });
  source.addEventListener('row', (e) => add(JSON.parse(e.data)));
  source.onopen = past;
  // A server that refuses (too many streams) ends it for good: then we ask.
  source.onerror = () => { if (source.readyState === EventSource.CLOSED) { polling = true; poll(); } };
}
let polls = 0;
async function poll() {
  try {
    const r = await fetch('./', { cache: 'no-store' });
    if (r.ok) {
      const doc = parser.parseFromString(await r.text(), 'text/html'), html = {};
      for (const s of doc.querySelectorAll('.s')) html[s.dataset.s] = s.innerHTML;
      show({ html });
    }
  } catch (e) { /* age() tells */ }
  // what was refused may be possible by now
  timer = setTimeout(!document.hidden && ++polls % 4 === 0 ? follow : poll, document.hidden ? 15000 : 5000);
}

// --- charts ----------------------------------------------------------------------
const SPAN = 3600000, W = 720, H = 120;
const CHARTS = [
  ['Requests per second', '', [['invite_per_s', 'INVITE'], ['register_per_s', 'REGISTER'], ['other_per_s', 'other']]],
  ['Answers per second', '', [['r2xx_per_s', '2xx'], ['r4xx_per_s', '4xx'], ['r5xx_per_s', '5xx'], ['r6xx_per_s', '6xx']]],
  ['INVITE to ringing', ' ms', [['srd_p50_ms', 'p50'], ['srd_p95_ms', 'p95'], ['srd_p99_ms', 'p99']]],
  ['Saved and lost per second', '', [['saved_per_s', 'saved'], ['moved_per_s', 'moved'], ['lost_per_s', 'lost'], ['adopted_per_s', 'adopted']]],
  ['Under way', '', [['pending', 'requests'], ['connections', 'connections']]],
  ['Nodes up', '', [['nodes_up', 'nodes']]],
];
const SVG = 'http://www.w3.org/2000/svg';
let names = [], rows = [];
function el(name, attrs, parent) {
  const e = name.startsWith('svg:') ? document.createElementNS(SVG, name.slice(4)) : document.createElement(name);
  for (const k in attrs) e.setAttribute(k, attrs[k]);
  if (parent) parent.appendChild(e);
  return e;
}
for (const c of CHARTS) {
  const f = el('figure', { class: 'chart' }, $('charts'));
  c.cap = el('figcaption', {}, f);
  el('b', {}, c.cap).textContent = c[0];
  c.keys = c[2].map((s, i) => el('span', { class: 'key k' + i }, c.cap));
  c.svg = el('svg:svg', { viewBox: '0 0 ' + W + ' ' + H, preserveAspectRatio: 'none', role: 'img' }, f);
  c.grid = [0, 1, 2].map((i) => el('svg:line', { class: 'grid', x1: 0, x2: W, y1: 6 + i * 54, y2: 6 + i * 54 }, c.svg));
  c.paths = c[2].map((s, i) => el('svg:path', { class: 'k' + i }, c.svg));
  c.marks = el('svg:g', {}, c.svg);
  const ax = el('div', { class: 'axis' }, f);
  c.from = el('span', {}, ax);
  c.top = el('span', {}, ax);
  el('span', {}, ax).textContent = 'now';
}
async function past() {
  try {
    const r = await fetch('api/v1/history', { cache: 'no-store' });
    if (!r.ok) return;
    const o = await r.json();
    names = o.names; rows = o.rows;
    draw();
  } catch (e) { /* the next row tries again */ }
}
function add(row) {
  if (!names.length) { past(); return; }
  if (rows.length && row[0] <= rows[rows.length - 1][0]) return;
  rows.push(row);
  while (rows.length && rows[0][0] < row[0] - SPAN) rows.shift();
  draw();
}
function nice(v) {
  if (v <= 0) return 1;
  const p = Math.pow(10, Math.floor(Math.log10(v)));
  for (const m of [1, 2, 5, 10]) if (m * p >= v) return m * p;
  return v;
}
const number = (v) => v >= 100 ? String(Math.round(v)) : String(Math.round(v * 100) / 100);
// What is drawn is what was: a chart of five minutes is five minutes wide.
function span() { return rows.length ? Math.max(60000, Math.min(SPAN, rows[rows.length - 1][0] - rows[0][0])) : SPAN; }
function draw() {
  if (!rows.length || document.hidden) return;
  const end = rows[rows.length - 1][0], wide = span();
  for (const c of CHARTS) {
    const cols = c[2].map((s) => names.indexOf(s[0]));
    let max = 0;
    for (const r of rows) for (const k of cols) if (r[k] > max) max = r[k];
    max = nice(max);
    c[2].forEach((s, i) => {
      let d = '', pen = 'M', before = 0;
      for (const r of rows) {
        const v = r[cols[i]];
        if (v === null || v === undefined) { pen = 'M'; continue; }
        if (r[0] - before > 20000) pen = 'M';        // a gap is a gap
        before = r[0];
        d += pen + ((r[0] - end + wide) / wide * W).toFixed(1) + ' ' + (H - 6 - v / max * (H - 12)).toFixed(1);
        pen = 'L';
      }
      c.paths[i].setAttribute('d', d);
      const last = rows[rows.length - 1][cols[i]];
      c.keys[i].textContent = s[1] + ' ' + (last === null || last === undefined ? '–' : number(last) + c[1]);
    });
    c.svg.setAttribute('aria-label', c[0] + ', up to ' + number(max) + c[1]);
    c.top.textContent = 'top line ' + number(max) + c[1];
    c.from.textContent = clock(end - wide);
  }
  marks();
}
// Events of the list, on every chart at their time.
function marks() {
  if (!rows.length) return;
  const end = rows[rows.length - 1][0], wide = span(), seen = [];
  for (const li of document.querySelectorAll('.events li')) {
    const t = li.querySelector('time');
    const x = Math.round((Number(t ? t.dataset.wall : 0) - end + wide) / wide * W);
    if (x >= 0 && x <= W && li.className !== 'info' && !seen.some((s) => s[0] === x)) seen.push([x, li.className, li.textContent]);
  }
  for (const c of CHARTS) {
    while (c.marks.childNodes.length > seen.length) c.marks.lastChild.remove();
    seen.forEach((s, i) => {
      const l = c.marks.childNodes[i] || el('svg:line', { y1: 0, y2: H }, c.marks);
      l.setAttribute('x1', s[0]); l.setAttribute('x2', s[0]);
      l.setAttribute('class', 'mark ' + s[1]);
      if (!l.firstChild) el('svg:title', {}, l);
      l.firstChild.textContent = s[2];
    });
  }
}

// --- actions ----------------------------------------------------------------------
const TOKEN = 'edgewise.token', WHO = 'edgewise.who';
const WHAT = {
  drain: 'gets no new requests; what runs there ends in peace, then it is out.',
  maint: 'is out at once; calls in set-up there move to other nodes.',
  ready: 'gets requests again.',
  clear: 'is disturbed by a drill, which ends now.',
  abort: 'ends now; its fault is taken back first.',
  lab: 'An edge and three nodes of its own start on this machine, with test calls; this pool is not touched.',
  here: 'Test calls go through this pool, and the fault meets calls of others that use the node, too. The edge ends the fault by itself.',
};
const name = (j) => j.act === 'lab' ? 'Run ' + j.node + ' in a lab' : j.act === 'here' ? 'Run ' + j.node + ' HERE, in this pool' :
  (j.act === 'clear' ? 'End the drill towards' : j.act[0].toUpperCase() + j.act.slice(1)) + ' ' + j.node;
const what = (j) => j.text ? j.node + ': ' + j.text + '. ' + WHAT[j.act] : (j.act === 'abort' ? 'It ' : j.node + ' ') + WHAT[j.act];
let job = null, opener = null;
function lock() {
  const open = kept(sessionStorage, TOKEN) !== '';
  $('lock').textContent = open ? 'Lock actions' : 'Unlock actions';
  $('lock').setAttribute('aria-pressed', String(open));
}
function ask(j) {
  job = j;
  opener = document.activeElement;
  const token = kept(sessionStorage, TOKEN);
  $('ask-title').textContent = j.act ? name(j) + '?' : 'Unlock actions';
  $('ask-text').textContent = j.act ? what(j) : 'Without the token this page only shows.';
  $('ask-token-l').hidden = token !== '';
  $('ask-token').value = '';
  $('ask-who-l').hidden = $('ask-why-l').hidden = !j.act;
  $('ask-who').value = kept(sessionStorage, WHO);
  $('ask-why').value = '';
  $('ask-yes').textContent = j.act ? 'Yes: ' + name(j) : 'Unlock';
  $('ask-error').textContent = '';
  $('ask-yes').disabled = false;
  $('ask').showModal();
  (token === '' ? $('ask-token') : $('ask-why')).focus();
}
async function act(node, body) {
  const path = body.admin ? 'api/v1/nodes/' + encodeURIComponent(node) : body.confirm ? 'api/v1/drills/run' :
    job.act === 'abort' ? 'api/v1/drills/abort' : 'api/v1/faults/clear';
  const r = await fetch(path, {
    method: 'POST', cache: 'no-store', credentials: 'omit',
    headers: { 'Content-Type': 'application/json', Authorization: 'Bearer ' + kept(sessionStorage, TOKEN) },
    body: JSON.stringify(body),
  });
  let o = {};
  try { o = await r.json(); } catch (e) { /* no JSON: the status says it */ }
  if (r.ok) return '';
  // It would leave no node that is up: the edge wants to be told twice.
  if (r.status === 409 && body.admin && !body.force) { job.force = true; $('ask-yes').textContent = 'Do it all the same'; }
  if (r.status === 401 || r.status === 403) keep(sessionStorage, TOKEN, '');
  return o.error || 'refused: HTTP status ' + r.status;
}
async function yes() {
  if ($('ask-yes').disabled) return;
  if (!$('ask-token-l').hidden) {
    const t = $('ask-token').value.trim();
    if (!/^[0-9a-f]{64}$/.test(t)) { $('ask-error').textContent = 'This is no token: it has 64 hex digits.'; $('ask-token').focus(); return; }
    keep(sessionStorage, TOKEN, t);
    lock();
  }
  if (!job.act) { $('ask').close(); return; }
  keep(sessionStorage, WHO, $('ask-who').value.trim());
  const body = { who: $('ask-who').value.trim(), why: $('ask-why').value.trim() };
  if (job.act === 'lab' || job.act === 'here') Object.assign(body, { name: job.node, confirm: job.node, where: job.act === 'lab' ? 'lab' : 'edge' });
  else if (job.act !== 'clear' && job.act !== 'abort') body.admin = job.act;
  if (job.force) body.force = true;
  $('ask-yes').disabled = true;
  let error;
  try { error = await act(job.node, body); } catch (e) { error = 'The edge does not answer.'; }
  $('ask-yes').disabled = false;
  lock();
  if (!error) { $('ask').close(); return; }
  $('ask-error').textContent = error;
  if (kept(sessionStorage, TOKEN) === '') { $('ask-token-l').hidden = false; $('ask-token').value = ''; $('ask-token').focus(); }
}
$('ask-yes').onclick = yes;
$('ask-form').onsubmit = (e) => { if (e.submitter !== $('ask-no')) { e.preventDefault(); yes(); } };
$('ask-form').onkeydown = (e) => { if (e.key === 'Enter' && e.target.tagName === 'INPUT') { e.preventDefault(); yes(); } };
// This comes late: the next dialog may be open by then.
$('ask').onclose = () => { if ($('ask').open) return; $('ask-token').value = ''; if (opener && opener.isConnected) opener.focus(); };
$('lock').onclick = () => { if (kept(sessionStorage, TOKEN) !== '') { keep(sessionStorage, TOKEN, ''); lock(); } else ask({}); };
document.addEventListener('click', (e) => {
  const b = e.target.closest ? e.target.closest('button[data-act]') : null;
  if (b) ask({ act: b.dataset.act, node: b.dataset.node, text: b.dataset.text });
});
document.addEventListener('visibilitychange', () => { follow(); draw(); });

clocks(document);
heard = performance.now();
lock();
follow();
setInterval(age, 1000);
}());
