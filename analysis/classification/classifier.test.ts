import { describe, expect, it } from 'vitest';
import { pack, unpack } from '#protocol/frame.ts';
import { Classifier, type Classification, type ClassifierSnapshot } from './classifier.ts';
import { classificationDefaults } from './config.ts';
import { trainAlone } from './train.ts';

/** A small world of our own; its words mean nothing elsewhere. */
const records = [
  { body: 'order 17 shipped to warehouse 4', severity: 'info', category: 'shipping' },
  { body: 'order 18 packed by robot 2', severity: 'info', category: 'shipping' },
  { body: 'robot 3 lost its way in aisle 9', severity: 'error', category: 'robots' },
  { body: 'robot 5 battery is low', severity: 'warning', category: 'robots' },
  { body: 'robot 5 position x=4 y=7', severity: 'debug', category: 'robots' },
  { body: 'payment 77 refused by bank', severity: 'critical', category: 'money' },
  { body: 'payment 78 taken', severity: 'info', category: 'money' },
];
const model = trainAlone(records);

/** A fixed stream of texts and truths that drifts, repeats and names new categories. */
function step(i: number): { text: string; severity: string; category?: string } {
  const r = records[(i * 5 + Math.floor(i / 7)) % records.length] as (typeof records)[number];
  const text = i % 3 === 0 ? `${r.body} again in zone${i % 23}x` : r.body;
  const severity = i > 120 && r.category === 'robots' ? 'ERROR' : r.severity;
  return i % 11 === 0 ? { text, severity, category: i % 2 === 0 ? `new ${i % 5}` : r.category } : { text, severity };
}
const config = { ...classificationDefaults, memoryTemplatesMax: 20, liveFeaturesMax: 80 };
const run = (c: Classifier, from: number, to: number): Classification[] => {
  const out: Classification[] = [];
  for (let i = from; i < to; i++) {
    const { text, severity, category } = step(i);
    out.push(c.classify(text));
    c.learn(text, { severity, category });
  }
  return out;
};

