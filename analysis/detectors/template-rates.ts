/**
 * Templates that stop and templates that burst. A template has vanished when chance gives such a gap almost never, when
 * the gap is longer than any known, and when nothing took its place; it bursts when it comes far more often than ever,
 * spread over time and not in one lump, and the service as a whole does not.
 */
import { classes, type WindowState } from '#analysis/windows/mod.ts';
import { type Beats, beatsPerWindow, stretchMax } from './beats.ts';
import type { DetectorsConfig } from './config.ts';
import { againstRate, andMore, clock, perTime, quote, span, times } from './describe.ts';
import { countOf } from './history.ts';
import { hasMoved, Incident, type IncidentSnapshot, type StepContext, templateInfo, templateText } from './incident.ts';
import { lowerTailExponent, scoreOf, upperTailExponent } from './tails.ts';
import { popCount, type TemplateTable, topBit } from './template-table.ts';

export interface TemplateRatesSnapshot {
  vanished: IncidentSnapshot | null;
  gone: number[];
  burst: IncidentSnapshot | null;
  bursting: number[];
  quietWindows: number;
  lastBurst: IncidentSnapshot | null;
  burstPeak: number;
}

/** A window, or a stretch as long as one, and what came in as long a time before it. */
export interface Stretch {
  window: WindowState;
  before(slot: number): number;
  /** Eighths of it that had records. */
  spreadBefore(slot: number): number;
}

/** What the service as a whole is doing. */
export interface ServiceLevel {
  /** Records of now over what is usual. */
  growth: number;
  /** Usual records of a window. */
  usual: number;
  /** A finding about the whole service is open. */
  isTold: boolean;
  /** Usual errors of a window. */
  usualErrors: number;
}

/** What is known of errors where the sender says no severity. */
export interface BurstErrors {
  isTold(slot: number): boolean;
  /** Without a severity, and perhaps an error: its burst is rather a spike of errors. */
  mayBe(slot: number): boolean;
  tell(slots: readonly number[], exponent: number): void;
}

interface Missing {
  slots: number[];
  /** Windows since the last record of each. */
  gaps: number[];
  exponent: number;
  /** Templates that come often enough to be missed. */
  regular: number;
}

/** Between windows nothing is missing that was here so many beats ago: 26 s, as lulls come at any rate. */
const gapBeatsMin = 7;
/** Debug messages that still come, for each that is missing. */
const debugOthersMin = 3;
const resumeWindows = 10;
const burstEndWindows = 2;

export class TemplateRateDetector {
  private readonly config: Pick<DetectorsConfig, 'templateVanished' | 'templateBurst'>;
  private vanished: Incident | null = null;
  private gone: number[] = [];
  private burst: Incident | null = null;
  private lastBurst: Incident | null = null;
  private bursting: number[] = [];
  private quietWindows = 0;
  private burstPeak = 0;

  constructor(config: Pick<DetectorsConfig, 'templateVanished' | 'templateBurst'>) {
    this.config = config;
  }

  get isOpen(): boolean {
    return this.vanished !== null || this.burst !== null;
  }

  isBursting(slot: number): boolean {
    return this.bursting.includes(slot);
  }

  isGone(slot: number): boolean {
    return this.gone.includes(slot);
  }

  /** Records that bursts add to this window. */
  excessOf(window: WindowState, table: TemplateTable): number {
    let excess = 0;
    for (const slot of this.bursting) excess += Math.max(0, (window.slotRecords[slot] ?? 0) - table.get(slot, 'mean'));
    return excess;
  }

  /** Records that vanished templates take from a window. */
  missingOf(table: TemplateTable): number {
    let missing = 0;
    for (const slot of this.gone) missing += table.get(slot, 'mean');
    return missing;
  }

