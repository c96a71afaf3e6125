/** Loki's push as winston-loki sends it, as Promtail writes it, and as nobody should. */
import { createRequire } from 'node:module';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import winston from 'winston';
import LokiTransport from 'winston-loki';
import { ByteWriter, LogweirError, recordBytesMax } from '#protocol/mod.ts';
import { unsnap } from '../snappy.ts';
import { damaged, randomFrom } from '../testing/fuzz.ts';
import { openGateway, type TestGateway } from '../testing/gateway.ts';
import { parseLabels } from './labels.ts';
import { readPushJson, readPushProtobuf } from './push.ts';

// What winston-loki compresses with: Google's own library.
const snappy = createRequire(import.meta.resolve('winston-loki'))('snappy') as {
  compressSync(data: Uint8Array): Buffer;
};

const open: TestGateway[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.stop();
});
async function start(more: Parameters<typeof openGateway>[0] = {}): Promise<TestGateway> {
  const one = await openGateway({ receiverPorts: { loki: { port: 0, mayBeTaken: false } }, ...more });
  open.push(one);
  return one;
}

const ns = '1780000000123456789';
const nowMs = 1_780_000_001_000;
const push = (one: TestGateway, body: Uint8Array | string, headers: Record<string, string>): Promise<Response> =>
  fetch(`${one.url}/loki/api/v1/push`, { method: 'POST', body: Buffer.from(body as string), headers });
const asJson = { 'content-type': 'application/json' };
const asProtobuf = { 'content-type': 'application/x-protobuf' };

/** PushRequest with one stream, by hand: with structured metadata, which winston-loki does not send. */
function pushRequest(
  labels: string,
  entries: readonly { line: string | Buffer; metadata?: Record<string, string> }[],
): Buffer {
  const field = (into: ByteWriter, tag: number, content: Uint8Array): void => {
    into.uint8(tag);
    into.slice(content, 0, content.length);
  };
  const stream = new ByteWriter();
  field(stream, 0x0a, Buffer.from(labels));
  for (const { line, metadata = {} } of entries) {
    const entry = new ByteWriter();
    const time = new ByteWriter();
    time.uint8(0x08);
    time.varint(1_780_000_000);
    time.uint8(0x10);
    time.varint(123_456_789);
    field(entry, 0x0a, time.view());
    field(entry, 0x12, Buffer.from(line as string));
    for (const [name, value] of Object.entries(metadata)) {
      const pair = new ByteWriter();
      field(pair, 0x0a, Buffer.from(name));
      field(pair, 0x12, Buffer.from(value));
      field(entry, 0x1a, pair.view());
    }
    field(stream, 0x12, entry.view());
  }
  const request = new ByteWriter();
  field(request, 0x0a, stream.view());
  return Buffer.from(request.copy());
}

describe('winston-loki', () => {
  it.each([
    ['snappy protobuf', false, true],
    ['JSON', true, false],
    ['JSON, gzip', true, true],
  ])('is understood over %s', async (_name, json, gzip) => {
    const one = await start();
    const transport = new LokiTransport({
      host: `http://127.0.0.1:${one.gateway.ports['loki']}`,
      labels: { app: 'cart', namespace: 'shop' },
      json,
      gzip,
      batching: false,
      format: winston.format.simple(),
    } as never);
    const logger = winston.createLogger({ transports: [transport] });
    logger.warn('stock is low für item 7');
    await expect.poll(async () => (await one.records()).length).toBe(1);
    const [record] = await one.records();
    expect(record).toMatchObject({
      service: 'cart',
      severityText: 'warn',
      severityNumber: 13,
      resource: { app: 'cart', 'k8s.namespace.name': 'shop' },
    });
    expect(record?.body).toContain('stock is low für item 7');
    expect(Math.abs(Number(BigInt(record?.time ?? 0) / 1_000_000n) - Date.now())).toBeLessThan(60_000);
    logger.close();
  });
});

