/** The host functions behind sandbox.ts: looks at the CPU limit, and pattern matching that can be interrupted. */
import type { HostFunction } from './mix/module.js';
import { indexOf, Pattern } from './pattern.js';
import { WAIT_TOKEN } from './scheduler.js';
import { ScriptError, type Stack } from './stack.js';
import type { Vm } from './vm.js';

const CARET = 94;

/** Pushes the table that SANDBOX_LUA gets. */
export function pushGuards(vm: Vm, L: number): void {
  const { stack } = vm;
  stack.createTable(L, 0, 8);
  for (const [name, fn] of Object.entries(guards(vm))) {
    vm.pushFunction(L, fn);
    stack.setField(L, name);
  }
  stack.lua.lua_pushlightuserdata(L, WAIT_TOKEN);
  stack.setField(L, 'wait_token');
}

function guards({ stack, cpu }: Vm): Record<string, HostFunction> {
  const look = () => cpu.tick();
  return {
    tick() {
      cpu.tick();
      return 0;
    },
    /** The coroutine that runs from here on. */
    at(L) {
      cpu.enter(stack.lua.lua_tothread(L, 1));
      return 0;
    },
    stopping(L) {
      stack.pushBoolean(L, cpu.stopping ? 1 : 0);
      return 1;
    },
    quick(L) {
      stack.pushBoolean(L, cpu.quick ? 1 : 0);
      return 1;
    },
    find(L) {
      const found = search(stack, L, look, true);
      if (found === null) return nil(stack, L);
      stack.pushCount(L, found.first + 1);
      stack.pushCount(L, found.end);
      return 2 + (found.pattern === null ? 0 : pushCaptures(stack, L, found.pattern, found.subject));
    },
    match(L) {
      const found = search(stack, L, look, false);
      if (found === null) return nil(stack, L);
      return pushCapturesOrAll(stack, L, found);
    },
    /** (s, p, from, last, anchored): the next match for gmatch and gsub that does not end where the last one did. */
    scan(L) {
      const subject = bytesAt(stack, L, 1);
      const pattern = new Pattern(subject.bytes, bytesAt(stack, L, 2).bytes, look);
      const last = stack.toNumber(L, 4) - 1;
      const anchored = stack.toBoolean(L, 5) === 1;
      for (let first = stack.toNumber(L, 3) - 1; first <= subject.bytes.length; first++) {
        const end = pattern.match(first, 0);
        if (end !== -1 && end !== last) {
          stack.pushCount(L, first + 1);
          stack.pushCount(L, end + 1);
          return 2 + pushCapturesOrAll(stack, L, { first, end, pattern, subject: subject.pointer });
        }
        if (anchored) break;
      }
      return nil(stack, L);
    },
  };
}

interface Found {
  readonly first: number;
  readonly end: number;
  /** Null: a plain search. */
  readonly pattern: Pattern | null;
  /** Pointer to the subject. */
  readonly subject: number;
}

function nil(stack: Stack, L: number): 1 {
  stack.pushNil(L);
  return 1;
}

function bytesAt(stack: Stack, L: number, at: number): { readonly pointer: number; readonly bytes: Uint8Array } {
  const pointer = stack.toLString(L, at);
  return { pointer, bytes: stack.heap().subarray(pointer, pointer + stack.lastLength()) };
}

/** Bytes that make a pattern of a text, as string.find sees it; without any of them it searches for the text itself. */
const SPECIAL = new Set(Buffer.from('^$*+?.([%-'));

/** (s, p, init, plain): the first match from init on. */
function search(stack: Stack, L: number, look: () => void, isFind: boolean): Found | null {
  const init = Number(stack.checkInteger(L, 3));
  const subject = bytesAt(stack, L, 1);
  const wanted = bytesAt(stack, L, 2).bytes;
  const { length } = subject.bytes;
  const from = init > 0 ? init - 1 : init === 0 ? 0 : Math.max(0, length + init);
  if (from > length) return null;
  if (isFind && (stack.toBoolean(L, 4) === 1 || !wanted.some((byte) => SPECIAL.has(byte)))) {
    const first = indexOf(subject.bytes, wanted, from, look);
    return first === -1 ? null : { first, end: first + wanted.length, pattern: null, subject: subject.pointer };
  }
  const anchored = wanted[0] === CARET;
  const pattern = new Pattern(subject.bytes, wanted, look);
  for (let first = from; first <= length; first++) {
    const end = pattern.match(first, anchored ? 1 : 0);
    if (end !== -1) return { first, end, pattern, subject: subject.pointer };
    if (anchored) break;
  }
  return null;
}

function pushCaptures(stack: Stack, L: number, pattern: Pattern, subject: number): number {
  stack.checkStack(L, pattern.level);
  for (let i = 0; i < pattern.level; i++) {
    if (pattern.isPosition(i)) stack.pushCount(L, pattern.starts[i] + 1);
    else if (pattern.lengths[i] < 0) throw new ScriptError('unfinished capture');
    else stack.pushLString(L, subject + pattern.starts[i], pattern.lengths[i]);
  }
  return pattern.level;
}

function pushCapturesOrAll(stack: Stack, L: number, { first, end, pattern, subject }: Found): number {
  if (pattern !== null && pattern.level > 0) return pushCaptures(stack, L, pattern, subject);
  stack.pushLString(L, subject + first, end - first);
  return 1;
}
