import { describe, expect, it } from 'vitest';
import { parseSeriesRow } from './series-row.ts';

describe('rows of a series', () => {
  it.each([
    ['2014-02-14 14:30:00,51.5', Date.UTC(2014, 1, 14, 14, 30), 51.5],
    ['"2014-02-14T14:30:00+01:00", "1e3"', Date.UTC(2014, 1, 14, 13, 30), 1000],
    ['2014-02-14,-2,more', Date.UTC(2014, 1, 14), -2],
    ['1392388200,7', 1392388200000, 7],
    ['1392388200000,7', 1392388200000, 7],
    ['step one,0.5', Number.NaN, 0.5],
  ])('reads %j', (text, timeMs, value) => {
    expect(parseSeriesRow(text)).toMatchObject({ timeMs, value });
  });

  it.each(['timestamp,value', '2014-02-14', '2014-02-14,', '2014-02-14,NaN', ''])('takes %j for no row', (text) => {
    expect(parseSeriesRow(text)).toBeUndefined();
  });
});
