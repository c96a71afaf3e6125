/** A record that was not taken out of a request is a request of its own on the shelf: with what it came with, under its own key. */
import { Packr } from 'msgpackr';
import { afterEach, describe, expect, it } from 'vitest';
import { CollectedDeadLetters } from '#bus/mod.ts';
import { type DeadLetter, deadRetryHeader } from '#protocol/mod.ts';
import { httpTargets } from './fuzz/targets.ts';
import { jsonLogs } from './otlp/json-logs.ts';
import { ProtobufLogs } from './otlp/protobuf-logs.ts';
import { openSockets, sendTo } from './sockets.fixture.ts';
import { openGateway, type TestGateway } from './testing/gateway.ts';

const open: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.stop();
});

interface World extends TestGateway {
  letters: DeadLetter[];
  post: (path: string, headers: Record<string, string>, body: Uint8Array | string) => Promise<number>;
  /** As `logweir dead retry` does it. `bytes`: instead of the letter's. */
  again: (letter: DeadLetter | undefined, bytes?: Uint8Array | string) => Promise<number>;
}

async function gateway(): Promise<World> {
  const dead = new CollectedDeadLetters();
  const one = await openGateway({ dead });
  open.push(one);
  const post: World['post'] = async (path, headers, body) =>
    (await fetch(`${one.url}${path}`, { method: 'POST', headers, body: Buffer.from(body as string) })).status;
  return {
    ...one,
    letters: dead.letters,
    post,
    again: (letter, bytes) => {
      const { path, contentType, encoding, headers } = letter?.resend ?? { path: '/none', contentType: '' };
      const packed = encoding === undefined ? {} : { 'content-encoding': encoding };
      const key = { 'idempotency-key': 'dead-1', [deadRetryHeader]: '1' };
      return post(path, { ...headers, 'content-type': contentType, ...packed, ...key }, bytes ?? letter?.bytes ?? '');
    },
  };
}

const textOf = (letter: DeadLetter | undefined): string => Buffer.from(letter?.bytes ?? []).toString();
const long = 'x'.repeat(300_000);
const packr = new Packr({ useRecords: false });
const json = { 'content-type': 'application/json' };

describe('a record of OTLP', () => {
  const targets = httpTargets.filter(({ receiver }) => receiver === 'otlpHttp');

  it('says alone what it said in its request, in both encodings', async () => {
    const { post, records } = await gateway();
    for (const { path, headers, body } of targets) {
      const before = (await records()).length;
      await post(path, headers, body);
      const whole = (await records()).slice(before);
      const parts: (Buffer | undefined)[] = [];
      if (headers['content-type'] === 'application/json')
        for (const { alone } of jsonLogs(body, 0)) parts.push(alone()?.());
      else for (const logs = new ProtobufLogs(body, 0); logs.next() !== 'end'; ) parts.push(logs.alone?.());
      for (const part of parts) await post(path, headers, part ?? '');
      const alone = (await records()).slice(before + whole.length);
      // Who says no time is given that of the request.
      const said = (all: typeof whole): unknown =>
        all.map(({ observedMs, time, ...one }) => ({ ...one, time: time.startsWith(String(observedMs)) ? '' : time }));
      expect(said(alone)).toEqual(said(whole));
      expect(whole.length).toBeGreaterThan(1);
    }
  });

  it('that is too long is refused again, and gets no second letter', async () => {
    const { post, again, letters } = await gateway();
    const record = (body: string): object => ({ body: { stringValue: body } });
    const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] };
    const scopeLogs = [{ scope: { name: 'lib' }, logRecords: [record('a'), record(long)] }];
    expect(await post('/v1/logs', json, JSON.stringify({ resourceLogs: [{ resource, scopeLogs }] }))).toBe(200);
    expect(letters).toHaveLength(1);
    expect(JSON.parse(textOf(letters[0]))).toEqual({
      resourceLogs: [{ resource, scopeLogs: [{ scope: { name: 'lib' }, logRecords: [record(long)] }] }],
    });
    expect(await again(letters[0])).toBe(200);
    expect(letters).toHaveLength(1);
  });

  it('whose resource is too large for it stays a record, and cannot be sent', () => {
    const attributes = [{ key: 'a', value: { stringValue: long } }];
    const body = { resourceLogs: [{ resource: { attributes }, scopeLogs: [{ logRecords: [{}, {}] }] }] };
    expect(jsonLogs(Buffer.from(JSON.stringify(body)), 0).map(({ alone }) => alone())).toEqual([null, null]);
  });
});

describe('an entry of Loki', () => {
  it('keeps its labels and its tenant', async () => {
    const { post, again, letters, records } = await gateway();
    const tenant = { 'x-scope-orgid': 'team-1' };
    const push = '{"streams":[{"stream":{"app":"till"},"values":[["1780000000000000000","a"],["1"]]}]}';
    await post('/loki/api/v1/push', { ...json, ...tenant }, push);
    await post('/loki/api/v1/push', { ...json, ...tenant }, push.replaceAll('"values"', '"entries"'));
    expect(letters.map(({ resend }) => resend?.headers)).toEqual([tenant, tenant]);
    for (const letter of letters) {
      expect(await again(letter)).toBe(400);
      expect(await again(letter, textOf(letter).replace('["1"]', '["1780000000000000000","mended"]'))).toBe(204);
    }
    expect(letters).toHaveLength(2);
    const mended = (await records()).filter(({ body }) => body === 'mended');
    expect(mended).toHaveLength(2);
    expect(mended[0]).toMatchObject({ service: 'till', resource: { 'loki.tenant': 'team-1' } });
  });

  it('keeps them in protobuf, too', async () => {
    const { post, again, letters } = await gateway();
    const target = httpTargets.find((one) => one.receiver === 'loki' && one.headers !== json && one.records === 2);
    // The last line of the request is made longer than what is left of it.
    const broken = Buffer.from(target?.body ?? []);
    broken[broken.lastIndexOf('line') - 1] = 0x7f;
    expect(await post('/loki/api/v1/push', target?.headers ?? {}, broken)).toBe(400);
    expect(letters).toMatchObject([{ reason: 'malformed', resend: { path: '/loki/api/v1/push', encoding: 'gzip' } }]);
    expect(await again(letters[0])).toBe(400);
    expect(letters).toHaveLength(1);
  });
});

