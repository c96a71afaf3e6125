/** A gateway over an in-memory stream, and what came onto it, as rows. */
import { MemoryBus, openCluster, systemTime } from '#bus/mod.ts';
import { decodeLogsMessage, type RecordBatch, StringCursor, streams, uint16At, validateBatch } from '#protocol/mod.ts';
import { Gateway, type GatewayOptions } from '../gateway.ts';

export interface StoredRecord {
  service: string;
  body: string;
  /** ns since 1970, decimal. */
  time: string;
  observedMs: number;
  severityNumber: number;
  severityText: string;
  traceId: string;
  spanId: string;
  traceFlags: number;
  attributes: Record<string, string>;
  resource: Record<string, string>;
  scope: string[];
}

export interface TestGateway {
  gateway: Gateway;
  bus: MemoryBus;
  url: string;
  /** Of all messages on the stream, each checked as a worker would. */
  records(): Promise<StoredRecord[]>;
  /** Names and ordinals of the records' requests, where they have one. */
  idempotency(): Promise<{ key: string; ordinal: number }[]>;
  stop(): Promise<void>;
}

export async function openGateway(more: Partial<GatewayOptions> = {}): Promise<TestGateway> {
  const bus = new MemoryBus(Date.now);
  await openCluster(bus);
  const gateway = new Gateway({
    bus,
    partitions: 1,
    host: '127.0.0.1',
    port: 0,
    time: systemTime,
    id: 'test',
    giveUpAfterMs: 100,
    ...more,
  });
  await gateway.start();
  return {
    gateway,
    bus,
    url: `http://127.0.0.1:${gateway.port}`,
    records: () => readBatches(bus, rowsOf),
    idempotency: () => readBatches(bus, keysOf),
    stop: () => gateway.stop(),
  };
}

async function readBatches<T>(bus: MemoryBus, of: (batch: RecordBatch) => T[]): Promise<T[]> {
  const { lastSequence, messages } = await bus.streams.info(streams.logs);
  const found: T[] = [];
  if (messages === 0) return found;
  for await (const message of await bus.streams.consume(streams.logs, { fromSequence: 1 })) {
    const decoded = decodeLogsMessage(message.data);
    if (decoded.kind === 'batch') found.push(...of(validateBatch(decoded.batch)));
    if (message.sequence === lastSequence) break;
  }
  return found;
}

function keysOf({ idempotency, rows }: RecordBatch): { key: string; ordinal: number }[] {
  if (idempotency === null) return [];
  const view = new DataView(idempotency.ordinal.buffer, idempotency.ordinal.byteOffset);
  return Array.from({ length: rows }, (_, row) => ({
    key: idempotency.keys[uint16At(idempotency.index, row)] ?? '',
    ordinal: view.getUint32(row * 4, true),
  }));
}

const text = new TextDecoder('utf-8', { fatal: true });

function rowsOf(batch: RecordBatch): StoredRecord[] {
  const bodies = texts(batch.body);
  const traceIds = batch.traceId === null ? [] : texts(batch.traceId);
  const spanIds = batch.spanId === null ? [] : texts(batch.spanId);
  const values = batch.attributes === null ? [] : texts(batch.attributes.values);
  const time = new DataView(batch.time.buffer, batch.time.byteOffset);
  const observed = new DataView(batch.observed.buffer, batch.observed.byteOffset);
  let pair = 0;
  return bodies.map((body, row) => {
    const attributes: Record<string, string> = {};
    const count = batch.attributes === null ? 0 : uint16At(batch.attributes.counts, row);
    for (let i = 0; i < count; i++, pair++) {
      const { keys } = batch.attributes as NonNullable<typeof batch.attributes>;
      attributes[keys.values[uint16At(keys.index, pair)] as string] = values[pair] as string;
    }
    return {
      service: batch.service.values[uint16At(batch.service.index, row)] as string,
      body,
      time: String(time.getBigInt64(row * 8, true)),
      observedMs: Number(observed.getBigInt64(row * 8, true) / 1_000_000n),
      severityNumber: batch.severityNumber[row] as number,
      severityText: batch.severityText.values[uint16At(batch.severityText.index, row)] as string,
      traceId: traceIds[row] ?? '',
      spanId: spanIds[row] ?? '',
      traceFlags: batch.traceFlags?.[row] ?? 0,
      attributes,
      resource: pairsAt(batch.resource, row),
      scope: batch.scope === null ? [] : (batch.scope.values[uint16At(batch.scope.index, row)] as string[]),
    };
  });
}

function pairsAt(column: { values: string[][]; index: Uint8Array } | null, row: number): Record<string, string> {
  if (column === null) return {};
  const pairs = column.values[uint16At(column.index, row)] as string[];
  return Object.fromEntries(pairs.flatMap((key, i) => (i % 2 === 0 ? [[key, pairs[i + 1] as string]] : [])));
}

function texts(column: Uint8Array): string[] {
  const cursor = new StringCursor(column);
  const out: string[] = [];
  while (cursor.advance()) out.push(text.decode(column.subarray(cursor.start, cursor.end)));
  return out;
}
