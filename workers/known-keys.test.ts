import { describe, expect, it } from 'vitest';
import { KnownKeys } from './known-keys.ts';

const hour = 3_600_000;

describe('KnownKeys', () => {
  it('knows a repeat by the highest ordinal, whichever of two gateways was ahead', () => {
    const keys = new KnownKeys(10, hour);
    // Two gateways bring the same request, cut differently, mixed on the stream.
    const first = [0, 1, 2, 3, 4, 5];
    const order = [0, 0, 1, 1, 2, 3, 4, 2, 3, 5, 4, 5];
    expect(order.filter((ordinal) => !keys.isRepeat('k', ordinal, 1, 0))).toEqual(first);
  });

  it('forgets the first come beyond the number', () => {
    const keys = new KnownKeys(2, hour);
    for (const key of ['a', 'b', 'c']) expect(keys.isRepeat(key, 0, 1, 0)).toBe(false);
    expect(keys.isRepeat('b', 0, 1, 0)).toBe(true);
    expect(keys.isRepeat('a', 0, 1, 0)).toBe(false);
  });

  it('forgets a key so long after its first record, however often it was repeated', () => {
    const keys = new KnownKeys(10, hour);
    keys.isRepeat('k', 0, 1, 0);
    for (let at = 0; at <= hour; at += hour / 4) {
      keys.forget(at);
      expect(keys.isRepeat('k', 0, 1, at)).toBe(true);
    }
    keys.forget(hour + 1);
    expect(keys.isRepeat('k', 0, 1, hour + 1)).toBe(false);
  });

  it('is the same after it was put together from what changed', () => {
    const straight = new KnownKeys(4, hour);
    const chain: ReturnType<KnownKeys['changes']>[] = [];
    let since = -1;
    for (let round = 1; round <= 12; round++) {
      const now = round * 600_000;
      straight.forget(now);
      for (const key of [`k${round}`, `k${round % 3}`, 'often']) straight.isRepeat(key, round, round, now);
      chain.push(straight.changes(since));
      since = round;
      const restored = new KnownKeys(4, hour);
      for (const changes of chain) restored.apply(changes, 0);
      restored.forget(now);
      expect(restored.changes(-1)).toEqual(straight.changes(-1));
    }
  });
});
