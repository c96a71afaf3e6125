/**
 * One service in one lane: event time, windows, and every detector. A pure fold over records, ticks and the end of
 * input: equal steps give equal findings, and a snapshot continues exactly (R2).
 *
 * A1  Which windows close and what detectors say follows from the records and their order. Ticks act on live lanes
 *     only (silence, trailing windows); in an ingest lane they publish the windows of an idle service as they
 *     stand, and detectors wait for its next record or the end.
 * A2  Detectors see a window once, when it closes. A late record changes the stored window, not what was decided.
 * A3  No single record moves time on its own: an event time too far ahead of stream time is taken at stream time,
 *     and one far ahead of its own service's past waits for the next record to agree.
 */
import {
  classOfSeverity,
  type ClosedWindow,
  EventWindows,
  type EventWindowsSnapshot,
  type ObservedEvent,
} from '#analysis/windows/mod.ts';
import { futureSkewMsMax } from '#protocol/limits.ts';
import { fnv1a32 } from '#protocol/partitioner.ts';
import type { AnalysisConfig } from './config.ts';
import { DetectorSet, type DetectorSetSnapshot } from './detector-set.ts';
import { type HeldEvent, hold, release } from './held.ts';
import type { AnalysisHost, Findings, StepContext } from './incident.ts';

export interface ServiceIdentity {
  service: string;
  lane: string;
  /** Live lanes get empty windows from ticks. */
  live: boolean;
}

/**
 * Three parts, so that a checkpoint need not repeat what stands still: `times` moves with every tick, `moving` with
 * every record, `learned` when a window closes or is revised.
 */
export interface ServiceAnalysisSnapshot {
  /** Arrival of the last record in stream time, late records, then the times of the windows. */
  times: number[];
  moving: unknown;
  learned: unknown;
}

interface MovingState {
  open: EventWindowsSnapshot['open'];
  detectors: DetectorSetSnapshot['moving'];
  held: HeldEvent | null;
}

interface LearnedState {
  sizeMs: number;
  /** Hash of the configuration that the detectors' state belongs to. */
  configHash: number;
  windows: EventWindowsSnapshot['closed'];
  detectors: DetectorSetSnapshot['learned'];
}

export class ServiceAnalysis {
  private readonly config: AnalysisConfig;
  private readonly identity: ServiceIdentity;
  private readonly context: StepContext;
  private readonly windows: EventWindows;
  private readonly detectors: DetectorSet;
  /** Event time that a record may lie ahead of all before it without a second one to confirm it. */
  private readonly jumpMs: number;
  private lastArrivalStreamMs = 0;
  private held: HeldEvent | null = null;
  /** Steps that may have changed `movingState()`. */
  private moves = 0;
  private readonly openWindows = () => this.windows.openWindows();

  constructor(
    config: AnalysisConfig,
    identity: ServiceIdentity,
    host: AnalysisHost,
    windows = new EventWindows(config.windows),
  ) {
    this.config = config;
    this.identity = identity;
    this.windows = windows;
    this.jumpMs = Math.max(config.windows.allowedLatenessMs, futureSkewMsMax);
    this.detectors = new DetectorSet(config, identity);
    const { service, lane, live } = identity;
    const out: Findings = { windows: [], anomalies: [], lateCount: 0, futureCount: 0 };
    this.context = { service, lane, live, host, sequence: 0, out, watermarkMs: 0, lateCount: 0 };
  }

  /** One record, in stream order. Findings of this step are appended to `out`. */
  observe(event: ObservedEvent, out: Findings): void {
    this.begin(event.sequence, out);
    this.moves++;
    this.lastArrivalStreamMs = event.streamTimeMs;
    const { windows } = this;
    let { timeMs } = event;
    if (timeMs - event.streamTimeMs > futureSkewMsMax) {
      out.futureCount++;
      if (!windows.started && this.held === null) {
        this.held = hold(event, event.streamTimeMs);
        return;
      }
      // In a lane that reads history, stream time is as far off as the record; its own newest event time is not.
      const near = windows.started && event.streamTimeMs - windows.newestMs <= this.jumpMs;
      timeMs = near || !windows.started ? event.streamTimeMs : windows.newestMs;
    }
    if (this.held !== null) this.settle(this.held, timeMs, event);
    else if (this.isJump(timeMs, event.streamTimeMs)) {
      this.held = hold(event, timeMs);
      return;
    }
    if (this.held === null) this.take(event, timeMs);
  }

