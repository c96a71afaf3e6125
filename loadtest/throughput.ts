/** As much load as the cluster takes: logs per second from the first POST until every row can be queried. */
import { withCluster } from './cluster.ts';
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

const linesPerBody = 500;
const hotService = 'hot';

export interface ThroughputReport extends Counted, Costs {
  scenario: 'throughput';
  ok: boolean;
  problems: string[];
  /** Accepted records over the time from the first POST (after a warm-up) until all of them could be queried. */
  logsPerSecond: number;
  /** Accepted records over the time from the first POST to the last answer. */
  acceptedPerSecond: number;
  workers: number;
  /** Sent under one service's name, or under some forty. */
  oneService: boolean;
  connections: number;
  linesPerPost: number;
  bytesPerLine: number;
  warmupSeconds: number;
  loadSeconds: number;
  /** From the first POST until every row could be queried. */
  totalSeconds: number;
  postMs: Summary | null;
  machine: Machine;
}

export function throughput({ args, signal, note }: ScenarioContext, workers = args.workers): Promise<ThroughputReport> {
  const { connections, seconds, oneService, profileDir } = args;
  return withCluster({ workers, profileDir, signal, note }, async (cluster) => {
    const payloads = payloadsFor(connections, linesPerBody, oneService ? hotService : undefined);
    const sender = openSender(cluster.urls.gateway, connections);
    try {
      note(`Warming up for ${warmupSeconds} s, then sending for ${seconds} s over ${connections} connections …`);
      const first = await warmUp(cluster, { sender, payloads, connections, signal });
      const usedBefore = cluster.use();
      const startedMs = performance.now();
      const result = await load({ sender, payloads, connections, durationMs: seconds * 1_000, signal });
      signal.throwIfAborted();
      note('Waiting until every row can be queried …');
      const { counts, costs, storedAtMs } = await settle(cluster, result, first, usedBefore);
      const problems = problemsOf(counts, result.failures);
      const totalSeconds = (storedAtMs - startedMs) / 1_000;
      const bytes = payloads.reduce((sum, payload) => sum + payload.body.length, 0);
      return {
        scenario: 'throughput',
        ok: problems.length === 0,
        problems,
        logsPerSecond: Math.round(counts.accepted / totalSeconds),
        acceptedPerSecond: Math.round((counts.accepted * 1_000) / result.durationMs),
        ...counts,
        workers,
        oneService,
        connections,
        linesPerPost: linesPerBody,
        bytesPerLine: Math.round(bytes / (payloads.length * linesPerBody)),
        warmupSeconds,
        loadSeconds: tenths(result.durationMs / 1_000),
        totalSeconds: tenths(totalSeconds),
        postMs: summarize(result.postMs),
        ...costs,
        machine: machine(),
      };
    } finally {
      sender.close();
    }
  });
}
