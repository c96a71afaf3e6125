/**
 * The writer's shell: reads RESULTS, gathers blocks, inserts them, keeps its record. The order that makes it
 * effectively once (R3):
 *   W1  a block's range and token are in KV before any of it is inserted;
 *   W2  one block is in doubt at a time; a restarted writer reads its range again and inserts it with the same tokens;
 *   W3  marks move only after every table has the block;
 *   W4  each change of the record is a compare-and-set: who loses it was replaced, and stops.
 */
import { type Bus, type Cancel, type KeyValue, sleep, type Subscription, type Time } from '#bus/mod.ts';
import { buckets, decodeResults, keys, LogweirError, type ResultsMessage, streams } from '#protocol/mod.ts';
import { messageOf } from '../engine/error.ts';
import type { ClickHouse } from '../engine/port.ts';
import { BlockBuilder, type BlockLimits, blockLimitsDefault, type TableInsert } from './block.ts';
import { blockToken, insertToken, type WriterRecord, WriterState } from './state.ts';

export interface WriterOptions {
  bus: Bus;
  clickHouse: ClickHouse;
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
  /** Names this writer in its record, default `process.pid` and time. */
  owner?: string;
}

export interface WriterStats {
  rows: number;
  blocks: number;
  duplicates: number;
  gaps: number;
  malformed: number;
  /** RESULTS sequence read and committed. */
  read: number;
  committed: number;
  /** Failed inserts in a row; 0 = all is well. */
  failing: number;
  lastBlockMs: number;
}

export interface Writer {
  stats(): Readonly<WriterStats>;
  /** Settles when the writer has ended; rejects where it was replaced or its record is unusable. */
  readonly done: Promise<void>;
  /** Inserts what was taken, commits, ends. */
  drain(): Promise<void>;
  /** Ends at once; what was in doubt is taken up by the next writer. */
  stop(): Promise<void>;
}

/** A block is made at most once in so many times what it takes. */
const lingerPerBlock = 20;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What the writer has committed, for whoever purges RESULTS; null = it never ran. */
export async function readWriterRecord(bus: Bus): Promise<WriterRecord | null> {
  const entry = await (await bus.keyValue(buckets.marks)).get(keys.writer);
  return entry === null ? null : (JSON.parse(decoder.decode(entry.value)) as WriterRecord);
}

export async function startWriter(options: WriterOptions): Promise<Writer> {
  const store = await options.bus.keyValue(buckets.marks);
  const owner = options.owner ?? `${process.pid}-${options.time.now()}`;
  const { record, revision } = await takeOver(options.bus, store, owner);
  const shell = new Shell(options, store, record, revision);
  await shell.resolveDoubt();
  await shell.start();
  return shell;
}

/** Makes the record ours; a writer that still runs finds out at its next commit (W4). */
async function takeOver(bus: Bus, store: KeyValue, owner: string): Promise<{ record: WriterRecord; revision: number }> {
  for (;;) {
    const { createdMs, firstSequence, lastSequence } = await bus.streams.info(streams.results);
    const entry = await store.get(keys.writer);
    const known = entry === null ? null : (JSON.parse(decoder.decode(entry.value)) as WriterRecord);
    const fresh = known === null || known.resultsCreatedMs !== createdMs || known.position > lastSequence;
    const record: WriterRecord = fresh
      ? // Marks outlive a RESULTS stream that was made anew or lost its tail: they count LOGS sequences.
        {
          owner,
          resultsCreatedMs: createdMs,
          position: 0,
          marks: known?.marks ?? {},
          recovered: known === null && firstSequence > 1,
          inDoubt: null,
        }
      : { ...known, owner };
    const value = encoder.encode(JSON.stringify(record));
    const revision =
      entry === null ? await store.create(keys.writer, value) : await store.update(keys.writer, value, entry.revision);
    if (revision !== null) return { record, revision };
  }
}

class Shell implements Writer {
  readonly done: Promise<void>;
  private readonly options: WriterOptions;
  private readonly limits: BlockLimits;
  private readonly store: KeyValue;
  private record: WriterRecord;
  private revision: number;
  private readonly state: WriterState;
  private builder: BlockBuilder;
  /** Wall clock of the first row in the builder, ms. */
  private firstMs = 0;
  private lastCommitMs = 0;
  /** The cut that runs; the next one waits for it, and the reader for that. */
  private cutting: Promise<void> | null = null;
  private subscription: Subscription | null = null;
  private stopTicking: Cancel = () => {};
  private stopping = false;
  private draining = false;
  private settle: { resolve: () => void; reject: (error: unknown) => void } = { resolve: () => {}, reject: () => {} };
  private readonly counts: WriterStats;