  /** A tick carries stream time only. See A1 for what it may do. */
  tick(streamTimeMs: number, sequence: number, out: Findings): void {
    const { windows, config } = this;
    const idleMs = streamTimeMs - this.lastArrivalStreamMs;
    if (idleMs < config.windows.idleTimeoutMs || (!windows.started && this.held === null)) return;
    this.begin(sequence, out);
    if (!this.identity.live) {
      this.publish(sequence, out);
      return;
    }
    if (this.held !== null || this.detectors.isWaiting) this.moves++;
    this.takeHeld();
    const newestEndMs = windows.startOf(windows.newestMs) + config.windows.sizeMs;
    // Empty windows follow stream time only where the service's own time does; last year's file has no present.
    const near = Math.abs(this.lastArrivalStreamMs - windows.newestMs) <= this.jumpMs;
    const emptyUntilMs = windows.newestMs + idleMs - config.windows.idleTimeoutMs - config.windows.allowedDisorderMs;
    if (near) {
      this.closeUpTo(Math.max(newestEndMs, emptyUntilMs), windows.newestMs + idleMs, true);
      // A silence need not wait for the end of its window.
      if (this.detectors.idle(windows.newestMs + idleMs, this.context)) this.moves++;
    } else this.closeUpTo(newestEndMs, windows.newestMs);
    this.detectors.releaseSequences(near ? Math.max(windows.newestMs, emptyUntilMs) : windows.newestMs, this.context);
  }

  /** End of input of an ingest lane: closes all windows with records, and every incident. */
  end(sequence: number, out: Findings): void {
    this.begin(sequence, out);
    this.moves++;
    // Detectors end their incidents, whether or not a window closes.
    this.windows.closedVersion++;
    this.takeHeld();
    const { windows } = this;
    if (windows.started) {
      this.closeUpTo(windows.startOf(windows.newestMs) + this.config.windows.sizeMs, windows.newestMs);
      this.detectors.releaseSequences(windows.newestMs, this.context);
      this.detectors.close(this.context);
    }
    this.flush(sequence, out);
  }

  /** Due at the end of each message: the windows that late records revised, each once. */
  flush(sequence: number, out: Findings): void {
    for (const row of this.windows.takeRevised(this.identity, sequence)) out.windows.push(row);
  }

  snapshot(): ServiceAnalysisSnapshot {
    return { times: this.times(), moving: this.movingState(), learned: this.learnedState() };
  }

  times(): number[] {
    return [this.lastArrivalStreamMs, this.context.lateCount, ...this.windows.times()];
  }

  /** Rises when `movingState()` would say something else than before: a window that closes leaves the open ones. */
  get movingVersion(): number {
    return this.moves + this.windows.closedVersion;
  }

  movingState(): unknown {
    const { held } = this;
    const state: MovingState = {
      open: this.windows.openState(),
      detectors: this.detectors.movingState(),
      held: held === null ? null : { ...held, numbers: held.numbers.slice(), bytes: held.bytes.slice() },
    };
    return state;
  }

  /** Rises when `learnedState()` would say something else than before: detectors learn from windows that close. */
  get learnedVersion(): number {
    return this.windows.closedVersion + this.detectors.learnedVersion;
  }

  learnedState(): unknown {
    const state: LearnedState = {
      sizeMs: this.config.windows.sizeMs,
      configHash: hashOf(this.config),
      windows: this.windows.closedState(),
      detectors: this.detectors.learnedState(),
    };
    return state;
  }

  /**
   * Continues exactly where the snapshot was taken. Under another configuration windows are kept and detectors start
   * afresh; with another window size all does.
   */
  static restore(
    config: AnalysisConfig,
    identity: ServiceIdentity,
    host: AnalysisHost,
    snapshot: ServiceAnalysisSnapshot,
  ): ServiceAnalysis {
    const moving = snapshot.moving as MovingState;
    const learned = snapshot.learned as LearnedState;
    if (learned.sizeMs !== config.windows.sizeMs) return new ServiceAnalysis(config, identity, host);
    const [lastArrivalStreamMs = 0, lateCount = 0, ...times] = snapshot.times;
    const windows = EventWindows.restore(config.windows, { times, open: moving.open, closed: learned.windows });
    const analysis = new ServiceAnalysis(config, identity, host, windows);
    if (learned.configHash === hashOf(config))
      analysis.detectors.restore({ moving: moving.detectors, learned: learned.detectors });
    analysis.lastArrivalStreamMs = lastArrivalStreamMs;
    analysis.context.lateCount = lateCount;
    analysis.context.watermarkMs = analysis.windows.watermarkMs;
    analysis.held = moving.held === null ? null : { ...moving.held, bytes: Uint8Array.from(moving.held.bytes) };
    return analysis;
  }

