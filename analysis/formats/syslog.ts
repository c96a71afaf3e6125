/** Syslog: RFC 5424 and RFC 3164, with and without <PRI>, and rsyslog's form of the latter with ISO stamps. */
import { attributesMax, severityNumberOfSyslog } from '#protocol/mod.ts';
import type { Draft, Format, SourceContext } from './draft.ts';
import { levelEnd } from './levels.ts';
import {
  bracketEnd,
  char,
  digitsEnd,
  isAlnum,
  isDigit,
  isDigits,
  isLetter,
  isSpace,
  isUpper,
  numberAt,
  skipSpaces,
  tokenEnd,
} from './scan.ts';

/** Keywords of severities 0–7 (RFC 5424 §6.2.1, as syslog.conf spells them). */
const keywords = ['emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug'] as const;
const facilities = [
  'kern',
  'user',
  'mail',
  'daemon',
  'auth',
  'syslog',
  'lpr',
  'news',
  'uucp',
  'cron',
  'authpriv',
  'ftp',
  'ntp',
  'audit',
  'alert',
  'clock',
  'local0',
  'local1',
  'local2',
  'local3',
  'local4',
  'local5',
  'local6',
  'local7',
] as const;
/** A tag is looked for within this many characters behind the host. */
const tagLengthMax = 96;

/** Value of `<PRI>` at the start, or -1; ends at `indexOf('>') + 1`. */
function priorityOf(text: string): number {
  if (text.charCodeAt(0) !== char.less) return -1;
  const end = digitsEnd(text, 1);
  if (end === 1 || end > 4 || text.charCodeAt(end) !== char.greater) return -1;
  const priority = numberAt(text, 1, end);
  return priority <= 191 ? priority : -1;
}

function setPriority(draft: Draft, priority: number): void {
  if (priority < 0) return;
  draft.severityNumber = severityNumberOfSyslog[priority & 7] as number;
  draft.severityText = keywords[(priority & 7) as 0];
  draft.attribute('syslog.facility', facilities[(priority >> 3) as 0] ?? '');
}

/** `sshd(pam_unix)` is program sshd, `/usr/sbin/cron` is cron. */
function programOf(tag: string): string {
  const paren = tag.indexOf('(');
  // login's tag is `-- user`.
  if (tag.startsWith('-- ')) return tag.slice(3);
  const name = paren > 0 ? tag.slice(0, paren).trimEnd() : tag;
  const slash = name.startsWith('/') ? name.lastIndexOf('/') : -1;
  return slash < 0 || slash === name.length - 1 ? name : name.slice(slash + 1);
}

/**
 * Reads `tag[pid]: message` at `at` into the draft. Tags may hold spaces where a [pid] ends them (`Some Helper[12]:`) or
 * a version follows (`syslogd 1.4.1:`). Returns false where no tag stands there.
 */
export function readTag(text: string, at: number, draft: Draft): boolean {
  const limit = Math.min(text.length, at + tagLengthMax);
  let words = 1;
  for (let i = at; i < limit; i++) {
    const code = text.charCodeAt(i);
    if (code === char.bracketOpen) {
      // tag[pid]: or tag[pid] (detail):
      const close = bracketEnd(text, i, 48);
      if (close < 0 || i === at || !isDigits(text, i + 1, close - 1)) return false;
      let end = close;
      if (text.charCodeAt(end) === char.space && text.charCodeAt(end + 1) === char.parenOpen) {
        const paren = text.indexOf('):', end);
        if (paren >= 0 && paren - end < tagLengthMax * 2) end = paren + 1;
      }
      if (text.charCodeAt(end) !== char.colon) return false;
      const tag = text.slice(at, i);
      draft.service = programOf(tag);
      if (tag !== draft.service) draft.attribute('syslog.tag', tag);
      draft.attribute('process.pid', text.slice(i + 1, close - 1));
      if (end > close) draft.attribute('syslog.detail', text.slice(close + 2, end - 1));
      draft.body = text.slice(skipSpaces(text, end + 1));
      return true;
    }
    if (code === char.colon) {
      if (i === at || (i + 1 < text.length && !isSpace(text.charCodeAt(i + 1)))) {
        if (words > 1) return false;
        continue;
      }
      const tag = text.slice(at, i);
      // `%LINK-3-UPDOWN:` of network devices names the message, not the program.
      if (tag.startsWith('%')) draft.attribute('syslog.msgid', tag.slice(1));
      else draft.service = programOf(tag);
      if (tag !== draft.service && draft.service !== '') draft.attribute('syslog.tag', tag);
      draft.body = text.slice(skipSpaces(text, i + 1));
      return true;
    }
    if (isSpace(code)) {
      words++;
      // Behind a second word only `[pid]:` ends a tag, or a colon behind a version number.
      if (words > 4) return false;
      if (words === 2 && isDigit(text.charCodeAt(i + 1))) {
        const end = tokenEnd(text, i + 1);
        if (text.charCodeAt(end - 1) === char.colon && end < limit) {
          draft.service = programOf(text.slice(at, i));
          draft.attribute('syslog.tag', text.slice(at, end - 1));
          draft.body = text.slice(skipSpaces(text, end));
          return true;
        }
        return false;
      }
      if (!hasPidTag(text, i + 1, limit)) return false;
    } else if (!isTagChar(code)) return false;
  }
  return false;
}

