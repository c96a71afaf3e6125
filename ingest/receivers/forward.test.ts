/** Fluent forward: what a client that we did not write sends and hears, and what hostile ones get. */
import { createRequire } from 'node:module';
import { createSocket } from 'node:dgram';
import { gzipSync } from 'node:zlib';
import { Packr } from 'msgpackr';
import { afterEach, describe, expect, it } from 'vitest';
import { MsgpackReader } from '../msgpack.ts';
import { connectTo, mutated, openSockets, randomOf, sendTo, until, type World } from '../sockets.fixture.ts';

interface Client {
  emit(label: string, data: object, time: Date): Promise<void>;
  shutdown(): Promise<void>;
}
const require = createRequire(import.meta.url);
const { FluentClient } = require('@fluent-org/logger') as {
  FluentClient: new (prefix: string, options: object) => Client;
};

const worlds: World[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.stop();
});

async function open(...more: Parameters<typeof openSockets> extends [unknown, ...infer R] ? R : never): Promise<World> {
  const world = await openSockets('forward', ...more);
  worlds.push(world);
  return world;
}

const packr = new Packr({ useRecords: false, variableMapSize: true });
const pack = (value: unknown): Buffer => Buffer.from(packr.pack(value));
const clientFor = (world: World, more: object): Client =>
  new FluentClient('shop', { socket: { host: '127.0.0.1', port: world.port('forward'), timeout: 3_000 }, ...more });
const time = new Date(1_795_255_200_123);

/** Sends and reads what comes back until it is a whole value. */
async function ask(world: World, message: Uint8Array): Promise<unknown> {
  const socket = await connectTo(world.port('forward'));
  socket.write(message);
  const answer = await new Promise<Buffer>((resolve) => socket.once('data', resolve));
  socket.destroy();
  return new MsgpackReader(answer).value();
}

describe('@fluent-org/logger', () => {
  it.each(['Message', 'Forward', 'PackedForward', 'CompressedPackedForward'])('%s, acknowledged', async (eventMode) => {
    const world = await open();
    const client = clientFor(world, { eventMode, ack: {}, milliseconds: true });
    await client.emit(
      'web',
      { level: 'warn', log: 'disk für 7\n', n: 1.5, deep: { a: [1, 'x'] }, container_name: '/web-1' },
      time,
    );
    // The answer came, so the stream has it.
    const [record] = await world.records();
    expect(record).toMatchObject({
      service: 'web-1',
      severityNumber: 13,
      body: 'disk für 7',
      fields: { 'fluent.tag': 'shop.web', n: '1.5', 'deep.a': '[1,"x"]' },
    });
    expect(Math.floor((record?.timeMs ?? 0) / 1_000)).toBe(Math.floor(time.getTime() / 1_000));
    expect(record?.idempotencyKey).toHaveLength(22);
    await client.shutdown();
  });

  it('proves that it knows the key, and is refused where it does not', async () => {
    const world = await open({ settings: { utcOffsetMinutes: 0, sharedKey: 'secret', hostName: 'gateway' } });
    const security = (sharedKey: string) => ({ security: { clientHostname: 'c', sharedKey }, ack: {} });
    const client = clientFor(world, security('secret'));
    await client.emit('web', { log: 'x' }, time);
    await client.shutdown();
    expect(await world.records()).toHaveLength(1);
    await sendTo(
      world.port('forward'),
      pack(['PING', 'c', 'salt', '0'.repeat(128), '', '']),
      pack(['t', 1, { log: 'y' }]),
    );
    await sendTo(world.port('forward'), pack(['t', 1, { log: 'unasked' }]));
    expect(world.sockets.counts('forward')).toMatchObject({ records: 1, malformed: 1, refused: 1 });
  });
});

