import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { baseMaterial } from './base-material.ts';
import { baseModelModule } from './base-module.ts';
import { classificationDefaults } from './config.ts';
import { Classifier } from './classifier.ts';
import { packModel, unpackModel } from './compact.ts';
import { trainAlone } from './train.ts';

const trained = trainAlone(baseMaterial());

describe('the base model that ships', () => {
  it('is what `npm run build:base-model` makes of the material', () => {
    const shipped = readFileSync(new URL('base-model.data.ts', import.meta.url), 'utf8');
    expect(shipped === baseModelModule(trained), 'stale: run `npm run build:base-model`').toBe(true);
  });

  it('answers as the model that it was packed from', () => {
    const whole = new Classifier(classificationDefaults, trained);
    const compact = new Classifier(classificationDefaults, unpackModel(packModel(trained)));
    let texts = 0;
    let other = 0;
    for (const { body } of baseMaterial()) {
      const [one, two] = [whole.classify(body), compact.classify(body)];
      texts++;
      if (one.severity !== two.severity || one.category !== two.category) other++;
      expect(Math.abs(one.confidence - two.confidence)).toBeLessThan(0.02);
    }
    expect(other / texts).toBeLessThan(0.002);
  });

  it('is packed to the same bytes again', () => {
    const bytes = packModel(trained);
    expect(Buffer.compare(packModel(unpackModel(bytes)), bytes)).toBe(0);
  });
});
