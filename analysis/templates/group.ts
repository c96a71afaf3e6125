/**
 * The live patterns of one shape, by ascending slot, with their places side by side in one array: comparing a line
 * with two thousand patterns then reads 40 KB in order instead of jumping through memory.
 */
import { type Pattern, wild } from './pattern.ts';

export class ShapeGroup {
  readonly patterns: Pattern[] = [];
  /** Places per pattern. */
  readonly width: number;
  #places: Int32Array;
  /** Patterns with wild places; the others cover one masked line each. */
  #wide: Pattern[] = [];

  constructor(width: number) {
    this.width = width;
    this.#places = new Int32Array(width * 2);
  }

  insert(pattern: Pattern): void {
    const { patterns, width } = this;
    const size = patterns.length;
    let at = size;
    while (at > 0 && patterns[at - 1]!.slot > pattern.slot) at--;
    if (this.#places.length < (size + 1) * width) {
      const grown = new Int32Array(this.#places.length * 2);
      grown.set(this.#places);
      this.#places = grown;
    }
    this.#places.copyWithin((at + 1) * width, at * width, size * width);
    this.#places.set(pattern.places, at * width);
    patterns.splice(at, 0, pattern);
    if (pattern.wilds > 0) this.#wide = patterns.filter((p) => p.wilds > 0);
  }

  remove(pattern: Pattern): void {
    const { patterns, width } = this;
    const at = patterns.indexOf(pattern);
    this.#places.copyWithin(at * width, (at + 1) * width, patterns.length * width);
    patterns.splice(at, 1);
    if (pattern.wilds > 0) this.#wide = patterns.filter((p) => p.wilds > 0);
  }

  /** The pattern that covers a line by wild places: the one with the fewest, then the oldest. */
  widest(places: Int32Array): Pattern | undefined {
    let found: Pattern | undefined;
    for (const pattern of this.#wide) {
      if ((found === undefined || pattern.wilds < found.wilds) && this.#covers(pattern.places, places)) found = pattern;
    }
    return found;
  }

  /** The patterns that a wider one covers. */
  covered(wider: Pattern): Pattern[] {
    return this.patterns.filter((pattern) => this.#covers(wider.places, pattern.places));
  }

  /**
   * Calls visit(other, differences) for every other pattern that differs from one in 1 to at.length places, which are
   * then in `at`; a wild place is equal to all.
   */
  eachNear(pattern: Pattern, at: number[], visit: (other: Pattern, differences: number) => void): void {
    const { patterns, width } = this;
    const all = this.#places;
    const own = pattern.places;
    const most = at.length;
    // Hot when thousands of messages have one shape: most others are left after a few places.
    for (let n = 0, base = 0; n < patterns.length; n++, base += width) {
      let differences = 0;
      for (let i = 0; i < width; i++) {
        const a = own[i]!;
        const b = all[base + i]!;
        if (a === b || a === wild || b === wild) continue;
        if (differences === most) {
          differences = 0;
          break;
        }
        at[differences++] = i;
      }
      if (differences > 0) visit(patterns[n]!, differences);
    }
  }

  #covers(wide: Int32Array, places: Int32Array): boolean {
    for (let i = 0; i < this.width; i++) if (wide[i] !== places[i] && wide[i] !== wild) return false;
    return true;
  }
}
