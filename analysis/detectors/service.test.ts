import { describe, expect, it } from 'vitest';
import { pack, unpack } from '#protocol/frame.ts';
import { ServiceAnalysis, type ServiceAnalysisSnapshot } from './mod.ts';
import { Driver, host, ordinary, randomOf, startMs, type TestRecord } from './test-stream.ts';

const minute = 60_000;

/** A stream with everything in it: disorder, late records, gaps, wrong clocks, incidents, sequences. */
function eventful(seed: number): TestRecord[] {
  const random = randomOf(seed);
  const records = ordinary({
    seed,
    minutes: 40,
    rate: 2,
    shape: (at) => ({
      errors: at > 20 * minute && at < 22 * minute ? 40 : 1,
      volume: at > 27 * minute && at < 30 * minute ? 0 : at > 34 * minute ? 4 : 1,
    }),
  });
  for (let i = 0; i < 60; i++) {
    const at = Math.floor(random() * records.length);
    const { timeMs } = records[at] as TestRecord;
    const shift = [-90_000, -8 * minute, -60 * minute, -timeMs, 8e11, 11 * minute, 5 * minute][
      Math.floor(random() * 7)
    ] as number;
    records.splice(at, 0, {
      timeMs: timeMs + shift,
      streamTimeMs: timeMs,
      severity: 17,
      slot: 6,
      body: 'payment 1 failed: card declined',
    });
  }
  for (let i = 0; i < 20; i++) {
    const at = Math.floor(random() * records.length);
    const { timeMs } = records[at] as TestRecord;
    const bodies = ['Out of memory', 'process killed', 'server starting', 'call timed out', 'giving up'];
    const n = Math.floor(random() * bodies.length);
    records.splice(at, 0, { timeMs, severity: 17, slot: 20 + n, body: bodies[n] as string });
  }
  return records;
}

const config = {
  rules: [
    { name: 'many errors', kind: 'threshold', field: 'errorCount', op: '>', value: 20, windows: 2, of: 3 },
    { name: 'no logins', kind: 'absence', match: { contains: ['logged in'] }, withinMs: 90_000 },
    { name: 'refused', kind: 'pattern', match: { matches: 'connection to .* refused' }, value: 10, withinMs: 30_000 },
    { name: 'error share', kind: 'ratio', field: 'errorCount', per: 'logCount', op: '>=', value: 0.3 },
  ],
};

/** What must not hang on how records were cut into messages. */
function lasting(driver: Driver): unknown {
  return {
    windows: driver.windows().map((row) => ({ ...row, version: 0 })),
    anomalies: driver.anomalies().map((row) => ({ ...row, version: 0 })),
    late: driver.out.lateCount,
    future: driver.out.futureCount,
  };
}

