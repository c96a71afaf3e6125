/** Compares what was acknowledged with what is stored, service by service: a loss cannot hide behind a double. */

export type Counts = Map<string, number>;

export interface Comparison {
  /** Acknowledged and not stored. */
  lost: number;
  /** Stored and not acknowledged. */
  extra: number;
}

export function addCounts(to: Counts, more: ReadonlyMap<string, number>): void {
  for (const [service, count] of more) to.set(service, (to.get(service) ?? 0) + count);
}

export function total(counts: ReadonlyMap<string, number>): number {
  let sum = 0;
  for (const count of counts.values()) sum += count;
  return sum;
}

export function compare(accepted: ReadonlyMap<string, number>, stored: ReadonlyMap<string, number>): Comparison {
  const comparison: Comparison = { lost: 0, extra: 0 };
  for (const service of new Set([...accepted.keys(), ...stored.keys()])) {
    const missing = (accepted.get(service) ?? 0) - (stored.get(service) ?? 0);
    if (missing > 0) comparison.lost += missing;
    else comparison.extra -= missing;
  }
  return comparison;
}
