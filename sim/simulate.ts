/**
 * One simulation: a cluster under load and faults, then time to recover, then an orderly end, then the checkers. All of
 * it follows from the seed.
 */
import { buckets, decodeMarks, keys, partitionOfSubject, streams } from '#protocol/mod.ts';
import type { WriterRecord } from '#storage/mod.ts';
import { Broken, checkers, converged, watchPositions } from './checkers/mod.ts';
import { Cluster, type Sabotage, type Shape } from './cluster.ts';
import { heal, planFaults } from './faults.ts';
import { breakAnalysis } from './poison.ts';
import { type Size, type SizeName, sizeOf } from './sizes.ts';
import { Workload } from './workload.ts';
import { startMs, World } from './world.ts';

export interface SimulationOptions {
  /** Of the world; otherwise the seed says. */
  size?: SizeName | undefined;
  sabotage?: Sabotage;
  /** Breaks something for as long as the cluster runs, and returns how it is mended before the checkers look. */
  around?: (world: World) => () => void;
  /** Told of every event. */
  onTrace?: (line: string) => void;
  /** Runs the checkers at the end, default true; without them only the hash is of interest. */
  check?: boolean;
}

export interface Outcome {
  seed: number;
  size: SizeName;
  /** Of all events in order. */
  hash: number;
  events: number;
  virtualMs: number;
  records: number;
  /** What was broken first, or null. */
  failure: { checker: string; message: string } | null;
}

/** After the last fault everything must be as it should within this long, virtual ms. */
const settleWithinMs = 45_000;
const endWithinMs = 30_000;
/** Messages are read, and workers have told so, this long after they came. */
const readWithinMs = 1_500;
/** Workers know this long after RESULTS lost its tail whether the writer misses it. */
const missedWithinMs = 8_000;
const endLookEveryMs = 100;
/** What is on its way when a role has ended arrives within this long: the network is well by then. */
const onTheWayMs = 300;

function shapeOf(world: World, size: Size): Shape {
  const { random } = world;
  return {
    size,
    partitions: 2 + random.below(size.partitionsMax - 1),
    coordinators: 1 + random.below(3),
    workers: 1 + random.below(3),
    gateways: 1 + random.below(3),
    embedded: random.next() < 0.6,
    sameNames: random.next() < 0.3,
  };
}

export async function simulate(seed: number, options: SimulationOptions = {}): Promise<Outcome> {
  const world = new World(seed, options.onTrace ?? null);
  const size = sizeOf(seed, options.size);
  const { loadFromMs, loadMs, lookEveryMs, steadyLooks } = size;
  const cluster = new Cluster(world, shapeOf(world, size), options.sabotage ?? {});
  let failure: Outcome['failure'] = null;
  const broken = (error: Broken): void => {
    failure ??= { checker: error.checker, message: error.message };
  };
  watchPositions(cluster, broken);
  const uncaught = (error: Error): void =>
    void world.failures.push(`A promise was rejected and nobody looked: ${error.stack}`);
  process.on('unhandledRejection', uncaught);
  let workload: Workload | null = null;
  const unbreak = breakAnalysis();
  const mend = options.around?.(world) ?? ((): void => {});
  try {
    cluster.start();
    workload = new Workload(cluster);
    planFaults(cluster, seed);
    const runs = workload;
    const stopped = (): boolean => failure !== null || world.failures.length > 0;
    await world.run(startMs + loadFromMs + loadMs);
    heal(cluster);
    let steady = 0;
    await until(world, settleWithinMs, lookEveryMs, () => {
      steady = notSettled(cluster, runs) === null ? steady + 1 : 0;
      return stopped() || steady >= steadyLooks;
    });
    const unsettled = stopped() ? null : notSettled(cluster, runs);
    if (unsettled !== null)
      throw new Broken('liveness', `After ${settleWithinMs / 1_000} s without faults ${unsettled}.`);
    await shutDown(cluster, stopped);
    mend();
    if (world.failures.length > 0) throw new Broken('uncaught', world.failures[0] as string);
    if (failure === null && options.check !== false)
      for (const checker of checkers)
        if (!cluster.lossy || checker.evenLossy === true) checker.judge({ cluster, workload: runs });
  } catch (error) {
    broken(error instanceof Broken ? error : new Broken('crash', (error as Error).stack ?? String(error)));
  } finally {
    mend();
    unbreak();
    process.off('unhandledRejection', uncaught);
  }
  const { hash, events, elapsedMs } = world;
  return { seed, size: size.name, hash, events, virtualMs: elapsedMs, records: workload?.sent.length ?? 0, failure };
}

