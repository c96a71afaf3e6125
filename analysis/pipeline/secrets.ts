/**
 * Finds secrets and personal data in texts. Every scanner is linear in the text: it looks for a mark that is rare (`@`, `eyJ`,
 * `://`), reads a bounded stretch around it, and goes on behind that.
 */
export const secretKinds = ['token', 'password', 'card', 'email', 'ip', 'phone'] as const;
export type SecretKind = (typeof secretKinds)[number];

export interface Span {
  start: number;
  end: number;
  kind: SecretKind;
}

type Scan = (text: string, spans: Span[]) => void;

const isDigit = (code: number): boolean => code >= 48 && code <= 57;
const isLetter = (code: number): boolean => (code | 32) >= 97 && (code | 32) <= 122;
const isWord = (code: number): boolean => isDigit(code) || isLetter(code) || code === 95;
/** Of base64url: letters, digits, `_`, `-`. */
const isToken = (code: number): boolean => isWord(code) || code === 45;

/** Of the text under way: the longest run of a token's characters, and digits in all. Most texts have neither enough. */
let longestRun = 0;
let digitCount = 0;
const tokenClass = new Uint8Array(128);
for (let code = 0; code < 128; code++) tokenClass[code] = isDigit(code) ? 2 : isToken(code) ? 1 : 0;

function profile(text: string): void {
  longestRun = 0;
  digitCount = 0;
  let run = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const kind = code < 128 ? (tokenClass[code] as number) : 0;
    if (kind === 0) {
      if (run > longestRun) longestRun = run;
      run = 0;
      continue;
    }
    run++;
    if (kind === 2) digitCount++;
  }
  if (run > longestRun) longestRun = run;
}

/** Spans of those kinds, by start, none over another. */
export function findSecrets(text: string, kinds: ReadonlySet<SecretKind>): Span[] {
  const spans: Span[] = [];
  profile(text);
  for (const kind of kinds) scanners[kind](text, spans);
  if (spans.length < 2) return spans;
  spans.sort((a, b) => a.start - b.start || b.end - a.end);
  const kept: Span[] = [];
  let end = -1;
  for (const span of spans) {
    if (span.start < end) continue;
    kept.push(span);
    end = span.end;
  }
  return kept;
}

/** An attribute of such a name is a secret as a whole. */
export const isSecretName = (name: string): boolean => secretName.test(name);
const secretName =
  /(?:passw(?:or)?d|passphrase|passwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|authorization|credentials?|cookie|session[_-]?id)$/i;

/** Tokens that say what they are by how they begin, and the least characters behind that. */
const prefixes: readonly [prefix: string, charactersMin: number][] = [
  ['AKIA', 16],
  ['ASIA', 16],
  ['ghp_', 30],
  ['gho_', 30],
  ['ghu_', 30],
  ['ghs_', 30],
  ['ghr_', 30],
  ['github_pat_', 30],
  ['glpat-', 16],
  ['xoxa-', 10],
  ['xoxb-', 10],
  ['xoxe-', 10],
  ['xoxp-', 10],
  ['xoxr-', 10],
  ['xoxs-', 10],
  ['sk_live_', 16],
  ['sk_test_', 16],
  ['rk_live_', 16],
  ['sk-', 32],
  ['AIza', 30],
  ['npm_', 30],
  ['hf_', 30],
  ['SG.', 20],
];
/** The shortest of these tokens has as many characters in a row. */
const tokenRunMin = 14;
/** Without repetition, so linear. */
const tokenHint = /A[KS]IA|gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|[sr]k_(?:live|test)_|sk-|AIza|npm_|hf_|SG\./;

const scanTokens: Scan = (text, spans) => {
  scanJwt(text, spans);
  scanBearer(text, spans);
  scanPrivateKeys(text, spans);
  if (longestRun < tokenRunMin || !tokenHint.test(text)) return;
  for (const [prefix, charactersMin] of prefixes) {
    for (let at = text.indexOf(prefix); at >= 0; ) {
      let end = at + prefix.length;
      while (isToken(text.charCodeAt(end)) || (prefix === 'SG.' && text[end] === '.')) end++;
      if (end - at - prefix.length >= charactersMin && !isToken(text.charCodeAt(at - 1)))
        spans.push({ start: at, end, kind: 'token' });
      at = text.indexOf(prefix, end);
    }
  }
};

