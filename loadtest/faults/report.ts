/** What a run with faults found, for people and as JSON. */
import type { FaultScenario } from '../arguments.ts';
import type { Machine } from '../scenario.ts';
import type { Summary } from '../statistics.ts';
import { table, thousands } from '../table.ts';
import type { HealingRow } from './healing.ts';

/** One thing that must hold. */
export interface Check {
  name: string;
  ok: boolean;
  said: string;
  /** What is wrong, named. */
  examples?: string[];
}

export interface FaultsReport {
  scenario: FaultScenario;
  ok: boolean;
  problems: string[];
  seed: number;
  seconds: number;
  ratePerSecond: number;
  /** Acknowledged records over the time of sending. */
  reachedPerSecond: number;
  /** How long senders were held back because storage was too far behind, s. */
  heldBackSeconds: number;
  acknowledged: number;
  requestsRetried: number;
  /** Answers that were no acknowledgement, by HTTP status; 0 where none came. */
  refusals: Record<string, number>;
  faults: {
    number: number;
    at: string;
    unit: string;
    how: string;
    awaySeconds: number;
    healedSeconds: number | null;
  }[];
  healing: HealingRow[];
  /** Processes that ended though nobody had asked them to. */
  ownEnds: { unit: string; at: string; how: string }[];
  alertMs: { before: Summary | null; during: Summary | null; after: Summary | null } | null;
  checks: Check[];
  /** Where the data is, if it was kept. */
  dir: string;
  machine: Machine;
}

export function faultsLines(report: FaultsReport): string[] {
  const { healing, checks, alertMs, ownEnds } = report;
  const lines = [
    `${report.scenario}, seed ${report.seed}: ${report.faults.length} faults in ${report.seconds} s, ${thousands(report.acknowledged)} records ` +
      `acknowledged, ${thousands(report.reachedPerSecond)} logs/s (asked: ${thousands(report.ratePerSecond)}; held back for ${report.heldBackSeconds} s)`,
    `${thousands(report.requestsRetried)} requests sent again.`,
  ];
  if (healing.length > 0) {
    const rows = healing.map((one) => [
      `${one.kind} ${one.how}`,
      String(one.count),
      one.awaySeconds.toFixed(1),
      one.medianSeconds?.toFixed(1) ?? '-',
      one.maxSeconds?.toFixed(1) ?? '-',
      String(one.unhealed),
    ]);
    lines.push('', ...table(['fault', 'count', 'away s', 'healed s, median', 'max', 'not healed'], rows));
  }
  if (alertMs !== null) {
    const row = (name: string, one: Summary | null): string[] =>
      one === null
        ? [name, '0', '-', '-', '-']
        : [name, String(one.count), ...[one.p50, one.p99, one.max].map((ms) => ms.toFixed(0))];
    lines.push(
      '',
      ...table(
        ['event → webhook, ms', 'count', 'p50', 'p99', 'max'],
        [row('before the faults', alertMs.before), row('during', alertMs.during), row('after', alertMs.after)],
      ),
    );
  }
  if (ownEnds.length > 0) {
    const counts = new Map<string, number>();
    for (const { unit, how } of ownEnds) counts.set(`${unit} ${how}`, (counts.get(`${unit} ${how}`) ?? 0) + 1);
    lines.push('', `Ended by themselves: ${[...counts].map(([what, count]) => `${what} ×${count}`).join(', ')}`);
  }
  lines.push(
    '',
    ...table(
      ['check', 'verdict', ''],
      checks.map(({ name, ok, said }) => [name, ok ? 'ok' : 'BROKEN', said]),
      true,
    ),
  );
  for (const { ok, examples = [] } of checks)
    if (!ok) for (const text of examples.slice(0, 10)) lines.push(`    ${text}`);
  return lines;
}
