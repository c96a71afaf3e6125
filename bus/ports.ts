/**
 * The ports to streams, key-value and objects: what the rest of Logweir knows of NATS. Two adapters stand behind
 * them: `nats.ts` and `memory.ts`. Times are wall-clock ms as the stream recorded them.
 */
import type { StreamName } from '#protocol/mod.ts';

export interface StreamMessage {
  stream: string;
  subject: string;
  /** Position in the stream, from 1. */
  sequence: number;
  /** When the stream stored it, integer ms since 1970; the same at every replay. */
  timeMs: number;
  data: Uint8Array;
  /** Messages that wait behind it; only where headers alone are read. */
  behind?: number;
}

export interface StreamInfo {
  firstSequence: number;
  /** 0 for a stream that never held a message. */
  lastSequence: number;
  messages: number;
  bytes: number;
  bytesMax: number;
  createdMs: number;
}

export interface StreamSettings {
  name: StreamName;
  subjects: string[];
  /** Bytes the stream may hold; at the limit it refuses new messages. */
  bytesMax: number;
  /** Instead, the oldest messages go: at the limit, and at this age in ms. */
  discardOldAfterMs?: number;
  replicas: number;
  /** How long a repeated message id is recognised, in ms. */
  duplicateWindowMs: number;
}

export interface PublishOptions {
  /** Repeats of it within the stream's duplicate window are stored once. */
  messageId?: string;
  /** Wait for the acknowledgement, in ms, default 5_000. */
  timeoutMs?: number;
}

export interface ConsumeOptions {
  /** One subject, no list: nats-server 2.9 knows one filter a consumer. */
  subject?: string;
  /** First sequence wanted; what is gone is skipped. */
  fromSequence: number;
  /** Messages asked for ahead of the reader, default 64. */
  messagesAhead?: number;
  /** Without their data: position, subject and time are enough. */
  headersOnly?: boolean;
}

/** Messages in stream order, from a position on, without end until stopped. Not acknowledged: the checkpoint is the cursor. */
export interface Subscription extends AsyncIterable<StreamMessage> {
  stop(): Promise<void>;
}

export interface Streams {
  /** Creates or verifies a stream. @throws LogweirError STREAM_CONFIG_IGNORED where the server dropped a setting. */
  ensure(settings: StreamSettings): Promise<StreamInfo>;
  /** @throws LogweirError NATS_UNAVAILABLE | STREAM_FULL; in both cases the message may be sent again. */
  publish(
    subject: string,
    data: Uint8Array,
    options?: PublishOptions,
  ): Promise<{ sequence: number; duplicate: boolean }>;
  /**
   * Compare-and-set: publishes only if the newest message of the subject is the one at `lastSequence` (0: none). Its
   * sequence, or null where another message came first. @throws LogweirError as `publish`
   */
  publishAfter(subject: string, data: Uint8Array, lastSequence: number): Promise<number | null>;
  consume(stream: StreamName, options: ConsumeOptions): Promise<Subscription>;
  /** The message at a sequence; null where it is gone. @throws LogweirError NATS_UNAVAILABLE */
  read(stream: StreamName, sequence: number): Promise<StreamMessage | null>;
  /** Removes one message. False where it was gone. @throws LogweirError NATS_UNAVAILABLE */
  remove(stream: StreamName, sequence: number): Promise<boolean>;
  /** Messages that a stream holds, by subject; `filter` is a pattern. @throws LogweirError NATS_UNAVAILABLE */
  subjects(stream: StreamName, filter: string): Promise<Record<string, number>>;
  /** Newest message of a subject, or null. */
  last(stream: StreamName, subject: string): Promise<StreamMessage | null>;
  /** @throws LogweirError NATS_UNAVAILABLE */
  info(stream: StreamName): Promise<StreamInfo>;
  /** Removes a subject's (or all) messages below a sequence. */
  purge(stream: StreamName, below: number, subject?: string): Promise<void>;
}

export interface KeyValueEntry {
  key: string;
  value: Uint8Array;
  revision: number;
}

export interface KeyValue {
  get(key: string): Promise<KeyValueEntry | null>;
  /** Revision, or null where the key exists. */
  create(key: string, value: Uint8Array): Promise<number | null>;
  /** Compare-and-set: revision, or null where another writer was first. */
  update(key: string, value: Uint8Array, revision: number): Promise<number | null>;
  put(key: string, value: Uint8Array): Promise<number>;
  delete(key: string): Promise<void>;
  keys(): Promise<string[]>;
  /** Calls back with the present value (null: none) and every change. Returns the way to stop. */
  watch(key: string, onChange: (entry: KeyValueEntry | null) => void): Promise<() => void>;
}

export interface Objects {
  /** Null also for one that is torn or corrupt, as far as the server tells. */
  get(name: string): Promise<Uint8Array | null>;
  put(name: string, data: Uint8Array): Promise<void>;
  delete(name: string): Promise<void>;
  list(): Promise<string[]>;
}

/** `answer` is there where the sender waits for one. */
export type Hear = (data: Uint8Array, subject: string, answer?: (data: Uint8Array) => void) => void;

export interface Bus {
  streams: Streams;
  keyValue(bucket: string): Promise<KeyValue>;
  objects(bucket: string): Promise<Objects>;
  /** Fire and forget: heartbeats and live events. Dropped silently when nobody listens or the server is away. */
  tell(subject: string, data: Uint8Array): void;
  /** `queue`: of those who listen under one name, one hears each message. */
  listen(subject: string, onMessage: Hear, queue?: string): () => void;
  /** Largest message the server takes, in bytes. */
  readonly payloadBytesMax: number;
  readonly connected: boolean;
  /** Counts connections: another number than before tells of a break, however short, once there is a new one. */
  readonly connections: number;
  close(): Promise<void>;
}
