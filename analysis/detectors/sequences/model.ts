/**
 * What keys usually look like, counted over a set of them: which messages, how often, what goes with what, in which
 * order and how far apart. All sums are of whole numbers, so that a key can be taken out again exactly, in any order.
 */
import type { Trace } from './trace.ts';

/** Pairs of messages that are told apart; more are not learned. A bound on memory, about 200 B each. */
const pairsMax = 200_000;
/** Lags are kept as this many steps per doubling of 1 + ms. */
const stepsPerOctave = 16;

/** Logarithm of a lag in ms, in steps. */
export const lagSteps = (ms: number): number => Math.round(Math.log2(1 + Math.max(0, ms)) * stepsPerOctave);

/** Keys that have one message. */
interface Message {
  keys: number;
  /** Of them, those that have ended. */
  over: number;
  starts: number;
  /** Keys by how often they have it. */
  byCount: Map<number, number>;
}

/** Keys that have one of two messages before the other, by first lines. */
interface Order {
  keys: number;
  lagSum: number;
  lagSquares: number;
}

/** Keys that have both of two messages. */
interface Pair {
  low: number;
  lowFirst: Order;
  highFirst: Order;
  /** Of them, those that have ended. */
  over: number;
}

export class SequenceModel {
  keys = 0;
  private readonly messages = new Map<number, Message>();
  private readonly partners = new Map<number, Map<number, Pair>>();
  private pairs = 0;
  /** Keys that have ended by their duration in lag steps. */
  private readonly durations = new Map<number, number>();
  private timed = 0;

  learn(trace: Trace): void {
    this.count(trace, 1);
  }

  /** Takes out what `learn` put in; the trace must not have changed meanwhile. */
  unlearn(trace: Trace): void {
    this.count(trace, -1);
  }

