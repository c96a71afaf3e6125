/**
 * What is usual for a service: the counts of the last windows, its longest silences, its week hour by hour, and the
 * levels it has been at before. O(1) per window to keep; questions are O(windows) and asked once per window.
 */
import { classes, type WindowState } from '#analysis/windows/mod.ts';
import { int32Bytes, int32From } from '#protocol/number-bytes.ts';
import { type Beats, beatsPerWindow } from './beats.ts';
import { lowerTailExponent, upperTailExponent } from './tails.ts';

/** Counts kept per window. Integers, so that running sums never drift. `plainCount` is all but debug output. */
export const historyFields = ['logCount', 'plainCount', 'warnCount', 'errorCount'] as const;
export type HistoryField = (typeof historyFields)[number];
/**
 * And of its beats: twice the squared differences of those below their median, and the least plain records in so many
 * beats in a row that end in it.
 */
const beatFields = ['scatter', 'lull', 'calm'] as const;
const fields = [...historyFields, ...beatFields];
type KeptField = (typeof fields)[number];
const width = fields.length;
const lengths = { lull: 4, calm: beatsPerWindow } as const;
/** Of a window with a pause in it: none. */
const noLull = 2 ** 30;
/** Silences that must be told before their length counts as known. */
const silencesToLearn = 4;
const hourMs = 3_600_000;
const weekHours = 168;
/** Windows that say what is usual right now: not the very last, which may belong to what is about to be found. */
const localWindows = 10;
const localLag = 3;
/** And not to say what has been the most and the least. */
const extremesLag = 6;
/** Earlier normal levels that are remembered, and for how many windows. */
const levelsMax = 3;
const levelWindowsMax = 1440;
/** Least relative deviation between windows. */
const relativeFloor = 0.06;

export interface HistorySnapshot {
  /** Field after field, window after window, oldest first: 32-bit integers as bytes. */
  values: Uint8Array;
  longestEmptyRun: number;
  silences: number[];
  skipped: number;
  /** Hour of the week, mean of `plainCount`, windows … */
  week: number[];
  /** Mean of `plainCount`, windows since … */
  levels: number[];
}

/** Count of a window; errors include critical and fatal ones here. */
export function countOf(window: WindowState, field: HistoryField): number {
  switch (field) {
    case 'logCount':
      return window.logCount;
    case 'plainCount':
      return window.logCount - (window.counts[classes.debug] as number);
    case 'warnCount':
      return window.counts[classes.warn] as number;
    case 'errorCount':
      return window.failures;
  }
}

/** What is usual for one count. */
export interface Usual {
  /** Windows it rests on. */
  size: number;
  mean: number;
  /** Mean of the last few windows. */
  local: number;
  /** Variance over mean, of differences between neighbours: what a slow change of level does not raise. At least 1. */
  dispersion: number;
  /** Median, of all and of the last few windows, and the scatter below it over it: jobs and bursts do not raise them. */
  median: number;
  localMedian: number;
  lowDispersion: number;
}

export class History {
  /** Windows in it. */
  size = 0;
  /** Longest run of empty windows that was followed by records. */
  longestEmptyRun = 0;
  /** Lengths of the silences told last. */
  private silences: number[] = [];
  /** Windows left out of the present incident. */
  skipped = 0;
  private readonly capacity: number;
  private readonly ring: Float64Array;
  private at = 0;
  private readonly sums = new Float64Array(width);
  private readonly weekMeans = new Float64Array(weekHours);
  private readonly weekWindows = new Int32Array(weekHours);
  private levels: { mean: number; age: number }[] = [];
  /** Answers since the history moved. */
  private readonly usuals = new Map<HistoryField, Usual>();
  private readonly mostAndLeast = new Map<string, { most: number; least: number }>();

  constructor(capacity: number) {
    this.capacity = capacity;
    this.ring = new Float64Array(capacity * width);
  }

  push(window: WindowState, beats: Beats): void {
    this.take([...historyFields.map((field) => countOf(window, field)), ...this.beatsOf(window, beats)]);
    this.learnHour(window.startMs, countOf(window, 'plainCount'));
  }

