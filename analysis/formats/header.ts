/**
 * The header that most logging frameworks write behind a stamp, read by its grammar rather than by one pattern per
 * framework: levels, process numbers, [threads], loggers and separators in any order, then the message. log4j, logback,
 * Hadoop, Spark, ZooKeeper, OpenStack, Python, Spring, MySQL, MongoDB, CBS and their kin all read as this.
 */
import type { Draft, SourceContext } from './draft.ts';
import { isLevelWord, letterLevelEnd, levelEnd } from './levels.ts';
import {
  bracketEnd,
  char,
  digitsEnd,
  isAlnum,
  isDigit,
  isDigits,
  isLetter,
  isLower,
  isSpace,
  isUpper,
  skipSpaces,
  tokenEnd,
} from './scan.ts';

/** Tokens of a header; a line with more is message from there on. */
const tokensMax = 9;
const bracketLengthMax = 300;
const loggerLengthMax = 160;

/** Reads the header at `at`, sets level, pid, thread and logger in the draft, and returns where the message starts. */
export function readHeader(text: string, at: number, draft: Draft, context: SourceContext): number {
  let hasLogger = false;
  let bracketsAfterLogger = 0;
  let brackets = 0;
  let plainLogger = false;
  for (let tokens = 0; tokens < tokensMax; tokens++) {
    const gapStart = at;
    at = skipSeparators(text, at);
    const gap = at - gapStart;
    const code = text.charCodeAt(at);
    if (Number.isNaN(code)) return at;
    // Behind a level a lone dash ends the header, unless a logger and another dash follow.
    if (
      draft.severityText !== '' &&
      gap > 2 &&
      text.charCodeAt(at - 2) === char.minus &&
      text.charCodeAt(at - 3) !== char.minus
    ) {
      return dashedLogger(text, at, draft);
    }
    if (code === char.bracketOpen) {
      if (brackets >= 4 || (plainLogger && bracketsAfterLogger >= 1)) return at;
      const end = bracketEnd(text, at, bracketLengthMax);
      if (end < 0) return at;
      brackets++;
      if (plainLogger) bracketsAfterLogger++;
      readBracket(text.slice(at + 1, end - 1).trim(), draft);
      at = end;
      if (text.charCodeAt(at) === char.colon) {
        // `[LEVEL]: message`, `[thread]: message`
        return skipSpaces(text, at + 1);
      }
      continue;
    }
    if (code === char.parenOpen && draft.severityText !== '' && !hasLogger) {
      // JBoss and others put the thread in parentheses, beside a [logger].
      const end = text.indexOf(') ', at);
      if (end < 0 || end - at > 80 || (brackets === 0 && text.charCodeAt(end + 2) !== char.bracketOpen)) return at;
      draft.numbered('thread', text.slice(at + 1, end));
      at = end + 1;
      if (brackets > 0) return skipSpaces(text, at);
      continue;
    }
    if (code === char.less) {
      // <0.123.0>: an Erlang process; <module>: Python
      const end = text.indexOf('>', at);
      if (draft.severityText !== '' && end > 0 && end - at < 40 && isDigit(text.charCodeAt(at + 1))) {
        draft.numbered('thread', text.slice(at + 1, end));
        at = end + 1;
        continue;
      }
      return at;
    }
    if (draft.severityText === '') {
      const level = readLevel(text, at, draft);
      if (level > 0) {
        at = level;
        continue;
      }
    }
    if (isDigit(code)) {
      const end = readNumber(text, at, draft);
      if (end < 0) return at;
      at = end;
      continue;
    }
    if (hasLogger || at >= text.length) return at;
    const logger = readLogger(text, at, gap, draft, context);
    if (logger < 0) return at;
    hasLogger = true;
    if (loggerEndsHeader) return logger;
    plainLogger = true;
    at = logger;
  }
  return at;
}

/** `logger - message` behind `LEVEL - `; anything else there is the message. */
function dashedLogger(text: string, at: number, draft: Draft): number {
  const end = tokenEnd(text, at);
  if (!text.startsWith(' - ', end) || end - at > loggerLengthMax || !isName(text, at, end)) return at;
  setLogger(text, at, end, draft);
  return end + 3;
}

