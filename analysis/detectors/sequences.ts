/**
 * Anomalous keys (a trace, a block, a request) among raw lines, without labels, in one pass: which messages a key
 * has, and how often. A key is odd where it has a message that few keys have, lacks one that nearly all have, or has
 * one another number of times than nearly all. Keys are judged when the input ends, or in batches, the longest
 * unseen first, when more are open than `keysMax`; they are judged against every key up to then.
 */
import { TemplateMiner } from '#analysis/templates/mod.ts';
import { LogweirError } from '#protocol/errors.ts';

export interface SequenceVerdict {
  key: string;
  anomalous: boolean;
  /** 0–1; above 0.5 is anomalous. */
  score: number;
}

export interface KeyedSequenceOptions {
  /** Regular expression; its first group, or else the whole match, is the key. */
  key: string;
  /** Keys open at a time. Default 200,000. */
  keysMax?: number;
  /** Share of keys from which on an outcome is usual. Default 0.02. */
  rareShare?: number;
}

/** Of one line; a line that names many blocks belongs to each of them. */
const keysPerLineMax = 32;
/** Fewer keys than this are no measure of what is usual. */
const keysMin = 30;
/** Share of the most frequent count, among keys that have the message, from which on other counts are odd. */
const stableShare = 0.9;
/** Counts above this are one. */
const countMax = 255;
const encoder = new TextEncoder();

/** How often each count of one message occurs among the keys judged. */
type Counts = Map<number, number>;

export class KeyedSequenceDetector {
  private readonly pattern: RegExp;
  private readonly keysMax: number;
  private readonly rareShare: number;
  private readonly miner = new TemplateMiner();
  /** Open keys, the longest unseen first: counts by template slot. */
  private open = new Map<string, Map<number, number>>();
  private readonly usual = new Map<number, Counts>();
  private keys = 0;
  private lines = 0;

  /** @throws LogweirError USAGE for a key that is no regular expression */
  constructor(options: KeyedSequenceOptions) {
    try {
      this.pattern = new RegExp(options.key, 'g');
    } catch (cause) {
      throw new LogweirError(
        'USAGE',
        `The key ${options.key} is no regular expression.`,
        'Give one such as blk_-?\\d+.',
        { cause },
      );
    }
    this.keysMax = options.keysMax ?? 200_000;
    this.rareShare = options.rareShare ?? 0.02;
  }

  /** One raw line, in order. Returns the keys that are over by it: mostly none. Lines without a key are passed over. */
  line(text: string): SequenceVerdict[] {
    const keys = new Set<string>();
    for (const match of text.matchAll(this.pattern)) {
      const key = match[1] ?? match[0];
      if (key !== '' && keys.size < keysPerLineMax) keys.add(key);
    }
    if (keys.size === 0) return [];
    const bytes = encoder.encode(text);
    const slot = this.miner.mine(bytes, 0, bytes.length, this.lines++);
    for (const key of keys) {
      const counts = this.open.get(key) ?? new Map<number, number>();
      this.open.delete(key);
      this.open.set(key, counts);
      counts.set(slot, Math.min(countMax, (counts.get(slot) ?? 0) + 1));
    }
    return this.open.size > this.keysMax ? this.judge(Math.ceil(this.keysMax / 4)) : [];
  }

  /** End of input: the verdicts of all keys still open, the longest unseen first. */
  end(): SequenceVerdict[] {
    return this.judge(this.open.size);
  }

  private judge(count: number): SequenceVerdict[] {
    const over: [string, Map<number, number>][] = [];
    for (const [key, counts] of this.open) {
      if (over.length >= count) break;
      over.push([key, this.merged(counts)]);
    }
    for (const [key, counts] of over) {
      this.open.delete(key);
      this.learn(counts);
    }
    return over.map(([key, counts]) => {
      const score = this.scoreOf(counts);
      return { key, anomalous: score > 0.5, score };
    });
  }

  /** Templates that became one since are one. */
  private merged(counts: Map<number, number>): Map<number, number> {
    const result = new Map<number, number>();
    for (const [slot, count] of counts) {
      const now = this.miner.has(slot) ? this.miner.resolve(slot) : slot;
      result.set(now, Math.min(countMax, (result.get(now) ?? 0) + count));
    }
    return result;
  }

  private learn(counts: Map<number, number>): void {
    this.keys++;
    for (const [slot, count] of counts) {
      const usual = this.usual.get(slot) ?? new Map<number, number>();
      usual.set(count, (usual.get(count) ?? 0) + 1);
      this.usual.set(slot, usual);
    }
  }

  /** By the rarest outcome: 0.5 where `rareShare` of the keys have it, towards 1 where hardly any does. */
  private scoreOf(counts: Map<number, number>): number {
    if (this.keys < keysMin) return 0;
    let rarest = 1;
    for (const [slot, usual] of this.usual) {
      let having = 0;
      let most = 0;
      for (const keys of usual.values()) {
        having += keys;
        if (keys > most) most = keys;
      }
      const count = counts.get(slot) ?? 0;
      const stable = most >= stableShare * having;
      const same = count === 0 ? this.keys - having : stable ? (usual.get(count) ?? 0) : having;
      rarest = Math.min(rarest, same / this.keys);
    }
    return Math.round((10_000 * this.rareShare) / (this.rareShare + rarest)) / 10_000;
  }
}
