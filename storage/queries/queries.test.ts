import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { AlertTransition, Anomaly, IncidentVersion, Section, TemplateRow, WindowRow } from '#protocol/mod.ts';
import { type ClickHouseServer, serveClickHouse } from '../http/server.ts';
import { makeSection } from '../testing/sections.ts';
import { openTempEngine, type TempEngine } from '../testing/temp.ts';
import { BlockBuilder } from '../writer/block.ts';
import { alertFields, encodeRows, incidentFields } from '../writer/rows.ts';
import { CursorError, type LogFilter, type LogItem, Queries } from './mod.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** 2025-06-15 14:00:00 UTC. */
const startMs = 1_749_996_000_000;
const minuteMs = 60_000;
const range = { fromMs: startMs, toMs: startMs + 60 * minuteMs };

const window = (service: string, minute: number, errorCount: number, version: number): WindowRow => ({
  service,
  lane: 'live',
  startMs: startMs + minute * minuteMs,
  endMs: startMs + minute * minuteMs + 30_000,
  logCount: 10,
  infoCount: 10 - errorCount,
  warnCount: 0,
  errorCount,
  fatalCount: 0,
  criticalCount: 0,
  debugCount: 0,
  errorRate: errorCount / 10,
  warnToInfoRatio: 0,
  templateCount: 1,
  newTemplateCount: 0,
  valueCount: 0,
  valueMean: 0,
  valueP95: 0,
  valueMax: 0,
  rolling: {},
  lateCount: 0,
  version,
});
const template = (id: string, service: string, count: number, more: Partial<TemplateRow> = {}): TemplateRow => ({
  templateId: id,
  service,
  lane: 'live',
  template: `template ${id} <*>`,
  firstSeenMs: startMs + count,
  lastSeenMs: startMs + 1000,
  count,
  mergedInto: '',
  category: 'http',
  severityText: 'INFO',
  version: 1,
  ...more,
});
const anomaly = (id: string, minute: number, more: Partial<Anomaly> = {}): Anomaly => ({
  anomalyId: id,
  service: 'service-0',
  lane: 'live',
  detector: 'error_spike',
  subject: 'errorCount',
  startMs: startMs + minute * minuteMs,
  endMs: startMs + minute * minuteMs + 30_000,
  decidedAtMs: startMs + minute * minuteMs + 30_000,
  score: 50 + minute,
  actual: 9,
  typical: 1,
  description: `Spike "${id}" isn't usual`,
  influencers: [{ kind: 'feature', name: 'errorCount', share: 1 }],
  samples: ['sample'],
  watermarkMs: startMs,
  lateCount: 0,
  revised: false,
  version: 1,
  eventMs: startMs + 5,
  ...more,
});
const transition = (
  alertId: string,
  n: number,
  state: AlertTransition['state'],
  atMs: number,
  anomalyId = 'a1',
): AlertTransition => ({
  alertId,
  transition: n,
  state,
  atMs,
  service: 'service-0',
  lane: 'live',
  detector: 'error_spike',
  subject: '',
  anomalyId,
  score: 80,
  actual: 5,
  typical: 1,
  description: 'd',
  groupKey: 'g',
  channels: ['slack'],
  suppressedBy: '',
  receipt: { eventMs: startMs, gatewayMs: startMs + 1, processingMs: startMs + 2, detectedMs: startMs + 3 },
});

let temp: TempEngine;
let server: ClickHouseServer;
let queries: Queries;

