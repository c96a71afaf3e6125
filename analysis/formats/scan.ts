/**
 * Scanning primitives over UTF-16 code units. All are linear and never look back, so that no input makes them slow.
 * Positions are indices into the text; "end" is exclusive.
 */
export const char = {
  tab: 9,
  space: 32,
  quote: 34,
  hash: 35,
  dollar: 36,
  parenOpen: 40,
  parenClose: 41,
  star: 42,
  plus: 43,
  comma: 44,
  minus: 45,
  dot: 46,
  slash: 47,
  zero: 48,
  colon: 58,
  semicolon: 59,
  less: 60,
  equals: 61,
  greater: 62,
  at: 64,
  bracketOpen: 91,
  backslash: 92,
  bracketClose: 93,
  underscore: 95,
  braceOpen: 123,
  pipe: 124,
  braceClose: 125,
} as const;

export function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

export function isUpper(code: number): boolean {
  return code >= 65 && code <= 90;
}

export function isLower(code: number): boolean {
  return code >= 97 && code <= 122;
}

export function isLetter(code: number): boolean {
  return isLower(code | 32) && (code | 32) < 128 && code < 128;
}

export function isAlnum(code: number): boolean {
  return isDigit(code) || isLetter(code);
}

export function isSpace(code: number): boolean {
  return code === char.space || code === char.tab;
}

export function skipSpaces(text: string, at: number): number {
  while (isSpace(text.charCodeAt(at))) at++;
  return at;
}

/** End of the run of non-space characters at `at`. */
export function tokenEnd(text: string, at: number): number {
  const { length } = text;
  while (at < length && !isSpace(text.charCodeAt(at))) at++;
  return at;
}

/** End of the run of digits at `at`. */
export function digitsEnd(text: string, at: number): number {
  while (isDigit(text.charCodeAt(at))) at++;
  return at;
}

/** Value of the digits [start, end); the caller has checked that they are digits, at most 15. */
export function numberAt(text: string, start: number, end: number): number {
  let value = 0;
  for (let i = start; i < end; i++) value = value * 10 + (text.charCodeAt(i) - 48);
  return value;
}

export function isDigits(text: string, start: number, end: number): boolean {
  return end > start && digitsEnd(text, start) >= end;
}

/** Index after the bracket that closes the one at `at` (nesting counted), or -1 within `limit` characters. */
export function bracketEnd(text: string, at: number, limit: number): number {
  const end = Math.min(text.length, at + limit);
  let depth = 0;
  for (let i = at; i < end; i++) {
    const code = text.charCodeAt(i);
    if (code === char.bracketOpen) depth++;
    else if (code === char.bracketClose && --depth === 0) return i + 1;
  }
  return -1;
}
