import { describe, expect, it } from 'vitest';
import { Traffic, incidentRound } from '#generator/mod.ts';
import {
  BatchBuilder,
  encodeLogsMessage,
  fnv1a32,
  idempotencyKeysMax,
  type LogRecord,
  type LogsMessage,
  overflowService,
  pack,
  RecordView,
  type Section,
  servicesPerPartitionMax,
  viewOf,
} from '#protocol/mod.ts';
import { Partition } from './partition.ts';

const start = Date.UTC(2026, 2, 1, 9);

function batchOf(records: readonly LogRecord[], lane = 'live', key = ''): LogsMessage {
  const builder = new BatchBuilder(lane, 'test');
  const view = new RecordView();
  for (const [ordinal, record] of records.entries()) {
    viewOf(record, { observedMs: start, service: 'unknown' }, view);
    view.idempotencyKey = key;
    view.ordinal = ordinal;
    builder.add(view, 1);
  }
  const batch = builder.take();
  if (batch === null) throw new Error('empty');
  return { kind: 'batch', batch };
}

const record = (service: string, body: string, timeMs = start): LogRecord => ({
  service,
  body,
  timeMs,
  severityNumber: 9,
  severityText: 'INFO',
});

interface Message {
  sequence: number;
  timeMs: number;
  data: Uint8Array;
}

function stream(messages: readonly LogsMessage[], stepMs = 100): Message[] {
  return messages.map((message, i) => ({
    sequence: (i + 1) * 3,
    timeMs: start + i * stepMs,
    data: encodeLogsMessage(message),
  }));
}

/** Ten minutes of the shop, 1 s a batch, with ticks, an ingest lane, repeats and an end of input between. */
function shop(): Message[] {
  const traffic = new Traffic({ seed: 5, ratePerSecond: 60, incidents: incidentRound(start + 120_000, 60_000, 7) });
  const old = new Traffic({ seed: 6, ratePerSecond: 40 });
  const messages: LogsMessage[] = [];
  for (let second = 0; second < 600; second++) {
    const live = traffic.step(start + second * 1_000, start + (second + 1) * 1_000);
    if (live.length > 0) messages.push(batchOf(live));
    if (second % 7 === 0) messages.push({ kind: 'tick' });
    if (second % 5 === 0 && second < 300) {
      const week = start - 7 * 86_400_000 + second * 20_000;
      messages.push(batchOf(old.step(week, week + 4_000), 'job-1', second % 10 === 0 ? `key-${second}` : ''));
      if (second % 20 === 0) messages.push(messages.at(-1) as LogsMessage);
    }
    if (second === 400) messages.push({ kind: 'end', lane: 'job-1' });
    if (second === 200)
      messages.push({
        kind: 'control',
        control: { kind: 'analysis', version: 1, config: { windows: { allowedDisorderMs: 2_000 } } },
      });
  }
  return stream(messages, 1_000 * (600 / messages.length));
}

function digest(section: Section): number {
  return fnv1a32(pack(section));
}

