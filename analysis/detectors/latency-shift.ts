/**
 * The numbers in a template's places (a latency, a size) against their own past: one track per template and place,
 * on a logarithmic scale. A step to higher values that lasts is found; what only counts up (ids, sequence numbers)
 * or never changes is no measurement and left alone.
 */
import { bucketMiddle, bucketOf, type ObservedEvent, sampleOf, type WindowState } from '#analysis/windows/mod.ts';
import { doublesFrom } from '#protocol/number-bytes.ts';
import type { DetectorsConfig } from './config.ts';
import { figure, span } from './describe.ts';
import { Incident, type IncidentSnapshot, type StepContext, templateText } from './incident.ts';
import { normalTailExponent, scoreOf } from './tails.ts';

/** Places of a template that are looked at. */
const placesMax = 3;
/** Windows over which the past fades to 1/e, and after which a track without values is given up. */
const horizonWindows = 120;
const idleWindowsMax = 240;
/** Buckets per power of two of `bucketOf`. */
const bucketsPerOctave = 8;
/** Least deviation of a window's mean, in buckets: what rounding to buckets gives. */
const deviationFloor = 0.25;
/** Values that vary by less than this many buckets are settings, not measurements. */
const spreadMin = 0.5;
/** A larger share of values above the one before means a counter. */
const risingMax = 0.75;

interface Track {
  slot: number;
  place: number;
  /** Since the last closed window, in buckets. */
  count: number;
  sum: number;
  squares: number;
  rises: number;
  lastValue: number;
  /** Windows learned. */
  learned: number;
  mean: number;
  variance: number;
  /** Of single values within a window. */
  spread: number;
  rising: number;
  idle: number;
  /** Windows in a row that were too high, since when, the mean of the last one, and its deviations. */
  highWindows: number;
  highFromMs: number;
  level: number;
  z: number;
  /** A body of those windows. */
  sample: string;
}

/** Numbers of a track that move with records, and those that move when a window closes, as their lists give them. */
const movingWidth = 5;
const learnedWidth = 12;

export interface LatencyShiftSnapshot {
  /** Doubles as bytes, track after track. */
  moving: { numbers: Uint8Array; samples: string[] };
  learned: { numbers: Uint8Array; incident: IncidentSnapshot | null };
}

export class LatencyShiftDetector {
  private readonly config: DetectorsConfig['latencyShift'];
  private tracks: Track[] = [];
  /** One for all tracks: what slows a service down shows in many of its messages. */
  private incident: Incident | null = null;
  private shiftSum = 0;
  private shiftCount = 0;
  /** Rises when `learnedState()` would say something else than before. */
  learnedVersion = 0;
  /** Index of the track of slot × placesMax + place, plus one; 0: none. A memo of `tracks`. */
  private index = new Int16Array(0);

  constructor(config: DetectorsConfig['latencyShift']) {
    this.config = config;
  }

  /** Mean shift over all measurements in the window just closed, in powers of two; 0 where there are none. */
  get shift(): number {
    return this.shiftCount === 0 ? 0 : this.shiftSum / this.shiftCount;
  }

  get isOpen(): boolean {
    return this.incident !== null;
  }

  /** A record, not late. */
  observe(event: ObservedEvent): void {
    const slot = event.templateSlot;
    if (event.isNewTemplate) this.forget(slot);
    const places = Math.min(event.numberCount, placesMax);
    for (let place = 0; place < places; place++) {
      const value = event.numbers[place] as number;
      if (!(value > 0) || value === Number.POSITIVE_INFINITY) continue;
      const at = slot * placesMax + place;
      const known = at < this.index.length ? (this.index[at] as number) : 0;
      const track = known > 0 ? (this.tracks[known - 1] as Track) : this.begin(slot, place);
      if (track === null) continue;
      const bucket = bucketOf(value);
      track.count++;
      track.sum += bucket;
      track.squares += bucket * bucket;
      if (value > track.lastValue) track.rises++;
      track.lastValue = value;
      if (track.highWindows > 0 && track.sample === '') track.sample = sampleOf(event.bytes, event.start, event.end);
    }
  }

