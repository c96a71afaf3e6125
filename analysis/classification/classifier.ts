import { LogweirError, type ModelFigures, pack, type TaskFigures, unpack } from '#protocol/mod.ts';
import { type ClassificationConfig, classificationConfig } from './config.ts';
import type { Features } from './features.ts';
import { LiveTask, type LiveTaskState } from './live-task.ts';
import { featuresFor } from './memo.ts';
import type { Model } from './model.ts';
import { labelNumbers, type SeverityLabel, severityLabelOf, severityLabels } from './severity-label.ts';
import { rowOf } from './table.ts';
import { learnerNames } from './task-model.ts';
import { troubleOf, withTrouble } from './trouble.ts';

/** An answer. Confidences are probabilities (0–1); `confidence` is the smaller of the two. */
export interface Classification {
  severity: SeverityLabel;
  severityNumber: 5 | 9 | 13 | 17;
  severityConfidence: number;
  /** Probability that it is an error, 0–1, whatever is the likeliest; by what its words say as well. */
  errorChance: number;
  category: string;
  categoryConfidence: number;
  confidence: number;
}

/** Weight in the pool; fading share of right answers and mean log loss. */
export interface LearnerMetrics {
  weight: number;
  recentAccuracy: number;
  recentLoss: number;
}

/** How one question fares where its truth is known. */
export interface TaskMetrics {
  labels: string[];
  /** Outcomes measured, and the share that was right (0 when none). */
  records: number;
  accuracy: number;
  /** Share of right answers over about the last 20 records. */
  recentAccuracy: number;
  drifts: number;
  /** Per learner, for remembered templates and for new ones. */
  learners: { name: string; known: LearnerMetrics; novel: LearnerMetrics }[];
  confusion: { truth: string; predicted: string; records: number }[];
  /** Tenths of confidence: how many answers, and how many were right. */
  confidenceHistogram: { from: number; records: number; right: number }[];
  memoryTemplates: number;
  liveFeatures: number;
  labelsRefused: number;
}

export interface ClassifierMetrics {
  version: number;
  learned: number;
  severity: TaskMetrics;
  category: TaskMetrics;
}

/**
 * State at some point, packed, and the lessons since: what is learned from one text touches thousands of numbers, so
 * that a checkpoint repeats the lesson instead.
 */
export interface ClassifierSnapshot {
  base: Uint8Array | null;
  lessons: Lesson[];
}

/** Text, severity and category as `learn` was given them; empty: not given; and whether a person said so. */
type Lesson = [text: string, severity: string, category: string, corrected: boolean];

interface ClassifierState {
  format: 1;
  version: number;
  learned: number;
  severity: LiveTaskState | null;
  category: LiveTaskState | null;
}

/**
 * Severity and category of one (service, lane): an immutable model, and what was learned online on top of it.
 * A pure function of the model and the sequence of `learn` calls; `classify` changes nothing.
 */
export class Classifier {
  readonly #model: Model;
  readonly #severity: LiveTask;
  readonly #category: LiveTask;
  #version = 0;
  #learned = 0;
  #base: Uint8Array | null = null;
  #lessons: Lesson[] = [];
  /** Memo of the text asked about last: it is classified, measured and learned in turn. */
  #last: { text: string; features: Features } | undefined;

  constructor(config: ClassificationConfig, model: Model) {
    const checked = classificationConfig(config);
    this.#model = model;
    this.#severity = new LiveTask(checked, () => model.severity, severityLabels.length);
    this.#category = new LiveTask(checked, () => model.category, checked.categoriesMax);
  }

  /** Rises when answers may have changed enough to classify cached templates again. */
  get version(): number {
    return this.#version;
  }

  /** Labels learned: rises whenever `lessons` would say something else than before. */
  get learned(): number {
    return this.#learned;
  }

  get base(): Uint8Array | null {
    return this.#base;
  }

  /** Changes when `base` does. */
  get baseVersion(): number {
    return this.#learned - this.#lessons.length;
  }

  get lessons(): Lesson[] {
    return this.#lessons.slice();
  }

