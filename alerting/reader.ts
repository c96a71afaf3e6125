/**
 * R3 Chain, for ANOMALIES: what of the stream is taken. The mark of a partition is the LOGS sequence of the last
 * finding taken. A gap is refused, since go-back-N publishing sends what is missing, and what follows it, again.
 *
 * ANOMALIES exists for speed, and RESULTS holds every finding as well; so where a gap does not heal, or history from
 * before the first message is gone, alerting goes on from what there is, and says so, rather than stay silent.
 */
import { admit, type Mark, startMark } from '#bus/mod.ts';
import type { AnomaliesMessage, CommittedMarks } from '#protocol/mod.ts';

/** A gap that go-back-N did not close within this long in stream time will not close. */
export const gapHealsWithinMs = 60_000;

export type Verdict = 'take' | 'duplicate' | 'gap' | 'take-over-gap';

export class AnomalyReader {
  private readonly marks = new Map<number, Mark>();
  /** Since when a partition's messages lie beyond its mark, in stream time, ms. */
  private readonly gaps = new Map<number, number>();
  /** Partitions met since unread messages were removed; null where none were. */
  private metSince: Set<number> | null = null;
  private readonly firstGeneration: number;

  /** `firstGeneration`: what names an earlier one was published by a worker of a cluster that was wiped. */
  constructor(firstGeneration = 1) {
    this.firstGeneration = firstGeneration;
  }

  restore(marks: CommittedMarks['marks']): void {
    for (const [partition, generation, sequence] of marks)
      this.marks.set(partition, { generation, sequence, parts: 0 });
  }

  /** Unread messages were removed: each partition goes on at the next message of it. */
  startAnywhere(): void {
    this.metSince = new Set();
  }

  /** Since when the oldest gap is there, in stream time, ms; Infinity: none. */
  get gapSinceMs(): number {
    return Math.min(...this.gaps.values());
  }

  committed(): CommittedMarks['marks'] {
    return [...this.marks].map(([partition, { generation, sequence }]) => [partition, generation, sequence]);
  }

  admit(message: AnomaliesMessage, streamMs: number): Verdict {
    const { partition, generation, from, to } = message;
    if (generation < this.firstGeneration) return 'duplicate';
    const decision = admit(this.marks.get(partition) ?? startMark, { partition, generation, from, to });
    switch (decision.verdict) {
      case 'duplicate':
        return 'duplicate';
      case 'take':
      case 'take-part':
        this.marks.set(partition, decision.mark);
        this.gaps.delete(partition);
        this.metSince?.add(partition);
        return 'take';
      case 'gap': {
        const sinceMs = this.gaps.get(partition) ?? streamMs;
        const historyGone = this.metSince !== null && !this.metSince.has(partition);
        if (!historyGone && streamMs - sinceMs < gapHealsWithinMs) {
          this.gaps.set(partition, sinceMs);
          return 'gap';
        }
        this.marks.set(partition, { generation, sequence: to, parts: 0 });
        this.gaps.delete(partition);
        this.metSince?.add(partition);
        return 'take-over-gap';
      }
    }
  }
}
