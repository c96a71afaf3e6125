import { describe, expect, it } from 'vitest';
import { MemoryBus, openCluster, reserveBytesOf, systemTime, type Time } from '#bus/mod.ts';
import { decodeLogsMessage, encodeLogsMessage, LogweirError, RecordView, streams, viewOf } from '#protocol/mod.ts';
import { BatchPublisher, Ticket } from './batch-publisher.ts';
import { adaptLinger, lingerMsMax, lingerMsMaxBusy, lingerMsMin } from './linger.ts';

async function setup(
  options: Partial<{ giveUpAfterMs: number; pendingBytesMax: number; time: Time }> = {},
  bytesMax = 1e9,
) {
  const bus = new MemoryBus(Date.now);
  await openCluster(bus, { streamBytesMax: { LOGS: bytesMax } });
  const publisher = new BatchPublisher({
    bus,
    partitions: 4,
    lane: 'live',
    source: 'test',
    time: systemTime,
    publisherId: 'p',
    pendingBytesMax: 1e7,
    giveUpAfterMs: 200,
    ...options,
  });
  return { bus, publisher };
}

const record = (service: string, body: string): RecordView =>
  viewOf({ service, body, severityNumber: 9, severityText: 'INFO' }, { observedMs: 1, service: 'x' }, new RecordView());

async function stored(bus: MemoryBus): Promise<string[]> {
  const { lastSequence } = await bus.streams.info(streams.logs);
  const subscription = await bus.streams.consume(streams.logs, { fromSequence: 1 });
  const rows: string[] = [];
  if (lastSequence === 0) return rows;
  for await (const message of subscription) {
    const decoded = decodeLogsMessage(message.data);
    if (decoded.kind === 'batch') rows.push(`${message.subject}:${decoded.batch.rows}`);
    if (message.sequence === lastSequence) break;
  }
  return rows;
}

describe('BatchPublisher', () => {
  it('settles a ticket when every batch with one of its records is stored, gathering records of a partition', async () => {
    const { bus, publisher } = await setup();
    const ticket = new Ticket();
    for (let i = 0; i < 100; i++) publisher.add(record(`service-${i % 10}`, `body ${i}`), ticket, Date.now());
    await ticket.done();
    const rows = await stored(bus);
    expect(rows.map((row) => Number(row.split(':')[1])).reduce((a, b) => a + b)).toBe(100);
    expect(rows.length).toBeLessThanOrEqual(4);
    expect(publisher.pendingBytes).toBe(0);
  });

  it('refuses records before the stream is full, so that ticks still get in', async () => {
    const { bus, publisher } = await setup({}, 100_000);
    const send = async (): Promise<unknown> => {
      const ticket = new Ticket();
      for (let i = 0; i < 20; i++)
        publisher.add(record('s', Array.from({ length: 60 }, () => Math.random()).join()), ticket, Date.now());
      return ticket.done().then(
        () => null,
        (error: LogweirError) => error.code,
      );
    };
    let refused: unknown = null;
    for (let i = 0; i < 100 && refused === null; i++) refused = await send();
    expect(refused).toBe('STREAM_FULL');
    const { bytes } = await bus.streams.info(streams.logs);
    expect(bytes).toBeLessThanOrEqual(100_000 - reserveBytesOf(100_000));
    const tick = encodeLogsMessage({ kind: 'tick' });
    for (let i = 0; i < 60; i++) await bus.streams.publish('logs.0', tick);
  });

  it('settles an empty ticket at once', async () => {
    await expect(new Ticket().done()).resolves.toBeUndefined();
  });

  it('reuses the message id for a retry, so that a lost acknowledgement stores once', async () => {
    const { bus, publisher } = await setup();
    const publish = bus.streams.publish;
    let calls = 0;
    bus.streams.publish = async (...args) => {
      const ack = await publish(...args);
      if (calls++ === 0) throw new LogweirError('NATS_UNAVAILABLE', 'acknowledgement lost', 'again');
      return ack;
    };
    const ticket = new Ticket();
    publisher.add(record('a', 'x'), ticket, Date.now());
    await ticket.done();
    expect(calls).toBe(2);
    expect(await stored(bus)).toHaveLength(1);
  });

  it('fails what is queued behind a batch that failed for good, and nothing later', async () => {
    const { bus, publisher } = await setup();
    const publish = bus.streams.publish;
    bus.streams.publish = async () => {
      throw new LogweirError('NATS_UNAVAILABLE', 'away', 'wait');
    };
    const first = new Ticket();
    publisher.add(record('a', 'x'), first, Date.now());
    publisher.flush();
    publisher.add(record('a', 'y'), first, Date.now());
    await expect(first.done()).rejects.toMatchObject({ code: 'NATS_UNAVAILABLE' });
    publisher.add(record('a', 'z'), first, Date.now());
    bus.streams.publish = publish;
    const second = new Ticket();
    publisher.add(record('a', 'later'), second, Date.now());
    await second.done();
    expect(await stored(bus)).toHaveLength(1);
    expect(publisher.pendingBytes).toBe(0);
  });

  it('does not let an error wait for its batch to gather', async () => {
    let now = 1_000;
    const { publisher } = await setup({ time: { ...systemTime, now: () => now } });
    const sent: number[] = [];
    const follow = (ticket: Ticket): Promise<number> => ticket.done().then(() => sent.push(now));
    const usual = new Ticket();
    publisher.add(record('a', 'x'), usual, now);
    const urgent = new Ticket();
    const view = record('b', 'y');
    view.severityNumber = 17;
    publisher.add(view, urgent, now);
    now += 1;
    await follow(urgent);
    expect(sent).toEqual([1_001]);
    now += 10;
    await follow(usual);
    expect(sent).toEqual([1_001, 1_011]);
  });

  it('says when it is full', async () => {
    const { publisher } = await setup({ pendingBytesMax: 100 });
    const ticket = new Ticket();
    publisher.add(record('a', 'x'.repeat(200)), ticket, Date.now());
    expect(publisher.full).toBe(true);
    await ticket.done();
    expect(publisher.full).toBe(false);
  });
});

describe('adaptLinger', () => {
  it('grows under load, shrinks when quiet, within bounds', () => {
    let linger = lingerMsMin;
    for (let i = 0; i < 20; i++) linger = adaptLinger(linger, 5_000, 20_000);
    expect(linger).toBe(lingerMsMax);
    expect(adaptLinger(linger, 400, 20_000)).toBe(linger);
    for (let i = 0; i < 20; i++) linger = adaptLinger(linger, 5_000, 100_000);
    expect(linger).toBe(lingerMsMaxBusy);
    expect(adaptLinger(linger, 400, 20_000)).toBe(lingerMsMax);
    for (let i = 0; i < 20; i++) linger = adaptLinger(linger, 10, 100);
    expect(linger).toBe(lingerMsMin);
  });
});
