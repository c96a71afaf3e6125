import { describe, expect, it } from 'vitest';
import { bytes, compact, duration, figure, percent, pieces, severityName, visible } from './format.ts';

describe('format', () => {
  it('figures keep the digits that matter', () => {
    expect([0.214, 4.13, 41.23, 3410, 0].map(figure)).toEqual(['0.21', '4.13', '41.2', '3,410', '0']);
    expect([9_999, 635_200, 1_204_332].map(compact)).toEqual(['9,999', '635.2K', '1.2M']);
    expect([0, 0.0004, 0.0123, 0.93].map(percent)).toEqual(['0 %', '<0.1 %', '1.2 %', '93 %']);
    expect([512, 1536, 2_147_483_648].map(bytes)).toEqual(['512 B', '1.5 KiB', '2 GiB']);
    expect([4, 1840, 90_000, 7_200_000, 1_728_000_000].map(duration)).toEqual([
      '4 ms',
      '1.8 s',
      '1.5 min',
      '2 h',
      '20 days',
    ]);
  });

  it('makes visible what would repaint, hide or reorder text', () => {
    expect(visible('\u001b[31mred\u0000')).toBe('␛[31mred␀');
    expect(visible('a\u202Eb')).toBe('a⟨U+202E⟩b');
    expect(visible('plain\ttext\nlines — ü 漢 🙂')).toBe('plain\ttext\nlines — ü 漢 🙂');
  });

  it('cuts at matches without losing a character, whatever is looked for', () => {
    expect(pieces('Refused, refused', 'refused')).toEqual(['', 'Refused', ', ', 'refused', '']);
    expect(pieces('a.c abc', 'a.c').join('')).toBe('a.c abc');
    expect(pieces('a(b', '(')).toEqual(['a', '(', 'b']);
  });

  it('names severities by their ranges', () => {
    expect([0, 1, 8, 9, 16, 17, 24, 25].map(severityName)).toEqual([
      'UNKNOWN',
      'TRACE',
      'DEBUG',
      'INFO',
      'WARN',
      'ERROR',
      'FATAL',
      'UNKNOWN',
    ]);
  });
});
