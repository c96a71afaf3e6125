/**
 * Runs one partition: the thin shell around the pure function. Reads LOGS in order from the checkpoint on, publishes
 * ANOMALIES at once and RESULTS gathered, and commits a checkpoint at S only when everything up to S is acknowledged.
 * After a broken connection it makes sure that the stream is still the one it read (`resume.ts`).
 */
import {
  type Bus,
  type Cancel,
  type DeadLetters,
  GoBackN,
  sleep,
  type StreamMessage,
  type Subscription,
  type Time,
} from '#bus/mod.ts';
import {
  encodeAnomalies,
  encodeResults,
  LogweirError,
  type ModelFigures,
  modelNamed,
  type Receipt,
  type ResultsMessage,
  streams,
  subjects,
  decodeResults,
  type WriterMarks,
} from '#protocol/mod.ts';
import type { CheckpointBudget } from './checkpoint-budget.ts';
import { type CheckpointCounts, Checkpointer } from './checkpointer.ts';
import { type CheckpointStore, checkpointsKept, isOver, type Position } from './checkpoints.ts';
import { Gather } from './gather.ts';
import type { ModelShelf } from './models.ts';
import { Partition, type PartitionOutput, type PartitionShell, type ServiceCount } from './partition.ts';
import { ModelMissingError } from './partition-models.ts';
import { Resume } from './resume.ts';
import { Taken } from './taken.ts';
import type { Turns } from './turns.ts';

export interface RunnerOptions {
  bus: Bus;
  checkpoints: CheckpointStore;
  partition: number;
  epoch: number;
  generation: number;
  /** Generation that the cluster began with, default 1; what is of an earlier one is not of this cluster. */
  firstGeneration?: number;
  time: Time;
  /** Shared by the partitions of a process. */
  turns: Turns;
  log: (text: string) => void;
  /** Where messages go that were set aside, default nowhere but into the books. */
  dead?: DeadLetters | undefined;
  /** Told of the rows of each message, for live rates. */
  onServices: (services: readonly ServiceCount[]) => void;
  /** How long results may wait to be gathered, ms. */
  resultsLingerMs: number;
  /** How long sequences that gave nothing may wait, ms. */
  emptyLingerMs: number;
  /** Shared by the partitions of a process: how often they checkpoint. */
  budget: CheckpointBudget;
  /** Partitions that share it. */
  running: () => number;
  /** What partitions are lent; models are loaded before a message that names one is taken. */
  shell?: PartitionShell & { models?: ModelShelf | undefined };
}

export interface RunnerCounts {
  records: number;
  late: number;
  future: number;
  overflow: number;
  duplicates: number;
  deadLetters: number;
  anomalies: number;
  /** Times that the stream no longer held what the state needed. */
  streamGaps: number;
  /** Greatest age of a message when it was taken, since the last heartbeat, ms: how far behind the stream we are. */
  lagMs: number;
  sequence: number;
}

/** Rough bytes of gathered results at which they are sent without waiting. */
const gatherBytes = 400 * 1024;
const timerMs = 50;
const checkpointSlots = 16;
/** A drain tries so often to leave a checkpoint behind, so long apart. */
const drainTriesMax = 3;
const drainRetryMs = 500;
const reconnectLookMs = 100;
/** A subscription that gave nothing for so long, although LOGS has more of the partition, is made anew. */
const silenceMsMax = 15_000;
const window = 64;
const queueBytesMax = 16 * 1024 * 1024;
/** A partition without records is checkpointed this much more rarely in the end: ticks alone change little. */
const idleCheckpointFactor = 12;
/** As many come without records before they become rare: then LOGS keeps no record for any of those kept. */
const checkpointsTillQuiet = checkpointsKept + 1;

