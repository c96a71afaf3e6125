/**
 * The numbers in a template's places (a latency, a size) against their own past, on a logarithmic scale: one track per
 * template and place. A step to higher values that lasts is a shift; a slow rise, seen over blocks of five minutes or
 * from one day to the next, is a creep. What only counts up (ids, sequence numbers) or never changes is no measurement.
 */
import { type ObservedEvent, valueOfLog, type WindowState } from '#analysis/windows/mod.ts';
import type { DetectorsConfig } from './config.ts';
import { clock, figure, measure, percent, quote, span } from './describe.ts';
import { Incident, type IncidentSnapshot, type StepContext, templateText } from './incident.ts';
import { normalTailExponent, scoreOf } from './tails.ts';
import { emptyTrack, isCodes, takeForMeasure, Tracks, type Track, type TracksSnapshot } from './tracks.ts';
import { type Trend, trendOf } from './trend.ts';

const poolNumbers = ['learned', 'variance', 'highWindows', 'highFromMs', 'level', 'z'] as const;

export interface LatencySnapshot {
  moving: TracksSnapshot['moving'];
  learned: {
    tracks: TracksSnapshot['learned'];
    incident: IncidentSnapshot | null;
    pool: number[];
    poolRecent: number[];
    /** calmBlocks, openBase, openRise, openSlot, openPlace */
    open: number[];
  };
}

/** Gain of a rise over a flat line from which on it is no chance; while an open one lasts. */
const creepGainMin = 38;
/** Least rise within the blocks kept: 8 %. */
const creepRiseMin = Math.log2(1.08);
/** Least rise from one day to the next, and from one long block to the next on average: 30 % and more than none. */
const dailyRiseMin = Math.log2(1.3);
/** Blocks after which a creep is the new normal. */
const creepBlocksMax = 60;
/** Windows after which the values of a place are known. */
const settledWindows = 16;
/** Words by which a text says that its numbers are times. */
const timeWords =
  /\b(ms|msec|millis\w*|secs?|seconds?|us|µs|took|latency|elapsed|duration|time|in) ?[=:]? ?<\*>|<\*> ?(ms|s|secs?|seconds?|us|µs|millis\w*)\b|latency|elapsed|duration/i;

export class LatencyDetector {
  private readonly config: DetectorsConfig['latency'];
  private tracks: Tracks;
  /** One for all tracks: what slows a service down shows in many of its messages. */
  private incident: Incident | null = null;
  private calmBlocks = 0;
  private openBase = 0;
  private openRise = 0;
  /** Track that an open creep is judged by; slot −1: all together. */
  private openSlot = -1;
  private openPlace = 0;
  private shiftSum = 0;
  private shiftCount = 0;
  /** All tracks as one, as deviations from their own means: `level` of the window, `variance` beyond chance. */
  private readonly pool = emptyTrack(-1, 0);
  /** Weighted deviations and weights of the last windows, newest first. */
  private poolRecent: number[] = [];

  constructor(config: DetectorsConfig['latency'], sizeMs: number) {
    this.config = config;
    this.tracks = new Tracks(config.tracksMax, sizeMs);
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
    this.tracks.observe(event);
  }

  windowClosed(window: WindowState, context: StepContext): void {
    this.shiftSum = 0;
    this.shiftCount = 0;
    const isCreep = this.incident?.row.detector === 'latency_creep';
    this.judgePool(window);
    let worst: Track | null =
      this.pool.highWindows >= (this.incident === null ? this.config.windowsMin : 1) ? this.pool : null;
    for (const track of this.tracks.all) {
      if (track.count < this.config.countMin) {
        track.countBefore = track.count;
        track.sumBefore = track.sum;
      }
      if (track.count >= this.config.countMin) this.judge(track, window, context);
      else track.idle++;
      const high = track.highWindows >= (this.incident === null ? this.config.windowsMin : 1);
      if (high && track.z > (worst?.z ?? 0)) worst = track;
    }
    if (!isCreep) {
      if (worst !== null) this.reportShift(worst, window, context);
      else this.close(context);
    }
    if (this.tracks.blockEnds(window)) this.blockClosed(window, context);
    this.tracks.prune();
    // Reading texts is slow, and they seldom change.
    if (this.tracks.isFull && (window.endMs / (window.endMs - window.startMs)) % 16 === 0)
      this.preferTimes(window, context);
  }

  /** All tracks are taken: those that tell no times make way for a message that does. */
  private preferTimes(window: WindowState, context: StepContext): void {
    for (let slot = 0; slot < window.slotRecords.length; slot++) {
      if ((window.slotRecords[slot] as number) < 4 || this.tracks.has(slot)) continue;
      if (timeWords.test(templateText(context.host, slot))) {
        this.tracks.makeRoom();
        return;
      }
    }
  }

