/**
 * Tracks: the numbers of one template and place, as mean and scatter of their logarithm by window, by blocks of five
 * minutes, and by blocks of three hours. Bounded in number; O(1) per number.
 */
import { doubleBytes, doublesFrom } from '#protocol/number-bytes.ts';
import { logOf, type ObservedEvent, sampleOf, type WindowState } from '#analysis/windows/mod.ts';

/** Places of a template that are looked at: its first numbers and, of more, its last ones, as times stand at the end. */
const firstPlaces = 3;
const placesMax = 5;
/** Windows over which the past fades to 1/e, and after which a track without values is given up. */
const horizonWindows = 120;
const idleWindowsMax = 240;
const blockMs = 5 * 60_000;
const blocksMax = 18;
const longMs = 3 * 3_600_000;
/** Three-hour blocks kept: today and yesterday. */
const longsMax = 16;
const longCountMin = 200;
/** Different values of a place of codes at most. */
const codesMax = 10;

export interface Track {
  slot: number;
  place: number;
  /** Since the last closed window. */
  count: number;
  sum: number;
  squares: number;
  rises: number;
  lastValue: number;
  /** Of these, what windows before brought: too few to be judged. */
  countBefore: number;
  sumBefore: number;
  /** 1 where the template's text says that it is a time. */
  timed: number;
  /** What single values are cut to: the mean and five deviations. */
  low: number;
  high: number;
  /** Windows learned. */
  learned: number;
  mean: number;
  variance: number;
  /** Variance of single values within a window. */
  spread: number;
  rising: number;
  idle: number;
  /** Windows in a row that were too high, since when, the mean of the last one, and its deviations. */
  highWindows: number;
  highFromMs: number;
  level: number;
  z: number;
  /** Of the present block, and of the present three hours. */
  blockCount: number;
  blockSum: number;
  longCount: number;
  longSum: number;
  /** A body of high windows. */
  sample: string;
  /** All values, while they are few and three whole digits each; `varied` once they are not. */
  codes: number[];
  /** Level and count of each block, oldest first. */
  levels: Float32Array<ArrayBuffer>;
  counts: Float32Array<ArrayBuffer>;
  /** Level of each three hours, oldest first; NaN: too few values. */
  longs: Float32Array<ArrayBuffer>;
}

/** Numbers of a track that move with records, and those that move when a window closes, in the order of their lists. */
const movingNumbers = ['count', 'sum', 'squares', 'rises', 'lastValue'] as const;
const learnedNumbers = [
  'slot',
  'place',
  'learned',
  'mean',
  'variance',
  'spread',
  'rising',
  'idle',
  'highWindows',
  'highFromMs',
  'level',
  'z',
  'blockCount',
  'blockSum',
  'longCount',
  'longSum',
  'countBefore',
  'sumBefore',
  'timed',
  'low',
  'high',
] as Exclude<keyof Track, 'sample' | 'codes' | 'levels' | 'counts' | 'longs'>[];
/** And whether it has a series. */
const learnedWidth = learnedNumbers.length + 1;
const seriesLength = 2 * blocksMax + longsMax;

export interface TracksSnapshot {
  /** Doubles as bytes, track after track; samples and codes are rare and lie beside them. */
  moving: { numbers: Uint8Array; samples: string[]; codes: number[][] };
  /** Doubles and 32-bit floats as bytes. */
  learned: { numbers: Uint8Array; series: Uint8Array; blocks: number };
}

export class Tracks {
  all: Track[] = [];
  /** Rises when a record changes the list of tracks. */
  version = 0;
  /** Blocks kept so far. */
  blocks = 0;
  readonly blocksMax = blocksMax;
  readonly blockMs = blockMs;
  private readonly tracksMax: number;
  private readonly sizeMs: number;
  /** Index of the track of slot × placesMax + place, plus one; 0: none. A memo of `all`. */
  private index = new Int16Array(0);

  constructor(tracksMax: number, sizeMs: number) {
    this.tracksMax = tracksMax;
    this.sizeMs = sizeMs;
  }

