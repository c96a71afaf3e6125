/** Models and corrections for the API: documents of the cluster, and how classification fares by workers' heartbeats. */
import { type ModelDesk, modelStatus } from '#api/mod.ts';
import type { Bus, KeyValue } from '#bus/mod.ts';
import {
  correct,
  type Coordinator,
  readCorrections,
  readModels,
  readTraining,
  requestTraining,
  rollBack,
  uncorrect,
} from '#coordinator/mod.ts';
import { addFigures, noFigures } from '#protocol/mod.ts';

export function modelDesk(options: {
  bus: Bus;
  store: KeyValue;
  coordinator: Coordinator;
  clock: () => number;
}): ModelDesk {
  const { bus, store, coordinator, clock } = options;
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
    uncorrect: (id) => uncorrect(store, id),
    train: (force) => requestTraining(store, { by: 'api', atMs: clock(), force }),
    rollBack: async (version) => (await rollBack(bus, store, version)).serving,
  };
}
