/** Builds `RecordBatch`es record by record. Hot path of the gateway; benchmark: loadtest/bench/parts.bench.ts. */
import { type AttributeColumns, type Dictionary, noIdempotencyKey, type RecordBatch } from './batch.ts';
import { ByteWriter } from './byte-writer.ts';
import { DictionaryBuilder } from './dictionary-builder.ts';
import { batchBytesMax, batchRowsMax } from './limits.ts';
import type { LogRecord } from './record.ts';
import { TimeColumn } from './time-column.ts';

/**
 * One record on its way into a batch. Reused from record to record: body and attribute values are slices of
 * `bytes`, so that nothing is decoded to text that nobody asked for.
 */
export class RecordView {
  timeMs = 0;
  timeSubNs = 0;
  /** As in `LogRecord`; not on the wire. */
  zoneAssumedMinutes: number | undefined;
  observedMs = 0;
  severityNumber = 0;
  severityText = '';
  service = '';
  bytes: Uint8Array = new Uint8Array(0);
  /** Bytes of its own, for rows. */
  scratch: Uint8Array = new Uint8Array(0);
  bodyStart = 0;
  bodyEnd = 0;
  /** Hex digits of the ids in `bytes`, where `traceId` and `spanId` were not set as text. */
  traceStart = 0;
  traceEnd = 0;
  spanStart = 0;
  spanEnd = 0;
  traceFlags = 0;
  attributeCount = 0;
  readonly attributeKeys: string[] = [];
  readonly attributeStarts: number[] = [];
  readonly attributeEnds: number[] = [];
  /** Flat key, value list; identity matters: the same array object is one dictionary entry. */
  resource: string[] | null = null;
  scope: string[] | null = null;
  idempotencyKey = '';
  ordinal = 0;
  private traceText = '';
  private spanText = '';

  get traceId(): string {
    if (this.traceEnd > this.traceStart) {
      this.traceText = asciiOf(this.bytes, this.traceStart, this.traceEnd);
      this.traceStart = this.traceEnd = 0;
    }
    return this.traceText;
  }

  set traceId(text: string) {
    this.traceText = text;
    this.traceStart = this.traceEnd = 0;
  }

  get spanId(): string {
    if (this.spanEnd > this.spanStart) {
      this.spanText = asciiOf(this.bytes, this.spanStart, this.spanEnd);
      this.spanStart = this.spanEnd = 0;
    }
    return this.spanText;
  }

  set spanId(text: string) {
    this.spanText = text;
    this.spanStart = this.spanEnd = 0;
  }

  clear(): void {
    this.timeMs = 0;
    this.timeSubNs = 0;
    this.zoneAssumedMinutes = undefined;
    this.severityNumber = 0;
    this.severityText = '';
    this.service = '';
    this.bodyStart = 0;
    this.bodyEnd = 0;
    this.traceId = '';
    this.spanId = '';
    this.traceFlags = 0;
    this.attributeCount = 0;
    this.resource = null;
    this.scope = null;
    this.idempotencyKey = '';
    this.ordinal = 0;
  }
}

const noPairs: string[] = [];

/** Attribute pairs of one batch stay under 16 bits, as their dictionary indices are. */
const attributePairsMax = 60_000;

export class BatchBuilder {
  rows = 0;
  /** Payload so far, roughly, in bytes. Dictionaries count too: names of attributes and resources are as long as senders like. */
  bytes = 0;
  private readonly lane: string;
  private readonly source: string;
  private receivedMs = 0;
  private readonly time = new TimeColumn();
  private readonly observed = new TimeColumn();
  private readonly service = new DictionaryBuilder<string>();
  private readonly severityText = new DictionaryBuilder<string>();
  private readonly body = new ByteWriter(65536);
  private readonly traceId = new ByteWriter(64);
  private readonly spanId = new ByteWriter(64);
  private hasTrace = false;
  private readonly resource = new DictionaryBuilder<string[]>();
  private hasResource = false;
  private readonly scope = new DictionaryBuilder<string[]>();
  private hasScope = false;
  private readonly attributeKeys = new DictionaryBuilder<string>();
  private readonly attributeValues = new ByteWriter(1024);
  private attributePairs = 0;
  private idempotencyKeys = new Map<string, number>();
  /** One entry a row, for as many rows as there is room. */
  private severityNumber = new Uint8Array(512);
  private traceFlags = new Uint8Array(512);
  private attributeCounts = new Uint16Array(512);
  private idempotencyIndex = new Uint16Array(512);
  private ordinal = new Uint32Array(512);

  constructor(lane: string, source: string) {
    this.lane = lane;
    this.source = source;
  }

