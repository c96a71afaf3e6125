/** Events of the forward protocol, a time and a record in MessagePack, as records. */
import { parseJsonObject } from '#analysis/formats/mod.ts';
import { type DeadResend, type LogRecord, recordBytesMax } from '#protocol/mod.ts';
import { Extension, type MsgpackReader } from '../msgpack.ts';
import { withConventions } from '../mapping/collector-fields.ts';

/** Options, times, metadata, and what a client says of itself. */
export const smallBytesMax = 64 * 1024;
/** Where events are taken one behind the other. */
export const eventsPath = '/fluent';
export const eventsType = 'application/msgpack';
const eventTimeType = 0;
const pair = Buffer.from([0x92]);

/** How an event that was not taken is sent again, as `bytes` of its refusal hold it. */
export const resendEvents = (tag: string): DeadResend => ({
  path: `${eventsPath}?tag=${encodeURIComponent(tag)}`,
  contentType: eventsType,
});

export type EventRead =
  | { record: LogRecord }
  /** `bytes`: the event, a pair of time and record, as it came. */
  | { reject: string; reason: 'malformed' | 'tooLong'; bytes: Buffer };

/** Reads a time and a record, one behind the other. @throws MsgpackError where the next event cannot be found */
export function readEvent(reader: MsgpackReader, tag: string, nowMs: number): EventRead {
  const eventStart = reader.at;
  const refuse = (reason: 'malformed' | 'tooLong', reject: string): EventRead => ({
    reason,
    reject,
    bytes: Buffer.concat([pair, reader.from(eventStart)]),
  });
  let time: unknown;
  let metadata: unknown;
  if (reader.kind() === 'array') {
    // Fluent Bit: [[time, metadata], record].
    const parts = reader.valueWithin(smallBytesMax) as unknown[];
    [time, metadata] = parts;
  } else time = reader.valueWithin(smallBytesMax);
  const start = reader.at;
  const isMap = reader.kind() === 'map';
  reader.skip();
  const bytes = reader.at - start;
  if (!isMap) return refuse('malformed', 'the record is no map');
  if (bytes > recordBytesMax) return refuse('tooLong', `the record has ${bytes} bytes, ${recordBytesMax} are allowed`);
  reader.at = start;
  const fields = reader.value() as Record<string, unknown>;
  if (typeof metadata === 'object' && metadata !== null && Object.keys(metadata).length > 0)
    fields['fluent.metadata'] ??= metadata;
  const at = timeOf(time);
  const record = parseJsonObject(fields, { observedMs: nowMs, timed: at !== null });
  if ('reject' in record) return refuse('malformed', record.reject);
  if (at !== null) {
    record.timeMs = at.ms;
    record.timeSubNs = at.subNs;
  }
  (record.attributes ??= []).push('fluent.tag', tag);
  return { record: withConventions(record, tag) };
}

/** Null where nothing is said: 0 is no time of a log. */
function timeOf(time: unknown): { ms: number; subNs: number } | null {
  if (time instanceof Extension) {
    if (time.type !== eventTimeType || time.data.length !== 8) return null;
    const seconds = time.data.readUInt32BE(0);
    const nanoseconds = time.data.readUInt32BE(4);
    if (seconds === 0 || nanoseconds >= 1e9) return null;
    return { ms: seconds * 1_000 + Math.floor(nanoseconds / 1e6), subNs: nanoseconds % 1_000_000 };
  }
  if (typeof time !== 'number' || !(time > 0 && time < 4_294_967_295)) return null;
  return { ms: Math.floor(time * 1_000), subNs: 0 };
}
