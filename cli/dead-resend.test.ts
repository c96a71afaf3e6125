/** A dead letter is sent again as it came, is stored once however often that is tried, and stays where it is refused. */
import { afterEach, describe, expect, it } from 'vitest';
import { deadHeaders, DeadLetterSink, openDeadStream, readDeadLetter, systemTime } from '#bus/mod.ts';
import { openGateway, type TestGateway } from '#ingest/testing/gateway.ts';
import { type DeadLetter, deadStream, encodeLogsMessage, LogweirError, streams, subjects } from '#protocol/mod.ts';
import { judge, resend, type ResendOptions } from './dead-resend.ts';

let world: TestGateway | null = null;
afterEach(async () => {
  await world?.stop();
  world = null;
});

async function open(): Promise<
  TestGateway & { options: ResendOptions; put: (letter: Partial<DeadLetter>) => Promise<void> }
> {
  const dead: { put: (letter: DeadLetter) => void } = { put: () => {} };
  const gateway = await openGateway({ dead });
  world = gateway;
  await openDeadStream(gateway.bus, { bytesMax: 1e7, maxAgeMs: 3_600_000, replicas: 1 });
  const sink = new DeadLetterSink(gateway.bus, systemTime, 'test');
  dead.put = (letter) => sink.put(letter);
  return {
    ...gateway,
    options: { bus: gateway.bus, gatewayUrl: gateway.url, splunkToken: '' },
    put: async (letter) => {
      sink.put({
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
      await sink.settle();
    },
  };
}

describe('a dead letter sent again', () => {
  it('is stored and removed; tried twice, its key tells the partition', async () => {
    const { bus, options, put, records } = await open();
    await put({});
    const letter = await readDeadLetter(bus, 1);
    expect(await resend(letter, options)).toEqual({ outcome: 'taken' });
    await expect(readDeadLetter(bus, 1)).rejects.toMatchObject({ code: 'INPUT_EMPTY' });
    expect(await resend(letter, options)).toEqual({ outcome: 'taken' });
    expect((await records()).map(({ service, body }) => [service, body])).toEqual([
      ['shop', 'again'],
      ['shop', 'again'],
    ]);
    const keys: string[] = [];
    for await (const { data, sequence } of await bus.streams.consume(streams.logs, { fromSequence: 1 })) {
      const { decodeLogsMessage } = await import('#protocol/mod.ts');
      const message = decodeLogsMessage(data);
      if (message.kind === 'batch') keys.push(...(message.batch.idempotency?.keys ?? []));
      if (sequence === 2) break;
    }
    expect(new Set(keys.filter((key) => key !== '')).size).toBe(1);
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
