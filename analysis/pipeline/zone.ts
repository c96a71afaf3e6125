/** Time zones by their IANA names, with daylight saving, from the runtime's own data. */
import { wrong } from './reading.ts';

export interface Zone {
  name: string;
  /** ms since 1970 of a local time given as if it were UTC. */
  toUtc(localMs: number): number;
}

const fixedOffset = /^(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d{2}))?$/i;
/** Offsets change at quarters of an hour at the finest. */
const quarterMs = 900_000;
const rememberedMax = 4_096;

/** An IANA name (`Europe/Berlin`), `UTC`, or an offset (`+05:30`). @throws LogweirError CONFIG_INVALID */
export function zoneOf(name: string, path: string): Zone {
  const fixed = fixedOffset.exec(name);
  if (fixed !== null) {
    const minutes = Number(fixed[2]) * 60 + Number(fixed[3] ?? 0);
    if (minutes <= 14 * 60) return fixedZone(name, fixed[1] === '-' ? -minutes : minutes);
  }
  if (/^(?:UTC|GMT|Z)$/i.test(name)) return fixedZone(name, 0);
  try {
    return new NamedZone(name);
  } catch {
    throw wrong(
      path,
      `is "${name}", which is no time zone`,
      'Name one of the IANA database such as Europe/Berlin, UTC, or an offset such as +05:30.',
    );
  }
}

const fixedZone = (name: string, minutes: number): Zone => ({ name, toUtc: (localMs) => localMs - minutes * 60_000 });

class NamedZone implements Zone {
  readonly name: string;
  private readonly format: Intl.DateTimeFormat;
  /** Offset in ms by quarter of an hour. */
  private readonly offsets = new Map<number, number>();

  /** @throws RangeError where there is no such zone */
  constructor(name: string) {
    this.name = name;
    this.format = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
      era: 'short',
    });
  }

  /** A time that is there twice, when clocks are set back, is the first; one that is skipped is moved on by the gap. */
  toUtc(localMs: number): number {
    const before = this.offsetAt(localMs - 86_400_000);
    const first = localMs - before;
    if (this.offsetAt(first) === before) return first;
    const after = this.offsetAt(localMs + 86_400_000);
    const second = localMs - after;
    return this.offsetAt(second) === after ? second : first;
  }

  private offsetAt(utcMs: number): number {
    const quarter = Math.floor(utcMs / quarterMs);
    let offset = this.offsets.get(quarter);
    if (offset === undefined) {
      offset = this.ask(quarter * quarterMs);
      if (this.offsets.size >= rememberedMax) this.offsets.clear();
      this.offsets.set(quarter, offset);
    }
    return offset;
  }

  private ask(utcMs: number): number {
    const parts: Record<string, number> = {};
    for (const { type, value } of this.format.formatToParts(utcMs)) parts[type] = Number(value);
    const { year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
    return Date.UTC(year, month - 1, day, hour, minute, second) - utcMs;
  }
}
