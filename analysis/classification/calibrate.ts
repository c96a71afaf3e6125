import { pool } from './probability.ts';

/** What the learners said of one text that they had not seen, and what was true. */
export interface HeldOut {
  logs: Float64Array[];
  target: Float64Array;
  weight: number;
}

const scales: readonly number[] = [0.25, 0.35, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.15, 1.3, 1.5, 1.75, 2];
/** Below this many held-out texts a calibration would be chance. */
const heldOutMin = 30;

/**
 * The factor on the pool's weights with the least log loss on held-out texts. It makes confidences honest and can
 * not change an answer; fitting a weight per learner was tried and did worse on unseen groups than fixed ones.
 */
export function calibratedScale(heldOut: readonly HeldOut[], weights: readonly number[], k: number): number {
  if (heldOut.length < heldOutMin) return 1;
  let best = 1;
  let least = Infinity;
  for (const scale of scales) {
    const scaled = weights.map((w) => w * scale);
    let loss = 0;
    for (const { logs, target, weight } of heldOut) {
      const p = pool(logs, scaled, [], k);
      for (let c = 0; c < k; c++)
        if ((target[c] as number) > 0) loss -= weight * (target[c] as number) * (p[c] as number);
    }
    if (loss < least) {
      least = loss;
      best = scale;
    }
  }
  return best;
}
