/**
 * Follows growing files: late creation, rotation by rename and by copy-and-truncate, restarts. Looking is the truth;
 * `fs.watch` only tells earlier where to look. What makes every line come at least once, and lets who takes them tell
 * those that come again:
 *   F1  each content of a file has a name, which is on disk before a line of it goes out; a line is known by that name
 *       and by where it begins;
 *   F2  a place where records are cut apart that no line tells of (`plan`) is on disk before what ends there goes out;
 *       after a restart lines come up to there, and then the rest;
 *   F3  an offset is kept (`commit`) only when everything before it was acknowledged.
 */
import type { BigIntStats } from 'node:fs';
import { type FileHandle, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { copiesOf, copyState, originalsOf } from './copies.ts';
import { FollowedFile, headBytesMax } from './followed-file.ts';
import type { Line } from './line-splitter.ts';
import { keyOf, type FileOffset, OffsetStore } from './offsets.ts';
import { OpenHandles } from './open-handles.ts';
import { factsOf, PathFinder } from './path-finder.ts';
import { unreadable } from './unreadable.ts';

export interface FileTailerOptions {
  /** Files, patterns and directories; they need not exist yet. */
  paths: readonly string[];
  /** JSON file of read positions; its directory is made. */
  stateFile: string;
  /** Where to begin with a file that the state does not know; default 'start'. Files that appear later always at 'start'. */
  from?: 'start' | 'end';
  /** Time between looks in ms, default 500; more where looking takes long. */
  pollMs?: number;
  /** How long a file whose name is gone is kept open for what its writer still adds, ms, default 30_000. */
  goneKeptMs?: number;
  /** How long half a line waits for the rest of it, ms, default 60_000. */
  halfLineMs?: number;
  /** Files held open at once, default 1_000. */
  openFilesMax?: number;
  /** Told once of what cannot be followed, until it can. */
  onProblem?: (path: string, error: Error) => void;
  onMended?: (path: string) => void;
  /** Told at the start of what leads nowhere yet. */
  onWaiting?: (path: string) => void;
}

/** One content of one file: from its beginning until it is truncated or gone. */
export interface TailSource {
  /** Unique; the same after a restart. */
  readonly id: string;
  /** Path under which the file was found. */
  readonly path: string;
  /** True where everything that was there at the last look has been handed out. */
  readonly caughtUp: boolean;
  /** F2 @throws LogweirError DATA_DIR_UNUSABLE */
  plan(to: number): Promise<void>;
  /** F3 @throws LogweirError DATA_DIR_UNUSABLE */
  commit(to: number): Promise<void>;
}

export interface TailBatch {
  source: TailSource;
  /** Complete lines; an unfinished one only where nobody goes on with it, or at a planned cut. */
  lines: Line[];
  /** Where each of them begins, bytes. */
  starts: number[];
  /** Where the last of them ends, newline included. */
  to: number;
  /** What is open behind the last line ends here: planned before, or nothing comes any more. */
  cut: boolean;
  /** True where the source is done with. */
  last: boolean;
}

const pollMsDefault = 500;
const pollMsMax = 1_500;
const goneKeptMsDefault = 30_000;
const halfLineMsDefault = 60_000;
/** Handles are kept so that what was written before a file is deleted can still be read. */
const openFilesMaxDefault = 1_000;
const filesMax = 20_000;
/** Looking at all files takes at most one part in so many of the time, unless looks were further apart than `pollMsMax`. */
const lookShare = 30;
/** Files looked at without a pause. */
const looksInARow = 500;
/** A swarm of events is gathered for this long, ms. */
const swarmMs = 20;
const readBytes = 256 * 1024;
/** New files whose names are put on disk in one go: so many batches are in memory. */
const heldMax = 256;

interface Found {
  path: string;
  facts: BigIntStats;
}

export class FileTailer {
  /** Resolves when the files that are there have been found: what is written from then on counts as new. */
  readonly ready: Promise<void>;
  private readonly markReady: () => void;
  private readonly options: FileTailerOptions;
  private readonly store: OffsetStore;
  private readonly finder: PathFinder;
  private readonly handles: OpenHandles;
  private readonly files = new Map<string, FollowedFile>();
  /** The same by path, as of the last look. */
  private byPath = new Map<string, FollowedFile>();
  /** Keys of files that may have something new; those whose name is gone come first. */
  private due = new Set<string>();
  /** Files that are no text, by key: looked at again when they change. */
  private readonly foreign = new Map<string, string>();
  private readonly reported = new Set<string>();
  /** First lines of new files, one batch a file, which wait for F1. */
  private readonly held: { file: FollowedFile; batch: TailBatch }[] = [];
  private readonly buffer = Buffer.allocUnsafe(readBytes);
  private wake: (() => void) | undefined;
  private nextLookMs = 0;
  private closed = false;
  private first = true;

  constructor(options: FileTailerOptions) {
    this.options = options;
    this.store = new OffsetStore(options.stateFile);
    this.finder = new PathFinder(options.paths, () => this.wake?.());
    this.handles = new OpenHandles(options.openFilesMax ?? openFilesMaxDefault);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ready = promise;
    this.markReady = resolve;
  }

  /** Files followed, and those of them that are held open. */
  get counts(): { files: number; open: number } {
    return { files: this.files.size, open: this.handles.count };
  }

  /** Batches of new lines, for ever: ends after `close` or when the signal aborts. @throws LogweirError DATA_DIR_UNUSABLE */
  async *batches(signal?: AbortSignal): AsyncGenerator<TailBatch> {
    const stop = (): void => this.close();
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted === true) this.closed = true;
    try {
      await this.store.load();
      while (!this.closed) {
        if (performance.now() >= this.nextLookMs) await this.look();
        else this.lookAtHints();
        this.markReady();
        const round = Array.from(this.due);
        for (const key of round) {
          const file = this.files.get(key);
          if (file === undefined) this.due.delete(key);
          else yield* this.step(file);
          if (this.held.length >= heldMax) yield* this.release();
          if (this.closed) break;
        }
        yield* this.release();
        if (!this.closed && this.due.size === 0) await this.pause();
      }
    } finally {
      signal?.removeEventListener('abort', stop);
      this.close();
      this.markReady();
      this.finder.close();
      for (const file of this.files.values()) await this.handles.close(file);
      this.files.clear();
    }
  }

  close(): void {
    this.closed = true;
    this.wake?.();
  }

  private get halfMs(): number {
    return this.options.halfLineMs ?? halfLineMsDefault;
  }

  /** One read of a file that may have something new. */
  private async *step(file: FollowedFile): AsyncGenerator<TailBatch> {
    const source = this.sourceOf(file);
    const outcome = await this.read(file);
    switch (outcome.kind) {
      case 'lines': {
        file.quietSinceMs = 0;
        const batch = { source, ...outcome.cut, to: outcome.to, cut: outcome.atCut, last: false };
        if (file.registered) yield batch;
        else this.held.push({ file, batch });
        return;
      }
      case 'progress':
        file.quietSinceMs = 0;
        return;
      case 'replaced': {
        const copied = await this.takeUpCopy(outcome.before, outcome.to);
        yield { source, ...(copied ? { lines: [], starts: [] } : outcome.rest), to: 0, cut: true, last: true };
        return;
      }
      case 'foreign':
        await this.drop(file);
        return;
      case 'nothing':
        this.due.delete(file.key);
        if (file.goneSinceMs > 0) yield* this.stepGone(file, source);
        else if (file.hasStaleHalf(this.halfMs)) yield* this.letGo(file, source);
        return;
      default:
        outcome satisfies never;
    }
  }

  /** The unfinished line of a file that was rotated away is let go at the second look, the file itself later. */
  private async *stepGone(file: FollowedFile, source: TailSource): AsyncGenerator<TailBatch> {
    const now = performance.now();
    const readable = file.handle !== undefined;
    if (file.quietSinceMs > 0 || !readable) yield* this.letGo(file, source);
    else file.quietSinceMs = now;
    if (readable && now - file.quietSinceMs < (this.options.goneKeptMs ?? goneKeptMsDefault)) return;
    yield { source, lines: [], starts: [], to: file.to, cut: true, last: true };
    await this.drop(file);
  }

  private *letGo(file: FollowedFile, source: TailSource): Generator<TailBatch> {
    const rest = file.finish();
    if (rest !== undefined) yield { source, ...rest.cut, to: rest.to, cut: true, last: false };
  }

  private async read(file: FollowedFile): ReturnType<FollowedFile['read']> {
    try {
      const handle = await this.open(file);
      if (handle === undefined) return { kind: 'nothing' };
      const outcome = await file.read(handle, this.buffer);
      this.mended(file.path);
      return outcome;
    } catch (error) {
      // Looked at again: what hinders may be mended.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.report(file.path, error as NodeJS.ErrnoException);
      await this.handles.close(file);
      file.forgetLook();
      return { kind: 'nothing' };
    }
  }

  /** A file whose handle was closed may be under another name by now. */
  private async open(file: FollowedFile): Promise<FileHandle | undefined> {
    const there = await file.open(this.handles).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
    if (there !== undefined) return there;
    const path = await findInode(file.openPath, file.key, new Map());
    if (path === undefined) return undefined;
    file.openPath = path;
    return file.open(this.handles);
  }

  private sourceOf(file: FollowedFile): TailSource {
    const { id, path } = file;
    const { files, store } = this;
    const isDue = (): boolean => this.due.has(file.key);
    const keep = async (offset: number, cut: number | null): Promise<void> => {
      // Other content stands there by now, which has an entry of its own.
      if (file.id !== id) return;
      store.set(file.entry(offset, cut));
      store.trim(files);
      await store.save();
    };
    return {
      id,
      path,
      get caughtUp() {
        return file.id !== id || !isDue();
      },
      plan: (to) => keep(file.committed, to),
      commit: (to) => {
        if (file.id === id) file.committed = to;
        return keep(to, file.cut);
      },
    };
  }

  /** F1: hands out the first lines of new files, in one go, once their names are on disk. */
  private async *release(): AsyncGenerator<TailBatch> {
    const held = this.held.splice(0);
    if (held.length === 0) return;
    for (const { file, batch } of held) {
      if (file.id !== batch.source.id) continue;
      this.store.set(file.entry(file.committed, file.cut));
      file.registered = true;
    }
    this.store.trim(this.files);
    await this.store.save();
    for (const { batch } of held) yield batch;
  }

  private async drop(file: FollowedFile): Promise<void> {
    this.due.delete(file.key);
    this.files.delete(file.key);
    await this.handles.close(file);
  }

  /** Looks at everything that is followed, and for what is new. */
  private async look(): Promise<void> {
    const startedMs = performance.now();
    const onProblem = (path: string, error: NodeJS.ErrnoException): void => this.report(path, error);
    const present = new Map<string, Found>();
    const confirmed = new Set<string>();
    let looks = 0;
    let pausedMs = 0;
    const paths = await this.finder.find(onProblem);
    if (this.first) for (const path of this.finder.empty(paths)) this.options.onWaiting?.(path);
    for (const path of paths) {
      if (++looks % looksInARow === 0) {
        const beforeMs = performance.now();
        await new Promise((resolve) => setImmediate(resolve));
        pausedMs += performance.now() - beforeMs;
      }
      const facts = factsOf(path, onProblem);
      if (facts?.isFile() !== true) continue;
      const key = keyOfFacts(facts);
      const known = this.files.get(key);
      // One file may have several paths; it keeps the one that it goes by.
      if (known?.path === path) confirmed.add(key);
      if (known?.path === path || !present.has(key)) present.set(key, { path, facts });
    }
    const due = new Set<string>();
    for (const [key, file] of this.files) {
      const found = present.get(key);
      if (found !== undefined && !file.isOther(found.facts)) continue;
      if (file.goneSinceMs === 0) file.goneSinceMs = performance.now();
      due.add(key);
    }
    this.due = new Set([...due, ...this.due]);
    this.byPath = new Map([...this.files.values()].map((file) => [file.path, file]));
    for (const [key, found] of present) {
      const known = this.files.get(key);
      if (known === undefined) {
        await this.begin(found, key);
        continue;
      }
      // Its inode was given to another file, which is begun once this one is done with.
      if (known.isOther(found.facts)) continue;
      if (!confirmed.has(key)) known.path = found.path;
      known.openPath = found.path;
      known.goneSinceMs = 0;
      known.quietSinceMs = 0;
      if (known.changed(found.facts) || known.hasStaleHalf(this.halfMs)) this.due.add(key);
    }
    if (this.first) await this.findRotated(present);
    this.first = false;
    for (const key of this.foreign.keys()) if (!present.has(key)) this.foreign.delete(key);
    const tookMs = performance.now() - startedMs - pausedMs;
    const { pollMs = pollMsDefault } = this.options;
    this.nextLookMs = performance.now() + Math.max(pollMs, Math.min(tookMs * lookShare, pollMsMax));
  }

  /** What happened to files that are known; new names are found by the next look, which comes soon. */
  private lookAtHints(): void {
    for (const path of this.finder.takeHints()) {
      const facts = factsOf(path, () => undefined);
      const file = facts?.isFile() === true ? this.files.get(keyOfFacts(facts)) : undefined;
      if (facts !== undefined && file !== undefined && !file.isOther(facts)) {
        if (file.changed(facts)) this.due.add(file.key);
      } else if (this.finder.covers(path))
        this.nextLookMs = Math.min(this.nextLookMs, performance.now() + (this.options.pollMs ?? pollMsDefault) / 2);
    }
  }

  /** Opens a file and finds its place in it, unless it is none to follow or cannot be read yet. */
  private async begin({ path, facts }: Found, key: string): Promise<void> {
    const look = `${facts.size}:${facts.mtimeNs}`;
    if (this.foreign.get(key) === look) return;
    if (this.files.size >= filesMax) {
      this.report(path, new Error(`${filesMax} files are followed already`));
      return;
    }
    const file = new FollowedFile(path, facts);
    try {
      const handle = await file.open(this.handles);
      if (handle === undefined) return;
      const entry = this.store.get(key);
      if (entry === undefined || !(await file.resume(handle, entry))) {
        if ((await file.judge(handle)) === 'foreign') {
          // A rotated file that was compressed, or no log: not one that grows.
          this.foreign.set(key, look);
          await this.handles.close(file);
          return;
        }
        if (entry !== undefined) await this.takeUpCopy(entry, entry.offset);
        const copy = await this.copyState(path, handle);
        if (copy === 'open') {
          await this.handles.close(file);
          return;
        }
        if (copy === 'read') await file.seek(handle, Number(facts.size));
        if (entry === undefined && this.first && this.options.from === 'end')
          await file.seek(handle, Number(facts.size));
      }
    } catch (error) {
      await this.handles.close(file);
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.report(path, error as NodeJS.ErrnoException);
      return;
    }
    this.foreign.delete(key);
    this.mended(path);
    this.files.set(key, file);
    this.byPath.set(path, file);
    this.due.add(key);
  }

  /** What a new file is to those that it may be a copy of. */
  private async copyState(path: string, handle: FileHandle): Promise<'other' | 'read' | 'open'> {
    for (const original of originalsOf(path)) {
      const file = this.byPath.get(original);
      const other = file === undefined ? undefined : await this.open(file).catch(() => undefined);
      if (file === undefined || other === undefined) continue;
      const state = await copyState(handle, file, other);
      if (state !== 'other') return state;
    }
    return 'other';
  }

  /**
   * Goes on in the copy that was made before a file was truncated: under the same name, since it holds the same.
   * @param before what was read of it
   * @param from where to go on
   */
  private async takeUpCopy(before: FileOffset, from: number): Promise<boolean> {
    if (before.headBytes < headBytesMax) return false;
    for (const path of await copiesOf(before.path)) {
      const facts = factsOf(path, () => undefined);
      if (facts?.isFile() !== true || facts.size < before.tailAt) continue;
      const key = keyOfFacts(facts);
      const known = this.files.get(key);
      if (known?.isOther(facts) === false) continue;
      // Of a deleted file, whose inode the copy was given, nothing more can come.
      if (known !== undefined) await this.drop(known);
      const covered = this.finder.covers(path);
      const file = new FollowedFile(covered ? path : before.path, facts);
      file.openPath = path;
      const handle = await file.open(this.handles).catch(() => undefined);
      if (handle === undefined || !(await file.resume(handle, before, true))) {
        await this.handles.close(file);
        continue;
      }
      await file.seek(handle, from);
      if (!covered) file.goneSinceMs = performance.now();
      this.files.set(key, file);
      this.due = new Set([key, ...this.due]);
      // Where nothing is left to read in it, that is to be known as well.
      this.store.set(file.entry(from, null));
      await this.store.save();
      return true;
    }
    return false;
  }

  /** Files that were rotated away while nobody followed: they lie beside their old name, with lines still unread. */
  private async findRotated(present: ReadonlyMap<string, Found>): Promise<void> {
    const places: Places = new Map();
    for (const entry of this.store.all()) {
      const key = keyOf(entry);
      // What other paths were followed from this directory before is not ours to touch.
      if (present.has(key) || !this.finder.covers(entry.path)) continue;
      const path = await findInode(entry.path, key, places);
      // One that is not found may be on its way from one name to another: it is not forgotten.
      if (path !== undefined) await this.takeUp(path, entry);
    }
  }

  private async takeUp(path: string, entry: FileOffset): Promise<void> {
    const facts = factsOf(path, () => undefined);
    if (facts === undefined || facts.size <= entry.offset) return;
    const file = new FollowedFile(entry.path, facts);
    file.openPath = path;
    try {
      const handle = await file.open(this.handles);
      if (handle !== undefined && (await file.resume(handle, entry))) {
        file.goneSinceMs = performance.now();
        this.files.set(file.key, file);
        this.due = new Set([file.key, ...this.due]);
        return;
      }
    } catch {
      // It was a chance.
    }
    await this.handles.close(file);
  }

  private async pause(): Promise<void> {
    const ms = this.nextLookMs - performance.now();
    if (ms <= 0 || this.finder.hinted) return;
    let hinted = false;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.wake = undefined;
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.wake = () => {
        hinted = true;
        done();
      };
    });
    if (hinted && !this.closed) await new Promise((resolve) => setTimeout(resolve, Math.min(swarmMs, ms)));
  }

  private report(path: string, error: NodeJS.ErrnoException): void {
    if (this.reported.has(path)) return;
    this.reported.add(path);
    this.options.onProblem?.(path, error.code === undefined ? error : unreadable({ path }, error));
  }

  private mended(path: string): void {
    if (this.reported.delete(path)) this.options.onMended?.(path);
  }
}

function keyOfFacts({ dev, ino }: BigIntStats): string {
  return keyOf({ device: dev.toString(), inode: ino.toString() });
}

/** Files of a directory: path by key. */
type Places = Map<string, Promise<Map<string, string>>>;

/** Where the file lies that once had this path: in the same directory, under another name. */
async function findInode(path: string, key: string, places: Places): Promise<string | undefined> {
  const directory = dirname(path);
  let files = places.get(directory);
  if (files === undefined) {
    files = filesOf(directory);
    places.set(directory, files);
  }
  return (await files).get(key);
}

async function filesOf(directory: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const name of await readdir(directory).catch(() => [])) {
    const path = join(directory, name);
    const facts = await stat(path, { bigint: true }).catch(() => undefined);
    if (facts?.isFile() === true) files.set(keyOfFacts(facts), path);
  }
  return files;
}
