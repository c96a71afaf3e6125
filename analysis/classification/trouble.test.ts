import { describe, expect, it } from 'vitest';
import { troubleOf, withTrouble } from './trouble.ts';

describe('troubleOf', () => {
  it.each([
    'connection to <*> failed: timed out',
    'Error reading packet on tree network',
    'java.lang.IllegalStateException: queue is full',
  ])('speaks for an error: %s', (text) => expect(troubleOf(text)).toBeGreaterThan(1));

  it.each([
    'setWriteDBLastDataMinute=<*>',
    'REPORT : <*>',
    'scan finished with no errors',
    'summary: sent=<*> failed=<*> retries=<*>',
    'release lock=<*> tag=null',
  ])('speaks against one: %s', (text) => expect(troubleOf(text)).toBeLessThan(-1));

  it('says nothing either way of what may be one', () => expect(troubleOf('<*> refused to start')).toBe(0));

  it('goes by the level that a message gives itself', () => {
    expect(troubleOf('<*>:<*> INFO o.s.OrderService order <*> failed before, tried again')).toBeLessThan(-3);
    expect(troubleOf('<*> ERROR o.s.OrderService order <*>')).toBeGreaterThan(3);
    expect(troubleOf('ts=<*> level=error msg="giving up"')).toBeGreaterThan(3);
  });
});

describe('withTrouble', () => {
  it('keeps a chance a chance', () => {
    for (const chance of [0, 0.3, 1])
      for (const shift of [-4, 0, 4]) {
        const shifted = withTrouble(chance, shift);
        expect(shifted).toBeGreaterThanOrEqual(0);
        expect(shifted).toBeLessThanOrEqual(1);
      }
    expect(withTrouble(0.3, 0)).toBeCloseTo(0.3);
  });
});
