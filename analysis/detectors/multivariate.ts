/**
 * All features of a window at once: the Mahalanobis distance from the usual cloud of windows, whose mean and
 * covariance fade with time. Finds combinations that no single feature shows. What it learns from an odd window is
 * clipped, so that one storm does not become the norm.
 */
import { classes, type WindowState } from '#analysis/windows/mod.ts';
import type { DetectorsConfig } from './config.ts';
import { clock, figure, nameOf, percent, span } from './describe.ts';
import { Incident, type IncidentSnapshot, type StepContext } from './incident.ts';
import { chiSquaredTailExponent, scoreOf } from './tails.ts';

const features = ['logCount', 'errorCount', 'warnCount', 'errorRate', 'templateCount', 'newTemplateCount', 'latency'];
const size = features.length;
/** Least variance of each feature: below it lies rounding and chance, not behaviour. */
const floors = [0.02, 0.1, 0.1, 0.002, 0.02, 0.1, 0.01];
/** Squared distance that learning is clipped to: the 99.9 % point of chi squared with 7 degrees. */
const clip = 24;
/** What is remembered of a distance is at most this: no storm hides the next one for ever. */
const distanceMax = 1000;

export interface MultivariateSnapshot {
  learned: number;
  mean: number[];
  covariance: number[];
  recentMax: number;
  oddWindows: number;
  incident: IncidentSnapshot | null;
  /** At the peak, in words. */
  causes: string;
}

export class MultivariateDetector {
  private readonly config: DetectorsConfig['multivariate'];
  private learned = 0;
  private readonly mean = new Float64Array(size);
  /** Row by row. */
  private readonly covariance = new Float64Array(size * size);
  /** Largest squared distance of late, fading. */
  private recentMax = 0;
  /** Odd windows in a row, before it is told. */
  private oddWindows = 0;
  private incident: Incident | null = null;
  private causes = '';

  constructor(config: DetectorsConfig['multivariate']) {
    this.config = config;
  }

  get isOpen(): boolean {
    return this.incident !== null;
  }

  /**
   * A window with records.
   * @param latencyShift mean shift of the measurements in it, in powers of two
   * @param explained another detector already tells of it
   */
  windowClosed(window: WindowState, latencyShift: number, explained: boolean, context: StepContext): void {
    const difference = vectorOf(window, latencyShift);
    for (let i = 0; i < size; i++) difference[i]! -= this.mean[i] as number;
    const solved = this.learned >= 2 ? this.solve(difference, window.logCount) : new Float64Array(size);
    let distance = 0;
    for (let i = 0; i < size; i++) distance += (difference[i] as number) * (solved[i] as number);
    if (this.learned >= this.config.warmupWindows) this.judge(window, distance, difference, solved, explained, context);
    if (this.learned >= 10 && this.oddWindows === 0)
      this.recentMax = Math.max(Math.min(distance, distanceMax), this.recentMax * (1 - 1 / this.config.horizonWindows));
    this.learn(difference, distance);
  }

  close(context: StepContext): void {
    this.incident?.end(context);
    this.incident = null;
  }

  snapshot(): MultivariateSnapshot {
    return {
      learned: this.learned,
      mean: [...this.mean],
      covariance: [...this.covariance],
      recentMax: this.recentMax,
      oddWindows: this.oddWindows,
      incident: this.incident?.snapshot() ?? null,
      causes: this.causes,
    };
  }

  restore(state: MultivariateSnapshot): void {
    this.learned = state.learned;
    this.mean.set(state.mean);
    this.covariance.set(state.covariance);
    this.recentMax = state.recentMax;
    this.oddWindows = state.oddWindows;
    this.incident = state.incident === null ? null : Incident.restore(state.incident);
    this.causes = state.causes;
  }

