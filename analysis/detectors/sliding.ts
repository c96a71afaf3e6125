/** Records and errors of the last span of event time, in 60 buckets: O(1) per record. */
import { int32Bytes, int32From } from '#protocol/number-bytes.ts';

export const bucketsPerSpan = 60;

export interface SlidingSnapshot {
  headBucket: number;
  /** 32-bit integers as bytes. */
  records: Uint8Array;
  errors: Uint8Array;
}

export class SlidingCounts {
  records = 0;
  errors = 0;
  readonly bucketMs: number;
  /** Index of the newest bucket in time (time / bucketMs); −1 before the first record. */
  private head = -1;
  private readonly recordRing = new Int32Array(bucketsPerSpan);
  private readonly errorRing = new Int32Array(bucketsPerSpan);

  constructor(spanMs: number) {
    this.bucketMs = Math.max(1, Math.ceil(spanMs / bucketsPerSpan));
  }

  /** Records older than the span are left out. */
  add(timeMs: number, isError: boolean): void {
    const bucket = Math.floor(timeMs / this.bucketMs);
    if (bucket > this.head) this.moveTo(bucket);
    else if (bucket <= this.head - bucketsPerSpan) return;
    const at = bucket % bucketsPerSpan;
    this.recordRing[at]!++;
    this.records++;
    if (isError) {
      this.errorRing[at]!++;
      this.errors++;
    }
  }

  /** Errors of the newest part of the span, in buckets. */
  errorsOf(buckets: number): number {
    let sum = 0;
    for (let bucket = this.head; bucket > Math.max(-1, this.head - buckets); bucket--)
      sum += this.errorRing[bucket % bucketsPerSpan] as number;
    return sum;
  }

  /** Most errors within so many buckets in a row. */
  densest(buckets: number): number {
    let most = 0;
    let sum = 0;
    for (let back = 0; back < bucketsPerSpan && back <= this.head; back++) {
      sum += this.errorRing[(this.head - back) % bucketsPerSpan] as number;
      if (back >= buckets) sum -= this.errorRing[(this.head - back + buckets) % bucketsPerSpan] as number;
      most = Math.max(most, sum);
    }
    return most;
  }

  /**
   * Where the errors of now set in, ms: start of the span, up to now, whose errors exceed the usual the most.
   * @param usual errors of a whole span that are usual
   */
  onsetMs(usual: number): number {
    // Half of the present rate as well: a lone error long before does not belong to this.
    const perBucket = (2 * usual + this.errors / 2) / bucketsPerSpan;
    let excess = 0;
    let most = -1;
    let onset = this.head;
    for (let bucket = this.head; bucket > Math.max(-1, this.head - bucketsPerSpan); bucket--) {
      const errors = this.errorRing[bucket % bucketsPerSpan] as number;
      excess += errors - perBucket;
      if (errors > 0 && excess > most) {
        most = excess;
        onset = bucket;
      }
    }
    return onset * this.bucketMs;
  }

  snapshot(): SlidingSnapshot {
    return { headBucket: this.head, records: int32Bytes(this.recordRing), errors: int32Bytes(this.errorRing) };
  }

  static restore(spanMs: number, state: SlidingSnapshot): SlidingCounts {
    const counts = new SlidingCounts(spanMs);
    counts.head = state.headBucket;
    counts.recordRing.set(int32From(state.records));
    counts.errorRing.set(int32From(state.errors));
    for (let i = 0; i < bucketsPerSpan; i++) {
      counts.records += counts.recordRing[i] as number;
      counts.errors += counts.errorRing[i] as number;
    }
    return counts;
  }

  private moveTo(bucket: number): void {
    const steps = this.head < 0 ? bucketsPerSpan : Math.min(bucketsPerSpan, bucket - this.head);
    for (let i = 0; i < steps; i++) {
      const at = (bucket + bucketsPerSpan - i) % bucketsPerSpan;
      this.records -= this.recordRing[at] as number;
      this.errors -= this.errorRing[at] as number;
      this.recordRing[at] = 0;
      this.errorRing[at] = 0;
    }
    this.head = bucket;
  }
}
