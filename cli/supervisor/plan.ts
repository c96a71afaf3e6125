/** What `logweir up` runs, and in which order: from the configuration and the chosen ports to one plan per process. */
import { join } from 'node:path';
import { type Config, environmentName } from '../config/mod.ts';
import type { UnitSpec } from './machine.ts';
import type { Ports } from './ports.ts';
import { natsAnswers, natsSettings, redisAnswers, redisArguments } from './servers.ts';

export const loopback = '127.0.0.1';

export interface ProcessPlan extends UnitSpec {
  program: string;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  /** What the process is reached by, for the start-up log; may be ''. */
  address: string;
  /** Asked again and again until it says yes; undefined: the process tells by IPC. */
  probe: (() => Promise<boolean>) | undefined;
  /** Written before the first start: a settings file of the server. */
  files: readonly { path: string; content: string }[];
}

export interface ClusterUrls {
  nats: string;
  redis: string;
  clickhouse: string;
  api: string;
  gateway: string;
}

export interface PlanOptions {
  config: Config;
  ports: Ports;
  dataDir: string;
  configFile: string | undefined;
  /** Paths of servers to start; undefined where a URL names a running one. */
  servers: { nats: string | undefined; redis: string | undefined };
  node: string;
  /** Script that takes the role's name as its first argument. */
  entry: string;
  roles: readonly RoleName[];
}

export type RoleName = 'storage' | 'coordinator' | 'worker' | 'alerting' | 'gateway';

const second = 1_000;

/** The gateway starts last and stops first, so that nothing is taken in that nobody can carry on. */
const order: Readonly<Record<RoleName | 'nats' | 'redis', Pick<UnitSpec, 'stage' | 'stopOrder' | 'stopTimeoutMs'>>> = {
  nats: { stage: 0, stopOrder: 6, stopTimeoutMs: 15 * second },
  redis: { stage: 0, stopOrder: 5, stopTimeoutMs: 15 * second },
  storage: { stage: 1, stopOrder: 2, stopTimeoutMs: 30 * second },
  coordinator: { stage: 1, stopOrder: 4, stopTimeoutMs: 10 * second },
  worker: { stage: 1, stopOrder: 1, stopTimeoutMs: 30 * second },
  alerting: { stage: 1, stopOrder: 3, stopTimeoutMs: 10 * second },
  gateway: { stage: 2, stopOrder: 0, stopTimeoutMs: 15 * second },
};

export function clusterUrls(config: Config, ports: Ports): ClusterUrls {
  const { bindHost } = config.ports;
  const host =
    bindHost === '0.0.0.0' || bindHost === '::' ? loopback : bindHost.includes(':') ? `[${bindHost}]` : bindHost;
  return {
    nats: config.servers.natsUrl || `nats://${loopback}:${ports.nats}`,
    redis: config.servers.redisUrl || `redis://${loopback}:${ports.redis}`,
    clickhouse: config.servers.clickhouseUrl || `http://${host}:${ports.clickhouse}`,
    api: `http://${host}:${ports.api}`,
    gateway: `http://${host}:${ports.gateway}`,
  };
}

export function planCluster(options: PlanOptions): ProcessPlan[] {
  const { config, servers, roles } = options;
  const plans: ProcessPlan[] = [];
  if (servers.nats !== undefined) plans.push(natsPlan(options, servers.nats));
  if (servers.redis !== undefined) plans.push(redisPlan(options, servers.redis));
  for (const role of roles) {
    if (role !== 'worker') plans.push(rolePlan(options, role, role));
    else for (let n = 1; n <= config.cluster.workers; n++) plans.push(planWorker(options, `worker-${n}`));
  }
  return plans;
}

export const planWorker = (options: PlanOptions, name: string): ProcessPlan => rolePlan(options, 'worker', name);

function natsPlan({ config, ports, dataDir }: PlanOptions, program: string): ProcessPlan {
  const file = join(dataDir, 'nats', 'nats.conf');
  const { logsBytesMax, resultsBytesMax, anomaliesBytesMax, alertsBytesMax, deadBytesMax } = config.streams;
  // Checkpoints, models and KV buckets live beside the streams.
  const fileBytesMax =
    logsBytesMax + resultsBytesMax + anomaliesBytesMax + alertsBytesMax + deadBytesMax + 16 * 1024 ** 3;
  const content = natsSettings({ host: loopback, port: ports.nats, storeDir: join(dataDir, 'nats'), fileBytesMax });
  return {
    name: 'nats-server',
    ...order.nats,
    readyTimeoutMs: 60 * second,
    program,
    args: ['--config', file],
    env: {},
    address: `${loopback}:${ports.nats}`,
    probe: () => natsAnswers(loopback, ports.nats),
    files: [{ path: file, content }],
  };
}

function redisPlan({ ports, dataDir }: PlanOptions, program: string): ProcessPlan {
  const dir = join(dataDir, 'redis');
  return {
    name: 'redis-server',
    ...order.redis,
    readyTimeoutMs: 60 * second,
    program,
    args: redisArguments({ host: loopback, port: ports.redis, dir }),
    env: {},
    address: `${loopback}:${ports.redis}`,
    probe: () => redisAnswers(loopback, ports.redis),
    files: [{ path: join(dir, 'README'), content: 'Data of the redis-server that logweir runs: delivery jobs.\n' }],
  };
}

function rolePlan(options: PlanOptions, role: RoleName, name: string): ProcessPlan {
  const { config, ports, dataDir, configFile, node, entry } = options;
  const urls = clusterUrls(config, ports);
  const embedded = config.servers.clickhouseUrl === '';
  const address: Partial<Record<RoleName, string>> = {
    gateway: urls.gateway,
    coordinator: urls.api,
    ...(embedded ? { storage: urls.clickhouse } : {}),
  };
  return {
    name,
    ...order[role],
    readyTimeoutMs: 60 * second,
    program: node,
    args: [
      entry,
      role,
      '--id',
      name,
      '--data-dir',
      dataDir,
      ...(configFile === undefined ? [] : ['--config', configFile]),
    ],
    env: {
      NATS_URL: urls.nats,
      REDIS_URL: urls.redis,
      // The storage process is the embedded ClickHouse; all others reach it by URL.
      ...(embedded && role === 'storage' ? { UV_THREADPOOL_SIZE: '16' } : { CLICKHOUSE_URL: urls.clickhouse }),
      ...(embedded && role !== 'storage' && config.storage.sqlPassword !== ''
        ? { CLICKHOUSE_PASSWORD: config.storage.sqlPassword }
        : {}),
      ...Object.fromEntries(Object.entries(ports).map(([key, port]) => [environmentName('ports', key), String(port)])),
      LOGWEIR_PORTS_METRICS: '0',
      LOGWEIR_CLUSTER_WORKERS: String(config.cluster.workers),
      ...(config.cluster.partitions === undefined
        ? {}
        : { LOGWEIR_CLUSTER_PARTITIONS: String(config.cluster.partitions) }),
    },
    address: address[role] ?? '',
    probe: undefined,
    files: [],
  };
}
