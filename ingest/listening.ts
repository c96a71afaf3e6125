/**
 * What a listening receiver is: a protocol over TCP, TLS or UDP on a port of its own. It turns bytes into records and
 * knows nothing of sockets; `listener.ts` is the shell with the limits. Listening receivers stand in one table,
 * `receivers/mod.ts`.
 */
import type { RecordSink } from './record-sink.ts';

export const listeningNames = ['syslog', 'gelf', 'forward'] as const;
export type ListeningName = (typeof listeningNames)[number];

export interface ListeningReceiver {
  name: ListeningName;
  /** Takes datagrams on the port as well. */
  udp: boolean;
  /** One for each start; what all its connections share. */
  open(sink: RecordSink, settings: ListeningSettings): Listening;
}

export interface ListeningSettings {
  /** Minutes east of UTC of stamps that name no zone. */
  utcOffsetMinutes: number;
  /** Fluent forward: clients prove that they know it; '' = they need not. */
  sharedKey: string;
  /** This gateway, as the forward handshake names it. */
  hostName: string;
}

export interface Listening {
  /** Writes before the client does: the two kinds of connection cannot be told apart by the first byte then. */
  speaksFirst?: boolean;
  converse(peer: Peer): Conversation;
  /** `answer` sends a datagram back. */
  datagram?(data: Buffer, address: string, answer: (data: Uint8Array) => void): void;
  /** Once a second: forgets what waited too long. */
  sweep?(): void;
}

export interface Peer {
  address: string;
  send(data: Uint8Array): void;
}

/** One connection's worth of protocol. */
export interface Conversation {
  /** Bytes as they came. @throws ConversationEnd where nothing sensible can follow. */
  take(chunk: Buffer): void;
  /** Has more to do with what it took: `take` is called again, with nothing, before more is read. */
  readonly busy?: boolean;
  /** The client sends no more: what stands open may still be a message. */
  end(): void;
  /** Bytes held of a message that is not whole. */
  readonly openBytes: number;
}

/** Ends a connection; the reason is counted. */
export class ConversationEnd extends Error {
  readonly reason: 'malformed' | 'tooLong' | 'refused';

  constructor(reason: 'malformed' | 'tooLong' | 'refused', message: string) {
    super(message);
    this.reason = reason;
  }
}

/** All of them become metrics: `logweir_gateway_<receiver>_<name>`. */
export interface ListenerCounts {
  records: number;
  bytes: number;
  /** Messages that are not what the protocol says. */
  malformed: number;
  /** Messages over the limit of one message, or of one record. */
  tooLong: number;
  /** Datagrams dropped because the gateway held as much as it may. */
  dropped: number;
  /** Messages in pieces of which some never came. */
  incomplete: number;
  /** Records that the stream never took, although asked until the end. */
  lost: number;
  connections: number;
  /** Connections over the limit of all, or of one address, or without the key. */
  refused: number;
  /** Connections ended as idle, or because a message did not end. */
  timedOut: number;
  /** Connections ended because unfinished messages together took too much memory. */
  overfull: number;
  /** Messages on which the receiver itself failed: a bug, which costs its sender alone. */
  failures: number;
  /** How often reading was paused because the stream was behind. */
  pauses: number;
  /** Connections paused, and datagrams dropped, as their sender held more than its share, or had sent more than its quota. */
  overShare: number;
  overQuota: number;
}

export function noListenerCounts(): ListenerCounts {
  return {
    records: 0,
    bytes: 0,
    malformed: 0,
    tooLong: 0,
    dropped: 0,
    incomplete: 0,
    lost: 0,
    connections: 0,
    refused: 0,
    timedOut: 0,
    overfull: 0,
    failures: 0,
    pauses: 0,
    overShare: 0,
    overQuota: 0,
  };
}

export interface ListenerLimits {
  connectionsMax: number;
  connectionsPerAddressMax: number;
  /** A connection on which nothing comes for this long is ended. */
  idleMs: number;
  /** A message that has begun must end within this. */
  messageMs: number;
  /** Unfinished messages of all connections of a receiver together. */
  openBytesMax: number;
}

/** Idle for hours is normal for syslog, whose clients lose a message where a connection was ended under them. */
export const listenerLimits: ListenerLimits = {
  connectionsMax: 1_024,
  connectionsPerAddressMax: 256,
  idleMs: 3_600_000,
  messageMs: 30_000,
  openBytesMax: 64 * 1024 * 1024,
};
