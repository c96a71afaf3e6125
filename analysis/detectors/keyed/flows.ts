/**
 * The lines of a service by key: what comes with what, in which order, and whether the keys of late keep to it.
 *
 * F1  A key is over when it is silent for far longer than keys pause. It is judged by what the keys before it were like.
 *     What it is like counts as usual only once no evidence piles up.
 * F2  A rule is one step and another that nearly all keys with it have, or have after it. Evidence against it is the
 *     likelihood ratio of far more odd keys than usual against as many as usual, summed and never below zero (CUSUM).
 * F3  Keys that end within 5 s count as a few, however many: a restart cuts all that are under way.
 * F4  A key with a step that is new here, or with one that is not kept, says nothing of others: the flow has changed.
 */
import { doubleBytes, doublesFrom } from '#protocol/number-bytes.ts';
import {
  agedKeys,
  clear,
  type Evidence,
  evidenceNumbers,
  keysMin,
  noEvidence,
  note,
  usualShare,
  weigh,
} from './evidence.ts';

/** Keys at a time; beyond it every second one is followed, by its hash, then every fourth … */
const keysMax = 128;
/** Messages of a service that are told apart. */
const stepsMax = 24;
export const tickMs = 5_000;
/** A step is new for so long, or until it has been seen in `keysMin` keys. */
const youngMs = 30 * 60_000;
/** Pauses within keys: by powers of two of ms; how many must be known, and the wait until then. */
const buckets = 30;
const pausesMin = 200;
const waitUnknownMs = 60_000;
const [waitMinMs, waitMaxMs] = [5_000, 600_000];
const endBytes = 10;
const keyBytesMax = 64;
const decoder = new TextDecoder();

interface Flow {
  key: string;
  /** In order of their first lines, and the times of those. */
  steps: number[];
  atMs: number[];
  lastMs: number;
  /** Has a message that is not kept. */
  isForeign: boolean;
}

interface Step {
  slot: number;
  bornMs: number;
  /** Keys with it. */
  keys: number;
  /** Of the present tick. */
  tickKeys: number;
}

/** Of keys with step `a`: what they have of step `b`. */
interface Rule {
  a: number;
  b: number;
  /** Keys with both, those with a first line of `a` before that of `b`, and after it. */
  both: number;
  before: number;
  after: number;
  missing: Evidence;
  swapped: Evidence;
}

export interface OddFlows {
  kind: 'missing' | 'swapped';
  /** Template slots: `a` usually has `b`, or has it later. */
  a: number;
  b: number;
  /** `b` usually comes after `a`. */
  isAfter: boolean;
  odd: number;
  seen: number;
  usualShare: number;
  /** −log10 of the chance, as far as the evidence goes. */
  exponent: number;
  sinceMs: number;
  examples: string[];
  /** Further steps that are missing. */
  others: number;
}

export interface KeyedFlowsSnapshot {
  flows: [hash: number, key: string, steps: number[], atMs: number[], lastMs: number, isForeign: boolean][];
  steps: Uint8Array;
  rules: Uint8Array;
  examples: [rule: number, kind: number, keys: string[]][];
  pauses: Uint8Array;
  thin: number;
  keys: number;
  tick: number;
}

export class KeyedFlows {
  private readonly threshold: number;
  private flows = new Map<number, Flow>();
  private steps: Step[] = [];
  private rules: Rule[] = [];
  private pauses: Float64Array = new Float64Array(buckets);
  private thin = 1;
  private keys = 0;
  private tick = 0;
  /** Memo of `rules`: by a × stepsMax + b. */
  private index: (Rule | undefined)[] = [];
  /** Of the key being judged: place of each step in it, or −1. */
  private readonly places = new Int8Array(stepsMax);
  /** Memo of `steps`; −1: none. */
  private stepBySlot: number[] = [];

  /** @param tailExponent evidence that is told, as −log10 of a chance */
  constructor(tailExponent: number) {
    this.threshold = tailExponent * Math.LN10;
  }

