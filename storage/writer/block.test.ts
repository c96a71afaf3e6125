import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  StringCursor,
  uint16At,
  type Anomaly,
  type RecordBatch,
  type TemplateRow,
  type WindowRow,
} from '#protocol/mod.ts';
import { openTempEngine, type TempEngine, textOf } from '../testing/temp.ts';
import { makeSection } from '../testing/sections.ts';
import { BlockBuilder, blockLimitsDefault, type TableInsert } from './block.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const header = { generation: 2, partition: 7 };
const dayMs = 86_400_000;
const startMs = 1_750_000_000_000;

let temp: TempEngine;
beforeAll(async () => {
  temp = await openTempEngine();
});
afterAll(() => temp.end());

async function insertAll(inserts: readonly TableInsert[], token: string): Promise<void> {
  for (const [index, { table, structure, chunks }] of inserts.entries()) {
    await temp.engine.insertNative(table, structure, chunks, `${token}-${index}`);
  }
}

async function rowsOf<T>(sql: string): Promise<T[]> {
  const text = textOf(await temp.engine.query(sql, { settings: { output_format_json_quote_64bit_integers: 0 } }));
  return text.trimEnd() === ''
    ? []
    : text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as T);
}

/** Rows as the table has them, told from the batch one by one: the slow and plain way, to compare with. */
function plainRows(batch: RecordBatch): Record<string, unknown>[] {
  const texts = (column: Uint8Array | null): string[] => {
    if (column === null) return new Array<string>(batch.rows).fill('');
    const cursor = new StringCursor(column);
    const values: string[] = [];
    while (cursor.advance()) values.push(Buffer.from(column.subarray(cursor.start, cursor.end)).toString());
    return values;
  };
  const bodies = texts(batch.body);
  const traces = texts(batch.traceId);
  const values = texts(batch.attributes?.values ?? new Uint8Array(0));
  let pair = 0;
  return bodies.map((Body, row) => {
    const LogAttributes: Record<string, string> = {};
    for (let i = 0; i < (batch.attributes === null ? 0 : uint16At(batch.attributes.counts, row)); i++, pair++) {
      LogAttributes[batch.attributes?.keys.values[uint16At(batch.attributes.keys.index, pair)] as string] = values[
        pair
      ] as string;
    }
    const resource = batch.resource?.values[uint16At(batch.resource.index, row)] ?? [];
    return {
      ns: String(Buffer.from(batch.time).readBigInt64LE(row * 8)),
      Body,
      TraceId: traces[row],
      ServiceName: batch.service.values[uint16At(batch.service.index, row)],
      SeverityText: batch.severityText.values[uint16At(batch.severityText.index, row)],
      SeverityNumber: batch.severityNumber[row],
      LogAttributes,
      ResourceAttributes: Object.fromEntries(
        resource.flatMap((key, i) => (i % 2 === 0 ? [[key, resource[i + 1]]] : [])),
      ),
    };
  });
}

