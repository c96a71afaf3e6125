import type { ModelScores } from '#protocol/mod.ts';
import { Classifier } from './classifier.ts';
import { classificationDefaults } from './config.ts';
import type { Model } from './model.ts';
import { type SeverityLabel, severityLabels } from './severity-label.ts';

/** A template with its true severity, and how many records had it. */
export interface LabelledTemplate {
  text: string;
  severity: SeverityLabel;
  records: number;
}

/** How a model does on records that it has not seen: each template is asked about once, and counts by its records. */
export function scoreModel(model: Model, templates: Iterable<LabelledTemplate>): ModelScores {
  const classifier = new Classifier(classificationDefaults, model);
  const k = severityLabels.length;
  const confusion = severityLabels.map(() => new Array<number>(k).fill(0));
  const bins = Array.from({ length: 10 }, () => ({ records: 0, confidence: 0, right: 0 }));
  let records = 0;
  let right = 0;
  for (const { text, severity, records: n } of templates) {
    const answer = classifier.classify(text);
    const row = confusion[severityLabels.indexOf(severity)] as number[];
    const column = severityLabels.indexOf(answer.severity);
    row[column] = (row[column] as number) + n;
    const hit = answer.severity === severity ? n : 0;
    const bin = bins[Math.min(9, Math.floor(answer.severityConfidence * 10))] as (typeof bins)[number];
    bin.records += n;
    bin.confidence += n * answer.severityConfidence;
    bin.right += hit;
    records += n;
    right += hit;
  }
  let apart = 0;
  for (const bin of bins) apart += Math.abs(bin.confidence - bin.right);
  return {
    records,
    accuracy: records === 0 ? 0 : right / records,
    macroF1: macroF1(confusion),
    calibrationError: records === 0 ? 0 : apart / records,
    labels: [...severityLabels],
    confusion,
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

/** Whether a challenger may replace the champion, both scored on the same records. */
export function isBetter(challenger: ModelScores, champion: ModelScores): boolean {
  const accuracy = challenger.accuracy - champion.accuracy;
  const f1 = challenger.macroF1 - champion.macroF1;
  return accuracy >= -accuracyLossMax && f1 >= -macroF1LossMax && accuracy + f1 >= gainMin;
}
