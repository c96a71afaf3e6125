/**
 * Runs one partition: the thin shell around the pure function. Reads LOGS in order from the checkpoint on, publishes
 * ANOMALIES at once and RESULTS gathered, and commits a checkpoint at S only when everything up to S is acknowledged.
 */
import { type Bus, type Cancel, GoBackN, sleep, type Subscription, type Time } from '#bus/mod.ts';
import {
  encodeAnomalies,
  encodeResults,
  LogweirError,
  type Receipt,
  type ResultsMessage,
  streams,
  subjects,
  decodeResults,
} from '#protocol/mod.ts';
import type { CheckpointStore } from './checkpoints.ts';
import { Gather } from './gather.ts';
import { Partition, type PartitionOutput, type ServiceCount } from './partition.ts';
import type { Turns } from './turns.ts';

export interface RunnerOptions {
  bus: Bus;
  checkpoints: CheckpointStore;
  partition: number;
  epoch: number;
  generation: number;
  time: Time;
  /** Shared by the partitions of a process. */
  turns: Turns;
  log: (text: string) => void;
  /** Told of the rows of each message, for live rates. */
  onServices: (services: readonly ServiceCount[]) => void;
  /** How long results may wait to be gathered, ms. */
  resultsLingerMs: number;
  /** How long sequences that gave nothing may wait, ms. */
  emptyLingerMs: number;
  checkpointEveryMs: number;
}

export interface RunnerCounts {
  records: number;
  late: number;
  future: number;
  overflow: number;
  duplicates: number;
  deadLetters: number;
  anomalies: number;
  checkpoints: number;
  /** Greatest age of a message when it was taken, since the last heartbeat, ms: how far behind the stream we are. */
  lagMs: number;
  sequence: number;
}

/** Rough bytes of gathered results at which they are sent without waiting. */
const gatherBytes = 400 * 1024;
const timerMs = 50;
const checkpointSlots = 16;
const window = 64;
const queueBytesMax = 16 * 1024 * 1024;
/** A partition without records is checkpointed this much more rarely: ticks alone change little. */
const idleCheckpointFactor = 12;

export class PartitionRunner {
  readonly counts: RunnerCounts = {
    records: 0,
    late: 0,
    future: 0,
    overflow: 0,
    duplicates: 0,
    deadLetters: 0,
    anomalies: 0,
    checkpoints: 0,
    lagMs: 0,
    sequence: 0,
  };
  private readonly options: RunnerOptions;
  private readonly publisher: GoBackN;
  private partition: Partition;
  private gather: Gather;
  private gatheredSince = 0;
  private subscription: Subscription | null = null;
  private running: Promise<void> = Promise.resolve();
  private stopping = false;
  /** The analysis of a message threw half way: this state must not become a checkpoint. */
  private broken = false;
  private checkpointing: Promise<void> = Promise.resolve();
  private lastCheckpointMs: number;
  private lastCheckpointSequence = 0;
  private recordsAtCheckpoint = 0;
  /** Sequences whose analysis threw, and what it threw: dead letters when met again. */
  private readonly poison = new Map<number, string>();

  constructor(options: RunnerOptions) {
    this.options = options;
    this.partition = new Partition(options.partition);
    this.gather = new Gather(options.partition, options.generation, 0);
    // Partitions start together; their checkpoints must not come together for ever.
    const spread = (options.partition % checkpointSlots) / checkpointSlots;
    this.lastCheckpointMs = options.time.now() - spread * options.checkpointEveryMs;
    this.publisher = new GoBackN({
      publish: (subject, data) => options.bus.streams.publish(subject, data),
      sleep: (ms) => sleep(options.time, ms),
      window,
      queueBytesMax,
      onRetry: (error, queued) =>
        options.log(`partition ${options.partition}: ${error.message} ${queued} messages wait.`),
    });
  }

  get lagKnown(): { sequence: number; services: number; queuedBytes: number } {
    return {
      sequence: this.partition.sequence,
      services: this.partition.services,
      queuedBytes: this.publisher.queuedBytes,
    };
  }

