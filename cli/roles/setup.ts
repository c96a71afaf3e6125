/** What every role process does first: its configuration, its name, its connection to the cluster. */
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import process from 'node:process';
import { type Bus, type ClusterFacts, connectNats, type KeyValue, openCluster } from '#bus/mod.ts';
import type { CommandContext, OptionSpec } from '../command.ts';
import { readClusterFile } from '../cluster-file.ts';
import { type Config, loadConfig } from '../config/mod.ts';

export const roleOptions: Record<string, OptionSpec> = {
  id: { type: 'string', value: 'NAME', about: 'name of this process, default made from host and process id' },
  'data-dir': { type: 'string', value: 'DIR', about: 'data directory of the cluster, default .logweir' },
  config: { type: 'string', value: 'FILE', about: 'configuration file, default ./logweir.yaml if there' },
};

export interface RoleSetup {
  config: Config;
  id: string;
  dataDir: string;
  clock: () => number;
  log: (text: string) => void;
}

export interface ClusterSetup extends RoleSetup {
  bus: Bus;
  facts: ClusterFacts;
  store: KeyValue;
}

export function setUpRole(ctx: CommandContext): RoleSetup {
  const { config } = readConfig(ctx);
  const id = ctx.args.string('id') ?? `${ctx.name}-${hostname().replace(/[^\w-]/g, '_')}-${process.pid}`;
  return {
    config,
    id,
    dataDir: resolve(ctx.cwd, config.cluster.dataDir),
    clock: Date.now,
    log: (text) => ctx.note(`${new Date().toISOString()} ${id}: ${text}`),
  };
}

export function readConfig(ctx: CommandContext): ReturnType<typeof loadConfig> {
  const dataDir = ctx.args.string('data-dir');
  return loadConfig({
    file: ctx.args.string('config'),
    cwd: ctx.cwd,
    env: ctx.env,
    options: dataDir === undefined ? {} : { 'cluster.dataDir': { value: dataDir, option: '--data-dir' } },
  });
}

/** Connects to NATS (configured, else the cluster on this machine) and opens the cluster. */
export async function joinCluster(ctx: CommandContext): Promise<ClusterSetup> {
  const setup = setUpRole(ctx);
  const { config } = setup;
  const bus = await connectNats({ url: natsUrlOf(setup), name: setup.id, replicas: config.cluster.replicas });
  try {
    const { facts, store } = await openCluster(bus, {
      ...(config.cluster.partitions === undefined ? {} : { partitions: config.cluster.partitions }),
      replicas: config.cluster.replicas,
      streamBytesMax: {
        LOGS: config.streams.logsBytesMax,
        RESULTS: config.streams.resultsBytesMax,
        ANOMALIES: config.streams.anomaliesBytesMax,
        ALERTS: config.streams.alertsBytesMax,
      },
    });
    return { ...setup, bus, facts, store };
  } catch (error) {
    await bus.close();
    throw error;
  }
}

export function natsUrlOf({ config, dataDir }: { config: Config; dataDir: string }): string {
  return config.servers.natsUrl || (readClusterFile(dataDir)?.urls.nats ?? `nats://127.0.0.1:${config.ports.nats}`);
}
