/** Splunk's HTTP Event Collector as Splunk's own logger speaks it, by requests as other clients' documentation gives them, and as nobody should. */
import { createRequire } from 'node:module';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { LogweirError, recordBytesMax } from '#protocol/mod.ts';
import { damaged, randomFrom } from '../testing/fuzz.ts';
import { openGateway, type TestGateway } from '../testing/gateway.ts';
import { readEvents, readRaw } from './events.ts';
import { jsonSpans } from '../mapping/json-stream.ts';

const require = createRequire(import.meta.url);
const open: TestGateway[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.stop();
});
async function start(more: Parameters<typeof openGateway>[0] = {}): Promise<TestGateway> {
  const one = await openGateway({ receiverPorts: { splunk: { port: 0, mayBeTaken: false } }, ...more });
  open.push(one);
  return one;
}
const send = (one: TestGateway, path: string, body: Uint8Array | string, headers = {}): Promise<Response> =>
  fetch(`${one.url}/services/collector${path}`, {
    method: 'POST',
    body: Buffer.from(body as string),
    headers: { authorization: 'Splunk any', ...headers },
  });
const none = { host: '', source: '', sourcetype: '', index: '' };

it("takes what Splunk's logger for JavaScript sends", async () => {
  const one = await start();
  const { Logger } = require('splunk-logging') as {
    Logger: new (
      config: object,
    ) => {
      send(context: object, callback: (error: Error | null, response: unknown, body: unknown) => void): void;
    };
  };
  const logger = new Logger({ token: 'any', url: `http://127.0.0.1:${one.gateway.ports['splunk']}` });
  const body = await new Promise((resolve, reject) => {
    logger.send(
      {
        message: { text: 'checkout failed', order: 17 },
        severity: 'error',
        metadata: { host: 'web-1', source: 'checkout', sourcetype: 'shop:checkout', index: 'main' },
      },
      (error, _response, body) => (error === null ? resolve(body) : reject(error)),
    );
  });
  expect(body).toMatchObject({ text: 'Success', code: 0 });
  expect(await one.records()).toMatchObject([
    {
      service: 'shop:checkout',
      severityText: 'error',
      severityNumber: 17,
      resource: {
        'host.name': 'web-1',
        'com.splunk.source': 'checkout',
        'com.splunk.sourcetype': 'shop:checkout',
        'com.splunk.index': 'main',
      },
    },
  ]);
});

describe('requests as other clients write them', () => {
  it('splunk-bunyan-logger 0.11: what was logged within `message`, beside its severity', async () => {
    const one = await start();
    const body =
      '{"time":"1780000000.123","host":"vm","event":{"message":{"name":"till","pid":7,"order":17,"msg":"drawer stuck","v":0},"severity":"warn"}}';
    expect((await send(one, '/event/1.0', body)).status).toBe(200);
    expect(await one.records()).toMatchObject([
      { body: 'drawer stuck', severityText: 'warn', attributes: { order: '17', pid: '7', name: 'till' } },
    ]);
  });

  it("the OpenTelemetry collector's exporter: fields, several events without anything in between, gzip", async () => {
    const one = await start();
    const body =
      '{"time":1780000000.123,"host":"unknown","source":"otel","sourcetype":"otel","index":"main","event":"user signed in","fields":{"service.name":"auth","k8s.pod.name":"auth-1","otel.log.severity.text":"WARN2","otel.log.severity.number":14,"trace_id":"' +
      `${'ab'.repeat(16)}","span_id":"${'cd'.repeat(8)}","user":{"id":7}}}` +
      '{"time":"1780000001","event":{"message":"second","level":"info","app":"cart"}}';
    const response = await send(one, '/event', gzipSync(body), { 'content-encoding': 'gzip' });
    expect([response.status, await response.json()]).toEqual([200, { text: 'Success', code: 0 }]);
    const [first, second] = await one.records();
    expect(first).toMatchObject({
      service: 'auth',
      body: 'user signed in',
      time: '1780000000123000000',
      severityText: 'WARN2',
      severityNumber: 14,
      traceId: 'ab'.repeat(16),
      spanId: 'cd'.repeat(8),
      attributes: { 'user.id': '7' },
      resource: { 'k8s.pod.name': 'auth-1', 'com.splunk.index': 'main' },
    });
    expect(second).toMatchObject({ service: 'cart', body: 'second', time: '1780000001000000000', severityNumber: 9 });
  });

  it("Docker's driver: lines as text within an object", async () => {
    const one = await start();
    const event = { line: 'GET /health 200', source: 'stdout', tag: 'f3a1c0' };
    await send(one, '/event/1.0', JSON.stringify({ event, time: '1780000000.500000', host: 'docker-1' }));
    expect(await one.records()).toMatchObject([
      { body: 'GET /health 200', time: '1780000000500000000', attributes: { source: 'stdout', tag: 'f3a1c0' } },
    ]);
  });

  it('raw lines, with a channel and its acknowledgement', async () => {
    const one = await start();
    const lines = '2026-05-28T20:26:40Z ERROR disk is full\n2026-05-28T20:26:41Z INFO disk has room\n';
    const channel = { 'x-splunk-request-channel': 'c-1' };
    const response = await send(one, '/raw?host=db-1&sourcetype=storage&source=/var/log/db.log', lines, channel);
    const { ackId } = (await response.json()) as { ackId: number };
    expect(await (await send(one, '/ack', `{"acks":[${ackId}]}`, channel)).json()).toEqual({ acks: { [ackId]: true } });
    expect(await (await send(one, '/ack', '{"acks":[0]}')).json()).toMatchObject({ code: 10 });
    expect(await (await send(one, '/ack', '{"acks":["x"]}', channel)).json()).toMatchObject({ code: 6 });
    expect(await one.records()).toMatchObject([
      { service: 'storage', body: 'disk is full', severityNumber: 17, resource: { 'host.name': 'db-1' } },
      { service: 'storage', body: 'disk has room', severityNumber: 9 },
    ]);
  });
});

