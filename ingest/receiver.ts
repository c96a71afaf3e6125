/**
 * What a receiver is: it turns requests of one protocol into records, and answers as that protocol's clients expect.
 * Receivers stand in one table, `receivers/mod.ts`.
 */
import type { FastifyInstance } from 'fastify';
import type { BatchPublisher } from './batch-publisher.ts';

export interface ReceiverContext {
  publisher: BatchPublisher;
  /** Wall clock, ms. */
  clock: () => number;
  counts: ReceiverCounts;
  limits: GatewayLimits;
  /**
   * Counts bytes that a request takes beyond its body as it came (unpacked ones), until the way back is called.
   * @throws LogweirError NATS_UNAVAILABLE where the gateway holds as much as it may.
   */
  hold: (bytes: number) => () => void;
}

export interface ReceiverCounts {
  requests: number;
  records: number;
  /** Records that could not be taken, each named to its sender. */
  rejected: number;
  /** Requests answered 503: no room, or the stream did not take them. */
  unavailable: number;
  bytes: number;
}

export interface GatewayLimits {
  /** Request body after decompression, bytes. */
  bodyBytesMax: number;
}

export interface Receiver {
  name: string;
  register(app: FastifyInstance, context: ReceiverContext): void;
}