  /** A run of empty windows came to its end; `learned` of them are part of what is usual. */
  pushEmptyRun(windows: number, learned: number): void {
    if (windows > this.longestEmptyRun) this.longestEmptyRun = windows;
    for (let i = 0; i < Math.min(learned, this.capacity); i++) this.take(new Array(width).fill(0));
  }

  /** What is counted has changed: all windows had about this many. */
  flatten(field: HistoryField, mean: number): void {
    // Whole numbers that add up to the mean.
    for (let back = 0; back < this.size; back++)
      this.put(field, back, Math.floor((back + 1) * mean) - Math.floor(back * mean));
  }

  /** The newest windows were the beginning of an incident: their counts are none that are usual. */
  soften(field: HistoryField, windows: number): void {
    const count = Math.min(windows, this.size - 1);
    if (count <= 0) return;
    const usual = Math.round(this.span(field, count, this.size) / (this.size - count));
    for (let back = 0; back < count; back++) this.put(field, back, Math.min(usual, this.value(field, back)));
  }

  /** The week's hour, whatever is going on: an hour that is odd once is not the only one of its kind for long. */
  learnHour(startMs: number, plainCount: number): void {
    const hour = hourOf(startMs);
    const windows = Math.min((this.weekWindows[hour] as number) + 1, 240);
    this.weekWindows[hour] = windows;
    this.weekMeans[hour]! += (plainCount - (this.weekMeans[hour] as number)) / windows;
  }

  /** A silence that was told came to its end. Only what has come back several times is this service's way. */
  noteSilence(windows: number): void {
    this.silences.push(windows);
    if (this.silences.length < silencesToLearn) return;
    this.longestEmptyRun = Math.max(this.longestEmptyRun, Math.min(...this.silences));
    this.silences.shift();
  }

  /** The present incident is the new normal: all windows from here on are new, and the old level is remembered. */
  adopt(): void {
    this.forgetAnswers();
    this.levels.push({ mean: this.mean('plainCount'), age: 0 });
    if (this.levels.length > levelsMax) this.levels.shift();
    this.size = 0;
    this.at = 0;
    this.sums.fill(0);
    this.ring.fill(0);
  }

  sum(field: KeptField): number {
    return this.sums[fields.indexOf(field)] as number;
  }

  mean(field: KeptField): number {
    return this.size === 0 ? 0 : this.sum(field) / this.size;
  }

  /** Count of the window that is `back` windows before the newest one (0). */
  value(field: KeptField, back: number): number {
    const at = (this.at - 1 - back + 2 * this.capacity) % this.capacity;
    return this.ring[at * width + fields.indexOf(field)] as number;
  }

  /** Sum of the windows [from, to) before the newest, newest first. */
  span(field: HistoryField, from: number, to: number): number {
    let sum = 0;
    for (let back = from; back < Math.min(to, this.size); back++) sum += this.value(field, back);
    return sum;
  }

  usual(field: HistoryField): Usual {
    let usual = this.usuals.get(field);
    if (usual === undefined) this.usuals.set(field, (usual = this.usualOf(field)));
    return usual;
  }

  private usualOf(field: HistoryField): Usual {
    const { size } = this;
    const mean = this.mean(field);
    let squares = 0;
    let before = 0;
    for (let back = 0; back < size; back++) {
      const value = this.value(field, back);
      if (back > 0) squares += (value - before) ** 2;
      before = value;
    }
    const local =
      size <= localLag
        ? mean
        : this.span(field, localLag, localLag + localWindows) / Math.min(size - localLag, localWindows);
    const dispersion = size < 3 || mean === 0 ? 1 : squares / (2 * (size - 1) * mean);
    const values = Float64Array.from({ length: size }, (_, back) => this.value(field, back));
    const localMedian = medianOf(values.slice(Math.min(localLag, size - 1), localLag + localWindows));
    const median = medianOf(values);
    let below = 0;
    for (const value of values) if (value < median) below += (value - median) ** 2;
    const lowDispersion = size < 3 || median === 0 ? 1 : Math.max(1, (2 * below) / (size * median));
    return {
      size,
      mean,
      local,
      dispersion: Math.max(1, dispersion),
      median,
      localMedian,
      lowDispersion,
    };
  }