describe('block of logs', () => {
  it('stores every column of every row, whatever the batches bring', async () => {
    const sections = [
      makeSection({ sequence: 1, rows: 50, startMs, attributes: true, resource: true, trace: true }),
      makeSection({ sequence: 2, rows: 3, startMs: startMs + 100 }),
      makeSection({ sequence: 3, rows: 700, startMs: startMs + 1000, services: 400, attributes: true }),
      {
        ...makeSection({ sequence: 4, rows: 5, startMs: startMs + 5000, lane: 'job-1', resource: true }),
        enrichment: null,
      },
    ];
    const builder = new BlockBuilder();
    for (const section of sections) builder.add(header, section);
    await insertAll(builder.finish(), 'all');
    const stored = await rowsOf<Record<string, unknown>>(
      `SELECT toString(toUnixTimestamp64Nano(Timestamp)) AS ns, Body, TraceId, ServiceName, SeverityText, SeverityNumber, LogAttributes, ResourceAttributes
       FROM logweir.otel_logs ORDER BY Sequence, ns`,
    );
    expect(stored).toEqual(sections.flatMap((section) => plainRows(section.batch as RecordBatch)));
    const [sums] = await rowsOf<Record<string, unknown>>(
      `SELECT count() AS rows, sum(TraceFlags) AS flags, countIf(TemplateId = 'aaaaaaaaaaaaaaa1') AS first, countIf(Category = '') AS unknown,
         sum(PredictedSeverityNumber) AS predicted, sum(Confidence) AS confidence, groupUniqArray(Lane) AS lanes, any(Generation) AS generation,
         any(Partition) AS partition, countIf(toUnixTimestamp(TimestampTime) = intDiv(toUnixTimestamp64Milli(Timestamp), 1000)) AS timed, min(ObservedTimestamp) AS observed
       FROM logweir.otel_logs`,
    );
    expect(sums).toMatchObject({
      rows: 758,
      flags: 50,
      unknown: 5,
      generation: 2,
      partition: 7,
      timed: 758,
      observed: '2025-10-09 08:53:20.000000000',
    });
    expect(sums?.['lanes']).toEqual(expect.arrayContaining(['live', 'job-1']));
    expect(await rowsOf('SELECT sum(Logs) AS logs, sum(Bytes) > 1000 AS bytes FROM logweir.logs_1m')).toEqual([
      { logs: 758, bytes: 1 },
    ]);
    // Without a severity of the sender's, the classifier's counts.
    expect(await rowsOf("SELECT sum(Logs) AS logs FROM logweir.logs_1h WHERE Severity = 'UNKNOWN'")).toEqual([
      { logs: 2 },
    ]);
  });

  it('is the same bytes for the same sections', () => {
    const build = (): TableInsert[] => {
      const builder = new BlockBuilder();
      builder.add(header, makeSection({ sequence: 1, rows: 90, startMs, attributes: true, resource: true }));
      builder.add(header, makeSection({ sequence: 2, rows: 8, startMs }));
      return builder.finish();
    };
    const bytes = (inserts: TableInsert[]): Buffer => Buffer.concat(inserts.flatMap((insert) => insert.chunks));
    expect(Buffer.compare(bytes(build()), bytes(build()))).toBe(0);
  });

  it('spreads twenty years of days over inserts that ClickHouse takes', async () => {
    const builder = new BlockBuilder();
    builder.add(
      header,
      makeSection({
        sequence: 100,
        rows: 7300,
        startMs: 0,
        stepMs: dayMs,
        attributes: true,
        resource: true,
        trace: true,
      }),
    );
    expect(builder.full).toBe(true);
    const inserts = builder.finish().filter((insert) => insert.table.endsWith('otel_logs'));
    expect(inserts.length).toBe(Math.ceil(7300 / blockLimitsDefault.partitionsMax));
    await insertAll(inserts.slice(0, 3), 'years');
    await insertAll(inserts.slice(-1), 'years-last');
    expect(
      await rowsOf(
        `SELECT count() AS rows, uniqExact(toDate(Timestamp)) AS days, countIf(LogAttributes['user'] != '') > 100 AS attributes FROM logweir.otel_logs WHERE Sequence = 100`,
      ),
    ).toEqual([{ rows: 200, days: 200, attributes: 1 }]);
  });

  it('sets aside a batch that is not sound, and keeps the others', async () => {
    const broken = makeSection({ sequence: 201, rows: 4, startMs });
    (broken.batch as RecordBatch).body = new Uint8Array([200, 1]);
    const builder = new BlockBuilder();
    builder.add(header, makeSection({ sequence: 200, rows: 6, startMs }, { duplicates: 2 }));
    builder.add(header, broken);
    builder.add(header, makeSection({ sequence: 202, rows: 0, startMs }, { deadLetter: 'not a frame' }));
    builder.add(header, makeSection({ sequence: 203, rows: 0, startMs }));
    const inserts = builder.finish();
    expect(inserts.map(({ table, rows }) => [table.split('.')[1], rows])).toEqual([
      ['otel_logs', 6],
      ['dead_letters', 2],
      ['ledger', 1],
    ]);
    await insertAll(inserts, 'broken');
    expect(await rowsOf('SELECT * EXCEPT StoredAt FROM logweir.ledger WHERE FromSequence = 200')).toEqual([
      { Generation: 2, Partition: 7, FromSequence: 200, ToSequence: 202, Rows: 6, Duplicates: 2, DeadLetters: 2 },
    ]);
    expect(await rowsOf('SELECT Sequence, Reason FROM logweir.dead_letters ORDER BY Sequence')).toEqual([
      { Sequence: 201, Reason: 'Batch column body is malformed: value 0 is cut short.' },
      { Sequence: 202, Reason: 'not a frame' },
    ]);
  });
});

