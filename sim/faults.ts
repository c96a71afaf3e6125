/** What goes wrong, and when: planned from the seed before the run, so that one fault more does not move the others. */
import { Random } from '#generator/mod.ts';
import { buckets, keys, objectBuckets, partitionOf, type StreamName, streams, unpack } from '#protocol/mod.ts';
import type { CheckpointPointer } from '#workers/mod.ts';
import type { Cluster, Member, RoleName } from './cluster.ts';
import { fair, type Weather } from './connection.ts';
import { poisonedBatch } from './poison.ts';
import { services } from './workload.ts';

type Inflict = (cluster: Cluster, random: Random) => void;

interface Kind {
  name: string;
  /** How often it is chosen, relative to the others. */
  weight: number;
  inflict: Inflict;
}

const roles: readonly RoleName[] = ['worker', 'worker', 'worker', 'coordinator', 'storage', 'alerting', 'gateway'];

function victim(cluster: Cluster, random: Random): Member | undefined {
  const members = cluster.of(random.pick(roles)).filter((member) => !member.stopping && !member.process.paused);
  return members.length === 0 ? undefined : random.pick(members);
}

/**
 * A storage role waits for the record of another to stand still for 10 s, twice as long as that one may insert without a look
 * at it. Worlds have two much closer, which does no harm while RESULTS can tell what is in doubt; where it lost that, the wait
 * is what keeps what was read back true.
 */
const fenced = (cluster: Cluster): boolean => cluster.lostResultsMs !== null;

/** How long something lasts: shorter in a small world. */
const spell = (cluster: Cluster, ms: number): number => Math.round(ms * cluster.shape.size.faultTime);

const later = (cluster: Cluster, ms: number, run: () => void): void => void cluster.world.after(ms, run);

