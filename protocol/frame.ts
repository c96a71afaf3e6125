/**
 * Frame of every stream message: [magic 0x4c, version, kind, flags] then a msgpack body, lz4-compressed when
 * flag 1 is set (lz4 "block with 4-byte LE size prefix"). Small bodies stay plain: lz4 gains nothing on them.
 */
import { compressSync, uncompressSync } from 'lz4-napi';
import { Packr } from 'msgpackr';
import { LogweirError } from './errors.ts';

const magic = 0x4c;
const frameVersion = 1;
const flagCompressed = 1;
const compressFromBytes = 512;
/** Largest body a frame may claim once uncompressed; a lying header is refused before memory is given. */
export const frameBytesMax = 64 * 1024 * 1024;

export type FrameKind = 'batch' | 'tick' | 'control' | 'end' | 'results' | 'anomalies' | 'alerts';
const kinds: readonly FrameKind[] = ['batch', 'tick', 'control', 'end', 'results', 'anomalies', 'alerts'];

const packr = new Packr({ useRecords: false, variableMapSize: true, int64AsType: 'number' });

/** Plain msgpack, without records or type extensions: equal values give equal bytes. */
export function pack(value: unknown): Uint8Array {
  return packr.pack(value);
}

export function unpack(bytes: Uint8Array): unknown {
  return packr.unpack(bytes);
}

export function encodeFrame(kind: FrameKind, value: unknown): Uint8Array {
  const body = packr.pack(value);
  const compressed = body.length >= compressFromBytes ? compressSync(body) : null;
  const payload = compressed !== null && compressed.length < body.length ? compressed : body;
  const frame = new Uint8Array(4 + payload.length);
  frame[0] = magic;
  frame[1] = frameVersion;
  frame[2] = kinds.indexOf(kind);
  frame[3] = payload === compressed ? flagCompressed : 0;
  frame.set(payload, 4);
  return frame;
}

/** @throws LogweirError MESSAGE_MALFORMED */
export function decodeFrame(frame: Uint8Array): { kind: FrameKind; value: unknown } {
  const kind = kinds[frame[2] ?? 255];
  if (frame.length < 5 || frame[0] !== magic || kind === undefined) throw malformed('not a Logweir frame');
  if (frame[1] !== frameVersion) throw malformed(`frame version ${frame[1]}, this build reads ${frameVersion}`);
  try {
    const payload = Buffer.from(frame.buffer, frame.byteOffset + 4, frame.length - 4);
    if ((frame[3] as number) & flagCompressed) {
      const size = payload.readUInt32LE(0);
      if (size > frameBytesMax) throw malformed(`a body of ${size} bytes`);
      return { kind, value: packr.unpack(uncompressSync(payload)) };
    }
    return { kind, value: packr.unpack(payload) };
  } catch (cause) {
    if (cause instanceof LogweirError) throw cause;
    throw malformed(cause instanceof Error ? cause.message : String(cause));
  }
}

function malformed(detail: string): LogweirError {
  return new LogweirError(
    'MESSAGE_MALFORMED',
    `Stream message is malformed: ${detail}.`,
    'It was set aside; check that every role runs the same version and that nothing else publishes here.',
  );
}
