/**
 * Payloads are shaped as systemd-journal-upload 252 sent them (Debian 12, `--url=http://… --file=five.journal`, captured with
 * its headers); the program itself was tried against the receiver the same way.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { CollectedDeadLetters } from '#bus/mod.ts';
import { recordBytesMax } from '#protocol/mod.ts';
import { parseRates, Quotas } from '../admission/mod.ts';
import { emptyCounts, readRecords } from '../mod.ts';
import { resolveInputs } from '../files/mod.ts';
import { openGateway, type TestGateway } from '../testing/gateway.ts';
import { type JournalEntry, JournalExportReader } from './export-reader.ts';
import { recordOfEntry } from './record.ts';

const type = 'application/vnd.fdo.journal';
const cursor = (i: number): string =>
  `s=8f4f6bd202ce4c74a40abcfe3513b9cf;i=${i};b=${'a'.repeat(32)};m=3e8;t=6441367fd8800;x=3e99e3122a5ef7b4`;

function binary(name: string, value: Buffer): Buffer {
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(value.length));
  return Buffer.concat([Buffer.from(`${name}\n`), size, value, Buffer.from('\n')]);
}

/** One entry with what every entry has; `more` in the format itself. */
function entry(i: number, ...more: (string | Buffer)[]): Buffer {
  const head =
    `__CURSOR=${cursor(i)}\n__REALTIME_TIMESTAMP=${1_763_700_000_000_123 + i * 1_000}\n__MONOTONIC_TIMESTAMP=100${i}\n` +
    `_BOOT_ID=${'a'.repeat(32)}\n_MACHINE_ID=${'b'.repeat(32)}\n_HOSTNAME=bakery-1\n_SYSTEMD_UNIT=oven@3.service\n` +
    'SYSLOG_IDENTIFIER=ovend\n_PID=4711\n_TRANSPORT=stdout\n';
  const parts = more.map((part) => (typeof part === 'string' ? Buffer.from(`${part}\n`) : part));
  return Buffer.concat([Buffer.from(head), ...parts, Buffer.from('\n')]);
}

const five = Buffer.concat([
  entry(
    1,
    'PRIORITY=3',
    binary('MESSAGE', Buffer.from('Traceback\n  line two')),
    binary('BLOB', Buffer.from([0, 255, 10, 7])),
  ),
  entry(2, 'PRIORITY=6', 'MESSAGE=oven 2 is hot'),
  entry(3, 'PRIORITY=6', 'MESSAGE={"level":"warn","msg":"oven 3 is hot","degrees":240}'),
  entry(4, 'PRIORITY=6', 'MESSAGE=oven 4 is hot', 'OVEN=a', 'OVEN=b'),
  entry(5, 'MESSAGE='),
]);

function read(
  bytes: Buffer,
  chunkBytes = bytes.length,
): { entries: JournalEntry[]; malformed: string[]; rest: number } {
  const entries: JournalEntry[] = [];
  const malformed: string[] = [];
  const reader = new JournalExportReader({
    entry: (one) => entries.push(one),
    malformed: (reason) => malformed.push(reason),
  });
  for (let at = 0; at < bytes.length; at += chunkBytes) reader.push(bytes.subarray(at, at + chunkBytes));
  return { entries, malformed, rest: reader.end() };
}

const valueOf = (one: JournalEntry | undefined, name: string): string | undefined => {
  const at = one?.fields.indexOf(name) ?? -1;
  return at < 0 ? undefined : one?.fields[at + 1];
};

