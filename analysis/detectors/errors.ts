/**
 * Errors: a spike, judged at every error against what the history lets expect, and a creep, judged when a window
 * closes against the hour before. The count from which chance is ruled out (a negative binomial tail, which widens
 * while little is known and where errors come in clumps) is worked out once per closed window, so that an error costs
 * one comparison.
 */
import { type ObservedEvent, sampleOf, type WindowState } from '#analysis/windows/mod.ts';
import type { DetectorsConfig } from './config.ts';
import { againstRate, clock, mostly, perTime, span, times } from './describe.ts';
import { ErrorTrail, shapeOf } from './error-shape.ts';
import { highExponent, type History, type Usual, varianceOf } from './history.ts';
import {
  entriesOf,
  Incident,
  type IncidentSnapshot,
  type StepContext,
  templateInfo,
  topTemplates,
} from './incident.ts';
import { bucketsPerSpan, type SlidingSnapshot, SlidingCounts } from './sliding.ts';
import { scoreOf, upperTailCount, upperTailExponent } from './tails.ts';

export interface ErrorSnapshot {
  sliding: SlidingSnapshot;
  /** Spans of five seconds, 32-bit integers as bytes. */
  trail: { head: number; spans: Uint8Array };
  incident: IncidentSnapshot | null;
  closed: IncidentSnapshot | null;
  numbers: number[];
  /** slot, errors, … of the incident. */
  slots: number[];
}

/** What others know of templates, for telling whose errors they are. */
export interface SlotKnowledge {
  /** Told already as a new template, or as a burst. */
  isTold(slot: number, context: StepContext): boolean;
}

/** Templates of one incident that are told apart. */
const slotsMax = 64;
/** Windows that are too recent to be compared with, for a creep; and those that are judged. */
const creepRecent = 20;
const creepWindows = 10;
/** Windows of a spike that is thin. */
const fewWindows = 4;
const lumpMs = 9_000;
/** Windows that may belong to what is about to be found, and do not say how many errors there have been at most. */
const mostLag = 6;
/** Where the sender says no severity. */
const unsureLumpMs = 15_000;
const unsureFactor = 1.5;
/** Errors that are more than a lump, however fast they come. */
const hugeMin = 60;
/** Parts of the sliding span that are looked at as well, and what looking again costs, in powers of ten. */
const parts = [0.5, 0.25] as const;
const partPenalty = 0.3;
/** Buckets of a lump, and the part of what is needed that must be there beside the largest one. */
const lumpBuckets = 3;
const spreadMin = 0.6;
/** Errors from which their scatter is half known: two that come together by chance are no habit. */
const dispersionErrors = 8;
/** How much likelier a step must be than a rise to be told at an error, in natural logs. */
const stepLeadMin = 2;
const creepTailExponent = 6;
const creepHistoryMin = 30;
/** An incident that comes back so soon is the same one. */
const resumeMs = 5 * 60_000;

export class ErrorDetector {
  private readonly config: DetectorsConfig['errorSpike'];
  private readonly sizeMs: number;
  private sliding: SlidingCounts;
  private incident: Incident | null = null;
  /** The last one that ended. */
  private closed: Incident | null = null;
  /** Bucket of event time that the last version was written in: one version a second is enough. */
  private writtenBucket = 0;
  /** Expected errors per sliding window, and their variance. */
  private mean = 0;
  private variance = 0;
  /** The same when the incident opened. */
  private openMean = 0;
  private openVariance = 0;
  /** Errors that open an incident; 0 while warming up. */
  private fireFrom = 0;
  private holdFrom = 0;
  /** The same for the newest half and quarter of the span. */
  private partFrom: number[] = parts.map(() => 0);
  /** Usual share of errors. */
  private share = 0;
  private dispersion = 1;
  /** Bucket of event time that was judged last: once a second is enough. */
  private judgedBucket = 0;
  private readonly trail = new ErrorTrail();
  /** Usual records of a sliding window that are no errors. */
  private usualRecords = 0;
  private lastHotMs = 0;
  private peakErrors = 0;
  /** Errors of the window that closed last, and those of them that another finding tells of. */
  private lastTold = 0;
  private lastErrors = 0;
  private slots = new Map<number, number>();

  constructor(config: DetectorsConfig['errorSpike'], sizeMs: number) {
    this.config = config;
    this.sizeMs = sizeMs;
    this.sliding = new SlidingCounts(config.windowMs);
  }

