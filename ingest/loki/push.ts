/** Bodies of Loki's push, in protobuf and in both of its JSON forms, to records. */
import { isUtf8 } from 'node:buffer';
import { gzipSync } from 'node:zlib';
import {
  type DeadResend,
  eventTimeMsMax,
  LogweirError,
  type LogRecord,
  RecordView,
  recordBytesMax,
  severityNumberOf,
} from '#protocol/mod.ts';
import { type Bury, noBury } from '../bury.ts';
import type { Add } from '../intake.ts';
import { conventional, levelLabels } from '../mapping/conventions.ts';
import { isObject, jsonBytes, parseJson, valueText } from '../mapping/json.ts';
import { recordOfLine, recordOfObject } from '../mapping/object.ts';
import { fillView } from '../mapping/record.ts';
import { reject, type Rejections } from '../otlp/answer.ts';
import { delimited } from '../otlp/envelope.ts';
import { recordsMax, tooManyRecords } from '../otlp/limits.ts';
import { WireError, WireReader } from '../otlp/wire.ts';
import { textOf } from '../short-text.ts';
import { factsOfLabels, type LabelFacts, parseLabels } from './labels.ts';

const brace = 0x7b;
const traceNames = new Set(['trace_id', 'traceID', 'traceId', 'traceid']);
const spanNames = new Set(['span_id', 'spanID', 'spanId', 'spanid']);

interface Entry {
  timeMs: number;
  timeSubNs: number;
  line: string;
  /** Structured metadata, flat. */
  metadata: string[];
}

/** An entry as it came, or as JSON again, for its dead letter. */
type Raw = () => {
  bytes: () => Uint8Array;
  /** Where the bytes are a push of their own. */
  resend: DeadResend | undefined;
};

class Reader {
  readonly rejections: Rejections = { rejected: 0, reasons: [] };
  private readonly add: Add;
  private readonly bury: Bury;
  private readonly nowMs: number;
  private readonly view = new RecordView();
  private index = 0;

  constructor(add: Add, nowMs: number, bury: Bury) {
    this.add = add;
    this.bury = bury;
    this.nowMs = nowMs;
  }

  reject(reason: string, raw: Raw, service = ''): void {
    reject(this.rejections, this.index++, reason);
    const { bytes, resend } = raw();
    this.bury(reason, bytes, { service, resend });
  }

  entry(entry: Entry, facts: LabelFacts, raw: Raw): void {
    const record = recordOfLine(entry.line, this.nowMs);
    record.timeMs = entry.timeMs;
    record.timeSubNs = entry.timeSubNs;
    // A stream's own labels are surer than what a line says; where they say nothing, the line may.
    if (facts.namesService || record.service === undefined) record.service = facts.service;
    if (facts.severityText !== '') said(record, facts.severityText, facts.severityNumber);
    const own = record.resource;
    record.resource = facts.pairs ?? undefined;
    if (own !== undefined) (record.attributes ??= []).push(...own);
    if (entry.metadata.length > 0) this.metadata(record, entry.metadata);
    const reason = fillView(record, this.nowMs, this.view);
    if (reason !== '') return this.reject(reason, raw, record.service);
    this.index++;
    this.add(this.view);
  }

  private metadata(record: LogRecord, metadata: readonly string[]): void {
    const attributes = (record.attributes ??= []);
    for (let i = 0; i < metadata.length; i += 2) {
      const name = metadata[i] as string;
      const value = metadata[i + 1] as string;
      if (record.traceId === undefined || record.traceId === '') {
        if (traceNames.has(name) && /^[0-9a-f]{32}$/i.test(value)) {
          record.traceId = value.toLowerCase();
          continue;
        }
      }
      if ((record.spanId ?? '') === '' && spanNames.has(name) && /^[0-9a-f]{16}$/i.test(value)) {
        record.spanId = value.toLowerCase();
        continue;
      }
      if (record.severityText === '' && levelLabels.includes(name)) {
        said(record, value, severityNumberOf(value));
        continue;
      }
      attributes.push(conventional(name), value);
    }
  }

  /** The common shape without text in between: a plain line, no metadata. False where it is another. */
  slice(body: Buffer, start: number, end: number, timeMs: number, timeSubNs: number, facts: LabelFacts): boolean {
    if (end - start > recordBytesMax || body[start] === brace || !isUtf8(body.subarray(start, end))) return false;
    const { view } = this;
    view.clear();
    view.bytes = body;
    view.bodyStart = start;
    view.bodyEnd = end;
    view.timeMs = timeMs;
    view.timeSubNs = timeSubNs;
    view.observedMs = this.nowMs;
    view.service = facts.service;
    view.resource = facts.pairs;
    view.severityText = facts.severityText;
    view.severityNumber = facts.severityNumber;
    this.index++;
    this.add(view);
    return true;
  }
}

function said(record: LogRecord, text: string, number: number): void {
  if (record.severityText !== '') (record.attributes ??= []).push('log.level', record.severityText);
  record.severityText = text;
  record.severityNumber = number;
}

