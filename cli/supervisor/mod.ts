/** Starts a whole cluster on this machine and ends it again; the entry point of this folder. */
import { resolve } from 'node:path';
import process from 'node:process';
import { type HeldPort, holdAnyPort, holdPort } from '#bus/host-ports.ts';
import { LogweirError } from '#protocol/errors.ts';
import { type LoadedConfig, receiverPorts, workersMax } from '../config/mod.ts';
import { endOrphans, lockDataDir, makeDataDir } from './data-dir.ts';
import { controlPath, type ScaleAnswer, serveControl } from './control.ts';
import {
  type ClusterUrls,
  clusterUrls,
  loopback,
  planCluster,
  type PlanOptions,
  planWorker,
  type ProcessPlan,
  type RoleName,
} from './plan.ts';
import { choosePorts, type PortName, type Ports } from './ports.ts';
import { planScaling } from './scaling.ts';
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
  const held: HeldPort[] = [];
  const letGo = (): void => {
    for (const port of held) port.release();
    unlock();
  };
  try {
    const orphans = await endOrphans(dataDir);
    if (orphans.length > 0) options.notice(`Ended what a killed Logweir left running: ${orphans.join(', ')}.`);
    const servers = ownServers(loaded);
    const ports = await takePorts(loaded, held, options.notice);
    const urls = clusterUrls(config, ports);
    const planOptions: PlanOptions = {
      config,
      ports,
      dataDir,
      configFile: loaded.file,
      servers,
      node: process.execPath,
      entry: options.entry ?? resolve(import.meta.dirname, '../main.ts'),
      roles: options.roles,
    };
    const control = controlPath(dataDir);
    const supervisor = new Supervisor({
      plans: planCluster(planOptions),
      control,
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
    const closing: (() => void)[] = [];
    const ended = supervisor.ended.then(() => {
      for (const close of closing) close();
      letGo();
    });
    await supervisor.start();
    if (!options.signal.aborted)
      closing.push(await serveControl(control, (workers) => scale(supervisor, planOptions, workers)));
    return { urls, dataDir, stop, ended };
  } catch (error) {
    letGo();
    throw error;
  }
}

/** @throws LogweirError USAGE where the number is out of bounds */
function scale(supervisor: Supervisor, options: PlanOptions, workers: number): ScaleAnswer {
  if (workers < 1 || workers > workersMax)
    throw new LogweirError(
      'USAGE',
      `${workers} workers are out of bounds: this machine runs 1 to ${workersMax}.`,
      'To stop the whole cluster, end "logweir up" with Ctrl-C; more workers run on other machines with "logweir worker".',
    );
  // Units that are about to end leave their names free once they ended.
  const busy = Object.entries(supervisor.units).filter(([, unit]) => unit.status === 'stopping');
  if (busy.length > 0)
    throw new LogweirError(
      'USAGE',
      `${busy.map(([name]) => name).join(', ')} still drain${busy.length === 1 ? 's' : ''}.`,
      'Wait until that is through ("logweir status" shows it), then scale again.',
    );
  const { from, start, retire } = planScaling(Object.keys(supervisor.units), workers);
  for (const name of start) supervisor.add(planWorker(options, name));
  for (const name of retire) supervisor.retire(name);
  return { from, to: workers, started: start, draining: retire };
}

/** Which servers this machine runs itself: those that no URL names. */
function ownServers({ config }: LoadedConfig): { nats: string | undefined; redis: string | undefined } {
  const wanted: ('nats-server' | 'redis-server')[] = [];
  if (config.servers.natsUrl === '') wanted.push('nats-server');
  if (config.servers.redisUrl === '') wanted.push('redis-server');
  const found: Partial<Record<string, string>> = findServers(wanted);
  return { nats: found['nats-server'], redis: found['redis-server'] };
}

/**
 * Servers stay on loopback, roles listen on the configured address; each port must be free where it is used. They are `held`
 * while the cluster runs: whoever is started again needs its own.
 */
async function takePorts(loaded: LoadedConfig, held: HeldPort[], notice: (text: string) => void): Promise<Ports> {
  const { servers, ports, receivers } = loaded.config;
  const names: PortName[] = [
    'api',
    'gateway',
    ...receiverPorts.filter((name) => !(name in receivers) || receivers[name as 'syslog' | 'gelf' | 'forward']),
  ];
  if (servers.clickhouseUrl === '') names.push('clickhouse');
  if (servers.natsUrl === '') names.push('nats');
  if (servers.redisUrl === '') names.push('redis');
  const hosts = [...new Set([loopback, ports.bindHost])];
  const choice = await choosePorts(loaded, names, async (port, datagrams) => {
    const taken = await (port === 0 ? holdAnyPort({ hosts, datagrams }) : holdPort(port, { hosts, datagrams }));
    if (taken !== undefined) held.push(taken);
    return taken?.port;
  });
  for (const text of choice.notices) notice(text);
  return choice.ports;
}
