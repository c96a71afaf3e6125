/**
 * Whether the writer takes what was published. RESULTS that lost its tail after it had acknowledged it (a power cut, a
 * disk put back) has a gap that no worker would ever fill: each has its acknowledgements, and readers refuse what
 * comes behind the gap (R3). The writer's own record tells: it read past a message and did not take it.
 */
import type { WriterMarks } from '#protocol/mod.ts';

interface Awaited {
  /** LOGS sequence that the message reaches. */
  to: number;
  /** Where it stands in RESULTS. */
  sequence: number;
}

export class Taken {
  private readonly partition: number;
  private readonly generation: number;
  private readonly firstGeneration: number;
  /** Where each message stands, by its bytes; sent again, it stands where it came last. */
  private readonly places = new WeakMap<Uint8Array, number>();
  /** The first message, acknowledged like all before it, that the writer is not known to have taken. */
  private awaited: Awaited | null = null;

  /** @param firstGeneration of the cluster: a writer without a mark has taken nothing of it */
  constructor(partition: number, generation: number, firstGeneration: number) {
    this.partition = partition;
    this.generation = generation;
    this.firstGeneration = firstGeneration;
  }

  placed(data: Uint8Array, sequence: number): void {
    if (sequence > (this.places.get(data) ?? 0)) this.places.set(data, sequence);
  }

  /** A message and all before it are acknowledged. */
  acknowledged(data: Uint8Array, to: number): void {
    this.awaited ??= { to, sequence: this.places.get(data) ?? Number.POSITIVE_INFINITY };
  }

  /** LOGS sequence after which the writer misses results that were acknowledged; null where it misses none. */
  missedAfter({ position, marks }: WriterMarks): number | null {
    const { awaited, generation } = this;
    const mark = marks[this.partition] ?? { generation: this.firstGeneration, sequence: 0 };
    // What it has of an earlier generation says nothing of this one.
    if (awaited === null || mark.generation < generation) return null;
    if (mark.generation === generation && mark.sequence < awaited.to)
      return position >= awaited.sequence ? mark.sequence : null;
    this.awaited = null;
    return null;
  }

  /** All is published again. */
  reset(): void {
    this.awaited = null;
  }
}
