/**
 * ExportLogsServiceRequest in protobuf to record views, in place: string bodies and attributes are slices of the request.
 * Only what is no string, or no valid UTF-8, is written out as text, into a buffer that all records share.
 *
 * First the frame is walked once: resources, scopes, and where each record lies. What is malformed there rejects the
 * request before anything of it was taken; what is malformed within a record rejects that record alone.
 * Hot path; benchmark: loadtest/bench/otlp.bench.ts.
 */
import { isUtf8 } from 'node:buffer';
import {
  attributesMax,
  eventTimeMsMax,
  LogweirError,
  RecordView,
  recordBytesMax,
  severityNumberOf,
} from '#protocol/mod.ts';
import { rememberOften, type Resource, resourceOf } from '../mapping/resource.ts';
import { textOf } from '../short-text.ts';
import { anyTag, anyValueText } from './any-value.ts';
import { type Envelope, envelopeOf, requestOf } from './envelope.ts';
import { observedOf, recordsMax, resourceBytesMax, scopePairs, tooManyRecords } from './limits.ts';
import { WireError, WireReader } from './wire.ts';

/** Records of one ScopeLogs: they share resource and scope. */
interface Group {
  resource: Resource | null;
  /** Why none of its records can be taken. */
  refused: string;
  scope: string[] | null;
  /** Scope attributes, told with every record. */
  scopeAttributes: string[];
  firstRecord: number;
  /** Where its ResourceLogs and its ScopeLogs lie. */
  resourceLogs: Span;
  scopeLogs: Span;
  /** What is around its records, once it was asked for; null where that is too much to go with a record. */
  envelope: Envelope | null | undefined;
}

interface Span {
  start: number;
  end: number;
}

/** The Resource or InstrumentationScope of a message, as bytes in latin1; cut off where they are too many. */
interface Shared {
  joined: string;
  bytes: number;
  schemaUrl: string;
}

interface Scope {
  pair: string[] | null;
  attributes: string[];
}

const resourcesRead = rememberOften<Resource>();
const scopesRead = rememberOften<Scope>();
const noScope: Scope = { pair: null, attributes: [] };
const asciiCheckedByHandBytes = 96;
const hexOfZeros = /^0+$/;

export class ProtobufLogs {
  readonly view = new RecordView();
  /** Of the last record or rejection, from 0. */
  index = -1;
  /** Why the last record was rejected. */
  reason = '';
  private readonly body: Buffer;
  private readonly nowMs: number;
  private readonly reader: WireReader;
  private readonly groups: Group[] = [];
  private readonly starts: number[] = [];
  private readonly ends: number[] = [];
  private group = 0;
  private scratch = Buffer.allocUnsafe(4096);
  private scratchLength = 0;
  private valueBytes = 0;
  private rest: string[] = [];
  /** When the sender saw it, ms; -1 = not said. */
  private observedMs = -1;
  private readonly place: { start: number; end: number } = { start: 0, end: 0 };

  /** @throws LogweirError REQUEST_INVALID | BODY_TOO_LARGE */
  constructor(body: Buffer, nowMs: number) {
    this.body = body;
    this.nowMs = nowMs;
    this.reader = new WireReader(body);
    try {
      this.frame();
    } catch (cause) {
      if (!(cause instanceof WireError)) throw cause;
      throw new LogweirError(
        'REQUEST_INVALID',
        `The body is no ExportLogsServiceRequest: ${cause.message}.`,
        'Nothing of it was taken. Check that Content-Type says what the body is.',
        { cause },
      );
    }
  }

  /** The last record as it came. */
  get recordBytes(): Buffer {
    return this.body.subarray(this.starts[this.index], this.ends[this.index]);
  }

  /** What makes a request with the last record alone; null where its resource and scope are too large for that. */
  get alone(): (() => Buffer) | null {
    const group = this.groups[this.group] as Group;
    group.envelope ??= envelopeOf(this.body, group.resourceLogs, group.scopeLogs);
    const { envelope } = group;
    const record = this.recordBytes;
    return envelope === null ? null : () => requestOf(envelope, record);
  }

  next(): 'record' | 'rejected' | 'end' {
    const index = ++this.index;
    if (index >= this.starts.length) return 'end';
    while (this.group + 1 < this.groups.length && (this.groups[this.group + 1] as Group).firstRecord <= index)
      this.group++;
    const group = this.groups[this.group] as Group;
    this.reason = group.refused;
    if (this.reason !== '') return 'rejected';
    const start = this.starts[index] as number;
    const end = this.ends[index] as number;
    // What is no string may shrink as text, but never to a fourth.
    if (end - start > 4 * recordBytesMax) {
      this.reason = `it has ${end - start} bytes, ${recordBytesMax} are allowed`;
      return 'rejected';
    }
    try {
      this.record(start, end, group);
    } catch (cause) {
      if (!(cause instanceof WireError)) throw cause;
      this.reason = `malformed: ${cause.message}`;
      return 'rejected';
    }
    if (this.valueBytes <= recordBytesMax) return 'record';
    this.reason = `it has ${this.valueBytes} bytes, ${recordBytesMax} are allowed`;
    return 'rejected';
  }

