/** Formats of fixed columns: Android logcat, glog/klog, supercomputer event logs, bar-separated lines. */
import type { Draft, Format } from './draft.ts';
import { isLevelWord } from './levels.ts';
import { char, digitsEnd, isDigit, isDigits, isLetter, isUpper, skipSpaces, tokenEnd } from './scan.ts';
import { readHostAndTag } from './syslog.ts';

const logcatLevels = 'VDIWEFAS';
const glogLevels = 'IWEFD';

/** `tag: message` or `tag( pid): message` from `at` on. Logcat pads tags with spaces before the colon. */
function readLogcatTag(text: string, at: number, draft: Draft): boolean {
  const colon = text.indexOf(': ', at);
  const end = colon >= 0 ? colon : text.endsWith(':') ? text.length - 1 : -1;
  if (end < 0 || end - at > 128) return false;
  let tag = text.slice(at, end).trimEnd();
  const paren = tag.lastIndexOf('(');
  if (paren > 0 && tag.endsWith(')')) {
    const pid = tag.slice(paren + 1, -1).trim();
    if (isDigits(pid, 0, pid.length)) {
      draft.attribute('process.pid', pid);
      tag = tag.slice(0, paren).trimEnd();
    }
  }
  draft.attribute('logger', tag);
  draft.body = text.slice(Math.min(text.length, end + 2));
  return true;
}

/** logcat's threadtime, time and brief forms. */
export const logcat: Format = (text, draft, context) => {
  const first = text.charCodeAt(0);
  if (isUpper(first)) {
    // I/Tag( 123): message
    if (text.charCodeAt(1) !== char.slash || !logcatLevels.includes(text.charAt(0)) || text.indexOf('): ') < 0)
      return false;
    draft.reset('logcat');
    draft.severityText = text.charAt(0);
    return readLogcatTag(text, 2, draft);
  }
  if (!isDigit(first)) return false;
  const stampEnd = context.time.scan(text, 0);
  if (stampEnd < 0 || !isDigit(text.charCodeAt(stampEnd - 1))) return false;
  let at = skipSpaces(text, stampEnd);
  if (at === stampEnd) return false;
  if (
    isUpper(text.charCodeAt(at)) &&
    text.charCodeAt(at + 1) === char.slash &&
    logcatLevels.includes(text.charAt(at))
  ) {
    draft.reset('logcat');
    draft.setTime(context.time);
    draft.severityText = text.charAt(at);
    return readLogcatTag(text, at + 2, draft);
  }
  // pid tid L tag: message; newer forms put a uid first
  const numbers: string[] = [];
  while (numbers.length < 3 && isDigit(text.charCodeAt(at))) {
    const end = digitsEnd(text, at);
    if (end - at > 7 || text.charCodeAt(end) !== char.space) return false;
    numbers.push(text.slice(at, end));
    at = skipSpaces(text, end);
  }
  if (numbers.length < 2 || text.charCodeAt(at + 1) !== char.space || !logcatLevels.includes(text.charAt(at)))
    return false;
  draft.reset('logcat');
  draft.setTime(context.time);
  draft.severityText = text.charAt(at);
  draft.attribute('process.pid', numbers.at(-2) as string);
  draft.attribute('thread.id', numbers.at(-1) as string);
  return readLogcatTag(text, skipSpaces(text, at + 1), draft);
};

/** `Lmmdd HH:MM:SS.uuuuuu thread file:line] message` of glog and klog; newer glog has `Lyyyymmdd`. */
export const glog: Format = (text, draft, context) => {
  if (!glogLevels.includes(text.charAt(0)) || !isDigit(text.charCodeAt(1))) return false;
  const dateEnd = digitsEnd(text, 1);
  let stamp: string;
  if (dateEnd === 5) stamp = `${text.slice(1, 3)}-${text.slice(3, 5)}${text.slice(5, 24)}`;
  else if (dateEnd === 9) stamp = text.slice(1, 28);
  else return false;
  const length = context.time.scan(stamp, 0);
  if (length < 0) return false;
  let at = skipSpaces(text, length + (dateEnd === 5 ? 0 : 1));
  const threadEnd = digitsEnd(text, at);
  if (threadEnd === at || text.charCodeAt(threadEnd) !== char.space) return false;
  const thread = text.slice(at, threadEnd);
  at = threadEnd + 1;
  const close = text.indexOf(']', at);
  const code = text.slice(at, close);
  if (close < 0 || close - at > 200 || code.includes(' ') || !/:\d+$/.test(code)) return false;
  draft.reset('glog');
  draft.setTime(context.time);
  draft.severityText = text.charAt(0);
  draft.attribute('thread.id', thread);
  draft.attribute('code.location', code);
  draft.body = text.slice(skipSpaces(text, close + 1));
  return true;
};

/**
 * `label epoch date node …` of large machines' event logs: `label` is `-` or an alert's name. Behind it either
 * `stamp node TYPE COMPONENT LEVEL message`, or a syslog line of that node.
 */
