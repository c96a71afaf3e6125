/** What a worker tells of itself, for tests. */
import type { Heartbeat } from '#protocol/mod.ts';

export const workerBeat = (id: string, change: Partial<Heartbeat> = {}): Heartbeat => ({
  role: 'worker',
  id,
  host: 'here',
  pid: 1,
  atMs: 0,
  rssBytes: 0,
  leaving: false,
  recordsPerSecond: 0,
  counters: {},
  partitions: [],
  services: [],
  ...change,
});
