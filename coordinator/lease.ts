/**
 * Leader election by a lease in KV. No clock is compared with another's: a candidate takes over when the lease's
 * revision has not changed for the whole lease time by its own clock, and every write is compare-and-set.
 */

export interface LeaseView {
  holder: string;
  revision: number;
}

export interface LeaseState {
  me: string;
  /** What was read last, and since when (own clock, ms) its revision is unchanged. */
  seen: LeaseView | null;
  unchangedSinceMs: number;
}

export type LeaseStep = 'create' | 'renew' | 'take-over' | 'wait';

/** What to do now, given what the store holds. Returns the state to keep. */
export function stepLease(
  state: LeaseState,
  present: LeaseView | null,
  nowMs: number,
  leaseMs: number,
): { state: LeaseState; step: LeaseStep } {
  if (present === null) return { state: { ...state, seen: null, unchangedSinceMs: nowMs }, step: 'create' };
  const changed = state.seen === null || state.seen.revision !== present.revision;
  const next = { ...state, seen: present, unchangedSinceMs: changed ? nowMs : state.unchangedSinceMs };
  if (present.holder === state.me) return { state: next, step: 'renew' };
  return { state: next, step: nowMs - next.unchangedSinceMs >= leaseMs ? 'take-over' : 'wait' };
}
