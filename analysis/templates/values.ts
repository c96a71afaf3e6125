/** Where values begin and end, and which words are values: the masking rules, one function each, on bytes [from, stop). */
import { classOf, digit, endsValue, isHex, joiner, letter, space } from './bytes.ts';
import { unitFactor } from './units.ts';

const bracketBytesMax = 256;

/** True when the joiner at i begins a word: a path (`/x`, `./x`, `../x`, `~/x`, `\\x`) or a number (`-5`, `.5`, `#7`). */
export function startsWord(bytes: Uint8Array, i: number, start: number, stop: number): boolean {
  if (i + 1 >= stop) return false;
  const next = classOf[bytes[i + 1]!]!;
  const b = bytes[i]!;
  if (next === letter) return b === 0x2f || b === 0x5c;
  if (next === digit) {
    // The mark within `core.2599` is no part of the number.
    if (b === 0x2e || b === 0x23) return i === start || classOf[bytes[i - 1]!] !== letter;
    return b === 0x2f || b === 0x5c || b === 0x2d || b === 0x2b;
  }
  // `/?page=2` and `/~ada` after a blank or a quote.
  if (b === 0x2f && endsValue[bytes[i + 1]!] === 0 && (i === start || endsValue[bytes[i - 1]!] === 1)) return true;
  if (i + 2 >= stop || endsValue[bytes[i + 2]!] === 1) return false;
  if (b === 0x2f) return bytes[i + 1] === 0x2e || bytes[i + 1] === 0x2f;
  if (b === 0x7e) return bytes[i + 1] === 0x2f;
  return b === 0x2e && (bytes[i + 1] === 0x2f || (bytes[i + 1] === 0x2e && bytes[i + 2] === 0x2f));
}

/** End of a path or of the value of a key: up to a blank, a quote, a bracket or a list mark; a last `.` or `:` is not of it. */
export function valueStop(bytes: Uint8Array, from: number, stop: number): number {
  let j = from;
  while (j < stop && endsValue[bytes[j]!] === 0) j++;
  while (j > from && (bytes[j - 1] === 0x2e || bytes[j - 1] === 0x3a)) j--;
  return j;
}

/** End of a bound such as `<1 sec` or `>=90%` at i, the unit being part of it; -1: none, as in `<0>` or `a<5`. */
export function boundEnd(bytes: Uint8Array, i: number, start: number, stop: number): number {
  if (i > start && classOf[bytes[i - 1]!] !== space && bytes[i - 1] !== 0x28) return -1;
  let j = i + 1;
  while (j < stop && (classOf[bytes[j]!] === digit || classOf[bytes[j]!] === letter || bytes[j] === 0x2e)) j++;
  if (j < stop && bytes[j] === 0x3e) return -1;
  if (j + 1 < stop && bytes[j] === 0x20) {
    let k = j + 1;
    while (k < stop && classOf[bytes[k]!] === letter) k++;
    if (unitFactor(bytes, j + 1, k) > 0) return k;
  }
  return j;
}

/** True for what ends the name of a file or host: up to five lower-case letters. */
export function isSuffix(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from > 5) return false;
  for (let k = from; k < to; k++) if (bytes[k]! < 0x61 || bytes[k]! > 0x7a) return false;
  return true;
}

/** URLs may hold commas and brackets, but not at their end. */
export function urlEnd(bytes: Uint8Array, from: number, stop: number): number {
  let j = from;
  for (; j < stop; j++) {
    const b = bytes[j]!;
    if (classOf[b] === space || b === 0x22 || b === 0x27 || b === 0x3c || b === 0x3e || b === 0x60) break;
  }
  while (j > from && (endsValue[bytes[j - 1]!] === 1 || bytes[j - 1] === 0x2e || bytes[j - 1] === 0x3a)) j--;
  return j;
}

