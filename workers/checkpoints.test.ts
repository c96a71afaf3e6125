import { describe, expect, it } from 'vitest';
import { MemoryBus } from '#bus/mod.ts';
import { buckets, objectBuckets } from '#protocol/mod.ts';
import { advance, CheckpointStore, checkpointsKept } from './checkpoints.ts';

async function store() {
  const bus = new MemoryBus(() => 0);
  const objects = await bus.objects(objectBuckets.checkpoints);
  return { objects, store: new CheckpointStore(await bus.keyValue(buckets.checkpoints), objects) };
}

const at = (sequence: number, epoch = 1, generation = 1) => ({ epoch, generation, sequence });
const bytes = (n: number): Uint8Array => new Uint8Array([n]);

describe('advance', () => {
  const pointer = { entries: [{ object: 'o', hash: 'h', epoch: 5, generation: 1, sequence: 100 }] };
  const entry = (sequence: number, epoch: number, generation = 1) => ({
    object: 'n',
    hash: 'h',
    epoch,
    generation,
    sequence,
  });

  it('stops for a higher epoch and never lets the position fall', () => {
    expect(advance(pointer, entry(200, 4)).verdict).toBe('stop');
    expect(advance(pointer, entry(100, 5)).verdict).toBe('stop');
    expect(advance(pointer, entry(99, 6)).verdict).toBe('stop');
    expect(advance(pointer, entry(101, 5)).verdict).toBe('commit');
    expect(advance(pointer, entry(1, 6, 2)).verdict).toBe('commit');
  });
});

describe('CheckpointStore', () => {
  it('keeps the newest few and deletes what the pointer no longer names', async () => {
    const { store: checkpoints, objects } = await store();
    for (let i = 1; i <= 5; i++) expect(await checkpoints.save(7, bytes(i), at(i * 10))).toBeNull();
    expect((await objects.list()).length).toBe(checkpointsKept);
    expect((await checkpoints.load(7, null, () => {}))?.entry.sequence).toBe(50);
    expect(await checkpoints.save(7, bytes(9), at(50))).toMatch(/already/);
    expect((await objects.list()).length).toBe(checkpointsKept);
  });

  it('falls back from a corrupt or missing checkpoint to the one before, and says so', async () => {
    const { store: checkpoints, objects } = await store();
    for (let i = 1; i <= 3; i++) await checkpoints.save(7, bytes(i), at(i * 10));
    const [newest, second] = ((await checkpoints.pointer(7))?.entries ?? []).map((entry) => entry.object);
    await objects.put(newest as string, bytes(77));
    await objects.delete(second as string);
    const said: string[] = [];
    expect((await checkpoints.load(7, null, (text) => said.push(text)))?.entry.sequence).toBe(10);
    expect(said.join()).toMatch(/corrupt.*missing/s);
  });

  it('takes none above the limit', async () => {
    const { store: checkpoints } = await store();
    for (let i = 1; i <= 3; i++) await checkpoints.save(7, bytes(i), at(i * 10));
    expect((await checkpoints.load(7, { generation: 1, sequence: 25 }, () => {}))?.entry.sequence).toBe(20);
    expect(await checkpoints.load(7, { generation: 1, sequence: 5 }, () => {})).toBeNull();
  });
});