/** Spaces, a comma or colon right behind the stamp, and dashes or bars that stand alone. */
function skipSeparators(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if ((code === char.comma || code === char.colon || code === char.semicolon) && isSpace(text.charCodeAt(at + 1))) at++;
  for (;;) {
    at = skipSpaces(text, at);
    const first = text.charCodeAt(at);
    if (first !== char.minus && first !== char.pipe && first !== char.colon) return at;
    let end = at + 1;
    while (text.charCodeAt(end) === first) end++;
    if (!isSpace(text.charCodeAt(end)) || end - at > 3) return at;
    at = end;
  }
}

function readBracket(inner: string, draft: Draft): void {
  if (inner === '') return;
  if (draft.severityText === '') {
    if (isLevelWord(inner)) {
      draft.severityText = inner;
      return;
    }
    const end = levelEnd(`${inner} `, 0);
    const mark = end > 0 ? inner.charCodeAt(end) : 0;
    if (mark === char.slash || mark === char.space) {
      draft.severityText = inner.slice(0, end);
      draft.numbered('thread', inner.slice(end + 1).trim());
      return;
    }
  }
  const slash = inner.lastIndexOf('/');
  if (draft.severityText === '' && slash > 0 && inner.length - slash > 3 && isLevelWord(inner.slice(slash + 1))) {
    draft.severityText = inner.slice(slash + 1);
    draft.numbered('thread', inner.slice(0, slash));
    return;
  }
  if (inner === 'Note' || inner === 'System') {
    // MySQL's names for the lowest of its severities
    if (draft.severityText === '') {
      draft.severityText = inner;
      draft.severityNumber = 9;
      return;
    }
  }
  draft.numbered(isDigits(inner, 0, inner.length) ? 'process.pid' : 'thread', inner);
}

/** A level word at `at`, or a one-letter level where what follows shows that it is one. Returns the end or -1. */
function readLevel(text: string, at: number, draft: Draft): number {
  let end = levelEnd(text, at);
  if (end < 0) {
    end = letterLevelEnd(text, at);
    if (end < 0) return -1;
    const next = skipSpaces(text, end);
    const nextEnd = tokenEnd(text, next);
    const named =
      text.charCodeAt(next) === char.bracketOpen ||
      text.charCodeAt(next) === char.pipe ||
      (isUpper(text.charCodeAt(next)) && isUpper(text.charCodeAt(next + 1)) && nextEnd - next > 2) ||
      text.charCodeAt(nextEnd - 1) === char.colon;
    if (!named) return -1;
  }
  draft.severityText = text.slice(at, end);
  if (text.charCodeAt(end) === char.colon || text.charCodeAt(end) === char.comma) end++;
  return end;
}

/** A process number: digits before a level, a bracket, another number or a dashed rule. */
function readNumber(text: string, at: number, draft: Draft): number {
  const end = digitsEnd(text, at);
  const code = text.charCodeAt(end);
  if (end - at > 10 || !isSpace(code)) return -1;
  let next = skipSpaces(text, end);
  const rule = text.charCodeAt(next) === char.minus && isSpace(text.charCodeAt(skipDashes(text, next)));
  if (rule) next = skipSeparators(text, next);
  const following = text.charCodeAt(next);
  const ok =
    draft.severityText === ''
      ? levelEnd(text, next) > 0 ||
        following === char.bracketOpen ||
        (isDigit(following) && levelEnd(text, skipSpaces(text, digitsEnd(text, next))) > 0)
      : rule;
  if (!ok) return -1;
  draft.numbered('process.pid', text.slice(at, end));
  return end;
}

function skipDashes(text: string, at: number): number {
  while (text.charCodeAt(at) === char.minus) at++;
  return at;
}

/** Set by `readLogger`: its separator was one that only stands before the message. */
let loggerEndsHeader = false;