  /** Usual mean of a window of now by the same hour of other days (least and most); null before a day has passed. */
  hourly(startMs: number): { low: number; high: number } | null {
    const hour = hourOf(startMs);
    let low = Number.POSITIVE_INFINITY;
    let high = -1;
    for (let day = 1; day < 7; day++) {
      // The neighbours as well: a daily job may start at half past.
      for (let near = -1; near <= 1; near++) {
        const at = (hour + day * 24 + near + weekHours) % weekHours;
        if ((this.weekWindows[at] as number) < 20) continue;
        low = Math.min(low, this.weekMeans[at] as number);
        high = Math.max(high, this.weekMeans[at] as number);
      }
    }
    return high < 0 ? null : { low, high };
  }

  /** Largest and least sum of so many windows in a row, the last ones left out, which may belong to what is judged. */
  extremes(field: KeptField, windows: number, lag = extremesLag): { most: number; least: number } {
    const key = `${field} ${windows} ${lag}`;
    let extremes = this.mostAndLeast.get(key);
    if (extremes === undefined) this.mostAndLeast.set(key, (extremes = this.extremesOf(field, windows, lag)));
    return extremes;
  }

  private extremesOf(field: KeptField, windows: number, lag: number): { most: number; least: number } {
    let sum = 0;
    let most = 0;
    let least = Number.POSITIVE_INFINITY;
    for (let back = lag; back < this.size; back++) {
      sum += this.value(field, back);
      if (back >= lag + windows) sum -= this.value(field, back - windows);
      if (back < lag + windows - 1) continue;
      most = Math.max(most, sum);
      least = Math.min(least, sum);
    }
    return { most, least: least === Number.POSITIVE_INFINITY ? 0 : least };
  }

  /** Least plain records of so many beats in a row in the past hour; null where that is not known. */
  leastBeats(length: number): number | null {
    const field = length === lengths.lull ? 'lull' : length === lengths.calm ? 'calm' : null;
    if (field === null || this.size <= extremesLag) return null;
    const least = this.extremes(field, 1).least;
    return least >= noLull ? null : least;
  }

  /** Variance over mean of the records of a beat, as scattered below their median. */
  get beatDispersion(): number {
    const mean = this.mean('logCount') / beatsPerWindow;
    return mean === 0 ? 1 : this.mean('scatter') / (beatsPerWindow - 1) / mean;
  }

  private beatsOf(window: WindowState, beats: Beats): number[] {
    const middle = medianOf(Float64Array.from(window.eighths));
    let scatter = 0;
    for (const count of window.eighths) if (count < middle) scatter += 2 * (count - middle) ** 2;
    const last = Math.round(window.endMs / beats.beatMs) - 1;
    const usual = this.size === 0 ? 0 : this.usual('plainCount').median / beatsPerWindow;
    const least = { lull: noLull, calm: noLull };
    for (let beat = last - beatsPerWindow + 1; beat <= last; beat++) {
      if (beats.hasPause(beat, usual)) continue;
      for (const field of ['lull', 'calm'] as const)
        least[field] = Math.min(least[field], beats.sum('plainOf', beat, lengths[field]));
    }
    return [Math.round(scatter), least.lull, least.calm];
  }

  /** Levels of `plainCount` that were normal before. */
  earlierLevels(): number[] {
    return this.levels.map(({ mean }) => mean);
  }

  snapshot(): HistorySnapshot {
    const values: number[] = [];
    for (let back = this.size - 1; back >= 0; back--) for (const field of fields) values.push(this.value(field, back));
    const week: number[] = [];
    for (let hour = 0; hour < weekHours; hour++)
      if ((this.weekWindows[hour] as number) > 0)
        week.push(hour, this.weekMeans[hour] as number, this.weekWindows[hour] as number);
    return {
      values: int32Bytes(Int32Array.from(values)),
      silences: this.silences.slice(),
      longestEmptyRun: this.longestEmptyRun,
      skipped: this.skipped,
      week,
      levels: this.levels.flatMap(({ mean, age }) => [mean, age]),
    };
  }

