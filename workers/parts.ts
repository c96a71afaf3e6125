/**
 * A partition's state as objects that can be small: state is held in parts, each with a version that rises when the
 * part changes, and an object holds the parts that changed since an earlier one. Putting a chain of objects (a base
 * and what came after it) together gives the state of the last one, byte for byte.
 */
import { compressSync, uncompressSync } from 'lz4-napi';
import { frameBytesMax, LogweirError, pack, unpack } from '#protocol/mod.ts';

/** Raised whenever older builds could not read what this one writes. */
export const stateFormat = 3;
const magic = 0x53;

/** What has parts: a service actor. `version(part)` rises whenever `part(part)` would say something else. */
export interface InParts {
  readonly parts: number;
  version(part: number): number;
  part(part: number): unknown;
  /** Numbers that move all the time; always as many. */
  times(): number[];
}

/** When each part of something last changed, in rounds: a round is a state taken. */
export class PartRounds {
  /** Of the actor within its partition; rises with each new one, and is used for the parts of one actor only. */
  readonly number: number;
  private readonly versions: Float64Array;
  private readonly rounds: Float64Array;

  /** `taken`: the round that holds it already, or null for something new. */
  constructor(number: number, of: InParts, taken: number | null) {
    this.number = number;
    this.versions = new Float64Array(of.parts).fill(-1);
    this.rounds = new Float64Array(of.parts);
    if (taken === null) return;
    for (let part = 0; part < of.parts; part++) {
      this.versions[part] = of.version(part);
      this.rounds[part] = taken;
    }
  }

  /** The parts that changed after `since`, as an object holds them, or null; changes found now belong to `round`. */
  changes(of: InParts, since: number, round: number): PartsChange | null {
    let mask = 0;
    const values: unknown[] = [];
    for (let part = 0; part < of.parts; part++) {
      const version = of.version(part);
      if (version !== this.versions[part]) {
        this.versions[part] = version;
        this.rounds[part] = round;
      }
      if ((this.rounds[part] as number) <= since) continue;
      mask |= 1 << part;
      values.push(of.part(part));
    }
    return mask === 0 ? null : [this.number, mask, ...values];
  }
}

/** Number, bits of the parts that follow, and these. */
export type PartsChange = [number: number, mask: number, ...values: unknown[]];

/** What one object holds. */
export interface StateObject {
  /** Of the partition itself: small, always whole. */
  head: unknown;
  /** Numbers of all actors in their order, 4 bytes each; and their times, 8 bytes each. Little-endian. */
  numbers: Uint8Array;
  times: Uint8Array;
  changes: PartsChange[];
  /** What the partition remembers of request keys; see `KnownKeys`. */
  keys: unknown;
}

/** Everything that a chain of objects says. */
export interface WholeState {
  head: unknown;
  actors: { number: number; times: number[]; parts: unknown[] }[];
  /** Oldest first. */
  keys: unknown[];
}

/** Magic, format, then lz4 of msgpack. */
export function encodeState(object: StateObject): Uint8Array {
  const body = compressSync(pack(object) as Buffer);
  const bytes = new Uint8Array(2 + body.length);
  bytes[0] = magic;
  bytes[1] = stateFormat;
  bytes.set(body, 2);
  return bytes;
}

/** @throws LogweirError MESSAGE_MALFORMED for what `encodeState` of this format did not make */
function decodeState(bytes: Uint8Array): StateObject {
  if (bytes[0] !== magic || bytes.length < 6) throw unreadable('is no state of a partition');
  if (bytes[1] !== stateFormat) throw unreadable(`has format ${bytes[1]}, this build reads ${stateFormat}`);
  try {
    const body = Buffer.from(bytes.buffer, bytes.byteOffset + 2, bytes.length - 2);
    if (body.readUInt32LE(0) > frameBytesMax * 4) throw new Error('larger than any state');
    return unpack(uncompressSync(body)) as StateObject;
  } catch (cause) {
    throw unreadable(`cannot be decoded (${(cause as Error).message})`);
  }
}

function unreadable(what: string): LogweirError {
  return new LogweirError('MESSAGE_MALFORMED', `A checkpoint object ${what}.`, 'An older checkpoint is used.');
}

/** Puts a chain together, base first. @throws LogweirError MESSAGE_MALFORMED where it is not whole */
export function joinStates(chain: readonly Uint8Array[]): WholeState {
  const parts = new Map<number, unknown[]>();
  const keys: unknown[] = [];
  let last: StateObject | null = null;
  for (const bytes of chain) {
    last = decodeState(bytes);
    for (const [number, mask, ...values] of last.changes) {
      const known = parts.get(number) ?? [];
      let at = 0;
      for (let part = 0; mask >> part !== 0; part++) if ((mask >> part) & 1) known[part] = values[at++];
      parts.set(number, known);
    }
    keys.push(last.keys);
  }
  if (last === null) throw unreadable('is missing from an empty chain');
  const numbers = new Uint32Array(Uint8Array.from(last.numbers).buffer);
  const times = new Float64Array(Uint8Array.from(last.times).buffer);
  const width = numbers.length === 0 ? 0 : times.length / numbers.length;
  const actors = Array.from(numbers, (number, i) => {
    const known = parts.get(number);
    if (known === undefined) throw unreadable('that an actor is in is missing');
    return { number, times: Array.from(times.subarray(i * width, (i + 1) * width)), parts: known };
  });
  return { head: last.head, actors, keys };
}
