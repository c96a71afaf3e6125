import { baseMaterial } from './base-material.ts';
import type { Model } from './model.ts';
import { trainAlone } from './train.ts';

let trained: Model | undefined;
const get = (): Model => (trained ??= trainAlone(baseMaterial()));

/**
 * The model for the first minute: made from the project's own material, the same everywhere. Making it takes most of a
 * second, so it is made at first use; touch `baseModel.severity` at start to have it over with.
 */
export const baseModel: Model = {
  get severity() {
    return get().severity;
  },
  get category() {
    return get().category;
  },
  guide: undefined,
};
