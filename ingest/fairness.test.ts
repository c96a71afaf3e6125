/** One noisy source beside quiet ones: over HTTP, gRPC's statuses, TCP and datagrams. */
import { createSocket } from 'node:dgram';
import { afterEach, describe, expect, it } from 'vitest';
import { parseRates, Quotas, Refusal } from './admission/mod.ts';
import { tooLarge } from './too-large.ts';
import { encodeStatus, grpcCode, statusOf } from './otlp/answer.ts';
import { retryAfterOf } from './problem.ts';
import { connectTo, openSockets, until } from './sockets.fixture.ts';
import { openGateway, type TestGateway } from './testing/gateway.ts';

const open: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.stop();
});

async function gatewayWith(sources: string, services = ''): Promise<TestGateway> {
  const quotas = { sources: new Quotas(parseRates(sources)), services: new Quotas(parseRates(services)) };
  const gateway = await openGateway({ quotas, trustProxy: '127.0.0.1' });
  open.push(gateway);
  return gateway;
}

const lines = (count: number, service = 'a'): string => `{"msg":"x","service":"${service}"}\n`.repeat(count);

function post(
  url: string,
  path: string,
  body: string,
  from = '10.0.0.1',
  type = 'application/json',
): Promise<Response> {
  return fetch(`${url}${path}`, { method: 'POST', body, headers: { 'content-type': type, 'x-forwarded-for': from } });
}

describe('quotas over HTTP', () => {
  it('of a source: the next request waits, others do not, and each protocol is told in its own way', async () => {
    const { url, gateway } = await gatewayWith('10.0.0.1=100');
    expect((await post(url, '/ingest', lines(1_000))).status).toBe(200);
    const refused = await post(url, '/ingest', lines(1));
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(7);
    expect(await refused.json()).toMatchObject({ code: 'QUOTA_EXCEEDED' });
    expect((await post(url, '/ingest', lines(1), '10.0.0.2')).status).toBe(200);
    const statuses = await Promise.all(
      ['/loki/api/v1/push', '/_bulk', '/v1/logs', '/services/collector/event'].map(async (path) => {
        const { status, headers } = await post(url, path, '{}');
        return [status, headers.has('retry-after')];
      }),
    );
    expect(statuses).toEqual([
      [429, true],
      [429, true],
      [429, true],
      [503, true],
    ]);
    expect(gateway.admission.refused.sourceQuota).toBe(5);
  });

  it('of a service: a request with it is refused whole, before anything of it is taken', async () => {
    const { url, records } = await gatewayWith('', 'loud=10');
    expect((await post(url, '/ingest', lines(100, 'loud'))).status).toBe(200);
    expect((await post(url, '/ingest', lines(5, 'soft') + lines(5, 'loud'))).status).toBe(429);
    expect((await post(url, '/ingest', lines(5, 'soft'))).status).toBe(200);
    const stored = await records();
    expect(stored.filter(({ service }) => service === 'soft')).toHaveLength(5);
    expect(stored.filter(({ service }) => service === 'loud')).toHaveLength(100);
  });
});

describe('over gRPC', () => {
  it('too much for now is RESOURCE_EXHAUSTED with RetryInfo, without which clients give up', () => {
    const refusal = new Refusal('QUOTA_EXCEEDED', 'Too much.', 'Send again later.', 2_500);
    expect([statusOf(refusal).code, retryAfterOf(refusal)]).toEqual([grpcCode.resourceExhausted, 3]);
    expect(encodeStatus(statusOf(refusal), 3_000).toString()).toContain('google.rpc.RetryInfo');
    const forGood = tooLarge(1_000);
    expect([statusOf(forGood).code, retryAfterOf(forGood)]).toEqual([grpcCode.resourceExhausted, undefined]);
  });
});

describe('shares over HTTP', () => {
  it('go to those who hold less, while the stream is behind', async () => {
    const world = await openGateway({ pendingBytesMax: 1 << 20, giveUpAfterMs: 3_000, trustProxy: '127.0.0.1' });
    open.push(world);
    const { publish } = world.bus.streams;
    const held: (() => void)[] = [];
    world.bus.streams.publish = (...all) =>
      new Promise((resolve, reject) => void held.push(() => void publish(...all).then(resolve, reject)));
    const noisy = Array.from({ length: 40 }, () => post(world.url, '/ingest', lines(1_500), '10.0.0.1'));
    await until(() => world.gateway.admission.refused.full + world.gateway.admission.refused.share > 0);
    const quiet = [2, 3, 4].map((n) => post(world.url, '/ingest', lines(10), `10.0.0.${n}`));
    const timer = setInterval(() => {
      for (const go of held.splice(0)) go();
    }, 50);
    expect((await Promise.all(quiet)).map(({ status }) => status)).toEqual([200, 200, 200]);
    const statuses = (await Promise.all(noisy)).map(({ status }) => status);
    clearInterval(timer);
    world.bus.streams.publish = publish;
    expect(statuses).toContain(200);
    expect(statuses.some((status) => status === 429 || status === 503)).toBe(true);
  });

  it('do not let a request of millions of empty lines in', async () => {
    const world = await openGateway();
    open.push(world);
    expect((await post(world.url, '/ingest', '{}\n'.repeat(500_001))).status).toBe(413);
    expect((await post(world.url, '/services/collector/raw', '\n'.repeat(600_000))).status).toBe(413);
    expect((await world.records()).length).toBe(0);
  });

  it('do not make a body that is too large for ever come again', async () => {
    const world = await openGateway({ pendingBytesMax: 1 << 20, limits: { bodyBytesMax: 2 << 20 } });
    open.push(world);
    const { status } = await post(world.url, '/ingest', 'x'.repeat(3 << 20));
    expect(status).toBe(413);
  });
});

describe('over sockets', () => {
  it('a sender over its quota is not read, and nothing of it is lost', async () => {
    const quotas = { sources: new Quotas(parseRates('*=500')), services: new Quotas([]) };
    const world = await openSockets('syslog', { quotas });
    open.push(world);
    const socket = await connectTo(world.port('syslog'));
    // What it sent before is four seconds' worth over what it may.
    quotas.sources.charge('127.0.0.1', 3_000, 0, Date.now());
    // In pieces, since a piece is taken whole.
    for (let i = 0; i < 15; i++) {
      socket.write('<13>hello\n'.repeat(100));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await until(() => world.sockets.counts('syslog').overQuota > 0);
    expect(world.sockets.counts('syslog').pauses).toBeGreaterThan(0);
    expect(await world.settled(1_500)).toHaveLength(1_500);
    socket.destroy();
  });

  it('datagrams of a sender over its quota are dropped, and counted', async () => {
    const quotas = { sources: new Quotas(parseRates('*=5')), services: new Quotas([]) };
    const world = await openSockets('syslog', { quotas });
    open.push(world);
    const socket = createSocket('udp4');
    for (let i = 0; i < 50; i++) {
      socket.send('<13>hello', world.port('syslog'), '127.0.0.1');
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => world.sockets.counts('syslog').dropped > 0);
    expect(world.sockets.counts('syslog').records).toBeLessThanOrEqual(12);
    socket.close();
  });
});
