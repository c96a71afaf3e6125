import { describe, expect, it } from 'vitest';
import { WindowState } from '#analysis/windows/mod.ts';
import { Beats } from './beats.ts';
import { History } from './history.ts';

function historyOf(errors: readonly number[]): History {
  const history = new History(8);
  for (const [i, count] of errors.entries()) {
    const window = new WindowState(i * 30_000, 30_000);
    window.failures = count;
    history.push(window, new Beats(30_000, 5_000));
  }
  return history;
}
const valuesOf = (history: History): number[] =>
  Array.from({ length: history.size }, (_, back) => history.value('errorCount', back));

describe('History', () => {
  it('takes the beginning of an incident out of what is usual', () => {
    const history = historyOf([1, 2, 1, 0, 1, 0, 9, 14]);
    history.soften('errorCount', 2);
    expect(valuesOf(history)).toEqual([1, 1, 0, 1, 0, 1, 2, 1]);
    expect(history.sum('errorCount')).toBe(7);
    expect(History.restore(8, history.snapshot()).snapshot()).toEqual(history.snapshot());
  });

  it('leaves alone what has nothing before it', () => {
    const history = historyOf([9, 14]);
    history.soften('errorCount', 5);
    expect(valuesOf(history)).toEqual([9, 9]);
  });

  it('starts a count afresh that adds up to the mean, round the end of its ring', () => {
    const history = historyOf([5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5]);
    history.flatten('errorCount', 0.5);
    expect(valuesOf(history)).toEqual([0, 1, 0, 1, 0, 1, 0, 1]);
    expect(history.mean('errorCount')).toBe(0.5);
  });
});
