import type { Features } from './features.ts';
import { logSoftmax } from './probability.ts';
import type { Example } from './softmax-learner.ts';
import { rowOf, tableOf, type Table, unionOf } from './table.ts';

/**
 * Complement naive Bayes (Rennie et al., "Tackling the poor assumptions of naive Bayes text classifiers", ICML 2003):
 * a label's score comes from how rare a word is in all *other* labels, which stands up to very uneven classes.
 */
export interface BayesModel {
  readonly table: Table;
  /** rows × labels, centred so that an unknown word says nothing. */
  readonly weights: Float32Array;
  readonly bias: Float32Array;
}

const smoothing = 0.4;

export function trainBayes(examples: readonly Example[], k: number): BayesModel {
  const table = tableOf(unionOf(examples.map((e) => e.features.ids.subarray(0, e.features.wordEnd))));
  const n = table.ids.length;
  const counts = new Float64Array(n * k);
  const totals = new Float64Array(k);
  const documents = new Float64Array(k);
  for (const { features, target, weight } of examples) {
    for (let c = 0; c < k; c++) documents[c] = (documents[c] as number) + weight * (target[c] as number);
    for (let i = 0; i < features.wordEnd; i++) {
      const at = rowOf(table, features.ids[i] as number) * k;
      const v = weight;
      for (let c = 0; c < k; c++) {
        const mass = v * (target[c] as number);
        counts[at + c] = (counts[at + c] as number) + mass;
        totals[c] = (totals[c] as number) + mass;
      }
    }
  }
  let all = 0;
  for (const t of totals) all += t;
  const weights = new Float32Array(n * k);
  for (let r = 0; r < n; r++) {
    let sum = 0;
    for (let c = 0; c < k; c++) sum += counts[r * k + c] as number;
    let mean = 0;
    const row = new Float64Array(k);
    for (let c = 0; c < k; c++) {
      const others = sum - (counts[r * k + c] as number);
      row[c] = -Math.log((smoothing + others) / (smoothing * n + all - (totals[c] as number)));
      mean += (row[c] as number) / k;
    }
    for (let c = 0; c < k; c++) weights[r * k + c] = (row[c] as number) - mean;
  }
  let documentsAll = 0;
  for (const d of documents) documentsAll += d;
  const bias = Float32Array.from(documents, (d) => Math.log((d + 1) / (documentsAll + k)));
  return { table, weights, bias };
}

/** Naive Bayes is overconfident, as its features repeat each other: the sum is taken to the power ⅓ of their number. */
export function bayesLogs(model: BayesModel, features: Features): Float64Array {
  const k = model.bias.length;
  const scores = new Float64Array(k);
  let known = 0;
  for (let i = 0; i < features.wordEnd; i++) {
    const r = rowOf(model.table, features.ids[i] as number);
    if (r < 0) continue;
    known++;
    for (let c = 0; c < k; c++) scores[c] = (scores[c] as number) + (model.weights[r * k + c] as number);
  }
  const damp = known > 0 ? 1 / Math.sqrt(known) : 0;
  for (let c = 0; c < k; c++) scores[c] = (scores[c] as number) * damp + (model.bias[c] as number);
  return logSoftmax(scores);
}
