/** Starts a cluster of real servers and fake roles on free ports. */
import { resolve } from 'node:path';
import process from 'node:process';
import { loadConfig } from '#cli/config/mod.ts';
import { type RunningCluster, startCluster } from '#cli/supervisor/mod.ts';

export interface FakeOptions {
  signal?: AbortSignal;
  said?: string[];
  workers?: number;
}

export function startFakeCluster(
  dataDir: string,
  { signal, said = [], workers = 2 }: FakeOptions = {},
): Promise<RunningCluster> {
  const values: Record<string, string> = { 'cluster.dataDir': dataDir, 'cluster.workers': String(workers) };
  for (const name of ['api', 'gateway', 'clickhouse', 'nats', 'redis']) values[`ports.${name}`] = '0';
  const options = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, { value, option: 'test' }]));
  return startCluster({
    loaded: loadConfig({ cwd: dataDir, env: {}, options }),
    cwd: dataDir,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'] },
    roles: ['storage', 'coordinator', 'worker', 'alerting', 'gateway'],
    entry: resolve(import.meta.dirname, 'fake-role.ts'),
    notice: (text) => said.push(text),
    say: (unit, text) => said.push(`${unit.name} ${text}`),
    signal: signal ?? new AbortController().signal,
  });
}
