/**
 * The simulated NATS server: streams, key-value, objects, core subjects. It does what it is asked at once and in full;
 * delays and losses are the business of connections (`connection.ts`). It remembers everything it ever stored, for the
 * checkers.
 */
import { crc32 } from 'node:zlib';
import type { KeyValueEntry, PublishOptions, StreamInfo, StreamMessage, StreamSettings } from '#bus/mod.ts';
import { LogweirError, type StreamName, streams } from '#protocol/mod.ts';
import type { World } from './world.ts';

/** A reader's cursor at the server. */
export interface Consumer {
  stream: StreamName;
  subject: string | null;
  next: number;
  /** Messages sent and not yet asked beyond. */
  outstanding: number;
  ahead: number;
  send: (messages: StreamMessage[]) => void;
}

interface Stored {
  settings: StreamSettings;
  createdMs: number;
  messages: StreamMessage[];
  bySubject: Map<string, StreamMessage[]>;
  firstSequence: number;
  lastSequence: number;
  bytes: number;
  ids: Map<string, { sequence: number; atMs: number }>;
  /** Everything ever stored in it, by incarnation. */
  history: StreamMessage[];
  /** Refuses messages until then, as when it is full. */
  fullUntilMs: number;
  /** Bytes that it may hold where that is less than its settings say; null: it is not. */
  narrowedTo: number | null;
}

interface Bucket {
  entries: Map<string, KeyValueEntry>;
  revision: number;
  watchers: Set<{ key: string; changed: (entry: KeyValueEntry | null) => void }>;
}

interface Listener {
  /** `a.b` or `a.>`. */
  pattern: string;
  hear: (data: Uint8Array, subject: string) => void;
}

const streamOfToken: Record<string, StreamName> = {
  logs: streams.logs,
  results: streams.results,
  anomalies: streams.anomalies,
  alerts: streams.alerts,
};

export class Server {
  readonly world: World;
  /** Hears nobody until then. Never brought forward: what waits would be overtaken. */
  pausedUntilMs = 0;
  /** Told of every change of a key: (bucket, key, value). */
  onKey: (bucket: string, key: string, value: Uint8Array) => void = () => {};
  private readonly stored = new Map<StreamName, Stored>();
  private readonly consumers = new Map<StreamName, Set<Consumer>>();
  private readonly buckets = new Map<string, Bucket>();
  private readonly objectStores = new Map<string, Map<string, Uint8Array>>();
  private readonly listeners = new Set<Listener>();

  constructor(world: World) {
    this.world = world;
  }

  pause(ms: number): void {
    this.pausedUntilMs = Math.max(this.pausedUntilMs, this.world.nowMs + ms);
  }

  stream(name: StreamName): Stored {
    const stream = this.stored.get(name);
    if (stream === undefined) throw new LogweirError('NATS_UNAVAILABLE', `No stream ${name}.`, 'Create it first.');
    return stream;
  }

  ensure(settings: StreamSettings): StreamInfo {
    if (!this.stored.has(settings.name))
      this.stored.set(settings.name, {
        settings,
        createdMs: Math.floor(this.world.nowMs),
        messages: [],
        bySubject: new Map(),
        firstSequence: 1,
        lastSequence: 0,
        bytes: 0,
        ids: new Map(),
        history: [],
        fullUntilMs: 0,
        narrowedTo: null,
      });
    return this.info(settings.name);
  }

  info(name: StreamName): StreamInfo {
    const stream = this.stream(name);
    return {
      firstSequence: stream.messages[0]?.sequence ?? stream.lastSequence + 1,
      lastSequence: stream.lastSequence,
      messages: stream.messages.length,
      bytes: stream.bytes,
      bytesMax: stream.narrowedTo ?? stream.settings.bytesMax,
      createdMs: stream.createdMs,
    };
  }

  publish(
    from: string,
    subject: string,
    data: Uint8Array,
    options: PublishOptions,
  ): { sequence: number; duplicate: boolean } {
    const { world } = this;
    const name = streamOfToken[subject.slice(0, subject.indexOf('.'))] as StreamName;
    const stream = this.stream(name);
    const now = world.nowMs;
    const { messageId } = options;
    if (messageId !== undefined) {
      const known = stream.ids.get(messageId);
      if (known !== undefined && now - known.atMs < stream.settings.duplicateWindowMs) {
        world.note(from, 'repeats', known.sequence);
        return { sequence: known.sequence, duplicate: true };
      }
    }
    if (now < stream.fullUntilMs || stream.bytes + data.length > roomFor(stream, data.length))
      throw new LogweirError('STREAM_FULL', `Stream ${name} is full.`, 'Readers must catch up first.');
    const sequence = ++stream.lastSequence;
    const message: StreamMessage = { stream: name, subject, sequence, timeMs: Math.floor(now), data };
    stream.messages.push(message);
    stream.history.push(message);
    const own = stream.bySubject.get(subject);
    if (own === undefined) stream.bySubject.set(subject, [message]);
    else own.push(message);
    stream.bytes += data.length;
    if (messageId !== undefined) stream.ids.set(messageId, { sequence, atMs: now });
    world.note(from, 'stores', crc32(data), `${subject} #${sequence}, crc`);
    for (const consumer of this.consumers.get(name) ?? [])
      if (consumer.subject === null || consumer.subject === subject) this.pump(consumer);
    return { sequence, duplicate: false };
  }

