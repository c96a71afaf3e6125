import { describe, expect, it } from 'vitest';
import { missingExponent, type PairSpans, markSpan, spansBetween } from './pair-evidence.ts';
import { Driver, ordinary, randomOf, startMs, type TestRecord } from './test-stream.ts';

const minute = 60_000;

function found(more: readonly TestRecord[], minutes: number): string[] {
  const records = [...ordinary({ seed: 1, minutes, rate: 1 }), ...more].sort((a, b) => a.timeMs - b.timeMs);
  const driver = new Driver().sendIn(records, 200).end();
  return driver.anomalies().map(({ detector }) => detector);
}
const say = (slot: number, timeMs: number): TestRecord => ({
  timeMs: Math.floor(timeMs),
  severity: 9,
  slot,
  body: `step ${slot} done`,
});

describe('pairs of messages', () => {
  it.each([1, 2, 3, 4])('are whole where the end of a window cuts the lines of a job in two: %i', (seed) => {
    const random = randomOf(seed);
    const lines: TestRecord[] = [];
    // Five lines of each in ten seconds, mostly within one window, in the last hour across its end.
    for (let at = 0; at < 240; at += 4) {
      const isCut = at > 180;
      const fromMs = startMs + at * minute + (isCut ? 24 + 2 * random() : 10) * 1_000;
      for (let i = 0; i < 10; i++) {
        const lagMs = isCut ? 1_000 * i : 10_000 * random();
        lines.push(say(isCut ? 23 + Math.floor(i / 5) : 23 + (i % 2), fromMs + lagMs));
      }
    }
    expect(found(lines, 240)).toEqual([]);
  });

  it.each([1, 2, 3, 4])('are none any more once the second step is optional: %i', (seed) => {
    const random = randomOf(seed);
    const lines: TestRecord[] = [];
    for (let at = 0; at < 90; at += 0.15 * random()) {
      const fromMs = startMs + at * minute;
      lines.push(say(23, fromMs), say(at > 40 && random() < 0.4 ? 25 : 24, fromMs + 100 + 100 * random()));
    }
    expect(found(lines, 90)).toEqual([]);
  });

  it('are broken where the one stays away by more than chance', () => {
    const whole = Array.from({ length: 56 }, (_, i) => i % 5);
    expect(missingExponent(3, 3, whole, whole, 0, 56)).toBeGreaterThan(5);
    // What comes a window later does not lack.
    const later = [0, ...whole.slice(0, -1).map((count) => Math.min(1, count))];
    const once = whole.map((count) => Math.min(1, count));
    expect(missingExponent(3, 3, once, later, 0, 55)).toBeGreaterThan(4.5);
    const half = whole.map((count) => Math.ceil(count / 2));
    expect(missingExponent(3, 3, whole, half, 0, 56)).toBeLessThan(2);
    const fallen = [...whole.slice(0, 48), ...half.slice(48)];
    expect(missingExponent(5, 7, whole, fallen, 0, 56)).toBeLessThan(5);
    expect(missingExponent(20, 20, whole, fallen, 0, 56)).toBeGreaterThan(5);
  });

  it.each([75, 100])('are told until both come again or the input ends: after %i of 100 minutes', (untilMinute) => {
    const random = randomOf(1);
    const lines: TestRecord[] = [];
    for (let at = 0; at < 100; at += 0.2 * random()) {
      lines.push(say(23, startMs + at * minute));
      if (at < 60 || at >= untilMinute) lines.push(say(24, startMs + at * minute + 150));
    }
    const records = [...ordinary({ seed: 1, minutes: 100, rate: 1 }), ...lines].sort((a, b) => a.timeMs - b.timeMs);
    const { out } = new Driver().sendIn(records, 200).end();
    expect(new Set(out.anomalies.map(({ detector }) => detector))).toEqual(new Set(['sequence_broken']));
    expect(out.anomalies.map(({ open }) => open)).toEqual([...out.anomalies.slice(1).map(() => true), false]);
  });

  it('remember the spans in which they came', () => {
    const spans: PairSpans = { newestSpan: 0, spansA: 0, spansB: 0 };
    for (const span of [100, 102, 101, 131]) markSpan(spans, span, true);
    markSpan(spans, 131, false);
    expect(spansBetween(spans, 100, 132, true)).toBe(4);
    expect(spansBetween(spans, 100, 131, true)).toBe(3);
    expect(spansBetween(spans, 100, 132, false)).toBe(1);
    markSpan(spans, 99, true);
    markSpan(spans, 170, false);
    expect(spansBetween(spans, 0, 200, true)).toBe(0);
    expect(spansBetween(spans, 0, 200, false)).toBe(1);
  });
});
