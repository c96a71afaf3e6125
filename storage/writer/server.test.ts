/**
 * The writer against a ClickHouse server: the same blocks and tokens over HTTP (our own HTTP face stands in for one),
 * through a proxy that is away, cuts answers off, or cuts requests short.
 */
import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { MemoryBus, systemTime, type Time } from '#bus/mod.ts';
import { encodeResults, streamSubjects, streams, subjects } from '#protocol/mod.ts';
import { HttpClickHouse } from '../engine/http.ts';
import { type ClickHouseServer, serveClickHouse } from '../http/server.ts';
import { makeSection } from '../testing/sections.ts';
import { openTempEngine, type TempEngine, textOf } from '../testing/temp.ts';
import { readWriterRecord } from './record.ts';
import { startWriter, type Writer } from './run.ts';
import type { WriterOptions } from './session.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });
const soon = <T>(read: () => T) => expect.poll(read, { timeout: 30_000, interval: 10 });

type Weather = 'through' | 'away' | 'cut answer' | 'cut request';

const isInsert = (query: string): boolean => /query=INSERT.INTO/.test(query);

/** Passes requests on, as the weather is. */
class Proxy {
  weather: (query: string) => Weather = () => 'through';
  readonly counts: Record<Weather, number> = { through: 0, away: 0, 'cut answer': 0, 'cut request': 0 };
  url = '';
  private readonly server: Server;

