import { describe, expect, it } from 'vitest';
import { AnomalyReader, gapHealsWithinMs } from './reader.ts';

const message = (from: number, to: number, generation = 1, partition = 3) => ({
  partition,
  generation,
  from,
  to,
  anomalies: [],
  receipts: [],
});

describe('reading ANOMALIES', () => {
  it('takes what follows, drops repeats, refuses gaps until they are sent again', () => {
    const reader = new AnomalyReader();
    expect(reader.admit(message(0, 5), 0)).toBe('take');
    expect(reader.admit(message(0, 5), 1)).toBe('duplicate');
    expect(reader.admit(message(9, 12), 2)).toBe('gap');
    expect(reader.admit(message(5, 9), 3)).toBe('take');
    expect(reader.admit(message(9, 12), 4)).toBe('take');
    expect(reader.committed()).toEqual([[3, 1, 12]]);
  });

  it('refuses what a worker of a wiped cluster tells, before and after its own', () => {
    const reader = new AnomalyReader(100);
    expect(reader.admit(message(0, 5, 99), 0)).toBe('duplicate');
    expect(reader.admit(message(0, 5, 100), 0)).toBe('take');
    expect(reader.admit(message(5, 9, 99), 0)).toBe('duplicate');
    expect(reader.admit(message(0, 3, 101), 0)).toBe('take');
  });

  it('keeps partitions apart and begins anew with a generation', () => {
    const reader = new AnomalyReader();
    reader.admit(message(0, 5), 0);
    expect(reader.admit(message(0, 2, 1, 4), 0)).toBe('take');
    expect(reader.admit(message(0, 3, 2), 0)).toBe('take');
    expect(reader.admit(message(5, 9, 1), 0)).toBe('duplicate');
  });

  it('goes on after a gap that does not heal', () => {
    const reader = new AnomalyReader();
    reader.admit(message(0, 5), 0);
    expect(reader.admit(message(9, 12), 1_000)).toBe('gap');
    expect(reader.admit(message(12, 14), 999 + gapHealsWithinMs)).toBe('gap');
    expect(reader.admit(message(14, 15), 1_000 + gapHealsWithinMs)).toBe('take-over-gap');
    expect(reader.admit(message(15, 16), 2_000 + gapHealsWithinMs)).toBe('take');
  });

  it('begins where it can, once, when unread messages were removed', () => {
    const reader = new AnomalyReader();
    reader.startAnywhere();
    expect(reader.admit(message(90, 95), 0)).toBe('take-over-gap');
    expect(reader.admit(message(99, 101), 0)).toBe('gap');
  });

  it('restores its marks', () => {
    const reader = new AnomalyReader();
    reader.restore([[3, 1, 12]]);
    expect(reader.admit(message(9, 12), 0)).toBe('duplicate');
    expect(reader.admit(message(12, 13), 0)).toBe('take');
  });
});
