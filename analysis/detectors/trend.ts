/** A short series of levels: does it rise, and slowly or at once? Weighted least squares over every possible onset. */

export interface Trend {
  /** Index of the first level above the base. */
  from: number;
  base: number;
  /** Level at the end above the base, by the straight line. */
  rise: number;
  /** How much better the line fits than a flat one, in squared deviations. */
  gain: number;
  /** The line fits better than one step. */
  isSlow: boolean;
}

/** Levels before the onset, and from it on, that a trend must rest on. */
const beforeMin = 4;
const afterMin = 4;

/**
 * The rise that explains the levels best; null where nothing rises or there are too few.
 * @param levels oldest first
 * @param weights records behind each level; 0 leaves it out
 * @param scatter variance of a single record
 */
export function trendOf(levels: ArrayLike<number>, weights: ArrayLike<number>, scatter: number): Trend | null {
  const size = levels.length;
  if (size < beforeMin + afterMin) return null;
  const flat = stepFit(levels, weights, 0);
  let best: Trend | null = null;
  let bestRamp = Number.POSITIVE_INFINITY;
  let bestStep = Number.POSITIVE_INFINITY;
  let used = 0;
  let weight = 0;
  for (let i = 0; i < size; i++)
    if ((weights[i] as number) > 0) {
      used++;
      weight += weights[i] as number;
    }
  if (used < beforeMin + afterMin) return null;
  for (let from = beforeMin; from <= size - 2; from++) {
    // A step within a block makes that one block a mixture.
    bestStep = Math.min(bestStep, stepFit(levels, weights, from), 1.1 * stepFit(levels, weights, from, from + 1));
    if (from > size - afterMin) continue;
    const ramp = rampFit(levels, weights, from);
    if (ramp === null || ramp.error >= bestRamp) continue;
    bestRamp = ramp.error;
    best = { from, base: ramp.base, rise: ramp.slope * (size - from), gain: 0, isSlow: false };
  }
  if (best === null || best.rise <= 0) return null;
  // Of one record: what single records scatter, or what the levels scatter around the line, whichever is more.
  const perRecord = Math.max(scatter, bestRamp / Math.max(1, used - 3));
  best.gain = (flat - bestRamp) / Math.max(perRecord, weight * 1e-9);
  best.isSlow = bestRamp < bestStep;
  return best;
}

/** Squared error of one level before `from` and another from `again` on. */
function stepFit(levels: ArrayLike<number>, weights: ArrayLike<number>, from: number, again = from): number {
  let error = 0;
  for (const [low, high] of [
    [0, from],
    [again, levels.length],
  ] as const) {
    let weight = 0;
    let sum = 0;
    let squares = 0;
    for (let i = low; i < high; i++) {
      const w = weights[i] as number;
      const level = levels[i] as number;
      weight += w;
      sum += w * level;
      squares += w * level * level;
    }
    if (weight > 0) error += Math.max(0, squares - (sum * sum) / weight);
  }
  return error;
}

/** Squared error of a level up to `from` and a straight rise from it on. */
function rampFit(
  levels: ArrayLike<number>,
  weights: ArrayLike<number>,
  from: number,
): { base: number; slope: number; error: number } | null {
  let [w0, w1, w2, s0, s1, squares] = [0, 0, 0, 0, 0, 0];
  for (let i = 0; i < levels.length; i++) {
    const w = weights[i] as number;
    const level = levels[i] as number;
    const x = i < from ? 0 : i - from + 1;
    w0 += w;
    w1 += w * x;
    w2 += w * x * x;
    s0 += w * level;
    s1 += w * x * level;
    squares += w * level * level;
  }
  const determinant = w0 * w2 - w1 * w1;
  if (determinant <= 0) return null;
  const slope = (w0 * s1 - w1 * s0) / determinant;
  const base = (s0 - slope * w1) / w0;
  return { base, slope, error: Math.max(0, squares - base * s0 - slope * s1) };
}
