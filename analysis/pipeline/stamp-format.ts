/**
 * Formats of timestamps as people know them: strptime's (`%d/%m/%Y %H:%M:%S`), Java's (`dd/MM/yyyy HH:mm:ss,SSS`), `iso`, and `epoch`
 * with or without a unit. Compiled to a list of pieces that read a text from left to right.
 */
import { resolveYear, TimeScanner } from '#analysis/formats/mod.ts';
import { eventTimeMsMax, eventTimeMsMin } from '#protocol/mod.ts';
import { shown, wrong } from './reading.ts';
import type { Zone } from './zone.ts';

export interface Stamp {
  timeMs: number;
  subNs: number;
  /** Said by the stamp, or by the zone of the step. */
  zoned: boolean;
}

export interface StampFormat {
  source: string;
  /** Null where the text is none. `nowMs` tells years and days that the stamp leaves out. */
  read(text: string, nowMs: number, zone: Zone | null): Stamp | null;
}

/** Pieces of a time, filled by the pieces of a format; -1 where it does not say. */
interface Civil {
  year: number;
  month: number;
  day: number;
  dayOfYear: number;
  hour: number;
  minute: number;
  second: number;
  nanosecond: number;
  /** 0 before noon, 12 after, -1 for a clock of 24 hours. */
  half: number;
  /** ms east of UTC, NaN where it does not say. */
  zoneMs: number;
  epochMs: number;
  epochSubNs: number;
}

/** Reads at `at`; the index behind it, or -1. */
type Piece = (text: string, at: number, civil: Civil) => number;

const formatCharactersMax = 128;
const stampCharactersMax = 256;
const dayMs = 86_400_000;
const units: Readonly<Record<string, number>> = { epoch_s: 1e3, epoch_ms: 1, epoch_us: 1e-3, epoch_ns: 1e-6 };
const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const monthsLong = [
  'january',
  'february',
  'march',
  'april',
  'may',
  'june',
  'july',
  'august',
  'september',
  'october',
  'november',
  'december',
];
const weekdays = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];
const remedy =
  'Write it as strptime ("%d/%m/%Y %H:%M:%S"), as Java ("dd/MM/yyyy HH:mm:ss,SSS"), or as iso, epoch, epoch_s, epoch_ms, epoch_us, epoch_ns.';

/** @throws LogweirError CONFIG_INVALID */
export function stampFormat(source: string, path: string): StampFormat {
  const name = source.toLowerCase();
  if (name === 'iso' || name === 'iso8601' || name === 'auto') return { source, read: readAny };
  if (name === 'epoch' || name === 'unix') return { source, read: (text) => readEpoch(text, 0) };
  const unit = units[name === 'unix_ms' ? 'epoch_ms' : name];
  if (unit !== undefined) return { source, read: (text) => readEpoch(text, unit) };
  if (source.length > formatCharactersMax)
    throw wrong(path, `has ${source.length} characters, ${formatCharactersMax} are allowed`, remedy);
  const pieces = source.includes('%') ? strptime(source, path) : java(source, path);
  return { source, read: (text, nowMs, zone) => readPieces(pieces, text, nowMs, zone) };
}

function readAny(text: string, nowMs: number, zone: Zone | null): Stamp | null {
  const scanner = new TimeScanner(nowMs);
  if (text.length > stampCharactersMax || !scanner.scanField(text)) return null;
  if (scanner.zoned || zone === null) return { timeMs: scanner.timeMs, subNs: scanner.subNs, zoned: scanner.zoned };
  return bounded(zone.toUtc(scanner.timeMs), scanner.subNs, true);
}

/** `msPerUnit` 0: seconds, or by size. */
function readEpoch(text: string, msPerUnit: number): Stamp | null {
  const trimmed = text.trim();
  if (!/^\d{1,20}(?:\.\d{1,12})?$/.test(trimmed)) return null;
  const [whole = '', fraction = ''] = trimmed.split('.');
  let unit = msPerUnit;
  if (unit === 0) unit = whole.length <= 11 ? 1e3 : whole.length <= 14 ? 1 : whole.length <= 17 ? 1e-3 : 1e-6;
  // In digits, since nanoseconds of today are beyond 2^53.
  const shift = { 1e3: 9, 1: 6, 1e-3: 3, 1e-6: 0 }[unit] as number;
  const nanoseconds = BigInt(whole + fraction.padEnd(shift, '0').slice(0, shift));
  return bounded(Number(nanoseconds / 1_000_000n), Number(nanoseconds % 1_000_000n), true);
}

