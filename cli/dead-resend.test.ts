/** A dead letter is sent again as it came, is stored once however often that is tried, and stays where it is refused. */
import { afterEach, describe, expect, it } from 'vitest';
import {
  deadHeaders,
  DeadLetterSink,
  MemoryBus,
  openCluster,
  openDeadStream,
  readDeadLetter,
  systemTime,
} from '#bus/mod.ts';
import { Gateway } from '#ingest/mod.ts';
import {
  type DeadLetter,
  deadStream,
  decodeLogsMessage,
  encodeLogsMessage,
  LogweirError,
  streams,
  subjects,
} from '#protocol/mod.ts';
import { judge, resend, type ResendOptions } from './dead-resend.ts';

interface World {
  bus: MemoryBus;
  options: ResendOptions;
  put: (letter: Partial<DeadLetter>) => Promise<void>;
  /** Idempotency keys of the batches on LOGS, each with its number of rows. */
  keys: () => Promise<[keys: string[], rows: number][]>;
}

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function open(): Promise<World> {
  const bus = new MemoryBus(Date.now);
  await openCluster(bus);
  await openDeadStream(bus, { bytesMax: 1e7, maxAgeMs: 3_600_000, replicas: 1 });
  const dead = new DeadLetterSink(bus, systemTime, 'test');
  const where = { partitions: 1, host: '127.0.0.1', port: 0 };
  const gateway = new Gateway({ ...where, bus, time: systemTime, id: 'test', giveUpAfterMs: 100, dead });
  await gateway.start();
  stops.push(() => gateway.stop());
  return {
    bus,
    options: { bus, gatewayUrl: `http://127.0.0.1:${gateway.port}`, tokens: {} },
    put: async (letter) => {
      dead.put({
        reason: 'malformed',
        detail: '',
        receiver: 'ingest',
        source: '',
        service: '',
        atMs: 0,
        bytes: Buffer.from('{"msg":"again"}'),
        resend: { path: '/ingest?service=shop', contentType: 'application/x-ndjson' },
        ...letter,
      });
      await dead.settle();
    },
    keys: async () => {
      const found: [string[], number][] = [];
      const { messages, lastSequence } = await bus.streams.info(streams.logs);
      if (messages === 0) return found;
      for await (const { data, sequence } of await bus.streams.consume(streams.logs, { fromSequence: 1 })) {
        const message = decodeLogsMessage(data);
        if (message.kind === 'batch') found.push([message.batch.idempotency?.keys ?? [], message.batch.rows]);
        if (sequence === lastSequence) break;
      }
      return found;
    },
  };
}

describe('a dead letter sent again', () => {
  it('is stored and removed; tried twice, its key tells the partition', async () => {
    const { bus, options, put, keys } = await open();
    await put({});
    const letter = await readDeadLetter(bus, 1);
    expect(await resend(letter, options)).toEqual({ outcome: 'taken' });
    await expect(readDeadLetter(bus, 1)).rejects.toMatchObject({ code: 'INPUT_EMPTY' });
    expect(await resend(letter, options)).toEqual({ outcome: 'taken' });
    const [first, second, ...more] = await keys();
    expect(more).toEqual([]);
    expect(first).toEqual([[expect.stringMatching(/^.{22}$/)], 1]);
    expect(second).toEqual(first);
  });

  it('stays where it is refused again, and gets no second letter', async () => {
    const { bus, options, put } = await open();
    await put({ bytes: Buffer.from('no json') });
    await put({ bytesWhole: 99 });
    const { resend: _way, ...wayless } = await readDeadLetter(bus, 1);
    expect(await resend(await readDeadLetter(bus, 1), options)).toMatchObject({
      outcome: 'refused',
      why: expect.stringMatching(/^400: not JSON/),
    });
    expect(await resend(await readDeadLetter(bus, 2), options)).toMatchObject({ outcome: 'refused' });
    expect(await resend(wayless, options)).toMatchObject({ outcome: 'refused' });
    const left = [];
    for await (const header of deadHeaders(bus)) left.push(header.sequence);
    expect(left).toEqual([1, 2]);
  });

  it('waits where there is no room', async () => {
    const { bus, options, put } = await open();
    await put({});
    const { publish } = bus.streams;
    bus.streams.publish = () => Promise.reject(new LogweirError('STREAM_FULL', 'Full.', 'Wait.'));
    expect(await resend(await readDeadLetter(bus, 1), options)).toMatchObject({ outcome: 'later' });
    bus.streams.publish = publish;
    expect((await bus.streams.info(deadStream)).messages).toBe(1);
  });

  it('that was found on the stream goes there, if it can be read by now', async () => {
    const { bus, options, put } = await open();
    const way = { path: subjects.logs(0), contentType: '' };
    await put({ reason: 'poison', bytes: encodeLogsMessage({ kind: 'tick' }), resend: way });
    await put({ reason: 'poison', resend: way });
    expect(await resend(await readDeadLetter(bus, 1), options)).toEqual({ outcome: 'taken' });
    expect(await resend(await readDeadLetter(bus, 2), options)).toMatchObject({ outcome: 'refused' });
    expect((await bus.streams.info(streams.logs)).messages).toBe(1);
  });

  it('is judged by what each protocol answers', () => {
    const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
    expect(judge(204, Buffer.alloc(0), false).outcome).toBe('taken');
    expect(judge(200, json({ took: 1, errors: false, items: [] }), true).outcome).toBe('taken');
    expect(judge(200, json({ took: 1, errors: true, items: [] }), true).outcome).toBe('refused');
    expect(judge(200, json({ partialSuccess: { rejectedLogRecords: '1' } }), true).outcome).toBe('refused');
    expect(judge(200, Buffer.from([0x0a, 2, 8, 1]), false).outcome).toBe('refused');
    expect(judge(429, json({ error: {} }), true).outcome).toBe('later');
    expect(judge(413, Buffer.from('too large'), false)).toEqual({ outcome: 'refused', why: '413: too large' });
  });
});
