import type { Features } from './features.ts';
import { logSoftmax } from './probability.ts';
import { rowOf, tableOf, type Table, unionOf } from './table.ts';

/**
 * Multinomial logistic regression trained by FTRL-proximal (McMahan et al., "Ad click prediction: a view from the
 * trenches", KDD 2013): a step size per coordinate, L1 that leaves most weights at zero, L2 that keeps the rest small.
 */
export interface SoftmaxModel {
  readonly table: Table;
  /** rows × labels. */
  readonly weights: Float32Array;
  readonly bias: Float32Array;
}

/** One template with what is known of its label. */
export interface Example {
  features: Features;
  /** Share of each label, sum 1. */
  target: Float64Array;
  weight: number;
}

export interface FtrlOptions {
  alpha: number;
  beta: number;
  l1: number;
  l2: number;
  epochs: number;
}

export const ftrlDefaults: FtrlOptions = { alpha: 0.3, beta: 1, l1: 0.02, l2: 0.2, epochs: 12 };

/** Smaller gradients are skipped: most labels are settled after two epochs, and this makes training several times faster. */
const gradientMin = 0.003;

/** Weight that FTRL's sums z and n stand for. */
export function ftrlWeight(z: number, n: number, o: FtrlOptions): number {
  const size = Math.abs(z) - o.l1;
  if (size <= 0) return 0;
  return -(z < 0 ? -size : size) / ((o.beta + Math.sqrt(n)) / o.alpha + o.l2);
}

/** A fixed shuffle: a linear congruential generator with a constant seed. */
export function shuffled(length: number, seed: number): Uint32Array {
  const order = Uint32Array.from({ length }, (_, i) => i);
  let state = seed >>> 0;
  for (let i = length - 1; i > 0; i--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const j = Math.floor((state / 4294967296) * (i + 1));
    const held = order[i] as number;
    order[i] = order[j] as number;
    order[j] = held;
  }
  return order;
}

/** Trains on the ids [0, endOf) of each example. */
export function trainSoftmax(
  examples: readonly Example[],
  k: number,
  endOf: (f: Features) => number,
  options: FtrlOptions = ftrlDefaults,
): SoftmaxModel {
  const table = tableOf(unionOf(examples.map((e) => e.features.ids.subarray(0, endOf(e.features)))));
  const rows = examples.map((e) =>
    Int32Array.from(e.features.ids.subarray(0, endOf(e.features)), (id) => rowOf(table, id)),
  );
  const n = table.ids.length;
  const z = new Float64Array((n + 1) * k);
  const squares = new Float64Array((n + 1) * k);
  /** The weights that z and squares stand for, kept beside them: a square root per step, not per read. */
  const w = new Float64Array((n + 1) * k);
  const biasOptions = { ...options, l1: 0, l2: 0 };
  const step = (at: number, gradient: number, o: FtrlOptions): void => {
    const old = squares[at] as number;
    const now = old + gradient * gradient;
    const sum = (z[at] as number) + gradient - ((Math.sqrt(now) - Math.sqrt(old)) / o.alpha) * (w[at] as number);
    z[at] = sum;
    squares[at] = now;
    w[at] = ftrlWeight(sum, now, o);
  };
  const scores = new Float64Array(k);
  for (let epoch = 0; epoch < options.epochs; epoch++) {
    for (const index of shuffled(examples.length, 7 + epoch)) {
      const { features, target, weight } = examples[index] as Example;
      const own = rows[index] as Int32Array;
      for (let c = 0; c < k; c++) scores[c] = w[n * k + c] as number;
      for (let i = 0; i < own.length; i++) {
        const v = features.values[i] as number;
        const base = (own[i] as number) * k;
        for (let c = 0; c < k; c++) {
          scores[c] = (scores[c] as number) + v * (w[base + c] as number);
        }
      }
      logSoftmax(scores);
      for (let c = 0; c < k; c++) {
        const g = weight * (Math.exp(scores[c] as number) - (target[c] as number));
        if (Math.abs(g) < gradientMin) continue;
        step(n * k + c, g, biasOptions);
        for (let i = 0; i < own.length; i++)
          step((own[i] as number) * k + c, g * (features.values[i] as number), options);
      }
    }
  }
  return compact(table.ids, w, k);
}

/** Keeps the rows that have a weight; the last row is the bias. */
function compact(ids: Uint32Array, w: Float64Array, k: number): SoftmaxModel {
  const kept: number[] = [];
  const weights: number[] = [];
  for (let r = 0; r < ids.length; r++) {
    const row = w.subarray(r * k, (r + 1) * k);
    if (!row.some((x) => Math.abs(x) > 1e-3)) continue;
    kept.push(ids[r] as number);
    for (const x of row) weights.push(x);
  }
  return {
    table: tableOf(Uint32Array.from(kept)),
    weights: Float32Array.from(weights),
    bias: Float32Array.from(w.subarray(ids.length * k)),
  };
}

/** Scores (not normalised) of the ids [0, end). */
export function softmaxScores(model: SoftmaxModel, features: Features, end: number): Float64Array {
  const k = model.bias.length;
  const scores = Float64Array.from(model.bias);
  for (let i = 0; i < end; i++) {
    const r = rowOf(model.table, features.ids[i] as number);
    if (r < 0) continue;
    const v = features.values[i] as number;
    for (let c = 0; c < k; c++) scores[c] = (scores[c] as number) + v * (model.weights[r * k + c] as number);
  }
  return scores;
}
