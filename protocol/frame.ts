/**
 * Frame of every stream message: [magic 0x4c, version, kind, 0], uint16 LE number of attachments, their lengths as
 * uint32 LE, then the main body and the attachments. A body is a flag byte and msgpack, lz4-compressed when flag 1 is
 * set (lz4 "block with 4-byte LE size prefix"). Small bodies stay plain: lz4 gains nothing on them.
 *
 * A body can be taken out of one frame and attached to another as it is: a batch travels from gateway to storage
 * packed and compressed once, whoever adds columns to it on the way.
 */
import { compressSync, uncompressSync } from 'lz4-napi';
import { Packr } from 'msgpackr';
import { LogweirError } from './errors.ts';

const magic = 0x4c;
const frameVersion = 2;
const flagCompressed = 1;
const compressFromBytes = 512;
const headBytes = 6;
/** Attachments of one frame: what 16 bits count. */
export const attachmentsMax = 0xffff;
/** Largest body that may be claimed once uncompressed; a lying header is refused before memory is given. */
export const frameBytesMax = 64 * 1024 * 1024;

export type FrameKind = 'batch' | 'tick' | 'control' | 'end' | 'results' | 'anomalies' | 'alerts' | 'dead';
const kinds: readonly FrameKind[] = ['batch', 'tick', 'control', 'end', 'results', 'anomalies', 'alerts', 'dead'];

const packr = new Packr({ useRecords: false, variableMapSize: true, int64AsType: 'number' });

/** Plain msgpack, without records or type extensions: equal values give equal bytes. */
export function pack(value: unknown): Uint8Array {
  return packr.pack(value);
}

export function unpack(bytes: Uint8Array): unknown {
  return packr.unpack(bytes);
}

/** A frame in its parts; `body` and `attachments` are bodies, read by `openBody`. */
export interface Frame {
  kind: FrameKind;
  body: Uint8Array;
  attachments: Uint8Array[];
}

/** Packs a value as a body. */
export function sealBody(value: unknown): Uint8Array {
  const packed = packr.pack(value);
  const compressed = packed.length >= compressFromBytes ? compressSync(packed) : null;
  const payload = compressed !== null && compressed.length < packed.length ? compressed : packed;
  const body = new Uint8Array(1 + payload.length);
  body[0] = payload === compressed ? flagCompressed : 0;
  body.set(payload, 1);
  return body;
}

/** True where a body was worth compressing, and so is worth being passed on as it is. */
export function isCompressed(body: Uint8Array): boolean {
  return body[0] === flagCompressed;
}

/** @throws LogweirError MESSAGE_MALFORMED */
export function openBody(body: Uint8Array): unknown {
  try {
    const payload = Buffer.from(body.buffer, body.byteOffset + 1, body.length - 1);
    if (((body[0] as number) & flagCompressed) === 0) return packr.unpack(payload);
    const size = payload.readUInt32LE(0);
    if (size > frameBytesMax) throw malformed(`a body of ${size} bytes`);
    return packr.unpack(uncompressSync(payload));
  } catch (cause) {
    if (cause instanceof LogweirError) throw cause;
    throw malformed(cause instanceof Error ? cause.message : String(cause));
  }
}

export function encodeFrame(kind: FrameKind, value: unknown, attachments: readonly Uint8Array[] = []): Uint8Array {
  const body = sealBody(value);
  const bodyAt = headBytes + attachments.length * 4;
  const frame = new Uint8Array(attachments.reduce((sum, one) => sum + one.length, bodyAt + body.length));
  const view = new DataView(frame.buffer);
  frame[0] = magic;
  frame[1] = frameVersion;
  frame[2] = kinds.indexOf(kind);
  view.setUint16(4, attachments.length, true);
  frame.set(body, bodyAt);
  let at = bodyAt + body.length;
  for (const [i, attachment] of attachments.entries()) {
    view.setUint32(headBytes + i * 4, attachment.length, true);
    frame.set(attachment, at);
    at += attachment.length;
  }
  return frame;
}

/** Kind of a frame by its head alone. */
export function frameKind(frame: Uint8Array): FrameKind | undefined {
  return kinds[frame[2] ?? 255];
}

/** Cuts a frame into its bodies, without reading them. @throws LogweirError MESSAGE_MALFORMED */
export function openFrame(frame: Uint8Array): Frame {
  const kind = kinds[frame[2] ?? 255];
  if (frame.length < headBytes || frame[0] !== magic || kind === undefined) throw malformed('not a Logweir frame');
  if (frame[1] !== frameVersion) throw malformed(`frame version ${frame[1]}, this build reads ${frameVersion}`);
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const count = view.getUint16(4, true);
  const bodyAt = headBytes + count * 4;
  const lengths: number[] = [];
  let attached = 0;
  for (let at = headBytes; at < bodyAt && at + 4 <= frame.length; at += 4) {
    const length = view.getUint32(at, true);
    lengths.push(length);
    attached += length;
  }
  let at = frame.length - attached;
  // A body has a flag and at least one byte of msgpack.
  if (lengths.length !== count || at < bodyAt + 2) throw malformed('lengths that do not add up');
  const body = frame.subarray(bodyAt, at);
  const attachments = lengths.map((length) => {
    if (length < 2) throw malformed('an empty attachment');
    at += length;
    return frame.subarray(at - length, at);
  });
  return { kind, body, attachments };
}

/** Kind and value of a frame without attachments. @throws LogweirError MESSAGE_MALFORMED */
export function decodeFrame(frame: Uint8Array): { kind: FrameKind; value: unknown } {
  const { kind, body, attachments } = openFrame(frame);
  if (attachments.length > 0) throw malformed(`attachments to a message of kind ${kind}`);
  return { kind, value: openBody(body) };
}

function malformed(detail: string): LogweirError {
  return new LogweirError(
    'MESSAGE_MALFORMED',
    `Stream message is malformed: ${detail}.`,
    'It was set aside; check that every role runs the same version and that nothing else publishes here.',
  );
}
