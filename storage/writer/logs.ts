/** Rows of `otel_logs`, from sections of RESULTS to Native blocks; no row is ever an object. */
import { type Dictionary, type Enrichment, type RecordBatch, StringCursor, uint16At } from '#protocol/mod.ts';
import {
  AttributeColumn,
  appendZeros,
  type Column,
  DictionaryColumn,
  PlainColumn,
  RunColumn,
  writeBlock,
} from './native.ts';

/** Where rows came from. */
export interface RowPosition {
  generation: number;
  partition: number;
  sequence: number;
}

/** Column and accumulators of one block. Columns left out take their default: TimestampTime, the schema URLs, ScopeAttributes. */
export class LogBlock {
  rows = 0;
  readonly days = new Set<number>();
  private readonly time = new PlainColumn('DateTime64(9)');
  private readonly observed = new PlainColumn('DateTime64(9)');
  private readonly traceId = new PlainColumn('String');
  private readonly spanId = new PlainColumn('String');
  private readonly traceFlags = new PlainColumn('UInt8');
  private readonly severityText: DictionaryColumn;
  private readonly severityNumber = new PlainColumn('UInt8');
  private readonly service: DictionaryColumn;
  private readonly body = new PlainColumn('String');
  private readonly resource: AttributeColumn;
  private readonly scopeName: DictionaryColumn;
  private readonly scopeVersion: DictionaryColumn;
  private readonly attributes: AttributeColumn;
  private readonly templateId: DictionaryColumn;
  private readonly category: DictionaryColumn;
  private readonly predictedText: DictionaryColumn;
  private readonly predictedNumber = new PlainColumn('UInt8');
  private readonly confidence = new PlainColumn('Float32');
  private readonly lane: DictionaryColumn;
  private readonly generation: RunColumn;
  private readonly partition: RunColumn;
  private readonly sequence: RunColumn;

  /** @param rowsExpected sizes the first buffers; they grow. */
  constructor(rowsExpected: number) {
    const dictionary = (): DictionaryColumn => new DictionaryColumn(rowsExpected);
    this.severityText = dictionary();
    this.service = dictionary();
    this.resource = new AttributeColumn(rowsExpected);
    this.scopeName = dictionary();
    this.scopeVersion = dictionary();
    this.attributes = new AttributeColumn(rowsExpected);
    this.templateId = dictionary();
    this.category = dictionary();
    this.predictedText = dictionary();
    this.lane = dictionary();
    this.generation = new RunColumn('UInt32', 4, rowsExpected);
    this.partition = new RunColumn('UInt16', 2, rowsExpected);
    this.sequence = new RunColumn('UInt64', 8, rowsExpected);
  }

  /** What the block takes in memory and on its way to disk, near enough. */
  get bytes(): number {
    return (
      this.body.bytes +
      this.attributes.bytes +
      this.resource.bytes +
      this.traceId.bytes +
      this.spanId.bytes +
      this.rows * 48
    );
  }

  /** Rows [start, end) of a batch that is known to be sound. */
  append(batch: RecordBatch, enrichment: Enrichment | null, position: RowPosition, start = 0, end = batch.rows): void {
    const rows = end - start;
    const whole = rows === batch.rows;
    const fixed = (column: Uint8Array, width: number): Uint8Array =>
      whole ? column : column.subarray(start * width, end * width);
    const strings = (column: Uint8Array): Uint8Array => (whole ? column : stringRange(column, start, end));
    this.time.append(fixed(batch.time, 8));
    this.observed.append(fixed(batch.observed, 8));
    this.body.append(strings(batch.body));
    this.severityNumber.append(fixed(batch.severityNumber, 1));
    this.severityText.append(batch.severityText, start, end);
    this.service.append(batch.service, start, end);
    for (const [column, chunk] of [
      [this.traceId, batch.traceId],
      [this.spanId, batch.spanId],
    ] as const) {
      if (chunk === null) appendZeros(column, rows);
      else column.append(strings(chunk));
    }
    if (batch.traceFlags === null) appendZeros(this.traceFlags, rows);
    else this.traceFlags.append(fixed(batch.traceFlags, 1));
    if (batch.resource === null) this.resource.appendEmpty(rows);
    else this.resource.appendLists(batch.resource, start, end);
    this.appendScope(batch.scope, start, end);
    this.appendAttributes(batch, start, end);
    this.appendEnrichment(enrichment, start, end, fixed);
    this.lane.appendRun(batch.lane, rows);
    this.generation.append(position.generation, rows);
    this.partition.append(position.partition, rows);
    this.sequence.append(position.sequence, rows);
    this.rows += rows;
  }

