/** Models and corrections for the API: documents of the cluster, and how classification fares by workers' heartbeats. */
import { type ModelDesk, modelStatus } from '#api/mod.ts';
import type { Bus, KeyValue } from '#bus/mod.ts';
import {
  correct,
  historyOf,
  type Coordinator,
  readCorrections,
  readModels,
  readTraining,
  requestTraining,
  rollBack,
  uncorrect,
  undoCorrection,
} from '#coordinator/mod.ts';
import { addFigures, noFigures } from '#protocol/mod.ts';
import type { Queries } from '#storage/mod.ts';

/** Acts that are told at once. */
const historyMax = 1_000;

export function modelDesk(options: {
  bus: Bus;
  store: KeyValue;
  coordinator: Coordinator;
  queries: Queries;
  clock: () => number;
}): ModelDesk {
  const { bus, store, coordinator, queries, clock } = options;
  return {
    status: async () => {
      const sum = noFigures();
      for (const { beat } of coordinator.membership.alive('worker', clock()))
        if (beat.model !== undefined) addFigures(sum, beat.model);
      return modelStatus(await readModels(store), await readCorrections(store), sum, await readTraining(store));
    },
    corrections: async () => {
      const { items, version, published } = await readCorrections(store);
      return { items, settled: published >= version };
    },
    correct: (asked) => correct(store, asked),
    uncorrect: (id, doer) => uncorrect(store, id, doer),
    undo: async (id, doer) => undoCorrection(store, id, await queries.correctionActs({ id }), doer),
    history: async (id) => {
      const acts = historyOf(await readCorrections(store), await queries.correctionActs({ id, limit: historyMax }));
      return acts.filter(({ correction }) => id === undefined || correction.id === id).slice(0, historyMax);
    },
    train: (force) => requestTraining(store, { by: 'api', atMs: clock(), force }),
    rollBack: async (version) => (await rollBack(bus, store, version)).serving,
  };
}
