/**
 * Corrections of classes by people, as the cluster keeps them: one document, changed by compare-and-set, which the
 * leader tells to partitions (`ControlMessage`). Pure: the document before and what is asked give the one after.
 */
import { LogweirError } from './errors.ts';
import { partitionOf } from './partitioner.ts';

/** Severities that the classifier tells apart. */
export const correctableSeverities = ['DEBUG', 'INFO', 'WARN', 'ERROR'] as const;
export type CorrectableSeverity = (typeof correctableSeverities)[number];

/** What is true of a message; '' leaves the question to the classifier. */
export interface Correction {
  /** Of service and text: correcting the same again replaces it. */
  id: string;
  /** '': every service. */
  service: string;
  /** Text of a template, or a body. */
  text: string;
  /** Template that it was made for, which it follows while its text generalises; '' for a body. */
  templateId: string;
  severity: CorrectableSeverity | '';
  category: string;
  by: string;
  atMs: number;
}

export interface Corrections {
  /** Rises with every change; partitions ignore what they have. */
  version: number;
  /** Version that every partition was told. */
  published: number;
  items: Correction[];
}

export const noCorrections: Corrections = { version: 0, published: 0, items: [] };

/** People make them by hand; a model trained with them carries on what they taught. */
export const correctionsMax = 1_000;
/** Of the whole list: it travels in one message, and every checkpoint of a partition repeats its part. */
const correctionsCharsMax = 200_000;
export const correctionTextCharsMax = 4_096;
export const categoryCharsMax = 100;

/** @throws LogweirError REQUEST_INVALID | LIMIT_REACHED, naming what is wrong */
export function withCorrection(before: Corrections, correction: Correction): Corrections {
  const { text, severity, category } = correction;
  const refuse = (what: string, remedy: string): never => {
    throw new LogweirError('REQUEST_INVALID', what, remedy);
  };
  if (text.trim() === '') refuse('A correction has no text.', 'Name a template, or give the body of a message.');
  if (text.length > correctionTextCharsMax)
    refuse(
      `The text of a correction has ${text.length} characters; ${correctionTextCharsMax} are allowed.`,
      'Give its first lines: they are what the classifier reads.',
    );
  if (severity === '' && category === '')
    refuse('A correction says neither severity nor category.', 'Give at least one of the two.');
  if (severity !== '' && !correctableSeverities.includes(severity))
    refuse(`"${severity}" is no severity that can be corrected to.`, `Use one of ${correctableSeverities.join(', ')}.`);
  if (category.length > categoryCharsMax)
    refuse(
      `A category has ${category.length} characters; ${categoryCharsMax} are allowed.`,
      'Choose a shorter name for it.',
    );
  const known = before.items.find(({ id }) => id === correction.id);
  const merged: Correction = {
    ...correction,
    severity: severity === '' ? (known?.severity ?? '') : severity,
    category: category === '' ? (known?.category ?? '') : category,
  };
  const items = [...before.items.filter(({ id }) => id !== correction.id), merged];
  const chars = items.reduce((sum, item) => sum + item.text.length + item.category.length + item.service.length, 0);
  if (items.length > correctionsMax || chars > correctionsCharsMax)
    throw new LogweirError(
      'LIMIT_REACHED',
      `${before.items.length} corrections are kept already, which is as many as the cluster carries.`,
      'Train a model with them ("logweir model train"), then remove those that it has learned.',
    );
  return { ...before, version: before.version + 1, items };
}

/** Null where there is none of that id. */
export function withoutCorrection(before: Corrections, id: string): Corrections | null {
  const items = before.items.filter((item) => item.id !== id);
  return items.length === before.items.length ? null : { ...before, version: before.version + 1, items };
}

/** What a partition is told of: the part that its analysis reads. */
export type ToldCorrection = Pick<Correction, 'service' | 'text' | 'templateId' | 'severity' | 'category'>;

export function correctionsOf(partition: number, partitions: number, { items }: Corrections): ToldCorrection[] {
  return items
    .filter(({ service }) => service === '' || partitionOf(service, partitions) === partition)
    .map(({ service, text, templateId, severity, category }) => ({ service, text, templateId, severity, category }));
}

export function isToldCorrection(value: unknown): value is ToldCorrection {
  const it = value as Partial<ToldCorrection> | null;
  return (
    typeof it?.service === 'string' &&
    typeof it.text === 'string' &&
    it.text !== '' &&
    typeof it.templateId === 'string' &&
    typeof it.category === 'string' &&
    (it.severity === '' || correctableSeverities.includes(it.severity as CorrectableSeverity))
  );
}