  /**
   * Finds templates that have stopped. The table has not taken this window in yet.
   * @param at number of the window
   * @param isPaired a template that a broken pair tells of
   */
  judgeVanished(
    window: WindowState,
    at: number,
    table: TemplateTable,
    level: ServiceLevel,
    isPaired: (slot: number) => boolean,
    context: StepContext,
  ): void {
    const { enabled, tailExponent } = this.config.templateVanished;
    if (!enabled) return;
    this.returned(window, context);
    if (level.isTold) return;
    const gapOf = (slot: number): number => ((window.slotRecords[slot] ?? 0) > 0 ? 0 : at - table.get(slot, 'last'));
    const found = this.missingOnes(at, table, level, tailExponent, gapOf);
    if (found.slots.length > 0) this.tellVanished(found, window, at, table, isPaired, context);
  }

  /**
   * The same between two windows.
   * @param at number of the window that the beat is in
   * @param pauseBeat last beat of the last pause of the service, in which nothing is missing
   */
  beatVanished(
    beats: Beats,
    beat: number,
    pauseBeat: number,
    at: number,
    table: TemplateTable,
    level: ServiceLevel,
    isPaired: (slot: number) => boolean,
    isAwaited: (slot: number) => boolean,
    windowOf: () => WindowState,
    context: StepContext,
  ): boolean {
    const { enabled, tailExponent } = this.config.templateVanished;
    if (!enabled || level.isTold) return false;
    const eighth = beat % beatsPerWindow;
    const gapOf = (slot: number): number => {
      for (let back = 0; back < gapBeatsMin; back++) if (beats.of(slot, beat - back) > 0) return 0;
      let last = beat - beatsPerWindow * (at - table.get(slot, 'last')) - eighth + table.get(slot, 'lastEighth');
      for (let one = beat - gapBeatsMin; one > Math.max(last, beat - stretchMax); one--)
        if (beats.of(slot, one) > 0) last = one;
      return last <= pauseBeat ? 0 : (beat - last) / beatsPerWindow;
    };
    // What a pair awaits is rather its to tell.
    const gap = (slot: number): number => (isAwaited(slot) ? 0 : gapOf(slot));
    const found = this.missingOnes(at, table, level, tailExponent, gap);
    if (found.slots.length === 0) return false;
    this.tellVanished(found, windowOf(), at, table, isPaired, context);
    return true;
  }

  /** @param gapOf windows, or parts of one, since its last record */
  private missingOnes(
    at: number,
    table: TemplateTable,
    level: ServiceLevel,
    exponentMin: number,
    gapOf: (slot: number) => number,
  ): Missing {
    const missing: Missing = { slots: [], gaps: [], exponent: 0, regular: 0 };
    const { activeMin } = this.config.templateVanished;
    const isDebug = (slot: number): boolean => table.get(slot, 'class') === classes.debug;
    const found: { slot: number; gap: number; exponent: number }[] = [];
    let debugThere = 0;
    for (let slot = 0; slot < table.slots; slot++) {
      if (!table.has(slot) || table.get(slot, 'active') < activeMin) continue;
      missing.regular++;
      const gap = gapOf(slot);
      if (gap === 0 && isDebug(slot)) debugThere++;
      if (table.get(slot, 'told') > 0) continue;
      const longest = table.get(slot, 'gap');
      if (gap === 0 || gap <= 1.5 * longest + (longest > 0 ? 1 : 0)) continue;
      // Lulls that fill no window are known by eighths: what comes for half of every minute is away for the other half.
      if (beatsPerWindow * gap <= 1.5 * table.get(slot, 'lull') + 1) continue;
      if (table.get(slot, 'class') >= classes.error) continue;
      const mean = table.get(slot, 'mean') * Math.min(1, level.growth);
      const age = at - table.get(slot, 'first');
      if (age < 40) continue;
      const variance = Math.max(mean, table.get(slot, 'variance'));
      // What comes in lumps is away for most windows anyway.
      const share = (table.get(slot, 'active') + 0.5) / (age + 1);
      const seldom = share > 0.95 ? Number.POSITIVE_INFINITY : -Math.log10(1 - share);
      const exponent = gap * Math.min(seldom, lowerTailExponent(0, mean, variance)) - Math.log10(1 + missing.regular);
      if (exponent < exponentMin) continue;
      found.push({ slot, gap, exponent });
    }
    // Debug output that is switched off goes as a whole, or a large part of it.
    const isSetting = debugOthersMin * found.filter(({ slot }) => isDebug(slot)).length > debugThere;
    for (const { slot, gap, exponent } of found) {
      if (isSetting && isDebug(slot)) continue;
      missing.slots.push(slot);
      missing.gaps.push(gap);
      missing.exponent = Math.max(missing.exponent, exponent);
    }
    return missing;
  }

