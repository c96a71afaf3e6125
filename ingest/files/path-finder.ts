/**
 * The files that paths, patterns and directories mean at this moment. Looks at directories; `fs.watch` only tells
 * earlier where to look. A directory that has not changed is not listed again.
 */
import { type BigIntStats, type FSWatcher, readdirSync, statSync, watch } from 'node:fs';
import { glob } from 'node:fs/promises';
import { basename, dirname, join, matchesGlob, resolve } from 'node:path';
import { isDockersOwn } from '#analysis/formats/mod.ts';
import { isGlob } from './inputs.ts';

/** Watched directories; what happens in more of them is found by looking alone. */
const watchersMax = 256;
/** Directories below this depth are left alone. */
const depthMax = 32;
/** A change within this time of a listing may leave the directory's time as it was, ms. */
const unsettledMs = 100;
/** Patterns over several levels are worked out at most this often, ms. */
const deepGlobEveryMs = 1_000;

export type OnProblem = (path: string, error: NodeJS.ErrnoException) => void;

interface Listing {
  mtimeNs: bigint;
  settled: boolean;
  files: string[];
  directories: string[];
}

interface Walk {
  found: Set<string>;
  /** Directories seen, by device and inode: links may lead in circles. */
  seen: Set<string>;
  onProblem: OnProblem;
}

export class PathFinder {
  private readonly given: readonly string[];
  private readonly onHint: () => void;
  private readonly listings = new Map<string, Listing>();
  private readonly watchers = new Map<string, FSWatcher>();
  private readonly deepGlobs = new Map<string, { atMs: number; paths: string[] }>();
  private hints = new Set<string>();

  constructor(given: readonly string[], onHint: () => void) {
    // Absolute, as they stand in the state: a later process may be elsewhere.
    this.given = given.map((path) => resolve(path));
    this.onHint = onHint;
  }

  /** Paths that something happened to since the last call. */
  takeHints(): Set<string> {
    const { hints } = this;
    this.hints = new Set();
    return hints;
  }

  /** Whether a file at this path would be followed. */
  covers(path: string): boolean {
    return this.given.some((given) => covers(given, path));
  }

  /** Arguments that no file comes of. */
  empty(found: ReadonlySet<string>): string[] {
    const there = [...found].filter((path) => factsOf(path, () => undefined) !== undefined);
    return this.given.filter((given) => !there.some((path) => covers(given, path)));
  }

  /** Whether there are hints to take. */
  get hinted(): boolean {
    return this.hints.size > 0;
  }

  close(): void {
    for (const watcher of this.watchers.values()) watcher.close();
    this.watchers.clear();
  }

  /** Files, and what may become some, each once, in the order of the arguments. */
  async find(onProblem: OnProblem): Promise<Set<string>> {
    const walk: Walk = { found: new Set(), seen: new Set(), onProblem };
    for (const path of this.given) {
      const facts = factsOf(path, onProblem);
      if (facts?.isDirectory() === true) this.walk(path, facts, walk, 0);
      else if (facts !== undefined || !isGlob(path)) {
        walk.found.add(path);
        this.watch(dirname(path));
      } else for (const match of await this.matches(path, walk)) this.add(match, walk, 0);
    }
    return walk.found;
  }

  private add(path: string, walk: Walk, depth: number): void {
    const facts = factsOf(path, walk.onProblem);
    if (facts?.isDirectory() === true) this.walk(path, facts, walk, depth);
    else if (facts !== undefined && !isDockersOwn(path)) walk.found.add(path);
  }

  private async matches(pattern: string, walk: Walk): Promise<string[]> {
    const directory = dirname(pattern);
    if (!isGlob(directory)) {
      const facts = factsOf(directory, walk.onProblem);
      const listing = facts?.isDirectory() === true ? this.list(directory, facts, walk) : undefined;
      if (listing === undefined) return [];
      const name = basename(pattern);
      return [...listing.files, ...listing.directories].filter((path) => matchesGlob(basename(path), name));
    }
    const known = this.deepGlobs.get(pattern);
    if (known !== undefined && performance.now() - known.atMs < deepGlobEveryMs) return known.paths;
    const paths: string[] = [];
    for await (const match of glob(pattern)) paths.push(match);
    paths.sort();
    for (const path of paths) this.watch(dirname(path));
    this.deepGlobs.set(pattern, { atMs: performance.now(), paths });
    return paths;
  }

  private walk(directory: string, facts: BigIntStats, walk: Walk, depth: number): void {
    const id = `${facts.dev}:${facts.ino}`;
    if (walk.seen.has(id) || depth >= depthMax) return;
    walk.seen.add(id);
    const listing = this.list(directory, facts, walk);
    if (listing === undefined) return;
    for (const path of listing.files) if (!basename(path).startsWith('.') && !isDockersOwn(path)) walk.found.add(path);
    for (const path of listing.directories) if (!basename(path).startsWith('.')) this.add(path, walk, depth + 1);
  }

  /** Names in a directory by what they are; links that lead nowhere yet count as files. */
  private list(directory: string, facts: BigIntStats, walk: Walk): Listing | undefined {
    this.watch(directory);
    const known = this.listings.get(directory);
    if (known?.settled === true && known.mtimeNs === facts.mtimeNs) return known;
    const settled = Math.abs(Date.now() - Number(facts.mtimeNs / 1_000_000n)) > unsettledMs;
    const listing: Listing = { mtimeNs: facts.mtimeNs, settled, files: [], directories: [] };
    try {
      for (const entry of readdirSync(directory, { withFileTypes: true })) {
        const path = join(directory, entry.name);
        if (entry.isDirectory()) listing.directories.push(path);
        else if (!entry.isSymbolicLink()) listing.files.push(path);
        else {
          // Where a link leads may change without the directory's doing.
          listing.settled = false;
          const target = factsOf(path, walk.onProblem);
          (target?.isDirectory() === true ? listing.directories : listing.files).push(path);
        }
      }
    } catch (error) {
      walk.onProblem(directory, error as NodeJS.ErrnoException);
      return undefined;
    }
    listing.files.sort();
    listing.directories.sort();
    this.listings.set(directory, listing);
    return listing;
  }

  private watch(directory: string): void {
    if (this.watchers.has(directory) || this.watchers.size >= watchersMax) return;
    try {
      const watcher = watch(directory, { persistent: false }, (_event, name) => {
        if (name !== null) this.hints.add(join(directory, name));
        this.onHint();
      });
      const end = (): void => {
        watcher.close();
        this.watchers.delete(directory);
      };
      watcher.on('error', end);
      this.watchers.set(directory, watcher);
    } catch {
      // No such directory yet, or no watches left: looking finds it.
    }
  }
}

function covers(given: string, path: string): boolean {
  return given === path || path.startsWith(given.endsWith('/') ? given : `${given}/`) || matchesGlob(path, given);
}

/** What a path leads to; undefined where it leads nowhere. */
export function factsOf(path: string, onProblem: OnProblem): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    onProblem(path, error as NodeJS.ErrnoException);
    return undefined;
  }
}
