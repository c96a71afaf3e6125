import { describe, expect, it } from 'vitest';
import { type DeadLetter, deadBytesMax, deadStream, decodeDeadLetter, encodeDeadLetter } from '#protocol/mod.ts';
import { DeadLetterSink, MemoryBus, openDeadStream, systemTime } from './mod.ts';

const letter: DeadLetter = {
  reason: 'malformed',
  detail: 'not JSON',
  receiver: 'gelf',
  source: '10.0.0.7',
  service: '',
  atMs: 1_700_000_000_000,
  bytes: Buffer.from('{"short_message":'),
};

async function open(): Promise<{ bus: MemoryBus; sink: DeadLetterSink }> {
  const bus = new MemoryBus(Date.now);
  await openDeadStream(bus, { bytesMax: 10_000_000, maxAgeMs: 3_600_000, replicas: 1 });
  return { bus, sink: new DeadLetterSink(bus, systemTime, 'test') };
}

describe('dead letters', () => {
  it('come back from the stream as they were put, with an id of their own', async () => {
    const { bus, sink } = await open();
    sink.put(letter);
    sink.put({ ...letter, reason: 'too_long', receiver: 'a b.c' });
    await sink.settle();
    const first = await bus.streams.read(deadStream, 1);
    expect(first?.subject).toBe('dead.malformed.gelf');
    const decoded = decodeDeadLetter(first?.data as Uint8Array, 1);
    expect(decoded).toMatchObject({ ...letter, bytes: expect.anything(), id: 'test.1', sequence: 1 });
    expect(Buffer.from(decoded.bytes).toString()).toBe('{"short_message":');
    expect((await bus.streams.read(deadStream, 2))?.subject).toBe('dead.too_long.a_b_c');
    expect(sink.metrics()).toContain('logweir_dead_letters_total{reason="malformed",receiver="gelf"} 1\n');
  });

  it('are cut where they are too large, and say so', () => {
    const cut = decodeDeadLetter(encodeDeadLetter({ ...letter, bytes: new Uint8Array(deadBytesMax + 5) }, 'x'), 1);
    expect(cut.bytes.length).toBe(deadBytesMax);
    expect(cut.bytesWhole).toBe(deadBytesMax + 5);
  });

  it('are dropped and counted where there is no stream, and nobody waits', async () => {
    const sink = new DeadLetterSink(new MemoryBus(Date.now), systemTime, 'test');
    for (let i = 0; i < 100; i++) sink.put(letter);
    await sink.settle();
    sink.put(letter);
    expect(sink.counts).toEqual({ set: 101, dropped: 101 });
  });

  it('of a flood are bounded by bytes and number, the rest counted', async () => {
    const { bus, sink } = await open();
    for (let i = 0; i < 10_000; i++) sink.put(letter);
    await sink.settle();
    const { set, dropped } = sink.counts;
    expect(set).toBe(10_000);
    expect((await bus.streams.info(deadStream)).messages).toBe(set - dropped);
    // Two seconds may be touched.
    expect(set - dropped).toBeLessThanOrEqual(4_000);
    expect(set - dropped).toBeGreaterThan(0);
  });

  it('that are none are refused', () => {
    expect(() => decodeDeadLetter(new Uint8Array([1, 2, 3]), 9)).toThrow(/malformed/);
  });
});
