import { readFileSync } from 'node:fs';
import t from 'tap';
import { configurationDoc } from '../../src/config/doc.js';

t.test('docs/configuration.md is what the schema says (npm run docs writes it)', async (t) => {
  const file = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8');
  t.equal(file, configurationDoc());
});
