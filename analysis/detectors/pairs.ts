/**
 * Messages that come in pairs (started and finished, request and answer), learned without rules: two templates whose
 * counts agree window by window far better than chance, while both vary. The pair is broken when one of them goes on
 * and the other stays away by more than the pair's own past gives (pair-evidence.ts). No key is needed, and the rate
 * does not matter.
 */
import type { ObservedEvent, WindowState } from '#analysis/windows/mod.ts';
import { doubleBytes, doublesFrom } from '#protocol/number-bytes.ts';
import type { DetectorsConfig } from './config.ts';
import { clock, often, quote, span } from './describe.ts';
import { hasMoved, Incident, type IncidentSnapshot, type StepContext, templateInfo, templateText } from './incident.ts';
import {
  markSpan,
  missingExponent,
  type PairSpans,
  spansBetween,
  spansNeeded,
  spansPerWindow,
} from './pair-evidence.ts';
import { type Answers, expire, forgive, hear, noAnswers, runExponent } from './pair-answers.ts';
import { scoreOf } from './tails.ts';
import type { TemplateTable } from './template-table.ts';

/** Windows of counts kept per template, and how many must be known for a pair. */
const ringWindows = 56;
const learnWindows = 24;
/** Templates that are looked at, and pairs that are kept. */
const slotsMax = 48;
const pairsMax = 16;
/** Pairs are looked for every so many windows. */
const searchEvery = 8;
/** Squared differences over the sum of both: 1 for independent templates, near 0 for pairs. */
const couplingMax = 0.3;
/** Where so strongly coupled that nothing else need speak for it. */
const couplingSure = 0.2;
const recordsMin = 20;
/** Windows of which new templates are remembered: those that a pair is judged by, and a few before. */
const birthWindows = 9;
const birthsBefore = 4;
/** A lack that chance gives once in 10^this is one; of answers in a row, which are looked at more often, in 10^this. */
const exponentMin = 5;
const runExponentMin = 6;

interface Pair extends PairSpans {
  /** The one that comes first, as far as known. */
  a: number;
  b: number;
  /** Searches that found it. */
  seen: number;
  /** Mean squared difference of a window, and the ratio by which the pair was found. */
  scatter: number;
  coupling: number;
  /** Records of both, and those near the last one of the other; of these, those with b after a, and their distances. */
  arrivals: number;
  near: number;
  after: number;
  afterMs: number;
  beforeMs: number;
  /** Usual time between two of a, ms. */
  cycleMs: number;
  aMs: number;
  bMs: number;
  /** Differences and larger counts of the last windows, newest first. */
  recent: number[];
  /** Windows in which it was whole again. */
  wholeWindows: number;
  broken: boolean;
  /** Event time up to which what is missing was counted when it was told. */
  toldMs: number;
  answers: Answers;
}

const movingNumbers = [
  'arrivals',
  'near',
  'after',
  'afterMs',
  'beforeMs',
  'cycleMs',
  'aMs',
  'bMs',
  'newestSpan',
  'spansA',
  'spansB',
] as const;
const learnedNumbers = ['a', 'b', 'seen', 'scatter', 'coupling', 'wholeWindows', 'toldMs'] as const;

export interface PairsSnapshot {
  moving: {
    /** Doubles as bytes, pair after pair. */
    numbers: Uint8Array;
    answers: Answers[];
    bornMs: number;
  };
  learned: {
    slots: number[];
    /** 16-bit counts as bytes, slot after slot. */
    rings: Uint8Array;
    windows: number;
    births: number[];
    pairs: { numbers: number[]; recent: number[]; broken: boolean }[];
    incident: IncidentSnapshot | null;
  };
}

export class PairDetector {
  private readonly config: DetectorsConfig['sequenceBroken'];
  /** Per slot: counts of the last windows, newest last. */
  private rings = new Map<number, Uint16Array<ArrayBuffer>>();
  private windows = 0;
  /** New templates of the last windows, newest first. */
  private births: number[] = [];
  /** Event time of the last new template. */
  private bornMs = 0;
  private pairs: Pair[] = [];
  private incident: Incident | null = null;
  /** Per slot: 1 where it is in a pair. A memo of `pairs`. */
  private roles = new Uint8Array(0);

  private readonly spanMs: number;

