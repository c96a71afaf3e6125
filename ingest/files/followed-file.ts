/**
 * One file that is being followed: what was read of it, and how to tell whether it is still the same.
 *
 * A file that was truncated and written anew, however long it is by now, is known by two places: its first bytes, and
 * those before where we are, which are read together with what follows them, so that nothing can change in between.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { contentOf } from './content.ts';
import { type CutLines, type Encoding, type LineCutter, lineCutter } from './line-cutter.ts';
import { type FileOffset, keyOf } from './offsets.ts';
import type { OpenHandles } from './open-handles.ts';

/** First bytes that tell one file from another, and those before the place where we are. */
export const headBytesMax = 256;
export const tailBytesMax = 64;
const readBytes = 256 * 1024;
/** A change within this time of the last look may leave size and time as they were, ms. */
const unsettledMs = 100;
/** First bytes that what a file holds is told by. */
const judgedBytes = 512;

export type ReadOutcome =
  | { kind: 'lines'; cut: CutLines /** After the last complete line. */; to: number; atCut: boolean }
  /** Read on, and no line is complete; there may be more. */
  | { kind: 'progress' }
  | { kind: 'nothing' }
  /**
   * Other content stands there now. `rest` is the unfinished line of what was before, which was read up to `before.offset`
   * and handed out up to `to`, when it had been written last at `writtenMs`.
   */
  | { kind: 'replaced'; rest: CutLines; before: FileOffset; to: number; writtenMs: number }
  /** Neither text nor a file any more. */
  | { kind: 'foreign' };

interface Look {
  size: bigint;
  mtimeNs: bigint;
}

export class FollowedFile {
  /** The path it was found under, and that it goes by; it may be renamed meanwhile. */
  path: string;
  /** Where it can be opened. */
  openPath: string;
  handle: FileHandle | undefined;
  readonly key: string;
  /** Names this content. */
  id: string = newId();
  /** When it was written last, as far as it was looked at, ms. */
  private modifiedMs: number;
  /** Its name is on disk. */
  registered = false;
  /** Everything before is acknowledged. */
  committed = 0;
  /** Where the next read ends although more is there: what a process before us was about to send ends there. */
  cut: number | null = null;
  /** Since when its path leads elsewhere or nowhere, and since when nothing came of it, ms; 0: it does not. */
  goneSinceMs = 0;
  quietSinceMs = 0;
  private readonly device: string;
  private readonly inode: string;
  private readonly bornNs: string;
  private position = 0;
  private encoding: Encoding | undefined;
  private cutter: LineCutter | undefined;
  private head: Buffer = Buffer.alloc(0);
  private tail: Buffer = Buffer.alloc(0);
  /** When it had been written last, as of the last read of it, ms. */
  writtenMs = Number.POSITIVE_INFINITY;
  private look: Look | undefined;

  constructor(path: string, facts: BigIntStats) {
    this.path = path;
    this.openPath = path;
    this.device = facts.dev.toString();
    this.inode = facts.ino.toString();
    this.bornNs = facts.birthtimeNs.toString();
    this.modifiedMs = Number(facts.mtimeNs / 1_000_000n);
    this.key = keyOf({ device: this.device, inode: this.inode });
  }

  /** Whether `facts`, of the same inode, are those of another file, which was given the inode of a deleted one. */
  isOther(facts: BigIntStats): boolean {
    const born = facts.birthtimeNs.toString();
    return born !== '0' && this.bornNs !== '0' && born !== this.bornNs;
  }

  /** Whether anything may have changed since the last look; takes the look. */
  changed(facts: BigIntStats): boolean {
    const { look } = this;
    this.modifiedMs = Number(facts.mtimeNs / 1_000_000n);
    const settled = Math.abs(Date.now() - this.modifiedMs) > unsettledMs;
    this.look = settled ? { size: facts.size, mtimeNs: facts.mtimeNs } : undefined;
    return look === undefined || look.size !== facts.size || look.mtimeNs !== facts.mtimeNs;
  }

  /** Whether it ends in half a line that nobody went on with for so long. */
  hasStaleHalf(forMs: number): boolean {
    return (this.cutter?.pending ?? 0) > 0 && Date.now() - this.modifiedMs >= forMs;
  }

  /** How far it was read, its first bytes, and those before that place. */
  get print(): { position: number; head: Buffer; tail: Buffer } {
    const { position, head, tail } = this;
    return { position, head, tail };
  }

