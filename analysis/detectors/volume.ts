/**
 * Too few records, or too many. Silence: none at all, for longer than chance, than a restart and than any pause known;
 * it is seen by ticks (live), or in the empty windows that the end of a gap (history) gives, and said to be known from
 * the same moment in both. Drop and surge: sums of the last one, two
 * and four windows against the past hour, the last minutes, the same hour of other days, and levels that were normal
 * before; debug output does not count, as it comes and goes with a setting.
 */
import type { WindowState } from '#analysis/windows/mod.ts';
import { type Beats, beatsPerWindow, stretchMax } from './beats.ts';
import type { DetectorsConfig } from './config.ts';
import { againstRate, clock, mostly, percent, perTime, span, times } from './describe.ts';
import { countOf, highExponent, type History, type HistoryField, lowExponent, type Usual } from './history.ts';
import { entriesOf, Incident, type IncidentSnapshot, type StepContext, topTemplates } from './incident.ts';
import { lowerTailExponent, scoreOf } from './tails.ts';

type VolumeConfig = Pick<DetectorsConfig, 'silence' | 'volumeDrop' | 'volumeSurge'>;

export interface VolumeSnapshot {
  silence: IncidentSnapshot | null;
  change: IncidentSnapshot | null;
  last: IncidentSnapshot | null;
  emptyWindows: number;
  learnable: number;
  wasSilent: boolean;
  lastRecordMs: number;
  longestPauseMs: number;
  silentFromMs: number;
  silentToMs: number;
  /** Counts of the last windows, newest first. */
  recent: number[];
  calmWindows: number;
  lowWindows: number;
  openMean: number;
}

/** Windows that a sum may span. */
const spans = [1, 2, 4] as const;
/** And for a surge in what comes in clumps, which chance swells for less long. */
const longSpan = 8;
type Extremes = readonly { most: number; least: number }[];
/** A change that comes back so soon is the same one. */
const resumeMs = 5 * 60_000;
/** Windows of the usual level that end a change. */
const calmToEnd = 2;
/** Windows that a restart takes, and up to which pauses are known by their length; of longer ones windows are counted. */
const restartWindows = 1;
const pauseWindowsMax = 8;
const hourMs = 3_600_000;
/** Beats of the stretches that a drop is looked for in, and the shortest of them. */
const beatDropSpans = [4, 6, 8, 12, stretchMax] as const;
const beatDropLeast = beatDropSpans[0];
/** Usual records of a pause that is none by chance, even of a service that says half as much. */
const pauseRecordsMin = 4;
/** As many more looks are taken between windows. */
const beatExponent = 1;

export class VolumeDetector {
  private readonly config: VolumeConfig;
  private readonly sizeMs: number;
  private silence: Incident | null = null;
  private change: Incident | null = null;
  private last: Incident | null = null;
  private emptyWindows = 0;
  private learnable = 0;
  private wasSilent = false;
  private lastRecordMs = 0;
  /** Longest time between two records that was no silence. */
  private longestPauseMs = 0;
  /** The last silence, from its last record before to its first one after; while it lasts, for ever. */
  private silentFromMs = 0;
  private silentToMs = 0;
  /** What `silenceOf` said for the present pause in this hour; a memo. */
  private knownNeedMs = 0;
  private knownHour = 0;
  private recent: number[] = [];
  private calmWindows = 0;
  private lowWindows = 0;
  private openMean = 0;
  /** Windows of the silence that the last window ended; 0: none. Read at once, no state. */
  silentRun = 0;

  constructor(config: VolumeConfig, sizeMs: number) {
    this.config = config;
    this.sizeMs = sizeMs;
  }

  get isOpen(): boolean {
    return this.silence !== null || this.change !== null;
  }

  /** The service pauses, or did so in the window that is open: templates that are away are not missing. */
  get isPaused(): boolean {
    return this.silence !== null || this.emptyWindows > 0;
  }

  get isDropping(): boolean {
    return this.change?.row.detector === 'volume_drop';
  }

  /** An empty window. `learn` is false within a gap too long to be part of what is usual. */
  emptyClosed(window: WindowState, learn: boolean, history: History, context: StepContext): void {
    if (learn) this.learnable++;
    this.emptyWindows++;
    this.recent = [];
    this.knownNeedMs = 0;
    this.idle(window.endMs, history, context);
    if (this.silence === null) return;
    this.wasSilent = true;
    this.describeSilence(this.silence, window.endMs, context, false);
  }