  constructor(config: DetectorsConfig['sequenceBroken'], sizeMs: number) {
    this.config = config;
    this.spanMs = sizeMs / spansPerWindow;
  }

  get isOpen(): boolean {
    return this.incident !== null;
  }

  /** A template that a broken pair tells of. */
  isBroken(slot: number): boolean {
    return this.pairs.some(({ a, b, broken }) => broken && (a === slot || b === slot));
  }

  /** Hot path: one look-up for templates in no pair. */
  observe(event: ObservedEvent, timeMs: number): void {
    const slot = event.templateSlot;
    if (event.isNewTemplate && timeMs > this.bornMs) this.bornMs = timeMs;
    if (slot >= this.roles.length || this.roles[slot] === 0) return;
    for (const pair of this.pairs) {
      if (pair.a === slot) {
        if (pair.aMs > 0) pair.cycleMs += 0.05 * (Math.min(600_000, Math.abs(timeMs - pair.aMs)) - pair.cycleMs);
        pair.aMs = timeMs;
      } else if (pair.b === slot) pair.bMs = timeMs;
      else continue;
      markSpan(pair, Math.floor(timeMs / this.spanMs), pair.a === slot);
      const aFirst = isAFirst(pair);
      if (pair.answers.isAFirst !== aFirst) pair.answers = noAnswers(aFirst);
      hear(pair.answers, (pair.a === slot) === aFirst, timeMs);
      if (pair.aMs === 0 || pair.bMs === 0) continue;
      pair.arrivals++;
      // Records come a little out of order, so near is near, whichever came first.
      const lag = pair.bMs - pair.aMs;
      if (Math.abs(lag) > 0.2 * pair.cycleMs) continue;
      pair.near++;
      if (lag < 0) pair.beforeMs -= lag;
      else {
        pair.after++;
        pair.afterMs += lag;
      }
    }
  }

  /** The service paused. */
  paused(): void {
    for (const { answers } of this.pairs) forgive(answers);
  }

  /** Answers are awaited now that did not come: what is missing is one of a pair, whether or not that is told yet. */
  isAwaited(slot: number): boolean {
    return this.pairs.some(
      (pair) => pair.answers.run > 0 && pair.seen >= this.config.searchesMin && (pair.a === slot || pair.b === slot),
    );
  }

  /**
   * Between windows: answers that stay away one after the other, up to an event time that has passed.
   * @param windowOf the last beats as a window
   */
  judgeAnswers(
    untilMs: number,
    table: TemplateTable,
    isTold: boolean,
    windowOf: () => WindowState,
    context: StepContext,
  ): boolean {
    if (!this.config.enabled) return false;
    let found = false;
    for (const pair of this.pairs) {
      const { answers } = pair;
      if (isTold || pair.broken) forgive(answers);
      expire(answers, untilMs);
      if (answers.run < this.config.missingMin || !this.isSure(pair)) continue;
      const exponent = runExponent(answers);
      if (exponent < runExponentMin) continue;
      const there = answers.isAFirst ? pair.a : pair.b;
      const windows = (untilMs - answers.runFromMs) / (spansPerWindow * this.spanMs);
      // Far more of one than usual is no lack of the other; other words for it may have come with a new template.
      if (answers.run > 3 * windows * table.get(there, 'mean') + 5) continue;
      if (answers.runFromMs - this.bornMs < birthsBefore * spansPerWindow * this.spanMs) continue;
      const window = windowOf();
      if (hasMoved(there === pair.a ? pair.b : pair.a, window, context.host)) continue;
      this.found(pair, there === pair.a, answers.run, answers.runFromMs, exponent, window, context);
      pair.toldMs = answers.runToMs;
      forgive(answers);
      found = true;
    }
    return found;
  }

  /**
   * @param isTold a finding about the whole service is open: no template comes as it should.
   * @param isMissing ids say that one of the two still stays away, though counts agree by chance
   */
  windowClosed(
    window: WindowState,
    table: TemplateTable,
    isTold: boolean,
    isMissing: (a: number, b: number) => boolean,
    context: StepContext,
  ): void {
    if (!this.config.enabled) return;
    this.keep(window, table);
    this.births = [window.newTemplates, ...this.births.slice(0, birthWindows - 1)];
    for (const pair of this.pairs)
      if (pair.broken) this.goOn(pair, window, isMissing(pair.a, pair.b), context);
      else this.judge(pair, window, table, isTold, context);
    if (this.incident !== null && !this.pairs.some(({ broken }) => broken)) this.close(context);
    if (++this.windows % searchEvery === 0 && !isTold && this.incident === null) this.search();
  }

