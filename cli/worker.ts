/** `logweir worker`: analyses the partitions that the coordinator gives it. */
import { DeadLetterSink } from '#bus/mod.ts';
import process from 'node:process';
import { Worker } from '#workers/mod.ts';
import type { Command } from './command.ts';
import { runRole } from './role.ts';
import { modelMetrics } from './roles/model-metrics.ts';
import { prometheusText, serveMetrics } from './roles/observe.ts';
import { joinForLong, roleOptions } from './roles/setup.ts';

export const command: Command = {
  about: `Analyses partitions: templates, classification, windows, detectors. Start more of them, here or on other machines, to
add capacity; SIGTERM hands the partitions over.`,
  options: roleOptions,
  examples: ['NATS_URL=nats://10.0.0.5:4222 logweir worker'],
  longRunning: true,
  run: (ctx) =>
    runRole(ctx, async () => {
      const { bus, facts, store, config, id, time, log, watch } = await joinForLong(ctx);
      const dead = new DeadLetterSink(bus, time, `${id}.d.${process.pid}.${time.now().toString(36)}`);
      const worker = await Worker.start({
        bus,
        store,
        facts,
        id,
        time,
        log,
        dead,
        checkpointEveryMs: config.workers.checkpointEveryMs,
        retainLogs: config.cluster.retainLogs,
      });
      const metrics = await serveMetrics({
        host: config.ports.bindHost,
        port: config.ports.metrics,
        ready: () => bus.connected,
        metrics: () =>
          `${prometheusText('worker', worker.counters())}${modelMetrics(worker.figures())}${dead.metrics()}`,
      });
      return {
        facts: { id, metricsPort: metrics.port },
        failed: watch.failed,
        stop: async () => {
          watch.stop();
          // What it holds is of streams that are gone: nothing of it may reach the new ones.
          if (watch.changed) await worker.stop();
          else await worker.drain();
          await dead.settle();
          await metrics.close();
          await bus.close();
        },
      };
    }),
};
