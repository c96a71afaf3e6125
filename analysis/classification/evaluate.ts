import type { ModelScores } from '#protocol/mod.ts';
import { type Classification, Classifier } from './classifier.ts';
import { classificationDefaults } from './config.ts';
import type { Model } from './model.ts';
import { type SeverityLabel, severityLabels } from './severity-label.ts';

/** A template with its true severity, and how many records had it. */
export interface LabelledTemplate {
  text: string;
  severity: SeverityLabel;
  /** What a person said of it, or of what it is a case of. */
  category?: string;
  records: number;
}

/** A template or message with the category that a person gave it, and how many records had it. */
export interface CategorisedTemplate {
  text: string;
  category: string;
  records: number;
}

/** How a model does on records that it has not seen: each template is asked about once, and counts by its records. */
export function scoreModel(model: Model, templates: Iterable<LabelledTemplate>): ModelScores {
  const asked = [...templates].map(({ text, severity, records }) => ({ text, truth: severity, records }));
  return score(model, asked, severityLabels, (answer) => [answer.severity, answer.severityConfidence]);
}

/** The same for categories. */
export function scoreCategories(model: Model, templates: Iterable<CategorisedTemplate>): ModelScores {
  const asked = [...templates].map(({ text, category, records }) => ({ text, truth: category, records }));
  return score(model, asked, [], (answer) => [answer.category, answer.categoryConfidence]);
}

/** Labels of a confusion that are kept: it travels in a document that lists all versions. */
const labelsMax = 24;

function score(
  model: Model,
  asked: readonly { text: string; truth: string; records: number }[],
  known: readonly string[],
  answerOf: (answer: Classification) => readonly [label: string, confidence: number],
): ModelScores {
  const classifier = new Classifier(classificationDefaults, model);
  const counts = new Map<string, Map<string, number>>();
  const bins = Array.from({ length: 10 }, () => ({ records: 0, confidence: 0, right: 0 }));
  const labels = new Map<string, number>(known.map((label) => [label, Number.POSITIVE_INFINITY]));
  let records = 0;
  let right = 0;
  for (const { text, truth, records: n } of asked) {
    const [label, confidence] = answerOf(classifier.classify(text));
    const row = counts.get(truth) ?? new Map<string, number>();
    counts.set(truth, row.set(label, (row.get(label) ?? 0) + n));
    for (const one of [truth, label]) labels.set(one, (labels.get(one) ?? 0) + n);
    const hit = label === truth ? n : 0;
    const bin = bins[Math.min(9, Math.floor(confidence * 10))] as (typeof bins)[number];
    bin.records += n;
    bin.confidence += n * confidence;
    bin.right += hit;
    records += n;
    right += hit;
  }
  let apart = 0;
  for (const bin of bins) apart += Math.abs(bin.confidence - bin.right);
  const named = [...labels.keys()];
  const confusion = named.map((truth) => named.map((label) => counts.get(truth)?.get(label) ?? 0));
  // Most frequent first where they are not all known before; what is left out still counts in the figures.
  const order = named.map((_, at) => at);
  if (known.length === 0)
    order.sort((a, b) => (labels.get(named[b] as string) ?? 0) - (labels.get(named[a] as string) ?? 0));
  const kept = order.slice(0, labelsMax);
  return {
    records,
    accuracy: records === 0 ? 0 : right / records,
    macroF1: macroF1(confusion),
    calibrationError: records === 0 ? 0 : apart / records,
    labels: kept.map((at) => named[at] as string),
    confusion: kept.map((row) => kept.map((column) => confusion[row]?.[column] as number)),
  };
}

/** Mean over the classes that occur. */
function macroF1(confusion: readonly (readonly number[])[]): number {
  let sum = 0;
  let classes = 0;
  confusion.forEach((row, c) => {
    const truth = row.reduce((a, b) => a + b, 0);
    if (truth === 0) return;
    classes++;
    const answered = confusion.reduce((all, other) => all + (other[c] as number), 0);
    sum += (2 * (row[c] as number)) / (truth + answered);
  });
  return classes === 0 ? 0 : sum / classes;
}

/** What neither measure may lose, and what both together must gain, so that chance does not replace a model. */
const accuracyLossMax = 0.002;
const macroF1LossMax = 0.01;
const gainMin = 0.002;

export interface TaskScores {
  severity: ModelScores;
  category: ModelScores;
}

/**
 * Whether a challenger may replace the champion, both scored on the same records: neither question may lose, one must
 * gain. A question without records says nothing.
 */
export function isBetter(challenger: TaskScores, champion: TaskScores): boolean {
  const tasks = (['severity', 'category'] as const)
    .filter((task) => challenger[task].records > 0)
    .map((task) => ({
      accuracy: challenger[task].accuracy - champion[task].accuracy,
      f1: challenger[task].macroF1 - champion[task].macroF1,
    }));
  return (
    tasks.every(({ accuracy, f1 }) => accuracy >= -accuracyLossMax && f1 >= -macroF1LossMax) &&
    tasks.some(({ accuracy, f1 }) => accuracy + f1 >= gainMin)
  );
}
