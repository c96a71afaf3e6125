/** An input's lines in batches, whatever it is packed in: gzip, zstd, tar, UTF-16, or several of them. */
import { createReadStream } from 'node:fs';
import { LogweirError } from '#protocol/mod.ts';
import { type JournalEntry, JournalExportReader } from '../journald/export-reader.ts';
import { archiveName, contentOf, headBytes } from './content.ts';
import { type Chunks, decompress, utf16ToUtf8 } from './decompress.ts';
import type { InputFile } from './inputs.ts';
import { type Line, LineSplitter } from './line-splitter.ts';
import { tarMembers } from './tar.ts';
import { remedyOf, unreadable } from './unreadable.ts';

export interface ReadOptions {
  signal?: AbortSignal | undefined;
  /** Bytes just read from the input as it lies on disk, compressed or not: what progress is counted in. */
  onBytes?: ((bytes: number) => void) | undefined;
  /** Told of members of an archive that are not logs, and why they were left out. */
  onSkip?: ((name: string, reason: string) => void) | undefined;
}

export interface SourceBatch {
  /** File name of the lines' own source: the input's, or the member's of an archive. */
  source: string;
  /** True once, on the last batch of this source (it may hold no lines): what is open in its parser ends here. */
  last: boolean;
  lines: Line[];
  /** Of a journal export instead of lines: its entries, or why a place in it is none. */
  entries?: (JournalEntry | { malformed: string })[];
}

/** Bytes read from disk at once. */
const readBytes = 256 * 1024;
/** gzip in tar in gzip is real; deeper nesting is a trap. */
const nestingMax = 4;

/**
 * Batches of lines in order, each of one source. Throws `INPUT_UNREADABLE` where the input cannot be opened or turns
 * out to be broken, after everything before that place was delivered.
 */
export async function* readSources(file: InputFile, options: ReadOptions = {}): AsyncGenerator<SourceBatch> {
  try {
    yield* unpack(bytesOf(file, options), file.name, options, 0);
  } catch (error) {
    if (options.signal?.aborted === true || error instanceof LogweirError) throw error;
    throw unreadable(file, error as NodeJS.ErrnoException);
  }
}

/** The same without sources: for inputs that are known to hold one. */
export async function* readLines(file: InputFile, options: ReadOptions = {}): AsyncGenerator<Line[]> {
  for await (const batch of readSources(file, options)) if (batch.lines.length > 0) yield batch.lines;
}

async function* bytesOf(file: InputFile, options: ReadOptions): AsyncGenerator<Uint8Array> {
  const { signal, onBytes } = options;
  const stream: AsyncIterable<Buffer> =
    file.path === '-' ? process.stdin : createReadStream(file.path, { highWaterMark: readBytes });
  for await (const chunk of stream) {
    signal?.throwIfAborted();
    onBytes?.(chunk.length);
    yield chunk;
  }
}

async function* unpack(chunks: Chunks, name: string, options: ReadOptions, depth: number): AsyncGenerator<SourceBatch> {
  const peeked = await peek(chunks);
  const content = depth > nestingMax ? 'archive' : contentOf(peeked.head);
  switch (content) {
    case 'gzip':
    case 'zstd': {
      const inner = name.replace(/\.tgz$/i, '.tar').replace(/\.(?:gz|zst|zstd)$/i, '');
      yield* unpack(decompress(content, peeked.chunks), inner, options, depth + 1);
      return;
    }
    case 'tar':
      for await (const member of tarMembers(peeked.chunks)) {
        const base = member.name.slice(member.name.lastIndexOf('/') + 1);
        if (base === '' || base.startsWith('.')) options.onSkip?.(member.name, 'it is hidden');
        else yield* unpack(member.chunks, base, options, depth + 1);
      }
      return;
    case 'archive':
    case 'binary': {
      const reason =
        content === 'binary' ? 'it does not look like text' : `it is ${archiveName(peeked.head) || 'nested too deep'}`;
      if (depth === 0)
        throw new LogweirError(
          'INPUT_UNREADABLE',
          `${name} was not read: ${reason}.`,
          remedyOf(archiveName(peeked.head)),
        );
      options.onSkip?.(name, reason);
      return;
    }
    case 'journal':
      yield* entriesOf(peeked.chunks, name);
      return;
    case 'utf16le':
    case 'utf16be':
      yield* split(utf16ToUtf8(content, peeked.chunks), name);
      return;
    default:
      yield* split(peeked.chunks, name);
  }
}

async function* split(chunks: Chunks, source: string): AsyncGenerator<SourceBatch> {
  const splitter = new LineSplitter();
  let failure: unknown;
  try {
    for await (const chunk of chunks) {
      const lines = splitter.push(chunk);
      if (lines.length > 0) yield { source, last: false, lines };
    }
  } catch (error) {
    failure = error;
  }
  yield { source, last: true, lines: splitter.flush() };
  if (failure !== undefined) throw failure;
}

async function* entriesOf(chunks: Chunks, source: string): AsyncGenerator<SourceBatch> {
  let entries: NonNullable<SourceBatch['entries']> = [];
  const reader = new JournalExportReader({
    entry: (entry) => entries.push(entry),
    malformed: (malformed) => entries.push({ malformed }),
  });
  let failure: unknown;
  try {
    for await (const chunk of chunks) {
      reader.push(chunk);
      if (entries.length > 0) yield { source, last: false, lines: [], entries };
      entries = [];
    }
  } catch (error) {
    failure = error;
  }
  const restBytes = reader.end();
  if (restBytes > 0)
    entries.push({ malformed: `the file ends within an entry, ${restBytes} bytes behind its last field` });
  yield { source, last: true, lines: [], entries };
  if (failure !== undefined) throw failure;
}

/** The first bytes, and the stream with them still in it. A failure before the first byte is thrown by the stream. */
async function peek(chunks: Chunks): Promise<{ head: Uint8Array; chunks: AsyncGenerator<Uint8Array> }> {
  const iterator = Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]();
  const first: Uint8Array[] = [];
  let bytes = 0;
  let failure: unknown;
  try {
    while (bytes < headBytes) {
      const next = await iterator.next();
      if (next.done === true) break;
      first.push(next.value);
      bytes += next.value.length;
    }
  } catch (error) {
    failure = error;
  }
  const rest = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield* first;
      if (failure !== undefined) throw failure;
      for (;;) {
        const next = await iterator.next();
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      await iterator.return?.();
    }
  };
  return { head: Buffer.concat(first, bytes).subarray(0, headBytes), chunks: rest() };
}