  private appendScope(scope: Dictionary<string[]> | null, start: number, end: number): void {
    if (scope === null) {
      this.scopeName.append(null, start, end);
      this.scopeVersion.append(null, start, end);
      return;
    }
    this.scopeName.appendMapped(scope, start, end, (pair) => pair[0] ?? '');
    this.scopeVersion.appendMapped(scope, start, end, (pair) => pair[1] ?? '');
  }

  private appendAttributes({ attributes, rows }: RecordBatch, start: number, end: number): void {
    if (attributes === null) return this.attributes.appendEmpty(end - start);
    const { counts, keys, values } = attributes;
    if (start === 0 && end === rows) return this.attributes.appendPairs(counts, keys, 0, values);
    let first = 0;
    for (let row = 0; row < start; row++) first += uint16At(counts, row);
    let last = first;
    for (let row = start; row < end; row++) last += uint16At(counts, row);
    this.attributes.appendPairs(counts.subarray(start * 2, end * 2), keys, first, stringRange(values, first, last));
  }

  private appendEnrichment(
    enrichment: Enrichment | null,
    start: number,
    end: number,
    fixed: (column: Uint8Array, width: number) => Uint8Array,
  ): void {
    this.templateId.append(enrichment?.templateId ?? null, start, end);
    this.category.append(enrichment?.category ?? null, start, end);
    this.predictedText.append(enrichment?.predictedSeverityText ?? null, start, end);
    if (enrichment === null) {
      appendZeros(this.predictedNumber, end - start);
      appendZeros(this.confidence, (end - start) * 4);
    } else {
      this.predictedNumber.append(fixed(enrichment.predictedSeverityNumber, 1));
      this.confidence.append(fixed(enrichment.confidence, 4));
    }
  }

  finish(): { structure: string; chunks: Uint8Array[] } {
    const columns: [string, Column][] = [
      ['Timestamp', this.time],
      ['TraceId', this.traceId],
      ['SpanId', this.spanId],
      ['TraceFlags', this.traceFlags],
      ['SeverityText', this.severityText],
      ['SeverityNumber', this.severityNumber],
      ['ServiceName', this.service],
      ['Body', this.body],
      ['ResourceAttributes', this.resource],
      ['ScopeName', this.scopeName],
      ['ScopeVersion', this.scopeVersion],
      ['LogAttributes', this.attributes],
      ['TemplateId', this.templateId],
      ['Category', this.category],
      ['PredictedSeverityText', this.predictedText],
      ['PredictedSeverityNumber', this.predictedNumber],
      ['Confidence', this.confidence],
      ['ObservedTimestamp', this.observed],
      ['Lane', this.lane],
      ['Generation', this.generation],
      ['Partition', this.partition],
      ['Sequence', this.sequence],
    ];
    return writeBlock(
      columns.map(([name, column]) => ({ name, column })),
      this.rows,
    );
  }
}

/** Bytes of the strings [start, end). */
function stringRange(column: Uint8Array, start: number, end: number): Uint8Array {
  const cursor = new StringCursor(column);
  let from = 0;
  let to = 0;
  for (let i = 0; i < end; i++) {
    cursor.advance();
    to = cursor.end;
    if (i === start - 1) from = cursor.end;
  }
  return column.subarray(from, to);
}

/** Seconds that one unit of the upper half of int64 nanoseconds lasts: 2^32 ns. */
const upperSeconds = 4.294967296;

/**
 * UTC day of each row's time, told as runs: `onRun(day, start, end)`. Reads the upper half alone but near midnight,
 * as most neighbours share it.
 */
export function forEachDayRun(
  time: Uint8Array,
  rows: number,
  onRun: (day: number, start: number, end: number) => void,
): void {
  let day = -1;
  let runStart = 0;
  let safeFrom = 1;
  let safeTo = 0;
  for (let row = 0; row < rows; row++) {
    const at = row * 8 + 4;
    const upper =
      (time[at] as number) |
      ((time[at + 1] as number) << 8) |
      ((time[at + 2] as number) << 16) |
      ((time[at + 3] as number) << 24);
    if (upper >= safeFrom && upper < safeTo) continue;
    const lower =
      (time[at - 1] as number) * 0x1000000 +
      (((time[at - 2] as number) << 16) | ((time[at - 3] as number) << 8) | (time[at - 4] as number));
    const rowDay = Math.floor((upper * 4294967296 + lower) / 86_400_000_000_000);
    if (rowDay !== day) {
      if (row > runStart) onRun(day, runStart, row);
      day = rowDay;
      runStart = row;
      safeFrom = Math.ceil((day * 86_400) / upperSeconds) + 1;
      safeTo = Math.floor(((day + 1) * 86_400) / upperSeconds) - 1;
    }
  }
  if (rows > runStart) onRun(day, runStart, rows);
}
