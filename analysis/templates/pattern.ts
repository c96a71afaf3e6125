/**
 * A template as bytes and as places. The bytes are its tokens, each ended by `tokenEnd`, a masked value being
 * `valueByte` and a generalised place `wildByte`; everything else is derived from them, so they are all a snapshot keeps.
 * A *place* is a token that is no mark; marks and blanks are the shape, which two lines must share to be compared.
 */
import { ByteWriter } from '#protocol/byte-writer.ts';
import { foldRepeats } from './fold.ts';
import { classOf, digit, joiner, letter } from './bytes.ts';
import {
  hashTokens,
  type LineScanner,
  kindMark,
  kindMore,
  kindValue,
  kindWord,
  moreByte,
  tokenEnd,
  valueByte,
} from './scan.ts';
import { unitDimension } from './units.ts';

export const wildByte = 2;
/** Hashes of the places that are variable; a word never hashes to these. */
export const wild = 1;
export const value = 2;

export interface Pattern {
  bytes: Uint8Array;
  /** Key of the shape: 53 bits. */
  shape: number;
  /** One hash per place, or `wild` or `value`. */
  places: Int32Array;
  /** Hashes of the masked line, of a pattern without wild places. */
  hashA: number;
  hashB: number;
  wilds: number;
  /** Where the miner keeps it; -1: nowhere yet. */
  slot: number;
  /** `wordFlags`, once somebody asked for them. */
  flags?: Uint8Array;
}

/** Shape and places of the line last scanned, in arrays that are reused: a miss looks here before anything is allocated. */
export class Sketch {
  places = new Int32Array(64);
  count = 0;
  shape = 0;
  /** The scanner's hashes, or those of the line with its repeats folded. */
  hashA = 0;
  hashB = 0;

  /** Folds repeats in the scanner's tokens, then reads them. */
  take(bytes: Uint8Array, scanner: LineScanner): void {
    this.hashA = scanner.hashA;
    this.hashB = scanner.hashB;
    if (foldRepeats(bytes, scanner)) {
      const hash = hashTokens(tokenBytes(bytes, scanner));
      this.hashA = hash.a;
      this.hashB = hash.b;
    }
    const { froms, tos, kinds, blanks, tokens } = scanner;
    if (this.places.length < tokens) this.places = new Int32Array(tokens * 2);
    let count = 0;
    let a = shapeSeedA;
    let b = shapeSeedB;
    for (let t = 0; t < tokens; t++) {
      const kind = kinds[t]!;
      const blank = blanks[t]!;
      if (kind === kindWord || kind === kindValue) {
        a = Math.imul(a ^ (1 + blank), shapePrimeA);
        b = Math.imul(b + 1 + blank, shapePrimeB) ^ (b >>> 13);
        this.places[count++] = kind === kindValue ? value : placeHash(bytes, froms[t]!, tos[t]!);
        continue;
      }
      const from = kind === kindMore ? 0 : froms[t]!;
      const to = kind === kindMore ? 1 : tos[t]!;
      a = Math.imul(a ^ (4 + blank), shapePrimeA);
      for (let k = from; k < to; k++) {
        const byte = kind === kindMore ? moreByte : bytes[k]!;
        a = Math.imul(a ^ byte, shapePrimeA);
        b = Math.imul(b + byte, shapePrimeB) ^ (b >>> 13);
      }
    }
    this.count = count;
    this.shape = shapeKey(a, b);
  }
}

const shapeSeedA = 0x811c9dc5 | 0;
const shapeSeedB = 0x1b873593;
const shapePrimeA = 0x01000193;
const shapePrimeB = 0x85ebca6b | 0;
const shapeKey = (a: number, b: number): number => (a >>> 0) * 0x200000 + (b >>> 11);

