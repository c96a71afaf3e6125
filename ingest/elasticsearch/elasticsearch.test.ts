/** `_bulk` as Elastic's own client sends it, as Filebeat and others write it, and as nobody should. */
import { gzipSync } from 'node:zlib';
import { Client } from '@elastic/elasticsearch';
import { afterEach, describe, expect, it } from 'vitest';
import { LogweirError, recordBytesMax } from '#protocol/mod.ts';
import { damaged, randomFrom } from '../testing/fuzz.ts';
import { openGateway, type TestGateway } from '../testing/gateway.ts';
import { operationsOf, serviceOfIndex, takeOperations } from './bulk.ts';

const open: TestGateway[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.stop();
});
async function start(more: Parameters<typeof openGateway>[0] = {}): Promise<TestGateway> {
  const one = await openGateway({ receiverPorts: { elasticsearch: { port: 0, mayBeTaken: false } }, ...more });
  open.push(one);
  return one;
}

const bulk = (one: TestGateway, lines: string, headers = {}, path = '/_bulk'): Promise<Response> =>
  fetch(`${one.url}${path}`, {
    method: 'POST',
    body: Buffer.from(lines),
    headers: { 'content-type': 'application/x-ndjson', ...headers },
  });

/** An event as Filebeat 8 writes it with add_kubernetes_metadata. */
const filebeatEvent = {
  '@timestamp': '2026-05-28T20:26:40.123Z',
  '@metadata': { beat: 'filebeat', type: '_doc', version: '8.17.0' },
  message: 'order 17 failed',
  log: { level: 'error', file: { path: '/var/log/containers/checkout.log' }, offset: 9007199254740993n },
  service: { name: 'checkout', environment: 'prod' },
  host: { name: 'node-1', os: { family: 'debian' } },
  agent: { type: 'filebeat', version: '8.17.0' },
  kubernetes: {
    namespace: 'shop',
    pod: { name: 'checkout-1', uid: 'u-1' },
    container: { name: 'app' },
    labels: { team: 'pay' },
  },
  trace: { id: 'ab'.repeat(16) },
  span: { id: 'cd'.repeat(8) },
  error: { message: 'card declined', type: 'CardError' },
  tags: ['a', 'b'],
};
const json = (value: unknown): string =>
  JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? `#${part}#` : part)).replaceAll(
    /"#|#"/g,
    '',
  );

describe("Elastic's client", () => {
  it.each([false, true])('sends through its bulk helper, compressed: %s', async (compression) => {
    const one = await start();
    const client = new Client({ node: `http://127.0.0.1:${one.gateway.ports['elasticsearch']}`, compression });
    expect((await client.info()).tagline).toBe('You Know, for Search');
    expect((await client.cluster.health()).status).toBe('green');
    const dropped: unknown[] = [];
    const documents = Array.from({ length: 1_200 }, (_, i) => ({
      '@timestamp': '2026-05-28T20:26:40Z',
      service: { name: 'cart' },
      message: i === 7 ? 'x'.repeat(recordBytesMax + 1) : `line ${i}`,
      log: { level: 'info' },
    }));
    const stats = await client.helpers.bulk({
      datasource: documents,
      flushBytes: 30_000,
      onDocument: () => ({ create: { _index: 'logs-cart-default' } }),
      onDrop: (document) => dropped.push(document.error),
    });
    expect(stats).toMatchObject({ total: 1_200, successful: 1_199, failed: 1, retry: 0 });
    expect(dropped).toEqual([
      { type: 'document_parsing_exception', reason: expect.stringContaining('bytes') as string },
    ]);
    const records = await one.records();
    expect(records).toHaveLength(1_199);
    expect(records[0]).toMatchObject({
      service: 'cart',
      severityNumber: 9,
      attributes: { 'elasticsearch.index': 'logs-cart-default' },
    });
    await client.close();
  });

  it('waits and sends again while there is no room', async () => {
    const one = await start();
    const { publish } = one.bus.streams;
    let refusals = 0;
    one.bus.streams.publish = async (...args) => {
      if (refusals++ < 4) throw new LogweirError('STREAM_FULL', 'No room.', 'Wait.');
      return publish.apply(one.bus.streams, args);
    };
    const client = new Client({ node: one.url, maxRetries: 5 });
    const response = await fetch(`${one.url}/_bulk`, { method: 'POST', body: '{"index":{}}\n{"message":"a"}\n' });
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '1']);
    expect(await response.json()).toMatchObject({ status: 429, error: { type: 'es_rejected_execution_exception' } });
    const stats = await client.helpers.bulk({
      datasource: [{ message: 'b' }],
      onDocument: () => ({ index: { _index: 'i' } }),
      retries: 3,
      wait: 1,
    });
    expect(stats.successful).toBe(1);
    await client.close();
  });
});