  private tellVanished(
    { slots, gaps, exponent, regular }: Missing,
    window: WindowState,
    at: number,
    table: TemplateTable,
    isPaired: (slot: number) => boolean,
    context: StepContext,
  ): void {
    for (const slot of slots) table.set(slot, 'told', 1);
    const real = slots.filter((slot) => !isPaired(slot) && !this.isReplaced(slot, at, window, table, context));
    // Many at once are another mode of the service, not a message that is missing.
    if (real.length === 0 || (real.length > 2 && real.length > regular / 3)) return;
    const top = real.reduce((most, slot) => (table.get(slot, 'mean') > table.get(most, 'mean') ? slot : most));
    const gapMs = (gaps[slots.indexOf(top)] as number) * (window.endMs - window.startMs);
    this.openVanished(real, top, window.endMs - gapMs, exponent, window, table, context);
  }

  /** Finds templates that burst. The table has not taken this window in yet. */
  judgeBurst(
    window: WindowState,
    at: number,
    table: TemplateTable,
    level: ServiceLevel,
    errors: BurstErrors,
    context: StepContext,
  ): void {
    if (!this.config.templateBurst.enabled) return;
    const { hot, best } = this.hotOnes(stretchOf(window, table), at, table, level, errors);
    // Debug output switched on or up is a setting.
    const isSetting = hot.length > 2 && hot.every((slot) => table.get(slot, 'class') === classes.debug);
    if (hot.length === 0 || isSetting) {
      if (this.burst !== null && ++this.quietWindows >= burstEndWindows) this.endBurst(context);
      return;
    }
    this.quietWindows = 0;
    if (this.burst === null && hot.some((slot) => errors.mayBe(slot))) errors.tell(hot, best);
    else this.writeBurst(hot, best, window, table, context);
  }

  /** The same between two windows, for what is not open yet. True where a burst is told. */
  beatBurst(
    beats: Beats,
    beat: number,
    at: number,
    table: TemplateTable,
    level: ServiceLevel,
    errors: BurstErrors,
    windowOf: () => WindowState,
    context: StepContext,
  ): boolean {
    const { enabled, countMin, factorMin } = this.config.templateBurst;
    if (!enabled || this.burst !== null) return false;
    let isHot = false;
    const counts = beats.counts(beat);
    for (let slot = counts.length - 1; slot >= 0 && !isHot; slot--)
      isHot =
        (counts[slot] as number) >= Math.max(countMin / 2, factorMin * table.get(slot, 'mean')) && table.has(slot);
    if (!isHot) return false;
    const window = windowOf();
    const { hot, best } = this.hotOnes(beatStretch(window, beats, beat), at, table, level, errors);
    // What may be errors is told by whole windows, which know the errors.
    if (hot.length === 0 || hot.some((slot) => errors.mayBe(slot))) return false;
    if (hot.length > 2 && hot.every((slot) => table.get(slot, 'class') === classes.debug)) return false;
    this.quietWindows = 0;
    this.writeBurst(hot, best, window, table, context);
    return true;
  }

  private hotOnes(
    stretch: Stretch,
    at: number,
    table: TemplateTable,
    level: ServiceLevel,
    errors: BurstErrors,
  ): { hot: number[]; best: number } {
    const hot: number[] = [];
    let best = 0;
    const { slotRecords } = stretch.window;
    for (let slot = 0; slot < slotRecords.length; slot++) {
      const count = slotRecords[slot] as number;
      if (count < 3 || errors.isTold(slot)) continue;
      const exponent = this.burstExponent(slot, count, stretch, at, table, level, errors.mayBe(slot));
      if (exponent === 0) continue;
      hot.push(slot);
      best = Math.max(best, exponent);
    }
    return { hot, best };
  }

