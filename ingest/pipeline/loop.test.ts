/** From what a client sends to the records on the stream, through a configured pipeline. */
import { createSocket } from 'node:dgram';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { CollectedDeadLetters, systemTime } from '#bus/mod.ts';
import { BatchPublisher } from '../batch-publisher.ts';
import { resolveInputs } from '../files/mod.ts';
import { emptyCounts } from '../file-source.ts';
import { follow } from '../follow.ts';
import { readRecords } from '../job.ts';
import { openSockets, type World } from '../sockets.fixture.ts';
import { openGateway, type TestGateway } from '../testing/gateway.ts';
import { Gate } from './gate.ts';
import { openPipeline } from './open.ts';

const section = {
  patterns: { ORDER: 'o-\\d+' },
  multiline: [
    { when: { receiver: ['ingest', 'file'], service: 'till' }, start: '^\\d\\d:' },
    { when: { file: '*.out' }, start: '^\\d\\d:' },
  ],
  steps: [
    { redact: true },
    {
      name: 'till',
      when: { line: '^\\d\\d:' },
      parse: { formats: '^%{TIME:at} <%{WORD:level}> %{ORDER:order.id} %{GREEDYDATA:message}' },
    },
    {
      when: { fields: { at: { exists: true } } },
      timestamp: { field: 'at', formats: '%H:%M:%S', zone: 'Europe/Berlin' },
    },
    { map: { severity: { field: 'severity', table: { grave: 'ERROR' } } } },
    { when: { body: 'healthy' }, drop: 'health checks' },
    { when: { body: 'odd' }, dead: 'odd ones' },
    { when: { body: 'old' }, redirect: 'attic' },
  ],
};

const dead = new CollectedDeadLetters();
const gate = (): Gate => new Gate(openPipeline(section, '.'), dead);
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  dead.letters.length = 0;
});

async function gateway(): Promise<TestGateway> {
  const test = await openGateway({ gate: gate(), dead });
  closers.push(test.stop);
  return test;
}

async function sockets(name: 'syslog' | 'gelf'): Promise<World> {
  const world = await openSockets(name, { gate: gate(), dead });
  closers.push(() => world.stop());
  return world;
}

const post = (url: string, body: string, type: string): Promise<Response> =>
  fetch(url, { method: 'POST', body, headers: { 'content-type': type } });

