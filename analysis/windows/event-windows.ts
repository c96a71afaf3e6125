/**
 * Event time of one service in one lane. What holds at every step:
 *
 * W1  The watermark never falls; it is the newest event time less the allowed disorder, or further where a tick or
 *     the end of input closed more.
 * W2  A window closes once, when the watermark has reached its end; windows close in order of time.
 * W3  Which windows close, and with what in them, follows from the records and their order, never from how they
 *     were batched. Ticks close windows only where the caller says so.
 * W4  Memory and work are bounded: open windows by the disorder, closed ones by lateness and rolling span. A gap gives
 *     at most `emptyWindowsMax` empty windows, and records that jump again and again at most `emptyPerRecord` each
 *     beyond an allowance: 18 KB of records five days apart would else be 176,000 windows.
 */
import type { WindowRow } from '#protocol/findings.ts';
import type { WindowsConfig } from './config.ts';
import { windowRow } from './row.ts';
import { WindowState } from './window.ts';

/**
 * A window that just closed. `learn` is false for the empty windows of a gap too long to be normal; `partial` is true
 * for the first window of all and for one that closed before its own time had run out, as at the end of input.
 */
export interface ClosedWindow {
  window: WindowState;
  learn: boolean;
  partial: boolean;
}

/** `EventWindows` in three parts that change at different paces. */
export interface EventWindowsSnapshot {
  /** started, newestMs, watermarkMs, closedUntilMs, everClosed, emptyRun, emptyAllowance: moved by ticks too. */
  times: number[];
  /** Moved by records; each window packed. */
  open: Uint8Array[];
  /** Moved by windows that close, and by late records; each window packed. */
  closed: { closed: Uint8Array[]; dirty: number[] };
}

type TimesTuple = [number, number, number, number, number, number, number];

/** Empty windows that records may cause at once after a time without gaps: a week of 30 s windows. */
const emptyAllowanceMax = 20_160;
/** What a newer record adds to the allowance. */
const emptyPerRecord = 8;

export class EventWindows {
  started = false;
  /** Newest event time, ms; 0 before the first record. */
  newestMs = 0;
  watermarkMs = 0;
  /** Newest event times from here on let a window close. */
  nextCloseAtMs = 0;
  /** Windows that start before this are closed. */
  closedUntilMs = 0;
  private everClosed = false;
  private emptyRun = 0;
  private emptyAllowance = emptyAllowanceMax;
  private readonly config: WindowsConfig;
  private open = new Map<number, WindowState>();
  private closed: WindowState[] = [];
  private readonly dirty = new Set<number>();
  /** Rises when `closedState()` would say something else than before. */
  closedVersion = 0;
  /** Memo of the window last used. */
  private current: WindowState | null = null;

  constructor(config: WindowsConfig) {
    this.config = config;
  }

  /** First record: windows before its watermark count as closed. */
  start(timeMs: number): void {
    this.started = true;
    this.newestMs = timeMs;
    this.watermarkMs = timeMs - this.config.allowedDisorderMs;
    this.setClosedUntil(this.startOf(this.watermarkMs));
  }

  /** A newer event; the caller closes windows when `nextCloseAtMs` is reached. */
  newer(timeMs: number): void {
    this.newestMs = timeMs;
    if (this.emptyAllowance < emptyAllowanceMax)
      this.emptyAllowance = Math.min(this.emptyAllowance + emptyPerRecord, emptyAllowanceMax);
    const watermarkMs = timeMs - this.config.allowedDisorderMs;
    if (watermarkMs > this.watermarkMs) this.watermarkMs = watermarkMs;
  }

  startOf(timeMs: number): number {
    const { sizeMs } = this.config;
    return Math.floor(timeMs / sizeMs) * sizeMs;
  }

  /** The open or revisable window of an event time; null where it is too late (or there is none yet). */
  find(timeMs: number): WindowState | null {
    const { current } = this;
    if (current !== null && timeMs >= current.startMs && timeMs < current.endMs) return current;
    const startMs = this.startOf(timeMs);
    if (startMs < this.closedUntilMs) return this.findClosed(startMs);
    let window = this.open.get(startMs);
    if (window === undefined) {
      window = new WindowState(startMs, this.config.sizeMs);
      this.open.set(startMs, window);
    }
    this.current = window;
    return window;
  }

  /** A late record changed this window, and the rolling statistics of those after it: new rows are due at the next flush. */
  markRevised(window: WindowState): void {
    this.closedVersion++;
    const untilMs = window.startMs + this.config.rollingMs;
    for (let i = this.closed.length - 1; i >= 0; i--) {
      const { startMs } = this.closed[i] as WindowState;
      if (startMs < window.startMs) return;
      if (startMs < untilMs) this.dirty.add(startMs);
    }
  }

  /** Open windows, oldest first. */
  openWindows(): WindowState[] {
    return [...this.open.values()].sort((a, b) => a.startMs - b.startMs);
  }