describe('the push API', () => {
  it('takes labels, structured metadata and lines that hold JSON', async () => {
    const one = await start();
    const streams = [
      {
        stream: { job: 'shop/web', pod: 'web-1', filename: '/var/log/a.log' },
        values: [
          [ns, 'plain line', { trace_id: 'AB'.repeat(16), span_id: 'cd'.repeat(8), level: 'error', user: 'u1' }],
          [ns, '{"level":"info","msg":"hi","order":12345678901234567890,"time":"2020-01-01T00:00:00Z"}'],
        ],
      },
    ];
    expect((await push(one, JSON.stringify({ streams }), { ...asJson, 'x-scope-orgid': 'team-a' })).status).toBe(204);
    const body = pushRequest('{service_name="api", weird="a\\"b\\\\c\\nd"}', [
      { line: 'zero copy ü' },
      { line: 'with', metadata: { traceID: 'ef'.repeat(16), detected_level: 'fatal' } },
    ]);
    expect((await push(one, snappy.compressSync(body), asProtobuf)).status).toBe(204);
    expect((await push(one, gzipSync(body), { ...asProtobuf, 'content-encoding': 'gzip' })).status).toBe(204);
    const [plain, object, sliced, traced, ...more] = await one.records();
    expect(plain).toMatchObject({
      service: 'shop/web',
      body: 'plain line',
      time: ns,
      severityNumber: 17,
      traceId: 'ab'.repeat(16),
      spanId: 'cd'.repeat(8),
      attributes: { user: 'u1' },
      resource: {
        'k8s.pod.name': 'web-1',
        'log.file.path': '/var/log/a.log',
        job: 'shop/web',
        'loki.tenant': 'team-a',
      },
    });
    expect(object).toMatchObject({
      body: 'hi',
      severityText: 'info',
      time: ns,
      attributes: { order: '12345678901234567890' },
    });
    expect(sliced).toMatchObject({ service: 'api', body: 'zero copy ü', time: ns, resource: { weird: 'a"b\\c\nd' } });
    expect(traced).toMatchObject({ body: 'with', traceId: 'ef'.repeat(16), severityNumber: 21 });
    expect(more).toHaveLength(2);
  });

  it('names what it cannot take and keeps the rest', async () => {
    const one = await start();
    const streams = [
      {
        stream: { app: 'a' },
        values: [[ns, 'good'], [ns], [ns, 'x'.repeat(recordBytesMax + 1)], ['soon', 'bad time']],
      },
      { labels: '{app="old"}', entries: [{ ts: '2026-05-28T20:26:40.5Z', line: 'older form' }] },
    ];
    const response = await push(one, JSON.stringify({ streams }), asJson);
    expect(response.status).toBe(400);
    expect(await response.text()).toMatch(/^2 entries were not taken.*record 1: .*record 2: it has \d+ bytes/);
    const records = await one.records();
    expect(records.map(({ service, body }) => [service, body])).toEqual([
      ['a', 'good'],
      ['a', 'bad time'],
      ['old', 'older form'],
    ]);
    expect([records[1]?.attributes['timestamp'], records[2]?.time]).toEqual(['soon', '1780000000500000000']);
  });

  it('answers what clients ask first, and refuses as they expect', async () => {
    const one = await start({ limits: { bodyBytesMax: 10_000 } });
    expect(await (await fetch(`${one.url}/ready`)).text()).toBe('ready\n');
    expect(await (await fetch(`${one.url}/loki/api/v1/labels`)).json()).toEqual({ status: 'success', data: [] });
    expect((await push(one, '{', asJson)).status).toBe(400);
    expect((await push(one, Buffer.from([1, 2, 3]), asProtobuf)).status).toBe(400);
    expect((await push(one, snappy.compressSync(Buffer.alloc(20_000)), asProtobuf)).status).toBe(413);
    expect((await push(one, '', asProtobuf)).status).toBe(204);
    one.bus.streams.publish = async () => {
      throw new LogweirError('NATS_UNAVAILABLE', 'NATS is away.', 'Wait.');
    };
    const away = await push(one, JSON.stringify({ streams: [{ stream: {}, values: [[ns, 'x']] }] }), asJson);
    expect([away.status, away.headers.get('retry-after')]).toEqual([503, '1']);
  });
});

describe('hostile requests', () => {
  const refusedOr = <T>(run: () => T): T | 'refused' => {
    try {
      return run();
    } catch (error) {
      if (error instanceof LogweirError) return 'refused';
      throw error;
    }
  };

  it('damaged bodies are refused or read, whatever the seed', () => {
    const random = randomFrom(3_100);
    const protobuf = pushRequest('{app="a", level="info"}', [
      { line: 'one ü' },
      { line: '{"a":{"b":[1,2]},"msg":"m"}', metadata: { k: 'v', trace_id: 'ab'.repeat(16) } },
      { line: 'x'.repeat(300) },
    ]);
    const packed = snappy.compressSync(protobuf);
    const json = Buffer.from(
      `{"streams":[{"stream":{"app":"a"},"values":[["${ns}","line",{"k":"v"}],["${ns}","{\\"a\\":1}"]]}]}`,
    );
    let added = 0;
    const add = (): void => void added++;
    for (let i = 0; i < 4_000; i++) {
      refusedOr(() => readPushProtobuf(damaged(protobuf, random), '', add, nowMs));
      refusedOr(() => readPushProtobuf(unsnap(damaged(packed, random), 1e6), '', add, nowMs));
      refusedOr(() => readPushJson(damaged(json, random), '', add, nowMs));
      refusedOr(() => parseLabels(damaged(Buffer.from('{a="b", c="d\\"e"}'), random).toString()));
    }
    expect(added).toBeGreaterThan(4_000);
  });

  it('snappy that lies about its length costs nothing', () => {
    expect(refusedOr(() => unsnap(Buffer.from('ffffff7f00', 'hex'), 1e9))).toBe('refused');
    expect(refusedOr(() => unsnap(Buffer.from('04000000', 'hex'), 1e9))).toBe('refused');
    for (const size of [0, 1, 59, 60, 61, 300, 70_000, 300_000]) {
      const data = Buffer.from(Array.from({ length: size }, (_, i) => ((i * i) % 251) ^ (i % 7)));
      expect(unsnap(snappy.compressSync(data), 1e6).equals(data)).toBe(true);
      expect(unsnap(snappy.compressSync(Buffer.alloc(size, 'abc')), 1e6).equals(Buffer.alloc(size, 'abc'))).toBe(true);
    }
  });

  it('invalid UTF-8 and deep JSON stay lines', () => {
    const bodies: string[] = [];
    const deep = '{"a":'.repeat(20_000) + '1' + '}'.repeat(20_000);
    const result = readPushProtobuf(
      pushRequest('{}', [{ line: Buffer.from([0x61, 0xff, 0x62]) }, { line: deep }]),
      '',
      (view) => bodies.push(Buffer.from(view.bytes).toString('utf8', view.bodyStart, view.bodyEnd)),
      nowMs,
    );
    expect(result.rejected).toBe(0);
    expect(bodies).toEqual(['a\ufffdb', deep]);
  });
});
