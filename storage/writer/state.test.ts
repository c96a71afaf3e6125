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
});