  get isOpen(): boolean {
    return this.incident !== null;
  }

  /** When the open incident began, ms; 0: none is open. */
  get startMs(): number {
    return this.incident?.row.startMs ?? 0;
  }

  /** Errors of the last minute, less these, are on the rise, or told already. */
  isRising(less: number): boolean {
    if (this.incident !== null) return true;
    const others = this.sliding.errors - less;
    return others >= 3 && others > 0.3 * this.sliding.errors && others > 2.5 * this.mean + 1;
  }

  /** Usual errors of a window while the incident lasts. */
  get usualErrors(): number {
    return (this.openMean * this.sizeMs) / this.config.windowMs;
  }

  /** A record that is not late. `openWindows` gives the windows that hold the errors before this one. */
  observe(
    event: ObservedEvent,
    timeMs: number,
    isError: boolean,
    context: StepContext,
    knowledge: SlotKnowledge,
    openWindows: () => WindowState[],
  ): void {
    this.sliding.add(timeMs, isError);
    if (!isError) return;
    this.trail.add(timeMs);
    if (this.fireFrom === 0) return;
    const { sliding } = this;
    if (this.incident !== null) {
      this.count(event.templateSlot, 1);
      if (sliding.errors >= this.holdFrom && timeMs > this.lastHotMs) this.lastHotMs = timeMs;
      if (sliding.errors > this.peakErrors) this.peakErrors = sliding.errors;
      this.incident.row.eventMs = timeMs;
      if (this.incident.row.samples.length < 3)
        this.incident.addSamples([sampleOf(event.bytes, event.start, event.end)]);
      this.note(context);
      if (Math.floor(timeMs / sliding.bucketMs) !== this.writtenBucket) this.write(timeMs, context);
      return;
    }
    if (sliding.errors < this.leastFrom) return;
    const bucket = Math.floor(timeMs / sliding.bucketMs);
    if (bucket <= this.judgedBucket) return;
    this.judgedBucket = bucket;
    if (!this.isMany(event.isStated) || !this.shareIsHigh()) return;
    // A lump of retries is over within seconds, unless it is huge; a job, whose words may be no errors, takes longer.
    const onsetMs = sliding.onsetMs(this.mean);
    const atLeastMs = event.isStated ? lumpMs : unsureLumpMs;
    if (
      timeMs - onsetMs < atLeastMs &&
      sliding.errors < Math.min(8 * this.fireFrom, Math.max(hugeMin, 3 * this.fireFrom))
    )
      return;
    // What rises may be the beginning of a creep: closed windows show more of the shape.
    if (!this.isJump()) return;
    const windows = openWindows();
    if (this.isExplained(windows, knowledge, context)) return;
    const incident = this.open('error_spike', onsetMs, timeMs, windows, context);
    incident.addSamples([sampleOf(event.bytes, event.start, event.end)]);
    this.write(timeMs, context);
  }

  /** A window closed: ends what has cooled down. */
  windowClosed(window: WindowState, knowledge: SlotKnowledge, context: StepContext): void {
    this.lastTold = window.failures === 0 ? 0 : toldErrors(window, knowledge, context);
    this.lastErrors = window.failures;
    const { endMs } = window;
    if (this.incident === null) return;
    const holdMs = this.incident.row.detector === 'error_creep' ? 3 * this.config.holdMs : this.config.holdMs;
    if (endMs - this.lastHotMs < holdMs) return;
    this.close(context);
  }

  /** Finds a slow rise: the last 5 minutes against the hour that ended 5 minutes before them. */
  judgeCreep(window: WindowState, history: History, knowledge: SlotKnowledge, context: StepContext): void {
    if (this.incident !== null || history.size < creepRecent + creepHistoryMin) return;
    const past = pastOf(history);
    const recent = history.span('errorCount', 0, creepWindows);
    const before = history.span('errorCount', creepWindows, creepRecent);
    const records = history.span('logCount', 0, creepWindows);
    const growth = Math.max(1, records / Math.max(1, creepWindows * past.records));
    const mean = past.usual.mean * growth;
    if (this.judgeFew(window, history, past, knowledge, context)) return;
    if (recent < 10 || recent < 2.2 * creepWindows * mean || recent < before) return;
    const usual = { ...past.usual, mean, local: mean };
    if (highExponent(recent, creepWindows, usual) < creepTailExponent) return;
    let above = 0;
    for (let back = 0; back < creepWindows; back++) if (history.value('errorCount', back) > mean) above++;
    if (above < 6 || this.isExplained([window], knowledge, context)) return;
    const shape = shapeOf(history, mean);
    if (shape === null) return;
    const scale = this.config.windowMs / this.sizeMs;
    this.mean = mean * scale;
    this.variance = varianceOf(mean, scale, usual.size, usual.dispersion);
    const atMs = window.endMs;
    this.open(shape.name, atMs - shape.windows * this.sizeMs, atMs, [window], context);
    this.peakErrors = Math.max(this.sliding.errors, Math.round((recent * scale) / creepWindows));
    this.holdFrom = Math.max(2, Math.ceil(0.5 * this.peakErrors + 0.5 * this.openMean));
    this.write(atMs, context);
  }

