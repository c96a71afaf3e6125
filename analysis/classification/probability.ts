/** Arithmetic on class scores. Sums run in index order: the order of a float sum is part of the answer (R2). */

/** Natural logs of the softmax of scores, in place. */
export function logSoftmax(scores: Float64Array): Float64Array {
  let top = -Infinity;
  for (const s of scores) if (s > top) top = s;
  let sum = 0;
  for (const s of scores) sum += Math.exp(s - top);
  const shift = top + Math.log(sum);
  for (let c = 0; c < scores.length; c++) scores[c] = (scores[c] as number) - shift;
  return scores;
}

/** First index of the largest value; −1 for none. */
export function argmax(values: Float64Array): number {
  let best = -1;
  for (let c = 0; c < values.length; c++) if (best < 0 || (values[c] as number) > (values[best] as number)) best = c;
  return best;
}

/** Log-linear pool: logs of the normalised Π pₗ^weightₗ · exp(bias). Learners that abstain (uniform) leave no trace. */
export function pool(
  logs: readonly Float64Array[],
  weights: ArrayLike<number>,
  bias: ArrayLike<number>,
  k: number,
): Float64Array {
  const out = new Float64Array(k);
  for (let c = 0; c < k; c++) {
    let sum = bias[c] ?? 0;
    for (let l = 0; l < logs.length; l++) sum += (weights[l] ?? 0) * ((logs[l] as Float64Array)[c] as number);
    out[c] = sum;
  }
  return logSoftmax(out);
}