beforeAll(async () => {
  temp = await openTempEngine();
  server = await serveClickHouse({ engine: temp.engine, port: 0 });
  queries = Queries.overUrl(server.url);
  const builder = new BlockBuilder();
  const add = (section: Section): void => builder.add({ generation: 1, partition: section.sequence % 4 }, section);
  // 90 rows, one a second, over services 0–2; then one more an hour later; then ten of one nanosecond.
  add(
    makeSection(
      { sequence: 1, rows: 90, startMs, stepMs: 1000, attributes: true, resource: true, trace: true },
      { duplicates: 3 },
    ),
  );
  add(makeSection({ sequence: 2, rows: 1, startMs: startMs + 60 * minuteMs, services: 1 }));
  add(makeSection({ sequence: 3, rows: 10, startMs: startMs + 30 * minuteMs, stepMs: 0, services: 1 }));
  const findings: Partial<Section> = {
    windows: [
      window('service-0', 0, 4, 5),
      window('service-0', 0, 5, 6),
      window('service-0', 1, 0, 5),
      window('service-1', 0, 1, 5),
    ],
    templates: [
      template('t1', 'service-0', 30),
      template('t2', 'service-0', 20),
      template('t3', 'service-1', 20),
      template('t4', 'service-1', 5),
      template('t5', 'service-1', 99, { mergedInto: 't4' }),
    ],
    anomalies: [
      anomaly('a0', -30, { open: true }),
      anomaly('a1', 0, { traceIds: ['4bf92f35', "it's"], hosts: ['node-1'] }),
      anomaly('a2', 1),
      anomaly('a3', 1, { service: 'service-1', detector: 'sequence_match', subject: 'login → fail' }),
      anomaly('a4', 59, { endMs: startMs + 59 * minuteMs }),
      anomaly('a5', 61),
    ],
  };
  add(makeSection({ sequence: 4, rows: 0, startMs }, findings));
  for (const [index, { table, structure, chunks }] of builder.finish().entries())
    await temp.engine.insertNative(table, structure, chunks, `seed-${index}`);
  const rows = [
    transition('x1', 1, 'firing', startMs - 1000),
    transition('x2', 1, 'firing', startMs + 1000, 'a2'),
    transition('x2', 2, 'resolved', startMs + 2000, 'a2'),
    transition('x3', 1, 'firing', startMs - 2000),
    transition('x3', 2, 'resolved', startMs - 1500),
  ].map((row) => ({ row, generation: 0, partition: 0, version: row.transition }));
  const { structure, chunks } = encodeRows(alertFields, rows);
  await temp.engine.insertNative('logweir.alerts_versions', structure, chunks, 'seed-alerts');
  const versions = [
    incident('i1', { state: 'open' }),
    incident('i2', { state: 'merged', mergedInto: 'i1' }),
    incident('i1', { state: 'closed', endedMs: startMs + 4 * minuteMs }),
    incident('i3', { services: ['web'], ranks: [0], startedMs: startMs + 9 * minuteMs, score: 60, clues: [] }),
    incident('i4', { startedMs: startMs - 5 * minuteMs, endedMs: startMs - minuteMs, state: 'open' }),
    incident('i5', { startedMs: startMs - 5 * minuteMs, endedMs: startMs - minuteMs }),
  ].map((row, at) => ({ row, generation: 0, partition: 0, version: at + 1 }));
  const native = encodeRows(incidentFields, versions);
  await temp.engine.insertNative('logweir.incidents_versions', native.structure, native.chunks, 'seed-incidents');
});
afterAll(async () => {
  await server.close();
  await temp.end();
});

function incident(incidentId: string, over: Partial<IncidentVersion> = {}): IncidentVersion {
  const member = { anomalyId: 'a2', service: 'db', detector: 'error_spike', subject: '', score: 97 };
  const times = { onsetFromMs: startMs, onsetByMs: startMs + 1_500, endMs: startMs + minuteMs };
  return {
    incidentId,
    state: 'closed',
    mergedInto: '',
    lane: 'live',
    title: 'db first, then web',
    description: 'db first (14:00:00–14:00:30), then web; worst: db error_spike 97',
    startedMs: startMs,
    changedMs: startMs + minuteMs,
    endedMs: startMs + minuteMs,
    score: 97,
    worstAnomalyId: 'a2',
    firstMover: 'db',
    services: ['db', 'web'],
    ranks: [0, 1],
    members: [
      { ...member, ...times, description: '41 errors' },
      { ...member, ...times, anomalyId: 'a3', service: 'web', description: 'it’s slow' },
    ],
    more: 3,
    clues: [
      { kind: 'host', value: 'db-3', services: ['db', 'web'] },
      { kind: 'mention', value: 'db', services: ['web'] },
    ],
    ...over,
  };
}

