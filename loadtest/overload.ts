/**
 * Ten times what can be taken, from one noisy source over several protocols, beside quiet neighbours: what is acknowledged
 * is stored, memory stays flat, and the neighbours hardly notice.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { withCluster } from './cluster.ts';
import { type Counts, total } from './counts.ts';
import { type NoisyOptions, type NoisyResult, noisyService } from './overload-noisy.ts';
import { Neighbours, type NeighboursResult } from './overload-quiet.ts';
import { type MemorySlope, memorySlopes, type MemorySample } from './memory-slope.ts';
import { type Machine, machine, payloadsFor, type ScenarioContext, warmUp } from './scenario.ts';
import { load, openSender } from './sender.ts';

const mib = 1024 ** 2;
const noisyAddress = '127.0.0.9';
const overloadFactor = 10;
/** So many that it is the gateway that says no, and not a lack of connections. */
const noisyConnectionsMin = 640;
const capacitySeconds = 15;
const alonePhaseSeconds = 15;
const linesPerBody = 500;
const sampleEveryMs = 1_000;
const patienceMs = 60_000;
/** Small streams and budgets: the cluster comes to their ends within seconds, and stays there. */
const config = {
  streams: { logsBytesMax: 64 * mib, resultsBytesMax: 64 * mib },
  gateway: { pendingBytesMax: 16 * mib },
  receivers: { pendingBytesMax: 16 * mib },
};
const expectedAnswers: ReadonlySet<string> = new Set(['200', '204', '429', '503']);
/** A connection may be closed as idle at the moment that it is used again. */
const otherAnswersShareMax = 0.001;
/** Share of requests of neighbours that must be taken, at once or when they come again as they are told. */
const successShareMin = 0.99;

export interface OverloadReport {
  scenario: 'overload';
  ok: boolean;
  problems: string[];
  seconds: number;
  workers: number;
  /** What the cluster takes in a closed loop, records/s. */
  capacityPerSecond: number;
  offeredPerSecond: number;
  /** Of the noisy source. */
  acceptedPerSecond: number;
  offeredTimes: number;
  noisy: NoisyResult[];
  alone: NeighboursResult;
  beside: NeighboursResult;
  accepted: number;
  stored: number;
  lost: number;
  refused: Record<string, number>;
  memory: MemorySlope[];
  machine: Machine;
}

export function overload({ args, signal, note }: ScenarioContext): Promise<OverloadReport> {
  const { workers, seconds, connections, profileDir } = args;
  return withCluster({ workers, profileDir, config, signal, note }, async (cluster) => {
    const { gateway } = cluster.urls;
    const ports = cluster.gatewayPorts;
    const sender = openSender(gateway, connections);
    const payloads = payloadsFor(connections, linesPerBody);
    let first: Counts;
    let capacityPerSecond: number;
    try {
      note(`Warming up, then measuring for ${capacitySeconds} s what can be taken …`);
      first = await warmUp(cluster, { sender, payloads, connections, signal });
      const before = total(first);
      const startedMs = performance.now();
      const result = await load({ sender, payloads, connections, durationMs: capacitySeconds * 1_000, signal });
      const { atMs } = await cluster.waitForRows(before + total(result.accepted), patienceMs);
      capacityPerSecond = Math.round((total(result.accepted) * 1_000) / (atMs - startedMs));
    } finally {
      sender.close();
    }
    const neighbours = new Neighbours(gateway, ports['syslog'] as number);
    note(`It takes ${capacityPerSecond} records/s. Neighbours alone for ${alonePhaseSeconds} s …`);
    const alone = await neighbours.run('alone', alonePhaseSeconds * 1_000, signal);
    const ratePerSecond = capacityPerSecond * overloadFactor;
    note(`Offering ${ratePerSecond} records/s from one source beside them for ${seconds} s …`);
    const samples: MemorySample[] = [];
    const timer = setInterval(() => samples.push({ atMs: performance.now(), use: cluster.use() }), sampleEveryMs);
    const noisyOptions: NoisyOptions = {
      gateway,
      syslogPort: ports['syslog'] as number,
      gelfPort: ports['gelf'] as number,
      address: noisyAddress,
      ratePerSecond,
      durationMs: seconds * 1_000,
      connections: Math.max(noisyConnectionsMin, connections),
    };
    const [noisy, beside] = await Promise.all([
      runNoisy(noisyOptions, signal),
      neighbours.run('beside', seconds * 1_000, signal),
    ]).finally(() => clearInterval(timer));
    signal.throwIfAborted();
    note('Waiting until every row can be queried …');
    const expected = expectedOf(noisy, alone, beside);
    const stored = await waitFor(cluster.storedByService.bind(cluster), expected, signal);
    const lost = [...expected].reduce(
      (sum, [service, count]) => sum + Math.max(0, count - (stored.get(service) ?? 0)),
      0,
    );
    const refused = refusedOf(await cluster.gatewayMetrics());
    const memory = memorySlopes(samples);
    const sum = (pick: (one: NoisyResult) => number): number => noisy.reduce((all, one) => all + pick(one), 0);
    const offeredPerSecond = Math.round(sum(({ offered }) => offered) / seconds);
    const report: OverloadReport = {
      scenario: 'overload',
      ok: true,
      problems: [],
      seconds,
      workers,
      capacityPerSecond,
      offeredPerSecond,
      acceptedPerSecond: Math.round(sum(({ accepted }) => accepted) / seconds),
      offeredTimes: Math.round((offeredPerSecond / capacityPerSecond) * 10) / 10,
      noisy,
      alone,
      beside,
      accepted: total(expected),
      stored: [...expected.keys()].reduce((all, service) => all + (stored.get(service) ?? 0), 0),
      lost,
      refused,
      memory,
      machine: machine(),
    };
    report.problems = problemsOf(report);
    report.ok = report.problems.length === 0;
    return report;
  });
}

