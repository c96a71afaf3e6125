/** `logweir coordinator`: places partitions on workers and keeps the cluster's time. */
import { parseAnalysisConfig } from '#analysis/detectors/mod.ts';
import { Coordinator } from '#coordinator/mod.ts';
import type { Command } from './command.ts';
import { runRole } from './role.ts';
import { startHeartbeat } from './roles/observe.ts';
import { joinCluster, roleOptions } from './roles/setup.ts';

export const command: Command = {
  about: `Leads the cluster: assigns partitions to workers, sends ticks, removes what nobody needs any more. Run as many as you like:
one leads, the others stand by. Serves the API and the dashboard.`,
  options: roleOptions,
  longRunning: true,
  run: (ctx) =>
    runRole(ctx, async () => {
      const { bus, store, config, id, clock, log } = await joinCluster(ctx);
      parseAnalysisConfig(config.analysis, 'analysis');
      const coordinator = new Coordinator({
        bus,
        store,
        id,
        analysis: config.analysis,
        retainLogs: config.cluster.retainLogs,
        leaseMs: config.cluster.leaseMs,
        clock,
        log,
      });
      await coordinator.start();
      const stopBeating = startHeartbeat(bus, 'coordinator', id, 'none', () => ({}));
      return {
        facts: { id },
        stop: async () => {
          await coordinator.stop();
          stopBeating();
          await bus.close();
        },
      };
    }),
};
