/**
 * How soon a fault can be known at all, by one who knows what is usual and when the fault began: when chance alone would
 * give what is to be expected less than once in ten days, in any of the service's messages. What lies beyond that in a
 * measured delay is the detectors' own. Harmless restarts, jobs and lumps are not in it, so it is a bound and no goal.
 */
import { lowerTailExponent, upperTailExponent } from '../../analysis/detectors/tails.ts';

const dayMs = 86_400_000;
/** A tenth of one false alarm a day for each sort of finding. */
const alarmsPerDay = 0.1;
const stepMs = 250;
const endMs = 3_600_000;

/** −log10 of the chance that a test which is made every so often may have. */
function allowed(everyMs: number, tests: number): number {
  return Math.log10((dayMs / everyMs) * (tests / alarmsPerDay));
}

function earliest(isKnown: (ms: number) => boolean): number {
  for (let ms = stepMs; ms < endMs; ms += stepMs) if (isKnown(ms)) return ms;
  return endMs;
}

/** `more` records a second, where `usual` come, in clumps with this mean. */
export function knowableRise(more: number, usual: number, clump: number, tests: number): number {
  return earliest((ms) => {
    const mean = (usual * ms) / 1_000;
    return upperTailExponent(Math.floor(mean + (more * ms) / 1_000), mean, mean * spread(clump)) >= allowed(ms, tests);
  });
}

/** `left` records a second, where `usual` come. */
export function knowableFall(left: number, usual: number, clump: number): number {
  if (left === 0) return knowableGap(usual / clump, 1);
  return earliest((ms) => {
    const mean = (usual * ms) / 1_000;
    return lowerTailExponent(Math.ceil((left * ms) / 1_000), mean, mean * spread(clump)) >= allowed(ms, 1);
  });
}

/** None, where so many a second come by chance; each of them ends a gap. */
export function knowableGap(perSecond: number, tests: number): number {
  const exponent = allowed(1_000 / perSecond, tests);
  return Math.min(endMs, (exponent * Math.LN10 * 1_000) / perSecond);
}

/** Answers that stay away, to so many questions a second: each has some chance to do so on a good day. */
export function knowableLack(perSecond: number, lagMs: number, pairs: number): number {
  const lostShare = 0.005;
  const exponent = allowed(1_000 / perSecond, pairs);
  return Math.min(endMs, (Math.ceil(exponent / -Math.log10(lostShare)) * 1_000) / perSecond + lagMs);
}

/** Variance over mean of counts that come in clumps of geometric size. */
function spread(clump: number): number {
  return 2 * clump - 1;
}
