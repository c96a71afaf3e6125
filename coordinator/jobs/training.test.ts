import { describe, expect, it } from 'vitest';
import { type ClusterFacts, type KeyValue, MemoryBus, openCluster, systemTime } from '#bus/mod.ts';
import { Membership } from '../membership.ts';
import { correct, readModels, readTraining, requestTraining, rollBack } from '../model-store.ts';
import { runTraining, type TrainingDeps, trainingShareDefault } from './training.ts';
import { TrainingDesk } from './training-desk.ts';
import { trainInThread } from './training-thread.ts';
import { trainAndJudge } from '#workers/mod.ts';

const kinds = [
  ['zorb <*> wobbles at stage <*>', 'WARN'],
  ['quux <*> settled in <*>', 'INFO'],
  ['frobnicator <*> went sideways near <*>', 'ERROR'],
] as const;
const history = {
  range: { fromMs: 0, toMs: 100_000 },
  splitMs: 80_000,
  templates: kinds.map(([text, severity], i) => ({
    service: 'shop',
    templateId: `t${i}`,
    text,
    severity,
    early: 80,
    late: 20,
  })),
};
const queries: TrainingDeps['queries'] = {
  extent: async () => ({ oldestMs: 0, newestMs: 100_000 }),
  training: async () => history,
};

async function open(): Promise<{ bus: MemoryBus; store: KeyValue; facts: ClusterFacts }> {
  const bus = new MemoryBus(() => Date.now());
  return { bus, ...(await openCluster(bus, { partitions: 2 })) };
}

const wanted = { share: trainingShareDefault, force: false, dryRun: false, by: 'ana', atMs: 7 };

describe('runTraining', () => {
  it('publishes what is better in both questions, and not the same again', async () => {
    const { bus, store } = await open();
    const said = { service: '', templateId: '', severity: '' as const, by: 'ana', atMs: 3 };
    await correct(store, { ...said, text: 'quux <*> settled in <*>', category: 'settling' });
    const deps = { bus, store, queries, train: trainAndJudge };
    const first = await runTraining(deps, wanted);
    expect(first).toMatchObject({ better: true, against: 0, published: { version: 1, by: 'ana', corrections: 1 } });
    expect(first.published?.category?.accuracy).toBe(1);
    expect(first.published?.champion.category?.accuracy).toBe(0);
    const second = await runTraining(deps, wanted);
    expect(second).toMatchObject({ better: false, against: 1, published: null });
    const forced = await runTraining(deps, { ...wanted, force: true });
    expect(forced.published).toMatchObject({ version: 2, forced: true });
  });

  it('publishes nothing over a model that came to serve meanwhile, nor once it may no longer', async () => {
    const { bus, store } = await open();
    const deps = { bus, store, queries, train: trainAndJudge };
    await runTraining(deps, { ...wanted, force: true });
    const slow: TrainingDeps = {
      ...deps,
      train: async (input) => {
        await rollBack(bus, store);
        return trainAndJudge(input);
      },
    };
    await expect(runTraining(slow, { ...wanted, force: true })).rejects.toMatchObject({ code: 'CLUSTER_MISMATCH' });
    expect((await runTraining(deps, { ...wanted, mayPublish: () => false })).published).toBeNull();
    expect((await readModels(store)).serving).toBe(0);
  });

  it('says where too few records tell their severity', async () => {
    const { bus, store } = await open();
    const deps = { bus, store, queries: { ...queries, training: async () => null }, train: trainAndJudge };
    await expect(runTraining(deps, wanted)).rejects.toMatchObject({ code: 'INPUT_EMPTY' });
  });
});

describe('the leader', () => {
  const desk = (bus: MemoryBus, store: KeyValue, isValid: () => boolean = () => true) =>
    new TrainingDesk({
      bus,
      store,
      membership: new Membership(),
      time: systemTime,
      log: () => {},
      valid: isValid,
      training: { queries, train: trainAndJudge, everyMs: 0, onDrift: true, rangeMs: 1_000 },
    });
  const done = async (store: KeyValue): Promise<string | undefined> => {
    for (let i = 0; i < 200; i++) {
      const run = (await readTraining(store))?.runs.at(-1);
      if (run !== undefined && run.endedMs !== null) return run.outcome;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    return undefined;
  };

  it('trains when asked, once, and writes down what came of it', async () => {
    const { bus, store } = await open();
    const leader = desk(bus, store);
    await leader.look();
    expect(await readTraining(store)).toMatchObject({ requested: null, runs: [] });
    await requestTraining(store, { by: 'api', atMs: 1, force: false });
    await requestTraining(store, { by: 'api', atMs: 2, force: true });
    await leader.look();
    expect(await done(store)).toBe('published');
    expect((await readTraining(store))?.runs).toMatchObject([{ trigger: 'asked', by: 'api', version: 1 }]);
    await leader.look();
    expect((await readTraining(store))?.runs).toHaveLength(1);
    expect(leader.counters()).toMatchObject({ trainings: 1, trainingFailures: 0 });
  });

  it('does nothing while it does not lead', async () => {
    const { bus, store } = await open();
    await requestTraining(store, { by: 'api', atMs: 1, force: false });
    await desk(bus, store, () => false).look();
    expect((await readTraining(store))?.requested).not.toBeNull();
  });
});

it('a thread of its own gives the same model', async () => {
  const input = { history: history.templates, corrections: [], champion: null };
  const result = await trainInThread(input);
  expect(Buffer.from(result.model).equals(trainAndJudge(input).model)).toBe(true);
  expect(result.challenger).toEqual(trainAndJudge(input).challenger);
});
