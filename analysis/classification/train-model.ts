import { baseModel } from './base.ts';
import { baseMaterial } from './base-material.ts';
import type { Model } from './model.ts';
import { type LabelledRecord, trainOver } from './train.ts';

export type { LabelledRecord } from './train.ts';

/**
 * Trains on labelled records, on top of a base model. Deterministic: the same records in the same order give the same
 * bytes. Records of one template are folded into one example; labels are used exactly as given (severities by meaning:
 * TRACE is DEBUG, FATAL is ERROR).
 */
export function trainModel(records: Iterable<LabelledRecord>, base: Model = baseModel): Model {
  return trainOver(records, base, baseMaterial());
}