describe('incidents', () => {
  it('are shown as they stand, without those that became part of others', async () => {
    const { items } = await queries.incidents({ range }, { limit: 10 });
    expect(items.map(({ id, state }) => `${id} ${state}`)).toEqual(['i3 closed', 'i1 closed', 'i4 open']);
    const ids = async (filter: object): Promise<string[]> =>
      (await queries.incidents({ range, ...filter }, { limit: 10 })).items.map(({ id }) => id);
    expect(await ids({ service: 'db' })).toEqual(['i1', 'i4']);
    expect(await ids({ state: 'open' })).toEqual(['i4']);
    expect(await ids({ scoreMin: 80 })).toEqual(['i1', 'i4']);
    expect(await ids({ servicesMin: 2 })).toEqual(['i1', 'i4']);
    const first = await queries.incidents({ range }, { limit: 2 });
    const rest = await queries.incidents({ range }, { limit: 2, after: first.next as string });
    expect([rest.items.map(({ id }) => id), rest.next]).toEqual([['i4'], null]);
  });

  it('are told one by one with members and evidence, as they were written', async () => {
    const { incidentId, ...rest } = incident('i1', { endedMs: startMs + 4 * minuteMs });
    expect(await queries.incident('i1')).toEqual({ id: incidentId, ...rest });
    expect(await queries.incident('i2')).toMatchObject({ state: 'merged', mergedInto: 'i1' });
    expect(await queries.incident('i3')).toMatchObject({ clues: [], services: ['web'] });
    expect(await queries.incident('nothing')).toBeNull();
    expect((await queries.alertsOf(['a2', 'a3'])).map(({ id, state }) => `${id} ${state}`)).toEqual(['x2 resolved']);
  });
});

describe('volume', () => {
  it('adds up totals, extent, services and severities', async () => {
    expect(await queries.totals(range)).toEqual({
      logs: 100,
      errors: expect.any(Number),
      warns: 0,
      services: 3,
      anomalies: 5,
    });
    expect(await queries.extent()).toEqual({ oldestMs: startMs, newestMs: startMs + 60 * minuteMs });
    const services = await queries.services(range);
    expect(services.map(({ service, logs, anomalies }) => [service, logs, anomalies])).toEqual([
      ['service-0', 40, 4],
      ['service-1', 30, 1],
      ['service-2', 30, 0],
    ]);
    expect(services[0]?.lastSeenMs).toBe(startMs + 30 * minuteMs);
    const severities = await queries.severities({ range });
    const totals = await queries.totals(range);
    expect(severities.reduce((sum, { counts }) => sum + counts.ERROR + counts.FATAL, 0)).toBe(totals.errors);
    expect(severities.flatMap(({ counts }) => Object.values(counts)).reduce((a, b) => a + b)).toBe(100);
    expect(await queries.severities({ range, service: "no'ne" })).toEqual([]);
  });

  it('draws the trend in minutes and hours, the same sum in both', async () => {
    const minutes = await queries.trend({ range, stepMs: minuteMs });
    expect(minutes.filter((row) => row.service === 'service-1')).toEqual([
      { service: 'service-1', startMs, logs: 20, errors: expect.any(Number), warns: 0 },
      { service: 'service-1', startMs: startMs + minuteMs, logs: 10, errors: expect.any(Number), warns: 0 },
    ]);
    const hours = await queries.trend({
      range: { fromMs: startMs, toMs: startMs + 120 * minuteMs },
      stepMs: 60 * minuteMs,
      services: ['service-0', 'service-2'],
    });
    expect(hours.map(({ service, startMs: start, logs }) => [service, start, logs])).toEqual([
      ['service-0', startMs, 40],
      ['service-2', startMs, 30],
      ['service-0', startMs + 60 * minuteMs, 1],
    ]);
  });

  it('answers nothing where nothing is', async () => {
    const nowhere = { fromMs: 0, toMs: minuteMs };
    expect(await queries.totals(nowhere)).toEqual({ logs: 0, errors: 0, warns: 0, services: 0, anomalies: 0 });
    expect(await queries.trend({ range: nowhere, stepMs: minuteMs })).toEqual([]);
    expect((await queries.logs({ range: nowhere }, { limit: 10 })).items).toEqual([]);
  });
});

