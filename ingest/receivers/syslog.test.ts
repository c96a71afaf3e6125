/** Syslog over sockets: what clients that we did not write send, how connections frame, and what hostile ones get. */
import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { recordBytesMax } from '#protocol/mod.ts';
import { testCertificate } from '../certificate.fixture.ts';
import { RecordSink } from '../record-sink.ts';
import { connectTo, mutated, openSockets, randomOf, sendTo, until, type World } from '../sockets.fixture.ts';

const worlds: World[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.stop();
});

async function open(...more: Parameters<typeof openSockets> extends [unknown, ...infer R] ? R : never): Promise<World> {
  const world = await openSockets('syslog', ...more);
  worlds.push(world);
  return world;
}

const counted = (message: string): string => `${Buffer.byteLength(message)} ${message}`;
const message = (n: number): string => `<14>1 2026-11-21T10:00:0${n}Z web-1 shop 42 REQ - line ${n}`;
const logger = promisify(execFile);

describe("util-linux's logger", () => {
  it.each([
    ['UDP, RFC 5424', ['--udp', '--rfc5424']],
    ['UDP, RFC 3164', ['--udp', '--rfc3164']],
    ['TCP, newlines', ['--tcp', '--rfc5424']],
    ['TCP, octet count', ['--tcp', '--rfc5424', '--octet-count']],
    ['TCP, RFC 3164', ['--tcp', '--rfc3164']],
  ])('%s', async (_name, args) => {
    const world = await open();
    const target = ['--server', '127.0.0.1', '--port', String(world.port('syslog'))];
    const more = args.includes('--rfc5424') ? ['--sd-id', 'order@32473', '--sd-param', 'id="7"', '--msgid', 'PAY'] : [];
    await logger('logger', [
      ...target,
      ...args,
      ...more,
      '--tag',
      'checkout',
      '-p',
      'local3.err',
      'card declined für 7',
    ]);
    const [record] = await world.settled(1);
    expect(record).toMatchObject({
      service: 'checkout',
      severity: 'err',
      severityNumber: 17,
      body: 'card declined für 7',
      fields: { 'syslog.facility': 'local3' },
    });
    expect(record?.fields['host.name']).toBeTruthy();
    if (more.length > 0)
      expect(record?.fields).toMatchObject({
        'order@32473.id': '7',
        'syslog.msgid': 'PAY',
        'timeQuality.tzKnown': '1',
      });
  });
});

describe('a receiver that fails', () => {
  it('costs the sender alone, and is counted', async () => {
    const world = await openSockets('syslog');
    const take = vi.spyOn(RecordSink.prototype, 'add').mockImplementationOnce(() => {
      throw new TypeError('a bug');
    });
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    try {
      await sendTo(world.port('syslog'), '<34>Nov 21 10:00:00 h a: lost\n');
      await sendTo(world.port('syslog'), '<34>Nov 21 10:00:00 h a: taken\n');
      expect((await world.settled(1)).map(({ body }) => body)).toEqual(['taken']);
      expect(world.sockets.counts('syslog').failures).toBe(1);
      expect(warned).toHaveBeenCalledOnce();
    } finally {
      take.mockRestore();
      warned.mockRestore();
      await world.stop();
    }
  });
});