  private begin(sequence: number, out: Findings): void {
    this.context.sequence = sequence;
    this.context.out = out;
  }

  private isJump(timeMs: number, streamTimeMs: number): boolean {
    const { windows } = this;
    return windows.started && timeMs - windows.newestMs > this.jumpMs && streamTimeMs - timeMs > this.jumpMs;
  }

  /** The record after a held one decides: near it, or further on, confirms it; near the past, the held one was wrong. */
  private settle(held: HeldEvent, timeMs: number, event: ObservedEvent): void {
    const { windows } = this;
    this.held = null;
    const released = release(held, event.streamTimeMs, event.sequence);
    if (!windows.started) {
      this.take(released, timeMs);
      return;
    }
    const jumpsToo = timeMs - windows.newestMs > this.jumpMs;
    if (jumpsToo && timeMs >= held.timeMs - this.jumpMs) {
      this.take(released, held.timeMs);
      if (this.isJump(timeMs, event.streamTimeMs)) this.held = hold(event, timeMs);
      return;
    }
    this.context.out.futureCount++;
    this.take(released, windows.newestMs);
    if (this.isJump(timeMs, event.streamTimeMs)) this.held = hold(event, timeMs);
  }

  private takeHeld(): void {
    const { held } = this;
    if (held === null) return;
    this.held = null;
    this.take(release(held, this.lastArrivalStreamMs, this.context.sequence), held.timeMs);
  }

  /** A record whose event time is settled. Hot path; benchmark: loadtest/bench/windows.bench.ts. */
  private take(event: ObservedEvent, timeMs: number): void {
    const { windows, context, detectors } = this;
    if (!windows.started) {
      windows.start(timeMs);
      context.watermarkMs = windows.watermarkMs;
    } else if (timeMs > windows.newestMs) {
      windows.newer(timeMs);
      context.watermarkMs = windows.watermarkMs;
      if (timeMs >= detectors.nextBeatEndMs) {
        // The end of a window is the end of a beat.
        if (timeMs >= windows.nextCloseAtMs) this.closeUpTo(windows.watermarkMs, timeMs);
        detectors.endBeats(windows.watermarkMs, timeMs, this.openWindows, context);
      }
    }
    const window = windows.find(timeMs);
    if (window === null || window.closed) {
      context.lateCount++;
      context.out.lateCount++;
      if (window === null) return;
      window.add(event, timeMs, classOfSeverity[event.severityNumber] as number);
      window.late++;
      windows.markRevised(window);
      return;
    }
    const severityClass = detectors.evidence.classOf(event);
    window.add(event, timeMs, severityClass);
    detectors.observe(event, timeMs, severityClass, context, this.openWindows);
  }

  private closeUpTo(watermarkMs: number, elapsedMs: number, byTick = false): void {
    const { windows, context } = this;
    const closed: ClosedWindow[] = windows.advance(watermarkMs, elapsedMs, byTick);
    context.watermarkMs = windows.watermarkMs;
    for (const one of closed) {
      this.detectors.endBeats(one.window.endMs, elapsedMs, () => [one.window], context);
      context.out.windows.push(windows.row(this.identity, one.window, context.sequence));
      this.detectors.windowClosed(one, context);
      one.window.strip();
    }
  }

  /** Windows of an idle service in an ingest lane, as they stand; each again only after it changed. */
  private publish(sequence: number, out: Findings): void {
    for (const window of this.windows.openWindows()) {
      const records = window.logCount;
      if (records === 0 || window.publishedCount === records) continue;
      this.moves++;
      window.publishedCount = records;
      out.windows.push(this.windows.row(this.identity, window, sequence));
    }
  }
}

/** A configuration is one immutable object for all services of a partition, so its hash is worked out once. */
const hashes = new WeakMap<AnalysisConfig, number>();

function hashOf(config: AnalysisConfig): number {
  let hash = hashes.get(config);
  if (hash === undefined) {
    hash = fnv1a32(new TextEncoder().encode(JSON.stringify(config)));
    hashes.set(config, hash);
  }
  return hash;
}
