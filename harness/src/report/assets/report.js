(() => {
'use strict';
const D = JSON.parse(document.getElementById('data').textContent);
const el = id => document.getElementById(id);

// Kinds of marks, by their number in the data.
const BROKEN = 0, FAULT = 1, LIFE = 2, ORDER = 3, LOOK = 4, NOTICE = 5, SIGNAL = 6, MESSAGE = 7, BEAT = 8, NETWORK = 9;
// What stands beside its mark in words, where there is room.
const LABELLED = new Set([FAULT, LIFE, ORDER, NOTICE, SIGNAL, MESSAGE]);
// Fields of a mark and of a span.
const AT = 0, WHERE = 1, KIND = 2, SHORT = 3, LONG = 4, TO = 5, FLOW = 6, ENDS = 7;
const FROM = 0, UNTIL = 1, STATE = 2, WHAT = 3;
const WORLD = -2, CLIENTS = -1;

const LANE = 44, BAR_TOP = 4, BAR = 18, STRIP = 32, OVERVIEW = 20, AXIS = 24, FAULT_ROW = 20, FAULT_ROWS = 6;
const FONT = '13px system-ui, "Segoe UI", "DejaVu Sans", sans-serif';
const SMALL = '12px system-ui, "Segoe UI", "DejaVu Sans", sans-serif';

const whole = [D.begin, D.end + Math.max((D.end - D.begin) * 0.03, 1000)];
let view = whole.slice();
let shown = D.kinds.map(kind => kind.on);
let colours = {};
let rows = [];
const rowOf = new Map();

// What belongs to each lane: its own marks, and what arrives there.
const lists = new Map();
const push = (lane, number) => {
  if (!lists.has(lane)) lists.set(lane, []);
  lists.get(lane).push(number);
};
const heard = new Map();
D.marks.forEach((mark, number) => {
  // Faults stand above the lanes, and in that of whom they strike.
  if (mark[WHERE] >= 0 || mark[KIND] !== FAULT) push(mark[WHERE] < 0 ? WORLD : mark[WHERE], number);
  const arrives = mark[KIND] === SIGNAL || mark[KIND] === FAULT;
  if (arrives && mark[TO] >= 0 && mark[TO] !== mark[WHERE]) push(mark[TO], number);
  if (mark[FLOW] !== undefined && mark[ENDS]) heard.set(mark[FLOW], number);
});
const clients = [];
D.lanes.forEach((lane, number) => { if (lane.kind === 'client') clients.push(number); });
lists.set(CLIENTS, clients.flatMap(lane => lists.get(lane) || []).sort((a, b) => a - b));
const together = union(clients.flatMap(lane => D.lanes[lane].spans));

// The time in which any of them lives, as one state.
function union(spans) {
  const sorted = spans.slice().sort((a, b) => a[FROM] - b[FROM]);
  const joined = [];
  for (const span of sorted) {
    const last = joined[joined.length - 1];
    if (last && span[FROM] <= last[UNTIL]) last[UNTIL] = Math.max(last[UNTIL], span[UNTIL]);
    else joined.push([span[FROM], span[UNTIL], D.states.indexOf('waiting')]);
  }
  return joined;
}

function paint() {
  const style = getComputedStyle(document.documentElement);
  const named = name => style.getPropertyValue(name).trim();
  colours = {
    ink: named('--ink'), quiet: named('--quiet'), line: named('--line'), soft: named('--soft'), paper: named('--paper'),
    alert: named('--alert'), kinds: D.kinds.map((_, kind) => named('--k' + kind)),
    states: D.states.map(state => named('--s-' + state.replace(' ', '-'))),
  };
  colours.on = colours.states.map(colour => bright(colour) ? named('--on-light') : named('--on-dark'));
}
function bright(colour) {
  const [r, g, b] = [1, 3, 5].map(place => parseInt(colour.slice(place, place + 2), 16));
  return r * 0.3 + g * 0.59 + b * 0.11 > 140;
}

// Canvases as wide as they stand in the page, and as sharp as the screen.
function fit(canvas, height) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.parentElement.clientWidth - (canvas.id === 'top' ? 168 : 0);
  canvas.style.height = height + 'px';
  canvas.width = Math.max(1, Math.round(width * ratio));
  canvas.height = Math.max(1, Math.round(height * ratio));
  const context = canvas.getContext('2d');
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.textBaseline = 'middle';
  return [context, width, height];
}

const x_of = (at, width) => (at - view[0]) / (view[1] - view[0]) * width;
const at_x = (x, width) => view[0] + x / width * (view[1] - view[0]);

function first(list, beyond) {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (beyond(list[middle])) high = middle; else low = middle + 1;
  }
  return low;
}

