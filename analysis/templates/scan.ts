/**
 * One pass over the bytes of a line: masks what is certainly a value, cuts the rest into tokens, hashes the result.
 *
 * Tokens are words (`a.b-c_1` is one), single marks or runs of one mark, and masked values. A blank before a token is
 * its first byte. Masked are: numbers with units, hex, UUIDs, IPs, MACs, times and dates, words with two or more
 * digits, paths, URLs, e-mail and host:port, `true`/`false`/`null`, and the value of `key=value`. Neighbouring
 * values with only links between them (`1, 2, 3`, `10.0.0.1:80`) fold into one.
 *
 * Of a body with several lines the first is read, then a `⏎` mark, then the last line that is not indented, if there
 * is one: a Java trace is its message and its root cause, a Python trace its header and the exception, whatever the
 * frames between.
 */
import { classOf, digit, endsValue, isHex, isLink, joiner, letter, mark, space } from './bytes.ts';
import { unitFactor } from './units.ts';

/** Stands for a masked value in patterns and hashes; as a line byte it is a blank. */
export const valueByte = 1;
/** Stands for the lines between the first and the last of a body; shown as `⏎`. */
export const moreByte = 3;
export const kindMark = 0;
export const kindValue = 1;
export const kindWord = 2;
/** The mark between the first and the last line of a body. */
export const kindMore = 3;

const seedA = 0x811c9dc5 | 0;
const seedB = 0x2545f491;
const primeA = 0x01000193;
const primeB = 0x9e3779b1 | 0;
const numbersMax = 16;
const traceBytesMax = 65_536;
const bracketBytesMax = 256;

export class LineScanner {
  /** Token t is bytes [froms[t], tos[t]) of the line, a value where kinds[t] says so; blanks[t] is 1 after a blank. */
  froms = new Int32Array(64);
  tos = new Int32Array(64);
  kinds = new Uint8Array(64);
  blanks = new Uint8Array(64);
  tokens = 0;
  /** Two 32-bit hashes of the masked line. */
  hashA = 0;
  hashB = 0;
  /** Plain numbers among the masked values: times in ms, sizes in bytes, others as written. */
  readonly numbers = new Float64Array(numbersMax);
  numberCount = 0;

  readonly #maxTokens: number;
  readonly #maxBytes: number;

  constructor(maxTokens: number, maxBytes: number) {
    this.#maxTokens = maxTokens;
    this.#maxBytes = maxBytes;
  }

