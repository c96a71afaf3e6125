import { describe, expect, it } from 'vitest';
import { verify } from './mod.ts';

/** Chosen for what happens in them; `npm run simulate` runs as many more as you like. */
const seeds = [1, 2, 3, 4, 5, 6, 7, 8];

describe('a simulated cluster keeps its promises, and goes the same way twice', () => {
  it.each(seeds)('seed %i', { timeout: 60_000 }, async (seed) => {
    const verdict = await verify(seed);
    expect(verdict.failure, verdict.last.slice(-40).join('\n')).toBeNull();
  });
});
