/**
 * Requests as clients send them: the agent by its source (pkg/logs/client/http) and documentation, the npm transport as
 * pino-datadog-transport 3.0 sent it when it was tried against the receiver, datadog-winston 1.6 as it sent it with Datadog's name
 * resolving to a gateway with TLS: its addresses are fixed.
 */
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CollectedDeadLetters } from '#bus/mod.ts';
import { openGateway, type TestGateway } from '../testing/gateway.ts';

let world: TestGateway;
let dead: CollectedDeadLetters;

beforeEach(async () => {
  dead = new CollectedDeadLetters();
  world = await openGateway({ dead });
});

afterEach(() => world.stop());

const send = (body: string | Buffer, path = '/api/v2/logs', headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${world.url}${path}`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', 'dd-api-key': 'any', ...headers },
  });

const agentLog = {
  message: '{"level":"warn","msg":"oven hot","dd":{"trace_id":"6d1","span_id":"7"},"degrees":240}',
  status: 'info',
  timestamp: 1_763_700_000_123,
  hostname: 'bakery-1',
  service: 'oven',
  ddsource: 'nodejs',
  ddtags: 'env:prod,version:1.2,kube_namespace:shop,pod_name:oven-7,team:bread,canary',
};

describe('the log intake', () => {
  it("takes the agent's lists, packed as it likes", async () => {
    const body = JSON.stringify([agentLog, { ...agentLog, message: 'plain', status: 'error' }]);
    const packed: [string, Buffer][] = [
      ['gzip', gzipSync(body)],
      ['deflate', deflateSync(body)],
      ['zstd', zstdCompressSync(Buffer.from(body))],
    ];
    const answer = await send(body);
    expect([answer.status, await answer.text()]).toEqual([202, '{}']);
    for (const [encoding, bytes] of packed)
      expect((await send(bytes, '/api/v2/logs', { 'content-encoding': encoding })).status).toBe(202);
    const records = await world.records();
    expect(records).toHaveLength(8);
    expect(records[0]).toMatchObject({
      service: 'oven',
      body: 'oven hot',
      severityText: 'warn',
      severityNumber: 13,
      time: '1763700000123000000',
      resource: {
        'host.name': 'bakery-1',
        'datadog.log.source': 'nodejs',
        'deployment.environment.name': 'prod',
        'service.version': '1.2',
        'k8s.namespace.name': 'shop',
        'k8s.pod.name': 'oven-7',
      },
      attributes: { degrees: '240', team: 'bread', 'datadog.tags': 'canary', 'datadog.status': 'info' },
    });
    expect(records[1]).toMatchObject({ body: 'plain', severityText: 'error', severityNumber: 17 });
  });

  it('takes one log, logs one behind the other, and lines of text with what the query says', async () => {
    await send(JSON.stringify({ message: 'single', ddsource: 'nginx' }));
    await send('{"message":"a"}\n{"message":"b"}', '/v1/input/KEY?service=shop&ddtags=env:test&hostname=h', {
      'content-type': 'application/json',
    });
    const text = await send('one\r\ntwo\n', '/v1/input?ddsource=redis', { 'content-type': 'text/plain' });
    expect(text.status).toBe(200);
    const records = await world.records();
    expect(records.map(({ service, body }) => [service, body])).toEqual([
      ['nginx', 'single'],
      ['shop', 'a'],
      ['shop', 'b'],
      ['redis', 'one'],
      ['redis', 'two'],
    ]);
    expect(records[1]?.resource).toMatchObject({ 'deployment.environment.name': 'test', 'host.name': 'h' });
  });

  it('takes what datadog-winston sends: one log a request, the key in the path', async () => {
    const path =
      '/v1/input/secret?service=till&ddsource=nodejs&ddtags=env%3Atest%2Cteam%3Ax%2Ctrace_id%3A123%2Cspan_id%3A4&hostname=h';
    const log = { level: 'error', message: 'drawer stuck', order: 7, dd: { trace_id: '123', span_id: '4' } };
    const answer = await send(JSON.stringify(log), path, { 'dd-api-key': '' });
    expect(answer.status).toBe(200);
    expect((await world.records())[0]).toMatchObject({
      service: 'till',
      body: 'drawer stuck',
      severityText: 'error',
      severityNumber: 17,
      resource: { 'host.name': 'h', 'deployment.environment.name': 'test' },
      attributes: { order: '7', team: 'x', 'dd.trace_id': '123' },
    });
  });

  it("keeps every field, and believes a message's own words more than what stands beside it", async () => {
    await send(
      JSON.stringify({
        message: '{"service":"inner","message":"m","team":"x"}',
        service: 'outer',
        team: 'y',
        logger: { name: 'l' },
        level: 'error',
        ddtags: 'service:tagged,team:z',
      }),
    );
    expect((await world.records())[0]).toMatchObject({
      service: 'inner',
      body: 'm',
      severityText: 'error',
      attributes: {
        team: 'x',
        'datadog.team': 'y',
        'datadog.tag.team': 'z',
        'datadog.service': 'outer',
        'logger.name': 'l',
      },
    });
  });

  it('answers the questions of agents, and errors as they understand them', async () => {
    expect((await send('{}')).status).toBe(202);
    expect((await send('')).status).toBe(202);
    expect(await (await fetch(`${world.url}/api/v1/validate`)).json()).toEqual({ valid: true });
    for (const body of ['[', '{"message":', '"text"', '[1,2', '['.repeat(10_000)]) {
      const answer = await send(body);
      expect(answer.status).toBe(400);
      expect(await answer.json()).toMatchObject({ errors: [{ status: '400' }] });
    }
    expect(await world.records()).toEqual([]);
    expect((await send(JSON.stringify([{ message: 'x'.repeat(300_000) }, { message: 'ok' }, 7]))).status).toBe(202);
    expect((await world.records()).map(({ body }) => body)).toEqual(['ok']);
    expect(dead.letters.slice(-2).map(({ reason, receiver }) => [reason, receiver])).toEqual([
      ['too_long', 'datadog'],
      ['malformed', 'datadog'],
    ]);
    expect((await send('x', '/api/v2/logs', { 'content-encoding': 'lz4' })).status).toBe(415);
  });

  it('asks for a key where one is configured, and keeps none', async () => {
    await world.stop();
    world = await openGateway({ dead, tokens: { datadog: ['k-1'] } });
    expect((await send('{"message":"a"}')).status).toBe(403);
    expect((await send('{"message":"a"}', '/api/v2/logs', { 'dd-api-key': 'k-1' })).status).toBe(202);
    expect((await send('{"message":"a"}', '/v1/input/k-1', { 'dd-api-key': '' })).status).toBe(200);
    await send('[', '/api/v2/logs?dd-api-key=k-1&service=shop', { 'dd-api-key': '' });
    expect(dead.letters.at(-1)?.resend?.path).toBe('/api/v2/logs?service=shop');
  });
});
