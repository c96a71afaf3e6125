/**
 * Cuts records into batches per partition and publishes them, one publish in flight per partition (R1). A ticket
 * follows the records of one request: it settles when every batch with one of them was acknowledged.
 *
 * When a batch fails for good, everything queued for its partition fails with it: the partition remembers how far a
 * request with an Idempotency-Key came as one number, so no later record may be stored where an earlier one was not.
 */
import { Masker } from '#analysis/templates/mod.ts';
import { type Bus, type Cancel, Room, sleep, type Time } from '#bus/mod.ts';
import {
  BatchBuilder,
  encodeLogsMessage,
  type LogweirError,
  type MaskedColumns,
  partitionOf,
  type RecordBatch,
  type RecordView,
  streams,
  subjects,
} from '#protocol/mod.ts';
import { HeldBytes, type Share, shareOf } from './admission/mod.ts';
import { adaptLinger, lingerMsMin } from './linger.ts';

export interface BatchPublisherOptions {
  bus: Bus;
  partitions: number;
  lane: string;
  source: string;
  time: Time;
  /** Names this publisher in message ids; must differ between processes and restarts. */
  publisherId: string;
  /** Bytes of records not yet acknowledged at which new ones are refused. */
  pendingBytesMax: number;
  /** How long a batch is retried before its requests fail, ms; Infinity where nobody can be told. */
  giveUpAfterMs: number;
}

/** Follows the records of one request to their acknowledgement. */
export class Ticket {
  private open = 0;
  private sealed = false;
  private resolve: () => void = () => {};
  private reject: (error: LogweirError) => void = () => {};
  private readonly settled: Promise<void>;
  failure: LogweirError | null = null;

  constructor() {
    this.settled = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.settled.catch(() => {});
  }

  /** All records are in; settles when the last of their batches is. @throws LogweirError NATS_UNAVAILABLE | STREAM_FULL */
  done(): Promise<void> {
    this.sealed = true;
    if (this.open === 0 && this.failure === null) this.resolve();
    return this.settled;
  }

  enter(): void {
    this.open++;
  }

  leave(): void {
    this.open--;
    if (this.open === 0 && this.sealed && this.failure === null) this.resolve();
  }

  fail(error: LogweirError): void {
    if (this.failure !== null) return;
    this.failure = error;
    this.reject(error);
  }
}

interface Pending {
  batch: RecordBatch;
  bytes: number;
  tickets: Set<Ticket>;
  /** Bytes by source. */
  holders: Map<string, number>;
}

interface Lane {
  partition: number;
  builder: BatchBuilder;
  tickets: Set<Ticket>;
  holders: HeldBytes;
  /** When the open batch goes, ms. */
  dueMs: number;
  queue: Pending[];
  inFlight: boolean;
  /** Batches that are not masked before it is tried again. */
  maskPause: number;
}

/** Severity from which a record makes its batch go early (ERROR), and the share of the linger that it waits. */
const urgentSeverity = 17;
const urgentShare = 1 / 8;
const retryMsMin = 25;
const retryMsMax = 500;
const servicesRemembered = 20_000;
/**
 * A partition whose batches are this large has much to do, and is spared the scanning of bodies: it costs 0.6 µs a record
 * here and saves 0.4 µs there, where one core does all of a service. Smaller batches are not worth the CPU.
 */
const maskRowsMin = 1_000;
/** Where bodies were prose, which masked columns do not help, so many batches go by unmasked. */
const maskPauseBatches = 31;

export class BatchPublisher {
  private readonly options: BatchPublisherOptions;
  private readonly lanes: (Lane | undefined)[];
  private readonly partitionOfService = new Map<string, number>();
  private lastService = '';
  private lastPartition = -1;
  private readonly openLanes = new Set<Lane>();
  private readonly held = new HeldBytes();
  private lastSource = '';
  private lastName = '';
  private readonly masker = new Masker();
  private readonly room: Room;
  private counter = 0;
  private abandoned = false;
  private lingerMs = lingerMsMin;
  private publishedThisSecond = 0;
  private recordsBefore = 0;
  private secondStartedMs: number;
  private cancelTimer: Cancel | null = null;
  /** When the timer fires, ms. */
  private timerMs = 0;
  /** Bytes of records not yet acknowledged. */
  pendingBytes = 0;
  readonly counts = { records: 0, batches: 0, retries: 0, failures: 0 };

