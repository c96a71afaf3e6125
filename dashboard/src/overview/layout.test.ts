import { describe, expect, it } from 'vitest';
import type { AnomalySummary, Trend } from '#api/types.ts';
import { lanesOf } from './lane-layout.ts';
import { linesOf, passedMs } from './series.ts';

const anomaly = (service: string, startMs: number, endMs: number, score: number): AnomalySummary => ({
  id: `${service}${startMs}`,
  service,
  lane: 'live',
  detector: 'error_spike',
  subject: '',
  startMs,
  endMs,
  decidedAtMs: endMs,
  score,
  actual: 1,
  typical: 0,
  description: '',
  revised: false,
  open: false,
  durationMs: endMs - startMs,
});

describe('lanes', () => {
  it('loudest service first, marks in time, cut at the ends of the range', () => {
    const lanes = lanesOf(
      [anomaly('a', 500, 600, 10), anomaly('b', 900, 2000, 90), anomaly('a', -100, 100, 20)],
      [0, 1000],
    );
    expect(lanes.map(({ service }) => service)).toEqual(['b', 'a']);
    expect(lanes[0]?.marks[0]).toMatchObject({ left: 0.9, width: 0.09999999999999998 });
    expect(lanes[1]?.marks.map(({ left }) => left)).toEqual([0, 0.5]);
  });
});

describe('series', () => {
  const trend: Trend = {
    range: { fromMs: 0, toMs: 180_000 },
    stepMs: 60_000,
    timesMs: [0, 60_000, 120_000],
    series: [{ service: 'a', logs: [60, 120, 30], errors: [6, 0, 3], warns: [0, 0, 0] }],
    others: null,
  };

  it('the step that still runs counts by what has passed of it', () => {
    expect(linesOf(trend, 'logs', 1000, 150_000, () => 1)[0]?.values).toEqual([1, 2, 1]);
    expect(linesOf(trend, 'errors', 60_000, 150_000, () => 1)[0]?.values).toEqual([6, 0, 6]);
  });

  it('and is not drawn before it says anything', () => {
    expect(passedMs(trend, 121_000)).toEqual([60_000, 60_000, 0]);
    expect(linesOf(trend, 'logs', 1000, 121_000, () => 1)[0]?.values[2]).toBeNull();
  });
});
