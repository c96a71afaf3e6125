/** kill -9 of the storage process in the middle of its inserts, again and again: tables, views and ledger agree. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TempNats } from '#bus/testing/nats-server.ts';
import { type Bus, connectNats, openCluster } from '#bus/mod.ts';
import { encodeResults, subjects } from '#protocol/mod.ts';
import { readWriterRecord } from '#storage/mod.ts';
import { makeSection } from '#storage/testing/sections.ts';

const kills = 6;
/** … and so many of them with a block in doubt, however many more it takes. */
const inDoubtMin = 3;
/** Messages that wait to be stored at most: a busy machine must still get through them. */
const backlogMax = 400;
const rowsPerSection = 500;
const partitions = 4;
const day = 86_400_000;

const directory = mkdtempSync(join(tmpdir(), 'logweir-killed-'));
let nats: TempNats;
let bus: Bus;
let child: ChildProcess | null = null;

beforeAll(async () => {
  nats = await TempNats.start();
  bus = await connectNats({ url: nats.url, name: 'test' });
  await openCluster(bus);
});
afterAll(async () => {
  child?.kill('SIGKILL');
  await bus.close();
  await nats.end();
  rmSync(directory, { recursive: true, force: true });
});

/** Resolves to where it serves queries. */
function startStorageProcess(): Promise<string> {
  const started = spawn(process.execPath, [join(import.meta.dirname, 'storage-process.ts'), directory, nats.url], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, UV_THREADPOOL_SIZE: '8' },
  });
  child = started;
  let told = '';
  started.stderr?.on('data', (data: Buffer) => {
    told += data.toString();
  });
  return new Promise((resolve, reject) => {
    started.stdout?.once('data', (data: Buffer) => resolve(data.toString().trim()));
    started.once('exit', (code) => reject(new Error(`The storage process ended with ${code}:\n${told}`)));
  });
}

async function kill(): Promise<void> {
  const { child: running } = { child };
  if (running === null) return;
  running.removeAllListeners('exit');
  const gone = new Promise((resolve) => running.once('exit', resolve));
  running.kill('SIGKILL');
  await gone;
}

async function ask(url: string, sql: string): Promise<string> {
  const response = await fetch(url, { method: 'POST', body: `${sql} FORMAT TSV` });
  const text = (await response.text()).trim();
  if (!response.ok) throw new Error(text);
  return text;
}

/** Up to which message of RESULTS the block goes that may or may not be inserted; 0: there is none. */
const blockInDoubt = async (): Promise<number> => (await readWriterRecord(bus))?.inDoubt?.to ?? 0;

describe('the storage process, killed in the middle', () => {
  it(`stores every row once, in tables, views and ledger, over ${kills} kills`, async () => {
    let sequence = 0;
    let rows = 0;
    let inDoubt = 0;
    const publishing = { over: false };
    const publish = (async () => {
      while (!publishing.over) {
        await sleep(50);
        if (sequence * partitions - ((await readWriterRecord(bus))?.position ?? 0) > backlogMax) continue;
        const from = sequence++;
        for (let partition = 0; partition < partitions; partition++) {
          // Three days a section: an insert is whole per day and no more.
          const startMs = Date.UTC(2026, 0, 1) + (sequence % 20) * day;
          const section = makeSection({ sequence, rows: rowsPerSection, startMs, stepMs: (3 * day) / rowsPerSection });
          const message = {
            partition,
            generation: 1,
            from,
            to: sequence,
            toMs: 1,
            anomaliesTo: 0,
            sections: [section],
            part: null,
          };
          await bus.streams.publish(subjects.results(partition), encodeResults(message));
          rows += rowsPerSection;
        }
      }
    })();
    let killed = 0;
    for (; killed < kills || inDoubt < inDoubtMin; killed++) {
      const before = await blockInDoubt();
      await startStorageProcess();
      // Every other one in the middle of an insert, the others whenever it is.
      if (killed % 2 === 0)
        await expect.poll(blockInDoubt, { interval: 1 }).not.toSatisfy((to) => to === 0 || to === before);
      else await sleep(150 + ((killed * 97) % 400));
      await kill();
      if ((await blockInDoubt()) > 0) inDoubt++;
    }
    publishing.over = true;
    await publish;
    const url = await startStorageProcess();
    await expect
      .poll(async () => (await readWriterRecord(bus))?.position)
      .toBe((await bus.streams.info('RESULTS')).lastSequence);
    const count = String(rows);
    expect(await ask(url, 'SELECT count(), uniqExact(Partition, Sequence, Body) FROM logweir.otel_logs')).toBe(
      `${count}\t${count}`,
    );
    for (const rollup of ['logs_1m', 'logs_1h'])
      expect(await ask(url, `SELECT sum(Logs) FROM logweir.${rollup}`)).toBe(count);
    expect(await ask(url, 'SELECT sum(Rows), sum(DeadLetters) FROM logweir.ledger FINAL')).toBe(`${count}\t0`);
    console.info(`${killed} kills, ${inDoubt} with a block in doubt, ${count} rows: each stored once.`);
    await kill();
  });
});