describe('a pipeline', () => {
  it('acts on followed files', async () => {
    const { bus, gateway: unused, records } = await gateway();
    const directory = mkdtempSync(join(tmpdir(), 'logweir-follow-'));
    const path = join(directory, 'a.out');
    writeFileSync(
      path,
      '03:04:05 <grave> o-1 first\n  and more\n03:04:06 <info> o-2 healthy\n03:04:07 <info> o-3 odd\n',
    );
    const publisher = new BatchPublisher({
      bus,
      partitions: 1,
      lane: 'live',
      source: 'file',
      time: systemTime,
      publisherId: 'follow',
      pendingBytesMax: 1 << 20,
      giveUpAfterMs: 1_000,
    });
    const stop = new AbortController();
    let read = 0;
    await follow({
      paths: [path],
      stateFile: join(directory, 'state.json'),
      publisher,
      service: undefined,
      time: systemTime,
      signal: stop.signal,
      gate: gate(),
      onProblem: () => {},
      onRecords: (count) => {
        read += count;
        if (read === 3) stop.abort();
      },
    });
    expect(unused.publisher.counts.records).toBe(0);
    expect(await records()).toMatchObject([{ body: 'first\n  and more', severityNumber: 17 }]);
    expect(dead.letters).toMatchObject([{ receiver: 'file', source: path }]);
  });

  it('acts on plain text over HTTP, with lines put together by its rules', async () => {
    const test = await gateway();
    const text =
      '03:04:05 <grave> o-17 no flour for a@b.org\n  at mill\nat the left\n03:04:06 <info> o-18 healthy\n03:04:07 <info> o-19 odd one\n';
    const answer = await post(`${test.url}/ingest?service=till`, text, 'text/plain');
    expect(await answer.json()).toMatchObject({ accepted: 3, rejected: 0 });
    const records = await test.records();
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({
      service: 'till',
      body: 'no flour for <redacted:email>\n  at mill\nat the left',
      severityNumber: 17,
      severityText: 'grave',
      attributes: { 'order.id': 'o-17' },
    });
    expect(dead.letters).toMatchObject([
      { reason: 'pipeline', receiver: 'ingest', detail: '6 dead: odd ones', service: 'till' },
    ]);
  });

  it('acts on NDJSON, OTLP and Elasticsearch alike', async () => {
    const test = await gateway();
    await post(
      `${test.url}/ingest`,
      '{"service":"a","message":"old one, password=rye"}\n{"message":"healthy"}',
      'application/x-ndjson',
    );
    const logs = {
      resourceLogs: [
        {
          scopeLogs: [{ logRecords: [{ body: { stringValue: 'to a@b.org' } }, { body: { stringValue: 'healthy' } }] }],
        },
      ],
    };
    expect((await post(`${test.url}/v1/logs`, JSON.stringify(logs), 'application/json')).status).toBe(200);
    const bulk = '{"index":{"_index":"till"}}\n{"message":"token=a1b2c3d4e5"}\n';
    expect(await (await post(`${test.url}/_bulk`, bulk, 'application/x-ndjson')).json()).toMatchObject({
      errors: false,
    });
    const records = await test.records();
    expect(records.map(({ service, body }) => `${service}: ${body}`)).toEqual([
      'attic: old one, password=<redacted:password>',
      'unknown_service: to <redacted:email>',
      'till: token=<redacted:token>',
    ]);
    expect(records[0]?.attributes).toEqual({ 'redirected.from': 'a' });
  });

  it('puts stamps without a zone into one, whatever they came by', async () => {
    const zoned = new Gate(openPipeline({ steps: [{ timestamp: { zone: 'Europe/Berlin' } }] }, '.'));
    const test = await openGateway({ gate: zoned });
    closers.push(test.stop);
    const body =
      '{"timestamp":"2026-05-02 12:00:00","message":"a"}\n{"timestamp":"2026-05-02T12:00:00Z","message":"b"}\n';
    await post(`${test.url}/ingest`, body, 'application/x-ndjson');
    await post(`${test.url}/ingest`, '2026-05-02 12:00:00 INFO c\n2026-05-02 12:00:00 +0000 INFO d\n', 'text/plain');
    const hours = (await test.records()).map(
      ({ body: text, time }) => `${text} ${new Date(Number(time) / 1e6).getUTCHours()}`,
    );
    expect(hours).toEqual(['a 10', 'b 12', 'c 10', 'd 12']);
  });

  it('answers a request of which nothing is kept', async () => {
    const test = await gateway();
    const answer = await post(`${test.url}/ingest`, '{"message":"healthy"}', 'application/x-ndjson');
    expect([answer.status, await answer.json()]).toEqual([200, { accepted: 1, rejected: 0, errors: [] }]);
    expect(await test.records()).toEqual([]);
  });

  it('adds no record twice under an idempotency key', async () => {
    const test = await gateway();
    const send = () =>
      fetch(`${test.url}/ingest`, {
        method: 'POST',
        body: '{"message":"healthy"}\n{"message":"a"}\n{"message":"healthy"}\n{"message":"b"}',
        headers: { 'content-type': 'application/x-ndjson', 'idempotency-key': 'k1' },
      });
    await send();
    await send();
    expect(test.gateway.publisher.counts.records).toBe(4);
  });

  it('acts on syslog over TCP, by its message', async () => {
    const world = await sockets('syslog');
    const client = connect(world.port('syslog'), '127.0.0.1');
    client.write(
      '<13>May  2 03:04:05 mill till: 03:04:05 <grave> o-7 no flour\n<13>May  2 03:04:05 mill till: healthy\n',
    );
    const [record] = await world.settled(1);
    client.destroy();
    expect(record).toMatchObject({ service: 'till', body: 'no flour', severityNumber: 17 });
    expect(record?.fields).toMatchObject({ 'order.id': 'o-7', 'host.name': 'mill' });
    expect(dead.letters).toEqual([]);
  });

  it('acts on datagrams', async () => {
    const world = await sockets('gelf');
    const socket = createSocket('udp4');
    for (const message of ['healthy', 'for a@b.org'])
      socket.send(
        JSON.stringify({ version: '1.1', host: 'mill', short_message: message }),
        world.port('gelf'),
        '127.0.0.1',
      );
    const [record] = await world.settled(1);
    socket.close();
    expect(record?.body).toBe('for <redacted:email>');
  });

  it('acts on files before they are merged, so that they merge by the time that it reads', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'logweir-loop-'));
    writeFileSync(join(directory, 'a.out'), '03:04:05 <info> o-1 first\n03:04:09 <info> o-4 last\n  and more\n');
    writeFileSync(
      join(directory, 'b.out'),
      '03:04:06 <info> o-2 second\n03:04:07 <info> o-3 healthy\n03:04:08 <info> o-5 odd\n',
    );
    const { files } = await resolveInputs([join(directory, 'a.out'), join(directory, 'b.out')]);
    const counts = emptyCounts();
    const options = {
      service: undefined,
      nowMs: systemTime.now(),
      counts,
      gate: gate(),
      signal: new AbortController().signal,
      onBytes: () => {},
      onProblem: () => {},
    };
    const bodies: string[] = [];
    for await (const { record } of readRecords(files, options)) bodies.push(record.body);
    expect(bodies).toEqual(['first', 'second', 'last\n  and more']);
    expect(counts).toMatchObject({ lines: 6, records: 5, folded: 1 });
    expect(dead.letters.map(({ receiver, source }) => [receiver, source])).toEqual([['file', 'b.out:3']]);
  });
});