export const eventLog: Format = (text, draft, context) => {
  const labelEnd = tokenEnd(text, 0);
  if (labelEnd > 32 || labelEnd === 0 || !isDigit(text.charCodeAt(labelEnd + 1))) return false;
  const { time } = context;
  const epochEnd = time.scan(text, labelEnd + 1);
  if (epochEnd < 0 || time.kind !== 'epoch' || text.charCodeAt(epochEnd) !== char.space) return false;
  const { timeMs } = time;
  let { subNs } = time;
  const dateEnd = tokenEnd(text, epochEnd + 1);
  // yyyy.mm.dd
  if (
    dateEnd - epochEnd !== 11 ||
    isDigit(text.charCodeAt(epochEnd + 5)) ||
    digitsEnd(text, epochEnd + 1) !== epochEnd + 5
  ) {
    return false;
  }
  const nodeEnd = tokenEnd(text, dateEnd + 1);
  const node = text.slice(dateEnd + 1, nodeEnd);
  const stampEnd = time.scan(text, nodeEnd + 1);
  if (stampEnd < 0 || node === '') return false;
  draft.reset('event-log');
  draft.attribute('label', labelEnd === 1 && text.charCodeAt(0) === char.minus ? '' : text.slice(0, labelEnd));
  if (isLetter(text.charCodeAt(nodeEnd + 1))) {
    readHostAndTag(text, stampEnd, draft, context);
    draft.attribute('location', draft.host);
  } else {
    // repeat of the node, type, component, level
    const repeat = tokenEnd(text, skipSpaces(text, stampEnd));
    const typeStart = skipSpaces(text, repeat);
    const typeEnd = tokenEnd(text, typeStart);
    const componentStart = skipSpaces(text, typeEnd);
    const componentEnd = tokenEnd(text, componentStart);
    const levelStart = skipSpaces(text, componentEnd);
    const levelEnd = tokenEnd(text, levelStart);
    draft.severityText = text.slice(levelStart, levelEnd);
    draft.attribute('type', text.slice(typeStart, typeEnd));
    draft.attribute('logger', text.slice(componentStart, componentEnd));
    draft.body = text.slice(skipSpaces(text, levelEnd));
    // The epoch is exact to the second and in UTC; the stamp beside it is local and finer.
    subNs = time.subNs;
    draft.timeMs = timeMs + (time.timeMs % 1000);
  }
  draft.timeMs ??= timeMs;
  draft.subNs = subNs;
  draft.host = node;
  return true;
};

/** `id node component state epoch flag message`: an event number, names, then the epoch within the first six columns. */
export const eventColumns: Format = (text, draft, context) => {
  const idEnd = digitsEnd(text, 0);
  if (idEnd === 0 || idEnd > 12 || text.charCodeAt(idEnd) !== char.space) return false;
  const names: string[] = [];
  let at = idEnd + 1;
  for (;;) {
    const end = tokenEnd(text, at);
    if (end === at || end - at > 80) return false;
    const code = text.charCodeAt(at);
    if (isDigit(code) && names.length > 0) {
      if (names.length < 2 || context.time.scan(text, at) !== end || context.time.kind !== 'epoch') return false;
      at = end + 1;
      break;
    }
    // Nodes may be known by number.
    if (!isDigit(code) && !isLetter(code) && code !== char.underscore) return false;
    names.push(text.slice(at, end));
    if (names.length > 4) return false;
    at = end + 1;
  }
  draft.reset('event-columns');
  draft.setTime(context.time);
  const [node, component, state] = names;
  draft.host = node ?? '';
  draft.attribute('event.id', text.slice(0, idEnd));
  draft.attribute('logger', component ?? '');
  draft.attribute('state', state ?? '');
  const flagEnd = digitsEnd(text, text.charCodeAt(at) === char.minus ? at + 1 : at);
  if (
    flagEnd > at &&
    isDigit(text.charCodeAt(flagEnd - 1)) &&
    flagEnd - at <= 2 &&
    text.charCodeAt(flagEnd) === char.space
  ) {
    draft.attribute('flag', text.slice(at, flagEnd));
    at = flagEnd + 1;
  }
  draft.body = text.slice(at);
  return true;
};

/** `stamp|a|b|message`. Bars with spaces around them are read as a header's separators instead. */
export const bars: Format = (text, draft, context) => {
  if (!isDigit(text.charCodeAt(0))) return false;
  const stampEnd = context.time.scan(text, 0);
  if (stampEnd < 0) return false;
  const bar = stampEnd;
  if (text.charCodeAt(bar) !== char.pipe) return false;
  const fields: string[] = [];
  let at = bar + 1;
  while (fields.length < 6 && fields.length < context.pipeColumns) {
    const end = text.indexOf('|', at);
    if (end < 0 || end - at > 100) break;
    const field = text.slice(at, end).trim();
    if (field.includes(' ')) break;
    fields.push(field);
    at = end + 1;
  }
  if (fields.length > 0 && fields.length < context.pipeColumns) context.pipeColumns = fields.length;
  draft.reset('bars');
  draft.setTime(context.time);
  let names = 0;
  for (const field of fields) {
    if (draft.severityText === '' && isLevelWord(field)) draft.severityText = field;
    else if (isDigits(field, 0, field.length)) draft.attribute('process.pid', field);
    else draft.attribute(names++ === 0 ? 'logger' : `column.${names}`, field);
  }
  draft.body = text.slice(skipSpaces(text, at));
  return true;
};