  private frame(): void {
    const { reader } = this;
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      if (tag !== 0x0a) {
        reader.skip(tag);
        continue;
      }
      reader.delimited();
      this.resourceLogs(reader.start, reader.stop);
    }
  }

  private resourceLogs(at: number, end: number): void {
    const firstGroup = this.groups.length;
    const firstRecord = this.starts.length;
    const { joined, bytes, schemaUrl } = this.shared(at, end, (from, to) => this.scopeLogs(from, to));
    if (this.starts.length === firstRecord) return;
    const refused = bytes > resourceBytesMax ? `its resource has ${bytes} bytes, ${resourceBytesMax} are allowed` : '';
    const resource =
      refused === '' ? resourcesRead.get(`${schemaUrl}\0${joined}`, () => readResource(joined, schemaUrl)) : null;
    for (let i = firstGroup; i < this.groups.length; i++) {
      const group = this.groups[i] as Group;
      group.resource = resource;
      group.resourceLogs = { start: at, end };
      if (refused !== '') group.refused = refused;
    }
  }

  private scopeLogs(at: number, end: number): void {
    const firstRecord = this.starts.length;
    const { joined, bytes, schemaUrl } = this.shared(at, end, (from, to) => this.noteRecord(from, to));
    if (this.starts.length === firstRecord) return;
    const scope =
      bytes === 0 && schemaUrl === ''
        ? noScope
        : scopesRead.get(`${schemaUrl}\0${joined}`, () => readScope(joined, schemaUrl));
    this.groups.push({
      resource: null,
      refused: bytes > resourceBytesMax ? `its scope has ${bytes} bytes, ${resourceBytesMax} are allowed` : '',
      scope: scope.pair,
      scopeAttributes: scope.attributes,
      firstRecord,
      resourceLogs: { start: 0, end: 0 },
      scopeLogs: { start: at, end },
      envelope: undefined,
    });
  }

  private noteRecord(start: number, end: number): void {
    if (this.starts.length >= recordsMax) throw tooManyRecords();
    this.starts.push(start);
    this.ends.push(end);
  }

  /** A ResourceLogs or ScopeLogs: what its members share is field 1, the members 2, the schema's URL 3. */
  private shared(at: number, end: number, member: (start: number, end: number) => void): Shared {
    const reader = new WireReader(this.body, at, end);
    const pieces: string[] = [];
    let bytes = 0;
    let schemaUrl = '';
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      switch (tag) {
        case 0x0a:
          reader.delimited();
          bytes += reader.stop - reader.start;
          // Parts of a message that comes in pieces are merged, that is, joined.
          if (bytes <= resourceBytesMax) pieces.push(this.body.toString('latin1', reader.start, reader.stop));
          break;
        case 0x12:
          reader.delimited();
          member(reader.start, reader.stop);
          break;
        case 0x1a:
          reader.delimited();
          schemaUrl = this.body.toString('utf8', reader.start, Math.min(reader.stop, reader.start + 1024));
          break;
        default:
          reader.skip(tag);
      }
    }
    return { joined: pieces.join(''), bytes, schemaUrl };
  }

  private record(at: number, end: number, group: Group): void {
    const { reader, view, body } = this;
    view.clear();
    view.service = (group.resource as Resource).service;
    view.resource = (group.resource as Resource).pairs;
    view.scope = group.scope;
    this.scratchLength = 0;
    this.valueBytes = 0;
    this.observedMs = -1;
    if (this.rest.length > 0) this.rest = [];
    let hasTime = false;
    let eventName = '';
    let timeText = '';
    reader.within(at, end);
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      switch (tag) {
        case 0x09: {
          reader.fixed64();
          if (reader.low === 0 && reader.high === 0) break;
          // 2^32 ns are 4294 ms and 967296 ns: nothing here leaves what doubles hold exactly.
          const rest = reader.high * 967_296 + reader.low;
          const ms = Math.floor(rest / 1_000_000);
          view.timeMs = reader.high * 4_294 + ms;
          view.timeSubNs = rest - ms * 1_000_000;
          hasTime = view.timeMs <= eventTimeMsMax;
          timeText = hasTime ? '' : reader.unsigned();
          break;
        }
        case 0x59:
          reader.fixed64();
          this.observedMs = reader.high * 4_294 + Math.floor((reader.high * 967_296 + reader.low) / 1_000_000);
          break;
        case 0x10:
          reader.varint();
          if (reader.high === 0 && reader.low <= 24) view.severityNumber = reader.low;
          else this.attribute('severity_number', reader.signed());
          break;
        case 0x1a:
          reader.delimited();
          view.severityText = textOf(body, reader.start, reader.stop);
          this.valueBytes += reader.stop - reader.start;
          break;
        case 0x2a:
          reader.delimited();
          this.value(reader.start, reader.stop, this.place);
          view.bodyStart = this.place.start;
          view.bodyEnd = this.place.end;
          break;
        case 0x32:
          reader.delimited();
          this.keyValue(reader.start, reader.stop);
          break;
        case 0x38:
          reader.varint();
          if (reader.low !== 0) this.attribute('otel.dropped_attributes_count', reader.unsigned());
          break;
        case 0x45:
          view.traceFlags = reader.fixed32() & 0xff;
          break;
        case 0x4a:
          reader.delimited();
          view.traceId = this.hex('trace_id', 16);
          break;
        case 0x52:
          reader.delimited();
          view.spanId = this.hex('span_id', 8);
          break;
        case 0x62:
          reader.delimited();
          eventName = textOf(body, reader.start, reader.stop);
          break;
        default:
          reader.skip(tag);
      }
    }
    if (eventName !== '') this.attribute('event.name', eventName);
    for (let i = 0; i < group.scopeAttributes.length; i += 2)
      this.attribute(group.scopeAttributes[i] as string, group.scopeAttributes[i + 1] as string);
    if (timeText !== '') this.attribute('time_unix_nano', timeText);
    this.settleTimes(hasTime);
    if (view.severityNumber === 0 && view.severityText !== '')
      view.severityNumber = severityNumberOf(view.severityText);
    if (this.rest.length > 0) this.foldRest();
    this.settleBytes();
  }

  private settleTimes(hasTime: boolean): void {
    const { view, nowMs, observedMs } = this;
    view.observedMs = observedOf(observedMs, nowMs);
    if (!hasTime) {
      view.timeMs = observedMs > 0 && observedMs <= eventTimeMsMax ? observedMs : nowMs;
      view.timeSubNs = 0;
    } else if (observedMs > 0 && view.observedMs !== observedMs)
      this.attribute('observed_time_unix_ms', String(observedMs));
  }

  private keyValue(at: number, end: number): void {
    const { reader } = this;
    const { at: before, end: beforeEnd } = reader;
    reader.within(at, end);
    let key = '';
    let start = at;
    let stop = at;
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      if (tag === 0x0a) {
        reader.delimited();
        key = textOf(this.body, reader.start, reader.stop);
      } else if (tag === 0x12) {
        reader.delimited();
        start = reader.start;
        stop = reader.stop;
      } else reader.skip(tag);
    }
    reader.within(before, beforeEnd);
    this.valueBytes += key.length;
    const { view } = this;
    // Two are kept for what the record itself adds, one for what is over the limit.
    if (view.attributeCount >= attributesMax - 3) {
      const text = anyValueText(reader, start, stop);
      this.valueBytes += text.length;
      this.rest.push(key, text);
      return;
    }
    const slot = view.attributeCount;
    this.value(start, stop, this.place);
    view.attributeCount++;
    view.attributeKeys[slot] = key;
    view.attributeStarts[slot] = this.place.start;
    view.attributeEnds[slot] = this.place.end;
  }

  private attribute(key: string, text: string): void {
    const { view } = this;
    this.valueBytes += key.length;
    if (view.attributeCount >= attributesMax - 1) {
      this.rest.push(key, text);
      return;
    }
    const slot = view.attributeCount++;
    view.attributeKeys[slot] = key;
    this.written(text, this.place);
    view.attributeStarts[slot] = this.place.start;
    view.attributeEnds[slot] = this.place.end;
  }

  private foldRest(): void {
    const { rest } = this;
    const parts: string[] = [];
    for (let i = 0; i < rest.length; i += 2) parts.push(`${JSON.stringify(rest[i])}:${JSON.stringify(rest[i + 1])}`);
    const { view } = this;
    const slot = view.attributeCount++;
    view.attributeKeys[slot] = 'attributes.rest';
    this.written(`{${parts.join(',')}}`, this.place);
    view.attributeStarts[slot] = this.place.start;
    view.attributeEnds[slot] = this.place.end;
  }

  /** Where the text of an AnyValue is: in the request where that holds it, else in the scratch buffer, counted from the request's end. */
  private value(at: number, end: number, place: { start: number; end: number }): void {
    const { reader, body } = this;
    // The common shape: one field, a string that fills the value.
    if (end - at >= 2 && body[at] === anyTag.string) {
      const { at: before, end: beforeEnd } = reader;
      reader.within(at + 1, end);
      reader.delimited();
      const { start, stop } = reader;
      reader.within(before, beforeEnd);
      if (stop === end && this.isText(start, stop)) {
        place.start = start;
        place.end = stop;
        this.valueBytes += stop - start;
        return;
      }
    }
    this.written(anyValueText(reader, at, end), place);
  }

  private isText(start: number, end: number): boolean {
    const { body } = this;
    if (end - start > asciiCheckedByHandBytes) return isUtf8(body.subarray(start, end));
    for (let at = start; at < end; at++) if ((body[at] as number) >= 0x80) return isUtf8(body.subarray(start, end));
    return true;
  }

  private written(text: string, place: { start: number; end: number }): void {
    const bytes = this.room(text.length * 3);
    const size = bytes.write(text, this.scratchLength, 'utf8');
    place.start = this.body.length + this.scratchLength;
    this.scratchLength += size;
    place.end = this.body.length + this.scratchLength;
    this.valueBytes += size;
  }

  /** A view has one buffer: with anything in the scratch buffer, the rest of the record goes there too. */
  private settleBytes(): void {
    const { view, body } = this;
    view.bytes = body;
    if (this.scratchLength === 0 || this.valueBytes > recordBytesMax) return;
    const shift = body.length;
    view.bodyStart = this.moved(view.bodyStart, view.bodyEnd);
    view.bodyEnd = view.bodyStart + this.movedBytes;
    for (let i = 0; i < view.attributeCount; i++) {
      const start = view.attributeStarts[i] as number;
      const end = view.attributeEnds[i] as number;
      view.attributeStarts[i] = start >= shift ? start - shift : this.moved(start, end);
      view.attributeEnds[i] = (view.attributeStarts[i] as number) + (end - start);
    }
    view.bytes = this.scratch;
  }

  private movedBytes = 0;

  private moved(start: number, end: number): number {
    this.movedBytes = end - start;
    if (start >= this.body.length) return start - this.body.length;
    const bytes = this.room(end - start);
    const at = this.scratchLength;
    this.body.copy(bytes, at, start, end);
    this.scratchLength += end - start;
    return at;
  }

  private room(bytes: number): Buffer {
    const needed = this.scratchLength + bytes;
    if (needed > this.scratch.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, this.scratch.length * 2));
      this.scratch.copy(grown, 0, 0, this.scratchLength);
      this.scratch = grown;
    }
    return this.scratch;
  }

  /** An id in hex; all zeros means none, and another length is kept as an attribute. */
  private hex(name: string, size: number): string {
    const { start, stop } = this.reader;
    if (stop === start) return '';
    const text = this.body.toString('hex', start, stop);
    if (stop - start !== size) {
      this.attribute(name, text);
      return '';
    }
    return hexOfZeros.test(text) ? '' : text;
  }
}

