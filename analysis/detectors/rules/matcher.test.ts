import { describe, expect, it } from 'vitest';
import { MatcherSet } from './matcher.ts';
import { NeedleScanner } from './needle-scanner.ts';
import { randomOf } from '../test-stream.ts';

const any = { contains: [], matches: '', severityMin: 0, severityMax: 24 };

function met(set: MatcherSet, body: string, severityNumber = 9): number[] {
  const bytes = new TextEncoder().encode(`crash${body}crash`);
  const event = {
    timeMs: 0,
    streamTimeMs: 0,
    sequence: 1,
    severityNumber,
    templateSlot: 0,
    isStated: true,
    errorChance: 0,
    isNewTemplate: false,
  };
  set.match({ ...event, numbers: new Float64Array(0), numberCount: 0, bytes, start: 5, end: bytes.length - 5 });
  return [...set.matched.subarray(0, set.matchedCount)];
}

describe('MatcherSet', () => {
  const set = new MatcherSet([
    { ...any, contains: ['Out of Memory', 'oom'] },
    { ...any, contains: ['crash'], severityMin: 17 },
    { ...any, matches: 'user \\d+ (left|joined)' },
    { ...any, contains: ['x'] },
    { ...any, severityMin: 21 },
    { ...any, contains: ['größe'] },
  ]);

  it('looks for texts whatever their case, within the body only', () => {
    expect(met(set, 'java: OUT OF MEMORY')).toEqual([0]);
    expect(met(set, 'OOM', 9)).toEqual([0]);
    expect(met(set, 'all well')).toEqual([]);
    expect(met(set, 'a crashed pod', 17)).toEqual([1]);
    expect(met(set, 'a crashed pod', 9)).toEqual([]);
    expect(met(set, 'Größe: die größe')).toEqual([5]);
    expect(met(set, 'x')).toEqual([3]);
    expect(met(set, '')).toEqual([]);
  });

  it('matches patterns and severities', () => {
    expect(met(set, 'user 12 joined')).toEqual([2]);
    expect(met(set, 'user twelve joined', 23)).toEqual([4]);
  });
});

describe('NeedleScanner', () => {
  it('finds what indexOf finds', () => {
    const random = randomOf(5);
    const word = (length: number): string => Array.from({ length }, () => 'abcB'[Math.floor(random() * 4)]).join('');
    for (let round = 0; round < 300; round++) {
      const texts = Array.from({ length: 1 + Math.floor(random() * 5) }, () => word(1 + Math.floor(random() * 6)));
      const scanner = new NeedleScanner(texts.map((text, id) => ({ text, id })));
      const body = word(Math.floor(random() * 40));
      const bytes = new TextEncoder().encode(`ab${body}ba`);
      const found = new Int32Array(texts.length);
      scanner.scan(bytes, 2, bytes.length - 2, found, 7);
      expect([...found].map((mark) => mark === 7)).toEqual(
        texts.map((text) => body.toLowerCase().includes(text.toLowerCase())),
      );
    }
  });
});
