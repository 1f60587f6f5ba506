/** The exchange's back end: signs tokens, takes orders, and pushes prices through lumesh's WebSocket API. */
import { createHmac } from 'node:crypto';
import { WebSocket } from 'ws';
import { publish, serve, whenLumeshIsUp } from '../backend.mjs';

const SECRET = 'only-for-this-example-0123456789abcdef';
const TICK_MS = 200;
const prices = { 'BTC-USD': 64000, 'ETH-USD': 3200, 'XAU-USD': 2400 };

function signToken(uid) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ iss: 'exchange', sub: uid, exp })}`;
  return `${text}.${createHmac('sha256', SECRET).update(text).digest('base64url')}`;
}

let lastOrder = 0;
serve(8080, {
  'POST /token': ({ uid }) => [200, { token: signToken(String(uid)) }],

  /** { uid, symbol, amount } → the order; its owner hears of it wherever it is connected. */
  'POST /orders': async ({ uid, symbol, amount }) => {
    const order = { op: 'order', id: ++lastOrder, symbol, amount, price: prices[symbol], state: 'filled' };
    await publish(`orders:${uid}`, order);
    return [200, order];
  },
});

/** One connection for all prices: nothing waits for an answer before the next price goes out ("a": false). */
whenLumeshIsUp((url) => {
  const api = new WebSocket(`${url.replace('http', 'ws')}/ws/v1`);
  api.on('error', (error) => console.error(`lumesh is not reachable: ${error.message}`));
  const timer = setInterval(() => {
    if (api.readyState !== WebSocket.OPEN) return;
    for (const symbol of Object.keys(prices)) {
      prices[symbol] = Number((prices[symbol] * (1 + (Math.random() - 0.5) / 1000)).toFixed(2));
      const tick = JSON.stringify({ op: 'tick', symbol, price: prices[symbol] });
      api.send(JSON.stringify({ m: 'mesh.publish', p: { c: `ticker:${symbol}`, d: tick, a: false }, i: 1 }));
    }
  }, TICK_MS);
  api.on('close', () => clearInterval(timer));
});
