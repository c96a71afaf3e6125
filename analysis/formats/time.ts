/**
 * Reads a timestamp out of a line at a given position, in any of the forms that logs use, without `Date`.
 * A scanner belongs to one source: it knows the observed time (for stamps without year or date) and the zone of
 * stamps that name none.
 */
import { eventTimeMsMax, eventTimeMsMin } from '#protocol/mod.ts';
import { dayMs, daysFromCivil, isValidDate, resolveYear } from './civil.ts';
import { char, digitsEnd, isAlnum, isDigit, isLetter, isSpace, numberAt } from './scan.ts';

/** How much a stamp says: a bare number, a time of day, a date without year, a full date. */
export type StampKind = 'epoch' | 'time' | 'yearless' | 'full';

const monthNumbers: ReadonlyMap<string, number> = new Map(
  ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'].flatMap((name, i) => {
    const title = name.charAt(0).toUpperCase() + name.slice(1);
    return [
      [name, i + 1],
      [title, i + 1],
      [name.toUpperCase(), i + 1],
    ] as [string, number][];
  }),
);
const weekdays: ReadonlySet<string> = new Set(['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']);
/** Zone abbreviations that mean one offset in practice, in minutes east. Others are left alone. */
const zoneMinutes: ReadonlyMap<string, number> = new Map([
  ['UTC', 0],
  ['GMT', 0],
  ['CET', 60],
  ['CEST', 120],
  ['EET', 120],
  ['EEST', 180],
  ['MSK', 180],
  ['JST', 540],
  ['KST', 540],
  ['EST', -300],
  ['EDT', -240],
  ['CDT', -300],
  ['MST', -420],
  ['MDT', -360],
  ['PST', -480],
  ['PDT', -420],
]);
/** Most words behind a stamp are levels: their first letters tell them from zones. */
const zoneInitials: readonly number[] = [...new Set([...zoneMinutes.keys()].map((name) => name.charCodeAt(0)))];
const epochSecondsMin = 631_152_000;
const epochSecondsMax = 4_102_444_800;

export class TimeScanner {
  /** Results of the last successful `scan`. */
  timeMs = 0;
  subNs = 0;
  kind: StampKind = 'full';
  /** Whether the stamp said its zone, as Z, an offset or a name; an epoch number needs none. */
  zoned = false;
  /** Zone of stamps that name none. */
  readonly utcOffsetMinutes: number;
  private readonly observedMs: number;
  private readonly offsetMs: number;
  /** Start of the day of the last full stamp, which stamps without a date belong to. */
  private lastDayMs = -1;
  // The last `scan` and what it gave: several formats look at the same place of a line before one takes it.
  private memoText = '';
  private memoAt = -1;
  private memoEnd = -1;
  private memoTimeMs = 0;
  private memoSubNs = 0;
  private memoKind: StampKind = 'full';
  private memoZoned = false;
  // Pieces of the stamp being read.
  private year = 0;
  private month = 0;
  private day = 0;
  private withinDayMs = 0;
  private zoneMs = 0;

  constructor(observedMs: number, utcOffsetMinutes = 0) {
    this.observedMs = observedMs;
    this.utcOffsetMinutes = utcOffsetMinutes;
    this.offsetMs = utcOffsetMinutes * 60_000;
  }

  /** Reads a stamp that starts at `at`. Returns the index after it, or -1. */
  scan(text: string, at: number): number {
    if (at === this.memoAt && text === this.memoText) {
      this.timeMs = this.memoTimeMs;
      this.subNs = this.memoSubNs;
      this.kind = this.memoKind;
      this.zoned = this.memoZoned;
      return this.memoEnd;
    }
    const end = this.scanAfresh(text, at);
    this.memoText = text;
    this.memoAt = at;
    this.memoEnd = end;
    this.memoTimeMs = this.timeMs;
    this.memoSubNs = this.subNs;
    this.memoKind = this.kind;
    this.memoZoned = this.zoned;
    return end;
  }

