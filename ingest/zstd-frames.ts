/**
 * Frames of zstd data, one behind the other: Node's decoder ends behind the first, without a word about the others, which
 * `cat a.zst b.zst`, pzstd and senders that compress piece by piece make. Source: RFC 8878 §3.1.
 */
import { promisify } from 'node:util';
import { zstdDecompress, zstdDecompressSync } from 'node:zlib';

const magic = 0xfd2fb528;
const skippableMagic = 0x184d2a50;
const prefixBytes = 4;
const blockHeaderBytes = 3;
const checksumBytes = 4;
const dictionaryIdBytes = [0, 1, 2, 4];
const contentSizeBytes = [0, 2, 4, 8];

const decode = promisify(zstdDecompress);

/** All frames, unpacked. @throws what the decoder throws; ERR_BUFFER_TOO_LARGE over the bound */
export async function unzstdAsync(data: Buffer, bytesMax: number): Promise<Buffer> {
  const parts = new Parts(bytesMax);
  for (const frame of zstdFrames(data)) parts.add(await decode(frame, parts.options));
  return parts.whole();
}

/** The same at once. */
export function unzstd(data: Buffer, bytesMax: number): Buffer {
  const parts = new Parts(bytesMax);
  for (const frame of zstdFrames(data)) parts.add(zstdDecompressSync(frame, parts.options));
  return parts.whole();
}

class Parts {
  private readonly parts: Buffer[] = [];
  private left: number;

  constructor(bytesMax: number) {
    this.left = bytesMax;
  }

  /** A frame that holds nothing fits where nothing is left. */
  get options(): { maxOutputLength: number } {
    return { maxOutputLength: Math.max(this.left, 1) };
  }

  add(part: Buffer): void {
    this.left -= part.length;
    if (this.left < 0) throw Object.assign(new Error('Too large.'), { code: 'ERR_BUFFER_TOO_LARGE' });
    this.parts.push(part);
  }

  whole(): Buffer {
    return this.parts.length === 1 ? (this.parts[0] as Buffer) : Buffer.concat(this.parts);
  }
}

/** Each whole frame that holds data; what is no frame, or none that is whole, is the last one. */
function zstdFrames(data: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < data.length; ) {
    const end = frameEnd(data, at);
    if (end < 0) {
      frames.push(data.subarray(at));
      break;
    }
    if (data.readUInt32LE(at) === magic) frames.push(data.subarray(at, end));
    at = end;
  }
  return frames;
}

/** Behind the frame at `at`; -1 where none is whole. */
function frameEnd(data: Buffer, start: number): number {
  if (start + prefixBytes + 1 > data.length) return -1;
  const first = data.readUInt32LE(start);
  let at = start + prefixBytes;
  // Skippable frames have sixteen numbers.
  if ((first & 0xfffffff0) >>> 0 === skippableMagic) {
    if (at + 4 > data.length) return -1;
    at += 4 + data.readUInt32LE(at);
    return at > data.length ? -1 : at;
  }
  if (first !== magic) return -1;
  const descriptor = data[at++] as number;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeBytes = contentSizeBytes[descriptor >> 6] as number;
  at += isSingleSegment ? Math.max(sizeBytes, 1) : sizeBytes + 1;
  at += dictionaryIdBytes[descriptor & 3] as number;
  for (;;) {
    if (at + blockHeaderBytes > data.length) return -1;
    const header = data.readUIntLE(at, blockHeaderBytes);
    const isRunOfOne = ((header >> 1) & 3) === 1;
    at += blockHeaderBytes + (isRunOfOne ? 1 : header >> 3);
    if ((header & 1) === 1) break;
  }
  if ((descriptor & 0x04) !== 0) at += checksumBytes;
  return at > data.length ? -1 : at;
}