  /** Hot path; benchmark: loadtest/bench/windows.bench.ts. */
  observe(event: ObservedEvent): void {
    const slot = event.templateSlot;
    if (event.isNewTemplate) this.forget(slot);
    const places = Math.min(event.numberCount, placesMax);
    for (let place = 0; place < places; place++) {
      const number = place < firstPlaces ? place : event.numberCount - 1 - (place - firstPlaces);
      const value = event.numbers[number] as number;
      if (!(value > 0) || value === Number.POSITIVE_INFINITY) continue;
      const at = slot * placesMax + place;
      const known = at < this.index.length ? (this.index[at] as number) : 0;
      const track = known > 0 ? (this.all[known - 1] as Track) : this.begin(slot, place);
      if (track === null) continue;
      // A number at another place than usual, or a broken one, must not outweigh all others.
      const log = Math.max(track.low, Math.min(track.high, logOf(value)));
      track.count++;
      track.sum += log;
      track.squares += log * log;
      if (value > track.lastValue) track.rises++;
      track.lastValue = value;
      if (track.codes !== varied) noteCode(track, value);
      if (track.highWindows > 0 && track.sample === '') track.sample = sampleOf(event.bytes, event.start, event.end);
    }
  }

  /** Statistics of the window that closes, which begins anew. */
  takeWindow(track: Track): { mean: number; spread: number; rising: number; count: number } {
    const { count } = track;
    const mean = track.sum / count;
    const spread = Math.max(0, track.squares / count - mean * mean);
    const rising = track.rises / count;
    this.toBlock(track);
    track.rises = 0;
    track.idle = 0;
    return { mean, spread, rising, count };
  }

  learn(track: Track, mean: number, spread: number, rising: number, z: number): void {
    track.learned++;
    const rate = 1 / Math.min(track.learned, horizonWindows);
    // Outliers teach no more than three deviations.
    const clip = track.learned > 10 && Math.abs(z) > 3 ? 3 / Math.abs(z) : 1;
    const difference = (mean - track.mean) * clip;
    track.mean += rate * difference;
    track.variance = (1 - rate) * (track.variance + rate * difference * difference);
    const spreadClipped = track.learned > 10 ? Math.min(spread, 4 * track.spread + 0.002) : spread;
    track.spread += rate * (spreadClipped - track.spread);
    track.rising += rate * (rising - track.rising);
    if (track.learned < 10) return;
    const reach = Math.max(2, 5 * Math.sqrt(track.spread));
    track.low = track.mean - reach;
    track.high = track.mean + reach;
  }

  blockEnds(window: WindowState): boolean {
    return Math.floor(window.endMs / blockMs) !== Math.floor((window.endMs - this.sizeMs) / blockMs);
  }

  /** Ends the present block of a track, and its three hours where those are over. */
  pushBlock(track: Track): void {
    if (track.count > 0) this.toBlock(track);
    if (track.timed === 1 && track.levels.length === 0) this.keepSeries(track);
    shift(track.levels, track.blockCount === 0 ? 0 : track.blockSum / track.blockCount);
    shift(track.counts, track.blockCount);
    track.longCount += track.blockCount;
    track.longSum += track.blockSum;
    track.blockCount = 0;
    track.blockSum = 0;
  }

  /** Only times are looked at for slow rises, and only they need their past. */
  private keepSeries(track: Track): void {
    track.levels = new Float32Array(blocksMax);
    track.counts = new Float32Array(blocksMax);
    track.longs = new Float32Array(longsMax).fill(Number.NaN);
  }

  /** Ends three hours of all tracks; called with blocks, as often as they are over. */
  pushLong(): void {
    for (const track of this.all) {
      shift(track.longs, track.longCount < longCountMin ? Number.NaN : track.longSum / track.longCount);
      track.longCount = 0;
      track.longSum = 0;
    }
  }

  longEnds(endMs: number): boolean {
    return Math.floor(endMs / longMs) !== Math.floor((endMs - blockMs) / longMs);
  }