  forgetLook(): void {
    this.look = undefined;
  }

  /** Where the last complete line that was read ends. */
  get to(): number {
    return this.position - (this.cutter?.pending ?? 0);
  }

  /** @throws of the file system; undefined where another file has the path by now */
  async open(handles: OpenHandles): Promise<FileHandle | undefined> {
    if (this.handle === undefined) {
      const handle = await open(this.openPath, 'r');
      const facts = await handle.stat({ bigint: true });
      if (keyOf({ device: facts.dev.toString(), inode: facts.ino.toString() }) !== this.key || this.isOther(facts)) {
        await handle.close();
        return undefined;
      }
      this.handle = handle;
    }
    await handles.used(this);
    return this.handle;
  }

  /**
   * Goes on where a stored entry says, if it is about what the file holds now. `copied`: the entry is that of another file,
   * which this one is a copy of if it holds the same.
   */
  async resume(handle: FileHandle, entry: FileOffset, copied = false): Promise<boolean> {
    if (!copied && entry.bornNs !== '0' && this.bornNs !== '0' && entry.bornNs !== this.bornNs) return false;
    const { size } = await handle.stat();
    if (size < Math.max(entry.offset, entry.tailAt, entry.cut ?? 0)) return false;
    const head = await bytesAt(handle, 0, entry.headBytes);
    if (head.length !== entry.headBytes || hashOf(head) !== entry.headHash) return false;
    const tail = await bytesAt(handle, entry.tailAt - entry.tailBytes, entry.tailBytes);
    if (tail.length !== entry.tailBytes || hashOf(tail) !== entry.tailHash) return false;
    this.id = entry.id;
    this.registered = true;
    this.cut = entry.cut;
    await this.seek(handle, entry.offset);
    return true;
  }

  /** Leaves out what lies before a place. */
  async seek(handle: FileHandle, position: number): Promise<void> {
    this.position = position;
    this.committed = position;
    this.head = await bytesAt(handle, 0, Math.min(headBytesMax, position));
    const tailBytes = Math.min(tailBytesMax, position);
    this.tail = await bytesAt(handle, position - tailBytes, tailBytes);
    this.encoding = undefined;
    this.cutter = undefined;
    if (position > 0) await this.judge(handle);
  }

  /** What it holds, by its first bytes; 'undecided' where there is too little to tell, or nothing but zeros. */
  async judge(handle: FileHandle): Promise<'text' | 'foreign' | 'undecided'> {
    const first = await bytesAt(handle, 0, judgedBytes);
    const zeros = leadingZeros(first);
    // Nobody came further before it was known.
    if (this.position > 0 && zeros === first.length) this.begin('utf8');
    if (this.cutter !== undefined) return 'text';
    if (zeros === first.length || (first.length < 4 && !first.includes(10))) return 'undecided';
    const content = contentOf(first.subarray(zeros & ~1));
    if (content !== 'text' && content !== 'utf16le' && content !== 'utf16be') return 'foreign';
    this.begin(content === 'text' ? 'utf8' : content);
    return 'text';
  }

  private begin(encoding: Encoding): void {
    this.encoding = encoding;
    this.cutter = lineCutter(encoding, this.position);
  }

  /** Reads on by one step. */
  async read(handle: FileHandle, buffer: Buffer): Promise<ReadOutcome> {
    const { size, mtimeMs } = await handle.stat();
    if (size < this.position) return this.replaced();
    if (this.head.length > 0 && !(await bytesAt(handle, 0, this.head.length)).equals(this.head)) return this.replaced();
    if (this.cutter === undefined) {
      const content = await this.judge(handle);
      if (content === 'foreign') return { kind: 'foreign' };
      if (content === 'undecided') return this.passZeros(handle, buffer, judgedBytes);
    }
    const before = this.tail.length;
    const wanted = this.cut === null ? readBytes : Math.min(readBytes, before + this.cut - this.position);
    const { bytesRead } = await handle.read(buffer, 0, Math.max(wanted, before), this.position - before);
    if (bytesRead < before || buffer.compare(this.tail, 0, before, 0, before) !== 0) return this.replaced();
    this.writtenMs = mtimeMs;
    const cutter = this.cutter as LineCutter;
    const fresh = buffer.subarray(before, bytesRead);
    if (this.encoding === 'utf8' && cutter.pending === 0 && fresh[0] === 0) return this.passZeros(handle, buffer, 1);
    const atEnd = this.position + fresh.length >= size;
    // Zeros at the end are room that was made before it is written to.
    const zeros = this.encoding === 'utf8' && atEnd ? trailingZeros(fresh) : 0;
    // The buffer is read into again: lines must not be views of it.
    const bytes = Buffer.from(fresh.subarray(0, fresh.length - zeros));
    const cut = cutter.push(bytes);
    this.advance(bytes);
    const atCut = this.cut !== null && this.position >= this.cut;
    if (atCut) {
      this.cut = null;
      const rest = cutter.flush();
      cut.lines.push(...rest.lines);
      cut.starts.push(...rest.starts);
    }
    if (cut.lines.length > 0 || atCut) return { kind: 'lines', cut, to: this.to, atCut };
    return { kind: bytes.length > 0 ? 'progress' : 'nothing' };
  }

