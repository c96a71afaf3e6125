import { describe, expect, it } from 'vitest';
import { CheckpointBudget } from './checkpoint-budget.ts';

const after = (ms: number, times = 64, everyMs = 5_000): CheckpointBudget => {
  const budget = new CheckpointBudget({ everyMs });
  for (let i = 0; i < times; i++) budget.spent(ms);
  return budget;
};

describe('CheckpointBudget', () => {
  it('keeps the wanted interval where that costs little', () => {
    expect(after(1).everyMs(64)).toBe(5_000);
  });

  it('stretches it so that checkpoints take 2 % of a core, within its bound', () => {
    expect(after(4).everyMs(64)).toBe(12_800);
    expect(after(40).everyMs(64)).toBe(30_000);
    expect(after(40, 64, 60_000).everyMs(64)).toBe(60_000);
  });

  it('lets them take more while LOGS is short of room', () => {
    const budget = after(40);
    budget.isShort = true;
    expect(budget.everyMs(64)).toBe(12_800);
    budget.isShort = false;
    expect(budget.everyMs(64)).toBe(30_000);
  });

  it('waits for some measurements, and forgets old ones', () => {
    expect(after(40, 10).everyMs(64)).toBe(5_000);
    const budget = after(40);
    for (let i = 0; i < 400; i++) budget.spent(1);
    expect(budget.everyMs(64)).toBe(5_000);
  });
});