  blocksOf(track: Track): [Float32Array, Float32Array] {
    const from = track.levels.length === 0 ? 0 : blocksMax - this.blocks;
    return [track.levels.subarray(from), track.counts.subarray(from)];
  }

  /** Records of a track over its scatter: how much its mean is worth. */
  weightOf(track: Track): number {
    let count = 0;
    for (const one of track.counts) count += one;
    return count / Math.max(track.spread, 0.01);
  }

  /** All tracks as one: their levels above their own mean over the blocks, each weighing what it is worth. */
  together(tracks: readonly Track[]): [Float64Array, Float64Array] {
    const levels = new Float64Array(this.blocks);
    const weights = new Float64Array(this.blocks);
    for (const track of tracks) {
      const [own, counts] = this.blocksOf(track);
      let sum = 0;
      let count = 0;
      for (let i = 0; i < own.length; i++) {
        sum += (own[i] as number) * (counts[i] as number);
        count += counts[i] as number;
      }
      // A track that came or went in between would tell of that, not of times.
      if (count === 0 || own.length === 0 || counts.some((one) => one === 0)) continue;
      for (let i = 0; i < own.length; i++) {
        const weight = (counts[i] as number) / Math.max(track.spread, 0.01);
        levels[i]! += weight * ((own[i] as number) - sum / count);
        weights[i]! += weight;
      }
    }
    for (let i = 0; i < levels.length; i++) if ((weights[i] as number) > 0) levels[i]! /= weights[i] as number;
    return [levels, weights];
  }

  /** Least rise of the last day's three hours over those of the day before; 0 where they are not all known. */
  dailyRise(track: Track): number {
    if (track.longs.length === 0) return 0;
    let least = Number.POSITIVE_INFINITY;
    // The newest three at least: what rose once, at night, is not rising.
    for (let back = 0; back < 3; back++) {
      const now = track.longs[longsMax - 1 - back] as number;
      const then = track.longs[longsMax - 9 - back] as number;
      if (Number.isNaN(now) || Number.isNaN(then)) return 0;
      least = Math.min(least, now - then);
    }
    return least;
  }

  clearBlocks(): void {
    this.blocks = 0;
  }

  get isFull(): boolean {
    return this.all.length >= this.tracksMax;
  }

  has(slot: number): boolean {
    const from = slot * placesMax;
    for (let at = from; at < Math.min(from + placesMax, this.index.length); at++) if (this.index[at] !== 0) return true;
    return false;
  }

  /** Gives up what tells no times, as a template that does is to be followed. */
  makeRoom(): void {
    let room = placesMax;
    this.all = this.all.filter(
      ({ timed, learned, highWindows }) => timed === 1 || learned === 0 || highWindows > 0 || room-- <= 0,
    );
    this.reindex();
  }

  prune(): void {
    if (!this.all.some(({ idle }) => idle > idleWindowsMax)) return;
    this.all = this.all.filter(({ idle }) => idle <= idleWindowsMax);
    this.reindex();
  }

  movingState(): TracksSnapshot['moving'] {
    const numbers = this.all.flatMap((track) => movingNumbers.map((key) => track[key]));
    return {
      numbers: doubleBytes(numbers),
      samples: this.all.map(({ sample }) => sample),
      codes: this.all.map(({ codes }) => codes.slice()),
    };
  }

  learnedState(): TracksSnapshot['learned'] {
    const numbers = this.all.flatMap((track) => [
      ...learnedNumbers.map((key) => track[key]),
      track.levels.length > 0 ? 1 : 0,
    ]);
    const kept = this.all.filter(({ levels }) => levels.length > 0);
    const series = new Float32Array(kept.length * seriesLength);
    for (const [i, { levels, counts, longs }] of kept.entries()) {
      series.set(levels, i * seriesLength);
      series.set(counts, i * seriesLength + blocksMax);
      series.set(longs, i * seriesLength + 2 * blocksMax);
    }
    return { numbers: doubleBytes(numbers), series: new Uint8Array(series.buffer), blocks: this.blocks };
  }

