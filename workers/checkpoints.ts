/**
 * Checkpoints of partitions: state in the object store, pointer + hash + position in KV by compare-and-set. The
 * pointer keeps the newest few; an object is deleted only after the pointer no longer names it.
 */
import { createHash } from 'node:crypto';
import type { KeyValue, Objects } from '#bus/mod.ts';
import { keys, pack, unpack } from '#protocol/mod.ts';

export interface CheckpointEntry {
  object: string;
  /** SHA-256 of the state, hex. */
  hash: string;
  epoch: number;
  generation: number;
  sequence: number;
}

/** Newest first. */
export interface CheckpointPointer {
  entries: CheckpointEntry[];
}

/** Checkpoints kept per partition, so that a corrupt one falls back to the one before. */
export const checkpointsKept = 3;

export type Commit =
  | { verdict: 'commit'; pointer: CheckpointPointer; drop: string[] }
  | { verdict: 'stop'; reason: string };

/** Decides what the pointer becomes: a higher epoch in it means that another owner took over; a position never falls. */
export function advance(present: CheckpointPointer | null, entry: CheckpointEntry): Commit {
  const newest = present?.entries[0];
  if (newest !== undefined) {
    if (newest.epoch > entry.epoch) return { verdict: 'stop', reason: `epoch ${newest.epoch} owns the partition` };
    const older =
      newest.generation > entry.generation ||
      (newest.generation === entry.generation && newest.sequence >= entry.sequence);
    if (older) return { verdict: 'stop', reason: `a checkpoint at ${newest.sequence} is there already` };
  }
  const entries = [entry, ...(present?.entries ?? [])];
  return {
    verdict: 'commit',
    pointer: { entries: entries.slice(0, checkpointsKept) },
    drop: entries.slice(checkpointsKept).map((one) => one.object),
  };
}

export class CheckpointStore {
  private readonly pointers: KeyValue;
  private readonly objects: Objects;

  constructor(pointers: KeyValue, objects: Objects) {
    this.pointers = pointers;
    this.objects = objects;
  }

  async pointer(partition: number): Promise<CheckpointPointer | null> {
    const entry = await this.pointers.get(keys.checkpoint(partition));
    return entry === null ? null : (unpack(entry.value) as CheckpointPointer);
  }

  /** Stores state and moves the pointer. Null when done, else why another owner's checkpoint stands. */
  async save(
    partition: number,
    state: Uint8Array,
    at: { epoch: number; generation: number; sequence: number },
  ): Promise<string | null> {
    const hash = createHash('sha256').update(state).digest('hex');
    const object = `p${partition}.g${at.generation}.s${at.sequence}.e${at.epoch}`;
    let written = false;
    for (;;) {
      const stored = await this.pointers.get(keys.checkpoint(partition));
      const present = stored === null ? null : (unpack(stored.value) as CheckpointPointer);
      const decision = advance(present, { object, hash, ...at });
      if (decision.verdict === 'stop') {
        // The same name in the pointer is the same state, stored by an earlier attempt.
        const named = present?.entries.some((entry) => entry.object === object) ?? false;
        if (written && !named) await this.objects.delete(object);
        return decision.reason;
      }
      if (!written) await this.objects.put(object, state);
      written = true;
      const value = pack(decision.pointer);
      const moved =
        stored === null
          ? await this.pointers.create(keys.checkpoint(partition), value)
          : await this.pointers.update(keys.checkpoint(partition), value, stored.revision);
      if (moved === null) continue;
      for (const name of decision.drop) await this.objects.delete(name);
      return null;
    }
  }

  /** Newest readable checkpoint at or under a position; corrupt and missing ones are reported and passed over. */
  async load(
    partition: number,
    limit: { generation: number; sequence: number } | null,
    report: (problem: string) => void,
  ): Promise<{ state: Uint8Array; entry: CheckpointEntry } | null> {
    const pointer = await this.pointer(partition);
    for (const entry of pointer?.entries ?? []) {
      const over = limit !== null && entry.generation === limit.generation && entry.sequence > limit.sequence;
      if (over) continue;
      const state = await this.objects.get(entry.object).catch(() => null);
      if (state !== null && createHash('sha256').update(state).digest('hex') === entry.hash) return { state, entry };
      report(
        `Checkpoint ${entry.object} of partition ${partition} is ${state === null ? 'missing' : 'corrupt'}; the one before is used.`,
      );
    }
    return null;
  }
}
