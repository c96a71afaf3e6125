/** A fixed rate of logs, and beside it probes that raise an alert each: how long from event to webhook. */
import { setTimeout as sleep } from 'node:timers/promises';
import { withCluster } from './cluster.ts';
import { addCounts } from './counts.ts';
import { type Hops, hopsOf, noteArrival, type Probe, probeConfig, probesMax, sendProbes } from './probes.ts';
import {
  type Costs,
  type Counted,
  type Machine,
  machine,
  payloadsFor,
  problemsOf,
  type ScenarioContext,
  settle,
  warmUp,
  warmupSeconds,
} from './scenario.ts';
import { load, openSender } from './sender.ts';
import { type Summary, summarize, tenths } from './statistics.ts';
import { openWebhookSink } from './webhook-sink.ts';

const linesPerBody = 100;
const probeEveryMs = 50;
const alertPatienceMs = 15_000;
/** What p99 from event to alert has to stay under, ms. */
const barMs = 100;

export interface LatencyReport extends Hops, Counted, Costs {
  scenario: 'latency';
  ok: boolean;
  problems: string[];
  /** Whether p99 from event to alert is under `barMs`. */
  withinBar: boolean;
  barMs: number;
  ratePerSecond: number;
  /** What was accepted, over the time of the load. */
  acceptedPerSecond: number;
  /** How late a request was sent at most, because all connections waited for answers, ms. */
  latestMs: number;
  probes: number;
  alerts: number;
  warmupSeconds: number;
  loadSeconds: number;
  workers: number;
  connections: number;
  linesPerPost: number;
  postMs: Summary | null;
  machine: Machine;
}

export async function latency({ args, signal, note }: ScenarioContext): Promise<LatencyReport> {
  const { connections, seconds, workers, rate, profileDir } = args;
  const probes = new Map<string, Probe>();
  const sink = await openWebhookSink((notification, atMs) => noteArrival(probes, notification, atMs));
  try {
    const config = probeConfig(sink.url);
    return await withCluster({ workers, config, profileDir, signal, note }, async (cluster) => {
      const payloads = payloadsFor(connections, linesPerBody);
      const sender = openSender(cluster.urls.gateway, connections);
      const probeSender = openSender(cluster.urls.gateway, 16);
      try {
        note(
          `Warming up for ${warmupSeconds} s, then sending ${rate} logs/s for ${seconds} s, and events that raise alerts …`,
        );
        const traffic = { sender, payloads, connections, ratePerSecond: rate, signal };
        const first = await warmUp(cluster, traffic);
        const usedBefore = cluster.use();
        const durationMs = seconds * 1_000;
        const everyMs = Math.max(probeEveryMs, durationMs / probesMax);
        const [result] = await Promise.all([
          load({ ...traffic, durationMs }),
          sendProbes({ sender: probeSender, everyMs, durationMs, probes, signal }),
        ]);
        signal.throwIfAborted();
        note('Waiting for the last alerts, and until every row can be queried …');
        const sent = [...probes.values()];
        const acknowledged = sent.filter((probe) => probe.acknowledged === true);
        const missing = (): number => acknowledged.filter((probe) => probe.arrivedMs === undefined).length;
        const deadline = performance.now() + alertPatienceMs;
        while (missing() > 0 && performance.now() < deadline) await sleep(100, undefined, { signal });
        addCounts(result.accepted, new Map(acknowledged.map(({ service }) => [service, 1])));
        const unknown = result.unknown + sent.length - acknowledged.length;
        const { counts, costs } = await settle(cluster, { ...result, unknown }, first, usedBefore);
        const hops = hopsOf(sent);
        const problems = problemsOf(counts, result.failures);
        if (acknowledged.length < sent.length)
          problems.push(`${sent.length - acknowledged.length} events were not accepted.`);
        if (missing() > 0) problems.push(`${missing()} of ${sent.length} alerts did not come.`);
        return {
          scenario: 'latency',
          ok: problems.length === 0,
          problems,
          withinBar: (hops.totalMs?.p99 ?? Number.POSITIVE_INFINITY) < barMs,
          barMs,
          ...hops,
          ratePerSecond: rate,
          acceptedPerSecond: Math.round((counts.accepted * 1_000) / result.durationMs),
          latestMs: tenths(result.latestMs),
          probes: sent.length,
          alerts: acknowledged.length - missing(),
          ...counts,
          warmupSeconds,
          loadSeconds: tenths(result.durationMs / 1_000),
          workers,
          connections,
          linesPerPost: linesPerBody,
          postMs: summarize(result.postMs),
          ...costs,
          machine: machine(),
        };
      } finally {
        sender.close();
        probeSender.close();
      }
    });
  } finally {
    await sink.close();
  }
}