export function problemsOf({ lost, beside, memory, noisy, offeredTimes }: OverloadReport): string[] {
  const problems: string[] = [];
  if (lost > 0) problems.push(`${lost} acknowledged records cannot be queried.`);
  if (beside.successShare < successShareMin)
    problems.push(`Only ${(beside.successShare * 100).toFixed(2)} % of the neighbours' requests were taken.`);
  for (const { name, isFlat, mibPerMinute } of memory)
    if (!isFlat) problems.push(`The memory of ${name} grows by ${mibPerMinute} MiB a minute.`);
  const answers = new Map<string, number>();
  for (const one of noisy)
    for (const [status, count] of Object.entries(one.statuses)) answers.set(status, (answers.get(status) ?? 0) + count);
  answers.delete('busy');
  const others = [...answers].filter(([status]) => !expectedAnswers.has(status));
  if (total(new Map(others)) > total(answers) * otherAnswersShareMax)
    problems.push(`The noisy source met ${others.map(([status, count]) => `${status} ${count} times`).join(', ')}.`);
  if (offeredTimes < overloadFactor * 0.9) problems.push(`Only ${offeredTimes} times what can be taken was offered.`);
  return problems;
}

function runNoisy(options: NoisyOptions, signal: AbortSignal): Promise<NoisyResult[]> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./overload-noisy.ts', import.meta.url), { workerData: options });
    const stop = (): void => void worker.terminate();
    signal.addEventListener('abort', stop, { once: true });
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => {
      signal.removeEventListener('abort', stop);
      reject(new Error('The noisy source ended without a result.'));
    });
  });
}

/** Records that must be there: all that were acknowledged, or read from a connection. Datagrams may be lost. */
function expectedOf(noisy: readonly NoisyResult[], ...quiet: NeighboursResult[]): Counts {
  const expected: Counts = new Map();
  for (const { protocol, accepted } of noisy) if (protocol !== 'gelf') expected.set(noisyService(protocol), accepted);
  for (const { accepted } of quiet)
    for (const [service, count] of Object.entries(accepted))
      expected.set(service, (expected.get(service) ?? 0) + count);
  return expected;
}

async function waitFor(read: () => Promise<Counts>, expected: Counts, signal: AbortSignal): Promise<Counts> {
  let stored = await read();
  let moved = performance.now();
  const isThere = (): boolean => [...expected].every(([service, count]) => (stored.get(service) ?? 0) >= count);
  while (!isThere() && performance.now() - moved < patienceMs) {
    await sleep(500, undefined, { signal });
    const now = await read();
    if (total(now) !== total(stored)) moved = performance.now();
    stored = now;
  }
  return stored;
}

/** Counters of refusals in Prometheus text. */
export function refusedOf(metrics: string): Record<string, number> {
  const found = metrics.matchAll(
    /^logweir_gateway_((?:\w+_)?(?:refused\w*|over_share|over_quota|dropped|pauses))_total (\d+)$/gm,
  );
  return Object.fromEntries(
    [...found].map(([, name = '', value]) => [name, Number(value)]).filter(([, value]) => value !== 0),
  );
}