  /** Restores and starts to read. Settles once reading has begun; `ended` says how it ends. */
  async start(): Promise<void> {
    await this.restore();
    this.subscription = await this.subscribe();
    this.running = this.run();
  }

  /** Settles when the partition was let go; rejects where it cannot go on. */
  get ended(): Promise<void> {
    return this.running;
  }

  private subscribe(): Promise<Subscription> {
    const { bus, partition } = this.options;
    return bus.streams.consume(streams.logs, {
      subject: subjects.logs(partition),
      fromSequence: this.partition.sequence + 1,
    });
  }

  /** The newest checkpoint not above what RESULTS holds, which heals any gap, a lost tail included. */
  private async restore(): Promise<void> {
    const { bus, checkpoints, partition, generation, log } = this.options;
    const tail = await bus.streams.last(streams.results, subjects.results(partition));
    const info = await bus.streams.info(streams.results);
    let limit: { generation: number; sequence: number } | null = null;
    if (tail !== null) {
      const last = decodeResults(tail.data);
      limit = { generation: last.generation, sequence: last.part === null || last.part.last ? last.to : last.from };
    } else if (info.lastSequence === 0) {
      // RESULTS never held a message: nothing that a checkpoint covers can have reached a reader.
      limit = { generation, sequence: 0 };
    }
    const found = await checkpoints.load(partition, limit, log);
    if (found === null) {
      this.partition = new Partition(partition);
    } else {
      this.partition = Partition.restore(found.state, partition);
      if (found.entry.generation < generation) this.partition.startGeneration();
    }
    this.broken = false;
    this.gather = new Gather(partition, generation, this.partition.sequence);
    this.lastCheckpointSequence = this.partition.sequence;
  }

  private async run(): Promise<void> {
    let stopTimer: Cancel = () => {};
    try {
      stopTimer = this.options.time.every(timerMs, () => this.onTimer());
      for (;;) {
        try {
          await this.read();
          return;
        } catch (error) {
          if (!(error instanceof PoisonError)) throw error;
          this.options.log(`partition ${this.options.partition}: ${error.message}`);
          this.poison.set(error.sequence, error.message);
          await this.subscription?.stop();
          await this.publisher.idle();
          await this.restore();
          this.subscription = await this.subscribe();
        }
      }
    } finally {
      stopTimer();
    }
  }

  private async read(): Promise<void> {
    for await (const message of this.subscription as Subscription) {
      if (this.stopping) return;
      const processingMs = this.options.time.now();
      let output: PartitionOutput;
      try {
        output = this.partition.step(message, this.poison.get(message.sequence) ?? null);
      } catch (cause) {
        this.broken = true;
        throw new PoisonError(message.sequence, cause);
      }
      this.count(output, processingMs - message.timeMs);
      if (output.section.anomalies.length > 0) this.publishAnomalies(output, processingMs);
      for (const ready of this.gather.add(output.section)) this.publishResults(ready);
      if (this.gatheredSince === 0) this.gatheredSince = processingMs;
      if (this.gather.bytes >= gatherBytes) this.cut();
      if (this.publisher.queuedBytes >= queueBytesMax) await this.publisher.room();
      const turn = this.options.turns.next();
      if (turn !== null) await turn;
    }
  }

  private count(output: PartitionOutput, lagMs: number): void {
    const { counts } = this;
    counts.records += output.counts.rows;
    if (output.services.length > 0) this.options.onServices(output.services);
    counts.late += output.counts.late;
    counts.future += output.counts.future;
    counts.overflow += output.counts.overflow;
    counts.duplicates += output.section.duplicates;
    counts.anomalies += output.section.anomalies.length;
    if (output.section.deadLetter !== null) {
      counts.deadLetters++;
      this.options.log(
        `partition ${this.options.partition}, sequence ${output.section.sequence}: ${output.section.deadLetter}`,
      );
    }
    counts.lagMs = Math.max(counts.lagMs, lagMs);
    counts.sequence = output.section.sequence;
  }

