/**
 * NATS adapter of the ports, for nats-server 2.9 and newer. Old servers ignore stream and KV fields that they do
 * not know, so what was configured is read back.
 */
import { createHash } from 'node:crypto';
import {
  DeliverPolicy,
  DiscardPolicy,
  type JetStreamClient,
  JetStreamApiError,
  type JetStreamManager,
  type JetStreamPublishOptions,
  type JsMsg,
  jetstream,
  jetstreamManager,
  type PubAck,
  RetentionPolicy,
  StorageType,
} from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import { Objm } from '@nats-io/obj';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { LogweirError, type StreamName } from '#protocol/mod.ts';
import type {
  Bus,
  ConsumeOptions,
  Hear,
  KeyValue,
  KeyValueEntry,
  Objects,
  PublishOptions,
  StreamInfo,
  StreamMessage,
  StreamSettings,
  Subscription,
} from './ports.ts';

export interface NatsOptions {
  /** `nats://host:port`, or several with commas. */
  url: string;
  /** Shown in the server's connection list. */
  name: string;
  /** Give up connecting for the first time after this long, in ms, default 10_000. Once connected, reconnects for ever. */
  connectTimeoutMs?: number;
  replicas?: number;
}

const publishTimeoutMs = 5_000;
/** Counted in messages: asked for by bytes, @nats-io/jetstream 3.4 stalls against nats-server 2.9 once 3,500 small ones came. */
const messagesAheadDefault = 64;
/**
 * How long a pull lives, ms. A restarted server has forgotten its consumers, and the client tells by two missed
 * heartbeats, which come twice in this time: with the client's 30 s a reader stood still for three quarters of a minute.
 */
const pullExpiresMs = 4_000;
/**
 * A server that stands still is noticed by two answers missed, ms. Until then the client keeps what is published in
 * memory, time-out after time-out; with its own two minutes a gateway under load would hold gigabytes.
 */
const pingEveryMs = 5_000;
const maximumBytesExceeded = 10077;
const wrongLastSequence = 10071;

