import { describe, expect, it } from 'vitest';
import { ServiceRates } from './service-rates.ts';

describe('ServiceRates', () => {
  it('is steady where traffic comes in bursts', () => {
    const rates = new ServiceRates();
    const seen: number[] = [];
    for (let beat = 0; beat < 12; beat++) {
      if (beat % 2 === 0) rates.add([{ service: 'a', rows: 100, errors: 10 }]);
      const { recordsPerSecond, services } = rates.take(0.5);
      if (beat >= 4) {
        seen.push(recordsPerSecond);
        expect(services).toEqual([['a', 100, 10]]);
      }
    }
    expect(new Set(seen)).toEqual(new Set([100]));
  });

  it('tells the busiest and forgets the silent', () => {
    const rates = new ServiceRates();
    rates.add(Array.from({ length: 200 }, (_, i) => ({ service: `s${i}`, rows: i, errors: 0 })));
    expect(rates.take(1).services[0]).toEqual(['s199', 199, 0]);
    for (let beat = 0; beat < 5; beat++) rates.take(1);
    expect(rates.take(1)).toEqual({ recordsPerSecond: 0, services: [] });
  });
});
