/** Civil calendar arithmetic in UTC, without Date objects: hot path of every timestamp. */
export const dayMs = 86_400_000;

/** Days since 1970-01-01 of a proleptic Gregorian date (Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
export function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/** Year of a time in ms since 1970, UTC. */
export function yearOf(timeMs: number): number {
  const z = Math.floor(timeMs / dayMs) + 719_468;
  const era = Math.floor(z / 146_097);
  const dayOfEra = z - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  return yearOfEra + era * 400 + (Math.floor((5 * dayOfYear + 2) / 153) >= 10 ? 1 : 0);
}

const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function isLeap(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

/** February 29 is valid where the year is not known (`undefined`). */
export function isValidDate(year: number | undefined, month: number, day: number): boolean {
  if (month < 1 || month > 12 || day < 1) return false;
  if (month === 2 && day === 29) return year === undefined || isLeap(year);
  return day <= (monthDays[month - 1] as number);
}

/**
 * The latest year in which month and day exist and the moment is not more than a day after `observedMs`.
 * `withinDayMs` is the time of day, already shifted to UTC.
 */
export function resolveYear(month: number, day: number, withinDayMs: number, observedMs: number): number {
  const latest = yearOf(observedMs + dayMs);
  for (let year = latest; year > latest - 9; year--) {
    if (!isValidDate(year, month, day)) continue;
    if (daysFromCivil(year, month, day) * dayMs + withinDayMs <= observedMs + dayMs) return year;
  }
  return latest - 1;
}