  /** A line of the key in bytes [from, to). Hot where ids are followed; see loadtest/bench/partition.bench.ts. */
  observe(slot: number, bytes: Uint8Array, from: number, to: number, timeMs: number): void {
    const tick = Math.floor(timeMs / tickMs);
    if (tick > this.tick) this.passTo(tick);
    const hash = fnvOf(bytes, from, to);
    // `thin` is a power of two.
    if ((hash & (this.thin - 1)) !== 0) return;
    let flow = this.flows.get(hash);
    if (flow === undefined) {
      if (this.flows.size >= keysMax) {
        this.thin *= 2;
        for (const one of this.flows.keys()) if (one % this.thin !== 0) this.flows.delete(one);
        if (hash % this.thin !== 0 || this.flows.size >= keysMax) return;
      }
      const key = decoder.decode(bytes.subarray(from, Math.min(to, from + keyBytesMax)));
      flow = { key, steps: [], atMs: [], lastMs: timeMs, isForeign: false };
      this.flows.set(hash, flow);
    } else {
      this.pauses[bucketOf(timeMs - flow.lastMs)]!++;
      flow.lastMs = Math.max(flow.lastMs, timeMs);
    }
    const step = this.stepOf(slot, timeMs);
    if (step < 0) flow.isForeign = true;
    else {
      const at = flow.steps.indexOf(step);
      if (at < 0) {
        flow.steps.push(step);
        flow.atMs.push(timeMs);
      } else if (timeMs < (flow.atMs[at] as number)) flow.atMs[at] = timeMs;
    }
  }

  /** What is odd beyond chance, the most odd kind first; null: nothing. */
  oddest(): OddFlows | null {
    const over = this.rules.filter(({ missing }) => missing.sum >= this.threshold);
    const swapped = this.rules.filter((rule) => rule.swapped.sum >= this.threshold);
    const [order] = swapped.sort((x, y) => y.swapped.sum - x.swapped.sum);
    if (over.length === 0) return order === undefined ? null : this.tell(order, 'swapped', 0);
    // Of all steps that are missing the first, after the last one that is there.
    const first = Math.min(...over.map(({ b }) => this.rank(b)));
    const gone = over.filter(({ b }) => this.rank(b) === first);
    const isAfter = gone.filter((rule) => rule.before > rule.after);
    const [rule] = (isAfter.length > 0 ? isAfter : gone).sort(
      (x, y) => this.rank(y.a) - this.rank(x.a) || y.missing.sum - x.missing.sum,
    );
    return this.tell(rule as Rule, 'missing', new Set(over.map(({ b }) => b)).size - 1);
  }

  /** Evidence that one of two messages stays away. */
  isMissing(a: number, b: number): boolean {
    return this.rules.some(
      (rule) =>
        rule.missing.sum > 0 &&
        ((this.slotOf(rule.a) === a && this.slotOf(rule.b) === b) ||
          (this.slotOf(rule.a) === b && this.slotOf(rule.b) === a)),
    );
  }

  /** The same, of steps that were told before; null where they are as usual. */
  stillOdd(told: { kind: OddFlows['kind']; a: number; b: number }): OddFlows | null {
    const rule = this.rules.find(({ a, b }) => this.slotOf(a) === told.a && this.slotOf(b) === told.b);
    return rule === undefined || rule[told.kind].sum <= 0 ? null : this.tell(rule, told.kind, 0);
  }

  /** The slot has another template now. */
  forget(slot: number): void {
    if ((this.stepBySlot[slot] ?? -1) >= 0) this.startOver();
  }

  /** What went on is explained, or has become usual. */
  forgive(): void {
    for (const { missing, swapped } of this.rules) {
      clear(missing);
      clear(swapped);
    }
  }

  /** The service has changed: what is usual is learned anew. */
  startOver(): void {
    this.flows.clear();
    this.steps = [];
    this.stepBySlot = [];
    this.rules = [];
    this.index = [];
    this.keys = 0;
    this.thin = 1;
  }

