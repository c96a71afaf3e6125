import { describe, expect, it } from 'vitest';
import { alignRange, shapeTrend, trendStepMs, trendStepsMax, trendStepsMs } from './trend.ts';

const minuteMs = 60_000;

describe('trend', () => {
  it('picks the finest step that keeps to the bound, whatever the range', () => {
    expect(trendStepMs({ fromMs: 0, toMs: minuteMs })).toBe(minuteMs);
    expect(trendStepMs({ fromMs: 0, toMs: 3_600_000 })).toBe(minuteMs);
    expect(trendStepMs({ fromMs: 0, toMs: 86_400_000 })).toBe(10 * minuteMs);
    for (let lengthMs = 1; lengthMs < 4_294_967_295_000; lengthMs *= 3.7) {
      const range = { fromMs: 12_345, toMs: 12_345 + Math.ceil(lengthMs) };
      const stepMs = trendStepMs(range);
      const aligned = alignRange(range, stepMs);
      expect((aligned.toMs - aligned.fromMs) / stepMs).toBeLessThanOrEqual(trendStepsMax);
      expect(aligned.fromMs).toBeLessThanOrEqual(range.fromMs);
      expect(aligned.toMs).toBeGreaterThanOrEqual(range.toMs);
    }
    expect(trendStepsMs.every((stepMs) => stepMs % minuteMs === 0)).toBe(true);
  });

  it('fills gaps with zero, orders by size, and loses no count', () => {
    const range = { fromMs: 0, toMs: 3 * minuteMs };
    const row = (service: string, minute: number, logs: number) => ({
      service,
      startMs: minute * minuteMs,
      logs,
      errors: 1,
      warns: 2,
    });
    const trend = shapeTrend(
      [row('a', 0, 1), row('b', 2, 9), row('c', 1, 3), row('c', 1, 1), row('a', 7, 100)],
      range,
      minuteMs,
      1,
    );
    expect(trend.series).toEqual([{ service: 'b', logs: [0, 0, 9], errors: [0, 0, 1], warns: [0, 0, 2] }]);
    expect(trend.others).toEqual({ services: 2, logs: [1, 4, 0], errors: [1, 2, 0], warns: [2, 4, 0] });
  });

  it('nothing is a trend of nothing', () => {
    const trend = shapeTrend([], { fromMs: 0, toMs: minuteMs }, minuteMs, 8);
    expect(trend).toMatchObject({ series: [], others: null, timesMs: [0] });
  });
});
