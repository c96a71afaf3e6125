/**
 * Request bodies for load: rendered once from the generator, sent many times with fresh timestamps. The generator must
 * not be what is measured: patching a stamp costs a copy of 24 bytes a line.
 */
import { toNdjson, Traffic } from '#generator/mod.ts';
import type { Counts } from './counts.ts';

const stampLength = '2026-01-01T00:00:00.000Z'.length;
const stampOffset = '{"timestamp":"'.length;

export interface Payload {
  body: Buffer;
  lines: number;
  /** Where each line's timestamp stands. */
  stamps: number[];
  /** Lines of each service. */
  services: ReadonlyMap<string, number>;
}

export interface PayloadOptions {
  seed: number;
  /** Bodies to rotate through. */
  bodies: number;
  linesPerBody: number;
  /** Each service of the generator this many times. */
  regions: number;
  /** Every record says that it comes from this one. */
  service?: string | undefined;
}

export function renderPayloads(options: PayloadOptions): Payload[] {
  const traffic = new Traffic({ seed: options.seed, ratePerSecond: 10_000, regions: options.regions });
  const payloads: Payload[] = [];
  let lines: string[] = [];
  let services: Counts = new Map();
  for (let at = Date.UTC(2026, 0, 15, 12); payloads.length < options.bodies; at += 1_000) {
    for (const record of traffic.step(at, at + 1_000)) {
      if (options.service !== undefined) record.service = options.service;
      lines.push(toNdjson(record));
      const service = record.service as string;
      services.set(service, (services.get(service) ?? 0) + 1);
      if (lines.length < options.linesPerBody) continue;
      payloads.push(toPayload(lines, services));
      lines = [];
      services = new Map();
      if (payloads.length === options.bodies) break;
    }
  }
  return payloads;
}

function toPayload(lines: string[], services: Counts): Payload {
  const stamps: number[] = [];
  let at = 0;
  for (const line of lines) {
    stamps.push(at + stampOffset);
    at += Buffer.byteLength(line);
  }
  return { body: Buffer.from(lines.join('')), lines: lines.length, stamps, services };
}

/** Sets every line's event time. Returns the body, which is valid until it is stamped again. */
export function stamp(payload: Payload, timeMs: number): Buffer {
  const text = Buffer.from(new Date(timeMs).toISOString(), 'latin1');
  if (text.length !== stampLength) throw new RangeError(`no ISO stamp for ${timeMs}`);
  for (const offset of payload.stamps) text.copy(payload.body, offset);
  return payload.body;
}
