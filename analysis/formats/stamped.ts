/** Lines with a stamp at or near their start, and a framework's header around it. */
import type { Draft, Format, SourceContext } from './draft.ts';
import { readHeader } from './header.ts';
import { isLevelWord, levelEnd } from './levels.ts';
import { bracketEnd, char, digitsEnd, isAlnum, isDigit, isLetter, isSpace, skipSpaces, tokenEnd } from './scan.ts';
import { serviceFromFileName } from './service-name.ts';
import { json } from './json.ts';
import { logfmt } from './logfmt.ts';

/** Characters before the stamp that are read as part of a header. */
const prefixLengthMax = 160;

export const stamped: Format = (text, draft, context) => {
  const start = skipSpaces(text, 0);
  const first = text.charCodeAt(start);
  if (first === char.bracketOpen || first === char.less || first === char.parenOpen) {
    if (bracketedStamp(text, start, draft, context)) return true;
  } else {
    const end = isAlnum(first) ? context.time.scan(text, start) : -1;
    // Nine digits at the start of a line are a number more often than a second of the nineties.
    if (end >= 0 && (context.time.kind !== 'epoch' || isDigit(text.charCodeAt(start + 9)))) {
      draft.reset('stamped');
      draft.setTime(context.time);
      return finish(text, end, draft, context);
    }
  }
  return prefixedStamp(text, start, draft, context);
};

/** `[stamp] …`, `[stamp LEVEL logger] …`, `[L stamp file:1] …`. */
function bracketedStamp(text: string, start: number, draft: Draft, context: SourceContext): boolean {
  const { time } = context;
  const close =
    text.charCodeAt(start) === char.bracketOpen
      ? bracketEnd(text, start, 200)
      : text.indexOf(text.charCodeAt(start) === char.less ? '>' : ')', start) + 1;
  if (close <= 0) return false;
  let at = skipSpaces(text, start + 1);
  let level = '';
  const wordEnd = tokenEnd(text, at);
  if (isLetter(text.charCodeAt(at)) && wordEnd < close && isLevelWord(text.slice(at, wordEnd))) {
    level = text.slice(at, wordEnd);
    at = skipSpaces(text, wordEnd);
  }
  const end = time.scan(text, at);
  if (end < 0 || end > close) return false;
  draft.reset('stamped');
  draft.setTime(time);
  draft.severityText = level;
  const inside = text.slice(end, close - 1);
  if (inside.trim() !== '') {
    // A sentinel behind the bracket's content lets its last token end as a header's does.
    const rest = readHeader(`${inside} \u0000`, 0, draft, context);
    const left = inside.slice(rest).trim();
    if (left !== '')
      draft.numbered(left.startsWith('#') ? 'process.pid' : 'logger', left.startsWith('#') ? left.slice(1) : left);
  }
  return finish(text, close, draft, context);
}

