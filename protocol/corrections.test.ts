import { describe, expect, it } from 'vitest';
import {
  actsWaitingMax,
  type Correction,
  type CorrectionAct,
  type Corrections,
  correctionsMax,
  noCorrections,
  withCorrection,
  withoutCorrection,
  withStored,
  withUndone,
} from './corrections.ts';

const correction = (id: string, more: Partial<Correction> = {}): Correction => ({
  id,
  service: 'shop',
  text: `gate ${id} swung open`,
  templateId: '',
  severity: 'WARN',
  category: '',
  by: 'ana',
  atMs: 10,
  ...more,
});
const doer = { by: 'ben', atMs: 30, why: 'wrong' };
const said = ({ items }: Corrections): string[] => items.map(({ id, severity }) => `${id} ${severity}`);

describe('corrections', () => {
  it('note every act, with who, when and why', () => {
    const one = withCorrection(noCorrections, correction('a', { why: 'too loud' }));
    const two = withoutCorrection(one, 'a', doer);
    expect(two?.acts).toMatchObject([
      { kind: 'set', version: 1, by: 'ana', why: 'too loud' },
      { kind: 'removed', version: 2, by: 'ben', why: 'wrong', correction: { id: 'a', severity: 'WARN' } },
    ]);
    expect(withoutCorrection(noCorrections, 'a', doer)).toBeNull();
  });

  it('are undone to what held before', () => {
    const first = withCorrection(noCorrections, correction('a'));
    const second = withCorrection(first, correction('a', { severity: 'ERROR', atMs: 20 }));
    expect(said(withUndone(second, 'a', second.acts ?? [], doer) as Corrections)).toEqual(['a WARN']);
    expect(said(withUndone(first, 'a', first.acts ?? [], doer) as Corrections)).toEqual([]);
    const removed = withoutCorrection(second, 'a', doer) as Corrections;
    expect(said(withUndone(removed, 'a', removed.acts ?? [], { ...doer, atMs: 40 }) as Corrections)).toEqual([
      'a ERROR',
    ]);
    expect(withUndone(noCorrections, 'b', [], doer)).toBeNull();
  });

  it('refuse what is beyond the bound, and drop nothing', () => {
    let full = noCorrections;
    for (let i = 0; i < correctionsMax; i++) full = { ...withCorrection(full, correction(`n${i}`)), acts: [] };
    expect(() => withCorrection(full, correction('one more'))).toThrow(/1000 corrections hold already/);
    expect(said(withCorrection(full, correction('n0', { severity: 'INFO' })))).toHaveLength(correctionsMax);
    const waiting = { ...noCorrections, acts: Array.from({ length: actsWaitingMax }, () => ({}) as CorrectionAct) };
    expect(() => withCorrection(waiting, correction('a'))).toThrow(/wait for ClickHouse/);
    expect(() => withCorrection(noCorrections, correction('a', { why: 'x'.repeat(501) }))).toThrow(/reason/);
  });

  it('hold again from what was stored, whatever was done since', () => {
    const before = withoutCorrection(
      withCorrection(withCorrection(noCorrections, correction('a')), correction('b')),
      'b',
      doer,
    ) as Corrections;
    const stored = before.acts ?? [];
    // A cluster made anew in which somebody was faster than the leader.
    const anew = withCorrection(noCorrections, correction('c', { atMs: 50 }));
    const after = withStored(anew, stored);
    expect(said(after)).toEqual(['a WARN', 'c WARN']);
    expect(after).toMatchObject({ version: 4, restored: true, acts: [{ correction: { id: 'c' } }] });
    // Nothing comes back that was removed in between, and nothing is told again that holds already.
    expect(said(withStored({ ...before, acts: [] }, stored))).toEqual(['a WARN']);
    expect(withStored({ ...before, acts: [] }, stored).version).toBe(before.version);
    // What was made before acts were kept becomes one.
    const old = { ...noCorrections, version: 7, items: [correction('d')] };
    expect(withStored(old, [])).toMatchObject({ version: 7, acts: [{ kind: 'set', correction: { id: 'd' } }] });
  });
});
