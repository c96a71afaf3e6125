/**
 * A gateway without its HTTP server: requests come as lists of records and go the way that receivers go, through the
 * real publisher and its tickets.
 */
import type { Bus, Time } from '#bus/mod.ts';
import { BatchPublisher, Ticket } from '#ingest/mod.ts';
import { encodeLogsMessage, type LogRecord, liveLane, RecordView, viewOf } from '#protocol/mod.ts';

export interface SimGatewayOptions {
  bus: Bus;
  time: Time;
  partitions: number;
  /** Unique to the process. */
  id: string;
  publishers: number;
  lane?: string;
}

const pendingBytesMax = 64 * 1024;
const giveUpAfterMs = 8_000;

export class SimGateway {
  private readonly publishers: BatchPublisher[];
  private readonly time: Time;
  private readonly open = new Set<(error: Error) => void>();
  private readonly view = new RecordView();

  constructor({ bus, time, partitions, id, publishers, lane = liveLane }: SimGatewayOptions) {
    this.time = time;
    this.publishers = Array.from(
      { length: publishers },
      (_, index) =>
        new BatchPublisher({
          bus,
          partitions,
          lane,
          source: 'http',
          time,
          publisherId: `${id}.${index}`,
          pendingBytesMax,
          giveUpAfterMs,
        }),
    );
  }

  /** Settles when the stream has every record. @throws where it does not, or the process ended meanwhile */
  request(records: readonly LogRecord[], key: string): Promise<void> {
    const { publishers, time } = this;
    if (publishers.some((publisher) => publisher.full)) return Promise.reject(new Error('503'));
    const ticket = new Ticket();
    const nowMs = time.now();
    for (const [ordinal, record] of records.entries()) {
      viewOf(record, { observedMs: nowMs, service: 'unknown' }, this.view);
      this.view.idempotencyKey = key;
      this.view.ordinal = ordinal;
      (publishers[ordinal % publishers.length] as BatchPublisher).add(this.view, ticket, nowMs);
    }
    return new Promise((resolve, reject) => {
      this.open.add(reject);
      ticket.done().then(
        () => {
          this.open.delete(reject);
          resolve();
        },
        (error: Error) => {
          this.open.delete(reject);
          reject(error);
        },
      );
    });
  }

  /** Tells every partition that a lane has ended. */
  async end(lane: string): Promise<void> {
    for (const publisher of this.publishers) await publisher.broadcast(encodeLogsMessage({ kind: 'end', lane }));
  }

  /** Whoever waits for an answer sees the connection close. */
  reset(): void {
    for (const reject of this.open) reject(new Error('connection reset'));
    this.open.clear();
  }
}
