/** The cluster as one picture: for `logweir status`, the API and the dashboard. Pure over what was heard. */
import type { StreamInfo } from '#bus/mod.ts';
import { type Heartbeat, unpack } from '#protocol/mod.ts';
import type { Membership, Seen } from './membership.ts';

export interface ClusterView {
  partitions: number;
  leader: string | null;
  epoch: number;
  workers: Seen[];
  gateways: Seen[];
  others: Seen[];
  streams: (StreamInfo & { name: string })[];
  services: { service: string; recordsPerSecond: number; errorsPerSecond: number }[];
}

export interface ViewInput {
  membership: Membership;
  nowMs: number;
  partitions: number;
  leader: string | null;
  assignment: Uint8Array | null;
  streams: (StreamInfo & { name: string })[];
}

export function viewCluster(input: ViewInput): ClusterView {
  const { membership, nowMs } = input;
  const workers = membership.alive('worker', nowMs);
  return {
    partitions: input.partitions,
    leader: input.leader,
    epoch: input.assignment === null ? 0 : (unpack(input.assignment) as { epoch: number }).epoch,
    workers,
    gateways: membership.alive('gateway', nowMs),
    others: [
      ...membership.alive('storage', nowMs),
      ...membership.alive('alerting', nowMs),
      ...membership.alive('coordinator', nowMs),
    ],
    streams: input.streams,
    services: sumServices(workers.map(({ beat }) => beat)),
  };
}

function sumServices(beats: readonly Heartbeat[]): ClusterView['services'] {
  const sums = new Map<string, { recordsPerSecond: number; errorsPerSecond: number }>();
  for (const beat of beats)
    for (const [service, records, errors] of beat.services) {
      const sum = sums.get(service) ?? { recordsPerSecond: 0, errorsPerSecond: 0 };
      sum.recordsPerSecond += records;
      sum.errorsPerSecond += errors;
      sums.set(service, sum);
    }
  return [...sums]
    .map(([service, sum]) => ({ service, ...sum }))
    .sort((a, b) => b.recordsPerSecond - a.recordsPerSecond);
}