  /** A spike too thin for a minute to show: the last two minutes. */
  private judgeFew(
    window: WindowState,
    history: History,
    past: Past,
    knowledge: SlotKnowledge,
    context: StepContext,
  ): boolean {
    const records = history.span('logCount', 0, fewWindows);
    const mean = past.usual.mean * Math.max(1, records / Math.max(1, fewWindows * past.records));
    const errors = history.span('errorCount', 0, fewWindows);
    if (errors < 8 || errors < 4 * fewWindows * mean) return false;
    const usual = { ...past.usual, mean, local: Math.max(mean, history.usual('errorCount').local) };
    if (highExponent(errors, fewWindows, usual) < this.config.tailExponent) return false;
    for (let back = 0; back < 3; back++) if (history.value('errorCount', back) <= 2 * mean) return false;
    if (this.isExplained([window], knowledge, context)) return false;
    const shape = shapeOf(history, mean);
    if (shape === null) return false;
    const scale = this.config.windowMs / this.sizeMs;
    this.mean = mean * scale;
    this.variance = varianceOf(mean, scale, usual.size, usual.dispersion);
    this.open(shape.name, window.endMs - shape.windows * this.sizeMs, window.endMs, [window], context);
    this.peakErrors = Math.max(this.sliding.errors, Math.round((errors * scale) / fewWindows));
    this.holdFrom = Math.max(2, Math.ceil(0.4 * this.peakErrors + 0.6 * this.openMean));
    this.write(window.endMs, context);
    return true;
  }

  /** A spike that shows in single messages only: where the sender says no severity, others may drown it. */
  openBurst(
    window: WindowState,
    slots: readonly number[],
    usual: number,
    exponent: number,
    knowledge: SlotKnowledge,
    context: StepContext,
  ): void {
    if (this.incident !== null || this.fireFrom === 0 || this.isExplained([window], knowledge, context)) return;
    const scale = this.config.windowMs / this.sizeMs;
    const incident = this.open('error_spike', window.startMs, window.endMs, [window], context);
    let errors = 0;
    for (const slot of slots) {
      const records = window.slotRecords[slot] as number;
      errors += records;
      this.count(slot, records - (window.slotErrors[slot] as number));
    }
    this.openMean = usual * scale;
    this.openVariance = 2 * this.openMean + 1;
    this.peakErrors = Math.max(this.sliding.errors, errors);
    this.holdFrom = Math.max(2, Math.ceil(0.5 * this.peakErrors + 0.5 * this.mean));
    incident.row.score = scoreOf(exponent);
    this.write(window.endMs, context);
  }

  /** The history moved on. */
  learn(history: History): void {
    if (history.size < this.config.warmupWindows) return;
    const { windowMs, tailExponent, errorsMin } = this.config;
    const scale = windowMs / this.sizeMs;
    const usual = history.usual('errorCount');
    const errors = history.sum('errorCount');
    const level = Math.max(usual.mean, usual.local);
    // Gamma-Poisson: half an error is assumed beforehand, so that a service without errors still has a tail.
    const mean = scale * (level + 0.5 / history.size);
    this.mean = mean;
    const dispersion = surely(usual.dispersion, errors);
    const varianceFor = (part: number): number =>
      part * mean * dispersion + (part * mean) ** 2 * (1 / (errors + 0.5) + 0.01);
    this.variance = varianceFor(1);
    let most = 0;
    for (let back = Math.min(mostLag, history.size - 1); back < history.size; back++)
      most = Math.max(most, history.span('errorCount', back, back + Math.max(1, Math.ceil(scale))));
    const atLeast = Math.max(errorsMin, Math.ceil(1.3 * most));
    this.fireFrom = Math.max(atLeast, upperTailCount(tailExponent, mean, this.variance));
    for (const [i, part] of parts.entries())
      this.partFrom[i] = Math.max(atLeast, upperTailCount(tailExponent + partPenalty, part * mean, varianceFor(part)));
    this.holdFrom = Math.max(2, Math.ceil((this.fireFrom + mean) / 2));
    this.share = (errors + 0.5) / Math.max(1, history.sum('logCount'));
    this.usualRecords = scale * (history.mean('logCount') - history.mean('errorCount'));
    this.dispersion = dispersion;
  }