function isTagChar(code: number): boolean {
  return (
    isAlnum(code) ||
    code > 127 ||
    (code > 35 && code < 48) ||
    code === char.underscore ||
    code === char.at ||
    code === 92
  );
}

/** True where `word word[123]:` follows: the first bracket holds digits and ends a tag. */
function hasPidTag(text: string, at: number, limit: number): boolean {
  for (let i = at; i < limit; i++) {
    const code = text.charCodeAt(i);
    if (code === char.bracketOpen) {
      const end = digitsEnd(text, i + 1);
      return (
        end > i + 1 &&
        text.charCodeAt(end) === char.bracketClose &&
        (text.charCodeAt(end + 1) === char.colon || text.charCodeAt(end + 1) === char.space)
      );
    }
    if (!isTagChar(code) && !isSpace(code)) return false;
  }
  return false;
}

/** `host tag[pid]: message`, `tag[pid]: message` or `host message` from `at` on. */
export function readHostAndTag(text: string, at: number, draft: Draft, context: SourceContext): void {
  const start = skipSpaces(text, at);
  const end = tokenEnd(text, start);
  const last = text.charCodeAt(end - 1);
  // A token that is itself a tag: local files without a host.
  if (last === char.colon && end > start + 1 && readTag(text, start, draft)) return;
  draft.host = text.slice(start, end);
  if (draft.host.length > 0) context.lastHost = draft.host;
  const next = skipSpaces(text, end);
  if (!readTag(text, next, draft)) draft.body = text.slice(next);
}

export const syslog3164: Format = (text, draft, context) => {
  const priority = priorityOf(text);
  const at = priority < 0 ? 0 : text.indexOf('>') + 1;
  const first = text.charCodeAt(at);
  if (priority < 0 && !isUpper(first)) return false;
  const end = context.time.scan(text, at);
  if (end < 0 || text.charCodeAt(end) !== char.space) {
    if (priority < 0) return false;
    // Senders of both kinds may share a socket, and this format may be the one that is tried first.
    if (text.charCodeAt(at) === 49 && syslog5424(text, draft, context)) return true;
    // Many devices send <PRI> and whatever they like behind it.
    draft.reset('syslog3164');
    setPriority(draft, priority);
    if (!readTag(text, at, draft)) draft.body = text.slice(at);
    return true;
  }
  if (priority < 0 && (!isLetter(first) || text.charCodeAt(at + 3) !== char.space || isUpper(text.charCodeAt(at + 4))))
    return false;
  const start = end + 1;
  // Some devices add the year; with a comma behind the day it is Java's logging instead.
  const dated = context.time.kind === 'yearless' || (context.time.kind === 'full' && text.lastIndexOf(',', end) < at);
  if (priority < 0 && (!dated || levelEnd(text, start) > 0 || text.charCodeAt(start) === char.bracketOpen))
    return false;
  draft.reset('syslog3164');
  draft.setTime(context.time);
  setPriority(draft, priority);
  readHostAndTag(text, start, draft, context);
  return true;
};

/** `2024-05-01T10:00:00.123+02:00 host tag[pid]: message` (rsyslog's default file format, journalctl short-iso). */
export const syslogIso: Format = (text, draft, context) => {
  if (!isDigit(text.charCodeAt(0)) || text.charCodeAt(10) !== 84) return false;
  const end = context.time.scan(text, 0);
  if (end < 0 || text.charCodeAt(end) !== char.space || context.time.kind !== 'full') return false;
  const start = end + 1;
  const hostEnd = tokenEnd(text, start);
  if (hostEnd >= text.length || levelEnd(text, start) > 0 || !isHostName(text, start, hostEnd)) return false;
  const tagStart = hostEnd + 1;
  const tagEnd = tokenEnd(text, tagStart);
  if (text.charCodeAt(tagEnd - 1) !== char.colon || levelEnd(text, tagStart) > 0) return false;
  draft.reset('syslog3164');
  draft.setTime(context.time);
  if (!readTag(text, tagStart, draft)) return false;
  const host = text.slice(start, hostEnd);
  const withPid = text.charCodeAt(tagEnd - 2) === char.bracketClose;
  // `word tag:` may be prose; a pid, a kernel, a name no word has or a host seen before says that it is not.
  if (!withPid && draft.service !== 'kernel' && host !== context.lastHost && !/[\d.-]/.test(host)) return false;
  draft.host = host;
  context.lastHost = host;
  return true;
};

