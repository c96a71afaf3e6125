/**
 * What speaks for a broken pair, and what chance says to it. The past of the pair tells how often one of the two comes
 * without the other, and in what lumps; a lack must be rarer than that by far (binomial tail), and where both come
 * in lumps it must last: a lump that the end of a window cuts in two is no lack.
 */
import { binomialTailExponent } from './tails.ts';

/** Spans of a window. */
export const spansPerWindow = 3;
/** Of what comes in lumps so many spans must lack: a lump of a third of a window lies in two at most. */
const lumpySpansMin = 3;
/** Variance of counts over their mean, 1 by chance, from which on they are lumps. */
const lumpyMin = 2;
/** Spans kept, as bits of a number. */
const spansMax = 32;
/** Windows before the judged ones that say how the pair fares of late, and records that its whole past weighs there. */
const recentWindows = 8;
const pastWeight = 10;

/** Spans in which either of a pair came: bits, the newest lowest. */
export interface PairSpans {
  newestSpan: number;
  spansA: number;
  spansB: number;
}

export function markSpan(spans: PairSpans, span: number, isA: boolean): void {
  const ahead = span - spans.newestSpan;
  if (ahead > 0) {
    spans.spansA = ahead < spansMax ? (spans.spansA << ahead) >>> 0 : 0;
    spans.spansB = ahead < spansMax ? (spans.spansB << ahead) >>> 0 : 0;
    spans.newestSpan = span;
  }
  const back = Math.max(0, -ahead);
  if (back >= spansMax) return;
  if (isA) spans.spansA = (spans.spansA | (1 << back)) >>> 0;
  else spans.spansB = (spans.spansB | (1 << back)) >>> 0;
}

/** How many of the spans [from, to) one of the two came in. */
export function spansBetween(spans: PairSpans, from: number, to: number, isA: boolean): number {
  const bits = isA ? spans.spansA : spans.spansB;
  let count = 0;
  for (let span = Math.max(from, spans.newestSpan - spansMax + 1); span < to && span <= spans.newestSpan; span++)
    count += (bits >>> (spans.newestSpan - span)) & 1;
  return count;
}

/** How many spans must lack for it to be more than a lump that the end of a window cut in two, by counts [from, to). */
export function spansNeeded(counts: ArrayLike<number>, from: number, to: number): number {
  let [sum, squares] = [0, 0];
  for (let i = from; i < to; i++) {
    sum += counts[i] as number;
    squares += (counts[i] as number) ** 2;
  }
  return squares - (sum * sum) / (to - from) > lumpyMin * sum ? lumpySpansMin : 1;
}

/**
 * −log10 of the chance that of `more` records so many lack their partner, by the counts of windows before.
 * @param a counts of the one, b of the other, oldest first; windows [from, to) are the past
 */
export function missingExponent(
  missing: number,
  more: number,
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  from: number,
  to: number,
): number {
  const all = lackOf(a, b, from, to);
  const late = lackOf(a, b, Math.max(from, to - recentWindows), to);
  const usual = (all.missing + 0.5) / (all.more + 1);
  const share = Math.max(usual, (late.missing + pastWeight * usual) / (late.more + pastWeight));
  // What lacks in lumps is worth as many lumps.
  const lump = (all.squares + 1) / (all.missing + 1);
  return binomialTailExponent(missing / lump, more / lump, Math.min(0.99, share));
}

/** What lacked its partner, in this window or the next one: what a window's end cuts in two does not. */
function lackOf(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  from: number,
  to: number,
): { missing: number; more: number; squares: number } {
  let [missing, more, squares, carried] = [0, 0, 0, 0];
  for (let i = from; i < to; i++) {
    more += Math.max(a[i] as number, b[i] as number);
    let difference = (a[i] as number) - (b[i] as number);
    if (carried * difference < 0) {
      const whole = Math.min(Math.abs(carried), Math.abs(difference));
      carried -= Math.sign(carried) * whole;
      difference -= Math.sign(difference) * whole;
    }
    missing += Math.abs(carried);
    squares += carried * carried;
    carried = difference;
  }
  return { missing, more, squares };
}
