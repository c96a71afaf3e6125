/** `logweir gateway`: receives logs over HTTP and puts them on the stream. */
import process from 'node:process';
import { Gateway } from '#ingest/mod.ts';
import type { Command } from './command.ts';
import { runRole } from './role.ts';
import { prometheusText, startHeartbeat } from './roles/observe.ts';
import { joinForLong, roleOptions } from './roles/setup.ts';

export const command: Command = {
  about:
    'Receives logs over HTTP (POST /ingest), cuts them into batches by service, and answers once the stream has them.',
  options: roleOptions,
  longRunning: true,
  run: (ctx) =>
    runRole(ctx, async () => {
      const { bus, facts, config, id, time, watch } = await joinForLong(ctx);
      const gateway: Gateway = new Gateway({
        bus,
        partitions: facts.partitions,
        host: config.ports.bindHost,
        port: config.ports.gateway,
        time,
        id: `${id}.${process.pid}.${time.now().toString(36)}`,
        limits: { bodyBytesMax: config.gateway.bodyBytesMax },
        pendingBytesMax: config.gateway.pendingBytesMax,
        metrics: () => prometheusText('gateway', counters()),
      });
      const counters = (): Record<string, number> => {
        const { publisher, counts } = gateway;
        return {
          ...counts,
          ...publisher.counts,
          pendingBytes: publisher.pendingBytes,
          lingerMs: publisher.currentLingerMs,
        };
      };
      await gateway.start();
      const stopBeating = startHeartbeat(bus, 'gateway', id, 'records', counters);
      return {
        facts: { port: gateway.port },
        failed: watch.failed,
        stop: async () => {
          watch.stop();
          await gateway.stop();
          stopBeating();
          await bus.close();
        },
      };
    }),
};
