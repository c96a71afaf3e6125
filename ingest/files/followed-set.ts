/** Which files are followed, and which of them may have something new: found by looking at paths, told earlier by hints. */
import type { BigIntStats } from 'node:fs';
import { type FileHandle, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { copiesOf, copyState, originalsOf } from './copies.ts';
import { FollowedFile, headBytesMax } from './followed-file.ts';
import { keyOf, type FileOffset, OffsetStore } from './offsets.ts';
import { OpenHandles } from './open-handles.ts';
import { factsOf, PathFinder } from './path-finder.ts';
import { unreadable } from './unreadable.ts';

export interface FollowedSetOptions {
  /** Files, patterns and directories; they need not exist yet. */
  paths: readonly string[];
  /** JSON file of read positions; its directory is made. */
  stateFile: string;
  /** Where to begin with a file that the state does not know; default 'start'. Files that appear later always at 'start'. */
  from?: 'start' | 'end';
  /** Time between looks in ms, default 500; more where looking takes long. */
  pollMs?: number;
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

const pollMsDefault = 500;
const pollMsMax = 1_500;
const halfLineMsDefault = 60_000;
/** Handles are kept so that what was written before a file is deleted can still be read. */
const openFilesMaxDefault = 1_000;
const filesMax = 20_000;
/** Looking at all files takes at most one part in so many of the time, unless looks were further apart than `pollMsMax`. */
const lookShare = 30;
/** Files looked at without a pause. */
const looksInARow = 500;

interface Found {
  path: string;
  facts: BigIntStats;
}

export class FollowedSet {
  readonly store: OffsetStore;
  readonly handles: OpenHandles;
  readonly files = new Map<string, FollowedFile>();
  /** Keys of files that may have something new; those whose name is gone come first. */
  due = new Set<string>();
  /** When to look again, by `performance.now`. */
  nextLookMs = 0;
  private readonly options: FollowedSetOptions;
  private readonly finder: PathFinder;
  /** Files by path, as of the last look. */
  private byPath = new Map<string, FollowedFile>();
  /** Files that are no text, by key: looked at again when they change. */
  private readonly foreign = new Map<string, string>();
  private readonly reported = new Set<string>();
  private first = true;

  /** `onHint`: something happened to a file, or beside one. */
  constructor(options: FollowedSetOptions, onHint: () => void) {
    this.options = options;
    this.store = new OffsetStore(options.stateFile);
    this.finder = new PathFinder(options.paths, onHint);
    this.handles = new OpenHandles(options.openFilesMax ?? openFilesMaxDefault);
  }

  /** Whether `lookAtHints` would find something. */
  get hinted(): boolean {
    return this.finder.hinted;
  }

  /** Looks at everything that is followed, and for what is new. */
  async look(): Promise<void> {
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
  lookAtHints(): void {
    for (const path of this.finder.takeHints()) {
      const facts = factsOf(path, () => undefined);
      const file = facts?.isFile() === true ? this.files.get(keyOfFacts(facts)) : undefined;
      if (facts !== undefined && file !== undefined && !file.isOther(facts)) {
        if (file.changed(facts)) this.due.add(file.key);
      } else if (this.finder.covers(path))
        this.nextLookMs = Math.min(this.nextLookMs, performance.now() + (this.options.pollMs ?? pollMsDefault) / 2);
    }
  }

  /** A file whose handle was closed may be under another name by now. */
  async open(file: FollowedFile): Promise<FileHandle | undefined> {
    const there = await file.open(this.handles).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
    if (there !== undefined) return there;
    const path = await findInode(file.openPath, file.key, new Map());
    if (path === undefined) return undefined;
    file.openPath = path;
    return file.open(this.handles);
  }

  async drop(file: FollowedFile): Promise<void> {
    this.due.delete(file.key);
    this.files.delete(file.key);
    await this.handles.close(file);
  }

  /**
   * Goes on in the copy that was made before a file was truncated: under the same name, since it holds the same.
   * @param before what was read of it
   * @param from where to go on
   * @param writtenMs when the file had been written last before; Infinity where nobody was there. What is too short to be
   * known by its bytes alone is a copy only if it was made since.
   */
  async takeUpCopy(before: FileOffset, from: number, writtenMs = Number.POSITIVE_INFINITY): Promise<boolean> {
    const isShort = before.headBytes < headBytesMax;
    if (before.headBytes === 0) return false;
    for (const path of await copiesOf(before.path)) {
      const facts = factsOf(path, () => undefined);
      if (facts?.isFile() !== true || facts.size < before.tailAt) continue;
      if (isShort && bornMs(facts) < writtenMs) continue;
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

  /** Tells of a problem once, until it is mended. */
  report(path: string, error: NodeJS.ErrnoException): void {
    if (this.reported.has(path)) return;
    this.reported.add(path);
    this.options.onProblem?.(path, error.code === undefined ? error : unreadable({ path }, error));
  }

  mended(path: string): void {
    if (this.reported.delete(path)) this.options.onMended?.(path);
  }

  get halfMs(): number {
    return this.options.halfLineMs ?? halfLineMsDefault;
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
        const copy = await this.copyState(path, handle, bornMs(facts));
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
  private async copyState(path: string, handle: FileHandle, born: number): Promise<'other' | 'read' | 'open'> {
    for (const original of originalsOf(path)) {
      const file = this.byPath.get(original);
      const other = file === undefined ? undefined : await this.open(file).catch(() => undefined);
      if (file === undefined || other === undefined) continue;
      const state = await copyState(handle, file, other, born);
      if (state !== 'other') return state;
    }
    return 'other';
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

  async close(): Promise<void> {
    this.finder.close();
    for (const file of this.files.values()) await this.handles.close(file);
    this.files.clear();
  }
}

/** When a file was made, ms since 1970, as coarse as the times of writing it is compared with. */
function bornMs({ birthtimeNs }: BigIntStats): number {
  return Math.ceil(Number(birthtimeNs) / 1e6);
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
