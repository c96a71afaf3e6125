/** A worker process: runs the partitions that the assignment gives it, and tells how it is. */
import {
  type Bus,
  type Cancel,
  type ClusterFacts,
  type DeadLetters,
  type Host,
  type KeyValue,
  type Objects,
  sleep,
  thisHost,
  type Time,
} from '#bus/mod.ts';
import {
  buckets,
  decodeWriterMarks,
  type Heartbeat,
  heartbeatEveryMs,
  keys,
  objectBuckets,
  pack,
  type PartitionLoad,
  LogweirError,
  type ModelFigures,
  streams,
  subjects,
  unpack,
} from '#protocol/mod.ts';
import { CheckpointBudget } from './checkpoint-budget.ts';
import { CheckpointStore } from './checkpoints.ts';
import { WorkerModel } from './worker-model.ts';
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
  dead?: DeadLetters;
  resultsLingerMs?: number;
  /** Time between two checkpoints of a partition, ms, default 5_000; longer where that would cost too much. */
  checkpointEveryMs?: number;
  /** LOGS keeps what is safe in storage, default false: checkpoints give it no room. */
  retainLogs?: boolean;
  /** How long a drain may take, ms, default 25_000: less than a supervisor or container host waits before it kills. */
  drainTimeoutMs?: number;
  /** What heartbeats say of the process, default the one we run in. */
  host?: Host;
}

const resultsLingerMsDefault = 500;
const emptyLingerMs = 2_000;
const checkpointEveryMsDefault = 5_000;
const drainTimeoutMsDefault = 25_000;
const drainLookMs = 20;
/** A partition that cannot run is tried again after this long. */
const retryAfterMs = 1_000;
/** How often checkpoint objects that crashed saves left behind are looked for; one seen twice is deleted. */
const sweepEveryMs = 10 * 60_000;
/** How often the end of LOGS is held against what was read of it. */
const streamLookEveryMs = 2_000;
/** LOGS that is fuller than this is short of room: what is left takes a while to fill, and checkpoints a few to pass it. */
const shortOfRoom = 0.5;
/**
 * What the writer has taken is looked at in every so many looks at the stream, and in as many looks after the connection
 * broke: RESULTS may have lost then what it had acknowledged. Seldom, as the writer's record names every partition.
 */
const readerLooks = 15;

interface Held {
  runner: PartitionRunner;
  generation: number;
  started: Promise<void>;
  /** Drains, or is abandoned. */
  ending: boolean;
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
  private leaving = false;
  private readonly rates = new ServiceRates();
  private readonly turns: Turns;
  private readonly budget: CheckpointBudget;
  private readonly model: WorkerModel;
  private suspects: ReadonlySet<string> = new Set();
  /** Generation whose stream was found to be another; told of once. */
  private changedGeneration = 0;
  private readonly marks: KeyValue;
  private looks = 0;
  /** Looks at what the writer has taken that are still due since the connection broke. */
  private closeLooks = 0;
  private connections: number;
  private stopBeating: Cancel = () => {};
  private stopLooking: Cancel = () => {};
  private stopSweeping: Cancel = () => {};
  private stopWatching: () => void = () => {};
  private lastMeasuredMs: number;
  private measured: ReturnType<ServiceRates['take']> = { recordsPerSecond: 0, services: [] };
  private beating = false;
  /** Totals of partitions let go, so that counters never fall. */
  private readonly past: Record<string, number> = {};

  private constructor(options: WorkerOptions, checkpoints: CheckpointStore, marks: KeyValue) {
    this.options = options;
    this.checkpoints = checkpoints;
    this.marks = marks;
    this.connections = options.bus.connections;
    this.lastMeasuredMs = options.time.now();
    this.turns = new Turns(options.time);
    const { bus, time, log, host = thisHost } = options;
    const objects = (): Promise<Objects> => bus.objects(objectBuckets.models);
    this.model = new WorkerModel({ objects, time, log, stopwatchMs: host.stopwatchMs });
    this.budget = new CheckpointBudget({ everyMs: options.checkpointEveryMs ?? checkpointEveryMsDefault });
  }

  static async start(options: WorkerOptions): Promise<Worker> {
    const pointers = await options.bus.keyValue(buckets.checkpoints);
    const objects = await options.bus.objects(objectBuckets.checkpoints);
    const worker = new Worker(
      options,
      new CheckpointStore(pointers, objects),
      await options.bus.keyValue(buckets.marks),
    );
    worker.stopWatching = await options.store.watch(keys.assignment, (entry) => {
      worker.wanted = entry === null ? null : (unpack(entry.value) as AssignmentDocument);
      worker.reconcile();
    });
    worker.stopBeating = options.time.every(heartbeatEveryMs, () => worker.beat());
    worker.stopSweeping = options.time.every(sweepEveryMs, () => void worker.sweep());
    worker.stopLooking = options.time.every(streamLookEveryMs, () => void worker.lookAtStream());
    worker.beat();
    return worker;
  }