  #features(text: string): Features {
    if (this.#last?.text === text) return this.#last.features;
    const features = featuresFor(this.#model, text);
    this.#last = { text, features };
    return features;
  }

  /** Share of a text's words that the model has never met, 0–1. */
  unknownShare(text: string): number {
    const { tokens } = this.#features(text);
    if (tokens.length === 0) return 0;
    const { severity, guide } = this.#model;
    let unknown = 0;
    for (const id of tokens) {
      if (rowOf(severity.nearest.table, id) >= 0) continue;
      if (guide === undefined || rowOf(guide.severity.nearest.table, id) < 0) unknown++;
    }
    return unknown / tokens.length;
  }

  /** `text`: a template's text or a body. */
  classify(text: string): Classification {
    const features = this.#features(text);
    const severity = this.#severity.classify(features);
    const category = this.#category.classify(features);
    return {
      severity: severityLabels[severity.label] as SeverityLabel,
      severityNumber: labelNumbers[severity.label] as 5 | 9 | 13 | 17,
      severityConfidence: severity.confidence,
      errorChance: this.#errorChance(features.key, severity.logs),
      category: this.#category.labelAt(category.label),
      categoryConfidence: category.confidence,
      confidence: Math.min(severity.confidence, category.confidence),
    };
  }

  /** What senders and people say of messages counts for more than words, the more they say. */
  #errorChance(key: string, logs: ArrayLike<number>): number {
    const chance = Math.exp(logs[severityLabels.indexOf('ERROR')] ?? Number.NEGATIVE_INFINITY);
    return withTrouble(chance, (troubleOf(key) * lessonsToTrust) / (lessonsToTrust + this.#learned));
  }

  /**
   * Learns what is true of a text: severity in any sender's spelling (unknown ones are ignored), category as given.
   * The prediction is measured first. A category or what is `corrected` by a person always raises `version`.
   */
  learn(
    text: string,
    truth: { severity?: string | undefined; category?: string | undefined },
    corrected = false,
  ): void {
    const severity =
      truth.severity === undefined || truth.severity === '' ? undefined : severityLabelOf(truth.severity);
    const category = truth.category === '' ? undefined : truth.category?.slice(0, categoryCharsMax);
    if (severity === undefined && category === undefined) return;
    const features = this.#features(text);
    let changed = corrected || category !== undefined;
    if (severity !== undefined && this.#severity.learn(features, severity, corrected)) changed = true;
    if (category !== undefined) this.#category.learn(features, category, corrected);
    this.#learned++;
    if (changed || (this.#learned & (this.#learned - 1)) === 0) this.#version++;
    this.#lessons.push([text, truth.severity ?? '', truth.category ?? '', corrected]);
    if (this.#lessons.length < lessonsMax && text.length <= lessonCharsMax) return;
    this.#base = Uint8Array.from(pack(this.#state()));
    this.#lessons = [];
  }

  metrics(): ClassifierMetrics {
    return {
      version: this.#version,
      learned: this.#learned,
      severity: metricsOf(this.#severity),
      category: metricsOf(this.#category),
    };
  }

  snapshot(): ClassifierSnapshot {
    return { base: this.base, lessons: this.lessons };
  }

  #state(): ClassifierState {
    return {
      format: 1,
      version: this.#version,
      learned: this.#learned,
      severity: this.#severity.snapshot(),
      category: this.#category.snapshot(),
    };
  }

  /** Continues exactly where the snapshot was taken, given the same config and model. */
  static restore(config: ClassificationConfig, model: Model, { base, lessons }: ClassifierSnapshot): Classifier {
    const classifier = new Classifier(config, model);
    if (base !== null) classifier.#restoreBase(base);
    for (const [text, severity, category, corrected] of lessons)
      classifier.learn(text, { severity, category }, corrected);
    return classifier;
  }

  /**
   * The same service over another model: templates keep what was learned of them, corrections to weights of the old
   * model mean nothing to the new one, and it is measured afresh.
   */
  over(config: ClassificationConfig, model: Model): Classifier {
    const classifier = new Classifier(config, model);
    if (this.#learned === 0) return classifier;
    classifier.#version = this.#version + 1;
    classifier.#learned = this.#learned;
    classifier.#severity.adopt(this.#severity);
    classifier.#category.adopt(this.#category);
    classifier.#base = Uint8Array.from(pack(classifier.#state()));
    return classifier;
  }

  /** Adds how the classifier fares to the sums of many; changes nothing. */
  addTo(figures: ModelFigures): void {
    addTask(figures.severity, this.#severity);
    addTask(figures.category, this.#category);
  }

  #restoreBase(base: Uint8Array): void {
    const state = unpack(base) as ClassifierState;
    if (
      typeof state !== 'object' ||
      state.format !== 1 ||
      !Number.isInteger(state.version) ||
      !Number.isInteger(state.learned)
    ) {
      throw new LogweirError(
        'MESSAGE_MALFORMED',
        'A classifier snapshot has a shape that this version does not know.',
        'Restore from an older checkpoint, or let the classifier start anew.',
      );
    }
    this.#base = Uint8Array.from(base);
    this.#version = state.version;
    this.#learned = state.learned;
    if (state.severity !== null) this.#severity.restore(state.severity);
    if (state.category !== null) this.#category.restore(state.category);
  }
}

const categoryCharsMax = 100;
/** Labels learned from which what was learned counts for more than the words of trouble. */
const lessonsToTrust = 32;
/** Lessons kept beside a base. Each is learned again in a restore, in some 50 µs. */
const lessonsMax = 16;
/** After a longer text than this a base is taken at once. */
const lessonCharsMax = 4096;

function addTask(figures: TaskFigures, task: LiveTask): void {
  const { track } = task;
  if (track === undefined || track.records === 0) return;
  figures.records += track.records;
  figures.right += track.right;
  figures.drifts += track.drifts;
  figures.recentErrors += track.records * track.errorFast;
  for (const [cell, records] of track.confusion) {
    const [truth, predicted] = [task.labelAt(Math.floor(cell / 1024)), task.labelAt(cell % 1024)];
    const known = figures.confusion.find(([t, p]) => t === truth && p === predicted);
    if (known === undefined) figures.confusion.push([truth, predicted, records]);
    else known[2] += records;
  }
  track.histogram.forEach((n, i) => (figures.histogram[i] = (figures.histogram[i] ?? 0) + n));
  track.histogramRight.forEach((n, i) => (figures.histogramRight[i] = (figures.histogramRight[i] ?? 0) + n));
  for (const known of [true, false]) {
    const { records, accuracies } = known ? track.known : track.novel;
    if (records === 0) continue;
    const weights = task.weights(known);
    learnerNames.forEach((name, l) => {
      let learner = figures.learners.find((one) => one.name === name);
      if (learner === undefined) {
        learner = { name, records: 0, weight: 0, right: 0 };
        figures.learners.push(learner);
      }
      learner.records += records;
      learner.weight += records * (weights[l] as number);
      learner.right += records * (accuracies[l] as number);
    });
  }
}

function metricsOf(task: LiveTask): TaskMetrics {
  const track = task.track;
  const records = track?.records ?? 0;
  const of = (known: boolean, l: number): LearnerMetrics => {
    const measured = known ? track?.known : track?.novel;
    return {
      weight: task.weights(known)[l] ?? 0,
      recentAccuracy: measured?.accuracies[l] ?? 0,
      recentLoss: measured?.losses[l] ?? 0,
    };
  };
  const { templates, features, refused } = task.size;
  return {
    labels: task.labels,
    records,
    accuracy: track === undefined || records === 0 ? 0 : track.right / records,
    recentAccuracy: track === undefined || records === 0 ? 0 : 1 - track.errorFast,
    drifts: track?.drifts ?? 0,
    learners: learnerNames.map((name, l) => ({ name, known: of(true, l), novel: of(false, l) })),
    confusion: (track?.confusion ?? []).map(([cell, n]) => ({
      truth: task.labelAt(Math.floor(cell / 1024)),
      predicted: task.labelAt(cell % 1024),
      records: n,
    })),
    confidenceHistogram: (track?.histogram ?? []).map((n, i) => ({
      from: i / 10,
      records: n,
      right: track?.histogramRight[i] ?? 0,
    })),
    memoryTemplates: templates,
    liveFeatures: features,
    labelsRefused: refused,
  };
}