  close(context: StepContext): void {
    this.incident?.end(context);
    this.incident = null;
  }

  movingState(): PairsSnapshot['moving'] {
    return {
      numbers: doubleBytes(this.pairs.flatMap((pair) => movingNumbers.map((key) => pair[key]))),
      answers: this.pairs.map(({ answers }) => copyOf(answers)),
      bornMs: this.bornMs,
    };
  }

  learnedState(): PairsSnapshot['learned'] {
    const rings = new Uint16Array(this.rings.size * ringWindows);
    let at = 0;
    for (const ring of this.rings.values()) {
      rings.set(ring, at);
      at += ringWindows;
    }
    return {
      slots: [...this.rings.keys()],
      rings: new Uint8Array(rings.buffer),
      windows: this.windows,
      births: this.births.slice(),
      pairs: this.pairs.map((pair) => ({
        numbers: learnedNumbers.map((key) => pair[key]),
        recent: pair.recent.slice(),
        broken: pair.broken,
      })),
      incident: this.incident?.snapshot() ?? null,
    };
  }

  restore({ moving, learned }: PairsSnapshot): void {
    const rings = new Uint16Array(Uint8Array.from(learned.rings).buffer);
    this.rings = new Map(learned.slots.map((slot, i) => [slot, rings.slice(i * ringWindows, (i + 1) * ringWindows)]));
    this.windows = learned.windows;
    this.births = learned.births.slice();
    const moved = doublesFrom(moving.numbers);
    this.bornMs = moving.bornMs;
    this.pairs = learned.pairs.map(({ numbers, recent, broken }, i) => {
      const pair = pairOf(0, 0);
      for (const [at, key] of movingNumbers.entries()) pair[key] = moved[i * movingNumbers.length + at] as number;
      for (const [at, key] of learnedNumbers.entries()) pair[key] = numbers[at] as number;
      pair.recent = recent.slice();
      pair.broken = broken;
      pair.answers = copyOf(moving.answers[i] as Answers);
      return pair;
    });
    this.incident = learned.incident === null ? null : Incident.restore(learned.incident);
    this.assignRoles();
  }

  private keep(window: WindowState, table: TemplateTable): void {
    for (const [slot, ring] of this.rings) {
      if (!table.has(slot)) {
        this.rings.delete(slot);
        continue;
      }
      ring.copyWithin(0, 1);
      ring[ringWindows - 1] = Math.min(65_535, window.slotRecords[slot] ?? 0);
    }
    for (let slot = 0; slot < table.slots && this.rings.size < slotsMax; slot++) {
      if (this.rings.has(slot) || table.get(slot, 'active') < 8) continue;
      this.rings.set(slot, new Uint16Array(ringWindows));
    }
    if (!this.pairs.some(({ a, b }) => !this.rings.has(a) || !this.rings.has(b))) return;
    this.pairs = this.pairs.filter(({ a, b }) => this.rings.has(a) && this.rings.has(b));
    this.assignRoles();
  }

