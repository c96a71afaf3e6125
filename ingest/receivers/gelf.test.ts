/** GELF: what a client that we did not write sends, pieces in any order, and what hostile ones get. */
import { createSocket } from 'node:dgram';
import { createRequire } from 'node:module';
import { deflateSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { testCertificate } from '../certificate.fixture.ts';
import {
  connectTo,
  mutated,
  openSockets,
  randomOf,
  type Stored,
  sendTo,
  until,
  type World,
} from '../sockets.fixture.ts';
import { gelfRecord } from './gelf.ts';

interface GelfPro {
  setConfig(config: object): void;
  error(message: string, extra: object, done: (error: Error | null) => void): void;
}
const gelfPro = (): GelfPro => {
  const require = createRequire(import.meta.url);
  return Object.create(require('gelf-pro') as GelfPro) as GelfPro;
};

const worlds: World[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.stop();
});

async function open(...more: Parameters<typeof openSockets> extends [unknown, ...infer R] ? R : never): Promise<World> {
  const world = await openSockets('gelf', ...more);
  worlds.push(world);
  return world;
}

async function sendDatagrams(world: World, ...datagrams: Uint8Array[]): Promise<void> {
  const socket = createSocket('udp4');
  for (const datagram of datagrams)
    await new Promise((resolve) => socket.send(datagram, world.port('gelf'), '127.0.0.1', resolve));
  socket.close();
}

const message = (n: number, more: object = {}): Buffer =>
  Buffer.from(
    JSON.stringify({
      version: '1.1',
      host: 'web-1',
      short_message: `line ${n}`,
      timestamp: 1_795_255_200.123,
      level: 4,
      _app: 'shop',
      ...more,
    }),
  );

/** A message in so many pieces. */
function pieces(id: number, data: Buffer, count: number): Buffer[] {
  const size = Math.ceil(data.length / count);
  return Array.from({ length: count }, (_, i) =>
    Buffer.concat([
      Buffer.from([0x1e, 0x0f, 0, 0, 0, 0, 0, 0, id >> 8, id & 255, i, count]),
      data.subarray(i * size, (i + 1) * size),
    ]),
  );
}

describe('gelf-pro', () => {
  const send = async (world: World, adapterName: string, text: string): Promise<Stored | undefined> => {
    const log = gelfPro();
    const tls = { ca: [testCertificate().cert], servername: 'localhost' };
    log.setConfig({
      fields: { facility: 'checkout', user: { id: 7 } },
      adapterName,
      adapterOptions: { host: '127.0.0.1', port: world.port('gelf'), ...(adapterName === 'tcp-tls' ? tls : {}) },
    });
    await new Promise<void>((resolve, reject) =>
      log.error(text, { order: 'A-7', ratio: 0.5 }, (error) => (error === null ? resolve() : reject(error))),
    );
    return (await world.settled(1))[0];
  };

  it.each(['udp', 'tcp', 'tcp-tls'])('over %s', async (adapter) => {
    const world = await open({ tls: { ...testCertificate(), clientCa: '', required: false } });
    expect(await send(world, adapter, 'card declined für 7')).toMatchObject({
      severity: 'err',
      severityNumber: 17,
      body: 'card declined für 7',
      fields: { order: 'A-7', ratio: '0.5', user_id: '7' },
    });
  });

  it('in compressed pieces', async () => {
    const world = await open();
    const random = randomOf(5);
    const text = Array.from({ length: 6_000 }, () => String.fromCharCode(0x4e00 + Math.floor(random() * 2_000))).join(
      '',
    );
    expect((await send(world, 'udp', text))?.body).toBe(text);
  });
});

describe('fields', () => {
  it('follows the conventions, and loses nothing', () => {
    const docker = {
      version: '1.1',
      host: 'node-1',
      short_message: 'GET /',
      timestamp: 1_795_255_200.5,
      level: 6,
      _container_id: 'abc',
      _container_name: '/web',
      _image_name: 'nginx:1',
      _tag: 'abc',
      _created: '2026',
      __proto: 1,
      _host: 'inner',
      _level: 'x',
    };
    const record = gelfRecord(docker, 0);
    expect(record).toMatchObject({
      service: 'web',
      severityNumber: 9,
      timeMs: 1_795_255_200_500,
      body: 'GET /',
      resource: ['host.name', 'node-1'],
    });
    const attributes = record?.attributes ?? [];
    expect(
      Object.fromEntries(
        Array.from({ length: attributes.length / 2 }, (_, i) => [attributes[2 * i], attributes[2 * i + 1]]),
      ),
    ).toEqual({
      'container.id': 'abc',
      'container.image.name': 'nginx:1',
      tag: 'abc',
      created: '2026',
      _proto: '1',
      _host: 'inner',
      level: 'x',
    });
  });

  it('reads a level that is none as a field like any other', () => {
    for (const level of [{ toString: 1 }, [[[]]], { valueOf: null, toString: null }, true])
      expect(gelfRecord({ short_message: 'a', level }, 0)).toMatchObject({ body: 'a', severityNumber: 0 });
    expect(gelfRecord({ short_message: 'a', level: '3' }, 0)).toMatchObject({ severityNumber: 17 });
  });

  it('takes the long message where it is the short one and more', () => {
    const trace = 'boom\n  at a\n  at b';
    expect(gelfRecord({ short_message: 'boom', full_message: trace }, 0)).toMatchObject({
      body: trace,
      attributes: undefined,
    });
    // As @log4js-node/gelf 1.0 sends it.
    expect(gelfRecord({ short_message: 'boom', _facility: 'till' }, 0)).toMatchObject({ service: 'till' });
    expect(gelfRecord({ short_message: 'boom', full_message: 'else', facility: 'app' }, 0)).toMatchObject({
      body: 'boom',
      service: 'app',
      attributes: ['gelf.full_message', 'else', 'gelf.facility', 'app'],
    });
  });
});

