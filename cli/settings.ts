/** What a command works with: its configuration, its data directory, and the cluster on this machine if one runs. */
import { resolve } from 'node:path';
import { LogweirError } from '#protocol/errors.ts';
import { type ClusterFile, readClusterFile } from './cluster-file.ts';
import { type CommandContext, configOption, dataDirOption, type OptionSpec } from './command.ts';
import { type Config, type ConfigSources, type LoadedConfig, loadConfig } from './config/mod.ts';
import { isAlive } from './supervisor/identity.ts';

/** Options of the command line that set keys of the configuration. */
const keysOfOptions: Readonly<Record<string, string>> = {
  'data-dir': 'cluster.dataDir',
  workers: 'cluster.workers',
  partitions: 'cluster.partitions',
  'port-api': 'ports.api',
  'port-gateway': 'ports.gateway',
  'port-clickhouse': 'ports.clickhouse',
  'port-nats': 'ports.nats',
  'port-redis': 'ports.redis',
};

/** For commands that start a cluster. */
export const clusterOptions: Readonly<Record<string, OptionSpec>> = {
  config: configOption,
  'data-dir': dataDirOption,
  workers: { type: 'string', value: 'N', about: 'worker processes, default 1' },
  partitions: { type: 'string', value: 'N', about: 'partitions of a new cluster, default 64; fixed for its life' },
  'port-api': { type: 'string', value: 'PORT', about: 'API and dashboard, default 8080; 0 takes any free one' },
  'port-gateway': { type: 'string', value: 'PORT', about: 'gateway, default 8081' },
  'port-clickhouse': { type: 'string', value: 'PORT', about: 'ClickHouse HTTP interface, default 8123' },
  'port-nats': { type: 'string', value: 'PORT', about: 'nats-server, default 4222' },
  'port-redis': { type: 'string', value: 'PORT', about: 'redis-server, default 6379' },
};

/** For commands that talk to a running cluster. */
export const clientOptions: Readonly<Record<string, OptionSpec>> = { config: configOption, 'data-dir': dataDirOption };

type Context = Pick<CommandContext, 'args' | 'env' | 'cwd'>;

/** Configuration from file, environment and those options that set keys. Throws CONFIG_INVALID. */
export function configOf(ctx: Context): LoadedConfig {
  const options: Record<string, { value: string; option: string }> = {};
  for (const [option, key] of Object.entries(keysOfOptions)) {
    const value = ctx.args.string(option);
    if (value !== undefined) options[key] = { value, option: `--${option}` };
  }
  const sources: ConfigSources = { file: ctx.args.string('config'), cwd: ctx.cwd, env: ctx.env, options };
  return loadConfig(sources);
}

export interface Settings extends LoadedConfig {
  /** Absolute. */
  dataDir: string;
  urls: ClusterFile['urls'];
  /** The cluster that runs on this machine and data directory, if one does. */
  cluster: ClusterFile | undefined;
}

/**
 * Settings of a client. A server is the one that configuration or environment name, else the one of the
 * cluster that runs on the data directory, else the default port on loopback.
 */
export function settingsOf(ctx: Context): Settings {
  const loaded = configOf(ctx);
  const { servers, ports, cluster: own } = loaded.config;
  const dataDir = resolve(ctx.cwd, own.dataDir);
  const cluster = runningCluster(dataDir);
  const host = ports.bindHost === '0.0.0.0' || ports.bindHost === '::' ? '127.0.0.1' : ports.bindHost;
  const url = (name: 'api' | 'gateway' | 'clickhouse'): string => {
    // Port 0 is any that was free: only the cluster knows which.
    if (cluster !== undefined && (ports[name] === 0 || !loaded.isSet(`ports.${name}`))) return cluster.urls[name];
    return `http://${host}:${ports[name]}`;
  };
  return {
    ...loaded,
    dataDir,
    cluster,
    urls: {
      nats: servers.natsUrl || cluster?.urls.nats || `nats://127.0.0.1:${ports.nats}`,
      redis: servers.redisUrl || cluster?.urls.redis || `redis://127.0.0.1:${ports.redis}`,
      clickhouse: withLogin(servers.clickhouseUrl || url('clickhouse'), ...loginOf(loaded.config)),
      api: url('api'),
      gateway: url('gateway'),
    },
  };
}

/** The embedded engine's interface takes any user, a server the one that was configured. */
function loginOf({ servers, storage }: Config): [user: string, password: string] {
  if (servers.clickhouseUrl === '') return ['default', storage.sqlPassword];
  return [servers.clickhouseUser, servers.clickhousePassword];
}

/** Puts a login into a URL that has none, as far as it differs from a ClickHouse server's default. */
function withLogin(text: string, user: string, password: string): string {
  const url = new URL(text);
  if (url.username !== '' || (user === 'default' && password === '')) return text;
  url.username = encodeURIComponent(user);
  url.password = encodeURIComponent(password);
  return url.href;
}

/** Undefined where no supervisor runs on that data directory. */
export function runningCluster(dataDir: string): ClusterFile | undefined {
  const cluster = readClusterFile(dataDir);
  return cluster !== undefined && isAlive(cluster.supervisor) ? cluster : undefined;
}

/**
 * Settings for a command that needs a running cluster: one on the data directory, or one whose server `key` is named.
 * @throws LogweirError CLUSTER_NOT_FOUND
 */
export function clusterSettings(ctx: Context, key: 'natsUrl' | 'clickhouseUrl'): Settings {
  const settings = settingsOf(ctx);
  const port = key === 'natsUrl' ? 'ports.nats' : 'ports.clickhouse';
  if (settings.cluster !== undefined || settings.isSet(`servers.${key}`) || settings.isSet(port)) return settings;
  throw new LogweirError(
    'CLUSTER_NOT_FOUND',
    `No cluster runs on the data directory ${settings.dataDir}.`,
    `Start one with "logweir up", name its directory with --data-dir, or a server with ${key === 'natsUrl' ? 'NATS_URL' : 'CLICKHOUSE_URL'}.`,
  );
}
