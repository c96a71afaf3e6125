import { baseModelText } from './base-model.data.ts';
import { unpackModel } from './compact.ts';
import type { Model } from './model.ts';

let unpacked: Model | undefined;
const get = (): Model => (unpacked ??= unpackModel(Buffer.from(baseModelText, 'base64')));

/** The model for the first minute: made from the project's own material, the same everywhere. Unpacked at first use. */
export const baseModel: Model = {
  get severity() {
    return get().severity;
  },
  get category() {
    return get().category;
  },
  guide: undefined,
};
