import { describe, expect, it } from 'vitest';
import { generationAt, rangesOf } from './generations.ts';

describe('generations', () => {
  it('are one where the stream was never changed', () => {
    expect(rangesOf(1, [{ generation: 1, from: 5 }], 3, 90)).toEqual([{ generation: 1, from: 3, to: 90 }]);
    expect(rangesOf(1, undefined, 3, 90)).toEqual([]);
    expect(generationAt(1, undefined, 3)).toBe(1);
  });

  it('leave to an earlier one what lies before the first message that a later one stored', () => {
    const begins = [
      { generation: 1, from: 1 },
      { generation: 2, from: 51 },
    ];
    expect(rangesOf(2, begins, 1, 90)).toEqual([
      { generation: 2, from: 51, to: 90 },
      { generation: 1, from: 1, to: 50 },
    ]);
    expect([generationAt(2, begins, 50), generationAt(2, begins, 51)]).toEqual([1, 2]);
  });

  it('leave nothing of it where the stream was made anew', () => {
    const begins = [
      { generation: 1, from: 1 },
      { generation: 2, from: 1 },
    ];
    expect(rangesOf(2, begins, 1, 90)).toEqual([{ generation: 2, from: 1, to: 90 }]);
  });

  it('count a tail that was lost twice', () => {
    const begins = [
      { generation: 1, from: 1 },
      { generation: 2, from: 51 },
      { generation: 3, from: 31 },
    ];
    expect(rangesOf(3, begins, 1, 90)).toEqual([
      { generation: 3, from: 31, to: 90 },
      { generation: 1, from: 1, to: 30 },
    ]);
  });
});