  /** Looks through all pairs of templates: O(slots² × windows), every few windows. */
  private search(): void {
    const from = ringWindows - Math.min(ringWindows, this.windows);
    if (ringWindows - from < learnWindows) return;
    const fit: { slot: number; ring: Uint16Array; sum: number }[] = [];
    for (const [slot, ring] of this.rings) {
      let sum = 0;
      let squares = 0;
      for (let i = from; i < ringWindows; i++) {
        sum += ring[i] as number;
        squares += (ring[i] as number) ** 2;
      }
      const n = ringWindows - from;
      // What comes like a clock agrees with any other clock.
      if (sum >= recordsMin && squares - (sum * sum) / n > 0.3 * sum) fit.push({ slot, ring, sum });
    }
    const found: Pair[] = [];
    for (let i = 0; i < fit.length; i++)
      for (let j = i + 1; j < fit.length; j++) {
        const one = fit[i] as (typeof fit)[0];
        const other = fit[j] as (typeof fit)[0];
        if (Math.abs(one.sum - other.sum) > 2 + 0.04 * (one.sum + other.sum)) continue;
        let squares = 0;
        for (let k = from; k < ringWindows; k++) squares += ((one.ring[k] as number) - (other.ring[k] as number)) ** 2;
        if (squares > couplingMax * (one.sum + other.sum)) continue;
        const pair = this.pairs.find(
          ({ a, b }) => (a === one.slot && b === other.slot) || (b === one.slot && a === other.slot),
        );
        const next = pair ?? pairOf(one.slot, other.slot);
        next.seen++;
        next.scatter = squares / (ringWindows - from);
        next.coupling = squares / (one.sum + other.sum);
        found.push(next);
      }
    // Two searches without it, and a pair is none any more.
    const lost = this.pairs.filter((pair) => !found.includes(pair) && pair.seen > 1);
    for (const pair of lost) pair.seen = Math.min(4, pair.seen) - 2;
    this.pairs = [...found, ...lost.filter(({ seen }) => seen > 0)].sort((x, y) => y.seen - x.seen).slice(0, pairsMax);
    this.assignRoles();
  }

  private judge(pair: Pair, window: WindowState, table: TemplateTable, isTold: boolean, context: StepContext): void {
    const a = window.slotRecords[pair.a] ?? 0;
    const b = window.slotRecords[pair.b] ?? 0;
    pair.recent.unshift(a, b);
    if (pair.recent.length > 12) pair.recent.length = 12;
    if (isTold) {
      pair.recent = [];
      return;
    }
    if (!this.isSure(pair)) return;
    let sumA = 0;
    let sumB = 0;
    for (let i = 0; i < pair.recent.length; i += 2) {
      sumA += pair.recent[i] as number;
      sumB += pair.recent[i + 1] as number;
      const more = Math.max(sumA, sumB);
      const missing = more - Math.min(sumA, sumB);
      const whole = Math.min(sumA, sumB);
      const needed = Math.max(this.config.missingMin + (whole > 0 ? 2 : 0), 5 * Math.sqrt(pair.scatter * (i / 2 + 1)));
      if (missing < needed || missing < 0.7 * more) continue;
      const exponent = this.exponentOf(pair, missing, more, sumA > sumB, i / 2 + 1, window.endMs);
      if (exponent < exponentMin) continue;
      // Far more of one than usual is no lack of the other.
      if (more > 3 * (i / 2 + 1) * table.get(sumA > sumB ? pair.a : pair.b, 'mean') + 5) return;
      // A template that the miner took into another, or that has other words now, is no missing message.
      const births = this.births.slice(0, i / 2 + birthsBefore).some((count) => count > 0);
      if (births || hasMoved(sumA > sumB ? pair.b : pair.a, window, context.host)) {
        pair.seen = 1;
        pair.recent = [];
        return;
      }
      const startMs = window.endMs - (i / 2 + 1) * (window.endMs - window.startMs);
      this.found(pair, sumA > sumB, missing, startMs, exponent, window, context);
      return;
    }
  }

  private isSure(pair: Pair): boolean {
    return pair.seen >= this.config.searchesMin && (pair.coupling <= couplingSure || isClose(pair));
  }

  /** How rare such a lack in the last windows is; 0 where it is of a moment. */
  private exponentOf(
    pair: Pair,
    missing: number,
    more: number,
    isBMissing: boolean,
    windows: number,
    endMs: number,
  ): number {
    const a = this.rings.get(pair.a);
    const b = this.rings.get(pair.b);
    if (a === undefined || b === undefined) return 0;
    const from = ringWindows - Math.min(ringWindows, this.windows + 1);
    const to = Math.max(from, ringWindows - windows);
    const toSpan = Math.ceil(endMs / this.spanMs);
    const spans = spansBetween(pair, toSpan - windows * spansPerWindow, toSpan, isBMissing);
    if (spans < Math.min(spansNeeded(isBMissing ? a : b, from, to), this.config.missingMin)) return 0;
    return missingExponent(missing, more, a, b, from, to);
  }

