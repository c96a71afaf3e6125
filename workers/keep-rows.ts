/** A batch less some of its rows. Off the hot path: only batches with repeats of an Idempotency-Key come here. */
import {
  type AttributeColumns,
  ByteWriter,
  type Dictionary,
  type RecordBatch,
  StringCursor,
  uint16At,
} from '#protocol/mod.ts';

/** `keep[row]` is 1 for the `kept` rows that stay. Idempotency columns are left out: they have done their work. */
export function keepRows(batch: RecordBatch, keep: Uint8Array, kept: number): RecordBatch {
  const fixed = (column: Uint8Array, width: number): Uint8Array => {
    const result = new Uint8Array(kept * width);
    let to = 0;
    for (let row = 0; row < batch.rows; row++) {
      if (keep[row] === 0) continue;
      result.set(column.subarray(row * width, (row + 1) * width), to);
      to += width;
    }
    return result;
  };
  const strings = (column: Uint8Array): Uint8Array => {
    const cursor = new StringCursor(column);
    const writer = new ByteWriter(column.length);
    for (let row = 0; row < batch.rows; row++) {
      cursor.advance();
      if (keep[row] === 1) writer.slice(column, cursor.start, cursor.end);
    }
    return writer.view();
  };
  const dictionary = <T>(column: Dictionary<T>): Dictionary<T> => ({
    values: column.values,
    index: fixed(column.index, 2),
  });
  return {
    ...batch,
    rows: kept,
    time: fixed(batch.time, 8),
    observed: fixed(batch.observed, 8),
    service: dictionary(batch.service),
    severityText: dictionary(batch.severityText),
    severityNumber: fixed(batch.severityNumber, 1),
    body: strings(batch.body),
    traceId: batch.traceId === null ? null : strings(batch.traceId),
    spanId: batch.spanId === null ? null : strings(batch.spanId),
    traceFlags: batch.traceFlags === null ? null : fixed(batch.traceFlags, 1),
    resource: batch.resource === null ? null : dictionary(batch.resource),
    scope: batch.scope === null ? null : dictionary(batch.scope),
    attributes: batch.attributes === null ? null : keepAttributes(batch.attributes, batch.rows, keep),
    idempotency: null,
  };
}

function keepAttributes(columns: AttributeColumns, rows: number, keep: Uint8Array): AttributeColumns {
  const counts = new ByteWriter(rows * 2);
  const index = new ByteWriter(columns.keys.index.length);
  const values = new ByteWriter(columns.values.length);
  const cursor = new StringCursor(columns.values);
  let pair = 0;
  for (let row = 0; row < rows; row++) {
    const count = uint16At(columns.counts, row);
    if (keep[row] === 1) counts.uint16(count);
    for (let i = 0; i < count; i++, pair++) {
      cursor.advance();
      if (keep[row] === 0) continue;
      index.uint16(uint16At(columns.keys.index, pair));
      values.slice(columns.values, cursor.start, cursor.end);
    }
  }
  return { counts: counts.view(), keys: { values: columns.keys.values, index: index.view() }, values: values.view() };
}
