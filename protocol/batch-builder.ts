/** Builds `RecordBatch`es record by record. Hot path of the gateway; benchmark: loadtest/bench/gateway.bench.ts. */
import { type AttributeColumns, noIdempotencyKey, type RecordBatch } from './batch.ts';
import { ByteWriter } from './byte-writer.ts';
import { DictionaryBuilder } from './dictionary-builder.ts';
import { batchBytesMax, batchRowsMax } from './limits.ts';
import type { LogRecord } from './record.ts';

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
  traceId = '';
  spanId = '';
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
  private readonly lane: string;
  private readonly source: string;
  private receivedMs = 0;
  private readonly time = new ByteWriter(4096);
  private readonly observed = new ByteWriter(4096);
  private readonly service = new DictionaryBuilder<string>();
  private readonly severityText = new DictionaryBuilder<string>();
  private readonly severityNumber = new ByteWriter(512);
  private readonly body = new ByteWriter(65536);
  private readonly traceId = new ByteWriter(64);
  private readonly spanId = new ByteWriter(64);
  private readonly traceFlags = new ByteWriter(64);
  private hasTrace = false;
  private readonly resource = new DictionaryBuilder<string[]>();
  private hasResource = false;
  private readonly scope = new DictionaryBuilder<string[]>();
  private hasScope = false;
  private readonly attributeCounts = new ByteWriter(512);
  private readonly attributeKeys = new DictionaryBuilder<string>();
  private readonly attributeValues = new ByteWriter(1024);
  private attributePairs = 0;
  private idempotencyKeys = new Map<string, number>();
  private readonly idempotencyIndex = new ByteWriter(64);
  private readonly ordinal = new ByteWriter(64);

  constructor(lane: string, source: string) {
    this.lane = lane;
    this.source = source;
  }

  /** Payload so far, roughly, in bytes. */
  get bytes(): number {
    // Dictionaries too: names of attributes and resources are as long as senders like.
    const names = this.service.bytes + this.severityText.bytes + this.resource.bytes + this.attributeKeys.bytes;
    return this.body.length + this.attributeValues.length + names + this.scope.bytes + this.rows * 40;
  }

  get full(): boolean {
    return this.rows >= batchRowsMax || this.bytes >= batchBytesMax || this.attributePairs >= attributePairsMax;
  }

  add(record: RecordView, receivedMs: number): void {
    if (this.rows === 0) this.receivedMs = receivedMs;
    this.rows++;
    this.time.nanoseconds(record.timeMs, record.timeSubNs);
    this.observed.nanoseconds(record.observedMs, 0);
    this.service.add(record.service);
    this.severityText.add(record.severityText);
    this.severityNumber.uint8(record.severityNumber);
    this.body.slice(record.bytes, record.bodyStart, record.bodyEnd);
    this.traceId.string(record.traceId);
    this.spanId.string(record.spanId);
    this.traceFlags.uint8(record.traceFlags);
    if (record.traceId !== '' || record.spanId !== '' || record.traceFlags !== 0) this.hasTrace = true;
    this.resource.add(record.resource ?? noPairs);
    if (record.resource !== null && record.resource.length > 0) this.hasResource = true;
    this.scope.add(record.scope ?? noPairs);
    if (record.scope !== null) this.hasScope = true;
    this.attributeCounts.uint16(record.attributeCount);
    for (let i = 0; i < record.attributeCount; i++) {
      this.attributeKeys.add(record.attributeKeys[i] as string);
      this.attributeValues.slice(record.bytes, record.attributeStarts[i] as number, record.attributeEnds[i] as number);
    }
    this.attributePairs += record.attributeCount;
    let key = noIdempotencyKey;
    if (record.idempotencyKey !== '') {
      const known = this.idempotencyKeys.get(record.idempotencyKey);
      key = known ?? this.idempotencyKeys.size;
      if (known === undefined) this.idempotencyKeys.set(record.idempotencyKey, key);
    }
    this.idempotencyIndex.uint16(key);
    this.ordinal.uint32(record.ordinal);
  }

  /** The batch so far; the builder starts over. Null when empty. */
  take(): RecordBatch | null {
    const { rows } = this;
    if (rows === 0) return null;
    const attributes: AttributeColumns | null =
      this.attributePairs === 0
        ? null
        : { counts: this.attributeCounts.copy(), keys: this.attributeKeys.take(), values: this.attributeValues.copy() };
    const resource = this.resource.take();
    const scope = this.scope.take();
    const batch: RecordBatch = {
      rows,
      lane: this.lane,
      source: this.source,
      receivedMs: this.receivedMs,
      time: this.time.copy(),
      observed: this.observed.copy(),
      service: this.service.take(),
      severityText: this.severityText.take(),
      severityNumber: this.severityNumber.copy(),
      body: this.body.copy(),
      traceId: this.hasTrace ? this.traceId.copy() : null,
      spanId: this.hasTrace ? this.spanId.copy() : null,
      traceFlags: this.hasTrace ? this.traceFlags.copy() : null,
      resource: this.hasResource ? resource : null,
      scope: this.hasScope ? scope : null,
      attributes,
      idempotency:
        this.idempotencyKeys.size === 0
          ? null
          : {
              keys: [...this.idempotencyKeys.keys()],
              index: this.idempotencyIndex.copy(),
              ordinal: this.ordinal.copy(),
            },
    };
    this.rows = 0;
    this.hasTrace = false;
    this.hasResource = false;
    this.hasScope = false;
    this.attributePairs = 0;
    this.idempotencyKeys = new Map();
    for (const writer of [
      this.time,
      this.observed,
      this.severityNumber,
      this.body,
      this.traceId,
      this.spanId,
      this.traceFlags,
      this.attributeCounts,
      this.attributeValues,
      this.idempotencyIndex,
      this.ordinal,
    ])
      writer.clear();
    return batch;
  }
}

const encoder = new TextEncoder();
/** A view's own bytes are kept up to this size; longer records get theirs anew. */
const scratchBytesMax = 64 * 1024;

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
