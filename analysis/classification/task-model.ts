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

/** Adds what another model thinks of a text to its features, as probabilities of its labels over 2 %. */
export function withGuide(features: Features, guide: readonly TaskModel[]): Features {
  const ids: number[] = [];
  const values: number[] = [];
  for (const task of guide) {
    taskLogs(task, features).forEach((log, c) => {
      const p = Math.exp(log);
      if (p < 0.02) return;
      ids.push(guideId(task.labels[c] as string));
      values.push(p);
    });
  }
  const shift = ids.length;
  const allIds = new Uint32Array(shift + features.ids.length);
  allIds.set(ids);
  allIds.set(features.ids, shift);
  const allValues = new Float64Array(shift + features.values.length);
  allValues.set(values);
  allValues.set(features.values, shift);
  return {
    key: features.key,
    ids: allIds,
    values: allValues,
    conceptEnd: features.conceptEnd + shift,
    liveEnd: features.liveEnd + shift,
    wordEnd: features.wordEnd + shift,
    tokens: features.tokens,
  };
}