  /**
   * Zeros where a line should begin are the hole that a writer leaves that goes on at its old place after a truncation;
   * zeros up to the end are room that was made before it is written to, and are waited for.
   * @param leastZeros fewer are no hole: the file is too young to tell what it holds
   */
  private async passZeros(handle: FileHandle, buffer: Buffer, leastZeros: number): Promise<ReadOutcome> {
    let at = this.position;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, readBytes, at);
      if (bytesRead === 0) return { kind: 'nothing' };
      const zeros = leadingZeros(buffer.subarray(0, bytesRead));
      at += zeros;
      if (zeros < bytesRead) break;
    }
    if (at - this.position < leastZeros) return { kind: 'nothing' };
    const hole = Math.min(at - this.position, headBytesMax);
    this.position = at - hole;
    this.advance(Buffer.alloc(hole));
    this.begin('utf8');
    return { kind: 'progress' };
  }

  private advance(bytes: Buffer): void {
    if (this.head.length < headBytesMax)
      this.head = Buffer.concat([this.head, bytes.subarray(0, headBytesMax - this.head.length)]);
    this.tail =
      bytes.length >= tailBytesMax
        ? Buffer.from(bytes.subarray(bytes.length - tailBytesMax))
        : Buffer.concat([this.tail, bytes]).subarray(-tailBytesMax);
    this.position += bytes.length;
  }

  /** Other content is read from its start, under another name. */
  private replaced(): ReadOutcome {
    const before = this.entry(this.position, this.cut);
    const { to } = this;
    const rest = this.cutter?.flush() ?? { lines: [], starts: [] };
    this.id = newId();
    this.registered = false;
    this.cut = null;
    this.position = 0;
    this.committed = 0;
    this.head = Buffer.alloc(0);
    this.tail = Buffer.alloc(0);
    this.encoding = undefined;
    this.cutter = undefined;
    const { writtenMs } = this;
    this.writtenMs = Number.POSITIVE_INFINITY;
    return { kind: 'replaced', rest, before, to, writtenMs };
  }

  /** The unfinished last line of a file that nobody writes any more. */
  finish(): { cut: CutLines; to: number } | undefined {
    if (this.cutter === undefined || this.cutter.pending === 0) return undefined;
    const cut = this.cutter.flush();
    this.cutter = lineCutter(this.encoding ?? 'utf8', this.position);
    return { cut, to: this.position };
  }

  entry(offset: number, cut: number | null): FileOffset {
    const { device, inode, bornNs, id, path, head, tail, position } = this;
    return {
      device,
      inode,
      bornNs,
      id,
      offset,
      cut: cut !== null && cut > offset ? cut : null,
      headBytes: head.length,
      headHash: hashOf(head),
      tailAt: position,
      tailBytes: tail.length,
      tailHash: hashOf(tail),
      path,
    };
  }
}

export async function bytesAt(handle: FileHandle, at: number, bytes: number): Promise<Buffer> {
  if (bytes === 0) return Buffer.alloc(0);
  const buffer = Buffer.alloc(bytes);
  const { bytesRead } = await handle.read(buffer, 0, bytes, at);
  return buffer.subarray(0, bytesRead);
}

function leadingZeros(bytes: Uint8Array): number {
  let zeros = 0;
  while (zeros < bytes.length && bytes[zeros] === 0) zeros++;
  return zeros;
}

function trailingZeros(bytes: Uint8Array): number {
  let zeros = 0;
  while (zeros < bytes.length && bytes[bytes.length - 1 - zeros] === 0) zeros++;
  return zeros;
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('base64url').slice(0, 16);
}

function newId(): string {
  return randomBytes(12).toString('base64url');
}