/** Runs until something holds, looking now and then. */
async function until(world: World, withinMs: number, everyMs: number, holds: () => boolean): Promise<void> {
  const endMs = world.nowMs + withinMs;
  while (world.nowMs < endMs && !holds()) {
    await world.run(Math.min(world.nowMs + everyMs, endMs));
  }
}

/** Why the cluster is not yet as it should be, or null. */
function notSettled(cluster: Cluster, workload: Workload): string | null {
  if (workload.running > 0) return `${workload.running} clients still wait`;
  if ((cluster.lostResultsMs ?? 0) + missedWithinMs > cluster.world.nowMs) return 'RESULTS has just lost its tail';
  if (cluster.server.pausedUntilMs > cluster.world.nowMs) return 'the server pauses';
  const missing = ['storage', 'alerting'].filter((slot) => (cluster.members.get(slot)?.stop ?? null) === null);
  if (missing.length > 0) return `${missing.join(' and ')} does not run`;
  const unassigned = converged(cluster);
  if (unassigned !== null) return unassigned;
  const unread = cluster.unread(cluster.world.nowMs - readWithinMs);
  if (unread !== null) return `partition ${unread} has messages that are not read`;
  // A few ticks are always on their way; alerting is looked at when nothing comes any more.
  return writerBehind(cluster, 6);
}

/** The partition whose stored mark is more than some messages behind its stream, or null. */
function writerBehind(cluster: Cluster, allowed: number): string | null {
  const entry = cluster.server.bucket(buckets.marks).entries.get(keys.writer);
  if (entry === undefined) return 'the writer has no record';
  const { marks } = JSON.parse(Buffer.from(entry.value).toString()) as WriterRecord;
  const ahead = new Map<number, number>();
  for (const { subject, sequence } of cluster.server.stream(streams.logs).history.slice(-400)) {
    const partition = partitionOfSubject(subject);
    if (sequence > (marks[partition]?.sequence ?? 0)) ahead.set(partition, (ahead.get(partition) ?? 0) + 1);
  }
  for (const [partition, messages] of ahead)
    if (messages > allowed) return `partition ${partition} has ${messages} messages that are not stored`;
  return null;
}

/** Next sequence of ANOMALIES by alerting's checkpoint, and its notifications that are not delivered. */
function alertingState(cluster: Cluster): { next: number; waiting: number } {
  const entry = cluster.server.bucket(buckets.marks).entries.get(keys.alerting);
  const counters = (cluster.members.get('alerting') ?? cluster.living('alerting')[0])?.alerting?.metrics().counters;
  return {
    next: entry === undefined ? 1 : decodeMarks(entry.value).resumeFrom,
    waiting: counters?.['waitingNow'] ?? 1,
  };
}

/** Ends everything in order, upstream first: then all that was read is stored, to the last message. */
async function shutDown(cluster: Cluster, stopped: () => boolean): Promise<void> {
  const { world } = cluster;
  cluster.ending = true;
  // Nobody makes room in streams any more.
  for (const name of Object.values(streams)) cluster.server.stream(name).narrowedTo = null;
  const leaving = async (role: 'coordinator' | 'worker' | 'alerting' | 'storage'): Promise<void> => {
    let left = 0;
    const members = cluster.living(role);
    for (const member of members) void cluster.leave(member).then(() => left++);
    await until(world, endWithinMs, endLookEveryMs, () => stopped() || left === members.length);
    if (left < members.length && !stopped())
      throw new Broken('liveness', `A ${role} does not end within ${endWithinMs / 1_000} s.`);
  };
  await leaving('coordinator');
  await until(world, endWithinMs, endLookEveryMs, () => stopped() || cluster.unread(world.nowMs) === null);
  const unread = cluster.unread(world.nowMs);
  if (!stopped() && unread !== null)
    throw new Broken('liveness', `LOGS of partition ${unread} is not read to its end.`);
  await leaving('worker');
  const { lastSequence } = cluster.server.info(streams.anomalies);
  await until(world, endWithinMs, endLookEveryMs, () => {
    const { next, waiting } = alertingState(cluster);
    return stopped() || (next > lastSequence && waiting === 0);
  });
  const { next, waiting } = alertingState(cluster);
  if (!stopped() && (next <= lastSequence || waiting > 0))
    throw new Broken(
      'liveness',
      `Alerting has read up to ${next - 1} of ${lastSequence}; ${waiting} notifications wait.`,
    );
  await leaving('alerting');
  await until(world, endWithinMs, endLookEveryMs, () => stopped() || writerBehind(cluster, 0) === null);
  const behind = stopped() ? null : writerBehind(cluster, 0);
  if (behind !== null) throw new Broken('liveness', `After everything ended ${behind}.`);
  await until(world, onTheWayMs, endLookEveryMs, stopped);
  await leaving('storage');
}
