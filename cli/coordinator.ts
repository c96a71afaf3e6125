/** `logweir coordinator`: places partitions on workers, keeps the cluster's time, serves API and dashboard. */
import { startApi } from '#api/mod.ts';
import { Coordinator } from '#coordinator/mod.ts';
import { Queries } from '#storage/mod.ts';
import { ensureBuilt } from '#dashboard/build.ts';
import type { Command } from './command.ts';
import { runRole } from './role.ts';
import { deadDesk } from './roles/dead-desk.ts';
import { startLive } from './roles/live.ts';
import { modelDesk } from './roles/model-desk.ts';
import { prometheusText, startHeartbeat } from './roles/observe.ts';
import { joinForLong, roleOptions } from './roles/setup.ts';

const hourMs = 3_600_000;

export const command: Command = {
  about: `Leads the cluster: assigns partitions to workers, sends ticks, removes what nobody needs any more. Run as many as you like:
one leads, the others stand by. Serves the API and the dashboard.`,
  options: roleOptions,
  longRunning: true,
  run: (ctx) =>
    runRole(ctx, async () => {
      const { bus, store, facts, config, settings, id, time, log, watch } = await joinForLong(ctx);
      const queries = Queries.overUrl(settings.urls.clickhouse);
      const coordinator = new Coordinator({
        bus,
        store,
        id,
        analysis: config.analysis,
        retainLogs: config.cluster.retainLogs,
        training: {
          queries,
          everyMs: config.training.everyHours * hourMs,
          onDrift: config.training.onDrift,
          rangeMs: config.training.rangeDays * 24 * hourMs,
        },
        storedActs: () => queries.correctionActs('last of each'),
        leaseMs: config.cluster.leaseMs,
        time,
        log,
      });
      await coordinator.start();
      const live = await startLive({ bus, store, coordinator, partitions: facts.partitions, clock: time.now });
      const api = await startApi({
        host: config.ports.bindHost,
        port: config.ports.api,
        dashboardDir: await ensureBuilt(),
        ingestUrl: `${settings.urls.gateway}/ingest`,
        queries,
        cluster: live.cluster,
        models: modelDesk({ bus, store, coordinator, queries, clock: time.now }),
        dead: deadDesk(bus, time.now),
        live,
        notReady: () => (bus.connected ? [] : ['NATS is away']),
        metrics: () => prometheusText('coordinator', coordinator.counters()),
        clock: time.now,
        log: { info: log, warn: log, error: log },
      });
      const stopBeating = startHeartbeat(bus, 'coordinator', id, 'none', () => coordinator.counters());
      return {
        facts: { id, url: api.url },
        failed: watch.failed,
        stop: async () => {
          watch.stop();
          await api.close();
          live.stop();
          await coordinator.stop();
          stopBeating();
          await bus.close();
        },
      };
    }),
};
