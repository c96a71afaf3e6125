import { baseModel } from './base.ts';
import { type ClassificationConfig, classificationDefaults } from './config.ts';
import { Classifier } from './classifier.ts';
import type { Model } from './model.ts';
import type { SeverityLabel } from './severity-label.ts';
import type { LabelledRecord } from './train.ts';

/** One line of `logweir classify --json`. */
export interface ClassifiedLine {
  /** 1-based. */
  line: number;
  severity: SeverityLabel;
  category: string;
  confidence: number;
}

const rounded = (p: number): number => Math.round(p * 10_000) / 10_000;

function answer(line: number, classifier: Classifier, body: string): ClassifiedLine {
  const { severity, category, confidence } = classifier.classify(body);
  return { line, severity, category, confidence: rounded(confidence) };
}

/** One object per line, in order. Each line is one message body; nothing is learned. */
export function* classifyAll(lines: Iterable<string>, model: Model = baseModel): Generator<ClassifiedLine> {
  const classifier = new Classifier(classificationDefaults, model);
  let line = 0;
  for (const body of lines) yield answer(++line, classifier, body);
}

/** Predicts each record before learning from its labels (Gama et al., Machine Learning 90, 2013). */
export function* prequential(
  records: Iterable<LabelledRecord>,
  model: Model = baseModel,
  config: ClassificationConfig = prequentialConfig,
): Generator<ClassifiedLine> {
  const classifier = new Classifier(config, model);
  let line = 0;
  for (const { body, severity, category } of records) {
    yield answer(++line, classifier, body);
    classifier.learn(body, { severity, category });
  }
}

/** A file holds many services at once: more templates are remembered than for one service of a cluster. */
const prequentialConfig: ClassificationConfig = {
  ...classificationDefaults,
  memoryTemplatesMax: 2048,
  liveFeaturesMax: 16_384,
};
