import { describe, expect, it } from 'vitest';
import { LogweirError } from '#protocol/errors.ts';
import { analysisDefaults, parseAnalysisConfig } from './mod.ts';

function errorOf(raw: unknown, path?: string): string {
  try {
    parseAnalysisConfig(raw, path);
  } catch (error) {
    expect(error).toBeInstanceOf(LogweirError);
    expect((error as LogweirError).code).toBe('CONFIG_INVALID');
    return `${(error as LogweirError).message} ${(error as LogweirError).remedy}`;
  }
  throw new Error('accepted');
}

describe('parseAnalysisConfig', () => {
  it('fills in defaults and keeps what is given', () => {
    expect(parseAnalysisConfig({})).toEqual(analysisDefaults);
    expect(parseAnalysisConfig(undefined)).toEqual(analysisDefaults);
    const config = parseAnalysisConfig({ windows: { sizeMs: 10_000 }, detectors: { errorSpike: { errorsMin: 3 } } });
    expect(config.windows).toEqual({ ...analysisDefaults.windows, sizeMs: 10_000 });
    expect(config.detectors.errorSpike).toEqual({ ...analysisDefaults.detectors.errorSpike, errorsMin: 3 });
    expect(parseAnalysisConfig(structuredClone(config))).toEqual(config);
    expect(analysisDefaults.windows.sizeMs).toBe(30_000);
  });

  it('completes sequences and rules', () => {
    const config = parseAnalysisConfig({
      sequences: [{ name: 'a then b', steps: [{ contains: ['a'] }, { matches: 'b+' }] }],
      rules: [{ name: 'errors', value: 5 }],
    });
    expect(config.sequences[0]).toMatchObject({
      service: '*',
      withinMs: 60_000,
      steps: [{ severityMin: 0 }, { matches: 'b+' }],
    });
    expect(config.rules[0]).toMatchObject({
      kind: 'threshold',
      field: 'errorCount',
      op: '>',
      value: 5,
      windows: 1,
      of: 1,
    });
  });

  it.each([
    [{ windowz: {} }, /analysis\.windowz is no known key.*Allowed here: windows, detectors, sequences, rules/],
    [{ windows: { sizeMs: '30s' } }, /analysis\.windows\.sizeMs is "30s".*a whole number from 1000 to 3600000/],
    [{ windows: { rollingMs: 45_000 } }, /analysis\.windows\.rollingMs is 45000.*multiple of windows\.sizeMs/],
    [{ windows: { sizeMs: 1000, allowedLatenessMs: 86_400_000 } }, /would keep \d+ windows/],
    [{ detectors: { errorSpike: { tail: 3 } } }, /analysis\.detectors\.errorSpike\.tail is no known key.*tailExponent/],
    [{ detectors: { volumeSurge: { factorMin: 0 } } }, /volumeSurge\.factorMin is 0.*a number from 1/],
    [{ sequences: [{ name: 'x', steps: [{ contains: ['a'] }] }] }, /sequences\[0\]\.steps has 1 entries/],
    [{ sequences: [{ name: 'x', steps: [{ contains: ['a'] }, {}] }] }, /steps\[1\] matches every record/],
    [{ sequences: [{ steps: [] }] }, /sequences\[0\]\.name is missing/],
    [{ rules: [{ name: 'r', kind: 'pattern', match: { matches: '(' } }] }, /match\.matches is "\(".*RE2 pattern/],
    [{ rules: [{ name: 'r', windows: 3, of: 2 }] }, /rules\[0\]\.windows is 3/],
    [{ rules: [{ name: 'r' }, { name: 'r' }] }, /two entries named r/],
    [{ rules: 'none' }, /analysis\.rules is "none".*a list/],
    [[], /The analysis configuration is|analysis is \[\]/],
    [{ windows: { sizeMs: Number.NaN } }, /analysis\.windows\.sizeMs/],
  ])('names the key and what is allowed: %j', (raw, message) => {
    expect(errorOf(raw)).toMatch(message);
  });

  it('puts the path before the key', () => {
    expect(errorOf({ rules: [{ name: 'r', op: '=' }] }, 'config.analysis')).toMatch(
      /^config\.analysis\.rules\[0\]\.op is "="/,
    );
  });
});
