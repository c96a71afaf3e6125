import { describe, expect, it } from 'vitest';
import { generationAfter, MemoryBus, openCluster, unpackFacts } from './mod.ts';
import { pack } from '#protocol/mod.ts';

describe('generations', () => {
  it('grow over wipes, as they begin with the time that LOGS was made', async () => {
    const first = await openCluster(new MemoryBus(() => 1_700_000_000_400));
    expect(first.facts).toMatchObject({ generation: 1_700_000_000, firstGeneration: 1_700_000_000 });
    const wiped = await openCluster(new MemoryBus(() => 1_700_000_100_000));
    expect(wiped.facts.firstGeneration).toBeGreaterThan(first.facts.generation);
  });

  it('rise where LOGS is the same stream but lost its tail, and fit UInt32 until 2106', () => {
    expect(generationAfter(1_700_000_000, 1_700_000_000_000)).toBe(1_700_000_001);
    expect(generationAfter(1_700_000_000, 1_700_000_500_000)).toBe(1_700_000_500);
    expect(generationAfter(1, Date.UTC(2106, 0))).toBeLessThan(2 ** 32);
  });

  it('of clusters from before begin with 1', () => {
    expect(unpackFacts(pack({ partitions: 64, generation: 3, logsCreatedMs: 5 }))).toEqual({
      partitions: 64,
      generation: 3,
      firstGeneration: 1,
      logsCreatedMs: 5,
    });
  });
});
