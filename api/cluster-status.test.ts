import { describe, expect, it } from 'vitest';
import type { ClusterView, Seen } from '#coordinator/mod.ts';
import { clusterStatus, rateSample } from './cluster-status.ts';

const seen = (id: string, role: Seen['beat']['role'], partitions: [number, number][]): Seen => ({
  heardMs: 900,
  beat: {
    role,
    id,
    host: 'h',
    pid: 1,
    atMs: 0,
    rssBytes: 10,
    leaving: false,
    recordsPerSecond: 50,
    counters: { accepted: 3 },
    partitions: partitions.map(([partition, lagMs]) => ({ partition, lagMs, recordsPerSecond: 1, sequence: 1 })),
    services: [],
  },
});

const view: ClusterView = {
  partitions: 4,
  leader: null,
  epoch: 2,
  moving: 0,
  workers: [
    seen('w1', 'worker', [
      [3, 5],
      [0, 70],
    ]),
    seen('w2', 'worker', []),
  ],
  gateways: [seen('g1', 'gateway', [])],
  others: [seen('s1', 'storage', [])],
  streams: [{ name: 'LOGS', firstSequence: 1, lastSequence: 9, messages: 9, bytes: 99, bytesMax: 1000, createdMs: 0 }],
  services: Array.from({ length: 60 }, (_, index) => ({
    service: `s${index}`,
    recordsPerSecond: 1,
    errorsPerSecond: 0.5,
  })),
};

describe('cluster status', () => {
  it('adds up the workers, takes the worst lag, and ages heartbeats', () => {
    const status = clusterStatus(view, 1000);
    expect(status.totals).toEqual({ recordsPerSecond: 100, errorsPerSecond: 30, lagMs: 70 });
    expect(status.workers[0]).toMatchObject({ partitions: [0, 3], lagMs: 70, heartbeatAgeMs: 100 });
    expect(status.workers[1]).toMatchObject({ partitions: [], lagMs: 0 });
    expect(status.others[0]).toMatchObject({ role: 'storage', counters: { accepted: 3 } });
    expect(status.streams).toEqual([{ name: 'LOGS', messages: 9, bytes: 99, limitBytes: 1000 }]);
  });

  it('a sample tells a bounded number of services', () => {
    const sample = rateSample(clusterStatus(view, 1000), 1000);
    expect(sample).toMatchObject({ timeMs: 1000, recordsPerSecond: 100 });
    expect(sample.services).toHaveLength(50);
  });
});
