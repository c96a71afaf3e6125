/** All detectors of one service in one lane, and the history that they share. */
import { classes, type ClosedWindow, type ObservedEvent, type WindowState } from '#analysis/windows/mod.ts';
import { globOf } from '#protocol/mod.ts';
import { Beats, type BeatsSnapshot, beatsPerWindow } from './beats.ts';
import type { AnalysisConfig, MatcherConfig } from './config.ts';
import { ErrorEvidence, type ErrorEvidenceSnapshot } from './error-evidence.ts';
import { ErrorDetector, type ErrorSnapshot, type SlotKnowledge } from './errors.ts';
import { countOf, History, type HistorySnapshot } from './history.ts';
import type { StepContext } from './incident.ts';
import { LatencyDetector, type LatencySnapshot } from './latency.ts';
import { MatcherSet } from './rules/matcher.ts';
import { MultivariateDetector, type MultivariateSnapshot } from './multivariate.ts';
import { NewTemplateDetector, type NewTemplateSnapshot } from './new-template.ts';
import { NewValueDetector, type NewValueSnapshot } from './new-value.ts';
import { PairDetector, type PairsSnapshot } from './pairs.ts';
import { RuleDetector, type RulesSnapshot } from './rules/rules.ts';
import { SequenceMatchDetector, sequenceMatchers, type SequenceMatchSnapshot } from './rules/sequence-match.ts';
import {
  type BurstErrors,
  beatStretch,
  type ServiceLevel,
  stretchOf,
  TemplateRateDetector,
  type TemplateRatesSnapshot,
} from './template-rates.ts';
import { TemplateTable, type TemplateTableSnapshot } from './template-table.ts';
import { UnusualSequenceDetector, type UnusualSequenceSnapshot } from './keyed/unusual-sequence.ts';
import { VolumeDetector, type VolumeSnapshot } from './volume.ts';

