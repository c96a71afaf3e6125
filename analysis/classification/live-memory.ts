import { extractCanonical } from './features.ts';
import { type NearestModel, unknownRarity, voteOf } from './nearest-learner.ts';
import { rowOf } from './table.ts';
import { neighboursMax, similarityMin } from './task-model.ts';

interface Entry {
  /** Records per label, the recent ones weighing more: all are halved when their sum reaches `countMax`. */
  counts: number[];
  tokens: Uint32Array;
  /** Sum of the rarities of the tokens. */
  mass: number;
  /** Label with the largest count. */
  top: number;
}

/** What the remembered templates say about a text. */
export interface Recall {
  /** Votes per label of the templates most like it. */
  votes: Float64Array;
  /** True when the text's own template is remembered; the votes are then its alone. */
  exact: boolean;
  /** Sums of log word odds per label, as naive Bayes over remembered templates sees them. */
  odds: Float64Array;
}

const countMax = 16;
/** Votes of the service's own templates against those of the model. */
const ownVote = 2;

/** Templates of one service and lane with their true labels. Bounded; the longest unlearned is forgotten first. */
export class LiveMemory {
  /** By canonical text, the most recently learned last: the order is part of the state. */
  readonly #entries = new Map<string, Entry>();
  readonly #rarities: NearestModel;
  readonly #max: number;

  constructor(rarities: NearestModel, max: number) {
    this.#rarities = rarities;
    this.#max = max;
  }

  get size(): number {
    return this.#entries.size;
  }

  #rarity(id: number): number {
    const r = rowOf(this.#rarities.table, id);
    return r < 0 ? unknownRarity(this.#rarities) : (this.#rarities.rarity[r] as number);
  }

  /** `corrected`: a person says so; what was said of the template before counts no more. */
  learn(key: string, label: number, tokens: Uint32Array, corrected = false): void {
    let entry = this.#entries.get(key);
    if (entry === undefined) entry = this.#entry(tokens, []);
    else this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (corrected) entry.counts.fill(0);
    while (entry.counts.length <= label) entry.counts.push(0);
    let sum = 1;
    for (const n of entry.counts) sum += n;
    if (sum > countMax) entry.counts.forEach((n, c) => (entry.counts[c] = n / 2));
    entry.counts[label] = (entry.counts[label] as number) + 1;
    entry.top = topOf(entry.counts);
    if (this.#entries.size > this.#max) {
      const oldest = this.#entries.keys().next().value;
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
  }

  #entry(tokens: Uint32Array, counts: number[]): Entry {
    let mass = 0;
    for (const id of tokens) mass += this.#rarity(id);
    return { counts, tokens, mass, top: topOf(counts) };
  }

  /** Makes all counts worth half: what is learned from now on weighs more. */
  fade(): void {
    for (const { counts } of this.#entries.values()) counts.forEach((n, c) => (counts[c] = n / 2));
  }

  recall(key: string, tokens: Uint32Array, k: number): Recall {
    const votes = new Float64Array(k);
    const odds = new Float64Array(k);
    const own = this.#entries.get(key);
    const rarities = Float64Array.from(tokens, (id) => this.#rarity(id));
    let mass = 0;
    for (const w of rarities) mass += w;
    const counts = new Uint32Array(tokens.length * k);
    const labels = new Uint32Array(k);
    const best: { similarity: number; entry: Entry }[] = [];
    for (const entry of this.#entries.values()) {
      labels[entry.top] = (labels[entry.top] as number) + 1;
      const shared = this.#overlap(entry, tokens, rarities, counts, k);
      if (own !== undefined || shared === 0) continue;
      const similarity = shared / (mass + entry.mass - shared);
      if (similarity < similarityMin) continue;
      let at = best.length;
      while (at > 0 && (best[at - 1] as { similarity: number }).similarity < similarity) at--;
      if (at < neighboursMax) best.splice(at, 0, { similarity, entry });
      if (best.length > neighboursMax) best.pop();
    }
    if (own !== undefined) addVotes(votes, own.counts, ownVote);
    else for (const { similarity, entry } of best) addVotes(votes, entry.counts, ownVote * voteOf(similarity));
    addOdds(odds, counts, labels, tokens.length, k);
    return { votes, exact: own !== undefined, odds };
  }

  /** Rarity of the shared tokens; counts them under the entry's label. Both lists are sorted. */
  #overlap(entry: Entry, tokens: Uint32Array, rarities: Float64Array, counts: Uint32Array, k: number): number {
    let shared = 0;
    let a = 0;
    let b = 0;
    while (a < tokens.length && b < entry.tokens.length) {
      const x = tokens[a] as number;
      const y = entry.tokens[b] as number;
      if (x === y) {
        shared += rarities[a] as number;
        counts[a * k + entry.top] = (counts[a * k + entry.top] as number) + 1;
        a++;
        b++;
      } else if (x < y) a++;
      else b++;
    }
    return shared;
  }

  /** `[canonical text, counts]`, oldest first. */
  snapshot(): [string, number[]][] {
    return Array.from(this.#entries, ([key, { counts }]) => [key, counts.slice()]);
  }

  restore(from: readonly (readonly [string, readonly number[]])[]): void {
    for (const [key, counts] of from) this.#entries.set(key, this.#entry(extractCanonical(key).tokens, [...counts]));
  }
}

function topOf(counts: readonly number[]): number {
  let top = 0;
  for (let c = 1; c < counts.length; c++) if ((counts[c] as number) > (counts[top] as number)) top = c;
  return top;
}

function addVotes(votes: Float64Array, counts: readonly number[], vote: number): void {
  let sum = 0;
  for (const n of counts) sum += n;
  for (let c = 0; c < counts.length; c++) votes[c] = (votes[c] as number) + (vote * (counts[c] as number)) / sum;
}

/** Per word: log of its share of each label, smoothed towards the label's own share; plus the labels' shares. */
function addOdds(odds: Float64Array, counts: Uint32Array, labels: Uint32Array, words: number, k: number): void {
  let templates = 0;
  for (const n of labels) templates += n;
  if (templates === 0) return;
  const prior = Float64Array.from(labels, (n) => (n + 0.5) / (templates + 0.5 * k));
  let known = 0;
  for (let w = 0; w < words; w++) {
    let sum = 0;
    for (let c = 0; c < k; c++) sum += counts[w * k + c] as number;
    if (sum === 0) continue;
    known++;
    for (let c = 0; c < k; c++) {
      const p = prior[c] as number;
      odds[c] = (odds[c] as number) + Math.log(((counts[w * k + c] as number) + 0.5 * p) / ((sum + 0.5) * p));
    }
  }
  const damp = known > 0 ? 1 / Math.sqrt(known) : 0;
  for (let c = 0; c < k; c++) odds[c] = (odds[c] as number) * damp + Math.log(prior[c] as number);
}
