import { describe, expect, it } from 'vitest';
import { bucketMiddle, bucketOf, rollingOf, sampleOf, ValueSketch } from './mod.ts';

describe('ValueSketch', () => {
  it('gives quantiles within 7 % over many orders of magnitude', () => {
    for (const scale of [0.01, 1, 1e6]) {
      const sketch = new ValueSketch();
      for (let i = 1; i <= 1000; i++) sketch.add(i * scale);
      for (const q of [0.05, 0.5, 0.95, 1])
        expect(Math.abs(sketch.quantile(q) / (q * 1000 * scale) - 1)).toBeLessThan(0.07);
      expect(sketch.mean).toBeCloseTo(500.5 * scale, 6);
      expect(sketch.max).toBe(1000 * scale);
    }
  });

  it('puts every number in a bucket near it, and odd ones at the ends', () => {
    for (let x = 0.001; x < 1e13; x *= 1.37) expect(Math.abs(bucketMiddle(bucketOf(x)) / x - 1)).toBeLessThan(0.0626);
    expect([0, -5, Number.NaN, 1e-9].map(bucketOf)).toEqual([0, 0, 0, 0]);
    expect(bucketOf(1e300)).toBe(bucketOf(Number.MAX_VALUE));
  });

  it('goes on after compacting and restoring', () => {
    const sketch = new ValueSketch();
    for (const value of [3, 4, 5, Number.POSITIVE_INFINITY]) sketch.add(value);
    sketch.compact();
    const restored = ValueSketch.restore(sketch.snapshot());
    for (const one of [sketch, restored]) one.add(1000);
    expect(restored.snapshot()).toEqual(sketch.snapshot());
    expect(restored.count).toBe(4);
    expect(new ValueSketch().quantile(0.95)).toBe(0);
  });
});

describe('rollingOf', () => {
  it('takes p95 by nearest rank and the deviation of the population', () => {
    expect(rollingOf([4])).toEqual({ min: 4, max: 4, mean: 4, std: 0, p95: 4 });
    expect(rollingOf([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])).toMatchObject({ min: 1, max: 10, mean: 5.5, p95: 10 });
    expect(rollingOf([2, 4]).std).toBe(1);
  });
});

describe('sampleOf', () => {
  it('cuts to 512 characters without splitting one', () => {
    const bytes = new TextEncoder().encode(`${'a'.repeat(511)}😀b`);
    expect(sampleOf(bytes, 0, bytes.length)).toBe('a'.repeat(511));
    expect(sampleOf(bytes, 1, 4)).toBe('aaa');
    expect(sampleOf(Uint8Array.of(0xff, 0x41), 0, 2)).toBe('\ufffdA');
  });
});
