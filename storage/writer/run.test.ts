import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { MemoryBus, systemTime } from '#bus/mod.ts';
import {
  type AlertTransition,
  encodeAlerts,
  encodeResults,
  type ResultsMessage,
  type Section,
  splitSection,
  streamSubjects,
  streams,
  subjects,
} from '#protocol/mod.ts';
import { clickHouseError } from '../engine/error.ts';
import type { ClickHouse } from '../engine/port.ts';
import { makeSection } from '../testing/sections.ts';
import { openTempEngine, type TempEngine, textOf } from '../testing/temp.ts';
import { readAlertsRecord, startAlertsWriter } from './alerts.ts';
import { readWriterRecord } from './record.ts';
import { startWriter, type Writer } from './run.ts';
import type { WriterOptions } from './session.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** As expect.poll, with time for a machine that has other things to do. */
const soon = <T>(read: () => T) => expect.poll(read, { timeout: 20_000, interval: 10 });

let temp: TempEngine;
beforeAll(async () => {
  temp = await openTempEngine();
});
afterAll(() => temp.end());

const startMs = 1_750_000_000_000;
let buses = 0;

async function newBus(): Promise<MemoryBus> {
  // Creation times tell streams apart, as they do in a cluster.
  const bus = new MemoryBus(() => 1_700_000_000_000 + ++buses);
  for (const name of [streams.results, streams.alerts]) {
    await bus.streams.ensure({
      name,
      subjects: [streamSubjects[name]],
      bytesMax: 1e9,
      replicas: 1,
      duplicateWindowMs: 1,
    });
  }
  return bus;
}

const silent = { info: () => {}, warn: () => {}, error: () => {} };
const start = (bus: MemoryBus, more: Partial<WriterOptions> = {}): Promise<Writer> =>
  startWriter({
    bus,
    clickHouse: temp.engine,
    time: systemTime,
    log: silent,
    lingerMs: 10,
    lingerMaxMs: 10,
    idleCommitMs: 20,
    retryMs: { first: 5, max: 10 },
    ...more,
  });

/** Publishes a message that covers (from, to] of a partition, with a section of `rows` rows for each sequence. */
async function publish(
  bus: MemoryBus,
  partition: number,
  from: number,
  to: number,
  rows = 10,
  more: Pick<Partial<ResultsMessage>, 'generation'> = {},
): Promise<void> {
  const sections: Section[] = [];
  for (let sequence = from + 1; sequence <= to; sequence++)
    sections.push(makeSection({ sequence, rows, startMs: startMs + sequence }));
  const message: ResultsMessage = {
    partition,
    generation: 1,
    from,
    to,
    toMs: 1,
    anomaliesTo: 0,
    sections,
    part: null,
    ...more,
  };
  await bus.streams.publish(subjects.results(partition), encodeResults(message));
}

async function count(partition: number): Promise<{ rows: number; distinct: number; rolled: number }> {
  const sql = `SELECT count() AS rows, uniqExact(Generation, Sequence, Body) AS distinct FROM logweir.otel_logs WHERE Partition = ${partition}`;
  const row = JSON.parse(
    textOf(await temp.engine.query(sql, { settings: { output_format_json_quote_64bit_integers: 0 } })),
  );
  return row;
}

