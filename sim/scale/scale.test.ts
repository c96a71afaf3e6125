import { describe, expect, it } from 'vitest';
import { loadStages, type StageLimits } from './stages.ts';
import { spreadServices } from './traffic.ts';
import { runWorkers, type WorkerShape } from './workers.ts';

const shape: WorkerShape = {
  workers: 20,
  workerRecordsPerSecond: 10_000,
  killShare: 0.1,
  killAtSeconds: 20,
  joining: 2,
  joinAtSeconds: 60,
  seconds: 90,
  deadAfterSeconds: 2,
  restoreSeconds: 1,
  checkpointSeconds: 5,
  drainSeconds: 0.5,
  swing: 0.2,
  seed: 1,
};
const traffic = spreadServices({ services: 2_000, exponent: 0.5, recordsPerSecond: 100_000, partitions: 256 });
const limits: StageLimits = {
  logsBytes: 100,
  resultsBytes: 100,
  streamBytesPerSecond: 1_000_000,
  streamMessagesPerSecond: 1_000,
  writerRowsPerSecond: 50_000,
  batchRecordsMax: 1_000,
};

describe('traffic', () => {
  it('gives every record to a partition', () => {
    expect(traffic.byPartition.reduce((a, b) => a + b, 0)).toBeCloseTo(100_000, 3);
  });

  it('is steeper with a larger exponent', () => {
    const steep = spreadServices({ services: 2_000, exponent: 1, recordsPerSecond: 100_000, partitions: 256 });
    expect(steep.busiestService).toBeGreaterThan(traffic.busiestService);
  });
});

describe('workers', () => {
  it('heals a mass death and catches up, moving only what was orphaned', () => {
    const report = runWorkers(traffic.byPartition, shape, () => 0);
    expect(report.healedSeconds).toBeGreaterThanOrEqual(shape.deadAfterSeconds);
    expect(report.healedSeconds).toBeLessThan(5);
    expect(report.caughtUpSeconds).toBeGreaterThanOrEqual(report.healedSeconds);
    expect(report.movedByKill).toBeGreaterThanOrEqual(report.orphaned);
    expect(report.imbalance).toBeLessThan(1.25);
  });

  it('gives the same report for the same seed', () => {
    const report = (): string => JSON.stringify(runWorkers(traffic.byPartition, shape, () => 0));
    expect(report()).toBe(report());
  });

  it('tells of partitions that no worker can carry, and waits for none of them', () => {
    const report = runWorkers(Float64Array.of(20_000, 100, 100, 100), { ...shape, workers: 3, killShare: 0 }, () => 0);
    expect(report.tooHeavy).toBe(1);
    expect(report.worstLagSeconds).toBeLessThanOrEqual(shape.restoreSeconds);
  });
});

describe('stages', () => {
  it('divides bytes over slices and rows over writers', () => {
    const even = new Float64Array(16).fill(1_000);
    const report = loadStages(even, { gateways: 1, lingerSeconds: 0.1, slices: 4, writers: 2 }, limits);
    expect(report.logsStreams).toEqual({ busiest: 0.4, mean: 0.4 });
    expect(report.writers.busiest).toBeCloseTo(8_000 / 50_000);
    expect(report.recordsPerMessage).toBe(100);
  });

  it('shows how batches shrink as gateways multiply', () => {
    const even = new Float64Array(16).fill(1_000);
    const batch = (gateways: number): number =>
      loadStages(even, { gateways, lingerSeconds: 0.1, slices: 4, writers: 2 }, limits).recordsPerMessage;
    expect(batch(10)).toBe(10);
    expect(batch(1_000_000)).toBe(1);
  });
});
