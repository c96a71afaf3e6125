import { beforeEach, describe, expect, it } from 'vitest';
import { type KeyValue, MemoryBus, type Objects } from '#bus/mod.ts';
import { buckets, keys, LogweirError, objectBuckets, pack } from '#protocol/mod.ts';
import {
  advance,
  type CheckpointEntry,
  type CheckpointObject,
  type CheckpointPointer,
  CheckpointStore,
  type LoadReport,
  pointerFormat,
  type Position,
} from './checkpoints.ts';

const object = (name: string): CheckpointObject => ({ name, hash: 'h', bytes: 1 });
const entry = (sequence: number, chain: string[], epoch = 1, generation = 1): CheckpointEntry => ({
  chain: chain.map(object),
  epoch,
  generation,
  sequence,
});

/** Commits one after another; the verdicts must all be commits. */
function commits(entries: CheckpointEntry[]): { pointer: CheckpointPointer; dropped: string[] } {
  let pointer: CheckpointPointer | null = null;
  const dropped: string[] = [];
  for (const one of entries) {
    const commit = advance(pointer, one);
    if (commit.verdict === 'stop') throw new Error(commit.reason);
    pointer = commit.pointer;
    dropped.push(...commit.drop);
  }
  return { pointer: pointer as unknown as CheckpointPointer, dropped };
}
const sequences = (pointer: CheckpointPointer): number[] => pointer.entries.map(({ sequence }) => sequence);

describe('advance', () => {
  it('stops for a higher epoch and never lets the position fall (C4)', () => {
    const { pointer } = commits([entry(100, ['a'], 5)]);
    expect(advance(pointer, entry(200, ['b'], 4)).verdict).toBe('stop');
    expect(advance(pointer, entry(100, ['b'], 5)).verdict).toBe('stop');
    expect(advance(pointer, entry(99, ['b'], 6)).verdict).toBe('stop');
    expect(advance(pointer, entry(101, ['b'], 5)).verdict).toBe('commit');
    expect(advance(pointer, entry(1, ['b'], 6, 2)).verdict).toBe('commit');
    expect(advance(pointer, entry(1, ['b'], 1, 2)).verdict).toBe('commit');
  });

  it('lets the start of the stream stand in until two checkpoints share no object (C2)', () => {
    const chain = [
      entry(10, ['a']),
      entry(20, ['a', 'b']),
      entry(30, ['a', 'b', 'c']),
      entry(40, ['a', 'b', 'c', 'd']),
    ];
    expect(sequences(commits(chain.slice(0, 2)).pointer)).toEqual([20, 10, 0]);
    expect(sequences(commits(chain).pointer)).toEqual([40, 30, 20, 0]);
    expect(sequences(commits([...chain, entry(50, ['e'])]).pointer)).toEqual([50, 40, 30]);
  });

  it('keeps the newest checkpoint of the base before, with every object that it needs (C2, C3)', () => {
    const { pointer, dropped } = commits([
      entry(10, ['a']),
      entry(20, ['a', 'b']),
      ...[30, 40, 50, 60].map((at, i) => entry(at, ['c', 'd', 'e', 'f'].slice(0, i + 1))),
    ]);
    expect(sequences(pointer)).toEqual([60, 50, 40, 20]);
    expect(dropped).toEqual([]);
    const next = advance(pointer, entry(70, ['g']));
    expect(next).toMatchObject({ verdict: 'commit', drop: ['a', 'b'] });
    expect(next.verdict === 'commit' && sequences(next.pointer)).toEqual([70, 60, 50]);
  });

  it('drops checkpoints over damaged objects, and may then fall back in position', () => {
    const { pointer } = commits([entry(10, ['a']), entry(20, ['b']), entry(30, ['b', 'c'])]);
    const next = advance(pointer, entry(15, ['a', 'd']), new Set(['b']));
    expect(next).toMatchObject({ verdict: 'commit', drop: ['b', 'c'] });
    expect(next.verdict === 'commit' && sequences(next.pointer)).toEqual([15, 10]);
  });
});

