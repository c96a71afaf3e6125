import { describe, expect, it } from 'vitest';
import { globOf } from './glob.ts';

describe('patterns', () => {
  it.each([
    ['checkout', 'checkout', true],
    ['checkout', 'checkout-2', false],
    ['pay*', 'repay', false],
    ['*-db', 'user-db', true],
    ['*', '', true],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'acb', false],
    ['ab*ba', 'aba', false],
    ['*a*a*', 'xaxa', true],
    ['*a*a*', 'xax', false],
    ['x.y', 'xzy', false],
    ['*', 'payments', true],
    ['pay*', 'payments', true],
    ['*ments', 'payments', true],
    ['p*m*s', 'payments', true],
    ['payments', 'payments', true],
    ['pay', 'payments', false],
    ['a*a', 'a', false],
  ])('%s and %s: %s', (pattern, text, fits) => {
    expect(globOf(pattern)(text)).toBe(fits);
  });

  it('does not go over a text again and again', () => {
    expect(globOf(`${'a*'.repeat(30)}b`)('a'.repeat(100_000))).toBe(false);
  });
});