  /** Scans bytes [start, end). Hot, therefore long and plain, and no byte is copied; see loadtest/bench/templates.bench.ts. */
  scan(bytes: Uint8Array, start: number, end: number): void {
    const limit = Math.min(end, bytes.length);
    let stop = Math.min(limit, start + this.#maxBytes);
    let cut = stop < limit;
    this.#reserve(Math.min(limit - start, 2 * this.#maxBytes));
    const { froms, tos, kinds, blanks } = this;
    const tokensMax = this.#maxTokens;
    let tokens = 0;
    let hashA = seedA;
    let hashB = seedB;
    // State to go back to when the next value folds into the last one; foldTokens < 0: nothing to fold into.
    let foldTokens = -1;
    let foldA = 0;
    let foldB = 0;
    let blank = 0;
    let valueAt = -1;
    let valueEnd = -1;
    let oneLine = true;
    this.numberCount = 0;

    let i = start;
    while (i < stop) {
      const b = bytes[i]!;
      const c = classOf[b]!;
      if (c === space && i !== valueAt) {
        i++;
        if (tokens > 0) blank = 1;
        if (b === 0x0a && oneLine && tokens > 0) {
          oneLine = false;
          const last = lastFlushLine(bytes, i, limit);
          cut = false;
          if (last === -1) break;
          froms[tokens] = tos[tokens] = i;
          blanks[tokens] = 1;
          kinds[tokens++] = kindMore;
          hashA = Math.imul(hashA ^ moreByte, primeA);
          hashB = endToken(hashB ^ moreByte);
          foldTokens = -1;
          if (last === -2) break;
          i = last;
          stop = find(bytes, 0x0a, i, Math.min(limit, i + this.#maxBytes));
        }
        continue;
      }

      // One token: where it ends, what it is; its bytes are hashed on the way, which a value undoes.
      let j = i + 1;
      let kind = kindMark;
      const beforeA = hashA;
      const beforeB = hashB;
      if (blank === 1) {
        hashA = Math.imul(hashA ^ 0x20, primeA);
        hashB = ((hashB << 5) | (hashB >>> 27)) ^ 0x20;
      }
      if (i === valueAt) {
        if (valueEnd < 0 && (b === 0x22 || b === 0x27)) {
          // The quote is a mark of its own, and the value all up to the next one.
          const close = find(bytes, b, i + 1, stop);
          valueAt = close < stop ? i + 1 : -1;
          valueEnd = close;
          hashA = Math.imul(hashA ^ b, primeA);
          hashB = ((hashB << 5) | (hashB >>> 27)) ^ b;
        } else {
          if (valueEnd >= 0) j = valueEnd;
          else j = bracketsEnd(bytes, valueStop(bytes, i + 1, stop), stop);
          valueAt = -1;
          valueEnd = -1;
          kind = kindValue;
          if (j > i) this.#number(bytes, i, j, stop);
        }
      } else if (c === letter || c === digit || (c === joiner && startsWord(bytes, i, stop))) {
        kind = kindWord;
        if (c === letter) {
          hashA = Math.imul(hashA ^ b, primeA);
          hashB = ((hashB << 5) | (hashB >>> 27)) ^ b;
          for (; j < stop; j++) {
            const byte = bytes[j]!;
            if (classOf[byte] !== letter) break;
            hashA = Math.imul(hashA ^ byte, primeA);
            hashB = ((hashB << 5) | (hashB >>> 27)) ^ byte;
          }
        } else if (
          c === joiner &&
          b !== 0x2d &&
          b !== 0x2b &&
          b !== 0x23 &&
          (b !== 0x2e || classOf[bytes[i + 1]!] !== digit)
        ) {
          if (b === 0x5c) j = i;
          else {
            j = valueStop(bytes, j, stop);
            kind = kindValue;
          }
        } else j = i;
        const after = j < stop ? bytes[j]! : 0x20;
        const afterClass = classOf[after]!;
        if (kind === kindWord && afterClass !== space && (afterClass !== mark || after === 0x3a)) {
          // More than letters. Nothing from here on is hashed unless it turns out to be a word after all.
          const hashed = j;
          let digits = 0;
          let dots = 0;
          let slashes = 0;
          let lastDot = 0;
          let joined = i - 1;
          let isolated = false;
          let at = false;
          for (; j < stop; j++) {
            const byte = bytes[j]!;
            const d = classOf[byte]!;
            if (d === letter) continue;
            if (d === digit) {
              if (j === joined + 1) isolated = true;
              digits++;
              continue;
            }
            if (d !== joiner || j + 1 >= stop) break;
            const next = classOf[bytes[j + 1]!]!;
            if (next !== letter && next !== digit) {
              if (j > i) break;
              continue;
            }
            joined = j;
            if (byte === 0x2e) {
              dots++;
              lastDot = j;
            } else if (byte === 0x2f || byte === 0x5c) slashes++;
            else if (byte === 0x40) at = true;
          }
          if (digits > 1 || isolated || at || slashes > 1) kind = kindValue;
          if (j + 1 < stop && bytes[j] === 0x3a) {
            const next = bytes[j + 1]!;
            let close = -1;
            if (next === 0x2f && bytes[j + 2] === 0x2f) close = urlEnd(bytes, j, stop);
            else if (next === 0x5c && j - i === 1) close = valueStop(bytes, j + 1, stop);
            else if (j - i <= 4 && isHex[b] === 1) close = hexGroupsEnd(bytes, i, stop);
            else if (dots > 0 && kind === kindWord && classOf[next] === digit) {
              if (dots > 1 || isSuffix(bytes, lastDot + 1, j)) close = portEnd(bytes, j + 1, stop);
            }
            if (close > 0) {
              j = close;
              kind = kindValue;
              digits = 0;
            }
          }
          if (kind === kindWord) {
            for (let k = hashed; k < j; k++) {
              const byte = bytes[k]!;
              hashA = Math.imul(hashA ^ byte, primeA);
              hashB = ((hashB << 5) | (hashB >>> 27)) ^ byte;
            }
          } else if (digits > 0 && (foldTokens < 0 || blank === 1)) this.#number(bytes, i, j, stop);
        }
        const size = j - i;
        if (size <= 5 && kind === kindWord) {
          if (size === 3) {
            if (isDatePart(bytes, i, stop, foldTokens >= 0)) kind = kindValue;
          } else if (size >= 4 && isConstantValue(bytes, i, j)) kind = kindValue;
          else if (foldTokens >= 0 && blank === 1 && isZone(bytes, i, j)) kind = kindValue;
        }
      } else {
        // A mark; runs of one are one token.
        hashA = Math.imul(hashA ^ b, primeA);
        hashB = ((hashB << 5) | (hashB >>> 27)) ^ b;
        if (c === joiner || b === 0x3a || b === 0x3d || b === 0x3c || b === 0x3e) {
          const close =
            (b === 0x3c || b === 0x3e) && j < stop && classOf[bytes[j]!] === digit
              ? boundEnd(bytes, i, start, stop)
              : -1;
          if (close > 0) {
            j = close;
            kind = kindValue;
          } else {
            for (; j < stop && bytes[j] === b; j++) {
              hashA = Math.imul(hashA ^ b, primeA);
              hashB = ((hashB << 5) | (hashB >>> 27)) ^ b;
            }
            if (b === 0x3d && j === i + 1 && tokens > 0) {
              valueAt = valueStart(bytes, i, stop, blank === 1);
              valueEnd = -1;
            }
          }
        }
      }

      if (kind === kindValue) {
        if (foldTokens >= 0) {
          tokens = foldTokens;
          hashA = foldA;
          hashB = foldB;
        } else {
          hashA = blank === 1 ? Math.imul(beforeA ^ 0x20, primeA) : beforeA;
          hashA = Math.imul(hashA ^ valueByte, primeA);
          hashB = blank === 1 ? ((beforeB << 5) | (beforeB >>> 27)) ^ 0x20 : beforeB;
          hashB = endToken(((hashB << 5) | (hashB >>> 27)) ^ valueByte);
          froms[tokens] = i;
          tos[tokens] = j;
          blanks[tokens] = blank;
          kinds[tokens++] = kindValue;
          foldTokens = tokens;
          foldA = hashA;
          foldB = hashB;
        }
      } else {
        hashB = endToken(hashB);
        froms[tokens] = i;
        tos[tokens] = j;
        blanks[tokens] = blank;
        kinds[tokens++] = kind;
        if (kind === kindWord || isLink[b] === 0) foldTokens = -1;
      }
      blank = 0;
      i = j;
      if (valueAt === -2) {
        // `key=` with nothing after it is a value too, so that it shares a template with `key=value`.
        valueAt = -1;
        hashA = Math.imul(hashA ^ valueByte, primeA);
        hashB = endToken(((hashB << 5) | (hashB >>> 27)) ^ valueByte);
        froms[tokens] = tos[tokens] = i;
        blanks[tokens] = 0;
        kinds[tokens++] = kindValue;
        foldTokens = tokens;
        foldA = hashA;
        foldB = hashB;
      }
      if (tokens >= tokensMax) {
        cut = i < stop || cut;
        break;
      }
    }
    if (cut && foldTokens < 0) {
      hashA = Math.imul(hashA ^ valueByte, primeA);
      hashB = endToken(((hashB << 5) | (hashB >>> 27)) ^ valueByte);
      froms[tokens] = tos[tokens] = i;
      blanks[tokens] = 0;
      kinds[tokens++] = kindValue;
    }
    this.tokens = tokens;
    this.hashA = hashA;
    this.hashB = hashB;
  }

  /** Notes the number that starts at i, if the value [i, j) is one: decimal, with a unit at most, attached or as next word. */
  #number(bytes: Uint8Array, i: number, j: number, stop: number): void {
    if (this.numberCount >= numbersMax) return;
    let k = i;
    const sign = bytes[k]!;
    if (sign === 0x2d || sign === 0x2b) k++;
    if (k >= j || classOf[bytes[k]!] !== digit) return;
    let value = 0;
    const first = k;
    for (; k < j && classOf[bytes[k]!] === digit; k++) value = value * 10 + (bytes[k]! - 0x30);
    if (k - first > 15) return;
    if (k < j && bytes[k] === 0x2e) {
      let scale = 1;
      const dot = k++;
      for (; k < j && classOf[bytes[k]!] === digit && k - dot <= 9; k++) {
        value = value * 10 + (bytes[k]! - 0x30);
        scale *= 10;
      }
      while (k < j && classOf[bytes[k]!] === digit) k++;
      value /= scale;
    }
    let factor = 1;
    if (k < j) {
      factor = unitFactor(bytes, k, j);
      if (factor === 0) return;
    } else if (j + 1 < stop) {
      const after = bytes[j]!;
      const next = classOf[bytes[j + 1]!]!;
      if (after === 0x20 && next === letter) {
        let m = j + 1;
        while (m < stop && classOf[bytes[m]!] === letter) m++;
        factor = unitFactor(bytes, j + 1, m) || 1;
      } else if ((after === 0x3a || after === 0x2f) && next === digit) return;
    }
    this.numbers[this.numberCount++] = (sign === 0x2d ? -value : value) * factor;
  }

  #reserve(lineBytes: number): void {
    const tokens = Math.min(lineBytes * 2, this.#maxTokens) + 8;
    if (this.froms.length >= tokens) return;
    const size = Math.max(tokens, this.froms.length * 2);
    this.froms = new Int32Array(size);
    this.tos = new Int32Array(size);
    this.kinds = new Uint8Array(size);
    this.blanks = new Uint8Array(size);
  }
}

/** Mixes the second hash lane after a token; within one it only rotates. */
function endToken(hash: number): number {
  return Math.imul(hash, primeB) ^ (hash >>> 15);
}

/** The hashes that `scan` made of a masked line, from its tokens' bytes, each ended by `tokenEnd`. */
export function hashTokens(bytes: Uint8Array, tokenEnd: number): { a: number; b: number } {
  let a = seedA;
  let b = seedB;
  for (const byte of bytes) {
    if (byte === tokenEnd) b = endToken(b);
    else {
      a = Math.imul(a ^ byte, primeA);
      b = ((b << 5) | (b >>> 27)) ^ byte;
    }
  }
  return { a, b };
}

function startsWord(bytes: Uint8Array, i: number, stop: number): boolean {
  if (i + 1 >= stop) return false;
  const next = classOf[bytes[i + 1]!]!;
  const b = bytes[i]!;
  if (next === letter) return b === 0x2f || b === 0x5c; // /path \path
  if (next === digit) return b === 0x2f || b === 0x5c || b === 0x2d || b === 0x2b || b === 0x2e || b === 0x23;
  return (
    b === 0x2f && (bytes[i + 1] === 0x2e || bytes[i + 1] === 0x2f) && i + 2 < stop && endsValue[bytes[i + 2]!] === 0
  );
}

/** End of a path or of the value of a key: up to a blank, a quote, a bracket or a list mark; a last `.` or `:` is not of it. */
function valueStop(bytes: Uint8Array, from: number, stop: number): number {
  let j = from;
  while (j < stop && endsValue[bytes[j]!] === 0) j++;
  while (j > from && (bytes[j - 1] === 0x2e || bytes[j - 1] === 0x3a)) j--;
  return j;
}

/** End of a bound such as `<1 sec` or `>=90%` at i, the unit being part of it; -1: none, as in `<0>` or `a<5`. */
function boundEnd(bytes: Uint8Array, i: number, start: number, stop: number): number {
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
function isSuffix(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from > 5) return false;
  for (let k = from; k < to; k++) if (bytes[k]! < 0x61 || bytes[k]! > 0x7a) return false;
  return true;
}

/** URLs may hold commas and brackets, but not at their end. */
function urlEnd(bytes: Uint8Array, from: number, stop: number): number {
  let j = from;
  for (; j < stop; j++) {
    const b = bytes[j]!;
    if (classOf[b] === space || b === 0x22 || b === 0x27 || b === 0x3c || b === 0x3e || b === 0x60) break;
  }
  while (j > from && (endsValue[bytes[j - 1]!] === 1 || bytes[j - 1] === 0x2e || bytes[j - 1] === 0x3a)) j--;
  return j;
}

/** End of an IPv6 address, a MAC or a clock time at i: hex groups with two colons or more and a digit in them. -1: none. */
function hexGroupsEnd(bytes: Uint8Array, i: number, stop: number): number {
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
function portEnd(bytes: Uint8Array, from: number, stop: number): number {
  let j = from;
  while (j < stop && classOf[bytes[j]!] === digit) j++;
  if (j >= stop) return j;
  const after = classOf[bytes[j]!]!;
  return after === letter || (after === joiner && j + 1 < stop && classOf[bytes[j + 1]!]! !== space) ? -1 : j;
}

/** `Name{…}`, `f(…)`, `a[0]`: the bracket right after a value belongs to it if no blank and no assignment is inside. */
function bracketsEnd(bytes: Uint8Array, from: number, stop: number): number {
  if (from >= stop) return from;
  const open = bytes[from]!;
  if (open !== 0x7b && open !== 0x5b && open !== 0x28) return from;
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
function isDatePart(bytes: Uint8Array, i: number, stop: number, afterValue: boolean): boolean {
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
function isZone(bytes: Uint8Array, i: number, j: number): boolean {
  if (j - i === 2) return (bytes[i] === 0x41 || bytes[i] === 0x50) && bytes[i + 1] === 0x4d;
  return j - i === 4 && bytes[j - 1] === 0x54 && bytes[j - 2] === 0x53 && bytes[i] === 0x43 && bytes[i + 1] === 0x45;
}

/** true, false, null and nil, as `True` or `NULL` too. */
function isConstantValue(bytes: Uint8Array, i: number, j: number): boolean {
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
function valueStart(bytes: Uint8Array, i: number, stop: number, blankBefore: boolean): number {
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
      if (m > k && m < stop && bytes[m] === 0x3d && bytes[m + 1] !== 0x3d) return -2;
    }
  }
  const b = bytes[k]!;
  if (b === 0x7b || b === 0x5b || b === 0x28 || b === 0x3c) return -1;
  if (b === 0x22 || b === 0x27) return k;
  if (endsValue[b] === 1) return -2;
  return k;
}

/**
 * Start of the last line in [from, end) that is neither blank nor indented nor only closes a bracket, looked for in the
 * last 64 KiB; -2: there are others only, -1: all are blank.
 */
function lastFlushLine(bytes: Uint8Array, from: number, end: number): number {
  const floor = Math.max(from, end - traceBytesMax);
  let found = -1;
  for (let i = end - 1; i >= floor; i--) {
    const b = bytes[i]!;
    if (classOf[b] === space) continue;
    if (i > from && bytes[i - 1] !== 0x0a) {
      found = -2;
      continue;
    }
    if (b !== 0x7d && b !== 0x5d && b !== 0x29) return i;
    found = -2;
  }
  return found;
}

/** Position of byte b in [from, stop), or stop. */
function find(bytes: Uint8Array, b: number, from: number, stop: number): number {
  let i = from;
  while (i < stop && bytes[i] !== b) i++;
  return i;
}
