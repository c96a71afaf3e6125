import { describe, expect, it } from 'vitest';
import {
  chiSquaredTailExponent,
  lowerTailExponent,
  normalTailExponent,
  scoreOf,
  upperTailCount,
  upperTailExponent,
} from './tails.ts';

/** Poisson tail by plain summation. */
function poissonTail(from: number, mean: number): number {
  let term = Math.exp(-mean);
  let sum = 0;
  for (let k = 0; k < 500; k++) {
    if (k >= from) sum += term;
    term *= mean / (k + 1);
  }
  return -Math.log10(sum);
}

describe('tails', () => {
  it.each([
    [3, 0.1],
    [20, 5],
    [10, 9.5],
    [150, 100],
  ])('agree with summed Poisson terms: %i of %d', (count, mean) => {
    expect(upperTailExponent(count, mean, mean)).toBeCloseTo(poissonTail(count, mean), 2);
  });

  it('agree with the geometric distribution, whose tails are known', () => {
    // Mean m, variance m + m²: size 1, so P(X ≥ k) = (m / (m + 1))^k.
    for (const [mean, k] of [
      [2, 30],
      [100, 2000],
    ] as const) {
      expect(upperTailExponent(k, mean, mean + mean * mean)).toBeCloseTo(-k * Math.log10(mean / (mean + 1)), 6);
    }
    expect(lowerTailExponent(3, 100, 100 + 10_000)).toBeCloseTo(-Math.log10(1 - (100 / 101) ** 4), 6);
    expect(lowerTailExponent(0, 20, 20)).toBeCloseTo(20 / Math.LN10, 1);
    expect(lowerTailExponent(0, 0.4, 0.4)).toBeCloseTo(0.4 / Math.LN10, 3);
    expect(lowerTailExponent(1, 1.5, 1.5)).toBeCloseTo(-Math.log10(2.5 * Math.exp(-1.5)), 3);
  });

  it('know the normal and chi squared tables', () => {
    expect(normalTailExponent(6)).toBeCloseTo(9.0058, 3);
    expect(normalTailExponent(3)).toBeCloseTo(2.8697, 3);
    expect(chiSquaredTailExponent(26.12, 8)).toBeCloseTo(3, 1);
  });

  it('find the count at which chance is ruled out, at any size', () => {
    for (const [mean, variance] of [
      [0.25, 0.4],
      [50, 120],
      [1e6, 1e6],
      [1e5, 2e10],
    ] as const) {
      const count = upperTailCount(7, mean, variance);
      expect(upperTailExponent(count, mean, variance)).toBeGreaterThanOrEqual(7);
      expect(upperTailExponent(count - 1, mean, variance)).toBeLessThan(7);
    }
  });

  it('stay finite at the edges', () => {
    for (const value of [
      upperTailExponent(5, 0, 0),
      upperTailExponent(1e9, 1, 1),
      upperTailExponent(0, 5, 5),
      lowerTailExponent(0, 1e9, 1e9),
    ]) {
      expect(value).toBeGreaterThanOrEqual(0);
      expect(value).toBeLessThanOrEqual(300);
    }
    expect(scoreOf(0)).toBe(0);
    expect(scoreOf(7)).toBe(50);
    expect(scoreOf(300)).toBe(100);
  });
});
