/**
 * Lists of things: `Seat(no=1, row=2), Seat(no=3, row=4)` is one `Seat(no=<*>, row=<*>)`, however many there are, or
 * every length of the list would be a template of its own. Only groups that hold a value fold; words that repeat stay.
 */
import { isLink } from './bytes.ts';
import { kindMark, kindValue, kindWord, type LineScanner } from './scan.ts';

/** Tokens of the largest group looked for: a bound on work. */
const groupTokensMax = 32;
let hashes = new Int32Array(64);

/** Folds repeated groups of the line last scanned, in the scanner's token arrays; true when there were any. */
export function foldRepeats(bytes: Uint8Array, scanner: LineScanner): boolean {
  const { froms, tos, kinds, blanks, tokens } = scanner;
  if (tokens < 6 || !hasTwoValues(kinds, tokens)) return false;
  if (hashes.length < tokens) hashes = new Int32Array(tokens * 2);
  for (let t = 0; t < tokens; t++) hashes[t] = tokenHash(bytes, froms[t]!, tos[t]!, kinds[t]!);
  let kept = 0;
  let i = 0;
  while (i < tokens) {
    const skip = repeatAt(bytes, scanner, i);
    const keep = skip > 0 ? skip >>> 16 : 1;
    for (let k = 0; k < keep; k++, kept++) {
      froms[kept] = froms[i + k]!;
      tos[kept] = tos[i + k]!;
      kinds[kept] = kinds[i + k]!;
      blanks[kept] = blanks[i + k]!;
      hashes[kept] = hashes[i + k]!;
    }
    i += skip > 0 ? skip & 0xffff : 1;
  }
  scanner.tokens = kept;
  return kept < tokens;
}

/** At a group that repeats from token i: tokens to keep << 16 | tokens of all repeats; 0: none. */
function repeatAt(bytes: Uint8Array, scanner: LineScanner, i: number): number {
  const { froms, kinds, tokens } = scanner;
  const first = hashes[i]!;
  const most = Math.min(groupTokensMax, tokens - i - 1);
  for (let period = 2; period <= most; period++) {
    if (hashes[i + period] !== first) continue;
    let run = 1;
    while (i + period + run < tokens && hashes[i + period + run] === hashes[i + run]) run++;
    // `x, x, x` has a link between its groups and none after the last.
    const last = i + period - 1;
    const linked = kinds[last] === kindMark && isLink[bytes[froms[last]!]!] === 1;
    if (run < (linked ? period - 1 : period)) continue;
    const group = linked ? period - 1 : period;
    if (group < 2 || !worthFolding(kinds, i, i + group)) continue;
    const rounds = Math.floor((run + (linked ? 1 : 0)) / period);
    return (group << 16) | (rounds * period + group);
  }
  return 0;
}

/** A group folds when it has a value and something that says what the value is. */
function worthFolding(kinds: Uint8Array, from: number, to: number): boolean {
  let values = 0;
  let words = 0;
  for (let t = from; t < to; t++) {
    if (kinds[t] === kindValue) values++;
    else if (kinds[t] === kindWord) words++;
  }
  return values > 0 && words > 0;
}

function hasTwoValues(kinds: Uint8Array, tokens: number): boolean {
  let values = 0;
  for (let t = 0; t < tokens; t++) if (kinds[t] === kindValue && ++values === 2) return true;
  return false;
}

function tokenHash(bytes: Uint8Array, from: number, to: number, kind: number): number {
  if (kind === kindValue) return 1;
  let hash = 0x811c9dc5 ^ kind;
  for (let k = from; k < to; k++) hash = Math.imul(hash ^ bytes[k]!, 0x01000193);
  return hash;
}
