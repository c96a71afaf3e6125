import { describe, expect, it } from 'vitest';
import { planScaling } from './scaling.ts';

const units = ['nats-server', 'storage', 'worker-1', 'worker-2', 'worker-4', 'gateway'];

describe('planScaling', () => {
  it('fills free numbers, and ends the highest', () => {
    expect(planScaling(units, 5)).toEqual({ from: 3, start: ['worker-3', 'worker-5'], retire: [] });
    expect(planScaling(units, 1)).toEqual({ from: 3, start: [], retire: ['worker-2', 'worker-4'] });
    expect(planScaling(units, 3)).toEqual({ from: 3, start: [], retire: [] });
    expect(planScaling(['gateway'], 2)).toEqual({ from: 0, start: ['worker-1', 'worker-2'], retire: [] });
  });
});
