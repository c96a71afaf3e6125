import { expect, it } from 'vitest';
import { barOf, ticksOf } from './incident-scale.ts';

it('places members along the time of their incident', () => {
  expect(barOf({ onsetFromMs: 1000, onsetByMs: 1250, endMs: 2000 }, 1000, 2000)).toEqual({
    onset: { left: 0, width: 25 },
    rest: { left: 25, width: 75 },
  });
  // A moment at the very end is still seen.
  expect(barOf({ onsetFromMs: 2000, onsetByMs: 2000, endMs: 2000 }, 1000, 2000).rest).toEqual({
    left: 99.2,
    width: 0.8,
  });
  // An incident of one moment divides by nothing.
  expect(barOf({ onsetFromMs: 5, onsetByMs: 5, endMs: 5 }, 5, 5).rest.width).toBeGreaterThan(0);
  expect(ticksOf(0, 100)).toEqual([
    { left: 0, atMs: 0 },
    { left: 50, atMs: 50 },
    { left: 100, atMs: 100 },
  ]);
});