  /** Nothing came until then, live or in history. True where a silence is told now. */
  idle(nowMs: number, history: History, context: StepContext): boolean {
    const { enabled, warmupWindows } = this.config.silence;
    if (!enabled || this.silence !== null || this.lastRecordMs === 0 || history.size < warmupWindows) return false;
    const pausedMs = nowMs - this.lastRecordMs;
    const hour = Math.floor(nowMs / hourMs);
    if (pausedMs < restartWindows * this.sizeMs || (hour === this.knownHour && pausedMs < this.knownNeedMs))
      return false;
    const { needMs, mean, exponent } = this.silenceOf(hour * hourMs, history);
    this.knownNeedMs = needMs;
    this.knownHour = hour;
    if (pausedMs < needMs) return false;
    // What looked like a drop was the beginning of this.
    this.endChange(context);
    this.silence = Incident.open(context, 'silence', '', this.lastRecordMs);
    this.silence.row.decidedAtMs = this.lastRecordMs + needMs;
    this.silence.row.eventMs = this.lastRecordMs;
    this.silence.peak(scoreOf((exponent * pausedMs) / this.sizeMs), 0, (mean * 1_000) / this.sizeMs);
    this.silentFromMs = this.lastRecordMs;
    this.silentToMs = Number.MAX_SAFE_INTEGER;
    this.describeSilence(this.silence, this.lastRecordMs + needMs, context, false);
    this.silence.write(context);
    return true;
  }

  /** How long a pause must be to be a silence, with the usual records of a window and −log10 of the chance of none. */
  private silenceOf(atMs: number, history: History): { needMs: number; mean: number; exponent: number } {
    const { windowsMin, tailExponent, longestFactor } = this.config.silence;
    const { sizeMs } = this;
    const usual = history.usual('logCount');
    const hourly = history.hourly(atMs);
    // Where most windows are empty the median says nothing; the gap must then be long by the mean.
    const known = usual.median > 0 ? Math.min(usual.median, usual.localMedian) : Math.min(usual.mean, usual.local);
    const mean = Math.min(known, hourly?.low ?? Number.POSITIVE_INFINITY);
    const dispersion = usual.median > 0 ? usual.lowDispersion : usual.dispersion;
    const exponent = lowerTailExponent(0, mean, mean * dispersion);
    const run = history.longestEmptyRun;
    const needMs = Math.max(
      Math.max(restartWindows, windowsMin) * sizeMs,
      exponent > 0 ? Math.ceil((sizeMs * tailExponent) / exponent) : Number.POSITIVE_INFINITY,
      longestFactor * this.longestPauseMs,
      run * sizeMs > this.longestPauseMs ? (longestFactor * run + 1) * sizeMs : 0,
    );
    return { needMs, mean, exponent };
  }

  /**
   * A window with records: ends a run of empty ones, which the history takes in unless it was a silence. Returns
   * whether the window is whole; a partial one, and the first after a silence, is no measure of volume.
   */
  filledClosed(window: WindowState, partial: boolean, history: History): boolean {
    this.silentRun = this.wasSilent ? this.emptyWindows : 0;
    if (this.wasSilent) history.noteSilence(this.emptyWindows);
    else if (this.emptyWindows > 0) history.pushEmptyRun(this.emptyWindows, this.learnable);
    this.emptyWindows = 0;
    this.learnable = 0;
    const holdsSilence = window.endMs > this.silentFromMs && window.startMs < this.silentToMs;
    const whole = !partial && !this.wasSilent && !holdsSilence;
    this.wasSilent = false;
    this.knownNeedMs = 0;
    return whole;
  }

  /** A record, in event time: ends a silence, before its window closes, or a pause. Hot path. */
  recordSeen(timeMs: number, context: StepContext): void {
    if (timeMs <= this.lastRecordMs) return;
    const pauseMs = timeMs - this.lastRecordMs;
    const before = this.lastRecordMs;
    this.lastRecordMs = timeMs;
    const { silence } = this;
    if (silence !== null) {
      this.describeSilence(silence, timeMs, context, true);
      silence.end(context);
      this.silence = null;
      this.silentToMs = timeMs;
    } else if (before > 0 && pauseMs > this.longestPauseMs && pauseMs <= pauseWindowsMax * this.sizeMs)
      this.longestPauseMs = pauseMs;
    this.knownNeedMs = 0;
  }

  /** What was learned so far is worth nothing. */
  startOver(): void {
    this.longestPauseMs = 0;
  }