function seconds(nanos, step) {
  const digits = Math.max(0, Math.min(9, Math.ceil(-Math.log10(step / 1e9) - 1e-9)));
  return (nanos / 1e9).toFixed(digits);
}
function length(nanos) {
  if (nanos >= 1e10) return (nanos / 1e9).toFixed(1) + ' s';
  if (nanos >= 1e9) return (nanos / 1e9).toFixed(2) + ' s';
  if (nanos >= 1e6) return (nanos / 1e6).toFixed(nanos < 1e7 ? 1 : 0) + ' ms';
  return (nanos / 1e3).toFixed(nanos < 1e4 ? 1 : 0) + ' µs';
}
function step_for(width) {
  const rough = (view[1] - view[0]) / Math.max(1, width / 110);
  const power = Math.pow(10, Math.floor(Math.log10(rough)));
  return [1, 2, 5, 10].map(times => times * power).find(step => step >= rough);
}

function glyph(context, kind, x, y) {
  context.fillStyle = context.strokeStyle = colours.kinds[kind];
  context.lineWidth = 1.5;
  context.beginPath();
  switch (kind) {
    case BROKEN:
      context.lineWidth = 3;
      context.moveTo(x - 5, y - 5); context.lineTo(x + 5, y + 5);
      context.moveTo(x + 5, y - 5); context.lineTo(x - 5, y + 5);
      return context.stroke();
    case FAULT: context.moveTo(x - 5, y - 5); context.lineTo(x + 5, y - 5); context.lineTo(x, y + 5); return context.fill();
    case LIFE: return context.fillRect(x - 1.5, y - 7, 3, 14);
    case ORDER: context.moveTo(x - 5, y + 5); context.lineTo(x + 5, y + 5); context.lineTo(x, y - 5); return context.fill();
    case LOOK: context.arc(x, y, 4, 0, 7); return context.stroke();
    case NOTICE:
      context.moveTo(x, y - 5); context.lineTo(x + 5, y); context.lineTo(x, y + 5); context.lineTo(x - 5, y);
      return context.fill();
    case SIGNAL: context.moveTo(x - 4, y - 5); context.lineTo(x + 5, y); context.lineTo(x - 4, y + 5); return context.fill();
    case MESSAGE: context.arc(x, y, 3.5, 0, 7); return context.fill();
    case BEAT: return context.fillRect(x - 0.75, y - 4, 1.5, 8);
    case NETWORK: return context.fillRect(x - 2.5, y - 2.5, 5, 5);
    default: return context.strokeRect(x - 2, y - 2, 4, 4);
  }
}

function clipped(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  let low = 0, high = text.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (context.measureText(text.slice(0, middle) + '…').width <= room) low = middle; else high = middle - 1;
  }
  return low > 2 ? text.slice(0, low) + '…' : '';
}

// Axis, overview and faults.