  close(context: StepContext): void {
    if (this.incident === null) return;
    this.write(this.lastHotMs, context);
    this.incident.end(context);
    this.closed = this.incident;
    this.incident = null;
    this.slots.clear();
  }

  snapshot(): ErrorSnapshot {
    return {
      sliding: this.sliding.snapshot(),
      trail: this.trail.snapshot(),
      incident: this.incident?.snapshot() ?? null,
      closed: this.closed?.snapshot() ?? null,
      numbers: [
        this.mean,
        this.variance,
        this.openMean,
        this.openVariance,
        this.writtenBucket,
        this.fireFrom,
        this.holdFrom,
        this.share,
        this.dispersion,
        this.usualRecords,
        this.lastHotMs,
        this.peakErrors,
        this.lastTold,
        this.lastErrors,
        this.judgedBucket,
        ...this.partFrom,
      ],
      slots: [...this.slots].flat(),
    };
  }

  restore(state: ErrorSnapshot): void {
    this.sliding = SlidingCounts.restore(this.config.windowMs, state.sliding);
    this.incident = state.incident === null ? null : Incident.restore(state.incident);
    this.closed = state.closed === null ? null : Incident.restore(state.closed);
    const at = (i: number): number => state.numbers[i] ?? 0;
    [this.mean, this.variance, this.openMean, this.openVariance] = [at(0), at(1), at(2), at(3)];
    [this.writtenBucket, this.fireFrom, this.holdFrom, this.share] = [at(4), at(5), at(6), at(7)];
    [this.dispersion, this.usualRecords, this.lastHotMs, this.peakErrors] = [at(8), at(9), at(10), at(11)];
    [this.lastTold, this.lastErrors, this.judgedBucket] = [at(12), at(13), at(14)];
    this.partFrom = parts.map((_, i) => at(15 + i));
    this.trail.restore(state.trail);
    this.slots = new Map();
    for (let i = 0; i < state.slots.length; i += 2)
      this.slots.set(state.slots[i] as number, state.slots[i + 1] as number);
  }

  private open(name: string, startMs: number, timeMs: number, windows: WindowState[], context: StepContext): Incident {
    const before = this.closed;
    const same = before !== null && timeMs - before.row.endMs < resumeMs;
    const incident = same ? before : Incident.open(context, name, '', startMs);
    this.closed = null;
    this.incident = incident;
    this.lastHotMs = timeMs;
    this.peakErrors = same ? Math.max(this.peakErrors, this.sliding.errors) : this.sliding.errors;
    this.slots.clear();
    for (const window of windows) {
      for (let slot = 0; slot < window.slotErrors.length; slot++) this.count(slot, window.slotErrors[slot] as number);
      incident.addSamples(window.errorSamples);
    }
    incident.row.eventMs = timeMs;
    if (!same) {
      incident.row.decidedAtMs = timeMs;
      this.openMean = this.mean;
      this.openVariance = this.variance;
    }
    this.note(context);
    return incident;
  }

  /** Most of the errors are told already by a finding that says more. */
  private isExplained(windows: readonly WindowState[], knowledge: SlotKnowledge, context: StepContext): boolean {
    let told = this.lastTold;
    let all = this.lastErrors;
    for (const window of windows) {
      told += toldErrors(window, knowledge, context);
      all += window.failures;
    }
    return told > 0 && told >= 0.5 * (all - this.mean);
  }

  /** More than chance gives, in the sliding span or in its newest part, and not by one lump that chance added to. */
  private isMany(isStated: boolean): boolean {
    const { sliding } = this;
    if (!isStated && sliding.errors < unsureFactor * this.fireFrom) return false;
    const spread = sliding.errors - sliding.densest(lumpBuckets) + 1;
    const isEnough = (errors: number, from: number): boolean => errors >= from && spread >= spreadMin * from;
    if (isEnough(sliding.errors, this.fireFrom)) return true;
    if (!isStated) return false;
    return parts.some((part, i) => isEnough(sliding.errorsOf(part * bucketsPerSpan), this.partFrom[i] as number));
  }

