/**
 * Patterns of users, matched in linear time whatever they are (RE2): no look-around and no back-references. What they may
 * cost is bounded when they are compiled.
 */
import { type Matcher, RE2JS } from 're2js';
import { wrong } from './reading.ts';

/** As written, and with all names filled in. */
const patternCharactersMax = 4_096;
export const expandedCharactersMax = 32_768;
/** Instructions of a compiled pattern: the engine's worst case is this many steps a character. */
const programMax = 8_000;
/**
 * Characters that a pattern looks at; a longer text does not fit. Up to about here the engine keeps a bit for each place and
 * instruction; beyond, it takes up to 0.7 µs a character.
 */
export const textCharactersMax = 16_384;

export class LinearPattern {
  readonly source: string;
  private readonly pattern: RE2JS;
  private readonly matcher: Matcher;
  private fitted = false;

  constructor(source: string, pattern: RE2JS) {
    this.source = source;
    this.pattern = pattern;
    this.matcher = pattern.matcher('');
  }

  test(text: string): boolean {
    return text.length <= textCharactersMax && this.pattern.test(text);
  }

  /** Values by group, from 1; null where it does not fit. */
  match(text: string): Matcher | null {
    if (text.length > textCharactersMax) return null;
    // Telling that it does not fit needs no groups, and is several times as fast; where it fitted last, it mostly fits again.
    if (!this.fitted && !this.pattern.test(text)) return null;
    const { matcher } = this;
    matcher.resetMatcherInput(text);
    this.fitted = matcher.find();
    return this.fitted ? matcher : null;
  }

  /** Every match replaced. */
  replaceAll(text: string, replace: (found: string) => string): string {
    if (text.length > textCharactersMax) return this.replaceInPieces(text, replace);
    if (!this.pattern.test(text)) return text;
    return this.matcher.resetMatcherInput(text).replaceAll((...found: unknown[]) => replace(String(found[0])));
  }

  private replaceInPieces(text: string, replace: (found: string) => string): string {
    let out = '';
    for (let at = 0; at < text.length; at += textCharactersMax)
      out += this.replaceAll(text.slice(at, at + textCharactersMax), replace);
    return out;
  }
}

/** @throws LogweirError CONFIG_INVALID */
export function linearPattern(source: string, path: string, expanded = source, dotAll = false): LinearPattern {
  const remedyOfSize = 'Make it shorter, or divide it into several formats.';
  if (source.length > patternCharactersMax)
    throw wrong(path, `has ${source.length} characters, ${patternCharactersMax} are allowed`, remedyOfSize);
  if (expanded.length > expandedCharactersMax)
    throw wrong(
      path,
      `has ${expanded.length} characters with its names filled in, ${expandedCharactersMax} are allowed`,
      remedyOfSize,
    );
  let pattern: RE2JS;
  try {
    pattern = RE2JS.compile(expanded, dotAll ? RE2JS.DOTALL : 0);
  } catch (error) {
    throw wrong(path, `is no pattern: ${reasonOf(error as Error)}`, remedyOf(error as Error));
  }
  if (pattern.programSize() > programMax)
    throw wrong(
      path,
      `needs ${pattern.programSize()} steps a character, ${programMax} are allowed`,
      'Lower its repeat counts.',
    );
  return new LinearPattern(source, pattern);
}

const reasonOf = (error: Error): string => error.message.replace(/^error parsing regexp: /, '');

function remedyOf(error: Error): string {
  if (/\(\?[=!<]|\(\?>|\(\?</.test(error.message))
    return 'Patterns are RE2: write it without look-ahead, look-behind and atomic groups, which cannot be matched in linear time.';
  if (/invalid escape sequence: `?\\[1-9]/.test(error.message))
    return 'Patterns are RE2: back-references such as \\1 cannot be matched in linear time.';
  if (error.message.includes('repeat count')) return 'Repeat counts go up to 1,000, nested ones multiplied.';
  return 'Patterns are RE2 (github.com/google/re2/wiki/Syntax).';
}
