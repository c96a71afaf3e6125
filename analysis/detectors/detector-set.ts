/** All detectors of one service in one lane, and the history that they share. */
import type { ClosedWindow, ObservedEvent, WindowState } from '#analysis/windows/mod.ts';
import type { AnalysisConfig, MatcherConfig } from './config.ts';
import { ErrorSpikeDetector, type ErrorSpikeSnapshot } from './error-spike.ts';
import { History, type HistorySnapshot } from './history.ts';
import type { StepContext } from './incident.ts';
import { LatencyShiftDetector, type LatencyShiftSnapshot } from './latency-shift.ts';
import { fits, MatcherSet } from './matcher.ts';
import { MultivariateDetector, type MultivariateSnapshot } from './multivariate.ts';
import { NewTemplateDetector, type NewTemplateSnapshot } from './new-template.ts';
import { RateZscoreDetector, type RateZscoreSnapshot } from './rate-zscore.ts';
import { RuleDetector, type RulesSnapshot } from './rules.ts';
import { SequenceMatchDetector, type SequenceMatchSnapshot } from './sequence-match.ts';
import { VolumeDetector, type VolumeSnapshot } from './volume.ts';

/** All detectors in two parts: what moves with records, and what moves only when a window closes. */
export interface DetectorSetSnapshot {
  moving: {
    errorSpike: ErrorSpikeSnapshot;
    volume: VolumeSnapshot;
    newTemplate: NewTemplateSnapshot;
    latencyShift: LatencyShiftSnapshot['moving'];
    sequences: SequenceMatchSnapshot;
    rules: RulesSnapshot;
  };
  learned: {
    history: HistorySnapshot;
    rateZscore: RateZscoreSnapshot;
    latencyShift: LatencyShiftSnapshot['learned'];
    multivariate: MultivariateSnapshot;
  };
}

const known = new WeakMap<AnalysisConfig, MatcherSet[]>();

/** The set of these matchers; services of one configuration to which the same ones apply share it. */
function matchersOf(config: AnalysisConfig, matchers: MatcherConfig[]): MatcherSet | null {
  if (matchers.length === 0) return null;
  const sets = known.get(config) ?? [];
  known.set(config, sets);
  let set = sets.find(
    ({ configs }) => configs.length === matchers.length && configs.every((one, i) => one === matchers[i]),
  );
  if (set === undefined) {
    set = new MatcherSet(matchers);
    sets.push(set);
  }
  return set;
}

export class DetectorSet {
  private readonly config: AnalysisConfig['detectors'];
  private history: History;
  private readonly errorSpike: ErrorSpikeDetector;
  private readonly rateZscore: RateZscoreDetector;
  private readonly volume: VolumeDetector;
  private readonly newTemplate: NewTemplateDetector;
  private readonly latencyShift: LatencyShiftDetector;
  private readonly multivariate: MultivariateDetector;
  private readonly sequences: SequenceMatchDetector;
  private readonly rules: RuleDetector;
  /** Steps of all sequences, then the rules that look at records; null where there are none. */
  private readonly matchers: MatcherSet | null;
  private readonly steps: number;

  constructor(config: AnalysisConfig, identity: { service: string }) {
    const { detectors } = config;
    this.config = detectors;
    this.history = new History(detectors.history.windows);
    this.errorSpike = new ErrorSpikeDetector(detectors.errorSpike, config.windows.sizeMs);
    this.rateZscore = new RateZscoreDetector(detectors.rateZscore);
    this.volume = new VolumeDetector(detectors);
    this.newTemplate = new NewTemplateDetector(detectors.newTemplate);
    this.latencyShift = new LatencyShiftDetector(detectors.latencyShift);
    this.multivariate = new MultivariateDetector(detectors.multivariate);
    const sequences = config.sequences.filter(({ service }) => fits(service, identity.service));
    this.sequences = new SequenceMatchDetector(sequences);
    const rules = config.rules.filter(({ service }) => fits(service, identity.service));
    this.rules = new RuleDetector(rules);
    const steps = sequences.flatMap((sequence) => sequence.steps);
    this.steps = steps.length;
    this.matchers = matchersOf(config, [...steps, ...this.rules.matching.map((i) => rules[i]!.match)]);
  }

  /** A record that is not late. */
  observe(
    event: ObservedEvent,
    timeMs: number,
    isError: boolean,
    context: StepContext,
    openWindows: () => WindowState[],
  ): void {
    const { config } = this;
    if (config.errorSpike.enabled) this.errorSpike.observe(event, timeMs, isError, context, openWindows);
    if (config.newTemplate.enabled) this.newTemplate.observe(event, timeMs, context);
    if (config.latencyShift.enabled) this.latencyShift.observe(event);
    this.volume.recordSeen(timeMs, context);
    if (this.matchers !== null) this.match(this.matchers, event, timeMs, context);
    if (this.sequences.isWaiting) this.sequences.release(context.watermarkMs, context);
  }