interface Frame {
  facts: LabelFacts | string;
  /** Where its labels lie. */
  labelsAt: number;
  labelsEnd: number;
  starts: number[];
  ends: number[];
}

/** PushRequest. @throws LogweirError REQUEST_INVALID | BODY_TOO_LARGE */
export function readPushProtobuf(
  body: Buffer,
  tenant: string,
  add: Add,
  nowMs: number,
  bury: Bury = noBury,
): Rejections {
  const reader = new Reader(add, nowMs, bury);
  const frames = framesOf(body, tenant);
  const resend = { ...resendAs('application/x-protobuf', tenant), encoding: 'gzip' };
  for (const { facts, labelsAt, labelsEnd, starts, ends } of frames) {
    const hasRoom = labelsEnd - labelsAt <= labelBytesMax;
    for (const [i, start] of starts.entries()) {
      const end = ends[i] as number;
      const raw: Raw = () => {
        const entry = body.subarray(start, end);
        if (!hasRoom) return { bytes: () => entry, resend: undefined };
        const labels = delimited(0x0a, body.subarray(labelsAt, labelsEnd));
        return { bytes: () => gzipSync(delimited(0x0a, labels, delimited(0x12, entry))), resend };
      };
      if (typeof facts === 'string') reader.reject(facts, raw);
      else entryAt(body, start, end, facts, reader, nowMs, raw);
    }
  }
  return reader.rejections;
}

/** Where streams and their entries are: what is malformed here rejects the request before anything of it was taken. */
function framesOf(body: Buffer, tenant: string): Frame[] {
  const frames: Frame[] = [];
  let entries = 0;
  try {
    const reader = new WireReader(body);
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      if (tag !== 0x0a) {
        reader.skip(tag);
        continue;
      }
      reader.delimited();
      const stream = new WireReader(body, reader.start, reader.stop);
      let labels = '{}';
      const frame: Frame = { facts: '', labelsAt: 0, labelsEnd: 0, starts: [], ends: [] };
      for (let part = stream.tag(); part !== 0; part = stream.tag()) {
        if (part === 0x0a) {
          stream.delimited();
          frame.labelsAt = stream.start;
          frame.labelsEnd = stream.stop;
          labels = textOf(body, stream.start, stream.stop);
        } else if (part === 0x12) {
          stream.delimited();
          if (++entries > recordsMax) throw tooManyRecords();
          frame.starts.push(stream.start);
          frame.ends.push(stream.stop);
        } else stream.skip(part);
      }
      if (frame.starts.length === 0) continue;
      frame.facts = factsOf(() => parseLabels(labels), tenant);
      frames.push(frame);
    }
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause;
    throw invalid(`it is no PushRequest: ${cause.message}`);
  }
  return frames;
}

/** What labels say, or why entries under them cannot be taken. */
function factsOf(labels: () => readonly string[], tenant: string): LabelFacts | string {
  try {
    const pairs = labels();
    const bytes = pairs.reduce((sum, part) => sum + Buffer.byteLength(part), 0);
    return bytes > labelBytesMax
      ? `its labels have ${bytes} bytes, ${labelBytesMax} are allowed`
      : factsOfLabels(pairs, tenant);
  } catch (error) {
    if (error instanceof LogweirError) return error.message;
    throw error;
  }
}

const labelBytesMax = 64 * 1024;

export const resendAs = (contentType: string, tenant: string): DeadResend => ({
  path: '/loki/api/v1/push',
  contentType,
  ...(tenant === '' ? {} : { headers: { 'x-scope-orgid': tenant } }),
});

function entryAt(
  body: Buffer,
  at: number,
  end: number,
  facts: LabelFacts,
  into: Reader,
  nowMs: number,
  raw: Raw,
): void {
  let timeMs = nowMs;
  let timeSubNs = 0;
  let start = at;
  let stop = at;
  const metadata: string[] = [];
  try {
    const reader = new WireReader(body, at, end);
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      if (tag === 0x0a) {
        reader.delimited();
        const time = timestampAt(new WireReader(body, reader.start, reader.stop));
        if (time.ms < 0 || time.ms > eventTimeMsMax) metadata.push('timestamp', time.text);
        else {
          timeMs = time.ms;
          timeSubNs = time.subNs;
        }
      } else if (tag === 0x12) {
        reader.delimited();
        start = reader.start;
        stop = reader.stop;
      } else if (tag === 0x1a || tag === 0x22) {
        reader.delimited();
        const pair = new WireReader(body, reader.start, reader.stop);
        let name = '';
        let value = '';
        for (let part = pair.tag(); part !== 0; part = pair.tag()) {
          if (part !== 0x0a && part !== 0x12) {
            pair.skip(part);
            continue;
          }
          pair.delimited();
          if (part === 0x0a) name = textOf(body, pair.start, pair.stop);
          else value = body.toString('utf8', pair.start, pair.stop);
        }
        metadata.push(name, value);
      } else reader.skip(tag);
    }
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause;
    return into.reject(`malformed: ${cause.message}`, raw, facts.service);
  }
  if (metadata.length === 0 && into.slice(body, start, stop, timeMs, timeSubNs, facts)) return;
  if (stop - start > recordBytesMax)
    return into.reject(`it has ${stop - start} bytes, ${recordBytesMax} are allowed`, raw, facts.service);
  into.entry({ timeMs, timeSubNs, line: body.toString('utf8', start, stop), metadata }, facts, raw);
}

