/** OTLP as OpenTelemetry's own exporters speak it, over HTTP in both encodings and over gRPC, and as nobody should. */
import { gzipSync } from 'node:zlib';
import { credentials, Client, type ServiceError } from '@grpc/grpc-js';
import { SeverityNumber } from '@opentelemetry/api-logs';
import { OTLPLogExporter as GrpcExporter } from '@opentelemetry/exporter-logs-otlp-grpc';
import { OTLPLogExporter as JsonExporter } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter as ProtobufExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { LoggerProvider, type LogRecordExporter, SimpleLogRecordProcessor } from '@opentelemetry/sdk-logs';
import { ProtobufLogsSerializer } from '@opentelemetry/otlp-transformer';
import { afterEach, describe, expect, it } from 'vitest';
import { LogweirError, recordBytesMax } from '#protocol/mod.ts';
import { damaged, randomFrom } from '../testing/fuzz.ts';
import { openGateway, type TestGateway } from '../testing/gateway.ts';
import { ProtobufLogs } from './protobuf-logs.ts';
import { jsonLogs } from './json-logs.ts';

const open: TestGateway[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.stop();
});

async function start(more: Parameters<typeof openGateway>[0] = {}): Promise<TestGateway & { grpc: number }> {
  const receiverPorts = { otlpHttp: { port: 0, mayBeTaken: false }, otlpGrpc: { port: 0, mayBeTaken: false } };
  const one = await openGateway({ receiverPorts, ...more });
  open.push(one);
  return { ...one, grpc: one.gateway.ports['otlpGrpc'] as number };
}

const eventMs = Date.UTC(2026, 5, 1, 12);
const clock = { now: () => eventMs + 1_000, time: systemTimeOf() };
function systemTimeOf(): [number, number] {
  return [Math.floor(eventMs / 1_000), 123_456_789];
}

/** What an application logs through the SDK. */
async function speak(exporter: LogRecordExporter): Promise<void> {
  const provider = new LoggerProvider({
    resource: resourceFromAttributes({ 'service.name': 'checkout', 'host.name': 'web-1', 'process.pid': 42 }),
    processors: [new SimpleLogRecordProcessor({ exporter })],
  });
  const logger = provider.getLogger('shop.cart', '1.2.3');
  logger.emit({
    timestamp: clock.time,
    severityNumber: SeverityNumber.ERROR2,
    severityText: 'ERROR',
    body: 'payment declined für Zoë',
    attributes: {
      'http.status': 402,
      ratio: 0.25,
      retry: true,
      tags: ['a', 'b'],
      nested: { deep: { x: 1 } },
      raw: new Uint8Array([1, 2, 255]),
      text: 'plain',
    },
    eventName: 'payment.declined',
  });
  logger.emit({ body: { code: 7, list: [1, 'two', null] } });
  await provider.forceFlush();
  await provider.shutdown();
}

/** One request of the SDK's serializer, for what is not about transport. */
function request(count: number): Buffer {
  const resource = resourceFromAttributes({ 'service.name': 'fuzzed', region: 'eu' });
  const logs = Array.from({ length: count }, (_, i) => ({
    hrTime: [1_780_000_000 + i, 5] as [number, number],
    hrTimeObserved: [1_780_000_000 + i, 5] as [number, number],
    severityNumber: 9,
    severityText: 'INFO',
    body: i % 3 === 0 ? { a: [1, { b: 'c' }] } : `line ${i} ümlaut`,
    resource,
    instrumentationScope: { name: 'scope' },
    attributes: { i, word: 'x'.repeat(i % 40), list: [true, 1.5, 'z'] },
    droppedAttributesCount: 0,
    spanContext: { traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8), traceFlags: 1 },
  }));
  return Buffer.from(ProtobufLogsSerializer.serializeRequest(logs as never) as Uint8Array);
}

const post = (gateway: TestGateway, body: Uint8Array | string, headers: Record<string, string>): Promise<Response> =>
  fetch(`${gateway.url}/v1/logs`, { method: 'POST', body: Buffer.from(body as string), headers });
const asProtobuf = { 'content-type': 'application/x-protobuf' };
const asJson = { 'content-type': 'application/json' };