function draw_top() {
  const height = OVERVIEW + AXIS + (D.faults.length ? FAULT_ROW * fault_rows + 4 : 0);
  const [context, width] = fit(el('top'), height);
  el('corner').style.height = height + 'px';
  const total = at => (at - whole[0]) / (whole[1] - whole[0]) * width;
  // All of the run; the part that is shown is framed.
  context.fillStyle = colours.kinds[FAULT];
  for (const [from, to] of D.faults) context.fillRect(total(from), 3, Math.max(2, total(to) - total(from)), 5);
  context.fillStyle = colours.states[D.states.indexOf('hung')];
  for (const lane of D.lanes) {
    for (const span of lane.spans) {
      if (D.states[span[STATE]] === 'hung') {
        context.fillRect(total(span[FROM]), 11, Math.max(2, total(span[UNTIL]) - total(span[FROM])), 5);
      }
    }
  }
  if (D.broken) {
    context.fillStyle = colours.alert;
    context.fillRect(total(D.end) - 1.5, 0, 3, OVERVIEW);
  }
  context.strokeStyle = colours.ink;
  context.lineWidth = 1.5;
  const [left, right] = [Math.max(0, total(view[0])), Math.min(width, total(view[1]))];
  context.strokeRect(left + 0.75, 0.75, Math.max(3, right - left - 1.5), OVERVIEW - 1.5);
  // The axis.
  const step = step_for(width);
  context.font = FONT;
  for (let at = Math.ceil(view[0] / step) * step; at <= view[1]; at += step) {
    const x = x_of(at, width);
    context.fillStyle = colours.line;
    context.fillRect(x, OVERVIEW, 1, height - OVERVIEW);
    context.fillStyle = colours.ink;
    context.fillText(seconds(at, step) + ' s', x + 4, OVERVIEW + AXIS / 2);
  }
  // Faults, each in the first row that has room.
  const free = new Array(fault_rows).fill(-Infinity);
  boxes = [];
  if (shown[FAULT]) {
    for (const fault of D.faults) {
      const [from, to, name, target] = fault;
      const [x0, x1] = [x_of(from, width), x_of(to, width)];
      if (x1 < -1 || x0 > width + 1) continue;
      context.font = SMALL;
      const words = name + (target >= 0 ? ' → ' + D.lanes[target].name : '');
      const start = Math.max(x0, 0), wide = Math.max(x1 - x0, 2);
      let row = free.findIndex(until => until < x0);
      const fits = row >= 0;
      if (!fits) row = fault_rows - 1;
      const y = OVERVIEW + AXIS + row * FAULT_ROW;
      context.globalAlpha = 0.35;
      context.fillStyle = colours.kinds[FAULT];
      context.fillRect(x0, y + 2, wide, FAULT_ROW - 4);
      context.globalAlpha = 1;
      context.fillRect(x0, y + 2, 2, FAULT_ROW - 4);
      if (fits) {
        context.fillStyle = colours.ink;
        const words_wide = context.measureText(words).width;
        const at = Math.min(start + 6, Math.max(0, width - words_wide - 4));
        context.fillText(words, at, y + FAULT_ROW / 2);
        free[row] = Math.max(x1, at + words_wide) + 6;
      }
      boxes.push([x0 - 3, y, Math.max(x1, x0 + 4), y + FAULT_ROW, fault]);
    }
  }
  if (D.broken) {
    const x = x_of(D.end, width);
    context.fillStyle = colours.alert;
    context.fillRect(x - 1, OVERVIEW, 2, height);
    context.font = 'bold ' + FONT;
    const wide = context.measureText(D.broken.id).width + 10;
    const at = x + wide < width ? x : x - wide;
    context.fillRect(at, OVERVIEW + 2, wide, AXIS - 4);
    context.fillStyle = colours.paper;
    context.fillText(D.broken.id, at + 5, OVERVIEW + AXIS / 2);
  }
}
let boxes = [];
const fault_rows = Math.max(1, Math.min(FAULT_ROWS, D.faults.length));

// Lanes.

function draw_body() {
  const scroll = el('scroll');
  const height = Math.min(Math.max(rows.length * LANE, 60), Math.round(window.innerHeight * 0.68));
  const [context, width] = fit(el('body'), height);
  const top = scroll.scrollTop;
  const step = step_for(width);
  context.fillStyle = colours.line;
  for (let at = Math.ceil(view[0] / step) * step; at <= view[1]; at += step) {
    context.globalAlpha = 0.6;
    context.fillRect(x_of(at, width), 0, 1, height);
    context.globalAlpha = 1;
  }
  rows.forEach((lane, place) => {
    const y = place * LANE - top;
    if (y > height || y + LANE < 0) return;
    context.fillStyle = colours.line;
    context.fillRect(0, y + LANE - 1, width, 1);
    draw_spans(context, lane === CLIENTS ? together : lane === WORLD ? [] : D.lanes[lane].spans, y, width);
    draw_marks(context, lists.get(lane) || [], lane, y, width);
  });
  draw_arrows(context, top, width, height);
  if (D.broken) {
    context.fillStyle = colours.alert;
    context.fillRect(x_of(D.end, width) - 1, 0, 2, height);
  }
}

