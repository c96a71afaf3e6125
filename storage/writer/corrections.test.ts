import { expect, it, vi } from 'vitest';
import { MemoryBus, systemTime } from '#bus/mod.ts';
import {
  buckets,
  type Corrections,
  keys,
  noCorrections,
  pack,
  unpack,
  withCorrection,
  withoutCorrection,
  withStored,
} from '#protocol/mod.ts';
import { Queries } from '../queries/mod.ts';
import { openTempEngine } from '../testing/temp.ts';
import { keepCorrections } from './corrections.ts';

it('keeps every act in ClickHouse once, and what holds comes back of it', async () => {
  const temp = await openTempEngine();
  const bus = new MemoryBus(Date.now);
  const store = await bus.keyValue(buckets.cluster);
  const warned: string[] = [];
  const log = { warn: (text: string) => void warned.push(text) };
  const about = {
    service: 'shop',
    templateId: '',
    category: "it's \n two lines",
    severity: 'WARN',
    by: 'ana',
  } as const;
  const doc = [1, 2].reduce(
    (before, n) =>
      withCorrection(before, { ...about, id: `c${n}`, text: `gate ${n} <*>`, atMs: n, why: n === 1 ? 'loud' : '' }),
    noCorrections,
  );
  const all = withoutCorrection(doc, 'c2', { by: 'ben', atMs: 3, why: 'wrong' }) as Corrections;
  await store.create(keys.corrections, pack(all));
  const keeper = await keepCorrections({ bus, clickHouse: temp.engine, time: systemTime, log });
  const waiting = async (): Promise<number> =>
    (unpack((await store.get(keys.corrections))?.value ?? new Uint8Array()) as Corrections).acts?.length ?? 0;
  await vi.waitFor(async () => expect(await waiting()).toBe(0), { timeout: 10_000 });
  const queries = new Queries(temp.engine);
  const acts = await queries.correctionActs();
  // Of what was removed, who removed it is kept beside it.
  const kept = all.acts?.map(({ kind, by, atMs, why, ...rest }) =>
    kind === 'set'
      ? { kind, by, atMs, why, ...rest }
      : { kind, by, atMs, why, ...rest, correction: { ...rest.correction, by, atMs, why } },
  );
  expect(acts).toEqual(kept?.toReversed());
  // An end between storing and taking off: the same again.
  const entry = await store.get(keys.corrections);
  await store.update(keys.corrections, pack(all), entry?.revision ?? 0);
  await vi.waitFor(async () => expect(await waiting()).toBe(0), { timeout: 10_000 });
  expect(await queries.correctionActs()).toHaveLength(3);
  expect(await queries.correctionActs({ id: 'c2' })).toHaveLength(2);
  // NATS is wiped: the last acts suffice.
  const back = withStored(noCorrections, await queries.correctionActs('last of each'));
  expect(back.items).toEqual([doc.items[0]]);
  expect(back.version).toBeGreaterThan(all.version);
  await keeper.stop();
  await temp.end();
  expect(warned).toEqual([]);
});
