import { trainBayes } from './bayes-learner.ts';
import { calibratedScale, type HeldOut } from './calibrate.ts';
import type { Features } from './features.ts';
import { indexNearest, neighbours, trainNearest } from './nearest-learner.ts';
import { type Example, ftrlDefaults, shuffled, trainSoftmax } from './softmax-learner.ts';
import { learnerLogs, type TaskModel } from './task-model.ts';

/** How one question is trained. */
export interface TaskPlan {
  /** Weights of linear, bayes, nearest, lexicon in the pool, before calibration. */
  poolWeights: readonly number[];
  /** 0–1: how far rare labels are raised towards common ones. */
  balance: number;
  /** Weight of all background examples together against the examples proper. */
  background: number;
  /** False skips the held-out round that makes confidences honest. */
  calibrate: boolean;
}

/** A template with its records per label. */
export interface CountedTemplate {
  features: Features;
  counts: ReadonlyMap<string, number>;
  total: number;
}

/** Templates that the nearest-template learner keeps: a search reads at most as many postings per word. */
export const nearestTemplatesMax = 4096;
/** With more templates fewer rounds over them reach the same weights. */
const manyExamples = 5000;
/** Templates of the held-out round: one in four is held out. */
const calibrationExamplesMax = 4000;
const folds = 4;
/** Templates this similar stay on one side of the held-out split. */
const kinSimilarity = 0.5;

/** A template seen 100 times counts more than one seen once, but not 100 times as much. */
const templateWeight = (records: number): number => records ** 0.4;

/** Scales weights so that their mean is `mean`. */
function normalise(examples: readonly Example[], mean: number): void {
  let mass = 0;
  for (const e of examples) mass += e.weight;
  for (const e of examples) e.weight *= (mean * examples.length) / mass;
}

function massPerLabel(examples: readonly Example[], k: number): Float64Array {
  const mass = new Float64Array(k);
  for (const e of examples)
    for (let c = 0; c < k; c++) mass[c] = (mass[c] as number) + e.weight * (e.target[c] as number);
  return mass;
}

/** Multiplies each weight by the factor of its labels. */
function reweigh(examples: readonly Example[], factors: Float64Array): void {
  for (const e of examples) {
    let factor = 0;
    for (let c = 0; c < factors.length; c++) factor += (e.target[c] as number) * (factors[c] as number);
    e.weight *= factor;
  }
}

function examplesOf(templates: Iterable<CountedTemplate>, labels: readonly string[]): Example[] {
  const examples: Example[] = [];
  for (const { features, counts, total } of templates) {
    const target = Float64Array.from(labels, (label) => (counts.get(label) ?? 0) / total);
    examples.push({ features, target, weight: templateWeight(total) });
  }
  normalise(examples, 1);
  return examples;
}

function learn(
  examples: readonly Example[],
  background: readonly Example[],
  labels: readonly string[],
  plan: TaskPlan,
): TaskModel {
  const k = labels.length;
  const all = [...examples, ...background];
  const epochs = all.length > manyExamples ? 4 : ftrlDefaults.epochs;
  const priors = new Float32Array(k);
  for (const e of examples)
    for (let c = 0; c < k; c++) priors[c] = (priors[c] as number) + (e.target[c] as number) / examples.length;
  return {
    labels,
    priors,
    linear: trainSoftmax(all, k, (f) => f.ids.length, { ...ftrlDefaults, epochs }),
    lexicon: trainSoftmax(all, k, (f) => f.conceptEnd, { ...ftrlDefaults, epochs, l2: 1 }),
    bayes: trainBayes(all, k),
    nearest: trainNearest(all.slice(0, nearestTemplatesMax), k),
    poolWeights: Float32Array.from(plan.poolWeights),
    poolBias: new Float32Array(k),
  };
}

/** Background examples, weighed so that together they count `share` and their labels lean to those of the examples. */
function backgroundOf(
  templates: Iterable<CountedTemplate>,
  examples: readonly Example[],
  labels: readonly string[],
  share: number,
): Example[] {
  const background = share > 0 ? examplesOf(templates, labels) : [];
  if (background.length === 0) return background;
  const wanted = massPerLabel(examples, labels.length);
  const had = massPerLabel(background, labels.length);
  reweigh(
    background,
    wanted.map((w, c) => Math.sqrt((w + 1) / ((had[c] as number) + 1))),
  );
  normalise(background, (share * examples.length) / background.length);
  return background;
}

/**
 * Deals templates into folds, kin together: a template whose near twin is in the training half is no test of how the
 * learners do on something new.
 */
function foldsOf(examples: readonly Example[], k: number): number[] {
  const index = indexNearest(trainNearest(examples, k));
  const parent = examples.map((_, i) => i);
  const root = (i: number): number => {
    let r = i;
    while (parent[r] !== r) r = parent[r] as number;
    return r;
  };
  examples.forEach((e, i) => {
    for (const n of neighbours(index, e.features.tokens, 4)) {
      if (n.similarity < kinSimilarity) continue;
      const [a, b] = [root(i), root(n.template)];
      parent[Math.max(a, b)] = Math.min(a, b);
    }
  });
  const families = [...new Set(parent.map((_, i) => root(i)))];
  const fold = new Map<number, number>();
  shuffled(families.length, 11).forEach((family, i) => {
    fold.set(families[family] as number, i % folds);
  });
  return examples.map((_, i) => fold.get(root(i)) as number);
}

/** Trains on a quarter less than there is, and asks about that quarter. */
function heldOutOf(
  examples: readonly Example[],
  background: readonly Example[],
  labels: readonly string[],
  plan: TaskPlan,
): HeldOut[] {
  const some = examples.slice(0, calibrationExamplesMax);
  const fold = foldsOf(some, labels.length);
  const inside = some.filter((_, i) => fold[i] !== 0);
  if (inside.length === 0) return [];
  const task = learn(inside, background, labels, plan);
  return some.flatMap((e, i) =>
    fold[i] === 0 ? [{ logs: learnerLogs(task, e.features), target: e.target, weight: e.weight }] : [],
  );
}

/** Deterministic: the same templates in the same order give the same model. */
export function trainTask(
  templates: Iterable<CountedTemplate>,
  backgroundTemplates: Iterable<CountedTemplate>,
  labels: readonly string[],
  plan: TaskPlan,
): TaskModel {
  const k = labels.length;
  const examples = examplesOf(templates, labels);
  if (plan.balance > 0) {
    const mass = massPerLabel(examples, k);
    reweigh(
      examples,
      mass.map((m) => (m > 0 ? (examples.length / (k * m)) ** plan.balance : 0)),
    );
    normalise(examples, 1);
  }
  const background = backgroundOf(backgroundTemplates, examples, labels, plan.background);
  const scale = plan.calibrate
    ? calibratedScale(heldOutOf(examples, background, labels, plan), plan.poolWeights, k)
    : 1;
  const poolWeights = plan.poolWeights.map((w) => w * scale);
  return learn(examples, background, labels, { ...plan, poolWeights });
}
