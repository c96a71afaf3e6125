/**
 * When do places become variables? When enough different words were seen there in lines that are otherwise equal.
 * What is enough depends on what the words look like, on how many places vary together, and on how much of the line is
 * left to tell it from others.
 */
import type { TemplateConfig } from './config.ts';
import type { ShapeGroup } from './group.ts';
import {
  flagCapitals,
  flagDigit,
  flagName,
  flagReference,
  flagShort,
  flagSizeUnit,
  flagTimeUnit,
  flagVariable,
  type Pattern,
  value,
  wild,
  withoutDigits,
  wordFlags,
} from './pattern.ts';

/** Places that may vary together. */
const differencesMax = 3;
/** Patterns of one shape from which on they are taken for prose, where a full comparison is slow and finds nothing. */
export const proseMin = 256;
/** Different sets of places looked at for one pattern: a bound on work, far above what real logs need. */
const familiesMax = 32;
/** Lines per value below which a review takes a reference for a value of its place. */
const rareLines = 4;

/** Patterns that differ from one pattern in these places only. */
interface Family {
  places: number[];
  members: Pattern[];
}

/** How often the lines of a pattern were seen; Infinity decides without looking at that. */
export type CountOf = (pattern: Pattern) => number;

/**
 * Places of `pattern` that become wild by what is known of its shape; undefined: none. With `countOf`
 * (a review) rare values count for more: what was seen again and again with few values is rather part of the message.
 */
export function widening(
  pattern: Pattern,
  group: ShapeGroup,
  config: TemplateConfig,
  countOf?: CountOf,
): number[] | undefined {
  const families = familiesOf(pattern, group);
  if (families.length === 0) return undefined;
  families.sort((x, y) => x.places.length - y.places.length || y.members.length - x.members.length);
  for (const family of families) {
    const { places } = family;
    const members =
      places.length === 1
        ? family.members
        : families.filter((f) => f.places.every((p) => places.includes(p))).flatMap((f) => f.members);
    if (places.every((place) => varies(pattern, place, places.length, members, config, countOf))) {
      return union(places, pattern, members);
    }
  }
  return undefined;
}

function familiesOf(pattern: Pattern, group: ShapeGroup): Family[] {
  const families = new Map<string, Family>();
  // Among hundreds of messages of one shape, prose that is, only the plainest likeness is looked for.
  const most = group.patterns.length > proseMin ? 1 : differencesMax;
  const at = new Array<number>(most).fill(0);
  group.eachNear(pattern, at, (other, differences) => {
    const key = differences === 1 ? `${at[0]}` : at.slice(0, differences).join();
    const family = families.get(key);
    if (family) family.members.push(other);
    else if (families.size < familiesMax) families.set(key, { places: at.slice(0, differences), members: [other] });
  });
  return [...families.values()];
}

function varies(
  pattern: Pattern,
  place: number,
  together: number,
  members: readonly Pattern[],
  config: TemplateConfig,
  countOf: CountOf | undefined,
): boolean {
  /** Lines by value. */
  const values = new Map<number, number>();
  let all = 255;
  let longWords = true;
  for (const each of [pattern, ...members]) {
    const hash = each.places[place]!;
    values.set(hash, (values.get(hash) ?? 0) + (countOf?.(each) ?? 0));
    const flags = flagsOf(each)[place]!;
    all &= flags;
    if ((flags & flagShort) !== 0) longWords = false;
  }
  const constants = constantsOf(pattern) - together;
  if (constants < 1) return false;
  if ((all & (flagTimeUnit | flagSizeUnit)) !== 0) return true;
  if (values.has(value) && together === 1) return constants > 1 || values.size > 2;

  const reference = (all & flagReference) !== 0;
  const name = (all & flagName) !== 0;
  let needed = name ? config.nameValues : config.wordValues;
  if (
    together > 1 &&
    members.length + 1 < (reference ? 3 * together : (4 + 4 * together) * ((all & flagCapitals) !== 0 ? 2 : 1))
  )
    needed = Number.POSITIVE_INFINITY;
  if (constants < 3) needed += (name ? 3 : 6) * (3 - constants) - 3;
  if (place === 0) needed += 2;
  if ((all & flagCapitals) !== 0) needed *= 2;
  if (countOf !== undefined && together === 1) {
    const counts = [...values.values()];
    const often = counts.reduce((x, y) => x + y, 0) / values.size;
    if (often < rareLines && (reference || sameButNumbers(pattern, members, place, all))) needed = 2;
    // One value now and then beside a usual one: `password for root`, `password for mara`.
    else if ((all & flagCapitals) === 0 && constants > 3 && longWords && counts.filter((n) => n > 2).length < 2)
      needed = Math.min(needed, 3);
  }
  return values.size >= needed;
}

const sameButNumbers = (pattern: Pattern, members: readonly Pattern[], place: number, flags: number): boolean =>
  (flags & flagDigit) !== 0 &&
  members.every((member) => withoutDigits(member, place) === withoutDigits(pattern, place));

/** Places that are words, not variables. */
export function constantsOf(pattern: Pattern): number {
  const flags = flagsOf(pattern);
  let constants = 0;
  for (let i = 0; i < flags.length; i++) if ((flags[i]! & flagVariable) === 0) constants++;
  return constants;
}

const flagsOf = (pattern: Pattern): Uint8Array => (pattern.flags ??= wordFlags(pattern));

/** The places of a widening and those that are wild in one of the patterns already. */
function union(places: readonly number[], pattern: Pattern, members: readonly Pattern[]): number[] {
  const all = new Set(places);
  for (const { places: own } of [pattern, ...members])
    for (let i = 0; i < own.length; i++) if (own[i] === wild) all.add(i);
  return [...all].sort((x, y) => x - y);
}
