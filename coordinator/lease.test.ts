import { describe, expect, it } from 'vitest';
import { type LeaseState, stepLease } from './lease.ts';

const fresh: LeaseState = { me: 'a', seen: null, unchangedSinceMs: 0 };

describe('stepLease', () => {
  it('creates where nobody leads and renews its own', () => {
    expect(stepLease(fresh, null, 0, 3_000).step).toBe('create');
    expect(stepLease(fresh, { holder: 'a', revision: 4 }, 0, 3_000).step).toBe('renew');
  });

  it('takes over only what was not renewed for a whole lease by its own clock', () => {
    let { state, step } = stepLease(fresh, { holder: 'b', revision: 1 }, 1_000, 3_000);
    expect(step).toBe('wait');
    ({ state, step } = stepLease(state, { holder: 'b', revision: 2 }, 3_900, 3_000));
    expect(step).toBe('wait');
    ({ state, step } = stepLease(state, { holder: 'b', revision: 2 }, 6_800, 3_000));
    expect(step).toBe('wait');
    ({ state, step } = stepLease(state, { holder: 'b', revision: 2 }, 6_900, 3_000));
    expect(step).toBe('take-over');
  });
});
