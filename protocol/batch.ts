/**
 * `RecordBatch`: log records of one partition and lane as columns, laid out as ClickHouse Native lays them out
 * (length-prefixed strings, little-endian numbers), so that everything from gateway to disk copies chunks and
 * never builds row objects. Low-cardinality columns are a dictionary and 16-bit indices.
 */
import { StringCursor, uint16At } from './byte-writer.ts';
import { LogweirError } from './errors.ts';
import { batchRowsMax, recordBytesMax } from './limits.ts';

/** `values[uint16 at row]`. `index` holds 2 bytes a row, little-endian. */
export interface Dictionary<T = string> {
  values: T[];
  index: Uint8Array;
}

/** Attributes of all rows: pairs in row order. `keys.index` has one entry a pair, `values` one string a pair. */
export interface AttributeColumns {
  /** Pairs of each row, uint16 LE. */
  counts: Uint8Array;
  keys: Dictionary;
  values: Uint8Array;
}

/** Where rows came from within requests that carried an Idempotency-Key. */
export interface IdempotencyColumns {
  /** `key` + NUL + hash of the request body. */
  keys: string[];
  /** uint16 LE a row into `keys`; 0xffff = the row had none. */
  index: Uint8Array;
  /** uint32 LE a row: ordinal of the record within its request. */
  ordinal: Uint8Array;
}

export interface RecordBatch {
  rows: number;
  lane: string;
  /** Receiver that took the records: `http`, `otlp`, `file` … */
  source: string;
  /** Wall clock of the gateway when it took the first record, ms. Metadata: never part of an answer. */
  receivedMs: number;
  /** int64 LE ns a row: event time. */
  time: Uint8Array;
  /** int64 LE ns a row: when the record was received. */
  observed: Uint8Array;
  service: Dictionary;
  severityText: Dictionary;
  /** uint8 a row. */
  severityNumber: Uint8Array;
  /** One length-prefixed UTF-8 string a row. */
  body: Uint8Array;
  /** Length-prefixed hex strings; null: none in the batch. */
  traceId: Uint8Array | null;
  spanId: Uint8Array | null;
  /** uint8 a row; null: all 0. */
  traceFlags: Uint8Array | null;
  /** Flat key, value, … lists; null: none. */
  resource: Dictionary<string[]> | null;
  /** [name, version]; null: none. */
  scope: Dictionary<string[]> | null;
  attributes: AttributeColumns | null;
  idempotency: IdempotencyColumns | null;
}

export const noIdempotencyKey = 0xffff;

/**
 * Checks that a decoded batch is what it says, so that whoever walks its columns can trust them.
 * @throws LogweirError MESSAGE_MALFORMED naming the column.
 */
export function validateBatch(batch: RecordBatch): RecordBatch {
  const { rows } = batch;
  if (!Number.isInteger(rows) || rows < 1 || rows > batchRowsMax) throw malformedColumn('rows', `${rows} rows`);
  if (typeof batch.lane !== 'string' || batch.lane === '' || batch.lane.length > 200)
    throw malformedColumn('lane', 'bad name');
  if (typeof batch.source !== 'string') throw malformedColumn('source', 'not text');
  if (!Number.isFinite(batch.receivedMs)) throw malformedColumn('receivedMs', 'not a number');
  fixed('time', batch.time, rows * 8);
  fixed('observed', batch.observed, rows * 8);
  fixed('severityNumber', batch.severityNumber, rows);
  dictionary('service', batch.service, rows, isText);
  dictionary('severityText', batch.severityText, rows, isText);
  strings('body', batch.body, rows, recordBytesMax);
  if (batch.traceId !== null) strings('traceId', batch.traceId, rows, 64);
  if (batch.spanId !== null) strings('spanId', batch.spanId, rows, 64);
  if (batch.traceFlags !== null) fixed('traceFlags', batch.traceFlags, rows);
  if (batch.resource !== null) dictionary('resource', batch.resource, rows, isPairs);
  if (batch.scope !== null) dictionary('scope', batch.scope, rows, isPairs);
  if (batch.attributes !== null) attributes(batch.attributes, rows);
  if (batch.idempotency !== null) {
    columns('idempotency', batch.idempotency);
    const { keys, index, ordinal } = batch.idempotency;
    if (!Array.isArray(keys) || !keys.every(isText)) throw malformedColumn('idempotency.keys', 'not texts');
    fixed('idempotency.index', index, rows * 2);
    fixed('idempotency.ordinal', ordinal, rows * 4);
    for (let row = 0; row < rows; row++) {
      const at = uint16At(index, row);
      if (at !== noIdempotencyKey && at >= keys.length) throw malformedColumn('idempotency.index', `row ${row}`);
    }
  }
  return batch;
}

/** A column of a message on LOGS that is not what it says. */
export function malformedColumn(column: string, detail: string): LogweirError {
  return new LogweirError(
    'MESSAGE_MALFORMED',
    `Batch column ${column} is malformed: ${detail}.`,
    'The message was set aside; check who publishes to logs.* besides the gateway.',
  );
}

const isText = (value: unknown): boolean => typeof value === 'string';
const isPairs = (value: unknown): boolean =>
  Array.isArray(value) && value.length % 2 === 0 && value.every((part) => typeof part === 'string');

/** Several columns under one name: of a message that lacks it, it is undefined and not null. */
function columns(name: string, table: unknown): void {
  if (typeof table !== 'object') throw malformedColumn(name, 'no columns');
}

function fixed(name: string, column: unknown, bytes: number): void {
  if (!(column instanceof Uint8Array)) throw malformedColumn(name, 'not bytes');
  if (column.length !== bytes) throw malformedColumn(name, `${column.length} bytes where ${bytes} are due`);
}

function dictionary(name: string, column: Dictionary<unknown>, entries: number, valid: (v: unknown) => boolean): void {
  if (column === null || typeof column !== 'object' || !Array.isArray(column.values))
    throw malformedColumn(name, 'no dictionary');
  if (!column.values.every(valid)) throw malformedColumn(name, 'a value of the wrong kind');
  fixed(name, column.index, entries * 2);
  const size = column.values.length;
  for (let i = 0; i < entries; i++)
    if (uint16At(column.index, i) >= size) throw malformedColumn(name, `index of entry ${i}`);
}

function strings(name: string, column: unknown, count: number, bytesMax: number): void {
  if (!(column instanceof Uint8Array)) throw malformedColumn(name, 'not bytes');
  const cursor = new StringCursor(column);
  for (let i = 0; i < count; i++) {
    if (!cursor.advance()) throw malformedColumn(name, `value ${i} is cut short`);
    if (cursor.end - cursor.start > bytesMax) throw malformedColumn(name, `value ${i} is over ${bytesMax} bytes`);
  }
  if (!cursor.atEnd) throw malformedColumn(name, 'more values than rows');
}

function attributes(table: AttributeColumns, rows: number): void {
  columns('attributes', table);
  fixed('attributes.counts', table.counts, rows * 2);
  let pairs = 0;
  for (let row = 0; row < rows; row++) pairs += uint16At(table.counts, row);
  dictionary('attributes.keys', table.keys, pairs, isText);
  strings('attributes.values', table.values, pairs, recordBytesMax);
}
