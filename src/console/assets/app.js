/** The console's beginning: builds the page's parts and asks the node every two seconds, as long as somebody looks. */
import { startExplaining } from './channel.js';
import { byId, call, page } from './dom.js';
import { startLive } from './live.js';
import { showMembers } from './members.js';
import { buildTiles, showMetrics } from './metrics.js';

const EVERY_MS = 2000;

function pill(text, tone, title = '') {
  const ready = byId('ready');
  ready.textContent = text;
  ready.className = `pill ${tone}`;
  ready.title = title;
}

function trouble(text) {
  const box = byId('trouble');
  box.hidden = text === '';
  if (box.textContent !== text) box.textContent = text;
}

async function look() {
  try {
    const [nodes, metrics, readiness] = await Promise.all([call('/v1/nodes'), page('/metrics'), page('/readyz')]);
    showMembers(nodes);
    if (metrics.status === 200) showMetrics(metrics.text);
    const { ready, reasons } = JSON.parse(readiness.text);
    pill(ready ? 'ready' : 'not ready', ready ? 'good' : 'bad', (reasons ?? []).join(', '));
    trouble(ready || !reasons?.length ? '' : `This node does not serve yet: ${reasons.join(', ')}.`);
  } catch (error) {
    pill(error.status === 401 ? 'logged out' : 'no answer', 'bad');
    trouble(error.status === 401 ? 'Your login is no longer valid. Reload the page to log in again.' : error.message);
  }
}

async function introduce() {
  const { node, version } = await call('/v1/version');
  byId('node').textContent = node;
  byId('version').textContent = version;
  document.title = `${node} · lumesh`;
}

async function repeat() {
  if (!document.hidden) {
    if (byId('node').textContent === '') await introduce().catch(() => {});
    await look();
  }
  setTimeout(repeat, EVERY_MS);
}

buildTiles();
startLive();
startExplaining();
repeat();
