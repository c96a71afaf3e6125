/** The configuration that was live, run over what it left in storage, finds what was found live. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAlertingConfig } from '#alerting/mod.ts';
import { foldPast } from '#coordinator/mod.ts';
import { Traffic } from '#generator/mod.ts';
import {
  type Anomaly,
  BatchBuilder,
  encodeLogsMessage,
  liveLane,
  partitionOf,
  RecordView,
  viewOf,
} from '#protocol/mod.ts';
import { Queries } from '#storage/mod.ts';
import { openTempEngine, type TempEngine } from '#storage/testing/temp.ts';
import { BlockBuilder } from '#storage/writer/block.ts';
import { Partition } from '#workers/mod.ts';
import { resultOf } from '#cli/backtest-run.ts';
import { renderBacktest } from '#cli/backtest-view.ts';

const partitions = 3;
const minuteMs = 60_000;
const startMs = Date.UTC(2026, 0, 5, 12);
const endMs = startMs + 90 * minuteMs;
const alerting = parseAlertingConfig({
  channels: [{ name: 'ops', type: 'webhook', url: 'http://127.0.0.1:9/in' }],
});

let temp: TempEngine;
let queries: Queries;
const live = new Map<string, Anomaly>();
const liveFindings: { anomaly: Anomaly; streamMs: number }[] = [];

/** A cluster in short: what workers make of live traffic, second by second with a leader's ticks, stored as they said. */
beforeAll(async () => {
  temp = await openTempEngine();
  queries = new Queries(temp.engine);
  const traffic = new Traffic({
    seed: 7,
    ratePerSecond: 8,
    incidents: [
      { kind: 'error_spike', service: 'checkout', fromMs: startMs + 60 * minuteMs, toMs: startMs + 64 * minuteMs },
      { kind: 'new_exception', service: 'catalog', fromMs: startMs + 80 * minuteMs, toMs: startMs + 83 * minuteMs },
    ],
  });
  const blocks = new BlockBuilder();
  const workers = Array.from({ length: partitions }, (_, partition) => ({
    partition: new Partition(partition),
    builder: new BatchBuilder(liveLane, 'http'),
    sequence: 0,
  }));
  const view = new RecordView();
  const take = (at: number, data: Uint8Array, timeMs: number): void => {
    const worker = workers[at]!;
    const { section } = worker.partition.step({ sequence: ++worker.sequence, timeMs, data });
    blocks.add({ generation: 1, partition: at }, section);
    for (const anomaly of section.anomalies) {
      live.set(anomaly.anomalyId, { ...anomaly });
      liveFindings.push({ anomaly: { ...anomaly }, streamMs: timeMs });
    }
  };
  for (let ms = startMs; ms < endMs; ms += 1_000) {
    const nowMs = ms + 1_200;
    for (const record of traffic.step(ms, ms + 1_000)) {
      const at = partitionOf(record.service ?? '', partitions);
      workers[at]!.builder.add(viewOf(record, { observedMs: nowMs, service: 'none' }, view), nowMs);
    }
    for (const [at, { builder }] of workers.entries()) {
      const batch = builder.take();
      if (batch !== null) take(at, encodeLogsMessage({ kind: 'batch', batch }), nowMs + 3);
      take(at, encodeLogsMessage({ kind: 'tick' }), nowMs + 10);
    }
  }
  for (let ms = endMs; ms < endMs + 10 * minuteMs; ms += 1_000)
    for (let at = 0; at < partitions; at++) take(at, encodeLogsMessage({ kind: 'tick' }), ms + 2_000);
  for (const [index, { table, structure, chunks }] of blocks.finish().entries())
    await temp.engine.insertNative(table, structure, chunks, `seed-${index}`);
});
afterAll(() => temp.end());

const wanted = {
  fromMs: startMs,
  toMs: endMs,
  warmUpMs: 0,
  services: [],
  partitions,
  settings: {},
};

describe('a backtest', () => {
  it('of the configuration that was live finds what was found live, and decides the same alerts', async () => {
    const before = live.size;
    expect(before).toBeGreaterThan(1);
    const past = await foldPast(queries, wanted);
    const did = { anomalies: await queries.firedAnomalies({ range: wanted, services: [] }), alerts: [] };
    const result = resultOf('stored', wanted, past, alerting, did);
    const { added, removed, same } = result.anomalies;
    expect({ added, removed }).toEqual({ added: [], removed: [] });
    const inRange = [...live.values()].filter((one) => one.startMs < endMs);
    // How long a silence has lasted is told by ticks, which are not stored.
    const told = (one: { anomalyId: string; detector: string; score: number }): string =>
      `${one.anomalyId} ${one.detector === 'silence' ? 'silent' : one.score}`;
    expect(same.map(told).sort()).toEqual(inRange.map(told).sort());
    const rehearsed = resultOf('stored', wanted, { records: 0, findings: liveFindings }, alerting, did);
    expect(result.alerts.added.map(({ anomalyId }) => anomalyId)).toEqual(
      rehearsed.alerts.added.map(({ anomalyId }) => anomalyId),
    );
    expect(result.alerts.would).toBeGreaterThan(0);
    expect(result.notifications.every(({ channel, count }) => channel === 'ops' && count > 0)).toBe(true);
  });

  it('says the same, byte for byte, when it runs again', async () => {
    const run = async (): Promise<string> => {
      const past = await foldPast(queries, wanted);
      return JSON.stringify(resultOf('stored', wanted, past, alerting, { anomalies: [], alerts: [] }));
    };
    expect(await run()).toBe(await run());
  });

  it('shows what another configuration would have added and left out, within a stretch and a service', async () => {
    const did = { anomalies: await queries.firedAnomalies({ range: wanted, services: ['checkout'] }), alerts: [] };
    const analysis = {
      detectors: { newTemplate: { enabled: false } },
      rules: [{ name: 'busy', service: 'checkout', kind: 'threshold', field: 'logCount', op: '>', value: 1 }],
    };
    const range = { fromMs: startMs + 50 * minuteMs, toMs: startMs + 70 * minuteMs };
    const past = await foldPast(queries, {
      ...wanted,
      ...range,
      warmUpMs: 30 * minuteMs,
      services: ['checkout'],
      settings: { analysis },
    });
    const anomalies = await queries.firedAnomalies({ range, services: ['checkout'] });
    const result = resultOf('stored', range, past, alerting, { ...did, anomalies });
    expect(new Set(past.findings.map(({ anomaly }) => anomaly.service))).toEqual(new Set(['checkout']));
    expect(result.anomalies.removed.map(({ detector }) => detector)).toEqual(['new_template']);
    expect(result.anomalies.would).toBe(result.anomalies.added.length + result.anomalies.same.length);
    const text = renderBacktest(result);
    expect(text).toContain('Anomalies removed');
    expect(text).toContain('nobody was told');
  });

  it('refuses a configuration that partitions would set aside', async () => {
    const settings = { analysis: { detectors: { nonsense: {} } } };
    await expect(foldPast(queries, { ...wanted, settings })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  it('reads no record twice and none of another service', async () => {
    const counts: number[] = [];
    const { records } = await foldPast(queries, wanted, (done, total) => counts.push(done / total));
    const { logs } = await queries.totals({ fromMs: startMs, toMs: endMs + minuteMs });
    expect(records).toBe(logs);
    expect(counts.at(-1)).toBe(1);
  });
});
