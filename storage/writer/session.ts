/**
 * The writer's shell: reads RESULTS, gathers blocks, inserts them, keeps its record. The order that makes it
 * effectively once (R3):
 *   W1  a block's range, cuts and token are in KV before any of it is inserted;
 *   W2  one block is in doubt at a time; a restarted writer reads its range again and, where the very same block comes
 *       of it (equal digests), inserts it with the same tokens; else it reads back what is stored (read-back.ts);
 *   W3  marks move only after every table has the block, the ledger last;
 *   W4  each change of the record is a compare-and-set: who loses it was replaced, and stops.
 * A token is never used for other rows, which ClickHouse would drop: it is made of the digest of what is in the block
 * (block.ts). Two writers at once do no harm: before its inserts a writer has its block in the record, which one of
 * two can have; one that slept through its replacement looks at the record before it inserts again; and an insert
 * that was on its way has the token that its successor repeats.
 */
import type { Bus, Cancel, Subscription, Time } from '#bus/mod.ts';
import { decodeResults, LogweirError, type ResultsMessage, streams } from '#protocol/mod.ts';
import { messageOf } from '../engine/error.ts';
import type { ClickHouse } from '../engine/port.ts';
import { storeApart } from './apart.ts';
import { BlockBuilder, type BlockLimits, blockLimitsDefault } from './block.ts';
import { Inserter, Refused } from './insert.ts';
import { type StoredRows, storedRows, type StoredUnits } from './read-back.ts';
import { isReplaced, RecordKeeper, touchEveryMs } from './record.ts';
import { type BlockInDoubt, blockToken, type WriterRecord, WriterState } from './state.ts';

export interface WriterOptions {
  bus: Bus;
  clickHouse: ClickHouse;
  /** Answers what is stored, default by SQL. */
  stored?: StoredRows;
  /** For lingering, retries and statistics alone. */
  time: Time;
  log: { info(message: string): void; warn(message: string): void; error(message: string): void };
  limits?: Partial<BlockLimits>;
  /**
   * How long rows wait for more before they are inserted, in ms: at least `lingerMs` (default 250), at most
   * `lingerMaxMs` (default 1_000), between them 20 times what the last block took. A block of few rows costs 50 ms of
   * CPU whatever is in it; this keeps a quiet cluster's writer near 5 % of a core. A busy one gathers while it inserts.
   */
  lingerMs?: number;
  lingerMaxMs?: number;
  /** How long marks of messages without rows may wait to be committed, in ms, default 2_000. */
  idleCommitMs?: number;
  /** First and longest pause before a failed insert is tried again, in ms, default 250 and 10_000. */
  retryMs?: { first: number; max: number };
  /** Generation that the cluster began with, default 1; results of earlier ones are refused. */
  firstGeneration?: number;
  /** Names this writer in its record, default `process.pid` and time. */
  owner?: string;
  /**
   * How long the record of a writer that did not let go must stand still before it is taken over, in ms, default 0:
   * at once, for who knows that the other is dead (it holds the lock of the embedded engine).
   */
  standbyMs?: number;
  /** How often the stream is looked at (made anew? cut short?), in ms, default 5_000. */
  watchMs?: number;
  /** How long a gap of a partition may last before RESULTS is read again from its beginning, in ms, default 10_000. */
  gapMs?: number;
}

export interface WriterStats {
  rows: number;
  blocks: number;
  duplicates: number;
  gaps: number;
  malformed: number;
  /** Sections that ClickHouse refused for good. */
  setAside: number;
  /** RESULTS sequence read and committed. */
  read: number;
  committed: number;
  /** How long nothing went in because inserts fail, ms; 0 = all is well. */
  failingMs: number;
  lastBlockMs: number;
  /** Age of the oldest message that was read and is not in the tables, ms. */
  lagMs: number;
  /** Rows read and not in the tables: two blocks at most. */
  waitingRows: number;
}

/** What outlives a session. */
export interface Kept {
  counts: Omit<WriterStats, 'failingMs' | 'lagMs' | 'waitingRows'>;
  /** When RESULTS was last read again from its beginning, ms. */
  lastRewindMs: number;
}

