/** The last rows of a series, in one piece. */

/** Rows of past in which something similar is looked for. */
export const historyRows = 4000;
/** A stretch that is compared is at most this long. */
export const stretchRowsMax = 64;

export class Past {
  /** Twice the history long, moved down when full: reading backwards needs no wrapping. */
  readonly values = new Float64Array(2 * (historyRows + stretchRowsMax));
  length = 0;

  /** @param value whole: sums of squares of whole numbers stay exact, so a restored state continues bit for bit */
  push(value: number): void {
    if (this.length === this.values.length) {
      this.values.copyWithin(0, this.length - historyRows - stretchRowsMax);
      this.length = historyRows + stretchRowsMax;
    }
    this.values[this.length++] = value;
  }

  snapshot(): number[] {
    return [...this.values.subarray(Math.max(0, this.length - historyRows - stretchRowsMax), this.length)];
  }

  restore(values: readonly number[]): void {
    this.values.set(values);
    this.length = values.length;
  }
}
