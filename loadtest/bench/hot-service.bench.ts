/**
 * What a record of one hot service costs on its way: CPU time of each part on one core, with and without masking at the
 * gateway. What is ordered is bounded by one core; its ceiling follows from the sum. Bodies are the generator's, all
 * under one service's name, parsed as the gateway parses them; a first pass warms up and teaches the classifier.
 * Run: node loadtest/bench/hot-service.bench.ts [--json] [--rows N]
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { Masker } from '#analysis/templates/mod.ts';
import { toNdjson, Traffic } from '#generator/mod.ts';
import {
  BatchBuilder,
  decodeLogsMessage,
  encodeLogsMessage,
  encodeResults,
  type MaskedColumns,
  type RecordBatch,
  type Section,
} from '#protocol/mod.ts';
import { NdjsonScanner } from '../../ingest/ndjson.ts';
import { Gather } from '../../workers/gather.ts';
import { Partition } from '../../workers/mod.ts';

const { values } = parseArgs({ options: { json: { type: 'boolean' }, rows: { type: 'string', default: '2500' } } });
const rowsPerBatch = Number(values.rows);
const startMs = Date.UTC(2026, 0, 15, 12);
const secondsPerPass = 8;
const passes = 6;
const ratePerSecond = 30_000;
const gatherBytes = 400 * 1024;

interface Part {
  name: string;
  /** CPU seconds of each pass. */
  passes: number[];
}
const parts = new Map<string, Part>();
let records = 0;
const recordsOfPass: number[] = [];

/** CPU seconds of this thread. */
function cpuSeconds(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1e6;
}

function timed<T>(name: string, pass: number, run: () => T): T {
  const from = cpuSeconds();
  const result = run();
  const part = parts.get(name) ?? { name, passes: [] };
  parts.set(name, part);
  part.passes[pass] = (part.passes[pass] ?? 0) + cpuSeconds() - from;
  return result;
}

/** One worker's ordered part: what a message meets in its runner. */
class Ordered {
  private readonly name: string;
  private readonly partition = new Partition(0);
  private readonly gather = new Gather(0, 1, 0);
  private sequence = 0;
  resultBytes = 0;

  constructor(name: string) {
    this.name = name;
  }

  take(data: Uint8Array, timeMs: number, pass: number): void {
    const message = { sequence: ++this.sequence, timeMs, data };
    const { section } = timed(`worker: decode and analyse${this.name}`, pass, () => this.partition.step(message));
    timed(`worker: gather and encode${this.name}`, pass, () => this.pass(section));
  }

  private pass(section: Section): void {
    for (const ready of this.gather.add(section, 1, 0)) this.resultBytes += encodeResults(ready).length;
    if (this.gather.bytes < gatherBytes) return;
    const ready = this.gather.cut();
    if (ready !== null) this.resultBytes += encodeResults(ready).length;
  }
}

const traffic = new Traffic({ seed: 1, ratePerSecond });
const masker = new Masker();
const plain = new Ordered('');
const spared = new Ordered(', masked');
const wire = { plain: 0, masked: 0 };
for (let pass = 0; pass < passes; pass++) {
  let count = 0;
  for (let second = pass * secondsPerPass; second < (pass + 1) * secondsPerPass; second++) {
    const at = startMs + second * 1_000;
    const lines = traffic.step(at, at + 1_000).map((record) => toNdjson({ ...record, service: 'hot' }));
    for (let from = 0; from < lines.length; from += rowsPerBatch) {
      const body = Buffer.from(lines.slice(from, from + rowsPerBatch).join(''));
      const batch = timed('gateway: parse and build', pass, () => build(body, at));
      const masked = timed('gateway: mask', pass, () => masker.mask(batch)) as MaskedColumns;
      const data = timed('gateway: encode', pass, () => encodeLogsMessage({ kind: 'batch', batch }));
      const dataMasked = timed('gateway: encode, masked', pass, () =>
        encodeLogsMessage({ kind: 'batch', batch, masked }),
      );
      timed('worker: decode alone', pass, () => decodeLogsMessage(data));
      timed('worker: decode alone, masked', pass, () => decodeLogsMessage(dataMasked));
      plain.take(data, at, pass);
      spared.take(dataMasked, at, pass);
      wire.plain += data.length;
      wire.masked += dataMasked.length;
      count += batch.rows;
    }
  }
  recordsOfPass.push(count);
  records += count;
}

function build(body: Buffer, nowMs: number): RecordBatch {
  const scanner = new NdjsonScanner(body, nowMs, 'hot');
  const builder = new BatchBuilder('live', 'bench');
  while (scanner.next() === 'record') builder.add(scanner.view, nowMs);
  return builder.take() as RecordBatch;
}

/** Median over the passes after the first, in ns a record. */
const nsPerRecord: Record<string, number> = {};
for (const { name, passes: seconds } of parts.values()) {
  const each = seconds.slice(1).map((cpu, i) => (cpu * 1e9) / (recordsOfPass[i + 1] as number));
  each.sort((a, b) => a - b);
  nsPerRecord[name] = Math.round(each[each.length >> 1] as number);
}
const ceiling = (name: string): number =>
  Math.round(
    1e9 /
      ((nsPerRecord[`worker: decode and analyse${name}`] as number) +
        (nsPerRecord[`worker: gather and encode${name}`] as number)),
  );
const result = {
  records,
  rowsPerBatch,
  nsPerRecord,
  wireBytesPerRecord: { plain: wire.plain / records, masked: wire.masked / records },
  resultBytesPerRecord: plain.resultBytes / records,
  orderedRecordsPerSecond: { plain: ceiling(''), masked: ceiling(', masked') },
};
if (values.json === true) console.log(JSON.stringify(result));
else {
  for (const [name, ns] of Object.entries(nsPerRecord)) console.log(`${String(ns).padStart(6)} ns  ${name}`);
  const { plain: bytes, masked: bytesMasked } = result.wireBytesPerRecord;
  console.log(
    `bytes on LOGS: ${bytes.toFixed(1)}, masked ${bytesMasked.toFixed(1)}; on RESULTS ${result.resultBytesPerRecord.toFixed(1)}`,
  );
  console.log(`ceiling of the ordered part: ${ceiling('')} records/s, masked ${ceiling(', masked')}`);
}
