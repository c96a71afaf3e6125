import { type Command, type CommandContext, exitCodes } from './command.ts';
import { checkSections, type LoadedConfig } from './config/mod.ts';
import { clusterOptions, configOf } from './settings.ts';
import type { RunningCluster } from './supervisor/mod.ts';

const roleNames = ['storage', 'coordinator', 'worker', 'alerting', 'gateway'] as const;

export const command: Command = {
  about: [
    'Starts nats-server, redis-server and every role of Logweir on this machine, and keeps them running.',
    'Ctrl-C ends all of it in order; the data stays in the data directory, and the next start finds it.',
    'Ports that are taken are moved to the next free ones, which cluster.json in the data directory records.',
  ].join('\n'),
  options: clusterOptions,
  examples: ['logweir up', 'logweir up --workers 3', 'logweir up --data-dir /var/lib/logweir --port-gateway 9081'],
  longRunning: true,
  async run(ctx) {
    const loaded = configOf(ctx);
    await checkSections(loaded);
    const cluster = await startForeground(ctx, loaded);
    await cluster.ended;
    ctx.note('Stopped.');
    return exitCodes.ok;
  },
};

/** Builds the page where it is stale, starts the cluster, and says where it is. */
export async function startForeground(ctx: CommandContext, loaded: LoadedConfig): Promise<RunningCluster> {
  const [{ startCluster }, { ensureBuilt }] = await Promise.all([
    import('./supervisor/mod.ts'),
    import('#dashboard/build.ts'),
  ]);
  ctx.note(`Logweir starts on ${loaded.config.cluster.dataDir}`);
  await ensureBuilt();
  const cluster = await startCluster({
    loaded,
    cwd: ctx.cwd,
    env: ctx.env,
    roles: roleNames,
    notice: (text) => ctx.note(`  ${text}`),
    say: (unit, text) => ctx.note(`  ${unit.name.padEnd(13)} ${unit.address.padEnd(22)} ${text}`),
    signal: ctx.signal,
  });
  if (!ctx.signal.aborted) {
    ctx.note('');
    ctx.note(`  Dashboard  ${cluster.urls.api}`);
    ctx.note(`  Send logs  ${cluster.urls.gateway}/ingest`);
    ctx.note(`  SQL        ${cluster.urls.clickhouse}`);
    ctx.note('');
    ctx.note('Ctrl-C stops everything; the data stays.');
  }
  ctx.signal.addEventListener('abort', () =>
    ctx.note('Stopping: what is under way is finished first. Ctrl-C again ends it at once.'),
  );
  return cluster;
}
