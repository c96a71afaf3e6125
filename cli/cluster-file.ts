/** `cluster.json` in the data directory: where a cluster on this machine is, for the other commands. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KnownProcess } from './supervisor/identity.ts';

export interface ClusterFile {
  version: 1;
  supervisor: KnownProcess;
  startedMs: number;
  urls: { nats: string; redis: string; clickhouse: string; api: string; gateway: string };
  /** Absolute path of the configuration the cluster was started with. */
  configFile: string | undefined;
  /** Socket that the supervisor takes requests on (`logweir scale`). */
  control: string;
  /** What the supervisor started, by unit name, with what a role told when it was ready. */
  processes: Record<string, KnownProcess & { facts: Readonly<Record<string, unknown>> }>;
}

const path = (dataDir: string): string => join(dataDir, 'cluster.json');

/** Replaces the file as a whole: a reader sees the old or the new one, never a part. */
export function writeClusterFile(dataDir: string, cluster: ClusterFile): void {
  const fresh = `${path(dataDir)}.new`;
  writeFileSync(fresh, `${JSON.stringify(cluster, null, 2)}\n`);
  renameSync(fresh, path(dataDir));
}

/** Undefined where there is none that can be read. */
export function readClusterFile(dataDir: string): ClusterFile | undefined {
  try {
    const cluster = JSON.parse(readFileSync(path(dataDir), 'utf8')) as ClusterFile;
    return cluster.version === 1 ? cluster : undefined;
  } catch {
    return undefined;
  }
}

export function removeClusterFile(dataDir: string): void {
  rmSync(path(dataDir), { force: true });
}
