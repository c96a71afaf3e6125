/**
 * Fluent forward to columns: a chunk as Fluent Bit packs it, through the receiver's conversation into a publisher that goes
 * nowhere. CPU, ns an event, best of several rounds: node loadtest/bench/forward.bench.ts
 */
import process from 'node:process';
import { Packr } from 'msgpackr';
import { MemoryBus, systemTime } from '#bus/mod.ts';
import { liveLane, streams } from '#protocol/mod.ts';
import { BatchPublisher } from '../../ingest/batch-publisher.ts';
import { noListenerCounts } from '../../ingest/listening.ts';
import { forwardReceiver } from '../../ingest/receivers/forward.ts';
import { RecordSink } from '../../ingest/record-sink.ts';

const events = 2_000;
const rounds = 20;
const packr = new Packr({ useRecords: false });

/** As of Docker's driver, and of Fluent Bit with Kubernetes' filter. */
const shapes: Record<string, (i: number) => object> = {
  Docker: (i) => ({
    container_id: 'a'.repeat(64),
    container_name: '/checkout',
    source: 'stdout',
    log: `order ${i} of customer ${i * 7} confirmed in ${i % 900} ms, total ${(i % 5_000) / 100} EUR, carrier express`,
  }),
  Kubernetes: (i) => ({
    time: '2026-11-21T10:00:00.123456789Z',
    stream: 'stdout',
    log: `{"level":"info","msg":"order ${i} confirmed","ms":${i % 900}}`,
    kubernetes: {
      pod_name: 'checkout-7f',
      namespace_name: 'shop',
      container_name: 'checkout',
      labels: { app: 'checkout', team: 'pay' },
      host: 'node-1',
    },
  }),
};

const bus = new MemoryBus(Date.now);
await bus.streams.ensure({
  name: streams.logs,
  subjects: ['logs.*'],
  bytesMax: 1e9,
  replicas: 1,
  duplicateWindowMs: 1,
});
bus.streams.publish = () => Promise.resolve({ stream: streams.logs, sequence: 1, duplicate: false } as never);
const publisher = new BatchPublisher({
  bus,
  partitions: 1,
  lane: liveLane,
  source: 'bench',
  time: systemTime,
  publisherId: 'bench',
  pendingBytesMax: 1e9,
  giveUpAfterMs: 1_000,
});
const counts = noListenerCounts();
const sink = new RecordSink({ publisher, counts, time: systemTime, receiver: 'forward' });
const listening = forwardReceiver.open(sink, { utcOffsetMinutes: 0, sharedKey: '', hostName: 'bench' });

for (const [name, shape] of Object.entries(shapes)) {
  const packed = Buffer.concat(Array.from({ length: events }, (_, i) => packr.pack([1_795_255_200 + i, shape(i)])));
  const message = packr.pack(['kube.checkout', packed, { size: events }]);
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const before = counts.records;
    const started = process.cpuUsage();
    const conversation = listening.converse({ address: '127.0.0.1', send: () => {} });
    conversation.take(message);
    while (conversation.busy === true) conversation.take(Buffer.alloc(0));
    const { user, system } = process.cpuUsage(started);
    if (counts.records - before !== events) throw new Error('events were lost');
    best = Math.min(best, ((user + system) * 1_000) / events);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  console.log(`${name}: ${Math.round(packed.length / events)} bytes an event, ${Math.round(best)} ns`);
}
process.exit(0);