/** google.protobuf.Timestamp. */
function timestampAt(reader: WireReader): { ms: number; subNs: number; text: string } {
  let seconds = 0;
  let nanoseconds = 0;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag !== 0x08 && tag !== 0x10) {
      reader.skip(tag);
      continue;
    }
    reader.varint();
    if (tag === 0x08) seconds = Number(reader.signed());
    else nanoseconds = reader.low;
  }
  const within = Math.floor(nanoseconds / 1e6);
  return { ms: seconds * 1_000 + within, subNs: nanoseconds % 1e6, text: `${seconds}.${nanoseconds}` };
}

/** `{"streams":[{"stream":{…},"values":[["ns","line",{…}]]}]}`, or the older form with `labels` and `entries`. */
export function readPushJson(body: Buffer, tenant: string, add: Add, nowMs: number, bury: Bury = noBury): Rejections {
  let value: unknown;
  try {
    value = parseJson(body.toString('utf8'));
  } catch (cause) {
    throw invalid(`it is no JSON: ${(cause as Error).message}`);
  }
  if (!isObject(value) || !Array.isArray(value['streams'])) throw invalid('it has no list of streams');
  const reader = new Reader(add, nowMs, bury);
  const resend = resendAs('application/json', tenant);
  const streams = value['streams'] as unknown[];
  const count = streams.reduce((sum: number, stream) => sum + entriesOf(stream).length, 0);
  if (count > recordsMax) throw tooManyRecords();
  for (const stream of streams) {
    if (!isObject(stream)) {
      reader.reject('a stream is no object', () => ({ bytes: () => jsonBytes(stream), resend: undefined }));
      continue;
    }
    const { labels, stream: object } = stream;
    const facts = factsOf(
      () =>
        isObject(object)
          ? Object.entries(object).flatMap(([name, text]) => [name, valueText(text)])
          : parseLabels(typeof labels === 'string' ? labels : '{}'),
      tenant,
    );
    let room: boolean | undefined;
    const rawOf = (entry: unknown): ReturnType<Raw> => {
      room ??= jsonBytes({ labels, object }).length <= labelBytesMax;
      if (!room) return { bytes: () => jsonBytes(entry), resend: undefined };
      // The form with `labels` has entries of its own, which the other reads as well.
      const push = { streams: [{ stream: object, labels, values: [entry] }] };
      return { bytes: () => jsonBytes(push), resend };
    };
    for (const entry of entriesOf(stream)) {
      if (typeof facts === 'string') reader.reject(facts, () => rawOf(entry));
      else takeJson(entry, facts, reader, nowMs, rawOf);
    }
  }
  return reader.rejections;
}

function entriesOf(stream: unknown): readonly unknown[] {
  if (!isObject(stream)) return [];
  const list = stream['values'] ?? stream['entries'];
  return Array.isArray(list) ? (list as unknown[]) : [];
}

function takeJson(
  entry: unknown,
  facts: LabelFacts,
  reader: Reader,
  nowMs: number,
  rawOf: (entry: unknown) => ReturnType<Raw>,
): void {
  const raw: Raw = () => rawOf(entry);
  const [stamp, line, more] = Array.isArray(entry)
    ? (entry as unknown[])
    : isObject(entry)
      ? [entry['ts'] ?? entry['timestamp'], entry['line'], entry['structuredMetadata']]
      : [];
  if (line === undefined || line === null) return reader.reject('it is no [time, line]', raw, facts.service);
  try {
    const metadata = isObject(more) ? Object.entries(more).flatMap(([name, text]) => [name, valueText(text)]) : [];
    // The reading of any field called timestamp: digits by their magnitude, or a date.
    const read = recordOfObject({ timestamp: valueText(stamp), message: '-' }, nowMs);
    const timeMs = 'reject' in read ? undefined : read.timeMs;
    if (timeMs === undefined && valueText(stamp) !== '') metadata.push('timestamp', valueText(stamp));
    const timeSubNs = 'reject' in read ? 0 : (read.timeSubNs ?? 0);
    reader.entry({ timeMs: timeMs ?? nowMs, timeSubNs, line: valueText(line), metadata }, facts, raw);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    reader.reject('it is nested too deep', raw, facts.service);
  }
}

function invalid(what: string): LogweirError {
  return new LogweirError(
    'REQUEST_INVALID',
    `The body cannot be read: ${what}.`,
    'Nothing of it was taken. Check that Content-Type says what the body is.',
  );
}