describe('framing', () => {
  it('finds octet counts whatever way the bytes are cut, newlines within messages included', async () => {
    const stream = Buffer.from([1, 2, 3].map((n) => counted(`${message(n)}\nand more`)).join(''));
    const random = randomOf(11);
    for (let round = 0; round < 20; round++) {
      const world = await open();
      const chunks: Buffer[] = [];
      for (let at = 0; at < stream.length; ) {
        const size = 1 + Math.floor(random() * 40);
        chunks.push(stream.subarray(at, at + size));
        at += size;
      }
      await sendTo(world.port('syslog'), ...chunks);
      expect((await world.settled(3)).map(({ body }) => body)).toEqual([1, 2, 3].map((n) => `line ${n}\nand more`));
    }
  });

  it('takes newlines, CR LF, NUL, and a last line without any', async () => {
    const world = await open();
    await sendTo(world.port('syslog'), `${message(1)}\n${message(2)}\r\n${message(3)}\0\n\n${message(4)}`);
    expect((await world.settled(4)).map(({ body }) => body)).toEqual([1, 2, 3, 4].map((n) => `line ${n}`));
  });

  it('does not take a line that begins with a number for a count', async () => {
    const world = await open();
    await sendTo(world.port('syslog'), '2026-11-21T10:00:00Z ERROR no disk\n404 <b>\n');
    expect((await world.settled(2)).map(({ body }) => body)).toEqual(['no disk', '404 <b>']);
  });

  it('goes on behind a message that is too long, however it is framed', async () => {
    const world = await open();
    const long = `<14>${'x'.repeat(recordBytesMax + 10)}`;
    await sendTo(world.port('syslog'), counted(message(1)), counted(long), counted(message(2)));
    await sendTo(world.port('syslog'), `${message(3)}\n${long}\n${message(4)}\n`);
    expect((await world.settled(4)).map(({ body }) => body)).toEqual([1, 2, 3, 4].map((n) => `line ${n}`));
    expect(world.sockets.counts('syslog')).toMatchObject({ tooLong: 2, malformed: 0 });
  });

  it('finds the next message behind a count that lied', async () => {
    const world = await open();
    await sendTo(world.port('syslog'), `${counted(message(1))}5 ${message(2)} 12 <x ${counted(message(3))}`);
    const bodies = (await world.settled(3)).map(({ body }) => body);
    expect([bodies[0], bodies.at(-1)]).toEqual(['line 1', 'line 3']);
    expect(world.sockets.counts('syslog').malformed).toBeGreaterThan(0);
  });

  it('drops a counted message that was cut off, and counts it', async () => {
    const world = await open();
    await sendTo(world.port('syslog'), `${counted(message(1))}${counted(message(2)).slice(0, 30)}`);
    expect(await world.settled(1)).toHaveLength(1);
    await until(() => world.sockets.counts('syslog').incomplete === 1);
  });
});

describe('messages', () => {
  const bodies = async (...datagrams: string[]) => {
    const world = await open({ settings: { utcOffsetMinutes: 120, sharedKey: '', hostName: '' } });
    const socket = createSocket('udp4');
    for (const datagram of datagrams)
      await new Promise((resolve) => socket.send(datagram, world.port('syslog'), '127.0.0.1', resolve));
    socket.close();
    return world.settled(datagrams.length);
  };

  it('keeps structured data that repeats, says nothing, or is more than a record holds', async () => {
    const many = Array.from({ length: 300 }, (_, i) => `k${i}="v${i}"`).join(' ');
    const [one, two] = await bodies(
      '<14>1 - h app - - [a@1 ip="1" ip="2"][flag@1] x',
      `<14>1 - h app - - [a@1 ${many}] y`,
    );
    expect(one?.fields).toMatchObject({ 'a@1.ip': '1', 'a@1.ip.2': '2', 'flag@1': 'true' });
    expect(two?.fields['a@1.k0']).toBe('v0');
    expect(two?.fields['attributes.rest']).toContain('k299="v299"');
    expect(two?.body).toBe('y');
  });

  it('takes stamps without a zone in the one that is configured', async () => {
    const stamp = new Date(Date.now() + 120 * 60_000);
    const text = `${['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'][stamp.getUTCMonth()]} ${String(stamp.getUTCDate()).padStart(2)} ${stamp.toISOString().slice(11, 19)}`;
    const [record] = await bodies(`<13>${text} host app: x`);
    expect(Math.abs((record?.timeMs ?? 0) - Date.now())).toBeLessThan(5_000);
  });

  it('knows RFC 5424 behind RFC 3164 on one socket', async () => {
    const stored = await bodies('<13>Nov 21 10:00:00 old su[1]: one', message(2), '<13>x', message(3));
    expect(stored.map(({ service, body }) => `${service}: ${body}`)).toEqual([
      'su: one',
      'shop: line 2',
      'unknown_service: x',
      'shop: line 3',
    ]);
  });

  it('names the sender where the message names no host, and takes what is no syslog at all', async () => {
    const [one, two] = await bodies('<189>%LINK-3-UPDOWN: Interface down', '{"level":"warn","msg":"json","n":1}');
    expect(one).toMatchObject({
      severity: 'notice',
      body: 'Interface down',
      fields: { 'client.address': '127.0.0.1', 'syslog.msgid': 'LINK-3-UPDOWN', 'syslog.facility': 'local7' },
    });
    expect(two).toMatchObject({ severityNumber: 13, body: 'json', fields: { n: '1' } });
  });
});

