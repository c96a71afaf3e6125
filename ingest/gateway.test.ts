/** The gateway's answers: acknowledged means on the stream, and nothing that clients send makes it hold more than it may. */
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { MemoryBus, openCluster, systemTime } from '#bus/mod.ts';
import { decodeLogsMessage, LogweirError, streams } from '#protocol/mod.ts';
import { Gateway } from './gateway.ts';

const gateways: Gateway[] = [];
afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway.stop();
});

async function open(bus: MemoryBus, more: Partial<ConstructorParameters<typeof Gateway>[0]> = {}): Promise<Gateway> {
  await openCluster(bus);
  const gateway = new Gateway({
    bus,
    partitions: 2,
    host: '127.0.0.1',
    port: 0,
    time: systemTime,
    id: `g${gateways.length}`,
    giveUpAfterMs: 100,
    ...more,
  });
  gateways.push(gateway);
  await gateway.start();
  return gateway;
}

const post = (gateway: Gateway, body: string | Uint8Array, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`http://127.0.0.1:${gateway.port}/ingest`, {
    method: 'POST',
    body: Buffer.from(body as string),
    headers: { 'content-type': 'application/x-ndjson', ...headers },
  });

const line = (i: number): string => `{"service":"shop","message":"line ${i}"}\n`;

async function keysOnStream(bus: MemoryBus): Promise<string[]> {
  const { lastSequence } = await bus.streams.info(streams.logs);
  const keys: string[] = [];
  const subscription = await bus.streams.consume(streams.logs, { fromSequence: 1 });
  for await (const message of subscription) {
    const decoded = decodeLogsMessage(message.data);
    if (decoded.kind === 'batch') keys.push(...(decoded.batch.idempotency?.keys ?? []));
    if (message.sequence === lastSequence) break;
  }
  return keys;
}

describe('a stream that takes nothing', () => {
  const away = (): never => {
    throw new LogweirError('NATS_UNAVAILABLE', 'NATS is away.', 'Wait.');
  };

  it('is answered 503 with Retry-After, and the gateway goes on by itself when it is back', async () => {
    const bus = new MemoryBus(Date.now);
    const gateway = await open(bus);
    const { publish } = bus.streams;
    bus.streams.publish = async () => away();
    const refused = await post(gateway, line(1));
    expect({ status: refused.status, retry: refused.headers.get('retry-after') }).toEqual({ status: 503, retry: '1' });
    expect(await refused.json()).toMatchObject({ code: 'NATS_UNAVAILABLE' });
    expect(gateway.publisher.pendingBytes).toBe(0);
    bus.streams.publish = publish;
    expect((await post(gateway, line(2))).status).toBe(200);
  });

  it('fills the gateway to its bound and no further, whatever way bodies come', async () => {
    const bus = new MemoryBus(Date.now);
    const bound = 200_000;
    const gateway = await open(bus, { pendingBytesMax: bound, giveUpAfterMs: 1_500 });
    bus.streams.publish = async () => away();
    const body = Array.from({ length: 500 }, (_, i) => line(i)).join('');
    const statuses = await Promise.all(Array.from({ length: 60 }, async () => (await post(gateway, body)).status));
    expect(new Set(statuses)).toEqual(new Set([503]));
    // The last request may go over it by its own size.
    expect(gateway.publisher.pendingBytes).toBeLessThan(bound + body.length * 2);
    const bomb = gzipSync(Buffer.alloc(bound * 4, '\n'));
    expect((await post(gateway, bomb, { 'content-encoding': 'gzip' })).status).toBe(503);
    expect(await chunked(gateway, bound * 2)).toBe(503);
  });
});

/** A body whose length nobody told. */
function chunked(gateway: Gateway, bytes: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { port: gateway.port, host: '127.0.0.1', path: '/ingest', method: 'POST' },
      (response) => {
        response.resume();
        resolve(response.statusCode);
        request.destroy();
      },
    );
    request.on('error', reject);
    for (let sent = 0; sent < bytes; sent += 10_000) request.write(Buffer.alloc(10_000, 'x'));
    request.end();
  });
}

describe('Idempotency-Key', () => {
  it.each([
    ['', 'is empty'],
    ['x'.repeat(257), '257 characters'],
    ['two words', 'not visible ASCII'],
    ['caf\u00e9', 'not visible ASCII'],
  ])('%j is refused with what is wrong about it', async (key, why) => {
    const bus = new MemoryBus(Date.now);
    const gateway = await open(bus);
    const response = await post(gateway, line(1), { 'idempotency-key': key });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      code: 'REQUEST_INVALID',
      title: expect.stringContaining(why) as string,
    });
    expect((await bus.streams.info(streams.logs)).messages).toBe(0);
  });

  it('names a request by key, service and unpacked body, the same at every gateway', async () => {
    const bus = new MemoryBus(Date.now);
    const [first, second] = [await open(bus), await open(bus)];
    const key = { 'idempotency-key': 'k'.repeat(256) };
    await post(first, line(1), key);
    await post(second, gzipSync(line(1)), { ...key, 'content-encoding': 'gzip' });
    await post(second, line(2), key);
    await post(second, line(1), { ...key, 'x-logweir-service': 'other' });
    const keys = await keysOnStream(bus);
    expect(keys).toHaveLength(4);
    expect(keys[1]).toBe(keys[0]);
    expect(new Set(keys).size).toBe(3);
    expect(new Set(keys.map((name) => name.length))).toEqual(new Set([22]));
  });
});

describe('a gateway that stops', () => {
  it('waits for no connection on which nothing is under way', async () => {
    const bus = new MemoryBus(Date.now);
    const gateway = await open(bus, { receiverPorts: { loki: { port: 0, mayBeTaken: false } } });
    const ports = [gateway.port, gateway.ports['loki'] as number];
    const silent = ports.map((port) => connect(port, '127.0.0.1'));
    await Promise.all(silent.map((socket) => once(socket, 'connect')));
    // Kept by the client, and answered only after the gateway began to stop.
    let letGo = (): void => {};
    const { publish } = bus.streams;
    bus.streams.publish = async (...args) => {
      await new Promise<void>((resolve) => (letGo = resolve));
      return publish.apply(bus.streams, args);
    };
    const kept = ports.map((port) =>
      fetch(`http://127.0.0.1:${port}/ingest`, { method: 'POST', body: line(1), keepalive: true }),
    );
    await vi.waitUntil(() => gateway.counts.requests === 2, { timeout: 30_000 });
    const stopped = gateway.stop();
    await Promise.all(silent.map((socket) => once(socket, 'close')));
    bus.streams.publish = publish;
    letGo();
    expect((await Promise.all(kept)).map(({ status }) => status)).toEqual([200, 200]);
    await stopped;
    await expect.poll(() => gateway.connections.now).toBe(0);
  });
});
