import { describe, expect, it } from 'vitest';
import { LogweirError } from '#protocol/errors.ts';
import { KeyedSequenceDetector, SeriesDetector } from './mod.ts';
import { randomOf } from './test-stream.ts';

describe('KeyedSequenceDetector', () => {
  function lines(keys: number, odd: ReadonlySet<number>): string[] {
    const result: string[] = [];
    for (let i = 0; i < keys; i++) {
      const key = `req-${1000 + i}`;
      result.push(`start of ${key} from 10.0.0.${i % 200}`);
      if (!odd.has(i) || i % 2 === 0) result.push(`stored ${key} in ${i % 70} ms`);
      if (odd.has(i) && i % 2 === 0) result.push(`rollback of ${key}: checksum differs`);
      for (let j = 0; j < i % 4; j++) result.push(`reading ${key} part ${j}`);
      result.push(`end of ${key}`);
    }
    return result;
  }
  const odd = new Set([101, 240, 377]);

  it('finds keys with a rare message or without a usual one', () => {
    const detector = new KeyedSequenceDetector({ key: 'req-\\d+' });
    const verdicts = [...lines(600, odd).flatMap((line) => detector.line(line)), ...detector.end()];
    expect(verdicts).toHaveLength(600);
    expect(verdicts.filter(({ anomalous }) => anomalous).map(({ key }) => key)).toEqual([
      'req-1101',
      'req-1240',
      'req-1377',
    ]);
    for (const { score } of verdicts) expect(score >= 0 && score <= 1).toBe(true);
  });

  it('keeps a bounded number of keys and judges each once', () => {
    const detector = new KeyedSequenceDetector({ key: '(req-\\d+)', keysMax: 100 });
    const verdicts = [...lines(600, odd).flatMap((line) => detector.line(line)), ...detector.end()];
    expect(new Set(verdicts.map(({ key }) => key)).size).toBe(600);
    expect(verdicts).toHaveLength(600);
  });

  it('passes over lines without a key and refuses a key that is no expression', () => {
    const detector = new KeyedSequenceDetector({ key: 'req-\\d+' });
    expect(detector.line('nothing here')).toEqual([]);
    expect(detector.end()).toEqual([]);
    expect(() => new KeyedSequenceDetector({ key: '(' })).toThrow(LogweirError);
  });
});

describe('SeriesDetector', () => {
  const random = randomOf(11);
  const values = Array.from({ length: 3000 }, (_, i) => {
    const wave = 10 + 3 * Math.sin((i * 2 * Math.PI) / 288) + random();
    return i >= 2200 && i < 2220 ? wave + 25 : wave;
  });

  it('scores an outlier above everything ordinary', () => {
    const detector = new SeriesDetector();
    const scores = values.map((value, i) => detector.score(i * 300_000, value));
    const highest = Math.max(...scores);
    expect(scores.indexOf(highest)).toBeGreaterThanOrEqual(2200);
    expect(scores.indexOf(highest)).toBeLessThan(2225);
    expect(Math.max(...scores.slice(500, 2200))).toBeLessThan(highest * 0.7);
  });

  it('is causal, finite, within 0 to 1, and indifferent to scale', () => {
    const whole = new SeriesDetector();
    const cut = new SeriesDetector();
    const scaled = new SeriesDetector();
    const all = values.map((value, i) => whole.score(i * 300_000, value));
    expect(values.slice(0, 1500).map((value, i) => cut.score(i * 300_000, value))).toEqual(all.slice(0, 1500));
    const doubled = values.map((value, i) => scaled.score(i * 300_000, value * 1024));
    for (const [i, score] of all.entries()) {
      expect(score >= 0 && score <= 1).toBe(true);
      expect(doubled[i]).toBeCloseTo(score, 6);
    }
    const wild = new SeriesDetector();
    for (const value of [Number.NaN, Infinity, 0, 0, 0, 1e308, -1e308, 5e-324, 0].concat(
      Array(300).fill(7),
      [1e300, 7],
    )) {
      const score = wild.score(0, value);
      expect(score >= 0 && score <= 1).toBe(true);
    }
  });
});
