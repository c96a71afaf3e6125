/** Listening receivers in front of a stream in memory, and what is on it. */
import { connect, type Socket } from 'node:net';
import { MemoryBus, openCluster, systemTime } from '#bus/mod.ts';
import {
  decodeLogsMessage,
  LogweirError,
  millisecondsAt,
  type RecordBatch,
  StringCursor,
  streams,
  uint16At,
} from '#protocol/mod.ts';
import type { ListeningName } from './listening.ts';
import { Sockets, type SocketsOptions } from './sockets.ts';

export interface Stored {
  service: string;
  severity: string;
  severityNumber: number;
  body: string;
  timeMs: number;
  /** Attributes and resource. */
  fields: Record<string, string>;
  idempotencyKey: string;
}

export interface World {
  sockets: Sockets;
  bus: MemoryBus;
  port: (name: ListeningName) => number;
  /** Every record on the stream, by partition and then in order. */
  records(): Promise<Stored[]>;
  /** The same, once there are as many. */
  settled(count: number): Promise<Stored[]>;
  /** The stream takes nothing until the way back is called. */
  breakStream(): () => void;
  stop(): Promise<void>;
}

export async function openSockets(name: ListeningName, more: Partial<SocketsOptions> = {}): Promise<World> {
  const bus = new MemoryBus(Date.now);
  await openCluster(bus);
  const sockets = new Sockets({
    bus,
    partitions: 1,
    host: '127.0.0.1',
    ports: { [name]: { port: 0 } },
    time: systemTime,
    id: 'test',
    pendingBytesMax: 64 << 20,
    settings: { utcOffsetMinutes: 0, sharedKey: '', hostName: 'gateway' },
    ...more,
  });
  await sockets.start();
  const records = async (): Promise<Stored[]> => {
    const { lastSequence, messages } = await bus.streams.info(streams.logs);
    const found: Stored[] = [];
    if (messages === 0) return found;
    const subscription = await bus.streams.consume(streams.logs, { fromSequence: 1 });
    for await (const message of subscription) {
      const decoded = decodeLogsMessage(message.data);
      if (decoded.kind === 'batch') found.push(...rowsOf(decoded.batch));
      if (message.sequence === lastSequence) break;
    }
    return found;
  };
  return {
    sockets,
    bus,
    port: (which) => sockets.ports[which] as number,
    records,
    settled: async (count) => {
      await until(() => sockets.publisher.counts.records >= count && sockets.publisher.pendingBytes === 0);
      return records();
    },
    breakStream: () => {
      const { publish } = bus.streams;
      bus.streams.publish = () => Promise.reject(new LogweirError('NATS_UNAVAILABLE', 'NATS is away.', 'Wait.'));
      return () => {
        bus.streams.publish = publish;
      };
    },
    stop: () => sockets.stop(),
  };
}

/** Waits for what must come true; the test's own time limit ends it otherwise. */
export async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 5));
}

export function connectTo(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => resolve(socket));
    socket.once('error', reject);
  });
}

/** Sends everything and ends; resolves when the other end has closed too. */
export async function sendTo(port: number, ...chunks: (string | Uint8Array)[]): Promise<void> {
  const socket = await connectTo(port);
  socket.on('error', () => {});
  socket.resume();
  const closed = new Promise((resolve) => socket.once('close', resolve));
  for (const chunk of chunks) {
    if (!socket.writable) break;
    socket.write(chunk);
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.end();
  await closed;
}

/** 0 ≤ x < 1 from a seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A message with some of its bytes changed, cut out, doubled or made of noise. */
export function mutated(message: Buffer, random: () => number): Buffer {
  const at = Math.floor(random() * message.length);
  const to = Math.min(message.length, at + Math.floor(random() * 12));
  const noise = Buffer.from(Array.from({ length: to - at }, () => Math.floor(random() * 256)));
  switch (Math.floor(random() * 5)) {
    case 0:
      return Buffer.concat([message.subarray(0, at), noise, message.subarray(to)]);
    case 1:
      return Buffer.concat([message.subarray(0, at), message.subarray(to)]);
    case 2:
      return Buffer.concat([message.subarray(0, to), message.subarray(at)]);
    case 3:
      return message.subarray(0, at);
    default:
      return Buffer.concat([noise, message]);
  }
}

function rowsOf(batch: RecordBatch): Stored[] {
  const texts = (column: Uint8Array): (() => string) => {
    const cursor = new StringCursor(column);
    return () => {
      cursor.advance();
      return Buffer.from(column.subarray(cursor.start, cursor.end)).toString();
    };
  };
  const body = texts(batch.body);
  const values = batch.attributes === null ? () => '' : texts(batch.attributes.values);
  let pair = 0;
  return Array.from({ length: batch.rows }, (_, row) => {
    const fields: Record<string, string> = {};
    const { attributes, resource, idempotency } = batch;
    for (let left = attributes === null ? 0 : uint16At(attributes.counts, row); left > 0; left--)
      fields[attributes?.keys.values[uint16At(attributes.keys.index, pair++)] as string] = values();
    const pairs = resource === null ? [] : (resource.values[uint16At(resource.index, row)] as string[]);
    for (let i = 0; i < pairs.length; i += 2) fields[pairs[i] as string] = pairs[i + 1] as string;
    return {
      service: batch.service.values[uint16At(batch.service.index, row)] as string,
      severity: batch.severityText.values[uint16At(batch.severityText.index, row)] as string,
      severityNumber: batch.severityNumber[row] as number,
      body: body(),
      timeMs: millisecondsAt(batch.time, row),
      fields,
      idempotencyKey: idempotency?.keys[uint16At(idempotency.index, row)] ?? '',
    };
  });
}
