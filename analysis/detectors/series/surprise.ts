/**
 * How little a value was to be expected: of the rows of the past that held about the same, how many did so after about
 * the same row, and after about the same two rows. Every longer context corrects the shorter one as far as it has been
 * seen (as in compression by partial matching), so a value that is common but not here is a surprise too.
 */
import { historyRows, type Past } from './past.ts';

/** What a context that was never seen weighs, in rows. */
const priorRows = 2;
/** Chance of a value that was never seen. */
const chanceMin = 1 / 64;

export class Surprise {
  private readonly past: Past;
  private readonly tolerance: number;
  /** Per lag: how many of the last rows, at most two, were about equal to those so many rows before. */
  private readonly runs = new Uint8Array(historyRows + 1);

  /** @param tolerance values that are at most so far apart are about the same */
  constructor(past: Past, tolerance: number) {
    this.past = past;
    this.tolerance = tolerance;
  }

  /**
   * Of the newest row: minus the logarithm of its chance, nats.
   *
   * Hot: 4,000 lags per row (`loadtest/bench/series.bench.ts`), so it counts without branches.
   */
  observe(): number {
    const { runs, tolerance } = this;
    const values = this.past.values;
    const now = this.past.length - 1;
    const value = values[now] as number;
    const lags = Math.min(historyRows, now);
    let equal = 0;
    let after1 = 0;
    let equalAfter1 = 0;
    let after2 = 0;
    let equalAfter2 = 0;
    for (let lag = 1; lag <= lags; lag++) {
      const run = runs[lag] as number;
      const one = (run + 1) >> 1;
      const two = run >> 1;
      const same = Math.abs(value - (values[now - lag] as number)) <= tolerance ? 1 : 0;
      equal += same;
      after1 += one;
      equalAfter1 += same & one;
      after2 += two;
      equalAfter2 += same & two;
      runs[lag] = same * (one + 1);
    }
    // Half of the rows within the tolerance on either side, to keep the unit of `chanceMin`: one tolerance.
    let chance = (equal / 2 + priorRows * chanceMin) / (lags + priorRows);
    chance = (equalAfter1 / 2 + priorRows * chance) / (after1 + priorRows);
    chance = (equalAfter2 / 2 + priorRows * chance) / (after2 + priorRows);
    return -Math.log(chance);
  }

  /** From the past, which was restored before. */
  restore(): void {
    const values = this.past.values;
    const now = this.past.length - 1;
    const same = (row: number, lag: number): boolean =>
      row >= lag && Math.abs((values[row] as number) - (values[row - lag] as number)) <= this.tolerance;
    for (let lag = 1; lag <= Math.min(historyRows, now); lag++) {
      this.runs[lag] = same(now, lag) ? (same(now - 1, lag) ? 2 : 1) : 0;
    }
  }
}
