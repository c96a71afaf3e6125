/**
 * How fast one service passes one gateway and two, by the time that the stream takes to acknowledge: one publish is in
 * flight per partition and gateway (R1). Requests of 500 records over 64 connections each, in memory, so that nothing
 * but this process's core and the delay counts; parsing is left out.
 * Run: node loadtest/bench/publish.bench.ts [--json]
 */
import process from 'node:process';
import { type Bus, MemoryBus, type PublishOptions, systemTime } from '#bus/mod.ts';
import { Traffic } from '#generator/mod.ts';
import { RecordView, streams, viewOf } from '#protocol/mod.ts';
import { BatchPublisher, Ticket } from '../../ingest/batch-publisher.ts';

const connections = 64;
const recordsPerRequest = 500;
const measuredMs = 3_000;
const startMs = Date.UTC(2026, 0, 15, 12);

const traffic = new Traffic({ seed: 1, ratePerSecond: 20_000 });
const views = traffic
  .step(startMs, startMs + 400)
  .map((record) => ({ ...record, service: 'hot', resource: undefined }))
  .map((record) => viewOf(record, { observedMs: startMs, service: 'hot' }, new RecordView()));

/** A bus that forgets what it takes, `delayMs` after it was given it. */
async function delayed(delayMs: number): Promise<Bus> {
  const bus: Bus = new MemoryBus(Date.now);
  await bus.streams.ensure({
    name: streams.logs,
    subjects: ['logs.*'],
    bytesMax: 2 ** 40,
    replicas: 1,
    duplicateWindowMs: 1,
  });
  let sequence = 0;
  bus.streams.publish = async (_subject: string, _data: Uint8Array, _options?: PublishOptions) => {
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    return { sequence: ++sequence, duplicate: false };
  };
  return bus;
}

async function measure(gateways: number, delayMs: number) {
  const publishers = await Promise.all(
    Array.from({ length: gateways }, async (_, i) => {
      const options = { partitions: 64, lane: 'live', source: 'bench', time: systemTime, publisherId: `g${i}` };
      return new BatchPublisher({
        ...options,
        bus: await delayed(delayMs),
        pendingBytesMax: 2 ** 28,
        giveUpAfterMs: 1e4,
      });
    }),
  );
  const untilMs = performance.now() + measuredMs;
  let at = 0;
  const connection = async (publisher: BatchPublisher): Promise<void> => {
    while (performance.now() < untilMs) {
      const ticket = new Ticket();
      for (let i = 0; i < recordsPerRequest; i++)
        publisher.add(views[at++ % views.length] as RecordView, ticket, Date.now());
      await ticket.done();
    }
  };
  const before = process.threadCpuUsage();
  const fromMs = performance.now();
  await Promise.all(publishers.flatMap((one) => Array.from({ length: connections }, () => connection(one))));
  const seconds = (performance.now() - fromMs) / 1_000;
  const { user, system } = process.threadCpuUsage(before);
  const records = publishers.reduce((sum, { counts }) => sum + counts.records, 0);
  const batches = publishers.reduce((sum, { counts }) => sum + counts.batches, 0);
  return {
    gateways,
    delayMs,
    recordsPerSecond: Math.round(records / seconds),
    rowsPerBatch: Math.round(records / batches),
    cores: Math.round(((user + system) / 1e6 / seconds) * 100) / 100,
  };
}

await measure(1, 1);
const results = [];
for (const delayMs of [1, 5, 10, 20, 50]) for (const gateways of [1, 2]) results.push(await measure(gateways, delayMs));
if (process.argv.includes('--json')) console.log(JSON.stringify(results));
else console.table(results);