  private judge(
    window: WindowState,
    distance: number,
    difference: Float64Array,
    solved: Float64Array,
    explained: boolean,
    context: StepContext,
  ): void {
    const exponent = chiSquaredTailExponent(distance, size);
    const { tailExponent, factorMin } = this.config;
    if (this.incident === null) {
      const ease = this.oddWindows > 0 ? 0.5 : 1;
      const isOdd = !explained && exponent >= ease * tailExponent && distance >= factorMin * this.recentMax;
      // The last of all to speak: others may know more after the next window.
      this.oddWindows = isOdd ? this.oddWindows + 1 : 0;
      if (this.oddWindows < 2) return;
      // One feature alone is no mix; it has a detector of its own.
      if ((influencersOf(difference, solved)[0]?.share ?? 1) > this.config.shareMax) return;
      this.incident = Incident.open(context, 'multivariate', '', window.startMs);
    } else if (exponent < tailExponent / 2) {
      this.close(context);
      return;
    }
    const { row } = this.incident;
    this.incident.extend(window, context);
    if (this.incident.peak(scoreOf(exponent), Math.sqrt(distance), Math.sqrt(size))) {
      row.influencers = influencersOf(difference, solved);
      this.causes = causesOf(row.influencers, difference);
      this.incident.addSamples(window.errorSamples);
      this.incident.addSamples(window.samples);
    }
    row.description =
      `an unusual mix for ${span(row.endMs - row.startMs)} since ${clock(row.startMs, row.endMs)}: ${this.causes};` +
      ` ${figure(row.actual / row.typical)} times as far from the mean as windows usually are`;
    this.incident.write(context);
  }

  private learn(difference: Float64Array, distance: number): void {
    this.learned = Math.min(this.learned + 1, 1_000_000);
    const rate = 1 / Math.min(this.learned, this.config.horizonWindows);
    const shrink = this.learned > 10 && distance > clip ? Math.sqrt(clip / distance) : 1;
    for (let i = 0; i < size; i++) this.mean[i]! += rate * shrink * (difference[i] as number);
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < size; j++) {
        const product = shrink * shrink * (difference[i] as number) * (difference[j] as number);
        this.covariance[i * size + j] = (1 - rate) * ((this.covariance[i * size + j] as number) + rate * product);
      }
    }
  }

  /** (covariance + floors)⁻¹ · difference, by Cholesky. */
  private solve(difference: Float64Array, records: number): Float64Array {
    const lower = new Float64Array(size * size);
    const solved = Float64Array.from(difference);
    for (let i = 0; i < size; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = this.covariance[i * size + j] as number;
        // Few records make every share and mean jump about: the floor widens with 1 / records.
        if (i === j) sum += (floors[i] as number) * (1 + 20 / (1 + records));
        for (let k = 0; k < j; k++) sum -= (lower[i * size + k] as number) * (lower[j * size + k] as number);
        lower[i * size + j] = i === j ? Math.sqrt(Math.max(sum, 1e-9)) : sum / (lower[j * size + j] as number);
      }
    }
    for (let i = 0; i < size; i++) {
      for (let k = 0; k < i; k++) solved[i]! -= (lower[i * size + k] as number) * (solved[k] as number);
      solved[i]! /= lower[i * size + i] as number;
    }
    for (let i = size - 1; i >= 0; i--) {
      for (let k = i + 1; k < size; k++) solved[i]! -= (lower[k * size + i] as number) * (solved[k] as number);
      solved[i]! /= lower[i * size + i] as number;
    }
    return solved;
  }
}

function vectorOf(window: WindowState, latencyShift: number): Float64Array {
  const records = window.logCount;
  const { failures } = window;
  return Float64Array.of(
    Math.log1p(records),
    Math.log1p(failures),
    Math.log1p(window.counts[classes.warn] as number),
    Math.asin(Math.sqrt(records === 0 ? 0 : failures / records)),
    Math.log1p(window.templateCount),
    Math.log1p(window.newTemplates),
    latencyShift,
  );
}

/** `errors up (40 %), warnings down (30 %)`. */
function causesOf(influencers: Incident['row']['influencers'], difference: Float64Array): string {
  const way = (name: string): string => ((difference[features.indexOf(name)] as number) > 0 ? 'up' : 'down');
  return influencers.map(({ name, share }) => `${nameOf(name)} ${way(name)} (${percent(share)})`).join(', ');
}

/** Features by their part of the squared distance. */
function influencersOf(difference: Float64Array, solved: Float64Array): Incident['row']['influencers'] {
  const parts = features.map((name, i) => ({
    name,
    part: Math.max(0, (difference[i] as number) * (solved[i] as number)),
  }));
  const total = parts.reduce((sum, { part }) => sum + part, 0);
  return parts
    .sort((a, b) => b.part - a.part)
    .slice(0, 3)
    .filter(({ part }) => part > 0.05 * total)
    .map(({ name, part }) => ({ kind: 'feature' as const, name, share: Math.round((part / total) * 1000) / 1000 }));
}
