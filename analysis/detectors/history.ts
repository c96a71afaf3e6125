/** The windows that the present is compared with: a ring of counts with exact running sums. O(1) per window. */
import { classes, type WindowState } from '#analysis/windows/mod.ts';

/** Counts kept per window. Integers, so that running sums never drift. */
export const historyFields = ['logCount', 'warnCount', 'errorCount'] as const;
export type HistoryField = (typeof historyFields)[number];
const width = historyFields.length;
/** Silences that must be told before their length counts as known. */
const silencesToLearn = 4;

export interface HistorySnapshot {
  /** Field after field, window after window, oldest first. */
  values: number[];
  longestEmptyRun: number;
  silences: number[];
  skipped: number;
}

/** Count of a window; errors include critical and fatal ones here. */
export function countOf(window: WindowState, field: HistoryField): number {
  switch (field) {
    case 'logCount':
      return window.logCount;
    case 'warnCount':
      return window.counts[classes.warn] as number;
    case 'errorCount':
      return window.failures;
  }
}

export class History {
  /** Windows in it. */
  size = 0;
  /** Longest run of empty windows that was followed by records. */
  longestEmptyRun = 0;
  /** Lengths of the silences told last. */
  private silences: number[] = [];
  /** Windows left out of the present incident. */
  skipped = 0;
  private readonly capacity: number;
  private readonly ring: Float64Array;
  private at = 0;
  private readonly sums = new Float64Array(width);
  private readonly squares = new Float64Array(width);

  constructor(capacity: number) {
    this.capacity = capacity;
    this.ring = new Float64Array(capacity * width);
  }

  push(window: WindowState): void {
    this.take([window.logCount, countOf(window, 'warnCount'), countOf(window, 'errorCount')]);
  }

  /** A run of empty windows came to its end; `learned` of them are part of what is usual. */
  pushEmptyRun(windows: number, learned: number): void {
    if (windows > this.longestEmptyRun) this.longestEmptyRun = windows;
    for (let i = 0; i < Math.min(learned, this.capacity); i++) this.take([0, 0, 0]);
  }

  /** A silence that was told came to its end. Only what has come back several times is this service's way. */
  noteSilence(windows: number): void {
    this.silences.push(windows);
    if (this.silences.length < silencesToLearn) return;
    this.longestEmptyRun = Math.max(this.longestEmptyRun, Math.min(...this.silences));
    this.silences.shift();
  }

  sum(field: HistoryField): number {
    return this.sums[historyFields.indexOf(field)] as number;
  }

  mean(field: HistoryField): number {
    return this.size === 0 ? 0 : this.sum(field) / this.size;
  }

  /** Of the sample. The sums are integers under 2^53, so this subtracts without noise. */
  variance(field: HistoryField): number {
    if (this.size < 2) return 0;
    const sum = this.sum(field);
    const squares = this.squares[historyFields.indexOf(field)] as number;
    return Math.max(0, (squares - (sum * sum) / this.size) / (this.size - 1));
  }

  /** Median and 1.4826 × median absolute deviation. O(n log n): asked only when something looks odd. */
  robust(field: HistoryField): { median: number; deviation: number } {
    const offset = historyFields.indexOf(field);
    const values = Array.from({ length: this.size }, (_, i) => this.ring[i * width + offset] as number);
    const median = medianOf(values);
    return { median, deviation: 1.4826 * medianOf(values.map((value) => Math.abs(value - median))) };
  }

  snapshot(): HistorySnapshot {
    const values: number[] = [];
    for (let i = 0; i < this.size; i++) {
      const from = ((this.at - this.size + i + this.capacity) % this.capacity) * width;
      for (let field = 0; field < width; field++) values.push(this.ring[from + field] as number);
    }
    return { values, silences: this.silences.slice(), longestEmptyRun: this.longestEmptyRun, skipped: this.skipped };
  }

  static restore(capacity: number, state: HistorySnapshot): History {
    const history = new History(capacity);
    const skip = Math.max(0, state.values.length - capacity * width);
    for (let i = skip; i < state.values.length; i += width) history.take(state.values.slice(i, i + width));
    history.longestEmptyRun = state.longestEmptyRun;
    history.silences = state.silences.slice();
    history.skipped = state.skipped;
    return history;
  }

  private take(values: readonly number[]): void {
    const from = this.at * width;
    for (let field = 0; field < width; field++) {
      const old = this.ring[from + field] as number;
      const value = values[field] as number;
      this.sums[field]! += value - old;
      this.squares[field]! += value * value - old * old;
      this.ring[from + field] = value;
    }
    this.at = (this.at + 1) % this.capacity;
    if (this.size < this.capacity) this.size++;
  }
}

/** Median of a list; sorts it in place. 0 when empty. */
export function medianOf(values: number[]): number {
  values.sort((a, b) => a - b);
  const half = values.length >> 1;
  if (values.length === 0) return 0;
  return values.length % 2 === 1
    ? (values[half] as number)
    : ((values[half - 1] as number) + (values[half] as number)) / 2;
}
