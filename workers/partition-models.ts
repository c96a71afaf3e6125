import { baseModel, type Model } from '#analysis/classification/mod.ts';
import { LogweirError } from '#protocol/mod.ts';

/** Where a partition finds the model that a control message names, loaded by the shell before the message is taken. */
export interface ModelSource {
  get(hash: string): Model | undefined;
}

export const builtInModels: ModelSource = { get: () => undefined };

/** A model that must be loaded first: never a reason to answer otherwise (R2), so neither poison nor a dead letter. */
export class ModelMissingError extends LogweirError {
  readonly hash: string;
  constructor(hash: string, why = 'is not loaded') {
    super(
      'MODEL_MISSING',
      `The model ${hash.slice(0, 12)} ${why}.`,
      'Restore the object bucket logweir_models, or publish another model where no partition has met this one.',
    );
    this.hash = hash;
  }
}

/** '' is the built-in model. @throws ModelMissingError */
export function modelOf(models: ModelSource, hash: string): Model {
  const model = hash === '' ? baseModel : models.get(hash);
  if (model === undefined) throw new ModelMissingError(hash);
  return model;
}
