/**
 * Anomalous keys (a trace, a block, a request) among raw lines, learned without labels or rules, in one pass.
 *
 * K1  A key is over when it has been silent for longer than the message it stopped at is ever followed by silence; that is
 *     learned from the lines. It is judged then, by all keys seen up to then, and told: one verdict.
 * K2  A key that goes on is taken back out of what was learned, and judged again when it is over again.
 * K3  A key is judged for the last time when it is forgotten (the longest unseen first, beyond `keysMax`) or the input
 *     ends. It is told again only if the answer is another one: then the verdict says `revised`.
 * K4  What is known is what the remembered keys say, exactly: a forgotten key is taken out.
 */
import { RE2JS } from 're2js';
import { type MinerSnapshot, TemplateMiner, templateDefaults } from '#analysis/templates/mod.ts';
import { LogweirError } from '#protocol/errors.ts';
import { span } from '../describe.ts';
import { SequenceClock } from './clock.ts';
import { Deadlines } from './deadlines.ts';
import { judge, type Judgement, type Oddity } from './judge.ts';
import { SequenceModel } from './model.ts';
import { SequencePace } from './pace.ts';
import { addLine, newTrace, resolveTrace, type Trace } from './trace.ts';

export interface SequenceVerdict {
  key: string;
  anomalous: boolean;
  /** 0–1; above 0.5 is anomalous. */
  score: number;
  /** What is odd about it, for people; only where it is anomalous. */
  why?: string;
  /** True where an earlier verdict on this key said otherwise. */
  revised?: true;
}

export interface KeyedSequenceOptions {
  /** Regular expression (RE2); its first group, or else the whole match, is the key. */
  key: string;
  /** Keys remembered at a time, open or over. Default 100,000. */
  keysMax?: number;
}

export interface KeyedSequenceCounts {
  lines: number;
  /** Lines in which no key was found. */
  keyless: number;
  /** Keys forgotten before the end, to keep within `keysMax`; of them, those that were not over. */
  forgotten: number;
  forgottenOpen: number;
  /** Lines left out for a key that was forgotten before it was over: its beginning is not known any more. */
  stray: number;
}

/** Of one line; a line that names many blocks belongs to each of them. */
const keysPerLineMax = 32;
const keyCharsMax = 256;
/** Keys that ended last, in which a new flow shows first. */
const recentKeys = 256;
/** The queue of deadlines is swept of forgotten keys when it is twice as long as it need be and this. */
const queueSlack = 1000;
/** Forgotten keys whose lines are still known for stray, per key remembered. */
const lostPerKey = 4;
/** Keys learned, as a part of all, after which merged templates are followed: counting anew costs as much as learning all. */
const recountShare = 8;
/** While too little is known of pauses, a key is looked at again after this, then after twice as long, and so on. */
const retryMinMs = 1000;
/** Stands in for keys when a line is mined, so that no key is ever part of a message. */
const keyMark = '0';
const encoder = new TextEncoder();
const decoder = new TextDecoder();

interface Recent {
  trace: Trace;
  at: number;
}

interface SequencesState {
  miner: MinerSnapshot;
  clock: unknown;
  pace: unknown;
  beganMs: number;
  counts: KeyedSequenceCounts;
  traces: Trace[];
  lost: number[];
  due: [dueMs: number, key: string][];
  recent: [key: string, at: number][];
  recentCount: number;
  hasMerged: boolean;
  learnedSince: number;
}

export class KeyedSequenceDetector {
  readonly counts: KeyedSequenceCounts = { lines: 0, keyless: 0, forgotten: 0, forgottenOpen: 0, stray: 0 };
  private readonly pattern: RE2JS;
  private readonly group: 0 | 1;
  private readonly keysMax: number;
  private miner = new TemplateMiner();
  private clock = new SequenceClock();
  private pace = new SequencePace();
  private model = new SequenceModel();
  private recent = new SequenceModel();
  private recentQueue: Recent[] = [];
  private recentCount = 0;
  /** The longest unseen first. */
  private readonly traces = new Map<string, Trace>();
  private readonly deadlines = new Deadlines<Trace>();
  /** Hashes of keys forgotten before they were over, the longest forgotten first. */
  private readonly lost = new Set<number>();
  private beganMs = 0;
  /** Templates merged, and keys learned, since the model was last counted anew. */
  private hasMerged = false;
  private learnedSince = 0;

