/** `logweir storage`: writes results into ClickHouse; with the embedded engine, also serves it over HTTP. */
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { startStorage, type WriterStats } from '#storage/mod.ts';
import type { Command } from './command.ts';
import { runRole } from './role.ts';
import { prometheusText, serveMetrics, startHeartbeat } from './roles/observe.ts';
import { joinForLong, roleOptions } from './roles/setup.ts';

const storageNiceness = 10;
/** A failed insert that the next try puts right is nobody's concern, ms. */
const failingMsMax = 5_000;

/** Why the role is not ready, or true. */
function notReady(connected: boolean, { failingMs }: WriterStats): true | string {
  if (!connected) return 'NATS is away';
  if (failingMs < failingMsMax) return true;
  return `ClickHouse takes no rows since ${Math.round(failingMs / 1_000)} s; they wait in the stream`;
}

export const command: Command = {
  about: `Writes rows, windows, templates, anomalies and alerts into ClickHouse: the embedded engine, which it serves on
ClickHouse's HTTP interface, or a server named by CLICKHOUSE_URL.`,
  options: roleOptions,
  longRunning: true,
  run: (ctx) =>
    runRole(ctx, async () => {
      const { bus, config, settings, id, dataDir, time, log, facts, watch } = await joinForLong(ctx);
      // Inserts and merges come in bursts of whole cores; detection and alerts beside them must not wait for those.
      setPriority(storageNiceness);
      const { ports, servers, storage: keep } = config;
      const serve = {
        host: ports.bindHost,
        port: ports.clickhouse,
        writable: keep.sqlWritable,
        password: keep.sqlPassword === '' ? undefined : keep.sqlPassword,
      };
      const storage = await startStorage({
        bus,
        engine:
          servers.clickhouseUrl === ''
            ? { directory: join(dataDir, 'clickhouse'), serve }
            : { url: settings.urls.clickhouse },
        retention: {
          logsDays: keep.logsTtlDays,
          findingsDays: keep.findingsTtlDays,
          rollupsDays: keep.rollupsTtlDays,
        },
        writer: { firstGeneration: facts.firstGeneration },
        time,
        log: { info: log, warn: log, error: log },
      });
      const counters = (): Record<string, number> => ({ ...storage.writer.stats() });
      const stopBeating = startHeartbeat(bus, 'storage', id, 'rows', counters);
      const metrics = await serveMetrics({
        host: ports.bindHost,
        port: ports.metrics,
        ready: () => notReady(bus.connected, storage.writer.stats()),
        metrics: () => prometheusText('storage', counters()),
      });
      return {
        facts: { id, metricsPort: metrics.port, url: storage.url },
        failed: Promise.race([storage.done.then(() => new Promise<never>(() => {})), watch.failed]),
        stop: async () => {
          watch.stop();
          await storage.drain();
          stopBeating();
          await metrics.close();
          await bus.close();
        },
      };
    }),
};
