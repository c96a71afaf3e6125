import { describe, expect, it } from 'vitest';
import { type Anomaly, BatchBuilder, encodeLogsMessage, liveLane, RecordView, viewOf } from '#protocol/mod.ts';
import { Evidence } from './evidence.ts';
import { Partition } from './partition.ts';

const fromMs = Date.UTC(2026, 0, 5, 12);
const error = 17;
const found = (over: Partial<Anomaly>): Anomaly => ({
  anomalyId: 'a',
  service: 'shop',
  lane: liveLane,
  detector: 'error_spike',
  subject: '',
  startMs: fromMs,
  endMs: fromMs + 60_000,
  decidedAtMs: fromMs,
  score: 90,
  actual: 1,
  typical: 0,
  description: '',
  influencers: [],
  samples: [],
  watermarkMs: fromMs,
  lateCount: 0,
  revised: false,
  version: 1,
  eventMs: fromMs,
  ...over,
});
const textOf = (slot: number): string => `template ${slot}`;

function noted(count: number, severity: number, slotOf: (i: number) => number = (i) => i): Evidence {
  const evidence = new Evidence();
  for (let i = 0; i < count; i++) {
    const timeMs = fromMs + i * 100;
    if (evidence.wants(timeMs, slotOf(i), severity)) evidence.note(timeMs, slotOf(i), severity, `t${i}`, `h${i % 2}`);
  }
  return evidence;
}

describe('Evidence', () => {
  it('gives a finding the first few traces and hosts of the templates that it names, or else of errors', () => {
    const evidence = noted(20, error, (i) => i % 4);
    const named = found({ influencers: [{ kind: 'template', name: 'template 2', share: 1 }] });
    expect(evidence.give(named, textOf)).toBe(true);
    expect(named).toMatchObject({ traceIds: ['t2', 't6'], hosts: ['h0'] });
    const unnamed = found({ anomalyId: 'b' });
    evidence.give(unnamed, textOf);
    expect(unnamed.traceIds).toEqual(['t0', 't1', 't2', 't3', 't4']);
    const quiet = found({ anomalyId: 'c' });
    expect(noted(20, 9).give(quiet, textOf)).toBe(false);
    expect('traceIds' in quiet).toBe(false);
    const silent = found({ anomalyId: 'd', detector: 'silence' });
    expect(evidence.give(silent, textOf)).toBe(false);
  });

  it('keeps what an earlier version had, within the time of the finding', () => {
    const evidence = noted(3, error, () => 0);
    const first = found({ endMs: fromMs + 100 });
    evidence.give(first, textOf);
    expect(first.traceIds).toEqual(['t0', 't1']);
    const later = found({ startMs: fromMs + 200, endMs: fromMs + 300 });
    evidence.give(later, textOf);
    expect(later.traceIds).toEqual(['t0', 't1', 't2']);
  });

  it('is bounded, and the same after a restore', () => {
    const evidence = new Evidence();
    for (let i = 0; i < 20_000; i++) {
      const timeMs = fromMs + (i % 7) * 1_000 + Math.floor(i / 20) * 3_000;
      if (evidence.wants(timeMs, i % 900, i % 3 === 0 ? error : 9))
        evidence.note(timeMs, i % 900, i % 3 === 0 ? error : 9, `t${i}`, 'h');
    }
    const { stretches } = evidence.snapshot();
    expect(stretches.length).toBeLessThanOrEqual(60);
    expect(Math.max(...stretches.map(([, noted]) => noted.length))).toBeLessThanOrEqual(24);
    const restored = new Evidence(evidence.snapshot());
    expect(restored.snapshot()).toEqual(evidence.snapshot());
    for (let i = 0; i < 50; i++) {
      const timeMs = fromMs + 3_000_000 + i * 997;
      expect(restored.wants(timeMs, i, error)).toBe(evidence.wants(timeMs, i, error));
    }
  });
});

describe('a partition', () => {
  it('tells the traces and hosts of what it finds, and goes on alike after a restore', () => {
    const run = (restoreAt: number): Anomaly[] => {
      let partition = new Partition(0);
      const builder = new BatchBuilder(liveLane, 'http');
      const view = new RecordView();
      const anomalies: Anomaly[] = [];
      const resource = ['host.name', 'node-7'];
      for (let second = 0; second < 1_500; second++) {
        const timeMs = fromMs + second * 1_000;
        const failing = second > 1_200 && second < 1_260;
        for (let i = 0; i < 4; i++) {
          const isError = failing && i > 0;
          const record = {
            timeMs: timeMs + i * 200,
            severityNumber: isError ? error : 9,
            severityText: '',
            body: isError ? `connection to 10.0.0.${i} refused` : `request ${second} served in ${20 + (second % 7)} ms`,
            traceId: (second * 4 + i).toString(16).padStart(32, '0'),
            resource,
          };
          builder.add(viewOf(record, { observedMs: timeMs, service: 'shop' }, view), timeMs);
        }
        const batch = builder.take();
        const data = encodeLogsMessage({ kind: 'batch', batch: batch! });
        anomalies.push(...partition.step({ sequence: second + 1, timeMs: timeMs + 1_000, data }).section.anomalies);
        if (second === restoreAt) partition = Partition.restore(partition.snapshot(), 0);
      }
      return anomalies;
    };
    const anomalies = run(-1);
    const last = anomalies.at(-1);
    expect(last?.hosts).toEqual(['node-7']);
    expect(last?.traceIds).toHaveLength(5);
    expect(Number.parseInt(last?.traceIds?.[0] ?? '', 16)).toBeGreaterThan(1_200 * 4);
    expect(run(1_220)).toEqual(anomalies);
  });
});
