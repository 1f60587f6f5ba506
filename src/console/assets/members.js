/** The table of members, as the node that serves this page sees them. */
import { byId, bytes, count, duration, element } from './dom.js';

const STATE = { alive: 'good', suspect: 'warn', dead: 'bad', left: '' };
const LABELS = [...document.querySelectorAll('#members thead th')].map((th) => th.textContent);

export function showMembers(nodes) {
  const own = nodes.find((node) => node.self);
  const digest = own?.link?.digest ?? commonDigest(nodes);
  const sorted = [...nodes].sort((a, b) => Number(b.self) - Number(a.self) || (a.nodeId < b.nodeId ? -1 : 1));
  byId('members').tBodies[0].replaceChildren(...sorted.map((node) => row(node, digest)));
  const alive = nodes.filter((node) => node.state === 'alive').length;
  byId('members-note').textContent = alive === nodes.length ? `${alive} alive` : `${alive} of ${nodes.length} alive`;
}

/** What most members announce is the view to compare with. */
function commonDigest(nodes) {
  const votes = new Map();
  for (const { link } of nodes) if (link?.digest) votes.set(link.digest, (votes.get(link.digest) ?? 0) + 1);
  return [...votes].sort((a, b) => b[1] - a[1])[0]?.[0] ?? '';
}

function row(node, digest) {
  const { link } = node;
  const where = [node.address, node.api && `API ${node.api}`, node.version].filter(Boolean).join(' · ');
  const role = node.role === 'leaving' ? 'leaving' : node.state;
  const tone = role === 'leaving' ? 'warn' : STATE[node.state];
  const known = (value, show) => (value === null || value === undefined ? '–' : show(value));
  const cells = [
    [
      element('span', { class: 'mono' }, node.nodeId),
      node.self ? ' (this node)' : '',
      element('span', { class: 'quiet' }, where),
    ],
    [element('span', { class: `state ${tone ?? ''}` }, role)],
    [known(link?.roundTripMs, duration)],
    [known(link?.lastCanaryMs, (ms) => `${duration(ms)} ago`)],
    [known(link?.queueBytes, bytes)],
    [link ? element('span', { class: link.dropped > 0 ? 'bad-text' : '' }, count(link.dropped)) : '–'],
    [known(node.connections, count)],
    [known(node.channels, count)],
    [view(link, digest)],
  ];
  const numbers = new Set([2, 3, 4, 5, 6, 7]);
  return element(
    'tr',
    {},
    ...cells.map((content, i) =>
      element(
        'td',
        { 'data-label': LABELS[i], class: `${numbers.has(i) ? 'number' : ''}${content[0] === '–' ? ' none' : ''}` },
        ...content,
      ),
    ),
  );
}

/** A member whose digest differs sees other members than this node, for a moment or for longer. */
function view(link, digest) {
  if (!link) return '–';
  if (link.digest === '') return element('span', { class: 'warn-text' }, 'not announced');
  const same = link.digest === digest;
  const title = same ? 'the same view as the others' : 'another view than most';
  return element('span', { class: same ? 'mono' : 'mono warn-text', title }, link.digest.slice(0, 8));
}
