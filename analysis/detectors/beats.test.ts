import { describe, expect, it } from 'vitest';
import { Beats, beatsPerWindow } from './beats.ts';

const beatMs = 3_750;
const disorderMs = 5_000;
const make = (): Beats => new Beats(beatsPerWindow * beatMs, disorderMs);
/** One record of a slot in the middle of each of these beats. */
function fill(beats: Beats, slot: number, of: readonly number[]): Beats {
  for (const beat of of) beats.add(slot, (beat + 0.5) * beatMs, false);
  return beats;
}

describe('beats', () => {
  it('end once, in order, and only those with records decide', () => {
    const beats = fill(make(), 1, [100, 101, 104]);
    expect(beats.endUpTo(104 * beatMs, 104 * beatMs)).toEqual([100, 101]);
    expect(beats.endUpTo(104 * beatMs, 104 * beatMs)).toEqual([]);
    expect(beats.nextEndAtMs).toBe(105 * beatMs + disorderMs);
    // What comes for a beat that has ended counts, and decides nothing.
    fill(beats, 1, [103]);
    expect(beats.endUpTo(105 * beatMs, 105 * beatMs)).toEqual([104]);
    expect(beats.sumOf(1, 104, 8)).toBe(4);
    expect(beats.spreadOf(1, 104, 4)).toBe(3);
    // Cut short by the end of the input.
    fill(beats, 1, [105]);
    expect(beats.endUpTo(106 * beatMs, 105.6 * beatMs)).toEqual([]);
  });

  it('forget what is longer ago than two windows, however far time jumps', () => {
    const beats = fill(make(), 3, [10, 11]);
    fill(beats, 3, [1_000_000]);
    expect(beats.of(3, 10)).toBe(0);
    expect(beats.sumOf(3, 1_000_000, 16)).toBe(1);
    expect(beats.endUpTo(1_000_001 * beatMs, 1_000_001 * beatMs)).toEqual([1_000_000]);
  });

  it('know a pause from beats that chance leaves empty', () => {
    const beats = fill(make(), 1, [80, 81, 82, 83, 84, 85, 86, 87, 91, 92, 93, 94, 95]);
    expect(beats.hasPause(95, 20)).toBe(true);
    expect(beats.hasPause(95, 1)).toBe(false);
    const steady = fill(
      make(),
      1,
      [...Array(20).keys()].map((n) => 80 + n),
    );
    expect(steady.hasPause(99, 20)).toBe(false);
  });

  it('go on alike from a snapshot', () => {
    const beats = fill(fill(make(), 1, [50, 51, 53]), 40, [51, 52]);
    beats.endUpTo(52 * beatMs, 52 * beatMs);
    const other = make();
    other.restore(structuredClone(beats.snapshot()));
    for (const one of [beats, other]) fill(one, 40, [54]);
    expect(other.snapshot()).toEqual(beats.snapshot());
    expect(other.endUpTo(55 * beatMs, 55 * beatMs)).toEqual(beats.endUpTo(55 * beatMs, 55 * beatMs));
    expect([...other.window(54, ['a']).slotRecords]).toEqual([...beats.window(54, ['a']).slotRecords]);
  });
});