function draw_spans(context, spans, y, width) {
  context.font = SMALL;
  let pixel = -1, weight = -1;
  for (let number = first(spans, span => span[UNTIL] > view[0]); number < spans.length; number++) {
    const span = spans[number];
    if (span[FROM] > view[1]) break;
    const x0 = Math.max(-2, x_of(span[FROM], width)), x1 = Math.min(width + 2, x_of(span[UNTIL], width));
    // Where several share a pixel, the one that matters more is seen.
    const at = Math.round(x0), rank = RANK[D.states[span[STATE]]];
    if (x1 - x0 < 1 && at === pixel && rank <= weight) continue;
    if (x1 - x0 < 1) { pixel = at; weight = rank; } else pixel = -1;
    context.fillStyle = colours.states[span[STATE]];
    context.fillRect(x0, y + BAR_TOP, Math.max(1, x1 - x0), BAR);
    if (x1 - x0 < 30) continue;
    const words = D.states[span[STATE]] + (span[WHAT] === undefined ? '' : ': ' + D.texts[span[WHAT]]);
    const timed = words + ' · ' + length(span[UNTIL] - span[FROM]);
    const room = x1 - x0 - 8;
    const text = [timed, words].find(text => context.measureText(text).width <= room) || clipped(context, words, room);
    context.fillStyle = colours.on[span[STATE]];
    context.fillText(text, x0 + 4, y + BAR_TOP + BAR / 2 + 0.5);
  }
}
const RANK = { waiting: 0, busy: 1, booting: 2, 'not scheduled': 3, exiting: 4, draining: 4, zombie: 5, stopped: 6, hung: 7 };

function draw_marks(context, list, lane, y, width) {
  const heaps = [], last = new Array(D.kinds.length).fill(-Infinity);
  for (let place = first(list, number => D.marks[number][AT] >= view[0]); place < list.length; place++) {
    const mark = D.marks[list[place]];
    if (mark[AT] > view[1]) break;
    const kind = mark[KIND];
    if (!shown[kind]) continue;
    const x = x_of(mark[AT], width);
    // What is said about marks that are close together is said in one breath.
    if (LABELLED.has(kind)) {
      const heap = heaps[heaps.length - 1];
      if (heap && x - heap.until < HEAP) {
        heap.until = x;
        if (heap.marks.length < HEAP_MOST) heap.marks.push(mark);
      } else heaps.push({ from: x, until: x, marks: [mark] });
    }
    // So close together they would be one blot.
    if (x - last[kind] < 3) continue;
    last[kind] = x;
    glyph(context, kind, x, y + STRIP);
  }
  context.font = SMALL;
  heaps.forEach((heap, number) => {
    const start = heap.until + 9;
    const room = (number + 1 < heaps.length ? heaps[number + 1].from - 8 : width) - start;
    if (room < 26) return;
    const told = heap.marks.map(mark => [words(mark, lane), mark[KIND]]).filter(([text]) => text);
    told.sort((a, b) => WORTH[b[1]] - WORTH[a[1]]);
    let x = start;
    told.forEach(([text, kind], place) => {
      const left = start + room - x;
      if (left < 26) return;
      const clip = clipped(context, (place ? ' · ' : '') + text, left - 2);
      const wide = context.measureText(clip).width;
      context.fillStyle = colours.paper;
      context.globalAlpha = 0.85;
      context.fillRect(x - 1, y + STRIP - 8, wide + 2, 16);
      context.globalAlpha = 1;
      context.fillStyle = colours.kinds[kind];
      context.fillText(clip, x, y + STRIP + 0.5);
      x += clip ? wide : room;
    });
  });
}
const HEAP = 14, HEAP_MOST = 12;
const WORTH = { [LIFE]: 4, [SIGNAL]: 5, [ORDER]: 2, [FAULT]: 6, [NOTICE]: 3, [MESSAGE]: 1 };

