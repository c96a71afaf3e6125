import { describe, expect, it } from 'vitest';
import { fitsPattern } from './match.ts';

describe('patterns', () => {
  it.each([
    ['checkout', 'checkout', true],
    ['checkout', 'checkout-2', false],
    ['pay*', 'payments', true],
    ['pay*', 'repay', false],
    ['*-db', 'user-db', true],
    ['*', '', true],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'acb', false],
    ['ab*ba', 'aba', false],
    ['*a*a*', 'xaxa', true],
    ['*a*a*', 'xax', false],
    ['x.y', 'xzy', false],
  ])('%s and %s: %s', (pattern, text, fits) => {
    expect(fitsPattern(pattern, text)).toBe(fits);
  });
});
