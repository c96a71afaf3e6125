import { describe, expect, it } from 'vitest';
import { LogweirError } from '#protocol/errors.ts';
import { KeyedSequenceDetector } from './mod.ts';

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
