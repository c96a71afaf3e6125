/** `logweir alerting`: turns anomalies into alerts and tells people. */
import { parseAlertingConfig, runAlerting } from '#alerting/mod.ts';
import type { Command } from './command.ts';
import { runRole } from './role.ts';
import { prometheusText, serveMetrics, startHeartbeat } from './roles/observe.ts';
import { joinForLong, roleOptions } from './roles/setup.ts';
import { settingsOf } from './settings.ts';

export const command: Command = {
  about: `Groups anomalies into alerts and delivers them by webhook, Slack and e-mail, with retries through Redis. Which channels, and
what they get, is the section "alerting" of the configuration.`,
  options: roleOptions,
  longRunning: true,
  run: (ctx) =>
    runRole(ctx, async () => {
      const wanted = settingsOf(ctx);
      const alertingConfig = parseAlertingConfig(wanted.config.alerting, 'alerting');
      const { bus, config, settings, id, time, log, facts, watch } = await joinForLong(ctx, wanted);
      const alerting = await runAlerting({
        bus,
        firstGeneration: facts.firstGeneration,
        redisUrl: settings.urls.redis,
        config: alertingConfig,
        time,
        publicUrl: settings.urls.api,
        log,
      });
      const counters = (): Record<string, number> => alerting.metrics().counters;
      const stopBeating = startHeartbeat(bus, 'alerting', id, 'anomalies', counters);
      const metrics = await serveMetrics({
        host: config.ports.bindHost,
        port: config.ports.metrics,
        ready: () => bus.connected,
        metrics: () => prometheusText('alerting', counters()) + alerting.latencyText(),
      });
      return {
        facts: { id, metricsPort: metrics.port },
        failed: Promise.race([alerting.failed, watch.failed]),
        stop: async () => {
          watch.stop();
          await alerting.stop();
          stopBeating();
          await metrics.close();
          await bus.close();
        },
      };
    }),
};
