/**
 * docs/lua.md against what is registered: every entry has its five parts, its examples are Lua, and those that show a result
 * (`expression --> result`) give it.
 */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { bit } from '../../src/scripting/mix/bit.js';
import { json } from '../../src/scripting/mix/json.js';
import { lua51 } from '../../src/scripting/mix/lua51.js';
import { print } from '../../src/scripting/mix/print.js';
import { pure } from '../../src/scripting/mix/pure.js';
import { BareVm } from './mix/bare-vm.js';

const docs = new URL('../../docs/', import.meta.url);
const reference = readFileSync(new URL('lua.md', docs), 'utf8');
const entries = reference
  .split(/^#### /m)
  .slice(1)
  .map((text) => ({ name: text.slice(0, text.indexOf('\n')), text }));

const vm = await BareVm.open(lua51, bit, json, pure, print);
await vm.run('function compiles(text, name) return (select(2, loadstring(text, "=" .. name))) end');

t.test('every entry says syntax, where, behaviour, failures and an example', async (t) => {
  const names = entries.map(({ name }) => name);
  t.equal(new Set(names).size, names.length, 'no entry comes twice');
  for (const { name, text } of entries) {
    for (const part of ['Syntax', 'Where', 'Behaviour', 'Failures', 'Example']) {
      t.match(text, new RegExp(`^- \\*\\*${part}\\*\\*`, 'm'), `${name}: ${part}`);
    }
    t.ok(text.includes('```lua'), `${name}: the example is Lua`);
    const syntax = /\*\*Syntax\*\* (.*)/.exec(text)?.[1] ?? '';
    t.ok(syntax.includes(name), `${name}: the syntax names it`);
  }
});

t.test('every example compiles', async (t) => {
  for (const file of ['lua.md', 'guide.md']) {
    const text = readFileSync(new URL(file, docs), 'utf8');
    for (const [, code] of text.matchAll(/```lua\n([\s\S]*?)```/g)) {
      const lines = code!.split('\n').filter((line) => !line.includes('-->'));
      t.equal(await vm.value('return compiles(...)', lines.join('\n'), file), null, `${file}: ${code!.split('\n')[0]}`);
    }
  }
});

t.test('every result that an example shows is the real one', async (t) => {
  const shown = [...reference.matchAll(/^(.+?)\s+--> (.+)$/gm)];
  t.ok(shown.length > 30);
  for (const [, expression, result] of shown) {
    vm.lines.length = 0;
    await vm.run(`print({${expression}}) print({${result}})`);
    t.equal(vm.lines[0], vm.lines[1], expression);
  }
});
