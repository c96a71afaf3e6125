import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MemoryBus, openCluster, systemTime } from '#bus/mod.ts';
import { decodeLogsMessage, StringCursor, streams } from '#protocol/mod.ts';
import { BatchPublisher } from './batch-publisher.ts';
import { follow } from './follow.ts';

let directory = '';
let log = '';
let bus: MemoryBus;
let ends: (() => Promise<void>)[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'logweir-follow-'));
  log = join(directory, 'shop.log');
  bus = new MemoryBus(Date.now);
  await openCluster(bus, { partitions: 1 });
  ends = [];
});
afterEach(async () => {
  for (const end of ends) await end();
  rmSync(directory, { recursive: true });
});

function run(): () => Promise<void> {
  const controller = new AbortController();
  const done = follow({
    paths: [log],
    stateFile: join(directory, 'state', 'follow.json'),
    publisher: new BatchPublisher({
      bus,
      partitions: 1,
      lane: 'live',
      source: 'file',
      time: systemTime,
      publisherId: Math.random().toString(36),
      pendingBytesMax: 1e6,
      giveUpAfterMs: 1_000,
    }),
    service: undefined,
    time: systemTime,
    signal: controller.signal,
    onProblem: () => {},
    onRecords: () => {},
  });
  const end = async (): Promise<void> => {
    controller.abort();
    await done;
  };
  ends.push(end);
  return end;
}

interface Stored {
  body: string;
  key: string;
  ordinal: number;
}

async function stored(): Promise<Stored[]> {
  const found: Stored[] = [];
  const { lastSequence } = await bus.streams.info(streams.logs);
  if (lastSequence === 0) return found;
  for await (const { data, sequence } of await bus.streams.consume(streams.logs, { fromSequence: 1 })) {
    const message = decodeLogsMessage(data);
    if (message.kind === 'batch') {
      const { body, idempotency } = message.batch;
      const ordinals = Buffer.from(idempotency?.ordinal ?? []);
      const keys = Buffer.from(idempotency?.index ?? []);
      const cursor = new StringCursor(body);
      for (let row = 0; cursor.advance(); row++)
        found.push({
          body: Buffer.from(body.subarray(cursor.start, cursor.end)).toString(),
          key: idempotency?.keys[keys.readUInt16LE(row * 2)] ?? '',
          ordinal: ordinals.readUInt32LE(row * 4),
        });
    }
    if (sequence === lastSequence) break;
  }
  return found;
}

const bodies = async (): Promise<string[]> => (await stored()).map(({ body }) => body);

it('names each record by the content of its file and where it begins there', async () => {
  const first =
    '2026-03-01T10:00:00.000Z ERROR oven failed\njava.lang.IllegalStateException: too hot\n\tat Oven.bake(Oven.java:7)\n';
  writeFileSync(log, `${first}2026-03-01T10:00:01.000Z INFO oven cools\n`);
  run();
  await expect.poll(bodies).toHaveLength(2);
  const [trace, next] = await stored();
  expect(trace?.body).toContain('Oven.java:7');
  expect([trace?.ordinal, next?.ordinal]).toEqual([0, first.length]);
  expect(next?.key).toBe(trace?.key);
  expect(trace?.key).toMatch(/^[\w-]{22}$/);
});

it('goes on where the stream has everything before, in a file that was rotated meanwhile too', async () => {
  writeFileSync(log, '2026-03-01T10:00:00.000Z INFO one\n');
  const end = run();
  await expect.poll(bodies).toEqual(['one']);
  await end();
  appendFileSync(log, '2026-03-01T10:00:01.000Z INFO two\n');
  renameSync(log, `${log}.1`);
  writeFileSync(log, '2026-03-01T10:00:02.000Z INFO three\n');
  run();
  await expect.poll(bodies).toEqual(['one', 'two', 'three']);
  const keys = (await stored()).map(({ key }) => key);
  expect(keys[1]).toBe(keys[0]);
  expect(keys[2]).not.toBe(keys[0]);
});

it('brings the rest of a trace that grows after it was let go as a record of its own', async () => {
  writeFileSync(log, '2026-03-01T10:00:00.000Z ERROR oven failed\n');
  run();
  await expect.poll(bodies).toEqual(['oven failed']);
  appendFileSync(log, '\tat Oven.bake(Oven.java:7)\n2026-03-01T10:00:01.000Z INFO oven cools\n');
  await expect.poll(bodies).toHaveLength(3);
  const ordinals = (await stored()).map(({ ordinal }) => ordinal);
  expect(ordinals).toEqual([...ordinals].sort((a, b) => a - b));
});

it('names records in the order in which they come where lines of two streams were split', async () => {
  const cri = (stream: string, tag: string, text: string): string =>
    `2026-03-01T10:00:00.5Z ${stream} ${tag} ${text}\n`;
  const lines = [
    cri('stderr', 'P', 'half '),
    cri('stdout', 'F', 'one'),
    cri('stderr', 'F', 'two'),
    cri('stdout', 'P', 'three'),
  ];
  writeFileSync(log, lines.join(''));
  run();
  await expect.poll(bodies).toEqual(['one', 'half two', 'three']);
  const ordinals = (await stored()).map(({ ordinal }) => ordinal);
  expect(ordinals).toEqual([...new Set(ordinals)].sort((a, b) => a - b));
});