  constructor(options: WriterOptions, store: KeyValue, record: WriterRecord, revision: number) {
    this.options = options;
    this.limits = { ...blockLimitsDefault, ...options.limits };
    this.store = store;
    this.record = record;
    this.revision = revision;
    this.state = new WriterState(record);
    this.builder = new BlockBuilder(this.limits);
    this.done = new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
    });
    // Whoever awaits `done` sees the failure; nobody doing so must not end the process.
    this.done.catch(() => {});
    const { position } = record;
    this.counts = {
      rows: 0,
      blocks: 0,
      duplicates: 0,
      gaps: 0,
      malformed: 0,
      read: position,
      committed: position,
      failing: 0,
      lastBlockMs: 0,
    };
  }

  stats(): Readonly<WriterStats> {
    return { ...this.counts };
  }

  /** W2: the block that a writer before us left in doubt, read again and inserted with its own tokens. */
  async resolveDoubt(): Promise<void> {
    const { inDoubt, position } = this.record;
    if (inDoubt === null) return;
    const { firstSequence, lastSequence } = await this.options.bus.streams.info(streams.results);
    if (firstSequence > position + 1 || lastSequence < inDoubt.to) {
      this.options.log.warn(
        `RESULTS ${position + 1}–${inDoubt.to} of a block in doubt is not there any more; going on after it.`,
      );
    }
    const subscription = await this.options.bus.streams.consume(streams.results, { fromSequence: position + 1 });
    if (lastSequence >= inDoubt.to) {
      for await (const message of subscription) {
        if (message.sequence <= inDoubt.to) this.take(message.sequence, message.data);
        if (message.sequence >= inDoubt.to) break;
      }
    }
    await subscription.stop();
    const inserts = this.builder.finish();
    this.builder = new BlockBuilder(this.limits);
    await this.insertAll(inserts, inDoubt.token);
    await this.commit({ ...this.record, ...this.state.commitPoint(), inDoubt: null });
    this.options.log.info(`Took up the block in doubt, RESULTS ${position + 1}–${inDoubt.to}.`);
  }

  async start(): Promise<void> {
    this.subscription = await this.options.bus.streams.consume(streams.results, {
      fromSequence: this.state.sequence + 1,
    });
    this.lastCommitMs = this.options.time.now();
    this.stopTicking = this.options.time.every(Math.min(this.options.lingerMs ?? 250, 50), () => this.tick());
    void this.read(this.subscription).then(
      () =>
        this.stopping || this.draining
          ? undefined
          : this.fail(
              new LogweirError(
                'NATS_UNAVAILABLE',
                'The RESULTS subscription ended.',
                'It is opened again when the server is back.',
              ),
            ),
      (error) => this.fail(error),
    );
  }

  private async read(subscription: Subscription): Promise<void> {
    for await (const message of subscription) {
      if (this.stopping) return;
      this.take(message.sequence, message.data);
      if (!this.builder.full) continue;
      // One block in the making, one on its way: beyond that RESULTS keeps what we do not read.
      if (this.cutting !== null) await this.cutting;
      if (this.builder.full) this.startCut();
    }
  }

  private take(sequence: number, data: Uint8Array): void {
    this.counts.read = sequence;
    let message: ResultsMessage;
    try {
      message = decodeResults(data);
    } catch (error) {
      this.counts.malformed++;
      this.state.sequence = sequence;
      this.options.log.error(`RESULTS ${sequence} cannot be read: ${messageOf(error)}`);
      return;
    }
    const taken = this.state.take(sequence, message);
    if (taken.verdict === 'duplicate') this.counts.duplicates++;
    else if (taken.verdict === 'gap') {
      this.counts.gaps++;
      this.options.log.warn(
        `RESULTS of partition ${message.partition} jump to ${message.from}; waiting for what lies before.`,
      );
    } else if (taken.verdict === 'take') {
      const wasEmpty = this.builder.empty;
      for (const section of taken.sections) this.builder.add(message, section);
      if (wasEmpty && !this.builder.empty) this.firstMs = this.options.time.now();
    }
  }

  private tick(): void {
    if (this.cutting !== null || this.stopping) return;
    const now = this.options.time.now();
    const { lingerMs = 250, lingerMaxMs = Math.max(1_000, lingerMs) } = this.options;
    const wait = Math.min(Math.max(lingerMs, this.counts.lastBlockMs * lingerPerBlock), lingerMaxMs);
    const due = !this.builder.empty && now - this.firstMs >= wait;
    const idle =
      this.state.sequence > this.record.position && now - this.lastCommitMs >= (this.options.idleCommitMs ?? 2_000);
    if (due || idle) this.startCut();
  }

  private startCut(): void {
    const builder = this.builder;
    this.builder = new BlockBuilder(this.limits);
    const point = this.state.commitPoint();
    const to = this.state.sequence;
    this.cutting = this.write(builder, point, to).then(
      () => {
        this.cutting = null;
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
    if (!builder.empty) {
      const token = blockToken(this.record.resultsCreatedMs, this.record.position, to);
      const inserts = builder.finish();
      await this.commit({ ...this.record, inDoubt: { to, token } }); // W1
      const started = this.options.time.now();
      await this.insertAll(inserts, token);
      this.counts.lastBlockMs = this.options.time.now() - started;
      this.counts.blocks++;
      this.counts.rows += builder.logRows;
    }
    await this.commit({ ...this.record, ...point, inDoubt: null }); // W3
  }

  /** Tries until it is in: rows wait in the stream meanwhile, and the tokens keep a half-done try from counting twice. */
  private async insertAll(inserts: readonly TableInsert[], token: string): Promise<void> {
    const { first, max } = this.options.retryMs ?? { first: 250, max: 10_000 };
    for (const [index, { table, structure, chunks }] of inserts.entries()) {
      for (let pauseMs = first; ; pauseMs = Math.min(pauseMs * 2, max)) {
        try {
          await this.options.clickHouse.insertNative(table, structure, chunks, insertToken(token, index));
          this.counts.failing = 0;
          break;
        } catch (error) {
          if (this.stopping) throw error;
          this.counts.failing++;
          this.options.log.error(`Insert into ${table} failed, next try in ${pauseMs} ms: ${messageOf(error)}`);
          await sleep(this.options.time, pauseMs);
          if (this.stopping) throw error;
        }
      }
    }
  }

  /** W4 */
  private async commit(record: WriterRecord): Promise<void> {
    const value = encoder.encode(JSON.stringify(record));
    const revision = await this.update(value);
    if (revision === null) {
      throw new LogweirError(
        'CLUSTER_MISMATCH',
        'Another storage writer took over.',
        'Run one storage role per cluster; this one stops.',
      );
    }
    this.revision = revision;
    this.record = record;
    this.counts.committed = record.position;
    this.lastCommitMs = this.options.time.now();
  }

  /** An update whose answer was lost may have been made: then the record read back is ours, word for word. */
  private async update(value: Uint8Array): Promise<number | null> {
    for (;;) {
      try {
        const revision = await this.store.update(keys.writer, value, this.revision);
        if (revision !== null) return revision;
        const entry = await this.store.get(keys.writer);
        return entry !== null && Buffer.compare(entry.value, value) === 0 ? entry.revision : null;
      } catch (error) {
        if (this.stopping) throw error;
        this.options.log.warn(`The writer's record could not be stored: ${messageOf(error)}`);
        await sleep(this.options.time, 500);
        if (this.stopping) throw error;
      }
    }
  }

  private fail(error: unknown): void {
    if (this.stopping) return;
    this.stopping = true;
    this.stopTicking();
    this.options.log.error(`The storage writer ended: ${messageOf(error)}`);
    this.settle.reject(error);
    this.unsubscribe();
  }

  private unsubscribe(): void {
    this.subscription?.stop().catch(() => undefined);
  }

  async drain(): Promise<void> {
    if (this.stopping) return;
    this.draining = true;
    this.stopTicking();
    await this.subscription?.stop();
    const failed = this.done.catch(() => undefined);
    await Promise.race([this.cutting, failed]);
    if (!this.stopping && (!this.builder.empty || this.state.sequence > this.record.position)) this.startCut();
    await Promise.race([this.cutting, failed]);
    await this.stop();
  }

  async stop(): Promise<void> {
    if (this.stopping) return;
    this.stopping = true;
    this.stopTicking();
    await this.subscription?.stop();
    this.settle.resolve();
  }
}