  /** @throws LogweirError USAGE for a key that is no regular expression */
  constructor(options: KeyedSequenceOptions) {
    try {
      this.pattern = RE2JS.compile(options.key);
    } catch (cause) {
      throw new LogweirError(
        'USAGE',
        `The key ${options.key} is no regular expression${cause instanceof Error ? `: ${cause.message}` : ''}.`,
        'Give one such as blk_-?\\d+, in the syntax of RE2.',
        { cause },
      );
    }
    this.group = this.pattern.groupCount() > 0 ? 1 : 0;
    this.keysMax = Math.max(1, options.keysMax ?? 100_000);
  }

  /** Entries held for keys in all lists: bounded by `keysMax`. */
  get held(): number {
    return this.traces.size + this.deadlines.size + this.recentQueue.length + this.lost.size;
  }

  /** One raw line, in order. Returns the verdicts that are due by it, mostly none. */
  line(text: string): SequenceVerdict[] {
    this.counts.lines++;
    const keys = new Set<string>();
    const message = this.cutKeys(text, keys);
    if (keys.size === 0) {
      this.counts.keyless++;
      return [];
    }
    const isFirst = this.counts.lines - this.counts.keyless === 1;
    const timeMs = this.clock.take(text);
    if (isFirst) this.beganMs = this.clock.nowMs;
    const verdicts: SequenceVerdict[] = [];
    this.closeDue(verdicts);
    const { json } = this.clock;
    const bytes = encoder.encode(
      json === undefined ? message : this.cutKeys(`${json.service} ${json.severityText} ${json.body}`, new Set()),
    );
    const slot = this.miner.mine(bytes, 0, bytes.length, this.clock.nowMs);
    this.followMerges();
    for (const key of keys) this.add(key, slot, timeMs);
    if (this.traces.size > this.keysMax) this.forgetOldest(verdicts);
    return verdicts;
  }

  /** End of input: first verdicts of the keys still open, and those that look otherwise in hindsight. */
  end(): SequenceVerdict[] {
    const verdicts: SequenceVerdict[] = [];
    this.miner.review();
    this.followMerges();
    for (const trace of this.traces.values()) this.settle(trace);
    if (this.hasMerged) this.recountAll();
    for (const trace of this.traces.values()) this.tell(trace, this.judge(trace), verdicts);
    return verdicts;
  }

  /** All that `restore` needs to go on alike, as plain data. */
  snapshot(): unknown {
    return structuredClone<SequencesState>({
      miner: this.miner.snapshot(),
      clock: this.clock.snapshot(),
      pace: this.pace.snapshot(),
      beganMs: this.beganMs,
      counts: this.counts,
      traces: [...this.traces.values()],
      lost: [...this.lost],
      due: this.deadlines
        .entries()
        .filter(({ item }) => this.isRemembered(item))
        .map(({ dueMs, item }) => [dueMs, item.key]),
      recent: this.recentQueue.filter(isCurrent).map(({ trace, at }) => [trace.key, at]),
      recentCount: this.recentCount,
      hasMerged: this.hasMerged,
      learnedSince: this.learnedSince,
    });
  }

  static restore(options: KeyedSequenceOptions, snapshot: unknown): KeyedSequenceDetector {
    const state = structuredClone(snapshot) as SequencesState;
    const detector = new KeyedSequenceDetector(options);
    detector.miner = TemplateMiner.restore(templateDefaults, state.miner);
    detector.clock = SequenceClock.restore(state.clock);
    detector.pace = SequencePace.restore(state.pace);
    detector.beganMs = state.beganMs;
    Object.assign(detector.counts, state.counts);
    for (const trace of state.traces) {
      detector.traces.set(trace.key, trace);
      if (trace.isLearned) detector.model.learn(trace);
    }
    for (const hash of state.lost) detector.lost.add(hash);
    for (const [dueMs, key] of state.due) detector.deadlines.push(dueMs, detector.traces.get(key) as Trace);
    for (const [key, at] of state.recent) {
      const trace = detector.traces.get(key) as Trace;
      detector.recentQueue.push({ trace, at });
      detector.recent.learn(trace);
    }
    detector.recentCount = state.recentCount;
    detector.hasMerged = state.hasMerged;
    detector.learnedSince = state.learnedSince;
    return detector;
  }