  /** A surge of the service: true where one template makes most of it, which is told as its burst then. */
  openSingle(stretch: Stretch, excess: number, exponent: number, table: TemplateTable, context: StepContext): boolean {
    const { window } = stretch;
    const plain = countOf(window, 'plainCount');
    for (let slot = 0; slot < window.slotRecords.length; slot++) {
      const more = (window.slotRecords[slot] as number) - table.get(slot, 'mean');
      if (table.get(slot, 'class') === classes.debug) continue;
      const mean = Math.max(0.1, table.get(slot, 'mean'));
      const others = Math.max(1, plain - excess - mean);
      const growth = Math.max(1, (plain - (window.slotRecords[slot] as number)) / others);
      // All templates grow in a surge, the most common one the most: a burst is out of proportion.
      if (more < 0.7 * excess || (window.slotRecords[slot] as number) < 2 * growth * mean) continue;
      if (!this.bursting.includes(slot) && isLasting(slot, stretch))
        this.writeBurst([slot], exponent, window, table, context);
      return true;
    }
    return false;
  }

  close(context: StepContext): void {
    this.vanished?.end(context);
    this.vanished = null;
    this.gone = [];
    this.endBurst(context);
  }

  snapshot(): TemplateRatesSnapshot {
    return {
      vanished: this.vanished?.snapshot() ?? null,
      gone: this.gone.slice(),
      burst: this.burst?.snapshot() ?? null,
      bursting: this.bursting.slice(),
      quietWindows: this.quietWindows,
      lastBurst: this.lastBurst?.snapshot() ?? null,
      burstPeak: this.burstPeak,
    };
  }

  restore(state: TemplateRatesSnapshot): void {
    this.vanished = state.vanished === null ? null : Incident.restore(state.vanished);
    this.gone = state.gone.slice();
    this.burst = state.burst === null ? null : Incident.restore(state.burst);
    this.bursting = state.bursting.slice();
    this.quietWindows = state.quietWindows;
    this.lastBurst = state.lastBurst === null ? null : Incident.restore(state.lastBurst);
    this.burstPeak = state.burstPeak;
  }

  private burstExponent(
    slot: number,
    count: number,
    stretch: Stretch,
    at: number,
    table: TemplateTable,
    level: ServiceLevel,
    mayBeError: boolean,
  ): number {
    const { tailExponent, countMin, factorMin } = this.config.templateBurst;
    const held = this.bursting.includes(slot);
    // What the others of the service grow by.
    const others = level.usual - table.get(slot, 'mean');
    const growth = Math.max(
      1,
      others > 0.1 * level.usual ? (level.growth * level.usual - count) / others : level.growth,
    );
    const mean = table.get(slot, 'mean') * growth;
    if (held) return count >= Math.max(2, 0.3 * this.burstPeak) && count > 2 * mean ? 1 : 0;
    const first = table.get(slot, 'first');
    const known = first >= 0;
    const severity = known ? table.get(slot, 'class') : 0;
    if (severity >= classes.error && !mayBeError) {
      // Errors have a detector of their own; a burst is what is rare among errors.
      if (table.get(slot, 'mean') > 0.15 * level.usualErrors || table.get(slot, 'total') < 2) return 0;
    }
    if (!known || at - first < 10) return 0;
    const before = stretch.before(slot);
    const both = count + before;
    if (both < countMin || count < factorMin * mean) return 0;
    // More than ever, or more than ever for two windows: a lump that came before says little of what goes on.
    const isLarge = count >= factorMin * table.get(slot, 'most') * growth;
    const long = Math.min(count, before);
    const isLong = long >= factorMin * mean && long >= 1.5 * table.get(slot, 'long') * growth;
    if (!isLarge && !isLong) return 0;
    if (!isLasting(slot, stretch)) return 0;
    const expected = Math.max(mean, 0.01);
    const variance =
      Math.max(expected, Math.min(table.get(slot, 'variance'), 4 * expected * expected)) + expected * expected;
    const one = upperTailExponent(count, expected, variance);
    // What lasts for two windows may be weaker.
    const two = isLong ? upperTailExponent(both, 2 * expected, 2 * variance + 2 * expected * expected) - 1 : 0;
    // Where it came in lumps before, counts say little, but lumps do not fill two windows.
    const present = popCount((stretch.window.slotMarks[slot] as number) & 255) + stretch.spreadBefore(slot);
    const even = isLong ? presenceExponent(present / 16, table.get(slot, 'presence') * growth) : 0;
    const exponent = Math.max(one, two, even) - Math.log10(1 + table.slots);
    return exponent < tailExponent ? 0 : exponent;
  }

