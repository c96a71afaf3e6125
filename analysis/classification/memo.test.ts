import { expect, it } from 'vitest';
import { baseModel } from './base.ts';
import { Classifier } from './classifier.ts';
import { classificationDefaults } from './config.ts';
import { featuresFor, modelScores } from './memo.ts';

const texts = Array.from({ length: 1_500 }, (_, i) => `worker ${i % 7} lost its lease on shard s${i}x: retrying`);

it('remembers texts in bounds, and what it has forgotten is the same again', () => {
  const first = texts.map((text) => structuredClone(featuresFor(baseModel, text)));
  expect(featuresFor(baseModel, texts.at(-1) as string)).toBe(featuresFor(baseModel, texts.at(-1) as string));
  expect(texts.map((text) => featuresFor(baseModel, text))).toEqual(first);
});

it('is not written to by classifiers that learn', () => {
  const text = 'disk <*> is nearly full';
  const features = featuresFor(baseModel, text);
  const before = structuredClone([features, modelScores(baseModel.severity, features)]);
  const taught = new Classifier(classificationDefaults, baseModel);
  const fresh = new Classifier(classificationDefaults, baseModel);
  const answer = fresh.classify(text);
  for (let i = 0; i < 20; i++) taught.learn(text, { severity: 'DEBUG', category: 'a category of its own' });
  expect(taught.classify(text).severity).toBe('DEBUG');
  expect(fresh.classify(text)).toEqual(answer);
  expect([features, modelScores(baseModel.severity, features)]).toMatchObject([
    before[0] as object,
    { ...(before[1] as object), votes: expect.anything() },
  ]);
});
