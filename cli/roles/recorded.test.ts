import { describe, expect, it } from 'vitest';
import { MemoryBus, openCluster } from '#bus/mod.ts';
import { subjects } from '#protocol/mod.ts';
import { recordedLogs } from './recorded.ts';

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