describe('answers', () => {
  it('name the first event that was not taken, and the others are kept', async () => {
    const one = await start();
    const body = `{"event":"a"}\n{"time":1}{"event":""}{"event":"b","extra":{"x":1}}{"event":"${'x'.repeat(recordBytesMax + 1)}"} {"event":"c"`;
    const response = await send(one, '', body);
    expect([response.status, await response.json()]).toMatchObject([
      400,
      { text: 'Event field is required', code: 12, 'invalid-event-number': 1, rejected: 4, accepted: 2 },
    ]);
    expect((await one.records()).map(({ body }) => body)).toEqual(['a', 'b']);
    expect(await (await send(one, '', '{"event":""}')).json()).toMatchObject({ code: 13, 'invalid-event-number': 0 });
    expect(await (await send(one, '', 'text')).json()).toMatchObject({ code: 6 });
    expect(await (await send(one, '', '')).json()).toEqual({ text: 'No data', code: 5 });
    expect(await (await send(one, '/raw', '\n\n')).json()).toEqual({ text: 'No data', code: 5 });
  });

  it('ask for tokens where some are set', async () => {
    const one = await start({ tokens: { splunk: ['t-1', 't-2'] } });
    const status = async (path: string, headers: object): Promise<number[]> => {
      const response = await send(one, path, '{"event":"a"}', headers);
      return [response.status, ((await response.json()) as { code: number }).code];
    };
    expect(await status('', { authorization: '' })).toEqual([401, 2]);
    expect(await status('', { authorization: 'Splunk other' })).toEqual([403, 4]);
    expect(await status('', { authorization: 'Splunk t-1' })).toEqual([200, 0]);
    expect(await status('', { authorization: `Basic ${btoa('x:t-2')}` })).toEqual([200, 0]);
    expect(await status('?token=t-2', { authorization: '' })).toEqual([200, 0]);
    expect(await one.records()).toHaveLength(3);
  });

  it('say when there is no room, and when a body is too large', async () => {
    const one = await start({ limits: { bodyBytesMax: 10_000 } });
    expect(await (await fetch(`${one.url}/services/collector/health`)).json()).toEqual({
      text: 'HEC is healthy',
      code: 17,
    });
    const large = await send(one, '', Buffer.alloc(20_000, ' '));
    expect([large.status, ((await large.json()) as { code: number }).code]).toEqual([413, 27]);
    one.bus.streams.publish = async () => {
      throw new LogweirError('STREAM_FULL', 'No room.', 'Wait.');
    };
    const busy = await send(one, '', '{"event":"a"}');
    expect([busy.status, busy.headers.get('retry-after'), await busy.json()]).toEqual([
      503,
      '1',
      { text: 'Server is busy', code: 9 },
    ]);
  });
});

describe('hostile requests', () => {
  it('damaged ones are read as far as they can be, whatever the seed', () => {
    const body = Buffer.from(
      '{"time":1780000000.123,"event":"one ü","fields":{"level":"warn","a":{"b":[1]}}}\n{"event":{"message":"two","n":12345678901234567890}} [{"event":"three"}]',
    );
    const random = randomFrom(8_088);
    let taken = 0;
    const add = (): void => void taken++;
    for (let i = 0; i < 5_000; i++) {
      const hostile = damaged(body, random);
      readEvents(hostile, none, add, 1_780_000_000_000);
      readRaw(hostile, none, add, 1_780_000_000_000);
    }
    expect(taken).toBeGreaterThan(5_000);
  });

  it('depth, unclosed strings and floods take linear time', () => {
    const deep = Buffer.from(`{"event":${'['.repeat(100_000)}${']'.repeat(100_000)}}{"event":"good"}`);
    const found = readEvents(deep, none, () => {}, 0);
    expect(found.taken + found.rejected).toBe(2);
    expect(found.taken).toBeGreaterThanOrEqual(1);
    expect(jsonSpans(Buffer.from(`{"a":"${'\\"'.repeat(500_000)}`), 10)).toEqual({
      spans: [],
      rest: 0,
      tooMany: false,
    });
    expect(jsonSpans(Buffer.from('{}'.repeat(20)), 10).tooMany).toBe(true);
    expect(() => readEvents(Buffer.from('{}'.repeat(500_001)), none, () => {}, 0)).toThrow('over 500000 records');
  });
});
