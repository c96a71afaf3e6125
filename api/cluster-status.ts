/** The coordinator's view of the cluster, as the API tells it. Pure. */
import type { ClusterView, Seen } from '#coordinator/mod.ts';
import type { ClusterStatus, RateSample, RoleStatus } from './types.ts';

function role({ beat, heardMs }: Seen, nowMs: number): RoleStatus {
  return {
    id: beat.id,
    host: beat.host,
    pid: beat.pid,
    recordsPerSecond: beat.recordsPerSecond,
    heartbeatAgeMs: Math.max(0, nowMs - heardMs),
    rssBytes: beat.rssBytes,
    counters: beat.counters,
  };
}

/** @param nowMs the clock that `heardMs` was read from */
export function clusterStatus(view: ClusterView, nowMs: number): ClusterStatus {
  const workers = view.workers.map((seen) => ({
    ...role(seen, nowMs),
    partitions: seen.beat.partitions.map(({ partition }) => partition).sort((a, b) => a - b),
    lagMs: seen.beat.partitions.reduce((most, { lagMs }) => Math.max(most, lagMs), 0),
  }));
  return {
    partitions: view.partitions,
    leader: view.leader,
    epoch: view.epoch,
    workers,
    gateways: view.gateways.map((seen) => role(seen, nowMs)),
    others: view.others.map((seen) => ({ role: seen.beat.role, ...role(seen, nowMs) })),
    streams: view.streams.map(({ name, messages, bytes, bytesMax }) => ({
      name,
      messages,
      bytes,
      limitBytes: bytesMax,
    })),
    services: view.services,
    totals: {
      recordsPerSecond: workers.reduce((sum, worker) => sum + worker.recordsPerSecond, 0),
      errorsPerSecond: view.services.reduce((sum, service) => sum + service.errorsPerSecond, 0),
      lagMs: workers.reduce((most, worker) => Math.max(most, worker.lagMs), 0),
    },
  };
}

/** Services told in each sample: what a page shows, and a bound on what every client gets every second. */
const sampleServicesMax = 50;

/** The rates of a moment, for the live stream. */
export function rateSample(status: ClusterStatus, nowMs: number): RateSample {
  return {
    timeMs: nowMs,
    recordsPerSecond: status.totals.recordsPerSecond,
    errorsPerSecond: status.totals.errorsPerSecond,
    services: status.services.slice(0, sampleServicesMax),
  };
}
