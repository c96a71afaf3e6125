import { describe, expect, it } from 'vitest';
import { didYouMean, editDistance, nearest } from './nearest.ts';

describe('nearest name', () => {
  it('counts edits', () => {
    expect(editDistance('kitten', 'sitting')).toBe(3);
    expect(editDistance('', 'abc')).toBe(3);
    expect(editDistance('prots', 'ports')).toBe(1);
  });

  it('finds slips and beginnings, and stays silent about strangers', () => {
    expect(nearest('statsu', ['status', 'storage'])).toBe('status');
    expect(nearest('temp', ['templates', 'status'])).toBe('templates');
    expect(nearest('frobnicate', ['status', 'storage'])).toBeUndefined();
    expect(didYouMean('jsn', ['json'], '--')).toBe(' Did you mean "--json"?');
    expect(didYouMean('zzz', ['json'])).toBe('');
  });
});
