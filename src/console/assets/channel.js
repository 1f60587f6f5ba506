/** "Explain a channel": who subscribes, who is responsible, and whom a publish would go to now and why. */
import { byId, call, count, element } from './dom.js';

const WHY = {
  'subscribers here': 'has subscribers itself',
  interest: 'said that it has subscribers',
  lease: 'is in the answer that this node holds on lease',
  pattern: 'has subscribers of a pattern that matches',
  'other view': 'sees other members at the moment, so it is asked to be sure',
  'no sync mark': 'has not finished telling its interest, so it is asked to be sure',
  'no owner answered': 'is a member, and no owner answered who could say more',
};

export function startExplaining() {
  byId('explain').addEventListener('submit', async (event) => {
    event.preventDefault();
    const name = new FormData(event.target).get('channel').trim();
    const target = byId('explanation');
    try {
      target.replaceChildren(describe(await call(`/v1/channels/${encodeURIComponent(name)}`)));
    } catch (refusal) {
      target.replaceChildren(element('p', { class: 'result bad-text' }, refusal.message));
    }
  });
}

function describe({ subscribers, patterns, owners, route, lookup }) {
  const nodes = Object.entries(subscribers);
  const known = nodes.filter(([, number]) => number !== null);
  const sum = known.reduce((all, [, number]) => all + number, 0);
  const missing = nodes.length - known.length;
  const asked = lookup?.answeredBy ? `, as ${lookup.answeredBy} answers` : '';
  const all = `${count(sum)} in all${missing > 0 ? `, without ${missing} ${missing === 1 ? 'node' : 'nodes'} that did not answer` : ''}`;
  return element(
    'dl',
    {},
    part(
      `Subscribers: ${all}`,
      nodes.map(([id, number]) => [id, number === null ? 'no answer' : count(number)]),
    ),
    part(
      `A publish now goes to${route.length === 0 ? ' nobody' : ''}${asked}`,
      route.map(({ nodeId, why }) => [nodeId, WHY[why] ?? why]),
    ),
    patterns.length === 0 ? null : line('Patterns with subscribers that it matches', patterns.join(' ')),
    line('Owners, who know its interest', owners.join(', ')),
  );
}

function line(title, text) {
  return element('div', {}, element('dt', {}, title), element('dd', { class: 'mono' }, text));
}

function part(title, rows) {
  const items = rows.map(([id, text]) =>
    element('li', {}, element('span', { class: 'mono' }, id), element('span', { class: 'quiet' }, text)),
  );
  return element('div', {}, element('dt', {}, title), element('dd', {}, element('ul', {}, ...items)));
}
