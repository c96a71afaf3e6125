import { describe, expect, it } from 'vitest';
import { MemoryBus, openCluster, type Time } from '#bus/mod.ts';
import { keys, pack, streams } from '#protocol/mod.ts';
import { watchCluster } from './same-cluster.ts';

/** Runs what is due every so often when told to. */
function manual(): { time: Time; tick: () => Promise<void> } {
  const runs: (() => void)[] = [];
  const unused = (): never => {
    throw new Error('not used here');
  };
  return {
    time: {
      now: () => 5_000_000,
      every: (_, run) => {
        runs.push(run);
        return () => void runs.splice(runs.indexOf(run), 1);
      },
      after: unused,
      soon: unused,
    },
    tick: async () => {
      for (const run of runs) run();
      for (let i = 0; i < 20; i++) await Promise.resolve();
    },
  };
}

async function setup() {
  const { time, tick } = manual();
  const bus = new MemoryBus(time.now);
  const { facts, store } = await openCluster(bus);
  return { bus, facts, store, tick, watch: watchCluster({ bus, store, facts, time }) };
}

describe('watchCluster', () => {
  it('stays silent while the generation rises, and ends where another cluster is there', async () => {
    const { facts, store, tick, watch } = await setup();
    await tick();
    await store.put(keys.facts, pack({ ...facts, generation: facts.generation + 1 }));
    await tick();
    expect(watch.changed).toBe(false);
    await store.put(keys.facts, pack({ ...facts, firstGeneration: facts.firstGeneration + 60 }));
    await tick();
    await expect(watch.failed).rejects.toMatchObject({ code: 'CLUSTER_MISMATCH' });
    expect(watch.changed).toBe(true);
  });

  it('ends where facts or streams are gone, and not for a server that does not answer', async () => {
    const wiped = await setup();
    await wiped.store.delete(keys.facts);
    await wiped.tick();
    await expect(wiped.watch.failed).rejects.toThrow('its facts are gone');

    const { bus, tick, watch } = await setup();
    const answers: string[] = ['timeout', 'stream not found'];
    bus.streams.info = () => Promise.reject(new Error(answers.shift() ?? streams.logs));
    await tick();
    expect(watch.changed).toBe(false);
    await tick();
    await expect(watch.failed).rejects.toThrow('its streams are gone');
  });
});
