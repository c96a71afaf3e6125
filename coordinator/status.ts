/** The cluster as one picture: for `logweir status`, the API and the dashboard. Pure over what was heard. */
import type { StreamInfo } from '#bus/mod.ts';
import type { Heartbeat } from '#protocol/mod.ts';
import type { Membership, Seen } from './membership.ts';
import { readAssignment } from './placement.ts';

export interface ClusterView {
  partitions: number;
  leader: string | null;
  epoch: number;
  /** Partitions on their way from one worker to another. */
  moving: number;
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
  const assignment = input.assignment === null ? null : readAssignment(input.assignment);
  const workers = membership.alive('worker', nowMs);
  return {
    partitions: input.partitions,
    leader: input.leader,
    epoch: assignment?.epoch ?? 0,
    moving: assignment?.moves.length ?? 0,
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
