/** Three viewers of one video and one of another; comments arrive where they belong. */
import { Client } from '../client.mjs';

export async function demo({ clients }, say) {
  const join = async (name, video) => {
    const client = await Client.open(clients);
    const { comments } = await client.ask({ op: 'join', video, name });
    say(`${name} watches video ${video}, ${comments.length} comment(s) so far`);
    return client;
  };
  const comment = async (name, client, text) => {
    const { success, error } = await client.ask({ op: 'comment', text });
    say(`${name}: "${text}"${success ? '' : ` (refused: ${error})`}`);
  };
  const ann = await join('Ann', 42);
  const bob = await join('Bob', 42);
  const eve = await join('Eve', 7);

  await comment('Ann', ann, 'What a goal!');
  for (const [name, viewer] of Object.entries({ Ann: ann, Bob: bob })) {
    const { name: author, text } = await viewer.next({ op: 'new' });
    say(`${name} sees ${author}: ${text}`);
  }
  const late = await join('Cid', 42);
  await comment('Eve', eve, 'buy spam here');
  for (let i = 1; i <= 6; i++) await comment('Bob', bob, `goal ${i}`);
  say(`Cid sees Bob: ${(await late.next({ op: 'new' })).text}`);
  for (const client of [ann, bob, eve, late]) client.close();
}
