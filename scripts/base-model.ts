/** Makes the base model that ships (`npm run build:base-model`) from our own material: the same bytes at every run. */
import { writeFileSync } from 'node:fs';
import { baseMaterial } from '../analysis/classification/base-material.ts';
import { baseModelModule } from '../analysis/classification/base-module.ts';
import { trainAlone } from '../analysis/classification/train.ts';

const path = new URL('../analysis/classification/base-model.data.ts', import.meta.url);
const text = baseModelModule(trainAlone(baseMaterial()));
writeFileSync(path, text);
console.log(`${path.pathname}: ${text.length} bytes`);
