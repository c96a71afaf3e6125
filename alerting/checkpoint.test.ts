import { describe, expect, it } from 'vitest';
import { type Bus, type KeyValue, MemoryBus } from '#bus/mod.ts';
import { buckets, objectBuckets } from '#protocol/mod.ts';
import { AlertingCheckpoints } from './checkpoint.ts';
import { snapshotOf } from './core/state.ts';
import { configOf, Play } from './testing/fixtures.ts';

const quiet = (): void => {};

describe('checkpoint of alerting', () => {
  const { state } = new Play(configOf()).find(0, {}, { service: 'cart' });

  it('gives back what it was given, and keeps one state', async () => {
    const bus = new MemoryBus(() => 0);
    const first = await AlertingCheckpoints.open(bus);
    expect(await first.load(quiet)).toEqual({ state: null, marks: [], resumeFrom: 1 });
    await first.save(new Play(configOf()).state, [], 2);
    await first.save(state, [[3, 1, 10]], 7);
    expect(await (await bus.objects(objectBuckets.checkpoints)).list()).toHaveLength(1);
    const restored = await (await AlertingCheckpoints.open(bus)).load(quiet);
    expect(restored).toMatchObject({ marks: [[3, 1, 10]], resumeFrom: 7 });
    expect(restored.state === null ? null : snapshotOf(restored.state)).toEqual(snapshotOf(state));
  });

  it('refuses who was taken over', async () => {
    const bus = new MemoryBus(() => 0);
    const old = await AlertingCheckpoints.open(bus);
    await old.load(quiet);
    await old.save(state, [], 2);
    const next = await AlertingCheckpoints.open(bus);
    await old.confirm();
    await next.load(quiet);
    await expect(old.confirm()).rejects.toMatchObject({ code: 'CLUSTER_MISMATCH' });
    await expect(old.save(state, [], 3)).rejects.toMatchObject({ code: 'CLUSTER_MISMATCH' });
    await next.confirm();
    await next.save(state, [], 4);
  });

  it('goes on where a write was stored and its answer lost', async () => {
    const memory = new MemoryBus(() => 0);
    const store = await memory.keyValue(buckets.marks);
    let lose = false;
    const lossy: KeyValue = {
      ...store,
      update: async (key, value, revision) => {
        const moved = await store.update(key, value, revision);
        if (!lose) return moved;
        lose = false;
        throw new Error('timeout');
      },
    };
    const bus = { keyValue: async () => lossy, objects: (name: string) => memory.objects(name) } as unknown as Bus;
    const checkpoints = await AlertingCheckpoints.open(bus);
    await checkpoints.load(quiet);
    await checkpoints.save(state, [], 2);
    lose = true;
    await expect(checkpoints.save(state, [], 3)).rejects.toThrow('timeout');
    await checkpoints.save(state, [], 4);
    expect((await (await AlertingCheckpoints.open(memory)).load(quiet)).resumeFrom).toBe(4);
    expect(await (await memory.objects(objectBuckets.checkpoints)).list()).toHaveLength(1);
  });

  it.each(['missing', 'corrupt'])('keeps its position where the state is %s', async (what) => {
    const bus = new MemoryBus(() => 0);
    const first = await AlertingCheckpoints.open(bus);
    await first.load(quiet);
    await first.save(state, [[3, 1, 10]], 7);
    const objects = await bus.objects(objectBuckets.checkpoints);
    for (const name of await objects.list()) {
      if (what === 'missing') await objects.delete(name);
      else await objects.put(name, new Uint8Array([1, 2, 3]));
    }
    const lines: string[] = [];
    const restored = await (await AlertingCheckpoints.open(bus)).load((line) => lines.push(line));
    expect(restored).toEqual({ state: null, marks: [[3, 1, 10]], resumeFrom: 7 });
    expect(lines).toEqual([expect.stringMatching(new RegExp(`\\(alerting\\.1\\.[0-9a-f]{16}\\) is ${what}:`))]);
  });
});
