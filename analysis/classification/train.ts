import { trainBayes } from './bayes-learner.ts';
import { extract, type Features } from './features.ts';
import type { Model } from './model.ts';
import { trainNearest } from './nearest-learner.ts';
import { fitPool, type HeldOut } from './pool-fit.ts';
import { severityLabelOf, severityLabels } from './severity-label.ts';
import { type Example, ftrlDefaults, shuffled, trainSoftmax } from './softmax-learner.ts';
import { learnerLogs, learnerNames, type TaskModel, withGuide } from './task-model.ts';

/** A text with what is true of it. A severity that no one knows, and empty categories, are not labels. */
export interface LabelledRecord {
  body: string;
  severity?: string | undefined;
  category?: string | undefined;
}

/** Distinct templates that one model is trained on; later ones are left out. Bounds time and size of a model. */
export const trainingTemplatesMax = 20_000;
/** Distinct category names that one model can tell apart. */
export const trainingCategoriesMax = 256;

interface Template {
  features: Features;
  /** Records per label. */
  counts: Map<string, number>;
  total: number;
}

class Collected {
  readonly templates = new Map<string, Template>();

  add(features: Features, label: string): void {
    let template = this.templates.get(features.key);
    if (template === undefined) {
      if (this.templates.size >= trainingTemplatesMax) return;
      template = { features, counts: new Map(), total: 0 };
      this.templates.set(features.key, template);
    }
    template.counts.set(label, (template.counts.get(label) ?? 0) + 1);
    template.total++;
  }
}

/** A template seen 100 times counts more than one seen once, but not 100 times as much. */
const templateWeight = (records: number): number => records ** 0.3;

function examplesOf(collected: Collected, labels: readonly string[], guide: readonly TaskModel[]): Example[] {
  const examples: Example[] = [];
  let mass = 0;
  for (const t of collected.templates.values()) {
    const target = new Float64Array(labels.length);
    labels.forEach((label, c) => {
      target[c] = (t.counts.get(label) ?? 0) / t.total;
    });
    const weight = templateWeight(t.total);
    mass += weight;
    examples.push({ features: guide.length > 0 ? withGuide(t.features, guide) : t.features, target, weight });
  }
  for (const e of examples) e.weight *= examples.length / mass;
  return examples;
}

type Learned = Pick<TaskModel, 'linear' | 'bayes' | 'nearest' | 'lexicon' | 'priors'>;

function learn(examples: readonly Example[], k: number): Learned {
  const priors = new Float32Array(k);
  for (const e of examples)
    for (let c = 0; c < k; c++) priors[c] = (priors[c] as number) + (e.target[c] as number) / examples.length;
  const epochs = examples.length > 5000 ? 4 : ftrlDefaults.epochs;
  return {
    priors,
    linear: trainSoftmax(examples, k, (f) => f.ids.length, { ...ftrlDefaults, epochs }),
    lexicon: trainSoftmax(examples, k, (f) => f.conceptEnd, { ...ftrlDefaults, epochs, l2: 1 }),
    bayes: trainBayes(examples, k),
    nearest: trainNearest(examples.slice(0, nearestTemplatesMax), k),
  };
}

/** Templates that the nearest-template learner keeps: a search reads at most as many postings per word. */
export const nearestTemplatesMax = 4096;

const folds = 5;
/** Texts held out to fit the pool on; more would not move it. */
const heldOutExamplesMax = 3000;

function trainTask(
  collected: Collected,
  labels: readonly string[],
  guide: readonly TaskModel[],
  poolWeights?: readonly number[],
): TaskModel {
  const k = labels.length;
  const examples = examplesOf(collected, labels, guide);
  if (poolWeights !== undefined)
    return {
      labels,
      ...learn(examples, k),
      poolWeights: Float32Array.from(poolWeights),
      poolBias: new Float32Array(k),
    };
  const heldOut: HeldOut[] = [];
  const order = shuffled(examples.length, 11).subarray(0, heldOutExamplesMax);
  for (let f = 0; f < folds && order.length >= folds; f++) {
    const inside: Example[] = [];
    const outside: Example[] = [];
    order.forEach((index, i) => (i % folds === f ? outside : inside).push(examples[index] as Example));
    const learned = learn(inside, k);
    const task: TaskModel = {
      labels,
      ...learned,
      poolWeights: new Float32Array(learnerNames.length),
      poolBias: new Float32Array(k),
    };
    for (const e of outside) heldOut.push({ logs: learnerLogs(task, e.features), target: e.target, weight: e.weight });
  }
  const fit = fitPool(heldOut, learnerNames.length, k);
  return {
    labels,
    ...learn(examples, k),
    poolWeights: Float32Array.from(fit.weights),
    poolBias: Float32Array.from(fit.bias),
  };
}

/**
 * Trains on labelled records. A question without a single label keeps the base model's answer. Records of one
 * template are folded into one example. The pool is fitted on held-out templates unless its weights are given.
 * Deterministic: the same records in the same order give the same bytes.
 */
export function trainOn(
  records: Iterable<LabelledRecord>,
  base: Model | undefined,
  poolWeights?: readonly number[],
): Model {
  const severities = new Collected();
  const categories = new Collected();
  const categoryNames = new Set<string>();
  for (const { body, severity, category } of records) {
    const features = extract(body);
    const label = severity === undefined ? undefined : severityLabelOf(severity);
    if (label !== undefined) severities.add(features, label);
    if (category === undefined || category === '') continue;
    if (categoryNames.size < trainingCategoriesMax) categoryNames.add(category);
    if (categoryNames.has(category)) categories.add(features, category);
  }
  const guide = base === undefined ? [] : [base.severity, base.category];
  const severity: TaskModel | undefined =
    severities.templates.size > 0 ? trainTask(severities, severityLabels, guide, poolWeights) : undefined;
  const category =
    categories.templates.size > 0 ? trainTask(categories, [...categoryNames], guide, poolWeights) : undefined;
  const fallback = base ?? emptyModel();
  return { severity: severity ?? fallback.severity, category: category ?? fallback.category, guide };
}

/** Answers for a question that nobody gave a label for: every severity alike, one category without a name. */
function emptyModel(): Model {
  const none = new Collected();
  return { severity: trainTask(none, severityLabels, []), category: trainTask(none, [''], []), guide: [] };
}
