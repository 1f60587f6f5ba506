import { readFileSync } from 'node:fs';
import t from 'tap';
import { CALL_LIST } from '../../src/api/calls.js';
import { METHODS } from '../../src/api/session.js';
import { ERRORS } from '../../src/errors.js';

const doc = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

t.test('docs/errors.md and the error table say the same, in both directions', async (t) => {
  const rows = [...doc('errors.md').matchAll(/^\| (\w+) \| (\d+) \| (\d+) \| (\w+) \| (.+) \|$/gm)].map((row) =>
    row.slice(1),
  );
  const table = Object.entries(ERRORS).map(([name, { code, status, grpc, cure }]) => [
    name,
    `${code}`,
    `${status}`,
    grpc,
    cure,
  ]);
  t.same(rows, table);
});

t.test('docs/api.md has a section for every method, and no other', async (t) => {
  const text = doc('api.md');
  const sections = [...text.matchAll(/^### (\S+)$/gm)].map((match) => match[1]);
  t.same(sections.sort(), [...METHODS.keys()].sort());
  for (const { http } of CALL_LIST) {
    if (http !== null) t.ok(text.includes(`\`${http.verb} ${http.path.replace('*', '{channel}')}\``), http.path);
  }
});
