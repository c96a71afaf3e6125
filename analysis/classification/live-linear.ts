import { doublesFrom } from '#protocol/number-bytes.ts';
import type { Features } from './features.ts';
import { type FtrlOptions, ftrlWeight } from './softmax-learner.ts';

/** Corrections to a model's linear weights, learned online by FTRL-proximal. Sparse and bounded. */
export class LiveLinear {
  /** Feature id → z and n of label 0, z and n of label 1, … Never read in Map order. */
  readonly #sums = new Map<number, number[]>();
  readonly #options: FtrlOptions;
  readonly #max: number;

  constructor(learningRate: number, max: number) {
    this.#options = { alpha: learningRate, beta: 1, l1: 0, l2: 0.5, epochs: 1 };
    this.#max = max;
  }

  get size(): number {
    return this.#sums.size;
  }

  #weight(sums: readonly number[], c: number): number {
    const z = sums[2 * c];
    return z === undefined ? 0 : ftrlWeight(z, sums[2 * c + 1] as number, this.#options);
  }

  /** Adds the corrections of a text to scores per label. */
  addTo(scores: Float64Array, features: Features): void {
    if (this.#sums.size === 0) return;
    for (let i = 0; i < features.liveEnd; i++) {
      const sums = this.#sums.get(features.ids[i] as number);
      if (sums === undefined) continue;
      const v = features.values[i] as number;
      for (let c = 0; c < scores.length; c++) scores[c] = (scores[c] as number) + v * this.#weight(sums, c);
    }
  }

  /** One step; `gradient` is probability − truth per label. */
  learn(features: Features, gradient: Float64Array): void {
    for (let i = 0; i < features.liveEnd; i++) {
      const id = features.ids[i] as number;
      let sums = this.#sums.get(id);
      if (sums === undefined) {
        if (this.#sums.size >= this.#max) this.#prune();
        sums = [];
        this.#sums.set(id, sums);
      }
      while (sums.length < 2 * gradient.length) sums.push(0);
      const v = features.values[i] as number;
      for (let c = 0; c < gradient.length; c++) {
        const g = (gradient[c] as number) * v;
        const n = sums[2 * c + 1] as number;
        const sigma = (Math.sqrt(n + g * g) - Math.sqrt(n)) / this.#options.alpha;
        sums[2 * c] = (sums[2 * c] as number) + g - sigma * this.#weight(sums, c);
        sums[2 * c + 1] = n + g * g;
      }
    }
  }

  /** Drops the half with the smallest weights; equal ones by id. */
  #prune(): void {
    const sizes = Array.from(this.#sums, ([id, sums]) => {
      let size = 0;
      for (let c = 0; 2 * c < sums.length; c++) size = Math.max(size, Math.abs(this.#weight(sums, c)));
      return { id, size };
    });
    sizes.sort((a, b) => a.size - b.size || a.id - b.id);
    for (const { id } of sizes.slice(0, Math.ceil(sizes.length / 2))) this.#sums.delete(id);
  }

  /** Per feature: id, how many sums follow, z0, n0, z1, n1, …; doubles as bytes. In their order, which `restore` keeps. */
  snapshot(): Uint8Array {
    let size = 0;
    for (const sums of this.#sums.values()) size += 2 + sums.length;
    const numbers = new Float64Array(size);
    let at = 0;
    for (const [id, sums] of this.#sums) {
      numbers[at++] = id;
      numbers[at++] = sums.length;
      for (let i = 0; i < sums.length; i++) numbers[at++] = sums[i] as number;
    }
    return new Uint8Array(numbers.buffer);
  }

  restore(from: Uint8Array): void {
    const numbers = doublesFrom(from);
    for (let at = 0; at < numbers.length; ) {
      const id = numbers[at] as number;
      const end = at + 2 + (numbers[at + 1] as number);
      this.#sums.set(id, Array.from(numbers.subarray(at + 2, end)));
      at = end;
    }
  }
}
