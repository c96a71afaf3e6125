import { describe, expect, it } from 'vitest';
import type { WindowRow } from '#protocol/findings.ts';
import { pack } from '#protocol/frame.ts';
import { Driver, ordinary, startMs, type TestRecord } from './test-stream.ts';

const second = 1000;
const minute = 60 * second;
/** Start of a window. */
const t0 = 1_700_000_010_000 - (1_700_000_010_000 % (30 * second));

function at(offsetMs: number, more: Partial<TestRecord> = {}): TestRecord {
  return { timeMs: t0 + offsetMs, severity: 9, slot: 0, body: 'request 1 served in 2 ms', ...more };
}
const counts = (rows: WindowRow[]): [number, number][] =>
  rows.map((row) => [(row.startMs - t0) / second, row.logCount]);

describe('event time', () => {
  it('closes a window when the watermark has reached its end, and once', () => {
    const driver = new Driver();
    driver.send([at(1 * second), at(29 * second), at(34_999)]);
    expect(driver.out.windows).toEqual([]);
    driver.send([at(28 * second), at(35 * second)]);
    expect(counts(driver.out.windows)).toEqual([[0, 3]]);
    expect(driver.out.windows[0]).toMatchObject({
      startMs: t0,
      endMs: t0 + 30 * second,
      version: 2,
      lateCount: 0,
      lane: 'job-1',
    });
    driver.end();
    expect(counts(driver.out.windows)).toEqual([
      [0, 3],
      [30, 2],
    ]);
    expect(driver.out.lateCount).toBe(0);
  });

  it('revises the window of a late record once a message, and the rolling statistics after it', () => {
    const driver = new Driver();
    driver.send([at(0), at(40 * second), at(80 * second)]);
    driver.send([at(1 * second, { severity: 17, slot: 5 }), at(2 * second)]);
    const revised = driver.out.windows.filter(({ version }) => version === 2);
    expect(counts(revised)).toEqual([
      [0, 3],
      [30, 1],
    ]);
    expect(revised[0]).toMatchObject({ errorCount: 1, templateCount: 2, newTemplateCount: 2, lateCount: 2 });
    expect(revised[1]?.rolling['logCount']).toMatchObject({ min: 1, max: 3, mean: 2 });
    expect(driver.out.lateCount).toBe(2);
  });

  it('only counts what is later than the allowed lateness', () => {
    const driver = new Driver();
    driver.send([at(0), at(20 * minute)]);
    const rows = driver.out.windows.length;
    driver.send([at(9 * minute), at(1 * second)]);
    expect(driver.out.windows).toHaveLength(rows);
    expect(driver.out.lateCount).toBe(2);
    driver.send([at(9.6 * minute)]);
    expect(driver.windows().find(({ startMs: start }) => start === t0 + 9.5 * minute)).toMatchObject({
      logCount: 1,
      lateCount: 1,
    });
  });

  it('fills a gap with empty windows when records resume, bounded', () => {
    const driver = new Driver({ config: { windows: { emptyWindowsMax: 5 } } });
    driver.send([at(0), at(100 * second)]);
    driver.send([at(3600 * second)]);
    driver.send([at(3605 * second)]);
    driver.end();
    expect(counts(driver.windows())).toEqual([
      [0, 1],
      [30, 0],
      [60, 0],
      [90, 1],
      [120, 0],
      [150, 0],
      [180, 0],
      [210, 0],
      [240, 0],
      [3600, 2],
    ]);
  });

  it('takes a record from the far future at stream time', () => {
    const driver = new Driver({ live: true });
    const records = Array.from({ length: 100 }, (_, i) => at(i * second));
    records.splice(50, 0, { ...at(0), timeMs: Date.UTC(2099, 0, 1), streamTimeMs: t0 + 49_500 });
    driver.send(records);
    driver.send([at(200 * second)]);
    expect(driver.out.futureCount).toBe(1);
    expect(driver.out.lateCount).toBe(0);
    expect(counts(driver.windows()).slice(0, 3)).toEqual([
      [0, 30],
      [30, 31],
      [60, 30],
    ]);
  });

  it.each([
    ['2099', Date.UTC(2099, 0, 1), 0],
    ['1970', 0, 0],
    ['months ahead, but past', t0 + 90 * 24 * 60 * minute, 0],
    ['2099, as the very first', Date.UTC(2099, 0, 1), -1],
    ['1970, as the very first', 0, -1],
    ['months ahead, as the very last', t0 + 90 * 24 * 60 * minute, 1],
  ])('reads last year’s file alike with and without one record from %s', (_, timeMs, where) => {
    const presentMs = t0 + 365 * 24 * 60 * minute;
    const records = ordinary({
      seed: 7,
      minutes: 40,
      rate: 3,
      shape: (o) => ({ errors: o > 20 * minute && o < 22 * minute ? 40 : 1 }),
    });
    for (const record of records) record.streamTimeMs = presentMs;
    const clean = new Driver().sendIn(records, 100).end();
    const position = where < 0 ? 0 : where > 0 ? records.length : records.length / 2;
    const dirty = new Driver()
      .sendIn(records.toSpliced(position, 0, { ...at(0), timeMs, streamTimeMs: presentMs }), 100)
      .end();
    const errors = (driver: Driver) => driver.anomalies().filter(({ detector }) => detector !== 'silence');
    expect(errors(clean).map(({ detector }) => detector)).toEqual(['error_spike']);
    expect(errors(dirty).map(({ anomalyId }) => anomalyId)).toEqual(errors(clean).map(({ anomalyId }) => anomalyId));
    const own = (driver: Driver) =>
      driver.windows().filter(({ startMs: start }) => start >= startMs - minute && start < startMs + 41 * minute);
    const total = (driver: Driver) => own(driver).reduce((sum, row) => sum + row.logCount, 0);
    expect(
      own(dirty)
        .slice(0, 80)
        .map(({ startMs: start }) => start),
    ).toEqual(
      own(clean)
        .slice(0, 80)
        .map(({ startMs: start }) => start),
    );
    expect(total(dirty) - total(clean)).toBeGreaterThanOrEqual(0);
    expect(total(dirty) - total(clean)).toBeLessThanOrEqual(1);
  });

  it('analyses last year’s file exactly like live traffic', () => {
    const yearMs = 365 * 24 * 60 * minute;
    const shape = (o: number) => ({
      errors: o > 20 * minute && o < 22 * minute ? 40 : 1,
      volume: o > 30 * minute && o < 33 * minute ? 0 : 1,
    });
    const now = ordinary({ seed: 3, minutes: 40, rate: 5, shape });
    const then = now.map((record) => ({ ...record, timeMs: record.timeMs - yearMs, streamTimeMs: record.timeMs }));
    const shifted = (driver: Driver, byMs: number) => ({
      windows: driver.windows().map((row) => ({ ...row, startMs: row.startMs + byMs, endMs: row.endMs + byMs })),
      anomalies: driver
        .anomalies()
        .map(({ detector, subject, description, score, startMs: start }) => [
          detector,
          subject,
          description,
          score,
          start + byMs,
        ]),
    });
    expect(shifted(new Driver().sendIn(then, 333).end(), yearMs)).toEqual(
      shifted(new Driver().sendIn(now, 333).end(), 0),
    );
  });
});

