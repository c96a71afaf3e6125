/** Who may write, decided over a key-value store that loses answers and updates as a crashed server does. */
import { describe, expect, it } from 'vitest';
import { type KeyValue, MemoryBus, type Time } from '#bus/mod.ts';
import { buckets, keys, streamSubjects, streams } from '#protocol/mod.ts';
import { readWriterRecord, RecordKeeper } from './record.ts';

const time: Time = {
  now: () => 0,
  after: (_ms, run) => {
    setImmediate(run);
    return () => {};
  },
  every: () => () => {},
  soon: (run) => setImmediate(run),
};

async function open(): Promise<{ bus: MemoryBus; store: KeyValue; take: (owner: string) => Promise<RecordKeeper> }> {
  const bus = new MemoryBus(() => 1_700_000_000_000);
  await bus.streams.ensure({
    name: streams.results,
    subjects: [streamSubjects.RESULTS],
    bytesMax: 1e6,
    replicas: 1,
    duplicateWindowMs: 1,
  });
  const store = await bus.keyValue(buckets.marks);
  const log = { info: () => {}, warn: () => {} };
  const take = (owner: string): Promise<RecordKeeper> =>
    RecordKeeper.takeOver({ bus, time, owner, standbyMs: 0, log, ended: () => false });
  return { bus, store, take };
}

const position = async (bus: MemoryBus): Promise<number | undefined> => (await readWriterRecord(bus))?.position;

describe('the record of a writer', () => {
  it('is kept where the answer to an update was lost', async () => {
    const { bus, store, take } = await open();
    const keeper = await take('a');
    const { update } = store;
    store.update = async (...args) => {
      store.update = update;
      await update(...args);
      throw new Error('timeout');
    };
    await keeper.commit({ ...keeper.value, position: 7 });
    await keeper.commit({ ...keeper.value, position: 8 });
    expect(await position(bus)).toBe(8);
  });

  it('is written again where a crashed server came back without its last updates', async () => {
    const { bus, store, take } = await open();
    const keeper = await take('a');
    await keeper.commit({ ...keeper.value, position: 1 });
    const before = await store.get(keys.writer);
    await keeper.commit({ ...keeper.value, position: 2 });
    // As in an older copy of the bucket: our own earlier record, at another revision than we know.
    await store.put(keys.writer, before?.value as Uint8Array);
    await keeper.commit({ ...keeper.value, position: 3 });
    expect(await position(bus)).toBe(3);
    await keeper.commit({ ...keeper.value, position: 4 });
    expect(await position(bus)).toBe(4);
  });

  it('is lost to another writer whose record stands', async () => {
    const { bus, take } = await open();
    const old = await take('old');
    const young = await take('young');
    await young.commit({ ...young.value, position: 5 });
    await expect(old.commit({ ...old.value, position: 9 })).rejects.toMatchObject({
      message: 'Another storage writer took over.',
    });
    expect(await position(bus)).toBe(5);
  });

  it('is not made up by a running writer where it is gone', async () => {
    const { bus, store, take } = await open();
    const keeper = await take('a');
    await store.delete(keys.writer);
    await expect(keeper.commit({ ...keeper.value, position: 9 })).rejects.toMatchObject({
      code: 'NATS_UNAVAILABLE',
      message: "The writer's record is gone.",
    });
    expect(await position(bus)).toBeUndefined();
  });
});
