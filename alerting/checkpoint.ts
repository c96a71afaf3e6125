/**
 * Alerting's checkpoint: state (lz4) in the object store; marks, position and the state's name and hash in one KV entry,
 * moved by compare-and-set. The old state is deleted only after the pointer moved. A conflict means that another
 * alerting process took over.
 */
import { createHash, randomUUID } from 'node:crypto';
import { compress, uncompress } from 'lz4-napi';
import type { Bus, KeyValue, Objects } from '#bus/mod.ts';
import {
  buckets,
  type CommittedMarks,
  decodeMarks,
  encodeMarks,
  keys,
  LogweirError,
  objectBuckets,
  pack,
  unpack,
} from '#protocol/mod.ts';
import { type AlertingSnapshot, restoreState, snapshotOf } from './core/state.ts';
import type { AlertingState } from './core/types.ts';

interface Pointer extends CommittedMarks {
  /** Unique to the process that wrote it. */
  owner: string;
  /** Counts the checkpoints. */
  number: number;
  /** '' before the first. */
  object: string;
  /** SHA-256 of the object, hex. */
  hash: string;
}

export interface StateCodec {
  compress(bytes: Uint8Array): Promise<Uint8Array>;
  uncompress(bytes: Uint8Array): Promise<Uint8Array>;
}

const lz4: StateCodec = {
  compress: (bytes) => compress(Buffer.from(bytes)),
  uncompress: (bytes) => uncompress(Buffer.from(bytes)),
};

export interface CheckpointOptions {
  /** Unique to the process, default random. */
  owner?: string;
  codec?: StateCodec;
}

export interface Restored {
  state: AlertingState | null;
  marks: CommittedMarks['marks'];
  resumeFrom: number;
}

export class AlertingCheckpoints {
  private readonly pointers: KeyValue;
  private readonly objects: Objects;
  private readonly owner: string;
  private readonly codec: StateCodec;
  private pointer: Pointer = { owner: '', number: 0, object: '', hash: '', resumeFrom: 1, marks: [] };
  private revision: number | null = null;
  /** States to delete once the pointer has moved on. */
  private readonly former = new Set<string>();

  private constructor(pointers: KeyValue, objects: Objects, { owner = randomUUID(), codec = lz4 }: CheckpointOptions) {
    this.pointers = pointers;
    this.objects = objects;
    this.owner = owner;
    this.codec = codec;
  }

  static async open(bus: Bus, options: CheckpointOptions = {}): Promise<AlertingCheckpoints> {
    const pointers = await bus.keyValue(buckets.marks);
    return new AlertingCheckpoints(pointers, await bus.objects(objectBuckets.checkpoints), options);
  }

  /** Reads the checkpoint and takes it over: a process that wrote it before can write no more. */
  async load(log: (text: string) => void): Promise<Restored> {
    const entry = await this.pointers.get(keys.alerting);
    if (entry === null) return { state: null, marks: [], resumeFrom: 1 };
    this.revision = entry.revision;
    this.pointer = decodeMarks<Pointer>(entry.value);
    await this.move({ ...this.pointer, owner: this.owner });
    const { object, hash, marks, resumeFrom } = this.pointer;
    if (object === '') return { state: null, marks, resumeFrom };
    const bytes = await this.objects.get(object).catch(() => null);
    if (bytes !== null && hashOf(bytes) === hash)
      return {
        state: restoreState(unpack(await this.codec.uncompress(bytes)) as AlertingSnapshot),
        marks,
        resumeFrom,
      };
    log(
      `The state of alerting (${object}) is ${bytes === null ? 'missing' : 'corrupt'}: alerts that fire now are announced again.`,
    );
    return { state: null, marks, resumeFrom };
  }

  /** @throws LogweirError CLUSTER_MISMATCH where another alerting process has taken over. */
  async confirm(): Promise<void> {
    const present = await this.pointers.get(keys.alerting);
    if (present === null || present.revision === this.revision) return;
    if (decodeMarks<Pointer>(present.value).owner !== this.owner) throw takenOver();
  }

  /** @throws LogweirError CLUSTER_MISMATCH where another alerting process has taken over. */
  async save(state: AlertingState, marks: CommittedMarks['marks'], resumeFrom: number): Promise<void> {
    // Off the main thread, and a third of the bytes to send: a checkpoint must not hold up an alert.
    const bytes = await this.codec.compress(pack(snapshotOf(state)));
    const number = this.pointer.number + 1;
    const hash = hashOf(bytes);
    // The hash in the name keeps apart what two processes write under the same number.
    const object = `alerting.${number}.${hash.slice(0, 16)}`;
    this.former.add(this.pointer.object);
    await this.objects.put(object, bytes);
    await this.move({ owner: this.owner, number, object, hash, resumeFrom, marks });
    for (const name of this.former) if (name !== '' && name !== object) await this.objects.delete(name);
    this.former.clear();
  }

  private async move(pointer: Pointer): Promise<void> {
    const value = encodeMarks(pointer);
    for (;;) {
      const { revision } = this;
      const moved =
        revision === null
          ? await this.pointers.create(keys.alerting, value)
          : await this.pointers.update(keys.alerting, value, revision);
      if (moved !== null) {
        this.pointer = pointer;
        this.revision = moved;
        return;
      }
      // A write of ours whose answer got lost stands there as well.
      const present = await this.pointers.get(keys.alerting);
      const written = present === null ? null : decodeMarks<Pointer>(present.value);
      if (present === null || written === null || written.owner !== this.owner || present.revision === revision)
        throw takenOver();
      this.former.add(written.object);
      this.revision = present.revision;
    }
  }
}

function takenOver(): LogweirError {
  return new LogweirError(
    'CLUSTER_MISMATCH',
    'Another alerting process has taken over this cluster.',
    'Run one alerting process per cluster; this one stops.',
  );
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