  restore({ moving, learned }: TracksSnapshot): void {
    const moved = doublesFrom(moving.numbers);
    const known = doublesFrom(learned.numbers);
    const series = new Float32Array(Uint8Array.from(learned.series).buffer);
    this.blocks = learned.blocks;
    let from = 0;
    this.all = moving.samples.map((sample, i) => {
      const track = emptyTrack(0, 0);
      for (const [at, key] of movingNumbers.entries()) track[key] = moved[i * movingNumbers.length + at] as number;
      for (const [at, key] of learnedNumbers.entries()) track[key] = known[i * learnedWidth + at] as number;
      track.sample = sample;
      const codes = moving.codes[i] as number[];
      track.codes = codes[0] === varied[0] ? varied : codes.slice();
      if (known[(i + 1) * learnedWidth - 1] === 0) return track;
      this.keepSeries(track);
      track.levels.set(series.subarray(from, from + blocksMax));
      track.counts.set(series.subarray(from + blocksMax, from + 2 * blocksMax));
      track.longs.set(series.subarray(from + 2 * blocksMax, from + seriesLength));
      from += seriesLength;
      return track;
    });
    this.reindex();
  }

  private toBlock(track: Track): void {
    track.blockCount += track.count;
    track.blockSum += track.sum;
    track.count = 0;
    track.sum = 0;
    track.squares = 0;
    track.countBefore = 0;
    track.sumBefore = 0;
  }

  private begin(slot: number, place: number): Track | null {
    if (this.all.length >= this.tracksMax || slot > 65_535) return null;
    const track = emptyTrack(slot, place);
    this.version++;
    this.all.push(track);
    this.reindex();
    return track;
  }

  /** The slot has another template now. */
  private forget(slot: number): void {
    if (!this.all.some((track) => track.slot === slot)) return;
    this.version++;
    this.all = this.all.filter((track) => track.slot !== slot);
    this.reindex();
  }

  private reindex(): void {
    const last = this.all.reduce((most, { slot }) => Math.max(most, slot), -1);
    if ((last + 1) * placesMax > this.index.length) this.index = new Int16Array((last + 1) * placesMax * 2);
    else this.index.fill(0);
    for (const [i, { slot, place }] of this.all.entries()) this.index[slot * placesMax + place] = i + 1;
  }
}

/** In place of the codes of a track whose values are none. */
const varied: number[] = [0];

function noteCode(track: Track, value: number): void {
  if (track.codes.includes(value)) return;
  if (value >= 100 && value < 1000 && Number.isInteger(value) && track.codes.length < codesMax) track.codes.push(value);
  else track.codes = varied;
}

/** The place tells codes (200, 404, 500), which are no measure: few values, and far from each other. */
export function isCodes({ codes }: Track): boolean {
  return codes !== varied && codes.length > 0 && Math.max(...codes) - Math.min(...codes) >= 8 * codes.length;
}

/** The text says that the place is no code. */
export function takeForMeasure(track: Track): void {
  track.codes = varied;
}

function shift(series: Float32Array, value: number): void {
  if (series.length === 0) return;
  series.copyWithin(0, 1);
  series[series.length - 1] = value;
}

export function emptyTrack(slot: number, place: number): Track {
  return {
    slot,
    place,
    count: 0,
    sum: 0,
    squares: 0,
    rises: 0,
    lastValue: 0,
    learned: 0,
    mean: 0,
    variance: 0,
    spread: 0,
    rising: 0,
    idle: 0,
    highWindows: 0,
    highFromMs: 0,
    level: 0,
    z: 0,
    blockCount: 0,
    blockSum: 0,
    longCount: 0,
    longSum: 0,
    sample: '',
    codes: [],
    countBefore: 0,
    sumBefore: 0,
    timed: 0,
    low: -100,
    high: 100,
    levels: new Float32Array(0),
    counts: new Float32Array(0),
    longs: new Float32Array(0),
  };
}
