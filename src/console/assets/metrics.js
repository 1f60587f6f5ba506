/** The numbers at the top and what was given up: read from the node's own Prometheus text, rates from two readings. */
import { byId, count, duration, element } from './dom.js';

const SVG = 'http://www.w3.org/2000/svg';
const READINGS = 60;

/** Prometheus text → Map of name → list of [labels, value]. */
export function parse(text) {
  const found = new Map();
  for (const line of text.split('\n')) {
    const match = /^lumesh_(\w+)(?:\{(.*)\})? (\S+)/.exec(line);
    if (match === null) continue;
    const labels = Object.fromEntries(
      [...(match[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map((l) => [l[1], l[2]]),
    );
    if (!found.has(match[1])) found.set(match[1], []);
    found.get(match[1]).push([labels, Number(match[3])]);
  }
  return found;
}

const total = (reading, name) => (reading.values.get(name) ?? []).reduce((sum, [, value]) => sum + value, 0);
const gauge = (name) => (now) => total(now, name);
const rate = (name) => (now, before) => {
  if (before === null) return null;
  return Math.max(0, (total(now, name) - total(before, name)) / ((now.at - before.at) / 1000));
};

/** The time under which 99 % of the publishes since the last reading had their counts, from the histogram's buckets. */
function slowest(now, before) {
  const last = new Map((before?.values.get('publish_seconds_bucket') ?? []).map(([{ le }, value]) => [le, value]));
  const buckets = (now.values.get('publish_seconds_bucket') ?? []).map(([{ le }, value]) => [
    le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le),
    value - (last.get(le) ?? 0),
  ]);
  const all = buckets.at(-1)?.[1] ?? 0;
  if (before === null || all === 0) return null;
  return buckets.find(([, value]) => value >= all * 0.99)[0] * 1000;
}

const latency = (ms) => (ms === Number.POSITIVE_INFINITY ? '> 2.5 s' : `≤ ${duration(ms)}`);
const TILES = [
  ['Connections', gauge('connections'), count],
  ['Subscriptions', gauge('subscriptions'), count],
  ['Channels', gauge('channels'), count],
  ['Publishes / s', rate('publishes_total'), count],
  ['Deliveries / s', rate('deliveries_total'), count],
  ['Publish, p99', slowest, latency],
].map(([label, read, show]) => ({ label, read, show, past: [], value: null, path: null }));

/** Builds the tiles; they stay and only change their text. */
export function buildTiles() {
  for (const tile of TILES) {
    tile.value = element('strong', {}, '–');
    tile.path = document.createElementNS(SVG, 'path');
    const chart = document.createElementNS(SVG, 'svg');
    chart.setAttribute('viewBox', `0 0 ${READINGS - 1} 20`);
    chart.setAttribute('preserveAspectRatio', 'none');
    chart.setAttribute('aria-hidden', 'true');
    chart.append(tile.path);
    byId('tiles').append(
      element('div', { class: 'tile' }, element('span', { class: 'quiet' }, tile.label), tile.value, chart),
    );
  }
}

let before = null;

/** Takes a reading of /metrics. */
export function showMetrics(text) {
  const now = { at: performance.now(), values: parse(text) };
  for (const tile of TILES) {
    const value = tile.read(now, before);
    tile.value.textContent = value === null ? '–' : tile.show(value);
    tile.past.push(value === null || !Number.isFinite(value) ? 0 : value);
    if (tile.past.length > READINGS) tile.past.shift();
    tile.path.setAttribute('d', curve(tile.past));
  }
  before = now;
  showDrops(now);
}

function curve(past) {
  const top = Math.max(...past, 1e-9);
  const from = READINGS - past.length;
  return past.map((value, i) => `${i === 0 ? 'M' : 'L'}${from + i} ${(18.5 - (value / top) * 17).toFixed(2)}`).join('');
}

function showDrops(now) {
  const rows = (now.values.get('drops_total') ?? []).filter(([, value]) => value > 0).sort((a, b) => b[1] - a[1]);
  const body = rows.map(([{ reason }, value]) =>
    element('tr', {}, element('td', {}, reason.replaceAll('_', ' ')), element('td', { class: 'number' }, count(value))),
  );
  const empty = element('p', { class: 'quiet' }, 'Nothing: every message and connection was served.');
  byId('drops').replaceChildren(body.length === 0 ? empty : element('table', {}, element('tbody', {}, ...body)));
}