/** @throws LogweirError NATS_UNAVAILABLE where no server answers. */
export async function connectNats(options: NatsOptions): Promise<Bus> {
  const servers = options.url.split(',').map((url) => url.trim());
  const deadline = Date.now() + (options.connectTimeoutMs ?? 10_000);
  let connection: NatsConnection | undefined;
  for (;;) {
    try {
      connection = await connect({
        servers,
        name: options.name,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 250,
        timeout: 3_000,
        pingInterval: pingEveryMs,
        maxPingOut: 2,
      });
      break;
    } catch (cause) {
      if (Date.now() >= deadline)
        throw new LogweirError(
          'NATS_UNAVAILABLE',
          `No NATS server answers at ${options.url}.`,
          'Start one (`logweir up` does), or set NATS_URL to where it listens.',
          { cause },
        );
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  const manager = await jetstreamManager(connection, { checkAPI: false });
  return new NatsBus(connection, jetstream(connection), manager, options.replicas ?? 1);
}

class NatsBus implements Bus {
  readonly payloadBytesMax: number;
  readonly streams: Bus['streams'];
  private readonly connection: NatsConnection;
  private readonly client: JetStreamClient;
  private readonly manager: JetStreamManager;
  private readonly replicas: number;
  /** False from the moment that the connection breaks until the client has another. */
  private up = true;
  connections = 1;

  constructor(connection: NatsConnection, client: JetStreamClient, manager: JetStreamManager, replicas: number) {
    this.connection = connection;
    this.client = client;
    this.manager = manager;
    this.replicas = replicas;
    this.payloadBytesMax = connection.info?.max_payload ?? 1024 * 1024;
    this.streams = {
      ensure: (settings) => this.ensure(settings),
      publish: (subject, data, publishOptions) => this.publish(subject, data, publishOptions),
      publishAfter: (subject, data, lastSequence) => this.publishAfter(subject, data, lastSequence),
      consume: (stream, consumeOptions) => this.consume(stream, consumeOptions),
      read: (stream, sequence) => this.read(stream, sequence),
      remove: (stream, sequence) => this.remove(stream, sequence),
      subjects: (stream, filter) => this.subjects(stream, filter),
      last: (stream, subject) => this.last(stream, subject),
      info: (stream) => this.info(stream),
      purge: (stream, below, subject) => this.purge(stream, below, subject),
    };
    void this.follow();
  }

  get connected(): boolean {
    return this.up && !this.connection.isClosed();
  }

  /** What the client knows of the server (`info`) outlives the connection: only its own news tell whether it has one. */
  private async follow(): Promise<void> {
    for await (const { type } of this.connection.status()) {
      if (type === 'disconnect' || type === 'close') this.up = false;
      else if (type === 'reconnect') {
        this.connections++;
        this.up = true;
      }
    }
    this.up = false;
  }

  private async ensure(settings: StreamSettings): Promise<StreamInfo> {
    const discard = settings.discardOldAfterMs === undefined ? DiscardPolicy.New : DiscardPolicy.Old;
    const maxAge = (settings.discardOldAfterMs ?? 0) * 1_000_000;
    const wanted = {
      name: settings.name,
      subjects: settings.subjects,
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
      discard,
      max_bytes: settings.bytesMax,
      max_age: maxAge,
      num_replicas: settings.replicas,
      duplicate_window: settings.duplicateWindowMs * 1_000_000,
      allow_direct: false,
      deny_delete: false,
    };
    const known = await this.manager.streams.info(settings.name).catch(orNull);
    if (known === null) await this.manager.streams.add(wanted);
    else if (known.config.max_bytes !== settings.bytesMax || (maxAge > 0 && known.config.max_age !== maxAge))
      await this.manager.streams.update(settings.name, wanted);
    const { config } = await this.manager.streams.info(settings.name);
    const kept = {
      discard: config.discard === discard,
      max_bytes: config.max_bytes === settings.bytesMax,
      duplicate_window: config.duplicate_window === wanted.duplicate_window,
      subjects: config.subjects.join() === settings.subjects.join(),
      max_age: config.max_age === maxAge,
    };
    for (const [field, ok] of Object.entries(kept)) {
      if (!ok)
        throw new LogweirError(
          'STREAM_CONFIG_IGNORED',
          `Stream ${settings.name} does not have the ${field} that Logweir relies on.`,
          `Use nats-server 2.9 or newer, or remove a stream ${settings.name} that something else created.`,
        );
    }
    return this.info(settings.name);
  }

  private async publish(
    subject: string,
    data: Uint8Array,
    options: PublishOptions = {},
  ): Promise<{ sequence: number; duplicate: boolean }> {
    const ack = await this.send(subject, data, {
      timeout: options.timeoutMs ?? publishTimeoutMs,
      ...(options.messageId === undefined ? {} : { msgID: options.messageId }),
    }).catch((cause: unknown) => {
      throw refusal(subject, cause);
    });
    return { sequence: ack.seq, duplicate: ack.duplicate };
  }

  private async publishAfter(subject: string, data: Uint8Array, lastSequence: number): Promise<number | null> {
    try {
      const expect = { lastSubjectSequence: lastSequence };
      return (await this.send(subject, data, { timeout: publishTimeoutMs, expect })).seq;
    } catch (cause) {
      if (cause instanceof JetStreamApiError && cause.code === wrongLastSequence) return null;
      throw refusal(subject, cause);
    }
  }

  private async send(subject: string, data: Uint8Array, options: Partial<JetStreamPublishOptions>): Promise<PubAck> {
    // The client would keep the message, and with it every further try, in memory until it is connected again.
    if (!this.connected) throw new Error('the connection is broken');
    // The client builds an Error per request; without its stack trace that costs a tenth of the CPU less.
    const depth = Error.stackTraceLimit;
    let pending: Promise<PubAck>;
    try {
      Error.stackTraceLimit = 0;
      // A connection that is being closed throws at once.
      pending = this.client.publish(subject, data, { retries: 0, ...options });
    } finally {
      Error.stackTraceLimit = depth;
    }
    return pending;
  }

  private async consume(stream: StreamName, options: ConsumeOptions): Promise<Subscription> {
    const consumer = await this.client.consumers.get(stream, {
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: Math.max(options.fromSequence, 1),
      ...(options.subject === undefined ? {} : { filter_subjects: options.subject }),
      ...(options.headersOnly === true ? { headers_only: true } : {}),
    });
    const messages = await consumer.consume({
      max_messages: options.messagesAhead ?? messagesAheadDefault,
      expires: pullExpiresMs,
    });
    return {
      async stop() {
        // Told to whoever reads as the last of what is queued: one that nobody reads would never be closed.
        void messages.close();
        await consumer.delete().catch(() => false);
      },
      async *[Symbol.asyncIterator]() {
        for await (const message of messages) yield toMessage(message, options.headersOnly === true);
      },
    };
  }

  private async last(stream: StreamName, subject: string): Promise<StreamMessage | null> {
    const stored = await this.manager.streams.getMessage(stream, { last_by_subj: subject }).catch(orNull);
    if (stored === null) return null;
    return { stream, subject: stored.subject, sequence: stored.seq, timeMs: stored.time.getTime(), data: stored.data };
  }

  private async read(stream: StreamName, sequence: number): Promise<StreamMessage | null> {
    const stored = await this.manager.streams.getMessage(stream, { seq: sequence }).catch(gone(stream));
    if (stored === null) return null;
    return { stream, subject: stored.subject, sequence, timeMs: stored.time.getTime(), data: stored.data };
  }

  private async remove(stream: StreamName, sequence: number): Promise<boolean> {
    return (await this.manager.streams.deleteMessage(stream, sequence, false).catch(gone(stream))) === true;
  }

  private async subjects(stream: StreamName, filter: string): Promise<Record<string, number>> {
    const { state } = await this.manager.streams
      .info(stream, { subjects_filter: filter })
      .catch((cause: unknown) => Promise.reject(silent(stream, cause)));
    return state.subjects ?? {};
  }

  private async info(stream: StreamName): Promise<StreamInfo> {
    const { state, config, created } = await this.manager.streams
      .info(stream)
      .catch((cause: unknown) => Promise.reject(silent(stream, cause)));
    return {
      firstSequence: state.first_seq,
      lastSequence: state.last_seq,
      messages: state.messages,
      bytes: state.bytes,
      bytesMax: config.max_bytes,
      createdMs: Date.parse(created),
    };
  }

  private async purge(stream: StreamName, below: number, subject?: string): Promise<void> {
    await this.manager.streams.purge(stream, { seq: below, ...(subject === undefined ? {} : { filter: subject }) });
  }

  async keyValue(bucket: string): Promise<KeyValue> {
    const store = await new Kvm(this.client).create(bucket, {
      history: 1,
      replicas: this.replicas,
      storage: StorageType.File,
    });
    return natsKeyValue(store, () => this.names(`KV_${bucket}`, `$KV.${bucket}.>`));
  }

  /** Subjects of which the stream has messages. The client's own lists leave a consumer behind with each call. */
  private async names(stream: string, filter: string): Promise<string[]> {
    const { state } = await this.manager.streams.info(stream, { subjects_filter: filter });
    return Object.keys(state.subjects ?? {});
  }

  async objects(bucket: string): Promise<Objects> {
    const store = await new Objm(this.client).create(bucket, { replicas: this.replicas, storage: StorageType.File });
    return {
      put: async (name, data) => void (await store.putBlob({ name }, data)),
      get: async (name) => {
        const info = await store.info(name).catch(orNull);
        if (info === null || info.deleted) return null;
        const chunks: Uint8Array[] = [];
        for await (const chunk of this.chunks(bucket, info)) chunks.push(chunk);
        const data = Buffer.concat(chunks);
        const digest = createHash('sha256').update(data).digest('base64');
        return info.digest === `SHA-256=${digest.replaceAll('+', '-').replaceAll('/', '_')}` ? data : null;
      },
      delete: async (name) => {
        const info = await store.info(name).catch(orNull);
        if (info === null) return;
        // Not the client's own delete, which leaves a message behind for every name that ever was.
        const meta = Buffer.from(name).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
        await this.manager.streams.purge(`OBJ_${bucket}`, { filter: `$O.${bucket}.M.${meta}` });
        await this.manager.streams.purge(`OBJ_${bucket}`, { filter: `$O.${bucket}.C.${info.nuid}` });
      },
      list: async () => {
        const prefix = `$O.${bucket}.M.`;
        const names = await this.names(`OBJ_${bucket}`, `${prefix}>`);
        return names.map((subject) => Buffer.from(subject.slice(prefix.length), 'base64url').toString());
      },
    };
  }

  /**
   * Chunks of an object, as many as are there: a server that crashed may have lost some. Asked for one by one, since the
   * client's own reading waits for ever for one that is missing, and leaves a consumer behind with each object: a
   * server that has hundreds of them starts slowly.
   */
  private async *chunks(bucket: string, info: { nuid: string; chunks: number }): AsyncGenerator<Uint8Array> {
    // The first message of the subject from `seq` on; the client's types do not know that yet.
    const query = { seq: 1, next_by_subj: `$O.${bucket}.C.${info.nuid}` };
    for (let n = 0; n < info.chunks; n++) {
      const message = await this.manager.streams.getMessage(`OBJ_${bucket}`, query).catch(orNull);
      if (message === null) return;
      yield message.data;
      query.seq = message.seq + 1;
    }
  }

  tell(subject: string, data: Uint8Array): void {
    if (!this.connection.isClosed()) this.connection.publish(subject, data);
  }

  listen(subject: string, onMessage: Hear, queue?: string): () => void {
    const subscription = this.connection.subscribe(subject, {
      ...(queue === undefined ? {} : { queue }),
      callback: (error, message) => {
        if (error !== null) return;
        const answer = (data: Uint8Array): void => {
          if (!this.connection.isClosed()) message.respond(data);
        };
        onMessage(
          message.data,
          message.subject,
          message.reply === undefined || message.reply === '' ? undefined : answer,
        );
      },
    });
    return () => subscription.unsubscribe();
  }

  async close(): Promise<void> {
    await this.connection.close();
  }
}

function toMessage(message: JsMsg, isHeader: boolean): StreamMessage {
  const { stream, streamSequence, timestampNanos, pending } = message.info;
  return {
    stream,
    subject: message.subject,
    sequence: streamSequence,
    timeMs: Math.floor(timestampNanos / 1_000_000),
    data: message.data,
    ...(isHeader ? { behind: pending } : {}),
  };
}

function refusal(subject: string, cause: unknown): LogweirError {
  if (cause instanceof JetStreamApiError && cause.code === maximumBytesExceeded)
    return new LogweirError(
      'STREAM_FULL',
      `The stream behind ${subject} is full.`,
      'Readers must catch up; add workers, or raise the stream size in the configuration.',
      { cause },
    );
  return new LogweirError(
    'NATS_UNAVAILABLE',
    `NATS did not take a message for ${subject}: ${cause instanceof Error ? cause.message : String(cause)}.`,
    'It is sent again when the server is back.',
    { cause },
  );
}

function silent(stream: string, cause: unknown): LogweirError {
  return new LogweirError(
    'NATS_UNAVAILABLE',
    `NATS does not tell about stream ${stream}: ${cause instanceof Error ? cause.message : String(cause)}.`,
    'It is asked again when the server is back.',
    { cause },
  );
}

const gone =
  (stream: string) =>
  (cause: unknown): null => {
    try {
      return orNull(cause);
    } catch {
      throw silent(stream, cause);
    }
  };

function orNull(error: unknown): null {
  if (error instanceof JetStreamApiError && (error.status === 404 || error.status === 400)) return null;
  if (error instanceof Error && /not found/i.test(error.message)) return null;
  throw error;
}

/** @param subjects of the keys that there are, deleted ones included */
function natsKeyValue(store: KV, subjects: () => Promise<string[]>): KeyValue {
  /** Null where another writer was first; anything else that went wrong is thrown. */
  const conflict = (error: unknown): null => {
    if (error instanceof JetStreamApiError && error.code === wrongLastSequence) return null;
    throw error;
  };
  const present = (
    entry: { key: string; value: Uint8Array; revision: number; operation: string } | null,
  ): KeyValueEntry | null =>
    entry === null || entry.operation !== 'PUT'
      ? null
      : { key: entry.key, value: entry.value, revision: entry.revision };
  return {
    get: async (key) => present(await store.get(key)),
    create: (key, value) => store.create(key, value).catch(conflict),
    update: (key, value, revision) => store.update(key, value, revision).catch(conflict),
    put: (key, value) => store.put(key, value),
    delete: (key) => store.delete(key),
    keys: async () => {
      const keys = (await subjects()).map((subject) => subject.split('.').slice(2).join('.'));
      const entries = await Promise.all(keys.map(async (key) => present(await store.get(key))));
      return entries.flatMap((entry) => (entry === null ? [] : [entry.key]));
    },
    watch: async (key, onChange) => {
      const changes = await store.watch({ key });
      let seen = false;
      void (async () => {
        for await (const entry of changes) {
          seen = true;
          onChange(present(entry));
        }
      })();
      if ((await store.get(key)) === null && !seen) onChange(null);
      return () => changes.stop();
    },
  };
}
