import { describe, expect, it } from 'vitest';
import { Loads, weightFloor } from './loads.ts';

const beat = (partition: number, recordsPerSecond: number, lagMs = 0) => ({
  partitions: [{ partition, recordsPerSecond, lagMs, sequence: 1 }],
});

describe('Loads', () => {
  it('weighs rate and lag, and keeps the weight of a partition that nobody tells of', () => {
    const loads = new Loads();
    loads.hear(beat(0, 1_000), 0);
    loads.hear(beat(1, 1_000, 5_000), 0);
    loads.hear(beat(2, 1_000, 3_600_000), 0);
    expect(loads.weights(4)).toEqual([1_000 + weightFloor, 1_500 + weightFloor, 3_000 + weightFloor, weightFloor]);
  });

  it('follows what is measured slowly, so that bursts move nothing', () => {
    const loads = new Loads();
    for (let nowMs = 0; nowMs < 10_000; nowMs += 500) loads.hear(beat(0, 1_000), nowMs);
    loads.hear(beat(0, 10_000), 10_000);
    expect(loads.weights(1)[0]).toBeLessThan(2_000);
    for (let nowMs = 10_500; nowMs < 40_000; nowMs += 500) loads.hear(beat(0, 10_000), nowMs);
    expect(loads.weights(1)[0]).toBeGreaterThan(9_500);
  });
});