  private publishAnomalies(output: PartitionOutput, processingMs: number): void {
    const { partition, generation, time } = this.options;
    const { anomalies, sequence } = output.section;
    const detectedMs = time.now();
    const receipts: Receipt[] = anomalies.map((anomaly) => ({
      eventMs: anomaly.eventMs,
      gatewayMs: output.gatewayMs,
      processingMs,
      detectedMs,
    }));
    const message = { partition, generation, from: output.anomaliesFrom, to: sequence, anomalies, receipts };
    const data = encodeAnomalies(message);
    void this.publisher.send(subjects.anomalies(partition), data);
    this.options.bus.tell(subjects.live.anomalies, data);
  }

  private publishResults(message: ResultsMessage): void {
    void this.publisher.send(subjects.results(message.partition), encodeResults(message));
  }

  private cut(): void {
    this.gatheredSince = 0;
    const message = this.gather.cut();
    if (message !== null) this.publishResults(message);
  }

  private onTimer(): void {
    const now = this.options.time.now();
    const linger = this.gather.worthSending ? this.options.resultsLingerMs : this.options.emptyLingerMs;
    if (this.gatheredSince !== 0 && now - this.gatheredSince >= linger) this.cut();
    const quiet = this.counts.records === this.recordsAtCheckpoint;
    const every = this.options.checkpointEveryMs * (quiet ? idleCheckpointFactor : 1);
    if (this.broken) return;
    if (now - this.lastCheckpointMs >= every && this.partition.sequence > this.lastCheckpointSequence)
      this.checkpointInTurn();
  }

  /** The partitions of a process come due together, and states are large: each waits for a turn of its own. */
  private checkpointInTurn(): void {
    this.lastCheckpointMs = Number.POSITIVE_INFINITY;
    const turn = this.options.turns.next() ?? Promise.resolve();
    this.checkpointing = turn.then(() => {
      if (this.stopping) return undefined;
      if (!this.broken) {
        this.checkpoint();
        return this.checkpointing;
      }
      this.lastCheckpointMs = this.options.time.now();
      return undefined;
    });
  }

  /** State is taken now, at S; it is committed when every message up to S is acknowledged. One at a time. */
  private checkpoint(): void {
    const { checkpoints, epoch, generation, partition, time, log } = this.options;
    const { sequence } = this.partition;
    this.lastCheckpointMs = Number.POSITIVE_INFINITY;
    this.lastCheckpointSequence = sequence;
    this.recordsAtCheckpoint = this.counts.records;
    this.cut();
    const state = this.partition.snapshot();
    this.checkpointing = this.publisher
      .idle()
      .then(async () => {
        const refused = await checkpoints.save(partition, state, { epoch, generation, sequence });
        if (refused === null) this.counts.checkpoints++;
        else log(`partition ${partition}: checkpoint at ${sequence} not written, ${refused}.`);
      })
      .catch((error: Error) => log(`partition ${partition}: checkpoint failed, ${error.message}`))
      .then(() => {
        this.lastCheckpointMs = time.now();
      });
  }

  /** Finishes: what was read is published, acknowledged and checkpointed, then the partition is let go. */
  async drain(): Promise<void> {
    this.stopping = true;
    await this.subscription?.stop();
    await this.running.catch(() => {});
    await this.checkpointing;
    if (this.partition.sequence > this.lastCheckpointSequence) {
      this.checkpoint();
      await this.checkpointing;
    }
    this.publisher.stop();
  }

  /** Abandons: another owner replays from the last checkpoint. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.publisher.stop();
    await this.subscription?.stop();
    await this.running.catch(() => {});
  }
}

class PoisonError extends LogweirError {
  readonly sequence: number;
  constructor(sequence: number, cause: unknown) {
    super(
      'MESSAGE_MALFORMED',
      `The analysis of message ${sequence} failed: ${cause instanceof Error ? cause.message : String(cause)}.`,
      'The message is set aside as a dead letter; please report it with this text.',
      { cause },
    );
    this.sequence = sequence;
  }
}
