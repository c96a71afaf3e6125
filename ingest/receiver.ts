/**
 * What a receiver is: it turns requests of one protocol into records, and answers as that protocol's clients expect.
 * Receivers stand in one table, `receivers/mod.ts`.
 */
import type { Server } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { DeadLetters } from '#bus/mod.ts';
import type { Admission, FairTurns } from './admission/mod.ts';
import type { BatchPublisher } from './batch-publisher.ts';
import type { Gate } from './pipeline/gate.ts';
import type { ReceiverTokens } from './tokens.ts';

export interface ReceiverContext {
  publisher: BatchPublisher;
  /** Who is let in. */
  admission: Admission;
  /** Parsing, in turns by source. */
  turns: FairTurns;
  /** Wall clock, ms. */
  clock: () => number;
  counts: ReceiverCounts;
  limits: GatewayLimits;
  /** What cannot be taken; never blocks. */
  dead: DeadLetters;
  /** The parsing pipeline. */
  gate: Gate;
  tokens: ReceiverTokens;
  /**
   * Counts bytes that a request of a source takes beyond its body as it came (unpacked ones), until the way back is called.
   * @throws LogweirError NATS_UNAVAILABLE where the gateway holds as much as it may.
   */
  hold: (bytes: number, source?: string) => () => void;
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

/** Answers an error as the clients of a protocol understand it. A route names its own in `config.answerError`. */
export type AnswerError = (request: FastifyRequest, reply: FastifyReply, error: unknown) => FastifyReply;

declare module 'fastify' {
  interface FastifyContextConfig {
    answerError?: AnswerError;
    /** Reads its body as it comes, and holds little of it: it counts that by itself. */
    streams?: boolean;
  }
}

/** A receiver that is no HTTP/1 route: a server of its own, which the gateway binds to the port of that name. */
export interface ReceiverServer {
  name: string;
  /** `protocol`: as TLS negotiates it, default http/1.1. */
  open(context: ReceiverContext): { server: Server; stop: () => Promise<void>; protocol?: string };
}

export interface Receiver {
  name: string;
  register(app: FastifyInstance, context: ReceiverContext): void;
}
