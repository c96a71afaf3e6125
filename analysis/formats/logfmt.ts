/** logfmt: `key=value key="quoted value" flag`, as Go, Heroku and Prometheus programs write. */
import type { Format } from './draft.ts';
import { FieldMapper } from './fields.ts';
import { char, isAlnum, isSpace, skipSpaces } from './scan.ts';

const mapper = new FieldMapper();

function isKeyChar(code: number): boolean {
  return (
    isAlnum(code) ||
    code === char.underscore ||
    code === char.dot ||
    code === char.minus ||
    code === char.slash ||
    code === char.at
  );
}

/** End of a quoted value that opens at `at`, after the closing quote; -1 where it never closes. */
function quotedEnd(text: string, at: number): number {
  const { length } = text;
  for (let i = at + 1; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code === char.backslash) i++;
    else if (code === char.quote) return i + 1;
  }
  return -1;
}

function unquote(quoted: string): string {
  if (!quoted.includes('\\')) return quoted.slice(1, -1);
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return quoted.slice(1, -1).replaceAll('\\"', '"');
  }
}

/** Reads the pairs from `at` on into the mapper. False where the text is not made of pairs. */
function readPairs(text: string, at: number): boolean {
  mapper.clear();
  const { length } = text;
  let bare = 0;
  let i = skipSpaces(text, at);
  while (i < length) {
    const keyStart = i;
    while (isKeyChar(text.charCodeAt(i))) i++;
    if (i === keyStart) return false;
    const key = text.slice(keyStart, i);
    if (text.charCodeAt(i) === char.equals) {
      const valueStart = ++i;
      if (text.charCodeAt(i) === char.quote) {
        i = quotedEnd(text, i);
        if (i < 0 || (i < length && !isSpace(text.charCodeAt(i)))) return false;
        mapper.add(key, unquote(text.slice(valueStart, i)), false);
      } else {
        while (i < length && !isSpace(text.charCodeAt(i))) i++;
        mapper.add(key, text.slice(valueStart, i), false);
      }
    } else if (i === length || isSpace(text.charCodeAt(i))) {
      // A word without a value is a flag, but mostly it is prose.
      if (++bare > 2 || mapper.size === 0) return false;
      mapper.add(key, '', false);
    } else return false;
    i = skipSpaces(text, i);
  }
  const known = mapper.has('body') || mapper.has('severity') || mapper.has('time');
  return mapper.size - bare >= (known ? 2 : 3);
}

export const logfmt: Format = (text, draft, context) => {
  let keyEnd = 0;
  while (isKeyChar(text.charCodeAt(keyEnd))) keyEnd++;
  if (keyEnd === 0 || text.charCodeAt(keyEnd) !== char.equals || !readPairs(text, 0)) return false;
  draft.reset('logfmt');
  mapper.apply(draft, context.time, text);
  return true;
};
