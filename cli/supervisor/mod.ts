/** Starts a whole cluster on this machine and ends it again; the entry point of this folder. */
import { resolve } from 'node:path';
import process from 'node:process';
import type { LoadedConfig } from '../config/mod.ts';
import { endOrphans, lockDataDir, makeDataDir } from './data-dir.ts';
import { type ClusterUrls, clusterUrls, loopback, planCluster, type ProcessPlan, type RoleName } from './plan.ts';
import { choosePorts, type PortName, probePort } from './ports.ts';
import { findServers } from './servers.ts';
import { Supervisor } from './supervisor.ts';

export type { ClusterUrls } from './plan.ts';
export type { Supervisor } from './supervisor.ts';

export interface StartOptions {
  loaded: LoadedConfig;
  cwd: string;
  env: Readonly<Record<string, string | undefined>>;
  roles: readonly RoleName[];
  /** Script that runs a role by its name, default cli/main.ts. */
  entry?: string;
  /** A sentence for the person: a port that moved, something of an earlier run that was ended. */
  notice: (text: string) => void;
  /** What became of one process: ready, crashed, late. */
  say: (unit: Pick<ProcessPlan, 'name' | 'address'>, text: string) => void;
  /** Stops the start, and later the cluster, in order. */
  signal: AbortSignal;
}

export interface RunningCluster {
  urls: ClusterUrls;
  /** Absolute. */
  dataDir: string;
  /** Ends everything in order; `ended` tells when it is done. */
  stop(): void;
  /** Resolves when everything has ended and the data directory is free again. */
  ended: Promise<void>;
}

/**
 * Starts servers and roles and resolves when all are ready, or when `signal` ended the start.
 * @throws LogweirError DATA_DIR_UNUSABLE, DATA_DIR_IN_USE, PORT_TAKEN, SERVER_MISSING, SERVER_START_FAILED
 */
export async function startCluster(options: StartOptions): Promise<RunningCluster> {
  const { loaded } = options;
  const { config } = loaded;
  const dataDir = resolve(options.cwd, config.cluster.dataDir);
  makeDataDir(dataDir);
  const unlock = lockDataDir(dataDir);
  try {
    const orphans = await endOrphans(dataDir);
    if (orphans.length > 0) options.notice(`Ended what a killed Logweir left running: ${orphans.join(', ')}.`);
    const servers = ownServers(loaded);
    const ports = await freePorts(loaded, options.notice);
    const urls = clusterUrls(config, ports);
    const plans = planCluster({
      config,
      ports,
      dataDir,
      configFile: loaded.file,
      servers,
      node: process.execPath,
      entry: options.entry ?? resolve(import.meta.dirname, '../main.ts'),
      roles: options.roles,
    });
    const supervisor = new Supervisor({
      plans,
      dataDir,
      urls,
      configFile: loaded.file,
      env: options.env,
      clock: Date.now,
      say: options.say,
    });
    const stop = (): void => supervisor.stop();
    options.signal.addEventListener('abort', stop, { once: true });
    if (options.signal.aborted) stop();
    const ended = supervisor.ended.then(unlock);
    await supervisor.start();
    return { urls, dataDir, stop, ended };
  } catch (error) {
    unlock();
    throw error;
  }
}

/** Which servers this machine runs itself: those that no URL names. */
function ownServers({ config }: LoadedConfig): { nats: string | undefined; redis: string | undefined } {
  const wanted: ('nats-server' | 'redis-server')[] = [];
  if (config.servers.natsUrl === '') wanted.push('nats-server');
  if (config.servers.redisUrl === '') wanted.push('redis-server');
  const found: Partial<Record<string, string>> = findServers(wanted);
  return { nats: found['nats-server'], redis: found['redis-server'] };
}

/** Servers stay on loopback, roles listen on the configured address; each port must be free where it is used. */
async function freePorts(loaded: LoadedConfig, notice: (text: string) => void) {
  const { servers, ports } = loaded.config;
  const names: PortName[] = ['api', 'gateway'];
  if (servers.clickhouseUrl === '') names.push('clickhouse');
  if (servers.natsUrl === '') names.push('nats');
  if (servers.redisUrl === '') names.push('redis');
  const onHost = probePort(ports.bindHost);
  const onLoopback = probePort(loopback);
  const probe = async (port: number): Promise<number | undefined> => {
    const free = await onLoopback(port);
    return free === undefined || ports.bindHost === loopback ? free : onHost(free);
  };
  const choice = await choosePorts(loaded, names, probe);
  for (const text of choice.notices) notice(text);
  return choice.ports;
}