  private scanAfresh(text: string, at: number): number {
    const first = text.charCodeAt(at);
    this.zoned = false;
    let end = -1;
    if (isDigit(first)) end = this.scanNumeric(text, at);
    else if (isLetter(first)) end = this.scanNamed(text, at);
    if (end < 0 || isAlnum(text.charCodeAt(end))) return -1;
    return this.timeMs >= eventTimeMsMin && this.timeMs <= eventTimeMsMax ? end : -1;
  }

  /** A field whose whole text is a stamp, an epoch number in s, ms, µs or ns, or a date. */
  scanField(text: string): boolean {
    let start = 0;
    let { length } = text;
    while (start < length && text.charCodeAt(start) <= char.space) start++;
    while (length > start && text.charCodeAt(length - 1) <= char.space) length--;
    const end = this.scan(text, start);
    if (end === length) return true;
    if (isDigit(text.charCodeAt(start)) && this.scanEpochField(text, start, length)) return true;
    const date = this.scanYearFirstDate(text, start, digitsEnd(text, start));
    if (date !== length) return false;
    this.withinDayMs = 0;
    this.subNs = 0;
    this.zoneMs = this.offsetMs;
    this.zoned = false;
    return this.finishFull(date) === date && this.timeMs >= eventTimeMsMin && this.timeMs <= eventTimeMsMax;
  }

  /** Epoch number: seconds under 1e11, milliseconds under 1e14, microseconds under 1e17, else nanoseconds. */
  fromNumber(value: number): boolean {
    if (!Number.isFinite(value) || value < 0) return false;
    let ms = value < 1e11 ? value * 1e3 : value < 1e14 ? value : value < 1e17 ? value / 1e3 : value / 1e6;
    // A double of seconds holds about 0.1 µs today: rounding there keeps the digits that were written.
    const whole = Math.floor(ms + 1e-5);
    ms -= whole;
    this.timeMs = whole;
    this.subNs = ms <= 0 ? 0 : Math.min(999_999, Math.round(ms * 1e4) * 100);
    this.kind = 'epoch';
    this.zoned = true;
    return whole <= eventTimeMsMax;
  }

  private scanEpochField(text: string, start: number, end: number): boolean {
    const digits = digitsEnd(text, start);
    if (digits - start > 19) return false;
    if (digits === end && end - start === 19) {
      this.timeMs = numberAt(text, start, start + 13);
      this.subNs = numberAt(text, start + 13, end);
      this.kind = 'epoch';
      this.zoned = true;
      return this.timeMs <= eventTimeMsMax;
    }
    if (digits !== end && (text.charCodeAt(digits) !== char.dot || digitsEnd(text, digits + 1) !== end)) return false;
    return this.fromNumber(Number(text.slice(start, end)));
  }

  private scanNumeric(text: string, at: number): number {
    const end = digitsEnd(text, at);
    const next = text.charCodeAt(end);
    switch (end - at) {
      case 1:
      case 2:
        return this.scanShort(text, at, end, next);
      case 4: {
        const date = this.scanYearFirstDate(text, at, end);
        return date < 0 ? -1 : this.scanTimeAfterDate(text, date);
      }
      case 6: {
        // yymmdd HHMMSS, yymmdd H:MM:SS
        if (next !== char.space) return -1;
        if (
          !this.setDate(2000 + numberAt(text, at, at + 2), numberAt(text, at + 2, at + 4), numberAt(text, at + 4, end))
        )
          return -1;
        return this.scanTimeAfterDate(text, end);
      }
      case 8:
        // yyyymmdd, then a time
        if (!this.setDate(numberAt(text, at, at + 4), numberAt(text, at + 4, at + 6), numberAt(text, at + 6, end)))
          return -1;
        return this.scanTimeAfterDate(text, end);
      case 9:
      case 10:
        return this.scanEpochSeconds(text, at, end);
      case 13:
      case 16:
      case 19: {
        if (!endsNumber(text, end)) return -1;
        const seconds = numberAt(text, at, at + 10);
        if (seconds < epochSecondsMin || seconds > epochSecondsMax) return -1;
        this.timeMs = numberAt(text, at, at + 13);
        this.subNs =
          end - at === 13 ? 0 : end - at === 16 ? numberAt(text, at + 13, end) * 1000 : numberAt(text, at + 13, end);
        this.kind = 'epoch';
        this.zoned = true;
        return end;
      }
      default:
        return -1;
    }
  }