  /** Brings what runs in line with what is wanted. Each partition goes its own way: a slow drain holds up no other. */
  private reconcile(): void {
    const { wanted } = this;
    const mine = new Set<number>();
    if (wanted !== null && !this.leaving)
      for (const [partition, owner] of wanted.owners.entries()) if (owner === this.options.id) mine.add(partition);
    for (const [partition, held] of this.held) {
      if (held.ending) continue;
      const old = wanted !== null && held.generation !== wanted.generation;
      if (old || !mine.has(partition)) void this.letGo(partition, held, old ? 'abandon' : 'finish');
    }
    if (wanted !== null) for (const partition of mine) if (!this.held.has(partition)) void this.take(partition, wanted);
  }

  private async take(partition: number, document: AssignmentDocument): Promise<void> {
    const { bus, time, log } = this.options;
    const { epoch, generation } = document;
    const runner = new PartitionRunner({
      bus,
      checkpoints: this.checkpoints,
      partition,
      epoch,
      generation,
      firstGeneration: this.options.facts.firstGeneration,
      time,
      turns: this.turns,
      log,
      dead: this.options.dead,
      onServices: (services) => this.rates.add(services),
      resultsLingerMs: this.options.resultsLingerMs ?? resultsLingerMsDefault,
      emptyLingerMs,
      budget: this.budget,
      running: () => this.held.size,
      shell: this.model.shell,
    });
    const started = runner.start();
    const held: Held = { runner, generation, started, ending: false, records: 0, rate: 0 };
    this.held.set(partition, held);
    this.beatSoon();
    try {
      await started;
      runner.ended.catch((error: Error) => this.onBroken(partition, held, error));
    } catch (error) {
      this.onBroken(partition, held, error as Error);
    }
  }

  private onBroken(partition: number, held: Held, error: Error): void {
    if (held.ending || this.held.get(partition) !== held) return;
    if (!this.isTold(error, held.generation))
      this.options.log(
        `partition ${partition} stopped: ${error.message} It is taken up again in ${retryAfterMs / 1_000} s.`,
      );
    for (const [name, value] of Object.entries(counters(held.runner))) this.past[name] = (this.past[name] ?? 0) + value;
    void held.runner.stop();
    this.held.delete(partition);
    this.options.time.after(retryAfterMs, () => this.reconcile());
  }

  /** `abandon`: positions of another generation are worth nothing, and another owner replays in any case. */
  private async letGo(partition: number, held: Held, how: 'finish' | 'abandon'): Promise<void> {
    held.ending = true;
    try {
      await held.started;
      if (how === 'finish') await this.withinTime(held.runner.drain());
      else await this.withinTime(held.runner.stop());
    } catch (error) {
      this.options.log(`partition ${partition} was let go unfinished: ${(error as Error).message}`);
      // What it still does reaches nobody; the next owner need not wait for it.
      void held.runner.stop().catch(() => {});
    }
    for (const [name, value] of Object.entries(counters(held.runner))) this.past[name] = (this.past[name] ?? 0) + value;
    if (this.held.get(partition) === held) this.held.delete(partition);
    this.beatSoon();
    // It may be wanted again meanwhile.
    this.reconcile();
  }

  /** One partition that never finishes would keep its place taken, and the assignment waiting. @throws Error */
  private async withinTime(ending: Promise<void>): Promise<void> {
    const ms = this.drainTimeoutMs;
    let cancel: Cancel = () => {};
    const late = new Promise<never>((_, reject) => {
      cancel = this.options.time.after(ms, () => reject(new Error(`it took longer than ${ms / 1_000} s.`)));
    });
    await Promise.race([ending, late]).finally(() => cancel());
  }

  private get drainTimeoutMs(): number {
    return this.options.drainTimeoutMs ?? drainTimeoutMsDefault;
  }

  /** A changed stream stops every partition, again and again until the coordinator's new generation: told of once. */
  private isTold(error: Error, generation: number): boolean {
    if (!(error instanceof LogweirError) || error.code !== 'STREAM_CHANGED') return false;
    const told = this.changedGeneration === generation;
    this.changedGeneration = generation;
    return told;
  }

  /** LOGS that ends before what was read of it is another stream: found here also where the connection never broke. */
  private async lookAtStream(): Promise<void> {
    const runners = [...this.held.values()].map(({ runner }) => runner);
    const read = Math.max(0, ...runners.map(({ counts }) => counts.sequence));
    const info = await this.options.bus.streams.info(streams.logs).catch(() => null);
    if (info !== null && info.lastSequence < read) for (const runner of runners) runner.checkStream();
    if (info !== null)
      this.budget.isShort = this.options.retainLogs !== true && info.bytes > info.bytesMax * shortOfRoom;
    const { connections } = this.options.bus;
    if (connections !== this.connections) this.closeLooks = readerLooks;
    this.connections = connections;
    if (this.closeLooks-- > 0 || ++this.looks % readerLooks === 0) await this.lookAtReader();
  }

