import { describe, expect, it } from 'vitest';
import { mergeByTime, type TimedSource } from './merge.ts';

const source = (times: number[], name: string, chunk = 2): TimedSource<{ t: number; name: string }> => {
  let at = 0;
  return {
    next: async () => {
      if (at >= times.length) return null;
      const items = times.slice(at, at + chunk).map((t) => ({ t, name }));
      at += chunk;
      return items;
    },
  };
};

async function merged(...lists: number[][]): Promise<string> {
  const sources = lists.map((times, i) => source(times, 'abcdefgh'[i] as string));
  const out: string[] = [];
  for await (const item of mergeByTime(sources, (one) => one.t)) out.push(`${item.name}${item.t}`);
  return out.join(' ');
}

describe('mergeByTime', () => {
  it('puts the earlier record first and keeps each file in its order', async () => {
    expect(await merged([1, 4, 5, 9], [2, 3, 10], [])).toBe('a1 b2 b3 a4 a5 a9 b10');
    expect(await merged([5, 1, 6], [5, 7])).toBe('a5 a1 b5 a6 b7');
    expect(await merged()).toBe('');
    expect(await merged([3])).toBe('a3');
  });

  it('loses nothing over many files', async () => {
    const lists = Array.from({ length: 8 }, (_, i) =>
      Array.from({ length: 50 }, (_, j) => (j * 37 + i * 11) % 400).sort((a, b) => a - b),
    );
    const out = (await merged(...lists)).split(' ').map((word) => Number(word.slice(1)));
    expect(out).toEqual(lists.flat().sort((a, b) => a - b));
  });
});
