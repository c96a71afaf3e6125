/**
 * A request with one record alone, made of one with many: how a record that was not taken can be sent again with the
 * resource and scope that it came with.
 */
import { ByteWriter } from '#protocol/mod.ts';
import { WireReader, wireType } from './wire.ts';

/** Fields around a record, as they came. */
export interface Envelope {
  /** Of ResourceLogs: all but its scopes' records. */
  resource: Buffer;
  /** Of ScopeLogs. */
  scope: Buffer;
}

/** As large as resource and scope may be together, and some more. */
export const envelopeBytesMax = 160 * 1024;
/** ResourceLogs.scope_logs and ScopeLogs.log_records. */
const nextTag = 0x12;
const firstTag = 0x0a;

/** Null where there is too much of it. The spans were walked before and are well formed. */
export function envelopeOf(
  body: Buffer,
  resourceLogs: { start: number; end: number },
  scopeLogs: { start: number; end: number },
): Envelope | null {
  const resource = around(body, resourceLogs);
  const scope = around(body, scopeLogs);
  return resource === null || scope === null ? null : { resource, scope };
}

export const requestOf = ({ resource, scope }: Envelope, record: Uint8Array): Buffer =>
  delimited(firstTag, resource, delimited(nextTag, scope, delimited(nextTag, record)));

/** A field of length-delimited parts, one behind the other. */
export function delimited(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const head = new ByteWriter();
  head.uint8(tag);
  head.varint(parts.reduce((sum, part) => sum + part.length, 0));
  return Buffer.concat([head.copy(), ...parts]);
}

function around(body: Buffer, { start, end }: { start: number; end: number }): Buffer | null {
  const reader = new WireReader(body, start, end);
  const parts: Buffer[] = [];
  let bytes = 0;
  for (;;) {
    const from = reader.at;
    const tag = reader.tag();
    if (tag === 0) return Buffer.concat(parts);
    reader.skip(tag);
    if (tag === nextTag || (tag & 7) !== wireType.bytes) continue;
    bytes += reader.at - from;
    if (bytes > envelopeBytesMax) return null;
    parts.push(body.subarray(from, reader.at));
  }
}
