/**
 * Error spike: errors in a sliding window against what the history lets expect, judged at every error. The count
 * from which chance is ruled out (a negative binomial tail, which widens while little is known and where errors come
 * in clumps) is worked out once per closed window, so that an error costs one comparison.
 */
import { type ObservedEvent, sampleOf, type WindowState } from '#analysis/windows/mod.ts';
import type { DetectorsConfig } from './config.ts';
import { figure, mostly, span } from './describe.ts';
import type { History } from './history.ts';
import { Incident, type IncidentSnapshot, type StepContext, topTemplates } from './incident.ts';
import { type SlidingSnapshot, SlidingCounts } from './sliding.ts';
import { scoreOf, upperTailCount, upperTailExponent } from './tails.ts';

export interface ErrorSpikeSnapshot {
  sliding: SlidingSnapshot;
  incident: IncidentSnapshot | null;
  mean: number;
  variance: number;
  openMean: number;
  openVariance: number;
  writtenBucket: number;
  fireFrom: number;
  holdFrom: number;
  historyErrors: number;
  historyRecords: number;
  lastHotMs: number;
  peakErrors: number;
  /** slot, errors, … of the incident. */
  slots: number[];
}

/** Templates of one incident that are told apart. */
const slotsMax = 64;

export class ErrorSpikeDetector {
  private readonly config: DetectorsConfig['errorSpike'];
  private readonly sizeMs: number;
  private sliding: SlidingCounts;
  private incident: Incident | null = null;
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
  private historyErrors = 0;
  private historyRecords = 0;
  private lastHotMs = 0;
  private peakErrors = 0;
  private slots = new Map<number, number>();

  constructor(config: DetectorsConfig['errorSpike'], sizeMs: number) {
    this.config = config;
    this.sizeMs = sizeMs;
    this.sliding = new SlidingCounts(config.windowMs);
  }

  get isOpen(): boolean {
    return this.incident !== null;
  }

  /** A record that is not late. `openWindows` gives the windows that hold the errors before this one. */
  observe(
    event: ObservedEvent,
    timeMs: number,
    isError: boolean,
    context: StepContext,
    openWindows: () => WindowState[],
  ): void {
    this.sliding.add(timeMs, isError);
    if (!isError || this.fireFrom === 0) return;
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
    if (sliding.errors < this.fireFrom || !this.shareIsHigh()) return;
    const incident = Incident.open(context, 'error_spike', '', sliding.onsetMs(this.mean));
    this.incident = incident;
    this.lastHotMs = timeMs;
    this.peakErrors = sliding.errors;
    this.slots.clear();
    for (const window of openWindows()) {
      for (let slot = 0; slot < window.slotErrors.length; slot++) this.count(slot, window.slotErrors[slot] as number);
      incident.addSamples(window.errorSamples);
    }
    incident.addSamples([sampleOf(event.bytes, event.start, event.end)]);
    incident.row.decidedAtMs = timeMs;
    incident.row.eventMs = timeMs;
    this.openMean = this.mean;
    this.openVariance = this.variance;
    this.note(context);
    this.write(timeMs, context);
  }

  /** A window closed: ends what has cooled down. */
  windowClosed(endMs: number, context: StepContext): void {
    if (this.incident === null) return;
    if (endMs - this.lastHotMs < this.config.holdMs) return;
    this.close(context);
  }

  /** The history moved on. */
  learn(history: History): void {
    if (history.size < this.config.warmupWindows) return;
    const { windowMs, tailExponent, errorsMin } = this.config;
    const scale = windowMs / this.sizeMs;
    const errors = history.sum('errorCount');
    // Gamma-Poisson: half an error is assumed beforehand, so that a service without errors still has a tail.
    const mean = (scale * (errors + 0.5)) / history.size;
    const clumping = scale * Math.max(0, history.variance('errorCount') - history.mean('errorCount'));
    this.mean = mean;
    this.variance = mean + (mean * mean) / (errors + 0.5) + clumping;
    this.fireFrom = Math.max(errorsMin, upperTailCount(tailExponent, mean, this.variance));
    this.holdFrom = Math.max(2, Math.ceil((this.fireFrom + mean) / 2));
    this.historyErrors = errors;
    this.historyRecords = history.sum('logCount');
  }

  close(context: StepContext): void {
    if (this.incident === null) return;
    this.write(this.lastHotMs, context);
    this.incident = null;
    this.slots.clear();
  }

  snapshot(): ErrorSpikeSnapshot {
    return {
      sliding: this.sliding.snapshot(),
      incident: this.incident?.snapshot() ?? null,
      mean: this.mean,
      variance: this.variance,
      openMean: this.openMean,
      openVariance: this.openVariance,
      writtenBucket: this.writtenBucket,
      fireFrom: this.fireFrom,
      holdFrom: this.holdFrom,
      historyErrors: this.historyErrors,
      historyRecords: this.historyRecords,
      lastHotMs: this.lastHotMs,
      peakErrors: this.peakErrors,
      slots: [...this.slots].flat(),
    };
  }

  restore(state: ErrorSpikeSnapshot): void {
    this.sliding = SlidingCounts.restore(this.config.windowMs, state.sliding);
    this.incident = state.incident === null ? null : Incident.restore(state.incident);
    this.mean = state.mean;
    this.variance = state.variance;
    this.openMean = state.openMean;
    this.openVariance = state.openVariance;
    this.writtenBucket = state.writtenBucket;
    this.fireFrom = state.fireFrom;
    this.holdFrom = state.holdFrom;
    this.historyErrors = state.historyErrors;
    this.historyRecords = state.historyRecords;
    this.lastHotMs = state.lastHotMs;
    this.peakErrors = state.peakErrors;
    this.slots = new Map();
    for (let i = 0; i < state.slots.length; i += 2)
      this.slots.set(state.slots[i] as number, state.slots[i + 1] as number);
  }

  /** More traffic brings more errors; a spike is a larger share of errors too. */
  private shareIsHigh(): boolean {
    const { sliding, historyErrors, historyRecords } = this;
    return sliding.errors * historyRecords >= this.config.shareFactorMin * historyErrors * sliding.records;
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

  private write(timeMs: number, context: StepContext): void {
    const { incident } = this;
    if (incident === null) return;
    const { row } = incident;
    const seconds = this.config.windowMs / 1000;
    row.score = scoreOf(upperTailExponent(this.peakErrors, this.openMean, this.openVariance));
    row.actual = this.peakErrors / seconds;
    row.typical = this.openMean / seconds;
    row.influencers = topTemplates(this.slots, context.host);
    row.description =
      `errors ${figure(row.actual)}/s against a typical ${figure(row.typical)}/s` +
      ` for ${span(Math.max(this.sliding.bucketMs, row.endMs - row.startMs))}${mostly(row.influencers)}`;
    incident.write(context);
    this.writtenBucket = Math.floor(timeMs / this.sliding.bucketMs);
  }
}