  /** Takes what waits for order up to a time, where nothing more is expected before it. */
  releaseSequences(untilMs: number, context: StepContext): void {
    this.sequences.release(untilMs, context);
  }

  windowClosed({ window, learn, partial }: ClosedWindow, context: StepContext): void {
    const { config, history } = this;
    this.errorSpike.windowClosed(window.endMs, context);
    this.rules.windowClosed(window, context);
    if (!learn && history.size < config.errorSpike.warmupWindows) this.startOver();
    if (window.logCount === 0) {
      this.volume.emptyClosed(window, learn, history, context);
      this.rateZscore.close(context);
      this.multivariate.close(context);
      return;
    }
    const whole = this.volume.filledClosed(window, partial, history, context);
    if (config.rateZscore.enabled) this.rateZscore.windowClosed(window, history, this.errorSpike.isOpen, context);
    if (config.latencyShift.enabled) this.latencyShift.windowClosed(window, context);
    if (!whole) return;
    if (config.multivariate.enabled)
      this.multivariate.windowClosed(window, this.latencyShift.shift, this.isOpen || this.latencyShift.isOpen, context);
    this.learn(window);
  }

  /** Ends every incident. */
  close(context: StepContext): void {
    this.errorSpike.close(context);
    this.rateZscore.close(context);
    this.volume.close(context);
    this.latencyShift.close(context);
    this.multivariate.close(context);
    this.rules.close(context);
  }

  /** Rises when `learnedState()` would say something else than before, closed windows apart. */
  get learnedVersion(): number {
    return this.latencyShift.learnedVersion;
  }

  get isWaiting(): boolean {
    return this.sequences.isWaiting;
  }

  movingState(): DetectorSetSnapshot['moving'] {
    return {
      errorSpike: this.errorSpike.snapshot(),
      volume: this.volume.snapshot(),
      newTemplate: this.newTemplate.snapshot(),
      latencyShift: this.latencyShift.movingState(),
      sequences: this.sequences.snapshot(),
      rules: this.rules.snapshot(),
    };
  }

  learnedState(): DetectorSetSnapshot['learned'] {
    return {
      history: this.history.snapshot(),
      rateZscore: this.rateZscore.snapshot(),
      latencyShift: this.latencyShift.learnedState(),
      multivariate: this.multivariate.snapshot(),
    };
  }

  restore({ moving, learned }: DetectorSetSnapshot): void {
    this.history = History.restore(this.config.history.windows, learned.history);
    this.errorSpike.restore(moving.errorSpike);
    this.rateZscore.restore(learned.rateZscore);
    this.volume.restore(moving.volume);
    this.newTemplate.restore(moving.newTemplate);
    this.latencyShift.restore({ moving: moving.latencyShift, learned: learned.latencyShift });
    this.multivariate.restore(learned.multivariate);
    this.sequences.restore(moving.sequences);
    this.rules.restore(moving.rules);
  }

  /** A handful of records, then a gap too long to be normal: what they taught is worth nothing. */
  private startOver(): void {
    this.history = new History(this.config.history.windows);
    this.newTemplate.startOver();
  }

  private get isOpen(): boolean {
    return this.errorSpike.isOpen || this.rateZscore.isOpen || this.volume.isOpen;
  }

  /** Windows of an incident are no measure of what is usual, until it has lasted so long that they are. */
  private learn(window: WindowState): void {
    const { history, config } = this;
    if (!this.isOpen) history.skipped = 0;
    else if (history.skipped < config.history.skipMax) {
      history.skipped++;
      return;
    }
    history.push(window);
    this.errorSpike.learn(history);
  }

  private match(matchers: MatcherSet, event: ObservedEvent, timeMs: number, context: StepContext): void {
    matchers.match(event);
    const { steps } = this;
    const count = matchers.matchedCount;
    if (this.rules.matching.length === 0 && count === 0) return;
    const met: number[] = [];
    const rules: number[] = [];
    for (let i = 0; i < count; i++) {
      const index = matchers.matched[i] as number;
      if (index < steps) met.push(index);
      else rules.push(this.rules.matching[index - steps] as number);
    }
    if (met.length > 0) this.sequences.observe(event, timeMs, met, context);
    if (this.rules.matching.length > 0) this.rules.observe(event, timeMs, rules, context);
  }
}