  close(context: StepContext): void {
    this.incident?.end(context);
    this.incident = null;
  }

  /** Rises when `learnedState()` would say something else than before, closed windows apart. */
  get learnedVersion(): number {
    return this.tracks.version;
  }

  movingState(): LatencySnapshot['moving'] {
    return this.tracks.movingState();
  }

  learnedState(): LatencySnapshot['learned'] {
    return {
      tracks: this.tracks.learnedState(),
      incident: this.incident?.snapshot() ?? null,
      pool: poolNumbers.map((key) => this.pool[key]),
      poolRecent: this.poolRecent.slice(),
      open: [this.calmBlocks, this.openBase, this.openRise, this.openSlot, this.openPlace],
    };
  }

  restore({ moving, learned }: LatencySnapshot): void {
    this.tracks.restore({ moving, learned: learned.tracks });
    this.incident = learned.incident === null ? null : Incident.restore(learned.incident);
    for (const [i, key] of poolNumbers.entries()) this.pool[key] = learned.pool[i] as number;
    this.poolRecent = learned.poolRecent.slice();
    const at = (i: number): number => learned.open[i] ?? 0;
    [this.calmBlocks, this.openBase, this.openRise, this.openSlot, this.openPlace] = [
      at(0),
      at(1),
      at(2),
      at(3),
      at(4),
    ];
  }

  private judge(track: Track, window: WindowState, context: StepContext): void {
    const { warmupWindows, zMin, factorMin } = this.config;
    const { mean, spread, rising, count } = this.tracks.takeWindow(track);
    if (track.learned % 16 === 0) readText(track, templateText(context.host, track.slot));
    const ready = track.learned >= warmupWindows && isMeasurement(track);
    const deviation = Math.sqrt(Math.max(track.variance, track.spread / count, spread / count, 0.001));
    const rise = mean - track.mean;
    const z = rise / deviation;
    if (ready) {
      this.shiftSum += Math.max(-1, Math.min(1, rise));
      this.shiftCount++;
    }
    // What is high already stays so down to half of the bounds: an incident does not flicker.
    const held = track.highWindows > 0;
    if (!ready || z < (held ? zMin / 2 : zMin) || rise < (held ? 0.5 : 1) * Math.log2(factorMin)) {
      track.highWindows = 0;
      track.sample = '';
      this.tracks.learn(track, mean, spread, rising, z);
      return;
    }
    if (track.highWindows === 0) track.highFromMs = window.startMs;
    track.highWindows++;
    track.level = mean;
    track.z = z;
    // A level that holds for an hour is the new normal.
    if (track.highWindows > 120) track.learned = 0;
  }

  /** What single tracks are too thin to show: sums over all of them, and over one, two and four windows. */
  private judgePool(window: WindowState): void {
    const { pool } = this;
    let deviations = 0;
    let weights = 0;
    let tracks = 0;
    for (const track of this.tracks.all) {
      const count = track.count - track.countBefore;
      if (count === 0 || track.timed === 0 || track.learned < this.config.warmupWindows || !isMeasurement(track))
        continue;
      const weight = 1 / Math.max(track.spread, 0.01);
      deviations += weight * (track.sum - track.sumBefore - count * track.mean);
      weights += weight * count;
      tracks++;
    }
    if (weights === 0) return;
    this.poolRecent.unshift(deviations, weights);
    if (this.poolRecent.length > 8) this.poolRecent.length = 8;
    const { zMin, factorMin } = this.config;
    const held = pool.highWindows > 0;
    const riseMin = (held ? 0.5 : 1) * Math.log2(factorMin);
    let [sum, weight, isHigh] = [0, 0, false];
    let most = 0;
    for (let i = 0; i < this.poolRecent.length; i += 2) {
      sum += this.poolRecent[i] as number;
      weight += this.poolRecent[i + 1] as number;
      if ((this.poolRecent[i] as number) > (this.poolRecent[most] as number)) most = i;
      if (i === 4) continue;
      const rise = sum / weight;
      const z = rise / Math.sqrt(1 / weight + Math.max(0, pool.variance) + 0.001);
      if (z < (held ? 0.5 : 0.85) * zMin || rise < riseMin) continue;
      // One odd window is no level: the others say so too.
      const others = weight - (this.poolRecent[most + 1] as number);
      if (i > 0 && sum - (this.poolRecent[most] as number) < 0.6 * riseMin * others) continue;
      isHigh = true;
      pool.level = rise;
      pool.z = z;
      break;
    }
    pool.learned++;
    const present = deviations / weights;
    if (!isHigh || pool.learned < 30) {
      const more = Math.min(0.25, present * present - 1 / weights);
      // The means themselves settle first.
      if (pool.learned > 10) pool.variance += (more - pool.variance) / Math.min(pool.learned - 10, 60);
      pool.highWindows = 0;
      return;
    }
    if (pool.highWindows === 0) pool.highFromMs = window.startMs;
    pool.highWindows += tracks > 0 ? 1 : 0;
    if (pool.highWindows > 120) for (const track of this.tracks.all) track.learned = 0;
  }

