import { describe, expect, it } from 'vitest';
import { neededFrom, needsNewGeneration, planPurge, resultsKeptFrom } from './retention.ts';

const entry = (sequence: number, generation = 1) => ({ chain: [], epoch: 1, generation, sequence });

describe('retention by need', () => {
  it('keeps what the oldest kept checkpoint needs', () => {
    expect(neededFrom({ format: 2, entries: [entry(900), entry(700), entry(500)] }, 1)).toBe(501);
    expect(neededFrom({ format: 2, entries: [entry(20, 2), entry(700)] }, 2)).toBeNull();
    expect(neededFrom({ format: 2, entries: [entry(20, 2), entry(10, 2)] }, 2)).toBe(11);
    expect(neededFrom({ format: 2, entries: [entry(700)] }, 2)).toBeNull();
    expect(neededFrom(null, 1)).toBeNull();
  });

  it('purges in steps worth their cost', () => {
    expect(planPurge([501, 100, null], [300, 0])).toEqual([]);
    expect(planPurge([501, 100, null], [])).toEqual([{ partition: 0, below: 501 }]);
  });
});

describe('retention of results', () => {
  const half = { bytes: 50, bytesMax: 100 };
  const little = { bytes: 5, bytesMax: 100 };

  it('keeps what is unread, and the newest message of each partition', () => {
    expect(resultsKeptFrom(little, 900, [950, null, 990])).toBe(900);
    expect(resultsKeptFrom(little, 900, [950, 800, 990])).toBe(800);
    expect(resultsKeptFrom(little, 900, [])).toBe(900);
  });

  it('keeps no message of a partition without an owner where that would fill the stream', () => {
    expect(resultsKeptFrom(half, 900, [950, 3])).toBe(900);
  });
});

describe('generation', () => {
  const facts = { logsCreatedMs: 5 };
  it('rises where LOGS was made anew or lost its tail', () => {
    expect(needsNewGeneration({ createdMs: 5, lastSequence: 10 }, facts, 10)).toBe(false);
    expect(needsNewGeneration({ createdMs: 6, lastSequence: 10 }, facts, 0)).toBe(true);
    expect(needsNewGeneration({ createdMs: 5, lastSequence: 9 }, facts, 10)).toBe(true);
  });
});