describe('TLS', () => {
  const secure = async (required: boolean): Promise<World> =>
    open({ tls: { ...testCertificate(), clientCa: '', required } });
  const sendSecure = (world: World, text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const options = {
        port: world.port('syslog'),
        host: '127.0.0.1',
        ca: testCertificate().cert,
        servername: 'localhost',
      };
      const socket = connectTls(options, () => socket.end(text));
      socket.resume();
      socket.once('close', () => resolve());
      socket.once('error', reject);
    });

  it('works on the port of plain TCP', async () => {
    const world = await secure(false);
    await sendSecure(world, counted(message(1)));
    await sendTo(world.port('syslog'), counted(message(2)));
    expect((await world.settled(2)).map(({ body }) => body)).toEqual(['line 1', 'line 2']);
    await until(() => world.sockets.counters()['syslogConnectionsNow'] === 0);
  });

  it('refuses plain TCP where TLS is required, and survives what only looks like a handshake', async () => {
    const world = await secure(true);
    await sendTo(world.port('syslog'), counted(message(1)));
    await sendTo(world.port('syslog'), Buffer.from([0x16, 3, 1, 0, 5, 1, 2, 3, 4, 5]));
    await sendSecure(world, counted(message(2)));
    expect((await world.settled(1)).map(({ body }) => body)).toEqual(['line 2']);
    expect(world.sockets.counts('syslog')).toMatchObject({ refused: 1, malformed: 1 });
  });
});

describe('a port that is taken', () => {
  it('is said, and refused where it was asked for', async () => {
    const { sockets } = await open();
    const port = sockets.ports.syslog as number;
    const second = await open({ ports: { syslog: { port, mayBeTaken: true } } });
    expect(second.sockets.ports).toEqual({});
    await expect(openSockets('syslog', { ports: { syslog: { port } } })).rejects.toMatchObject({ code: 'PORT_TAKEN' });
  });
});

