/** Client traffic through Lua: the scenarios F (steady), G (a burst of connections) and I (a soak with churn). */
import { frame, RawClient, textFrame } from '../clients/websocket.mjs';
import { sleep, until } from './fanout.mjs';

const PING = frame(Buffer.from('{"op":"ping"}'));
/** Messages that a talker sends in one write: with one write each, the benchmark's own process would be the limit. */
export const BURST = 8;
const BODY = 'x'.repeat(64);

/** A client that counts the answers to what it sends, and how long each took (answers come in order). */
export async function talker(system, node) {
  const client = await RawClient.open(system.address(node));
  const sent = [];
  let head = 0;
  const state = { answered: 0, times: [], messages: 0, close: () => client.close() };
  client.listen((_client, buffer, start, end) => {
    // What was published is not JSON of ours; answers are.
    if (buffer[start] !== 123) {
      state.messages++;
      return;
    }
    if (buffer.latin1Slice(start, end).includes('"error"')) throw new Error(buffer.latin1Slice(start, end));
    state.answered++;
    state.times.push(performance.now() - sent[head]);
    head++;
    if (head > 4096) {
      sent.splice(0, head);
      head = 0;
    }
  });
  const say = (frames) => {
    const now = performance.now();
    for (let i = 0; i < frames.length; i++) sent.push(now);
    client.write(frames.length === 1 ? frames[0] : Buffer.concat(frames));
  };
  state.say = say;
  state.subscribe = (channel) => say([textFrame(`{"op":"subscribe","channel":"${channel}"}`)]);
  state.under = () => sent.length - head;
  return state;
}

/** A ping, and one time in ten a publish. */
function message(number, channels) {
  if (number % 10 !== 9) return PING;
  const channel = Math.floor(Math.random() * channels);
  return textFrame(`{"op":"publish","channel":"t${channel}","data":"${BODY}"}`);
}

/** Keeps `rate` messages per second going for `seconds`, spread over the talkers. Returns what came back. */
export async function converse(talkers, { rate, seconds, channels }) {
  const before = talkers.reduce((sum, { answered }) => sum + answered, 0);
  for (const talker of talkers) talker.times.length = 0;
  const began = performance.now();
  let sent = 0;
  let bursts = 0;
  const total = rate * seconds;
  while (sent < total) {
    const due = Math.min(total, Math.floor(((performance.now() - began) * rate) / 1000));
    while (due - sent >= BURST || (due === total && sent < total)) {
      const frames = [];
      for (let i = Math.min(BURST, total - sent); i > 0; i--) frames.push(message(sent++, channels));
      talkers[bursts++ % talkers.length].say(frames);
    }
    await sleep(2);
  }
  const elapsed = (performance.now() - began) / 1000;
  const answered = () => talkers.reduce((sum, talker) => sum + talker.answered, 0) - before;
  const inTime = answered();
  await until(() => answered() >= total, 10_000);
  if (answered() !== total) throw new Error(`${total - answered()} messages were never answered`);
  const times = Float64Array.from(talkers.flatMap((talker) => talker.times)).sort();
  return {
    'answers/s': inTime / elapsed,
    'p50 ms': times[Math.floor(times.length * 0.5)],
    'p99 ms': times[Math.floor(times.length * 0.99)],
  };
}

/** Waits until every talker has all its answers. */
export async function answeredAll(talkers) {
  await until(() => talkers.every((talker) => talker.under() === 0), 10_000);
}

/** The event loop's worst delay since the node was last asked, in milliseconds. */
export async function worstDelay(api) {
  const text = await (await fetch(`http://127.0.0.1:${api}/metrics`)).text();
  return Number(/^nodejs_eventloop_lag_max_seconds (\S+)/m.exec(text)?.[1]) * 1000;
}