describe('_bulk', () => {
  it("maps Elastic's common schema, and keeps what has no place", async () => {
    const one = await start();
    const body = `{"create":{"_index":"filebeat-8.17.0","_id":"d1"}}\n${json(filebeatEvent)}\n{"index":{}}\n{"log":"bare\\n","stream":"stderr"}\n`;
    const response = await bulk(
      one,
      body,
      {},
      '/logstash-2026.06.01/_bulk?filter_path=errors,items.*.error,items.*.status',
    );
    expect(response.headers.get('x-elastic-product')).toBe('Elasticsearch');
    expect(await response.json()).toMatchObject({
      errors: false,
      items: [{ create: { status: 201 } }, { index: { status: 201 } }],
    });
    const [event, bare] = await one.records();
    expect(event).toMatchObject({
      service: 'checkout',
      body: 'order 17 failed',
      time: '1780000000123000000',
      severityText: 'error',
      severityNumber: 17,
      traceId: 'ab'.repeat(16),
      spanId: 'cd'.repeat(8),
      resource: {
        'host.name': 'node-1',
        'host.os.family': 'debian',
        'deployment.environment.name': 'prod',
        'k8s.namespace.name': 'shop',
        'k8s.pod.name': 'checkout-1',
        'k8s.pod.uid': 'u-1',
        'k8s.container.name': 'app',
        'k8s.pod.label.team': 'pay',
      },
    });
    expect(event?.attributes).toEqual({
      '@metadata.beat': 'filebeat',
      '@metadata.type': '_doc',
      '@metadata.version': '8.17.0',
      'log.file.path': '/var/log/containers/checkout.log',
      'log.offset': '9007199254740993',
      'agent.type': 'filebeat',
      'agent.version': '8.17.0',
      'exception.message': 'card declined',
      'exception.type': 'CardError',
      tags: '["a","b"]',
      'elasticsearch.index': 'filebeat-8.17.0',
      'elasticsearch.id': 'd1',
    });
    expect(bare).toMatchObject({
      service: 'logstash',
      body: 'bare',
      severityNumber: 0,
      attributes: { 'log.iostream': 'stderr' },
    });
  });

  it('says of each item what became of it', async () => {
    const one = await start();
    const lines = [
      '{"create":{"_index":"a"}}',
      '{"message":"good"}',
      '{"index":{"_index":"a"}}',
      '{half',
      '{"delete":{"_id":"1"}}',
    ];
    lines.push(
      '{"update":{"_id":"1"}}',
      '{"doc":{}}',
      '{"index":{}}',
      '[1]',
      '{"index":{"_index":"b"}}',
      '{"message":"also good"}',
    );
    const answer = (await (await bulk(one, lines.join('\n'))).json()) as {
      errors: boolean;
      items: Record<string, { status: number }>[];
    };
    expect(answer.errors).toBe(true);
    expect(answer.items.map((item) => Object.values(item)[0]?.status)).toEqual([201, 400, 400, 400, 400, 201]);
    expect((await one.records()).map(({ body }) => body)).toEqual(['good', 'also good']);
  });

  it.each([
    ['no JSON', 'x\n'],
    ['no action', '{"message":"a"}\n'],
    ['an action that is none', '{"message":{}}\n'],
    ['a document that is missing', '{"index":{}}'],
    ['nothing', '\n\n'],
  ])('refuses a body with %s whole', async (_name, rest) => {
    const one = await start();
    const response = await bulk(one, rest.trim() === '' ? rest : `{"index":{}}\n{"message":"a"}\n${rest}`);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { type: 'illegal_argument_exception' } });
    expect(await one.records()).toEqual([]);
  });
});