/** Three parts of base64url, the first of which begins as `{"` does. */
function scanJwt(text: string, spans: Span[]): void {
  for (let at = text.indexOf('eyJ'); at >= 0; ) {
    const start = at;
    let end = at;
    let parts = 1;
    for (;;) {
      const from = end;
      while (isToken(text.charCodeAt(end))) end++;
      if (end - from < (parts < 3 ? 4 : 0)) break;
      if (parts === 3 || text[end] !== '.') break;
      parts++;
      end++;
    }
    if (parts === 3 && !isToken(text.charCodeAt(start - 1))) spans.push({ start, end, kind: 'token' });
    at = text.indexOf('eyJ', Math.max(end, start + 3));
  }
}

function scanBearer(text: string, spans: Span[]): void {
  for (let at = text.indexOf('earer '); at >= 0; at = text.indexOf('earer ', at + 6)) {
    const start = at + 6;
    let end = start;
    let digits = 0;
    for (; ; end++) {
      const code = text.charCodeAt(end);
      if (isDigit(code)) digits++;
      else if (!isToken(code) && code !== 46 && code !== 43 && code !== 47 && code !== 61 && code !== 126) break;
    }
    // `bearer authentication` is none.
    if (end - start >= 32 || (digits > 0 && end - start >= 8)) spans.push({ start, end, kind: 'token' });
    at = Math.max(at, end - 6);
  }
}

function scanPrivateKeys(text: string, spans: Span[]): void {
  for (let at = text.indexOf('-----BEGIN '); at >= 0; ) {
    const header = text.slice(at, at + 64);
    const last = text.indexOf('-----END ', at);
    const end = last < 0 ? text.length : Math.min(text.length, last + 64);
    const close = last < 0 ? -1 : text.indexOf('-----', last + 9);
    const until = close >= 0 && close < end ? close + 5 : end;
    if (header.includes('PRIVATE KEY')) spans.push({ start: at, end: until, kind: 'token' });
    at = text.indexOf('-----BEGIN ', until);
  }
}

/** Words before a secret; `weak` ones stand before much else, too. */
const keyWord =
  /(?:passw(?:or)?d|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|authorization|credentials?|session[_-]?id|cookie)$/i;
