/**
 * Memos of what an immutable model makes of a text, shared by all classifiers of a process. Pure (R2): an entry says what
 * would be computed again, so that neither sharing nor forgetting it can change an answer. Services of one kind log the
 * same templates, and a restored actor asks again for all of its own.
 */
import { bayesLogs } from './bayes-learner.ts';
import { extract, type Features } from './features.ts';
import type { Model } from './model.ts';
import { softmaxScores } from './softmax-learner.ts';
import { modelVotes, type TaskModel, withGuide } from './task-model.ts';

/** Texts remembered per model: some kilobytes each. */
const textsMax = 1_024;
/** Longer texts are not worth their memory. */
const textCharsMax = 2_000;

const textsOf = new WeakMap<Model, Map<string, Features>>();

/** Features of a text as a model sees them. They are shared: nobody writes to them. */
export function featuresFor(model: Model, text: string): Features {
  let texts = textsOf.get(model);
  if (texts === undefined) textsOf.set(model, (texts = new Map()));
  const known = texts.get(text);
  if (known !== undefined) return known;
  const plain = extract(text);
  const features = model.guide === undefined ? plain : withGuide(plain, model.guide);
  if (text.length > textCharsMax) return features;
  // The oldest goes first: those in use come back at the price of one computation.
  if (texts.size >= textsMax) texts.delete(texts.keys().next().value as string);
  texts.set(text, features);
  return features;
}

/** Scores per label of the model's learners, before anything learned online. Shared: nobody writes to them. */
export interface ModelScores {
  linear: Float64Array;
  bayes: Float64Array;
  /** Asked for only where no remembered template answers. */
  votes: Float64Array | null;
  lexicon: Float64Array;
}

const scoresOf = new WeakMap<TaskModel, WeakMap<Features, ModelScores>>();

export function modelScores(model: TaskModel, features: Features): ModelScores {
  let known = scoresOf.get(model);
  if (known === undefined) scoresOf.set(model, (known = new WeakMap()));
  let scores = known.get(features);
  if (scores !== undefined) return scores;
  scores = {
    linear: softmaxScores(model.linear, features, features.ids.length),
    bayes: bayesLogs(model.bayes, features),
    votes: null,
    lexicon: softmaxScores(model.lexicon, features, features.conceptEnd),
  };
  known.set(features, scores);
  return scores;
}

export function votesOf(model: TaskModel, features: Features): Float64Array {
  const scores = modelScores(model, features);
  return (scores.votes ??= modelVotes(model.nearest, features));
}