/** End of an IPv6 address, a MAC or a clock time at i: hex groups with two colons or more and a digit in them. -1: none. */
export function hexGroupsEnd(bytes: Uint8Array, i: number, stop: number): number {
  let colons = 0;
  let group = 0;
  let digits = 0;
  let j = i;
  for (; j < stop; j++) {
    const b = bytes[j]!;
    if (b === 0x3a) {
      if (j + 1 >= stop || (isHex[bytes[j + 1]!] === 0 && bytes[j + 1] !== 0x3a)) break;
      colons++;
      group = 0;
    } else if (isHex[b] === 1) {
      if (++group > 4) return -1;
      if (b <= 0x39) digits++;
    } else break;
  }
  if (colons < 2 || digits === 0) return -1;
  return j < stop && classOf[bytes[j]!] === letter ? -1 : j;
}

/** End of the digits at `from` if they are all there is of a port or a line number; -1 otherwise. */
export function portEnd(bytes: Uint8Array, from: number, stop: number): number {
  let j = from;
  while (j < stop && classOf[bytes[j]!] === digit) j++;
  if (j >= stop) return j;
  const after = classOf[bytes[j]!]!;
  return after === letter || (after === joiner && j + 1 < stop && classOf[bytes[j + 1]!]! !== space) ? -1 : j;
}

export function opensBracket(bytes: Uint8Array, at: number, stop: number): boolean {
  const b = at < stop ? bytes[at]! : 0;
  return b === 0x7b || b === 0x5b || b === 0x28;
}

/** `Name{…}`, `f(…)`, `a[0]`: the bracket right after a value belongs to it if no blank and no assignment is inside. */
export function bracketsEnd(bytes: Uint8Array, from: number, stop: number): number {
  if (!opensBracket(bytes, from, stop)) return from;
  let depth = 0;
  const limit = Math.min(stop, from + bracketBytesMax);
  for (let j = from; j < limit; j++) {
    const b = bytes[j]!;
    if (b === 0x7b || b === 0x5b || b === 0x28) depth++;
    else if (b === 0x7d || b === 0x5d || b === 0x29) {
      if (--depth === 0) return j + 1;
    } else if (b === 0x3d || classOf[b] === space) return from;
  }
  return from;
}

/** Three bytes, the first upper case, as one number. */
const code3 = (name: string): number => (name.charCodeAt(0) << 16) | (name.charCodeAt(1) << 8) | name.charCodeAt(2);
const months = new Set('Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ').map(code3));
const weekdays = new Set('Mon Tue Wed Thu Fri Sat Sun'.split(' ').map(code3));
const zones = new Set('UTC GMT EST EDT CST CDT MST MDT PST PDT CET EET BST JST IST'.split(' ').map(code3));

/** A month next to a number, or a weekday before one of both. */
export function isDatePart(bytes: Uint8Array, i: number, stop: number, afterValue: boolean): boolean {
  const code = (bytes[i]! << 16) | (bytes[i + 1]! << 8) | bytes[i + 2]!;
  if (months.has(code)) return afterValue || nextIsDigit(bytes, i + 3, stop);
  if (zones.has(code)) return afterValue;
  if (!weekdays.has(code)) return false;
  const k = i + 3 < stop && bytes[i + 3] === 0x2c ? i + 4 : i + 3;
  if (nextIsDigit(bytes, k, stop)) return true;
  return k + 3 < stop && months.has((bytes[k + 1]! << 16) | (bytes[k + 2]! << 8) | bytes[k + 3]!);
}

function nextIsDigit(bytes: Uint8Array, from: number, stop: number): boolean {
  let k = from;
  while (k < stop && bytes[k] === 0x20 && k < from + 2) k++;
  return k > from && k < stop && classOf[bytes[k]!] === digit;
}

/** What follows a clock time: AM, PM or a zone of four letters. */
export function isZone(bytes: Uint8Array, i: number, j: number): boolean {
  if (j - i === 2) return (bytes[i] === 0x41 || bytes[i] === 0x50) && bytes[i + 1] === 0x4d;
  return j - i === 4 && bytes[j - 1] === 0x54 && bytes[j - 2] === 0x53 && bytes[i] === 0x43 && bytes[i + 1] === 0x45;
}