/** A level, a [thread], a file name or another short word before the stamp: `INFO [main] 2024-…`, `app.log 2024-…`. */
function prefixedStamp(text: string, start: number, draft: Draft, context: SourceContext): boolean {
  const { time } = context;
  let at = start;
  for (let tokens = 0; tokens < 3; tokens++) {
    let end = text.charCodeAt(at) === char.bracketOpen ? bracketEnd(text, at, prefixLengthMax) : tokenEnd(text, at);
    if (end < 0 || end - start > prefixLengthMax || end === at || !isPrefix(text, at, end)) return false;
    while (text.charCodeAt(end) === char.comma || text.charCodeAt(end) === char.pipe) end++;
    let next = skipSpaces(text, end);
    if (text.charCodeAt(next) === char.minus || text.charCodeAt(next) === char.pipe) next = skipSpaces(text, next + 1);
    const code = text.charCodeAt(next);
    const bracketed = code === char.bracketOpen;
    const stampStart = bracketed ? next + 1 : next;
    const stampEnd = isAlnum(text.charCodeAt(stampStart)) ? time.scan(text, stampStart) : -1;
    if (
      stampEnd >= 0 &&
      (time.kind === 'full' || (time.kind === 'yearless' && tokens === 0 && prefixLevel(text, start) !== ''))
    ) {
      draft.reset('stamped');
      draft.setTime(time);
      readPrefix(text, start, end, draft);
      if (!bracketed) return finish(text, stampEnd, draft, context);
      const close = text.indexOf(']', stampEnd);
      if (close < 0 || close - stampEnd > 60) return false;
      const inside = text.slice(stampEnd, close).trim();
      if (inside !== '') draft.numbered(inside.startsWith('#') ? 'process.pid' : 'thread', inside.replace(/^#/, ''));
      // Ruby repeats the level in full behind the stamp.
      if (draft.severityText.length === 1) draft.severityText = '';
      return finish(text, close + 1, draft, context);
    }
    if (code !== char.bracketOpen && !isAlnum(code)) return false;
    at = next;
  }
  return false;
}

/** Prose before a stamp is no header: a prefix is a level, a bracket, or a name that no word of prose has. */
function isPrefix(text: string, at: number, end: number): boolean {
  if (
    text.charCodeAt(at) === char.bracketOpen ||
    levelEnd(text, at) > 0 ||
    (end - at <= 2 && isLevelWord(text.slice(at, at + 1)))
  )
    return true;
  for (let i = at; i < end - 1; i++) {
    const code = text.charCodeAt(i);
    if (isDigit(code) || code === char.dot || code === char.underscore || code === char.minus || code === char.colon)
      return true;
  }
  return false;
}

function prefixLevel(text: string, at: number): string {
  const end = levelEnd(text, at);
  return end > 0 ? text.slice(at, end) : '';
}

function readPrefix(text: string, start: number, end: number, draft: Draft): void {
  let at = start;
  while (at < end) {
    const tokenStop =
      text.charCodeAt(at) === char.bracketOpen ? bracketEnd(text, at, prefixLengthMax) : tokenEnd(text, at);
    let tokenLast = Math.min(tokenStop < 0 ? end : tokenStop, end);
    while (tokenLast > at && isPrefixMark(text.charCodeAt(tokenLast - 1))) tokenLast--;
    const token = text.slice(at, tokenLast);
    const word = token.startsWith('[') ? token.slice(1, -1).trim() : token;
    if (draft.severityText === '' && isLevelWord(word)) draft.severityText = word;
    else if (token.startsWith('[')) draft.numbered('thread', word);
    else if (word.includes('.log') || word.endsWith('.txt')) {
      draft.service = serviceFromFileName(word);
      draft.numbered('log.file.name', word);
    } else draft.numbered('prefix', word);
    at = skipSpaces(text, Math.max(tokenStop, at + 1));
  }
}

function isPrefixMark(code: number): boolean {
  return code === char.comma || code === char.pipe || code === char.colon;
}

/** Reads what follows the stamp. */
function finish(text: string, end: number, draft: Draft, context: SourceContext): boolean {
  const after = text.charCodeAt(end);
  if (!Number.isNaN(after) && !isSpace(after) && !isStampMark(after)) return false;
  if (context.time.kind === 'epoch' && !isSpace(after)) return false;
  const rest = skipSpaces(text, end);
  const redis = redisLevel(text, rest);
  if (redis !== '' && draft.attributes.length > 0) {
    draft.severityText = redis;
    draft.body = text.slice(rest + 2);
    return true;
  }
  const body = readHeader(text, end, draft, context);
  draft.body = text.slice(body);
  if (draft.severityText === '') pairsBehindStamp(draft, context);
  return true;
}

/** Redis marks debug, verbose, notice and warning with one sign between the stamp and the message. */
function redisLevel(text: string, at: number): string {
  if (!isSpace(text.charCodeAt(at + 1))) return '';
  const sign = '.-*#'.indexOf(text.charAt(at));
  return sign < 0 ? '' : (['debug', 'verbose', 'notice', 'warning'][sign] as string);
}

function isStampMark(code: number): boolean {
  return (
    code === char.comma ||
    code === char.colon ||
    code === char.bracketOpen ||
    code === char.bracketClose ||
    code === char.pipe ||
    code === char.semicolon
  );
}

/** `stamp level=info msg="…"` or `stamp {"level":…}`: the fields name what the header did not. */
function pairsBehindStamp(draft: Draft, context: SourceContext): void {
  const { body, timeMs, subNs, zoneAssumedMinutes, attributes } = draft;
  const first = body.charCodeAt(0);
  if (first !== char.braceOpen && (digitsEnd(body, 0) > 0 || body.indexOf('=') < 1)) return;
  const fields = new (draft.constructor as new () => Draft)();
  if (first === char.braceOpen ? !json(body, fields, context) : !logfmt(body, fields, context)) return;
  if (fields.severityText === '') return;
  Object.assign(draft, fields);
  draft.format = 'stamped';
  draft.timeMs = timeMs;
  draft.subNs = subNs;
  draft.zoneAssumedMinutes = zoneAssumedMinutes;
  draft.attributes = [...attributes, ...fields.attributes];
}
