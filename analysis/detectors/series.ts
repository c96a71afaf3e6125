/**
 * Anomalies in a numeric series, row by row: each score rests on the rows before it and on nothing else. Four views
 * of the series (value, change, short mean, short spread) are each compared with their own past: how many typical
 * deviations away, and how far outside everything seen. After an alarm the score is held down for a while, since
 * one incident is one finding. Memory is fixed.
 */

/** Rows over which the past fades to 1/e. */
const horizon = 1000;
/** Rows of the short mean and spread. */
const shortRows = 12;
/** Rows before the first score above 0. */
const warmupRows = 100;
/** Share of the rows so far, and least rows, for which a finding keeps the score down. */
const restShare = 0.05;
const restRowsMin = 100;

/** One view of the series and its past. */
class View {
  private rows = 0;
  private center = 0;
  private scale = 0;
  private low = 0;
  private high = 0;

  /** Surprise of a value, ≥ 0, before it is learned. */
  surprise(value: number): number {
    if (this.rows === 0) {
      this.center = value;
      this.low = value;
      this.high = value;
    }
    const distance = Math.abs(value - this.center);
    const scale = Math.max(this.scale, 1e-9 * Math.abs(this.center), 1e-12);
    const range = Math.max(this.high - this.low, scale);
    const outside = Math.max(0, value - this.high, this.low - value) / range;
    const surprise = distance === 0 ? 0 : Math.min(distance / scale, 50) * Math.min(1, outside * 4);
    this.rows++;
    const rate = 1 / Math.min(this.rows, horizon);
    const clipped = this.rows > warmupRows ? Math.min(distance, 5 * scale) : distance;
    this.center += rate * clipped * Math.sign(value - this.center);
    this.scale += rate * (clipped - this.scale);
    this.low = Math.min(value, this.low + (this.center - this.low) * 0.0005);
    this.high = Math.max(value, this.high - (this.high - this.center) * 0.0005);
    return surprise;
  }
}

export class SeriesDetector {
  private rows = 0;
  private readonly recent = new Float64Array(shortRows);
  private previous = 0;
  private readonly views = [new View(), new View(), new View(), new View()];
  private restUntil = 0;
  private restFrom = 0;
  private restScore = 0;

  /**
   * Score of a row, 0–1, from the rows up to and with it. A value that is no number scores 0 and teaches nothing.
   * @param _timestampMs ms since 1970; rows are taken to be evenly spaced, as series of metrics are
   */
  score(_timestampMs: number, given: number): number {
    if (!Number.isFinite(given)) return 0;
    // Far from where squares and sums would overflow.
    const value = Math.max(-1e150, Math.min(1e150, given));
    this.recent[this.rows % shortRows] = value;
    const n = Math.min(this.rows + 1, shortRows);
    let mean = 0;
    for (let i = 0; i < n; i++) mean += (this.recent[i] as number) / n;
    let spread = 0;
    for (let i = 0; i < n; i++) spread += Math.abs((this.recent[i] as number) - mean) / n;
    const seen = [value, this.rows === 0 ? 0 : value - this.previous, mean, spread];
    this.previous = value;
    this.rows++;
    let surprise = 0;
    for (const [i, view] of this.views.entries()) surprise = Math.max(surprise, view.surprise(seen[i] as number));
    if (this.rows <= warmupRows) return 0;
    return this.rested(surprise / (surprise + 10));
  }

  private rested(score: number): number {
    if (this.rows < this.restUntil) {
      const left = (this.restUntil - this.rows) / (this.restUntil - this.restFrom);
      if (score <= this.restScore) return score * (1 - left) * 0.5;
    }
    if (score > 0.4) {
      this.restFrom = this.rows;
      this.restUntil = this.rows + Math.max(restRowsMin, Math.round(restShare * this.rows));
      this.restScore = score;
    }
    return score;
  }
}
