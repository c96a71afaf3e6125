/** Web servers: access logs (common, combined, with a virtual host in front) and the error logs of Apache and nginx. */
import type { Draft, Format } from './draft.ts';
import { isLevelWord, levelEnd } from './levels.ts';
import { bracketEnd, char, digitsEnd, isDigit, isDigits, isUpper, skipSpaces, tokenEnd } from './scan.ts';

/** End of a quoted field that opens at `at`, after the closing quote; -1 where it never closes. */
function quotedEnd(text: string, at: number): number {
  if (text.charCodeAt(at) !== char.quote) return -1;
  const { length } = text;
  for (let i = at + 1; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code === char.backslash) i++;
    else if (code === char.quote) return i + 1;
  }
  return -1;
}

/**
 * `host ident user [stamp] "request" status bytes ["referer" "agent" …]`. The body is the request line with status and
 * size behind it, `GET /a HTTP/1.1 200 512`: what a template is mined from; the client and the agent are attributes.
 */
export const access: Format = (text, draft, context) => {
  // The stamp opens with ` [dd/Mon/`; everything before it is short.
  const open = text.indexOf(' [');
  if (open < 1 || open > 400 || !isDigit(text.charCodeAt(open + 2))) return false;
  const stampEnd = context.time.scan(text, open + 2);
  if (stampEnd < 0 || text.charCodeAt(stampEnd) !== char.bracketClose || context.time.kind !== 'full') return false;
  const requestStart = stampEnd + 2;
  const requestEnd = quotedEnd(text, requestStart);
  if (requestEnd < 0 || text.charCodeAt(requestEnd) !== char.space) return false;
  const statusEnd = digitsEnd(text, requestEnd + 1);
  if (statusEnd - requestEnd !== 4) return false;
  const sizeStart = skipSpaces(text, statusEnd);
  const sizeEnd = tokenEnd(text, sizeStart);
  const size = text.slice(sizeStart, sizeEnd);
  if (size !== '-' && size !== '' && !isDigits(size, 0, size.length)) return false;
  draft.reset('access');
  draft.setTime(context.time);
  const status = text.slice(requestEnd + 1, statusEnd);
  const leading = status.charCodeAt(0);
  draft.severityText = leading === 53 ? 'ERROR' : leading === 52 ? 'WARN' : 'INFO';
  const request = text.slice(requestStart + 1, requestEnd - 1);
  draft.body = size === '' ? `${request} ${status}` : `${request} ${status} ${size}`;
  readClient(text, open, draft);
  readRequest(request, draft);
  draft.attribute('http.response.status_code', status);
  if (size !== '-') draft.attribute('http.response.body.size', size);
  readQuotedTail(text, sizeEnd, draft);
  return true;
};

/** `[vhost:port ]client ident user` before the stamp. A user name may hold spaces. */
function readClient(text: string, end: number, draft: Draft): void {
  const words = text.slice(0, end).split(' ');
  if (words.length >= 4 && words[2] === '-' && words[1] !== '-')
    draft.attribute('server.address', words.shift() as string);
  draft.attribute('client.address', words[0] as string);
  const user = words.slice(2).join(' ');
  if (user !== '-') draft.attribute('user.name', user);
}

function readRequest(request: string, draft: Draft): void {
  const method = request.indexOf(' ');
  if (method < 1 || method > 20) return;
  for (let i = 0; i < method; i++) if (!isUpper(request.charCodeAt(i))) return;
  draft.attribute('http.request.method', request.slice(0, method));
  const protocol = request.lastIndexOf(' ');
  draft.attribute('url.path', request.slice(method + 1, protocol > method ? protocol : request.length));
}

function readQuotedTail(text: string, at: number, draft: Draft): void {
  const referer = skipSpaces(text, at);
  const refererEnd = quotedEnd(text, referer);
  let rest = at;
  if (refererEnd >= 0) {
    const value = text.slice(referer + 1, refererEnd - 1);
    if (value !== '-') draft.attribute('http.request.header.referer', value);
    rest = refererEnd;
    const agent = skipSpaces(text, refererEnd);
    const agentEnd = quotedEnd(text, agent);
    if (agentEnd >= 0) {
      const name = text.slice(agent + 1, agentEnd - 1);
      if (name !== '-') draft.attribute('user_agent.original', name);
      rest = agentEnd;
    }
  }
  draft.attribute('access.rest', text.slice(skipSpaces(text, rest)));
}

/** `[Www Mon dd HH:MM:SS yyyy] [module:level] [pid …] [client …] message`. */
export const apacheError: Format = (text, draft, context) => {
  if (text.charCodeAt(0) !== char.bracketOpen || !isUpper(text.charCodeAt(1))) return false;
  const stampEnd = context.time.scan(text, 1);
  if (stampEnd < 0 || text.charCodeAt(stampEnd) !== char.bracketClose) return false;
  let at = skipSpaces(text, stampEnd + 1);
  const levelClose = text.charCodeAt(at) === char.bracketOpen ? bracketEnd(text, at, 64) : -1;
  if (levelClose < 0) return false;
  const inner = text.slice(at + 1, levelClose - 1);
  const colon = inner.lastIndexOf(':');
  const level = inner.slice(colon + 1);
  if (!isLevelWord(level) && !/^trace\d$/.test(level)) return false;
  draft.reset('apache-error');
  draft.setTime(context.time);
  draft.severityText = level;
  if (level.startsWith('trace')) draft.severityNumber = 1;
  if (colon > 0) draft.attribute('logger', inner.slice(0, colon));
  at = skipSpaces(text, levelClose);
  if (text.startsWith('[pid ', at)) {
    const close = bracketEnd(text, at, 64);
    if (close > 0) {
      draft.attribute('process.pid', text.slice(at + 5, close - 1));
      at = skipSpaces(text, close);
    }
  }
  // The client stays in the message too, where nginx has it as well.
  if (text.startsWith('[client ', at)) {
    const close = bracketEnd(text, at, 256);
    if (close > 0) draft.attribute('client.address', text.slice(at + 8, close - 1));
  }
  draft.body = text.slice(at);
  return true;
};

/** `yyyy/mm/dd HH:MM:SS [level] pid#tid: *connection message`. */
export const nginxError: Format = (text, draft, context) => {
  if (!isDigit(text.charCodeAt(0)) || text.charCodeAt(4) !== char.slash) return false;
  const stampEnd = context.time.scan(text, 0);
  if (stampEnd < 0 || text.charCodeAt(stampEnd + 1) !== char.bracketOpen) return false;
  const level = stampEnd + 2;
  const close = text.indexOf(']', level);
  if (close < 0 || close - level > 12 || (levelEnd(text, level) !== close && !isLevelWord(text.slice(level, close))))
    return false;
  const pidEnd = digitsEnd(text, close + 2);
  const tidEnd = text.charCodeAt(pidEnd) === char.hash ? digitsEnd(text, pidEnd + 1) : -1;
  if (tidEnd < 0 || text.charCodeAt(tidEnd) !== char.colon) return false;
  draft.reset('nginx-error');
  draft.setTime(context.time);
  draft.severityText = text.slice(level, close);
  draft.attribute('process.pid', text.slice(close + 2, pidEnd));
  let at = skipSpaces(text, tidEnd + 1);
  if (text.charCodeAt(at) === char.star) {
    const end = digitsEnd(text, at + 1);
    if (end > at + 1 && text.charCodeAt(end) === char.space) {
      draft.attribute('nginx.connection', text.slice(at + 1, end));
      at = end + 1;
    }
  }
  draft.body = text.slice(at);
  return true;
};