  /**
   * A whole window.
   * @param told records of it that another finding adds, or (negative) takes away
   * @param single told of a surge first; true where a single template makes it, which is another finding
   */
  judge(
    window: WindowState,
    told: number,
    history: History,
    single: (excess: number, exponent: number) => boolean,
    context: StepContext,
  ): void {
    const field = history.mean('plainCount') < 0.2 * history.mean('logCount') ? 'logCount' : 'plainCount';
    const count = Math.max(0, countOf(window, field) - told);
    this.recent.unshift(count);
    if (this.recent.length > longSpan) this.recent.pop();
    const { warmupWindows } = this.config.volumeDrop;
    if (history.size < warmupWindows) return;
    const usual = history.usual(field);
    if (this.change !== null) {
      this.goOn(this.change, window, count, usual, context);
      return;
    }
    const hourly = field === 'plainCount' ? history.hourly(window.startMs) : null;
    const levels = history.earlierLevels();
    const extremes = spans.map((windows) => history.extremes(field, windows));
    // Debug output comes and goes; both counts must agree, as classes of templates may change too.
    const all = history.usual('logCount');
    const isLower = window.logCount < 0.75 * Math.min(all.median, all.localMedian);
    const isHigher = window.logCount > 1.25 * Math.max(all.mean, all.local);
    const drop = this.dropExponent(window, count, usual, extremes, [
      ...levels,
      ...(hourly === null ? [] : [hourly.low]),
    ]);
    if (drop > 0 && isLower) this.open('volume_drop', drop, window, count, usual, context);
    const others = [...levels, ...(hourly === null ? [] : [hourly.high])];
    const surge = this.surgeExponent(window, usual, extremes, others) || this.longSurge(field, usual, others, history);
    if (surge > 0 && isHigher && !single(count - usual.local, surge))
      this.open('volume_surge', surge, window, count, usual, context);
  }

  /**
   * Between two windows: stretches that end with a beat, for what is not open yet. Pauses and what follows them are left
   * to whole windows. True where something is told.
   * @param windowOf the last beats as a window
   * @param single as for `judge`
   */
  judgeBeat(
    beats: Beats,
    beat: number,
    history: History,
    windowOf: () => WindowState,
    single: (window: WindowState, excess: number, exponent: number) => boolean,
    context: StepContext,
  ): boolean {
    if (this.isOpen || history.size < this.config.volumeDrop.warmupWindows || this.isPaused) return false;
    const field = history.mean('plainCount') < 0.2 * history.mean('logCount') ? 'logCount' : 'plainCount';
    const of = field === 'logCount' ? 'recordsOf' : 'plainOf';
    const usual = history.usual(field);
    const low = lowOf(usual) / beatsPerWindow;
    const high = Math.max(usual.mean, usual.local) / beatsPerWindow;
    const last = beats.sum(of, beat, beatDropLeast);
    const { factorMax } = this.config.volumeDrop;
    const mayDrop = last < factorMax * low * beatDropLeast;
    const sum = beats.sum(of, beat, beatsPerWindow);
    const maySurge = sum >= 10 && sum > 1.5 * high * beatsPerWindow;
    if ((!mayDrop && !maySurge) || beats.hasPause(beat, low)) return false;
    const all = history.usual('logCount');
    const hourly = field === 'plainCount' ? history.hourly(beat * beats.beatMs) : null;
    const levels = history.earlierLevels();
    const records = beats.sum('recordsOf', beat, beatsPerWindow);
    const open = (name: 'volume_drop' | 'volume_surge', exponent: number, window: WindowState): void => {
      // It began with the beats that are as odd as the last ones.
      const limit = name === 'volume_drop' ? 0.75 * low : 1.3 * high + 1;
      let first = beat;
      for (let back = 0, odd = beat; back < stretchMax && odd - (beat - back) <= 2; back++) {
        const count = beats[of](beat - back);
        if (name === 'volume_drop' ? count < limit : count > limit) first = odd = beat - back;
      }
      this.open(name, exponent, window, sum, usual, context, first * beats.beatMs);
    };
    if (mayDrop && beats.sum('recordsOf', beat, beatDropLeast) < (0.75 * beatDropLeast * lowOf(all)) / beatsPerWindow) {
      const others = [...levels, ...(hourly === null ? [] : [hourly.low])];
      const exponent = this.beatDropExponent(beats, beat, of, usual, others, history);
      if (exponent > 0) {
        open('volume_drop', exponent, windowOf());
        return true;
      }
    }
    if (maySurge && records > 1.25 * Math.max(all.mean, all.local)) {
      const others = [...levels, ...(hourly === null ? [] : [hourly.high])];
      const exponent = this.beatSurgeExponent(beats, beat, of, usual, others, field, history);
      if (exponent > 0) {
        const window = windowOf();
        if (single(window, sum - usual.local, exponent)) return false;
        open('volume_surge', exponent, window);
        return true;
      }
    }
    return false;
  }