describe('documents with ids of their own', () => {
  it('add nothing when the same body comes again', async () => {
    const one = await start();
    const body = (id: string): string =>
      `{"create":{"_index":"i","_id":"${id}"}}\n{"message":"a"}\n{"index":{"_index":"i","_id":"2"}}\n{"message":"b"}\n`;
    for (const id of ['1', '1', '3']) expect((await bulk(one, body(id))).status).toBe(200);
    const keys = await one.idempotency();
    expect(keys.map(({ ordinal }) => ordinal)).toEqual([0, 1, 0, 1, 0, 1]);
    expect(keys[2]?.key).toBe(keys[0]?.key);
    expect(keys[4]?.key).not.toBe(keys[0]?.key);
    // Where one document leaves its id to the server, the same body means other documents.
    await bulk(one, `${body('1')}{"index":{"_index":"i"}}\n{"message":"c"}\n`);
    expect(await one.idempotency()).toHaveLength(6);
  });

  it('may be sent one by one', async () => {
    const one = await start();
    const put = (path: string): Promise<Response> =>
      fetch(`${one.url}${path}`, {
        method: 'PUT',
        body: '{"message":"a"}',
        headers: { 'content-type': 'application/json' },
      });
    for (const path of ['/i/_doc/1', '/i/_doc/1', '/i/_doc/2', '/i/_create/3'])
      expect((await put(path)).status).toBe(201);
    expect(await (await put('/i/_doc/4')).json()).toMatchObject({ _index: 'i', _id: '4', result: 'created' });
    const keys = (await one.idempotency()).map(({ key }) => key);
    expect(keys[1]).toBe(keys[0]);
    expect(new Set(keys).size).toBe(4);
  });
});

describe('what clients ask first', () => {
  it.each([
    [
      'Filebeat',
      [
        'GET /',
        'GET /_license',
        'HEAD /_ilm/policy/filebeat',
        'GET /_ilm/policy/filebeat',
        'PUT /_ilm/policy/filebeat',
        'HEAD /_index_template/filebeat-8.17.0',
        'PUT /_index_template/filebeat-8.17.0',
        'GET /_data_stream/filebeat-8.17.0',
        'GET /_ingest/pipeline/p',
        'PUT /_ingest/pipeline/p',
        'POST /_monitoring/bulk',
      ],
    ],
    // omelasticsearch 8.2302, and winston-elasticsearch 0.19 with Elastic's client 8.19, as they sent them.
    ['rsyslog', ['HEAD /_cat/health']],
    ['winston-elasticsearch', ['GET /_cluster/health', 'HEAD /_index_template/template_logs']],
    [
      'Logstash',
      [
        'HEAD /',
        'GET /',
        'GET /_license',
        'GET /_xpack',
        'HEAD /_index_template/ecs-logstash',
        'PUT /_template/logstash',
        'GET /_nodes/http',
        'HEAD /_alias/logstash',
      ],
    ],
    ['Vector', ['GET /_cluster/health', 'GET /']],
    [
      'Fluent Bit and Fluentd',
      ['GET /', 'HEAD /', 'HEAD /logs', 'PUT /logs', 'GET /_nodes/_all/http', 'HEAD /_component_template/c'],
    ],
  ])('%s gets to its first _bulk', async (_name, requests) => {
    const one = await start();
    for (const text of requests) {
      const [method = '', path = ''] = text.split(' ');
      const hasBody = method === 'PUT' || method === 'POST';
      const response = await fetch(`${one.url}${path}`, { method, ...(hasBody ? { body: '{}' } : {}) });
      expect([text, response.status, response.headers.get('x-elastic-product')]).toEqual([text, 200, 'Elasticsearch']);
    }
  });
});