describe('CheckpointStore', () => {
  let pointers: KeyValue;
  let objects: Objects;
  let store: CheckpointStore;
  let chain: CheckpointObject[];

  beforeEach(async () => {
    const bus = new MemoryBus(() => 0);
    pointers = await bus.keyValue(buckets.checkpoints);
    objects = await bus.objects(objectBuckets.checkpoints);
    store = new CheckpointStore(pointers, objects);
    chain = [];
  });

  /** Adds an object to the chain, or begins a new one. */
  async function save(sequence: number, isBase = false, epoch = 1): Promise<string | null> {
    const at = { epoch, generation: 1, sequence };
    const bytes = new Uint8Array([sequence]);
    const next = [...(isBase ? [] : chain), store.describe(7, bytes, at)];
    const refused = await store.save(7, bytes, { ...at, chain: next });
    if (refused === null) chain = next;
    return refused;
  }
  const names = async (): Promise<string[]> =>
    (await store.pointer(7))?.entries[0]?.chain.map(({ name }) => name) ?? [];

  async function load(
    limit: Position | null = null,
    restore = (parts: Uint8Array[]): number[] => parts.map((bytes) => bytes[0] as number),
  ): Promise<{ state: number[] | undefined; report: LoadReport }> {
    const report: LoadReport = { problems: [], damaged: new Set(), known: [], pointerLost: false };
    const loaded = await store.load(7, limit, restore, report);
    return { state: loaded?.state, report };
  }

  it('restores the whole chain, and none above the limit', async () => {
    for (const sequence of [10, 20, 30]) await save(sequence);
    expect((await load()).state).toEqual([10, 20, 30]);
    expect((await load({ generation: 1, sequence: 25 })).state).toEqual([10, 20]);
    expect((await load({ generation: 1, sequence: 5 })).state).toBeUndefined();
    // RESULTS ends before this generation: what it published is lost.
    expect((await load({ generation: 0, sequence: 99 })).state).toBeUndefined();
  });

  it('deletes objects only once no kept checkpoint needs them', async () => {
    for (const sequence of [1, 2, 3]) await save(sequence);
    for (const sequence of [4, 5, 6]) await save(sequence, sequence === 4);
    expect((await objects.list()).length).toBe(6);
    for (const sequence of [7, 8, 9, 10]) await save(sequence, sequence === 7);
    expect((await objects.list()).map((name) => name.split('.')[2])).toEqual([
      's4',
      's5',
      's6',
      's7',
      's8',
      's9',
      's10',
    ]);
    expect((await load()).state).toEqual([7, 8, 9, 10]);
  });

  it.each([
    ['corrupt', async (name: string) => objects.put(name, new Uint8Array([99]))],
    ['missing', async (name: string) => objects.delete(name)],
    ['torn', async (name: string) => objects.put(name, new Uint8Array(0))],
  ])('falls back from a %s object to the checkpoint before, and says so', async (_, damage) => {
    for (const sequence of [10, 20, 30]) await save(sequence);
    const [, , newest] = await names();
    await damage(newest as string);
    const { state, report } = await load();
    expect(state).toEqual([10, 20]);
    expect(report.problems).toHaveLength(1);
    expect(report.problems[0]).toMatch(
      /^partition 7: checkpoint at 30 .*object p7\.g1\.s30\.e1\.\w+ is .*; the one at 20 before it is used/,
    );
    expect([...report.damaged]).toEqual([newest]);
  });

  it('falls back past every checkpoint over a damaged base, to the base before it', async () => {
    for (const sequence of [10, 20]) await save(sequence);
    for (const sequence of [30, 40, 50, 60]) await save(sequence, sequence === 30);
    await objects.delete((await names())[0] as string);
    const { state, report } = await load();
    expect(state).toEqual([10, 20]);
    expect(report.problems).toHaveLength(3);
  });

  it('falls back from what decodes to nothing known, and replays where nothing is left', async () => {
    for (const sequence of [10, 20]) await save(sequence);
    const { state, report } = await load(null, () => {
      throw new LogweirError('MESSAGE_MALFORMED', 'of format 9', '');
    });
    expect(state).toBeUndefined();
    expect(report.problems.join('\n')).toMatch(
      /at 20 .* of format 9; the one at 10[^]*at 10 .*replayed from its start/,
    );
    expect(report.known).toEqual([20, 10].map((sequence) => ({ generation: 1, sequence })));
  });

  it.each([
    ['garbage', new Uint8Array([0xc1, 1, 2])],
    ['another format', pack({ format: pointerFormat + 1, entries: [] })],
    ['the first format', pack({ entries: [{ object: 'o', hash: 'h', epoch: 1, generation: 1, sequence: 5 }] })],
  ])('replays where the pointer is %s, and replaces it', async (_, bytes) => {
    await pointers.put(keys.checkpoint(7), bytes);
    const { state, report } = await load();
    expect([state, report.pointerLost, report.problems.length]).toEqual([undefined, true, 1]);
    expect(await save(3)).toBeNull();
    expect((await load()).state).toEqual([3]);
  });

  it('throws instead of falling back where the bus is away', async () => {
    for (const sequence of [10, 20]) await save(sequence);
    objects.get = () => Promise.reject(new LogweirError('NATS_UNAVAILABLE', 'away', ''));
    await expect(load()).rejects.toMatchObject({ code: 'NATS_UNAVAILABLE' });
  });

  it('retries where the pointer moved under the same epoch, and stops under a higher one', async () => {
    await save(10);
    const put = objects.put.bind(objects);
    const own = chain;
    let meanwhile: (() => Promise<unknown>) | null = () => save(15);
    objects.put = async (name, bytes) => {
      await put(name, bytes);
      const run = meanwhile;
      meanwhile = null;
      await run?.();
    };
    chain = own;
    expect(await save(20)).toBeNull();
    expect(sequences((await store.pointer(7)) as CheckpointPointer)).toEqual([20, 15, 10, 0]);
    meanwhile = () => save(40, true, 2);
    expect(await save(30)).toMatch(/epoch 2 owns/);
    // Nothing of the refused one stays.
    expect((await objects.list()).some((name) => name.includes('.s30.'))).toBe(false);
  });

  it('sweeps what crashed saves left behind, once it was seen twice, and nothing else', async () => {
    for (const sequence of [10, 20]) await save(sequence);
    await objects.put('p7.g1.s25.e1.feed', new Uint8Array([1]));
    await objects.put('p8.g1.s25.e1.feed', new Uint8Array([1]));
    const first = await store.sweep(new Set([7]), new Set());
    expect([...first]).toEqual(['p7.g1.s25.e1.feed']);
    await objects.put('p7.g1.s26.e1.feed', new Uint8Array([1]));
    expect([...(await store.sweep(new Set([7]), first))]).toEqual(['p7.g1.s26.e1.feed']);
    expect((await objects.list()).map((name) => name.split('.')[2])).toEqual(['s10', 's20', 's25', 's26']);
    expect((await load()).state).toEqual([10, 20]);
  });
});