describe("OpenTelemetry's exporters", () => {
  it.each([
    ['JSON', (one: TestGateway) => new JsonExporter({ url: `${one.url}/v1/logs` })],
    ['JSON, gzip', (one: TestGateway) => new JsonExporter({ url: `${one.url}/v1/logs`, compression: 'gzip' as never })],
    ['protobuf', (one: TestGateway) => new ProtobufExporter({ url: `${one.url}/v1/logs` })],
    [
      'protobuf on its own port, gzip',
      (one: TestGateway) =>
        new ProtobufExporter({
          url: `http://127.0.0.1:${one.gateway.ports['otlpHttp']}/v1/logs`,
          compression: 'gzip' as never,
        }),
    ],
    ['gRPC', (one: TestGateway) => new GrpcExporter({ url: `http://127.0.0.1:${one.gateway.ports['otlpGrpc']}` })],
    [
      'gRPC, gzip',
      (one: TestGateway) =>
        new GrpcExporter({ url: `http://127.0.0.1:${one.gateway.ports['otlpGrpc']}`, compression: 'gzip' as never }),
    ],
  ])('are understood over %s', async (_name, exporterOf) => {
    const one = await start();
    await speak(exporterOf(one));
    // Two requests over two connections: either may come first.
    const all = await one.records();
    const [first, second, ...more] = all.toSorted((a, b) => b.severityNumber - a.severityNumber);
    expect(more).toEqual([]);
    expect(first).toMatchObject({
      service: 'checkout',
      body: 'payment declined für Zoë',
      time: `${Math.floor(eventMs / 1_000)}123456789`,
      severityNumber: 18,
      severityText: 'ERROR',
      resource: { 'host.name': 'web-1', 'process.pid': '42' },
      scope: ['shop.cart', '1.2.3'],
    });
    expect(first?.attributes).toEqual({
      'http.status': '402',
      ratio: '0.25',
      retry: 'true',
      tags: '["a","b"]',
      nested: '{"deep":{"x":1}}',
      raw: 'AQL/',
      text: 'plain',
      'event.name': 'payment.declined',
    });
    expect(second).toMatchObject({ body: '{"code":7,"list":[1,"two",null]}', severityNumber: 0, severityText: '' });
  });
});

describe('OTLP/HTTP', () => {
  it('answers in the encoding it was asked in, and names what it could not take', async () => {
    const one = await start();
    const full = await post(one, request(3), asProtobuf);
    expect([full.status, full.headers.get('content-type'), (await full.arrayBuffer()).byteLength]).toEqual([
      200,
      'application/x-protobuf',
      0,
    ]);
    const log = (body: unknown, more = {}): unknown => ({ body, timeUnixNano: '1780000000000000001', ...more });
    const mixed = {
      resourceLogs: [
        {
          resource: { attributes: [{ key: 'k8s.deployment.name', value: { stringValue: 'cart' } }] },
          scopeLogs: [
            {
              logRecords: [
                log(
                  { stringValue: 'good' },
                  { traceId: 'AB'.repeat(16), unknownField: { x: 1 }, severityText: 'warn' },
                ),
                log({ stringValue: 'x'.repeat(recordBytesMax + 1) }),
                'no object',
                log({ intValue: '9007199254740993' }, { timeUnixNano: 1780000000123456789n, severityNumber: 99 }),
              ],
            },
          ],
        },
      ],
    };
    const text = JSON.stringify(mixed, (_k, v: unknown) => (typeof v === 'bigint' ? `#${v}#` : v)).replaceAll(
      /"#|#"/g,
      '',
    );
    const partial = await post(one, text, asJson);
    expect(partial.status).toBe(200);
    const { partialSuccess } = (await partial.json()) as { partialSuccess: Record<string, string> };
    expect(partialSuccess['rejectedLogRecords']).toBe('2');
    expect(partialSuccess['errorMessage']).toMatch(/record 1: it has \d+ bytes.*record 2: it is no object/);
    const [good, number] = (await one.records()).slice(3);
    expect(good).toMatchObject({
      service: 'cart',
      body: 'good',
      traceId: 'ab'.repeat(16),
      severityNumber: 13,
      attributes: { unknownField: '{"x":1}' },
      resource: { 'k8s.deployment.name': 'cart' },
    });
    expect(number).toMatchObject({
      body: '9007199254740993',
      time: '1780000000123456789',
      severityNumber: 0,
      attributes: { severity_number: '99' },
    });
  });

  it.each([
    ['half a JSON text', '{"resourceLogs"', asJson, 400, 'application/json'],
    ['a message cut short', Buffer.from([0x0a, 0xff]), asProtobuf, 400, 'application/x-protobuf'],
    ['no gzip', Buffer.from('not gzip'), { ...asProtobuf, 'content-encoding': 'gzip' }, 400, 'application/x-protobuf'],
    [
      'a zip bomb',
      gzipSync(Buffer.alloc(2_000_000)),
      { ...asProtobuf, 'content-encoding': 'gzip' },
      413,
      'application/x-protobuf',
    ],
    ['text', 'x', { 'content-type': 'text/plain' }, 415, 'application/x-protobuf'],
    ['brotli', 'x', { ...asJson, 'content-encoding': 'br' }, 415, 'application/json'],
  ])('refuses %s', async (_name, body, headers, status, type) => {
    const one = await start({ limits: { bodyBytesMax: 1_000_000 } });
    const response = await post(one, body, headers);
    expect([response.status, response.headers.get('content-type')]).toEqual([status, type]);
    expect((await response.text()).length).toBeGreaterThan(10);
    expect(await one.records()).toEqual([]);
  });

  it('says when to come again', async () => {
    const one = await start();
    one.bus.streams.publish = async () => {
      throw new LogweirError('NATS_UNAVAILABLE', 'NATS is away.', 'Wait.');
    };
    const response = await post(one, '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}]}]}]}', asJson);
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await response.json()).toMatchObject({ code: 14 });
  });
});

