import { describe, expect, it } from 'vitest';
import { corpusOf, makersOf } from './corpus.fixture.ts';
import { TemplateMiner } from './mod.ts';
import type { PlaceValues } from './place-values.ts';

const encoder = new TextEncoder();
const lists = ['Seat(no=1, row=2), Seat(no=3, row=4), Seat(no=5, row=6) taken', 'a=1, b=2, a=3, b=4 of 17 ms and 9 kB'];

/** Places, values and measures, as texts. */
function told(bytes: Uint8Array, values: PlaceValues): string[] {
  return Array.from({ length: values.count }, (_, i) => {
    const text = new TextDecoder().decode(bytes.subarray(values.froms[i], values.tos[i]));
    return `${values.places[i]} ${text} ${values.measures[i]}`;
  });
}

describe('values of a body', () => {
  it('are the same from the scan of the miner and from one of its own, at first and when asked again', () => {
    const miner = new TemplateMiner();
    const texts = Object.keys(makersOf).flatMap((name) => corpusOf(name as keyof typeof makersOf, 1, 200).lines);
    const bodies = [...texts, ...texts, ...lists, ...lists].map((body) => encoder.encode(body));
    let seen = 0;
    for (const [at, bytes] of bodies.entries()) {
      const slot = miner.mine(bytes, 0, bytes.length, at);
      const first = told(bytes, miner.valuesOf(slot, bytes, 0, bytes.length));
      const again = told(bytes, miner.valuesOf(slot, bytes, 0, bytes.length));
      // Other bytes than were mined: nobody has scanned these.
      const copy = bytes.slice();
      expect([first, again]).toEqual([first, first]);
      expect(told(copy, miner.valuesOf(slot, copy, 0, copy.length))).toEqual(first);
      seen += first.length;
    }
    expect(seen).toBeGreaterThan(bodies.length);
  });

  it('are those of the line mined last, though it has the bytes of the one before', () => {
    const miner = new TemplateMiner();
    const bytes = encoder.encode('order 1234 took 15 ms');
    const mined = (): string[] => {
      const slot = miner.mine(bytes, 0, bytes.length, 1);
      return told(bytes, miner.valuesOf(slot, bytes, 0, bytes.length));
    };
    expect(mined()).toEqual(['1 1234 0', '3 15 1']);
    bytes.set(encoder.encode('5678'), 6);
    expect(mined()).toEqual(['1 5678 0', '3 15 1']);
  });
});
