/**
 * What checkpoints cost a worker: 1,000 services with 40 templates each over 64 partitions, all of them busy, and 5 %
 * of them busy. One round is a checkpoint of every partition, as far as the worker itself goes: state taken, packed,
 * hashed and handed to an object store in memory. CPU time, garbage collection included.
 * Rounds are as many as a chain is long, so that each partition's base is among them; figures are means of a round.
 * Run: node loadtest/bench/checkpoint.bench.ts [--json]
 */
import process from 'node:process';
import { MemoryBus, systemTime } from '../../bus/mod.ts';
import {
  BatchBuilder,
  buckets,
  encodeLogsMessage,
  type LogRecord,
  objectBuckets,
  partitionOf,
  RecordView,
  viewOf,
} from '../../protocol/mod.ts';
import { CheckpointBudget } from '../../workers/checkpoint-budget.ts';
import { chainMax, Checkpointer } from '../../workers/checkpointer.ts';
import { CheckpointStore } from '../../workers/checkpoints.ts';
import { Partition } from '../../workers/partition.ts';

const services = 1_000;
const partitions = 64;
const templates = 40;
const everyMs = 5_000;
const start = Date.UTC(2026, 0, 15, 12);
const rounds = chainMax;

const verbs = [
  'opened',
  'closed',
  'sent',
  'received',
  'queued',
  'resolved',
  'refused',
  'committed',
  'flushed',
  'parsed',
];
const nouns = ['session', 'connection', 'order', 'payment', 'index', 'segment', 'lease', 'message', 'upload', 'query'];
const tails = ['for user', 'from peer', 'in cache', 'by worker', 'at offset', 'with status', 'after retry', 'on shard'];

let seed = 7;
function random(): number {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  return seed / 2 ** 32;
}
const pick = <T>(from: readonly T[], at: number): T => from[at % from.length] as T;

function body(service: number, template: number): string {
  const at = service * 31 + template;
  const words = `${pick(nouns, at)} ${pick(verbs, Math.floor(template / 4) + service)} ${pick(tails, template)} unit${String.fromCharCode(97 + (template % 26))}`;
  const spent = template % 3 === 0 ? ` took ${Math.floor(1 + random() * 400)} ms` : '';
  return `${words} id=${Math.floor(random() * 1e6)} from 10.0.${Math.floor(random() * 255)}.7${spent}`;
}

const names = Array.from({ length: services }, (_, i) => `team-${i % 25}.service-${i}`);
const homes = names.map((name) => partitionOf(name, partitions));
const all = Array.from({ length: partitions }, (_, partition) => new Partition(partition));
let sequence = 0;

/** `perService` records of each of these services, at a second of event time. */
function feed(who: readonly number[], second: number, perService: number): void {
  const builders = new Map<number, BatchBuilder>();
  const view = new RecordView();
  for (const service of who) {
    const home = homes[service] as number;
    const builder = builders.get(home) ?? new BatchBuilder('live', 'bench');
    builders.set(home, builder);
    for (let i = 0; i < perService; i++) {
      const template = Math.floor(random() ** 2 * templates);
      const severityNumber = template % 20 === 7 ? 17 : template % 9 === 4 ? 13 : 9;
      const record: LogRecord = {
        service: names[service]!,
        body: body(service, template),
        timeMs: start + second * 1_000 + Math.floor(random() * 1_000),
        severityNumber,
        severityText: '',
      };
      builder.add(viewOf(record, { observedMs: start, service: 'x' }, view), start);
    }
  }
  for (const [home, builder] of builders) {
    const batch = builder.take();
    if (batch === null) continue;
    const data = encodeLogsMessage({ kind: 'batch', batch });
    (all[home] as Partition).step({ sequence: ++sequence, timeMs: start + second * 1_000, data });
  }
}

const everyone = names.map((_, i) => i);
const few = everyone.filter((i) => i % 20 === 0);
/** Twenty minutes, a record per service and two seconds: windows, histories and templates are as full as they get. */
const warmSeconds = 1_200;
for (let second = 0; second < warmSeconds; second += 4) feed(everyone, second, 2);

const bus = new MemoryBus(() => 0);
let putBytes = 0;
const objects = await bus.objects(objectBuckets.checkpoints);
const put = objects.put.bind(objects);
objects.put = (name, data) => {
  putBytes += data.length;
  return put(name, data);
};
const store = new CheckpointStore(await bus.keyValue(buckets.checkpoints), objects);
const budget = new CheckpointBudget({ everyMs });
const log = (text: string): void => console.error(text);
const checkpointers = all.map(
  ({ partition }) => new Checkpointer({ store, partition, epoch: 1, generation: 1, time: systemTime, budget, log }),
);

async function round(): Promise<{ ms: number; cpuMs: number; longestMs: number; bytes: number }> {
  putBytes = 0;
  let longestMs = 0;
  const cpu = process.cpuUsage();
  const from = performance.now();
  for (const [i, partition] of all.entries()) {
    const began = performance.now();
    const saved = (checkpointers[i] as Checkpointer).save(partition, Promise.resolve());
    longestMs = Math.max(longestMs, performance.now() - began);
    await saved;
  }
  const { user, system } = process.cpuUsage(cpu);
  return { ms: performance.now() - from, cpuMs: (user + system) / 1_000, longestMs, bytes: putBytes };
}

let second = warmSeconds;
async function measure(variant: string, who: readonly number[]) {
  const results: Awaited<ReturnType<typeof round>>[] = [];
  for (let i = 0; i < rounds * 2; i++) {
    for (let step = 0; step < everyMs / 1_000; step++) feed(who, second++, 1);
    // Every partition has a tick in between, as each second brings one.
    for (const partition of all) {
      const data = encodeLogsMessage({ kind: 'tick' });
      partition.step({ sequence: ++sequence, timeMs: start + second * 1_000, data });
    }
    const result = await round();
    // The first chains begin together and end apart; from then on a twelfth of the partitions writes a base.
    if (i >= rounds) results.push(result);
  }
  const mean = (of: (one: (typeof results)[number]) => number): number =>
    results.reduce((sum, one) => sum + of(one), 0) / results.length;
  const bytes = Math.round(mean((one) => one.bytes));
  return {
    variant,
    ms: Math.round(mean((one) => one.ms)),
    cpuMs: Math.round(mean((one) => one.cpuMs)),
    longestPauseMs: Math.round(Math.max(...results.map((one) => one.longestMs)) * 10) / 10,
    bytes,
    coreShare: Math.round((mean((one) => one.cpuMs) / everyMs) * 10_000) / 10_000,
    bytesPerSecond: Math.round(bytes / (everyMs / 1_000)),
  };
}

for (const one of [await measure('all busy', everyone), await measure('5 % busy', few)]) {
  const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(2)} MB`;
  console.log(
    process.argv.includes('--json')
      ? JSON.stringify(one)
      : `${one.variant}: ${one.cpuMs} ms of CPU (${one.ms} ms) and ${megabytes(one.bytes)} a round; ` +
          `${(one.coreShare * 100).toFixed(1)} % of a core and ${megabytes(one.bytesPerSecond)}/s at a round per ` +
          `${everyMs / 1_000} s; longest pause ${one.longestPauseMs} ms`,
  );
}