/** true, false, null and nil, as `True` or `NULL` too. */
export function isConstantValue(bytes: Uint8Array, i: number, j: number): boolean {
  const b0 = bytes[i]! | 0x20;
  const b1 = bytes[i + 1]! | 0x20;
  const b2 = bytes[i + 2]! | 0x20;
  const b3 = bytes[i + 3]! | 0x20;
  if (j - i === 4) {
    if (b0 === 0x74) return b1 === 0x72 && b2 === 0x75 && b3 === 0x65;
    return b0 === 0x6e && b1 === 0x75 && b2 === 0x6c && b3 === 0x6c;
  }
  return b0 === 0x66 && b1 === 0x61 && b2 === 0x6c && b3 === 0x73 && (bytes[i + 4]! | 0x20) === 0x65;
}

/**
 * Where the value of the `=` at i begins. -1: this `=` assigns nothing (`==`, `>=`) or a bracket opens, whose inside is
 * read as usual; -2: nothing follows it.
 */
export function valueStart(bytes: Uint8Array, i: number, stop: number, blankBefore: boolean): number {
  const before = bytes[i - 1]!;
  if (before === 0x21 || before === 0x3c || before === 0x3e || before === 0x7e || before === 0x3a || before === 0x2b)
    return -1;
  let k = i + 1;
  if (k >= stop) return -2;
  const after = bytes[k]!;
  if (after === 0x3e || after === 0x7e) return -1;
  if (classOf[after] === space) {
    if (after === 0x0a) return -2;
    while (k < stop && classOf[bytes[k]!] === space && bytes[k] !== 0x0a) k++;
    if (k >= stop || bytes[k] === 0x0a) return -2;
    if (!blankBefore) {
      // `a= b=1`: the next word is a key, so this value is empty.
      let m = k;
      while (m < stop && endsValue[bytes[m]!] === 0 && bytes[m] !== 0x3d) m++;
      if (m > k && m < stop && bytes[m] === 0x3d && (m + 1 >= stop || bytes[m + 1] !== 0x3d)) return -2;
    }
  }
  const b = bytes[k]!;
  if (b === 0x7b || b === 0x5b || b === 0x28 || b === 0x3c) return -1;
  if (b === 0x22 || b === 0x27) return k;
  if (endsValue[b] === 1) return -2;
  return k;
}

/** The quote that closes a text in double quotes which begins at `from`, if a blank or nothing follows it; -1 otherwise. */
export function quotedEnd(bytes: Uint8Array, from: number, stop: number): number {
  let j = from;
  while (j < stop && bytes[j] !== 0x22) j++;
  if (j >= stop) return -1;
  return j + 1 === stop || classOf[bytes[j + 1]!] === space ? j : -1;
}

/** Where the string of a JSON member such as `"user": "ada"` begins; -1: the member is no string. */
export function memberStart(bytes: Uint8Array, from: number, stop: number): number {
  const k = from < stop && bytes[from] === 0x20 ? from + 1 : from;
  return k < stop && (bytes[k] === 0x22 || bytes[k] === 0x27) ? k : -1;
}

/** True for three lower-case letters or more. */
export function isLowerWord(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from < 3) return false;
  for (let k = from; k < to; k++) if ((bytes[k]! < 0x61 || bytes[k]! > 0x7a) && bytes[k] !== 0x5f) return false;
  return true;
}

/** Keys whose value is the message itself, or a part of it, and so is read as words: by length, in lower case. */
const messageKeys: readonly (readonly Uint8Array[] | undefined)[] = byLength(
  'msg message event error err text log level lvl severity'.split(' '),
);

function byLength(names: readonly string[]): Uint8Array[][] {
  const lists: Uint8Array[][] = [];
  for (const name of names) (lists[name.length] ??= []).push(new TextEncoder().encode(name));
  return lists;
}

/** True for `msg`, `error`, `level` and the like, in any case. */
export function isMessageKey(bytes: Uint8Array, from: number, to: number): boolean {
  const names = messageKeys[to - from];
  if (names === undefined) return false;
  for (const name of names) {
    let k = 0;
    while (k < name.length && (bytes[from + k]! | 0x20) === name[k]) k++;
    if (k === name.length) return true;
  }
  return false;
}