/** A block is made at most once in so many times what it takes. */
const lingerPerBlock = 20;
/** Between two readings of RESULTS from its beginning, ms. */
const rewindEveryMs = 60_000;
/** A subscription that gives nothing, although RESULTS has more, is made anew after so many looks at the stream. */
const silentLooksMax = 3;
/** RESULTS that is fuller than this needs what has been read to be let go. */
const nearlyFull = 0.75;

export class Session {
  readonly done: Promise<void>;
  private readonly options: WriterOptions;
  private readonly limits: BlockLimits;
  private readonly kept: Kept;
  private readonly counts: Kept['counts'];
  private readonly inserter: Inserter;
  private readonly rows: StoredRows;
  private keeper!: RecordKeeper;
  private state!: WriterState;
  private builder!: BlockBuilder;
  /** Rows above the marks that are stored already; null: none. */
  private stored: StoredUnits | null = null;
  /** Wall clock of the first row in the builder, ms. */
  private firstMs = 0;
  private lastCommitMs = 0;
  /** When the stream took the oldest message that is in the builder, and in the block on its way; 0: none. */
  private gatheredSinceMs = 0;
  private cutSinceMs = 0;
  private cutRows = 0;
  /** The cut that runs; the next one waits for it, and the reader for that. */
  private cutting: Promise<void> | null = null;
  private subscription: Subscription | null = null;
  private cancels: Cancel[] = [];
  private stopping = false;
  private draining = false;
  /** Settles once the record says that RESULTS is read again; null: it is not. */
  private rewinding: Promise<void> | null = null;
  private watching = false;
  /** What had been read at the last look, and in how many looks before it. */
  private silent = { read: -1, looks: 0 };
  /** Since when a partition's messages lie beyond its mark, ms. */
  private readonly gaps = new Map<number, number>();
  private settle: { resolve: () => void; reject: (error: unknown) => void } = { resolve: () => {}, reject: () => {} };