/** All detectors in two parts: what moves with records, and what moves only when a window closes. */
export interface DetectorSetSnapshot {
  moving: {
    evidence: ErrorEvidenceSnapshot;
    beats: BeatsSnapshot;
    pauseBeat: number;
    errors: ErrorSnapshot;
    volume: VolumeSnapshot;
    newTemplate: NewTemplateSnapshot;
    newValue: NewValueSnapshot;
    unusual: UnusualSequenceSnapshot;
    latency: LatencySnapshot['moving'];
    pairs: PairsSnapshot['moving'];
    sequences: SequenceMatchSnapshot;
    rules: RulesSnapshot;
  };
  learned: {
    history: HistorySnapshot;
    skipped: number;
    table: TemplateTableSnapshot;
    templateRates: TemplateRatesSnapshot;
    pairs: PairsSnapshot['learned'];
    latency: LatencySnapshot['learned'];
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
  readonly evidence = new ErrorEvidence();
  private history: History;
  private readonly table = new TemplateTable();
  private readonly beats: Beats;
  /** Last beat of the last pause. */
  private pauseBeat = -1;
  /** Findings told between windows; see `learnedVersion`. */
  private beatFindings = 0;
  private readonly errors: ErrorDetector;
  private readonly volume: VolumeDetector;
  private readonly newTemplate: NewTemplateDetector;
  private readonly newValue: NewValueDetector;
  private readonly unusual: UnusualSequenceDetector;
  private readonly templateRates: TemplateRateDetector;
  private readonly pairs: PairDetector;
  private readonly latency: LatencyDetector;
  private readonly multivariate: MultivariateDetector;
  private readonly sequences: SequenceMatchDetector;
  private readonly rules: RuleDetector;
  /** Steps of all sequences, then the rules that look at records; null where there are none. */
  private readonly matchers: MatcherSet | null;
  private readonly steps: number;
  private readonly sizeMs: number;
  /** Windows left out of the count of windows. */
  private skipped = 0;
  private readonly knowledge: SlotKnowledge;
  private readonly otherErrors: () => boolean;

  constructor(config: AnalysisConfig, identity: { service: string }) {
    const { detectors } = config;
    this.config = detectors;
    this.history = new History(detectors.history.windows);
    this.sizeMs = config.windows.sizeMs;
    this.beats = new Beats(config.windows.sizeMs, config.windows.allowedDisorderMs);
    this.errors = new ErrorDetector(detectors.errorSpike, config.windows.sizeMs);
    this.volume = new VolumeDetector(detectors, config.windows.sizeMs);
    this.newTemplate = new NewTemplateDetector(detectors.newTemplate);
    this.newValue = new NewValueDetector(detectors.newValue);
    this.unusual = new UnusualSequenceDetector(detectors.unusualSequence);
    this.templateRates = new TemplateRateDetector(detectors);
    this.pairs = new PairDetector(detectors.sequenceBroken, config.windows.sizeMs);
    this.latency = new LatencyDetector(detectors.latency, config.windows.sizeMs);
    this.multivariate = new MultivariateDetector(detectors.multivariate);
    const sequences = config.sequences.filter(({ service }) => globOf(service)(identity.service));
    this.sequences = new SequenceMatchDetector(sequences);
    const rules = config.rules.filter(({ service }) => globOf(service)(identity.service));
    this.rules = new RuleDetector(rules);
    this.otherErrors = () => this.errors.isRising(this.newTemplate.waiting);
    this.knowledge = {
      isTold: (slot, context) =>
        this.newTemplate.isTold(slot) ||
        this.newTemplate.isWaiting(slot) ||
        this.newTemplate.isMerged(slot, context) ||
        this.templateRates.isBursting(slot) ||
        // What is as new as the new message that is told belongs to it.
        (this.newTemplate.isOpen && this.isNewSince(slot, this.newTemplate.startMs)),
    };
    const steps = sequences.flatMap(sequenceMatchers);
    this.steps = steps.length;
    this.matchers = matchersOf(config, [...steps, ...this.rules.matching.map((i) => rules[i]!.match)]);
  }

  /** A record that is not late. */
  observe(
    event: ObservedEvent,
    timeMs: number,
    severityClass: number,
    context: StepContext,
    openWindows: () => WindowState[],
  ): void {
    const { config } = this;
    if (event.isNewTemplate) {
      this.table.forget(event.templateSlot);
      this.beats.forget(event.templateSlot);
    }
    this.beats.add(event.templateSlot, timeMs, severityClass === classes.debug);
    // A new message comes first: it says more than the errors that it makes.
    if (config.newTemplate.enabled) this.newTemplate.observe(event, timeMs, severityClass, this.otherErrors, context);
    if (config.errorSpike.enabled)
      this.errors.observe(event, timeMs, severityClass >= 4, context, this.knowledge, openWindows);
    if (config.newValue.enabled) this.newValue.observe(event, timeMs, context);
    if (config.unusualSequence.enabled) this.unusual.observe(event, timeMs, context);
    if (config.latency.enabled) this.latency.observe(event);
    this.pairs.observe(event, timeMs);
    this.volume.recordSeen(timeMs, context);
    if (this.matchers !== null) this.match(this.matchers, event, timeMs, context);
    if (this.sequences.isWaiting) this.sequences.release(context.watermarkMs, context);
  }

  /** Newest event times from here on end a beat. */
  get nextBeatEndMs(): number {
    return this.beats.nextEndAtMs;
  }

  /**
   * Judges what lies between windows up to an event time.
   * @param elapsedMs event time that has run out
   */
  endBeats(untilMs: number, elapsedMs: number, openWindows: () => WindowState[], context: StepContext): void {
    for (const beat of this.beats.endUpTo(untilMs, elapsedMs)) this.judgeBeat(beat, openWindows, context);
  }

  /** In the order of `judge`, for what is not open yet. */
  private judgeBeat(beat: number, openWindows: () => WindowState[], context: StepContext): void {
    const { beats, table, history, volume, templateRates } = this;
    if (history.size < this.config.volumeDrop.warmupWindows || volume.isPaused) return;
    const usual = Math.max(1, history.usual('plainCount').local);
    if (beats.hasPause(beat, usual / beatsPerWindow)) {
      this.pauseBeat = beat;
      this.pairs.paused();
    }
    const at = Math.floor((beat * beats.beatMs) / this.sizeMs) - this.skipped;
    let made: WindowState | null = null;
    const windowOf = (): WindowState => (made ??= beats.window(beat, openWindows()[0]?.samples ?? []));
    const level: ServiceLevel = {
      growth: beats.sum('plainOf', beat, beatsPerWindow) / usual,
      usual,
      isTold: volume.isOpen,
      usualErrors: history.mean('errorCount'),
    };
    const told: BurstErrors = {
      isTold: (slot) => this.isTold(slot) || (this.errors.isOpen && this.evidence.mayBeError(slot)),
      mayBe: (slot) => !this.errors.isOpen && this.evidence.mayBeError(slot),
      tell: () => {},
    };
    const isPairTold = volume.isOpen || this.unusual.isOpen;
    const broken = this.pairs.judgeAnswers((beat + 1) * beats.beatMs, table, isPairTold, windowOf, context);
    const burst = templateRates.beatBurst(beats, beat, at, table, level, told, windowOf, context);
    const wasOpen = templateRates.isOpen;
    let isVolume = false;
    if (!burst && !templateRates.isOpen && !this.errors.isOpen && !this.newTemplate.isOpen)
      isVolume = volume.judgeBeat(
        beats,
        beat,
        history,
        windowOf,
        (window, excess, exponent) =>
          templateRates.openSingle(beatStretch(window, beats, beat), excess, exponent, table, context),
        context,
      );
    level.isTold = volume.isOpen;
    const vanished = templateRates.beatVanished(
      beats,
      beat,
      this.pauseBeat,
      at,
      table,
      level,
      (slot) => this.pairs.isBroken(slot) || this.unusual.isMissing(slot),
      (slot) => this.pairs.isAwaited(slot),
      windowOf,
      context,
    );
    if (burst || broken || isVolume || vanished || templateRates.isOpen !== wasOpen) this.beatFindings++;
  }

  /** Nothing came until then; true where a silence is told now. */
  idle(nowMs: number, context: StepContext): boolean {
    return this.volume.idle(nowMs, this.history, context);
  }

  /** Takes what waits for order up to a time, where nothing more is expected before it. */
  releaseSequences(untilMs: number, context: StepContext): void {
    this.sequences.release(untilMs, context);
  }

  windowClosed({ window, learn, partial }: ClosedWindow, context: StepContext): void {
    const { config, history } = this;
    this.errors.windowClosed(window, this.knowledge, context);
    this.newTemplate.windowClosed(window, context);
    this.rules.windowClosed(window, context);
    if (!learn && history.size < config.errorSpike.warmupWindows) this.startOver();
    if (window.logCount === 0) {
      this.volume.emptyClosed(window, learn, history, context);
      this.multivariate.close(context);
      return;
    }
    const whole = this.volume.filledClosed(window, partial, history);
    this.skipped += this.volume.silentRun;
    if (config.latency.enabled) this.latency.windowClosed(window, context);
    if (!whole) {
      this.table.push(window, this.ordinalOf(window), false, () => false);
      return;
    }
    this.judge(window, context);
    if (config.multivariate.enabled)
      this.multivariate.windowClosed(window, this.latency.shift, this.isAnyOpen, context);
    if (config.unusualSequence.enabled)
      this.unusual.windowClosed(window, this.isOpen || this.newValue.isOpen, this.pairs.isOpen, context);
    if (config.newValue.enabled)
      this.newValue.windowClosed(window, this.isAnyOpen || this.multivariate.isOpen, context);
    this.learn(window, context);
    this.evidence.review(this.ordinalOf(window), this.table, this.history);
  }

  /**
   * A whole window, the most specific finding first: what a broken pair or a template explains is no finding about
   * the volume, and under a finding about the volume templates that stop or grow are none.
   */
  private judge(window: WindowState, context: StepContext): void {
    const { table, templateRates, volume, history } = this;
    const at = this.ordinalOf(window);
    const plain = countOf(window, 'plainCount');
    const usual = Math.max(1, history.usual('plainCount').local);
    const errorExcess = this.errors.isOpen ? Math.max(0, window.failures - this.errors.usualErrors) : 0;
    const newExcess = this.newTemplate.excessOf(window);
    const added = Math.max(errorExcess, newExcess);
    const level: ServiceLevel = {
      growth: Math.max(0, plain - added - templateRates.excessOf(window, table)) / usual,
      usual,
      isTold: volume.isOpen,
      usualErrors: history.mean('errorCount'),
    };
    const isMissing = (a: number, b: number): boolean => this.unusual.isMissingOne(a, b);
    this.pairs.windowClosed(window, table, volume.isOpen || this.unusual.isOpen, isMissing, context);
    const told: BurstErrors = {
      isTold: (slot) => this.isTold(slot) || (this.errors.isOpen && this.evidence.mayBeError(slot)),
      mayBe: (slot) => !this.errors.isOpen && this.evidence.mayBeError(slot),
      tell: (slots, exponent) => {
        const usualOf = slots.reduce((sum, slot) => sum + table.get(slot, 'mean'), 0);
        this.errors.openBurst(window, slots, usualOf, exponent, this.knowledge, context);
        for (const slot of slots) this.evidence.promote(slot);
      },
    };
    templateRates.judgeBurst(window, at, table, level, told, context);
    const burst = templateRates.excessOf(window, table);
    const missing = templateRates.missingOf(table);
    const single = (excess: number, exponent: number): boolean =>
      templateRates.openSingle(stretchOf(window, table), excess, exponent, table, context);
    volume.judge(window, added + burst - missing, history, single, context);
    level.isTold = volume.isOpen;
    templateRates.judgeVanished(
      window,
      at,
      table,
      level,
      (slot) => this.pairs.isBroken(slot) || this.unusual.isMissing(slot),
      context,
    );
    if (volume.isDropping) this.skipped++;
    table.push(window, at, !volume.isOpen, (slot) => templateRates.isBursting(slot) || this.isTold(slot));
  }

  /** Ends every incident. */
  close(context: StepContext): void {
    this.errors.close(context);
    this.volume.close(context);
    this.templateRates.close(context);
    this.pairs.close(context);
    this.newValue.close(context);
    this.unusual.close(context);
    this.latency.close(context);
    this.multivariate.close(context);
    this.rules.close(context);
  }

  /** Rises when `learnedState()` would say something else than before, closed windows apart. */
  get learnedVersion(): number {
    return this.latency.learnedVersion + this.table.version + this.beatFindings;
  }

  get isWaiting(): boolean {
    return this.sequences.isWaiting;
  }

  movingState(): DetectorSetSnapshot['moving'] {
    return {
      evidence: this.evidence.snapshot(),
      beats: this.beats.snapshot(),
      pauseBeat: this.pauseBeat,
      errors: this.errors.snapshot(),
      volume: this.volume.snapshot(),
      newTemplate: this.newTemplate.snapshot(),
      newValue: this.newValue.snapshot(),
      unusual: this.unusual.snapshot(),
      latency: this.latency.movingState(),
      pairs: this.pairs.movingState(),
      sequences: this.sequences.snapshot(),
      rules: this.rules.snapshot(),
    };
  }

  learnedState(): DetectorSetSnapshot['learned'] {
    return {
      history: this.history.snapshot(),
      skipped: this.skipped,
      table: this.table.snapshot(),
      templateRates: this.templateRates.snapshot(),
      pairs: this.pairs.learnedState(),
      latency: this.latency.learnedState(),
      multivariate: this.multivariate.snapshot(),
    };
  }

  restore({ moving, learned }: DetectorSetSnapshot): void {
    this.history = History.restore(this.config.history.windows, learned.history);
    this.skipped = learned.skipped;
    this.table.restore(learned.table);
    this.evidence.restore(moving.evidence);
    this.beats.restore(moving.beats);
    this.pauseBeat = moving.pauseBeat;
    this.errors.restore(moving.errors);
    this.volume.restore(moving.volume);
    this.newTemplate.restore(moving.newTemplate);
    this.newValue.restore(moving.newValue);
    this.unusual.restore(moving.unusual);
    this.templateRates.restore(learned.templateRates);
    this.pairs.restore({ moving: moving.pairs, learned: learned.pairs });
    this.latency.restore({ moving: moving.latency, learned: learned.latency });
    this.multivariate.restore(learned.multivariate);
    this.sequences.restore(moving.sequences);
    this.rules.restore(moving.rules);
  }

  /** A handful of records, then a gap too long to be normal: what they taught is worth nothing. */
  private startOver(): void {
    this.history = new History(this.config.history.windows);
    this.table.startOver();
    this.volume.startOver();
    this.newTemplate.startOver();
  }

  /** First seen at that time or later. */
  private isNewSince(slot: number, startMs: number): boolean {
    const first = this.table.get(slot, 'first');
    return first < 0 || first >= Math.floor(startMs / this.sizeMs) - this.skipped;
  }

  /** Number of a window, without those in which the service was silent: a template is missing only beside others. */
  private ordinalOf(window: WindowState): number {
    return Math.floor(window.startMs / this.sizeMs) - this.skipped;
  }

  /** Told as a finding of its own, which explains its errors and its part of the volume. */
  private isTold(slot: number): boolean {
    return this.newTemplate.isTold(slot);
  }

  /** What is open bends the counts that the history keeps. */
  private get isOpen(): boolean {
    return this.errors.isOpen || this.volume.isOpen || this.newTemplate.isOpen || this.templateRates.isOpen;
  }

  private get isAnyOpen(): boolean {
    return this.isOpen || this.latency.isOpen || this.pairs.isOpen || this.unusual.isOpen;
  }

  /** Windows of an incident are no measure of what is usual, until it has lasted so long that they are. */
  private learn(window: WindowState, context: StepContext): void {
    const { history, config } = this;
    if (!this.isOpen) history.skipped = 0;
    else if (history.skipped < config.history.skipMax) {
      // Errors are found some time after they set in.
      if (history.skipped === 0 && this.errors.isOpen)
        history.soften('errorCount', Math.ceil((window.startMs - this.errors.startMs) / this.sizeMs));
      history.skipped++;
      return;
    } else if (history.skipped === config.history.skipMax) {
      history.skipped++;
      if (this.volume.isOpen) history.adopt();
      this.errors.close(context);
      this.volume.close(context);
      this.templateRates.close(context);
    }
    history.push(window, this.beats);
    this.errors.learn(history);
    this.errors.judgeCreep(window, history, this.knowledge, context);
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
