/**
 * Anomalies in a numeric series, row by row: a score rests on the rows before it and on nothing else, not on the
 * length of the series, its scale or its dates. Sixteen views of a row (value, change, short means, spreads,
 * calm, similarity to earlier stretches and to the same time of earlier days, surprise after the rows before it) are each
 * measured against the highest peaks that they showed, and combined without weights: weights learned from labelled
 * series did not hold on others, nor did more views, so those that earned nothing on other series were taken out.
 */
import { HighMark, type HighMarkSnapshot, peakLifeRows } from './record.ts';
import { SeriesViews, type SeriesViewsSnapshot, viewsTotal } from './views.ts';

/** Between the mean of the views (0) and the highest one (∞). */
const sharpness = 3;
const ratioMax = 4;
/**
 * Combined ratio that is an alarm, score 0.5: `alarmRatio` times 1 + `scatter` / ln(peaks so far). The highest of n peaks
 * is known no better than to a share of 1 / ln n, since it grows as ln n while its scatter stays; so at the start more is
 * asked. Peaks are taken to be `peakEveryRows` apart, and are forgotten after `peakLifeRows`.
 */
const alarmRatio = 0.425;
const scatter = 2;
const peakEveryRows = 32;
/** An incident is over after this share of the rows so far, within bounds, without another alarm. */
const restRowsMin = 30;
const restRowsMax = 500;
const restShare = 0.0125;
/** What is left of the score of a row that is no alarm, or no news. */
const quietFactor = 0.4;

export class SeriesDetector {
  private rows = 0;
  private restUntil = 0;
  /** Ratio to an alarm that was told last. */
  private told = 0;
  private readonly views = new SeriesViews();
  private readonly records = Array.from({ length: viewsTotal }, () => new HighMark());
  private readonly seen = new Float64Array(viewsTotal);

  /**
   * Score of a row, 0–1, from the rows up to and with it; from 0.5 it is an alarm. A value that is no number scores
   * 0 and teaches nothing.
   * @param timeMs ms since 1970; NaN where it is not known: then there are no seasons. Rows are otherwise taken to be
   *   evenly spaced, as series of metrics are
   */
  observe(timeMs: number, value: number): number {
    if (!Number.isFinite(value)) return 0;
    // Far from where differences would overflow.
    this.views.observe(timeMs, Math.max(-1e150, Math.min(1e150, value)), this.seen);
    this.rows++;
    let sum = 0;
    for (let i = 0; i < viewsTotal; i++) {
      const ratio = (this.records[i] as HighMark).observe(this.seen[i] as number);
      if (ratio > 0) sum += Math.expm1(sharpness * Math.min(ratio, ratioMax));
    }
    const combined = Math.log1p(sum / viewsTotal) / sharpness;
    // In steps, since what rises slowly crosses the level of an alarm by next to nothing: no score hangs on digits.
    const alarms = Math.floor((combined / this.alarmLevel()) * 4) / 4;
    const score = 1 - 2 ** -alarms;
    return this.isNews(alarms) ? score : score * quietFactor;
  }

  /** 0.77 after 300 rows, 0.60 after 4,000, 0.56 after 16,000. */
  private alarmLevel(): number {
    return alarmRatio * (1 + scatter / Math.log(Math.E + Math.min(this.rows, peakLifeRows) / peakEveryRows));
  }

  /** One incident is one finding: until it is over, only what is twice as unusual as what was told is told again. */
  private isNews(alarms: number): boolean {
    if (alarms < 1) return false;
    const news = this.rows >= this.restUntil || alarms >= 2 * this.told;
    if (news) this.told = alarms;
    this.restUntil = this.rows + Math.max(restRowsMin, Math.min(restRowsMax, Math.round(restShare * this.rows)));
    return news;
  }

  snapshot(): SeriesSnapshot {
    return {
      rows: this.rows,
      restUntil: this.restUntil,
      told: this.told,
      views: this.views.snapshot(),
      records: this.records.map((record) => record.snapshot()),
    };
  }

  static restore(state: SeriesSnapshot): SeriesDetector {
    const detector = new SeriesDetector();
    detector.rows = state.rows;
    detector.restUntil = state.restUntil;
    detector.told = state.told;
    detector.views.restore(state.views);
    for (const [i, record] of state.records.entries()) detector.records[i]?.restore(record);
    return detector;
  }
}

export interface SeriesSnapshot {
  rows: number;
  restUntil: number;
  told: number;
  views: SeriesViewsSnapshot;
  records: HighMarkSnapshot[];
}
