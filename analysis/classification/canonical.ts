/**
 * The canonical text of a message: whitespace folded, variable parts as `<*>`, bounded in length. A body and the
 * template mined from it come out (nearly) the same, so what was learned from one serves the other. It is also all
 * that the online memory keeps of a record, so that features can be computed again after a restore.
 */

/** Characters of a text that are looked at; a stack trace says what it is in its first lines. */
export const scanCharsMax = 1024;
/** Characters of a canonical text. */
export const canonicalCharsMax = 400;

const isDigit = (c: number): boolean => c >= 48 && c <= 57;
const isAsciiLetter = (c: number): boolean => (c >= 97 && c <= 122) || (c >= 65 && c <= 90);
/** Beyond ASCII everything counts as a letter: scripts we cannot split are still words. */
const isWord = (c: number): boolean => isAsciiLetter(c) || isDigit(c) || c === 95 || c > 127;
const isSpace = (c: number): boolean => c <= 32 || c === 127 || c === 160;

/** True for hexadecimal text of at least 6 characters with a digit in it, or with 0x in front. */
function isHexId(word: string): boolean {
  let from = 0;
  if (word.length > 2 && word.charCodeAt(0) === 48 && (word.charCodeAt(1) | 32) === 120) from = 2;
  else if (word.length < 6) return false;
  let digits = 0;
  for (let i = from; i < word.length; i++) {
    const c = word.charCodeAt(i);
    if (isDigit(c)) digits++;
    else if ((c | 32) < 97 || (c | 32) > 102) return false;
  }
  return from === 2 || digits > 0;
}

/** Letters stay, digits become `<*>`: `Component96` → `Component<*>`, `4096` → `<*>`. */
function maskWord(word: string): string {
  if (isHexId(word)) return '<*>';
  let out = '';
  let from = -1;
  for (let i = 0; i <= word.length; i++) {
    const digit = i < word.length && isDigit(word.charCodeAt(i));
    if (i < word.length && !digit) {
      if (from < 0) from = i;
      continue;
    }
    if (from >= 0) out += word.slice(from, i);
    from = -1;
    if (digit && !out.endsWith('<*>')) out += '<*>';
  }
  return out;
}

const statusWords: ReadonlySet<string> = new Set([
  'status',
  'code',
  'rcode',
  'http',
  'response',
  'returned',
  'statuscode',
]);

/** 3-digit HTTP status after a word that announces it → `5xx`; else undefined. */
function httpStatus(word: string, previousWord: string, out: string): string | undefined {
  if (word.length !== 3) return undefined;
  const first = word.charCodeAt(0);
  if (first < 49 || first > 53 || !isDigit(word.charCodeAt(1)) || !isDigit(word.charCodeAt(2))) return undefined;
  if (statusWords.has(previousWord.toLowerCase()) || out.endsWith('HTTP/<*>" ')) return `${word.charAt(0)}xx`;
  return undefined;
}

export function canonicalText(text: string): string {
  const end = Math.min(text.length, scanCharsMax);
  let out = '';
  let previousWord = '';
  let i = 0;
  while (i < end && out.length < canonicalCharsMax) {
    const c = text.charCodeAt(i);
    if (isSpace(c)) {
      if (out !== '' && !out.endsWith(' ')) out += ' ';
      i++;
      continue;
    }
    if (c === 60 && text.startsWith('<*>', i)) {
      out = appendMask(out);
      i += 3;
      continue;
    }
    if (isWord(c)) {
      let j = i + 1;
      while (j < end && isWord(text.charCodeAt(j))) j++;
      const word = text.slice(i, j);
      const masked = httpStatus(word, previousWord, out) ?? maskWord(word);
      out = masked === '<*>' ? appendMask(out) : out + masked;
      if (masked !== '<*>') previousWord = word;
      i = j;
      continue;
    }
    out += text.charAt(i);
    i++;
  }
  if (out.length > canonicalCharsMax) out = out.slice(0, canonicalCharsMax);
  return out.trimEnd();
}

/** Joins `1.2.3.4`, `12:30:01` or `a1-b2` into one `<*>`. */
function appendMask(out: string): string {
  const n = out.length;
  if (n >= 3 && out.endsWith('<*>')) return out;
  if (n >= 4 && '.:-/,'.includes(out.charAt(n - 1)) && out.endsWith('<*>', n - 1)) return out.slice(0, n - 1);
  if (n >= 1 && out.charAt(n - 1) === '-' && (n === 1 || ' =([{:,'.includes(out.charAt(n - 2))))
    return `${out.slice(0, n - 1)}<*>`;
  return `${out}<*>`;
}
