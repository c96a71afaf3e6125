/** How unusual a number is among all that came before it, in memory that does not grow. */

/**
 * An even sample of the past, sorted: every number at first, one of two, four, … later. Which one of them is scattered:
 * every eighth row of a series that repeats itself after eight shows one phase of it only.
 */
export class Sample {
  private readonly capacity: number;
  private readonly strideMax: number;
  /** In order of arrival; a ring once the stride has reached its end. */
  private kept: number[] = [];
  private oldest = 0;
  private stride = 1;
  private seen = 0;
  private readonly sorted: Float64Array;

  constructor(capacity: number, strideMax: number) {
    this.capacity = capacity;
    this.strideMax = strideMax;
    this.sorted = new Float64Array(capacity);
  }

  add(value: number): void {
    const turn = this.seen++;
    const scattered = Math.imul(Math.floor(turn / this.stride), 0x9e3779b1) >>> 16;
    if (turn % this.stride !== scattered % this.stride) return;
    if (this.kept.length === this.capacity && this.stride < this.strideMax) {
      this.kept = this.kept.filter((_, i) => i % 2 === 0);
      this.stride *= 2;
      this.sort();
    }
    if (this.kept.length < this.capacity) {
      this.insert(value, this.kept.length);
      this.kept.push(value);
    } else {
      const from = this.rankOf(this.kept[this.oldest] as number, this.capacity);
      this.sorted.copyWithin(from, from + 1, this.capacity);
      this.insert(value, this.capacity - 1);
      this.kept[this.oldest] = value;
      this.oldest = (this.oldest + 1) % this.capacity;
    }
  }

  /** The number below which this share (0–1) of the sample lies; 0 when nothing was added. */
  quantile(share: number): number {
    const last = this.kept.length - 1;
    if (last < 0) return 0;
    const at = Math.floor(share * last);
    const low = this.sorted[at] as number;
    return at === last ? low : low + (share * last - at) * ((this.sorted[at + 1] as number) - low);
  }

  snapshot(): SampleSnapshot {
    return {
      kept: [...this.kept.slice(this.oldest), ...this.kept.slice(0, this.oldest)],
      stride: this.stride,
      seen: this.seen,
    };
  }

  restore(state: SampleSnapshot): void {
    this.kept = state.kept.slice();
    this.oldest = 0;
    this.stride = state.stride;
    this.seen = state.seen;
    this.sort();
  }

  private sort(): void {
    this.sorted.set(this.kept);
    this.sorted.subarray(0, this.kept.length).sort();
  }

  private insert(value: number, length: number): void {
    const at = this.rankOf(value, length);
    this.sorted.copyWithin(at + 1, at, length);
    this.sorted[at] = value;
  }

  private rankOf(value: number, length: number): number {
    let low = 0;
    let high = length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.sorted[middle] as number) < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export interface SampleSnapshot {
  kept: number[];
  stride: number;
  seen: number;
}

/** Numbers over which a highest one is remembered: 16 blocks of 1024, then block by block forgotten. */
const blockSize = 1024;
const blocksMax = 16;

/** Highest of the last 16,000 numbers or so. */
export class Highest {
  value = -Infinity;
  private blocks: number[] = [];
  private current = -Infinity;
  private inBlock = 0;

  add(value: number): void {
    if (value > this.current) this.current = value;
    if (value > this.value) this.value = value;
    if (++this.inBlock < blockSize) return;
    this.blocks.push(this.current);
    if (this.blocks.length > blocksMax) this.blocks.shift();
    this.value = Math.max(...this.blocks);
    this.current = -Infinity;
    this.inBlock = 0;
  }

  snapshot(): HighestSnapshot {
    const { value, current, inBlock } = this;
    return { value, blocks: this.blocks.slice(), current, inBlock };
  }

