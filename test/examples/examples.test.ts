/** Every example for real: its back end, a node process, and its demo, whose lines are compared. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const folder = new URL('../../examples/', import.meta.url);

/** What each demo says, in order. */
const EXPECTED: Readonly<Record<string, readonly (string | RegExp)[]>> = {
  'message-center': [
    'phone: logged in as Ann',
    'pc: logged in as Ann',
    'tablet: logged in as Ann',
    "Bob's phone: logged in as Bob",
    'thief: refused, wrong token',
    'back end: "Your parcel has arrived" to user 1001 reached 3 device(s)',
    'phone: got "Your parcel has arrived"',
    'pc: got "Your parcel has arrived"',
    'tablet: got "Your parcel has arrived"',
    'back end: "Hello Bob" to user 1002 reached 1 device(s)',
    'Bob\'s phone: got "Hello Bob"',
  ],
  'live-comments': [
    'Ann watches video 42, 0 comment(s) so far',
    'Bob watches video 42, 0 comment(s) so far',
    'Eve watches video 7, 0 comment(s) so far',
    'Ann: "What a goal!"',
    'Ann sees Ann: What a goal!',
    'Bob sees Ann: What a goal!',
    'Cid watches video 42, 1 comment(s) so far',
    'Eve: "buy spam here" (refused: this comment is not welcome)',
    'Bob: "goal 1"',
    'Bob: "goal 2"',
    'Bob: "goal 3"',
    'Bob: "goal 4"',
    'Bob: "goal 5"',
    'Bob: "goal 6" (refused: slow down)',
    'Cid sees Bob: goal 1',
  ],
  'market-data': [
    /^visitor: BTC-USD is at [1-9][0-9.]*$/,
    /^visitor: ETH-USD is at [1-9][0-9.]*$/,
    'visitor: orders are refused, auth first',
    'visitor: a forged token is refused',
    'trader 7: signed in',
    'trader 8: signed in',
    'trader 7: order 1, 2 BTC-USD, filled',
    'trader 8: order 2, 5 XAU-USD, filled',
  ],
  'iot-tcp': [
    'meter-1: welcome',
    'meter-1: reading 1 is stored',
    'meter-1: reading 2 is stored',
    'meter-1: reading 3 is stored',
    'back end: "close" to valve-7 is delivered',
    'valve-7: got {"command":"close"}',
    'back end: "close" to valve-8 found nobody',
    'meter-2: refused, wrong key',
    'back end: has 21.5, 22, 22.5 of meter-1',
  ],
};

t.test('every example has what an example needs, and a test', async (t) => {
  const names = readdirSync(folder).filter((name) => existsSync(new URL(`${name}/demo.mjs`, folder)));
  t.same(names.sort(), Object.keys(EXPECTED).sort());
  for (const name of names) {
    for (const file of ['README.md', 'lumesh.yaml', 'backend.mjs', 'lua/entry.lua']) {
      t.ok(existsSync(new URL(`${name}/${file}`, folder)), `${name}/${file}`);
    }
    const readme = readFileSync(new URL(`${name}/README.md`, folder), 'utf8');
    t.ok(readme.includes(`npm run example ${name}`), `${name}/README.md names the one command`);
  }
});

// Together: they mostly wait for processes to start.
t.jobs = 4;
const { startExample } = await import(fileURLToPath(new URL('run.mjs', folder)));
for (const [name, lines] of Object.entries(EXPECTED)) {
  t.test(`${name} does what its README says`, async (t) => {
    const example = await startExample(name, { free: true });
    t.teardown(() => example.stop());
    const { demo } = await import(fileURLToPath(new URL(`${name}/demo.mjs`, folder)));
    const said: string[] = [];
    await demo(example, (line: string) => void said.push(line));
    t.match(said, lines);
    t.equal(said.length, lines.length);
  });
}
