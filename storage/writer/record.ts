/** The writer's record in KV: who writes, how far it is, what is in doubt. Compare-and-set decides between two writers (W4). */
import { type Bus, type KeyValue, sleep, type Time } from '#bus/mod.ts';
import { buckets, keys, LogweirError, streams } from '#protocol/mod.ts';
import { messageOf } from '../engine/error.ts';
import type { WriterRecord } from './state.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const decode = (value: Uint8Array): WriterRecord => JSON.parse(decoder.decode(value)) as WriterRecord;

/** A writer shows that it lives by a change of its record this often, ms. */
export const touchEveryMs = 3_000;
/** Who has not looked at its record for this long may have been replaced meanwhile (a suspended process), ms. */
const confirmAfterMs = 5_000;
const lookEveryMs = 500;

/** What the writer has committed, for whoever purges RESULTS; null = it never ran. */
export async function readWriterRecord(bus: Bus): Promise<WriterRecord | null> {
  const entry = await (await bus.keyValue(buckets.marks)).get(keys.writer);
  return entry === null ? null : decode(entry.value);
}

export interface KeeperOptions {
  bus: Bus;
  time: Time;
  owner: string;
  /** How long the record of a writer that did not let go must stand still before it is taken over, ms. */
  standbyMs: number;
  log: { info(message: string): void; warn(message: string): void };
  /** True where nothing shall be tried any more. */
  ended: () => boolean;
}

export class RecordKeeper {
  value: WriterRecord;
  private revision: number;
  private readonly store: KeyValue;
  private readonly options: KeeperOptions;
  private confirmedMs: number;
  /** One change at a time: each names the revision before it. */
  private queue: Promise<void> = Promise.resolve();

  private constructor(options: KeeperOptions, store: KeyValue, value: WriterRecord, revision: number) {
    this.options = options;
    this.store = store;
    this.value = value;
    this.revision = revision;
    this.confirmedMs = options.time.now();
  }

  /** Makes the record ours; a writer that still runs finds out at its next commit. */
  static async takeOver(options: KeeperOptions): Promise<RecordKeeper> {
    const { bus, owner } = options;
    const store = await bus.keyValue(buckets.marks);
    await standBy(options, store);
    for (;;) {
      const { createdMs, firstSequence, lastSequence } = await bus.streams.info(streams.results);
      const entry = await store.get(keys.writer);
      const known = entry === null ? null : decode(entry.value);
      const record = succeed(known, owner, { createdMs, firstSequence, lastSequence });
      const value = encoder.encode(JSON.stringify(record));
      const revision =
        entry === null
          ? await store.create(keys.writer, value)
          : await store.update(keys.writer, value, entry.revision);
      if (revision !== null) return new RecordKeeper(options, store, record, revision);
    }
  }

  /** Milliseconds since the record was last known to be ours. */
  get ageMs(): number {
    return this.options.time.now() - this.confirmedMs;
  }

  /** @throws LogweirError CLUSTER_MISMATCH where another writer took over. */
  commit(value: WriterRecord): Promise<void> {
    return this.change(() => value);
  }

  /** What is written is made when its turn comes, on top of every change before it. */
  private change(make: () => WriterRecord): Promise<void> {
    const done = this.queue.then(() => this.write(make()));
    this.queue = done.catch(() => {});
    return done;
  }

  /** Shows that this writer lives. @throws LogweirError CLUSTER_MISMATCH */
  async touch(): Promise<void> {
    if (this.ageMs >= touchEveryMs) await this.change(() => this.value);
  }

  /** Before an insert: a process that stood still for a while looks whether it was replaced. @throws LogweirError CLUSTER_MISMATCH */
  async confirm(): Promise<void> {
    if (this.ageMs >= confirmAfterMs) await this.change(() => this.value);
  }

  private async write(value: WriterRecord): Promise<void> {
    const bytes = encoder.encode(JSON.stringify(value));
    this.revision = await this.update(bytes);
    this.value = value;
    this.confirmedMs = this.options.time.now();
  }