export class PartitionRunner {
  readonly counts: RunnerCounts = {
    records: 0,
    late: 0,
    future: 0,
    overflow: 0,
    duplicates: 0,
    deadLetters: 0,
    anomalies: 0,
    streamGaps: 0,
    lagMs: 0,
    sequence: 0,
  };
  private readonly options: RunnerOptions;
  private readonly publisher: GoBackN;
  private readonly checkpointer: Checkpointer;
  private partition: Partition;
  private gather: Gather;
  private gatheredSince = 0;
  private subscription: Subscription | null = null;
  private running: Promise<void> = Promise.resolve();
  private stopping = false;
  private readonly letGo = Promise.withResolvers<void>();
  /** The analysis of a message threw half way: this state must not become a checkpoint. */
  private broken = false;
  private checkpointing: Promise<unknown> = Promise.resolve();
  /** When the last one was tried; infinite while one is under way. */
  private lastCheckpointMs: number;
  private checkpointSequence = 0;
  private resume = new Resume({ generation: 0, state: null, published: null, known: [] });
  /** The connection broke since the subscription began: what it gives may be of another stream. */
  private wasAway = false;
  /** The connection that the subscription was made on. */
  private connection = 0;
  /** Since when the next message is waited for, ms; infinite while one is worked on, and while the stream is looked at. */
  private waitingSinceMs = Number.POSITIVE_INFINITY;
  /** Sequence of the last message that the subscription gave, or of the one before its first. */
  private givenSequence = 0;
  /** Newest RESULTS message as `restore` found it: its sequence on that stream, and what it says of the chain. */
  private tail: { sequence: number; generation: number; anomaliesTo: number } | null = null;
  /** What was restored is out of date. */
  private mustRestore = false;
  private readonly taken: Taken;
  /** Up to where the writer has taken results, where RESULTS lost what comes next; until it is known to have taken more. */
  private behind: Position | null = null;
  /** Last message taken of what an earlier generation published. */
  private inherited: { sequence: number; timeMs: number } | null = null;
  private recordsAtCheckpoint = -1;
  /** Checkpoints since the last record, the one that took it in included. */
  private checkpointsSince = 0;
  /** Sequences whose analysis threw, and what it threw: dead letters when met again. */
  private readonly poison = new Map<number, string>();

