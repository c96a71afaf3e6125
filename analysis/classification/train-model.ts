import { baseModel } from './base.ts';
import type { Model } from './model.ts';
import { type LabelledRecord, trainOn } from './train.ts';

export type { LabelledRecord } from './train.ts';

/** Trains on labelled records, with the opinions of a base model as extra features. See `trainOn`. */
export function trainModel(records: Iterable<LabelledRecord>, base: Model = baseModel): Model {
  return trainOn(records, base);
}
