import { packModel } from './compact.ts';
import type { Model } from './model.ts';

/** Source of `base-model.data.ts`: a module, since pure code reads no file. */
export function baseModelModule(model: Model): string {
  const text = Buffer.from(packModel(model)).toString('base64');
  return `/** The base model (compact.ts), made by \`npm run build:base-model\`; base.test.ts holds both equal. */\nexport const baseModelText =\n  '${text}';\n`;
}
