/** A value of a series as one looks at it: several short-lived figures, each of which may be unusual by itself. */
import { Discord, stretchRows } from './discord.ts';
import { Past } from './past.ts';
import { Highest, type HighestSnapshot, Sample, type SampleSnapshot } from './record.ts';
import { Season, type SeasonSnapshot, seasonViews } from './season.ts';
import { Surprise } from './surprise.ts';

/** Rows that moving figures look back at most: a mean of 12 against the 96 before it. */
const ringRows = 128;
/** Values are kept as whole numbers of this fraction, so that moving sums do not drift. */
const unit = 1 / 4096;
/** Deviations beyond this are all the same. */
const deviationMax = 1e12;

const meanRows = [12, 24, 48, 96] as const;
const spreadRows = [12, 48] as const;
/** Rows in which a value usually moves; the spread below which it does not, and what keeps the view above 0. */
const calmRows = 12;
const calmSpread = 0.002;
const calmBase = 7;
/** Rows over which surprise is averaged: that of one row is mostly chance. */
const surpriseRows = [6, 24] as const;
/** Levels this near are about the same, in spreads for what is usual. */
const surpriseTolerance = 0.1;

export const viewsTotal =
  2 + meanRows.length + spreadRows.length + 2 + stretchRows.length + seasonViews.length + surpriseRows.length;

export class SeriesViews {
  /** Of some 4,000 values. */
  private readonly usual = new Sample(512, 8);
  private readonly highest = new Highest();
  private readonly lowest = new Highest();
  private rows = 0;
  /** Of the newest row. */
  private deviation = 0;
  /** Deviation of the last rows on a logarithmic scale, in `unit`s. */
  private readonly levels = new Float64Array(ringRows);
  private readonly past = new Past();
  private readonly discord = new Discord(this.past);
  private readonly surprise = new Surprise(this.past, surpriseTolerance / unit);
  /** Surprise of the last rows, in `unit`s. */
  private readonly surprises = new Float64Array(ringRows);
  private readonly season = new Season();
  private readonly distances = new Float64Array(stretchRows.length);
  private readonly seasonMeans = new Float64Array(seasonViews.length);
  private readonly seasonDistances = new Float64Array(seasonViews.length);

  /** Fills in the views of the next row, each ≥ 0, or NaN where it has nothing to say. */
  observe(timeMs: number, value: number, views: Float64Array): void {
    let at = 0;
    const deviation = this.deviationOf(value);
    const level = Math.round(Math.asinh(deviation) / unit);
    const before = this.rows === 0 ? deviation : this.deviation;
    this.deviation = deviation;
    this.levels[this.rows % ringRows] = level;
    this.rows++;

    views[at++] = Math.abs(level) * unit;
    views[at++] = Math.abs(deviation - before);
    for (const rows of meanRows) views[at++] = Math.abs(this.mean(0, rows));
    for (const rows of spreadRows) views[at++] = this.rows > rows ? this.spread(rows) : Number.NaN;
    views[at++] = this.rows > calmRows ? calmBase - Math.log(this.spread(calmRows) + calmSpread) : Number.NaN;
    views[at++] = this.rows >= 108 ? Math.abs(this.mean(0, 12) - this.mean(12, 96)) : Number.NaN;
    this.past.push(level);
    this.discord.observe(this.distances);
    for (const distance of this.distances) views[at++] = distance * unit;
    for (const [i, { rows }] of seasonViews.entries()) this.seasonMeans[i] = this.mean(0, rows);
    this.season.observe(timeMs, this.seasonMeans, this.seasonDistances);
    for (const distance of this.seasonDistances) views[at++] = distance;
    this.surprises[(this.rows - 1) % ringRows] = Math.round(this.surprise.observe() / unit);
    for (const rows of surpriseRows) views[at++] = this.rows > rows ? this.surpriseMean(rows) : Number.NaN;
  }

  /** From the median of the past, in units of its spread. */
  private deviationOf(value: number): number {
    this.usual.add(value);
    this.highest.add(value);
    this.lowest.add(-value);
    const middle = this.usual.quantile(0.5);
    const spread = (this.usual.quantile(0.9) - this.usual.quantile(0.1)) / 2.56;
    const range = this.highest.value + this.lowest.value;
    const scale = Math.max(spread, 0.01 * range, 1e-9 * Math.abs(middle), Number.MIN_VALUE);
    return Math.max(-deviationMax, Math.min(deviationMax, (value - middle) / scale));
  }

  /** Of the rows that ended so many rows ago; rows before the first count as usual. */
  private mean(ago: number, rows: number): number {
    let sum = 0;
    const last = this.rows - 1 - ago;
    for (let row = Math.max(0, last - rows + 1); row <= last; row++) sum += this.levels[row % ringRows] as number;
    return (sum * unit) / rows;
  }

  private surpriseMean(rows: number): number {
    let sum = 0;
    for (let row = this.rows - rows; row < this.rows; row++) sum += this.surprises[row % ringRows] as number;
    return (sum * unit) / rows;
  }

  private spread(rows: number): number {
    let sum = 0;
    let squares = 0;
    for (let row = this.rows - rows; row < this.rows; row++) {
      const level = this.levels[row % ringRows] as number;
      sum += level;
      squares += level * level;
    }
    return Math.sqrt(Math.max(0, squares / rows - (sum / rows) ** 2)) * unit;
  }

  snapshot(): SeriesViewsSnapshot {
    return {
      usual: this.usual.snapshot(),
      highest: this.highest.snapshot(),
      lowest: this.lowest.snapshot(),
      rows: this.rows,
      deviation: this.deviation,
      levels: [...this.levels],
      surprises: [...this.surprises],
      past: this.past.snapshot(),
      season: this.season.snapshot(),
    };
  }

  restore(state: SeriesViewsSnapshot): void {
    this.usual.restore(state.usual);
    this.highest.restore(state.highest);
    this.lowest.restore(state.lowest);
    this.rows = state.rows;
    this.deviation = state.deviation;
    this.levels.set(state.levels);
    this.surprises.set(state.surprises);
    this.past.restore(state.past);
    this.discord.restore();
    this.surprise.restore();
    this.season.restore(state.season);
  }
}

export interface SeriesViewsSnapshot {
  usual: SampleSnapshot;
  highest: HighestSnapshot;
  lowest: HighestSnapshot;
  rows: number;
  deviation: number;
  levels: number[];
  surprises: number[];
  past: number[];
  season: SeasonSnapshot;
}
