/** In-memory adapter of the ports: tests and simulations. Same observable behaviour as NATS where we rely on it. */
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
  Streams,
  Subscription,
} from './ports.ts';

interface MemoryStream {
  settings: StreamSettings;
  messages: StreamMessage[];
  lastSequence: number;
  bytes: number;
  createdMs: number;
  ids: Map<string, { sequence: number; timeMs: number }>;
  wakers: Set<() => void>;
}

export class MemoryBus implements Bus {
  readonly streams: Streams;
  readonly payloadBytesMax: number = 1024 * 1024;
  readonly connected: boolean = true;
  readonly connections: number = 1;
  private readonly byName = new Map<string, MemoryStream>();
  private readonly buckets = new Map<string, KeyValue>();
  private readonly stores = new Map<string, Objects>();
  private readonly listeners = new Set<{ pattern: string; onMessage: Hear; queue: string | undefined }>();
  private readonly clock: () => number;

  constructor(clock: () => number) {
    this.clock = clock;
    this.streams = {
      ensure: async (settings) => this.ensure(settings),
      publish: async (subject, data, options) => this.publish(subject, data, options),
      publishAfter: async (subject, data, lastSequence) => this.publishAfter(subject, data, lastSequence),
      consume: async (stream, options) => this.consume(stream, options),
      read: async (stream, sequence) => this.stream(stream).messages.find((m) => m.sequence === sequence) ?? null,
      remove: async (stream, sequence) => this.remove(stream, sequence),
      subjects: async (stream, filter) => this.subjects(stream, filter),
      last: async (stream, subject) => this.stream(stream).messages.findLast((m) => m.subject === subject) ?? null,
      info: async (stream) => this.info(stream),
      purge: async (stream, below, subject) => this.purge(stream, below, subject),
    };
  }

  private stream(name: string): MemoryStream {
    const stream = this.byName.get(name);
    if (stream === undefined) throw new LogweirError('NATS_UNAVAILABLE', `No stream ${name}.`, 'Create it first.');
    return stream;
  }

  private ensure(settings: StreamSettings): StreamInfo {
    if (!this.byName.has(settings.name)) {
      this.byName.set(settings.name, {
        settings,
        messages: [],
        lastSequence: 0,
        bytes: 0,
        createdMs: this.clock(),
        ids: new Map(),
        wakers: new Set(),
      });
    }
    return this.info(settings.name);
  }

  private info(name: StreamName): StreamInfo {
    const stream = this.stream(name);
    return {
      firstSequence: stream.messages[0]?.sequence ?? stream.lastSequence + 1,
      lastSequence: stream.lastSequence,
      messages: stream.messages.length,
      bytes: stream.bytes,
      bytesMax: stream.settings.bytesMax,
      createdMs: stream.createdMs,
    };
  }

  private publish(
    subject: string,
    data: Uint8Array,
    options: PublishOptions = {},
  ): { sequence: number; duplicate: boolean } {
    const stream = this.streamOf(subject);
    const now = this.clock();
    if (options.messageId !== undefined) {
      const known = stream.ids.get(options.messageId);
      if (known !== undefined && now - known.timeMs < stream.settings.duplicateWindowMs)
        return { sequence: known.sequence, duplicate: true };
    }
    const { discardOldAfterMs, bytesMax } = stream.settings;
    if (discardOldAfterMs !== undefined) discardOld(stream, now - discardOldAfterMs, bytesMax - data.length);
    else if (stream.bytes + data.length > bytesMax)
      throw new LogweirError('STREAM_FULL', `Stream ${stream.settings.name} is full.`, 'Readers must catch up first.');
    const sequence = ++stream.lastSequence;
    stream.messages.push({ stream: stream.settings.name, subject, sequence, timeMs: now, data });
    stream.bytes += data.length;
    if (options.messageId !== undefined) stream.ids.set(options.messageId, { sequence, timeMs: now });
    for (const wake of stream.wakers) wake();
    return { sequence, duplicate: false };
  }

  private publishAfter(subject: string, data: Uint8Array, lastSequence: number): number | null {
    const stream = this.streamOf(subject);
    const newest = stream.messages.findLast((message) => message.subject === subject)?.sequence ?? 0;
    return newest === lastSequence ? this.publish(subject, data).sequence : null;
  }

  private streamOf(subject: string): MemoryStream {
    const stream = [...this.byName.values()].find((one) =>
      one.settings.subjects.some((pattern) => matches(pattern, subject)),
    );
    if (stream === undefined)
      throw new LogweirError('NATS_UNAVAILABLE', `No stream takes ${subject}.`, 'Create it first.');
    return stream;
  }

