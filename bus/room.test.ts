import { describe, expect, it } from 'vitest';
import { streams } from '#protocol/mod.ts';
import { MemoryBus, openCluster, reserveBytesOf, Room, systemTime } from './mod.ts';

const bytesMax = 16_000;

async function setup() {
  let nowMs = 0;
  const bus = new MemoryBus(() => nowMs);
  await openCluster(bus, { streamBytesMax: { LOGS: bytesMax } });
  const room = new Room(bus.streams, streams.logs, { ...systemTime, now: () => nowMs });
  const bulk = async (bytes: number): Promise<void> => {
    await room.take(bytes);
    await bus.streams.publish('logs.1', new Uint8Array(bytes));
  };
  return { bus, bulk, after: (ms: number) => void (nowMs += ms) };
}

describe('Room', () => {
  it('refuses what is sent in bulk before the stream is full, and takes it again when there is room', async () => {
    const { bus, bulk, after } = await setup();
    for (let i = 0; i < 15; i++) await bulk(1_000);
    await expect(bulk(1_000)).rejects.toMatchObject({ code: 'STREAM_FULL' });
    expect((await bus.streams.info(streams.logs)).bytes).toBe(bytesMax - reserveBytesOf(bytesMax));
    for (let tick = 0; tick < 20; tick++) await bus.streams.publish('logs.1', new Uint8Array(45));
    await bus.streams.purge(streams.logs, 5);
    after(100);
    await bulk(1_000);
  });

  it('sees what others send where the stream is nearly full', async () => {
    const { bus, bulk, after } = await setup();
    for (let i = 0; i < 12; i++) await bulk(1_000);
    await bus.streams.publish('logs.2', new Uint8Array(3_000));
    after(100);
    await expect(bulk(100)).rejects.toMatchObject({ code: 'STREAM_FULL' });
  });
});