  private reportShift(found: Track, window: WindowState, context: StepContext): void {
    const isPool = found === this.pool;
    const lead = isPool ? this.leadOf() : found;
    if (lead === null) return;
    const worst = isPool ? { ...lead, level: lead.mean + found.level, z: found.z, highFromMs: found.highFromMs } : lead;
    if (this.incident === null) {
      const isTime = worst.timed === 1;
      // Sizes and counts move about more than times do.
      if (
        !isTime &&
        (worst.z < 1.5 * this.config.zMin || worst.level - worst.mean < 2 * Math.log2(this.config.factorMin))
      )
        return;
      const trend = isPool ? this.poolTrend() : trendOf(...this.tracks.blocksOf(worst), worst.spread);
      const isSlow = trend !== null && trend.isSlow && trend.gain > 15;
      const name = isTime ? (isSlow ? 'latency_creep' : 'latency_shift') : 'value_shift';
      this.incident = Incident.open(context, name, '', worst.highFromMs);
      if (name === 'latency_creep') {
        this.openCreep(isPool ? null : worst, trend as Trend);
        this.incident.row.startMs = window.endMs - (this.tracks.blocks - (trend as Trend).from) * this.tracks.blockMs;
      }
    }
    const { incident } = this;
    const { row } = incident;
    incident.extend(window, context);
    if (
      incident.peak(scoreOf(normalTailExponent(Math.min(worst.z, 25))), valueOfLog(worst.level), valueOfLog(worst.mean))
    ) {
      const single = this.tracks.all.filter(({ highWindows }) => highWindows > 0).sort((a, b) => b.z - a.z);
      // The numbers are those of the first.
      const high = [worst, ...single.filter(({ slot }) => slot !== worst.slot)];
      const total = high.reduce((sum, { z }) => sum + z, 0);
      const share = (z: number): number => Math.round((z / total) * 1000) / 1000;
      row.influencers = high
        .slice(0, 3)
        .map(({ slot, z }) => ({ kind: 'template', name: templateText(context.host, slot), share: share(z) }));
      incident.addSamples(high.map(({ sample }) => sample));
    }
    this.describe(incident);
    incident.write(context);
  }

  /** The track that says the most about times. */
  private leadOf(): Track | null {
    let lead: Track | null = null;
    for (const track of this.tracks.all)
      if (track.timed === 1 && (lead === null || this.tracks.weightOf(track) > this.tracks.weightOf(lead)))
        lead = track;
    return lead;
  }

  private poolTrend(): Trend | null {
    const timed = this.tracks.all.filter((track) => track.timed === 1 && isMeasurement(track));
    const [levels, weights] = this.tracks.together(timed);
    return trendOf(levels, weights, 1);
  }

  private openCreep(track: Track | null, trend: Trend): void {
    this.openSlot = track?.slot ?? -1;
    this.openPlace = track?.place ?? 0;
    this.openBase = trend.base;
    this.openRise = trend.rise;
    this.calmBlocks = 0;
  }

  /** Five minutes are over: looks for a slow rise in each track, and in all of them together. */
  private blockClosed(window: WindowState, context: StepContext): void {
    const { incident } = this;
    const fit = this.tracks.all.filter((track) => isMeasurement(track) && track.learned >= this.config.warmupWindows);
    for (const track of this.tracks.all) this.tracks.pushBlock(track);
    if (this.tracks.longEnds(window.endMs)) this.tracks.pushLong();
    this.tracks.blocks = Math.min(this.tracks.blocks + 1, this.tracks.blocksMax);
    const timed = fit.filter((track) => track.timed === 1);
    if (incident?.row.detector === 'latency_creep') {
      this.goOn(incident, timed, window, context);
      return;
    }
    if (incident !== null) return;
    let best: { track: Track | null; trend: Trend; actual: number } | null = null;
    for (const track of timed) {
      const [levels, counts] = this.tracks.blocksOf(track);
      const trend = trendOf(levels, counts, track.spread);
      if (trend === null || !isCreep(trend, fit.length) || trend.gain <= (best?.trend.gain ?? 0)) continue;
      best = { track, trend, actual: valueOfLog(trend.base + trend.rise) };
    }
    if (timed.length > 1) {
      const [levels, weights] = this.tracks.together(timed);
      const trend = trendOf(levels, weights, 1);
      const lead = timed.reduce((most, track) =>
        this.tracks.weightOf(track) > this.tracks.weightOf(most) ? track : most,
      );
      if (trend !== null && isCreep(trend, 1) && trend.gain > (best?.trend.gain ?? 0))
        best = { track: null, trend, actual: valueOfLog(lead.mean + trend.rise) };
    }
    const daily = this.dailyRise(timed);
    if (best === null && daily !== null) best = daily;
    if (best === null) return;
    const { trend, track } = best;
    const startMs = window.endMs - (this.tracks.blocks - trend.from) * this.tracks.blockMs;
    this.incident = Incident.open(context, 'latency_creep', '', startMs);
    this.openCreep(track, trend);
    this.incident.extend(window, context);
    this.incident.peak(scoreOf(Math.min(40, trend.gain / 4.6)), best.actual, best.actual / 2 ** trend.rise);
    this.incident.row.influencers = (track === null ? timed.slice(0, 3) : [track]).map(({ slot }, _, all) => ({
      kind: 'template' as const,
      name: templateText(context.host, slot),
      share: Math.round(1000 / all.length) / 1000,
    }));
    this.incident.addSamples(window.samples);
    this.describe(this.incident);
    this.incident.write(context);
  }

