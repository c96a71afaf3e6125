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