  private count(trace: Trace, by: 1 | -1): void {
    const { slots, counts, firstMs, isOver } = trace;
    const over = isOver ? by : 0;
    this.keys += by;
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[i] as number;
      const message = this.messageOf(slot);
      message.keys += by;
      message.over += over;
      if (i === 0) message.starts += by;
      add(message.byCount, counts[i] as number, by);
      if (message.keys === 0) this.messages.delete(slot);
      for (let j = 0; j < i; j++) {
        const before = slots[j] as number;
        const pair = this.pairOf(before, slot);
        if (pair === undefined) continue;
        const order = before === pair.low ? pair.lowFirst : pair.highFirst;
        const lag = lagSteps((firstMs[i] as number) - (firstMs[j] as number));
        order.keys += by;
        order.lagSum += by * lag;
        order.lagSquares += by * lag * lag;
        pair.over += over;
        if (pair.lowFirst.keys + pair.highFirst.keys <= 0) this.dropPair(before, slot);
      }
    }
    if (over !== 0) {
      add(this.durations, lagSteps(trace.lastMs - (firstMs[0] as number)), by);
      this.timed += by;
    }
  }

  private messageOf(slot: number): Message {
    let message = this.messages.get(slot);
    if (message === undefined) {
      message = { keys: 0, over: 0, starts: 0, byCount: new Map() };
      this.messages.set(slot, message);
    }
    return message;
  }

  private pairOf(a: number, b: number): Pair | undefined {
    const known = this.partners.get(a)?.get(b);
    if (known !== undefined || this.pairs >= pairsMax) return known;
    const none = (): Order => ({ keys: 0, lagSum: 0, lagSquares: 0 });
    const pair = { low: Math.min(a, b), lowFirst: none(), highFirst: none(), over: 0 };
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const partners = this.partners.get(one) ?? new Map<number, Pair>();
      partners.set(other, pair);
      this.partners.set(one, partners);
    }
    this.pairs++;
    return pair;
  }

  private dropPair(a: number, b: number): void {
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const partners = this.partners.get(one);
      partners?.delete(other);
      if (partners?.size === 0) this.partners.delete(one);
    }
    this.pairs--;
  }

  keysWith(slot: number): number {
    return this.messages.get(slot)?.keys ?? 0;
  }

  private overWith(slot: number): number {
    return this.messages.get(slot)?.over ?? 0;
  }

  /** Share of keys that begin with a message. */
  startShare(slot: number): number {
    return this.keys === 0 ? 0 : (this.messages.get(slot)?.starts ?? 0) / this.keys;
  }

  /** Keys that have `a` before `b`. */
  inOrder(a: number, b: number): number {
    return this.order(a, b)?.keys ?? 0;
  }

  private order(a: number, b: number): Order | undefined {
    const pair = this.partners.get(a)?.get(b);
    return pair === undefined ? undefined : a === pair.low ? pair.lowFirst : pair.highFirst;
  }

  /** Share of keys that have the message at place `i`, at most: among all, or among those with a message before it. */
  presentShare(slots: readonly number[], i: number): number {
    const slot = slots[i] as number;
    let share = this.keysWith(slot) / Math.max(1, this.keys);
    for (let j = 0; j < i; j++) {
      const before = slots[j] as number;
      const keys = this.keysWith(before);
      if (keys > 0) share = Math.max(share, this.inOrder(before, slot) / keys);
    }
    return share;
  }

  /**
   * Where nearly all keys have a message equally often: that count, the share of keys with the given one, and of all
   * on its side of the usual one.
   */
  countShares(slot: number, count: number): { usual: number; share: number; side: number } | undefined {
    const message = this.messages.get(slot);
    if (message === undefined) return undefined;
    let usual = 0;
    let most = 0;
    for (const [times, keys] of message.byCount) {
      if (keys < most || (keys === most && times > usual)) continue;
      most = keys;
      usual = times;
    }
    let side = 0;
    for (const [times, keys] of message.byCount) if (times !== usual && times > usual === count > usual) side += keys;
    const { keys } = message;
    return { usual, share: (message.byCount.get(count) ?? 0) / keys, side: count === usual ? 1 : side / keys };
  }

  /** Share of the keys with a message that have it at least so often. */
  shareFrom(slot: number, count: number): number {
    const message = this.messages.get(slot);
    if (message === undefined) return 0;
    let keys = 0;
    for (const [times, having] of message.byCount) if (times >= count) keys += having;
    return keys / message.keys;
  }

  /**
   * Calls back every message that less than `shareMax` of the keys with `slot` lack, and that share. Half of them must
   * have it already: of the others nobody knows.
   */
  eachMissable(slot: number, shareMax: number, found: (other: number, share: number) => void): void {
    const keys = this.keysWith(slot);
    for (const [other, pair] of this.partners.get(slot) ?? []) {
      const both = pair.lowFirst.keys + pair.highFirst.keys;
      const lacking = this.overWith(slot) - pair.over;
      if (2 * both >= keys && lacking < shareMax * (both + lacking)) found(other, lacking / (both + lacking));
    }
  }

  /**
   * Share of the keys with `slot` that lack `other`: of those with both, and those that ended without it. Whether the
   * others will have it nobody knows yet.
   */
  lackShare(slot: number, other: number): number {
    const pair = this.partners.get(slot)?.get(other);
    const both = pair === undefined ? 0 : pair.lowFirst.keys + pair.highFirst.keys;
    const lacking = this.overWith(slot) - (pair?.over ?? 0);
    return both + lacking === 0 ? 0 : lacking / (both + lacking);
  }

  /** Of the keys with both messages, the share with `a` first. */
  firstShare(a: number, b: number): number {
    const forth = this.inOrder(a, b);
    return forth / Math.max(1, forth + this.inOrder(b, a));
  }

  /** Mean lag from `a` to `b`, in steps. */
  meanLag(a: number, b: number): number {
    const order = this.order(a, b);
    return order === undefined || order.keys === 0 ? 0 : order.lagSum / order.keys;
  }

  /** ms after `a` by which `b` has come in nearly all keys: three deviations beyond the mean lag, doubled. */
  lagMaxMs(a: number, b: number): number {
    const order = this.order(a, b);
    if (order === undefined || order.keys === 0) return 0;
    const mean = order.lagSum / order.keys;
    const deviation = Math.sqrt(Math.max(0, order.lagSquares / order.keys - mean * mean));
    return 2 ** ((mean + 3 * deviation) / stepsPerOctave + 1);
  }

  /** ms that 95 % of the ended keys last at most. */
  durationMs(): number {
    let left = this.timed * 0.05;
    for (const step of [...this.durations.keys()].sort((x, y) => y - x)) {
      left -= this.durations.get(step) as number;
      if (left < 0) return 2 ** (step / stepsPerOctave);
    }
    return 0;
  }
}

function add(counts: Map<number, number>, at: number, by: number): void {
  const sum = (counts.get(at) ?? 0) + by;
  if (sum === 0) counts.delete(at);
  else counts.set(at, sum);
}