describe('UDP', () => {
  it('unpacks gzip and zlib, and puts pieces together in any order', async () => {
    const world = await open();
    const [a, b, c] = pieces(7, gzipSync(message(3)), 3) as [Buffer, Buffer, Buffer];
    await sendDatagrams(world, gzipSync(message(1)), deflateSync(message(2)), c, a, c, b, message(4));
    expect((await world.settled(4)).map(({ body }) => body)).toEqual(['line 1', 'line 2', 'line 3', 'line 4']);
  });

  it('holds no more pieces than it may, forgets them in time, and takes whole messages meanwhile', async () => {
    const world = await open();
    const counts = world.sockets.counts('gelf');
    for (let id = 0; id < 6_000; id += 100) {
      const some = Array.from({ length: 100 }, (_, i) => pieces(id + i, Buffer.alloc(60, 'x'), 2)[0] as Buffer);
      await sendDatagrams(world, ...some);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await until(() => counts.incomplete === 6_000 - 4_096);
    await sendDatagrams(world, message(1));
    expect(await world.settled(1)).toHaveLength(1);
    await until(() => counts.incomplete === 6_000);
  });

  it('refuses bombs, lies and what is no message', async () => {
    const world = await open();
    const bomb = gzipSync(Buffer.alloc(40 << 20, 'x'));
    const deep = Buffer.from(`{"short_message":"x","_a":${'['.repeat(10_000)}${']'.repeat(10_000)}}`);
    const hostile = [
      bomb,
      Buffer.from([0x1f, 0x8b, 8, 0]),
      Buffer.from('[1]'),
      Buffer.from('nonsense'),
      Buffer.from([0x1e, 0x0f, 1]),
    ];
    await sendDatagrams(
      world,
      ...hostile,
      Buffer.from([0x1e, 0x0f, 0, 0, 0, 0, 0, 0, 0, 0, 9, 3, 1]),
      deep,
      message(1),
    );
    await world.settled(1);
    expect(world.sockets.counts('gelf').malformed + world.sockets.counts('gelf').records).toBe(8);
  });
});

describe('TCP', () => {
  it('goes on behind a message that is too long or broken, whatever way bytes are cut', async () => {
    const world = await open();
    const zero = Buffer.alloc(1);
    const long = Buffer.from(JSON.stringify({ short_message: 'x'.repeat(600_000) }));
    const overRecord = Buffer.from(JSON.stringify({ short_message: 'x'.repeat(300_000) }));
    await sendTo(
      world.port('gelf'),
      message(1),
      zero,
      long,
      zero,
      overRecord,
      zero,
      Buffer.from('{'),
      zero,
      zero,
      message(2),
    );
    expect((await world.settled(2)).map(({ body }) => body)).toEqual(['line 1', 'line 2']);
    expect(world.sockets.counts('gelf')).toMatchObject({ malformed: 2, tooLong: 1, records: 2 });
  });

  it('keeps what it read while the stream was away', async () => {
    const world = await open();
    const restore = world.breakStream();
    await sendTo(world.port('gelf'), message(1), Buffer.alloc(1));
    restore();
    expect(await world.settled(1)).toHaveLength(1);
  });
});

describe('fuzz', () => {
  it.each([1, 2, 3])('seed %i: mutated messages and pieces', async (seed) => {
    const random = randomOf(seed);
    const world = await open();
    const base = [message(1), gzipSync(message(2)), deflateSync(message(3)), ...pieces(9, message(4), 3)];
    const neighbour = await connectTo(world.port('gelf'));
    for (let round = 0; round < 80; round++) {
      const hostile = mutated(base[Math.floor(random() * base.length)] as Buffer, random);
      await sendDatagrams(world, hostile);
      await sendTo(world.port('gelf'), hostile, Buffer.alloc(1), hostile);
    }
    neighbour.end(Buffer.concat([message(5, { _app: 'neighbour' }), Buffer.alloc(1)]));
    await until(
      () => world.sockets.counters()['gelfConnectionsNow'] === 0 && world.sockets.publisher.pendingBytes === 0,
    );
    expect((await world.records()).filter(({ service }) => service === 'neighbour')).toHaveLength(1);
  });
});