describe('writer', () => {
  it('stores each section once, whatever is resent, cut differently or published by two owners', async () => {
    const bus = await newBus();
    const writer = await start(bus);
    await publish(bus, 1, 0, 3);
    await publish(bus, 1, 0, 3);
    await publish(bus, 1, 5, 6); // a gap: what lies before is resent below
    await publish(bus, 1, 2, 5);
    await publish(bus, 1, 5, 6);
    await publish(bus, 2, 0, 2, 4);
    await soon(async () => (await count(1)).rows).toBe(60);
    expect(await count(1)).toMatchObject({ rows: 60, distinct: 60 });
    await soon(async () => (await readWriterRecord(bus))?.position).toBe(6);
    expect(await readWriterRecord(bus)).toMatchObject({
      inDoubt: null,
      marks: { 1: { generation: 1, sequence: 6 }, 2: { sequence: 2 } },
    });
    expect(writer.stats()).toMatchObject({ duplicates: 1, gaps: 1, rows: 68 });
    await writer.drain();
    await writer.done;
  });

  it('joins a section that came in parts, across blocks and restarts', async () => {
    const bus = await newBus();
    const section = makeSection({ sequence: 1, rows: 8000, startMs });
    const parts = splitSection({ partition: 11, generation: 1, from: 0, to: 1, toMs: 1, anomaliesTo: 0 }, section);
    expect(parts.length).toBeGreaterThan(1);
    const [first, ...rest] = parts as [ResultsMessage, ...ResultsMessage[]];
    await bus.streams.publish(subjects.results(11), encodeResults(first));
    await publish(bus, 12, 0, 1);
    const writer = await start(bus);
    await soon(async () => (await count(12)).rows).toBe(10);
    await soon(async () => (await readWriterRecord(bus))?.marks['12']?.sequence).toBe(1);
    expect((await readWriterRecord(bus))?.position).toBe(0);
    await writer.stop();
    const second = await start(bus);
    for (const part of rest) await bus.streams.publish(subjects.results(11), encodeResults(part));
    await soon(async () => (await count(11)).rows).toBe(8000);
    await second.drain();
    expect(await count(12)).toMatchObject({ rows: 10 });
    expect((await readWriterRecord(bus))?.position).toBe(1 + parts.length);
  });

  it('takes up the block that a killed writer left in doubt, and doubles nothing', async () => {
    for (const [partition, dieAfter] of [
      [21, 0],
      [22, 1],
      [23, 2],
    ] as const) {
      const bus = await newBus();
      await publish(bus, partition, 0, 4);
      // Dies after so many of the block's inserts, before it could commit.
      let inserts = 0;
      const dying: ClickHouse = Object.create(temp.engine, {
        insertNative: {
          value: async (...args: Parameters<ClickHouse['insertNative']>) => {
            if (inserts++ >= dieAfter) return new Promise<void>(() => {});
            await temp.engine.insertNative(...args);
            // The last insert is stored, but its answer never comes.
            if (inserts === 2) return new Promise<void>(() => {});
          },
        },
      });
      const killed = await start(bus, { clickHouse: dying, owner: 'killed' });
      await soon(async () => (await readWriterRecord(bus))?.inDoubt?.to).toBe(1);
      await soon(() => inserts).toBe(Math.min(dieAfter + 1, 2));
      await new Promise((resolve) => setTimeout(resolve, 50));
      await killed.stop();
      // More arrives, so that the block would be cut elsewhere if it were made anew.
      await publish(bus, partition, 4, 9);
      const next = await start(bus, { owner: 'next' });
      await soon(async () => (await readWriterRecord(bus))?.position).toBe(2);
      expect(await count(partition)).toMatchObject({ rows: 90, distinct: 90 });
      const ledger = `SELECT sum(Rows) FROM (SELECT * FROM logweir.ledger FINAL WHERE Partition = ${partition})`;
      expect(textOf(await temp.engine.query(ledger, { format: 'TSV' }))).toBe('90\n');
      await next.drain();
    }
    for (const rollup of ['logs_1m', 'logs_1h']) {
      const sums = `SELECT sum(Logs) = (SELECT count() FROM logweir.otel_logs) FROM logweir.${rollup}`;
      expect(textOf(await temp.engine.query(sums, { format: 'TSV' }))).toBe('1\n');
    }
  });

  it('waits while ClickHouse is away, and goes on by itself', async () => {
    const bus = await newBus();
    let away = true;
    const flaky: ClickHouse = Object.create(temp.engine, {
      insertNative: {
        value: async (...args: Parameters<ClickHouse['insertNative']>) => {
          if (away) throw clickHouseError('Code: 210. DB::NetException: Connection refused (NETWORK_ERROR)');
          await temp.engine.insertNative(...args);
        },
      },
    });
    const writer = await start(bus, { clickHouse: flaky });
    for (let i = 0; i < 30; i++) await publish(bus, 31, i, i + 1, 2);
    await soon(() => writer.stats().failingMs).toBeGreaterThan(20);
    expect((await readWriterRecord(bus))?.position).toBe(0);
    away = false;
    await soon(async () => (await readWriterRecord(bus))?.position).toBe(30);
    expect(await count(31)).toMatchObject({ rows: 60, distinct: 60 });
    await writer.drain();
  });

  it('stops when another writer took over', async () => {
    const bus = await newBus();
    const old = await start(bus, { owner: 'old' });
    const young = await start(bus, { owner: 'young' });
    await publish(bus, 41, 0, 2);
    await expect(old.done).rejects.toMatchObject({ message: 'Another storage writer took over.' });
    await soon(async () => (await readWriterRecord(bus))?.position).toBe(1);
    expect(await count(41)).toMatchObject({ rows: 20, distinct: 20 });
    await young.drain();
  });

  it('cuts blocks by rows, reads no further than one block ahead', async () => {
    const bus = await newBus();
    for (let i = 0; i < 20; i++) await publish(bus, 51, i, i + 1, 100);
    const writer = await start(bus, { limits: { rowsMax: 500 }, lingerMs: 60_000, lingerMaxMs: 60_000 });
    await soon(() => writer.stats().blocks).toBe(4);
    expect(await count(51)).toMatchObject({ rows: 2000, distinct: 2000 });
    await writer.drain();
  });

  it('passes over what cannot be read', async () => {
    const bus = await newBus();
    const writer = await start(bus);
    await bus.streams.publish(subjects.results(61), new Uint8Array([1, 2, 3, 4, 5, 6]));
    await publish(bus, 61, 0, 1);
    await soon(async () => (await count(61)).rows).toBe(10);
    expect(writer.stats().malformed).toBe(1);
    await writer.drain();
  });
});

