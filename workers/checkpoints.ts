/**
 * Checkpoints of partitions: state in the object store, what is restorable in KV by compare-and-set.
 *
 * C1  A checkpoint is a chain of objects: a base and the changes after it (`parts.ts`). An object's name holds its
 *     hash, so that one name never stands for two contents, whoever writes.
 * C2  The pointer holds the newest few, and one more whose chain shares no object with the newest: a damaged base
 *     takes every checkpoint over it along. Until there is such a one, the stream's start stands in for it (an entry
 *     with an empty chain), and keeps the stream from being purged.
 * C3  An object is deleted only after the pointer stopped naming it. What a crashed save left behind is swept once it
 *     was seen unnamed twice.
 * C4  A higher epoch in the pointer means that another owner took over; the position of a readable checkpoint never
 *     falls. Epochs of an earlier generation count for nothing: they may be of a cluster that was wiped.
 */
import { createHash } from 'node:crypto';
import type { KeyValue, Objects } from '#bus/mod.ts';
import { keys, LogweirError, pack, unpack } from '#protocol/mod.ts';

export interface CheckpointObject {
  name: string;
  /** SHA-256 of the bytes, hex. */
  hash: string;
  bytes: number;
}

export interface Position {
  generation: number;
  sequence: number;
}

export interface CheckpointEntry extends Position {
  /** Base first; empty: the stream's start. */
  chain: CheckpointObject[];
  epoch: number;
}

/** Newest first. */
export interface CheckpointPointer {
  format: number;
  entries: CheckpointEntry[];
}

/** Raised whenever older builds could not read what this one writes. */
export const pointerFormat = 2;
/** Newest checkpoints kept per partition, so that a corrupt one falls back to the one before. */
export const checkpointsKept = 3;

/** Null where the bytes are no pointer that this build can read. */
export function readPointer(bytes: Uint8Array): CheckpointPointer | null {
  try {
    const pointer = unpack(bytes) as CheckpointPointer;
    const readable =
      pointer.format === pointerFormat &&
      pointer.entries.every(({ chain, sequence, generation, epoch }) => {
        const named = chain.every(({ name, hash }) => typeof name === 'string' && typeof hash === 'string');
        return named && [sequence, generation, epoch].every((number) => Number.isSafeInteger(number));
      });
    return readable ? pointer : null;
  } catch {
    return null;
  }
}

export type Commit =
  | { verdict: 'commit'; pointer: CheckpointPointer; drop: string[] }
  | { verdict: 'stop'; reason: string };

export const isOver = (one: Position, other: Position): boolean =>
  one.generation > other.generation || (one.generation === other.generation && one.sequence > other.sequence);

const namesOf = (entries: readonly CheckpointEntry[]): Set<string> =>
  new Set(entries.flatMap(({ chain }) => chain.map(({ name }) => name)));

/** Decides what the pointer becomes (C2, C4). `damaged`: objects found unreadable, whose checkpoints are dropped. */
export function advance(
  present: CheckpointPointer | null,
  entry: CheckpointEntry,
  damaged: ReadonlySet<string> = new Set(),
): Commit {
  const known = present?.entries ?? [];
  const latest = known[0];
  const owner = latest === undefined || latest.generation < entry.generation ? 0 : latest.epoch;
  if (owner > entry.epoch) return { verdict: 'stop', reason: `epoch ${owner} owns the partition` };
  const readable = known.filter(({ chain }) => !chain.some(({ name }) => damaged.has(name)));
  const newest = readable[0];
  if (newest !== undefined && !isOver(entry, newest))
    return { verdict: 'stop', reason: `a checkpoint at ${newest.sequence} is there already` };
  const start: CheckpointEntry = { chain: [], epoch: entry.epoch, generation: entry.generation, sequence: 0 };
  const entries = [entry, ...(readable.length === 0 ? [start] : readable)];
  const kept = entries.slice(0, checkpointsKept);
  const own = namesOf([entry]);
  const isApart = ({ chain }: CheckpointEntry): boolean => !chain.some(({ name }) => own.has(name));
  if (!kept.some(isApart)) {
    const apart = entries.slice(checkpointsKept).find(isApart);
    if (apart !== undefined) kept.push(apart);
  }
  const needed = namesOf(kept);
  return {
    verdict: 'commit',
    pointer: { format: pointerFormat, entries: kept },
    drop: [...namesOf(known)].filter((name) => !needed.has(name)),
  };
}

export interface Loaded<T> {
  state: T;
  entry: CheckpointEntry;
}

