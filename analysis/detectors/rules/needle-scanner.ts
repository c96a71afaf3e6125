/**
 * Finds many texts in one pass, whatever the case of ASCII letters: Wu and Manber's shift table over pairs of bytes
 * ("A fast algorithm for multi-pattern searching", 1994). It looks at about one byte in (shortest text − 1).
 * Hot loop; benchmark: loadtest/bench/windows.bench.ts.
 */
const pairBits = 12;
const pairMask = (1 << pairBits) - 1;
const shiftMax = 255;

const fold = Uint8Array.from({ length: 256 }, (_, byte) => (byte >= 65 && byte <= 90 ? byte + 32 : byte));
const encoder = new TextEncoder();

interface Needle {
  bytes: Uint8Array;
  /** What it stands for; several needles may stand for the same. */
  id: number;
}

export class NeedleScanner {
  /** Length that all needles have at least; pairs are looked at up to here. */
  private readonly length: number;
  /** By hash of a pair: how far the window may move on; 0: a needle may end its first `length` bytes here. */
  private readonly shift = new Uint8Array(pairMask + 1);
  private readonly candidates = new Map<number, Needle[]>();
  /** Needles of one byte. */
  private readonly single: Needle[] = [];
  private readonly hasLong: boolean;

  constructor(texts: readonly { text: string; id: number }[]) {
    const needles = texts.map(({ text, id }) => ({
      bytes: encoder.encode(text).map((byte) => fold[byte] as number),
      id,
    }));
    const long = needles.filter(({ bytes }) => bytes.length > 1);
    this.single = needles.filter(({ bytes }) => bytes.length === 1);
    this.hasLong = long.length > 0;
    this.length = long.reduce((least, { bytes }) => Math.min(least, bytes.length), shiftMax);
    this.shift.fill(this.length - 1);
    for (const needle of long) {
      for (let at = 1; at < this.length; at++) {
        const pair = pairOf(needle.bytes[at - 1] as number, needle.bytes[at] as number);
        this.shift[pair] = Math.min(this.shift[pair] as number, this.length - 1 - at);
      }
      const last = pairOf(needle.bytes[this.length - 2] as number, needle.bytes[this.length - 1] as number);
      const bucket = this.candidates.get(last) ?? [];
      bucket.push(needle);
      this.candidates.set(last, bucket);
    }
  }

  /** Sets found[id] = mark for every needle in bytes [start, end). False where there is none. */
  scan(bytes: Uint8Array, start: number, end: number, found: Int32Array, mark: number): boolean {
    let isAny = false;
    if (this.hasLong) {
      const { shift, candidates, length } = this;
      let at = start + length - 1;
      while (at < end) {
        const pair =
          (((fold[bytes[at - 1] as number] as number) << 5) ^ (fold[bytes[at] as number] as number)) & pairMask;
        const step = shift[pair] as number;
        if (step > 0) {
          at += step;
          continue;
        }
        for (const needle of candidates.get(pair) as Needle[]) {
          if (found[needle.id] === mark || !startsAt(needle.bytes, bytes, at - length + 1, end)) continue;
          found[needle.id] = mark;
          isAny = true;
        }
        at++;
      }
    }
    for (const needle of this.single) {
      for (let at = start; at < end; at++) {
        if (fold[bytes[at] as number] !== needle.bytes[0]) continue;
        found[needle.id] = mark;
        isAny = true;
      }
    }
    return isAny;
  }
}

function pairOf(first: number, second: number): number {
  return ((first << 5) ^ second) & pairMask;
}

function startsAt(needle: Uint8Array, bytes: Uint8Array, at: number, end: number): boolean {
  if (at + needle.length > end) return false;
  for (let i = 0; i < needle.length; i++) if (fold[bytes[at + i] as number] !== needle[i]) return false;
  return true;
}
