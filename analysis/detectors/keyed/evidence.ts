/** Evidence against one rule of keyed sequences: a cumulative sum of likelihood ratios (F2 and F3 of `flows.ts`). */

/** Counts are halved at so many keys, so that they follow the service. */
export const agedKeys = 4_096;
/** Keys that a rule rests on, and the share of odd ones that it may have. */
export const keysMin = 60;
const oddMax = 0.02;
const oddMin = 0.002;
/** Ticks that evidence must come from. */
const ticksMin = 5;
/** Evidence is no more than this many times what is told. */
const excessMax = 3;
const examplesMax = 3;

/** What speaks against a rule. */
export interface Evidence {
  /** Keys that it rests on, and the odd ones among them. */
  usualSeen: number;
  usualOdd: number;
  sum: number;
  /** Keys since the sum left zero, and the odd ones; those of the present tick. */
  seen: number;
  odd: number;
  tickSeen: number;
  tickOdd: number;
  sinceMs: number;
  examples: string[];
}

export const evidenceNumbers = [
  'usualSeen',
  'usualOdd',
  'sum',
  'seen',
  'odd',
  'tickSeen',
  'tickOdd',
  'sinceMs',
] as const;

export function noEvidence(): Evidence {
  return { usualSeen: 0, usualOdd: 0, sum: 0, seen: 0, odd: 0, tickSeen: 0, tickOdd: 0, sinceMs: 0, examples: [] };
}

export function clear(evidence: Evidence): void {
  evidence.sum = evidence.seen = evidence.odd = evidence.sinceMs = 0;
  if (evidence.examples.length > 0) evidence.examples = [];
}

/** What came since the sum left zero was nothing but usual. */
function settle(evidence: Evidence): void {
  evidence.usualSeen += evidence.seen;
  evidence.usualOdd += evidence.odd;
  if (evidence.usualSeen > agedKeys) {
    evidence.usualSeen /= 2;
    evidence.usualOdd /= 2;
  }
  clear(evidence);
}

export function note(evidence: Evidence, key: string): void {
  evidence.tickOdd++;
  if (evidence.examples.length < examplesMax) evidence.examples.push(key);
}

export const usualShare = ({ usualSeen, usualOdd }: Evidence): number => (usualOdd + 0.5) / (usualSeen + 1);

/** Takes what came in a tick. @param threshold evidence that is told */
export function weigh(evidence: Evidence, nowMs: number, threshold: number): void {
  const { tickSeen, tickOdd } = evidence;
  evidence.tickSeen = 0;
  evidence.tickOdd = 0;
  evidence.seen += tickSeen;
  evidence.odd += tickOdd;
  const usual = usualShare(evidence);
  if (evidence.usualSeen < keysMin || usual > oddMax || (tickOdd === 0 && evidence.sum === 0)) {
    settle(evidence);
    return;
  }
  const base = Math.max(oddMin, usual);
  const many = Math.max(0.1, 20 * base);
  const ratio = tickOdd * Math.log(many / base) + (tickSeen - tickOdd) * Math.log((1 - many) / (1 - base));
  if (evidence.sum === 0) evidence.sinceMs = nowMs;
  evidence.sum += Math.min(ratio, threshold / (ticksMin - 0.5));
  if (evidence.sum <= 0) settle(evidence);
  else evidence.sum = Math.min(evidence.sum, excessMax * threshold);
}
