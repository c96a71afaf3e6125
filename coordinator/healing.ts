/** How long partitions stood still: from the last beat that told of their processing to the next one. Pure. */
import type { Seen } from './membership.ts';

/** Beats come twice a second and may be late on a busy machine: a shorter pause is none. */
const pauseMsMin = 1_500;

export class Healing {
  private readonly lastMs: number[] = [];
  /** Partitions that stood still and went on, since this coordinator leads. */
  healed = 0;
  /** Longest standstill of the last group, ms. */
  lastHealMs = 0;
  private lastHealedAtMs = 0;

  look(workers: readonly Seen[]): void {
    for (const { beat, heardMs } of workers) {
      for (const { partition, sequence } of beat.partitions) {
        // 0: taken, but nothing was processed yet.
        if (sequence === 0) continue;
        const before = this.lastMs[partition];
        if (before !== undefined && before >= heardMs) continue;
        this.lastMs[partition] = heardMs;
        if (before === undefined || heardMs - before < pauseMsMin) continue;
        this.healed++;
        const sameGroup = heardMs - this.lastHealedAtMs < pauseMsMin;
        this.lastHealMs = Math.max(heardMs - before, sameGroup ? this.lastHealMs : 0);
        this.lastHealedAtMs = heardMs;
      }
    }
  }
}
