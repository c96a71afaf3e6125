/**
 * How far the last rows are, as a stretch, from the most similar stretch of the past (a left matrix profile without
 * z-normalisation, so that level counts as well as shape).
 */

/** Rows of past in which a similar stretch is looked for. */
const historyRows = 4000;
/** Lengths of the stretches, in rows. */
export const stretchRows = [8, 32, 64] as const;
const longest = 64;

export class Discord {
  /** The last rows, twice the history long, moved down when full: reading backwards needs no wrapping. */
  private readonly values = new Float64Array(2 * (historyRows + longest));
  private length = 0;
  /** Per stretch and lag: sum of squared differences between the last stretch and the one that many rows before. */
  private readonly sums = stretchRows.map(() => new Float64Array(historyRows + 1));

  /**
   * Root mean square distance of the last stretch of each length; NaN while there is no earlier one.
   * @param value whole: sums of squares of whole numbers stay exact, so a restored state continues bit for bit
   */
  observe(value: number, distances: Float64Array): void {
    if (this.length === this.values.length) {
      this.values.copyWithin(0, this.length - historyRows - longest);
      this.length = historyRows + longest;
    }
    this.values[this.length++] = value;
    for (let s = 0; s < stretchRows.length; s++) distances[s] = this.advance(s);
  }

  /** Hot: 4,000 lags per row and stretch (`loadtest/bench/series.bench.ts`). */
  private advance(s: number): number {
    const rows = stretchRows[s] as number;
    const sums = this.sums[s] as Float64Array;
    const values = this.values;
    const now = this.length - 1;
    const value = values[now] as number;
    const leaving = now - rows;
    const lags = Math.min(historyRows, now);
    // Stretches that are still growing into the past of the first row.
    const whole = Math.min(lags, leaving);
    const left = leaving >= 0 ? (values[leaving] as number) : 0;
    let nearest = Infinity;
    let lag = 1;
    for (; lag <= whole; lag++) {
      const entering = value - (values[now - lag] as number);
      const gone = left - (values[leaving - lag] as number);
      const sum = (sums[lag] as number) + entering * entering - gone * gone;
      sums[lag] = sum;
      if (sum < nearest && lag >= rows && lag < now - rows + 2) nearest = sum;
    }
    for (; lag <= lags; lag++) {
      const entering = value - (values[now - lag] as number);
      const sum = (sums[lag] as number) + entering * entering;
      sums[lag] = sum;
      if (sum < nearest && lag >= rows && lag < now - rows + 2) nearest = sum;
    }
    return nearest === Infinity ? Number.NaN : Math.sqrt(nearest / rows);
  }

  snapshot(): number[] {
    return [...this.values.subarray(Math.max(0, this.length - historyRows - longest), this.length)];
  }

  restore(values: readonly number[]): void {
    this.values.set(values);
    this.length = values.length;
    const now = this.length - 1;
    for (const [s, rows] of stretchRows.entries()) {
      const sums = (this.sums[s] as Float64Array).fill(0);
      for (let lag = 1; lag <= Math.min(historyRows, now); lag++) {
        let sum = 0;
        for (let row = Math.max(lag, now - rows + 1); row <= now; row++) {
          sum += ((values[row] as number) - (values[row - lag] as number)) ** 2;
        }
        sums[lag] = sum;
      }
    }
  }
}