function bounded(timeMs: number, subNs: number, zoned: boolean): Stamp | null {
  return timeMs >= eventTimeMsMin && timeMs <= eventTimeMsMax ? { timeMs, subNs, zoned } : null;
}

function readPieces(pieces: readonly Piece[], text: string, nowMs: number, zone: Zone | null): Stamp | null {
  if (text.length > stampCharactersMax) return null;
  const civil: Civil = {
    year: -1,
    month: -1,
    day: -1,
    dayOfYear: -1,
    hour: -1,
    minute: 0,
    second: 0,
    nanosecond: 0,
    half: -1,
    zoneMs: Number.NaN,
    epochMs: -1,
    epochSubNs: 0,
  };
  const trimmed = text.trim();
  let at = 0;
  for (const piece of pieces) {
    at = piece(trimmed, at, civil);
    if (at < 0) return null;
  }
  return at === trimmed.length ? stampOf(civil, nowMs, zone) : null;
}

function stampOf(civil: Civil, nowMs: number, zone: Zone | null): Stamp | null {
  if (civil.epochMs >= 0)
    return bounded(
      civil.epochMs + Math.floor(civil.nanosecond / 1e6),
      civil.epochSubNs + (civil.nanosecond % 1e6),
      true,
    );
  let { hour } = civil;
  if (hour < 0) hour = 0;
  if (civil.half >= 0) {
    if (hour < 1 || hour > 12) return null;
    hour = (hour % 12) + civil.half;
  }
  if (hour > 24 || civil.minute > 59 || civil.second > 60) return null;
  const withinDayMs = ((hour * 60 + civil.minute) * 60 + civil.second) * 1_000 + Math.floor(civil.nanosecond / 1e6);
  const subNs = civil.nanosecond % 1e6;
  const toUtc = (localMs: number): number =>
    !Number.isNaN(civil.zoneMs) ? localMs - civil.zoneMs : zone === null ? localMs : zone.toUtc(localMs);
  const zoned = !Number.isNaN(civil.zoneMs) || zone !== null;
  if (civil.dayOfYear > 0 && civil.year > 0) {
    civil.month = 1;
    civil.day = civil.dayOfYear;
  } else if (civil.month < 0 && civil.day < 0) {
    if (civil.year >= 0) return bounded(toUtc(Date.UTC(civil.year, 0, 1) + withinDayMs), subNs, zoned);
    // A time of day: the last such moment that is not ahead.
    const today = Math.floor(nowMs / dayMs) * dayMs + dayMs;
    for (let day = today; day > today - 3 * dayMs; day -= dayMs) {
      const timeMs = toUtc(day + withinDayMs);
      if (timeMs <= nowMs + 3_600_000) return bounded(timeMs, subNs, zoned);
    }
    return null;
  }
  const month = civil.month < 0 ? 1 : civil.month;
  const day = civil.day < 0 ? 1 : civil.day;
  if (civil.year < 0) {
    // The latest year in which it is not ahead by more than a day.
    const year = resolveYear(month, day, withinDayMs, nowMs);
    const date = Date.UTC(year, month - 1, day);
    return new Date(date).getUTCDate() === day ? bounded(toUtc(date + withinDayMs), subNs, zoned) : null;
  }
  const date = Date.UTC(civil.year, month - 1, day);
  if (civil.dayOfYear < 0 && new Date(date).getUTCDate() !== day) return null;
  return bounded(toUtc(date + withinDayMs), subNs, zoned);
}

/** A number of `min` to `max` digits, blanks before it allowed where `padded`. */
function number(
  min: number,
  max: number,
  low: number,
  high: number,
  set: (civil: Civil, value: number) => void,
  padded = false,
): Piece {
  return (text, at, civil) => {
    let start = at;
    if (padded) while (text[start] === ' ') start++;
    let end = start;
    let value = 0;
    while (end < text.length && end - start < max) {
      const digit = text.charCodeAt(end) - 48;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
      end++;
    }
    if (end - start < min || value < low || value > high) return -1;
    set(civil, value);
    return end;
  };
}