  snapshot(): KeyedFlowsSnapshot {
    return {
      flows: [...this.flows].map(([hash, { key, steps, atMs, lastMs, isForeign }]) => [
        hash,
        key,
        steps.slice(),
        atMs.slice(),
        lastMs,
        isForeign,
      ]),
      steps: doubleBytes(this.steps.flatMap(({ slot, bornMs, keys, tickKeys }) => [slot, bornMs, keys, tickKeys])),
      rules: doubleBytes(
        this.rules.flatMap(({ a, b, both, before, after, missing, swapped }) => [
          a,
          b,
          both,
          before,
          after,
          ...evidenceNumbers.map((name) => missing[name]),
          ...evidenceNumbers.map((name) => swapped[name]),
        ]),
      ),
      examples: this.rules.flatMap(({ missing, swapped }, i) =>
        [missing, swapped].flatMap(({ examples }, kind): KeyedFlowsSnapshot['examples'] =>
          examples.length === 0 ? [] : [[i, kind, examples.slice()]],
        ),
      ),
      pauses: doubleBytes(this.pauses),
      thin: this.thin,
      keys: this.keys,
      tick: this.tick,
    };
  }

  restore(state: KeyedFlowsSnapshot): void {
    this.flows = new Map(
      state.flows.map(([hash, key, steps, atMs, lastMs, isForeign]) => [
        hash,
        { key, steps: steps.slice(), atMs: atMs.slice(), lastMs, isForeign },
      ]),
    );
    const steps = doublesFrom(state.steps);
    this.steps = [];
    this.stepBySlot = [];
    for (let i = 0; i < steps.length; i += 4) {
      const [slot, bornMs, keys, tickKeys] = steps.subarray(i, i + 4) as unknown as [number, number, number, number];
      this.addStep({ slot, bornMs, keys, tickKeys });
    }
    const rules = doublesFrom(state.rules);
    const width = 5 + 2 * evidenceNumbers.length;
    this.rules = [];
    this.index = [];
    for (let i = 0; i < rules.length; i += width) {
      const [a, b, both, before, after] = rules.subarray(i, i + 5) as unknown as [
        number,
        number,
        number,
        number,
        number,
      ];
      const rule = this.newRule(a, b);
      Object.assign(rule, { both, before, after });
      for (const [at, name] of evidenceNumbers.entries()) {
        rule.missing[name] = rules[i + 5 + at] as number;
        rule.swapped[name] = rules[i + 5 + evidenceNumbers.length + at] as number;
      }
    }
    for (const [i, kind, keys] of state.examples) {
      const rule = this.rules[i] as Rule;
      (kind === 0 ? rule.missing : rule.swapped).examples = keys.slice();
    }
    this.pauses = doublesFrom(state.pauses);
    this.thin = state.thin;
    this.keys = state.keys;
    this.tick = state.tick;
  }

  private passTo(tick: number): void {
    this.tick = tick;
    const overMs = tick * tickMs - this.waitMs();
    for (const [hash, flow] of this.flows) {
      if (flow.lastMs > overMs) continue;
      this.flows.delete(hash);
      this.judge(flow);
      this.learn(flow);
    }
    this.weigh();
    // Few keys are left of many: more of them can be followed again.
    if (this.thin > 1 && this.flows.size === 0) this.thin = 1;
  }

  private waitMs(): number {
    let known = 0;
    for (const count of this.pauses) known += count;
    if (known < pausesMin) return waitUnknownMs;
    let left = known * 0.995;
    let at = 0;
    for (; at < buckets - 1; at++) {
      left -= this.pauses[at] as number;
      if (left <= 0) break;
    }
    if (known > 100_000) for (let i = 0; i < buckets; i++) this.pauses[i] = Math.floor((this.pauses[i] as number) / 2);
    return Math.min(waitMaxMs, Math.max(waitMinMs, 4 * 2 ** at));
  }

  private judge(flow: Flow): void {
    const { steps, atMs, key } = flow;
    if (flow.isForeign) return;
    const isChanged = steps.some((step) => this.isYoung(step));
    if (!isChanged) for (const a of steps) (this.steps[a] as Step).tickKeys++;
    const { places } = this;
    places.fill(-1);
    for (let i = 0; i < steps.length; i++) places[steps[i] as number] = i;
    for (const rule of this.rules) {
      const i = places[rule.a] as number;
      if (i < 0) continue;
      const j = places[rule.b] as number;
      if (isChanged) {
        rule.missing.usualSeen++;
        if (j < 0) rule.missing.usualOdd++;
        continue;
      }
      if (j < 0) {
        note(rule.missing, key);
        continue;
      }
      if ((atMs[i] as number) === (atMs[j] as number)) continue;
      rule.swapped.tickSeen++;
      if ((atMs[i] as number) > (atMs[j] as number)) note(rule.swapped, key);
    }
  }