  /** Finds the keys of a line; returns the line without them. */
  private cutKeys(text: string, keys: Set<string>): string {
    const matcher = this.pattern.matcher(text);
    let message = '';
    let from = 0;
    while (matcher.find()) {
      const start = matcher.start(this.group);
      const end = matcher.end(this.group);
      if (start < from || end <= start) continue;
      if (keys.size < keysPerLineMax) keys.add(text.slice(start, Math.min(end, start + keyCharsMax)).toWellFormed());
      message += text.slice(from, start) + keyMark;
      from = end;
    }
    return message + text.slice(from);
  }

  private add(key: string, slot: number, timeMs: number): void {
    let trace = this.traces.get(key);
    if (trace === undefined) {
      if (this.lost.size > 0 && this.lost.has(hashOf(key))) {
        this.counts.stray++;
        return;
      }
      // A copy: a part of a string keeps all of its line in memory.
      trace = newTrace(decoder.decode(encoder.encode(key)));
    } else this.traces.delete(key);
    this.traces.set(trace.key, trace);
    if (trace.isLearned) this.unlearn(trace);
    const before = trace.lastSlot;
    const { lastMs, seenMs } = trace;
    addLine(trace, slot, timeMs, this.clock.nowMs);
    if (before >= 0) this.pace.observe(before, slot, trace.lastMs - lastMs, trace.seenMs - seenMs);
    trace.isOver = false;
    if (!trace.isQueued) this.queue(trace, this.dueMs(trace));
  }

  private dueMs(trace: Trace): number {
    const waitMs = this.pace.waitMs(trace.lastSlot);
    if (waitMs !== undefined) return trace.seenMs + waitMs;
    return this.clock.nowMs + Math.max(retryMinMs, this.clock.nowMs - trace.seenMs);
  }

  private closeDue(verdicts: SequenceVerdict[]): void {
    const { nowMs } = this.clock;
    for (let trace = this.deadlines.take(nowMs); trace !== undefined; trace = this.deadlines.take(nowMs)) {
      trace.isQueued = false;
      if (!this.isRemembered(trace)) continue;
      const dueMs = this.dueMs(trace);
      if (dueMs > nowMs) this.queue(trace, dueMs);
      else this.close(trace, verdicts);
    }
  }

  /** The key is silent for long: it is over, unless something is awaited that nearly all keys have. */
  private close(trace: Trace, verdicts: SequenceVerdict[]): void {
    if (!trace.isLearned) this.learn(trace);
    this.recount();
    let judgement = this.judge(trace);
    if (judgement.awaitedMs > this.clock.nowMs) {
      this.queue(trace, judgement.awaitedMs);
      if (judgement.oddity !== undefined) this.tell(trace, judgement, verdicts);
      return;
    }
    if (!trace.isOver) {
      this.unlearn(trace);
      trace.isOver = true;
      this.learn(trace);
      judgement = this.judge(trace);
    }
    this.tell(trace, judgement, verdicts);
  }

  private readonly isRemembered = (trace: Trace): boolean => this.traces.get(trace.key) === trace;

  private queue(trace: Trace, dueMs: number): void {
    trace.isQueued = true;
    this.deadlines.push(dueMs, trace);
    if (this.deadlines.size > 2 * this.traces.size + queueSlack) this.deadlines.keep(this.isRemembered);
  }

  /** Many at a time: to find the oldest entry of a map takes longer the more were deleted before it. */
  private forgetOldest(verdicts: SequenceVerdict[]): void {
    const kept = this.keysMax - Math.floor(this.keysMax / 16);
    for (const trace of this.traces.values()) {
      if (this.traces.size <= kept) break;
      this.counts.forgotten++;
      if (!trace.isOver) {
        this.counts.forgottenOpen++;
        this.lost.add(hashOf(trace.key));
      }
      this.settle(trace);
      this.tell(trace, this.judge(trace), verdicts);
      this.unlearn(trace);
      this.traces.delete(trace.key);
    }
    const lostMax = lostPerKey * this.keysMax;
    if (this.lost.size <= lostMax) return;
    for (const oldest of this.lost) {
      if (this.lost.size <= lostMax - kept) break;
      this.lost.delete(oldest);
    }
  }

