/** What roles tell over core NATS, twice a second: membership and the live figures of status and dashboard. */
import type { ModelFigures } from './model-figures.ts';

export type RoleName = 'gateway' | 'worker' | 'storage' | 'alerting' | 'coordinator';

export interface PartitionLoad {
  partition: number;
  recordsPerSecond: number;
  /** LOGS sequence of the last message taken. */
  sequence: number;
  /** Age of the newest message taken when it was taken, ms: how far behind the stream the partition is. */
  lagMs: number;
}

export interface Heartbeat {
  role: RoleName;
  /** Unique to a process. */
  id: string;
  host: string;
  pid: number;
  /** Wall clock of the sender, ms. */
  atMs: number;
  rssBytes: number;
  /** The process is leaving: its partitions are free now. */
  leaving: boolean;
  recordsPerSecond: number;
  /** Counters since the process started, by name; for status and metrics. */
  counters: Record<string, number>;
  /** Workers only: partitions that run here, a draining one included. */
  partitions: PartitionLoad[];
  /** Workers only: busiest services, [name, records per second, errors per second]. */
  services: [string, number, number][];
  /** Workers only: how classification fares in the partitions that run here. */
  model?: ModelFigures;
}

export const heartbeatEveryMs = 500;
/** A worker that was not heard of for this long is taken for dead. */
export const heartbeatTimeoutMs = 2_500;
