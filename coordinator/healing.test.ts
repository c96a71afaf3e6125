import { describe, expect, it } from 'vitest';
import { Healing } from './healing.ts';
import type { Seen } from './membership.ts';

const seen = (heardMs: number, loads: [partition: number, sequence: number][]): Seen =>
  ({
    heardMs,
    beat: { partitions: loads.map(([partition, sequence]) => ({ partition, sequence })) },
  }) as unknown as Seen;

describe('Healing', () => {
  it('measures from the last beat of processing to the next one, wherever that is', () => {
    const healing = new Healing();
    healing.look([
      seen(1_000, [
        [0, 5],
        [1, 9],
      ]),
    ]);
    healing.look([
      seen(1_500, [
        [0, 6],
        [1, 10],
      ]),
    ]);
    expect(healing.healed).toBe(0);
    // Taken by another, but nothing is processed yet.
    healing.look([
      seen(4_500, [
        [0, 0],
        [1, 0],
      ]),
    ]);
    expect(healing.healed).toBe(0);
    healing.look([
      seen(5_000, [
        [0, 7],
        [1, 0],
      ]),
    ]);
    healing.look([
      seen(5_500, [
        [0, 8],
        [1, 11],
      ]),
    ]);
    expect(healing).toMatchObject({ healed: 2, lastHealMs: 4_000 });
    healing.look([seen(20_000, [[0, 9]])]);
    expect(healing).toMatchObject({ healed: 3, lastHealMs: 14_500 });
  });
});