describe('Partition (R2)', () => {
  const messages = shop();

  it('gives the same answers whether or not it was snapshot and restored, at any message', () => {
    const straight = new Partition(3);
    let restored = new Partition(3);
    let anomalies = 0;
    let windows = 0;
    for (const [i, message] of messages.entries()) {
      const expected = straight.step(message);
      if (i % 61 === 0 || (i > 300 && i < 306)) {
        const bytes = restored.snapshot();
        restored = Partition.restore(bytes, 3);
        expect(Buffer.compare(restored.snapshot(), bytes)).toBe(0);
      }
      const actual = restored.step(message);
      if (digest(actual.section) !== digest(expected.section)) expect(actual.section).toEqual(expected.section);
      expect(actual.anomaliesFrom).toBe(expected.anomaliesFrom);
      anomalies += expected.section.anomalies.length;
      windows += expected.section.windows.length;
    }
    expect(anomalies).toBeGreaterThan(1);
    expect(windows).toBeGreaterThan(100);
  });

  it.each([1, 2])(
    'gives the same state from a chain of changes, taken at any message (seed %i)',
    (seed) => {
      const straight = new Partition(3);
      let chained = new Partition(3);
      let chain: Uint8Array[] = [];
      let since: number | null = null;
      let state = seed;
      const random = (): number => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        return state / 2 ** 32;
      };
      let restores = 0;
      for (const message of messages) {
        const expected = straight.step(message).section;
        const actual = chained.step(message).section;
        if (digest(actual) !== digest(expected)) expect(actual).toEqual(expected);
        const dice = random();
        if (dice < 0.2) {
          if (dice < 0.02 || chain.length > 12) {
            chain = [];
            since = null;
          }
          const taken = chained.take(since);
          // Some are never stored: what they held must be in the next.
          if (random() < 0.2) continue;
          chain.push(taken.bytes);
          since = taken.round;
          if (random() < 0.15) {
            chained = Partition.restore(chain, 3);
            since = 0;
            restores++;
            expect(Buffer.compare(chained.snapshot(), straight.snapshot())).toBe(0);
          }
        }
      }
      expect(restores).toBeGreaterThan(10);
    },
    60_000,
  );

  it('takes little where little changed', () => {
    const partition = new Partition(3);
    for (const message of messages.slice(0, 400)) partition.step(message);
    const base = partition.take(null);
    expect(partition.take(base.round).bytes.length).toBeLessThan(base.bytes.length / 20);
  });

  it('refuses a chain that is torn, of another format, or lacks its base', () => {
    const partition = new Partition(3);
    for (const message of messages.slice(0, 40)) partition.step(message);
    const base = partition.take(null);
    partition.step(messages[40] as Message);
    const { bytes } = partition.take(base.round);
    const format = Uint8Array.from(base.bytes);
    format[1] = 99;
    const bad = [[bytes], [base.bytes, bytes.subarray(0, bytes.length >> 1)], [format], [new Uint8Array(2)], []];
    for (const chain of bad)
      expect(() => Partition.restore(chain, 3)).toThrowError(expect.objectContaining({ code: 'MESSAGE_MALFORMED' }));
  });

  it('remembers request keys across a chain, in the order they came', () => {
    const partition = new Partition(0);
    const request = (i: number): LogsMessage => batchOf([record('a', 'one')], 'live', `key-${i}`);
    const list = stream(Array.from({ length: idempotencyKeysMax + 600 }, (_, i) => request(i % 4_300)));
    const chain: Uint8Array[] = [];
    let since: number | null = null;
    for (const [i, message] of list.entries()) {
      partition.step(message);
      if (i % 500 !== 499) continue;
      const taken = partition.take(since);
      chain.push(taken.bytes);
      since = taken.round;
    }
    chain.push(partition.take(since).bytes);
    expect(Buffer.compare(Partition.restore(chain, 0).snapshot(), partition.snapshot())).toBe(0);
  });

  it('enriches every row', () => {
    const partition = new Partition(3);
    const sections = messages.slice(0, 50).map((message) => partition.step(message).section);
    expect(sections.map((section) => section.enrichment?.predictedSeverityNumber.length)).toEqual(
      sections.map((section) => section.batch?.rows),
    );
  });
});