describe('an event of the forward protocol', () => {
  it('is sent again over HTTP under its tag', async () => {
    const dead = new CollectedDeadLetters();
    const world = await openSockets('forward', { dead });
    open.push(world);
    const events = [
      [1_780_000_000, 'no map'],
      [1_780_000_000, { log: 'good' }],
      [1_780_000_000, { log: long }],
    ];
    await sendTo(world.port('forward'), packr.pack(['shop.web', events]), packr.pack(['shop', 1_780_000_000, 7]));
    expect(dead.letters.map(({ reason, resend }) => [reason, resend?.path])).toEqual([
      ['malformed', '/fluent?tag=shop.web'],
      ['too_long', '/fluent?tag=shop.web'],
      ['malformed', '/fluent?tag=shop'],
    ]);
    expect(dead.letters.map(({ bytes }) => packr.unpack(bytes) as unknown)).toEqual([
      events[0],
      events[2],
      [1_780_000_000, 7],
    ]);
    const { again, letters, records } = await gateway();
    for (const letter of dead.letters) expect(await again(letter)).toBe(400);
    expect(letters).toHaveLength(0);
    expect(await again(dead.letters[0], packr.pack([1_780_000_000, { log: 'mended', container_id: 'c' }]))).toBe(200);
    expect(await records()).toMatchObject([
      { service: 'shop.web', body: 'mended', attributes: { 'fluent.tag': 'shop.web', 'container.id': 'c' } },
    ]);
  });

  it('is taken from whoever sends rows of them', async () => {
    const { post, letters, records } = await gateway();
    const type = { 'content-type': 'application/msgpack' };
    const rows = Buffer.concat([
      packr.pack([[1_780_000_000, { pod: 'p' }], { log: 'as Fluent Bit sends it' }]),
      packr.pack([1_780_000_001, []]),
    ]);
    expect(await post('/fluent', { ...type, 'fluent-tag': 'kube' }, rows)).toBe(200);
    expect(await records()).toMatchObject([{ service: 'kube', time: '1780000000000000000' }]);
    expect(letters).toHaveLength(1);
    expect(await post('/fluent?tag=a', type, rows.subarray(0, 20))).toBe(400);
    expect(await post('/fluent?tag=a', json, rows)).toBe(415);
    expect(await records()).toHaveLength(1);
  });
});

describe('an entry of a journal', () => {
  it('counts under its own key, not under that of the upload it came in', async () => {
    const { post, again, letters, records, idempotency } = await gateway();
    const type = { 'content-type': 'application/vnd.fdo.journal' };
    const entries = ['__CURSOR=s=1;i=1\n_COMM=oven\nNOTE=two\n\n', '__CURSOR=s=1;i=2\n_COMM=oven\nMESSAGE=b\n\n'];
    expect(await post('/upload', type, entries.join(''))).toBe(202);
    expect(letters.map(textOf)).toEqual([entries[0]]);
    expect(await again(letters[0])).toBe(400);
    expect(await again(letters[0], `${textOf(letters[0]).trimEnd()}\nMESSAGE=a\n\n`)).toBe(202);
    expect(letters).toHaveLength(1);
    expect((await records()).map(({ body }) => body)).toEqual(['b', 'a']);
    const keys = await idempotency();
    expect(keys[0]?.key).not.toBe(keys[1]?.key);
  });

  it('keeps fields of several lines', async () => {
    const { post, letters } = await gateway();
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(3n);
    const entry = Buffer.concat([Buffer.from('NOTE\n'), size, Buffer.from('a\nb\n_PID=1\n\n')]);
    await post('/upload', { 'content-type': 'application/vnd.fdo.journal' }, entry);
    expect(Buffer.from(letters[0]?.bytes ?? []).equals(entry)).toBe(true);
  });
});

describe('a message over a socket', () => {
  it('that makes too long a record is kept whole, as a line of /ingest', async () => {
    const dead = new CollectedDeadLetters();
    const world = await openSockets('gelf', { dead });
    open.push(world);
    // The message is within the limit, and with what names and values take beside it the record is not.
    const fields = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`_f${i}`, 'v']));
    const body = 'x'.repeat(261_700);
    await sendTo(world.port('gelf'), `${JSON.stringify({ short_message: body, host: 'h', ...fields })}\0`);
    expect(dead.letters).toMatchObject([{ reason: 'too_long', resend: { path: '/ingest' } }]);
    expect(JSON.parse(textOf(dead.letters[0]))).toMatchObject({ body, f29: 'v', 'host.name': 'h' });
  });
});
