/**
 * Where blocks lie for the moment between us and the embedded engine: files in a private directory, in memory
 * where there is room. Inline data is no choice: libchdb ends it at an empty line and runs the rest as SQL.
 */
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, rmSync, statfsSync } from 'node:fs';
import { open, unlink } from 'node:fs/promises';
import { join } from 'node:path';

/** Least room for blocks in memory; a container's default /dev/shm of 64 MiB would fill with the first block. */
const roomBytesMin = 512 * 1024 * 1024;
/** `writev` takes at most this many buffers a call (IOV_MAX on Linux and macOS). */
const buffersMax = 1024;

export class Spool {
  readonly directory: string;
  private next = 0;

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** In memory where usable, else under the data directory. Left-overs of a process that died are removed. */
  static create(dataDirectory: string, memoryDirectory = '/dev/shm'): Spool {
    const name = createHash('sha256').update(dataDirectory).digest('hex').slice(0, 16);
    const inMemory = join(memoryDirectory, `logweir-${process.getuid?.() ?? 0}-${name}`);
    const fallback = join(dataDirectory, 'spool');
    if (!hasRoom(memoryDirectory) || !makePrivate(inMemory)) {
      makePrivate(fallback);
      return new Spool(fallback);
    }
    return new Spool(inMemory);
  }

  /** Writes chunks to a new file, runs `use` on its path, and removes it whatever happens. */
  async with<T>(chunks: readonly Uint8Array[], use: (path: string) => Promise<T>): Promise<T> {
    const path = join(this.directory, `${process.pid}-${this.next++}`);
    try {
      const file = await open(path, 'wx', 0o600);
      try {
        for (let at = 0; at < chunks.length; at += buffersMax) await writeAll(file, chunks.slice(at, at + buffersMax));
      } finally {
        await file.close();
      }
      return await use(path);
    } finally {
      await unlink(path).catch(() => undefined);
    }
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

async function writeAll(file: Awaited<ReturnType<typeof open>>, chunks: readonly Uint8Array[]): Promise<void> {
  const total = chunks.reduce((bytes, chunk) => bytes + chunk.length, 0);
  if (total === 0) return;
  const { bytesWritten } = await file.writev(chunks);
  if (bytesWritten < total) await file.writeFile(Buffer.concat(chunks).subarray(bytesWritten));
}

function hasRoom(directory: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize >= roomBytesMin;
  } catch {
    return false;
  }
}

/** Makes the directory anew, for its owner alone. False where another user holds the name. */
function makePrivate(directory: string): boolean {
  try {
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const made = lstatSync(directory);
    return made.isDirectory() && (process.getuid === undefined || made.uid === process.getuid());
  } catch {
    return false;
  }
}