  restore(state: HighestSnapshot): void {
    this.value = state.value;
    this.blocks = state.blocks.slice();
    this.current = state.current;
    this.inBlock = state.inBlock;
  }
}

export interface HighestSnapshot {
  value: number;
  blocks: number[];
  current: number;
  inBlock: number;
}

/** Numbers this near to a peak belong to it. */
const peakRows = 64;
const peaksMax = 8;
/** A peak counts for so many numbers. */
export const peakLifeRows = 16_384;

/** The highest peaks of the last 16,000 numbers or so; what is high for a while is one peak. */
export class Peaks {
  /** Highest first. */
  private values: number[] = [];
  private rows: number[] = [];
  private row = 0;

  get highest(): number {
    return this.values[0] ?? -Infinity;
  }

  /** The highest again as long as there is no other. */
  get second(): number {
    return this.values[1] ?? this.highest;
  }

  add(value: number): void {
    const row = this.row++;
    for (let i = this.rows.length - 1; i >= 0; i--) if (row - (this.rows[i] as number) > peakLifeRows) this.remove(i);
    const near = this.rows.findIndex((peak) => row - peak <= peakRows);
    if (near >= 0) {
      if (value < (this.values[near] as number)) return;
      this.remove(near);
    } else if (this.values.length === peaksMax) {
      if (value <= (this.values[peaksMax - 1] as number)) return;
      this.remove(peaksMax - 1);
    }
    let at = this.values.length;
    while (at > 0 && (this.values[at - 1] as number) < value) at--;
    this.values.splice(at, 0, value);
    this.rows.splice(at, 0, row);
  }

  private remove(at: number): void {
    this.values.splice(at, 1);
    this.rows.splice(at, 1);
  }

  snapshot(): PeaksSnapshot {
    return { values: this.values.slice(), rows: this.rows.slice(), row: this.row };
  }

  restore(state: PeaksSnapshot): void {
    this.values = state.values.slice();
    this.rows = state.rows.slice();
    this.row = state.row;
  }
}

export interface PeaksSnapshot {
  values: number[];
  rows: number[];
  row: number;
}

/** Numbers before the first verdict. */
const learnedMin = 100;
/** The sample covers some 4,000 numbers. */
const sampleSize = 128;
const sampleStrideMax = 32;
/** Share of the second highest peak in the mark, and how much lower than the highest it may be. */
const secondShare = 0.7;
const secondMin = 0.1;

/**
 * Place of a number on the way from the median to the highest peaks of the past: a weighted geometric mean of the two
 * highest, so that one incident does not set the measure for all that follow. Numbers that come by chance go beyond
 * their peaks once or twice in as many rows as there were, whatever their distribution; that is what makes different
 * views of different series comparable, and what a deviation in units of spread does not give.
 */
export class HighMark {
  private readonly sample = new Sample(sampleSize, sampleStrideMax);
  private readonly peaks = new Peaks();
  private learned = 0;

  /** @param value ≥ 0; NaN where there is nothing to say: 0, and nothing learned. */
  observe(value: number): number {
    if (Number.isNaN(value)) return 0;
    let ratio = 0;
    if (this.learned >= learnedMin) {
      const middle = this.sample.quantile(0.5);
      if (value > middle) ratio = (value - middle) / this.reach(middle);
    } else this.learned++;
    this.sample.add(value);
    this.peaks.add(value);
    return ratio;
  }

  private reach(middle: number): number {
    const highest = Math.max(this.peaks.highest - middle, 1e-3 * middle, 1e-9);
    const second = Math.max(this.peaks.second - middle, secondMin * highest);
    return Math.max(highest * (second / highest) ** secondShare, 1e-3 * middle, 1e-9);
  }

  snapshot(): HighMarkSnapshot {
    return { sample: this.sample.snapshot(), peaks: this.peaks.snapshot(), learned: this.learned };
  }

  restore(state: HighMarkSnapshot): void {
    this.sample.restore(state.sample);
    this.peaks.restore(state.peaks);
    this.learned = state.learned;
  }
}

export interface HighMarkSnapshot {
  sample: SampleSnapshot;
  peaks: PeaksSnapshot;
  learned: number;
}