/**
 * A logger, class, program or file:line. What makes a token one is what stands behind it: a colon, ` - `, ` : `, a
 * bracket, a column gap or a level. Returns the index where reading goes on, or -1.
 */
function readLogger(text: string, at: number, gap: number, draft: Draft, context: SourceContext): number {
  const end = tokenEnd(text, at);
  const length = end - at;
  if (length === 0 || length > loggerLengthMax || end >= text.length) return -1;
  loggerEndsHeader = true;
  const levelled = draft.severityText !== '';
  const first = text.charCodeAt(at);
  if (
    !isLetter(first) &&
    first !== char.underscore &&
    first !== char.slash &&
    first !== char.dollar &&
    first !== char.dot
  ) {
    return -1;
  }
  if (text.charCodeAt(end - 1) === char.colon) return readColonLogger(text, at, end, levelled, draft, context);
  if (levelled) context.countLogger(false);
  // `name - message`, `name : message`
  const next = skipSpaces(text, end);
  const mark = text.charCodeAt(next);
  if (
    (mark === char.minus || mark === char.colon || mark === char.pipe) &&
    isSpace(text.charCodeAt(next + 1)) &&
    isName(text, at, end)
  ) {
    const after = skipSpaces(text, next + 1);
    if (!levelled && (levelEnd(text, after) > 0 || isLevelWord(text.slice(after, tokenEnd(text, after)))))
      loggerEndsHeader = false;
    setLogger(text, at, end, draft);
    return loggerEndsHeader ? after : next;
  }
  if (!isName(text, at, end)) return -1;
  if (!levelled) {
    // `logger LEVEL message`, `program *64 - message`
    if (levelEnd(text, next) > 0) {
      setLogger(text, at, end, draft);
      loggerEndsHeader = false;
      return end;
    }
    const secondEnd = tokenEnd(text, next);
    if (
      text.startsWith(' - ', secondEnd) &&
      !isLetter(mark) &&
      mark !== char.minus &&
      text.slice(at, end).includes('.')
    ) {
      draft.numbered('logger', text.slice(at, secondEnd));
      return secondEnd + 3;
    }
    return -1;
  }
  if (mark === char.parenOpen) {
    // `Class (File.java:42) - message`
    const close = text.indexOf(') - ', next);
    if (close > 0 && isCodeLocation(text, next + 1, close) && isName(text, next + 1, close)) {
      setLogger(text, at, end, draft);
      draft.numbered('code.location', text.slice(next + 1, close));
      return close + 4;
    }
  }
  if (isClassName(text, at, end) || context.knowsLogger(text.slice(at, end))) {
    setLogger(text, at, end, draft);
    loggerEndsHeader = mark !== char.bracketOpen;
    return loggerEndsHeader ? next : end;
  }
  if (mark === char.bracketOpen && (looksLikeLogger(text, at, end) || isUpperName(text, at, end))) {
    setLogger(text, at, end, draft);
    context.rememberLogger(text.slice(at, end));
    loggerEndsHeader = false;
    return end;
  }
  if (isCodeLocation(text, at, end)) {
    setLogger(text, at, end, draft);
    return next;
  }
  // A column: a gap of several spaces or a tab on both sides.
  const wide = text.charCodeAt(end) === char.tab || next - end > 1;
  const wideBefore = gap > 1 || text.charCodeAt(at - 1) === char.tab;
  if (wide && wideBefore) {
    setLogger(text, at, end, draft);
    if (text.charCodeAt(end) === char.tab) {
      // logger, tab, caller, tab, message
      const callerEnd = text.indexOf('\t', end + 1);
      if (callerEnd > 0 && /^[\w./-]+:\d+$/.test(text.slice(end + 1, callerEnd))) {
        draft.numbered('code.location', text.slice(end + 1, callerEnd));
        return callerEnd + 1;
      }
    }
    return next;
  }
  return -1;
}

