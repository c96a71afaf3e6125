/** Masked columns are a short cut and nothing else: a partition answers the same with them, without them, and with some. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Masker } from '#analysis/templates/mod.ts';
import { incidentRound, Traffic } from '#generator/mod.ts';
import {
  BatchBuilder,
  decodeLogsMessage,
  encodeFrame,
  encodeLogsMessage,
  type MaskedColumns,
  maskVersion,
  pack,
  type RecordBatch,
  RecordView,
  sealBody,
  viewOf,
} from '#protocol/mod.ts';
import { Partition } from './partition.ts';

const start = Date.UTC(2026, 2, 1, 9);
const masker = new Masker(1);

/** Ten minutes of the shop in batches of all sizes; some records of a request come again. */
function batches(seed: number): { timeMs: number; batch: RecordBatch }[] {
  const incidents = incidentRound(start + 300_000, 60_000, seed);
  const traffic = new Traffic({ seed, ratePerSecond: 25, incidents });
  const result: { timeMs: number; batch: RecordBatch }[] = [];
  for (let second = 0; second < 600; second += 4) {
    const builder = new BatchBuilder('live', 'test');
    const view = new RecordView();
    const records = traffic.step(start + second * 1_000, start + (second + 4) * 1_000);
    for (const [ordinal, record] of records.entries()) {
      const body = ordinal % 40 === 7 ? `${record.body}\n\tat shop.Basket\nCaused by: ${record.body}` : record.body;
      viewOf({ ...record, body }, { observedMs: start, service: 'shop' }, view);
      view.idempotencyKey = second % 60 === 0 ? `request-${second}` : '';
      view.ordinal = ordinal;
      builder.add(view, start);
    }
    const batch = builder.take();
    if (batch === null) continue;
    result.push({ timeMs: start + second * 1_000, batch });
    if (second % 120 === 0) result.push({ timeMs: start + second * 1_000, batch });
  }
  return result;
}

const digest = (value: unknown): string => createHash('sha256').update(pack(value)).digest('base64url');

/** What a partition says of every message, and its state at the end, as digests. */
function answers(seed: number, mask: (n: number, batch: RecordBatch) => unknown, restoreEvery = 0): string[] {
  let partition = new Partition(3);
  const said: string[] = [];
  for (const [n, { timeMs, batch }] of batches(seed).entries()) {
    const masked = mask(n, batch);
    const data = encodeFrame('batch', batch, masked === null ? [] : [sealBody(masked)]);
    const { section, counts } = partition.step({ sequence: n + 1, timeMs, data });
    delete section.batchBody;
    said.push(digest({ section, counts }));
    if (restoreEvery > 0 && n % restoreEvery === 0) partition = Partition.restore(partition.snapshot(), 3);
  }
  said.push(digest(partition.snapshot()));
  return said;
}

describe('a partition with masked columns', () => {
  it.each([1, 2])(
    'answers as without them, restored now and then or not (seed %i)',
    (seed) => {
      const without = answers(seed, () => null);
      expect(without.length).toBeGreaterThan(140);
      expect(answers(seed, (_n, batch) => masker.mask(batch))).toEqual(without);
      expect(answers(seed, (n, batch) => (n % 3 === 0 ? null : masker.mask(batch)), 25)).toEqual(without);
      expect(answers(seed, () => ({ version: maskVersion + 1, lines: 'of a later build' }))).toEqual(without);
    },
    60_000,
  );

  it('sets a message aside whose columns are broken, and goes on', () => {
    const [first, second] = batches(3);
    const { batch, timeMs } = first as typeof batches extends (seed: number) => (infer B)[] ? B : never;
    const columns = masker.mask(batch) as MaskedColumns;
    const broken = encodeLogsMessage({
      kind: 'batch',
      batch,
      masked: { ...columns, index: columns.index.map(() => 255) },
    });
    expect(() => decodeLogsMessage(broken)).toThrow(/masked/);
    const twice = encodeFrame('batch', batch, [sealBody(columns), sealBody(columns)]);
    const partition = new Partition(3);
    for (const [n, data] of [broken, twice, encodeFrame('tick', null, [sealBody(1)])].entries()) {
      const { section } = partition.step({ sequence: n + 1, timeMs, data });
      expect(section).toMatchObject({ batch: null, deadLetter: expect.any(String) });
    }
    const data = encodeLogsMessage({ kind: 'batch', batch: second!.batch, masked: masker.mask(second!.batch) });
    expect(partition.step({ sequence: 4, timeMs, data }).section.deadLetter).toBeNull();
  });
});
