import t from 'tap';
import { RULE_NAMES } from '../../src/core/rules.js';
import { proveRule } from '../../src/sim/rules.js';
import { runSim } from '../../src/sim/run.js';

function lines(): { print: (text: string) => void; text: () => string } {
  const all: string[] = [];
  return { print: (text) => all.push(text), text: () => all.join('\n') };
}

t.test('seeds that pass are summed up in one line', async (t) => {
  const out = lines();
  t.equal(runSim({ seeds: 3, profile: 'calm' }, out.print), 'passed');
  t.match(out.text(), /^3 seeds passed: .* events, \d+ publishes, \d+ pairs/);
});

t.test('a failing seed prints its transcript, what broke, and the command that replays it', async (t) => {
  const out = lines();
  const options = { seeds: 20, profile: 'races', without: 'unsynced-members-included' };
  t.equal(runSim(options, out.print), 'failed');
  const [, seed] = /replay it: lumesh sim --seed (\d+) --profile races --without unsynced-members-included$/.exec(
    out.text(),
  ) as string[];
  t.match(out.text(), /profile races: \d+ nodes/);
  t.match(out.text(), /has view/);
  t.match(out.text(), /BROKEN at [\d.]+ ms: coverage: #\d+ from n\d+/);
  const again = lines();
  t.equal(runSim({ ...options, seed: Number(seed) }, again.print), 'failed');
  t.equal(again.text(), out.text(), 'the replay is the same to the letter');
  const next = lines();
  t.equal(runSim({ ...options, from: Number(seed) + 1 }, next.print), 'failed');
  const [, later] = /replay it: lumesh sim --seed (\d+)/.exec(next.text()) as string[];
  t.ok(Number(later) > Number(seed), 'the seeds begin where they should');
});

t.test('an unknown rule or profile lists the known ones', async (t) => {
  const rules = lines();
  t.equal(runSim({ seeds: 1, without: 'gravity' }, rules.print), 'unknown-rule');
  for (const name of RULE_NAMES) t.match(rules.text(), name);
  const profiles = lines();
  t.equal(runSim({ seeds: 1, profile: 'quiet' }, profiles.print), 'unknown-profile');
  t.match(profiles.text(), 'races');
});

// Each rule has its story in rules.test.ts; `npm run sim:rules` searches for a seed of each.
for (const rule of ['unsynced-members-included', 'join-gate'] as const) {
  t.test(`some seed fails without ${rule}, and passes with it`, async (t) => {
    const proof = proveRule(rule, 40);
    t.not(proof.seed, null, 'a seed was found');
    t.ok(proof.passesWithAll, `seed ${proof.seed} passes with all rules`);
    t.comment(`seed ${proof.seed}: ${proof.broken}`);
  });
}
