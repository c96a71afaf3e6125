import { describe, expect, it } from 'vitest';
import {
  BatchBuilder,
  ByteWriter,
  decodeLogsMessage,
  encodeLogsMessage,
  type LogRecord,
  LogweirError,
  millisecondsAt,
  type RecordBatch,
  RecordView,
  recordBytesMax,
  StringCursor,
  uint16At,
  validateBatch,
  viewOf,
} from './mod.ts';

const records: LogRecord[] = [
  {
    timeMs: 1_700_000_000_123,
    timeSubNs: 456_789,
    severityNumber: 17,
    severityText: 'ERROR',
    service: 'payments',
    body: 'connection refused',
  },
  {
    severityNumber: 0,
    severityText: '',
    body: 'naïve ☃ body',
    attributes: ['host', 'a1', 'note', ''],
    resource: ['cloud.region', 'eu'],
  },
  {
    timeMs: 0,
    severityNumber: 9,
    severityText: 'INFO',
    service: 'payments',
    body: '',
    traceId: 'ab'.repeat(16),
    traceFlags: 1,
  },
];

function build(list: LogRecord[]): RecordBatch {
  const builder = new BatchBuilder('live', 'test');
  const view = new RecordView();
  for (const record of list)
    builder.add(viewOf(record, { observedMs: 1_700_000_001_000, service: 'fallback' }, view), 5);
  return builder.take() as RecordBatch;
}

function texts(column: Uint8Array): string[] {
  const cursor = new StringCursor(column);
  const result: string[] = [];
  while (cursor.advance()) result.push(Buffer.from(column.subarray(cursor.start, cursor.end)).toString());
  return result;
}

describe('nanoseconds', () => {
  it('equals BigInt arithmetic over the whole range, before 1970 too', () => {
    const writer = new ByteWriter();
    const cases: [number, number][] = [
      [0, 0],
      [1, 1],
      [-1, 0],
      [-2_000_000_000_000, 5],
      [4_294_967_295_000, 999_999],
      [1_700_000_000_123, 456_789],
    ];
    for (let i = 0; i < 500; i++) cases.push([i * 8_589_934_591, (i * 7919) % 1_000_000]);
    for (const [ms, sub] of cases) writer.nanoseconds(ms, sub);
    const view = Buffer.from(writer.copy());
    for (const [row, [ms, sub]] of cases.entries()) {
      expect(view.readBigInt64LE(row * 8)).toBe(BigInt.asIntN(64, BigInt(ms) * 1_000_000n + BigInt(sub)));
      if (sub < 999_000) expect(millisecondsAt(view, row)).toBe(ms);
    }
  });
});

describe('BatchBuilder', () => {
  it('keeps every field through encode and decode', () => {
    const message = decodeLogsMessage(encodeLogsMessage({ kind: 'batch', batch: build(records) }));
    if (message.kind !== 'batch') throw new Error(message.kind);
    const { batch } = message;
    expect(batch.rows).toBe(3);
    expect(texts(batch.body)).toEqual(records.map((record) => record.body));
    expect([0, 1, 2].map((row) => batch.service.values[uint16At(batch.service.index, row)])).toEqual([
      'payments',
      'fallback',
      'payments',
    ]);
    expect(Buffer.from(batch.time).readBigInt64LE(0)).toBe(1_700_000_000_123_456_789n);
    expect(millisecondsAt(batch.time, 1)).toBe(1_700_000_001_000);
    expect(millisecondsAt(batch.time, 2)).toBe(0);
    expect(texts(batch.attributes?.values as Uint8Array)).toEqual(['a1', '']);
    expect([0, 1, 2].map((row) => uint16At(batch.attributes?.counts as Uint8Array, row))).toEqual([0, 2, 0]);
    expect(batch.resource?.values).toEqual([[], ['cloud.region', 'eu']]);
    expect(batch.traceFlags?.[2]).toBe(1);
  });

  it('starts over after take', () => {
    const builder = new BatchBuilder('live', 'test');
    const view = viewOf(records[1] as LogRecord, { observedMs: 1, service: 's' }, new RecordView());
    builder.add(view, 1);
    builder.take();
    expect(builder.take()).toBeNull();
    builder.add(viewOf(records[0] as LogRecord, { observedMs: 1, service: 's' }, view), 1);
    const batch = builder.take() as RecordBatch;
    expect(batch.attributes).toBeNull();
    expect(batch.resource).toBeNull();
    expect(validateBatch(batch).service.values).toEqual(['payments']);
  });

  it('encodes equal batches to equal bytes', () => {
    const once = encodeLogsMessage({ kind: 'batch', batch: build(records) });
    expect(Buffer.compare(once, encodeLogsMessage({ kind: 'batch', batch: build(records) }))).toBe(0);
  });
});

describe('decodeLogsMessage', () => {
  const broken = (change: (batch: RecordBatch) => void): (() => unknown) => {
    const batch = build(records);
    change(batch);
    return () => decodeLogsMessage(encodeLogsMessage({ kind: 'batch', batch }));
  };

  it.each<[string, (batch: RecordBatch) => void]>([
    [
      'rows',
      (b) => {
        b.rows = 4;
      },
    ],
    [
      'body',
      (b) => {
        b.body = b.body.subarray(0, 5);
      },
    ],
    [
      'service',
      (b) => {
        b.service.index[0] = 9;
      },
    ],
    [
      'service',
      (b) => {
        b.service.values = [1 as unknown as string, 'x'];
      },
    ],
    [
      'attributes.values',
      (b) => {
        if (b.attributes) b.attributes.values = new Uint8Array([200]);
      },
    ],
    [
      'time',
      (b) => {
        b.time = new Uint8Array(3);
      },
    ],
    [
      'lane',
      (b) => {
        b.lane = '';
      },
    ],
  ])('names the broken column: %s', (_column, change) => {
    expect(broken(change)).toThrow(LogweirError);
  });

  it.each(['attributes', 'idempotency'] as const)('refuses a batch without %s', (column) => {
    const batch = build([{ severityNumber: 0, severityText: '', body: 'x' }]);
    delete (batch as Partial<RecordBatch>)[column];
    expect(() => decodeLogsMessage(encodeLogsMessage({ kind: 'batch', batch }))).toThrow(LogweirError);
  });

  it('refuses garbage, a foreign version and a length that lies', () => {
    const good = encodeLogsMessage({
      kind: 'batch',
      batch: build([{ severityNumber: 0, severityText: '', body: 'x'.repeat(recordBytesMax) }]),
    });
    const version = good.slice();
    version[1] = 99;
    const lying = good.slice();
    lying.set([255, 255, 255, 127], 7);
    for (const bytes of [new Uint8Array(0), new Uint8Array([1, 2, 3, 4, 5]), version, lying, good.subarray(0, 100)]) {
      expect(() => decodeLogsMessage(bytes)).toThrow(LogweirError);
    }
  });
});
