import { describe, expect, it } from 'vitest';
import { MemoryBus, openCluster } from '#bus/mod.ts';
import { subjects } from '#protocol/mod.ts';
import { readHeld, recordedLogs } from './recorded.ts';

async function busWith(messages: number): Promise<MemoryBus> {
  const bus = new MemoryBus(() => 0);
  await openCluster(bus);
  for (let i = 0; i < messages; i++) await bus.streams.publish(subjects.logs(i % 2), new Uint8Array([i]));
  return bus;
}

async function sequences(bus: MemoryBus, wanted: Parameters<typeof recordedLogs>[1]): Promise<number[]> {
  const read: number[] = [];
  for await (const message of recordedLogs(bus, wanted)) read.push(message.sequence);
  return read;
}

describe('recordedLogs', () => {
  it('reads what the stream held when it began', async () => {
    expect(await sequences(await busWith(0), { fromStart: true })).toEqual([]);
    expect(await sequences(await busWith(3), { fromStart: true })).toEqual([1, 2, 3]);
  });

  it('refuses a stream without its beginning only where that is wanted', async () => {
    const bus = await busWith(3);
    await bus.streams.purge('LOGS', 2);
    expect(await sequences(bus, { fromStart: false })).toEqual([2, 3]);
    await expect(sequences(bus, { fromStart: true })).rejects.toMatchObject({ code: 'CLUSTER_MISMATCH' });
  });

  it('ends where the stream goes silent before its end', async () => {
    const bus = await busWith(3);
    const { info } = bus.streams;
    bus.streams.info = async (name) => ({ ...(await info(name)), lastSequence: 4 });
    await expect(sequences(bus, { fromStart: true, patienceMs: 20 })).rejects.toMatchObject({
      code: 'NATS_UNAVAILABLE',
    });
  });
});

describe('readHeld', () => {
  it('tells where each partition begins', async () => {
    const bus = await busWith(6);
    await bus.streams.purge('LOGS', 4, subjects.logs(1));
    const read: number[] = [];
    expect(await readHeld(bus, ({ sequence }) => read.push(sequence))).toEqual(
      new Map([
        [0, 1],
        [1, 4],
      ]),
    );
    expect(read).toEqual([1, 3, 4, 5, 6]);
  });

  it('leaves out what was purged while it was read: other messages of it may have been gone before', async () => {
    const bus = await busWith(6);
    const read: number[] = [];
    const first = await readHeld(bus, ({ sequence }) => {
      read.push(sequence);
      if (sequence === 1) void bus.streams.purge('LOGS', 5, subjects.logs(0));
    });
    expect(read).toEqual([1, 2, 4, 5, 6]);
    expect(first).toEqual(
      new Map([
        [1, 2],
        [0, 5],
      ]),
    );
  });
});
