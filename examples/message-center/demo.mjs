/** Ann logs in with three devices, Bob with one; the back end sends each a message. */
import { Client } from '../client.mjs';

export async function demo({ clients, backend }, say) {
  const login = async (device, token) => {
    const client = await Client.open(clients);
    const { success, name, error } = await client.ask({ op: 'login', token });
    say(success ? `${device}: logged in as ${name}` : `${device}: refused, ${error}`);
    return client;
  };
  const phone = await login('phone', 'token-ann');
  const pc = await login('pc', 'token-ann');
  const tablet = await login('tablet', 'token-ann');
  const bob = await login("Bob's phone", 'token-bob');
  const thief = await login('thief', 'token-of-nobody');

  const send = async (uid, text) => {
    const body = JSON.stringify({ uid, text });
    const { devices } = await (await fetch(`${backend}/messages`, { method: 'POST', body })).json();
    say(`back end: "${text}" to user ${uid} reached ${devices} device(s)`);
  };
  await send(1001, 'Your parcel has arrived');
  for (const [name, device] of Object.entries({ phone, pc, tablet })) {
    say(`${name}: got "${(await device.next({ op: 'message' })).text}"`);
  }
  await send(1002, 'Hello Bob');
  say(`Bob's phone: got "${(await bob.next({ op: 'message' })).text}"`);
  for (const client of [phone, pc, tablet, bob, thief]) client.close();
}