  windowClosed(window: WindowState, context: StepContext): void {
    this.shiftSum = 0;
    this.shiftCount = 0;
    let worst: Track | null = null;
    for (const track of this.tracks) {
      if (track.count >= this.config.countMin) this.judge(track, window);
      else track.idle++;
      const high = track.highWindows >= (this.incident === null ? this.config.windowsMin : 1);
      if (high && track.z > (worst?.z ?? 0)) worst = track;
    }
    if (worst !== null) this.report(worst, window, context);
    else this.close(context);
    if (!this.tracks.some(({ idle }) => idle > idleWindowsMax)) return;
    this.tracks = this.tracks.filter(({ idle }) => idle <= idleWindowsMax);
    this.reindex();
  }

  close(context: StepContext): void {
    this.incident?.write(context);
    this.incident = null;
  }

  movingState(): LatencyShiftSnapshot['moving'] {
    const { tracks } = this;
    const numbers = new Float64Array(tracks.length * movingWidth);
    let at = 0;
    for (const track of tracks) {
      numbers[at++] = track.count;
      numbers[at++] = track.sum;
      numbers[at++] = track.squares;
      numbers[at++] = track.rises;
      numbers[at++] = track.lastValue;
    }
    return { numbers: new Uint8Array(numbers.buffer), samples: tracks.map(({ sample }) => sample) };
  }

  learnedState(): LatencyShiftSnapshot['learned'] {
    const { tracks } = this;
    const numbers = new Float64Array(tracks.length * learnedWidth);
    let at = 0;
    for (const track of tracks) {
      numbers[at++] = track.slot;
      numbers[at++] = track.place;
      numbers[at++] = track.learned;
      numbers[at++] = track.mean;
      numbers[at++] = track.variance;
      numbers[at++] = track.spread;
      numbers[at++] = track.rising;
      numbers[at++] = track.idle;
      numbers[at++] = track.highWindows;
      numbers[at++] = track.highFromMs;
      numbers[at++] = track.level;
      numbers[at++] = track.z;
    }
    return { numbers: new Uint8Array(numbers.buffer), incident: this.incident?.snapshot() ?? null };
  }

  restore({ moving, learned }: LatencyShiftSnapshot): void {
    const movingNumbers = doublesFrom(moving.numbers);
    const learnedNumbers = doublesFrom(learned.numbers);
    this.tracks = moving.samples.map((sample, i) => {
      const [count, sum, squares, rises, lastValue] = movingNumbers.subarray(i * movingWidth) as unknown as Five;
      const [slot, place, windows, mean, variance, spread, rising, idle, highWindows, highFromMs, level, z] =
        learnedNumbers.subarray(i * learnedWidth) as unknown as Twelve;
      const moved = { count, sum, squares, rises, lastValue };
      const known = { learned: windows, mean, variance, spread, rising, idle, highWindows, highFromMs, level, z };
      return { slot, place, ...moved, ...known, sample };
    });
    this.reindex();
    this.incident = learned.incident === null ? null : Incident.restore(learned.incident);
  }

  private judge(track: Track, window: WindowState): void {
    const { warmupWindows, zMin, factorMin } = this.config;
    const { count } = track;
    const mean = track.sum / count;
    const spread = Math.max(0, track.squares / count - mean * mean);
    const rising = track.rises / count;
    track.count = 0;
    track.sum = 0;
    track.squares = 0;
    track.rises = 0;
    track.idle = 0;
    const ready = track.learned >= warmupWindows && Math.sqrt(track.spread) >= spreadMin && track.rising <= risingMax;
    const deviation = Math.sqrt(Math.max(track.variance, track.spread / count, spread / count, deviationFloor ** 2));
    const z = (mean - track.mean) / deviation;
    if (ready) {
      this.shiftSum += Math.max(-1, Math.min(1, (mean - track.mean) / bucketsPerOctave));
      this.shiftCount++;
    }
    const factor = 2 ** ((mean - track.mean) / bucketsPerOctave);
    // What is high already stays so down to half of the bounds: an incident does not flicker.
    const held = track.highWindows > 0;
    if (!ready || z < (held ? zMin / 2 : zMin) || factor < (held ? Math.sqrt(factorMin) : factorMin)) {
      track.highWindows = 0;
      track.sample = '';
      this.learn(track, mean, spread, rising, z);
      return;
    }
    if (track.highWindows === 0) track.highFromMs = window.startMs;
    track.highWindows++;
    track.level = mean;
    track.z = z;
    // A level that holds for the whole horizon is the new normal.
    if (track.highWindows > horizonWindows) track.learned = 0;
  }