describe('limits', () => {
  it('reads no further while the stream takes nothing, and loses nothing', async () => {
    const world = await open({ pendingBytesMax: 1 << 20 });
    const restore = world.breakStream();
    const socket = await connectTo(world.port('syslog'));
    const lines = Array.from({ length: 30_000 }, (_, i) => `<14>1 - h app - - - ${'x'.repeat(60)} ${i}\n`);
    socket.end(lines.join(''));
    await until(() => world.sockets.counts('syslog').pauses > 0);
    const held = world.sockets.publisher.pendingBytes;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(world.sockets.publisher.pendingBytes).toBe(held);
    expect(held).toBeLessThan(1.5 * (1 << 20));
    restore();
    const stored = await world.settled(lines.length);
    expect(stored.map(({ body }) => Number(body.slice(61)))).toEqual(lines.map((_, i) => i));
  });

  it('drops datagrams when it is full, and counts them', async () => {
    const world = await open({ pendingBytesMax: 20_000 });
    const restore = world.breakStream();
    const socket = createSocket('udp4');
    for (let i = 0; i < 100; i++)
      await new Promise((resolve) =>
        socket.send(`<14>${'x'.repeat(900)} ${i}`, world.port('syslog'), '127.0.0.1', resolve),
      );
    const counts = world.sockets.counts('syslog');
    await until(() => counts.records + counts.dropped === 100);
    expect(world.sockets.publisher.pendingBytes).toBeLessThan(20_000);
    expect([counts.records > 0, counts.dropped > 0]).toEqual([true, true]);
    socket.close();
    restore();
    expect(await world.settled(counts.records)).toHaveLength(counts.records);
  });

  it('refuses connections over the limit, and takes others again when some have gone', async () => {
    const world = await open({ limits: { connectionsPerAddressMax: 3 } });
    const sockets = await Promise.all(Array.from({ length: 3 }, () => connectTo(world.port('syslog'))));
    for (let i = 0; i < 200; i++) await sendTo(world.port('syslog'), message(1)).catch(() => {});
    expect(world.sockets.counts('syslog')).toMatchObject({ refused: 200, connections: 3 });
    for (const socket of sockets) socket.end();
    await until(() => world.sockets.counters()['syslogConnectionsNow'] === 0);
    await sendTo(world.port('syslog'), message(2));
    expect(await world.settled(1)).toHaveLength(1);
  });

  it('ends connections that are idle or never finish a message, and keeps their neighbours', async () => {
    const world = await open({ limits: { idleMs: 1_500, messageMs: 300 } });
    const idle = await connectTo(world.port('syslog'));
    const slow = await connectTo(world.port('syslog'));
    const good = await connectTo(world.port('syslog'));
    const closed: string[] = [];
    for (const [name, socket] of Object.entries({ idle, slow, good })) {
      socket.on('error', () => {});
      socket.resume();
      socket.once('close', () => closed.push(name));
    }
    slow.write('500 <14>');
    let sent = 0;
    const timer = setInterval(() => {
      slow.write('x');
      good.write(`<14>1 - h app - - - ${sent++}\n`);
    }, 50);
    await until(() => closed.length === 2);
    clearInterval(timer);
    expect(closed).toEqual(['slow', 'idle']);
    good.end();
    expect(await world.settled(sent)).toHaveLength(sent);
    expect(world.sockets.counts('syslog').timedOut).toBe(2);
  });

  it('ends the connection whose unfinished message takes the last of the room', async () => {
    const world = await open({ limits: { openBytesMax: 300_000 } });
    const sockets = await Promise.all(Array.from({ length: 3 }, () => connectTo(world.port('syslog'))));
    for (const socket of sockets) {
      socket.on('error', () => {});
      socket.resume();
      socket.write(`200000 <14>${'x'.repeat(150_000)}`);
    }
    await until(() => world.sockets.counts('syslog').overfull > 0);
    await sendTo(world.port('syslog'), message(1));
    expect(await world.settled(1)).toHaveLength(1);
    for (const socket of sockets) socket.destroy();
  });
});

describe('fuzz', () => {
  it.each([1, 2, 3, 4])(
    'seed %i: mutated streams and datagrams end no process, hang nothing, and neighbours get through',
    async (seed) => {
      const random = randomOf(seed);
      const world = await open();
      const udp = createSocket('udp4');
      const base = [
        counted(message(1)),
        `${message(2)}\n`,
        '<34>Oct 11 22:14:15 mymachine su[7]: x\n',
        counted('<13>\u001b[31mred\0\ufeff'),
      ];
      for (let round = 0; round < 60; round++) {
        const stream = Buffer.from(Array.from({ length: 6 }, () => base[Math.floor(random() * base.length)]).join(''));
        let hostile = mutated(stream, random);
        for (let more = random() * 4; more > 0; more--)
          hostile = mutated(hostile.length > 0 ? hostile : stream, random);
        await sendTo(world.port('syslog'), hostile);
        udp.send(hostile, world.port('syslog'), '127.0.0.1');
      }
      udp.close();
      await sendTo(world.port('syslog'), '<14>1 - h neighbour - - - through\n');
      await until(() => world.sockets.publisher.pendingBytes === 0);
      expect((await world.records()).filter(({ service }) => service === 'neighbour')).toHaveLength(1);
      expect(world.sockets.counters()['syslogConnectionsNow']).toBe(0);
    },
  );
});
