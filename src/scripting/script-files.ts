/**
 * The files of one script: the entry and the modules it required, all under the folder of the entry, whatever a name or a
 * symbolic link says. Reading is synchronous: it happens at start, at a swap, and at a module's first `require`.
 */
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, sep } from 'node:path';

const MAX_SCRIPT_BYTES = 4 * 1024 * 1024;
const MAX_NAME_BYTES = 200;
/** Files of one script, those included that were asked for and not there: each is looked at for changes. */
const MAX_FILES = 1000;

export interface ReadScript {
  /** Relative to the script folder: what errors call it. */
  readonly name: string;
  readonly text: Buffer;
}

export type FoundModule = { readonly path: string } | { readonly problem: string };

export class ScriptFiles {
  readonly folder: string;
  /** Path → stamp of what was read, or asked for and not there: what a reload watches. */
  readonly seen = new Map<string, string>();

  constructor(private readonly entryPath: string) {
    this.folder = dirname(entryPath);
  }

  /** The entry file, or why it cannot be read. */
  entry(): ReadScript | string {
    return this.read(this.entryPath);
  }

  /** Where `require(name)` finds its file: "a.b" and "a/b" are a/b.lua under the folder. */
  find(name: string): FoundModule {
    if (!/^[^./\\\0]+([./][^./\\\0]+)*$/.test(name)) {
      return { problem: `module '${name}' refused: names are "a.b" or "a/b", inside of the script folder` };
    }
    if (Buffer.byteLength(name) > MAX_NAME_BYTES)
      return { problem: `module '${name.slice(0, 32)}…' refused: a name of over ${MAX_NAME_BYTES} bytes` };
    const relative = `${name.replaceAll('.', '/')}.lua`;
    const path = join(this.folder, relative);
    if (!this.seen.has(path) && this.seen.size >= MAX_FILES)
      return { problem: `module '${name}' refused: the script has asked for ${MAX_FILES} files already` };
    try {
      if (!realpathSync(path).startsWith(realpathSync(this.folder) + sep)) {
        return { problem: `module '${name}' refused: ${relative} leads out of the script folder` };
      }
    } catch {
      this.seen.set(path, stampOf(path));
      return { problem: `module '${name}' not found: no file ${relative} in the script folder` };
    }
    return { path };
  }

  /** A file's text, or why it cannot be read. */
  read(path: string): ReadScript | string {
    const name = path === this.entryPath ? basename(path) : path.slice(this.folder.length + 1);
    const stamp = stampOf(path);
    this.seen.set(path, stamp);
    try {
      const text = readFileSync(path);
      if (text.length > MAX_SCRIPT_BYTES) return `${path}: larger than ${MAX_SCRIPT_BYTES} bytes`;
      return { name, text };
    } catch (error) {
      return `${path}: ${(error as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file' : (error as Error).message}`;
    }
  }

  /** Whether any file is not what it was when it was read. */
  changed(): boolean {
    for (const [path, stamp] of this.seen) if (stampOf(path) !== stamp) return true;
    return false;
  }
}

/** Changes when the file does; "" when it is not there. */
function stampOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false, bigint: true });
  return stat === undefined ? '' : `${stat.mtimeNs}:${stat.size}:${stat.ino}`;
}
