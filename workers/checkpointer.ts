/**
 * The checkpoints of one running partition: restores the newest usable one, and takes the next ones as changes over
 * what is committed, a base now and then. One save at a time; what a failed one held is in the next (`parts.ts`).
 */
import type { Time } from '#bus/mod.ts';
import type { CheckpointBudget } from './checkpoint-budget.ts';
import {
  type CheckpointEntry,
  type CheckpointObject,
  checkpointsKept,
  type CheckpointStore,
  type LoadReport,
  type Position,
} from './checkpoints.ts';
import { type ModelShelf, withModels } from './models.ts';
import { Partition, type PartitionShell } from './partition.ts';

export interface CheckpointerOptions {
  store: CheckpointStore;
  partition: number;
  epoch: number;
  generation: number;
  time: Time;
  budget: CheckpointBudget;
  /** What partitions are lent. */
  shell?: PartitionShell & { models?: ModelShelf | undefined };
  log: (text: string) => void;
}

export interface Restored {
  partition: Partition;
  at: CheckpointEntry | null;
  known: Position[];
  /** The pointer could not be read. */
  pointerLost: boolean;
}

export interface CheckpointCounts {
  checkpoints: number;
  checkpointBytesWritten: number;
  /** Time that taking state kept the process busy, ms. */
  checkpointMsSpent: number;
  /** Saves that failed or were refused. */
  checkpointFailures: number;
  /** Checkpoints passed over in a restore because they were damaged. */
  checkpointFallbacks: number;
}

/**
 * Objects of a chain at most: bounds what a restore reads and what one damaged base takes along, and with that how
 * far back the stream is kept: to the checkpoint before the present base.
 */
export const chainMax = 12;
/** Bytes of changes that a base may have over it, in bases. */
const changesPerBaseMax = 3;
/** Partitions start together; their bases must not come together for ever. */
const firstChainStride = 5;

export class Checkpointer {
  readonly counts: CheckpointCounts = {
    checkpoints: 0,
    checkpointBytesWritten: 0,
    checkpointMsSpent: 0,
    checkpointFailures: 0,
    checkpointFallbacks: 0,
  };
  /** When the newest checkpoint was committed; 0 before the first. */
  committedMs = 0;
  private readonly options: CheckpointerOptions;
  private readonly shell: PartitionShell & { models?: ModelShelf | undefined };
  /** Committed: what the next changes are taken over, and the round that holds it. */
  private chain: CheckpointObject[] = [];
  private round: number | null = null;
  private chainLimit: number;
  private damaged = new Set<string>();
  /** Counts restores: what was taken before one says nothing of the state after it. */
  private restores = 0;

  constructor(options: CheckpointerOptions) {
    this.options = options;
    this.shell = options.shell ?? {};
    this.chainLimit = 1 + ((options.partition * firstChainStride) % chainMax);
  }

  /** The newest usable checkpoint at or under a position, or an empty partition; and where checkpoints are known. */
  async restore(limit: Position | null): Promise<Restored> {
    const { store, partition, log } = this.options;
    const { shell } = this;
    const restore = (chain: Uint8Array[]): Promise<Partition> =>
      withModels(shell.models, () => Partition.restore(chain, partition, shell));
    const report: LoadReport = { problems: [], damaged: new Set(), known: [], pointerLost: false };
    this.restores++;
    const loaded = await store.load(partition, limit, restore, report);
    for (const problem of report.problems) log(problem);
    this.counts.checkpointFallbacks += report.problems.length;
    this.damaged = report.damaged;
    this.chain = loaded?.entry.chain ?? [];
    this.round = loaded === null ? null : 0;
    const { known, pointerLost } = report;
    return {
      partition: loaded?.state ?? new Partition(partition, shell),
      at: loaded?.entry ?? null,
      known,
      pointerLost,
    };
  }

  /**
   * Takes the state as it is now, whole where `isBase`; it is committed once `ready` settles. False where it is not, or of
   * a state that was given up meanwhile. Never rejects.
   */
  save(partition: Partition, ready: Promise<void>, isBase = false): Promise<boolean> {
    const { store, epoch, generation, time, budget } = this.options;
    const { restores } = this;
    const startedMs = time.now();
    const over = isBase || this.baseIsDue() ? [] : this.chain;
    const { bytes, round } = partition.take(over.length === 0 ? null : this.round);
    const at = { epoch, generation, sequence: partition.sequence };
    const object = store.describe(partition.partition, bytes, at);
    const busyMs = time.now() - startedMs;
    budget.spent(busyMs);
    this.counts.checkpointMsSpent += busyMs;
    return ready
      .then(() => this.commit(bytes, { ...at, chain: [...over, object] }, round, restores))
      .catch((error: Error) => {
        this.failed(at.sequence, error.message);
        return false;
      });
  }

  private async commit(bytes: Uint8Array, entry: CheckpointEntry, round: number, restores: number): Promise<boolean> {
    const { store, partition, time } = this.options;
    const refused = await store.save(partition, bytes, entry, this.damaged);
    if (refused !== null) {
      this.failed(entry.sequence, refused);
      return false;
    }
    // As good as any, but of a state that was given up: changes of the present one do not go over it.
    if (restores !== this.restores) return false;
    if (entry.chain.length === 1 && this.round !== null) this.chainLimit = chainMax;
    this.chain = entry.chain;
    this.round = round;
    this.damaged.clear();
    this.counts.checkpoints++;
    this.counts.checkpointBytesWritten += bytes.length;
    this.committedMs = time.now();
    return true;
  }

  private failed(sequence: number, why: string): void {
    this.counts.checkpointFailures++;
    this.options.log(`partition ${this.options.partition}: checkpoint at ${sequence} not written, ${why}.`);
  }

  /** A restore reads, and the object store keeps, a few times the state at most; LOGS is kept back to before the base. */
  private baseIsDue(): boolean {
    const { chain } = this;
    const [base, ...changes] = chain;
    const limit = this.options.budget.isShort ? Math.min(checkpointsKept, this.chainLimit) : this.chainLimit;
    if (base === undefined || chain.length >= limit) return true;
    return changes.reduce((sum, { bytes }) => sum + bytes, 0) > base.bytes * changesPerBaseMax;
  }
}
