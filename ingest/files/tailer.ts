/**
 * Follows growing files: late creation, rotation by rename and by copy-and-truncate, restarts. Polling is the truth;
 * `fs.watch` only wakes it up earlier.
 */
import { type FSWatcher, watch } from 'node:fs';
import { glob, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { contentOf } from './content.ts';
import { FollowedFile, type ReadStep } from './followed-file.ts';
import { exists, isGlob } from './inputs.ts';
import type { Line } from './line-splitter.ts';
import { OffsetStore } from './offsets.ts';

export interface FileTailerOptions {
  /** Files, patterns and directories; they need not exist yet. */
  paths: readonly string[];
  /** JSON file of read positions; its directory is made. */
  stateFile: string;
  /** Where to begin with a file that the state does not know; default 'start'. Files that appear later always at 'start'. */
  from?: 'start' | 'end';
  /** Time between looks in ms, default 500. */
  pollMs?: number;
  /** Told once per path of what cannot be followed. */
  onProblem?: (path: string, error: Error) => void;
}

export interface TailBatch {
  /** Path under which the file was found. */
  file: string;
  /** Tells two files under one path apart: one parser each. */
  fileId: string;
  /** Complete lines; an unfinished one only where its file was rotated away. */
  lines: Line[];
  /** True where the file is done with: it was rotated away and read to its end. */
  last: boolean;
  /** Call when all lines were acknowledged (a record still open in a parser is not): makes the position last. */
  commit(): Promise<void>;
}

/** Watched directories; more are found by polling alone. */
const watchersMax = 256;
/** Files held open at once; what is over is reported and left out. */
const openFilesMax = 2000;
const pollMsDefault = 500;

export class FileTailer {
  /** Resolves when the files that are there have been found: what is written from then on counts as new. */
  readonly ready: Promise<void>;
  private readonly markReady: () => void;
  private readonly options: FileTailerOptions;
  private readonly store: OffsetStore;
  private readonly files = new Map<string, FollowedFile>();
  private readonly watchers = new Map<string, FSWatcher>();
  /** Files that do not grow or are no text, by inode and time of change: an inode may come back as another file. */
  private ignored = new Set<string>();
  private readonly reported = new Set<string>();
  private wake: (() => void) | undefined;
  private hinted = false;
  private closed = false;
  private first = true;

  constructor(options: FileTailerOptions) {
    this.options = options;
    this.store = new OffsetStore(options.stateFile);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ready = promise;
    this.markReady = resolve;
  }

  /** Batches of new lines, for ever: ends after `close` or when the signal aborts. */
  async *batches(signal?: AbortSignal): AsyncGenerator<TailBatch> {
    const stop = (): void => this.close();
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted === true) this.closed = true;
    try {
      await this.store.load();
      while (!this.closed) {
        const gone = await this.discover();
        this.markReady();
        let busy = true;
        while (busy && !this.closed) {
          busy = false;
          for (const [id, file] of this.files) {
            const step = await this.read(id, file);
            if (step === undefined) continue;
            busy = true;
            if (step.lines.length > 0) yield this.batch(id, file, step, false);
            if (this.closed) break;
          }
        }
        for (const id of gone) {
          const file = this.files.get(id);
          if (file === undefined || this.closed) continue;
          // Its writer may have held it open a moment longer than its name.
          const late = await this.read(id, file);
          if (late !== undefined) {
            if (late.lines.length > 0) yield this.batch(id, file, late, false);
            continue;
          }
          const rest = file.finish();
          this.files.delete(id);
          yield this.batch(id, file, rest ?? { lines: [], to: file.offset().offset }, true, rest === undefined);
          await file.close();
        }
        if (!this.closed) await this.pause();
      }
    } finally {
      signal?.removeEventListener('abort', stop);
      this.close();
      this.markReady();
      for (const watcher of this.watchers.values()) watcher.close();
      this.watchers.clear();
      for (const file of this.files.values()) await file.close();
      this.files.clear();
    }
  }

  close(): void {
    this.closed = true;
    this.wake?.();
  }

  private batch(id: string, file: FollowedFile, step: ReadStep, last: boolean, empty = false): TailBatch {
    const acknowledge = empty ? undefined : file.deliver(step.to);
    return {
      file: file.path,
      fileId: id,
      lines: step.lines,
      last,
      commit: async () => {
        const offset = acknowledge?.();
        if (offset === undefined) return;
        this.store.set(offset);
        await this.store.save();
      },
    };
  }

  private async read(id: string, file: FollowedFile): Promise<ReadStep | undefined> {
    try {
      return await file.read();
    } catch (error) {
      this.report(file.path, error as Error);
      this.files.delete(id);
      await file.close().catch(() => undefined);
      return undefined;
    }
  }

  /** Opens files that are new under the followed paths. Returns ids of open files whose name is gone or another's. */
  private async discover(): Promise<string[]> {
    const present = new Set<string>();
    const stillIgnored = new Set<string>();
    const paths = await this.expand();
    for (const path of paths) {
      try {
        const facts = await stat(path);
        const id = `${facts.dev}:${facts.ino}`;
        const look = `${id}:${facts.ctimeMs}`;
        if (!facts.isFile()) continue;
        if (this.ignored.has(look)) {
          stillIgnored.add(look);
          continue;
        }
        present.add(id);
        const known = this.files.get(id);
        if (known !== undefined) known.path = path;
        else if (this.files.size >= openFilesMax)
          this.report(path, new Error(`${openFilesMax} files are followed already`));
        else if (!(await this.begin(path, id))) stillIgnored.add(look);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.report(path, error as Error);
      }
    }
    this.ignored = stillIgnored;
    if (this.first) await this.findRotated(present);
    this.first = false;
    return [...this.files.keys()].filter((id) => !present.has(id));
  }

  /** Opens a file and finds its place in it. False where it is none to follow. */
  private async begin(path: string, id: string): Promise<boolean> {
    const file = await FollowedFile.open(path);
    const content = contentOf(await file.head(512));
    if (content !== 'text' && content !== 'empty') {
      // A rotated file that was compressed, or no log: not one that grows.
      await file.close();
      return false;
    }
    const entry = this.store.get(file.device, file.inode);
    if (entry !== undefined && (await file.matches(entry))) file.seek(entry.offset);
    else if (entry === undefined && this.first && this.options.from === 'end') file.seek(await file.size());
    this.files.set(id, file);
    return true;
  }

  /** Files that were rotated away while nobody followed: they lie beside their old name, with lines still unread. */
  private async findRotated(present: ReadonlySet<string>): Promise<void> {
    const followed = new Set([...this.files.values()].map((file) => file.path));
    for (const entry of this.store.all()) {
      const id = `${entry.device}:${entry.inode}`;
      if (present.has(id) || !this.covers(entry.path, followed)) continue;
      const path = await findInode(entry.path, entry.device, entry.inode);
      const file = path === undefined ? undefined : await FollowedFile.open(path).catch(() => undefined);
      if (file !== undefined && (await file.matches(entry)) && (await file.size()) > entry.offset) {
        file.path = entry.path;
        file.seek(entry.offset);
        this.files.set(id, file);
      } else {
        this.store.forget(entry);
        await file?.close();
      }
    }
  }

  /** Another tailer's entries in a shared state file are not ours to touch. */
  private covers(path: string, followed: ReadonlySet<string>): boolean {
    return (
      followed.has(path) ||
      this.options.paths.some((given) => given === path || dirname(path) === given || isGlob(given))
    );
  }

  private async expand(): Promise<string[]> {
    const paths = new Set<string>();
    for (const given of this.options.paths) {
      if (isGlob(given) && !(await exists(given))) {
        for await (const match of glob(given)) paths.add(match);
        this.watchDirectory(dirname(given));
        continue;
      }
      const names = await directoryNames(given);
      if (names === undefined) {
        paths.add(given);
        this.watchDirectory(dirname(given));
      } else {
        this.watchDirectory(given);
        for (const name of names) if (!name.startsWith('.')) paths.add(join(given, name));
      }
    }
    return [...paths];
  }

  private watchDirectory(directory: string): void {
    if (this.watchers.has(directory) || this.watchers.size >= watchersMax) return;
    try {
      const watcher = watch(directory, { persistent: false }, () => {
        this.hinted = true;
        this.wake?.();
      });
      watcher.on('error', () => watcher.close());
      this.watchers.set(directory, watcher);
    } catch {
      // No such directory yet, or no watches left: polling finds it.
    }
  }

  private async pause(): Promise<void> {
    if (this.hinted) {
      // Events come in swarms; a short rest gathers them.
      this.hinted = false;
      await this.sleep(Math.min(20, this.options.pollMs ?? pollMsDefault), false);
      return;
    }
    await this.sleep(this.options.pollMs ?? pollMsDefault, true);
  }

  private sleep(ms: number, wakeable: boolean): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.wake = undefined;
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.wake = wakeable ? done : () => (this.closed ? done() : undefined);
    });
  }

  private report(path: string, error: Error): void {
    if (this.reported.has(path)) return;
    this.reported.add(path);
    this.options.onProblem?.(path, error);
  }
}

/** Names in a directory, or undefined where the path is none. */
async function directoryNames(path: string): Promise<string[] | undefined> {
  try {
    return (await readdir(path)).sort();
  } catch {
    return undefined;
  }
}

async function findInode(path: string, device: number, inode: number): Promise<string | undefined> {
  const directory = dirname(path);
  for (const name of (await directoryNames(directory)) ?? []) {
    // Rotated forms keep the name as their beginning.
    if (!name.startsWith(basename(path).split('.')[0] as string)) continue;
    const facts = await stat(join(directory, name)).catch(() => undefined);
    if (facts?.dev === device && facts.ino === inode) return join(directory, name);
  }
  return undefined;
}
