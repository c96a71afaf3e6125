/**
 * A worker's whole way for one hot service, against a nats-server of its own: LOGS messages read, analysed, gathered,
 * published to RESULTS and acknowledged, as the runner does it, without checkpoints. CPU of the main thread is what one
 * service is bounded by; CPU of the process is what a machine pays.
 * Run: node loadtest/bench/runner.bench.ts [--json]; needs nats-server.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { Masker } from '#analysis/templates/mod.ts';
import { type Bus, connectNats, freePort, GoBackN, sleep, systemTime } from '#bus/mod.ts';
import { toNdjson, Traffic } from '#generator/mod.ts';
import { BatchBuilder, encodeLogsMessage, encodeResults, streams, streamSubjects, subjects } from '#protocol/mod.ts';
import { NdjsonScanner } from '../../ingest/ndjson.ts';
import { hundredths } from '../statistics.ts';
import { Gather } from '../../workers/gather.ts';
import { Partition } from '../../workers/mod.ts';

const rowsPerBatch = 2_500;
const startMs = Date.UTC(2026, 0, 15, 12);
const gatherBytes = 400 * 1024;
/** Messages that only warm up. */
const warmShare = 0.25;

/** The generator's records under one name, as a gateway batches them. */
function messagesOf(seconds: number, mask: boolean): { data: Uint8Array; rows: number }[] {
  const traffic = new Traffic({ seed: 1, ratePerSecond: 30_000 });
  const masker = new Masker();
  const messages: { data: Uint8Array; rows: number }[] = [];
  for (let second = 0; second < seconds; second++) {
    const at = startMs + second * 1_000;
    const lines = traffic.step(at, at + 1_000).map((record) => toNdjson({ ...record, service: 'hot' }));
    for (let from = 0; from < lines.length; from += rowsPerBatch) {
      const scanner = new NdjsonScanner(Buffer.from(lines.slice(from, from + rowsPerBatch).join('')), at, 'hot');
      const builder = new BatchBuilder('live', 'bench');
      while (scanner.next() === 'record') builder.add(scanner.view, at);
      const batch = builder.take();
      if (batch === null) continue;
      const masked = mask ? masker.mask(batch) : null;
      messages.push({ data: encodeLogsMessage({ kind: 'batch', batch, masked }), rows: batch.rows });
    }
  }
  return messages;
}

async function measure(bus: Bus, partition: number, mask: boolean) {
  const messages = mask ? masked : plain;
  for (const { data } of messages) await bus.streams.publish(subjects.logs(partition), data);
  const state = new Partition(partition);
  const gather = new Gather(partition, 1, 0);
  const publisher = new GoBackN({
    publish: (subject, data) => bus.streams.publish(subject, data),
    sleep: (ms) => sleep(systemTime, ms),
    window: 64,
    queueBytesMax: 16 * 1024 * 1024,
  });
  const send = (message: Parameters<typeof encodeResults>[0]): void => {
    void publisher.send(subjects.results(partition), encodeResults(message));
  };
  const subscription = await bus.streams.consume(streams.logs, { subject: subjects.logs(partition), fromSequence: 1 });
  const warm = Math.floor(messages.length * warmShare);
  let seen = 0;
  let records = 0;
  let fromMs = 0;
  let ofThread = process.threadCpuUsage();
  let ofProcess = process.cpuUsage();
  for await (const message of subscription) {
    for (const ready of gather.add(state.step(message).section, message.timeMs, 0)) send(ready);
    const ready = gather.bytes >= gatherBytes ? gather.cut() : null;
    if (ready !== null) send(ready);
    seen++;
    if (seen > warm) records += messages[seen - 1]!.rows;
    if (seen === warm) {
      fromMs = performance.now();
      ofThread = process.threadCpuUsage();
      ofProcess = process.cpuUsage();
    }
    // Messages that have arrived come in microtasks: sockets need turns too.
    if (seen % 8 === 0) await new Promise((resolve) => setImmediate(resolve));
    if (seen === messages.length) break;
  }
  const last = gather.cut();
  if (last !== null) send(last);
  await publisher.idle();
  const seconds = (performance.now() - fromMs) / 1_000;
  const thread = process.threadCpuUsage(ofThread);
  const all = process.cpuUsage(ofProcess);
  await subscription.stop();
  const threadSeconds = (thread.user + thread.system) / 1e6;
  return {
    masked: mask,
    records,
    mainThreadSecondsPerMillion: hundredths((threadSeconds / records) * 1e6),
    processSecondsPerMillion: hundredths((all.user + all.system) / records),
    recordsPerSecondOfOneCore: Math.round(records / threadSeconds),
    recordsPerSecondHere: Math.round(records / seconds),
  };
}

const plain = messagesOf(12, false);
const masked = messagesOf(12, true);
const directory = mkdtempSync(join(tmpdir(), 'logweir-bench-'));
const port = await freePort();
const server = spawn('nats-server', ['-js', '-sd', directory, '-a', '127.0.0.1', '-p', String(port)], {
  stdio: 'ignore',
});
try {
  const bus = await connectNats({ url: `nats://127.0.0.1:${port}`, name: 'bench', connectTimeoutMs: 20_000 });
  for (const name of [streams.logs, streams.results])
    await bus.streams.ensure({
      name,
      subjects: [streamSubjects[name]],
      bytesMax: 2 ** 31,
      replicas: 1,
      duplicateWindowMs: 60_000,
    });
  const results = [];
  for (const [partition, mask] of [true, false, true, false, true, false].entries())
    results.push(await measure(bus, partition, mask));
  if (process.argv.includes('--json')) console.log(JSON.stringify(results));
  else console.table(results);
  await bus.close();
} finally {
  server.kill();
  rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}
