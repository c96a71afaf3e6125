import { describe, expect, it } from 'vitest';
import { cascade, incidentRound, Random, toNdjson, Traffic } from './mod.ts';

const start = Date.UTC(2026, 0, 15, 12);

describe('Traffic', () => {
  it('is the same for the same seed, and another for another', () => {
    const lines = (seed: number): string =>
      new Traffic({ seed, ratePerSecond: 200 })
        .step(start, start + 5_000)
        .map(toNdjson)
        .join('');
    expect(lines(1)).toBe(lines(1));
    expect(lines(1)).not.toBe(lines(2));
  });

  it('keeps its rate, time order and a dozen services', () => {
    const records = new Traffic({ seed: 3, ratePerSecond: 500 }).step(start, start + 60_000);
    expect(records.length).toBeGreaterThan(20_000);
    expect(records.length).toBeLessThan(50_000);
    expect(new Set(records.map((record) => record.service)).size).toBe(12);
    for (let i = 1; i < records.length; i++)
      expect((records[i]?.timeMs as number) >= (records[i - 1]?.timeMs as number)).toBe(true);
    expect(records.every((record) => !record.body.includes('{'))).toBe(true);
  });

  it('bends under incidents', () => {
    const incidents = incidentRound(start, 600_000, 7);
    const traffic = new Traffic({ seed: 4, ratePerSecond: 300, incidents });
    const during = traffic
      .step(start, start + 60_000)
      .filter((record) => record.service === 'payments' && record.severityText === 'ERROR');
    const silent = incidents.find((incident) => incident.kind === 'silence');
    const quiet = traffic
      .step(silent?.fromMs as number, (silent?.fromMs as number) + 30_000)
      .filter((record) => record.service === silent?.service);
    expect(during.length).toBeGreaterThan(200);
    expect(quiet).toHaveLength(0);
  });
});

it('bends services one after another in a cascade', () => {
  const incidents = cascade(start);
  const traffic = new Traffic({ seed: 4, ratePerSecond: 300, incidents });
  const named = (fromMs: number): string[] => {
    const failing = traffic
      .step(start + fromMs, start + fromMs + 20_000)
      .filter(({ body }) => /orders-db-3|payments answered 503/.test(body));
    return [...new Set(failing.map(({ service }) => service ?? ''))].sort();
  };
  expect(named(0)).toEqual(['orders-db']);
  expect(named(30_000)).toEqual(['orders-db', 'payments']);
  expect(named(60_000)).toEqual(['checkout', 'orders-db', 'payments']);
  expect(named(120_000)).toEqual([]);
});

describe('Random', () => {
  it('is uniform and Poisson enough', () => {
    const random = new Random(9);
    const mean = Array.from({ length: 20_000 }, () => random.next()).reduce((a, b) => a + b) / 20_000;
    const poisson = Array.from({ length: 20_000 }, () => random.poisson(4)).reduce((a, b) => a + b) / 20_000;
    expect(mean).toBeCloseTo(0.5, 1);
    expect(poisson).toBeCloseTo(4, 0);
  });
});