describe('Partition', () => {
  it('sets aside what fails to decode, and goes on', () => {
    const partition = new Partition(0);
    const good = stream([batchOf([record('a', 'one')]), batchOf([record('a', 'two')])]);
    const [first, second] = good as [Message, Message];
    expect(partition.step({ ...first, data: new Uint8Array([1, 2, 3]) }).section.deadLetter).toMatch(
      /not a Logweir frame/,
    );
    expect(partition.step(second).section.batch?.rows).toBe(1);
  });

  it('drops repeats of a request by key and ordinal, and takes what is new in them', () => {
    const partition = new Partition(0);
    const records = ['one', 'two', 'three', 'four'].map((body) => record('a', body));
    const [half, whole, other] = stream([
      batchOf(records.slice(0, 2), 'live', 'k'),
      batchOf(records, 'live', 'k'),
      batchOf(records, 'live', 'another'),
    ]) as [Message, Message, Message];
    expect(partition.step(half).section).toMatchObject({ duplicates: 0, batch: { rows: 2 } });
    expect(partition.step(whole).section).toMatchObject({ duplicates: 2, batch: { rows: 2, idempotency: null } });
    expect(partition.step({ ...whole, sequence: 90 }).section).toMatchObject({ duplicates: 4, batch: null });
    expect(partition.step({ ...other, sequence: 91 }).section).toMatchObject({ duplicates: 0, batch: { rows: 4 } });
  });

  it('analyses services beyond its limit as one, and keeps their own names in storage', () => {
    const partition = new Partition(0);
    const many = Array.from({ length: servicesPerPartitionMax + 40 }, (_, i) => record(`service-${i}`, 'hello'));
    const [message] = stream([batchOf(many)]) as [Message];
    const output = partition.step(message);
    expect(partition.services).toBe(servicesPerPartitionMax + 1);
    expect(output.counts.overflow).toBe(40);
    expect(output.section.batch?.service.values).toContain(`service-${servicesPerPartitionMax + 39}`);
    expect(output.section.templates.some((row) => row.service === overflowService)).toBe(true);
  });

  it('forgets an ingest lane when its input ends, with its windows closed', () => {
    const partition = new Partition(0);
    const old = start - 9 * 86_400_000;
    const [rows, end] = stream([
      batchOf([record('a', 'one', old), record('a', 'two', old + 45_000)], 'job'),
      { kind: 'end', lane: 'job' },
    ]) as [Message, Message];
    partition.step(rows);
    const { section } = partition.step(end);
    expect(section.windows.map((window) => window.logCount)).toContain(1);
    expect(partition.services).toBe(0);
  });

  it('ends a lane that went silent, as the job behind it was killed, and has room for others again', () => {
    const partition = new Partition(0);
    const old = start - 9 * 86_400_000;
    const tick: LogsMessage = { kind: 'tick' };
    const [live, rows, before, after] = stream([
      batchOf([record('a', 'one')]),
      batchOf([record('a', 'one', old), record('b', 'two', old + 45_000)], 'job'),
      tick,
      tick,
    ]) as [Message, Message, Message, Message];
    partition.step(live);
    partition.step(rows);
    const hour = 3_600_000;
    partition.step({ ...before, timeMs: rows.timeMs + hour });
    expect(partition.services).toBe(3);
    const { section } = partition.step({ ...after, timeMs: rows.timeMs + hour + 1 });
    expect(section.windows.some(({ lane }) => lane === 'job')).toBe(true);
    expect(partition.services).toBe(1);
  });

  it('drops the repeat of a request for an hour of stream time, restored or not', () => {
    const [first, again] = stream([
      batchOf([record('a', 'one')], 'live', 'k'),
      batchOf([record('a', 'one')], 'live', 'k'),
    ]) as [Message, Message];
    const within = new Partition(0);
    within.step(first);
    const restored = Partition.restore(within.snapshot(), 0);
    for (const partition of [within, restored])
      expect(partition.step({ ...again, timeMs: first.timeMs + 3_600_000 }).section.duplicates).toBe(1);
    const beyond = Partition.restore(within.snapshot(), 0);
    expect(beyond.step({ ...again, sequence: 9, timeMs: first.timeMs + 3_600_001 }).section.duplicates).toBe(0);
  });

  it('gives one row for a window that closes and is revised in the same message', () => {
    const partition = new Partition(0);
    const [message] = stream([
      batchOf([0, 40_000, 80_000, 10_000, 11_000].map((after) => record('a', 'hello', start + after))),
    ]) as [Message];
    const { windows } = partition.step(message).section;
    expect(windows.map((row) => [row.startMs - start, row.logCount, row.lateCount])).toEqual([
      [0, 3, 2],
      [30_000, 1, 0],
    ]);
  });

  it('is not poisoned by a record from 1970 or 2099', () => {
    const run = (extra: LogRecord[]): unknown[] => {
      const partition = new Partition(0);
      const traffic = new Traffic({ seed: 8, ratePerSecond: 50 });
      const windows: unknown[] = [];
      const list: LogsMessage[] = [];
      for (let second = 0; second < 300; second++) {
        const records = traffic
          .step(start + second * 1_000, start + (second + 1) * 1_000)
          .filter((one) => one.service === 'edge-proxy');
        if (records.length > 0) list.push(batchOf(second === 100 ? [...extra, ...records] : records));
      }
      for (const message of stream(list, 1_000))
        windows.push(...partition.step(message).section.windows.map((row) => [row.startMs, row.warnCount]));
      return windows;
    };
    expect(
      run([record('edge-proxy', 'from the past', 0), record('edge-proxy', 'from the future', Date.UTC(2099, 0))]),
    ).toEqual(run([]));
  });
});
