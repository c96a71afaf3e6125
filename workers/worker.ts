/** A worker process: runs the partitions that the assignment gives it, and tells how it is. */
import { baseModel } from '#analysis/classification/mod.ts';
import { type Bus, type Cancel, type ClusterFacts, type Host, type KeyValue, thisHost, type Time } from '#bus/mod.ts';
import {
  buckets,
  type Heartbeat,
  heartbeatEveryMs,
  keys,
  objectBuckets,
  pack,
  type PartitionLoad,
  subjects,
  unpack,
} from '#protocol/mod.ts';
import { CheckpointStore } from './checkpoints.ts';
import { PartitionRunner } from './runner.ts';
import { ServiceRates } from './service-rates.ts';
import { Turns } from './turns.ts';

export interface WorkerOptions {
  bus: Bus;
  store: KeyValue;
  facts: ClusterFacts;
  id: string;
  time: Time;
  log: (text: string) => void;
  resultsLingerMs?: number;
  checkpointEveryMs?: number;
  /** What heartbeats say of the process, default the one we run in. */
  host?: Host;
}

const resultsLingerMsDefault = 500;
const emptyLingerMs = 2_000;
const checkpointEveryMsDefault = 5_000;
/** A partition that cannot run is tried again after this long. */
const retryAfterMs = 1_000;

interface Held {
  runner: PartitionRunner;
  records: number;
  rate: number;
}

interface AssignmentDocument {
  epoch: number;
  generation: number;
  owners: (string | null)[];
}

export class Worker {
  private readonly options: WorkerOptions;
  private readonly checkpoints: CheckpointStore;
  private readonly held = new Map<number, Held>();
  private wanted: AssignmentDocument | null = null;
  private reconciling: Promise<void> | null = null;
  private again = false;
  private leaving = false;
  private readonly rates = new ServiceRates();
  private readonly turns: Turns;
  private stopBeating: Cancel = () => {};
  private stopWatching: () => void = () => {};
  private lastBeatMs: number;
  /** Totals of partitions let go, so that counters never fall. */
  private readonly past: Record<string, number> = {};

  private constructor(options: WorkerOptions, checkpoints: CheckpointStore) {
    this.options = options;
    this.checkpoints = checkpoints;
    this.lastBeatMs = options.time.now();
    this.turns = new Turns(options.time);
  }

  static async start(options: WorkerOptions): Promise<Worker> {
    // Made at first use, in a second of CPU: now, and not while the first records wait and heartbeats with them.
    void baseModel.severity;
    const pointers = await options.bus.keyValue(buckets.checkpoints);
    const objects = await options.bus.objects(objectBuckets.checkpoints);
    const worker = new Worker(options, new CheckpointStore(pointers, objects));
    worker.stopWatching = await options.store.watch(keys.assignment, (entry) => {
      worker.wanted = entry === null ? null : (unpack(entry.value) as AssignmentDocument);
      worker.reconcile();
    });
    worker.stopBeating = options.time.every(heartbeatEveryMs, () => worker.beat());
    worker.beat();
    return worker;
  }

  /** Brings what runs in line with what is wanted, one change of the document at a time. */
  private reconcile(): void {
    if (this.reconciling !== null) {
      this.again = true;
      return;
    }
    this.reconciling = this.reconcileOnce()
      .catch((error: Error) => this.options.log(`Worker ${this.options.id}: ${error.message}`))
      .finally(() => {
        this.reconciling = null;
        if (this.again) {
          this.again = false;
          this.reconcile();
        }
      });
  }

  private async reconcileOnce(): Promise<void> {
    const mine = new Set<number>();
    const wanted = this.wanted;
    if (wanted !== null && !this.leaving)
      for (const [partition, owner] of wanted.owners.entries()) if (owner === this.options.id) mine.add(partition);
    const release = [...this.held.keys()].filter((partition) => !mine.has(partition));
    await Promise.all(release.map((partition) => this.release(partition)));
    const grant = [...mine].filter((partition) => !this.held.has(partition));
    if (wanted !== null) await Promise.all(grant.map((partition) => this.take(partition, wanted)));
    if (release.length > 0 || grant.length > 0) this.beat();
  }