  private scanEpochSeconds(text: string, at: number, end: number): number {
    const seconds = numberAt(text, at, end);
    if (seconds < epochSecondsMin || seconds > epochSecondsMax) return -1;
    this.timeMs = seconds * 1000;
    this.subNs = 0;
    if (text.charCodeAt(end) === char.dot && isDigit(text.charCodeAt(end + 1))) {
      const fraction = digitsEnd(text, end + 1);
      this.setFraction(text, end + 1, fraction);
      this.timeMs += this.withinDayMs;
      end = fraction;
    }
    this.kind = 'epoch';
    this.zoned = true;
    return endsNumber(text, end) ? end : -1;
  }

  /** Stamps that start with one or two digits. */
  private scanShort(text: string, at: number, end: number, next: number): number {
    const a = numberAt(text, at, end);
    if (next === char.colon) {
      const time = this.scanTimeOfDay(text, at, true);
      return time < 0 ? -1 : this.finishTimeOnly(time);
    }
    if (next === char.space) {
      // 5 Mar 2024 10:00:00
      const month = monthNumbers.get(text.slice(end + 1, end + 4));
      if (month === undefined || text.charCodeAt(end + 4) !== char.space) return -1;
      const yearEnd = digitsEnd(text, end + 5);
      if (yearEnd - end !== 9) {
        if (!this.setYearless(month, a)) return -1;
        return this.scanTimeAfterDate(text, end + 4);
      }
      if (!this.setDate(numberAt(text, end + 5, yearEnd), month, a)) return -1;
      return this.scanTimeAfterDate(text, yearEnd);
    }
    if (next !== char.slash && next !== char.minus && next !== char.dot) return -1;
    if (isLetter(text.charCodeAt(end + 1))) {
      // 05/Mar/2024:10:00:00, 05-Mar-2024 10:00:00
      const month = monthNumbers.get(text.slice(end + 1, end + 4));
      if (month === undefined || text.charCodeAt(end + 4) !== next) return -1;
      const yearEnd = digitsEnd(text, end + 5);
      if (yearEnd - end !== 9 || !this.setDate(numberAt(text, end + 5, yearEnd), month, a)) return -1;
      return this.scanTimeAfterDate(text, yearEnd);
    }
    const bEnd = digitsEnd(text, end + 1);
    const bLength = bEnd - end - 1;
    if (bLength < 1 || bLength > 2) return -1;
    const b = numberAt(text, end + 1, bEnd);
    if (text.charCodeAt(bEnd) !== next) {
      // 03-17 16:13:38.811, 10.30 16:49:06
      if (end - at !== 2 || bLength !== 2 || !isSpace(text.charCodeAt(bEnd)) || !this.setYearless(a, b)) return -1;
      return this.scanTimeAfterDate(text, bEnd);
    }
    const cEnd = digitsEnd(text, bEnd + 1);
    const c = numberAt(text, bEnd + 1, Math.min(cEnd, bEnd + 5));
    const dayFirst = next === char.dot || a > 12;
    if (cEnd - bEnd === 5) {
      if (!(dayFirst ? this.setDate(c, b, a) : this.setDate(c, a, b) || this.setDate(c, b, a))) return -1;
    } else if (cEnd - bEnd === 3) {
      // yy/mm/dd unless only mm/dd/yy makes a date
      if (!this.setDate(2000 + a, b, c) && !this.setDate(2000 + c, a, b) && !this.setDate(2000 + c, b, a)) return -1;
    } else return -1;
    return this.scanTimeAfterDate(text, cEnd);
  }

