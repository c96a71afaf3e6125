/** The load test's command line. */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { LogweirError } from '#protocol/mod.ts';

export const scenarios = ['throughput', 'latency', 'scale-out'] as const;
export type Scenario = (typeof scenarios)[number];

export interface Arguments {
  scenario: Scenario;
  json: boolean;
  /** Of load, without start and end. */
  seconds: number;
  /** Worker processes; for scale-out the most. */
  workers: number;
  /** Requests unacknowledged at once. */
  connections: number;
  /** Records per second of the latency scenario. */
  rate: number;
  profileDir: string | undefined;
}

export const help = `Usage: npm run loadtest -- SCENARIO [options]

Starts a cluster of its own on free ports, puts load on it, and ends and removes it.

  throughput   as many logs per second as the machine takes, from the first POST to the last queryable row
  latency      a fixed rate, and events that raise an alert each: how long from event to webhook
  scale-out    throughput with 1, 2, 3 … workers, each on a fresh cluster

  --seconds N       of load; default 20, latency 30, scale-out 10 for each cluster
  --workers N       worker processes, default 1; scale-out: the most, default 3
  --rate N          latency: logs per second, default 20000
  --connections N   requests unacknowledged at once, default 64
  --profile DIR     CPU profiles of every role
  --json            print one JSON object on stdout and nothing else there

Ends with 1 when anything was lost or stored twice, or an alert did not come.
`;

const secondsDefault: Record<Scenario, number> = { throughput: 20, latency: 30, 'scale-out': 10 };

/** Null asks for help. @throws LogweirError USAGE */
export function parseArguments(argv: readonly string[], cwd: string): Arguments | null {
  const { values, positionals } = parse(argv);
  if (values.help === true) return null;
  const [name, ...more] = positionals;
  const scenario = scenarios.find((one) => one === name);
  if (scenario === undefined || more.length > 0) {
    const said = name === undefined ? 'No scenario was named' : `There is no scenario "${more[0] ?? name}"`;
    throw usage(`${said}; there are ${scenarios.join(', ')}.`);
  }
  return {
    scenario,
    json: values.json === true,
    seconds: whole(values.seconds, '--seconds', secondsDefault[scenario], 1, 3_600),
    workers: whole(values.workers, '--workers', scenario === 'scale-out' ? 3 : 1, 1, 64),
    connections: whole(values.connections, '--connections', 64, 1, 1_024),
    rate: whole(values.rate, '--rate', 20_000, 100, 10_000_000),
    profileDir: values.profile === undefined ? undefined : resolve(cwd, values.profile),
  };
}

function parse(argv: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const options = {
    seconds: text,
    workers: text,
    connections: text,
    rate: text,
    profile: text,
    json: flag,
    help: { ...flag, short: 'h' },
  } as const;
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true });
  } catch (error) {
    throw usage(`${(error as Error).message.split('. ')[0] ?? ''}.`);
  }
}

function whole(given: string | undefined, option: string, fallback: number, min: number, max: number): number {
  if (given === undefined) return fallback;
  const value = /^\d+$/.test(given) ? Number(given) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw usage(`${option} must be a whole number from ${min} to ${max}, not "${given}".`);
}

const usage = (message: string): LogweirError =>
  new LogweirError('USAGE', message, 'Run "npm run loadtest -- --help" to see what it takes.');
