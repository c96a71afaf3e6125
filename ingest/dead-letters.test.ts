/** What no receiver can take is set aside with its reason, its source and its bytes; what was refused for now is not. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { CollectedDeadLetters, systemTime } from '#bus/mod.ts';
import { type DeadLetter, deadRetryHeader, LogweirError, streams } from '#protocol/mod.ts';
import { follow } from './follow.ts';
import { Gate } from './pipeline/gate.ts';
import { openPipeline } from './pipeline/open.ts';
import { connectTo, openSockets, sendTo, until, type World } from './sockets.fixture.ts';
import { openGateway, type TestGateway } from './testing/gateway.ts';

const open: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.stop();
});

async function gatewayOf(limits = {}): Promise<TestGateway & { letters: DeadLetter[] }> {
  const dead = new CollectedDeadLetters();
  const gateway = await openGateway({ dead, limits });
  open.push(gateway);
  return { ...gateway, letters: dead.letters };
}

async function socketsOf(name: 'syslog' | 'gelf' | 'forward', more = {}): Promise<World & { letters: DeadLetter[] }> {
  const dead = new CollectedDeadLetters();
  const world = await openSockets(name, { dead, ...more });
  open.push(world);
  return { ...world, letters: dead.letters };
}

const json = { 'content-type': 'application/json' };
const textOf = ({ bytes }: DeadLetter): string => Buffer.from(bytes).toString();

describe('dead letters over HTTP', () => {
  it('keep each rejected record of a request, and how it can be sent again', async () => {
    const { url, letters } = await gatewayOf();
    const post = (path: string, type: string, body: string): Promise<Response> =>
      fetch(`${url}${path}`, { method: 'POST', headers: { 'content-type': type }, body });
    await post('/ingest?service=shop', 'application/x-ndjson', '{"msg":"a"}\nno json\n');
    await post('/_bulk', 'application/x-ndjson', '{"create":{"_index":"web"}}\n{"message":\n');
    await post('/services/collector/event?token=secret&host=h', 'application/json', '{"event":"x"}{"event":""}');
    await post('/loki/api/v1/push', 'application/json', '{"streams":[{"stream":{"app":"a"},"values":[["1"]]}]}');
    await post('/v1/logs', 'application/json', '{"resourceLogs":[{"scopeLogs":[{"logRecords":[7]}]}]}');
    expect(letters.map((letter) => [letter.receiver, letter.reason, textOf(letter), letter.resend?.path])).toEqual([
      ['ingest', 'malformed', 'no json', '/ingest?service=shop'],
      ['elasticsearch', 'malformed', '{"message":', '/web/_doc'],
      ['splunk', 'rejected', '{"event":""}', '/services/collector/event?host=h'],
      ['loki', 'rejected', '{"streams":[{"stream":{"app":"a"},"values":[["1"]]}]}', '/loki/api/v1/push'],
      ['otlpHttp', 'malformed', '{"resourceLogs":[{"scopeLogs":[{"logRecords":[7]}]}]}', '/v1/logs'],
    ]);
    expect(letters[0]).toMatchObject({
      service: 'shop',
      source: '127.0.0.1',
      detail: expect.stringMatching(/^not JSON/),
    });
  });

  it('keep bodies that are refused whole, as they came', async () => {
    const { url, letters } = await gatewayOf({ bodyBytesMax: 2_000 });
    const packed = gzipSync('{"streams": none}');
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
    await fetch(`${url}/loki/api/v1/push`, { method: 'POST', headers, body: packed });
    await fetch(`${url}/ingest`, { method: 'POST', body: 'x'.repeat(3_000) });
    await fetch(`${url}/ingest`, { method: 'POST', headers, body: gzipSync('x'.repeat(3_000)) });
    expect(letters.map(({ receiver, reason, resend }) => [receiver, reason, resend])).toEqual([
      ['loki', 'malformed', { path: '/loki/api/v1/push', contentType: 'application/json', encoding: 'gzip' }],
      ['ingest', 'too_long', undefined],
      ['ingest', 'too_long', { path: '/ingest', contentType: 'application/json', encoding: 'gzip' }],
    ]);
    expect(Buffer.from(letters[0]?.bytes ?? []).equals(packed)).toBe(true);
    expect(letters[1]).toMatchObject({ bytesWhole: 3_000 });
  });

  it('are not made of requests that their sender repeats', async () => {
    const { bus, url, letters } = await gatewayOf();
    const { publish } = bus.streams;
    bus.streams.publish = () => Promise.reject(new LogweirError('NATS_UNAVAILABLE', 'Away.', 'Wait.'));
    const send = (): Promise<Response> =>
      fetch(`${url}/ingest`, { method: 'POST', headers: json, body: '{"msg":"a"}\n{no\n' });
    expect((await send()).status).toBe(503);
    expect(letters).toHaveLength(0);
    bus.streams.publish = publish;
    expect((await send()).status).toBe(200);
    expect(letters).toHaveLength(1);
  });

  it('of the pipeline stay where they are, when it sets them aside again', async () => {
    const dead = new CollectedDeadLetters();
    const gate = new Gate(openPipeline({ steps: [{ when: { body: 'odd' }, dead: 'odd ones' }] }, '.'), dead);
    const gateway = await openGateway({ dead, gate });
    open.push(gateway);
    const send = (headers: Record<string, string>): Promise<Response> =>
      fetch(`${gateway.url}/ingest`, { method: 'POST', headers: { ...json, ...headers }, body: '{"msg":"odd one"}\n' });
    expect((await send({})).status).toBe(200);
    expect(dead.letters).toHaveLength(1);
    const again = await send({ [deadRetryHeader]: '1' });
    expect([again.status, await again.json()]).toMatchObject([400, { title: expect.stringMatching('odd ones') }]);
    expect(dead.letters).toHaveLength(1);
  });

  it('of one request are bounded', async () => {
    const { url, letters } = await gatewayOf();
    await fetch(`${url}/ingest`, { method: 'POST', headers: json, body: '{no\n'.repeat(5_000) });
    expect(letters).toHaveLength(1_001);
    expect(letters.at(-1)?.detail).toBe('4000 more of this request are not kept');
  });
});

describe('dead letters over sockets', () => {
  it('of syslog: what is too long, cut short, or framed wrongly', async () => {
    const { port, letters } = await socketsOf('syslog');
    await sendTo(port('syslog'), `<13>${'x'.repeat(300_000)}\n`);
    await sendTo(port('syslog'), '8 <13>abcd99 <13>cut');
    await sendTo(port('syslog'), '8 <13>abcdrubbish 7 <13>abc');
    expect(letters.map(({ reason }) => reason)).toEqual(['too_long', 'malformed', 'malformed']);
    expect(letters.map(textOf).slice(1)).toEqual(['99 <13>cut', 'rubbish ']);
    expect(letters[0]).toMatchObject({ receiver: 'syslog', source: '127.0.0.1', resend: { path: '/ingest' } });
  });

  it('of GELF: no JSON, no message', async () => {
    const { port, letters } = await socketsOf('gelf');
    await sendTo(port('gelf'), '{"short_message":\0[1]\0{"short_message":"good"}\0');
    expect(letters.map((letter) => [letter.reason, textOf(letter)])).toEqual([
      ['malformed', '{"short_message":'],
      ['malformed', '[1]'],
    ]);
  });

  it('of forward: what ends a connection', async () => {
    const { port, letters } = await socketsOf('forward');
    const socket = await connectTo(port('forward'));
    socket.on('error', () => {});
    socket.write(Buffer.from([0x93, 0xa3, 0x74, 0x61, 0x67, 0xc1, 0xc1]));
    await until(() => letters.length > 0);
    socket.destroy();
    expect(letters[0]).toMatchObject({ receiver: 'forward', reason: 'malformed', source: '127.0.0.1' });
  });

  it('of NATS: lines that are none, and what is published without a service, which LOGS does not keep', async () => {
    const { bus, letters } = await socketsOf('syslog', { ports: {}, nats: true });
    bus.tell('logs.in.shop', Buffer.from('{"msg":"a"}\n{no'));
    await bus.streams.publish('logs.in', Buffer.from('stray'));
    let answer = '';
    bus.tell('logs.in', Buffer.from('stray'), (data) => {
      answer = Buffer.from(data).toString();
    });
    expect(letters.map((letter) => [letter.reason, textOf(letter), letter.source, letter.service])).toEqual([
      ['malformed', '{no', 'logs.in.shop', 'shop'],
      ['stray', 'stray', 'logs.in', ''],
    ]);
    expect(JSON.parse(answer)).toMatchObject({ accepted: 0, error: { code: 'REQUEST_INVALID' } });
    await expect.poll(() => bus.streams.subjects(streams.logs, 'logs.in')).toEqual({});
  });
});

describe('dead letters of files that are followed', () => {
  it('name lines that are too long by where they begin', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'logweir-dead-'));
    const path = join(directory, 'app.log');
    writeFileSync(path, `first line\n${'x'.repeat(300_000)}\nlast line\n`);
    const dead = new CollectedDeadLetters();
    const world = await openSockets('syslog', { ports: {} });
    open.push(world);
    const controller = new AbortController();
    const following = follow({
      paths: [path],
      stateFile: join(directory, 'state.json'),
      publisher: world.sockets.publisher,
      service: 'app',
      time: systemTime,
      signal: controller.signal,
      onProblem: () => {},
      onRecords: () => {},
      dead,
    });
    await until(() => dead.letters.length > 0);
    controller.abort();
    await following;
    expect(dead.letters).toMatchObject([
      { reason: 'too_long', receiver: 'file', service: 'app', source: `${path}, byte 11`, bytesWhole: 300_000 },
    ]);
    rmSync(directory, { recursive: true });
  });
});