  get full(): boolean {
    return this.rows >= batchRowsMax || this.bytes >= batchBytesMax || this.attributePairs >= attributePairsMax;
  }

  add(record: RecordView, receivedMs: number): void {
    const row = this.rows++;
    if (row === 0) this.receivedMs = receivedMs;
    if (row === this.ordinal.length) this.grow(row * 2);
    this.time.add(record.timeMs, record.timeSubNs);
    this.observed.add(record.observedMs, 0);
    this.service.add(record.service);
    this.severityText.add(record.severityText);
    this.severityNumber[row] = record.severityNumber;
    this.body.slice(record.bytes, record.bodyStart, record.bodyEnd);
    this.addTrace(record, row);
    this.resource.add(record.resource ?? noPairs);
    if (record.resource !== null && record.resource.length > 0) this.hasResource = true;
    this.scope.add(record.scope ?? noPairs);
    if (record.scope !== null) this.hasScope = true;
    const { attributeCount } = record;
    this.attributeCounts[row] = attributeCount;
    for (let i = 0; i < attributeCount; i++) {
      this.attributeKeys.add(record.attributeKeys[i] as string);
      this.attributeValues.slice(record.bytes, record.attributeStarts[i] as number, record.attributeEnds[i] as number);
    }
    this.attributePairs += attributeCount;
    this.idempotencyIndex[row] = record.idempotencyKey === '' ? noIdempotencyKey : this.keyOf(record.idempotencyKey);
    this.ordinal[row] = record.ordinal;
    const names = this.service.bytes + this.severityText.bytes + this.resource.bytes + this.attributeKeys.bytes;
    this.bytes = this.body.length + this.attributeValues.length + names + this.scope.bytes + this.rows * 40;
  }

  /** Ids are columns from the first record on that has one. */
  private addTrace(record: RecordView, row: number): void {
    const { bytes, traceStart, traceEnd, spanStart, spanEnd } = record;
    const hasTrace = traceEnd > traceStart;
    const hasSpan = spanEnd > spanStart;
    if (!this.hasTrace) {
      if (!hasTrace && !hasSpan && record.traceId === '' && record.spanId === '' && record.traceFlags === 0) return;
      this.hasTrace = true;
      this.traceId.zeros(row);
      this.spanId.zeros(row);
      this.traceFlags.fill(0, 0, row);
    }
    if (hasTrace) this.traceId.slice(bytes, traceStart, traceEnd);
    else this.traceId.string(record.traceId);
    if (hasSpan) this.spanId.slice(bytes, spanStart, spanEnd);
    else this.spanId.string(record.spanId);
    this.traceFlags[row] = record.traceFlags;
  }

  private keyOf(name: string): number {
    let key = this.idempotencyKeys.get(name);
    if (key === undefined) {
      key = this.idempotencyKeys.size;
      this.idempotencyKeys.set(name, key);
    }
    return key;
  }

  private grow(rows: number): void {
    const grown = <T extends Uint8Array | Uint16Array | Uint32Array>(larger: T, from: T): T => {
      larger.set(from);
      return larger;
    };
    this.severityNumber = grown(new Uint8Array(rows), this.severityNumber);
    this.traceFlags = grown(new Uint8Array(rows), this.traceFlags);
    this.attributeCounts = grown(new Uint16Array(rows), this.attributeCounts);
    this.idempotencyIndex = grown(new Uint16Array(rows), this.idempotencyIndex);
    this.ordinal = grown(new Uint32Array(rows), this.ordinal);
  }

  /** The batch so far; the builder starts over. Null when empty. */
  take(): RecordBatch | null {
    const { rows } = this;
    if (rows === 0) return null;
    const values = this.body.length + this.attributeValues.length + this.traceId.length + this.spanId.length;
    const store = new ColumnStore(values + this.attributePairs * 2 + rows * fixedBytesPerRow);
    const fixed = (column: Uint8Array | Uint16Array | Uint32Array): Uint8Array =>
      store.keep(new Uint8Array(column.buffer, 0, rows * column.BYTES_PER_ELEMENT));
    const dictionary = <T extends string | string[]>(builder: DictionaryBuilder<T>): Dictionary<T> => ({
      values: builder.values,
      index: store.keep(builder.indexView()),
    });
    const attributes: AttributeColumns | null =
      this.attributePairs === 0
        ? null
        : {
            counts: fixed(this.attributeCounts),
            keys: dictionary(this.attributeKeys),
            values: store.keep(this.attributeValues.view()),
          };
    const batch: RecordBatch = {
      rows,
      lane: this.lane,
      source: this.source,
      receivedMs: this.receivedMs,
      time: store.keep(this.time.view()),
      observed: store.keep(this.observed.view()),
      service: dictionary(this.service),
      severityText: dictionary(this.severityText),
      severityNumber: fixed(this.severityNumber),
      body: store.keep(this.body.view()),
      traceId: this.hasTrace ? store.keep(this.traceId.view()) : null,
      spanId: this.hasTrace ? store.keep(this.spanId.view()) : null,
      traceFlags: this.hasTrace ? fixed(this.traceFlags) : null,
      resource: this.hasResource ? dictionary(this.resource) : null,
      scope: this.hasScope ? dictionary(this.scope) : null,
      attributes,
      idempotency:
        this.idempotencyKeys.size === 0
          ? null
          : {
              keys: [...this.idempotencyKeys.keys()],
              index: fixed(this.idempotencyIndex),
              ordinal: fixed(this.ordinal),
            },
    };
    this.clear();
    return batch;
  }

