/**
 * What a source or a service may send in a second, by configuration: `web-*=500,1000000; *=2000` allows each service whose name
 * begins with web- 500 records and 1 MB, and each other 2,000 records. The first pattern that fits counts; 0 is no limit.
 *
 * A bucket may be overdrawn by the request that empties it, and nothing more is taken until it is filled again: what a
 * request costs is known only when it was read. A bucket holds what comes in two seconds.
 */
import { globOf } from '#protocol/mod.ts';

export interface Rate {
  /** With `*` for any characters. */
  pattern: string;
  /** Per second; 0 = no limit. */
  records: number;
  bytes: number;
}

interface Bucket {
  rate: Rate;
  records: number;
  bytes: number;
  atMs: number;
}

export const burstSeconds = 2;
/** Buckets kept; the fullest tell nothing and go first. */
const bucketsMax = 10_000;

/** @throws Error in words for a person */
export function parseRates(text: string): Rate[] {
  return text
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => {
      const found = /^([^=\s]+)\s*=\s*(\d{1,12})(?:\s*,\s*(\d{1,15}))?$/.exec(part);
      if (found === null) throw new Error(`"${part}" is no quota; write PATTERN=RECORDS or PATTERN=RECORDS,BYTES`);
      return { pattern: found[1] as string, records: Number(found[2]), bytes: Number(found[3] ?? 0) };
    });
}

export class Quotas {
  private readonly rates: readonly { rate: Rate; fits: (name: string) => boolean }[];
  private readonly buckets = new Map<string, Bucket>();
  private readonly most: number;

  constructor(rates: readonly Rate[], most = bucketsMax) {
    this.rates = rates.map((rate) => ({ rate, fits: globOf(rate.pattern) }));
    this.most = most;
  }

  get isOff(): boolean {
    return this.rates.length === 0;
  }

  get size(): number {
    return this.buckets.size;
  }

  /** How long `name` must wait, ms; 0 = it may send. */
  waitMs(name: string, nowMs: number): number {
    const bucket = this.buckets.get(name);
    if (bucket === undefined) return 0;
    fill(bucket, nowMs);
    const { rate, records, bytes } = bucket;
    const seconds = Math.max(
      rate.records > 0 && records <= 0 ? (1 - records) / rate.records : 0,
      rate.bytes > 0 && bytes <= 0 ? (1 - bytes) / rate.bytes : 0,
    );
    return Math.ceil(seconds * 1_000);
  }

  /** Whether anybody must wait now: what is not over costs nobody a look. */
  charge(name: string, records: number, bytes: number, nowMs: number): void {
    let bucket = this.buckets.get(name);
    if (bucket === undefined) {
      const rate = this.rates.find(({ fits }) => fits(name))?.rate;
      if (rate === undefined || (rate.records === 0 && rate.bytes === 0)) return;
      if (this.buckets.size >= this.most) this.forget(nowMs);
      bucket = { rate, records: rate.records * burstSeconds, bytes: rate.bytes * burstSeconds, atMs: nowMs };
      this.buckets.set(name, bucket);
    }
    fill(bucket, nowMs);
    bucket.records -= records;
    bucket.bytes -= bytes;
  }

  /** Names that must wait. */
  overdrawn(nowMs: number): Set<string> {
    const names = new Set<string>();
    for (const name of this.buckets.keys()) if (this.waitMs(name, nowMs) > 0) names.add(name);
    return names;
  }

  /** Full buckets are as good as none; where there is none, the oldest go. */
  private forget(nowMs: number): void {
    for (const [name, bucket] of this.buckets) {
      fill(bucket, nowMs);
      const { rate, records, bytes } = bucket;
      if (records >= rate.records * burstSeconds && bytes >= rate.bytes * burstSeconds) this.buckets.delete(name);
    }
    for (const name of this.buckets.keys()) {
      if (this.buckets.size < this.most) return;
      this.buckets.delete(name);
    }
  }
}

function fill(bucket: Bucket, nowMs: number): void {
  const { rate } = bucket;
  const seconds = Math.max(0, nowMs - bucket.atMs) / 1_000;
  bucket.records = Math.min(rate.records * burstSeconds, bucket.records + seconds * rate.records);
  bucket.bytes = Math.min(rate.bytes * burstSeconds, bucket.bytes + seconds * rate.bytes);
  bucket.atMs = nowMs;
}