describe('the export format', () => {
  it('reads text and binary fields, however the bytes are cut', () => {
    const whole = read(five);
    expect(whole.entries).toHaveLength(5);
    expect(whole.rest).toBe(0);
    expect(valueOf(whole.entries[0], 'MESSAGE')).toBe('Traceback\n  line two');
    expect(valueOf(whole.entries[0], 'BLOB')).toBe('AP8KBw==');
    for (const chunkBytes of [1, 2, 7, 64, 333]) expect(read(five, chunkBytes)).toEqual(whole);
  });

  it('goes on behind an entry that is broken, and says what is left of the last', () => {
    const { entries, malformed, rest } = read(
      Buffer.concat([Buffer.from('what=is this\nFOO=1\n\n'), entry(1, 'MESSAGE=a'), Buffer.from('MESSAGE=b')]),
    );
    expect(entries.map((one) => valueOf(one, 'MESSAGE'))).toEqual(['a']);
    expect(malformed).toEqual(['a line is no field']);
    expect(rest).toBe(9);
    const lie = Buffer.alloc(9, 0xff);
    expect(read(Buffer.concat([Buffer.from('X\n'), lie, entry(1, 'MESSAGE=a'), five])).entries).toHaveLength(5);
  });

  it('names fields that are too large, and holds one entry at most', () => {
    const core = Buffer.alloc(3 * recordBytesMax, 0x61);
    const bytes = Buffer.concat([
      entry(1, 'MESSAGE=dumped', binary('COREDUMP', core), `COREDUMP_PROC_MAPS=${core.toString()}`),
      entry(2, 'MESSAGE=next'),
    ]);
    let openBytes = 0;
    const entries: JournalEntry[] = [];
    const reader = new JournalExportReader({ entry: (one) => entries.push(one), malformed: () => {} });
    for (let at = 0; at < bytes.length; at += 4_096) {
      reader.push(bytes.subarray(at, at + 4_096));
      openBytes = Math.max(openBytes, reader.openBytes);
    }
    expect(openBytes).toBeLessThan(2 * recordBytesMax + 8_192);
    expect(entries.map((one) => valueOf(one, 'MESSAGE'))).toEqual(['dumped', 'next']);
    expect(entries[0]?.omitted).toEqual([
      { name: 'COREDUMP', bytes: core.length },
      { name: 'COREDUMP_PROC_MAPS', bytes: core.length },
    ]);
    const record = recordOfEntry(entries[0] as JournalEntry, 0);
    expect(record).toMatchObject({ body: 'dumped' });
    expect('attributes' in record && record.attributes?.at(-1)).toContain('COREDUMP (786432 bytes)');
  });

  it('lets the largest fields give way to the message', () => {
    const [one] = read(
      entry(1, 'MESSAGE=m', ...['A', 'B', 'C'].map((name, i) => `${name}=${'x'.repeat(90_000 + i)}`)),
    ).entries;
    const record = recordOfEntry(one as JournalEntry, 0);
    const { attributes = [] } = record as { attributes?: string[] };
    expect(attributes).toContain('A');
    expect(attributes).not.toContain('C');
    expect(attributes.at(-1)).toBe('C (90003 bytes)');
  });
});

describe('services', () => {
  const serviceOf = (...fields: string[]): string | undefined => {
    const found = recordOfEntry({ fields: ['MESSAGE', 'm', ...fields], omitted: [] }, 0);
    return 'service' in found ? found.service : undefined;
  };

  it('are the unit, the container or the program', () => {
    expect(serviceOf('_SYSTEMD_UNIT', 'ssh.service', 'SYSLOG_IDENTIFIER', 'sshd')).toBe('ssh');
    expect(serviceOf('_SYSTEMD_UNIT', 'postgresql@15-main.service')).toBe('postgresql');
    expect(serviceOf('_SYSTEMD_UNIT', 'user@1000.service', '_SYSTEMD_USER_UNIT', 'backup.service')).toBe('backup');
    expect(serviceOf('_SYSTEMD_UNIT', 'session-3.scope', 'SYSLOG_IDENTIFIER', 'sudo')).toBe('sudo');
    expect(serviceOf('_TRANSPORT', 'kernel', 'SYSLOG_IDENTIFIER', 'kernel')).toBe('kernel');
    expect(serviceOf('_SYSTEMD_UNIT', 'docker.service', 'CONTAINER_NAME', 'shop')).toBe('shop');
    expect(serviceOf('_COMM', 'oven')).toBe('oven');
    expect(serviceOf()).toBe('unknown_service');
  });
});

async function upload(
  world: TestGateway,
  body: Buffer,
  {
    headers = {},
    port = world.gateway.ports['journald'],
    cut = false,
  }: {
    headers?: Record<string, string>;
    port?: number | undefined;
    cut?: boolean;
  } = {},
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        path: '/upload',
        method: 'POST',
        headers: { 'content-type': type, 'transfer-encoding': 'chunked', accept: 'text/plain', ...headers },
      },
      (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      },
    );
    sent.on('error', (error) => (cut ? resolve({ status: 0, text: error.message }) : reject(error)));
    for (let at = 0; at < body.length; at += 1_000) sent.write(body.subarray(at, at + 1_000));
    if (cut) setTimeout(() => sent.destroy(), 100);
    else sent.end();
  });
}

const withPort = { receiverPorts: { journald: { port: 0, mayBeTaken: false } } };

