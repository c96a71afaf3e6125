import { describe, expect, it } from 'vitest';
import { progressLine, short } from './progress.ts';

describe('progress', () => {
  it('shows share, amount, speed and time left', () => {
    expect(progressLine('reading', 500_000, 1_000_000, 'B', 2_000)).toBe(
      'reading  [############------------]  50 %  500 k B  250 k B/s  2 s left'.replace('k B/s', 'k/s'),
    );
    expect(progressLine('reading', 12, undefined, 'lines', 0)).toBe('reading  12 lines  0/s');
  });

  it('shortens numbers', () => {
    expect([7, 999, 1_234, 56_789, 999_999, 2_500_000_000].map(short)).toEqual([
      '7',
      '999',
      '1.2 k',
      '56.8 k',
      '1000 k',
      '2.5 G',
    ]);
  });
});
