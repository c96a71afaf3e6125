/**
 * Too few records. Silence: none at all, for longer than chance and than any silence known; it is seen in the empty
 * windows that ticks (live) or the end of a gap (history) give. Volume drop: some, but far fewer than usual.
 */
import { type WindowState } from '#analysis/windows/mod.ts';
import type { DetectorsConfig } from './config.ts';
import { figure, percent, span } from './describe.ts';
import type { History } from './history.ts';
import { Incident, type IncidentSnapshot, type StepContext } from './incident.ts';
import { lowerTailExponent, scoreOf } from './tails.ts';

export interface VolumeSnapshot {
  silence: IncidentSnapshot | null;
  drop: IncidentSnapshot | null;
  emptyWindows: number;
  learnable: number;
  wasSilent: boolean;
  lowWindows: number;
  lowFromMs: number;
  lastRecordMs: number;
  lowCount: number;
}

export class VolumeDetector {
  private readonly config: Pick<DetectorsConfig, 'silence' | 'volumeDrop'>;
  private silence: Incident | null = null;
  private drop: Incident | null = null;
  private emptyWindows = 0;
  private learnable = 0;
  private wasSilent = false;
  private lowWindows = 0;
  private lowFromMs = 0;
  private lowCount = 0;
  private lastRecordMs = 0;

  constructor(config: Pick<DetectorsConfig, 'silence' | 'volumeDrop'>) {
    this.config = config;
  }

  get isOpen(): boolean {
    return this.silence !== null || this.drop !== null || this.lowWindows > 0;
  }

  /** An empty window. `learn` is false within a gap too long to be part of what is usual. */
  emptyClosed(window: WindowState, learn: boolean, history: History, context: StepContext): void {
    if (learn) this.learnable++;
    this.empty(window, history, context);
  }

  /**
   * A window with records: ends a run of empty ones, which the history takes in unless it was a silence. Returns
   * whether the window is whole; a partial one, and the first after a silence, is no measure of volume.
   */
  filledClosed(window: WindowState, partial: boolean, history: History, context: StepContext): boolean {
    if (this.wasSilent) history.noteSilence(this.emptyWindows);
    else if (this.emptyWindows > 0) history.pushEmptyRun(this.emptyWindows, this.learnable);
    this.emptyWindows = 0;
    this.learnable = 0;
    const whole = !partial && !this.wasSilent;
    this.wasSilent = false;
    this.filled(window, whole, history, context);
    return whole;
  }

  /** The record that ends a silence, in event time. Seen at the record, before its window closes. */
  recordSeen(timeMs: number, context: StepContext): void {
    const { silence } = this;
    if (silence === null || timeMs <= silence.row.startMs) return;
    this.writeSilence(silence, timeMs, context);
    this.silence = null;
  }

  close(context: StepContext): void {
    this.silence?.write(context);
    this.drop?.write(context);
    this.silence = null;
    this.drop = null;
  }

  snapshot(): VolumeSnapshot {
    return {
      silence: this.silence?.snapshot() ?? null,
      drop: this.drop?.snapshot() ?? null,
      emptyWindows: this.emptyWindows,
      learnable: this.learnable,
      wasSilent: this.wasSilent,
      lowWindows: this.lowWindows,
      lowFromMs: this.lowFromMs,
      lastRecordMs: this.lastRecordMs,
      lowCount: this.lowCount,
    };
  }

  restore(state: VolumeSnapshot): void {
    this.silence = state.silence === null ? null : Incident.restore(state.silence);
    this.drop = state.drop === null ? null : Incident.restore(state.drop);
    this.emptyWindows = state.emptyWindows;
    this.learnable = state.learnable;
    this.wasSilent = state.wasSilent;
    this.lowWindows = state.lowWindows;
    this.lowFromMs = state.lowFromMs;
    this.lastRecordMs = state.lastRecordMs;
    this.lowCount = state.lowCount;
  }

  private empty(window: WindowState, history: History, context: StepContext): void {
    const { enabled, warmupWindows, windowsMin, tailExponent, longestFactor } = this.config.silence;
    this.emptyWindows++;
    this.endDrop(context);
    if (!enabled || history.size < warmupWindows) return;
    if (this.silence === null) {
      const mean = history.mean('logCount');
      const exponent = this.emptyWindows * lowerTailExponent(0, mean, history.variance('logCount'));
      if (this.emptyWindows < windowsMin || exponent < tailExponent) return;
      if (this.emptyWindows <= longestFactor * history.longestEmptyRun) return;
      this.wasSilent = true;
      this.silence = Incident.open(context, 'silence', '', this.lastRecordMs);
      this.silence.row.decidedAtMs = window.endMs;
      this.silence.row.eventMs = this.lastRecordMs;
      this.silence.peak(scoreOf(exponent), 0, mean / ((window.endMs - window.startMs) / 1000));
    }
    this.writeSilence(this.silence, window.endMs, context);
  }

  private writeSilence(silence: Incident, endMs: number, context: StepContext): void {
    const { row } = silence;
    row.endMs = endMs;
    row.watermarkMs = context.watermarkMs;
    row.lateCount = context.lateCount;
    row.influencers = [{ kind: 'feature', name: 'logCount', share: 1 }];
    row.description = `no records for ${span(endMs - row.startMs)} where ${figure(row.typical)}/s are typical`;
    silence.write(context);
  }

  private filled(window: WindowState, whole: boolean, history: History, context: StepContext): void {
    const { enabled, warmupWindows, windowsMin, tailExponent, factorMax } = this.config.volumeDrop;
    const count = window.logCount;
    this.lastRecordMs = window.newestMs;
    if (this.silence !== null && window.newestMs > this.silence.row.startMs) this.recordSeen(window.newestMs, context);
    if (!enabled || history.size < warmupWindows || !whole) return;
    const mean = history.mean('logCount');
    const exponent = lowerTailExponent(count, mean, history.variance('logCount'));
    if (count > factorMax * mean || exponent < tailExponent) {
      this.endDrop(context);
      return;
    }
    if (this.lowWindows === 0) {
      this.lowFromMs = window.startMs;
      this.lowCount = count;
    }
    this.lowWindows++;
    if (count < this.lowCount) this.lowCount = count;
    if (this.lowWindows < windowsMin) return;
    const seconds = (window.endMs - window.startMs) / 1000;
    this.drop ??= Incident.open(context, 'volume_drop', '', this.lowFromMs);
    const { row } = this.drop;
    this.drop.extend(window, context);
    if (this.drop.peak(scoreOf(exponent * this.lowWindows), this.lowCount / seconds, mean / seconds)) {
      row.influencers = [{ kind: 'feature', name: 'logCount', share: 1 }];
      this.drop.addSamples(window.samples);
    }
    row.description =
      `records ${figure(row.actual)}/s against a typical ${figure(row.typical)}/s` +
      ` for ${span(row.endMs - row.startMs)}, down by ${percent(1 - row.actual / row.typical)}`;
    this.drop.write(context);
  }

  private endDrop(context: StepContext): void {
    this.lowWindows = 0;
    if (this.drop === null) return;
    this.drop.write(context);
    this.drop = null;
  }
}
