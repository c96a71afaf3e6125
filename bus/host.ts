/** The machine and process that we run in, as heartbeats tell it. Passed in, so that a simulated process is its own. */
import { hostname } from 'node:os';
import process from 'node:process';

export interface Host {
  name: string;
  pid: number;
  rssBytes: () => number;
  /** A clock of fine steps, ms, for how long something takes; without one nothing seems to take time. */
  stopwatchMs?: () => number;
}

export const thisHost: Host = {
  name: hostname(),
  pid: process.pid,
  rssBytes: () => process.memoryUsage.rss(),
  stopwatchMs: () => performance.now(),
};
