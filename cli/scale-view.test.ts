import { describe, expect, it } from 'vitest';
import { renderScale } from './scale-view.ts';

const report = {
  from: 1,
  to: 2,
  started: ['worker-2'],
  draining: [],
  partitions: 64,
  moved: 32,
  epoch: 4,
  seconds: 3.42,
  workers: [
    { id: 'worker-1', host: 'here', pid: 11, partitions: 32, recordsPerSecond: 1_200 },
    { id: 'worker-2', host: 'here', pid: 12, partitions: 32, recordsPerSecond: 900 },
  ],
};

describe('renderScale', () => {
  it('tells what was started, drained and moved', () => {
    const text = renderScale(report);
    expect(text).toContain('Workers 1 → 2: started worker-2. 32 of 64 partitions moved, settled after 3.4 s.');
    expect(text).toMatch(/worker-1 +here +11 +32 +1\.2 k\/s/);
    expect(renderScale({ ...report, from: 2, to: 1, started: [], draining: ['worker-2'] })).toContain(
      'Workers 2 → 1: drained and ended worker-2.',
    );
    expect(renderScale({ ...report, from: 2, started: [] })).toContain('2 workers run already.');
  });
});