  /** yyyy-mm-dd, yyyy/m/d, yyyy.mm.dd; returns the index after the date. */
  private scanYearFirstDate(text: string, at: number, yearEnd: number): number {
    if (yearEnd - at !== 4) return -1;
    const separator = text.charCodeAt(yearEnd);
    if (separator !== char.minus && separator !== char.slash && separator !== char.dot) return -1;
    const monthEnd = digitsEnd(text, yearEnd + 1);
    if (monthEnd - yearEnd > 3 || text.charCodeAt(monthEnd) !== separator) return -1;
    const dayEnd = digitsEnd(text, monthEnd + 1);
    if (dayEnd - monthEnd > 3 || dayEnd === monthEnd + 1) return -1;
    const valid = this.setDate(
      numberAt(text, at, yearEnd),
      numberAt(text, yearEnd + 1, monthEnd),
      numberAt(text, monthEnd + 1, dayEnd),
    );
    return valid ? dayEnd : -1;
  }

  /** Stamps that start with a month or weekday name. */
  private scanNamed(text: string, at: number): number {
    const name = text.slice(at, at + 3);
    let month = monthNumbers.get(name);
    let next = at + 3;
    if (month === undefined) {
      if (!weekdays.has(name)) return -1;
      if (text.charCodeAt(next) === char.comma) next++;
      if (text.charCodeAt(next) !== char.space) return -1;
      if (isDigit(text.charCodeAt(next + 1))) return this.scan(text, next + 1);
      month = monthNumbers.get(text.slice(next + 1, next + 4));
      if (month === undefined) return -1;
      next += 4;
    }
    if (text.charCodeAt(next) !== char.space) return -1;
    while (text.charCodeAt(next) === char.space) next++;
    const dayEnd = digitsEnd(text, next);
    if (dayEnd === next || dayEnd - next > 2) return -1;
    const day = numberAt(text, next, dayEnd);
    if (text.charCodeAt(dayEnd) === char.comma) next = dayEnd + 1;
    else next = dayEnd;
    if (text.charCodeAt(next) !== char.space) return -1;
    const yearEnd = digitsEnd(text, next + 1);
    if (yearEnd - next === 5 && text.charCodeAt(yearEnd) !== char.colon) {
      if (!this.setDate(numberAt(text, next + 1, yearEnd), month, day)) return -1;
      return this.scanTimeAfterDate(text, yearEnd);
    }
    if (!this.setYearless(month, day)) return -1;
    const end = this.scanTimeOfDay(text, next + 1, false);
    if (end < 0) return -1;
    return this.finishTrailingYear(text, end, month, day);
  }

  /** `Www Mon d HH:MM:SS [ZONE] yyyy` names the year after the time. */
  private finishTrailingYear(text: string, end: number, month: number, day: number): number {
    let at = end;
    if (isLetter(text.charCodeAt(at + 1))) {
      let zoneEnd = at + 1;
      while (isLetter(text.charCodeAt(zoneEnd))) zoneEnd++;
      const zone = zoneMinutes.get(text.slice(at + 1, zoneEnd));
      if (zone !== undefined && isDigit(text.charCodeAt(zoneEnd + 1))) {
        this.zoneMs = zone * 60_000;
        this.zoned = true;
        at = zoneEnd;
      }
    }
    const yearEnd = text.charCodeAt(at) === char.space ? digitsEnd(text, at + 1) : at;
    const year = yearEnd - at === 5 ? numberAt(text, at + 1, yearEnd) : 0;
    if (year >= 1970 && year <= 2106 && !isAlnum(text.charCodeAt(yearEnd)) && this.setDate(year, month, day)) {
      return this.finishFull(yearEnd);
    }
    return this.finishFull(end);
  }

