/**
 * Did errors set in at once, or do they rise slowly? By the likelihood of their counts under a step and under a rise:
 * over the last minutes in spans of five seconds, asked at an error, and over the last forty minutes in windows.
 */
import { int32Bytes, int32From } from '#protocol/number-bytes.ts';
import type { History } from './history.ts';

const spanMs = 5_000;
const spansMax = 144;
/** A step set in at most so many spans ago; a rise takes as many as these. Within two minutes nothing rises slowly. */
const stepSpansMax = 72;
const riseSpans = [36, 60, 96, 144] as const;
const risePowers = [1, 2] as const;

/** What a step needs over a rise, in natural logs: at first, and one for so many windows that it went unnoticed. */
const stepLeadMin = 2.5;
const stepLeadWindows = 2;
/** Errors from which the shapes of a step and of a rise can be told apart. */
const shapeErrorsMin = 20;
const shapeWindowsMax = 12;
const riseLeadMin = 3;
const riseWindowsMin = 10;
/** Least errors per window, and per span, that are usual. */
const windowFloor = 0.02;
const spanFloor = 0.003;

/** Errors of the last twelve minutes of event time, in spans of five seconds. */
export class ErrorTrail {
  private head = -1;
  private readonly ring = new Int32Array(spansMax);

  add(timeMs: number): void {
    const span = Math.floor(timeMs / spanMs);
    if (span > this.head) {
      const steps = this.head < 0 ? spansMax : Math.min(spansMax, span - this.head);
      for (let i = 0; i < steps; i++) this.ring[(span - i) % spansMax] = 0;
      this.head = span;
    } else if (span <= this.head - spansMax) return;
    this.ring[span % spansMax]!++;
  }

  /**
   * How much likelier it is that the errors of now set in at once than that they rise, in natural logs.
   * @param usual errors a second that are usual
   * @param dispersion of counts, at least 1
   */
  stepLead(usual: number, dispersion: number): number {
    const base = Math.max(spanFloor, (usual * spanMs) / 1000);
    const counts = Array.from(
      { length: spansMax },
      (_, i) => this.ring[(this.head - i + spansMax) % spansMax] as number,
    );
    let step = Number.NEGATIVE_INFINITY;
    for (let length = 1; length <= stepSpansMax; length++)
      if ((counts[length - 1] as number) > 0) step = Math.max(step, gainOf(counts, length, base, 0));
    let rise = 0;
    for (const length of riseSpans)
      for (const power of risePowers) rise = Math.max(rise, gainOf(counts, length, base, power));
    return (step - rise) / dispersion;
  }

  snapshot(): { head: number; spans: Uint8Array } {
    return { head: this.head, spans: int32Bytes(this.ring) };
  }

  restore({ head, spans }: { head: number; spans: Uint8Array }): void {
    this.head = head;
    this.ring.set(int32From(spans));
  }
}

/**
 * Log likelihood of newest-first counts over that of the usual level alone, where the newest `length` of them have more
 * than usual: evenly (power 0), or rising with a power of time.
 */
function gainOf(counts: ArrayLike<number>, length: number, base: number, power: number): number {
  let excess = -base * length;
  let weights = 0;
  for (let i = 0; i < length; i++) {
    excess += counts[i] as number;
    weights += weightOf(length - i, power);
  }
  if (excess <= 0) return Number.NEGATIVE_INFINITY;
  let gain = -excess;
  for (let i = 0; i < length; i++) {
    const count = counts[i] as number;
    if (count > 0) gain += count * Math.log1p((excess * weightOf(length - i, power)) / (weights * base));
  }
  return gain;
}

function weightOf(x: number, power: number): number {
  return power === 0 ? 1 : power === 1 ? x - 0.5 : (x - 0.5) ** 2;
}

export interface Shape {
  name: 'error_creep' | 'error_spike';
  /** Since it set in. */
  windows: number;
}

/**
 * A step or a slow rise, by the Poisson likelihood of the last forty minutes; null where neither can be told yet.
 * @param mean usual errors of a window
 */
export function shapeOf(history: History, mean: number): Shape | null {
  const windows = Math.min(80, history.size);
  const counts = Array.from({ length: windows }, (_, i) => history.value('errorCount', windows - 1 - i));
  const base = Math.max(mean, windowFloor);
  const step = { likelihood: Number.NEGATIVE_INFINITY, windows: 0 };
  const rise = { likelihood: Number.NEGATIVE_INFINITY, windows: 0 };
  for (let from = 0; from < windows; from++) {
    const length = windows - from;
    let excess = 0;
    for (let i = from; i < windows; i++) excess += (counts[i] as number) - base;
    if (excess <= 0) continue;
    for (const [power, first] of shapes) {
      // Within two minutes nothing rises slowly.
      if (power > 0 && length < 4) continue;
      const weight = (x: number): number => (power === 0 ? (x === 0 ? first : 1) : (x + 1) ** power);
      let sum = 0;
      for (let x = 0; x < length; x++) sum += weight(x);
      let likelihood = 0;
      for (let i = 0; i < windows; i++) {
        const level = i < from ? base : base + (excess / sum) * weight(i - from);
        likelihood += (counts[i] as number) * Math.log(level) - level;
      }
      const best = power === 0 ? step : rise;
      if (likelihood > best.likelihood) [best.likelihood, best.windows] = [likelihood, length];
    }
  }
  const lead = step.likelihood - rise.likelihood;
  if (lead > Math.max(stepLeadMin, step.windows / stepLeadWindows))
    return { name: 'error_spike', windows: step.windows };
  let errors = 0;
  for (let back = 1; back <= step.windows; back++) errors += counts[windows - back] as number;
  const isKnown = step.windows >= 5 && (errors >= shapeErrorsMin || step.windows >= shapeWindowsMax);
  // What rose within a few minutes is a step that chance bent, or not known yet.
  if (rise.windows < riseWindowsMin)
    return isKnown && lead > 0.5 ? { name: 'error_spike', windows: step.windows } : null;
  // A step of this size would have been told at its errors; until then, what looks like one may be waited for.
  const isRise = lead < -riseLeadMin || (isKnown && (lead < 0 || step.windows >= shapeWindowsMax));
  return isRise ? { name: 'error_creep', windows: rise.windows } : null;
}

/** Power of time, and for steps what part of its first window a step takes. */
const shapes = [
  [0, 1],
  [0, 0.75],
  [0, 0.5],
  [0, 0.25],
  [1, 0],
  [2, 0],
] as const;
