/** A visitor watches prices; a trader also sees its own orders, and nobody else's. */
import { Client } from '../client.mjs';

export async function demo({ clients, backend }, say) {
  const post = async (path, body) =>
    (await fetch(backend + path, { method: 'POST', body: JSON.stringify(body) })).json();

  const visitor = await Client.open(clients);
  await visitor.ask({ op: 'subscribe', channels: ['ticker:BTC-USD', 'ticker:ETH-USD'] });
  for (const symbol of ['BTC-USD', 'ETH-USD']) {
    const { price } = await visitor.next({ op: 'tick', symbol });
    say(`visitor: ${symbol} is at ${price}`);
  }
  const refused = await visitor.ask({ op: 'subscribe', channels: ['orders'] });
  say(`visitor: orders are refused, ${refused.error}`);
  const forged = await visitor.ask({ op: 'auth', token: 'eyJhbGciOiJub25lIn0.eyJzdWIiOiI3In0.' });
  say(`visitor: a forged token is refused${forged.error ? '' : ' NOT'}`);

  const traders = {};
  for (const uid of ['7', '8']) {
    const trader = await Client.open(clients);
    const { token } = await post('/token', { uid });
    const auth = await trader.ask({ op: 'auth', token });
    await trader.ask({ op: 'subscribe', channels: ['orders'] });
    say(`trader ${auth.uid}: signed in`);
    traders[uid] = trader;
  }
  await post('/orders', { uid: '7', symbol: 'BTC-USD', amount: 2 });
  await post('/orders', { uid: '8', symbol: 'XAU-USD', amount: 5 });
  for (const uid of ['7', '8']) {
    const { id, symbol, amount, state } = await traders[uid].next({ op: 'order' });
    say(`trader ${uid}: order ${id}, ${amount} ${symbol}, ${state}`);
    traders[uid].close();
  }
  visitor.close();
}