describe('records that jump again and again', () => {
  it('give a bounded number of empty windows each, however they come', () => {
    const driver = new Driver();
    const records = 4_000;
    for (let i = 0; i < records; i++) driver.send([at(i * 5 * 86_400 * second)]);
    expect(driver.out.windows.length).toBeLessThan(20_160 + 9 * records);
    expect(driver.windows().filter((row) => row.logCount === 1).length).toBeGreaterThanOrEqual(records - 2);
  });
});

describe('ticks', () => {
  it('close the windows of an idle live service after the idle timeout, then give empty ones', () => {
    const driver = new Driver({ live: true });
    driver.send([at(1 * second), at(2 * second)]);
    driver.tick(t0 + 31 * second);
    expect(driver.out.windows).toEqual([]);
    driver.tick(t0 + 32 * second);
    expect(counts(driver.out.windows)).toEqual([[0, 2]]);
    driver.tick(t0 + 2 * minute + 4 * second);
    expect(counts(driver.out.windows)).toEqual([
      [0, 2],
      [30, 0],
    ]);
    driver.tick(t0 + 100 * minute);
    expect(driver.out.windows.length).toBeLessThanOrEqual(1 + driver.config.windows.emptyWindowsMax);
  });

  it('give no empty windows where the service’s own time is not the present', () => {
    const driver = new Driver({ live: true });
    const yearMs = 365 * 24 * 60 * minute;
    driver.send([at(0, { streamTimeMs: t0 + yearMs })]);
    driver.tick(t0 + yearMs + minute);
    driver.tick(t0 + yearMs + 60 * minute);
    expect(counts(driver.out.windows)).toEqual([[0, 1]]);
  });

  it('publish an idle service in an ingest lane without closing its windows', () => {
    const driver = new Driver();
    driver.send([at(1 * second), at(2 * second)]);
    driver.tick(t0 + minute);
    driver.tick(t0 + 2 * minute);
    expect(counts(driver.out.windows)).toEqual([[0, 2]]);
    driver.send([at(3 * second)]);
    driver.end();
    expect(counts(driver.windows())).toEqual([[0, 3]]);
    expect(driver.out.lateCount).toBe(0);
  });

  it('teach a live service that logs less than once a window', () => {
    const driver = new Driver({ live: true });
    const step = (s: number): void => {
      if (s % 75 === 0) driver.send([at(s * second)]);
      driver.tick(t0 + s * second);
    };
    for (let s = 0; s < 3600; s++) step(s);
    expect(driver.anomalies()).toEqual([]);
    expect(driver.windows().reduce((sum, row) => sum + row.logCount, 0)).toBe(48);
    for (let s = 3600; s < 9000; s++) driver.tick(t0 + s * second);
    expect(driver.anomalies().map(({ detector }) => detector)).toEqual(['silence']);
  });

  it('tell a silence once it is longer than a restart, at the same moment live and in history', () => {
    const before = ordinary({ seed: 4, minutes: 20, rate: 5 });
    const after = ordinary({ seed: 5, minutes: 3, rate: 5, fromMs: startMs + 25 * minute });
    const live = new Driver({ live: true });
    live.sendIn(before, 50);
    const lastMs = Math.max(...before.map(({ timeMs }) => timeMs));
    live.tick(lastMs + 29 * second);
    expect(live.anomalies()).toEqual([]);
    live.tick(lastMs + 31 * second);
    expect(live.anomalies().map(({ detector }) => detector)).toEqual(['silence']);
    const past = new Driver().sendIn([...before, ...after], 50).end();
    const known = [live, past].map((driver) => driver.anomalies()[0]);
    expect(known[1]?.startMs).toBe(known[0]?.startMs);
    expect(known.map((one) => (one?.decidedAtMs as number) - lastMs)).toEqual([30_000, 30_000]);
  });

  it('take a restart of half a minute for no silence, and judge no volume by the windows around a silence', () => {
    const driver = new Driver({ live: true });
    driver.sendIn(ordinary({ seed: 6, minutes: 30, rate: 5 }), 50);
    for (let s = 0; s < 30; s++) driver.tick(startMs + 30 * minute + s * second);
    driver.sendIn(ordinary({ seed: 7, minutes: 30, rate: 5, fromMs: startMs + 30.5 * minute }), 50);
    expect(driver.anomalies()).toEqual([]);
    for (let s = 0; s < 120; s++) driver.tick(startMs + 60.5 * minute + s * second);
    driver.sendIn(ordinary({ seed: 8, minutes: 10, rate: 5, fromMs: startMs + 62.6 * minute }), 50);
    expect(driver.anomalies().map(({ detector }) => detector)).toEqual(['silence']);
  });

  it('tell a silence while it lasts, and its end', () => {
    const driver = new Driver({ live: true });
    driver.sendIn(ordinary({ seed: 4, minutes: 20, rate: 5 }), 50);
    for (let s = 0; s < 300; s++) driver.tick(startMs + 20 * minute + s * second);
    const open = driver.anomalies();
    expect(open.map(({ detector }) => detector)).toEqual(['silence']);
    expect(open[0]?.startMs).toBeGreaterThan(startMs + 19.8 * minute);
    expect(driver.out.anomalies[0]?.decidedAtMs).toBeLessThan(startMs + 22 * minute);
    driver.sendIn(ordinary({ seed: 5, minutes: 3, rate: 5, fromMs: startMs + 25 * minute }), 50);
    const closed = driver.anomalies();
    expect(closed).toHaveLength(1);
    expect(closed[0]?.description).toMatch(
      /^no records for 5 min since \d\d:\d\d:\d\d UTC where \d(\.\d)?\/s are typical$/,
    );
  });
});

describe('memory', () => {
  it('stays bounded over a million records from hostile clocks and templates', () => {
    const driver = new Driver({
      config: { sequences: [], windows: { rollingMs: 60_000, allowedLatenessMs: 120_000 } },
    });
    let state = 1;
    const sizes: number[] = [];
    const batch: TestRecord[] = Array.from({ length: 5000 }, () => at(0));
    for (let round = 0; round < 200; round++) {
      for (let i = 0; i < batch.length; i++) {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        const base = t0 + round * 50 * second + i * 10;
        const wild = state % 1000 === 0;
        Object.assign(batch[i] as TestRecord, {
          timeMs: wild ? (state * 7919) % 4e12 : base - (state % 4000),
          streamTimeMs: base,
          severity: state % 25,
          slot: state % 2000,
          numbers: [state % 1000],
        });
      }
      driver.send(batch);
      driver.out.windows.length = 0;
      driver.out.anomalies.length = 0;
      if (round % 50 === 49) sizes.push(pack(driver.analysis.snapshot()).length);
    }
    expect(Math.max(...sizes)).toBeLessThan(450_000);
    expect(sizes.at(-1)).toBeLessThan((sizes[0] as number) * 1.5);
  });
});
