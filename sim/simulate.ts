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
import { Workload } from './workload.ts';
import { startMs, World } from './world.ts';

export interface SimulationOptions {
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
  /** Of all events in order. */
  hash: number;
  events: number;
  virtualMs: number;
  records: number;
  /** What was broken first, or null. */
  failure: { checker: string; message: string } | null;
}

const loadFromMs = 3_000;
const loadMs = 20_000;
/** After the last fault everything must be as it should within this long, virtual ms. */
const settleWithinMs = 45_000;
const endWithinMs = 30_000;
/** Looks, twice a second, for which all must be well: what is still being taken up shows by then. */
const steadyLooks = 8;

/** Small windows and quick detectors, so that half a minute holds everything that takes hours outside. */
const analysis = {
  windows: {
    sizeMs: 2_000,
    allowedDisorderMs: 500,
    allowedLatenessMs: 10_000,
    rollingMs: 10_000,
    idleTimeoutMs: 3_000,
  },
  detectors: {
    errorSpike: { windowMs: 2_000, warmupWindows: 2, errorsMin: 3, tailExponent: 3, holdMs: 2_000 },
    volumeDrop: { warmupWindows: 3, tailExponent: 3 },
    volumeSurge: { tailExponent: 3, factorMin: 1.2 },
    silence: { warmupWindows: 3, tailExponent: 3 },
    newTemplate: { warmupMs: 4_000, warmupRecords: 10, countMin: 1, mergeMs: 1_000, burstMs: 5_000 },
  },
  rules: [{ name: 'many_errors', kind: 'threshold', field: 'errorCount', op: '>', value: 2 }],
};

function shapeOf(world: World): Shape {
  const { random } = world;
  return {
    partitions: 2 + random.below(3),
    coordinators: 1 + random.below(3),
    workers: 1 + random.below(3),
    gateways: 1 + random.below(3),
    embedded: random.next() < 0.6,
    sameNames: random.next() < 0.3,
    analysis,
  };
}

export async function simulate(seed: number, options: SimulationOptions = {}): Promise<Outcome> {
  const world = new World(seed, options.onTrace ?? null);
  const cluster = new Cluster(world, shapeOf(world), options.sabotage ?? {});
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
    workload = new Workload(cluster, loadFromMs, loadFromMs + loadMs);
    planFaults(cluster, seed, loadFromMs, loadFromMs + loadMs);
    const runs = workload;
    const stopped = (): boolean => failure !== null || world.failures.length > 0;
    await world.run(startMs + loadFromMs + loadMs);
    heal(cluster);
    let steady = 0;
    await until(world, settleWithinMs, () => {
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
  return { seed, hash, events, virtualMs: elapsedMs, records: workload?.sent.length ?? 0, failure };
}

/** Runs until something holds, looking twice a virtual second. */
async function until(world: World, withinMs: number, holds: () => boolean): Promise<void> {
  const endMs = world.nowMs + withinMs;
  while (world.nowMs < endMs && !holds()) {
    await world.run(Math.min(world.nowMs + 500, endMs));
  }
}

/** Why the cluster is not yet as it should be, or null. */
function notSettled(cluster: Cluster, workload: Workload): string | null {
  if (workload.running > 0) return `${workload.running} clients still wait`;
  const missing = ['storage', 'alerting'].filter((slot) => (cluster.members.get(slot)?.stop ?? null) === null);
  if (missing.length > 0) return `${missing.join(' and ')} does not run`;
  const unassigned = converged(cluster);
  if (unassigned !== null) return unassigned;
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
  const counters = cluster.members.get('alerting')?.alerting?.metrics().counters;
  return {
    next: entry === undefined ? 1 : decodeMarks(entry.value).resumeFrom,
    waiting: counters?.['waitingNow'] ?? 1,
  };
}

/** Ends everything in order, upstream first: then all that was read is stored, to the last message. */
async function shutDown(cluster: Cluster, stopped: () => boolean): Promise<void> {
  const { world } = cluster;
  cluster.ending = true;
  const leaving = async (role: 'coordinator' | 'worker' | 'alerting' | 'storage'): Promise<void> => {
    let left = 0;
    const members = cluster.living(role);
    for (const member of members) void cluster.leave(member).then(() => left++);
    await until(world, endWithinMs, () => stopped() || left === members.length);
    if (left < members.length && !stopped())
      throw new Broken('liveness', `A ${role} does not end within ${endWithinMs / 1_000} s.`);
  };
  await leaving('coordinator');
  await until(world, 1_000, stopped);
  await leaving('worker');
  const { lastSequence } = cluster.server.info(streams.anomalies);
  await until(world, endWithinMs, () => {
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
  await until(world, endWithinMs, () => stopped() || writerBehind(cluster, 0) === null);
  const behind = stopped() ? null : writerBehind(cluster, 0);
  if (behind !== null) throw new Broken('liveness', `After everything ended ${behind}.`);
  await until(world, 1_000, stopped);
  await leaving('storage');
}