  constructor(target: string) {
    this.server = createServer((incoming, outgoing) => {
      const weather = this.weather(decodeURIComponent(incoming.url ?? ''));
      this.counts[weather]++;
      if (weather === 'away') return void incoming.socket.destroy();
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        const whole = Buffer.concat(chunks);
        const body = weather === 'cut request' ? whole.subarray(0, whole.length >> 1) : whole;
        const passed = httpRequest(
          `${target}${incoming.url}`,
          { method: incoming.method, headers: { ...incoming.headers, 'content-length': body.length } },
          (answer) => {
            if (weather === 'through') {
              outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
              answer.pipe(outgoing);
            } else {
              answer.resume();
              answer.on('end', () => incoming.socket.destroy());
            }
          },
        );
        passed.on('error', () => incoming.socket.destroy());
        passed.end(body);
      });
      return undefined;
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

let temp: TempEngine;
let face: ClickHouseServer;
let proxy: Proxy;
beforeAll(async () => {
  temp = await openTempEngine();
  face = await serveClickHouse({ engine: temp.engine, port: 0, writable: true });
  proxy = new Proxy(face.url);
  await proxy.listen();
});
afterAll(async () => {
  proxy.close();
  await face.close();
  await temp.end();
});

let buses = 0;
async function newBus(): Promise<MemoryBus> {
  const bus = new MemoryBus(() => 1_700_000_000_000 + ++buses);
  await bus.streams.ensure({
    name: streams.results,
    subjects: [streamSubjects.RESULTS],
    bytesMax: 1e9,
    replicas: 1,
    duplicateWindowMs: 1,
  });
  return bus;
}

const silent = { info: () => {}, warn: () => {}, error: () => {} };
const start = (bus: MemoryBus, more: Partial<WriterOptions> = {}): Promise<Writer> =>
  startWriter({
    bus,
    clickHouse: new HttpClickHouse({ url: proxy.url }),
    time: systemTime,
    log: silent,
    lingerMs: 10,
    lingerMaxMs: 10,
    idleCommitMs: 20,
    retryMs: { first: 2, max: 20 },
    ...more,
  });

async function publish(bus: MemoryBus, partition: number, from: number, to: number, rows = 10): Promise<void> {
  for (let sequence = from + 1; sequence <= to; sequence++) {
    const startMs = 1_750_000_000_000 + partition * 1_000_000 + sequence;
    const section = makeSection({ sequence, rows, startMs, attributes: true, services: 5 });
    const message = {
      partition,
      generation: 1,
      from: sequence - 1,
      to: sequence,
      toMs: 1,
      anomaliesTo: 0,
      sections: [section],
      part: null,
    };
    await bus.streams.publish(subjects.results(partition), encodeResults(message));
  }
}

const ask = async (sql: string): Promise<string> => textOf(await temp.engine.query(sql, { format: 'TSV' })).trim();
const rowsOf = (partition: number): Promise<string> =>
  ask(`SELECT count(), uniqExact(Sequence, Body) FROM logweir.otel_logs WHERE Partition = ${partition}`);
const ledgerOf = (partition: number): Promise<string> =>
  ask(`SELECT sum(Rows) FROM logweir.ledger FINAL WHERE Partition = ${partition}`);

describe('over HTTP', () => {
  it('stores once where answers are cut off after the server took the block, or requests are cut short', async () => {
    const bus = await newBus();
    let inserts = 0;
    proxy.weather = (query) => {
      if (!isInsert(query)) return 'through';
      const turn = inserts++ % 6;
      return turn === 0 ? 'cut answer' : turn === 2 ? 'away' : turn === 4 ? 'cut request' : 'through';
    };
    const writer = await start(bus);
    for (let block = 0; block < 10; block++) {
      await publish(bus, 1, block * 10, block * 10 + 10);
      await soon(() => ledgerOf(1)).toBe(String((block + 1) * 100));
    }
    for (const weather of ['cut answer', 'away', 'cut request'] as const)
      expect(proxy.counts[weather]).toBeGreaterThan(2);
    expect(await rowsOf(1)).toBe('1000\t1000');
    expect(await ask('SELECT (SELECT sum(Logs) FROM logweir.logs_1m) = (SELECT count() FROM logweir.otel_logs)')).toBe(
      '1',
    );
    expect(writer.stats().setAside).toBe(0);
    proxy.weather = () => 'through';
    await writer.drain();
  });

  it('takes up the block of a writer that was killed after the server took it, with the same tokens', async () => {
    const bus = await newBus();
    await publish(bus, 2, 0, 5);
    proxy.weather = (query) => (isInsert(query) ? 'cut answer' : 'through');
    const killed = await start(bus, { owner: 'killed', retryMs: { first: 60_000, max: 60_000 } });
    await soon(() => rowsOf(2)).toBe('50\t50');
    await killed.stop();
    proxy.weather = () => 'through';
    await publish(bus, 2, 5, 7);
    const next = await start(bus, { owner: 'next' });
    await soon(() => ledgerOf(2)).toBe('70');
    expect(await rowsOf(2)).toBe('70\t70');
    expect(await ask('SELECT (SELECT sum(Logs) FROM logweir.logs_1h) = (SELECT count() FROM logweir.otel_logs)')).toBe(
      '1',
    );
    await next.drain();
  });
});

describe('ClickHouse away for an hour', () => {
  it('leaves rows in the stream, holds no more than two blocks, says so, and catches up', async () => {
    const bus = await newBus();
    // An hour passes in moments: every pause is a thousandth of what it says.
    const startedMs = Date.now();
    const time: Time = {
      ...systemTime,
      now: () => startedMs + (Date.now() - startedMs) * 1_000,
      after: (ms, run) => systemTime.after(ms / 1_000, run),
      every: (ms, run) => systemTime.every(Math.max(ms / 1_000, 1), run),
    };
    const told: string[] = [];
    const log = { ...silent, error: (text: string) => told.push(text), info: (text: string) => told.push(text) };
    proxy.weather = () => 'away';
    const rowsMax = 500;
    const writer = await start(bus, {
      time,
      log,
      limits: { rowsMax },
      retryMs: { first: 250, max: 10_000 },
      lingerMs: 250,
      lingerMaxMs: 1_000,
    });
    let heldRowsMax = 0;
    const messages = 120;
    for (let i = 0; i < messages; i++) {
      await publish(bus, 3, i, i + 1, 100);
      await new Promise((resolve) => setTimeout(resolve, 30));
      heldRowsMax = Math.max(heldRowsMax, writer.stats().waitingRows);
    }
    const { failingMs, lagMs, read } = writer.stats();
    expect(failingMs).toBeGreaterThan(3_000_000);
    expect(lagMs).toBeGreaterThan(3_000_000);
    expect(heldRowsMax).toBeLessThanOrEqual(2 * rowsMax + 100);
    expect(read).toBeLessThan(messages / 4);
    // An hour of tries every ten seconds is told about once a minute.
    expect(proxy.counts.away).toBeGreaterThan(200);
    expect(told.length).toBeLessThanOrEqual(failingMs / 60_000 + 2);
    proxy.weather = () => 'through';
    await soon(() => ledgerOf(3)).toBe(String(messages * 100));
    expect(await rowsOf(3)).toBe(`${messages * 100}\t${messages * 100}`);
    await soon(async () => (await readWriterRecord(bus))?.position).toBe(messages);
    expect(writer.stats()).toMatchObject({ failingMs: 0 });
    expect(told.filter((text) => /takes rows again/.test(text))).toHaveLength(1);
    await writer.drain();
  });
});