/** Attributes of a Resource or InstrumentationScope: field `field` repeated, as a flat list. */
function readAttributes(reader: WireReader, field: number, other: (tag: number) => void): string[] {
  const pairs: string[] = [];
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag !== field) {
      other(tag);
      continue;
    }
    reader.delimited();
    const inner = new WireReader(reader.bytes, reader.start, reader.stop);
    let key = '';
    let value = '';
    for (let part = inner.tag(); part !== 0; part = inner.tag()) {
      if (part === 0x0a) {
        inner.delimited();
        key = inner.bytes.toString('utf8', inner.start, inner.stop);
      } else if (part === 0x12) {
        inner.delimited();
        value = anyValueText(inner, inner.start, inner.stop);
      } else inner.skip(part);
    }
    pairs.push(key, value);
  }
  return pairs;
}

function readResource(joined: string, schemaUrl: string): Resource {
  const reader = new WireReader(Buffer.from(joined, 'latin1'));
  let dropped = '';
  const pairs = readAttributes(reader, 0x0a, (tag) => {
    if (tag !== 0x10) return reader.skip(tag);
    reader.varint();
    dropped = reader.unsigned();
  });
  if (dropped !== '' && dropped !== '0') pairs.push('otel.dropped_attributes_count', dropped);
  if (schemaUrl !== '') pairs.push('otel.schema_url', schemaUrl);
  return resourceOf(pairs);
}

function readScope(joined: string, schemaUrl: string): Scope {
  const reader = new WireReader(Buffer.from(joined, 'latin1'));
  let name = '';
  let version = '';
  const attributes = readAttributes(reader, 0x1a, (tag) => {
    if (tag !== 0x0a && tag !== 0x12) return reader.skip(tag);
    reader.delimited();
    const text = reader.bytes.toString('utf8', reader.start, reader.stop);
    if (tag === 0x0a) name = text;
    else version = text;
  });
  return {
    pair: name === '' && version === '' ? null : [name, version],
    attributes: scopePairs(attributes, schemaUrl),
  };
}
