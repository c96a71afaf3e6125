import { describe, expect, it } from 'vitest';
import { compareFired, type Fired } from './backtest-compare.ts';

const minuteMs = 60_000;
const startMs = Date.UTC(2026, 0, 5, 12);

describe('compareFired', () => {
  const fired = (anomalyId: string, minute: number, over: Partial<Fired> = {}): Fired => ({
    anomalyId,
    service: 'web',
    lane: 'live',
    detector: 'error_spike',
    subject: '',
    startMs: startMs + minute * minuteMs,
    endMs: startMs + (minute + 2) * minuteMs,
    score: 80,
    description: 'errors',
    ...over,
  });

  it('takes for the same what has one id, or is about the same at nearly the same time', () => {
    const { same, added, removed } = compareFired(
      [fired('a', 0), fired('b', 10, { score: 90 }), fired('c', 30), fired('d', 50, { service: 'db' })],
      [fired('a', 0), fired('x', 11), fired('y', 60), fired('z', 50)],
    );
    expect(same.map(({ anomalyId, wasScore }) => [anomalyId, wasScore])).toEqual([
      ['a', 80],
      ['b', 80],
    ]);
    expect(added.map(({ anomalyId }) => anomalyId)).toEqual(['c', 'd']);
    expect(removed.map(({ anomalyId }) => anomalyId)).toEqual(['z', 'y']);
  });

  it('meets each alert of one finding once', () => {
    const again = fired('a', 20);
    const { same, added, removed } = compareFired([fired('a', 0), again], [fired('a', 0), again, fired('a', 40)]);
    expect([same.length, added.length, removed.length]).toEqual([2, 0, 1]);
  });
});
