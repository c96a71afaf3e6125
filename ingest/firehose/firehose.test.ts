/**
 * Requests are shaped as AWS documents them (HTTP endpoint delivery request and response specifications; subscription
 * filters of CloudWatch Logs with their example events); nothing of AWS can be run here.
 */
import { gzipSync } from 'node:zlib';
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

const requestId = 'ed4acda5-034f-9f42-bba1-f29aea6d7d8f';

function deliver(
  data: readonly (string | Buffer)[],
  headers: Record<string, string> = {},
  timestamp = 1,
): Promise<Response> {
  const records = data.map((one) => ({ data: Buffer.from(one).toString('base64') }));
  return fetch(`${world.url}/aws/firehose`, {
    method: 'POST',
    body: JSON.stringify({ requestId, timestamp, records }),
    headers: {
      'content-type': 'application/json',
      'user-agent': 'Amazon Kinesis Data Firehose Agent/1.0',
      'x-amz-firehose-protocol-version': '1.0',
      'x-amz-firehose-request-id': requestId,
      'x-amz-firehose-source-arn': 'arn:aws:firehose:us-east-1:123456789:deliverystream/shop-logs',
      'x-amz-firehose-common-attributes':
        '{"commonAttributes":{"deployment-context":"pre-prod","service.environment":"test"}}',
      ...headers,
    },
  });
}

const cloudWatch = {
  messageType: 'DATA_MESSAGE',
  owner: '123456789012',
  logGroup: '/aws/lambda/checkout',
  logStream: '2025/11/21/[$LATEST]abc',
  subscriptionFilters: ['all'],
  logEvents: [
    {
      id: '3195310660696698337880902507980421114328961542429EXAMPLE',
      timestamp: 1_763_700_000_123,
      message: 'START RequestId: 1\n',
    },
    {
      id: '2',
      timestamp: 1_763_700_000_124,
      message: '{"level":"ERROR","message":"card declined","order":7}',
      extractedFields: { kind: 'x' },
    },
  ],
};

describe('deliveries', () => {
  it('of CloudWatch logs become records of their log group', async () => {
    const answer = await deliver([
      gzipSync(JSON.stringify(cloudWatch)),
      gzipSync(
        JSON.stringify({
          ...cloudWatch,
          messageType: 'CONTROL_MESSAGE',
          logEvents: [
            { id: '', timestamp: 1, message: 'CWL CONTROL MESSAGE: Checking health of destination Firehose.' },
          ],
        }),
      ),
    ]);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('application/json');
    const answered = (await answer.json()) as { requestId: string; timestamp: number };
    expect(answered.requestId).toBe(requestId);
    expect(answered.timestamp).toBeGreaterThan(1e12);
    const records = await world.records();
    expect(records).toHaveLength(2);
    expect(records[0]).toMatchObject({
      service: 'checkout',
      body: 'START RequestId: 1',
      time: '1763700000123000000',
      resource: {
        'cloud.provider': 'aws',
        'cloud.account.id': '123456789012',
        'aws.log.group.names': '/aws/lambda/checkout',
        'aws.log.stream.names': '2025/11/21/[$LATEST]abc',
        'deployment-context': 'pre-prod',
        'deployment.environment.name': 'test',
        'aws.firehose.arn': 'arn:aws:firehose:us-east-1:123456789:deliverystream/shop-logs',
      },
    });
    expect(records[1]).toMatchObject({
      body: 'card declined',
      severityText: 'ERROR',
      attributes: { order: '7', kind: 'x', 'aws.cloudwatch.event_id': '2' },
    });
  });

  it('of JSON objects and lines become records, of the stream where they name no service', async () => {
    expect(
      (await deliver(['{"msg":"a","service":"s"}{"msg":"b"}\n', 'line one\nline two\n', '{"msg":"c"}\nrest'])).status,
    ).toBe(200);
    expect((await world.records()).map(({ service, body }) => [service, body])).toEqual([
      ['s', 'a'],
      ['shop-logs', 'b'],
      ['shop-logs', 'line one'],
      ['shop-logs', 'line two'],
      ['shop-logs', 'c'],
      ['shop-logs', 'rest'],
    ]);
  });

  it('that are made again carry the same names, whatever time they say', async () => {
    await deliver(['a', 'b'], {}, 1);
    await deliver(['a', 'b'], {}, 2);
    const keys = await world.idempotency();
    expect(keys.map(({ ordinal }) => ordinal)).toEqual([0, 1, 0, 1]);
    expect(new Set(keys.map(({ key }) => key)).size).toBe(1);
  });

  it('set aside what cannot be read, and bound what is unpacked', async () => {
    const broken = gzipSync('x'.repeat(100)).subarray(0, 20);
    expect((await deliver([broken, 'ok'])).status).toBe(200);
    expect((await world.records()).map(({ body }) => body)).toEqual(['ok']);
    expect(dead.letters.at(-1)).toMatchObject({ reason: 'malformed', receiver: 'firehose' });
    const bomb = gzipSync(Buffer.alloc(20 << 20));
    const answer = await deliver([bomb, bomb]);
    expect(answer.status).toBe(413);
    expect(await answer.json()).toMatchObject({
      requestId,
      errorMessage: expect.stringContaining('33554432') as unknown,
    });
    const post = (body: string): Promise<Response> => fetch(`${world.url}/aws/firehose`, { method: 'POST', body });
    for (const body of ['', '[]', '{"records":1}', '{']) expect((await post(body)).status).toBe(400);
    expect((await post('{"records":[1,{},{"data":7}]}')).status).toBe(200);
  });

  it('need an access key where one is configured', async () => {
    await world.stop();
    world = await openGateway({ tokens: { firehose: ['secret'] } });
    const refused = await deliver(['a']);
    expect([refused.status, ((await refused.json()) as { requestId: string }).requestId]).toEqual([401, requestId]);
    expect((await deliver(['a'], { 'x-amz-firehose-access-key': 'secret' })).status).toBe(200);
  });
});
