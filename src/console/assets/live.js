/** Listening to channels over the WebSocket API, and publishing over HTTP. */
import { byId, call, count, element } from './dom.js';

/** Messages kept on the page; older ones are forgotten. */
const KEPT = 200;
const LONGEST = 4000;

const clock = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
});

let socket = null;
let heard = 0;
/** Messages of this frame, newest last; they are drawn together, however many come. */
let fresh = [];

export function startLive() {
  byId('listen').addEventListener('submit', (event) => {
    event.preventDefault();
    if (socket !== null) return stop('Not listening.');
    const form = new FormData(event.target);
    listen(form.get('channels').trim().split(/\s+/), form.get('patterns') !== null);
  });
  byId('publish').addEventListener('submit', publish);
}

function listen(names, patterns) {
  const method = patterns ? 'mesh.psubscribe' : 'mesh.subscribe';
  const opening = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws/v1`);
  socket = opening;
  heard = 0;
  say('Connecting …');
  toggle(true);
  let opened = false;
  opening.onopen = () => {
    opened = true;
    opening.send(JSON.stringify({ m: method, p: patterns ? { p: names } : { c: names }, i: 1 }));
  };
  opening.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.e === method) arrived(message.p);
    else if (message.i === 1 && message.E !== null) stop(message.E.m, true);
    else if (message.i === 1) say(`Listening to ${names.join(', ')}.`);
  };
  opening.onclose = ({ reason }) => {
    if (socket !== opening) return;
    const refused = 'The node refused the connection. Reload the page to log in again.';
    stop(opened ? `The node ended the connection${reason ? `: ${reason}` : ''}.` : refused, true);
  };
}

function stop(text, bad = false) {
  const open = socket;
  socket = null;
  open?.close();
  toggle(false);
  say(text, bad);
}

function toggle(listening) {
  byId('listen-button').textContent = listening ? 'Stop' : 'Listen';
  byId('listen-button').className = listening ? 'stop' : '';
  byId('listen-channels').readOnly = listening;
  byId('listen-patterns').disabled = listening;
}

function say(text, bad = false) {
  byId('listen-state').textContent = text;
  byId('listen-state').className = bad ? 'bad-text' : 'quiet';
}

function arrived(message) {
  heard++;
  if (fresh.push({ ...message, at: new Date() }) === 1) requestAnimationFrame(draw);
  if (fresh.length > KEPT) fresh.splice(1, 1);
}

function draw() {
  const list = byId('messages');
  const drawn = fresh.reverse().map(({ c, d, t, at }) => {
    const time = clock.format(at);
    const kind = t === 'binary' ? ' · binary, as base64' : '';
    const text = d.length > LONGEST ? `${d.slice(0, LONGEST)}… (${count(d.length)} characters)` : d;
    const meta = element('div', { class: 'meta quiet' }, element('span', { class: 'mono' }, c), `${time}${kind}`);
    return element('li', {}, meta, element('pre', {}, text));
  });
  fresh = [];
  list.prepend(...drawn);
  while (list.childElementCount > KEPT) list.lastElementChild.remove();
  if (socket !== null) say(`Listening. ${count(heard)} ${heard === 1 ? 'message' : 'messages'} so far.`);
}

async function publish(event) {
  event.preventDefault();
  const form = new FormData(event.target);
  const button = event.submitter ?? event.target.querySelector('button');
  const result = byId('published');
  button.disabled = true;
  try {
    const t = form.get('binary') ? 'binary' : 'text';
    const { s, f, u } = await call('/v1/mesh/publish', { c: form.get('channel').trim(), d: form.get('data'), t });
    const got = s === 0 ? 'Nobody got it' : `${count(s)} ${s === 1 ? 'subscriber' : 'subscribers'} got it`;
    const lost = f > 0 ? `, ${count(f)} could not` : s === 0 ? ': nobody subscribes to that channel' : '';
    const silent = u?.length > 0 ? ` No word in time from ${u.join(', ')}.` : '';
    result.textContent = `${got}${lost}.${silent}`;
    result.className = f > 0 ? 'result warn-text' : 'result';
  } catch (refusal) {
    result.textContent = refusal.message;
    result.className = 'result bad-text';
  } finally {
    button.disabled = false;
  }
}