const kinds: readonly Kind[] = [
  {
    name: 'kill',
    weight: 6,
    inflict: (cluster, random) => {
      const member = victim(cluster, random);
      if (member !== undefined) cluster.kill(member, 200 + spell(cluster, random.below(3_000)));
    },
  },
  {
    name: 'freeze',
    weight: 4,
    inflict: (cluster, random) => {
      const member = victim(cluster, random);
      if (member === undefined) return;
      // Two processes of one name, or two on one data directory, cannot be.
      const alone =
        cluster.shape.sameNames || (member.role === 'storage' && (cluster.shape.embedded || fenced(cluster)));
      cluster.freeze(member, 500 + spell(cluster, random.below(9_000)), !alone && random.next() < 0.5);
    },
  },
  {
    name: 'cut off',
    weight: 4,
    inflict: (cluster, random) => {
      const member = victim(cluster, random);
      if (member === undefined) return;
      const ms = 300 + spell(cluster, random.below(8_000));
      cluster.world.note(member.process.name, 'is cut off', ms);
      member.connection.break();
      later(cluster, ms, () => member.process.alive && member.connection.mend());
    },
  },
  {
    name: 'bad network',
    weight: 4,
    inflict: (cluster, random) => {
      const weather: Weather = {
        lost: random.next() * 0.1,
        deaf: random.next() * 0.15,
        refused: random.next() * 0.1,
        twice: random.next() * 0.05,
        slow: random.next() * 0.4,
        slowMs: 20 + random.below(600),
        torn: random.next() * 0.4,
      };
      const member = victim(cluster, random);
      if (member === undefined) return;
      cluster.world.note(member.process.name, 'has a bad network');
      member.connection.weather = weather;
      later(cluster, 1_000 + spell(cluster, random.below(8_000)), () => {
        member.connection.weather = fair;
      });
    },
  },
  {
    name: 'server pauses',
    weight: 1.5,
    inflict: (cluster, random) => {
      cluster.server.pause(100 + spell(cluster, random.below(6_000)));
      cluster.world.note('server', 'pauses');
    },
  },
  {
    name: 'server restarts',
    weight: 1.5,
    inflict: (cluster, random) => {
      cluster.world.note('server', 'restarts');
      cluster.breakAll();
      cluster.server.pause(250 + random.below(2_000));
    },
  },
  {
    name: 'LOGS loses messages',
    weight: 0.4,
    inflict: (cluster, random) => {
      const { server, world } = cluster;
      cluster.lossy = true;
      world.note('server', 'is restarted with less of LOGS');
      if (random.next() < 0.5) server.loseTail(streams.logs, 1 + random.below(40));
      else server.recreate(streams.logs);
      cluster.breakAll();
      server.pause(250);
    },
  },
  {
    name: 'RESULTS loses messages',
    weight: 0.4,
    inflict: (cluster, random) => {
      const { server, world } = cluster;
      cluster.lostResultsMs = world.nowMs;
      world.note('server', 'is restarted with less of RESULTS');
      for (const zombie of cluster.zombies) if (zombie.role === 'storage') cluster.kill(zombie, 0);
      server.loseTail(streams.results, 1 + random.below(6));
      cluster.breakAll();
      server.pause(250);
    },
  },
  {
    name: 'stream full',
    weight: 1.5,
    inflict: (cluster, random) => {
      const name = random.pick(Object.values(streams));
      cluster.world.note('server', 'is full:', name);
      cluster.server.stream(name).fullUntilMs = cluster.world.nowMs + 500 + spell(cluster, random.below(9_000));
    },
  },
  {
    // A stream is full by bytes: what is small still gets in where what is large does not.
    name: 'stream too small',
    weight: 1.5,
    inflict: (cluster, random) => {
      const name = random.pick([streams.results, streams.results, streams.anomalies, streams.alerts]);
      const stream = cluster.server.stream(name);
      const { streamBytesMin } = cluster.shape.size;
      stream.narrowedTo = Math.max(streamBytesMin + random.below(streamBytesMin), stream.bytes + random.below(1_000));
      cluster.world.note('server', 'has less room:', name);
    },
  },
  {
    name: 'ClickHouse away',
    weight: 1,
    inflict: (cluster, random) => {
      cluster.world.note('clickhouse', 'is away');
      cluster.clickHouse.awayUntilMs = cluster.world.nowMs + 500 + spell(cluster, random.below(8_000));
    },
  },
  {
    name: 'ClickHouse unwell',
    weight: 2,
    inflict: (cluster, random) => {
      cluster.world.note('clickhouse', 'is unwell');
      cluster.clickHouse.weather = { failed: random.next() * 0.3, unknown: random.next() * 0.5 };
      later(cluster, 2_000 + spell(cluster, random.below(8_000)), () => {
        cluster.clickHouse.weather = { failed: 0, unknown: 0 };
      });
    },
  },
  {
    name: 'Redis away',
    weight: 0.7,
    inflict: (cluster, random) => {
      cluster.world.note('redis', 'is away');
      cluster.delivery.awayUntilMs = cluster.world.nowMs + 500 + spell(cluster, random.below(6_000));
      cluster.delivery.deaf = 0.3;
    },
  },
  {
    name: 'worker joins',
    weight: 1.5,
    inflict: (cluster, random) => {
      const slot = `worker-${cluster.shape.workers + 1 + random.below(2)}`;
      if (!cluster.members.has(slot)) cluster.launch('worker', slot);
    },
  },
  {
    name: 'worker leaves',
    weight: 1.5,
    inflict: (cluster, random) => {
      const members = cluster.of('worker').filter(({ stopping, process }) => !stopping && !process.paused);
      if (members.length < 2) return;
      const member = random.pick(members);
      void cluster.leave(member, random.next() < 0.5 ? 1_000 + spell(cluster, random.below(6_000)) : null);
    },
  },
  {
    name: 'coordinator leaves',
    weight: 1,
    inflict: (cluster, random) => {
      const member = random.pick([null, ...cluster.of('coordinator')]);
      if (member === null || member.stopping || member.process.paused) return;
      void cluster.leave(member, 500 + spell(cluster, random.below(4_000)));
    },
  },
  {
    name: 'checkpoint spoilt',
    weight: 1.5,
    inflict: (cluster, random) => {
      const partition = random.below(cluster.shape.partitions);
      const entry = cluster.server.bucket(buckets.checkpoints).entries.get(keys.checkpoint(partition));
      const newest = entry === undefined ? undefined : (unpack(entry.value) as CheckpointPointer).entries[0];
      const object = newest?.chain.at(-1)?.name;
      if (object === undefined) return;
      const objects = cluster.server.objects(objectBuckets.checkpoints);
      const state = objects.get(object)?.slice();
      cluster.world.note('server', 'spoils', object);
      if (state === undefined || random.next() < 0.5) objects.delete(object);
      else {
        const at = random.below(state.length);
        state[at] = (state[at] as number) ^ (1 + random.below(255));
        objects.set(object, state);
      }
    },
  },
  {
    name: 'poison',
    weight: 2,
    inflict: (cluster, random) => {
      const { partitions } = cluster.shape;
      const garbage = Uint8Array.from({ length: random.below(64) }, () => random.below(256));
      if (random.next() < 0.5) garbage.set([0x4c, 1, random.below(7), 0].slice(0, garbage.length));
      const service = random.pick(services);
      const throws = random.next() < 0.5;
      const bytes = throws ? poisonedBatch(service, Math.floor(cluster.world.nowMs)) : garbage;
      const subject = `logs.${throws ? partitionOf(service, partitions) : random.below(partitions)}`;
      try {
        cluster.server.publish('stranger', subject, bytes, {});
      } catch {
        // LOGS is full.
      }
    },
  },
];

const weightOf = (chosen: readonly Kind[]): number => chosen.reduce((sum, { weight }) => sum + weight, 0);

export function planFaults(cluster: Cluster, seed: number): void {
  const { loadFromMs, loadMs, faultsMax } = cluster.shape.size;
  const random = new Random(seed ^ 0x5eed);
  // Each run has a theme: a few kinds of faults meet more often than all kinds once.
  const theme = kinds.filter(() => random.next() < 0.5);
  const chosen = theme.length === 0 ? kinds : theme;
  const count = random.below(faultsMax + 1);
  for (let i = 0; i < count; i++) {
    let roll = random.next() * weightOf(chosen);
    const kind = chosen.find(({ weight }) => {
      roll -= weight;
      return roll < 0;
    });
    const own = new Random(random.below(2 ** 31));
    const atMs = loadFromMs + random.below(loadMs);
    if (kind !== undefined) later(cluster, atMs, () => kind.inflict(cluster, own));
  }
}

/** Everything that was broken works again, and every process that froze wakes. */
export function heal(cluster: Cluster): void {
  const { world, server, clickHouse, delivery } = cluster;
  world.note('world', 'heals');
  for (const name of Object.values(streams) as StreamName[]) server.stream(name).fullUntilMs = 0;
  clickHouse.awayUntilMs = 0;
  clickHouse.weather = { failed: 0, unknown: 0 };
  delivery.awayUntilMs = 0;
  delivery.deaf = 0;
  cluster.setWeather();
  for (const { process, connection } of [...cluster.members.values(), ...cluster.zombies]) {
    if (!process.alive) continue;
    connection.mend();
    process.resume();
  }
}
