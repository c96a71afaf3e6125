/** One file that is being followed: an open handle, what was read of it, and which of that was acknowledged. */
import { type FileHandle, open } from 'node:fs/promises';
import { fnv1a32 } from '#protocol/mod.ts';
import { type Line, LineSplitter } from './line-splitter.ts';
import type { FileOffset } from './offsets.ts';

/** First bytes that tell one file from another. */
export const fingerprintBytesMax = 256;
const readBytes = 256 * 1024;

export interface ReadStep {
  lines: Line[];
  /** Position after the last complete line. */
  to: number;
}

export class FollowedFile {
  /** The path it was found under; it may be renamed while it is open. */
  path: string;
  readonly device: number;
  readonly inode: number;
  private readonly handle: FileHandle;
  private position: number;
  private splitter = new LineSplitter();
  private fingerprint: Uint8Array = new Uint8Array(0);
  /** Ends of delivered batches that are not yet acknowledged, in order. */
  private pending: { to: number; done: boolean }[] = [];
  private committed: number;
  private readonly buffer = Buffer.allocUnsafe(readBytes);

  private constructor(path: string, handle: FileHandle, device: number, inode: number) {
    this.path = path;
    this.handle = handle;
    this.device = device;
    this.inode = inode;
    this.position = 0;
    this.committed = 0;
  }

  static async open(path: string): Promise<FollowedFile> {
    const handle = await open(path, 'r');
    try {
      const facts = await handle.stat();
      if (!facts.isFile()) throw Object.assign(new Error('not a file'), { code: 'ENOTFILE' });
      const file = new FollowedFile(path, handle, facts.dev, facts.ino);
      file.fingerprint = await file.head(fingerprintBytesMax);
      return file;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** First bytes as they are now. */
  async head(bytes: number): Promise<Uint8Array> {
    const buffer = Buffer.alloc(bytes);
    const { bytesRead } = await this.handle.read(buffer, 0, bytes, 0);
    return buffer.subarray(0, bytesRead);
  }

  /** True where a stored entry is about this file's content and not about one that was here before. */
  async matches(entry: FileOffset): Promise<boolean> {
    const head = await this.head(entry.fingerprintBytes);
    return (
      head.length === entry.fingerprintBytes &&
      hashOf(head) === entry.fingerprint &&
      (await this.size()) >= entry.offset
    );
  }

  seek(position: number): void {
    this.position = position;
    this.committed = position;
    this.splitter = new LineSplitter();
    this.pending = [];
  }

  async size(): Promise<number> {
    return (await this.handle.stat()).size;
  }

  /** Reads on by one step. Undefined where there is nothing new. A truncated file is read from its start again. */
  async read(): Promise<ReadStep | undefined> {
    const size = await this.size();
    if (size < this.position || (size > this.position && (await this.wasReplaced()))) {
      this.seek(0);
      this.fingerprint = await this.head(fingerprintBytesMax);
    }
    if (size <= this.position && this.position > 0) return undefined;
    const { bytesRead } = await this.handle.read(this.buffer, 0, readBytes, this.position);
    if (bytesRead === 0) return undefined;
    if (this.fingerprint.length < fingerprintBytesMax) this.fingerprint = await this.head(fingerprintBytesMax);
    // The buffer is read into again: lines must not be views of it.
    const lines = this.splitter.push(Uint8Array.prototype.slice.call(this.buffer, 0, bytesRead));
    this.position += bytesRead;
    return { lines, to: this.position - this.splitter.pending };
  }

  /** The unfinished last line of a file that nobody writes any more. */
  finish(): ReadStep | undefined {
    const lines = this.splitter.flush();
    return lines.length === 0 ? undefined : { lines, to: this.position };
  }

  /** Notes that a batch up to `to` went out; call the result when it was acknowledged. */
  deliver(to: number): () => FileOffset | undefined {
    const entry = { to, done: false };
    const { pending } = this;
    pending.push(entry);
    return () => {
      entry.done = true;
      // After a truncation earlier batches are about content that is gone.
      if (pending !== this.pending) return undefined;
      // Only what is acknowledged without a hole before it counts as read.
      while (pending[0]?.done === true) this.committed = (pending.shift() as { to: number }).to;
      return this.offset();
    };
  }

  offset(): FileOffset {
    const { device, inode, path, fingerprint } = this;
    return {
      device,
      inode,
      path,
      offset: this.committed,
      fingerprintBytes: fingerprint.length,
      fingerprint: hashOf(fingerprint),
    };
  }

  async close(): Promise<void> {
    await this.handle.close();
  }

  /** True where the first bytes are no longer those that were: truncated and written anew between two looks. */
  private async wasReplaced(): Promise<boolean> {
    const { fingerprint } = this;
    if (fingerprint.length === 0) return false;
    const head = await this.head(fingerprint.length);
    return head.length < fingerprint.length || Buffer.compare(head, fingerprint) !== 0;
  }
}

export function hashOf(bytes: Uint8Array): string {
  return fnv1a32(bytes).toString(16).padStart(8, '0');
}
