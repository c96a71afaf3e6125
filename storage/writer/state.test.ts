import { describe, expect, it } from 'vitest';
import type { ResultsMessage } from '#protocol/mod.ts';
import { WriterState } from './state.ts';

const message = (generation: number, from: number, to: number): ResultsMessage => ({
  partition: 3,
  generation,
  from,
  to,
  toMs: 1,
  anomaliesTo: 0,
  sections: [],
  part: null,
});

describe('WriterState', () => {
  it.each([true, false])('refuses what a worker of a wiped cluster publishes (recovered: %s)', (recovered) => {
    const state = new WriterState({ position: 0, marks: {}, recovered }, 100);
    expect(state.take(1, message(99, 0, 5)).verdict).toBe('duplicate');
    expect(state.take(2, message(100, 0, 5)).verdict).toBe('take');
    expect(state.take(3, message(99, 5, 9)).verdict).toBe('duplicate');
    expect(state.take(4, message(101, 0, 2)).verdict).toBe('take');
  });

  it('holds its position back to the first part of a section, until that is whole or let go', () => {
    const part = (index: number, last: boolean): ResultsMessage => ({
      ...message(1, 5, 9),
      part: { index, last, bytes: new Uint8Array(1) },
    });
    const state = new WriterState({ position: 0, marks: {}, recovered: false });
    state.take(1, message(1, 0, 5));
    expect(state.take(2, part(0, false)).verdict).toBe('part');
    state.take(3, { ...message(1, 0, 7), partition: 4 });
    expect(state.commitPoint().position).toBe(1);
    expect(state.letPartsGo()).toEqual([3]);
    expect(state.letPartsGo()).toEqual([]);
    expect(state.commitPoint()).toEqual({
      position: 3,
      marks: { 3: { generation: 1, sequence: 5, parts: 0 }, 4: { generation: 1, sequence: 7, parts: 0 } },
    });
    expect(state.take(4, part(1, true)).verdict).toBe('gap');
    expect(state.take(5, part(0, false)).verdict).toBe('part');
    expect(state.commitPoint().position).toBe(4);
  });
});