// What stands beside a mark in this lane; nothing, if something else says it as well.
function words(mark, lane) {
  const text = D.texts[mark[SHORT]];
  if (mark[WHERE] !== lane && mark[KIND] === SIGNAL) return text.split(' ')[0] + ' from ' + D.lanes[mark[WHERE]].name;
  if (lane === CLIENTS) return mark[KIND] === LIFE && text.startsWith('gives up') ? D.lanes[mark[WHERE]].name + ' ' + text : '';
  const said = mark[KIND] === ORDER && text.startsWith('orders: ') || text === 'zombie' || text === 'CHLD arrives';
  if (said || text.startsWith('reads ')) return '';
  return text;
}

// From who sent something to whom it reached.
function draw_arrows(context, top, width, height) {
  const last = new Map();
  for (let number = first(D.marks, mark => mark[AT] >= view[0]); number < D.marks.length; number++) {
    const mark = D.marks[number];
    if (mark[AT] > view[1]) break;
    const kind = mark[KIND];
    const sends = kind === SIGNAL || kind === MESSAGE && mark[FLOW] !== undefined && !mark[ENDS];
    if (!sends || !shown[kind] || mark[TO] < 0 || mark[WHERE] < 0) continue;
    const [from, to] = [rowOf.get(mark[WHERE]), rowOf.get(mark[TO])];
    if (from === undefined || to === undefined || from === to) continue;
    const x0 = x_of(mark[AT], width), key = from + ' ' + to + ' ' + kind;
    if (x0 - (last.has(key) ? last.get(key) : -Infinity) < 3) continue;
    last.set(key, x0);
    const arrival = kind === MESSAGE && heard.get(mark[FLOW]);
    const x1 = arrival ? x_of(D.marks[arrival][AT], width) : x0;
    const y0 = from * LANE - top + STRIP, y1 = to * LANE - top + (to > from ? BAR_TOP : STRIP + 7);
    if (Math.max(y0, y1) < 0 || Math.min(y0, y1) > height) continue;
    context.strokeStyle = context.fillStyle = colours.kinds[kind];
    context.globalAlpha = kind === SIGNAL ? 0.9 : 0.5;
    context.lineWidth = kind === SIGNAL ? 2 : 1.2;
    context.beginPath();
    context.moveTo(x0, y0);
    context.lineTo(x1, y1);
    context.stroke();
    const down = y1 > y0 ? -1 : 1;
    context.beginPath();
    context.moveTo(x1, y1); context.lineTo(x1 - 4, y1 + 7 * down); context.lineTo(x1 + 4, y1 + 7 * down);
    context.fill();
    context.globalAlpha = 1;
  }
}

let asked = false;
function draw() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => { asked = false; draw_top(); draw_body(); });
}

function look(from, to) {
  const most = whole[1] - whole[0], least = 1000;
  const wide = Math.min(most, Math.max(least, to - from));
  const start = Math.min(Math.max(whole[0], from), whole[1] - wide);
  view = [start, start + wide];
  draw();
}
function zoom(factor, at) {
  const centre = at === undefined ? (view[0] + view[1]) / 2 : at;
  look(centre - (centre - view[0]) * factor, centre + (view[1] - centre) * factor);
}

// Which lanes are seen.
function choose() {
  const parts = el('find').value.toLowerCase().split(',').map(part => part.trim()).filter(Boolean);
  const each = el('each').checked;
  rows = [];
  rowOf.clear();
  for (const label of document.querySelectorAll('.lane')) {
    const lane = Number(label.dataset.lane);
    const name = (label.textContent + ' ' + label.title).toLowerCase();
    const found = !parts.length || parts.some(part => name.includes(part));
    const is_client = lane >= 0 && D.lanes[lane].kind === 'client';
    label.hidden = !found || (is_client ? !each : lane === CLIENTS && each);
    if (label.hidden) continue;
    rowOf.set(lane, rows.length);
    if (lane === CLIENTS) for (const client of clients) rowOf.set(client, rows.length);
    rows.push(lane);
  }
  draw();
}

// Details.

