/**
 * What each partition weighs in an assignment: its measured rate, more where it lags, smoothed. Pure. A partition
 * whose worker died keeps its last weight, so that the heaviest find a place first.
 */
import type { Heartbeat } from '#protocol/mod.ts';

/** Share of a partition's weight that does not depend on its traffic, records/s: ticks, windows, checkpoints. */
export const weightFloor = 50;
/** Lag that doubles a weight, ms: a worker that lags shows less of a rate than its partitions need. */
const lagDoublesMs = 10_000;
/** A backfill lags by hours and must not look like all traffic there is. */
const lagFactorMax = 3;
/** Weights follow what is measured over about this long, ms. */
const smoothMs = 5_000;

export class Loads {
  private readonly loads: { weight: number; atMs: number }[] = [];

  hear(beat: Pick<Heartbeat, 'partitions'>, nowMs: number): void {
    for (const { partition, recordsPerSecond, lagMs } of beat.partitions) {
      const factor = Math.min(1 + lagMs / lagDoublesMs, lagFactorMax);
      const measured = weightFloor + Math.max(recordsPerSecond, 0) * factor;
      if (!Number.isFinite(measured)) continue;
      const known = this.loads[partition];
      if (known === undefined) {
        this.loads[partition] = { weight: measured, atMs: nowMs };
        continue;
      }
      known.weight += (measured - known.weight) * Math.min((nowMs - known.atMs) / smoothMs, 1);
      known.atMs = nowMs;
    }
  }

  weights(partitions: number): number[] {
    return Array.from({ length: partitions }, (_, partition) => this.loads[partition]?.weight ?? weightFloor);
  }
}