  /** Tries until it is made. @throws LogweirError CLUSTER_MISMATCH where another writer's record stands */
  private async update(bytes: Uint8Array): Promise<number> {
    const { log, time, ended } = this.options;
    for (let tries = 0; ; tries++) {
      try {
        return await this.tryUpdate(bytes);
      } catch (error) {
        if (ended() || isReplaced(error) || error instanceof RecordGone) throw error;
        if (tries === 0) log.warn(`The writer's record could not be stored, trying again: ${messageOf(error)}`);
        await sleep(time, lookEveryMs);
        if (ended()) throw error;
      }
    }
  }

  /**
   * An update may be refused though nobody else writes: it was made, and its answer lost (then the record read back is
   * the same, word for word); or a server that crashed lost the one before it (then an earlier record of ours is there,
   * and the next try is made on top of that). Only a record that names another writer ends this one.
   */
  private async tryUpdate(bytes: Uint8Array): Promise<number> {
    const revision = await this.store.update(keys.writer, bytes, this.revision);
    if (revision !== null) return revision;
    const entry = await this.store.get(keys.writer);
    if (entry === null) throw new RecordGone();
    if (Buffer.compare(entry.value, bytes) === 0) return entry.revision;
    if (decode(entry.value).owner !== this.options.owner) throw replaced();
    const said = `it was refused at revision ${this.revision}, and our own is there at ${entry.revision}.`;
    this.revision = entry.revision;
    throw new LogweirError('NATS_UNAVAILABLE', said, 'It is stored again by itself.');
  }
}

/** Nobody took over, and yet there is no record: a new session finds out what is stored without one. */
class RecordGone extends LogweirError {
  constructor() {
    super('NATS_UNAVAILABLE', "The writer's record is gone.", 'The writer goes on from what is stored by itself.');
  }
}

export function replaced(): LogweirError {
  return new LogweirError(
    'CLUSTER_MISMATCH',
    'Another storage writer took over.',
    'One storage role writes at a time; this one stops, and stands by when it is started again.',
  );
}

export function isReplaced(error: unknown): boolean {
  return error instanceof LogweirError && error.code === 'CLUSTER_MISMATCH';
}

/** Waits while somebody else's record moves. Judged by its revision and our own clock, never by comparing clocks. */
async function standBy({ time, owner, standbyMs, log, ended }: KeeperOptions, store: KeyValue): Promise<void> {
  let seen: number | null = null;
  let sinceMs = time.now();
  let told = false;
  for (;;) {
    const entry = await store.get(keys.writer);
    const holder = entry === null ? '' : decode(entry.value).owner;
    if (entry === null || holder === '' || holder === owner || ended()) return;
    if (entry.revision !== seen) {
      if (seen !== null && !told) log.info(`Storage writer ${holder} is at work; standing by.`);
      told ||= seen !== null;
      seen = entry.revision;
      sinceMs = time.now();
    }
    if (time.now() - sinceMs >= standbyMs) return;
    await sleep(time, Math.min(lookEveryMs, standbyMs));
  }
}

/** The record of who comes after `known`, with RESULTS as it is now. Pure. */
export function succeed(
  known: WriterRecord | null,
  owner: string,
  results: { createdMs: number; firstSequence: number; lastSequence: number },
): WriterRecord {
  if (known === null) {
    const recovered = results.firstSequence > 1;
    return {
      owner,
      resultsCreatedMs: results.createdMs,
      position: 0,
      marks: {},
      recovered,
      inDoubt: null,
      readBack: recovered,
    };
  }
  const { inDoubt } = known;
  const otherStream = known.resultsCreatedMs !== results.createdMs || known.position > results.lastSequence;
  const blockGone =
    inDoubt !== null &&
    (otherStream || results.lastSequence < inDoubt.to || results.firstSequence > known.position + 1);
  const readBack = known.readBack || blockGone || inDoubt?.apart === true;
  return {
    ...known,
    owner,
    resultsCreatedMs: results.createdMs,
    // Marks outlive a RESULTS stream that was made anew or lost its tail: they count LOGS sequences.
    position: otherStream ? 0 : known.position,
    inDoubt: readBack ? null : inDoubt,
    readBack,
  };
}
