/**
 * Keeps what people did with corrections. Acts wait in the cluster's document until a row holds them: stored first,
 * taken off then, so that an end in between stores them again, which changes nothing.
 */
import type { Bus, Time } from '#bus/mod.ts';
import { buckets, type Corrections, keys, pack, unpack } from '#protocol/mod.ts';
import type { ClickHouse } from '../engine/port.ts';
import { database } from '../schema.ts';
import { correctionFields, encodeRows } from './rows.ts';

const lookEveryMs = 1_000;

export interface CorrectionsKeeper {
  stop(): Promise<void>;
}

export async function keepCorrections(options: {
  bus: Bus;
  clickHouse: ClickHouse;
  time: Time;
  log: { warn(message: string): void };
}): Promise<CorrectionsKeeper> {
  const { bus, clickHouse, time, log } = options;
  const store = await bus.keyValue(buckets.cluster);
  let revision = -1;
  let isAway = false;
  const look = async (): Promise<void> => {
    const entry = await store.get(keys.corrections);
    if (entry === null || entry.revision === revision) return;
    const before = unpack(entry.value) as Corrections;
    const { acts = [] } = before;
    if (acts.length > 0) {
      const { structure, chunks } = encodeRows(correctionFields, acts);
      const ends = [acts[0], acts.at(-1)].map((act) => `${act?.atMs}.${act?.version}.${act?.correction.id}`);
      await clickHouse.insertNative(
        `${database}.corrections`,
        structure,
        chunks,
        `corrections.${ends.join('.')}.${acts.length}`,
      );
      // Another change came in between: then with the next look.
      if ((await store.update(keys.corrections, pack({ ...before, acts: [] }), entry.revision)) === null) return;
    }
    revision = acts.length > 0 ? -1 : entry.revision;
    isAway = false;
  };
  let running: Promise<void> | null = null;
  const cancel = time.every(lookEveryMs, () => {
    running ??= look()
      .catch((error: unknown) => {
        if (!isAway) log.warn(`Changes of corrections wait: ${(error as Error).message}`);
        isAway = true;
      })
      .finally(() => {
        running = null;
      });
  });
  return {
    async stop() {
      cancel();
      await running;
    },
  };
}
