import { describe, expect, it } from 'vitest';
import { SeriesDetector, type SeriesSnapshot } from '../mod.ts';
import { Peaks, Sample } from './record.ts';
import { randomOf } from '../test-stream.ts';

const stepMs = 300_000;
const perDay = 288;

/** Values near 0, roughly normal. */
function noise(seed: number): () => number {
  const random = randomOf(seed);
  return () => random() + random() + random() + random() - 2;
}

const series = (rows: number, valueAt: (row: number) => number): number[] =>
  Array.from({ length: rows }, (_, i) => valueAt(i));

const scoresOf = (values: readonly number[], detector = new SeriesDetector(), firstRow = 0): number[] =>
  values.map((value, i) => detector.observe((firstRow + i) * stepMs, value));

/** Rows that are alarms. */
const alarmsOf = (values: readonly number[]): number[] =>
  scoresOf(values).flatMap((score, row) => (score >= 0.5 ? [row] : []));

const within = (rows: readonly number[], from: number, to: number): number[] =>
  rows.filter((row) => row >= from && row < to);

describe('SeriesDetector finds', () => {
  const daily = (random: () => number) => (row: number) =>
    50 + 20 * Math.sin((row * 2 * Math.PI) / perDay) + 2 * random();

  it.each([1, 2, 3])('a spike, once (seed %i)', (seed) => {
    const wave = daily(noise(seed));
    const alarms = alarmsOf(series(3000, (row) => wave(row) + (row >= 2400 && row < 2410 ? 90 : 0)));
    const found = within(alarms, 2400, 2460);
    expect(found[0]).toBe(2400);
    expect(found.length).toBeLessThanOrEqual(2);
    expect(within(alarms, 1000, 2400).length).toBeLessThanOrEqual(6);
  });

  it('an incident that is half as large as an earlier one', () => {
    const wave = daily(noise(6));
    const alarms = alarmsOf(
      series(4000, (row) => wave(row) + (row >= 2000 && row < 2010 ? 240 : row >= 3000 && row < 3010 ? 120 : 0)),
    );
    expect(within(alarms, 3000, 3012)).not.toEqual([]);
  });

  it.each([
    ['a step up', (row: number, random: () => number) => random() + (row >= 2000 ? 8 : 0), 3],
    ['a step down', (row: number, random: () => number) => random() - (row >= 2000 ? 8 : 0), 3],
    ['a slow rise', (row: number, random: () => number) => 20 + random() + Math.max(0, row - 2000) * 0.04, 120],
    ['more variation', (row: number, random: () => number) => random() * (row >= 2000 ? 5 : 1), 12],
    ['a flat line', (row: number, random: () => number) => (row >= 2000 ? 0.3 : random()), 24],
    ['a missing peak', (row: number, random: () => number) => random() + (row % 8 === 0 && row < 2000 ? 30 : 0), 250],
    [
      'another rhythm',
      (row: number, random: () => number) => 10 * Math.sin(row / (row >= 2000 ? 3 : 9)) + random(),
      40,
    ],
  ])('%s', (_, valueAt, delayMax) => {
    const random = noise(4);
    const alarms = alarmsOf(series(2600, (row) => valueAt(row, random)));
    expect(within(alarms, 2000, 2001 + delayMax)).not.toEqual([]);
  });

  it('a quiet day where every day has its peak, which no single value shows', () => {
    const random = noise(5);
    const at = (row: number, peak: boolean): number =>
      (row % perDay > 100 && row % perDay < 200 && peak ? 80 : 20) + random();
    const alarms = alarmsOf(series(14 * perDay, (row) => at(row, Math.floor(row / perDay) !== 10)));
    const day = 10 * perDay + 100;
    expect(within(alarms, day, day + 60)).not.toEqual([]);
    expect(within(alarms, 2 * perDay, day).length).toBeLessThanOrEqual(4);
  });
});

describe('SeriesDetector is quiet', () => {
  it.each([
    ['a constant', () => 7, 0],
    ['zeros', () => 0, 0],
    ['a counter', (row: number) => row * 17, 8],
    ['a repeating day', (row: number) => Math.round(100 * Math.sin((row * 2 * Math.PI) / perDay)), 4],
  ])('about %s', (_, valueAt, alarmsMax) => {
    expect(within(alarmsOf(series(6000, valueAt)), perDay + 20, 6000).length).toBeLessThanOrEqual(alarmsMax);
  });

  it.each([1, 2])('about noise, whose records grow rarer with time (seed %i)', (seed) => {
    const random = noise(seed);
    const alarms = alarmsOf(series(12_000, () => random()));
    expect(within(alarms, 2000, 12_000).length).toBeLessThanOrEqual(20);
    expect(within(alarms, 7000, 12_000).length).toBeLessThanOrEqual(8);
  });

  it('about noise in a young series, whose highest peaks are hardly known', () => {
    let alarms = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const random = noise(seed);
      alarms += alarmsOf(series(1000, () => random())).length;
    }
    // 102 where the level of an alarm did not depend on the rows so far.
    expect(alarms).toBeLessThanOrEqual(90);
  });
});

