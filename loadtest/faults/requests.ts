/**
 * Requests that can be told apart in storage: every line carries the number of its request and its own, so that SQL
 * can say of each acknowledged record whether it is stored once.
 */
import { Buffer } from 'node:buffer';
import { type Payload, renderPayloads, stamp } from '../payload.ts';

export interface NumberedBody extends Payload {
  /** Where each line's request number stands. */
  numbers: number[];
}

/** Attribute names; the number of a request is `connection + connections × turn`. */
export const requestAttribute = 'load_request';
export const lineAttribute = 'load_line';

const stampLength = '2026-01-01T00:00:00.000Z'.length;
const stampOffset = '{"timestamp":"'.length;
const digits = 10;
const requestHead = `,"${requestAttribute}":"`;

/** The traffic of the generator, numbered; the same for the same seed. */
export function renderNumbered(options: { seed: number; bodies: number; linesPerBody: number }): NumberedBody[] {
  return renderPayloads({ ...options, regions: 3 }).map(numberLines);
}

function numberLines(payload: Payload): NumberedBody {
  const pieces: Buffer[] = [];
  const stamps: number[] = [];
  const numbers: number[] = [];
  let at = 0;
  for (const [line, offset] of payload.stamps.entries()) {
    const start = offset - stampOffset;
    const end = payload.stamps[line + 1] === undefined ? payload.body.length : payload.stamps[line + 1]! - stampOffset;
    const insertAt = offset + stampLength + 1;
    const own = `${requestHead}${'0'.repeat(digits)}","${lineAttribute}":"${line}"`;
    pieces.push(payload.body.subarray(start, insertAt), Buffer.from(own), payload.body.subarray(insertAt, end));
    stamps.push(at + stampOffset);
    numbers.push(at + insertAt - start + requestHead.length);
    at += end - start + own.length;
  }
  return { ...payload, body: Buffer.concat(pieces), stamps, numbers };
}

/** Sets number and event time. Returns the body, valid until it is set again: a retry must send the same bytes. */
export function address(body: NumberedBody, request: number, timeMs: number): Buffer {
  const text = Buffer.from(String(request).padStart(digits, '0'), 'latin1');
  for (const offset of body.numbers) text.copy(body.body, offset);
  return stamp(body, timeMs);
}
