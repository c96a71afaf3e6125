/**
 * How far each followed file was read and acknowledged, in a JSON file. A file is known by device, inode and a
 * fingerprint of its first bytes: a name says nothing after a rotation, an inode nothing after a truncation or reuse.
 */
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LogweirError } from '#protocol/mod.ts';

export interface FileOffset {
  device: number;
  inode: number;
  /** How many of the first bytes the fingerprint covers; a young file has few. */
  fingerprintBytes: number;
  /** Hex of an FNV-1a hash over them. */
  fingerprint: string;
  /** Bytes of complete lines that were acknowledged. */
  offset: number;
  /** Where it was last seen: for people, and to look beside for its rotated form. */
  path: string;
}

/** Files remembered; the longest unchanged are forgotten first. */
const offsetsMax = 10_000;
const version = 1;

export class OffsetStore {
  private readonly path: string;
  private readonly byFile = new Map<string, FileOffset>();
  private writing: Promise<void> | undefined;
  private queued: Promise<void> | undefined;

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
        if (!Number.isSafeInteger(file.offset) || typeof file.fingerprint !== 'string')
          throw new Error('a broken entry');
        this.byFile.set(keyOf(file), file);
      }
    } catch (error) {
      throw this.problem('is damaged', 'Delete it to read the followed files from their start.', error);
    }
  }

  get(device: number, inode: number): FileOffset | undefined {
    return this.byFile.get(keyOf({ device, inode }));
  }

  all(): FileOffset[] {
    return [...this.byFile.values()];
  }

  forget(file: FileOffset): void {
    this.byFile.delete(keyOf(file));
  }

  /** Remembers in memory; `save` makes it last. */
  set(file: FileOffset): void {
    const key = keyOf(file);
    this.byFile.delete(key);
    this.byFile.set(key, file);
    while (this.byFile.size > offsetsMax) this.byFile.delete(this.byFile.keys().next().value as string);
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
    const text = JSON.stringify({ version, files: this.all() });
    const temporary = `${this.path}.new`;
    try {
      await mkdir(dirname(this.path), { recursive: true });
      const handle = await open(temporary, 'w');
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
  }

  private problem(what: string, remedy: string, cause: unknown): LogweirError {
    return new LogweirError('DATA_DIR_UNUSABLE', `The file of read positions ${this.path} ${what}.`, remedy, { cause });
  }
}

function keyOf(file: { device: number; inode: number }): string {
  return `${file.device}:${file.inode}`;
}