function tell(lines, event) {
  const tip = el('tip');
  tip.hidden = !lines.length;
  if (!lines.length) return;
  tip.replaceChildren(...lines.map(([tag, when, text]) => {
    const line = document.createElement(tag);
    if (when) {
      const span = document.createElement('span');
      span.className = 'when';
      span.textContent = when + '  ';
      line.append(span);
    }
    line.append(text);
    return line;
  }));
  const [wide, high] = [tip.offsetWidth, tip.offsetHeight];
  tip.style.left = Math.max(4, Math.min(event.clientX + 14, window.innerWidth - wide - 8)) + 'px';
  const below = event.clientY + 16;
  tip.style.top = (below + high < window.innerHeight ? below : Math.max(4, event.clientY - high - 12)) + 'px';
}

const MARKS_TOLD = 10;
function hover(event) {
  const canvas = el('body'), box = canvas.getBoundingClientRect();
  const width = box.width, x = event.clientX - box.left, y = event.clientY - box.top + el('scroll').scrollTop;
  const lane = rows[Math.floor(y / LANE)];
  if (lane === undefined) return tell([], event);
  const lines = [['b', '', lane === WORLD ? 'world' : lane === CLIENTS ? 'clients' : D.lanes[lane].name]];
  const at = at_x(x, width), near = 5 / width * (view[1] - view[0]);
  if (lane >= 0) {
    lines.push(['div', '', D.lanes[lane].about]);
    const span = D.lanes[lane].spans.find(span => span[FROM] <= at && at < span[UNTIL]);
    if (span) {
      const what = span[WHAT] === undefined ? '' : ', ' + D.texts[span[WHAT]];
      const times = seconds(span[FROM], 1e3) + '–' + seconds(span[UNTIL], 1e3) + ' s, ' + length(span[UNTIL] - span[FROM]);
      lines.push(['div', times, D.states[span[STATE]] + what]);
    }
  }
  const list = lists.get(lane) || [];
  let more = 0, told = 0;
  for (let place = first(list, number => D.marks[number][AT] >= at - near); place < list.length; place++) {
    const mark = D.marks[list[place]];
    if (mark[AT] > at + near) break;
    if (!shown[mark[KIND]]) continue;
    if (told++ >= MARKS_TOLD) { more++; continue; }
    const whose = lane === CLIENTS && mark[WHERE] >= 0 ? D.lanes[mark[WHERE]].name + ': ' : '';
    const from = mark[WHERE] !== lane && mark[WHERE] >= 0 && lane >= 0 ? 'from ' + D.lanes[mark[WHERE]].name + ': ' : '';
    const long = D.texts[mark[LONG]];
    lines.push(['div', seconds(mark[AT], 1e3), whose + from + D.texts[mark[SHORT]] + (long ? ' – ' + long : '')]);
  }
  if (more) lines.push(['div', '', '… and ' + more + ' more here: zoom in']);
  if (D.broken && Math.abs(x - x_of(D.end, width)) < 6) lines.push(['b', seconds(D.end, 1e3), D.broken.text]);
  tell(lines, event);
}
function hover_top(event) {
  const box = el('top').getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  const lines = boxes.filter(([x0, y0, x1, y1]) => x0 <= x && x <= x1 && y0 <= y && y <= y1).map(([, , , , fault]) => {
    const [from, to, name, target] = fault;
    const lasts = to > from ? ', for ' + length(to - from) : '';
    return ['div', seconds(from, 1e3), 'fault ' + name + (target >= 0 ? ' → ' + D.lanes[target].name : '') + lasts];
  });
  if (D.broken && Math.abs(x - x_of(D.end, box.width)) < 6) lines.push(['b', seconds(D.end, 1e3), D.broken.text]);
  tell(lines, event);
}

// Hands.

