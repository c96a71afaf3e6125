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
import { maskedTokensMax, numbersMax } from '#protocol/limits.ts';
import { classOf, digit, isHex, isLink, joiner, letter, mark, space } from './bytes.ts';
import { find, lastFlushLine } from './lines.ts';
import { isKeyEnd, unitFactor } from './units.ts';
import {
  boundEnd,
  bracketsEnd,
  hexGroupsEnd,
  isConstantValue,
  isDatePart,
  isLowerWord,
  isMessageKey,
  isSuffix,
  isZone,
  memberStart,
  opensBracket,
  portEnd,
  quotedEnd,
  startsWord,
  urlEnd,
  valueStart,
  valueStop,
} from './values.ts';

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
    this.#reserve(Math.min(limit - start, 2 * this.#maxBytes), this.#maxTokens);
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
    let quoted = false;
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
          else {
            const close = valueStop(bytes, i + 1, stop);
            j = bracketsEnd(bytes, close, stop);
            if (j === close && opensBracket(bytes, j, stop)) {
              // `box=Rect(0, 1)`: a type before a bracket that is read as usual is read as usual too.
              valueAt = -1;
              hashA = beforeA;
              hashB = beforeB;
              continue;
            }
          }
          valueAt = -1;
          valueEnd = -1;
          kind = kindValue;
          if (j > i) this.#number(bytes, i, j, stop);
        }
      } else if (c === letter || c === digit || (c === joiner && startsWord(bytes, i, start, stop))) {
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
          let joins = 0;
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
              if (j === i || (byte === 0x7e && bytes[j + 1] === 0x7e)) continue;
              break;
            }
            joined = j;
            joins++;
            if (byte === 0x2e) {
              dots++;
              lastDot = j;
            } else if (byte === 0x23) lastDot = j;
            else if (byte === 0x2f || byte === 0x5c) slashes++;
            else if (byte === 0x40) at = true;
          }
          if (digits > 1 || isolated || at || slashes > 1) {
            // `p99=` and `dbcr0 = ` are keys, whatever their digits.
            if (c !== letter || digits > 3 || at || j >= stop || bytes[j] !== 0x3d) kind = kindValue;
          }
          if (j + 1 < stop && bytes[j] === 0x3a) {
            const next = bytes[j + 1]!;
            let close = -1;
            if (next === 0x2f && j + 2 < stop && bytes[j + 2] === 0x2f) close = urlEnd(bytes, j, stop);
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
          if (
            kind === kindValue &&
            joins === 1 &&
            lastDot === hashed &&
            digits === j - hashed - 1 &&
            isLowerWord(bytes, i, hashed)
          ) {
            // `core.2599`, `fetcher#3`: a word and its number.
            kind = kindWord;
            j = hashed;
          }
          if (kind === kindWord) {
            for (let k = hashed; k < j; k++) {
              const byte = bytes[k]!;
              hashA = Math.imul(hashA ^ byte, primeA);
              hashB = ((hashB << 5) | (hashB >>> 27)) ^ byte;
            }
          } else if (
            digits > 0 &&
            (blank === 1 || i === start || (foldTokens < 0 && bytes[i - 1] !== 0x2e && bytes[i - 1] !== 0x23))
          )
            this.#number(bytes, i, j, stop);
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
        if (b === 0x22 && (blank === 1 || tokens === 0)) {
          const close = quotedEnd(bytes, j, stop);
          if (close > 0 && quoted) {
            // `"GET /x" 200 "referrer" "agent"`: of several texts in quotes the first is the message.
            valueAt = j;
            valueEnd = close;
          }
          if (close > 0) quoted = true;
        } else if (c === joiner || b === 0x3a || b === 0x3d || b === 0x3c || b === 0x3e) {
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
            if (j === i + 1 && tokens > 0) {
              if (b === 0x3d) {
                if (!isMessageKey(bytes, froms[tokens - 1]!, tos[tokens - 1]!))
                  valueAt = valueStart(bytes, i, stop, blank === 1);
              } else if (b === 0x3a && tokens > 1 && (bytes[i - 1] === 0x22 || bytes[i - 1] === 0x27)) {
                if (!isMessageKey(bytes, froms[tokens - 2]!, tos[tokens - 2]!))
                  valueAt = memberStart(bytes, i + 1, stop);
              }
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

  /**
   * Takes the tokens of a masked line (see `hashTokens`) from bytes [start, end) as if the line had just been scanned;
   * they then lie in these bytes. Numbers are left as they are.
   */
  load(bytes: Uint8Array, start: number, end: number): void {
    this.#reserve(end - start, maskedTokensMax);
    const { froms, tos, kinds, blanks } = this;
    let tokens = 0;
    for (let i = start; i < end; i++) {
      const blank = bytes[i] === 0x20 ? 1 : 0;
      const first = i + blank;
      let kind = kindMark;
      for (i = first; i < end && bytes[i] !== tokenEnd; i++) {
        const c = classOf[bytes[i]!]!;
        if (c === letter || c === digit) kind = kindWord;
      }
      if (bytes[first] === valueByte) kind = kindValue;
      else if (bytes[first] === moreByte) kind = kindMore;
      froms[tokens] = first;
      tos[tokens] = kind === kindMore ? first : i;
      blanks[tokens] = blank;
      kinds[tokens++] = kind;
    }
    this.tokens = tokens;
    const hash = hashTokens(bytes, start, end);
    this.hashA = hash.a;
    this.hashB = hash.b;
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
        if (factor !== 1 && isKeyEnd(bytes, m, stop)) factor = 1;
      } else if ((after === 0x3a || after === 0x2f) && next === digit) return;
    }
    this.numbers[this.numberCount++] = (sign === 0x2d ? -value : value) * factor;
  }

  #reserve(lineBytes: number, tokensMax: number): void {
    const tokens = Math.min(lineBytes * 2, tokensMax) + 8;
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

/** Ends a token of a masked line. */
export const tokenEnd = 0;

/** The hashes that `scan` made of a masked line, from its tokens' bytes [start, end), each ended by `tokenEnd`. */
export function hashTokens(bytes: Uint8Array, start = 0, end = bytes.length): { a: number; b: number } {
  let a = seedA;
  let b = seedB;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    if (byte === tokenEnd) b = endToken(b);
    else if (byte === moreByte) {
      a = Math.imul(a ^ byte, primeA);
      b ^= byte;
    } else if (byte !== 0x20 || bytes[i + 1] !== moreByte) {
      a = Math.imul(a ^ byte, primeA);
      b = ((b << 5) | (b >>> 27)) ^ byte;
    }
  }
  return { a, b };
}