it('tells clients that ask for nodes where they are', async () => {
  const one = await start();
  const answer = (await (await fetch(`${one.url}/_nodes/http`)).json()) as {
    nodes: Record<string, { http: { publish_address: string } }>;
  };
  expect(Object.values(answer.nodes).map(({ http }) => `http://${http.publish_address}`)).toEqual([one.url]);
  const client = new Client({ node: one.url, sniffOnStart: true, maxRetries: 0 });
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await client.index({ index: 'sniffed', document: { message: 'a' } })).toMatchObject({ result: 'created' });
  await client.close();
});

it('takes actions with more beside them, as Elasticsearch does', async () => {
  const one = await start();
  // As winston-elasticsearch 0.19 sends it again.
  const body =
    '{"index":{"_index":"logs-2026.11.21","pipeline":null},"attempts":2}\n' +
    '{"@timestamp":"2026-11-21T18:47:28.751Z","message":"again","severity":"warn","fields":{"order":7}}\n';
  expect(await (await bulk(one, body)).json()).toMatchObject({ errors: false });
  expect(await one.records()).toMatchObject([{ service: 'logs', body: 'again', severityText: 'warn' }]);
});

describe('hostile requests', () => {
  it('damaged ones are refused or read, whatever the seed', async () => {
    const body = Buffer.from(
      `{"create":{"_index":"a"}}\n${json(filebeatEvent)}\n{"index":{}}\n{"message":"m","n":12345678901234567890,"deep":{"a":{"b":[{"c":1}]}}}\n`,
    );
    const random = randomFrom(9_200);
    let taken = 0;
    let refused = 0;
    for (let i = 0; i < 4_000; i++) {
      const hostile = damaged(body, random);
      try {
        takeOperations(hostile, operationsOf(hostile, ''), () => void taken++, 1_780_000_000_000);
      } catch (error) {
        if (!(error instanceof LogweirError)) throw error;
        refused++;
      }
    }
    expect([taken > 1_000, refused > 500]).toEqual([true, true]);
  });

  it('deep, huge and many', async () => {
    const one = await start({ limits: { bodyBytesMax: 1_000_000 } });
    const deep = `{"index":{}}\n${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}\n{"index":{}}\n{"message":"good","__proto__":{"x":1},"constructor":"c"}\n`;
    expect(await (await bulk(one, deep)).json()).toMatchObject({
      errors: true,
      items: [{ index: { status: 400 } }, { index: { status: 201 } }],
    });
    const [good] = await one.records();
    expect(good?.attributes['constructor']).toBe('c');
    const bomb = await fetch(`${one.url}/_bulk`, {
      method: 'POST',
      body: gzipSync(Buffer.alloc(5_000_000, '{"index":{}}\n')),
      headers: { 'content-encoding': 'gzip' },
    });
    expect([bomb.status, ((await bomb.json()) as { error: { type: string } }).error.type]).toEqual([
      413,
      'content_too_long_exception',
    ]);
    expect(() => operationsOf(Buffer.from('{"delete":{}}\n'.repeat(500_001)), '')).toThrow('over 500000 records');
  });
});

it.each([
  ['filebeat-8.17.0-2026.06.01-000001', 'filebeat'],
  ['.ds-logs-nginx.access-default-2026.06.01-000002', 'logs-nginx.access-default'],
  ['logstash-2026.06', 'logstash'],
  ['fluentd', 'fluentd'],
  ['', 'unknown_service'],
])('takes %j for the service %s', (index, service) => {
  expect(serviceOfIndex(index)).toBe(service);
});
