import { describe, expect, it } from 'vitest';
import { Taken } from './taken.ts';

const message = (): Uint8Array => new Uint8Array(1);
const marks = (position: number, sequence: number, generation = 7): Parameters<Taken['missedAfter']>[0] => ({
  position,
  marks: { 3: { generation, sequence } },
});

describe('what the writer has taken', () => {
  it('tells what it misses once it has read past a message and not taken it', () => {
    const taken = new Taken(3, 7, 5);
    const data = message();
    taken.placed(data, 20);
    taken.acknowledged(data, 100);
    expect(taken.missedAfter(marks(19, 80))).toBeNull();
    expect(taken.missedAfter(marks(20, 80))).toBe(80);
    taken.reset();
    expect(taken.missedAfter(marks(20, 80))).toBeNull();
  });

  it('goes by where a message came last, as the copy before it may have been refused', () => {
    const taken = new Taken(3, 7, 5);
    const data = message();
    taken.placed(data, 22);
    taken.placed(data, 20);
    taken.acknowledged(data, 100);
    expect(taken.missedAfter(marks(21, 80))).toBeNull();
    expect(taken.missedAfter(marks(22, 100))).toBeNull();
  });

  it('awaits the first message that is not known to be taken, then the next', () => {
    const taken = new Taken(3, 7, 5);
    for (const [sequence, to] of [
      [20, 100],
      [21, 110],
    ] as const) {
      const data = message();
      taken.placed(data, sequence);
      taken.acknowledged(data, to);
    }
    expect(taken.missedAfter(marks(25, 100))).toBeNull();
    const data = message();
    taken.placed(data, 30);
    taken.acknowledged(data, 120);
    expect(taken.missedAfter(marks(30, 110))).toBe(110);
  });

  it('judges nothing by another generation', () => {
    const taken = new Taken(3, 7, 5);
    const data = message();
    taken.placed(data, 20);
    taken.acknowledged(data, 100);
    expect(taken.missedAfter(marks(30, 5_000, 6))).toBeNull();
    expect(taken.missedAfter({ position: 30, marks: {} })).toBeNull();
    expect(taken.missedAfter(marks(30, 5, 8))).toBeNull();
    const first = new Taken(3, 5, 5);
    first.placed(data, 20);
    first.acknowledged(data, 100);
    expect(first.missedAfter({ position: 30, marks: {} })).toBe(0);
  });
});
