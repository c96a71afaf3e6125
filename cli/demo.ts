/** `logweir demo`: a cluster, a shop that logs, and incidents. */
import { connectNats } from '#bus/mod.ts';
import { decodeAlerts, decodeAnomalies, subjects } from '#protocol/mod.ts';
import { HttpClickHouse } from '#storage/mod.ts';
import { type Command, type CommandContext, exitCodes } from './command.ts';
import { checkSections } from './config/mod.ts';
import { Progress } from './progress.ts';
import { DemoTraffic, historyMs } from './roles/demo-traffic.ts';
import { clusterOptions, configOf } from './settings.ts';
import { startForeground } from './up.ts';

const rateDefault = 200;
const seedDefault = 1;
/** Anomalies of the past are on the page; here only what is happening. */
const recentMs = 5 * 60_000;
const descriptionColumns = 160;

export const command: Command = {
  about: [
    'Starts a cluster as "logweir up" does and streams the logs of a made-up shop into it: some history, then the',
    'present, with trouble every 90 seconds, once as a cascade through three services. Prints what is done to the shop,',
    'and anomalies, alerts and incidents as they are found.',
  ].join('\n'),
  options: {
    ...clusterOptions,
    rate: { type: 'string', value: 'N', about: `records per second, default ${rateDefault}` },
    seed: {
      type: 'string',
      value: 'N',
      about: `what traffic is made from: same seed, same traffic; default ${seedDefault}`,
    },
  },
  longRunning: true,
  async run(ctx) {
    const loaded = configOf(ctx);
    await checkSections(loaded);
    const cluster = await startForeground(ctx, loaded);
    if (!ctx.signal.aborted) {
      const { gateway, nats, clickhouse } = cluster.urls;
      const silence = await print(ctx, nats);
      const traffic = new DemoTraffic({
        gatewayUrl: gateway,
        seed: ctx.args.integer('seed', { min: 0, max: 2 ** 31 }) ?? seedDefault,
        ratePerSecond: ctx.args.integer('rate', { min: 1, max: 100_000 }) ?? rateDefault,
        clock: Date.now,
        signal: ctx.signal,
      });
      void stream(ctx, traffic, clickhouse).finally(() => void silence());
    }
    await cluster.ended;
    ctx.note('Stopped.');
    return exitCodes.ok;
  },
};

async function stream(ctx: CommandContext, traffic: DemoTraffic, clickHouseUrl: string): Promise<void> {
  if (!(await hasRecentLogs(clickHouseUrl))) {
    ctx.note('Sending 45 minutes of history, so that there is something to compare with.');
    const progress = new Progress(ctx, 'history', historyMs / 1_000, 's');
    await traffic.history((done) => progress.update(Math.round(done / 1_000)));
    progress.end();
    ctx.note(`${traffic.records.toLocaleString('en-US')} records sent. Now the present, with trouble every 90 s:`);
  }
  await traffic.live((incident) => ctx.print(line(Date.now(), 'trouble', incident.service, `${incident.kind} begins`)));
}

/** A demo that was stopped a moment ago goes on where it was. */
async function hasRecentLogs(url: string): Promise<boolean> {
  const sql = 'SELECT count() FROM logweir.otel_logs WHERE TimestampTime > now() - 3600 AND TimestampTime <= now()';
  const bytes = await new HttpClickHouse({ url }).query(sql, { format: 'TabSeparated' }).catch(() => Buffer.from('0'));
  return Number(Buffer.from(bytes).toString()) > 0;
}

/** Prints anomalies and alerts as workers and alerting tell them. Returns the way to stop. */
async function print(ctx: CommandContext, natsUrl: string): Promise<() => Promise<void>> {
  const bus = await connectNats({ url: natsUrl, name: 'logweir demo' });
  // An anomaly is told again as it grows; here it is news once.
  const told = new Set<string>();
  // An incident is news again when it reaches another service.
  const incidentsTold = new Map<string, string>();
  bus.listen(subjects.live.anomalies, (data) => {
    for (const anomaly of decodeAnomalies(data).anomalies) {
      if (told.has(anomaly.anomalyId) || Date.now() - anomaly.eventMs > recentMs) continue;
      told.add(anomaly.anomalyId);
      ctx.print(
        line(
          anomaly.eventMs,
          'anomaly',
          anomaly.service,
          `${anomaly.detector} ${Math.round(anomaly.score)}: ${anomaly.description}`,
        ),
      );
    }
  });
  bus.listen(subjects.live.alerts, (data) => {
    const { transitions, incidents = [] } = decodeAlerts(data);
    for (const alert of transitions)
      if (alert.suppressedBy === '' && Date.now() - alert.receipt.eventMs < recentMs)
        ctx.print(line(alert.atMs, 'ALERT', alert.service, `${alert.state}: ${alert.description}`));
    for (const { incidentId, state, services, title, description, startedMs } of incidents) {
      if (state !== 'open' || services.length < 2 || incidentsTold.get(incidentId) === title) continue;
      incidentsTold.set(incidentId, title);
      if (Date.now() - startedMs < recentMs) ctx.print(line(startedMs, 'INCIDENT', services[0] as string, description));
    }
  });
  return () => bus.close();
}

function line(timeMs: number, what: string, service: string, text: string): string {
  const time = new Date(timeMs).toISOString().slice(11, 19);
  const short = text.length > descriptionColumns ? `${text.slice(0, descriptionColumns - 1)}…` : text;
  return `${time}  ${what.padEnd(8)}  ${service.padEnd(16)}  ${short}`;
}
