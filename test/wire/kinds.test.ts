import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import ts from 'typescript';
import { KIND_OF } from '../../src/wire/kinds.js';
import { definitions, MESSAGE_OF } from './arbitrary.js';

const FRAMES = fileURLToPath(new URL('../../src/core/frames.ts', import.meta.url));

/** Interface name → its fields' names, those of the interface that it extends included. */
function interfaces(): Map<string, { kind: string | null; fields: string[] }> {
  const tree = ts.createSourceFile('frames.ts', readFileSync(FRAMES, 'utf8'), ts.ScriptTarget.ES2022, true);
  const found = new Map<string, { kind: string | null; fields: string[] }>();
  tree.forEachChild((node) => {
    if (!ts.isInterfaceDeclaration(node)) return;
    const parent = node.heritageClauses?.[0].types[0].getText(tree).match(/\w+(?=[,>])|^\w+$/)?.[0];
    const fields = [...(parent ? found.get(parent)!.fields : [])];
    let kind: string | null = null;
    for (const member of node.members) {
      if (!ts.isPropertySignature(member)) continue;
      const name = member.name.getText(tree);
      if (name === 'kind') kind = member.type!.getText(tree).replace(/'/g, '');
      else fields.push(name);
    }
    found.set(node.name.text, { kind, fields });
  });
  return found;
}

const fieldsOf = (message: string) =>
  (definitions[`lumesh.peer.${message}`].type as { field: { name: string }[] }).field.map((field) => field.name);

t.test('every frame of core/frames.ts has its message in proto/peer.proto, with the same fields', async (t) => {
  const kinds = new Set<string>();
  for (const [name, { kind, fields }] of interfaces()) {
    if (kind === null) continue;
    kinds.add(kind);
    const message = MESSAGE_OF.get(kind);
    if (message === undefined) {
      t.fail(`${name} has no message in proto/peer.proto: add one, and a field "${kind}" to Frame there`);
      continue;
    }
    t.strictSame(fieldsOf(message).sort(), fields.sort(), `${name}: the fields of frames.ts and of the message`);
  }
  for (const kind of KIND_OF.values()) {
    if (kind.lane !== 'link') t.ok(kinds.has(kind.name), `${kind.name} of peer.proto is a frame of the core`);
  }
});

t.test('the records within frames have the same fields, too', async (t) => {
  for (const [name, { kind, fields }] of interfaces()) {
    if (kind !== null || definitions[`lumesh.peer.${name}`] === undefined) continue;
    t.strictSame(fieldsOf(name).sort(), fields.sort(), name);
  }
});
