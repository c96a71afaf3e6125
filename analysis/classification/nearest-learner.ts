import type { Example } from './softmax-learner.ts';
import { rowOf, tableOf, type Table, unionOf } from './table.ts';

/** Templates with known labels, and how much of their (rarity-weighted) words a text shares with each. */
export interface NearestModel {
  /** Word hashes of all templates. */
  readonly table: Table;
  /** Inverse document frequency per row. */
  readonly rarity: Float32Array;
  /** Template t has the rows rows[starts[t] … starts[t+1]). */
  readonly starts: Uint32Array;
  readonly rows: Uint32Array;
  /** templates × labels: share of each label. */
  readonly shares: Float32Array;
  readonly labels: number;
}

/** The postings and sums that a search needs; made from the model once. */
export interface NearestIndex {
  model: NearestModel;
  postingStarts: Uint32Array;
  postings: Uint32Array;
  mass: Float64Array;
  overlap: Float64Array;
}

export interface Neighbour {
  similarity: number;
  template: number;
}

export function trainNearest(examples: readonly Example[], k: number): NearestModel {
  const table = tableOf(unionOf(examples.map((e) => e.features.tokens)));
  const frequency = new Float64Array(table.ids.length);
  const starts = new Uint32Array(examples.length + 1);
  const rows: number[] = [];
  const shares = new Float32Array(examples.length * k);
  examples.forEach((e, t) => {
    for (const id of e.features.tokens) {
      const r = rowOf(table, id);
      rows.push(r);
      frequency[r] = (frequency[r] as number) + 1;
    }
    starts[t + 1] = rows.length;
    shares.set(e.target, t * k);
  });
  const rarity = Float32Array.from(frequency, (f) => Math.log(1 + examples.length / f));
  return { table, rarity, starts, rows: Uint32Array.from(rows), shares, labels: k };
}

export function indexNearest(model: NearestModel): NearestIndex {
  const n = model.table.ids.length;
  const templates = model.starts.length - 1;
  const postingStarts = new Uint32Array(n + 1);
  for (const r of model.rows) postingStarts[r + 1] = (postingStarts[r + 1] as number) + 1;
  for (let r = 0; r < n; r++) postingStarts[r + 1] = (postingStarts[r + 1] as number) + (postingStarts[r] as number);
  const fill = postingStarts.slice();
  const postings = new Uint32Array(model.rows.length);
  const mass = new Float64Array(templates);
  for (let t = 0; t < templates; t++) {
    for (let i = model.starts[t] as number; i < (model.starts[t + 1] as number); i++) {
      const r = model.rows[i] as number;
      mass[t] = (mass[t] as number) + (model.rarity[r] as number);
      postings[fill[r] as number] = t;
      fill[r] = (fill[r] as number) + 1;
    }
  }
  return { model, postingStarts, postings, mass, overlap: new Float64Array(templates) };
}

/** Rarity of a word that no template has. */
export const unknownRarity = (model: NearestModel): number => Math.log(2 + (model.starts.length - 1));

/** The most similar templates (weighted Jaccard, 0–1), best first, ties by index. */
export function neighbours(index: NearestIndex, tokens: Uint32Array, count: number): Neighbour[] {
  const { model, overlap } = index;
  let own = 0;
  const touched: number[] = [];
  for (const id of tokens) {
    const r = rowOf(model.table, id);
    if (r < 0) {
      own += unknownRarity(model);
      continue;
    }
    const w = model.rarity[r] as number;
    own += w;
    for (let p = index.postingStarts[r] as number; p < (index.postingStarts[r + 1] as number); p++) {
      const t = index.postings[p] as number;
      if (overlap[t] === 0) touched.push(t);
      overlap[t] = (overlap[t] as number) + w;
    }
  }
  const found: Neighbour[] = [];
  for (const t of touched) {
    const shared = overlap[t] as number;
    overlap[t] = 0;
    insertNeighbour(found, { similarity: shared / (own + (index.mass[t] as number) - shared), template: t }, count);
  }
  return found;
}

function insertNeighbour(found: Neighbour[], n: Neighbour, count: number): void {
  let at = found.length;
  while (at > 0) {
    const other = found[at - 1] as Neighbour;
    if (other.similarity > n.similarity || (other.similarity === n.similarity && other.template < n.template)) break;
    at--;
  }
  if (at >= count) return;
  found.splice(at, 0, n);
  if (found.length > count) found.pop();
}

/** Weight of one vote; distant templates say next to nothing. */
export const voteOf = (similarity: number): number => similarity * similarity * similarity;
/** Weight of the prior against the votes: one exact match outweighs it 20 to 1. */
export const priorVote = 0.05;

/** Logs of the vote of neighbours over a prior. */
export function voteLogs(votes: Float64Array, priors: ArrayLike<number>): Float64Array {
  let sum = priorVote;
  for (const v of votes) sum += v;
  return Float64Array.from(votes, (v, c) =>
    Math.log((v + priorVote * ((priors[c] ?? 0) + 0.001)) / (sum * (1 + 0.001 * votes.length))),
  );
}
