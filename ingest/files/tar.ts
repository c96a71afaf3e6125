/** Members of a tar stream, one after the other, with bounded memory. Formats: ustar, GNU long names, pax paths. */
import type { Chunks } from './decompress.ts';

export interface TarMember {
  /** Path within the archive. */
  name: string;
  sizeBytes: number;
  /** Its bytes; what is not read of them is skipped when the next member is asked for. */
  chunks: AsyncGenerator<Uint8Array>;
}

const blockBytes = 512;
/** Longest path or pax header that is kept; a longer one is skipped and the short name used. */
const metaBytesMax = 64 * 1024;

class Source {
  private readonly iterator: AsyncIterator<Uint8Array> | Iterator<Uint8Array>;
  private chunk: Uint8Array = new Uint8Array(0);

  constructor(chunks: Chunks) {
    this.iterator = Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]();
  }

  /** Up to `max` bytes, at least one; empty at the end. */
  async take(max: number): Promise<Uint8Array> {
    while (this.chunk.length === 0) {
      const next = await this.iterator.next();
      if (next.done === true) return this.chunk;
      this.chunk = next.value;
    }
    const taken = this.chunk.subarray(0, max);
    this.chunk = this.chunk.subarray(taken.length);
    return taken;
  }

  /** `size` bytes, fewer only at the end. */
  async exactly(size: number): Promise<Buffer> {
    const pieces: Uint8Array[] = [];
    let left = size;
    while (left > 0) {
      const piece = await this.take(left);
      if (piece.length === 0) break;
      pieces.push(piece);
      left -= piece.length;
    }
    return Buffer.concat(pieces);
  }

  async skip(size: number): Promise<void> {
    while (size > 0) {
      const piece = await this.take(size);
      if (piece.length === 0) return;
      size -= piece.length;
    }
  }

  async close(): Promise<void> {
    await this.iterator.return?.();
  }
}

function text(block: Buffer, start: number, end: number): string {
  const nul = block.indexOf(0, start);
  return block.toString('utf8', start, nul >= start && nul < end ? nul : end);
}

/** Octal digits, or GNU's base 256 for what they cannot say. */
function sizeOf(block: Buffer): number {
  if (((block[124] as number) & 0x80) !== 0) {
    let size = 0;
    for (let i = 125; i < 136; i++) size = size * 256 + (block[i] as number);
    return size;
  }
  const size = Number.parseInt(text(block, 124, 136).trim() || '0', 8);
  return Number.isFinite(size) ? size : -1;
}

function checksumHolds(block: Buffer): boolean {
  let sum = 0;
  for (let i = 0; i < blockBytes; i++) sum += i >= 148 && i < 156 ? 32 : (block[i] as number);
  return sum === Number.parseInt(text(block, 148, 156).trim(), 8);
}

/** `path` of a pax header: records of `length key=value\n`. */
function paxPath(header: Buffer): string {
  const found = /(?:^|\n)\d+ path=([^\n]*)\n/.exec(header.toString('utf8'));
  return found?.[1] ?? '';
}

export async function* tarMembers(chunks: Chunks): AsyncGenerator<TarMember> {
  const source = new Source(chunks);
  let longName = '';
  try {
    for (;;) {
      const block = await source.exactly(blockBytes);
      // Nothing left, or the block of zeros that ends an archive.
      if (block.every((byte) => byte === 0)) return;
      const size = block.length === blockBytes && checksumHolds(block) ? sizeOf(block) : -1;
      if (size < 0) throw new Error('the tar archive is damaged or cut off');
      const padding = (blockBytes - (size % blockBytes)) % blockBytes;
      const type = String.fromCharCode(block[156] as number);
      if (type === 'L' || type === 'x') {
        const meta = size <= metaBytesMax ? await source.exactly(size) : undefined;
        if (meta === undefined) await source.skip(size);
        else longName = type === 'L' ? text(meta, 0, size) : paxPath(meta) || longName;
        await source.skip(padding);
        continue;
      }
      const prefix = text(block, 345, 500);
      const shortName = text(block, 0, 100);
      const name = longName !== '' ? longName : prefix === '' || type === 'g' ? shortName : `${prefix}/${shortName}`;
      longName = '';
      if (type !== '0' && type !== '\0' && type !== '7') {
        await source.skip(size + padding);
        continue;
      }
      let left = size;
      const member = async function* (): AsyncGenerator<Uint8Array> {
        while (left > 0) {
          const piece = await source.take(left);
          if (piece.length === 0) throw new Error('the tar archive is cut off');
          left -= piece.length;
          yield piece;
        }
      };
      yield { name, sizeBytes: size, chunks: member() };
      await source.skip(left + padding);
    }
  } finally {
    await source.close();
  }
}