describe('acknowledgement', () => {
  it('waits for the stream, and a chunk that comes again carries the same key', async () => {
    const world = await open();
    const restore = world.breakStream();
    const chunk = pack([
      'app',
      Buffer.concat([pack([1_795_255_200, { log: 'a' }]), pack([1_795_255_200, { log: 'b' }])]),
      { chunk: 'c1' },
    ]);
    let answered = false;
    const first = ask(world, chunk).then((answer) => {
      answered = true;
      return answer;
    });
    await until(() => world.sockets.publisher.counts.retries > 1);
    expect(answered).toBe(false);
    restore();
    expect({ ...((await first) as object) }).toEqual({ ack: 'c1' });
    await ask(world, chunk);
    const stored = await world.records();
    expect(stored.map(({ body }) => body)).toEqual(['a', 'b', 'a', 'b']);
    expect(new Set(stored.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);
  });

  it('is not given for what cannot be read, and neighbours go on', async () => {
    const world = await open();
    await sendTo(
      world.port('forward'),
      pack(['app', gzipSync(Buffer.alloc(40 << 20)), { chunk: 'bomb', compressed: 'gzip' }]),
    );
    await sendTo(world.port('forward'), pack(['app', Buffer.from('lie'), { chunk: 'lie', compressed: 'gzip' }]));
    await ask(world, pack(['app', 1, { log: 'good' }, { chunk: 'c' }]));
    expect(world.sockets.counts('forward')).toMatchObject({ tooLong: 1, malformed: 1, records: 1 });
  });
});

describe('a message with many events', () => {
  const many = (tag: string, count: number, packed: boolean): Buffer => {
    const events = Array.from({ length: count }, (_, i) => [1_795_255_200, { log: String(i) }]);
    return pack([tag, packed ? Buffer.concat(events.map(pack)) : events, { chunk: tag }]);
  };

  it.each([true, false])('lets others have their turn meanwhile, and keeps its order (packed: %s)', async (packed) => {
    const world = await open();
    const large = ask(world, many('large', 20_000, packed));
    await until(() => world.sockets.counts('forward').records > 0);
    expect(world.sockets.counts('forward').records).toBeLessThan(20_000);
    await ask(world, many('small', 1, packed));
    await large;
    const stored = (await world.records()).map(({ service, body }) => ({ service, body }));
    const first = stored.findIndex(({ service }) => service === 'small');
    expect(first).toBeLessThan(20_000);
    expect(stored.filter((_, i) => i !== first).map(({ body }) => Number(body))).toEqual(
      Array.from({ length: 20_000 }, (_, i) => i),
    );
  });

  it('is taken whole though its sender hangs up, and the stream is behind', async () => {
    const world = await open({ pendingBytesMax: 300_000 });
    await sendTo(world.port('forward'), many('gone', 20_000, true), many('gone too', 10, true));
    expect(await world.settled(20_010)).toHaveLength(20_010);
  });
});

describe('messages', () => {
  it('come in any pieces, keep-alives and heartbeats between them', async () => {
    const world = await open();
    const eventTime = Buffer.from([
      0xd7,
      0,
      ...Buffer.from(`${(1_795_255_200).toString(16)}${(123_456_789).toString(16).padStart(8, '0')}`, 'hex'),
    ]);
    const fluentBit = Buffer.concat([
      Buffer.from([0x93]),
      pack('kube.app'),
      Buffer.from([0x91, 0x92, 0x92]),
      eventTime,
      pack({ trace: 'm' }),
      pack({ log: 'three', kubernetes: { pod_name: 'p-1', container_name: 'cart' }, stream: 'stderr' }),
      pack({ fluent_signal: 0 }),
    ]);
    const stream = Buffer.concat([
      pack(null),
      pack(['a', 1_795_255_200, { message: 'one', time: 'x' }]),
      pack(['b', [[0, { message: 'two', time: '2026-11-21T10:00:00Z' }]]]),
      fluentBit,
    ]);
    await sendTo(world.port('forward'), ...Array.from(stream, (byte) => Buffer.from([byte])));
    const stored = await world.settled(3);
    expect(stored).toMatchObject([
      { service: 'a', body: 'one', timeMs: 1_795_255_200_000, fields: { time: 'x' } },
      { service: 'b', body: 'two', timeMs: Date.UTC(2026, 10, 21, 10) },
      {
        service: 'cart',
        body: 'three',
        timeMs: 1_795_255_200_123,
        fields: { 'k8s.pod.name': 'p-1', 'log.iostream': 'stderr', 'fluent.metadata.trace': 'm' },
      },
    ]);
    const udp = createSocket('udp4');
    const beat = new Promise((resolve) => udp.once('message', resolve));
    udp.send(Buffer.alloc(1), world.port('forward'), '127.0.0.1');
    expect(await beat).toEqual(Buffer.alloc(1));
    udp.close();
  });

  it('that hold too much, too deep or no log are counted, each alone where it can be', async () => {
    const world = await open();
    const deep = Buffer.concat([Buffer.from([0x93]), pack('t'), pack(1), Buffer.alloc(10_000, 0x91), pack(1)]);
    await sendTo(world.port('forward'), deep);
    await sendTo(world.port('forward'), Buffer.from([0xdd, 255, 255, 255, 255]), Buffer.alloc(100, 0xc1));
    await sendTo(
      world.port('forward'),
      Buffer.concat([Buffer.from([0x92]), pack('t'), Buffer.from([0xc6, 255, 255, 255, 255])]),
      Buffer.alloc(100),
    );
    const events = [
      [1, { log: 'x'.repeat(300_000) }],
      [1, 'no map'],
      [1, {}],
      [1, { log: 'good', __proto: 1, n: 2n ** 63n }],
    ];
    await sendTo(
      world.port('forward'),
      pack(['t', events]),
      pack(['t', pack([1, { log: 'm' }]), { fluent_signal: 1 }]),
    );
    const [good] = await world.settled(1);
    expect(good?.fields).toMatchObject({ __proto: '1', n: '9223372036854775808' });
    await until(() => world.sockets.counts('forward').tooLong === 2);
    expect(world.sockets.counts('forward')).toMatchObject({ malformed: 5, records: 1 });
  });
});

describe('fuzz', () => {
  it.each([1, 2, 3])('seed %i: mutated messages', async (seed) => {
    const random = randomOf(seed);
    const world = await open();
    const entries = Buffer.concat([
      pack([1_795_255_200, { log: 'a', n: [1, { x: null }] }]),
      pack([1.5, { message: 'b' }]),
    ]);
    const base = [
      pack(['tag', 1_795_255_200, { log: 'x' }, { chunk: 'q' }]),
      pack([
        'tag',
        [
          [1, { log: 'x' }],
          [2, { log: 'y' }],
        ],
      ]),
      pack(['tag', entries, { size: 2, chunk: 'p' }]),
      pack(['tag', gzipSync(entries), { compressed: 'gzip', chunk: 'z' }]),
    ];
    for (let round = 0; round < 150; round++) {
      let hostile = mutated(base[Math.floor(random() * base.length)] as Buffer, random);
      if (random() < 0.3 && hostile.length > 0) hostile = mutated(hostile, random);
      await sendTo(world.port('forward'), hostile, base[0] as Buffer);
    }
    await ask(world, pack(['neighbour', 1, { log: 'through' }, { chunk: 'n' }]));
    await until(
      () => world.sockets.counters()['forwardConnectionsNow'] === 0 && world.sockets.publisher.pendingBytes === 0,
    );
    expect((await world.records()).filter(({ service }) => service === 'neighbour')).toHaveLength(1);
  });
});
