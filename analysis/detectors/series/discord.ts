/**
 * How far the last rows are, as a stretch, from the most similar stretch of the past (a left matrix profile without
 * z-normalisation, so that level counts as well as shape).
 */
import { historyRows, type Past } from './past.ts';

/** Lengths of the stretches, in rows. */
export const stretchRows = [32, 64] as const;

export class Discord {
  private readonly past: Past;
  /** Per stretch and lag: sum of squared differences between the last stretch and the one that many rows before. */
  private readonly sums = stretchRows.map(() => new Float64Array(historyRows + 1));

  constructor(past: Past) {
    this.past = past;
  }

  /** Root mean square distance of the last stretch of each length, the newest row with it; NaN while there is no earlier one. */
  observe(distances: Float64Array): void {
    for (let s = 0; s < stretchRows.length; s++) distances[s] = this.advance(s);
  }

  /** Hot: 4,000 lags per row and stretch (`loadtest/bench/series.bench.ts`). */
  private advance(s: number): number {
    const rows = stretchRows[s] as number;
    const sums = this.sums[s] as Float64Array;
    const values = this.past.values;
    const now = this.past.length - 1;
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

  /** From the past, which was restored before. */
  restore(): void {
    const values = this.past.values;
    const now = this.past.length - 1;
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