function placeHash(bytes: Uint8Array, from: number, to: number): number {
  let a = shapeSeedA;
  let b = shapeSeedB;
  for (let k = from; k < to; k++) {
    a = Math.imul(a ^ bytes[k]!, shapePrimeA);
    b = Math.imul(b + bytes[k]!, shapePrimeB) ^ (b >>> 13);
  }
  const hash = a ^ b;
  return hash === wild || hash === value ? hash ^ 0x40000000 : hash;
}

/** Tokens of the line last scanned, as a pattern keeps them. */
function tokenBytes(bytes: Uint8Array, scanner: LineScanner): Uint8Array {
  const own = new ByteWriter(256);
  appendTokens(own, bytes, scanner);
  return own.copy();
}

/** The masked line: tokens of the line last scanned, each ended by `tokenEnd`. */
export function appendTokens(own: ByteWriter, bytes: Uint8Array, scanner: LineScanner): void {
  const { froms, tos, kinds, blanks, tokens } = scanner;
  for (let t = 0; t < tokens; t++) {
    if (blanks[t] === 1) own.uint8(0x20);
    if (kinds[t] === kindValue) own.uint8(valueByte);
    else if (kinds[t] === kindMore) own.uint8(moreByte);
    else for (let k = froms[t]!; k < tos[t]!; k++) own.uint8(bytes[k]!);
    own.uint8(tokenEnd);
  }
}

/** Pattern of the line last scanned and sketched. */
export function patternOf(bytes: Uint8Array, scanner: LineScanner, sketch: Sketch): Pattern {
  return {
    bytes: tokenBytes(bytes, scanner),
    shape: sketch.shape,
    places: sketch.places.slice(0, sketch.count),
    hashA: sketch.hashA,
    hashB: sketch.hashB,
    wilds: 0,
    slot: -1,
  };
}

/** Pattern from its own bytes: the inverse of keeping only them. */
export function patternFrom(bytes: Uint8Array): Pattern {
  const places: number[] = [];
  let a = shapeSeedA;
  let b = shapeSeedB;
  let wilds = 0;
  eachToken(bytes, (from, to, kind) => {
    const blank = bytes[from] === 0x20 ? 1 : 0;
    const first = bytes[from + blank];
    if (kind === kindMark) {
      a = Math.imul(a ^ (4 + blank), shapePrimeA);
      for (let k = from + blank; k < to; k++) {
        a = Math.imul(a ^ bytes[k]!, shapePrimeA);
        b = Math.imul(b + bytes[k]!, shapePrimeB) ^ (b >>> 13);
      }
      return;
    }
    a = Math.imul(a ^ (1 + blank), shapePrimeA);
    b = Math.imul(b + 1 + blank, shapePrimeB) ^ (b >>> 13);
    if (first === wildByte) wilds++;
    places.push(first === wildByte ? wild : first === valueByte ? value : placeHash(bytes, from + blank, to));
  });
  const hash = wilds === 0 ? hashTokens(bytes) : { a: 0, b: 0 };
  return {
    bytes,
    shape: shapeKey(a, b),
    places: Int32Array.from(places),
    hashA: hash.a,
    hashB: hash.b,
    wilds,
    slot: -1,
  };
}

/** Calls visit(from, to, kind) for each token, blank included. */
export function eachToken(bytes: Uint8Array, visit: (from: number, to: number, kind: number) => void): void {
  let from = 0;
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] !== tokenEnd) continue;
    visit(from, i, kindOf(bytes, bytes[from] === 0x20 ? from + 1 : from, i));
    from = i + 1;
  }
}

function kindOf(bytes: Uint8Array, from: number, to: number): number {
  const first = bytes[from]!;
  if (first === valueByte || first === wildByte) return kindValue;
  for (let k = from; k < to; k++) if (classOf[bytes[k]!] === letter || classOf[bytes[k]!] === digit) return kindWord;
  return kindMark;
}