/** Digits behind the comma, as many as are there. */
const fraction: Piece = (text, at, civil) => {
  let end = at;
  while (end < text.length && end - at < 12 && text.charCodeAt(end) >= 48 && text.charCodeAt(end) <= 57) end++;
  if (end === at) return -1;
  civil.nanosecond = Number(text.slice(at, Math.min(end, at + 9)).padEnd(9, '0'));
  return end;
};

const word = (names: readonly string[]): ((text: string, at: number) => number) => {
  return (text, at) => {
    const here = text.slice(at, at + 9).toLowerCase();
    return names.findIndex((name) => here.startsWith(name));
  };
};

const monthAt = word(months);
const monthLongAt = word(monthsLong);
/** `Mar` or `March`, whichever is there. */
const monthName: Piece = (text, at, civil) => {
  const long = monthLongAt(text, at);
  const index = long >= 0 ? long : monthAt(text, at);
  if (index < 0) return -1;
  civil.month = index + 1;
  return at + (long >= 0 ? (monthsLong[index] as string).length : 3) + (long < 0 && text[at + 3] === '.' ? 1 : 0);
};
const weekday: Piece = (text, at) => {
  const here = text.slice(at, at + 9).toLowerCase();
  const long = weekdays.find((name) => here.startsWith(name));
  if (long !== undefined) return at + long.length;
  return weekdays.some((name) => here.startsWith(name.slice(0, 3))) ? at + 3 : -1;
};
const half: Piece = (text, at, civil) => {
  const found = /^([ap])\.?m\.?/i.exec(text.slice(at, at + 4));
  if (found === null) return -1;
  civil.half = (found[1] as string).toLowerCase() === 'a' ? 0 : 12;
  return at + found[0].length;
};
const zoneOffset: Piece = (text, at, civil) => {
  if (text[at] === 'Z' || text[at] === 'z') {
    civil.zoneMs = 0;
    return at + 1;
  }
  const found = /^(?:UTC|GMT)?([+-])(\d{2})(?::?(\d{2}))?/.exec(text.slice(at, at + 9));
  if (found === null) return -1;
  const minutes = Number(found[2]) * 60 + Number(found[3] ?? 0);
  if (minutes > 18 * 60) return -1;
  civil.zoneMs = (found[1] === '-' ? -minutes : minutes) * 60_000;
  return at + found[0].length;
};
/** Names that mean one offset in practice; others fit, and leave the zone to the step. */
const zoneNames: Readonly<Record<string, number>> = {
  UTC: 0,
  GMT: 0,
  Z: 0,
  CET: 60,
  CEST: 120,
  EET: 120,
  EEST: 180,
  MSK: 180,
  JST: 540,
  KST: 540,
  EST: -300,
  EDT: -240,
  CDT: -300,
  MST: -420,
  MDT: -360,
  PST: -480,
  PDT: -420,
};
const zoneName: Piece = (text, at, civil) => {
  const offset = zoneOffset(text, at, civil);
  if (offset >= 0 && !/^[A-Za-z]/.test(text.slice(offset))) return offset;
  const found = /^[A-Za-z][A-Za-z_+/-]{0,39}/.exec(text.slice(at, at + 40));
  if (found === null) return -1;
  const minutes = Object.hasOwn(zoneNames, found[0]) ? zoneNames[found[0]] : undefined;
  civil.zoneMs = minutes === undefined ? Number.NaN : minutes * 60_000;
  return at + found[0].length;
};
const blanks: Piece = (text, at) => {
  let end = at;
  while (end < text.length && text.charCodeAt(end) <= 32) end++;
  return end > at ? end : -1;
};
const literal = (expected: string): Piece =>
  expected === ' ' ? blanks : (text, at) => (text.startsWith(expected, at) ? at + expected.length : -1);

const year4 = number(4, 4, 0, 9999, (civil, value) => (civil.year = value));
/** As POSIX: 69 to 99 are of the last century. */
const year2 = number(2, 2, 0, 99, (civil, value) => (civil.year = value < 69 ? 2000 + value : 1900 + value));
const month = number(1, 2, 1, 12, (civil, value) => (civil.month = value));
const day = number(1, 2, 1, 31, (civil, value) => (civil.day = value), true);
const hour = number(1, 2, 0, 24, (civil, value) => (civil.hour = value), true);
const minute = number(1, 2, 0, 59, (civil, value) => (civil.minute = value));
const second = number(1, 2, 0, 60, (civil, value) => (civil.second = value));
const dayOfYear = number(1, 3, 1, 366, (civil, value) => (civil.dayOfYear = value));
const epochSeconds = number(1, 11, 0, 99_999_999_999, (civil, value) => (civil.epochMs = value * 1_000));