  /** An open creep goes on until half of its rise is gone. */
  private goOn(incident: Incident, timed: readonly Track[], window: WindowState, context: StepContext): void {
    const track = timed.find(({ slot, place }) => slot === this.openSlot && place === this.openPlace);
    const [levels, weights] = track === undefined ? this.tracks.together(timed) : this.tracks.blocksOf(track);
    const at = levels.length - 1;
    const isHeard = at >= 0 && (weights[at] as number) > 0;
    const rise = isHeard ? (levels[at] as number) - this.openBase : this.openRise;
    // Blocks of the past fade out of what all are compared with, so an old creep loses its base: it is normal then.
    const blocks = (window.endMs - incident.row.startMs) / this.tracks.blockMs;
    if (rise < 0.5 * this.openRise || blocks > creepBlocksMax) {
      if (++this.calmBlocks < 2 && blocks <= creepBlocksMax) return;
      for (const one of this.tracks.all) one.learned = Math.min(one.learned, 0);
      this.tracks.clearBlocks();
      this.close(context);
      return;
    }
    this.calmBlocks = 0;
    const { row } = incident;
    incident.extend(window, context);
    if (rise > this.openRise) {
      row.actual = row.typical * 2 ** rise;
      this.openRise = rise;
    }
    this.describe(incident);
    incident.write(context);
  }

  /** Today against yesterday, three hours at a time: all of them higher. */
  private dailyRise(timed: readonly Track[]): { track: Track; trend: Trend; actual: number } | null {
    for (const track of timed) {
      const rise = this.tracks.dailyRise(track);
      if (rise < dailyRiseMin) continue;
      const trend = { from: 0, base: track.mean - rise, rise, gain: 60, isSlow: true };
      return { track, trend, actual: valueOfLog(track.mean) };
    }
    return null;
  }

  private describe(incident: Incident): void {
    const { row } = incident;
    const what = row.influencers[0]?.name ?? '';
    const lasting = span(row.endMs - row.startMs);
    const told = (value: number): string => measure(value, [what, ...row.samples]);
    const times = `${figure(row.actual / row.typical)} times as`;
    row.description =
      row.detector === 'latency_creep'
        ? `times in ${quote(what)} rose slowly by ${percent(row.actual / row.typical - 1)} over ${lasting}, to ${told(row.actual)} from a typical ${told(row.typical)}`
        : `${row.detector === 'value_shift' ? 'numbers' : 'times'} in ${quote(what)} at ${told(row.actual)} against a typical ${told(row.typical)}` +
          ` for ${lasting} since ${clock(row.startMs, row.endMs)}, ${times} ${row.detector === 'value_shift' ? 'much' : 'long'}`;
  }
}

function isCreep(trend: Trend, tests: number): boolean {
  return trend.isSlow && trend.rise >= creepRiseMin && trend.gain >= creepGainMin + 2 * Math.log(1 + tests);
}

/** Values that vary, do not only count up, and are no codes. */
function isMeasurement(track: Track): boolean {
  return track.spread >= 0.004 && track.rising <= 0.75 && !isCodes(track);
}

/** Whether the track tells times: its message speaks of them, and it is not the one that tells a code there. */
function readText(track: Track, text: string): void {
  const speaksOfTimes = timeWords.test(text);
  // With one value only, it is the time.
  if (speaksOfTimes && text.indexOf('<*>') === text.lastIndexOf('<*>')) takeForMeasure(track);
  track.timed = speaksOfTimes && (track.learned < settledWindows || !isCodes(track)) ? 1 : 0;
}