  private report(worst: Track, window: WindowState, context: StepContext): void {
    this.incident ??= Incident.open(context, 'latency_shift', '', worst.highFromMs);
    const { incident } = this;
    const { row } = incident;
    incident.extend(window, context);
    if (incident.peak(scoreOf(normalTailExponent(Math.min(worst.z, 25))), valueAt(worst.level), valueAt(worst.mean))) {
      const high = this.tracks.filter(({ highWindows }) => highWindows > 0).sort((a, b) => b.z - a.z);
      const total = high.reduce((sum, { z }) => sum + z, 0);
      const share = (z: number): number => Math.round((z / total) * 1000) / 1000;
      row.influencers = high
        .slice(0, 3)
        .map(({ slot, z }) => ({ kind: 'template', name: templateText(context.host, slot), share: share(z) }));
      incident.addSamples(high.map(({ sample }) => sample));
    }
    row.description =
      `numbers in '${row.influencers[0]?.name ?? ''}' at ${figure(row.actual)} against a typical ${figure(row.typical)}` +
      ` for ${span(row.endMs - row.startMs)}, ${figure(row.actual / row.typical)} times as much`;
    incident.write(context);
  }

  private learn(track: Track, mean: number, spread: number, rising: number, z: number): void {
    track.learned++;
    const rate = 1 / Math.min(track.learned, horizonWindows);
    // Outliers teach no more than three deviations.
    const clip = track.learned > 10 && Math.abs(z) > 3 ? 3 / Math.abs(z) : 1;
    const difference = (mean - track.mean) * clip;
    track.mean += rate * difference;
    track.variance = (1 - rate) * (track.variance + rate * difference * difference);
    const spreadClipped = track.learned > 10 ? Math.min(spread, 4 * track.spread + 0.1) : spread;
    track.spread += rate * (spreadClipped - track.spread);
    track.rising += rate * (rising - track.rising);
  }

  private begin(slot: number, place: number): Track | null {
    if (this.tracks.length >= this.config.tracksMax || slot > 65_535) return null;
    const track = emptyTrack(slot, place);
    this.learnedVersion++;
    this.tracks.push(track);
    this.reindex();
    return track;
  }

  /** The slot has another template now. */
  private forget(slot: number): void {
    if (!this.tracks.some((track) => track.slot === slot)) return;
    this.learnedVersion++;
    this.tracks = this.tracks.filter((track) => track.slot !== slot);
    this.reindex();
  }

  private reindex(): void {
    const last = this.tracks.reduce((most, { slot }) => Math.max(most, slot), -1);
    if ((last + 1) * placesMax > this.index.length) this.index = new Int16Array((last + 1) * placesMax * 2);
    else this.index.fill(0);
    for (const [i, { slot, place }] of this.tracks.entries()) this.index[slot * placesMax + place] = i + 1;
  }
}

type Five = [number, number, number, number, number];
type Twelve = [...Five, ...Five, number, number];

/** Value at a mean of bucket numbers, between the middles of the two buckets beside it. */
function valueAt(bucket: number): number {
  const low = Math.floor(bucket);
  const middle = bucketMiddle(low);
  return middle + (bucket - low) * (bucketMiddle(low + 1) - middle);
}

function emptyTrack(slot: number, place: number): Track {
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
    sample: '',
  };
}
