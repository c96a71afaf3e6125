import { expect, it } from 'vitest';
import { BatchBuilder, encodeLogsMessage, type LogRecord, RecordView, viewOf } from '#protocol/mod.ts';
import { Partition } from './partition.ts';

const start = Date.UTC(2026, 2, 1, 9);
const steps = ['request accepted', 'stock reserved', 'card charged', 'order stored'];

it('follows trace ids from the batch to the finding, past a snapshot', () => {
  let partition = new Partition(0);
  const detectors = new Set<string>();
  for (let at = 0; at < 60 * 60; at += 10) {
    const records: (LogRecord & { timeMs: number })[] = [];
    for (let n = 0; n < 5; n++) {
      const traceId = (at * 8 + n).toString(16).padStart(32, '7');
      const isOdd = at > 45 * 60 && n % 2 === 0;
      const order = isOdd ? [0, 2, 1, 3] : [0, 1, 2, 3];
      for (const [i, step] of order.entries()) {
        const timeMs = start + (at + n * 2) * 1_000 + i * 70;
        records.push({
          service: 'shop',
          body: steps[step] as string,
          timeMs,
          severityNumber: 9,
          severityText: 'INFO',
          traceId,
        });
      }
    }
    const builder = new BatchBuilder('live', 'test');
    const view = new RecordView();
    for (const record of records.sort((a, b) => a.timeMs - b.timeMs))
      builder.add(viewOf(record, { observedMs: start, service: '' }, view), 1);
    const batch = builder.take();
    if (batch === null) throw new Error('empty');
    const data = encodeLogsMessage({ kind: 'batch', batch });
    const { section } = partition.step({ sequence: at / 10 + 1, timeMs: start + (at + 10) * 1_000, data });
    for (const { detector } of section.anomalies) detectors.add(detector);
    if (at % 700 === 0) partition = Partition.restore(partition.snapshot(), 0);
  }
  expect([...detectors]).toEqual(['unusual_sequence']);
});
