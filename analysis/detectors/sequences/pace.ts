/** How long keys pause: after a message before any other, which tells when a key is over, and from message to message. */

/** Pairs of messages whose pauses are told apart; others are not learned. */
const pairsMax = 20_000;
/** Pauses by powers of two of ms: up to 2^41 ms, 70 years. */
const buckets = 42;
/** Fewer pauses than this after a message tell nothing; those after all messages together do then. */
const ownMin = 20;
const allMin = 200;
/** Pauses of a pair from which on one of them can be called long. */
const pairMin = 50;
/** Records of several hosts are mixed up to this. */
const waitMinMs = 1000;
/** A histogram of more than this is halved: pace drifts. */
const agedMin = 100_000;

export class SequencePace {
  private readonly all = new Float64Array(buckets);
  private readonly after = new Map<number, Float64Array>();
  private readonly between = new Map<number, Float64Array>();

  /** A line came after another of its key: `ms` later by their stamps, `waitedMs` later by those of all lines. */
  observe(from: number, to: number, ms: number, waitedMs: number): void {
    const waited = bucketOf(waitedMs);
    tally(this.all, waited);
    tally(histogramOf(this.after, from), waited);
    const at = bucketOf(ms);
    const pair = pairKey(from, to);
    const known = this.between.get(pair);
    if (known !== undefined) tally(known, at);
    else if (this.between.size < pairsMax) tally(histogramOf(this.between, pair), at);
  }

  /** ms without a line after this message, from which on a key is over; undefined while too little is known. */
  waitMs(slot: number): number | undefined {
    const own = this.after.get(slot);
    if (own !== undefined && total(own) >= ownMin) return Math.max(waitMinMs, 2 * quantile(own, 0.995));
    return total(this.all) >= allMin ? Math.max(waitMinMs, 4 * quantile(this.all, 0.999)) : undefined;
  }

  /** Share of the pauses between two messages that are an eighth of this one or longer; 1 while too little is known. */
  shareFrom(from: number, to: number, ms: number): number {
    const known = this.between.get(pairKey(from, to));
    if (known === undefined) return 1;
    const all = total(known);
    if (all < pairMin) return 1;
    let longer = 0;
    for (let at = Math.max(0, bucketOf(ms) - 3); at < buckets; at++) longer += known[at] as number;
    return longer / all;
  }

  /** A template became part of another. */
  merge(slot: number, into: number): void {
    fold(this.after, slot, into);
    for (const pair of Array.from(this.between.keys())) {
      const [from, to] = [Math.floor(pair / 65_536), pair % 65_536];
      if (from !== slot && to !== slot) continue;
      fold(this.between, pair, pairKey(from === slot ? into : from, to === slot ? into : to));
    }
  }

  snapshot(): unknown {
    const plain = (map: Map<number, Float64Array>): [number, number[]][] => [...map].map(([k, v]) => [k, [...v]]);
    return { all: [...this.all], after: plain(this.after), between: plain(this.between) };
  }

  static restore(state: unknown): SequencePace {
    const { all, after, between } = state as {
      all: number[];
      after: [number, number[]][];
      between: [number, number[]][];
    };
    const pace = new SequencePace();
    pace.all.set(all);
    for (const [slot, counts] of after) pace.after.set(slot, Float64Array.from(counts));
    for (const [pair, counts] of between) pace.between.set(pair, Float64Array.from(counts));
    return pace;
  }
}

const pairKey = (from: number, to: number): number => from * 65_536 + to;
const bucketOf = (ms: number): number => Math.min(buckets - 1, ms < 1 ? 0 : Math.floor(Math.log2(ms)) + 1);

function tally(histogram: Float64Array, at: number): void {
  const count = (histogram[at] as number) + 1;
  histogram[at] = count;
  if (count < agedMin) return;
  for (let i = 0; i < buckets; i++) histogram[i] = Math.floor((histogram[i] as number) / 2);
}

function total(histogram: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < buckets; i++) sum += histogram[i] as number;
  return sum;
}

/** Upper end of the bucket, in ms. */
function quantile(histogram: Float64Array, share: number): number {
  let left = total(histogram) * share;
  for (let at = 0; at < buckets; at++) {
    left -= histogram[at] as number;
    if (left <= 0) return 2 ** at;
  }
  return 2 ** buckets;
}

function histogramOf(map: Map<number, Float64Array>, key: number): Float64Array {
  let histogram = map.get(key);
  if (histogram === undefined) {
    histogram = new Float64Array(buckets);
    map.set(key, histogram);
  }
  return histogram;
}

function fold(map: Map<number, Float64Array>, key: number, into: number): void {
  const histogram = map.get(key);
  if (histogram === undefined) return;
  map.delete(key);
  const target = histogramOf(map, into);
  for (let i = 0; i < buckets; i++) target[i] = (target[i] as number) + (histogram[i] as number);
}
