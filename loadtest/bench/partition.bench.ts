/**
 * The whole partition (decode, mine, classify, aggregate, detect, enrich) on the generator's mix: records per second
 * of one core. Run: node loadtest/bench/partition.bench.ts [--json]
 */
import process from 'node:process';
import { BatchBuilder, encodeLogsMessage, RecordView, viewOf } from '../../protocol/mod.ts';
import { Traffic } from '../../generator/mod.ts';
import { Partition } from '../../workers/mod.ts';

const start = Date.UTC(2026, 0, 15, 12);
const traffic = new Traffic({ seed: 1, ratePerSecond: 20_000 });
const messages: { sequence: number; timeMs: number; data: Uint8Array; rows: number }[] = [];
for (let second = 0; second < 20; second++) {
  const builder = new BatchBuilder('live', 'bench');
  const view = new RecordView();
  const flush = (): void => {
    const batch = builder.take();
    if (batch === null) return;
    const data = encodeLogsMessage({ kind: 'batch', batch });
    messages.push({ sequence: messages.length + 1, timeMs: start + second * 1_000, data, rows: batch.rows });
  };
  for (const record of traffic.step(start + second * 1_000, start + (second + 1) * 1_000)) {
    builder.add(viewOf(record, { observedMs: start, service: 'x' }, view), start);
    if (builder.rows === 1_000) flush();
  }
  flush();
}
const rates: number[] = [];
for (let round = 0; round < 5; round++) {
  const partition = new Partition(0);
  const from = performance.now();
  let rows = 0;
  for (const message of messages) {
    partition.step(message);
    rows += message.rows;
  }
  rates.push(rows / ((performance.now() - from) / 1_000));
}
rates.sort((a, b) => a - b);
const result = {
  recordsPerSecond: Math.round(rates[2] as number),
  min: Math.round(rates[0] as number),
  max: Math.round(rates[4] as number),
};
console.log(
  process.argv.includes('--json')
    ? JSON.stringify(result)
    : `partition: ${result.recordsPerSecond} records/s (${result.min}–${result.max})`,
);