  private async take(partition: number, document: AssignmentDocument): Promise<void> {
    const { bus, time, log } = this.options;
    const runner = new PartitionRunner({
      bus,
      checkpoints: this.checkpoints,
      partition,
      epoch: document.epoch,
      generation: document.generation,
      time,
      turns: this.turns,
      log,
      onServices: (services) => this.rates.add(services),
      resultsLingerMs: this.options.resultsLingerMs ?? resultsLingerMsDefault,
      emptyLingerMs,
      checkpointEveryMs: this.options.checkpointEveryMs ?? checkpointEveryMsDefault,
    });
    const held = { runner, records: 0, rate: 0 };
    this.held.set(partition, held);
    try {
      await runner.start();
      runner.ended.catch((error: Error) => this.onBroken(partition, held, error));
    } catch (error) {
      this.onBroken(partition, held, error as Error);
    }
  }

  private onBroken(partition: number, held: Held, error: Error): void {
    if (this.held.get(partition) !== held) return;
    this.options.log(
      `partition ${partition} stopped: ${error.message} It is taken up again in ${retryAfterMs / 1_000} s.`,
    );
    void held.runner.stop();
    this.held.delete(partition);
    this.options.time.after(retryAfterMs, () => this.reconcile());
  }

  private async release(partition: number): Promise<void> {
    const held = this.held.get(partition);
    if (held === undefined) return;
    await held.runner.drain();
    for (const [name, value] of Object.entries(counters(held.runner))) this.past[name] = (this.past[name] ?? 0) + value;
    this.held.delete(partition);
  }

  private beat(): void {
    const { bus, id, time, host = thisHost } = this.options;
    const now = time.now();
    const seconds = Math.max(now - this.lastBeatMs, 1) / 1_000;
    this.lastBeatMs = now;
    const partitions: PartitionLoad[] = [];
    const { recordsPerSecond, services } = this.rates.take(seconds);
    for (const [partition, held] of this.held) {
      const { records, sequence, lagMs } = held.runner.counts;
      held.runner.counts.lagMs = 0;
      // Smoothed over about five seconds: assignment must not chase single bursts.
      const rate = (records - held.records) / seconds;
      held.rate += (rate - held.rate) * Math.min(seconds / 5, 1);
      held.records = records;
      partitions.push({ partition, recordsPerSecond: held.rate, sequence, lagMs });
    }
    const beat: Heartbeat = {
      role: 'worker',
      id,
      host: host.name,
      pid: host.pid,
      atMs: now,
      rssBytes: host.rssBytes(),
      leaving: this.leaving,
      recordsPerSecond,
      counters: this.counters(),
      partitions,
      services,
    };
    bus.tell(subjects.heartbeat('worker', id), pack(beat));
  }

  /** Totals since the process started, for heartbeats and /metrics. */
  counters(): Record<string, number> {
    const totals: Record<string, number> = { ...this.past };
    for (const held of this.held.values())
      for (const [name, value] of Object.entries(counters(held.runner))) totals[name] = (totals[name] ?? 0) + value;
    return totals;
  }

  /** Drains: every partition finishes what it read, checkpoints and is let go. */
  async drain(): Promise<void> {
    this.leaving = true;
    this.beat();
    this.reconcile();
    while (this.reconciling !== null || this.held.size > 0) {
      await this.reconciling;
      if (this.held.size > 0) this.reconcile();
    }
    this.stopBeating();
    this.stopWatching();
    this.beat();
  }
}

function counters(runner: PartitionRunner): Record<string, number> {
  const { records, late, future, overflow, duplicates, deadLetters, anomalies, checkpoints } = runner.counts;
  return { records, late, future, overflow, duplicates, deadLetters, anomalies, checkpoints };
}