describe('a score of SeriesDetector', () => {
  const random = noise(9);
  const values = series(4000, (row) => 10 + 3 * Math.sin(row / 40) + random() + (row % 700 === 699 ? 25 : 0));
  const scores = scoresOf(values);

  it('rests on the rows before it only', () => {
    expect(scoresOf(values.slice(0, 1500))).toEqual(scores.slice(0, 1500));
  });

  it('does not depend on scale, offset or dates', () => {
    const same = (changed: number[], digits = 6): void => {
      for (const [i, score] of scores.entries()) expect(changed[i]).toBeCloseTo(score, digits);
    };
    same(scoresOf(values.map((value) => value * 1024)));
    same(scoresOf(values.map((value) => value / 2 ** 40)));
    // Rounded otherwise.
    same(scoresOf(values.map((value) => value + 64)), 2);
    const moved = new SeriesDetector();
    same(values.map((value, i) => moved.observe(i * stepMs + 1_234_567_890_123, value)));
  });

  it('continues from a snapshot bit for bit, at any row', () => {
    for (const cut of [1, 60, 105, 700, 3333]) {
      const before = new SeriesDetector();
      scoresOf(values.slice(0, cut), before);
      const state = structuredClone(before.snapshot());
      const after = SeriesDetector.restore(state);
      expect(scoresOf(values.slice(cut), after, cut)).toEqual(scores.slice(cut));
    }
  });

  it('keeps its state within a bound', () => {
    const detector = new SeriesDetector();
    const sizeOf = (state: SeriesSnapshot): number => JSON.stringify(state).length;
    let row = 0;
    const feed = (rows: number): number => {
      for (const end = row + rows; row < end; row++) detector.observe(row * stepMs, Math.sin(row) + random());
      return sizeOf(detector.snapshot());
    };
    const full = feed(9000);
    expect(full).toBeLessThan(250_000);
    expect(feed(4000)).toBeLessThan(full * 1.05);
  });

  it('survives whatever is in a file', () => {
    const detector = new SeriesDetector();
    const wild = [Number.NaN, Infinity, -Infinity, 0, -0, 1e308, -1e308, 5e-324, 1e-300, 7, 7, 7];
    for (let row = 0; row < 3000; row++) {
      const timeMs = [row, 0, Number.NaN, -row, row * 1e12, 5, 8.64e15][row % 7] as number;
      const score = detector.observe(timeMs, wild[Math.floor(random() * 1e6 + 1e6) % wild.length] as number);
      expect(score >= 0 && score <= 1).toBe(true);
    }
  });

  it('is 0 for what is no number, which teaches nothing', () => {
    const holed = new SeriesDetector();
    const kept: number[] = [];
    for (const [row, value] of values.entries()) {
      if (row % 3 === 0) expect(holed.observe(row * stepMs, Number.NaN)).toBe(0);
      kept.push(holed.observe(row * stepMs, value));
    }
    expect(kept).toEqual(scores);
  });

  it('bears gaps, late rows and repeated timestamps', () => {
    const detector = new SeriesDetector();
    const wave = (row: number): number => 50 + 30 * Math.sin((row * 2 * Math.PI) / perDay) + random();
    const found: number[] = [];
    for (let row = 0; row < 14 * perDay; row++) {
      if (row > 2500 && row < 2600) continue;
      const timeMs = (row % 11 === 5 ? row - 4 : row % 13 === 6 ? row - 1 : row) * stepMs;
      if (detector.observe(timeMs, wave(row) + (row >= 3500 && row < 3506 ? 120 : 0)) >= 0.5) found.push(row);
    }
    expect(within(found, 3500, 3507)).not.toEqual([]);
    expect(within(found, 1000, 3500).length).toBeLessThanOrEqual(8);
  });
});

describe('Peaks', () => {
  it('counts what is high for a while once, and forgets', () => {
    const peaks = new Peaks();
    for (let i = 0; i < 20_000; i++) peaks.add(i === 1000 ? 9 : i > 1000 && i < 1050 ? 8 : i === 3000 ? 5 : 1);
    expect([peaks.highest, peaks.second]).toEqual([1, 1]);
    const early = new Peaks();
    for (let i = 0; i < 5000; i++) early.add(i === 1000 ? 9 : i > 1000 && i < 1050 ? 8 : i === 3000 ? 5 : 1);
    expect([early.highest, early.second]).toEqual([9, 5]);
  });
});

describe('Sample', () => {
  it('spans the past evenly in fixed memory, and starts over nowhere', () => {
    const sample = new Sample(64, 16);
    for (let i = 0; i < 5000; i++) sample.add(i);
    const { kept, stride } = sample.snapshot();
    expect(kept).toHaveLength(64);
    expect(stride).toBe(16);
    expect(sample.quantile(0)).toBeGreaterThan(5000 - 66 * 16);
    expect(sample.quantile(0.5)).toBeCloseTo(5000 - 32 * 16, -2);
    expect(sample.quantile(1)).toBeGreaterThan(5000 - 2 * 16);
  });
});
