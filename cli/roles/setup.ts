/** What every role process does first: its configuration, its name, its connection to the cluster. */
import { hostname } from 'node:os';
import process from 'node:process';
import {
  type Bus,
  type ClusterFacts,
  connectNats,
  type KeyValue,
  openCluster,
  openDeadStream,
  systemTime,
  type Time,
} from '#bus/mod.ts';
import type { CommandContext, OptionSpec } from '../command.ts';
import type { Config } from '../config/mod.ts';
import { type ClusterWatch, watchCluster } from './same-cluster.ts';
import { clientOptions, type Settings, settingsOf } from '../settings.ts';

export const roleOptions: Readonly<Record<string, OptionSpec>> = {
  ...clientOptions,
  id: { type: 'string', value: 'NAME', about: 'name of this process, default made from host and process id' },
};

export interface RoleSetup {
  config: Config;
  settings: Settings;
  id: string;
  dataDir: string;
  time: Time;
  log: (text: string) => void;
}

export interface ClusterSetup extends RoleSetup {
  bus: Bus;
  facts: ClusterFacts;
  store: KeyValue;
}

/** For roles, which live on: with a watch over the cluster being the one that they joined. */
export async function joinForLong(
  ctx: CommandContext,
  settings?: Settings,
): Promise<ClusterSetup & { watch: ClusterWatch }> {
  const setup = await joinCluster(ctx, settings);
  return { ...setup, watch: watchCluster(setup) };
}

export function setUpRole(ctx: CommandContext, settings: Settings = settingsOf(ctx)): RoleSetup {
  const id = ctx.args.string('id') ?? `${ctx.name}-${hostname().replace(/[^\w-]/g, '_')}-${process.pid}`;
  return {
    config: settings.config,
    settings,
    id,
    dataDir: settings.dataDir,
    time: systemTime,
    log: (text) => ctx.note(`${new Date().toISOString()} ${id}: ${text}`),
  };
}

/** Connects to NATS (configured, else the cluster on this machine) and opens the cluster. */
export async function joinCluster(ctx: CommandContext, settings: Settings = settingsOf(ctx)): Promise<ClusterSetup> {
  const setup = setUpRole(ctx, settings);
  const { config } = setup;
  const bus = await connectNats({ url: settings.urls.nats, name: setup.id, replicas: config.cluster.replicas });
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
    await openDeadStream(bus, {
      bytesMax: config.streams.deadBytesMax,
      maxAgeMs: config.streams.deadMaxAgeHours * 3_600_000,
      replicas: config.cluster.replicas,
    }).catch((error: Error) => setup.log(`Dead letters are not kept: ${error.message}`));
    return { ...setup, bus, facts, store };
  } catch (error) {
    await bus.close();
    throw error;
  }
}