  static restore(capacity: number, state: HistorySnapshot): History {
    const history = new History(capacity);
    const values = int32From(state.values);
    const skip = Math.max(0, values.length - capacity * width);
    for (let i = skip; i < values.length; i += width) history.take(values.subarray(i, i + width));
    history.longestEmptyRun = state.longestEmptyRun;
    history.silences = state.silences.slice();
    history.skipped = state.skipped;
    const { week } = state;
    for (let i = 0; i < week.length; i += 3) {
      history.weekMeans[week[i] as number] = week[i + 1] as number;
      history.weekWindows[week[i] as number] = week[i + 2] as number;
    }
    history.levels = [];
    for (let i = 0; i < state.levels.length; i += 2)
      history.levels.push({ mean: state.levels[i] as number, age: state.levels[i + 1] as number });
    return history;
  }

  private forgetAnswers(): void {
    this.usuals.clear();
    this.mostAndLeast.clear();
  }

  private put(field: HistoryField, back: number, value: number): void {
    this.forgetAnswers();
    const index = fields.indexOf(field);
    const at = ((this.at - 1 - back + 2 * this.capacity) % this.capacity) * width + index;
    this.sums[index]! += value - (this.ring[at] as number);
    this.ring[at] = value;
  }

  private take(values: ArrayLike<number>): void {
    this.forgetAnswers();
    const from = this.at * width;
    for (let field = 0; field < width; field++) {
      const value = values[field] as number;
      this.sums[field]! += value - (this.ring[from + field] as number);
      this.ring[from + field] = value;
    }
    this.at = (this.at + 1) % this.capacity;
    if (this.size < this.capacity) this.size++;
    for (const level of this.levels) level.age++;
    if (this.levels.length > 0) this.levels = this.levels.filter(({ age }) => age < levelWindowsMax);
  }
}

/** Sorts the values in place; 0 where there are none. */
function medianOf(values: Float64Array): number {
  if (values.length === 0) return 0;
  values.sort();
  const half = values.length >> 1;
  const upper = values[half] as number;
  return values.length % 2 === 1 ? upper : (upper + (values[half - 1] as number)) / 2;
}

function hourOf(timeMs: number): number {
  return Math.floor(timeMs / hourMs) % weekHours;
}

/** Variance of the sum of `windows` windows around a mean of one, with what is not known about the mean itself. */
export function varianceOf(mean: number, windows: number, size: number, dispersion: number): number {
  const sum = mean * windows;
  const relative = relativeFloor * sum;
  return sum * dispersion + relative * relative + ((windows * windows) / size) * (mean * dispersion + 0.5);
}

/** −log10 of the chance of so many, or more, in `windows` windows: the least over all that may be usual. */
export function highExponent(count: number, windows: number, usual: Usual, others: readonly number[] = []): number {
  const { size, dispersion } = usual;
  let least = Number.POSITIVE_INFINITY;
  for (const mean of [usual.mean, usual.local, ...others]) {
    const expected = Math.max(mean, 0.5 / size);
    least = Math.min(
      least,
      upperTailExponent(count, expected * windows, varianceOf(expected, windows, size, dispersion)),
    );
  }
  return least;
}

/** −log10 of the chance of so few, or fewer, in `windows` windows: the least over all that may be usual. */
export function lowExponent(count: number, windows: number, usual: Usual, others: readonly number[] = []): number {
  const { size, lowDispersion } = usual;
  let least = Number.POSITIVE_INFINITY;
  for (const mean of [usual.median, usual.localMedian, ...others]) {
    const variance = varianceOf(mean, windows, size, lowDispersion);
    least = Math.min(least, mean <= 0 ? 0 : lowerTailExponent(count, mean * windows, variance));
  }
  return least;
}
