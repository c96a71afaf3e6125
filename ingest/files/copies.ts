/**
 * Copies of a followed file beside it: copy-and-truncate makes one, and what was not read before the truncation is in it alone.
 * A copy is known by its name and by the same bytes at the beginning and where the other was read to. Of files under 256 bytes
 * that says little, since many logs begin with the same line: such a copy is known by being made after the last write to
 * the other, which is then truncated; it waits for that for a moment.
 */
import { type FileHandle, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { bytesAt, type FollowedFile, headBytesMax, tailBytesMax } from './followed-file.ts';

/** Who copies and truncates does both within this time, ms. */
const shortCopyMs = 3_000;

/** Paths that a file at this path may be a copy of: `app.log` for `app.log.1`, `app.log-20260101` and `app-20260101.log`. */
export function originalsOf(path: string): string[] {
  const directory = dirname(path);
  const name = basename(path);
  const names = new Set<string>();
  for (let end = lastMark(name); end > 0; end = lastMark(name.slice(0, end))) names.add(name.slice(0, end));
  names.add(name.replace(/[._-]\d[\d:T_.-]*(?=\.[A-Za-z])/, ''));
  names.delete(name);
  return [...names].map((one) => join(directory, one));
}

/** Paths beside this one that may be copies of it by their names. */
export async function copiesOf(path: string): Promise<string[]> {
  const directory = dirname(path);
  const stem = basename(path).split('.')[0] as string;
  const names = await readdir(directory).catch(() => []);
  return names
    .filter((name) => name.startsWith(stem))
    .map((name) => join(directory, name))
    .filter((other) => originalsOf(other).includes(path));
}

function lastMark(name: string): number {
  return Math.max(name.lastIndexOf('.'), name.lastIndexOf('-'), name.lastIndexOf('_'));
}

/**
 * What a new file is to a followed one: 'other' content; 'read', a copy of what was read of it and no more; or 'open',
 * where that shows once the other was read on, or is found truncated.
 * @param bornMs when the new file was made
 */
export async function copyState(
  copy: FileHandle,
  original: FollowedFile,
  handle: FileHandle,
  bornMs: number,
): Promise<'other' | 'read' | 'open'> {
  const { position, head, tail } = original.print;
  const { size } = await copy.stat();
  if (size < headBytesMax || head.length < headBytesMax) {
    const both = Math.min(size, head.length);
    const isNew = bornMs >= original.writtenMs && Date.now() - bornMs < shortCopyMs;
    return both > 0 && isNew && (await bytesAt(copy, 0, both)).equals(head.subarray(0, both)) ? 'open' : 'other';
  }
  if (!(await bytesAt(copy, 0, headBytesMax)).equals(head)) return 'other';
  const now = await handle.stat();
  const untouched = now.size >= position && (await bytesAt(handle, position - tail.length, tail.length)).equals(tail);
  if (size <= position) {
    // Truncated meanwhile, it cannot be compared any more.
    if (!untouched) return 'open';
    const last = await bytesAt(handle, size - tailBytesMax, tailBytesMax);
    return (await bytesAt(copy, size - tailBytesMax, tailBytesMax)).equals(last) ? 'read' : 'other';
  }
  if (!(await bytesAt(copy, position - tail.length, tail.length)).equals(tail)) return 'other';
  return untouched && now.size < size ? 'other' : 'open';
}