  private isYoung(step: number): boolean {
    const { keys, bornMs } = this.steps[step] as Step;
    return keys < keysMin && this.tick * tickMs - bornMs < youngMs;
  }

  private learn({ steps, atMs }: Flow): void {
    for (const a of steps) (this.steps[a] as Step).keys++;
    for (let i = 0; i < steps.length; i++)
      for (let j = 0; j < steps.length; j++) {
        if (i === j) continue;
        const [a, b] = [steps[i] as number, steps[j] as number];
        let rule = this.index[a * stepsMax + b];
        if (rule === undefined) {
          // Of the keys before this one none had both.
          rule = this.newRule(a, b);
          rule.missing.usualSeen = (this.steps[a] as Step).keys;
          rule.missing.usualOdd = rule.missing.usualSeen - 1;
        }
        rule.both++;
        if ((atMs[i] as number) < (atMs[j] as number)) rule.before++;
        else if ((atMs[i] as number) > (atMs[j] as number)) rule.after++;
      }
    if (++this.keys < agedKeys) return;
    this.keys = Math.floor(this.keys / 2);
    for (const step of this.steps) step.keys /= 2;
    for (const rule of this.rules) {
      rule.both /= 2;
      rule.before /= 2;
      rule.after /= 2;
    }
  }

  /** Takes the evidence of the tick that is over. */
  private weigh(): void {
    const nowMs = this.tick * tickMs;
    for (const { a, missing, swapped } of this.rules) {
      missing.tickSeen = (this.steps[a] as Step).tickKeys;
      if (missing.tickSeen > 0) weigh(missing, nowMs, this.threshold);
      if (swapped.tickSeen > 0) weigh(swapped, nowMs, this.threshold);
    }
    for (const step of this.steps) step.tickKeys = 0;
  }

  private tell(rule: Rule, kind: OddFlows['kind'], others: number): OddFlows {
    const { sum, seen, odd, sinceMs, examples } = rule[kind];
    return {
      kind,
      a: this.slotOf(rule.a),
      b: this.slotOf(rule.b),
      isAfter: rule.before > rule.after,
      odd,
      seen,
      usualShare: usualShare(rule[kind]),
      exponent: sum / Math.LN10,
      sinceMs,
      examples: examples.slice(),
      others,
    };
  }

  private slotOf(step: number): number {
    return (this.steps[step] as Step).slot;
  }

  /** Steps that usually come before it. */
  private rank(step: number): number {
    return this.rules.filter(({ a, before, both }) => a === step && 2 * before < both).length;
  }

  private stepOf(slot: number, timeMs: number): number {
    const at = this.stepBySlot[slot] ?? -1;
    if (at >= 0 || this.steps.length >= stepsMax) return at;
    return this.addStep({ slot, bornMs: timeMs, keys: 0, tickKeys: 0 });
  }

  private addStep(step: Step): number {
    while (this.stepBySlot.length <= step.slot) this.stepBySlot.push(-1);
    this.stepBySlot[step.slot] = this.steps.length;
    return this.steps.push(step) - 1;
  }

  private newRule(a: number, b: number): Rule {
    const rule = { a, b, both: 0, before: 0, after: 0, missing: noEvidence(), swapped: noEvidence() };
    this.rules.push(rule);
    this.index[a * stepsMax + b] = rule;
    return rule;
  }
}

const bucketOf = (ms: number): number => (ms < 1 ? 0 : Math.min(buckets - 1, 32 - Math.clz32(Math.min(ms, 2 ** 31))));

/** FNV-1a, 32 bits, of an id; of a long one the ends, which is where ids differ: a trace id need not be read whole. */
export function fnvOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0x811c9dc5;
  const isLong = to - from > 2 * endBytes;
  const head = isLong ? from + endBytes : to;
  for (let i = from; i < head; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  if (isLong) for (let i = to - endBytes; i < to; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  return hash >>> 0;
}
