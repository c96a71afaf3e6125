import { bayesLogs, type BayesModel } from './bayes-learner.ts';
import { type Features, guideId } from './features.ts';
import { indexNearest, type NearestIndex, type NearestModel, neighbours, voteLogs, voteOf } from './nearest-learner.ts';
import { logSoftmax, pool } from './probability.ts';
import { type SoftmaxModel, softmaxScores } from './softmax-learner.ts';

/** The four learners, in the order of every per-learner array. */
export const learnerNames = ['linear', 'bayes', 'nearest', 'lexicon'] as const;
export type LearnerName = (typeof learnerNames)[number];

/** All that was learned about one question (severity or category). Immutable. */
export interface TaskModel {
  readonly labels: readonly string[];
  /** Share of each label among templates, sum 1. */
  readonly priors: Float32Array;
  readonly linear: SoftmaxModel;
  readonly bayes: BayesModel;
  readonly nearest: NearestModel;
  readonly lexicon: SoftmaxModel;
  /** Weight of each learner in the pool, ≥ 0, and a bias per label: fitted on texts that the learners had not seen. */
  readonly poolWeights: Float32Array;
  readonly poolBias: Float32Array;
}

const indexes = new WeakMap<NearestModel, NearestIndex>();

/** A memo: the index is a function of the model alone. */
export function nearestIndexOf(model: NearestModel): NearestIndex {
  let index = indexes.get(model);
  if (index === undefined) {
    index = indexNearest(model);
    indexes.set(model, index);
  }
  return index;
}

export const neighboursMax = 5;
/** Neighbours with less in common than this do not vote. */
export const similarityMin = 0.15;

/** Votes of a model's templates per label. */
export function modelVotes(model: NearestModel, features: Features): Float64Array {
  const votes = new Float64Array(model.labels);
  for (const { similarity, template } of neighbours(nearestIndexOf(model), features.tokens, neighboursMax)) {
    if (similarity < similarityMin) continue;
    const vote = voteOf(similarity);
    for (let c = 0; c < model.labels; c++)
      votes[c] = (votes[c] as number) + vote * (model.shares[template * model.labels + c] as number);
  }
  return votes;
}

/** Log-probabilities per label of each learner. */
export function learnerLogs(task: TaskModel, features: Features): Float64Array[] {
  return [
    logSoftmax(softmaxScores(task.linear, features, features.ids.length)),
    bayesLogs(task.bayes, features),
    voteLogs(modelVotes(task.nearest, features), task.priors),
    logSoftmax(softmaxScores(task.lexicon, features, features.conceptEnd)),
  ];
}

/** Log-probabilities per label of the ensemble. */
export function taskLogs(task: TaskModel, features: Features): Float64Array {
  return pool(learnerLogs(task, features), task.poolWeights, task.poolBias, task.labels.length);
}

/** Tasks whose opinions are features of another model's. */
export interface Guide {
  readonly severity: TaskModel;
  readonly category: TaskModel;
}

/** Opinions held with less than this probability are left out. */
const opinionMin = 0.03;
/** Value of an opinion held with certainty; 1 would make it weigh as much as all concepts together. */
const opinionValue = 1.5;

/** Adds what another model thinks of a text to its features: its severities, its categories, and both together. */
export function withGuide(features: Features, guide: Guide): Features {
  const ids: number[] = [];
  const values: number[] = [];
  const add = (name: string, probability: number): void => {
    if (probability < opinionMin) return;
    ids.push(guideId(name));
    values.push(opinionValue * probability);
  };
  const severities = taskLogs(guide.severity, features).map(Math.exp);
  const categories = taskLogs(guide.category, features).map(Math.exp);
  severities.forEach((p, c) => add(guide.severity.labels[c] as string, p));
  categories.forEach((p, c) => add(guide.category.labels[c] as string, p));
  severities.forEach((p, i) => {
    categories.forEach((q, j) => add(`${guide.severity.labels[i]} ${guide.category.labels[j]}`, p * q));
  });
  const shift = ids.length;
  const allIds = new Uint32Array(shift + features.ids.length);
  allIds.set(ids);
  allIds.set(features.ids, shift);
  const allValues = new Float64Array(shift + features.values.length);
  allValues.set(values);
  allValues.set(features.values, shift);
  return {
    ...features,
    ids: allIds,
    values: allValues,
    conceptEnd: features.conceptEnd + shift,
    liveEnd: features.liveEnd + shift,
    wordEnd: features.wordEnd + shift,
  };
}
