import { describe, expect, it } from 'vitest';
import { baseModel } from './base.ts';
import { challenge, type DatedCorrection, type HistoryTemplate, slicesOf } from './challenge.ts';

const row = (text: string, severity: HistoryTemplate['severity'], early: number, late: number): HistoryTemplate => ({
  service: 'shop',
  templateId: text.slice(0, 4),
  text,
  severity,
  early,
  late,
});
const history = [
  row('zorb <*> wobbles at stage <*>', 'WARN', 400, 90),
  row('quux <*> settled in <*>', 'INFO', 300, 60),
  row('frobnicator <*> went sideways', 'ERROR', 0, 20),
];
const said = (at: number, text: string, over: Partial<DatedCorrection> = {}): DatedCorrection => ({
  service: '',
  text,
  templateId: '',
  severity: '',
  category: 'wobbling',
  atMs: at,
  ...over,
});

describe('slicesOf', () => {
  it('cuts by time, and tells templates that only the later slice has', () => {
    const { early, late, unseen, categories } = slicesOf(history, []);
    expect(early.map(({ records }) => records)).toEqual([400, 300]);
    expect(late.map(({ records }) => records)).toEqual([90, 60, 20]);
    expect(unseen.map(({ text }) => text)).toEqual(['frobnicator <*> went sideways']);
    expect(categories).toEqual([]);
  });

  it('learns all of few corrections, and scores later records of what they are about', () => {
    const { corrections, categories, late } = slicesOf(history, [
      said(1, 'zorb <*> wobbles at stage <*>', { severity: 'DEBUG' }),
    ]);
    expect(corrections).toHaveLength(1);
    expect(categories.map(({ category, records }) => [category, records])).toEqual([
      ['wobbling', 1],
      ['wobbling', 90],
    ]);
    expect(late[0]).toMatchObject({ severity: 'DEBUG', records: 90 });
  });

  it('holds the latest of more corrections back, so that they are not given away', () => {
    const older = Array.from({ length: 5 }, (_, i) => said(i, `gizmo ${'abcde'[i]} turned`));
    const newest = said(99, 'quux <*> settled in <*>', { category: 'settling', severity: 'WARN' });
    const { corrections, categories, early, late } = slicesOf(history, [newest, ...older]);
    expect(corrections).toEqual(older);
    expect(categories).toEqual([
      { text: newest.text, category: 'settling', records: 1 },
      { text: newest.text, category: 'settling', records: 60 },
    ]);
    expect(early[1]).toMatchObject({ text: newest.text, severity: 'INFO' });
    expect(late[1]).toMatchObject({ text: newest.text, severity: 'WARN' });
  });
});

describe('challenge', () => {
  const rest = [
    row('invoice <*> sent to customer <*>', 'INFO', 500, 50),
    row('user <*> logged in from <*>', 'INFO', 800, 200),
    row('slow query took <*> ms on <*>', 'WARN', 60, 20),
  ];

  it('learns of a correction for every template that it holds for', () => {
    const grown = { ...row('job <*> <*> <*> on <*>', 'INFO', 30, 28), templateId: 't1' };
    const cases = ['visa', 'amex: no funds', 'paypal, account locked', 'issuer after timeout'].map((by) =>
      row(`payment declined by ${by} for order <*>`, 'WARN', 30, 7),
    );
    const corrections = [
      said(1, 'payment declined by <*> for order <*>', { category: 'billing' }),
      said(2, 'job 12 finished cleanly on node-4', { category: 'batch', templateId: 't1' }),
      said(3, 'user <*> logged in from <*>', { category: 'security' }),
    ];
    const slices = slicesOf([grown, ...cases, ...rest], corrections);
    expect(slices.early.map(({ category }) => category)).toEqual([
      'batch',
      ...cases.map(() => 'billing'),
      '',
      'security',
      '',
    ]);
    const { better, kept, challenger } = challenge(slices, baseModel);
    expect(challenger.category).toMatchObject({ records: 3 + 28 + 4 * 7 + 200, accuracy: 1 });
    expect([better, kept]).toEqual([true, 1]);
  });

  it('goes by the last word where somebody changed their mind', () => {
    const slices = slicesOf(
      [row('payment <*> declined', 'WARN', 300, 28), ...rest],
      [
        said(1, 'payment <*> declined', { category: 'fraud', severity: 'ERROR' }),
        said(2, 'payment <*> declined', { category: 'billing' }),
      ],
    );
    expect(slices.corrections.map(({ category, severity }) => [category, severity])).toEqual([
      ['', 'ERROR'],
      ['billing', ''],
    ]);
    const { better, challenger } = challenge(slices, baseModel);
    expect(challenger.category).toMatchObject({ records: 29, accuracy: 1, labels: ['billing'] });
    expect(better).toBe(true);
  });

  it('is not won by a model that does not say what it was told', () => {
    // Two texts that no model can tell apart, of which different things are said.
    const corrections = Array.from({ length: 4 }, (_, i) =>
      said(i, `zorb ${i} wobbles at stage ${i}`, { category: `kind ${i}`, service: `s${i}` }),
    );
    const { better, kept } = challenge(slicesOf(history, corrections), baseModel);
    expect(kept).toBeLessThan(0.9);
    expect(better).toBe(false);
  });

  it('judges both questions on the later slice, the same in every run', () => {
    const corrections = [said(1, 'zorb <*> wobbles at stage <*>', { category: 'wobbling' })];
    const { better, challenger, champion } = challenge(slicesOf(history, corrections), baseModel);
    expect(better).toBe(true);
    expect(challenger.severity.accuracy).toBeGreaterThan(champion.severity.accuracy);
    expect(challenger.category).toMatchObject({ records: 91, accuracy: 1 });
    expect(champion.category.accuracy).toBe(0);
    expect(challenger.category.labels).toContain('wobbling');
    expect(challenger.unseen.records).toBe(20);
    const again = challenge(slicesOf(history, corrections), baseModel);
    expect(again.challenger).toEqual(challenger);
  });
});