describe('OTLP/gRPC', () => {
  const call = (port: number, body: Buffer, path = 'LogsService/Export'): Promise<ServiceError | Buffer> => {
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    const same = (data: Buffer): Buffer => data;
    return new Promise((resolve) => {
      const done = (error: ServiceError | null, value?: Buffer): void => {
        client.close();
        resolve(error ?? (value as Buffer));
      };
      client.makeUnaryRequest(`/opentelemetry.proto.collector.logs.v1.${path}`, same, same, body, done);
    });
  };

  it('takes a large request, and names what is malformed, too large or unknown', async () => {
    const one = await start({ limits: { bodyBytesMax: 1_000_000 } });
    expect(await call(one.grpc, request(4_000))).toEqual(Buffer.alloc(0));
    expect((await one.records()).length).toBe(4_000);
    expect(await call(one.grpc, Buffer.from([0x0a, 0xff]))).toMatchObject({ code: 3 });
    expect(await call(one.grpc, Buffer.alloc(1_100_000))).toMatchObject({ code: 8 });
    expect(await call(one.grpc, Buffer.alloc(0), 'Other/Export')).toMatchObject({ code: 12 });
    const partial = (await call(one.grpc, Buffer.concat([request(1), badRecord()]))) as Buffer;
    expect(partial.toString('latin1')).toContain('record 1: malformed');
  });

  it('is UNAVAILABLE with RetryInfo while the stream takes nothing', async () => {
    const one = await start();
    one.bus.streams.publish = async () => {
      throw new LogweirError('NATS_UNAVAILABLE', 'NATS is away.', 'Wait.');
    };
    const error = (await call(one.grpc, request(1))) as ServiceError;
    expect(error).toMatchObject({ code: 14, details: 'NATS is away. Wait.' });
    expect(error.metadata.get('grpc-status-details-bin').toString()).toContain('google.rpc.RetryInfo');
  });
});

/** A frame in order around a record whose body is longer than the record. */
function badRecord(): Buffer {
  const record = Buffer.from([0x2a, 0x7f, 0x0a]);
  const scopeLogs = Buffer.concat([Buffer.from([0x12, record.length]), record]);
  const resourceLogs = Buffer.concat([Buffer.from([0x12, scopeLogs.length]), scopeLogs]);
  return Buffer.concat([Buffer.from([0x0a, resourceLogs.length]), resourceLogs]);
}