/** What `load` found besides the state. */
export interface LoadReport {
  /** Passed over, with what was wrong: one line each, saying what was done. */
  problems: string[];
  /** Objects that could not be read; `save` drops the checkpoints over them. */
  damaged: Set<string>;
  /** Positions that checkpoints were known at. */
  known: Position[];
  /** The pointer was there and could not be read: what it knew is lost. */
  pointerLost: boolean;
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
    return entry === null ? null : readPointer(entry.value);
  }

  /** How an object is named and known, before it is stored. */
  describe(partition: number, bytes: Uint8Array, at: Position & { epoch: number }): CheckpointObject {
    const hash = createHash('sha256').update(bytes).digest('hex');
    const name = `p${partition}.g${at.generation}.s${at.sequence}.e${at.epoch}.${hash.slice(0, 16)}`;
    return { name, hash, bytes: bytes.length };
  }

  /**
   * Stores the last object of an entry's chain and moves the pointer. Null when done, else why another checkpoint
   * stands. Throws where the bus is away: nothing is lost, the next checkpoint says it all again.
   */
  async save(
    partition: number,
    bytes: Uint8Array,
    entry: CheckpointEntry,
    damaged: ReadonlySet<string> = new Set(),
  ): Promise<string | null> {
    const object = entry.chain.at(-1) as CheckpointObject;
    const key = keys.checkpoint(partition);
    let written = false;
    for (;;) {
      const stored = await this.pointers.get(key);
      const present = stored === null ? null : readPointer(stored.value);
      const decision = advance(present, entry, damaged);
      if (decision.verdict === 'stop') {
        // The same name in the pointer is the same state, stored by an earlier attempt.
        if (written && !namesOf(present?.entries ?? []).has(object.name)) await this.objects.delete(object.name);
        return decision.reason;
      }
      if (!written) await this.objects.put(object.name, bytes);
      written = true;
      const value = pack(decision.pointer);
      const moved =
        stored === null
          ? await this.pointers.create(key, value)
          : await this.pointers.update(key, value, stored.revision);
      if (moved === null) continue;
      // What cannot be deleted now is swept later.
      for (const name of decision.drop) await this.objects.delete(name).catch(() => {});
      return null;
    }
  }

  /**
   * Newest readable checkpoint at or under a position, as `restore` makes it of its objects; null: from the stream's
   * start. What is damaged is passed over and told of; where the bus is away it throws instead, since what cannot be
   * reached is not lost.
   * @param restore makes the state; throws MESSAGE_MALFORMED where the objects are not whole
   */
  async load<T>(
    partition: number,
    limit: Position | null,
    restore: (chain: Uint8Array[]) => T | Promise<T>,
    report: LoadReport,
  ): Promise<Loaded<T> | null> {
    const stored = await this.pointers.get(keys.checkpoint(partition));
    const pointer = stored === null ? null : readPointer(stored.value);
    report.pointerLost = stored !== null && pointer === null;
    if (report.pointerLost)
      report.problems.push(
        `partition ${partition}: the checkpoint pointer is damaged or of another format; the stream is replayed from its start.`,
      );
    const entries = (pointer?.entries ?? []).filter(({ chain }) => chain.length > 0);
    for (const entry of entries) report.known.push({ generation: entry.generation, sequence: entry.sequence });
    const usable = entries.filter((entry) => limit === null || !isOver(entry, limit));
    for (const [i, entry] of usable.entries()) {
      const read = await this.read(entry, restore, report.damaged);
      if ('state' in read) return { state: read.state, entry };
      const next = usable[i + 1];
      const done =
        next === undefined
          ? 'the stream is replayed from its start'
          : `the one at ${next.sequence} before it is used instead`;
      report.problems.push(
        `partition ${partition}: checkpoint at ${entry.sequence} cannot be used, object ${read.object} ${read.problem}; ${done}.`,
      );
    }
    return null;
  }

  private async read<T>(
    entry: CheckpointEntry,
    restore: (chain: Uint8Array[]) => T | Promise<T>,
    damaged: Set<string>,
  ): Promise<{ state: T } | { object: string; problem: string }> {
    const chain: Uint8Array[] = [];
    for (const { name, hash } of entry.chain) {
      const bytes = damaged.has(name) ? null : await this.objects.get(name);
      const whole = bytes !== null && createHash('sha256').update(bytes).digest('hex') === hash;
      if (!whole) {
        const problem = bytes === null ? 'is missing or torn' : 'is corrupt';
        damaged.add(name);
        return { object: name, problem };
      }
      chain.push(bytes);
    }
    const last = (entry.chain.at(-1) as CheckpointObject).name;
    try {
      return { state: await restore(chain) };
    } catch (error) {
      if (!(error instanceof LogweirError) || error.code !== 'MESSAGE_MALFORMED') throw error;
      damaged.add(last);
      return { object: last, problem: `is unreadable: ${error.message}` };
    }
  }

  /**
   * Deletes what crashed saves of these partitions left behind (C3): objects that no pointer names now, nor named when
   * `suspects` were found. Returns the suspects of this time.
   */
  async sweep(partitions: ReadonlySet<number>, suspects: ReadonlySet<string>): Promise<Set<string>> {
    // Listed before the pointers are read: what is stored meanwhile is not in the list.
    const listed = (await this.objects.list()).filter((name) => partitions.has(partitionOfObject(name)));
    const named = new Set<string>();
    for (const partition of partitions) {
      const stored = await this.pointers.get(keys.checkpoint(partition));
      for (const name of namesOf((stored === null ? null : readPointer(stored.value))?.entries ?? [])) named.add(name);
    }
    const found = new Set<string>();
    for (const name of listed) {
      if (named.has(name)) continue;
      if (suspects.has(name)) await this.objects.delete(name);
      else found.add(name);
    }
    return found;
  }
}

function partitionOfObject(name: string): number {
  return Number(/^p(\d+)\./.exec(name)?.[1] ?? Number.NaN);
}
