/**
 * Byte scanner for the common shape of a JSON log line: one flat object, strings without escapes, plain numbers, and
 * at most one field for each role. Says false for anything else, which then takes the long way (JSON.parse and the
 * full field mapping); what it takes, it takes exactly as the long way would (a test holds both equal).
 *
 * Hot loop, long and plain on purpose; benchmark: loadtest/bench/parts.bench.ts.
 */
import { roleOfField } from '#analysis/formats/mod.ts';
import { type RecordView, serviceNameBytesMax, severityNumberOf } from '#protocol/mod.ts';
import { hashedText, ownBytes } from './short-text.ts';

const quote = 0x22;
const backslash = 0x5c;
const braceOpen = 0x7b;
const braceClose = 0x7d;
const colon = 0x3a;
const comma = 0x2c;
const minus = 0x2d;
const dot = 0x2e;
const zero = 0x30;
const nine = 0x39;

/** By byte: 1 where a string without escapes goes on. */
const inText = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x20 && byte !== quote && byte !== backslash ? 1 : 0,
);

const attributesFastMax = 64;
const fieldsRemembered = 5_000;
const hostsRemembered = 5_000;

/** Times and ids first, which are read where they should end; then names and levels, which are looked up by their hash. */
const roleCodes = {
  attribute: 0,
  time: 1,
  traceId: 2,
  spanId: 3,
  severity: 4,
  service: 5,
  host: 6,
  body: 7,
  other: 8,
} as const;

interface Field {
  name: string;
  bytes: Uint8Array;
  role: number;
}

export class FlatScanner {
  private readonly bytes: Buffer;
  private readonly observedMs: number;
  /** Fields by their place in the line before: most lines of a source have one shape. */
  private readonly shape: (Field | undefined)[] = [];
  /** Bytes of the last time that was a text. */
  private timeBytes = 24;
  private dateKey = -1;
  private dateMs = 0;
  private timeMs = 0;
  private timeSubNs = 0;

  constructor(bytes: Buffer, observedMs: number) {
    this.bytes = bytes;
    this.observedMs = observedMs;
  }

  scan(start: number, end: number, view: RecordView): boolean {
    const { bytes } = this;
    view.clear();
    view.bytes = bytes;
    view.observedMs = this.observedMs;
    view.timeMs = this.observedMs;
    let at = start;
    if (bytes[at++] !== braceOpen) return false;
    let seen = 0;
    let hasBody = false;
    for (let index = 0; ; index++) {
      while ((bytes[at] as number) <= 0x20 && isSpace(bytes[at] as number)) at++;
      if (at >= end || bytes[at] !== quote) return false;
      at++;
      let field = this.shape[index];
      if (field !== undefined && bytes[at + field.bytes.length] === quote && startsWith(bytes, at, field.bytes))
        at += field.bytes.length;
      else {
        const nameStart = at;
        while (inText[bytes[at] as number] === 1) at++;
        if (bytes[at] !== quote || at >= end) return false;
        field = fieldOf(bytes, nameStart, at);
        this.shape[index] = field;
      }
      at++;
      const { role } = field;
      while ((bytes[at] as number) <= 0x20 && isSpace(bytes[at] as number)) at++;
      if (bytes[at++] !== colon) return false;
      while ((bytes[at] as number) <= 0x20 && isSpace(bytes[at] as number)) at++;
      let valueStart = at;
      let valueEnd: number;
      let isString = false;
      /** A time or an id that was read on the way. */
      let isRead = false;
      let hash = 0;
      const first = bytes[at] as number;
      if (first === quote) {
        isString = true;
        valueStart = ++at;
        const close = role >= roleCodes.time && role <= roleCodes.spanId ? this.closeOf(role, at) : -1;
        if (close > 0) {
          isRead = true;
          at = close;
        } else if (role >= roleCodes.severity && role <= roleCodes.host) {
          for (let byte = bytes[at] as number; inText[byte] === 1; byte = bytes[++at] as number)
            hash = (Math.imul(hash, 31) + byte) | 0;
        } else while (inText[bytes[at] as number] === 1) at++;
        if (bytes[at] !== quote || at >= end) return false;
        valueEnd = at++;
      } else if (first === minus || (first >= zero && first <= nine)) {
        at = this.number(at, end);
        if (at < 0) return false;
        valueEnd = at;
      } else if (this.literal(at, 'true')) {
        at += 4;
        valueEnd = at;
      } else if (this.literal(at, 'false')) {
        at += 5;
        valueEnd = at;
      } else if (this.literal(at, 'null')) {
        at += 4;
        valueEnd = valueStart;
      } else {
        return false;
      }
      if (role === roleCodes.attribute) {
        if (view.attributeCount >= attributesFastMax) return false;
        for (let i = 0; i < view.attributeCount; i++) if (view.attributeKeys[i] === field.name) return false;
        const slot = view.attributeCount++;
        view.attributeKeys[slot] = field.name;
        view.attributeStarts[slot] = valueStart;
        view.attributeEnds[slot] = valueEnd;
      } else {
        if (!isString || role === roleCodes.other || valueStart === valueEnd || (seen & (1 << role)) !== 0) {
          if (!(role === roleCodes.time && this.epoch(valueStart, valueEnd) && (seen & (1 << role)) === 0))
            return false;
        } else if (role === roleCodes.time && !isRead) {
          if (!this.iso(valueStart, valueEnd)) return false;
          this.timeBytes = valueEnd - valueStart;
        }
        seen |= 1 << role;
        switch (role) {
          case roleCodes.body:
            view.bodyStart = valueStart;
            view.bodyEnd = valueEnd;
            hasBody = true;
            break;
          case roleCodes.time:
            view.timeMs = this.timeMs;
            view.timeSubNs = this.timeSubNs;
            break;
          case roleCodes.severity: {
            if (valueEnd - valueStart <= 2 || valueEnd - valueStart > 32) return false;
            const text = hashedText(bytes, valueStart, valueEnd, hash);
            view.severityText = text;
            view.severityNumber = severityNumberOf(text);
            break;
          }
          case roleCodes.service:
            if (valueEnd - valueStart > serviceNameBytesMax / 3) return false;
            view.service = hashedText(bytes, valueStart, valueEnd, hash);
            break;
          case roleCodes.traceId:
            if (!isRead) return false;
            view.traceStart = valueStart;
            view.traceEnd = valueEnd;
            break;
          case roleCodes.spanId:
            if (!isRead) return false;
            view.spanStart = valueStart;
            view.spanEnd = valueEnd;
            break;
          default:
            view.resource = hostOf(hashedText(bytes, valueStart, valueEnd, hash));
        }
      }
      while ((bytes[at] as number) <= 0x20 && isSpace(bytes[at] as number)) at++;
      const next = bytes[at++];
      if (next === comma) continue;
      return next === braceClose && at === end && hasBody;
    }
  }