describe('alerts writer', () => {
  const transition = (n: number, state: 'firing' | 'resolved'): AlertTransition => ({
    alertId: 'cccccccccccccccc',
    transition: n,
    state,
    atMs: startMs + n,
    service: 'api',
    lane: 'live',
    detector: 'error_spike',
    subject: '',
    anomalyId: 'bbbbbbbbbbbbbbb1',
    score: 90,
    actual: 5,
    typical: 1,
    description: "it's bad",
    groupKey: 'api',
    channels: ['slack', 'mail'],
    suppressedBy: '',
    receipt: { eventMs: startMs, gatewayMs: startMs + 1, processingMs: startMs + 2, detectedMs: startMs + 3 },
  });

  it('stores each transition once, over restarts', async () => {
    const bus = await newBus();
    const options = { bus, time: systemTime, clickHouse: temp.engine, log: silent, lingerMs: 10 };
    const publishAlerts = (...transitions: AlertTransition[]): Promise<unknown> =>
      bus.streams.publish(subjects.alerts(), encodeAlerts({ transitions }));
    const stored = async (): Promise<string> =>
      textOf(
        await temp.engine.query(
          'SELECT Transition, State, Channels, toUnixTimestamp64Milli(ReceiptDetected) FROM logweir.alerts ORDER BY Transition',
          { format: 'TSV' },
        ),
      );
    const writer = await startAlertsWriter(options);
    await publishAlerts(transition(1, 'firing'));
    await publishAlerts(transition(1, 'firing'), transition(2, 'resolved'));
    const expected = `1\tfiring\t['slack','mail']\t${startMs + 3}\n2\tresolved\t['slack','mail']\t${startMs + 3}\n`;
    await soon(stored).toBe(expected);
    await writer.stop();
    expect(await readAlertsRecord(bus)).toMatchObject({ position: 2 });
    const again = await startAlertsWriter(options);
    await publishAlerts(transition(2, 'resolved'));
    await soon(async () => (await readAlertsRecord(bus))?.position).toBe(3);
    expect(await stored()).toBe(expected);
    await again.stop();
  });
});