  private beatDropExponent(
    beats: Beats,
    beat: number,
    of: 'recordsOf' | 'plainOf',
    usual: Usual,
    others: number[],
    history: History,
  ): number {
    const { enabled, tailExponent, factorMax } = this.config.volumeDrop;
    if (!enabled) return 0;
    const least = Math.min(lowOf(usual), ...others) / beatsPerWindow;
    // The least of many looks is lower than what goes on.
    const isFar = (count: number, length: number): boolean =>
      count + 2 * Math.sqrt(count) <= factorMax * length * least;
    let best = 0;
    for (const length of beatDropSpans) {
      const sum = beats.sum(of, beat, length);
      const rest = besidePause(beats, beat, length, of, least);
      if (rest.beats < beatDropLeast || !isFar(sum, length) || !isFar(rest.sum, rest.beats)) continue;
      // What is low by the end only is low in its first part by no means.
      const half = length >> 1;
      if (beats.sum(of, beat - half, length - half) > 0.75 * least * (length - half)) continue;
      const windows = length / beatsPerWindow;
      const lulls = history.leastBeats(length);
      if (lulls !== null && sum >= 0.8 * lulls) continue;
      const exponent = lowExponent(
        sum,
        windows,
        { ...usual, lowDispersion: Math.max(usual.lowDispersion, history.beatDispersion) },
        others,
      );
      if (exponent >= tailExponent + beatExponent) best = Math.max(best, exponent - beatExponent);
    }
    return best;
  }

  private beatSurgeExponent(
    beats: Beats,
    beat: number,
    of: 'recordsOf' | 'plainOf',
    usual: Usual,
    others: number[],
    field: HistoryField,
    history: History,
  ): number {
    const { enabled, tailExponent, factorMin } = this.config.volumeSurge;
    if (!enabled) return 0;
    const level = Math.max(usual.mean, usual.local);
    let hot = 0;
    for (let one = beat - beatsPerWindow + 1; one <= beat; one++)
      if (beats[of](one) > (1.3 * level) / beatsPerWindow + 1) hot++;
    if (hot < 5) return 0;
    let best = 0;
    for (const windows of [1, 2]) {
      const sum = beats.sum(of, beat, windows * beatsPerWindow);
      if (sum < 10 || sum < factorMin * windows * Math.max(level, ...others)) continue;
      // The largest of all stretches is larger than the largest window.
      if (sum < 1.4 * history.extremes(field, windows).most) continue;
      const exponent = highExponent(sum, windows, usual, others);
      if (exponent >= tailExponent + beatExponent) best = Math.max(best, exponent - beatExponent);
    }
    return best;
  }

  close(context: StepContext): void {
    this.silence?.end(context);
    this.silence = null;
    this.endChange(context);
  }

  snapshot(): VolumeSnapshot {
    return {
      silence: this.silence?.snapshot() ?? null,
      change: this.change?.snapshot() ?? null,
      last: this.last?.snapshot() ?? null,
      emptyWindows: this.emptyWindows,
      learnable: this.learnable,
      wasSilent: this.wasSilent,
      lastRecordMs: this.lastRecordMs,
      longestPauseMs: this.longestPauseMs,
      silentFromMs: this.silentFromMs,
      silentToMs: this.silentToMs,
      recent: this.recent.slice(),
      calmWindows: this.calmWindows,
      lowWindows: this.lowWindows,
      openMean: this.openMean,
    };
  }

  restore(state: VolumeSnapshot): void {
    this.silence = state.silence === null ? null : Incident.restore(state.silence);
    this.change = state.change === null ? null : Incident.restore(state.change);
    this.last = state.last === null ? null : Incident.restore(state.last);
    this.emptyWindows = state.emptyWindows;
    this.learnable = state.learnable;
    this.wasSilent = state.wasSilent;
    this.lastRecordMs = state.lastRecordMs;
    this.longestPauseMs = state.longestPauseMs;
    this.silentFromMs = state.silentFromMs;
    this.silentToMs = state.silentToMs;
    this.recent = state.recent.slice();
    this.calmWindows = state.calmWindows;
    this.lowWindows = state.lowWindows;
    this.openMean = state.openMean;
  }