  /** Where a time or an id ends that is as long as such are, and is one; -1 otherwise. */
  private closeOf(role: number, start: number): number {
    const bytesDue = role === roleCodes.time ? this.timeBytes : role === roleCodes.traceId ? 32 : 16;
    const close = start + bytesDue;
    if (this.bytes[close] !== quote) return -1;
    const isOne = role === roleCodes.time ? this.iso(start, close) : isHex(this.bytes, start, close);
    return isOne ? close : -1;
  }

  private literal(at: number, text: string): boolean {
    for (let i = 0; i < text.length; i++) if (this.bytes[at + i] !== text.charCodeAt(i)) return false;
    return true;
  }

  /** End of a number that JavaScript would print as it stands, or -1. */
  private number(start: number, end: number): number {
    const { bytes } = this;
    let at = start;
    if (bytes[at] === minus) at++;
    const whole = at;
    while ((bytes[at] as number) >= zero && (bytes[at] as number) <= nine) at++;
    const wholeDigits = at - whole;
    if (wholeDigits === 0 || (bytes[whole] === zero && wholeDigits > 1)) return -1;
    let digits = wholeDigits;
    if (bytes[at] === dot) {
      const fraction = ++at;
      while ((bytes[at] as number) >= zero && (bytes[at] as number) <= nine) at++;
      // A trailing zero would be dropped, and 0.00000x is printed with an exponent.
      if (at === fraction || bytes[at - 1] === zero) return -1;
      if (bytes[whole] === zero && bytes[fraction] === zero) return -1;
      digits += at - fraction;
    } else if (bytes[whole] === zero && at - start > 1) {
      return -1;
    }
    const next = bytes[at] as number;
    if (digits > 15 || at >= end || next === 0x65 || next === 0x45) return -1;
    return at;
  }

  /** 13 digits: ms since 1970. Other epochs take the long way. */
  private epoch(start: number, end: number): boolean {
    if (end - start !== 13) return false;
    let value = 0;
    for (let at = start; at < end; at++) {
      const digit = (this.bytes[at] as number) - zero;
      if (digit < 0 || digit > 9) return false;
      value = value * 10 + digit;
    }
    if (value < 1_000_000_000_000 || value > 4_000_000_000_000) return false;
    this.timeMs = value;
    this.timeSubNs = 0;
    return true;
  }