  private found(
    pair: Pair,
    isBMissing: boolean,
    missing: number,
    startMs: number,
    exponent: number,
    window: WindowState,
    context: StepContext,
  ): void {
    pair.broken = true;
    pair.toldMs = window.endMs;
    pair.wholeWindows = 0;
    const there = isBMissing ? pair.a : pair.b;
    const gone = isBMissing ? pair.b : pair.a;
    if (this.incident === null) {
      const id = templateInfo(context.host, gone)?.id ?? '';
      this.incident = Incident.open(context, 'sequence_broken', id, startMs);
    }
    const { row } = this.incident;
    this.incident.extend(window, context);
    this.incident.peak(scoreOf(Math.min(40, exponent)), missing, 0);
    if (row.influencers.length < 4)
      for (const slot of [there, gone])
        row.influencers.push({ kind: 'event', name: templateText(context.host, slot), share: slot === gone ? 1 : 0 });
    this.incident.addSamples(window.samples);
    this.describe(this.incident, pair, isBMissing, context);
    this.incident.write(context);
  }

  /** Of several pairs, the first that broke is told. */
  private describe({ row }: Incident, pair: Pair, isBMissing: boolean, context: StepContext): void {
    const [there, gone] = (isBMissing ? [pair.a, pair.b] : [pair.b, pair.a]).map((slot) =>
      templateText(context.host, slot),
    ) as [string, string];
    if (row.influencers[0]?.name !== there || row.influencers[1]?.name !== gone) return;
    const isAfter = isAFirst(pair);
    const isFirst = isAfter === isBMissing;
    const lagMs = isAfter ? pair.afterMs / pair.after : pair.beforeMs / (pair.near - pair.after);
    const lag = pair.near === 0 ? ' with it' : ` about ${span(lagMs)} ${isFirst ? 'later' : 'before'}`;
    row.description =
      `${quote(there, 80)} came ${often(row.actual)} since ${clock(row.startMs, row.endMs)}` +
      ` without ${quote(gone, 80)}, which usually comes${lag}`;
  }

  private goOn(pair: Pair, window: WindowState, isMissing: boolean, context: StepContext): void {
    const a = window.slotRecords[pair.a] ?? 0;
    const b = window.slotRecords[pair.b] ?? 0;
    const most = Math.max(a, b);
    const isWhole = Math.min(a, b) >= 0.7 * most - 1 && most > 1 && !isMissing;
    if (isWhole || most === 0) {
      pair.wholeWindows += isWhole ? 5 : 1;
      if (pair.wholeWindows < 10) return;
      pair.broken = false;
      pair.recent = [];
      return;
    }
    pair.wholeWindows = 0;
    if (this.incident === null) return;
    // Of the window in which it was told, what came since.
    const since = Math.min(1, (window.endMs - pair.toldMs) / (window.endMs - window.startMs));
    this.incident.row.actual += Math.round((most - Math.min(a, b)) * Math.max(0, since));
    this.incident.extend(window, context);
    this.describe(this.incident, pair, a >= b, context);
    this.incident.write(context);
  }

  private assignRoles(): void {
    const last = this.pairs.reduce((most, { a, b }) => Math.max(most, a, b), -1);
    this.roles = new Uint8Array(last + 1);
    for (const { a, b } of this.pairs) {
      this.roles[a] = 1;
      this.roles[b] = 1;
    }
  }
}

function pairOf(a: number, b: number): Pair {
  return {
    a,
    b,
    seen: 0,
    scatter: 0,
    coupling: 1,
    arrivals: 0,
    near: 0,
    after: 0,
    afterMs: 0,
    beforeMs: 0,
    cycleMs: 60_000,
    aMs: 0,
    bMs: 0,
    newestSpan: 0,
    spansA: 0,
    spansB: 0,
    recent: [],
    wholeWindows: 0,
    broken: false,
    toldMs: 0,
    answers: noAnswers(),
  };
}

/** Of the two, `a` comes first, as far as known. */
function isAFirst(pair: Pair): boolean {
  return pair.after >= 0.5 * pair.near;
}

function copyOf(answers: Answers): Answers {
  return { ...answers, waiting: answers.waiting.slice(), early: answers.early.slice() };
}

/**
 * They come far closer to each other than chance brings them: of two records one is near the other's, where it would
 * be one of five or six. Where they come so often that this cannot be told, it is taken as given.
 */
function isClose(pair: Pair): boolean {
  if (pair.cycleMs < 1_500) return pair.arrivals > 0;
  return pair.arrivals >= 16 && pair.near > 0.36 * pair.arrivals;
}
