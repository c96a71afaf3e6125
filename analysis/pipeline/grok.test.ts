import { describe, expect, it } from 'vitest';
import { LogweirError } from '#protocol/mod.ts';
import { compileGrok, grokPatterns } from './grok.ts';
import { grokLibrary } from './grok-library.ts';
import { compiled } from './testing.fixture.ts';

const patterns = grokPatterns(undefined, '');
const found = (source: string, text: string): Record<string, string> | null => {
  const match = compileGrok(source, 'p', patterns).match(text);
  return match === null ? null : Object.fromEntries(match.names.map((name, i) => [name, match.values[i] as string]));
};
const problem = (section: unknown): string => {
  try {
    compiled(section);
  } catch (error) {
    if (error instanceof LogweirError && error.code === 'CONFIG_INVALID') return `${error.message} ${error.remedy}`;
    throw error;
  }
  return '';
};
const ofPattern = (parse: string): string => problem({ steps: [{ parse }] });

describe('the library', () => {
  it.each(Object.keys(grokLibrary))('%s compiles', (name) => {
    expect(compileGrok(`%{${name}}`, 'p', patterns).source).toBe(`%{${name}}`);
  });

  it.each([
    ['IP', '2001:db8::1', true],
    ['IP', '::ffff:192.0.2.1', true],
    ['IP', '192.0.2.256', false],
    ['IPV6', '1:2:3:4:5:6:7:8', true],
    ['HOSTNAME', 'mill-3.example.org', true],
    ['UUID', '123e4567-e89b-12d3-a456-426614174000', true],
    ['NUMBER', '-1.5e3', true],
    ['NUMBER', 'x', false],
    ['TIMESTAMP_ISO8601', '2026-05-02T03:04:05,678+0200', true],
    ['SYSLOGTIMESTAMP', 'May  2 03:04:05', true],
    ['HTTPDATE', '02/May/2026:03:04:05 +0000', true],
    ['LOGLEVEL', 'Warning', true],
    ['LOGLEVEL', 'warned', false],
    ['QUOTEDSTRING', '"a \\" b"', true],
    ['URI', 'https://u:p@example.org:8080/a/b?c=d', true],
    ['PATH', 'C:\\logs\\a.log', true],
    ['EMAILADDRESS', 'anna.b@example.org', true],
    ['MAC', '00:1b:44:11:3a:b7', true],
    ['DURATION', '12.5ms', true],
  ])('%s on %s: %s', (name, text, fits) => {
    expect(compileGrok(`^%{${name}}$`, 'p', patterns).match(text) !== null).toBe(fits);
  });
});

describe('patterns', () => {
  it('gives fields with dots, brackets and types', () => {
    expect(found('%{IP:[source][ip]}:%{INT:source.port:int} (?<what>\\w+)', '192.0.2.1:0080 opened')).toEqual({
      'source.ip': '192.0.2.1',
      'source.port': '80',
      what: 'opened',
    });
  });

  it('leaves classes, escapes and quoted texts alone', () => {
    expect(found('[(%{]+(?P<a>\\w) \\(\\%\\{ \\Q(x)%{\\E(b) %{WORD:c}', '({x (%{ (x)%{b zz')).toEqual({
      a: 'x',
      c: 'zz',
    });
    expect(found('[]()[:alpha:]]+-(?<a>\\d)', ')]x-7')).toEqual({ a: '7' });
  });

  it('takes the first of two groups for one field', () => {
    expect(found('(?:a=%{INT:n}|b=%{INT:n})', 'b=5')).toEqual({ n: '5' });
  });

  it('does not look at texts of more than 16,384 characters', () => {
    expect(found('%{GREEDYDATA:a}', 'x'.repeat(16_385))).toBeNull();
  });
});

describe('what is wrong with a pattern', () => {
  it.each([
    ['%{IPP:a}', 'uses %{IPP}, which is no pattern. Near it are IP'],
    ['%{IP:a:hex}', 'gives the type "hex" to %{IP}. It must be one of string, int, float.'],
    ['%{IP:a b}', 'has a field "a b".'],
    ['%{}', 'has "%{}", which names no pattern.'],
    ['(a', 'is no pattern: missing closing ): `(a`. Patterns are RE2'],
    ['(?=a)', 'cannot be matched in linear time'],
    ['(?<!a)b', 'cannot be matched in linear time'],
    ['(a)\\1', 'back-references such as \\1 cannot be matched in linear time'],
    ['(x{1000}){1000}', 'Repeat counts go up to 1,000'],
    ['[\\w-]{900}[\\p{L}]{900}(abc|def|ghi){990}', 'needs'],
    ['x'.repeat(4_097), 'It must be a text of 1 to 4096 characters'],
  ])('%s', (pattern, expected) => {
    expect(ofPattern(pattern)).toContain(expected);
    expect(ofPattern(pattern)).toMatch(/^pipeline\.steps\[0\]\.parse /);
  });

  it('names circles, and patterns that only grow', () => {
    expect(problem({ patterns: { A: '%{B}', B: 'x%{A}' } })).toContain(
      'pipeline.patterns.A uses %{A} within itself (A → B → A).',
    );
    const growing = Object.fromEntries(
      Array.from({ length: 14 }, (_, i) => [`P${i}`, i === 0 ? 'abc' : `%{P${i - 1}}`.repeat(9)]),
    );
    expect(problem({ patterns: growing })).toMatch(/pipeline\.patterns\.P\d+ (?:has|grows|needs)/);
  });
});

describe('linear time', () => {
  it.each([
    '(a+)+$',
    '(a|aa)+$',
    '(.*)*x',
    '^(([a-z])+.)+[A-Z]([a-z])+$',
    '(?:a?){50}a{50}',
    '%{DATA:a}%{DATA:b}%{DATA:c}%{GREEDYDATA:d}!$',
  ])('%s', (pattern) => {
    const grok = compileGrok(pattern, 'p', patterns);
    const cost = (length: number): number => {
      const text = `${'a'.repeat(length)}-`;
      const before = process.cpuUsage();
      grok.match(text);
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1_000;
    };
    cost(16_000);
    // Backtracking would take longer than the universe is old.
    expect(cost(16_000)).toBeLessThan(5_000);
  });
});
