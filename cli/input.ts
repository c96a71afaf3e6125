/**
 * Lines of a file or of stdin for the filters. Reading is synchronous: a filter has nothing else to do, and with `-`
 * it hands on every line as soon as the pipe has it.
 */
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { resolve } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { LogweirError } from '#protocol/errors.ts';
import type { CommandContext } from './command.ts';
import { Progress } from './progress.ts';

const chunkBytes = 256 * 1024;
const newline = 0x0a;
const carriageReturn = 0x0d;
const decoder = new TextDecoder();
const mayWait = new Int32Array(new SharedArrayBuffer(4));

/** Lines as bytes, without their ends; the last one counts even without a line end. Throws INPUT_UNREADABLE. */
export function* byteLines(ctx: CommandContext, file: string | undefined): Generator<Uint8Array, void, undefined> {
  for (const lines of lineBatches(ctx, file)) yield* lines;
}

/** The lines that each read of the input completed, so that a filter can answer before it waits for more. */
export function* lineBatches(ctx: CommandContext, file: string | undefined): Generator<Uint8Array[], void, undefined> {
  let rest: Uint8Array[] = [];
  for (const chunk of chunks(ctx, file ?? '-')) {
    const lines: Uint8Array[] = [];
    let from = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, from)) {
      const line = chunk.subarray(from, end);
      lines.push(withoutReturn(rest.length === 0 ? line : Buffer.concat([...rest, line])));
      if (rest.length > 0) rest = [];
      from = end + 1;
    }
    if (from < chunk.length) rest.push(chunk.subarray(from));
    yield lines;
  }
  if (rest.length > 0) yield [withoutReturn(Buffer.concat(rest))];
}

export const lineText = (line: Uint8Array): string => decoder.decode(line);

/** Lines as text; what is no valid UTF-8 becomes U+FFFD. */
export function* textLines(ctx: CommandContext, file: string | undefined): Generator<string, void, undefined> {
  for (const line of byteLines(ctx, file)) yield lineText(line);
}

/**
 * NDJSON objects with the line they stand on; empty lines are left out. A line that is none throws INPUT_UNREADABLE
 * naming it, unless `onBad` takes it.
 */
export function* jsonLines(
  ctx: CommandContext,
  file: string | undefined,
  onBad?: (error: LogweirError) => void,
): Generator<{ line: number; value: Record<string, unknown> }, void, undefined> {
  let line = 0;
  for (const text of textLines(ctx, file)) {
    line++;
    if (text.trim() === '') continue;
    let value: Record<string, unknown>;
    try {
      value = parseObject(text, `${file ?? 'stdin'}:${line}`);
    } catch (error) {
      if (!(error instanceof LogweirError) || onBad === undefined) throw error;
      onBad(error);
      continue;
    }
    yield { line, value };
  }
}

function parseObject(text: string, place: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new LogweirError('INPUT_UNREADABLE', `${place} is no JSON object.`, 'Give one JSON object per line.');
}

const withoutReturn = (line: Uint8Array): Uint8Array => (line.at(-1) === carriageReturn ? line.subarray(0, -1) : line);

/** Every chunk is a buffer of its own, since readers may keep parts of it. */
function* chunks(ctx: CommandContext, file: string): Generator<Buffer, void, undefined> {
  const unpack = file.endsWith('.gz') ? gunzipSync : file.endsWith('.zst') ? zstdDecompressSync : undefined;
  const fd = file === '-' ? 0 : open(resolve(ctx.cwd, file), file);
  try {
    if (unpack !== undefined) {
      yield attempt(file, () => unpack(readFileSync(fd)));
      return;
    }
    const progress = new Progress(ctx, 'reading', fd === 0 ? undefined : fstatSync(fd).size, 'B');
    let done = 0;
    for (;;) {
      const chunk = Buffer.allocUnsafe(chunkBytes);
      const read = attempt(file, () => readSome(fd, chunk));
      if (read === 0) break;
      progress.update((done += read));
      yield chunk.subarray(0, read);
    }
    progress.end();
  } finally {
    if (fd !== 0) closeSync(fd);
  }
}

function open(path: string, name: string): number {
  return attempt(name, () => {
    const fd = openSync(path, 'r');
    if (!fstatSync(fd).isDirectory()) return fd;
    closeSync(fd);
    throw new LogweirError('INPUT_UNREADABLE', `${name} is a directory.`, 'Name a file, or "-" for stdin.');
  });
}

/** Blocks until something is there; a pipe that another program made non-blocking is asked again. */
function readSome(fd: number, chunk: Buffer): number {
  for (;;) {
    try {
      return readSync(fd, chunk);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EOF') return 0;
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(mayWait, 0, 0, 5);
    }
  }
}

const reasons: Readonly<Record<string, string>> = { ENOENT: 'does not exist', EACCES: 'may not be read by you' };

function attempt<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof LogweirError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason = reasons[code ?? ''] ?? `cannot be read (${message})`;
    throw new LogweirError(
      'INPUT_UNREADABLE',
      `${file} ${reason}.`,
      'Name a file that can be read, or "-" for stdin.',
      { cause },
    );
  }
}
