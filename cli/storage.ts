/** `logweir storage`: writes results into ClickHouse; with the embedded engine, also serves it over HTTP. */
import { join } from 'node:path';
import {
  type ClickHouse,
  EmbeddedClickHouse,
  HttpClickHouse,
  migrate,
  type Retention,
  serveClickHouse,
} from '#storage/mod.ts';
import { startWriter } from '#storage/writer/run.ts';
import type { Command } from './command.ts';
import type { Config } from './config/mod.ts';
import { runRole } from './role.ts';
import { prometheusText, serveMetrics, startHeartbeat } from './roles/observe.ts';
import { joinCluster, roleOptions } from './roles/setup.ts';

export const command: Command = {
  about: `Writes rows, windows, templates, anomalies and alerts into ClickHouse: the embedded engine, which it serves on ClickHouse's
HTTP interface, or a server named by CLICKHOUSE_URL.`,
  options: roleOptions,
  longRunning: true,
  run: (ctx) =>
    runRole(ctx, async () => {
      const { bus, config, settings, id, dataDir, clock, log } = await joinCluster(ctx);
      const engine =
        config.servers.clickhouseUrl === ''
          ? EmbeddedClickHouse.open({ directory: join(dataDir, 'clickhouse') })
          : null;
      const clickHouse: ClickHouse = engine ?? new HttpClickHouse({ url: settings.urls.clickhouse });
      await migrate(clickHouse, retentionOf(config));
      const server =
        engine === null
          ? null
          : await serveClickHouse({
              engine,
              host: config.ports.bindHost,
              port: config.ports.clickhouse,
              writable: config.storage.sqlWritable,
              password: config.storage.sqlPassword === '' ? undefined : config.storage.sqlPassword,
            });
      const logs = { info: log, warn: log, error: log };
      const writer = await startWriter({ bus, clickHouse, clock, log: logs });
      const counters = (): Record<string, number> => ({ ...writer.stats() });
      const stopBeating = startHeartbeat(bus, 'storage', id, 'rows', counters);
      const metrics = await serveMetrics({
        host: config.ports.bindHost,
        port: config.ports.metrics,
        ready: () => bus.connected && writer.stats().failing === 0,
        metrics: () => prometheusText('storage', counters()),
      });
      return {
        facts: { id, metricsPort: metrics.port, ...(server === null ? {} : { port: server.port }) },
        failed: writer.done.then(() => new Promise<never>(() => {})),
        stop: async () => {
          await writer.drain();
          stopBeating();
          await metrics.close();
          await server?.close();
          await clickHouse.close();
          await bus.close();
        },
      };
    }),
};

function retentionOf({ storage }: Config): Retention {
  return { logsDays: storage.logsTtlDays, findingsDays: storage.findingsTtlDays, rollupsDays: storage.rollupsTtlDays };
}