const weakWord = /^(?:token|credential|session|cookie)/i;
const scheme = /^(?:basic|bearer|digest|token|negotiate|apikey)$/i;
const noSecret = /^(?:null|undefined|none|nil|true|false|\*+|x+|-+|%s|<redacted.*|\[redacted.*|\[filtered.*)$/i;
const blanksMax = 4;
const wordCharactersMax = 16;
const valueCharactersMax = 4096;

/** From the `=` and `:` back to the word before them: they are fewer than places where a word might begin. */
const scanPasswords: Scan = (text, spans) => {
  scanUserInfo(text, spans);
  let equals = text.indexOf('=');
  let colon = text.indexOf(':');
  for (let from = 0; equals >= 0 || colon >= 0; ) {
    const sign = colon < 0 || (equals >= 0 && equals < colon) ? equals : colon;
    if (sign >= from) {
      const word = wordBefore(text, sign);
      if (word !== '') from = readSecret(text, word, sign, spans);
    }
    if (sign === equals) equals = text.indexOf('=', sign + 1);
    else colon = text.indexOf(':', sign + 1);
  }
};

/** The key word that ends before a sign, quotes and blanks between them; '' where there is none. */
function wordBefore(text: string, sign: number): string {
  let end = sign;
  while (end > 0 && sign - end < blanksMax && (text[end - 1] === ' ' || text[end - 1] === '\t')) end--;
  const quotes = end;
  while (end > 0 && quotes - end < 3 && (text[end - 1] === '"' || text[end - 1] === "'" || text[end - 1] === '\\'))
    end--;
  if (end === 0 || !isLetter(text.charCodeAt(end - 1))) return '';
  return keyWord.exec(text.slice(Math.max(0, end - wordCharactersMax), end))?.[0] ?? '';
}

/** The value behind the sign. Returns where to go on. */
function readSecret(text: string, word: string, sign: number, spans: Span[]): number {
  let at = sign + 1;
  if (text[sign] === '=' && text[at] === '>') at++;
  at = skipBlanks(text, at);
  const opening = at;
  at = skipQuotes(text, at);
  const quote = at > opening ? text[at - 1] : '';
  let start = at;
  let end = valueEnd(text, start, quote);
  const isCookie = /^cookie/i.test(word);
  const isScheme = scheme.test(text.slice(start, end)) && text[end] === ' ';
  if (isScheme) {
    start = skipBlanks(text, end);
    end = valueEnd(text, start, quote);
  } else if (isCookie) end = lineEnd(text, start, quote);
  const value = text.slice(start, end);
  if (value === '' || noSecret.test(value)) return end;
  // A working directory, not a password.
  if (/^pwd$/i.test(word) && value.startsWith('/')) return end;
  if (isCookie && !value.includes('=')) return end;
  if (weakWord.test(word) && !isScheme && !isCookie && !looksLikeToken(value)) return end;
  spans.push({ start, end, kind: isScheme || weakWord.test(word) ? 'token' : 'password' });
  return end;
}

/** `token=Token{a64f992` and `invalid token: expired` are no secrets. */
const looksLikeToken = (value: string): boolean =>
  value.length >= 8 && /\d/.test(value) && /^[\w.~+/=%:-]+$/.test(value);

function skipBlanks(text: string, at: number): number {
  const most = at + blanksMax;
  while (at < most && (text[at] === ' ' || text[at] === '\t')) at++;
  return at;
}

/** `"`, `'`, and the `\"` of JSON within JSON. */
function skipQuotes(text: string, at: number): number {
  const most = at + 3;
  while (at < most && (text[at] === '"' || text[at] === "'" || text[at] === '\\')) at++;
  return at;
}

function valueEnd(text: string, start: number, quote: string | undefined): number {
  const most = Math.min(text.length, start + valueCharactersMax);
  for (let at = start; at < most; at++) {
    const one = text[at] as string;
    if (quote === '"' || quote === "'") {
      if (one === quote || one === '\\') return at;
    } else if (one <= ' ' || '"\',;&)}]<>'.includes(one)) return at;
  }
  return most;
}

function lineEnd(text: string, start: number, quote: string | undefined): number {
  const most = Math.min(text.length, start + valueCharactersMax);
  for (let at = start; at < most; at++) if (text[at] === '\n' || (quote !== '' && text[at] === quote)) return at;
  return most;
}

/** The password of `https://user:password@host`. */
function scanUserInfo(text: string, spans: Span[]): void {
  for (let at = text.indexOf('://'); at >= 0; at = text.indexOf('://', at + 3)) {
    const most = Math.min(text.length, at + 3 + 256);
    let colon = -1;
    for (let i = at + 3; i < most; i++) {
      const one = text[i] as string;
      if (one === ':' && colon < 0) colon = i;
      else if (one === '@') {
        if (colon >= 0 && i > colon + 1) spans.push({ start: colon + 1, end: i, kind: 'password' });
        break;
      } else if (one <= ' ' || '/"\'<>?#'.includes(one)) break;
    }
  }
}

/** Shapes of grouped numbers, digits of each group. */
const cardGroups: readonly string[] = ['4,4,4,4', '4,6,5', '4,6,4', '4,4,4,4,3'];
const cardCharactersMax = 24;

const scanCards: Scan = (text, spans) => {
  if (digitCount < 13) return;
  for (let at = 0; at < text.length; ) {
    if (!isDigit(text.charCodeAt(at))) {
      at++;
      continue;
    }
    let end = at;
    while (isDigit(text.charCodeAt(end))) end++;
    const before = text.charCodeAt(at - 1);
    // Behind a minus sign it is a number or a part of an id.
    if (!isWord(before) && before !== 46 && before !== 45) {
      // Grouped ones begin with four digits.
      const last = end - at >= 13 ? end : end - at === 4 ? groupsEnd(text, at) : at;
      if (
        last - at >= 13 &&
        endsWell(text, last) &&
        !isIdBefore(text, at) &&
        isCard(text.slice(at, last).replace(/[ -]/g, ''), last > end)
      ) {
        spans.push({ start: at, end: last, kind: 'card' });
        end = last;
      }
    }
    at = end;
  }
};

/** Of groups with one kind of separator between them; `at` where they are none. */
function groupsEnd(text: string, at: number): number {
  const lengths: number[] = [];
  let separator = '';
  let end = at;
  for (;;) {
    const from = end;
    while (isDigit(text.charCodeAt(end))) end++;
    lengths.push(end - from);
    const next = text[end] ?? '';
    if (end - at > cardCharactersMax || (next !== ' ' && next !== '-') || !isDigit(text.charCodeAt(end + 1))) break;
    if (separator !== '' && next !== separator) break;
    separator = next;
    end++;
  }
  return cardGroups.includes(lengths.join()) ? end : at;
}

/** Neither a word nor a fraction goes on. */
function endsWell(text: string, end: number): boolean {
  const code = text.charCodeAt(end);
  return !isWord(code) && !(code === 46 && isDigit(text.charCodeAt(end + 1)));
}

/** Digits of an issuer that exists (ISO/IEC 7812), of its length, with the right check digit. */
function isCard(digits: string, grouped: boolean): boolean {
  const { length } = digits;
  const two = Number(digits.slice(0, 2));
  const four = Number(digits.slice(0, 4));
  // In one piece, 19 digits are ids and times far more often than cards; Visa's of 13 are no more.
  const fits =
    (digits[0] === '4' && length === 16) ||
    (length === 16 && ((two >= 51 && two <= 55) || (four >= 2221 && four <= 2720))) ||
    (length === 15 && (two === 34 || two === 37)) ||
    (length === 14 && (two === 30 || two === 36 || two === 38)) ||
    (four === 6011 && length === 16) ||
    ((two === 65 || two === 62 || two === 35) && (length === 16 || (length === 19 && grouped)));
  return fits && luhn(digits);
}

/** `SpanID: 4…`, `trace=4…`: one id of ten has the right check digit. */
const isIdBefore = (text: string, at: number): boolean =>
  /(?:id|trace|span)\W{0,3}$/i.test(text.slice(Math.max(0, at - 8), at));

function luhn(digits: string): boolean {
  let sum = 0;
  for (let i = digits.length - 1, twice = false; i >= 0; i--, twice = !twice) {
    const digit = digits.charCodeAt(i) - 48;
    sum += twice ? (digit > 4 ? 2 * digit - 9 : 2 * digit) : digit;
  }
  return sum % 10 === 0;
}

const localMax = 64;
const domainMax = 253;

const scanEmails: Scan = (text, spans) => {
  for (let at = text.indexOf('@'); at >= 0; at = text.indexOf('@', at + 1)) {
    let start = at;
    while (start > 0 && at - start < localMax && isLocal(text.charCodeAt(start - 1))) start--;
    let end = at + 1;
    for (; end - at <= domainMax; end++) {
      const code = text.charCodeAt(end);
      if (code !== 46 && !isDigit(code) && !isLetter(code) && code !== 45) break;
    }
    // A full stop behind the address is the sentence's.
    while (end > at && (text[end - 1] === '.' || text[end - 1] === '-')) end--;
    let dot = end - 1;
    while (dot > at && text[dot] !== '.') dot--;
    if (start < at && dot > at + 1 && end - dot >= 3 && isLetter(text.charCodeAt(dot + 1)))
      spans.push({ start, end, kind: 'email' });
  }
};

const isLocal = (code: number): boolean => isWord(code) || code === 46 || code === 37 || code === 43 || code === 45;

const ipCharactersMax = 45;

const scanIps: Scan = (text, spans) => {
  if (!text.includes('.') && !text.includes(':')) return;
  for (let at = 0; at < text.length; ) {
    const code = text.charCodeAt(at);
    if (!isDigit(code) && code !== 58 && !((code | 32) >= 97 && (code | 32) <= 102)) {
      at++;
      continue;
    }
    let end = at;
    let dots = 0;
    let colons = 0;
    let doubled = false;
    for (; ; end++) {
      const here = text.charCodeAt(end);
      if (here === 46) dots++;
      else if (here === 58) {
        colons++;
        if (text.charCodeAt(end + 1) === 58) doubled = true;
      } else if (!isDigit(here) && !((here | 32) >= 97 && (here | 32) <= 102)) break;
    }
    const before = text.charCodeAt(at - 1);
    const mayBe = dots >= 3 || colons >= 7 || (colons >= 2 && doubled);
    if (mayBe && !isWord(before) && before !== 46 && !isWord(text.charCodeAt(end))) {
      let last = end;
      while (last > at && (text[last - 1] === '.' || (text[last - 1] === ':' && text[last - 2] !== ':'))) last--;
      const found = last - at <= ipCharactersMax + 6 ? addressEnd(text.slice(at, last), dots, colons) : 0;
      if (found > 0) spans.push({ start: at, end: at + found, kind: 'ip' });
    }
    at = Math.max(end, at + 1);
  }
};

/** Length of the address that the text begins with, a port behind it left out; 0 where it is none. */
function addressEnd(text: string, dots: number, colons: number): number {
  if (dots >= 3 && colons <= 1) {
    const [host = ''] = text.split(':');
    return isIpv4(host) ? host.length : 0;
  }
  return colons >= 2 && isIpv6(text) ? text.length : 0;
}

function isIpv4(text: string): boolean {
  const octets = text.split('.');
  return octets.length === 4 && octets.every((octet) => /^\d{1,3}$/.test(octet) && Number(octet) <= 255);
}

function isIpv6(text: string): boolean {
  const halves = text.split('::');
  if (halves.length > 2 || !/\d/.test(text)) return false;
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  const last = groups.at(-1) ?? '';
  const mapped = last.includes('.');
  if (mapped && !isIpv4(last)) return false;
  if (!(mapped ? groups.slice(0, -1) : groups).every((part) => /^[0-9a-f]{1,4}$/i.test(part))) return false;
  const count = groups.length + (mapped ? 1 : 0);
  return halves.length === 2 ? count <= 7 && count >= 1 : count === 8;
}

const phoneDigits = { min: 8, max: 15 };

const scanPhones: Scan = (text, spans) => {
  if (digitCount < phoneDigits.min) return;
  for (let at = text.indexOf('+'); at >= 0; at = text.indexOf('+', at + 1)) {
    if (isWord(text.charCodeAt(at - 1)) || !isDigit(text.charCodeAt(at + 1)) || text[at + 1] === '0') continue;
    let digits = 0;
    let end = at + 1;
    let last = end;
    for (; end - at < 24; end++) {
      const code = text.charCodeAt(end);
      if (isDigit(code)) {
        digits++;
        last = end + 1;
      } else if (!' ().-'.includes(text[end] ?? '|') || end - last > 1) break;
    }
    if (digits >= phoneDigits.min && digits <= phoneDigits.max && endsWell(text, last))
      spans.push({ start: at, end: last, kind: 'phone' });
  }
  scanNational(text, '-', spans);
  scanNational(text, '.', spans);
};

/** North American numbers as they are written there: `(555) 867-5309`, `555-867-5309`; from the last separator back. */
function scanNational(text: string, separator: string, spans: Span[]): void {
  for (let at = text.indexOf(separator); at >= 0; at = text.indexOf(separator, at + 1)) {
    if (!areDigits(text, at - 3, 3) || !areDigits(text, at + 1, 4)) continue;
    const end = at + 5;
    if (isWord(text.charCodeAt(end)) || text[end] === '-') continue;
    let start = at - 4;
    if (text[start] === ' ' || text[start] === ')') {
      if (text[start] === ' ') start--;
      if (text[start] !== ')' || !areDigits(text, start - 3, 3) || text[start - 4] !== '(') continue;
      start -= 4;
    } else {
      if ((text[start] !== '-' && text[start] !== '.') || !areDigits(text, start - 3, 3)) continue;
      start -= 3;
    }
    const before = text.charCodeAt(start - 1);
    if (!isWord(before) && before !== 46 && before !== 45) spans.push({ start, end, kind: 'phone' });
  }
}

function areDigits(text: string, at: number, count: number): boolean {
  if (at < 0) return false;
  for (let i = at; i < at + count; i++) if (!isDigit(text.charCodeAt(i))) return false;
  return true;
}

const scanners: Readonly<Record<SecretKind, Scan>> = {
  token: scanTokens,
  password: scanPasswords,
  card: scanCards,
  email: scanEmails,
  ip: scanIps,
  phone: scanPhones,
};