  private consume(name: StreamName, options: ConsumeOptions): Subscription {
    const stream = this.stream(name);
    let next = options.fromSequence;
    let stopped = false;
    let wake = (): void => {};
    const onNews = (): void => wake();
    stream.wakers.add(onNews);
    const find = (): StreamMessage | undefined =>
      stream.messages.find(
        (m) => m.sequence >= next && (options.subject === undefined || m.subject === options.subject),
      );
    return {
      async stop() {
        stopped = true;
        stream.wakers.delete(onNews);
        wake();
      },
      async *[Symbol.asyncIterator]() {
        while (!stopped) {
          const message = find();
          if (message !== undefined) {
            next = message.sequence + 1;
            yield options.headersOnly === true
              ? { ...message, data: new Uint8Array(), behind: stream.messages.filter((m) => m.sequence >= next).length }
              : message;
          } else {
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
          }
        }
      },
    };
  }

  private purge(name: StreamName, below: number, subject?: string): void {
    const stream = this.stream(name);
    stream.messages = stream.messages.filter(
      (m) => m.sequence >= below || (subject !== undefined && m.subject !== subject),
    );
    stream.bytes = stream.messages.reduce((sum, m) => sum + m.data.length, 0);
  }

  private remove(name: StreamName, sequence: number): boolean {
    const stream = this.stream(name);
    const at = stream.messages.findIndex((m) => m.sequence === sequence);
    if (at < 0) return false;
    stream.bytes -= stream.messages.splice(at, 1)[0]?.data.length ?? 0;
    return true;
  }

  private subjects(name: StreamName, filter: string): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { subject } of this.stream(name).messages)
      if (matches(filter, subject)) counts[subject] = (counts[subject] ?? 0) + 1;
    return counts;
  }

  async keyValue(bucket: string): Promise<KeyValue> {
    const known = this.buckets.get(bucket) ?? memoryKeyValue();
    this.buckets.set(bucket, known);
    return known;
  }

  async objects(bucket: string): Promise<Objects> {
    const known = this.stores.get(bucket) ?? memoryObjects();
    this.stores.set(bucket, known);
    return known;
  }

  /** `answer`: the sender waits for one. */
  tell(subject: string, data: Uint8Array, answer?: (data: Uint8Array) => void): void {
    const served = new Set<string>();
    for (const { pattern, onMessage, queue } of this.listeners) {
      if (!matches(pattern, subject) || (queue !== undefined && served.has(`${pattern} ${queue}`))) continue;
      if (queue !== undefined) served.add(`${pattern} ${queue}`);
      onMessage(data, subject, answer);
    }
  }

  listen(pattern: string, onMessage: Hear, queue?: string): () => void {
    const listener = { pattern, onMessage, queue };
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async close(): Promise<void> {}
}

function discardOld(stream: MemoryStream, beforeMs: number, bytesMax: number): void {
  for (let oldest = stream.messages[0]; oldest !== undefined; oldest = stream.messages[0]) {
    if (oldest.timeMs >= beforeMs && stream.bytes <= bytesMax) return;
    stream.messages.shift();
    stream.bytes -= oldest.data.length;
  }
}

/** NATS subject matching: `*` one token, `>` the rest. */
export function matches(pattern: string, subject: string): boolean {
  const want = pattern.split('.');
  const have = subject.split('.');
  for (const [i, token] of want.entries()) {
    if (token === '>') return have.length > i;
    if (have[i] === undefined || (token !== '*' && token !== have[i])) return false;
  }
  return want.length === have.length;
}

function memoryKeyValue(): KeyValue {
  const entries = new Map<string, KeyValueEntry>();
  const watchers = new Set<{ key: string; onChange: (entry: KeyValueEntry | null) => void }>();
  let revision = 0;
  const write = (key: string, value: Uint8Array): number => {
    const entry = { key, value: value.slice(), revision: ++revision };
    entries.set(key, entry);
    for (const watcher of watchers) if (watcher.key === key) watcher.onChange(entry);
    return revision;
  };
  return {
    get: async (key) => entries.get(key) ?? null,
    create: async (key, value) => (entries.has(key) ? null : write(key, value)),
    update: async (key, value, expected) => ((entries.get(key)?.revision ?? 0) === expected ? write(key, value) : null),
    put: async (key, value) => write(key, value),
    delete: async (key) => {
      entries.delete(key);
      for (const watcher of watchers) if (watcher.key === key) watcher.onChange(null);
    },
    keys: async () => [...entries.keys()],
    watch: async (key, onChange) => {
      const watcher = { key, onChange };
      watchers.add(watcher);
      onChange(entries.get(key) ?? null);
      return () => watchers.delete(watcher);
    },
  };
}

function memoryObjects(): Objects {
  const objects = new Map<string, Uint8Array>();
  return {
    put: async (name, data) => void objects.set(name, data.slice()),
    get: async (name) => objects.get(name) ?? null,
    delete: async (name) => void objects.delete(name),
    list: async () => [...objects.keys()],
  };
}