  /** RFC 3339 with T and Z or a numeric offset, up to nanoseconds. */
  private iso(start: number, end: number): boolean {
    const { bytes } = this;
    const size = end - start;
    if (size < 20 || size > 35) return false;
    const year = this.two(start) * 100 + this.two(start + 2);
    const month = this.two(start + 5);
    const day = this.two(start + 8);
    const hour = this.two(start + 11);
    const minute = this.two(start + 14);
    const second = this.two(start + 17);
    if (bytes[start + 4] !== minus || bytes[start + 7] !== minus || bytes[start + 10] !== 0x54) return false;
    if (bytes[start + 13] !== colon || bytes[start + 16] !== colon) return false;
    // NaN, from what is no digit, fails every comparison.
    if (!(year >= 1971 && year <= 2100 && month >= 1 && month <= 12 && day >= 1 && day <= 28)) {
      if (!(day >= 29 && day <= daysOf(year, month))) return false;
      if (!(year >= 1971 && year <= 2100 && month >= 1 && month <= 12)) return false;
    }
    if (!(hour <= 23 && minute <= 59 && second <= 59)) return false;
    let at = start + 19;
    let nanoseconds = 0;
    if (bytes[at] === dot) {
      at++;
      let scale = 100_000_000;
      const fraction = at;
      while ((bytes[at] as number) >= zero && (bytes[at] as number) <= nine) {
        nanoseconds += ((bytes[at] as number) - zero) * scale;
        scale /= 10;
        at++;
      }
      if (at === fraction || at - fraction > 9) return false;
    }
    let offsetMs = 0;
    if (bytes[at] === 0x5a) {
      at++;
    } else {
      const sign = bytes[at] === 0x2b ? 1 : bytes[at] === minus ? -1 : 0;
      const hours = this.two(at + 1);
      const minutes = this.two(at + 4);
      if (sign === 0 || bytes[at + 3] !== colon || !(hours <= 14 && minutes <= 59)) return false;
      offsetMs = sign * (hours * 60 + minutes) * 60_000;
      at += 6;
    }
    if (at !== end) return false;
    const key = (year * 100 + month) * 100 + day;
    if (key !== this.dateKey) {
      this.dateKey = key;
      this.dateMs = Date.UTC(year, month - 1, day);
    }
    const subMs = Math.floor(nanoseconds / 1_000_000);
    this.timeMs = this.dateMs + ((hour * 60 + minute) * 60 + second) * 1_000 + subMs - offsetMs;
    this.timeSubNs = nanoseconds - subMs * 1_000_000;
    return true;
  }

  private two(at: number): number {
    const high = (this.bytes[at] as number) - zero;
    const low = (this.bytes[at + 1] as number) - zero;
    return high >= 0 && high <= 9 && low >= 0 && low <= 9 ? high * 10 + low : Number.NaN;
  }
}

function startsWith(bytes: Uint8Array, start: number, text: Uint8Array): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text[i]) return false;
  return true;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}

function daysOf(year: number, month: number): number {
  return new Date(Date.UTC(year, month, 0)).getUTCDate();
}

function isHex(bytes: Uint8Array, start: number, end: number): boolean {
  let zeros = true;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (!((byte >= zero && byte <= nine) || (byte >= 0x61 && byte <= 0x66))) return false;
    if (byte !== zero) zeros = false;
  }
  return !zeros;
}

// Pure memos of the process, cleared when full: they change no answer.
const fields = new Map<string, Field>();
const hosts = new Map<string, string[]>();

function fieldOf(bytes: Buffer, start: number, end: number): Field {
  const key = bytes.toString('latin1', start, end);
  let field = fields.get(key);
  if (field === undefined) {
    const name = bytes.toString('utf8', start, end);
    const role = roleOfField(name);
    const code =
      role === undefined ? roleCodes.attribute : (roleCodes[role as keyof typeof roleCodes] ?? roleCodes.other);
    field = {
      name,
      bytes: ownBytes(bytes, start, end),
      role: name === '' || name === '__proto__' ? roleCodes.other : code,
    };
    if (fields.size >= fieldsRemembered) fields.clear();
    fields.set(key, field);
  }
  return field;
}

function hostOf(name: string): string[] {
  let resource = hosts.get(name);
  if (resource === undefined) {
    resource = ['host.name', name];
    if (hosts.size >= hostsRemembered) hosts.clear();
    hosts.set(name, resource);
  }
  return resource;
}
