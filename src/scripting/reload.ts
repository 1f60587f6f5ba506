/**
 * The loaded version of the scripts, and its replacement when a file changes. A newer version is compiled and run in an environment
 * of its own beside the running one; only when that went well it takes over. Callbacks that wait finish in the old one.
 */
import type { Log } from '../core/ports.js';
import type { Timers } from './mix/timer.js';
import { ScriptFiles } from './script-files.js';
import { loadVersion, type Version, type VersionParts } from './version.js';

export interface ReloadOptions {
  readonly entry: string;
  readonly reloadSeconds: number;
}

export class Reloader {
  reloads = 0;
  /** The files of the version that is being loaded, else of the one that runs. */
  files: ScriptFiles;
  private version: Version | null = null;
  private generation = 0;
  /** Versions that were tried, and so the number of the newest. */
  private tried = 0;
  private watch: NodeJS.Timeout | undefined;

  constructor(
    private readonly options: ReloadOptions,
    private readonly log: Log,
    private readonly parts: VersionParts,
    private readonly timers: Timers,
  ) {
    this.files = new ScriptFiles(options.entry);
    parts.scheduler.show = (generation) => parts.environments.show(generation);
  }

  /** The version that callbacks run in. */
  get running(): Version {
    return this.version as Version;
  }

  /** Loads the first version and begins to watch; why it does not load, else null. */
  start(): string | null {
    const problem = this.load();
    if (problem === null && this.options.reloadSeconds > 0) {
      this.watch = setInterval(() => this.look(), this.options.reloadSeconds * 1000).unref();
    }
    return problem;
  }

  /** Swaps when a file has changed. A version that does not load is told once, and tried again after the next change. */
  look(): void {
    if (this.parts.scheduler.running !== null || !this.files.changed()) return;
    const problem = this.load();
    const { entry } = this.options;
    if (problem !== null) {
      this.log.error('scripts were changed but do not load; the running version stays', { entry, problem });
      return;
    }
    this.reloads++;
    this.log.info('scripts were swapped for the changed ones', { entry, version: this.generation });
  }

  close(): void {
    clearInterval(this.watch);
  }

  private load(): string | null {
    const { scheduler } = this.parts;
    const before = this.files;
    const generation = ++this.tried;
    const files = new ScriptFiles(this.options.entry);
    this.files = files;
    const loaded = this.attempt(generation, files);
    if (typeof loaded === 'string') {
      this.timers.cancelOf(generation);
      // What made it fail may be in a file that only the old version knew, or only the new one.
      for (const [path, stamp] of before.seen) if (!files.seen.has(path)) files.seen.set(path, stamp);
      return loaded;
    }
    this.generation = generation;
    const old = this.version;
    this.version = loaded;
    scheduler.generation = generation;
    if (old !== null) {
      this.timers.cancelOf(old.generation);
      old.release();
    }
    return null;
  }

  private attempt(generation: number, files: ScriptFiles): Version | string {
    let loaded: Version | string = 'not enough memory';
    try {
      this.parts.vm.attempt(() => {
        loaded = loadVersion(this.parts, generation, files);
      });
    } catch (error) {
      loaded = (error as Error).message;
    }
    return loaded;
  }
}