  /** The template came back: what was missing is there again. */
  private returned(window: WindowState, context: StepContext): void {
    if (this.vanished === null) return;
    const left = this.gone.filter((slot) => (window.slotRecords[slot] ?? 0) === 0);
    this.vanished.row.endMs = left.length > 0 ? window.endMs : window.startMs;
    this.describeVanished(this.vanished);
    // Those that came back stay in the sentence, which tells of the whole incident.
    this.gone = left;
    if (left.length > 0) {
      this.vanished.write(context);
      return;
    }
    this.vanished.end(context);
    this.vanished = null;
  }

  /**
   * Other words for the same, or the same under another slot: a template that came when this one went, with about its
   * rate.
   */
  private isReplaced(
    slot: number,
    at: number,
    window: WindowState,
    table: TemplateTable,
    context: StepContext,
  ): boolean {
    const mean = table.get(slot, 'mean');
    const last = table.get(slot, 'last');
    if (hasMoved(slot, window, context.host)) return true;
    const seconds = (window.endMs - window.startMs) / 1000;
    const limit = Math.max(1, (mean * (window.newestMs - window.startMs)) / (1000 * seconds));
    for (let other = 0; other < window.slotRecords.length; other++) {
      const count = window.slotRecords[other] as number;
      if (count > 0 && !table.has(other) && count > limit / 6 && count < 4 * limit) return true;
    }
    for (let other = 0; other < table.slots; other++) {
      if (other === slot || !table.has(other) || table.get(other, 'class') >= classes.error) continue;
      // Its new words may be those of a template that is known: that one has come as much more often since.
      const usual = table.get(other, 'mean');
      const more = (window.slotRecords[other] ?? 0) - usual;
      const scatter = Math.sqrt(Math.max(1, usual, table.get(other, 'variance')) + limit);
      if (more > 4 * scatter && more > 0.5 * limit && more < 2 * limit) return true;
      const first = table.get(other, 'first');
      if (first < last - 3) continue;
      const count = window.slotRecords[other] ?? 0;
      const rate = (table.get(other, 'total') + count) / Math.max(1, at - first + 0.5);
      if (Math.max(rate, count) > mean / 4 && rate < mean * 4) return true;
    }
    return false;
  }

  private openVanished(
    slots: readonly number[],
    top: number,
    startMs: number,
    exponent: number,
    window: WindowState,
    table: TemplateTable,
    context: StepContext,
  ): void {
    const sizeMs = window.endMs - window.startMs;
    if (this.vanished === null) {
      const id = templateInfo(context.host, top)?.id ?? '';
      this.vanished = Incident.open(context, 'template_vanished', id, startMs);
      this.vanished.row.decidedAtMs = window.endMs;
      this.gone = [];
    }
    this.gone.push(...slots);
    const { row } = this.vanished;
    row.endMs = window.endMs;
    row.eventMs = window.newestMs;
    row.watermarkMs = context.watermarkMs;
    row.lateCount = context.lateCount;
    row.score = Math.max(row.score, scoreOf(exponent));
    row.actual = 0;
    row.typical = table.get(this.gone[0] as number, 'mean') / (sizeMs / 1000);
    row.influencers = this.gone.slice(0, 3).map((slot) => ({
      kind: 'template' as const,
      name: templateText(context.host, slot),
      share: Math.round(1000 / this.gone.length) / 1000,
    }));
    this.vanished.addSamples(window.samples);
    this.describeVanished(this.vanished);
    this.vanished.write(context);
  }