function isHostName(text: string, start: number, end: number): boolean {
  if (end === start || end - start > 255) return false;
  for (let i = start; i < end; i++) {
    const code = text.charCodeAt(i);
    if (!isAlnum(code) && code !== char.dot && code !== char.minus && code !== char.underscore && code !== char.colon)
      return false;
  }
  return text.charCodeAt(end - 1) !== char.colon;
}

export const syslog5424: Format = (text, draft, context) => {
  const priority = priorityOf(text);
  let at = priority < 0 ? 0 : text.indexOf('>') + 1;
  if (text.charCodeAt(at) !== 49 || text.charCodeAt(at + 1) !== char.space) return false;
  at += 2;
  const nilTime = text.charCodeAt(at) === char.minus && text.charCodeAt(at + 1) === char.space;
  const end = nilTime ? at + 1 : context.time.scan(text, at);
  if (
    end < 0 ||
    (nilTime && priority < 0) ||
    (!nilTime && context.time.kind !== 'full') ||
    text.charCodeAt(end) !== char.space
  )
    return false;
  // host, app-name, procid, msgid
  const fields: string[] = [];
  at = end + 1;
  for (let i = 0; i < 4; i++) {
    const fieldEnd = tokenEnd(text, at);
    if (fieldEnd === at || fieldEnd - at > 255) return false;
    fields.push(text.slice(at, fieldEnd));
    at = fieldEnd + 1;
  }
  const data = text.charCodeAt(at);
  if (data !== char.bracketOpen && data !== char.minus) return false;
  draft.reset('syslog5424');
  if (!nilTime) draft.setTime(context.time);
  setPriority(draft, priority);
  const [host, app, procid, msgid] = fields as [string, string, string, string];
  if (host !== '-') draft.host = host;
  if (app !== '-') draft.service = programOf(app);
  if (procid !== '-') draft.attribute('process.pid', procid);
  if (msgid !== '-') draft.attribute('syslog.msgid', msgid);
  at = data === char.minus ? at + 1 : readStructuredData(text, at, draft);
  if (at < 0) return false;
  let start = skipSpaces(text, at);
  if (text.charCodeAt(start) === 0xfeff) start++;
  draft.body = text.slice(start);
  return true;
};

/** `[id name="value" …]…` at `at` into attributes `id.name`. Returns the index after it, or -1 where it is broken. */
function readStructuredData(text: string, at: number, draft: Draft): number {
  const { length } = text;
  /** Where what is over the number of attributes begins; kept as text. */
  let rest = -1;
  while (text.charCodeAt(at) === char.bracketOpen) {
    let i = at + 1;
    while (i < length && text.charCodeAt(i) !== char.space && text.charCodeAt(i) !== char.bracketClose) i++;
    const id = text.slice(at + 1, i);
    // An element may say something by being there.
    if (rest < 0 && text.charCodeAt(i) === char.bracketClose) draft.numbered(id, 'true');
    while (text.charCodeAt(i) === char.space) {
      i = skipSpaces(text, i);
      if (rest < 0 && draft.attributes.length >= 2 * (attributesMax - 8)) rest = i;
      const nameStart = i;
      while (i < length && text.charCodeAt(i) !== char.equals && text.charCodeAt(i) !== char.bracketClose) i++;
      if (text.charCodeAt(i) !== char.equals) break;
      const name = text.slice(nameStart, i);
      if (text.charCodeAt(++i) !== char.quote) return -1;
      const valueStart = ++i;
      let escaped = false;
      while (i < length && text.charCodeAt(i) !== char.quote) {
        if (text.charCodeAt(i) === char.backslash) {
          escaped = true;
          i++;
        }
        i++;
      }
      if (i >= length) return -1;
      const value = text.slice(valueStart, i++);
      // A name may come more than once (RFC 5424 §6.3.3).
      if (rest < 0) draft.numbered(`${id}.${name}`, escaped ? value.replace(/\\(["\\\]])/g, '$1') : value);
    }
    if (text.charCodeAt(i) !== char.bracketClose) return -1;
    at = i + 1;
  }
  if (rest >= 0) draft.attribute('attributes.rest', text.slice(rest, at));
  return at;
}
