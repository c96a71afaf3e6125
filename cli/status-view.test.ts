import { describe, expect, it } from 'vitest';
import type { ClusterView } from '#coordinator/mod.ts';
import type { Heartbeat, RoleName } from '#protocol/mod.ts';
import { renderStatus, statusJson } from './status-view.ts';

const beat = (role: RoleName, id: string, partitions: number[]): { beat: Heartbeat; heardMs: number } => ({
  heardMs: 0,
  beat: {
    role,
    id,
    host: 'h',
    pid: 7,
    atMs: 0,
    rssBytes: 150e6,
    leaving: false,
    recordsPerSecond: 1_234,
    counters: {},
    partitions: partitions.map((partition) => ({ partition, recordsPerSecond: 1, sequence: 9, lagMs: partition * 10 })),
    services: [],
  },
});

const view: ClusterView = {
  partitions: 4,
  leader: 'coordinator',
  epoch: 3,
  moving: 0,
  workers: [beat('worker', 'worker-1', [0, 1]), beat('worker', 'worker-2', [2, 3])],
  gateways: [beat('gateway', 'gateway', [])],
  others: [],
  streams: [
    { name: 'LOGS', messages: 5, bytes: 2_000, bytesMax: 8e9, firstSequence: 1, lastSequence: 5, createdMs: 0 },
  ],
  services: Array.from({ length: 12 }, (_, i) => ({ service: `s${i}`, recordsPerSecond: 10, errorsPerSecond: 1 })),
};

describe('status', () => {
  it('fits on one screen', () => {
    const text = renderStatus(view);
    expect(text).toContain('4 partitions, 4 running on 2 workers (epoch 3, led by coordinator)');
    expect(text).toContain('2.5 k/s analysed');
    expect(text).toMatch(/worker-2\s+worker\s+7\s+2\s+1\.2 k\/s\s+30 ms\s+150 MB/);
    expect(text).toMatch(/LOGS\s+5\s+2\.0 kB\s+8\.0 GB/);
    expect(text).toContain('and 2 more services');
    const leaving = beat('worker', 'worker-3', [1]);
    leaving.beat.leaving = true;
    const drained = renderStatus({ ...view, moving: 1, workers: [leaving] });
    expect(drained).toContain('1 running on 1 workers, 1 on the way (epoch 3');
    expect(drained).toContain('worker-3 (draining)');
    expect(renderStatus({ ...view, leader: null, services: [] })).toContain('led by nobody');
  });

  it('says what alerting holds', () => {
    const alerting = beat('alerting', 'alerting', []);
    alerting.beat.counters = { firingNow: 1, incidentsOpenNow: 2 };
    expect(renderStatus({ ...view, others: [alerting] })).toContain('analysed, 1 alert fires, 2 incidents open\n');
    expect(renderStatus(view)).toContain('analysed\n');
  });

  it('has everything in JSON', () => {
    expect(statusJson(view)).toMatchObject({
      epoch: 3,
      processes: [{ id: 'gateway' }, { id: 'worker-1', partitions: [0, 1], lagMs: 10 }, { id: 'worker-2', lagMs: 30 }],
    });
  });
});