  publishAfter(from: string, subject: string, data: Uint8Array, lastSequence: number): number | null {
    const name = streamOfToken[subject.slice(0, subject.indexOf('.'))] as StreamName;
    const newest = this.last(name, subject)?.sequence ?? 0;
    return newest === lastSequence ? this.publish(from, subject, data, {}).sequence : null;
  }

  subscribe(consumer: Consumer): void {
    const { lastSequence } = this.stream(consumer.stream);
    // As nats-server does: a start beyond the end is the end.
    if (consumer.next > lastSequence + 1) consumer.next = lastSequence + 1;
    const all = this.consumers.get(consumer.stream) ?? new Set();
    this.consumers.set(consumer.stream, all.add(consumer));
    this.pump(consumer);
  }

  unsubscribe(consumer: Consumer): void {
    this.consumers.get(consumer.stream)?.delete(consumer);
  }

  pump(consumer: Consumer): void {
    if (this.consumers.get(consumer.stream)?.has(consumer) !== true) return;
    const stream = this.stream(consumer.stream);
    const list = consumer.subject === null ? stream.messages : (stream.bySubject.get(consumer.subject) ?? []);
    const batch: StreamMessage[] = [];
    for (let at = indexFrom(list, consumer.next); at < list.length && consumer.outstanding < consumer.ahead; at++) {
      const message = list[at] as StreamMessage;
      batch.push(message);
      consumer.next = message.sequence + 1;
      consumer.outstanding++;
    }
    if (batch.length > 0) consumer.send(batch);
  }

  last(name: StreamName, subject: string): StreamMessage | null {
    return this.stream(name).bySubject.get(subject)?.at(-1) ?? null;
  }

  messageAt(name: StreamName, sequence: number): StreamMessage | null {
    return this.stream(name).messages.find((message) => message.sequence === sequence) ?? null;
  }

  removeMessage(name: StreamName, sequence: number): boolean {
    const stream = this.stream(name);
    const before = stream.messages.length;
    this.keep(stream, (message) => message.sequence !== sequence);
    return stream.messages.length < before;
  }

  subjectCounts(name: StreamName): Record<string, number> {
    return Object.fromEntries([...this.stream(name).bySubject].map(([subject, { length }]) => [subject, length]));
  }

  purge(name: StreamName, below: number, subject?: string): void {
    const stream = this.stream(name);
    this.world.note('server', `purges ${name} ${subject ?? ''}`, below);
    this.keep(stream, (m) => m.sequence >= below || (subject !== undefined && m.subject !== subject));
  }

  private keep(stream: Stored, wanted: (message: StreamMessage) => boolean): void {
    stream.messages = stream.messages.filter(wanted);
    stream.bytes = 0;
    stream.bySubject.clear();
    for (const message of stream.messages) {
      stream.bytes += message.data.length;
      const own = stream.bySubject.get(message.subject);
      if (own === undefined) stream.bySubject.set(message.subject, [message]);
      else own.push(message);
    }
  }

  /** What was acknowledged and not yet on disk is gone after a power cut. Connections must be broken with it. */
  loseTail(name: StreamName, messages: number): void {
    const stream = this.stream(name);
    const end = Math.max(stream.lastSequence - messages, 0);
    this.keep(stream, (message) => message.sequence <= end);
    stream.lastSequence = end;
    for (const [id, known] of stream.ids) if (known.sequence > end) stream.ids.delete(id);
    stream.history = stream.history.filter((message) => message.sequence <= end);
  }

  recreate(name: StreamName): void {
    const { settings } = this.stream(name);
    this.stored.delete(name);
    this.ensure(settings);
  }

  bucket(name: string): Bucket {
    const known = this.buckets.get(name) ?? { entries: new Map(), revision: 0, watchers: new Set() };
    this.buckets.set(name, known);
    return known;
  }

  set(name: string, key: string, value: Uint8Array): number {
    const bucket = this.bucket(name);
    const entry = { key, value, revision: ++bucket.revision };
    bucket.entries.set(key, entry);
    this.world.note('server', 'sets', crc32(value), `${name}/${key}, crc`);
    this.onKey(name, key, value);
    for (const watcher of bucket.watchers) if (watcher.key === key) watcher.changed(entry);
    return entry.revision;
  }

  remove(name: string, key: string): void {
    const bucket = this.bucket(name);
    bucket.revision++;
    if (!bucket.entries.delete(key)) return;
    for (const watcher of bucket.watchers) if (watcher.key === key) watcher.changed(null);
  }

  objects(name: string): Map<string, Uint8Array> {
    const known = this.objectStores.get(name) ?? new Map<string, Uint8Array>();
    this.objectStores.set(name, known);
    return known;
  }

  listen(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  tell(subject: string, data: Uint8Array): void {
    for (const { pattern, hear } of this.listeners) {
      const fits = pattern.endsWith('.>') ? subject.startsWith(pattern.slice(0, -1)) : subject === pattern;
      if (fits) hear(data, subject);
    }
  }
}

/** Bytes that a stream may hold with a message of so many: however little room it has, that one fits when others are gone. */
function roomFor({ narrowedTo, settings }: Stored, bytes: number): number {
  return narrowedTo === null ? settings.bytesMax : Math.max(narrowedTo, bytes * 1.5);
}

/** Index of the first message at or over a sequence. */
function indexFrom(list: readonly StreamMessage[], sequence: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((list[middle] as StreamMessage).sequence < sequence) low = middle + 1;
    else high = middle;
  }
  return low;
}
