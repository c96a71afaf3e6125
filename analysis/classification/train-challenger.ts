import { baseMaterial } from './base-material.ts';
import type { CorrectionRule } from './corrections.ts';
import type { LabelledTemplate } from './evaluate.ts';
import type { Model } from './model.ts';
import type { LabelledRecord } from './train.ts';
import { trainModel } from './train-model.ts';

/** A template counts by a power of its records; beyond this many a record changes nothing worth its time. */
const recordsPerTemplateMax = 100;
/** A person's word weighs as much as so many records of a sender. */
const correctionRecords = 20;

/**
 * Trains on history (templates with the severities that senders gave) and on people's corrections. Deterministic. Where
 * corrections name categories, the base's own stay known beside them; without any, categories stay the base's.
 */
export function trainChallenger(history: readonly LabelledTemplate[], corrections: readonly CorrectionRule[]): Model {
  return trainModel(recordsOf(history, corrections));
}

function* recordsOf(
  history: readonly LabelledTemplate[],
  corrections: readonly CorrectionRule[],
): Generator<LabelledRecord> {
  const totals = new Map<string, number>();
  for (const { text, records } of history) totals.set(text, (totals.get(text) ?? 0) + records);
  for (const { text, severity, category = '', records } of history) {
    const total = totals.get(text) as number;
    const copies = Math.max(
      1,
      Math.round(total <= recordsPerTemplateMax ? records : (records / total) * recordsPerTemplateMax),
    );
    for (let i = 0; i < copies; i++) yield { body: text, severity };
    if (category !== '') for (let i = 0; i < correctionRecords; i++) yield { body: text, category };
  }
  for (const { text, severity, category } of corrections)
    for (let i = 0; i < correctionRecords; i++)
      yield { body: text, severity: severity || undefined, category: category || undefined };
  const isSaid = ({ category = '' }: { category?: string }): boolean => category !== '';
  if (!corrections.some(isSaid) && !history.some(isSaid)) return;
  for (const { body, category } of baseMaterial()) yield { body, category };
}