describe('ServiceAnalysis', () => {
  it.each([1, 2, 3])('continues from a snapshot bit for bit (seed %i)', (seed) => {
    const records = eventful(seed);
    const random = randomOf(seed + 100);
    const live = seed === 2;
    const straight = new Driver({ config, live });
    let forked = new Driver({ config, live });
    let at = 0;
    let wrote = 0;
    while (at < records.length) {
      const batch = records.slice(at, at + 1 + Math.floor(random() * 300));
      at += batch.length;
      for (const driver of [straight, forked]) {
        driver.send(batch);
        if (random() < 2) driver.tick((batch.at(-1) as TestRecord).timeMs + (at % 3 === 0 ? 45_000 : 0));
      }
      const state = pack(forked.analysis.snapshot());
      expect(Buffer.compare(state, pack(straight.analysis.snapshot()))).toBe(0);
      const news = { windows: straight.out.windows.slice(wrote), anomalies: straight.out.anomalies.length };
      wrote = straight.out.windows.length;
      expect(Buffer.compare(pack(forked.out.windows.slice(-news.windows.length || Infinity)), pack(news.windows))).toBe(
        0,
      );
      const next = forked.fork(unpack(state));
      Object.assign(next.out, forked.out);
      forked = next;
    }
    straight.end();
    forked.end();
    expect(straight.anomalies().length).toBeGreaterThan(3);
    expect(Buffer.compare(pack(forked.out), pack(straight.out))).toBe(0);
  });

  it('keeps its windows under another configuration', () => {
    const records = ordinary({ seed: 1, minutes: 30, rate: 3 });
    const before = new Driver({ config }).sendIn(records.slice(0, 3000), 100);
    const after = new Driver();
    after.analysis = ServiceAnalysis.restore(
      after.config,
      after.identity,
      host,
      unpack(pack(before.analysis.snapshot())) as ServiceAnalysisSnapshot,
    );
    after.sendIn(records.slice(3000), 100).end();
    const straight = new Driver().sendIn(records, 100).end();
    const last = (driver: Driver) =>
      driver
        .windows()
        .slice(-10)
        .map((row) => ({ ...row, version: 0, newTemplateCount: 0 }));
    expect(last(after)).toEqual(last(straight));
  });

  it.each([4, 5])('does not depend on how records are cut into messages (seed %i)', (seed) => {
    const records = eventful(seed);
    const whole = lasting(new Driver({ config }).sendIn(records, 8192).end());
    expect(lasting(new Driver({ config }).sendIn(records, 1).end())).toEqual(whole);
    const ticked = new Driver({ config });
    for (let at = 0; at < records.length; at += 97) {
      ticked.send(records.slice(at, at + 97));
      ticked.tick((records[Math.min(at + 96, records.length - 1)] as TestRecord).timeMs + 3_600_000);
    }
    expect(lasting(ticked.end())).toEqual(whole);
  });

  it('finds injected incidents and names them, once each', () => {
    const driver = new Driver();
    const shape = (at: number) => {
      const m = at / minute;
      return {
        errors: m >= 30 && m < 33 ? 15 : 1,
        volume: m >= 50 && m < 53 ? 0.2 : m >= 70 && m < 74 ? 0 : m >= 90 && m < 95 ? 3 : 1,
      };
    };
    driver.sendIn(ordinary({ seed: 9, minutes: 110, rate: 20, shape }), 500).end();
    const found = driver.anomalies();
    expect(found.map(({ detector, subject }) => `${detector} ${subject}`.trim())).toEqual([
      'error_spike',
      'volume_drop',
      'silence',
      'volume_surge',
    ]);
    const [spike, drop, silence, surge] = found as [
      (typeof found)[0],
      (typeof found)[0],
      (typeof found)[0],
      (typeof found)[0],
    ];
    expect(spike.startMs).toBeGreaterThan(startMs + 29.9 * minute);
    expect(spike.decidedAtMs).toBeLessThan(startMs + 30.3 * minute);
    expect(spike.endMs).toBeLessThan(startMs + 34 * minute);
    expect(spike.score).toBeGreaterThan(90);
    expect(spike.actual).toBeGreaterThan(4);
    expect(spike.typical).toBeCloseTo(0.4, 0);
    expect(spike.description).toMatch(
      /^errors \d+(\.\d)?\/s against a typical 0\.\d+\/s for .* 100 % are 'connection to <\*> refused'$/,
    );
    expect(spike.samples).toHaveLength(3);
    expect(spike.influencers[0]).toMatchObject({ kind: 'template', name: 'connection to <*> refused', share: 1 });
    expect(drop.startMs).toBe(startMs + 50 * minute - 10_000 + 10_000);
    expect(silence.description).toMatch(/^no records for 4 min since \d\d:\d\d:\d\d UTC where 20\/s are typical$/);
    expect(surge.actual / surge.typical).toBeCloseTo(3, 0);
    const opened = driver.out.anomalies.find(({ anomalyId }) => anomalyId === spike.anomalyId);
    expect(opened?.version).toBeLessThan(spike.version);
  });

  it('keeps quiet on twenty ordinary services', () => {
    const found: string[] = [];
    for (let seed = 1; seed <= 20; seed++) {
      const shape = (at: number) => ({ volume: 1 + 0.5 * Math.sin(at / (40 * minute)) });
      const driver = new Driver({ service: `service-${seed}` });
      driver.sendIn(ordinary({ seed, minutes: 60, rate: 0.15 * seed, shape }), 1000).end();
      found.push(
        ...driver
          .anomalies()
          .map(({ detector, subject, description }) => `${seed} ${detector} ${subject}: ${description}`),
      );
    }
    expect(found).toEqual([]);
  });
});
