import { logSoftmax, pool } from './probability.ts';

/** What the learners said of one text that they had not seen, and what was true. */
export interface HeldOut {
  logs: Float64Array[];
  target: Float64Array;
  weight: number;
}

export interface PoolFit {
  weights: Float64Array;
  bias: Float64Array;
}

/** Weight of a learner before anything is known. */
const defaultWeight = 0.5;

/**
 * Fits the weights of the pool by gradient descent on log loss, held towards equal weights and no bias by as much
 * as the held-out texts are few: four numbers and a bias cannot overfit what they were not trained on by much.
 */
export function fitPool(heldOut: readonly HeldOut[], learners: number, k: number): PoolFit {
  const weights = new Float64Array(learners).fill(defaultWeight);
  const bias = new Float64Array(k);
  let mass = 0;
  for (const h of heldOut) mass += h.weight;
  if (mass === 0) return { weights, bias };
  const weightHold = 10 / (mass + 10);
  const biasHold = 40 / (mass + 40);
  const gradient = new Float64Array(learners);
  const biasGradient = new Float64Array(k);
  for (let round = 0; round < 300; round++) {
    gradient.fill(0);
    biasGradient.fill(0);
    for (const { logs, target, weight } of heldOut) {
      const p = pool(logs, weights, bias, k);
      for (let c = 0; c < k; c++) {
        const d = (weight / mass) * (Math.exp(p[c] as number) - (target[c] as number));
        biasGradient[c] = (biasGradient[c] as number) + d;
        for (let l = 0; l < learners; l++)
          gradient[l] = (gradient[l] as number) + d * ((logs[l] as Float64Array)[c] as number);
      }
    }
    for (let l = 0; l < learners; l++) {
      const g = (gradient[l] as number) + weightHold * ((weights[l] as number) - defaultWeight);
      weights[l] = Math.max(0.02, (weights[l] as number) - 0.1 * g);
    }
    for (let c = 0; c < k; c++)
      bias[c] = (bias[c] as number) - 0.2 * ((biasGradient[c] as number) + biasHold * (bias[c] as number));
  }
  return { weights, bias };
}

/** Log-probabilities of a learner that knows nothing. */
export const uniformLogs = (k: number): Float64Array => logSoftmax(new Float64Array(k));
