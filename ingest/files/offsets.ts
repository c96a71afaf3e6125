/**
 * How far each followed file was read and acknowledged, in a JSON file. A file is known by device, inode, time of birth
 * and fingerprints of its first bytes and of the last that were read: a name says nothing after a rotation, an inode
 * nothing after a truncation or reuse.
 */
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LogweirError } from '#protocol/mod.ts';

export interface FileOffset {
  /** Decimal: both have 64 bits on some file systems. */
  device: string;
  inode: string;
  /** Time of birth, ns since 1970; '0' where the file system tells none. */
  bornNs: string;
  /** Names this content of the file: records are told apart by it and their offset. */
  id: string;
  /** Bytes of lines that were acknowledged. */
  offset: number;
  /** Where the record that follows is to end although the next line might belong to it; null: nowhere. */
  cut: number | null;
  /** How many of the first bytes the fingerprint covers; a young file has few. */
  headBytes: number;
  headHash: string;
  /** The same for the last bytes of what was read, acknowledged or not: they end at `tailAt`. */
  tailAt: number;
  tailBytes: number;
  tailHash: string;
  /** Where it was last seen: for people, and to look beside for its rotated form. */
  path: string;
}

/** Files remembered beyond those that are followed; the longest unchanged are forgotten first. */
const restMax = 10_000;
/** Between two writes, so many times what the last one took: a state of thousands of files is not written all the time. */
const restFactor = 10;
const version = 2;

export class OffsetStore {
  private readonly path: string;
  private readonly byFile = new Map<string, FileOffset>();
  private writing: Promise<void> | undefined;
  private queued: Promise<void> | undefined;
  private notBeforeMs = 0;

  constructor(path: string) {
    this.path = path;
  }

  /** Reads the state; a missing file is an empty state, a damaged one an error, so that nothing is read twice unasked. */
  async load(): Promise<void> {
    let text: string;
    try {
      text = await readFile(this.path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw this.problem('cannot be read', 'Check its permissions.', error);
    }
    try {
      const state = JSON.parse(text) as { version: number; files: FileOffset[] };
      if (state.version !== version) throw new Error(`version ${state.version}`);
      for (const file of state.files) {
        if (
          !Number.isSafeInteger(file.offset) ||
          typeof file.headHash !== 'string' ||
          typeof file.tailHash !== 'string' ||
          typeof file.id !== 'string'
        )
          throw new Error('a broken entry');
        this.byFile.set(keyOf(file), file);
      }
    } catch (error) {
      throw this.problem('is damaged', 'Delete it to read the followed files from their start.', error);
    }
  }

  get(key: string): FileOffset | undefined {
    return this.byFile.get(key);
  }

  all(): FileOffset[] {
    return [...this.byFile.values()];
  }

  /** Remembers in memory; `save` makes it last. */
  set(file: FileOffset): void {
    const key = keyOf(file);
    this.byFile.delete(key);
    this.byFile.set(key, file);
  }

  /** Forgets what is longest unchanged, as far as there is too much of what is not in `followed`. */
  trim(followed: ReadonlyMap<string, unknown>): void {
    let over = this.byFile.size - followed.size - restMax;
    if (over <= 0) return;
    for (const key of this.byFile.keys()) {
      if (followed.has(key)) continue;
      this.byFile.delete(key);
      if (--over <= 0) return;
    }
  }

  /** Resolves when what is remembered now is on disk. Calls that come while one write runs share the next. */
  async save(): Promise<void> {
    if (this.writing === undefined) {
      this.writing = this.write().finally(() => {
        this.writing = undefined;
      });
      return this.writing;
    }
    this.queued ??= this.writing
      .catch(() => undefined)
      .then(() => {
        this.queued = undefined;
        return this.save();
      });
    return this.queued;
  }

  private async write(): Promise<void> {
    const waitMs = this.notBeforeMs - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    const startedMs = performance.now();
    const text = JSON.stringify({ version, files: this.all() });
    const builtMs = performance.now() - startedMs;
    const temporary = `${this.path}.new`;
    try {
      await mkdir(dirname(this.path), { recursive: true });
      const handle = await open(temporary, 'w', 0o600);
      try {
        await handle.writeFile(text);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, this.path);
    } catch (error) {
      throw this.problem('cannot be written', 'Free space or name another place for it.', error);
    }
    this.notBeforeMs = performance.now() + builtMs * restFactor;
  }

  private problem(what: string, remedy: string, cause: unknown): LogweirError {
    return new LogweirError('DATA_DIR_UNUSABLE', `The file of read positions ${this.path} ${what}.`, remedy, { cause });
  }
}

export function keyOf(file: { device: string; inode: string }): string {
  return `${file.device}:${file.inode}`;
}
