import type { ModelScores } from '#protocol/mod.ts';
import { describe, expect, it } from 'vitest';
import { noFigures } from '#protocol/model-figures.ts';
import { Classifier } from './classifier.ts';
import { decodeModel, encodeModel } from './codec.ts';
import { classificationDefaults } from './config.ts';
import { baseModel } from './base.ts';
import { CorrectionBook, covers } from './corrections.ts';
import { isBetter, scoreCategories, scoreModel } from './evaluate.ts';
import { Novelty } from './novelty.ts';
import { trainChallenger } from './train-challenger.ts';
import { trainModel } from './train-model.ts';

describe('covers', () => {
  it.each([
    ['gate <*> opened', 'gate north opened', true],
    ['gate <*> opened', 'gate opened', false],
    ['gate <*> opened by <*>', 'gate north opened by wind', true],
    ['gate <*> opened', 'gate north opened twice', false],
    ['gate <*>', 'gate of the old northern tower that nobody uses opened', false],
    ['<*>', 'anything', false],
    ['<*> <*>', '<*> <*>', false],
    ['aa<*>aa', 'aaa', false],
    ['same', 'same', true],
    ['', '', true],
  ])('%s: %s is %s', (pattern, text, is) => {
    expect(covers(pattern, text)).toBe(is);
  });

  it('takes time in proportion to a hostile text', () => {
    const text = 'ab'.repeat(200);
    const book = new CorrectionBook(
      Array.from({ length: 200 }, (_, i) => ({
        text: `${'ab<*>'.repeat(60)}${i}x`,
        templateId: '',
        severity: 'WARN' as const,
        category: '',
      })),
    );
    const from = process.cpuUsage();
    for (let i = 0; i < 100; i++) book.find('', text);
    const { user } = process.cpuUsage(from);
    expect(user / 100).toBeLessThan(50_000);
  });
});

describe('Novelty', () => {
  it('finds a rise of unknown words, once, and none in steady traffic; survives a snapshot', () => {
    let novelty = new Novelty();
    let drifts = 0;
    const feed = (share: number, times: number): void => {
      for (let i = 0; i < times; i++) {
        if (novelty.observe(share + (i % 2 === 0 ? 0.1 : -0.1))) drifts++;
        novelty = new Novelty(novelty.snapshot());
      }
    };
    feed(0.2, 500);
    expect(drifts).toBe(0);
    feed(0.8, 6);
    expect(drifts).toBe(1);
    feed(0.8, 300);
    expect([drifts, novelty.drifts]).toEqual([1, 1]);
    expect(novelty.recentShare).toBeCloseTo(0.8, 1);
  });
});

describe('another model', () => {
  it('knows words that it was trained on', () => {
    const text = 'zorbling frobnicator wobbles';
    const before = new Classifier(classificationDefaults, baseModel).unknownShare(text);
    const model = trainModel([{ body: text, severity: 'WARN' }]);
    expect(before).toBeGreaterThan(0.5);
    expect(new Classifier(classificationDefaults, model).unknownShare(text)).toBe(0);
    expect(new Classifier(classificationDefaults, model).unknownShare('')).toBe(0);
  });

  it('is measured afresh, and keeps what was learned of templates', () => {
    const old = new Classifier(classificationDefaults, baseModel);
    for (let i = 0; i < 5; i++) old.learn('zorb wobbles', { severity: 'ERROR', category: 'wobbling' });
    const next = old.over(classificationDefaults, trainModel([{ body: 'a b', category: 'letters' }]));
    expect(next.classify('zorb wobbles')).toMatchObject({ severity: 'ERROR', category: 'wobbling' });
    expect(next.version).toBeGreaterThan(old.version);
    const figures = noFigures();
    next.addTo(figures);
    expect(figures.severity.records).toBe(0);
    old.addTo(figures);
    expect(figures.severity.records).toBe(5);
    const again = Classifier.restore(
      classificationDefaults,
      trainModel([{ body: 'a b', category: 'letters' }]),
      next.snapshot(),
    );
    expect(again.classify('zorb wobbles')).toEqual(next.classify('zorb wobbles'));
  });
});

describe('a challenger', () => {
  const history = [
    { text: 'zorb <*> wobbles', severity: 'WARN' as const, records: 1_000_000 },
    { text: 'quux <*> settled', severity: 'INFO' as const, records: 3 },
    { text: 'flimflam broke <*>', severity: 'ERROR' as const, records: 40 },
  ];

  it('is better where it learned what the champion does not know', () => {
    const model = trainChallenger(history, []);
    const [own, base] = [scoreModel(model, history), scoreModel(baseModel, history)];
    expect(own).toMatchObject({ records: 1_000_043, accuracy: 1, macroF1: 1 });
    const none = scoreCategories(model, []);
    const better = (a: ModelScores, b: ModelScores, categories = [none, none] as const): boolean =>
      isBetter({ severity: a, category: categories[0] }, { severity: b, category: categories[1] });
    expect(better(own, base)).toBe(true);
    expect(better(base, own)).toBe(false);
    expect(better(own, own)).toBe(false);
    // Neither question may lose for the other's gain; a gain in one of them is enough.
    const said = [{ text: 'zorb <*> wobbles', category: 'wobbling', records: 1 }];
    const [wrong, right] = [
      scoreCategories(baseModel, said),
      { ...scoreCategories(baseModel, said), accuracy: 1, macroF1: 1 },
    ];
    expect(wrong).toMatchObject({ records: 1, accuracy: 0 });
    expect(better(own, base, [wrong, right])).toBe(false);
    expect(better(own, own, [right, wrong])).toBe(true);
    expect(own.confusion.flat().reduce((a, b) => a + b)).toBe(own.records);
    expect(scoreModel(model, [])).toMatchObject({ records: 0, accuracy: 0, macroF1: 0, calibrationError: 0 });
  });

  it('carries on what people corrected, beside the categories of the base', () => {
    const corrections = [
      { text: 'zorb <*> wobbles', templateId: '', severity: 'DEBUG' as const, category: 'wobbling' },
    ];
    const classifier = new Classifier(classificationDefaults, trainChallenger(history.slice(1), corrections));
    expect(classifier.classify('zorb 4 wobbles')).toMatchObject({ severity: 'DEBUG', category: 'wobbling' });
    expect(classifier.classify('cannot connect to database orders: connection refused').category).toBe('database');
  });
});

describe('a model file', () => {
  it.each([Number.NaN, Number.POSITIVE_INFINITY])(
    'with %s as a weight is refused, though its checksum holds',
    (bad) => {
      const model = trainModel([{ body: 'a b', severity: 'WARN' }]);
      const bias = Float32Array.from(model.severity.linear.bias);
      bias[0] = bad;
      const broken = { ...model, severity: { ...model.severity, linear: { ...model.severity.linear, bias } } };
      expect(() => decodeModel(encodeModel(broken))).toThrow(/weight is not a number/);
    },
  );

  it('of another version is refused', () => {
    const bytes = encodeModel(trainModel([{ body: 'a b', severity: 'WARN' }]));
    bytes[7] = '2'.charCodeAt(0);
    expect(() => decodeModel(bytes)).toThrow(/does not begin as one/);
  });
});