  private clear(): void {
    this.rows = 0;
    this.bytes = 0;
    this.hasTrace = false;
    this.hasResource = false;
    this.hasScope = false;
    this.attributePairs = 0;
    this.idempotencyKeys = new Map();
    for (const column of [
      this.time,
      this.observed,
      this.service,
      this.severityText,
      this.resource,
      this.scope,
      this.attributeKeys,
      this.body,
      this.traceId,
      this.spanId,
      this.attributeValues,
    ])
      column.clear();
  }
}

/** Of a row at most, without texts: times, two numbers of one byte, six of two, an ordinal. */
const fixedBytesPerRow = 2 * 8 + 2 + 6 * 2 + 4;

/** Columns of one batch in one buffer: an allocation each costs more than the copy. */
class ColumnStore {
  private readonly bytes: Uint8Array;
  private used = 0;

  constructor(bytesMax: number) {
    this.bytes = new Uint8Array(bytesMax);
  }

  keep(column: Uint8Array): Uint8Array {
    const start = this.used;
    this.used += column.length;
    this.bytes.set(column, start);
    return this.bytes.subarray(start, this.used);
  }
}

const encoder = new TextEncoder();
/** A view's own bytes are kept up to this size; longer records get theirs anew. */
const scratchBytesMax = 64 * 1024;

const asciiOf = (bytes: Uint8Array, start: number, end: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');

/**
 * Fills a view from a row: for parsers that make rows, and for tests. Missing time and service take the fallbacks. The view
 * holds until it is filled again: its bytes are used again then.
 */
export function viewOf(
  record: LogRecord,
  fallback: { observedMs: number; service: string },
  view: RecordView,
): RecordView {
  view.clear();
  const pairs = record.attributes ?? noPairs;
  let text = record.body;
  for (let i = 1; i < pairs.length; i += 2) text += pairs[i] as string;
  const bytes = scratchOf(view, text.length * 3);
  view.bytes = bytes;
  // Nearly all text is ASCII: encoded at once, and where a character is, there is its byte.
  const isAscii = encoder.encodeInto(text, bytes).written === text.length;
  let at = isAscii ? record.body.length : encoder.encodeInto(record.body, bytes).written;
  view.bodyEnd = at;
  let count = 0;
  for (let i = 0; i + 1 < pairs.length; i += 2, count++) {
    const value = pairs[i + 1] as string;
    view.attributeKeys[count] = pairs[i] as string;
    view.attributeStarts[count] = at;
    at += isAscii ? value.length : encoder.encodeInto(value, bytes.subarray(at)).written;
    view.attributeEnds[count] = at;
  }
  view.attributeCount = count;
  view.observedMs = fallback.observedMs;
  view.timeMs = record.timeMs ?? fallback.observedMs;
  view.timeSubNs = record.timeMs === undefined ? 0 : (record.timeSubNs ?? 0);
  view.zoneAssumedMinutes = record.zoneAssumedMinutes;
  view.severityNumber = record.severityNumber;
  view.severityText = record.severityText;
  view.service = record.service ?? fallback.service;
  view.traceId = record.traceId ?? '';
  view.spanId = record.spanId ?? '';
  view.traceFlags = record.traceFlags ?? 0;
  view.resource = record.resource ?? null;
  view.scope = record.scope ?? null;
  return view;
}

function scratchOf(view: RecordView, bytesMax: number): Uint8Array {
  if (bytesMax > scratchBytesMax) return new Uint8Array(bytesMax);
  if (view.scratch.length < bytesMax) view.scratch = new Uint8Array(Math.min(bytesMax * 2, scratchBytesMax));
  return view.scratch;
}
