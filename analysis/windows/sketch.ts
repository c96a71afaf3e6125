/**
 * Fixed-size, deterministic quantile sketch: a histogram over eight buckets per power of two, from 2^-10 to 2^44.
 * A quantile is exact to within half a bucket, about 6 %. Counting is integer, so order never changes the answer.
 */
const lowExponent = -10;
const octaves = 54;
/** Bucket 0 takes what is under 2^-10: zero and negative numbers too. */
export const bucketCount = 1 + octaves * 8;

const word = new Float64Array(1);
const halves = new Uint32Array(word.buffer);
const highHalf = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? 1 : 0;
const firstIndex = ((1023 + lowExponent) << 3) - 1;
const smallest = 1 / 1024;

/** Bucket of a finite number, read off the bits of the double. */
export function bucketOf(value: number): number {
  if (!(value >= smallest)) return 0;
  word[0] = value;
  const index = ((halves[highHalf] as number) >>> 17) - firstIndex;
  return index < bucketCount ? index : bucketCount - 1;
}

/**
 * Logarithm to base 2 of a positive normal number, by straight lines between powers of two: at most 0.086 under the
 * true one, rising where that rises, and the same on every machine. Read off the bits of the double.
 */
export function logOf(value: number): number {
  word[0] = value;
  const high = halves[highHalf] as number;
  return (high >>> 20) - 1023 + (high & 0xfffff) / 0x100000;
}

/** The number of which `logOf` gives this. */
export function valueOfLog(log: number): number {
  const octave = Math.floor(log);
  return 2 ** octave * (1 + log - octave);
}

/** Middle of a bucket; 0 for the lowest. */
export function bucketMiddle(bucket: number): number {
  if (bucket <= 0) return 0;
  const octave = (bucket - 1) >> 3;
  return 2 ** (octave + lowExponent) * (1 + (((bucket - 1) & 7) + 0.5) / 8);
}

/** count, sum, max, then bucket, count, bucket, count … by rising bucket; empty where there is no value. */
export type SketchSnapshot = number[];

/** Dense while its window is open, pairs once it is closed: most closed windows hold a handful of buckets. */
export class ValueSketch {
  count = 0;
  sum = 0;
  max = 0;
  private dense: Uint32Array | null = null;
  private pairs: number[] = [];

  add(value: number): void {
    if (!Number.isFinite(value)) return;
    if (this.count === 0 || value > this.max) this.max = value;
    this.count++;
    this.sum += value;
    const bucket = bucketOf(value);
    if (this.dense === null) {
      this.dense = new Uint32Array(bucketCount);
      for (let i = 0; i < this.pairs.length; i += 2) this.dense[this.pairs[i] as number] = this.pairs[i + 1] as number;
      this.pairs = [];
    }
    this.dense[bucket]!++;
  }

  /** Gives the dense form back; adding later makes it again. */
  compact(): void {
    this.pairs = this.toPairs();
    this.dense = null;
  }

  get mean(): number {
    return this.count === 0 ? 0 : this.sum / this.count;
  }

  /** Value below which a share q (0–1) lies; 0 when empty. */
  quantile(q: number): number {
    if (this.count === 0) return 0;
    const pairs = this.toPairs();
    let left = Math.ceil(q * this.count);
    for (let i = 0; i < pairs.length; i += 2) {
      left -= pairs[i + 1] as number;
      if (left <= 0) return Math.min(bucketMiddle(pairs[i] as number), Math.max(this.max, 0));
    }
    return this.max;
  }

  snapshot(): SketchSnapshot {
    return this.count === 0 ? [] : [this.count, this.sum, this.max, ...this.toPairs()];
  }

  static restore(state: SketchSnapshot): ValueSketch {
    const sketch = new ValueSketch();
    sketch.count = state[0] ?? 0;
    sketch.sum = state[1] ?? 0;
    sketch.max = state[2] ?? 0;
    sketch.pairs = state.slice(3);
    return sketch;
  }

  private toPairs(): number[] {
    const { dense } = this;
    if (dense === null) return this.pairs.slice();
    const pairs: number[] = [];
    for (let i = 0; i < dense.length; i++) if (dense[i] !== 0) pairs.push(i, dense[i] as number);
    return pairs;
  }
}