  private scanTimeAfterDate(text: string, at: number): number {
    const code = text.charCodeAt(at);
    // T, t, space, minus, colon, underscore
    if (
      code !== 84 &&
      code !== char.space &&
      code !== char.minus &&
      code !== char.colon &&
      code !== 116 &&
      code !== char.underscore
    ) {
      return -1;
    }
    let start = at + 1;
    if (code === char.space && text.charCodeAt(start) === char.space) start++;
    const end = this.scanTimeOfDay(text, start, false);
    return end < 0 ? -1 : this.finishFull(end);
  }

  /**
   * HH:MM:SS with a fraction and zone behind it, HHMMSS, HH.MM.SS, and HH:MM. Sets withinDayMs, subNs, zoneMs.
   */
  private scanTimeOfDay(text: string, at: number, secondsNeeded: boolean): number {
    let end = digitsEnd(text, at);
    let hour: number;
    let minute: number;
    let second = 0;
    const length = end - at;
    this.subNs = 0;
    if (length === 6) {
      hour = numberAt(text, at, at + 2);
      minute = numberAt(text, at + 2, at + 4);
      second = numberAt(text, at + 4, end);
    } else if (length === 1 || length === 2) {
      const separator = text.charCodeAt(end);
      if (separator !== char.colon && separator !== char.dot) return -1;
      hour = numberAt(text, at, end);
      const minuteEnd = digitsEnd(text, end + 1);
      if (minuteEnd - end < 2 || minuteEnd - end > 3) return -1;
      minute = numberAt(text, end + 1, minuteEnd);
      end = minuteEnd;
      if (text.charCodeAt(end) === separator && isDigit(text.charCodeAt(end + 1))) {
        const secondEnd = digitsEnd(text, end + 1);
        if (secondEnd - end > 3) return -1;
        second = numberAt(text, end + 1, secondEnd);
        end = secondEnd;
      } else if (secondsNeeded || separator === char.dot) return -1;
    } else return -1;
    if (hour > 24 || minute > 59 || second > 60) return -1;
    let fractionMs = 0;
    const mark = text.charCodeAt(end);
    if ((mark === char.dot || mark === char.comma) && isDigit(text.charCodeAt(end + 1))) {
      const fraction = digitsEnd(text, end + 1);
      if (fraction - end > 13) return -1;
      this.setFraction(text, end + 1, fraction);
      fractionMs = this.withinDayMs;
      end = fraction;
    } else if (mark === char.colon && isDigit(text.charCodeAt(end + 1))) {
      // HH:MM:SS:mmm, where mmm is a count and not padded by everybody
      const fraction = digitsEnd(text, end + 1);
      if (fraction - end > 4) return -1;
      fractionMs = numberAt(text, end + 1, fraction);
      end = fraction;
    }
    if (text.charCodeAt(end) === char.space && (text.charCodeAt(end + 2) | 32) === 109) {
      const half = text.charCodeAt(end + 1) | 32;
      if ((half === 97 || half === 112) && !isAlnum(text.charCodeAt(end + 3)) && hour >= 1 && hour <= 12) {
        hour = (hour % 12) + (half === 112 ? 12 : 0);
        end += 3;
      }
    }
    this.withinDayMs = ((hour * 60 + minute) * 60 + second) * 1000 + fractionMs;
    return this.scanZone(text, end);
  }