describe('logs', () => {
  const all = async (filter: LogFilter, limit: number): Promise<LogItem[]> => {
    const items: LogItem[] = [];
    for (let after: string | undefined; ; ) {
      const page = await queries.logs(filter, { limit, after });
      expect(page.items.length).toBeLessThanOrEqual(limit);
      items.push(...page.items);
      if (page.next === null) return items;
      expect(page.next).toMatch(/^[\w.:~-]{1,512}$/);
      after = page.next;
    }
  };

  it('pages through all rows, newest first, none twice', async () => {
    const wide = { fromMs: startMs, toMs: startMs + 61 * minuteMs };
    for (const limit of [3, 7, 100, 500]) {
      const items = await all({ range: wide }, limit);
      expect(items.length).toBe(101);
      const times = items.map((item) => item.timeMs);
      expect(times).toEqual([...times].sort((a, b) => b - a));
      expect(new Set(items.map((item) => `${item.sequence}:${item.body}:${item.timeMs}`)).size).toBe(101);
    }
  });

  it('filters by everything, and brings every field', async () => {
    const [item] = await all(
      { range, service: 'service-2', traceId: (90_000_000 / 9000 + 1).toString(16).padStart(32, '0') },
      5,
    );
    expect(item).toMatchObject({
      service: 'service-2',
      timeMs: startMs + 1000,
      subNs: 123_456,
      partition: 1,
      sequence: 1,
      lane: 'live',
      traceId: expect.stringMatching(/2711$/),
    });
    expect(item?.resource).toEqual({ 'host.name': 'node-1', 'deployment.environment': "it's \\ prod" });
    expect(item?.attributes).toMatchObject({ user: expect.any(String) });
    expect(await all({ range, text: 'STATUS 500: ÜN' }, 50)).toHaveLength(
      (await all({ range, severityMin: 17 }, 50)).filter((row) => row.severityNumber === 17).length,
    );
    expect(await all({ range, text: "' OR 1 --" }, 5)).toEqual([]);
    expect(
      (await all({ range, templateId: 'aaaaaaaaaaaaaaa1', category: 'http' }, 20)).every(
        (row) => row.templateId === 'aaaaaaaaaaaaaaa1' && row.category === 'http',
      ),
    ).toBe(true);
    await expect(queries.logs({ range }, { limit: 5, after: 'nonsense' })).rejects.toBeInstanceOf(CursorError);
  });
});

