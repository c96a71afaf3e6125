/** Entry point of `npm run loadtest`: runs one scenario on a cluster of its own and prints what it measured. */
import { mkdirSync } from 'node:fs';
import process from 'node:process';
import { LogweirError } from '#protocol/mod.ts';
import { type Arguments, help, parseArguments } from './arguments.ts';
import { fullResults, poison, tornInserts, twentyYears } from './faults/disasters.ts';
import { faults } from './faults/faults.ts';
import { recreatedStream, truncatedStream } from './faults/lost-stream.ts';
import { latency } from './latency.ts';
import { overload } from './overload.ts';
import { type Report, render } from './render.ts';
import { scaleOut } from './scale-out.ts';
import type { ScenarioContext } from './scenario.ts';
import { throughput } from './throughput.ts';

const run: Record<Arguments['scenario'], (context: ScenarioContext) => Promise<Report>> = {
  throughput: (context) => throughput(context),
  latency,
  'scale-out': scaleOut,
  overload,
  faults,
  'recreated-stream': recreatedStream,
  'truncated-stream': truncatedStream,
  'full-results': fullResults,
  poison,
  'twenty-years': twentyYears,
  'torn-inserts': tornInserts,
};

/** Resolves to the exit code. */
async function main(signal: AbortSignal): Promise<number> {
  try {
    const args = parseArguments(process.argv.slice(2), process.cwd());
    if (args === null) {
      process.stdout.write(help);
      return 0;
    }
    if (args.profileDir !== undefined) mkdirSync(args.profileDir, { recursive: true });
    const note = (text: string): void => void process.stderr.write(`${text}\n`);
    const report = await run[args.scenario]({ args, signal, note });
    process.stdout.write(args.json ? `${JSON.stringify(report)}\n` : `\n${render(report)}`);
    return report.ok ? 0 : 1;
  } catch (error) {
    if (signal.aborted) return 130;
    const { message, stack } = error as Error;
    process.stderr.write(error instanceof LogweirError ? `loadtest: ${message}\n  ${error.remedy}\n` : `${stack}\n`);
    return error instanceof LogweirError && error.code === 'USAGE' ? 2 : 1;
  }
}

/** The first signal ends the run and its cluster in order, the second at once. */
const controller = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => {
    if (controller.signal.aborted) process.exit(130);
    process.stderr.write('Stopping: the cluster is ended first.\n');
    controller.abort();
  });
}
process.exitCode = await main(controller.signal);