  private describeVanished({ row }: Incident): void {
    row.description =
      `${quote(row.influencers[0]?.name ?? '')}${andMore(this.gone.length - 1)} stopped: none for ${span(row.endMs - row.startMs)}` +
      ` since ${clock(row.startMs, row.endMs)} where ${perTime(row.typical)} are typical, while the service goes on`;
  }

  private writeBurst(
    hot: readonly number[],
    exponent: number,
    window: WindowState,
    table: TemplateTable,
    context: StepContext,
  ): void {
    const seconds = (window.endMs - window.startMs) / 1000;
    let count = 0;
    let usual = 0;
    for (const slot of hot) {
      count += window.slotRecords[slot] as number;
      usual += table.get(slot, 'mean');
      if (!this.bursting.includes(slot)) this.bursting.push(slot);
    }
    if (this.burst === null) {
      const before = this.lastBurst;
      const id = templateInfo(context.host, hot[0] as number)?.id ?? '';
      const isSame =
        before !== null &&
        before.row.subject === id &&
        window.startMs - before.row.endMs < resumeWindows * seconds * 1000;
      const eighths = (window.slotMarks[hot[0] as number] as number) & 255;
      const firstEighth = topBit(eighths & -eighths);
      const startMs = window.startMs + firstEighth * seconds * 125;
      this.burst = isSame ? before : Incident.open(context, 'template_burst', id, startMs);
      this.lastBurst = null;
      this.burstPeak = count;
    }
    const { row } = this.burst;
    this.burst.extend(window, context);
    this.burstPeak = Math.max(this.burstPeak, count);
    if (
      this.burst.peak(Math.max(row.score, scoreOf(exponent)), count / seconds, usual / seconds) ||
      count / seconds > row.actual
    ) {
      row.actual = count / seconds;
      row.influencers = hot.slice(0, 3).map((slot) => ({
        kind: 'template' as const,
        name: templateText(context.host, slot),
        share: Math.round((1000 * (window.slotRecords[slot] as number)) / count) / 1000,
      }));
    }
    this.burst.addSamples(window.samples);
    row.description =
      `${quote(row.influencers[0]?.name ?? '')}${andMore(this.bursting.length - 1)} ${perTime(row.actual)}${againstRate(row.typical, row.actual)}` +
      ` for ${span(row.endMs - row.startMs)} since ${clock(row.startMs, row.endMs)}${times(row.actual, row.typical)}`;
    this.burst.write(context);
  }

  private endBurst(context: StepContext): void {
    if (this.burst === null) return;
    this.burst.end(context);
    this.lastBurst = this.burst;
    this.burst = null;
    this.bursting = [];
    this.quietWindows = 0;
  }
}

export function stretchOf(window: WindowState, table: TemplateTable): Stretch {
  return {
    window,
    before: (slot) => table.get(slot, 'before'),
    spreadBefore: (slot) => table.get(slot, 'spread'),
  };
}

/** @param window what `beats` give for this beat */
export function beatStretch(window: WindowState, beats: Beats, beat: number): Stretch {
  return {
    window,
    before: (slot) => beats.sumOf(slot, beat - beatsPerWindow, beatsPerWindow),
    spreadBefore: (slot) => beats.spreadOf(slot, beat - beatsPerWindow, beatsPerWindow),
  };
}

/**
 * One lump of records is a retry or a job, over within seconds. What goes on comes in nearly all eighths of a window,
 * or in two windows.
 */
function isLasting(slot: number, { window, spreadBefore }: Stretch): boolean {
  const spread = popCount((window.slotMarks[slot] as number) & 255);
  if (spread >= 7 && (window.slotRecords[slot] as number) >= 12) return true;
  const before = spreadBefore(slot);
  return spread >= 4 && before >= 2 && spread + before >= 7;
}

/**
 * −log10 of the chance that this share of two windows' eighths has records, where `usual` is the share that has: as of
 * twelve, not sixteen, since neighbours are alike.
 */
function presenceExponent(share: number, usual: number): number {
  const present = Math.floor(12 * share);
  const chance = usual + 0.01;
  if (present < 8 || chance >= share) return 0;
  const ways = [1, 12, 66, 220, 495][12 - present] as number;
  return Math.max(0, -Math.log10(ways) - present * Math.log10(chance));
}