describe('findings', () => {
  it('lists anomalies by filter and page, and one with its evidence', async () => {
    const first = await queries.anomalies({ range }, { limit: 3 });
    expect(first.items.map((item) => item.id)).toEqual(['a0', 'a4', 'a3']);
    const second = await queries.anomalies({ range }, { limit: 3, after: first.next as string });
    expect([second.items.map((item) => item.id), second.next]).toEqual([['a2', 'a1'], null]);
    const ids = async (filter: object): Promise<string[]> =>
      (await queries.anomalies({ range, ...filter }, { limit: 9 })).items.map((item) => item.id);
    expect(await ids({ detector: 'sequence_match' })).toEqual(['a3']);
    expect(await ids({ scoreMin: 51 })).toEqual(['a4', 'a3', 'a2']);
    expect(await ids({ text: 'spike "A2" ISN\'T' })).toEqual(['a2']);
    expect(await ids({ service: 'service-1' })).toEqual(['a3']);
    // One that goes on comes first, and touches whatever comes after its beginning.
    expect(await ids({ open: true })).toEqual(['a0']);
    expect(await ids({ open: false })).toEqual(['a4', 'a3', 'a2', 'a1']);
    expect(await queries.goingOn(['a0', 'a1', "a'"])).toEqual(['a0']);
    expect(await queries.detectors(range)).toEqual([
      { detector: 'error_spike', count: 4 },
      { detector: 'sequence_match', count: 1 },
    ]);
    expect(await queries.anomaly('a1')).toMatchObject({
      id: 'a1',
      influencers: [{ kind: 'feature', name: 'errorCount', share: 1 }],
      samples: ['sample'],
      receipt: { eventMs: startMs, detectedMs: startMs + 3 },
      revised: false,
    });
    expect(await queries.anomaly('a1')).toMatchObject({ traceIds: ['4bf92f35', "it's"], hosts: ['node-1'] });
    expect(await queries.anomaly('a5')).toMatchObject({
      traceIds: [],
      hosts: [],
      receipt: { eventMs: startMs + 5, processingMs: 0 },
    });
    expect(await queries.anomaly('nope')).toBeNull();
  });

  it('lists templates in three orders, and leaves merged ones out', async () => {
    for (const [sort, expected] of [
      ['count', ['t1', 't2', 't3', 't4']],
      ['rarest', ['t4', 't2', 't3', 't1']],
      ['newest', ['t1', 't2', 't3', 't4']],
    ] as const) {
      const ids: string[] = [];
      for (let after: string | undefined; ; ) {
        const page = await queries.templates({ sort }, { limit: 1, after });
        ids.push(...page.items.map((item) => item.templateId));
        if (page.next === null) break;
        after = page.next;
      }
      expect(ids).toEqual(expected);
    }
    expect(
      (await queries.templates({ sort: 'count', text: 'TEMPLATE T3', service: 'service-1' }, { limit: 5 })).items,
    ).toMatchObject([{ templateId: 't3', count: 20, lastSeenMs: startMs + 1000 }]);
  });

  it('shows the last version of windows, and where each alert stands', async () => {
    expect(
      (await queries.windows({ range, service: 'service-0' })).map(({ startMs: start, errors }) => [start, errors]),
    ).toEqual([
      [startMs, 5],
      [startMs + minuteMs, 0],
    ]);
    const alerts = await queries.alerts({ range }, { limit: 5 });
    expect(alerts.items.map(({ id, state, transition: n }) => [id, state, n])).toEqual([
      ['x2', 'resolved', 2],
      ['x1', 'firing', 1],
    ]);
    expect(alerts.items[0]).toMatchObject({ channels: ['slack'], receipt: { gatewayMs: startMs + 1 } });
    const first = await queries.alerts({ range }, { limit: 1 });
    expect((await queries.alerts({ range }, { limit: 1, after: first.next as string })).items[0]?.id).toBe('x1');
    expect(await queries.alertsFiring()).toBe(1);
  });

  it('reports and reconciles', async () => {
    const report = await queries.report(range);
    expect(report).toMatchObject({
      totalLogs: 100,
      windows: 3,
      errorWindows: 2,
      anomaliesTotal: 5,
      services: [{ service: 'service-0' }, {}, {}],
    });
    expect(report.patterns).toContainEqual({ detector: 'sequence_match', subject: 'login → fail', count: 1 });
    expect(report.templates[0]).toEqual({ template: 'template t1 <*>', service: 'service-0', count: 30 });
    expect(await queries.reconcile()).toEqual([
      {
        generation: 1,
        partition: 1,
        storedRows: 90,
        storedSequences: 1,
        ledgerRows: 90,
        duplicates: 3,
        deadLetters: 0,
        fromSequence: 1,
        toSequence: 1,
      },
      {
        generation: 1,
        partition: 2,
        storedRows: 1,
        storedSequences: 1,
        ledgerRows: 1,
        duplicates: 0,
        deadLetters: 0,
        fromSequence: 2,
        toSequence: 2,
      },
      {
        generation: 1,
        partition: 3,
        storedRows: 10,
        storedSequences: 1,
        ledgerRows: 10,
        duplicates: 0,
        deadLetters: 0,
        fromSequence: 3,
        toSequence: 3,
      },
    ]);
  });
});