  constructor(options: BatchPublisherOptions) {
    this.options = options;
    this.room = new Room(options.bus.streams, streams.logs, options.time);
    this.lanes = new Array(options.partitions);
    this.secondStartedMs = options.time.now();
  }

  /** True where no further record is taken until some were acknowledged. */
  get full(): boolean {
    return this.pendingBytes >= this.options.pendingBytesMax;
  }

  /** Whether a source may add more: nobody holds more than is still free. */
  share(source: string): Share {
    return shareOf(this.held.of(source), 1, this.pendingBytes, this.options.pendingBytesMax);
  }

  get currentLingerMs(): number {
    return this.lingerMs;
  }

  /**
   * Adds a record on behalf of a ticket. Nothing is added for a ticket that failed already. `source`: who is counted to
   * hold it until the stream has it.
   */
  add(record: RecordView, ticket: Ticket, nowMs: number, source = ''): void {
    if (ticket.failure !== null) return;
    const lane = this.laneOf(record.service);
    const { builder } = lane;
    if (builder.rows === 0) {
      lane.dueMs = nowMs + this.lingerMs;
      this.openLanes.add(lane);
      this.wakeAt(lane.dueMs, nowMs);
    }
    if (record.severityNumber >= urgentSeverity) this.hurry(lane, nowMs);
    const before = builder.bytes;
    builder.add(record, nowMs);
    const bytes = builder.bytes - before;
    this.pendingBytes += bytes;
    const name = source === this.lastSource ? this.lastName : this.nameOf(source);
    lane.holders.add(name, bytes);
    this.held.add(name, bytes);
    this.counts.records++;
    if (!lane.tickets.has(ticket)) {
      lane.tickets.add(ticket);
      ticket.enter();
    }
    if (builder.full) this.close(lane);
  }

  /** Sends what is open without waiting for the linger. */
  flush(): void {
    for (const lane of this.openLanes) this.close(lane);
  }

  /** Batches that the stream does not take now fail at their next try. */
  abandon(): void {
    this.abandoned = true;
  }

  /** Publishes a message that is no batch to every partition, after all records before it. Settles when all are acknowledged. */
  async broadcast(data: Uint8Array): Promise<void> {
    this.flush();
    for (let partition = 0; partition < this.options.partitions; partition++) {
      while (this.busy(partition)) await sleep(this.options.time, 5);
      await this.publishRetrying(partition, data, null);
    }
  }

  private nameOf(source: string): string {
    this.lastSource = source;
    this.lastName = this.held.nameOf(source);
    return this.lastName;
  }

  private busy(partition: number): boolean {
    const lane = this.lanes[partition];
    return lane !== undefined && (lane.inFlight || lane.queue.length > 0 || lane.builder.rows > 0);
  }

  private laneOf(service: string): Lane {
    if (service !== this.lastService || this.lastPartition < 0) {
      let partition = this.partitionOfService.get(service);
      if (partition === undefined) {
        partition = partitionOf(service, this.options.partitions);
        if (this.partitionOfService.size >= servicesRemembered) this.partitionOfService.clear();
        this.partitionOfService.set(service, partition);
      }
      this.lastService = service;
      this.lastPartition = partition;
    }
    const partition = this.lastPartition;
    let lane = this.lanes[partition];
    if (lane === undefined) {
      const builder = new BatchBuilder(this.options.lane, this.options.source);
      lane = {
        partition,
        builder,
        tickets: new Set(),
        holders: new HeldBytes(Number.POSITIVE_INFINITY),
        dueMs: 0,
        queue: [],
        inFlight: false,
        maskPause: 0,
      };
      this.lanes[partition] = lane;
    }
    return lane;
  }

  /** Alerts mostly come of errors, and errors are few: a batch with one does not wait for more. */
  private hurry(lane: Lane, nowMs: number): void {
    const dueMs = nowMs + this.lingerMs * urgentShare;
    if (dueMs >= lane.dueMs) return;
    lane.dueMs = dueMs;
    this.wakeAt(dueMs, nowMs);
  }