  /**
   * Raises the watermark and closes what it passed, with the empty windows between, oldest first (W1, W2).
   * @param elapsedMs event time that is known to have run out; later windows are partial
   * @param byTick stream time moved, which is slow enough by itself: its empty windows cost no allowance
   */
  advance(watermarkMs: number, elapsedMs: number, byTick = false): ClosedWindow[] {
    if (watermarkMs > this.watermarkMs) this.watermarkMs = watermarkMs;
    const untilMs = this.startOf(this.watermarkMs);
    if (!this.started || untilMs <= this.closedUntilMs) return [];
    this.closedVersion++;
    const result: ClosedWindow[] = [];
    let atMs = this.closedUntilMs;
    for (const window of this.openWindows()) {
      if (window.startMs >= untilMs) break;
      this.closeEmpty(atMs, window.startMs, byTick, result);
      this.open.delete(window.startMs);
      this.keepClosed(window, result, true, elapsedMs);
      this.emptyRun = 0;
      this.everClosed = true;
      atMs = window.endMs;
    }
    this.closeEmpty(atMs, untilMs, byTick, result);
    this.setClosedUntil(untilMs);
    this.current = null;
    this.prune();
    return result;
  }

  row(identity: { service: string; lane: string }, window: WindowState, version: number): WindowRow {
    const fromMs = window.endMs - this.config.rollingMs;
    const span: WindowState[] = [];
    for (let i = this.closed.length - 1; i >= 0; i--) {
      const other = this.closed[i] as WindowState;
      if (other.startMs < fromMs) break;
      if (other.startMs < window.startMs) span.push(other);
    }
    span.push(window);
    return windowRow(identity, window, span, version);
  }

  /** Rows of the windows that late records revised since the last call, oldest first. */
  takeRevised(identity: { service: string; lane: string }, version: number): WindowRow[] {
    if (this.dirty.size === 0) return [];
    this.closedVersion++;
    const rows = this.closed.filter((window) => this.dirty.has(window.startMs));
    this.dirty.clear();
    return rows.map((window) => this.row(identity, window, version));
  }

  times(): number[] {
    return [
      this.started ? 1 : 0,
      this.newestMs,
      this.watermarkMs,
      this.closedUntilMs,
      this.everClosed ? 1 : 0,
      this.emptyRun,
      this.emptyAllowance,
    ];
  }

  openState(): Uint8Array[] {
    return this.openWindows().map((window) => window.bytes());
  }

  closedState(): EventWindowsSnapshot['closed'] {
    return {
      closed: this.closed.map((window) => window.bytes()),
      dirty: [...this.dirty].sort((a, b) => a - b),
    };
  }

  static restore(config: WindowsConfig, state: EventWindowsSnapshot): EventWindows {
    const windows = new EventWindows(config);
    const [started, newestMs, watermarkMs, closedUntilMs, everClosed, emptyRun, emptyAllowance] =
      state.times as TimesTuple;
    windows.started = started === 1;
    windows.newestMs = newestMs;
    windows.watermarkMs = watermarkMs;
    windows.setClosedUntil(closedUntilMs);
    windows.everClosed = everClosed === 1;
    windows.emptyRun = emptyRun;
    windows.emptyAllowance = emptyAllowance;
    for (const bytes of state.open) {
      const window = WindowState.fromBytes(bytes, config.sizeMs);
      windows.open.set(window.startMs, window);
    }
    windows.closed = state.closed.closed.map((bytes) => WindowState.fromBytes(bytes, config.sizeMs));
    for (const startMs of state.closed.dirty) windows.dirty.add(startMs);
    return windows;
  }

  private setClosedUntil(untilMs: number): void {
    this.closedUntilMs = untilMs;
    this.nextCloseAtMs = untilMs + this.config.sizeMs + this.config.allowedDisorderMs;
  }

  /** Nothing before the first window with records is a gap. */
  private closeEmpty(fromMs: number, untilMs: number, byTick: boolean, result: ClosedWindow[]): void {
    const { sizeMs, emptyWindowsMax } = this.config;
    if (!this.everClosed) return;
    const gap = Math.round((untilMs - fromMs) / sizeMs);
    const allowed = byTick ? gap : this.emptyAllowance;
    const count = Math.min(gap, allowed, Math.max(0, emptyWindowsMax - this.emptyRun));
    if (!byTick) this.emptyAllowance -= count;
    for (let i = 0; i < count; i++) {
      this.keepClosed(new WindowState(fromMs + i * sizeMs, sizeMs), result, gap <= emptyWindowsMax, untilMs);
    }
    this.emptyRun += count;
  }

  private keepClosed(window: WindowState, result: ClosedWindow[], learn: boolean, elapsedMs: number): void {
    window.close();
    this.closed.push(window);
    result.push({ window, learn, partial: !this.everClosed || window.endMs > elapsedMs });
  }

  /** A closed window within the allowed lateness. One that was skipped in a long gap is made when a record comes for it. */
  private findClosed(startMs: number): WindowState | null {
    const endMs = startMs + this.config.sizeMs;
    if (endMs <= this.watermarkMs - this.config.allowedLatenessMs) return null;
    let at = this.closed.length;
    while (at > 0 && (this.closed[at - 1] as WindowState).startMs > startMs) at--;
    const found = this.closed[at - 1];
    if (found?.startMs === startMs) return found;
    this.closedVersion++;
    const window = new WindowState(startMs, this.config.sizeMs);
    window.close();
    this.closed.splice(at, 0, window);
    return window;
  }

  private prune(): void {
    let keepFromMs = this.watermarkMs - this.config.allowedLatenessMs - this.config.rollingMs;
    // Rows still due need their window and its rolling span, however far the watermark moved within this message.
    for (const startMs of this.dirty) keepFromMs = Math.min(keepFromMs, startMs - this.config.rollingMs);
    let drop = 0;
    while (drop < this.closed.length && (this.closed[drop] as WindowState).endMs <= keepFromMs) drop++;
    if (drop > 0) this.closed.splice(0, drop);
  }
}