/** `name: message`. Between a name and a word of prose the shape decides, else what the source usually does. */
function readColonLogger(
  text: string,
  at: number,
  end: number,
  levelled: boolean,
  draft: Draft,
  context: SourceContext,
): number {
  let nameEnd = end - 1;
  if (text.charCodeAt(nameEnd - 1) === char.bracketClose) {
    const open = text.lastIndexOf('[', nameEnd);
    if (open > at && isName(text, open + 1, nameEnd - 1) && isName(text, at, open)) {
      draft.numbered('process.pid', text.slice(open + 1, nameEnd - 1));
      setLogger(text, at, open, draft);
      return skipSpaces(text, end);
    }
  }
  const name = isName(text, at, nameEnd);
  if (levelled) {
    const decided = name && looksLikeLogger(text, at, nameEnd);
    const usual = context.loggerShare;
    context.countLogger(name);
    if (!decided && !(name && usual > 0.7)) return -1;
  } else {
    // `channel.LEVEL: message`
    const dot = text.lastIndexOf('.', nameEnd);
    if (dot > at && levelEnd(text, dot + 1) === nameEnd && isUpper(text.charCodeAt(dot + 1))) {
      draft.severityText = text.slice(dot + 1, nameEnd);
      setLogger(text, at, dot, draft);
      return skipSpaces(text, end);
    }
    if (!isCodeLocation(text, at, nameEnd)) return -1;
  }
  while (text.charCodeAt(nameEnd - 1) === char.colon) nameEnd--;
  setLogger(text, at, nameEnd, draft);
  return skipSpaces(text, end);
}

function setLogger(text: string, at: number, end: number, draft: Draft): void {
  draft.numbered(isCodeLocation(text, at, end) ? 'code.location' : 'logger', text.slice(at, end));
}

/** `main.go:23`, `app/views.py:10`. */
function isCodeLocation(text: string, at: number, end: number): boolean {
  let i = end;
  while (i > at && isDigit(text.charCodeAt(i - 1))) i--;
  if (i === end || text.charCodeAt(i - 1) !== char.colon) return false;
  const dot = text.lastIndexOf('.', i);
  return dot > at && i - dot <= 8;
}

/** Characters that names of loggers, classes and files are made of. */
function isName(text: string, at: number, end: number): boolean {
  if (end <= at) return false;
  for (let i = at; i < end; i++) {
    const code = text.charCodeAt(i);
    if (isAlnum(code) || code === char.dot || code === char.underscore || code === char.dollar || code === char.minus)
      continue;
    if (code === char.slash || code === char.hash || code === char.at || code === char.colon) {
      // A URL or a bare word with a colon inside is not a name.
      if (code === char.slash && text.charCodeAt(i + 1) === char.slash) return false;
      continue;
    }
    if (
      code === char.less ||
      code === char.greater ||
      code === char.parenOpen ||
      code === char.parenClose ||
      code === char.bracketOpen
    )
      continue;
    if (code === char.bracketClose) continue;
    return false;
  }
  return true;
}

/** A name no English word has: a dot or another mark inside, an inner capital, or no capital at all. */
function looksLikeLogger(text: string, at: number, end: number): boolean {
  let upper = 0;
  for (let i = at + 1; i < end; i++) {
    const code = text.charCodeAt(i);
    if (!isAlnum(code)) {
      if (code !== char.minus && i < end - 1) return true;
    } else if (isUpper(code)) {
      upper++;
      if (isLower(text.charCodeAt(i - 1))) return true;
    }
  }
  return upper > 1 && upper < end - at - 1;
}

/** `org.bakery.Oven.start`: two dots and a capital behind one, which no host name has. */
function isClassName(text: string, at: number, end: number): boolean {
  let dots = 0;
  let capital = false;
  for (let i = at; i < end; i++) {
    if (text.charCodeAt(i) !== char.dot) continue;
    dots++;
    if (isUpper(text.charCodeAt(i + 1)) && isLower(text.charCodeAt(i + 2))) capital = true;
  }
  return dots >= 2 && capital && isLower(text.charCodeAt(at));
}

function isUpperName(text: string, at: number, end: number): boolean {
  for (let i = at; i < end; i++)
    if (!isUpper(text.charCodeAt(i)) && text.charCodeAt(i) !== char.underscore) return false;
  return end - at > 1;
}