  /** Errors of the sliding span without which nothing is a spike. */
  private get leastFrom(): number {
    return this.partFrom.reduce((least, from) => Math.min(least, from), this.fireFrom);
  }

  /** More traffic brings more errors; a spike is a larger share of errors too, and more than that traffic explains. */
  private shareIsHigh(): boolean {
    const { sliding, share, config, usualRecords } = this;
    if (sliding.errors < config.shareFactorMin * share * sliding.records) return false;
    const growth = (sliding.records - sliding.errors) / Math.max(1, usualRecords);
    if (growth < 1.3) return true;
    return upperTailExponent(sliding.errors, this.mean * growth, this.variance * growth) >= config.tailExponent;
  }

  /** The errors set in at once. */
  private isJump(): boolean {
    return this.trail.stepLead((1000 * this.mean) / this.config.windowMs, this.dispersion) >= stepLeadMin;
  }

  private count(slot: number, errors: number): void {
    if (errors === 0) return;
    const known = this.slots.get(slot);
    if (known !== undefined) this.slots.set(slot, known + errors);
    else if (this.slots.size < slotsMax) this.slots.set(slot, errors);
  }

  private note(context: StepContext): void {
    const { incident } = this;
    if (incident === null) return;
    incident.row.endMs = this.lastHotMs;
    incident.row.watermarkMs = context.watermarkMs;
    incident.row.lateCount = context.lateCount;
  }

  /** When the most frequent message was seen for the first time. */
  private firstSeen(context: StepContext): string {
    let top = -1;
    for (const [slot, errors] of this.slots) if (top < 0 || errors > (this.slots.get(top) as number)) top = slot;
    const seenMs = top < 0 ? 0 : (templateInfo(context.host, top)?.firstSeenMs ?? 0);
    if (seenMs <= 0) return '';
    return `, first seen ${clock(seenMs, this.lastHotMs)}`;
  }

  private write(timeMs: number, context: StepContext): void {
    const { incident } = this;
    if (incident === null) return;
    const { row } = incident;
    const seconds = this.config.windowMs / 1000;
    row.score = Math.max(row.score, scoreOf(upperTailExponent(this.peakErrors, this.openMean, this.openVariance)));
    row.actual = this.peakErrors / seconds;
    row.typical = this.openMean / seconds;
    row.influencers = topTemplates(this.slots, context.host);
    const lasting = span(Math.max(this.sliding.bucketMs, row.endMs - row.startMs));
    row.description =
      row.detector === 'error_creep'
        ? `errors rose slowly to ${perTime(row.actual)}${againstRate(row.typical, row.actual, 'from')} over ${lasting}${times(row.actual, row.typical)}`
        : `errors ${perTime(row.actual)}${againstRate(row.typical, row.actual)} for ${lasting} since ${clock(row.startMs, row.endMs)}`;
    row.description += `${mostly(row.influencers)}${this.firstSeen(context)}`;
    incident.write(context);
    this.writtenBucket = Math.floor(timeMs / this.sliding.bucketMs);
  }
}

/** Errors of a window that another finding tells of. */
function toldErrors(window: WindowState, knowledge: SlotKnowledge, context: StepContext): number {
  let told = 0;
  for (const [slot, errors] of entriesOf(window.slotErrors)) if (knowledge.isTold(slot, context)) told += errors;
  return told;
}

/** Variance over mean of counts of which so many are known. */
function surely(dispersion: number, errors: number): number {
  return 1 + ((dispersion - 1) * errors) / (errors + dispersionErrors);
}

interface Past {
  usual: Usual;
  /** Records of a window. */
  records: number;
}

/** The windows that ended `creepRecent` windows ago. */
function pastOf(history: History): Past {
  const all = history.usual('errorCount');
  const size = history.size - creepRecent;
  const mean = (history.span('errorCount', creepRecent, history.size) + 0.5) / size;
  let squares = 0;
  for (let back = creepRecent + 1; back < history.size; back++)
    squares += (history.value('errorCount', back) - history.value('errorCount', back - 1)) ** 2;
  const dispersion = surely(Math.max(1, squares / (2 * Math.max(1, size - 1) * mean)), mean * size);
  return {
    usual: { ...all, size, mean, local: mean, dispersion },
    records: history.span('logCount', creepRecent, history.size) / size,
  };
}