describe('hostile requests', () => {
  const nowMs = eventMs;
  function read(body: Buffer): { taken: number; rejected: number; reasons: Set<string> } | string {
    try {
      const logs = new ProtobufLogs(body, nowMs);
      const found = { taken: 0, rejected: 0, reasons: new Set<string>() };
      for (let next = logs.next(); next !== 'end'; next = logs.next()) {
        if (next === 'rejected') {
          found.rejected++;
          found.reasons.add(logs.reason);
          continue;
        }
        found.taken++;
        const { view } = logs;
        for (let i = -1; i < view.attributeCount; i++) {
          const start = i < 0 ? view.bodyStart : (view.attributeStarts[i] as number);
          const end = i < 0 ? view.bodyEnd : (view.attributeEnds[i] as number);
          if (!(start >= 0 && start <= end && end <= view.bytes.length)) throw new Error(`slice ${start}–${end}`);
          new TextDecoder('utf-8', { fatal: true }).decode(view.bytes.subarray(start, end));
        }
      }
      return found;
    } catch (error) {
      if (error instanceof LogweirError) return error.code;
      throw error;
    }
  }

  it('damaged ones are refused or read, never more, whatever the seed', () => {
    const whole = request(12);
    const random = randomFrom(20261121);
    const outcomes = { read: 0, refused: 0 };
    for (let i = 0; i < 5_000; i++) outcomes[typeof read(damaged(whole, random)) === 'string' ? 'refused' : 'read']++;
    expect(outcomes.read).toBeGreaterThan(500);
    expect(outcomes.refused).toBeGreaterThan(500);
    const text = Buffer.from(
      '{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}}]},"scopeLogs":[{"logRecords":[{"timeUnixNano":"1","body":{"kvlistValue":{"values":[{"key":"k","value":{"intValue":"1"}}]}},"attributes":[{"key":"x","value":{"arrayValue":{"values":[{"doubleValue":1.5}]}}}]}]}]}]}',
    );
    for (let i = 0; i < 5_000; i++) {
      try {
        jsonLogs(damaged(text, random), nowMs);
      } catch (error) {
        if (!(error instanceof LogweirError)) throw error;
      }
    }
  });

  const wrap = (tag: number, inner: Buffer): Buffer => {
    const size: number[] = [];
    let rest = inner.length;
    for (; rest > 0x7f; rest >>>= 7) size.push((rest & 0x7f) | 0x80);
    return Buffer.concat([Buffer.from([tag, ...size, rest]), inner]);
  };
  const one = (record: Buffer): Buffer => wrap(0x0a, wrap(0x12, wrap(0x12, record)));
  const good = (body: string): Buffer => wrap(0x2a, wrap(0x0a, Buffer.from(body)));

  it('values nested ten thousand deep, too large and too many are named, beside good ones', () => {
    let nested: Buffer = Buffer.from([0x0a, 0x01, 0x78]);
    for (let i = 0; i < 10_000; i++) nested = wrap(0x2a, wrap(0x0a, nested));
    const body = Buffer.concat([
      one(good('first')),
      one(wrap(0x2a, nested)),
      one(good('x'.repeat(recordBytesMax + 1))),
      one(
        Buffer.concat([
          good('last'),
          ...Array.from({ length: 500 }, (_, i) =>
            wrap(0x32, Buffer.concat([wrap(0x0a, Buffer.from(`k${i}`)), wrap(0x12, wrap(0x0a, Buffer.from('v')))])),
          ),
        ]),
      ),
    ]);
    const found = read(body);
    expect(found).toMatchObject({ taken: 2, rejected: 2 });
    expect([...(found as { reasons: Set<string> }).reasons].join()).toMatch(/nested deeper than 32.*bytes/);
    expect(read(one(Buffer.alloc(0)))).toMatchObject({ taken: 1 });
    expect(read(wrap(0x0a, wrap(0x12, Buffer.from('1200'.repeat(500_001), 'hex'))))).toBe('BODY_TOO_LARGE');
    const deepJson = `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":${'{"arrayValue":{"values":['.repeat(3_000)}${']}}'.repeat(3_000)}}]}]}]}`;
    expect(jsonLogs(Buffer.from(deepJson), nowMs)).toMatchObject([{ reject: 'a value is nested deeper than 32' }]);
  });

  it('invalid UTF-8 becomes replacement characters, and no byte of its neighbours changes', () => {
    const logs = new ProtobufLogs(
      one(
        Buffer.concat([
          wrap(0x2a, wrap(0x0a, Buffer.from([0x61, 0xff, 0x62]))),
          wrap(
            0x32,
            Buffer.concat([wrap(0x0a, Buffer.from('k')), wrap(0x12, wrap(0x0a, Buffer.from('é\0\u001b[31m')))]),
          ),
        ]),
      ),
      nowMs,
    );
    expect(logs.next()).toBe('record');
    const { view } = logs;
    const text = (start: number, end: number): string => Buffer.from(view.bytes).toString('utf8', start, end);
    expect(text(view.bodyStart, view.bodyEnd)).toBe('a\ufffdb');
    expect(text(view.attributeStarts[0] as number, view.attributeEnds[0] as number)).toBe('é\0\u001b[31m');
  });
});
