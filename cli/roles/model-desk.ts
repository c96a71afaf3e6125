/** Models and corrections for the API: documents of the cluster, and how classification fares by workers' heartbeats. */
import { type ModelDesk, modelStatus } from '#api/mod.ts';
import type { KeyValue } from '#bus/mod.ts';
import { correct, type Coordinator, readCorrections, readModels, uncorrect } from '#coordinator/mod.ts';
import { addFigures, noFigures } from '#protocol/mod.ts';

export function modelDesk(options: { store: KeyValue; coordinator: Coordinator; clock: () => number }): ModelDesk {
  const { store, coordinator, clock } = options;
  return {
    status: async () => {
      const sum = noFigures();
      for (const { beat } of coordinator.membership.alive('worker', clock()))
        if (beat.model !== undefined) addFigures(sum, beat.model);
      return modelStatus(await readModels(store), await readCorrections(store), sum);
    },
    corrections: async () => {
      const { items, version, published } = await readCorrections(store);
      return { items, settled: published >= version };
    },
    correct: (asked) => correct(store, asked),
    uncorrect: (id) => uncorrect(store, id),
  };
}
