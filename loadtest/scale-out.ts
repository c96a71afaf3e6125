/** Throughput with 1, 2, 3 … workers, each on a fresh cluster. */
import { type Machine, machine, type ScenarioContext } from './scenario.ts';
import { hundredths } from './statistics.ts';
import { type ThroughputReport, throughput } from './throughput.ts';

export interface ScaleOutReport {
  scenario: 'scale-out';
  ok: boolean;
  problems: string[];
  runs: (ThroughputReport & {
    /** Against the run with one worker. */
    speedup: number;
  })[];
  machine: Machine;
}

export async function scaleOut(context: ScenarioContext): Promise<ScaleOutReport> {
  const runs: ScaleOutReport['runs'] = [];
  for (let workers = 1; workers <= context.args.workers; workers++) {
    const report = await throughput(context, workers);
    context.note(`${workers}: ${report.logsPerSecond} logs/s`);
    runs.push({ ...report, speedup: hundredths(report.logsPerSecond / (runs[0] ?? report).logsPerSecond) });
  }
  const problems = runs.flatMap((run) => run.problems.map((text) => `With ${run.workers} workers: ${text}`));
  return { scenario: 'scale-out', ok: problems.length === 0, problems, runs, machine: machine() };
}
