/** `logweir scale` as text. Pure. */
import { short } from './progress.ts';
import { table } from './table.ts';

export interface ScaleReport {
  from: number;
  to: number;
  started: readonly string[];
  draining: readonly string[];
  partitions: number;
  /** Partitions that changed their worker. */
  moved: number;
  epoch: number;
  seconds: number;
  /** All workers of the cluster, those of other machines included. */
  workers: readonly { id: string; host: string; pid: number; partitions: number; recordsPerSecond: number }[];
}

export function renderScale(report: ScaleReport): string {
  const { from, to, started, draining, moved, partitions, seconds } = report;
  const done = [
    ...(started.length > 0 ? [`started ${started.join(', ')}`] : []),
    ...(draining.length > 0 ? [`drained and ended ${draining.join(', ')}`] : []),
  ];
  const head =
    from === to && done.length === 0
      ? `${to} ${to === 1 ? 'worker runs' : 'workers run'} already.`
      : `Workers ${from} → ${to}: ${done.join('; ')}. ${moved} of ${partitions} partitions moved, settled after ${seconds.toFixed(1)} s.`;
  const rows = report.workers.map((worker) => [
    worker.id,
    worker.host,
    String(worker.pid),
    String(worker.partitions),
    `${short(worker.recordsPerSecond)}/s`,
  ]);
  return `${[head, '', ...table([['worker', 'host', 'pid', 'partitions', 'records'], ...rows], 2)].join('\n')}\n`;
}
