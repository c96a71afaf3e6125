import { describe, expect, it } from 'vitest';
import { type Bus, type KeyValue, MemoryBus, openCluster, type Time } from '#bus/mod.ts';
import { keys, pack, streams, subjects, unpack } from '#protocol/mod.ts';
import { Coordinator } from './coordinator.ts';
import { readAssignment } from './placement.ts';
import { workerBeat } from './testing/beat.ts';

/** Virtual time; a process of it may stand still, and then does all that is overdue at once. */
class World {
  nowMs = 1_700_000_000_000;
  readonly frozen = new Set<string>();
  private readonly timers: { owner: string; dueMs: number; everyMs: number | null; run: () => void }[] = [];

  time(owner: string): Time {
    const add = (ms: number, everyMs: number | null, run: () => void): (() => void) => {
      const timer = { owner, dueMs: this.nowMs + ms, everyMs, run };
      this.timers.push(timer);
      return () => {
        const at = this.timers.indexOf(timer);
        if (at >= 0) this.timers.splice(at, 1);
      };
    };
    return {
      now: () => this.nowMs,
      after: (ms, run) => add(ms, null, run),
      every: (ms, run) => add(ms, ms, run),
      soon: (run) => void add(0, null, run),
    };
  }

  async pass(ms: number): Promise<void> {
    const untilMs = this.nowMs + ms;
    while (this.nowMs < untilMs) {
      this.nowMs += 50;
      for (const timer of this.timers.filter((one) => one.dueMs <= this.nowMs && !this.frozen.has(one.owner))) {
        if (timer.everyMs === null) this.timers.splice(this.timers.indexOf(timer), 1);
        else timer.dueMs = this.nowMs + timer.everyMs;
        timer.run();
        await settle();
      }
    }
  }
}

/** Lets promises over the in-memory bus come to an end. */
async function settle(): Promise<void> {
  for (let i = 0; i < 300; i++) await Promise.resolve();
}

interface Cluster {
  world: World;
  bus: Bus;
  store: KeyValue;
  coordinator: (id: string) => Promise<Coordinator>;
  /** A worker that takes up and lets go at once. Returns the way to kill it. */
  worker: (id: string) => () => void;
}

async function cluster(): Promise<Cluster> {
  const world = new World();
  const bus = new MemoryBus(() => world.nowMs);
  const { store } = await openCluster(bus, { partitions: 8 });
  return {
    world,
    bus,
    store,
    coordinator: async (id) => {
      const time = world.time(id);
      const coordinator = new Coordinator({ bus, store, id, analysis: {}, retainLogs: true, time, log: () => {} });
      await coordinator.start();
      await settle();
      return coordinator;
    },
    worker: (id) =>
      world.time(id).every(500, () => {
        void store.get(keys.assignment).then((entry) => {
          const owners = entry === null ? [] : readAssignment(entry.value).owners;
          const partitions = owners.flatMap((owner, partition) =>
            owner === id ? [{ partition, recordsPerSecond: 10, sequence: 1, lagMs: 0 }] : [],
          );
          const beat = workerBeat(id, { atMs: world.nowMs, partitions });
          bus.tell(subjects.heartbeat('worker', id), pack(beat));
        });
      }),
  };
}

const leaderOf = async (store: KeyValue): Promise<unknown> =>
  unpack((await store.get(keys.leader))?.value as Uint8Array);
const assignmentOf = async (store: KeyValue) => readAssignment((await store.get(keys.assignment))?.value as Uint8Array);

describe('Coordinator', () => {
  it('assigns, evens out a join within seconds, and heals a death', async () => {
    const { world, store, coordinator, worker } = await cluster();
    const leader = await coordinator('a');
    worker('w1');
    const kill = worker('w2');
    await world.pass(3_000);
    expect((await assignmentOf(store)).owners.filter((owner) => owner === 'w1')).toHaveLength(4);
    worker('w3');
    await world.pass(3_000);
    const joined = await assignmentOf(store);
    expect(joined.owners.filter((owner) => owner === 'w3')).toHaveLength(2);
    expect(joined.moves).toEqual([]);
    kill();
    await world.pass(3_300);
    const healed = await assignmentOf(store);
    expect(healed.owners).not.toContain('w2');
    expect(healed.owners).not.toContain(null);
    expect(leader.counters()).toMatchObject({ leadsNow: 1, membersNow: 2, epochNow: healed.epoch });
    expect(leader.counters()['moves']).toBeGreaterThanOrEqual(5);
  });

  it('has one leader after another; one that wakes late writes nothing', async () => {
    const { world, bus, store, coordinator, worker } = await cluster();
    const first = await coordinator('a');
    const second = await coordinator('b');
    await coordinator('c');
    worker('w1');
    worker('w2');
    await world.pass(4_000);
    const before = await assignmentOf(store);
    world.frozen.add('a');
    await world.pass(4_500);
    expect(await leaderOf(store)).toBe('b');
    expect(second.leads).toBe(true);
    expect(second.counters()).toMatchObject({ leaderChanges: 1 });
    await world.pass(2_000);
    const { owners, epoch } = await assignmentOf(store);
    expect(owners).toEqual(before.owners);

    // It believes that it leads until it looked; meanwhile the lease is over by its own clock, and it does nothing.
    expect(first.leads).toBe(true);
    const { lastSequence } = await bus.streams.info(streams.logs);
    world.frozen.delete('a');
    world.frozen.add('b');
    world.frozen.add('c');
    await world.pass(100);
    expect((await bus.streams.info(streams.logs)).lastSequence).toBe(lastSequence);
    expect((await assignmentOf(store)).epoch).toBe(epoch);
    await world.pass(1_000);
    expect(first.leads).toBe(false);
  });

  it('steps down where the assignment is of a later term', async () => {
    const { world, store, coordinator, worker } = await cluster();
    const leader = await coordinator('a');
    worker('w1');
    await world.pass(3_000);
    const present = await assignmentOf(store);
    const later = {
      ...present,
      term: present.term + 1_000,
      epoch: present.epoch + 5,
      owners: present.owners.map(() => null),
    };
    await store.put(keys.assignment, pack(later));
    await world.pass(300);
    expect(leader.leads).toBe(false);
    expect((await assignmentOf(store)).epoch).toBe(later.epoch);
  });

  it('raises the generation, also while it leads, where LOGS lost what was checkpointed', async () => {
    const { world, bus, store, coordinator, worker } = await cluster();
    await coordinator('a');
    worker('w1');
    await world.pass(6_000);
    const { generation } = await assignmentOf(store);
    const info = bus.streams.info;
    bus.streams.info = async (name) => ({ ...(await info(name)), createdMs: world.nowMs });
    await world.pass(6_000);
    bus.streams.info = info;
    expect((await assignmentOf(store)).generation).toBeGreaterThan(generation);
  });
});
