/** Severity and category of log messages: the one door of this folder. */
export { baseModel } from './base.ts';
export {
  type Classification,
  Classifier,
  type ClassifierMetrics,
  type ClassifierSnapshot,
  type TaskMetrics,
} from './classifier.ts';
export { CorrectionBook, type CorrectionRule } from './corrections.ts';
export { Novelty, type NoveltyState } from './novelty.ts';
export { decodeModel, encodeModel } from './codec.ts';
export { type ClassificationConfig, classificationDefaults } from './config.ts';
export { type ClassifiedLine, classifyAll, prequential } from './filters.ts';
export {
  challenge,
  type DatedCorrection,
  type HistoryTemplate,
  type Judgement,
  scoreTasks,
  type Slices,
  slicesOf,
} from './challenge.ts';
export type { TaskScores } from './evaluate.ts';
export type { Model } from './model.ts';
export { type SeverityLabel, severityLabelOf } from './severity-label.ts';
export { type LabelledRecord, trainModel } from './train-model.ts';
