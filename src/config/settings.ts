/** Reads the schema itself: which settings there are, of what type, with which bounds. For printing, docs and error texts. */
import type { z } from 'zod';
import { type SettingDoc, schema } from './schema.js';

/** One leaf of the configuration; `path` has `0` in the place of list items: `servers.0.port`. */
export interface Setting extends SettingDoc {
  readonly path: string;
  /** In words: "integer 0 to 65535", "one of close, drop", "list of text". */
  readonly expected: string;
  readonly fallback: unknown;
}

/** All settings in the order of the schema. */
export function settings(): Setting[] {
  const found: Setting[] = [];
  collect(schema, '', found);
  return found;
}

/** The schema node at a path, or the deepest one on the way there with the part that is not known. */
export function schemaAt(path: readonly (string | number)[]): {
  node: z.ZodType;
  unknown: string | null;
  known: string[];
} {
  let node: z.ZodType = schema;
  for (const part of path) {
    const inner = unwrap(node);
    if (isObject(inner)) {
      const next = inner.shape[String(part)];
      if (!next) return { node: inner, unknown: String(part), known: Object.keys(inner.shape) };
      node = next;
    } else if (isArray(inner)) {
      if (!/^[0-9]{1,4}$/.test(String(part))) return { node: inner, unknown: String(part), known: ['0', '1', '…'] };
      node = inner.element as z.ZodType;
    } else return { node: inner, unknown: String(part), known: [] };
  }
  return { node: unwrap(node), unknown: null, known: [] };
}

/** What a schema node accepts, in words. */
export function expectedOf(type: z.ZodType): string {
  const node = unwrap(type);
  if (isNumber(node)) return `${node.format === 'safeint' ? 'integer' : 'number'} ${node.minValue} to ${node.maxValue}`;
  if (isEnum(node)) return `one of ${node.options.join(', ')}`;
  if (isArray(node)) return `list of ${expectedOf(node.element as z.ZodType)}`;
  if (isObject(node)) return `settings ${Object.keys(node.shape).join(', ')}`;
  if (node.def.type === 'boolean') return 'true or false';
  if (node.def.type === 'union') return 'text, number or true/false';
  return 'text';
}

export function isObject(node: z.ZodType): node is z.ZodObject {
  return node.def.type === 'object';
}
export function isArray(node: z.ZodType): node is z.ZodArray {
  return node.def.type === 'array';
}
function isNumber(node: z.ZodType): node is z.ZodNumber {
  return node.def.type === 'number';
}
function isEnum(node: z.ZodType): node is z.ZodEnum {
  return node.def.type === 'enum';
}

/** Takes defaults off: what is left says the type. */
function unwrap(type: z.ZodType): z.ZodType {
  const def = type.def as { type: string; innerType?: z.ZodType };
  return (def.type === 'default' || def.type === 'prefault') && def.innerType ? unwrap(def.innerType) : type;
}

function collect(type: z.ZodType, path: string, into: Setting[]): void {
  const node = unwrap(type);
  if (isObject(node)) {
    for (const [key, child] of Object.entries(node.shape))
      collect(child as z.ZodType, path ? `${path}.${key}` : key, into);
    return;
  }
  if (isArray(node) && isObject(unwrap(node.element as z.ZodType))) {
    collect(node.element as z.ZodType, `${path}.0`, into);
    return;
  }
  const meta = (type.meta() ?? {}) as Partial<SettingDoc>;
  const fallback = type.safeParse(undefined);
  into.push({
    ...meta,
    doc: meta.doc ?? '',
    path,
    expected: expectedOf(node),
    fallback: fallback.success ? fallback.data : undefined,
  });
}