  /** While it goes on nothing is written: its sentence must not tell a length. */
  private describeSilence(silence: Incident, endMs: number, context: StepContext, isOver: boolean): void {
    const { row } = silence;
    row.endMs = endMs;
    row.watermarkMs = context.watermarkMs;
    row.lateCount = context.lateCount;
    row.influencers = [{ kind: 'feature', name: 'logCount', share: 1 }];
    const lasting = isOver ? ` for ${span(endMs - row.startMs)}` : '';
    row.description = `no records${lasting} since ${clock(row.startMs, endMs)} where ${perTime(row.typical)} are typical`;
  }

  private sumOf(windows: number): number {
    let sum = 0;
    for (let i = 0; i < windows; i++) sum += this.recent[i] as number;
    return sum;
  }

  private dropExponent(window: WindowState, count: number, usual: Usual, extremes: Extremes, others: number[]): number {
    const { enabled, tailExponent, factorMax } = this.config.volumeDrop;
    if (!enabled) return 0;
    const isLow = count < factorMax * Math.min(usual.median, usual.localMedian);
    this.lowWindows = isLow ? this.lowWindows + 1 : 0;
    if (!isLow || (this.lowWindows < 2 && !isEvenlyLow(window, factorMax * usual.localMedian))) return 0;
    let best = 0;
    for (const [i, windows] of spans.entries()) {
      if (this.recent.length < windows) break;
      const sum = this.sumOf(windows);
      if (sum > factorMax * windows * Math.min(usual.median, usual.localMedian, ...others)) continue;
      if (sum >= 0.8 * (extremes[i] as { least: number }).least) continue;
      const exponent = lowExponent(sum, windows, usual, others);
      if (exponent >= tailExponent) best = Math.max(best, exponent);
    }
    return best;
  }

  private surgeExponent(window: WindowState, usual: Usual, extremes: Extremes, others: number[]): number {
    const { enabled, tailExponent, factorMin } = this.config.volumeSurge;
    if (!enabled) return 0;
    const level = Math.max(usual.mean, usual.local);
    // A lump of retries is over within seconds: it goes on for most of a window, or for two of them.
    const isEven = window.eighths.filter((count) => count > (1.3 * level) / 8 + 1).length >= 5;
    const isLong = this.recent.length > 1 && Math.min(this.recent[0] as number, this.recent[1] as number) > 1.5 * level;
    if (!isEven && !isLong) return 0;
    let best = 0;
    for (const [i, windows] of spans.entries()) {
      if (this.recent.length < windows) break;
      const sum = this.sumOf(windows);
      if (sum < 10 || sum < factorMin * windows * Math.max(usual.mean, usual.local, ...others)) continue;
      if (sum < 1.25 * (extremes[i] as { most: number }).most) continue;
      const exponent = highExponent(sum, windows, usual, others);
      if (exponent >= tailExponent) best = Math.max(best, exponent);
    }
    return best;
  }

  /** Four minutes against what was before them. */
  private longSurge(field: HistoryField, usual: Usual, others: number[], history: History): number {
    const { enabled, tailExponent, factorMin } = this.config.volumeSurge;
    if (!enabled || this.recent.length < longSpan) return 0;
    const sum = this.sumOf(longSpan);
    const local = history.span(field, longSpan, 2 * longSpan) / longSpan;
    const most = history.extremes(field, longSpan, longSpan).most;
    if (sum < factorMin * longSpan * Math.max(usual.mean, local, ...others) || sum < 1.25 * most) return 0;
    const exponent = highExponent(sum, longSpan, { ...usual, local }, others);
    return exponent >= tailExponent ? exponent : 0;
  }

  private open(
    name: 'volume_drop' | 'volume_surge',
    exponent: number,
    window: WindowState,
    count: number,
    usual: Usual,
    context: StepContext,
    startMs = window.startMs,
  ): void {
    const before = this.last;
    const isSame = before?.row.detector === name && startMs - before.row.endMs < resumeMs;
    this.change = isSame ? before : Incident.open(context, name, '', startMs);
    this.last = null;
    this.calmWindows = 0;
    this.openMean = name === 'volume_drop' ? usual.localMedian : usual.local;
    this.tell(this.change, exponent, window, count, context);
  }