describe('block of findings', () => {
  const window = (index: number, version: number): WindowRow => ({
    service: 'api',
    lane: 'live',
    startMs: startMs + index * 30_000,
    endMs: startMs + (index + 1) * 30_000,
    logCount: 100 + index,
    infoCount: 80,
    warnCount: 10,
    errorCount: 9,
    fatalCount: 1,
    criticalCount: 2,
    debugCount: 0,
    errorRate: 0.1,
    warnToInfoRatio: 0.125,
    templateCount: 5,
    newTemplateCount: 1,
    valueCount: 3,
    valueMean: 1.5,
    valueP95: 2,
    valueMax: 2.5,
    rolling: {
      logCount: { min: 1, max: 2, mean: 1.5, std: 0.5, p95: 2 },
      errorRate: { min: 0, max: 1, mean: 0.5, std: 0.25, p95: 1 },
    },
    lateCount: 0,
    version,
  });
  const template: TemplateRow = {
    templateId: 'aaaaaaaaaaaaaaa1',
    service: 'api',
    lane: 'live',
    template: 'request <*> took <*> ms',
    firstSeenMs: startMs,
    lastSeenMs: startMs + 5,
    count: 12,
    mergedInto: '',
    category: 'http',
    severityText: 'INFO',
    version: 5,
  };
  const anomaly: Anomaly = {
    anomalyId: 'bbbbbbbbbbbbbbb1',
    service: 'api',
    lane: 'live',
    detector: 'error_spike',
    subject: 'errorCount',
    startMs,
    endMs: startMs + 30_000,
    decidedAtMs: startMs + 30_000,
    score: 87.5,
    actual: 40,
    typical: 2,
    description: "40 errors where 2 are usual: it's bad",
    influencers: [
      { kind: 'template', name: 'aaaaaaaaaaaaaaa1', share: 0.75 },
      { kind: 'severity', name: 'ERROR', share: 0.25 },
    ],
    samples: ['one\n\n; two', ''],
    watermarkMs: startMs + 31_000,
    lateCount: 1,
    revised: false,
    version: 6,
    eventMs: startMs + 29_000,
  };

  it('stores findings as they are, the last version in sight', async () => {
    const builder = new BlockBuilder();
    const section = (sequence: number, generation: number, windows: WindowRow[]): void =>
      builder.add(
        { generation, partition: 7 },
        makeSection({ sequence, rows: 1, startMs }, { windows, templates: [template], anomalies: [anomaly] }),
      );
    section(5, 1, [window(0, 5), window(1, 5)]);
    section(9, 1, [window(0, 9)]);
    section(3, 2, [{ ...window(0, 3), logCount: 777 }]);
    await insertAll(builder.finish(), 'findings');
    expect(
      await rowsOf(
        'SELECT LogCount, Version, Generation, Rolling, ErrorRate, toUnixTimestamp64Milli(WindowEnd) AS e FROM logweir.windows ORDER BY WindowStart',
      ),
    ).toEqual([
      {
        LogCount: 777,
        Version: 3,
        Generation: 2,
        ErrorRate: 0.1,
        e: startMs + 30_000,
        Rolling: {
          logCount: { Min: 1, Max: 2, Mean: 1.5, Std: 0.5, P95: 2 },
          errorRate: { Min: 0, Max: 1, Mean: 0.5, Std: 0.25, P95: 1 },
        },
      },
      expect.objectContaining({ LogCount: 101, Version: 5, Generation: 1 }),
    ]);
    expect(await rowsOf('SELECT TemplateId, Template, Count FROM logweir.templates')).toEqual([
      { TemplateId: template.templateId, Template: template.template, Count: 12 },
    ]);
    expect(
      await rowsOf(
        'SELECT AnomalyId, Score, Description, Influencers, Samples, Revised, toUnixTimestamp64Milli(ReceiptGateway) AS g FROM logweir.anomalies',
      ),
    ).toEqual([
      {
        AnomalyId: anomaly.anomalyId,
        Score: 87.5,
        Description: anomaly.description,
        Influencers: anomaly.influencers.map(({ kind, name, share }) => ({ Kind: kind, Name: name, Share: share })),
        Samples: anomaly.samples,
        Revised: false,
        g: 1_760_000_000_500,
      },
    ]);
  });

  it('spreads windows of many months over inserts', () => {
    const builder = new BlockBuilder();
    const windows = Array.from({ length: 120 }, (_, index) => ({ ...window(0, 5), startMs: index * 31 * dayMs }));
    builder.add(header, makeSection({ sequence: 5, rows: 0, startMs }, { windows }));
    expect(builder.finish().map((insert) => insert.rows)).toEqual([50, 50, 20]);
  });
});
