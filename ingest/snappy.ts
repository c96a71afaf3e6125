/**
 * Snappy's block format, which Loki's clients send, and its framed one, which OpenTelemetry's collector does. The length that a
 * block claims is checked against what its bytes can make before anything is allocated for it.
 * Source: github.com/google/snappy, format_description.txt and framing_format.txt.
 */
import { LogweirError } from '#protocol/mod.ts';
import { tooLarge } from './too-large.ts';

/** A copy of 64 bytes takes at least three. */
const expansionMax = 22;

/** @throws LogweirError RECORD_REJECTED | BODY_TOO_LARGE */
export function unsnap(block: Buffer, bytesMax: number): Buffer {
  let at = 0;
  let size = 0;
  for (let shift = 0; ; shift += 7) {
    if (at >= block.length || shift > 28) throw malformed('its length is cut short');
    const byte = block[at++] as number;
    size += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  if (size > bytesMax) throw tooLarge(bytesMax);
  if (size > block.length * expansionMax) throw malformed('it claims more than it can hold');
  const out = Buffer.allocUnsafe(size);
  let end = 0;
  while (at < block.length) {
    const tag = block[at++] as number;
    if ((tag & 3) === 0) {
      let length = tag >>> 2;
      if (length >= 60) {
        const bytes = length - 59;
        if (at + bytes > block.length) throw malformed('a literal is cut short');
        length = block.readUIntLE(at, bytes);
        at += bytes;
      }
      length++;
      if (at + length > block.length || end + length > size) throw malformed('a literal is too long');
      block.copy(out, end, at, at + length);
      at += length;
      end += length;
      continue;
    }
    const kind = tag & 3;
    const bytes = kind === 3 ? 4 : kind;
    if (at + bytes > block.length) throw malformed('a copy is cut short');
    const offset = kind === 1 ? ((tag >>> 5) << 8) | (block[at] as number) : block.readUIntLE(at, bytes);
    const length = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
    at += bytes;
    if (offset === 0 || offset > end || end + length > size) throw malformed('a copy reaches outside');
    // A copy may read what it writes: then its bytes repeat.
    if (offset >= length) out.copy(out, end, end - offset, end - offset + length);
    else for (let i = 0; i < length; i++) out[end + i] = out[end + i - offset] as number;
    end += length;
  }
  if (end !== size) throw malformed(`it holds ${end} bytes and claims ${size}`);
  return out;
}

const streamStart = Buffer.from([0xff, 6, 0, 0, 0x73, 0x4e, 0x61, 0x50, 0x70, 0x59]);
const chunkKind = { packed: 0, plain: 1, firstSkippable: 0x80 };
const chunkHeadBytes = 4;
const checksumBytes = 4;

/** A block, or frames of them; both go by the name of snappy. @throws LogweirError RECORD_REJECTED | BODY_TOO_LARGE */
export function unsnapAny(body: Buffer, bytesMax: number): Buffer {
  if (!body.subarray(0, streamStart.length).equals(streamStart)) return unsnap(body, bytesMax);
  const parts: Buffer[] = [];
  let left = bytesMax;
  for (let at = streamStart.length; at < body.length; ) {
    if (at + chunkHeadBytes > body.length) throw malformed('a chunk is cut short');
    const kind = body[at] as number;
    const start = at + chunkHeadBytes;
    at = start + body.readUIntLE(at + 1, 3);
    if (at > body.length) throw malformed('a chunk is cut short');
    if (kind >= chunkKind.firstSkippable) continue;
    if (kind > chunkKind.plain || at - start < checksumBytes) throw malformed('a chunk is of no known kind');
    const data = body.subarray(start + checksumBytes, at);
    if (kind === chunkKind.plain && data.length > left) throw tooLarge(bytesMax);
    const part = kind === chunkKind.plain ? data : unsnap(data, left);
    left -= part.length;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function malformed(what: string): LogweirError {
  return new LogweirError(
    'RECORD_REJECTED',
    `The body is not valid snappy: ${what}.`,
    'Nothing of it was taken; send it again, whole.',
  );
}