const directives: Readonly<Record<string, readonly Piece[]>> = {
  Y: [year4],
  y: [year2],
  m: [month],
  b: [monthName],
  B: [monthName],
  h: [monthName],
  d: [day],
  e: [day],
  j: [dayOfYear],
  a: [weekday],
  A: [weekday],
  H: [hour],
  k: [hour],
  I: [hour],
  l: [hour],
  M: [minute],
  S: [second],
  f: [fraction],
  L: [fraction],
  N: [fraction],
  p: [half],
  P: [half],
  z: [zoneOffset],
  Z: [zoneName],
  s: [epochSeconds],
  T: [hour, literal(':'), minute, literal(':'), second],
  R: [hour, literal(':'), minute],
  F: [year4, literal('-'), month, literal('-'), day],
  D: [month, literal('/'), day, literal('/'), year2],
  n: [blanks],
  t: [blanks],
  '%': [literal('%')],
};

function strptime(source: string, path: string): Piece[] {
  const pieces: Piece[] = [];
  for (let at = 0; at < source.length; at++) {
    if (source[at] !== '%') {
      pieces.push(literal(source[at] as string));
      continue;
    }
    at++;
    if (source[at] === '-' || source[at] === '_') at++;
    const directive = source[at] ?? '';
    const found = Object.hasOwn(directives, directive) ? directives[directive] : undefined;
    if (found === undefined) throw wrong(path, `is ${shown(source)}, where %${directive} means nothing`, remedy);
    pieces.push(...found);
  }
  return merged(pieces);
}

/** Blanks of any length fit blanks of any length. */
function merged(pieces: readonly Piece[]): Piece[] {
  return pieces.filter((piece, i) => piece !== blanks || pieces[i - 1] !== blanks);
}

/** By letter; the count of letters tells little that matters for reading. */
const letters: Readonly<Record<string, (count: number) => Piece | undefined>> = {
  y: (count) => (count === 2 ? year2 : year4),
  u: (count) => (count === 2 ? year2 : year4),
  M: (count) => (count >= 3 ? monthName : month),
  L: (count) => (count >= 3 ? monthName : month),
  d: () => day,
  D: () => dayOfYear,
  E: () => weekday,
  H: () => hour,
  k: () => hour,
  h: () => hour,
  K: () => hour,
  m: () => minute,
  s: () => second,
  S: () => fraction,
  n: () => fraction,
  a: () => half,
  z: () => zoneName,
  V: () => zoneName,
  Z: () => zoneOffset,
  X: () => zoneOffset,
  x: () => zoneOffset,
};

function java(source: string, path: string): Piece[] {
  const pieces: Piece[] = [];
  for (let at = 0; at < source.length; ) {
    const letter = source[at] as string;
    if (letter === "'") {
      const end = source.indexOf("'", at + 1);
      if (end < 0) throw wrong(path, `is ${shown(source)}, where a quote does not end`, remedy);
      pieces.push(literal(end === at + 1 ? "'" : source.slice(at + 1, end)));
      at = end + 1;
      continue;
    }
    let end = at + 1;
    if (/[A-Za-z]/.test(letter)) {
      while (source[end] === letter) end++;
      const piece = Object.hasOwn(letters, letter) ? letters[letter]?.(end - at) : undefined;
      if (piece === undefined)
        throw wrong(path, `is ${shown(source)}, where ${source.slice(at, end)} means nothing`, remedy);
      // Digits without anything between them: yyyyMMddHHmmss.
      pieces.push(
        /[A-Za-z]/.test(source[end] ?? '') && 'yMdHms'.includes(letter) && end - at >= 2
          ? exact(piece, end - at)
          : piece,
      );
    } else pieces.push(literal(letter));
    at = end;
  }
  return merged(pieces);
}

/** Takes that many characters and no more. */
function exact(piece: Piece, length: number): Piece {
  return (text, at, civil) => (piece(text.slice(at, at + length), 0, civil) === length ? at + length : -1);
}