describe('Classifier', () => {
  it('continues identically from a snapshot taken at any step', () => {
    const whole = new Classifier(config, model);
    const answers = run(whole, 0, 240);
    for (const cut of [0, 1, 2, 15, 16, 17, 19, 64, 121, 200]) {
      const first = new Classifier(config, model);
      run(first, 0, cut);
      const stored = unpack(pack(first.snapshot())) as ClassifierSnapshot;
      const second = Classifier.restore(config, model, stored);
      expect(run(second, cut, 240)).toEqual(answers.slice(cut));
      expect(unpack(pack(second.snapshot()))).toEqual(unpack(pack(whole.snapshot())));
      expect(second.version).toBe(whole.version);
    }
  });

  it('takes a snapshot that later learning does not change', () => {
    const c = new Classifier(config, model);
    run(c, 0, 50);
    const stored = c.snapshot();
    const text = JSON.stringify(stored);
    run(c, 50, 100);
    expect(JSON.stringify(stored)).toBe(text);
  });

  it('keeps nothing while nothing was learned', () => {
    const c = new Classifier(config, model);
    c.classify('order 4 shipped');
    c.learn('order 4 shipped', { severity: 'no such level' });
    expect(c.snapshot()).toEqual({ base: null, lessons: [] });
    expect(c.version).toBe(0);
  });

  it('answers with labels, numbers and probabilities', () => {
    const answer = new Classifier(config, model).classify('payment 99 refused by bank');
    expect(answer).toMatchObject({ severity: 'ERROR', severityNumber: 17, category: 'money' });
    expect(answer.confidence).toBe(Math.min(answer.severityConfidence, answer.categoryConfidence));
    expect(answer.confidence).toBeGreaterThan(0.3);
    expect(answer.severityConfidence).toBeLessThanOrEqual(1);
  });

  it('follows a template whose severity changes', () => {
    const c = new Classifier(config, model);
    for (let i = 0; i < 40; i++) c.learn('sweep of hall done', { severity: 'INFO' });
    expect(c.classify('sweep of hall done').severity).toBe('INFO');
    for (let i = 0; i < 12; i++) c.learn('sweep of hall done', { severity: 'ERROR' });
    expect(c.classify('sweep of hall done').severity).toBe('ERROR');
  });

  it('counts a drift when answers turn wrong, and raises its version', () => {
    const c = new Classifier(config, model);
    for (let i = 0; i < 300; i++) c.learn((records[i % 7] as { body: string }).body, { severity: 'INFO' });
    const before = c.metrics();
    for (let i = 0; i < 40; i++) c.learn((records[i % 7] as { body: string }).body, { severity: 'ERROR' });
    const after = c.metrics();
    expect(after.severity.drifts).toBeGreaterThan(before.severity.drifts);
    expect(after.version).toBeGreaterThan(before.version);
  });

  it('learns a category it has never heard of from one correction', () => {
    const c = new Classifier(config, model);
    const version = c.version;
    c.learn('the moon is in the seventh house', { category: 'astrology' });
    expect(c.classify('the moon is in the seventh house').category).toBe('astrology');
    expect(c.version).toBe(version + 1);
  });

  it('believes what a person said last', () => {
    const c = new Classifier(config, model);
    for (const category of ['astrology', 'astronomy']) c.learn('the moon is in the seventh house', { category }, true);
    expect(c.classify('the moon is in the seventh house').category).toBe('astronomy');
    expect(Classifier.restore(config, model, c.snapshot()).classify('the moon is in the seventh house')).toEqual(
      c.classify('the moon is in the seventh house'),
    );
  });

  it('stays bounded whatever comes', () => {
    const c = new Classifier(config, model);
    for (let i = 0; i < 400; i++) {
      const word = String.fromCharCode(97 + (i % 26), 97 + ((i * 7) % 26), 97 + ((i >> 2) % 26), 97 + ((i >> 4) % 26));
      c.learn(`${word} ${word}${word} unheard`, {
        severity: i % 2 === 0 ? 'ERROR' : 'DEBUG',
        category: `category ${i}`,
      });
    }
    const { severity, category } = c.metrics();
    expect(severity.memoryTemplates).toBeLessThanOrEqual(config.memoryTemplatesMax);
    expect(severity.liveFeatures).toBeLessThanOrEqual(config.liveFeaturesMax);
    expect(category.labels.length).toBe(config.categoriesMax);
    expect(category.labelsRefused).toBeGreaterThan(300);
  });

  it('raises its version at powers of two', () => {
    const c = new Classifier(config, model);
    const versions: number[] = [];
    for (let i = 0; i < 17; i++) {
      c.learn('payment 78 taken', { severity: 'INFO' });
      versions.push(c.version);
    }
    expect(versions).toEqual([1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5]);
  });

  it('measures what it predicts before it learns', () => {
    const c = new Classifier(config, model);
    for (let i = 0; i < 30; i++) c.learn('payment 78 taken', { severity: 'INFO' });
    const { severity } = c.metrics();
    expect(severity.records).toBe(30);
    expect(severity.confusion.reduce((sum, cell) => sum + cell.records, 0)).toBe(30);
    expect(severity.confidenceHistogram.reduce((sum, bin) => sum + bin.records, 0)).toBe(30);
    expect(severity.learners.map((l) => l.name)).toEqual(['linear', 'bayes', 'nearest', 'lexicon']);
  });

  it.each([
    ['empty', ''],
    ['blank', ' \t\n '],
    ['NUL', '\0\0a\0'],
    ['emoji', '🔥🔥 disk 💾 full \ud800'],
    ['one long word', 'x'.repeat(262_144)],
    ['long text', 'error at 12 '.repeat(21_845)],
    ['masks', '<*>'.repeat(90_000)],
    ['prototype', '__proto__ constructor toString hasOwnProperty'],
  ])('takes hostile text: %s', (_name, text) => {
    const c = new Classifier(config, model);
    c.learn(text, { severity: 'WARN', category: '__proto__' });
    const answer = c.classify(text);
    expect(answer.severity).toBe('WARN');
    expect(answer.category).toBe('__proto__');
    expect(Number.isFinite(answer.confidence)).toBe(true);
    expect(Classifier.restore(config, model, c.snapshot()).classify(text)).toEqual(answer);
  });

  it('refuses a snapshot of another shape, and settings out of range', () => {
    expect(() => Classifier.restore(config, model, { base: pack({ format: 9 }), lessons: [] })).toThrow(/shape/);
    expect(() => new Classifier({ ...config, learningRate: 0 }, model)).toThrow(/learningRate/);
  });
});