  private wakeAt(atMs: number, nowMs: number): void {
    if (this.cancelTimer !== null) {
      if (this.timerMs <= atMs) return;
      this.cancelTimer();
    }
    this.timerMs = atMs;
    this.cancelTimer = this.options.time.after(Math.max(atMs - nowMs, 1), () => this.onTimer());
  }

  private onTimer(): void {
    this.cancelTimer = null;
    const now = this.options.time.now();
    if (now - this.secondStartedMs >= 1_000) {
      const seconds = (now - this.secondStartedMs) / 1_000;
      const records = this.counts.records - this.recordsBefore;
      this.lingerMs = adaptLinger(this.lingerMs, this.publishedThisSecond / seconds, records / seconds);
      this.publishedThisSecond = 0;
      this.recordsBefore = this.counts.records;
      this.secondStartedMs = now;
    }
    let soonest = Number.POSITIVE_INFINITY;
    for (const lane of this.openLanes) {
      // While a publish is in flight the next batch may as well go on gathering.
      if (lane.dueMs - now <= 0.5 && !lane.inFlight) this.close(lane);
      else soonest = Math.min(soonest, Math.max(lane.dueMs, now + 2));
    }
    if (this.openLanes.size > 0) this.wakeAt(soonest, now);
  }

  private close(lane: Lane): void {
    const bytes = lane.builder.bytes;
    const batch = lane.builder.take();
    this.openLanes.delete(lane);
    if (batch === null) return;
    lane.queue.push({ batch, bytes, tickets: lane.tickets, holders: lane.holders.take() });
    lane.tickets = new Set();
    if (!lane.inFlight) void this.work(lane);
  }

  private async work(lane: Lane): Promise<void> {
    lane.inFlight = true;
    for (;;) {
      const pending = lane.queue.shift();
      if (pending === undefined) break;
      try {
        await this.publishRetrying(lane.partition, this.encode(lane, pending.batch), this.room);
        this.settle(pending, null);
      } catch (error) {
        this.failAll(lane, pending, error as LogweirError);
      }
      // What gathered meanwhile longer than the linger goes at once.
      if (lane.builder.rows > 0 && lane.queue.length === 0 && this.options.time.now() >= lane.dueMs) this.close(lane);
    }
    lane.inFlight = false;
  }

  private encode(lane: Lane, batch: RecordBatch): Uint8Array {
    let masked: MaskedColumns | null = null;
    if (batch.rows >= maskRowsMin && lane.maskPause-- <= 0) {
      masked = this.masker.mask(batch);
      lane.maskPause = masked === null ? maskPauseBatches : 0;
    }
    return encodeLogsMessage({ kind: 'batch', batch, masked });
  }

  /** `room`: asked before each try; null for what may take the last of the stream. */
  private async publishRetrying(partition: number, data: Uint8Array, room: Room | null): Promise<void> {
    const { bus, time, giveUpAfterMs, publisherId } = this.options;
    const messageId = `${publisherId}.${++this.counter}`;
    const deadline = time.now() + giveUpAfterMs;
    for (let pause = retryMsMin; ; pause = Math.min(pause * 2, retryMsMax)) {
      try {
        await room?.take(data.length);
        this.publishedThisSecond++;
        await bus.streams.publish(subjects.logs(partition), data, {
          messageId,
          timeoutMs: Math.min(5_000, giveUpAfterMs),
        });
        this.counts.batches++;
        return;
      } catch (error) {
        if (this.abandoned || time.now() + pause >= deadline) throw error;
        this.counts.retries++;
        await sleep(time, pause);
      }
    }
  }

  private settle(pending: Pending, error: LogweirError | null): void {
    this.pendingBytes -= pending.bytes;
    for (const [name, bytes] of pending.holders) this.held.add(name, -bytes);
    for (const ticket of pending.tickets) {
      if (error === null) ticket.leave();
      else ticket.fail(error);
    }
  }

  private failAll(lane: Lane, pending: Pending, error: LogweirError): void {
    this.counts.failures++;
    const open = lane.builder.bytes;
    const batch = lane.builder.take();
    this.openLanes.delete(lane);
    if (batch !== null) lane.queue.push({ batch, bytes: open, tickets: lane.tickets, holders: lane.holders.take() });
    lane.tickets = new Set();
    for (const one of [pending, ...lane.queue.splice(0)]) this.settle(one, error);
  }
}