/** The pattern with the given places made wild. */
export function widen(pattern: Pattern, wildPlaces: readonly number[]): Pattern {
  const bytes: number[] = [];
  const wanted = new Set(wildPlaces);
  let place = 0;
  eachToken(pattern.bytes, (from, to, kind) => {
    if (kind !== kindMark && wanted.has(place++)) {
      if (pattern.bytes[from] === 0x20) bytes.push(0x20);
      bytes.push(wildByte);
    } else for (let k = from; k < to; k++) bytes.push(pattern.bytes[k]!);
    bytes.push(tokenEnd);
  });
  return patternFrom(Uint8Array.from(bytes));
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Text for people: variables as `<*>`. */
export function textOf(bytes: Uint8Array): string {
  let text = '';
  let from = 0;
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] !== tokenEnd) continue;
    const blank = bytes[from] === 0x20;
    const first = bytes[blank ? from + 1 : from]!;
    if (first === valueByte || first === wildByte) text += blank ? ' <*>' : '<*>';
    else if (first === moreByte) text += ' ⏎';
    else text += decoder.decode(bytes.subarray(from, i));
    from = i + 1;
  }
  return text;
}

/** What the word at a place looks like; `wordFlags` of a pattern, one byte per place. */
export const flagVariable = 1;
/** With an underscore, a digit, a dot or slash inside, or camel case: rather the name of something than a plain word. */
export const flagName = 2;
/** A name that is hardly ever part of the message itself: with two dots or more, or a slash. */
export const flagReference = 4;
export const flagDigit = 32;
/** One or two bytes: `x`, `y`, `on`. */
export const flagShort = 64;
/** In capitals: rather a state or a code out of a fixed list than the name of something. */
export const flagCapitals = 128;
export const flagTimeUnit = 8;
export const flagSizeUnit = 16;

export function wordFlags(pattern: Pattern): Uint8Array {
  const flags = new Uint8Array(pattern.places.length);
  let place = 0;
  eachToken(pattern.bytes, (from, to, kind) => {
    if (kind === kindMark) return;
    const first = pattern.bytes[from] === 0x20 ? from + 1 : from;
    flags[place++] = kind === kindValue ? flagVariable : flagsOf(pattern.bytes, first, to);
  });
  return flags;
}

function flagsOf(bytes: Uint8Array, from: number, to: number): number {
  let flags = [0, flagTimeUnit, flagSizeUnit][unitDimension(bytes, from, to)]!;
  if (to - from < 3) flags |= flagShort;
  else flags |= flagCapitals;
  let dots = 0;
  for (let k = from; k < to; k++) {
    const b = bytes[k]!;
    if (b === 0x2e) dots++;
    if (!isUpper(b) && b !== 0x5f) flags &= ~flagCapitals;
    if (b === 0x5f || (classOf[b] === joiner && b !== 0x2d)) flags |= flagName;
    else if (k > from && isUpper(b) && bytes[k - 1]! >= 0x61 && bytes[k - 1]! <= 0x7a) flags |= flagName;
    if (b === 0x2f || b === 0x5c) flags |= flagReference;
    if (classOf[b] === digit) flags |= flagName | flagDigit;
  }
  return dots > 1 ? flags | flagReference : flags;
}

const isUpper = (b: number): boolean => b >= 0x41 && b <= 0x5a;

/** Word at a place; '' for a variable. */
export function wordAt(pattern: Pattern, place: number): string {
  let at = 0;
  let text = '';
  eachToken(pattern.bytes, (from, to, kind) => {
    if (kind === kindMark || at++ !== place || kind === kindValue) return;
    text = decoder.decode(pattern.bytes.subarray(pattern.bytes[from] === 0x20 ? from + 1 : from, to));
  });
  return text;
}

/** Word at a place with its digits left out: `eth0` and `eth1` are numbers of one thing, `eth0` and `wlan0` are not. */
export function withoutDigits(pattern: Pattern, place: number): string {
  let at = 0;
  let text = '';
  eachToken(pattern.bytes, (from, to, kind) => {
    if (kind === kindMark || at++ !== place) return;
    for (let k = from; k < to; k++)
      if (classOf[pattern.bytes[k]!] !== digit) text += String.fromCharCode(pattern.bytes[k]!);
  });
  return text;
}
