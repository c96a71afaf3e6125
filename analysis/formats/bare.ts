/** Lines without a stamp that still say something: a level in front, or the kernel's seconds since boot. */
import type { Format } from './draft.ts';
import { readHeader } from './header.ts';
import { isLevelWord, levelEnd } from './levels.ts';
import { bracketEnd, char, digitsEnd, isDigit, skipSpaces, tokenEnd } from './scan.ts';

/** `[   12.345678] message`. */
export const kernelRing: Format = (text, draft) => {
  if (text.charCodeAt(0) !== char.bracketOpen) return false;
  const start = skipSpaces(text, 1);
  const dot = digitsEnd(text, start);
  if (dot === start || text.charCodeAt(dot) !== char.dot) return false;
  const end = digitsEnd(text, dot + 1);
  if (end - dot !== 7 || text.charCodeAt(end) !== char.bracketClose) return false;
  draft.reset('kernel');
  draft.service = 'kernel';
  draft.attribute('kernel.uptime_s', text.slice(start, end));
  draft.body = text.slice(skipSpaces(text, end + 1));
  return true;
};

/** `type=KIND msg=audit(epoch:serial): fields` of the Linux audit daemon. */
export const audit: Format = (text, draft, context) => {
  if (!text.startsWith('type=')) return false;
  const kindEnd = tokenEnd(text, 5);
  if (kindEnd > 64 || !text.startsWith(' msg=audit(', kindEnd)) return false;
  const stamp = kindEnd + 11;
  const end = context.time.scan(text, stamp);
  const close = text.indexOf('): ', stamp);
  if (end < 0 || text.charCodeAt(end) !== char.colon || close < end || close - end > 24) return false;
  draft.reset('audit');
  draft.setTime(context.time);
  draft.attribute('audit.serial', text.slice(end + 1, close));
  draft.attribute('type', text.slice(5, kindEnd));
  draft.body = `${text.slice(0, kindEnd)} ${text.slice(skipSpaces(text, close + 2))}`;
  return true;
};

/** `LEVEL: message`, `LEVEL:logger:message` (Python), `[LEVEL] message`, `LEVEL logger - message`, `info: Category[14]`. */
export const levelled: Format = (text, draft, context) => {
  let at = 0;
  if (text.charCodeAt(0) === char.bracketOpen) {
    const end = bracketEnd(text, 0, 24);
    if (end < 0) return false;
    const word = text.slice(1, end - 1).trim();
    if (!isLevelWord(word) || isDigit(word.charCodeAt(0))) return false;
    draft.reset('levelled');
    draft.severityText = word;
    at = end;
  } else {
    const short = shortConsoleLevel(text);
    const end = short > 0 ? short : levelEnd(text, 0);
    if (end < 0) return false;
    draft.reset('levelled');
    draft.severityText = text.slice(0, end);
    const next = text.charCodeAt(end);
    if (next === char.colon && text.charCodeAt(end + 1) !== char.space) {
      // Python's default: LEVEL:logger:message
      const colon = text.indexOf(':', end + 1);
      if (colon > 0 && colon - end < 120 && tokenEnd(text, end + 1) > colon) {
        draft.attribute('logger', text.slice(end + 1, colon));
        draft.body = text.slice(colon + 1);
        return true;
      }
    }
    at = next === char.colon ? end + 1 : end;
  }
  const start = skipSpaces(text, at);
  if (
    text.charCodeAt(tokenEnd(text, start) - 1) === char.bracketClose &&
    tokenEnd(text, start) === text.length &&
    text.charCodeAt(at - 1) === char.colon
  ) {
    // .NET's console names the category here and the message in the indented lines that follow.
    const open = text.lastIndexOf('[');
    draft.attribute('logger', text.slice(start, open > start ? open : text.length));
    draft.body = '';
    return true;
  }
  draft.body = text.slice(readHeader(text, at, draft, context));
  return true;
};

/** .NET's console writes `fail:`, `crit:`, `dbug:` and `trce:`. */
function shortConsoleLevel(text: string): number {
  if (text.charCodeAt(4) !== char.colon || text.charCodeAt(5) !== char.space) return -1;
  const word = text.slice(0, 4);
  return word === 'fail' || word === 'dbug' || word === 'trce' ? 4 : -1;
}
