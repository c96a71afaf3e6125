/** What the scenarios share: what they are given, what they answer, and the check of counts. */
import { cpus, totalmem } from 'node:os';
import process from 'node:process';
import { LogweirError } from '#protocol/mod.ts';
import type { Arguments } from './arguments.ts';
import type { Cluster } from './cluster.ts';
import { addCounts, type Comparison, type Counts, compare, total } from './counts.ts';
import { type Payload, renderPayloads } from './payload.ts';
import { costsBetween, type ProcessCost, type ProcessUse } from './processes.ts';
import { type LoadOptions, type LoadResult, load } from './sender.ts';
import { hundredths } from './statistics.ts';

export interface ScenarioContext {
  args: Arguments;
  signal: AbortSignal;
  /** One line for people. */
  note: (text: string) => void;
}

export interface Machine {
  cpus: number;
  cpuModel: string;
  memoryGib: number;
  node: string;
  platform: string;
}

export interface Counted extends Comparison {
  accepted: number;
  rejected: number;
  stored: number;
  /** Requests answered 503 or 429 and sent again. */
  refused: number;
  /** Records of requests without an answer. */
  unknown: number;
}

export interface Costs {
  cpuSecondsPerMillion: number;
  processes: ProcessCost[];
}

/** Each service of the generator so many times: about forty services. */
const regions = 3;
/** Freshly started code is slow until it is compiled: load that is not counted. */
export const warmupSeconds = 5;
/** Without a new row for this long, what is missing counts as lost. */
const patienceMs = 30_000;

export function machine(): Machine {
  const all = cpus();
  return {
    cpus: all.length,
    cpuModel: all[0]?.model.trim() ?? 'unknown',
    memoryGib: Math.round(totalmem() / 1024 ** 3),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
  };
}

export function payloadsFor(connections: number, linesPerBody: number, service?: string): Payload[] {
  return renderPayloads({ seed: 1, bodies: Math.max(64, connections), linesPerBody, regions, service });
}

/**
 * Carries load until everything is compiled and every part has work behind it, then waits until all of it can be
 * queried, so that what is measured begins with empty streams. Resolves to what was accepted.
 */
export async function warmUp(cluster: Cluster, options: Omit<LoadOptions, 'durationMs'>): Promise<Counts> {
  const { accepted, failures } = await load({ ...options, durationMs: warmupSeconds * 1_000 });
  options.signal.throwIfAborted();
  const { stored } = await cluster.waitForRows(total(accepted), patienceMs);
  if (failures.length > 0 || accepted.size === 0 || stored < total(accepted))
    throw new LogweirError(
      'TIMEOUT',
      `The warm-up failed: of ${total(accepted)} acknowledged records ${stored} can be queried. ${failures.join(' ')}`,
      'Try a lower --rate or fewer --connections.',
    );
  return accepted;
}

export interface Settled {
  counts: Counted;
  costs: Costs;
  /** When the last row was first seen in storage, by `performance.now()`. */
  storedAtMs: number;
}

/** Waits until everything acknowledged can be queried, then compares by service. `first` was stored before. */
export async function settle(
  cluster: Cluster,
  result: Pick<LoadResult, 'accepted' | 'rejected' | 'refused' | 'unknown'>,
  first: Counts,
  usedBefore: readonly ProcessUse[],
): Promise<Settled> {
  const accepted = total(result.accepted);
  const expected: Counts = new Map(first);
  addCounts(expected, result.accepted);
  const { atMs } = await cluster.waitForRows(total(expected), patienceMs);
  const processes = costsBetween(usedBefore, cluster.use(), accepted);
  const byService = await cluster.storedByService();
  const cpuSecondsPerMillion = hundredths(processes.reduce((sum, one) => sum + one.cpuSecondsPerMillion, 0));
  const { rejected, refused, unknown } = result;
  const stored = total(byService) - total(first);
  return {
    counts: { accepted, rejected, stored, ...compare(expected, byService), refused, unknown },
    costs: { cpuSecondsPerMillion, processes },
    storedAtMs: atMs,
  };
}

/** What must not be, in sentences. */
export function problemsOf(counts: Counted, failures: readonly string[]): string[] {
  const problems = [...failures];
  const { lost, extra, rejected, refused, unknown, accepted } = counts;
  if (accepted === 0) problems.push('No record was accepted.');
  if (lost > 0) problems.push(`${lost} acknowledged records cannot be queried.`);
  if (rejected > 0) problems.push(`${rejected} records were rejected.`);
  // A request that was refused or cut off half-way was sent again or given up: what it left is no double.
  if (extra > 0 && refused === 0 && unknown === 0) problems.push(`${extra} records are stored more often than sent.`);
  return problems;
}