  private scanZone(text: string, at: number): number {
    this.zoneMs = this.offsetMs;
    this.zoned = false;
    let code = text.charCodeAt(at);
    if (code === 90 || code === 122) {
      this.zoneMs = 0;
      this.zoned = true;
      return at + 1;
    }
    let start = at;
    if (code === char.space) {
      code = text.charCodeAt(++start);
      // After a space only four digits, with or without a colon, are surely a zone.
      if (code === char.plus || code === char.minus) {
        const digits = digitsEnd(text, start + 1) - start - 1;
        if (digits !== 4 && !(digits === 2 && text.charCodeAt(start + 3) === char.colon)) return at;
      }
    }
    if (code === char.plus || code === char.minus) {
      const hourEnd = digitsEnd(text, start + 1);
      const digits = hourEnd - start - 1;
      if (digits !== 2 && digits !== 4) return at;
      let minutes = numberAt(text, start + 1, start + 3) * 60;
      let end = hourEnd;
      if (digits === 4) minutes += numberAt(text, start + 3, hourEnd);
      else if (text.charCodeAt(end) === char.colon && digitsEnd(text, end + 1) - end === 3) {
        minutes += numberAt(text, end + 1, end + 3);
        end += 3;
      }
      if (minutes > 18 * 60 || isAlnum(text.charCodeAt(end))) return at;
      this.zoneMs = (code === char.minus ? -minutes : minutes) * 60_000;
      this.zoned = true;
      return end;
    }
    if (start > at && zoneInitials.includes(code)) {
      let end = start;
      while (isLetter(text.charCodeAt(end))) end++;
      if (end - start < 3 || end - start > 4) return at;
      const zone = zoneMinutes.get(text.slice(start, end));
      const after = text.charCodeAt(end);
      if (zone === undefined || isDigit(after) || (after === char.space && isDigit(text.charCodeAt(end + 1))))
        return at;
      this.zoneMs = zone * 60_000;
      this.zoned = true;
      return end;
    }
    return at;
  }

  /** Digits of a fraction of a second into withinDayMs (whole ms) and subNs. */
  private setFraction(text: string, start: number, end: number): void {
    let nanoseconds = 0;
    for (let i = 0; i < 9; i++)
      nanoseconds = nanoseconds * 10 + (start + i < end ? text.charCodeAt(start + i) - 48 : 0);
    this.withinDayMs = Math.floor(nanoseconds / 1_000_000);
    this.subNs = nanoseconds % 1_000_000;
  }

  private setDate(year: number, month: number, day: number): boolean {
    if (year < 1970 || year > 2106 || !isValidDate(year, month, day)) return false;
    this.year = year;
    this.month = month;
    this.day = day;
    return true;
  }

  private setYearless(month: number, day: number): boolean {
    if (!isValidDate(undefined, month, day)) return false;
    this.year = 0;
    this.month = month;
    this.day = day;
    return true;
  }

  private finishFull(end: number): number {
    const withinDayMs = this.withinDayMs - this.zoneMs;
    this.kind = this.year === 0 ? 'yearless' : 'full';
    const year = this.year === 0 ? resolveYear(this.month, this.day, withinDayMs, this.observedMs) : this.year;
    const day = daysFromCivil(year, this.month, this.day) * dayMs;
    this.lastDayMs = day;
    this.timeMs = day + withinDayMs;
    return end;
  }

  /** A time without a date is on the day of the source's last full stamp, else on the last such moment not ahead. */
  private finishTimeOnly(end: number): number {
    this.kind = 'time';
    const withinDayMs = this.withinDayMs - this.zoneMs;
    if (this.lastDayMs >= 0) {
      this.timeMs = this.lastDayMs + withinDayMs;
      return end;
    }
    const today = Math.floor(this.observedMs / dayMs) * dayMs;
    this.timeMs = today + withinDayMs;
    while (this.timeMs > this.observedMs + 3_600_000 && this.timeMs >= dayMs) this.timeMs -= dayMs;
    return end;
  }
}

/** True where a bare number ends as a field does: not in the middle of an address, version or size. */
function endsNumber(text: string, end: number): boolean {
  const code = text.charCodeAt(end);
  return (
    Number.isNaN(code) ||
    isSpace(code) ||
    code === char.bracketClose ||
    code === char.comma ||
    code === char.colon ||
    code === char.pipe
  );
}
