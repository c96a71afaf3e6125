import { expect, it } from 'vitest';
import { ByteWriter } from './byte-writer.ts';
import { TimeColumn } from './time-column.ts';

it('holds the nanoseconds that a writer works out one by one, wherever times lie and however they jump', () => {
  const nowMs = Date.UTC(2026, 0, 15, 12);
  let state = 7;
  const below = (n: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const times = [
    0,
    1,
    -1,
    -4_096,
    -62_135_596_800_000,
    253_402_300_799_999,
    nowMs,
    Number.NaN,
    Number.POSITIVE_INFINITY,
  ];
  for (let i = 0; i < 20_000; i++) times.push(nowMs + i * 3 - below(5_000), below(2 ** 31) * (below(2) - 0.5) * 2_000);
  const column = new TimeColumn();
  const writer = new ByteWriter();
  for (const ms of times) {
    const subNs = below(1_000_000);
    column.add(ms, subNs);
    writer.nanoseconds(ms, subNs);
  }
  expect(Buffer.compare(column.view(), writer.view())).toBe(0);
  column.clear();
  column.add(nowMs, 5);
  writer.clear();
  writer.nanoseconds(nowMs, 5);
  expect(column.view()).toEqual(Uint8Array.from(writer.view()));
});
