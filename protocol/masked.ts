/**
 * Bodies of a batch as the template scanner reads them, made ahead of the ordered path by whoever has time: each
 * different masked line once, and per row which one it is and the numbers found. Optional, and only a short cut: a
 * partition gives the same answers with and without it, and ignores the columns of another version.
 *
 * A masked line is its tokens, each ended by NUL: an optional blank, then the bytes of a word or mark, or a 1 for a
 * masked value, or a 3 for lines left out. The partition mines these bytes, never a hash that somebody claims: what it
 * answers is then a function of the message even where the columns lie about the bodies (R2).
 */
import { malformedColumn } from './batch.ts';
import { StringCursor, uint16At } from './byte-writer.ts';
import { maskedLineBytesMax, maskedTokensMax, numbersMax } from './limits.ts';

/** Raised whenever the scanner of `analysis/templates` gives another masked line or other numbers for any body. */
export const maskVersion = 2;

export interface MaskedColumns {
  /** `maskVersion` of the scanner that made them. */
  version: number;
  /** Different masked lines, length-prefixed. */
  lines: Uint8Array;
  /** uint16 LE a row into `lines`. */
  index: Uint8Array;
  /** uint8 a row: numbers found in its body. */
  counts: Uint8Array;
  /** float64 LE a number, in row order. */
  numbers: Uint8Array;
}

/**
 * The columns where this build can use them, null where another version made them.
 * @throws LogweirError MESSAGE_MALFORMED where they are not what they say.
 */
export function validateMasked(value: unknown, rows: number): MaskedColumns | null {
  if (value === null || typeof value !== 'object') throw malformedColumn('masked', 'no columns');
  const { version, lines, index, counts, numbers } = value as Partial<MaskedColumns>;
  if (!Number.isInteger(version)) throw malformedColumn('masked.version', 'no number');
  if (version !== maskVersion) return null;
  if (!(lines instanceof Uint8Array)) throw malformedColumn('masked.lines', 'not bytes');
  if (!(index instanceof Uint8Array) || index.length !== rows * 2) throw malformedColumn('masked.index', 'wrong size');
  if (!(counts instanceof Uint8Array) || counts.length !== rows) throw malformedColumn('masked.counts', 'wrong size');
  const size = checkLines(lines, rows);
  let found = 0;
  for (let row = 0; row < rows; row++) {
    if (uint16At(index, row) >= size) throw malformedColumn('masked.index', `row ${row}`);
    const count = counts[row] as number;
    if (count > numbersMax) throw malformedColumn('masked.counts', `row ${row}`);
    found += count;
  }
  if (!(numbers instanceof Uint8Array) || numbers.length !== found * 8)
    throw malformedColumn('masked.numbers', 'wrong size');
  return { version: maskVersion, lines, index, counts, numbers };
}

/** How many lines there are. */
function checkLines(lines: Uint8Array, rows: number): number {
  const cursor = new StringCursor(lines);
  let size = 0;
  while (!cursor.atEnd) {
    if (!cursor.advance()) throw malformedColumn('masked.lines', 'cut short');
    if (++size > rows) throw malformedColumn('masked.lines', 'more than rows');
    if (cursor.end - cursor.start > maskedLineBytesMax || !isMaskedLine(lines, cursor.start, cursor.end))
      throw malformedColumn('masked.lines', `line ${size - 1}`);
  }
  return size;
}

function isMaskedLine(bytes: Uint8Array, start: number, end: number): boolean {
  let tokens = 0;
  for (let i = start; i < end; ) {
    const first = bytes[i] === 0x20 ? i + 1 : i;
    let at = first;
    while (at < end && (bytes[at] as number) >= 0x20) at++;
    // `at` is at the first control byte: the end of a token that has bytes, or the one byte of a value or of lines left out.
    if (at === first) {
      const only = bytes[at];
      if (only !== 1 && (only !== 3 || first === i)) return false;
      at++;
    }
    if (at >= end || bytes[at] !== 0 || ++tokens > maskedTokensMax) return false;
    i = at + 1;
  }
  return true;
}
