/**
 * What every role does first: the streams are there and kept their settings, and the cluster's facts are known.
 * Facts that are fixed for a cluster's life (partitions) are written once, by whoever comes first.
 */
import {
  buckets,
  deadStream,
  keys,
  LogweirError,
  pack,
  partitionsDefault,
  type StreamName,
  streamSubjects,
  streams,
  unpack,
} from '#protocol/mod.ts';
import type { Bus, KeyValue, StreamInfo } from './ports.ts';

export interface ClusterFacts {
  /** Fixed when the cluster was created. */
  partitions: number;
  /** Raised by the leader when LOGS was made anew (R3). */
  generation: number;
  /** Generation that the cluster began with. What names an earlier one comes from a cluster that was wiped. */
  firstGeneration: number;
  /** Creation time of the LOGS stream that the generation belongs to, ms. */
  logsCreatedMs: number;
}

export interface ClusterSettings {
  /** Wanted number of partitions; undefined takes what is stored, or the default. */
  partitions?: number;
  replicas?: number;
  /** Bytes each stream may hold. */
  streamBytesMax?: Partial<Record<LastingStreamName, number>>;
}

const gib = 1024 ** 3;
type LastingStreamName = Exclude<StreamName, typeof deadStream>;
const streamBytesDefault: Record<LastingStreamName, number> = {
  LOGS: 8 * gib,
  RESULTS: 8 * gib,
  ANOMALIES: gib,
  ALERTS: gib,
};
const duplicateWindowMs = 120_000;

export interface DeadStreamSettings {
  bytesMax: number;
  maxAgeMs: number;
  replicas: number;
}

/** The stream of dead letters, apart from the others: a cluster does without it. @throws where the server has no room for it */
export async function openDeadStream(bus: Bus, { bytesMax, maxAgeMs, replicas }: DeadStreamSettings): Promise<void> {
  await bus.streams.ensure({
    name: deadStream,
    subjects: [streamSubjects[deadStream]],
    bytesMax,
    discardOldAfterMs: maxAgeMs,
    replicas,
    duplicateWindowMs: Math.min(duplicateWindowMs, maxAgeMs),
  });
}

/** @throws LogweirError CLUSTER_MISMATCH where another number of partitions is stored than wanted. */
export async function openCluster(
  bus: Bus,
  settings: ClusterSettings = {},
): Promise<{ facts: ClusterFacts; store: KeyValue }> {
  for (const name of Object.values(streams)) {
    await bus.streams.ensure({
      name,
      subjects: [streamSubjects[name]],
      bytesMax: settings.streamBytesMax?.[name] ?? streamBytesDefault[name],
      replicas: settings.replicas ?? 1,
      duplicateWindowMs,
    });
  }
  const store = await bus.keyValue(buckets.cluster);
  const { createdMs } = await bus.streams.info(streams.logs);
  const generation = generationAfter(0, createdMs);
  const fresh: ClusterFacts = {
    partitions: settings.partitions ?? partitionsDefault,
    generation,
    firstGeneration: generation,
    logsCreatedMs: createdMs,
  };
  await store.create(keys.facts, pack(fresh));
  const facts = await readFacts(store);
  if (settings.partitions !== undefined && settings.partitions !== facts.partitions)
    throw new LogweirError(
      'CLUSTER_MISMATCH',
      `This cluster was created with ${facts.partitions} partitions, not ${settings.partitions}.`,
      `Leave cluster.partitions out, or set it to ${facts.partitions}; a new number needs a new data directory.`,
    );
  return { facts, store };
}

/** How full each stream is. The one of dead letters may be missing. @throws LogweirError NATS_UNAVAILABLE */
export async function streamInfos(bus: Bus): Promise<({ name: StreamName } & StreamInfo)[]> {
  const infoOf = async (name: StreamName) => ({ name, ...(await bus.streams.info(name)) });
  const all = await Promise.all(Object.values(streams).map(infoOf));
  const dead = await infoOf(deadStream).catch(() => null);
  return dead === null ? all : [...all, dead];
}

export async function readFacts(store: KeyValue): Promise<ClusterFacts> {
  const entry = await store.get(keys.facts);
  if (entry === null)
    throw new LogweirError('CLUSTER_NOT_FOUND', 'The cluster has no facts stored.', 'Start a coordinator first.');
  return unpackFacts(entry.value);
}

/** Facts from before first generations were kept have none: their clusters began with 1. */
export function unpackFacts(value: Uint8Array): ClusterFacts {
  return { firstGeneration: 1, ...(unpack(value) as Omit<ClusterFacts, 'firstGeneration'>) };
}

/**
 * The generation that follows, for a LOGS stream made at `createdMs`: its age in seconds since 1970, so that a cluster
 * that was wiped from NATS, and not from ClickHouse or from a worker's memory, never counts from the start again.
 */
export function generationAfter(previous: number, createdMs: number): number {
  return Math.max(previous + 1, Math.floor(createdMs / 1_000));
}