  constructor(options: RunnerOptions) {
    this.options = options;
    const shell = options.shell ?? {};
    this.partition = new Partition(options.partition, shell);
    this.gather = new Gather(options.partition, options.generation, 0);
    // Partitions start together; their checkpoints must not come together for ever.
    const spread = (options.partition % checkpointSlots) / checkpointSlots;
    this.lastCheckpointMs = options.time.now() - spread * options.budget.everyMs(options.running());
    this.taken = new Taken(options.partition, options.generation, options.firstGeneration ?? 1);
    const { checkpoints: store, partition, epoch, generation, time, budget, log } = options;
    this.checkpointer = new Checkpointer({ store, partition, epoch, generation, time, budget, shell, log });
    this.publisher = new GoBackN({
      publish: async (subject, data) => {
        const { sequence } = await options.bus.streams.publish(subject, data);
        this.taken.placed(data, sequence);
      },
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

  /** Adds how classification fares here to the sums of many. */
  addTo(figures: ModelFigures): void {
    this.partition.addTo(figures);
  }

  get generation(): number {
    return this.options.generation;
  }

  /** Restores and starts to read. Settles once reading has begun; `ended` says how it ends. */
  async start(): Promise<void> {
    await this.restore();
    this.subscription = await this.subscribe();
    this.running = this.run();
  }

  get checkpointCounts(): Readonly<CheckpointCounts> {
    return this.checkpointer.counts;
  }

  /** When the newest checkpoint was committed, ms; 0 before the first. */
  get checkpointedMs(): number {
    return this.checkpointer.committedMs;
  }

  /** Settles when the partition was let go; rejects where it cannot go on. */
  get ended(): Promise<void> {
    return this.running;
  }

  private subscribe(): Promise<Subscription> {
    const { bus, partition } = this.options;
    this.wasAway = false;
    this.connection = bus.connections;
    this.givenSequence = this.resume.fromSequence - 1;
    return bus.streams.consume(streams.logs, {
      subject: subjects.logs(partition),
      fromSequence: this.resume.fromSequence,
    });
  }

  /** The newest checkpoint not above what RESULTS holds, which heals any gap, a lost tail included. */
  private async restore(): Promise<void> {
    const { bus, partition, generation, firstGeneration = 1 } = this.options;
    const tail = await bus.streams.last(streams.results, subjects.results(partition));
    const info = await bus.streams.info(streams.results);
    let published: (Position & { timeMs: number }) | null = null;
    let limit: Position | null = null;
    const last = tail === null ? null : decodeResults(tail.data);
    // What a worker of a wiped cluster published here says nothing of this one.
    if (tail !== null && last !== null && last.generation >= firstGeneration) {
      const sequence = last.part === null || last.part.last ? last.to : last.from;
      published = { generation: last.generation, sequence, timeMs: last.toMs };
      limit = published;
    } else if (info.lastSequence === 0) {
      // RESULTS never held a message: nothing that a checkpoint covers can have reached a reader.
      limit = { generation, sequence: 0 };
    }
    if (this.behind !== null && (limit === null || isOver(limit, this.behind))) limit = this.behind;
    this.taken.reset();
    this.mustRestore = false;
    this.tail =
      tail === null || last === null
        ? null
        : { sequence: tail.sequence, generation: last.generation, anomaliesTo: last.anomaliesTo };
    this.inherited = null;
    const { partition: state, at, known, pointerLost } = await this.checkpointer.restore(limit);
    const logs = await bus.streams.info(streams.logs);
    if (at !== null && at.generation === generation && logs.lastSequence < at.sequence)
      throw streamChanged(partition, at.sequence, `ends at ${logs.lastSequence}`);
    if (published !== null) known.push(published);
    // Whatever an unreadable pointer knew was purged by it.
    if (pointerLost && logs.firstSequence > 1) known.push({ generation, sequence: 1 });
    this.resume = new Resume({
      generation,
      state: at === null ? null : { ...at, streamMs: state.streamMs },
      published,
      known,
    });
    if (at !== null && at.generation < generation) state.startGeneration();
    this.partition = state;
    this.broken = false;
    this.gather = new Gather(partition, generation, state.sequence);
    this.gatheredSince = 0;
    this.checkpointSequence = state.sequence;
  }

  /** The same state goes on from the same position, of which the stream must say the same as before. */
  private async resumeHere(): Promise<void> {
    const { partition, generation } = this.options;
    const { sequence, streamMs } = this.partition;
    const lastSequence = await this.lastOfLogs();
    if (this.stopping) return;
    if (this.resume.isInheriting || this.mustRestore) return this.restore();
    if (lastSequence < sequence) throw streamChanged(partition, sequence, `ends at ${lastSequence}`);
    const state = sequence === 0 ? null : { generation, sequence, streamMs };
    this.resume = new Resume({ generation, state, published: null, known: [] });
  }

  /** End of the stream, asked until the server answers. */
  private async lastOfLogs(): Promise<number> {
    const { bus, time } = this.options;
    for (;;) {
      try {
        if (bus.connected || this.stopping) return (await bus.streams.info(streams.logs)).lastSequence;
      } catch {
        if (this.stopping) return 0;
      }
      await sleep(time, reconnectLookMs);
    }
  }

  private async run(): Promise<void> {
    let stopTimer: Cancel = () => {};
    try {
      stopTimer = this.options.time.every(timerMs, () => this.onTimer());
      for (;;) {
        try {
          await this.read();
          if (!this.stopping) {
            this.subscription?.stop().catch(() => {});
            await this.resumeHere();
          }
          if (this.stopping) return;
        } catch (error) {
          if (!(error instanceof PoisonError)) throw error;
          this.options.log(`partition ${this.options.partition}: ${error.message}`);
          this.poison.set(error.sequence, error.message);
          await this.subscription?.stop();
          await this.publisher.idle();
          // One that is under way may still commit, and is of the state that is given up here.
          await this.checkpointing;
          if (this.stopping) return;
          await this.restore();
        }
        this.subscription = await this.subscribe();
        if (this.stopping) await this.subscription.stop();
      }
    } finally {
      stopTimer();
    }
  }

  /** Ends when stopped, and where the connection broke. */
  private async read(): Promise<void> {
    const { options } = this;
    for await (const message of this.given(this.subscription as Subscription)) {
      if (this.stopping || this.wasAway || options.bus.connections !== this.connection) return;
      const processingMs = options.time.now();
      const gap = this.resume.gapBefore(message.sequence);
      if (gap !== null) this.tellGap(gap.from, gap.to);
      const inherited = this.resume.isInheriting;
      const share = this.resume.share(message);
      if (inherited && !this.resume.isInheriting && !(await this.openGeneration())) return;
      if (share === null) throw streamChanged(options.partition, message.sequence, 'holds another message there');
      if (this.resume.isInheriting) this.inherited = message;
      if (share === 'skip') continue;
      const named = modelNamed(message.data);
      if (named !== null && !(await this.haveModel(named))) return;
      let output: PartitionOutput;
      try {
        output = this.partition.step(message, this.poison.get(message.sequence) ?? null);
      } catch (cause) {
        if (cause instanceof ModelMissingError) throw cause;
        this.broken = true;
        throw new PoisonError(message.sequence, cause);
      }
      if (share === 'state') continue;
      this.count(output, processingMs - message.timeMs);
      if (output.section.deadLetter !== null) this.setAside(message, output.section.deadLetter);
      if (output.section.anomalies.length > 0) this.publishAnomalies(output, processingMs);
      const anomaliesTo = output.section.anomalies.length > 0 ? message.sequence : output.anomaliesFrom;
      for (const ready of this.gather.add(output.section, message.timeMs, anomaliesTo)) this.publishResults(ready);
      if (this.gatheredSince === 0) this.gatheredSince = processingMs;
      if (this.gather.bytes >= gatherBytes) this.cut();
      if (this.publisher.queuedBytes >= queueBytesMax) await this.publisher.room();
      const turn = options.turns.next();
      if (turn !== null) await turn;
    }
  }

  private async *given(subscription: Subscription): AsyncGenerator<StreamMessage> {
    this.waitingSinceMs = this.options.time.now();
    try {
      for await (const message of subscription) {
        this.waitingSinceMs = Number.POSITIVE_INFINITY;
        this.givenSequence = message.sequence;
        yield message;
        this.waitingSinceMs = this.options.time.now();
      }
    } finally {
      this.waitingSinceMs = Number.POSITIVE_INFINITY;
    }
  }

  /**
   * Opens this generation on the partition's RESULTS before the first message that is news: says up to where earlier
   * ones published. By compare-and-set, so that nothing which a zombie of theirs sends later can say it a second time.
   * False where RESULTS has grown since it was read, or may have: then all is restored from what it says now.
   */
  private async openGeneration(): Promise<boolean> {
    const { bus, partition, generation, log } = this.options;
    const { tail, inherited } = this;
    if (tail !== null && tail.generation >= generation) {
      this.partition.continueAnomalies(tail.anomaliesTo);
      return true;
    }
    this.partition.continueAnomalies(0);
    if (inherited === null) return true;
    const { sequence: to, timeMs: toMs } = inherited;
    const opening = { partition, generation, from: 0, to, toMs, anomaliesTo: 0, sections: [], part: null };
    this.gather = new Gather(partition, generation, to);
    const opened = await bus.streams
      .publishAfter(subjects.results(partition), encodeResults(opening), tail?.sequence ?? 0)
      .catch((error: Error) => {
        log(`partition ${partition}: generation ${generation} is not opened yet, ${error.message}`);
        return null;
      });
    if (opened === null) this.mustRestore = true;
    return opened !== null;
  }

  /** False where the partition is let go before the model can be had. @throws ModelMissingError */
  private async haveModel(named: { hash: string; version: number }): Promise<boolean> {
    const models = this.options.shell?.models;
    if (models === undefined || named.version <= this.partition.modelVersion) return true;
    const loading = models.load(named.hash);
    loading.catch(() => {});
    await Promise.race([loading, this.letGo.promise]);
    return !this.stopping;
  }

  /** The chain goes on over it: what is gone can be refused, but never given. */
  private tellGap(from: number, to: number): void {
    const { partition, generation, log } = this.options;
    this.counts.streamGaps++;
    log(
      `partition ${partition}: the LOGS stream no longer holds messages ${from} to ${to} of generation ${generation}, which the state lacks; they are a gap in the analysis, which goes on after it.`,
    );
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

  /** The message is gone from LOGS in time; whoever mends what failed may send it there again. */
  private setAside({ subject, sequence, data }: StreamMessage, detail: string): void {
    const { dead, generation, partition, time } = this.options;
    dead?.put(
      {
        reason: 'poison',
        detail,
        receiver: 'worker',
        source: `LOGS generation ${generation}, partition ${partition}, sequence ${sequence}`,
        service: '',
        atMs: time.now(),
        bytes: data,
        resend: { path: subject, contentType: '' },
      },
      // Another owner that meets it says the same.
      `poison.${generation}.${partition}.${sequence}`,
    );
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
    const data = encodeResults(message);
    const { to, part } = message;
    void this.publisher.send(subjects.results(message.partition), data).then(() => {
      if (part === null || part.last) this.taken.acknowledged(data, to);
    });
  }

  /** What the writer has committed of RESULTS: where it waits for what was lost, that is published again. */
  heed(marks: WriterMarks): void {
    const { partition, generation, log } = this.options;
    if (this.mustRestore) return;
    const mark = marks.marks[partition];
    if (mark !== undefined && this.behind !== null && isOver(mark, this.behind)) this.behind = null;
    const after = this.taken.missedAfter(marks);
    if (after === null) return;
    log(
      `partition ${partition}: RESULTS lost what was published after ${after}, and storage, which has read it up to ${marks.position}, waits for it. It is published again.`,
    );
    this.behind = { generation, sequence: after };
    this.mustRestore = true;
    this.checkStream();
    this.subscription?.stop().catch(() => {});
  }

  private cut(): void {
    this.gatheredSince = 0;
    const message = this.gather.cut();
    if (message !== null) this.publishResults(message);
  }

  private onTimer(): void {
    this.watchConnection();
    const now = this.options.time.now();
    const linger = this.gather.worthSending ? this.options.resultsLingerMs : this.options.emptyLingerMs;
    if (this.gatheredSince !== 0 && now - this.gatheredSince >= linger) this.cut();
    if (this.broken || this.stopping || this.resume.isInheriting) return;
    // Not before all kept checkpoints lie behind the last records: until then LOGS keeps those, and may be full of them.
    // The first ones come soon in any case: they carry what the partition was told of rules and models.
    const quiet = this.unchangedCheckpoints >= checkpointsTillQuiet;
    const { budget, running } = this.options;
    const every = budget.everyMs(running()) * (quiet ? idleCheckpointFactor : 1);
    if (now - this.lastCheckpointMs >= every && this.partition.sequence > this.checkpointSequence)
      this.checkpointInTurn();
  }

  private get unchangedCheckpoints(): number {
    return this.counts.records === this.recordsAtCheckpoint ? this.checkpointsSince : 0;
  }

  /** While NATS was away its LOGS may have become shorter, and the client goes on as if nothing had happened. */
  private watchConnection(): void {
    const { bus, time } = this.options;
    if (!bus.connected || bus.connections !== this.connection) this.wasAway = true;
    if (bus.connected && this.wasAway) void this.subscription?.stop();
    else if (time.now() - this.waitingSinceMs >= silenceMsMax) void this.lookForSilence();
  }

  /** The client resubscribes by itself; one that does not would be waited for for ever. */
  private async lookForSilence(): Promise<void> {
    const { bus, partition, log, time } = this.options;
    const { subscription } = this;
    const given = this.givenSequence;
    this.waitingSinceMs = Number.POSITIVE_INFINITY;
    const last = await bus.streams.last(streams.logs, subjects.logs(partition)).catch(() => null);
    // What came meanwhile, or another subscription, has begun to wait anew.
    if (this.subscription !== subscription || this.givenSequence !== given) return;
    if (this.waitingSinceMs === Number.POSITIVE_INFINITY) this.waitingSinceMs = time.now();
    if (last === null || last.sequence <= given || this.stopping) return;
    log(
      `partition ${partition}: LOGS has messages up to ${last.sequence}, and nothing comes after ${given}. It is asked anew.`,
    );
    this.checkStream();
  }

  /** The stream may have changed without the connection breaking: reads on only once that is known. */
  checkStream(): void {
    this.wasAway = true;
  }

  /** The partitions of a process come due together, and states are large: each waits for a turn of its own. */
  private checkpointInTurn(): void {
    this.lastCheckpointMs = Number.POSITIVE_INFINITY;
    const turn = this.options.turns.next() ?? Promise.resolve();
    this.checkpointing = turn.then(() => {
      if (!this.broken && !this.stopping) return this.checkpoint();
      this.lastCheckpointMs = this.options.time.now();
      return false;
    });
  }

  /** State is taken now, at S; it is committed when every message up to S is acknowledged. One at a time. */
  private async checkpoint(): Promise<boolean> {
    const { sequence } = this.partition;
    this.lastCheckpointMs = Number.POSITIVE_INFINITY;
    const { records } = this.counts;
    const since = this.unchangedCheckpoints;
    this.cut();
    // A base of its own, so that the checkpoint that must be apart from the newest is not an old one for long.
    const saved = await this.checkpointer.save(this.partition, this.publisher.idle(), since === checkpointsKept - 1);
    if (saved) {
      this.checkpointSequence = sequence;
      this.recordsAtCheckpoint = records;
      this.checkpointsSince = since + 1;
    }
    this.lastCheckpointMs = this.options.time.now();
    return saved;
  }

  /** Finishes: what was read is published, acknowledged and checkpointed, then the partition is let go. */
  async drain(): Promise<void> {
    this.stopping = true;
    this.letGo.resolve();
    await this.subscription?.stop();
    await this.running.catch(() => {});
    await this.checkpointing;
    const due = (): boolean =>
      !this.broken && !this.resume.isInheriting && this.partition.sequence > this.checkpointSequence;
    for (let tries = 0; due() && tries < drainTriesMax; tries++) {
      if (tries > 0) await sleep(this.options.time, drainRetryMs);
      if (await this.checkpoint()) break;
    }
    this.publisher.stop();
  }

  /** Abandons: another owner replays from the last checkpoint. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.letGo.resolve();
    this.publisher.stop();
    await this.subscription?.stop();
    await this.running.catch(() => {});
  }
}

function streamChanged(partition: number, sequence: number, what: string): LogweirError {
  return new LogweirError(
    'STREAM_CHANGED',
    `The LOGS stream is not the one that partition ${partition} read up to ${sequence}: it ${what}.`,
    'The coordinator begins a new generation, and the partition goes on.',
  );
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