  /** Learns a key that will not be waited for, as one that is over if it may be. */
  private settle(trace: Trace): void {
    if (trace.isOver) return;
    if (trace.isLearned) this.unlearn(trace);
    const waitMs = this.pace.waitMs(trace.lastSlot);
    trace.isOver = waitMs === undefined || this.clock.nowMs - trace.seenMs >= waitMs;
    this.learn(trace);
  }

  private learn(trace: Trace): void {
    resolveTrace(trace, this.current);
    trace.isLearned = true;
    this.learnedSince++;
    this.model.learn(trace);
    this.recent.learn(trace);
    trace.recentAt = this.recentCount++;
    this.recentQueue.push({ trace, at: trace.recentAt });
    while (this.recent.keys > recentKeys) {
      const oldest = this.recentQueue.shift() as Recent;
      if (isCurrent(oldest)) this.leaveRecent(oldest.trace);
    }
    // Those that went on or were forgotten left it before their turn.
    if (this.recentQueue.length > 4 * recentKeys) this.recentQueue = this.recentQueue.filter(isCurrent);
  }

  private unlearn(trace: Trace): void {
    trace.isLearned = false;
    this.model.unlearn(trace);
    if (trace.recentAt >= 0) this.leaveRecent(trace);
  }

  private leaveRecent(trace: Trace): void {
    this.recent.unlearn(trace);
    trace.recentAt = -1;
  }

  private readonly current = (slot: number): number => (this.miner.has(slot) ? this.miner.resolve(slot) : slot);

  private followMerges(): void {
    for (const slot of this.miner.takeChanged()) {
      const into = this.current(slot);
      if (into === slot) continue;
      if (this.model.keysWith(slot) > 0) this.hasMerged = true;
      this.pace.merge(slot, into);
    }
  }

  /** Counts anew after templates have merged; seldom enough to cost little per key. */
  private recount(): void {
    if (this.hasMerged && this.learnedSince * recountShare >= this.model.keys) this.recountAll();
  }

  private recountAll(): void {
    this.hasMerged = false;
    this.learnedSince = 0;
    this.model = new SequenceModel();
    this.recent = new SequenceModel();
    for (const trace of this.traces.values()) {
      if (!trace.isLearned) continue;
      resolveTrace(trace, this.current);
      this.model.learn(trace);
      if (trace.recentAt >= 0) this.recent.learn(trace);
    }
  }

  private judge(trace: Trace): Judgement {
    const { model, recent, pace, beganMs } = this;
    const { nowMs, isTimed } = this.clock;
    return judge(trace, { model, recent, pace, beganMs, nowMs, isTimed });
  }

  private tell(trace: Trace, { score, oddity }: Judgement, verdicts: SequenceVerdict[]): void {
    const anomalous = oddity !== undefined;
    if (trace.told === anomalous) return;
    const verdict: SequenceVerdict = { key: trace.key, anomalous, score };
    if (oddity !== undefined) verdict.why = this.describe(oddity);
    if (trace.told !== undefined) verdict.revised = true;
    trace.told = anomalous;
    verdicts.push(verdict);
  }

  private describe(oddity: Oddity): string {
    const name = (slot: number): string => {
      const text = this.miner.textOf(slot);
      return `'${text.length > 80 ? `${text.slice(0, 79)}…` : text}'`;
    };
    const share = `${oddity.share < 0.001 ? 'under 0.1' : (oddity.share * 100).toFixed(1)} % of keys`;
    switch (oddity.kind) {
      case 'present':
        return `has ${name(oddity.slot)}, as ${share}`;
      case 'missing':
        return `has ${name(oddity.after)} without ${name(oddity.slot)}, as ${share}`;
      case 'count':
        return `has ${name(oddity.slot)} ${oddity.count} times, usually ${oddity.usual}`;
      case 'order':
        return `has ${name(oddity.before)} before ${name(oddity.slot)}, as ${share}`;
      case 'pause':
        return `paused for ${span(oddity.ms)} between ${name(oddity.after)} and ${name(oddity.slot)}`;
    }
  }
}

const isCurrent = ({ trace, at }: Recent): boolean => trace.recentAt === at;

/** 53 bits of two FNV-1a hashes. */
function hashOf(key: string): number {
  let a = 0x811c9dc5;
  let b = 0x01000193;
  for (let i = 0; i < key.length; i++) {
    const code = key.charCodeAt(i);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x85ebca6b);
  }
  return (a >>> 0) * 0x200000 + (b >>> 11);
}
