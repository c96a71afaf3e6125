import { describe, expect, it } from 'vitest';
import type { CommandContext } from './command.ts';
import { parseTime, rangeOf } from './time-range.ts';

const nowMs = Date.UTC(2026, 0, 31);
const args = (values: Record<string, string>): Pick<CommandContext, 'args'> => ({
  args: {
    positionals: [],
    flag: () => false,
    string: (name) => values[name],
    strings: () => [],
    integer: () => undefined,
  },
});

describe('time ranges', () => {
  it.each([
    ['24h', nowMs - 86_400_000],
    ['90s', nowMs - 90_000],
    ['2026-01-30', nowMs - 86_400_000],
    ['2026-01-30 12:00', nowMs - 43_200_000],
    ['2026-01-30T12:00:00+02:00', nowMs - 43_200_000 - 7_200_000],
    ['1769817600', nowMs],
    ['1769817600000', nowMs],
    ['yesterday', undefined],
  ])('reads %s', (text, time) => {
    expect(parseTime(text, nowMs)).toBe(time);
  });

  it('refuses what is no range', () => {
    expect(rangeOf(args({ from: '2d', to: '1d' }), nowMs)).toEqual({
      fromMs: nowMs - 172_800_000,
      toMs: nowMs - 86_400_000,
    });
    expect(() => rangeOf(args({ from: 'x' }), nowMs)).toThrow('--from x is no time.');
    expect(() => rangeOf(args({ from: '1d', to: '2d' }), nowMs)).toThrow('--from must be before --to.');
  });
});