  /** While it lasts it is compared with what was usual when it began. */
  private goOn(change: Incident, window: WindowState, count: number, usual: Usual, context: StepContext): void {
    const isDrop = change.row.detector === 'volume_drop';
    const { openMean } = this;
    const lasts = isDrop ? count < 0.75 * openMean : count > 1.4 * openMean;
    if (!lasts) {
      if (++this.calmWindows >= calmToEnd) this.endChange(context);
      return;
    }
    this.calmWindows = 0;
    const then = { ...usual, mean: openMean, local: openMean, median: openMean, localMedian: openMean };
    this.tell(change, isDrop ? lowExponent(count, 1, then) : highExponent(count, 1, then), window, count, context);
  }

  private tell(change: Incident, exponent: number, window: WindowState, count: number, context: StepContext): void {
    const seconds = (window.endMs - window.startMs) / 1000;
    const { row } = change;
    change.extend(window, context);
    const isDrop = row.detector === 'volume_drop';
    const isFirst = row.version === 0;
    row.score = Math.max(row.score, scoreOf(exponent));
    if (isFirst || (isDrop ? count / seconds < row.actual : count / seconds > row.actual)) {
      row.actual = count / seconds;
      row.typical = this.openMean / seconds;
      row.influencers = isDrop
        ? [{ kind: 'feature', name: 'logCount', share: 1 }]
        : topTemplates(entriesOf(window.slotRecords), context.host);
    }
    change.addSamples(window.samples);
    const rates = `records ${perTime(row.actual)}${againstRate(row.typical, row.actual)} for ${span(row.endMs - row.startMs)} since ${clock(row.startMs, row.endMs)}`;
    row.description = isDrop
      ? `${rates}, down by ${percent(1 - row.actual / row.typical)}`
      : `${rates}${times(row.actual, row.typical)}${mostly(row.influencers)}`;
    change.write(context);
  }

  private endChange(context: StepContext): void {
    this.calmWindows = 0;
    this.lowWindows = 0;
    if (this.change === null) return;
    this.change.end(context);
    this.last = this.change;
    this.change = null;
  }
}

/**
 * What is left of a stretch without the longest pause in it, which may be a restart, and the beats at its edges.
 * @param usual records of a beat
 */
function besidePause(
  beats: Beats,
  last: number,
  length: number,
  of: 'recordsOf' | 'plainOf',
  usual: number,
): { sum: number; beats: number } {
  const first = last - length + 1;
  let [from, to, start] = [first, first, first];
  for (let beat = first; beat <= last; beat++) {
    if (beats[of](beat) > 0) start = beat + 1;
    else if (beat + 1 - start > to - from) [from, to] = [start, beat + 1];
  }
  const sum = beats.sum(of, last, length);
  if ((to - from) * usual < pauseRecordsMin) return { sum, beats: length };
  const edges = [from - 1, to].filter((beat) => beat >= first && beat <= last);
  return {
    sum: sum - edges.reduce((all, beat) => all + beats[of](beat), 0),
    beats: length - (to - from) - edges.length,
  };
}

function lowOf({ median, localMedian }: Usual): number {
  return Math.min(median, localMedian);
}

/**
 * Low throughout, not only for the length of a restart: seven of its eighths are, its last ones are not empty, and what
 * lies beside the longest pause in it, its edges left out, is low too.
 */
function isEvenlyLow(window: WindowState, limit: number): boolean {
  const { eighths } = window;
  let low = 0;
  let [pauseFrom, pauseTo, from] = [0, 0, 0];
  for (let i = 0; i < 8; i++) {
    if ((eighths[i] as number) < limit / 8 + 1) low++;
    if ((eighths[i] as number) > 0) from = i + 1;
    else if (i + 1 - from > pauseTo - pauseFrom) [pauseFrom, pauseTo] = [from, i + 1];
  }
  const tail = (eighths[7] as number) + (eighths[6] as number) + (eighths[5] as number);
  if (low < 7 || (tail === 0 && limit >= 8)) return false;
  if (pauseTo - pauseFrom < 2) return true;
  let [beside, left] = [0, 0];
  for (let i = 0; i < 8; i++) {
    if (i >= pauseFrom - 1 && i <= pauseTo) continue;
    beside++;
    left += eighths[i] as number;
  }
  return beside > 0 && left < (limit * beside) / 8;
}