  constructor(options: WriterOptions, kept: Kept) {
    this.options = options;
    this.limits = { ...blockLimitsDefault, ...options.limits };
    this.kept = kept;
    this.counts = kept.counts;
    this.rows = options.stored ?? storedRows(options.clickHouse);
    this.inserter = new Inserter({
      clickHouse: options.clickHouse,
      time: options.time,
      log: options.log,
      retryMs: options.retryMs ?? { first: 250, max: 10_000 },
      confirm: () => this.keeper.confirm(),
      ended: () => this.ended,
    });
    this.done = new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
    });
    this.done.catch(() => {});
  }

  /** A drain finishes what it can; it does not wait for a ClickHouse that is away. */
  private get ended(): boolean {
    return this.stopping || (this.draining && this.inserter.complaint.failures > 0);
  }

  gauges(): Pick<WriterStats, 'failingMs' | 'lagMs' | 'waitingRows'> {
    const since = this.cutSinceMs || this.gatheredSinceMs;
    return {
      failingMs: this.inserter.complaint.forMs,
      lagMs: since === 0 ? 0 : Math.max(this.options.time.now() - since, 0),
      waitingRows: this.cutRows + (this.builder?.logRows ?? 0),
    };
  }

  /** Takes the record over, settles what is in doubt, and begins to read. @throws LogweirError */
  async open(): Promise<void> {
    const { bus, time, log, standbyMs = 0 } = this.options;
    const owner = this.options.owner ?? '';
    this.keeper = await RecordKeeper.takeOver({ bus, time, owner, standbyMs, log, ended: () => this.ended });
    this.cancels.push(time.every(touchEveryMs, () => void this.keeper.touch().catch((error) => this.fail(error))));
    this.begin();
    if (this.keeper.value.inDoubt !== null && !(await this.repeatBlock(this.keeper.value.inDoubt)))
      await this.readBack();
    else if (this.keeper.value.readBack) await this.readBack();
    if (this.stopping) return;
    await this.read();
  }

  private begin(): void {
    this.state = new WriterState(this.keeper.value, this.options.firstGeneration);
    this.builder = this.newBuilder();
    this.counts.committed = this.keeper.value.position;
  }

  private newBuilder(): BlockBuilder {
    return new BlockBuilder(this.limits, this.stored?.has ?? null);
  }

  /** W2: reads again what a writer before us left in doubt, and repeats its inserts. False where another block comes of it. */
  private async repeatBlock(inDoubt: BlockInDoubt): Promise<boolean> {
    const { position, resultsCreatedMs } = this.keeper.value;
    this.builder = new BlockBuilder({ ...this.limits, partitionsMax: inDoubt.partitionsMax });
    const subscription = await this.options.bus.streams.consume(streams.results, { fromSequence: position + 1 });
    for await (const message of subscription) {
      if (message.sequence <= inDoubt.to) this.take(message.sequence, message.timeMs, message.data);
      if (message.sequence >= inDoubt.to) break;
    }
    await subscription.stop();
    const { builder } = this;
    if (blockToken(resultsCreatedMs, position, inDoubt.to, builder.digest()) !== inDoubt.token) {
      this.options.log.warn(
        `RESULTS ${position + 1}–${inDoubt.to} is not the block that was in doubt; what is stored of it is read back.`,
      );
      return false;
    }
    await this.store(builder, inDoubt);
    await this.commit({ ...this.keeper.value, ...this.state.commitPoint(), inDoubt: null });
    this.builder = this.newBuilder();
    this.options.log.info(`Took up the block in doubt, RESULTS ${position + 1}–${inDoubt.to}.`);
    return true;
  }

  private async readBack(): Promise<void> {
    const { log } = this.options;
    const { marks, units } = await this.inserter.ask('Reading back what is stored', () =>
      this.rows.above(this.keeper.value.marks),
    );
    this.stored = units.size > 0 ? units : null;
    await this.commit({ ...this.keeper.value, marks, inDoubt: null, readBack: this.stored !== null });
    this.begin();
    log.info(`Read back what is stored beyond the record: ${units.rowCount} rows, which are not inserted again.`);
  }

  private async read(): Promise<void> {
    const { bus, time, watchMs = 5_000, lingerMs = 250 } = this.options;
    const subscription = await bus.streams.consume(streams.results, { fromSequence: this.state.sequence + 1 });
    this.subscription = subscription;
    this.lastCommitMs = time.now();
    this.cancels.push(
      time.every(Math.min(lingerMs, 50), () => this.tick()),
      time.every(watchMs, () => void this.watch()),
    );
    void this.readAll(subscription).then(
      () => (this.stopping || this.draining ? undefined : this.fail(startOver('The RESULTS subscription ended.'))),
      (error) => this.fail(error),
    );
  }

  private async readAll(subscription: Subscription): Promise<void> {
    for await (const message of subscription) {
      const next = this.state.sequence + 1;
      if (message.sequence > next && !(await this.isGone(next)))
        throw startOver(`The subscription left out RESULTS ${next}–${message.sequence - 1}.`);
      if (this.stopping || this.rewinding !== null) return;
      this.take(message.sequence, message.timeMs, message.data);
      if (!this.builder.full) continue;
      // One block in the making, one on its way: beyond that RESULTS keeps what we do not read.
      if (this.cutting !== null) await this.cutting;
      if (this.builder.full && this.rewinding === null) this.startCut();
    }
  }

  /** True where RESULTS no longer has a message; what it gives after one that it has would count for read before that. */
  private async isGone(sequence: number): Promise<boolean> {
    return (await this.options.bus.streams.read(streams.results, sequence)) === null;
  }

  private take(sequence: number, timeMs: number, data: Uint8Array): void {
    this.counts.read = sequence;
    if (this.gatheredSinceMs === 0) this.gatheredSinceMs = timeMs;
    let message: ResultsMessage;
    try {
      message = decodeResults(data);
    } catch (error) {
      this.counts.malformed++;
      this.state.sequence = sequence;
      this.options.log.error(`RESULTS ${sequence} cannot be read: ${messageOf(error)}`);
      return;
    }
    const { partition } = message;
    const taken = this.state.take(sequence, message);
    if (taken.verdict === 'duplicate') this.counts.duplicates++;
    else if (taken.verdict === 'gap') {
      this.counts.gaps++;
      if (this.gaps.has(partition)) return;
      this.gaps.set(partition, this.options.time.now());
      this.options.log.warn(`RESULTS of partition ${partition} jump to ${message.from}; waiting for what lies before.`);
    } else if (taken.verdict === 'take') {
      this.gaps.delete(partition);
      const wasEmpty = this.builder.empty;
      for (const section of taken.sections) this.builder.add(message, section);
      if (wasEmpty && !this.builder.empty) this.firstMs = this.options.time.now();
    }
  }

  private tick(): void {
    if (this.cutting !== null || this.stopping || this.rewinding !== null) return;
    const now = this.options.time.now();
    const { lingerMs = 250, lingerMaxMs = Math.max(1_000, lingerMs) } = this.options;
    const wait = Math.min(Math.max(lingerMs, this.counts.lastBlockMs * lingerPerBlock), lingerMaxMs);
    const due = !this.builder.empty && now - this.firstMs >= wait;
    const idle =
      this.state.sequence > this.keeper.value.position &&
      now - this.lastCommitMs >= (this.options.idleCommitMs ?? 2_000);
    if (due || idle) this.startCut();
  }

  private startCut(): void {
    const builder = this.builder;
    this.builder = this.newBuilder();
    this.cutSinceMs = this.gatheredSinceMs;
    this.gatheredSinceMs = 0;
    this.cutRows = builder.logRows;
    const point = this.state.commitPoint();
    const to = this.state.sequence;
    this.cutting = this.write(builder, point, to).then(
      () => {
        this.cutting = null;
        this.cutSinceMs = 0;
        this.cutRows = 0;
      },
      (error) => {
        this.fail(error);
        return new Promise<void>(() => {});
      },
    );
  }

  private async write(
    builder: BlockBuilder,
    point: Pick<WriterRecord, 'position' | 'marks'>,
    to: number,
  ): Promise<void> {
    const record = this.keeper.value;
    if (!builder.empty) {
      const inDoubt: BlockInDoubt = {
        to,
        token: blockToken(record.resultsCreatedMs, record.position, to, builder.digest()),
        partitionsMax: this.limits.partitionsMax,
        apart: builder.days > this.limits.daysByTokenMax,
      };
      await this.commit({ ...record, inDoubt }); // W1
      await this.store(builder, inDoubt);
    }
    if (this.stored?.passed(point.marks) === true) this.stored = null;
    await this.commit({ ...record, ...point, inDoubt: null, readBack: this.stored !== null }); // W3
  }

  /** Puts a block into all tables. What ClickHouse does not take as a whole goes in piece by piece. */
  private async store(builder: BlockBuilder, inDoubt: BlockInDoubt): Promise<void> {
    const { time, retryMs, log } = this.options;
    const started = time.now();
    try {
      await this.inserter.insertAll(builder.finish(), inDoubt.token);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      log.error(`ClickHouse refuses a block, which goes in piece by piece. ${error.table}: ${error.message}`);
      await this.commit({ ...this.keeper.value, inDoubt: { ...inDoubt, apart: true } }); // W1
      const { limits, inserter, rows } = this;
      const apart = { stored: rows, inserter, limits, time, token: inDoubt.token, retryMs: retryMs?.max ?? 10_000 };
      for (const { placed, reason, rowsLost } of await storeApart(apart, builder.sections)) {
        this.counts.setAside++;
        log.error(
          `Partition ${placed.partition}, sequence ${placed.section.sequence} is set aside with ${rowsLost} rows. ${reason}`,
        );
        builder.setAside(placed, reason, rowsLost);
      }
      await inserter.insertAll(builder.books(), `${inDoubt.token}-books`);
    }
    this.counts.lastBlockMs = time.now() - started;
    this.counts.blocks++;
    this.counts.rows += builder.logRows;
  }

  private async commit(record: WriterRecord): Promise<void> {
    await this.keeper.commit(record);
    this.counts.committed = record.position;
    this.lastCommitMs = this.options.time.now();
  }

  /** Is RESULTS still what was read? And does no gap last? */
  private async watch(): Promise<void> {
    if (this.watching || this.cutting !== null || this.stopping || this.draining) return;
    this.watching = true;
    try {
      // What is read while the answer is on its way may be newer than the answer.
      const read = this.state.sequence;
      const info = await this.options.bus.streams.info(streams.results);
      const { createdMs, lastSequence, firstSequence } = info;
      if (createdMs !== this.keeper.value.resultsCreatedMs) throw startOver('The RESULTS stream was made anew.');
      if (lastSequence < read)
        await this.rewind(firstSequence, `RESULTS ends at ${lastSequence}, but was read up to ${read}.`);
      this.lookForSilence(read, lastSequence);
      if (info.bytes > info.bytesMax * nearlyFull) this.letPartsGo();
      await this.healGap(firstSequence);
    } catch (error) {
      // A server that is away says nothing about the stream; but who has begun to rewind reads no more.
      if (error instanceof StartOver || isReplaced(error) || this.rewinding !== null) this.fail(error);
    } finally {
      this.watching = false;
    }
  }

  /** The client resubscribes by itself; one that does not would be waited for for ever. */
  private lookForSilence(read: number, lastSequence: number): void {
    const isSilent = lastSequence > read && this.silent.read === read && this.cutting === null;
    this.silent = { read, looks: isSilent ? this.silent.looks + 1 : 0 };
    if (this.silent.looks >= silentLooksMax)
      throw startOver(`RESULTS reaches ${lastSequence}, and nothing comes after ${read}.`);
  }

  /**
   * Parts of a section hold back the position until its last one: in a full stream that one may wait for room which
   * only the position gives. Its worker finds it missing in the record, and publishes all of them again.
   */
  private letPartsGo(): void {
    for (const partition of this.state.letPartsGo())
      this.options.log.warn(
        `RESULTS is nearly full, and partition ${partition} has parts of a section in it, which are let go for now.`,
      );
  }

  /** A stream that lost its tail and grew again unseen has other messages where we have been already. */
  private async healGap(firstSequence: number): Promise<void> {
    const now = this.options.time.now();
    const lasting = [...this.gaps].filter(([, sinceMs]) => now - sinceMs >= (this.options.gapMs ?? 10_000));
    const [first] = lasting;
    if (first === undefined || now - this.kept.lastRewindMs < rewindEveryMs || this.cutting !== null) return;
    this.kept.lastRewindMs = now;
    const reason = `Partition ${first[0]} misses messages, which may lie in what was read of RESULTS before.`;
    await this.rewind(firstSequence, reason);
  }

  /**
   * RESULTS is read again from its beginning, which costs duplicates only. The record says so before this session ends:
   * by the time that the next one looks, a stream that was too short may have grown past where we were, and what stands
   * there now would count for read.
   */
  private async rewind(firstSequence: number, reason: string): Promise<never> {
    // No block may be cut any more: what was read is read again. One that is on its way commits its position first.
    this.rewinding = (async () => {
      await this.cutting;
      await this.keeper.commit({ ...this.keeper.value, position: Math.max(firstSequence - 1, 0) });
    })();
    await this.rewinding;
    throw startOver(reason);
  }

  fail(error: unknown): void {
    if (this.stopping) return;
    this.end();
    this.settle.reject(error);
    this.unsubscribe();
  }

  private end(): void {
    this.stopping = true;
    for (const cancel of this.cancels.splice(0)) cancel();
  }

  private unsubscribe(): void {
    this.subscription?.stop().catch(() => undefined);
  }

  async drain(): Promise<void> {
    if (this.stopping) return;
    this.draining = true;
    await this.subscription?.stop();
    const failed = this.done.catch(() => undefined);
    await Promise.race([this.cutting, failed]);
    await Promise.race([this.rewinding, failed]);
    if (
      !this.stopping &&
      this.rewinding === null &&
      (!this.builder.empty || this.state.sequence > this.keeper.value.position)
    )
      this.startCut();
    await Promise.race([this.cutting, failed]);
    // Whoever stands by need not wait.
    if (!this.stopping) await this.keeper.commit({ ...this.keeper.value, owner: '' }).catch(() => {});
    await this.stop();
  }

  async stop(): Promise<void> {
    if (this.stopping) return;
    this.end();
    await this.subscription?.stop();
    this.settle.resolve();
  }
}

class StartOver extends LogweirError {}

function startOver(message: string): StartOver {
  return new StartOver('NATS_UNAVAILABLE', message, 'The writer goes on from its record by itself.');
}