let held = null;
el('body').addEventListener('mousedown', event => {
  held = { x: event.clientX, y: event.clientY, view: view.slice(), top: el('scroll').scrollTop };
  event.preventDefault();
});
let picked = null;
el('top').addEventListener('mousedown', event => {
  const box = el('top').getBoundingClientRect();
  const over = event.clientY - box.top < OVERVIEW;
  const scale = over ? x => whole[0] + x / box.width * (whole[1] - whole[0]) : x => at_x(x, box.width);
  picked = { box, scale, from: scale(event.clientX - box.left), over };
  event.preventDefault();
});
window.addEventListener('mousemove', event => {
  if (held) {
    const moved = (event.clientX - held.x) / el('body').clientWidth * (held.view[1] - held.view[0]);
    el('scroll').scrollTop = held.top - (event.clientY - held.y);
    tell([], event);
    look(held.view[0] - moved, held.view[1] - moved);
  }
});
window.addEventListener('mouseup', event => {
  held = null;
  if (!picked) return;
  const to = picked.scale(event.clientX - picked.box.left);
  const [from, until] = [Math.min(picked.from, to), Math.max(picked.from, to)];
  const small = (until - from) < (view[1] - view[0]) * 0.01;
  if (small && picked.over) look(to - (view[1] - view[0]) / 2, to + (view[1] - view[0]) / 2);
  else if (!small) look(from, until);
  picked = null;
});
el('body').addEventListener('mousemove', event => { if (!held) hover(event); });
el('top').addEventListener('mousemove', hover_top);
for (const id of ['body', 'top']) {
  el(id).addEventListener('mouseleave', event => tell([], event));
  el(id).addEventListener('dblclick', () => look(...whole));
  el(id).addEventListener('wheel', event => {
    event.preventDefault();
    const width = el(id).clientWidth;
    const sideways = event.shiftKey ? event.deltaY : event.deltaX;
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      const by = sideways / width * (view[1] - view[0]);
      return look(view[0] + by, view[1] + by);
    }
    zoom(Math.exp(event.deltaY * 0.002), at_x(event.clientX - el(id).getBoundingClientRect().left, width));
  }, { passive: false });
}
window.addEventListener('keydown', event => {
  if (event.target.tagName === 'INPUT') return;
  const by = (view[1] - view[0]) / 5;
  if (event.key === 'ArrowLeft') look(view[0] - by, view[1] - by);
  else if (event.key === 'ArrowRight') look(view[0] + by, view[1] + by);
  else if (event.key === '+') zoom(0.5);
  else if (event.key === '-') zoom(2);
  else if (event.key === '0') look(...whole);
});
const the_end = () => look(D.end - Math.min(D.end - D.begin, 2e9), D.end + 6e7);
el('all').addEventListener('click', () => look(...whole));
el('failure').addEventListener('click', the_end);
el('in').addEventListener('click', () => zoom(0.5));
el('out').addEventListener('click', () => zoom(2));
el('find').addEventListener('input', choose);
el('each').addEventListener('change', choose);
el('scroll').addEventListener('scroll', draw);
el('copy').addEventListener('click', () => navigator.clipboard && navigator.clipboard.writeText(el('replay').textContent));
el('course').addEventListener('click', event => {
  const row = event.target.closest('tr[data-at]');
  if (!row) return;
  document.querySelectorAll('tr.here').forEach(before => before.classList.remove('here'));
  row.classList.add('here');
  const at = Number(row.dataset.at), wide = Math.min(view[1] - view[0], 1e9);
  look(at - wide / 2, at + wide / 2);
  el('chart').scrollIntoView({ block: 'nearest' });
});

// What the page is opened at: `#1.5-2.25` is a part of the run, in seconds.
function opened() {
  const part = location.hash.match(/^#([0-9.]+)-([0-9.]+)$/);
  if (part) look(Number(part[1]) * 1e9, Number(part[2]) * 1e9); else draw();
}
window.addEventListener('hashchange', opened);

function chips() {
  el('kinds').replaceChildren(...D.kinds.map((kind, number) => {
    const label = document.createElement('label');
    label.className = 'kind';
    label.title = kind.about;
    const box = document.createElement('input');
    box.type = 'checkbox';
    box.checked = shown[number];
    box.addEventListener('change', () => { shown[number] = box.checked; draw(); });
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = 32;
    const context = canvas.getContext('2d');
    context.scale(2, 2);
    glyph(context, number, 8, 8);
    const count = document.createElement('span');
    count.className = 'count';
    count.textContent = kind.count;
    label.append(box, canvas, kind.name + ' ', count);
    label.hidden = !kind.count;
    return label;
  }));
}

el('each').checked = clients.length === 1;
el('each-label').hidden = clients.length < 2;
const dark = window.matchMedia('(prefers-color-scheme: dark)');
dark.addEventListener('change', () => { paint(); chips(); draw(); });
window.addEventListener('resize', draw);
paint();
chips();
choose();
opened();
})();