describe('POST /upload', () => {
  it('stores what systemd-journal-upload sends, on its own port and the main one', async () => {
    const world = await openGateway(withPort);
    try {
      expect(await upload(world, five)).toEqual({ status: 202, text: 'OK.\n' });
      const records = await world.records();
      expect(records.map(({ body }) => body)).toEqual([
        'Traceback\n  line two',
        'oven 2 is hot',
        'oven 3 is hot',
        'oven 4 is hot',
        '',
      ]);
      expect(records[0]).toMatchObject({
        service: 'oven',
        severityText: 'err',
        severityNumber: 17,
        time: '1763700000001123000',
        resource: { 'host.name': 'bakery-1', 'host.id': 'b'.repeat(32), 'systemd.unit': 'oven@3.service' },
        attributes: {
          'journald.cursor': cursor(1),
          'syslog.identifier': 'ovend',
          'process.pid': '4711',
          BLOB: 'AP8KBw==',
          _TRANSPORT: 'stdout',
          _BOOT_ID: 'a'.repeat(32),
        },
      });
      expect(records[2]).toMatchObject({ severityText: 'warn', attributes: { degrees: '240', PRIORITY: '6' } });
      expect(records[3]?.attributes).toMatchObject({ OVEN: 'a', 'OVEN.2': 'b' });
      expect(records[4]).toMatchObject({ severityNumber: 0 });
      expect((await upload(world, five, { port: world.gateway.port })).status).toBe(202);
      expect(await world.records()).toHaveLength(10);
    } finally {
      await world.stop();
    }
  });

  it('unpacks what newer versions compress, and refuses other types', async () => {
    const world = await openGateway(withPort);
    try {
      const half = five.length >> 1;
      const frames = Buffer.concat([five.subarray(0, half), five.subarray(half)].map((part) => zstdCompressSync(part)));
      expect((await upload(world, frames, { headers: { 'content-encoding': 'zstd' } })).status).toBe(202);
      expect((await upload(world, gzipSync(five), { headers: { 'content-encoding': 'gzip' } })).status).toBe(202);
      expect(await world.records()).toHaveLength(10);
      expect((await upload(world, five, { headers: { 'content-encoding': 'gzip' } })).status).toBe(400);
      expect((await upload(world, five, { headers: { 'content-encoding': 'xz' } })).status).toBe(415);
      expect((await upload(world, five, { headers: { 'content-type': 'text/plain' } })).status).toBe(415);
    } finally {
      await world.stop();
    }
  });

  it('is a type like any other on other routes', async () => {
    const world = await openGateway();
    try {
      const answer = await fetch(`${world.url}/ingest`, {
        method: 'POST',
        headers: { 'content-type': type },
        body: 'a line',
      });
      expect(await answer.json()).toMatchObject({ accepted: 1 });
      expect(world.gateway.heldBytes).toBe(0);
    } finally {
      await world.stop();
    }
  });

  it('names a request by its first cursor, so that what comes again counts once', async () => {
    const world = await openGateway(withPort);
    try {
      await upload(world, five.subarray(0, five.length - 40), { cut: true });
      await upload(world, five);
      const { lastSequence } = await world.bus.streams.info('LOGS');
      expect(lastSequence).toBeGreaterThan(1);
      const keys = await world.idempotency();
      expect(new Set(keys.map(({ key }) => key)).size).toBe(1);
      expect(keys.at(-1)?.ordinal).toBe(4);
    } finally {
      await world.stop();
    }
  });

  it('puts aside what is no entry, and takes the rest', async () => {
    const dead = new CollectedDeadLetters();
    const world = await openGateway({ ...withPort, dead });
    try {
      const body = Buffer.concat([
        Buffer.from('rubbish\x1b[31m here\n\n'),
        entry(1, 'NOMESSAGE=1'),
        entry(2, 'MESSAGE=x'),
      ]);
      expect((await upload(world, body)).status).toBe(202);
      expect((await world.records()).map(({ body: text }) => text)).toEqual(['x']);
      expect(dead.letters.map(({ reason, receiver }) => [reason, receiver])).toEqual([
        ['malformed', 'journald'],
        ['rejected', 'journald'],
      ]);
      const cut = await upload(world, Buffer.concat([entry(3, 'MESSAGE=y'), Buffer.from('MESSAGE=z')]));
      expect(cut.status).toBe(417);
    } finally {
      await world.stop();
    }
  });

  it('waits while the stream is behind instead of holding what comes', async () => {
    const world = await openGateway({ ...withPort, pendingBytesMax: 1024 * 1024, giveUpAfterMs: 5_000 });
    const { publish } = world.bus.streams;
    let held = 0;
    let open = false;
    world.bus.streams.publish = async (...args) => {
      while (!open) await new Promise((resolve) => setTimeout(resolve, 5));
      return publish.apply(world.bus.streams, args);
    };
    try {
      const big = Buffer.concat(Array.from({ length: 400 }, (_, i) => entry(i, `MESSAGE=${'x'.repeat(20_000)}`)));
      const answer = upload(world, big);
      for (let i = 0; i < 40; i++) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        held = Math.max(held, world.gateway.publisher.pendingBytes);
      }
      expect(held).toBeLessThan(2 * 1024 * 1024);
      open = true;
      expect((await answer).status).toBe(202);
      expect(await world.records()).toHaveLength(400);
    } finally {
      open = true;
      await world.stop();
    }
  });
});