  private async lookAtReader(): Promise<void> {
    const entry = await this.marks.get(keys.writer).catch(() => null);
    if (entry === null) return;
    const marks = decodeWriterMarks(entry.value);
    for (const { runner } of this.held.values()) runner.heed(marks);
  }

  private async sweep(): Promise<void> {
    try {
      this.suspects = await this.checkpoints.sweep(new Set(this.held.keys()), this.suspects);
    } catch (error) {
      this.options.log(`Checkpoint objects were not swept: ${(error as Error).message}`);
    }
  }

  /** Partitions that run here, draining ones included. */
  get running(): number[] {
    return [...this.held.keys()];
  }

  /** One beat for all that changes in this turn. */
  private beatSoon(): void {
    if (this.beating) return;
    this.beating = true;
    this.options.time.soon(() => {
      this.beating = false;
      this.beat();
    });
  }

  private beat(): void {
    const { bus, id, time, host = thisHost } = this.options;
    const now = time.now();
    // Beats between the regular ones tell of partitions; over so short a time rates would say nothing.
    const seconds = (now - this.lastMeasuredMs) / 1_000;
    if (seconds * 1_000 >= heartbeatEveryMs / 2) {
      this.lastMeasuredMs = now;
      this.measured = this.rates.take(seconds);
    }
    const { recordsPerSecond, services } = this.measured;
    const partitions: PartitionLoad[] = [];
    for (const [partition, held] of this.held) {
      const { records, sequence, lagMs } = held.runner.counts;
      if (this.lastMeasuredMs === now) {
        held.runner.counts.lagMs = 0;
        // Smoothed over about five seconds: assignment must not chase single bursts.
        const rate = (records - held.records) / seconds;
        held.rate += (rate - held.rate) * Math.min(seconds / 5, 1);
        held.records = records;
      }
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
      counters: { ...this.counters(), streamChangedGeneration: this.changedGeneration },
      partitions,
      services,
      model: this.figures(),
    };
    bus.tell(subjects.heartbeat('worker', id), pack(beat));
  }

  /** How classification fares in the partitions that run here. */
  figures(): ModelFigures {
    return this.model.figures(this.options.time.now(), () => [...this.held.values()].map(({ runner }) => runner));
  }

  /** Totals since the process started, for heartbeats and /metrics. */
  counters(): Record<string, number> {
    const totals: Record<string, number> = { ...this.past };
    for (const held of this.held.values())
      for (const [name, value] of Object.entries(counters(held.runner))) totals[name] = (totals[name] ?? 0) + value;
    totals['checkpointAgeMs'] = this.checkpointAgeMs();
    return totals;
  }

  /** Age of the oldest newest checkpoint of the partitions that run here, ms; 0 where none has one yet. */
  private checkpointAgeMs(): number {
    const times = [...this.held.values()].map(({ runner }) => runner.checkpointedMs).filter((ms) => ms > 0);
    return times.length === 0 ? 0 : Math.max(0, this.options.time.now() - Math.min(...times));
  }

  /** Abandons everything at once: what is unfinished reaches nobody. */
  async stop(): Promise<void> {
    this.leaving = true;
    this.stopBeating();
    this.stopWatching();
    const runners = [...this.held.values()].map(({ runner }) => runner);
    this.held.clear();
    await Promise.allSettled(runners.map((runner) => runner.stop()));
  }

  /** Drains: every partition finishes what it read, checkpoints and is let go. What takes too long is abandoned. */
  async drain(): Promise<void> {
    const { time, log } = this.options;
    this.leaving = true;
    this.beat();
    this.reconcile();
    const deadlineMs = time.now() + this.drainTimeoutMs;
    while (this.held.size > 0 && time.now() < deadlineMs) await sleep(time, drainLookMs);
    if (this.held.size > 0)
      log(
        `${this.held.size} partitions did not finish in time; their next owners replay them from their last checkpoints.`,
      );
    for (const { runner } of this.held.values()) void runner.stop().catch(() => {});
    this.held.clear();
    this.stopBeating();
    this.stopLooking();
    this.stopSweeping();
    this.stopWatching();
    this.beat();
  }
}

function counters(runner: PartitionRunner): Record<string, number> {
  const { records, late, future, overflow, duplicates, deadLetters, anomalies, streamGaps } = runner.counts;
  return {
    records,
    late,
    future,
    overflow,
    duplicates,
    deadLetters,
    anomalies,
    streamGaps,
    ...runner.checkpointCounts,
  };
}
