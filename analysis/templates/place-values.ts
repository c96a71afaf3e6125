/**
 * The values that a body has at the variable places of its template, for whoever asks after the line was mined. Read on
 * demand, since most records are never asked about: from the miner's scan of that line, or, where columns came masked and
 * nobody scanned the body here, from one of its own.
 */
import { templateDefaults } from './config.ts';
import { foldRepeats } from './fold.ts';
import { type Pattern, value, wild } from './pattern.ts';
import { kindValue, kindWord, LineScanner } from './scan.ts';
import { isKeyEnd, unitFactor } from './units.ts';

export class PlaceValues {
  /** How many are valid. */
  count = 0;
  /** Number of the place among those of the template: the same as long as the template lives. */
  places = new Int32Array(16);
  /** Bytes [froms[i], tos[i]) of the body. Of neighbouring values that fold into one, the first. */
  froms = new Int32Array(16);
  tos = new Int32Array(16);
  /** 1 where a unit of time or size follows: a measure. */
  measures = new Uint8Array(16);
  private own: LineScanner | null = null;

  /**
   * Empty where the body is not one of the pattern.
   * @param scanned has scanned just this body, with what repeats folded; null: nobody has
   */
  read(pattern: Pattern, bytes: Uint8Array, start: number, end: number, scanned: LineScanner | null): void {
    const scanner = scanned ?? this.scan(bytes, start, end);
    const { froms, tos, kinds, tokens } = scanner;
    const { places } = pattern;
    this.count = 0;
    let place = 0;
    for (let t = 0; t < tokens; t++) {
      if (kinds[t] !== kindWord && kinds[t] !== kindValue) continue;
      const hash = places[place++];
      if (hash !== wild && hash !== value) continue;
      if (this.count === this.places.length) this.grow();
      this.places[this.count] = place - 1;
      this.froms[this.count] = froms[t]!;
      this.tos[this.count] = tos[t]!;
      const isMeasure = t + 1 < tokens && kinds[t + 1] === kindWord && isUnit(bytes, froms[t + 1]!, tos[t + 1]!, end);
      this.measures[this.count++] = isMeasure ? 1 : 0;
    }
    if (place !== places.length) this.count = 0;
  }

  private scan(bytes: Uint8Array, start: number, end: number): LineScanner {
    this.own ??= new LineScanner(templateDefaults.maxTokens, templateDefaults.maxLineBytes);
    this.own.scan(bytes, start, end);
    foldRepeats(bytes, this.own);
    return this.own;
  }

  private grow(): void {
    const size = this.places.length * 2;
    for (const name of ['places', 'froms', 'tos'] as const) {
      const grown = new Int32Array(size);
      grown.set(this[name]);
      this[name] = grown;
    }
    const measures = new Uint8Array(size);
    measures.set(this.measures);
    this.measures = measures;
  }
}

/** A unit of time or size, and not a key as in `status=200 bytes=17`. */
function isUnit(bytes: Uint8Array, from: number, to: number, end: number): boolean {
  return unitFactor(bytes, from, to) !== 0 && !isKeyEnd(bytes, to, end);
}