describe('a quota', () => {
  const many = (from: number, to: number): Buffer =>
    Buffer.concat(Array.from({ length: to - from }, (_, i) => entry(from + i, `MESSAGE=${from + i}`)));
  const quotasOf = (sources: string, services: string): { sources: Quotas; services: Quotas } => ({
    sources: new Quotas(parseRates(sources)),
    services: new Quotas(parseRates(services)),
  });

  it.each([
    ['of its address', quotasOf('*=40', '')],
    ['of its services', quotasOf('', 'oven=40')],
  ])('%s makes an upload slower instead of refusing it', async (_of, quotas) => {
    const world = await openGateway({ ...withPort, quotas });
    try {
      const startedMs = performance.now();
      expect((await upload(world, many(0, 120))).status).toBe(202);
      expect(performance.now() - startedMs).toBeGreaterThan(900);
      expect(await world.records()).toHaveLength(120);
    } finally {
      await world.stop();
    }
  });

  it('that is empty keeps the next upload waiting at its start, on either port, and its place', async () => {
    const quotas = quotasOf('', 'oven=40');
    const world = await openGateway({ ...withPort, quotas });
    try {
      // An earlier one that broke off before it paid for what it took.
      await upload(world, many(0, 120), { cut: true });
      const before = quotas.services.waitMs('oven', Date.now());
      expect(before).toBeGreaterThan(500);
      const startedMs = performance.now();
      const answers = await Promise.all([
        upload(world, many(0, 120)),
        upload(world, many(200, 201), { port: world.gateway.port }),
      ]);
      expect(answers.map(({ status }) => status)).toEqual([202, 202]);
      expect(performance.now() - startedMs).toBeGreaterThan(before / 2);
      const keys = await world.idempotency();
      expect(new Set(keys.map(({ key, ordinal }) => `${key}.${ordinal}`)).size).toBe(121);
    } finally {
      await world.stop();
    }
  });

  it('of a service that an upload has nothing of leaves it alone', async () => {
    const quotas = quotasOf('', 'shop=1');
    const world = await openGateway({ ...withPort, quotas });
    try {
      quotas.services.charge('shop', 1_000, 0, Date.now());
      expect((await upload(world, many(0, 120))).status).toBe(202);
    } finally {
      await world.stop();
    }
  });
});

describe('journal exports as files', () => {
  it('are told by their beginning, packed or not', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'logweir-journal-'));
    try {
      writeFileSync(join(directory, 'a.export'), Buffer.concat([five, Buffer.from('rubbish\n\n')]));
      writeFileSync(join(directory, 'b.gz'), gzipSync(five));
      writeFileSync(join(directory, 'c.journal'), Buffer.concat([Buffer.from('LPKSHHRH'), Buffer.alloc(300)]));
      const { files, problems } = await resolveInputs([directory]);
      expect(problems.map(({ remedy }) => remedy)).toEqual([
        'Export it: journalctl --file FILE -o export | logweir ingest -',
      ]);
      const counts = emptyCounts();
      const found: string[] = [];
      const options = {
        service: undefined,
        nowMs: 1_800_000_000_000,
        counts,
        onBytes: () => {},
        onProblem: () => {},
        signal: new AbortController().signal,
      };
      for await (const { record, timeMs } of readRecords(files, options))
        found.push(`${timeMs} ${record.service} ${record.body}`);
      expect(found).toHaveLength(10);
      expect(found[2]).toBe('1763700000002 oven oven 2 is hot');
      expect(counts).toMatchObject({ lines: 11, records: 10, rejected: 1, byFormat: { journal: 10 } });
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
