/** From log lines to one incident: the shop's cascade through real partitions into alerting's decisions. */
import { describe, expect, it } from 'vitest';
import { parseAlertingConfig } from '#alerting/mod.ts';
import { decide } from '#alerting/core/decide.ts';
import { emptyState } from '#alerting/core/state.ts';
import type { Notification } from '#alerting/core/types.ts';
import { cascade, type Incident, Traffic } from '#generator/mod.ts';
import {
  type Anomaly,
  BatchBuilder,
  encodeLogsMessage,
  type IncidentVersion,
  type LogRecord,
  partitionOf,
  RecordView,
  viewOf,
} from '#protocol/mod.ts';
import { Partition } from '#workers/mod.ts';

const start = Date.UTC(2026, 2, 1, 9);
const minute = 60_000;
const partitions = 4;

/** Findings of each partition in order, with the stream time at which they came. */
function findingsOf(incidents: readonly Incident[], minutes: number): { atMs: number; anomaly: Anomaly }[] {
  const traffic = new Traffic({ seed: 11, ratePerSecond: 100, incidents });
  const running = Array.from({ length: partitions }, (_, at) => new Partition(at));
  const found: { atMs: number; anomaly: Anomaly }[] = [];
  let sequence = 0;
  for (let at = start; at < start + minutes * minute; at += 1_000) {
    const by = Map.groupBy(traffic.step(at, at + 1_000), ({ service }) => partitionOf(service as string, partitions));
    for (const [partition, records] of by) {
      const data = batchOf(records, at);
      const { section } = (running[partition] as Partition).step({ sequence: ++sequence, timeMs: at + 1_000, data });
      for (const anomaly of section.anomalies) found.push({ atMs: at + 1_000, anomaly });
    }
  }
  return found;
}

function batchOf(records: readonly LogRecord[], observedMs: number): Uint8Array {
  const builder = new BatchBuilder('live', 'test');
  const view = new RecordView();
  for (const record of records) {
    viewOf(record, { observedMs, service: 'unknown' }, view);
    builder.add(view, 1);
  }
  const batch = builder.take();
  if (batch === null) throw new Error('empty');
  return encodeLogsMessage({ kind: 'batch', batch });
}

function alerted(found: readonly { atMs: number; anomaly: Anomaly }[]): {
  incidents: IncidentVersion[];
  told: Notification[];
} {
  const channels = [{ name: 'hook', type: 'webhook', url: 'http://127.0.0.1:1/' }];
  const config = parseAlertingConfig({ channels }).decide;
  let state = emptyState();
  const incidents = new Map<string, IncidentVersion>();
  const told: Notification[] = [];
  const run = (event: Parameters<typeof decide>[1]): void => {
    const done = decide(state, event, config);
    state = done.state;
    for (const effect of done.effects) {
      if (effect.kind === 'incident') incidents.set(effect.incident.incidentId, effect.incident);
      if (effect.kind === 'notify') told.push(effect.notification);
    }
  };
  for (const { atMs, anomaly } of found) {
    const receipt = { eventMs: anomaly.eventMs, gatewayMs: 0, processingMs: 0, detectedMs: 0 };
    run({ kind: 'anomalies', atMs, findings: [{ anomaly, receipt }] });
  }
  const end = found.at(-1)?.atMs ?? start;
  for (let at = end; at < end + 60 * minute; at += 5_000) run({ kind: 'tick', atMs: at });
  return { incidents: [...incidents.values()].filter(({ state: now }) => now !== 'merged'), told };
}

describe('the shop', () => {
  it('shows a cascade through three services as one incident, and pages once', () => {
    const { incidents, told } = alerted(findingsOf(cascade(start + 40 * minute), 46));
    const across = incidents.filter(({ services }) => services.length > 1);
    expect(across.map(({ services }) => services)).toEqual([['orders-db', 'payments', 'checkout']]);
    expect(across[0]).toMatchObject({ firstMover: 'orders-db', ranks: [0, 1, 2], state: 'closed' });
    expect(across[0]?.description).toMatch(
      /^orders-db first .*then payments, then checkout; shared: .*host orders-db-3/,
    );
    expect(incidents).toHaveLength(1);
    expect(told.filter(({ reason }) => reason === 'firing')).toHaveLength(1);
    expect(told.at(-1)?.incident?.title).toBe('orders-db first, then payments, then checkout');
  });
});
